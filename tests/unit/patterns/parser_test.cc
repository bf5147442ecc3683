// The grammar (the examples of GRAMMAR.md and the mistakes of docs/language.md are read here), every mistake with its hint, no
// cascades, limits, and a fuzzer.
#include "patterns/parser.h"

#include <gtest/gtest.h>

#include <random>

#include "patterns/lexer.h"
#include "tests/unit/patterns/parse_support.h"

namespace patterns {
namespace {

using Found = std::vector<std::string>;

std::string rule_with(const std::string& clauses) { return "create rule r on s " + clauses + " alert;"; }
std::string when(const std::string& condition) { return rule_with("when " + condition); }
std::string pattern(const std::string& text) { return rule_with("pattern " + text); }

TEST(Parser, ReadsTheExamplesWithoutAWord) {
  const Parsed tour(read_source("tests/unit/patterns/examples/tour.weir"));
  EXPECT_TRUE(tour.diagnostics.empty()) << tour.report();
  EXPECT_EQ(tour.file.statements.size(), 6u);
  const Parsed typologies(read_source("tests/unit/patterns/examples/typologies.weir"));
  EXPECT_TRUE(typologies.diagnostics.empty()) << typologies.report();
  EXPECT_EQ(typologies.file.statements.size(), 22u);
}

TEST(Parser, GrammarExamplesHold) {
  const std::string page = read_source("patterns/GRAMMAR.md");
  const std::vector<std::string> good = blocks(page, "weir");
  EXPECT_EQ(good.size(), 6u);
  for (const std::string& text : good) {
    const Parsed it(text);
    EXPECT_TRUE(it.diagnostics.empty()) << it.report();
    EXPECT_FALSE(it.file.statements.empty());
  }
}

// | `text` | Ennnn | ... |: a row of a table of mistakes, a whole statement or what follows `create rule r on s`.
TEST(Parser, MistakesOfThePageHold) {
  std::istringstream page(read_source("docs/language.md"));
  int rows = 0;
  for (std::string line; std::getline(page, line);) {
    const size_t code = line.find("` | E0");
    if (line.substr(0, 3) != "| `" || code == std::string::npos) continue;
    const std::string text = line.substr(3, code - 3);
    const Parsed it(text.substr(0, 6) == "create" ? text : rule_with(text));
    ASSERT_EQ(it.found().size(), 1u) << text << "\n" << it.report();
    EXPECT_EQ(it.found()[0].substr(0, 5), line.substr(code + 4, 5)) << text << "\n" << it.report();
    EXPECT_FALSE(it.diagnostics.sorted()[0].hint.empty()) << text;
    ++rows;
  }
  EXPECT_GT(rows, 40);
}

// Ten mistakes, five of them of form; the others are the checker's, and the parts they stand in must all be there.
std::string ten_mistakes() { return read_source("tests/unit/patterns/examples/ten_mistakes.weir"); }

TEST(Parser, TellsEachMistakeOnceAndKeepsTheRest) {
  const Parsed it(ten_mistakes());
  EXPECT_EQ(it.found(), (Found{"E0008 create", "E0005 -->", "E0001 #", "E0016 <", "E0012 suppress"})) << it.report();
  ASSERT_EQ(it.file.statements.size(), 2u);
  EXPECT_FALSE(it.file.statements[0].damaged);
  const RuleDecl& rule = it.rule(1);
  EXPECT_EQ(print(rule.pattern->alternation), "a -> b -> not c");
  ASSERT_EQ(rule.defines.size(), 3u);
  EXPECT_EQ(print(*rule.defines[0].condition.condition), "amout > <error> and amount < b.amount");
  EXPECT_EQ(print(*rule.defines[1].condition.condition), "1 < amount and <error> < 10 and maxx(amount) = 2");
  EXPECT_EQ(print(*rule.defines[2].condition.condition), "k > 5");
  EXPECT_EQ(print(*rule.suppress), "1 hour");
}

TEST(Parser, SpansStandUnderTheirWords) {
  const Parsed it("create rule r on s when amount + 1 > avg(x) over (last 2 hours) alert;");
  const Expr& top = *it.rule().when->condition;
  const auto cut = [&](const Span& span) { return std::string(it.sources.text(span)); };
  EXPECT_EQ(cut(top.span), "amount + 1 > avg(x) over (last 2 hours)");
  EXPECT_EQ(cut(top.op_span), ">");
  EXPECT_EQ(cut(top.args[0]->span), "amount + 1");
  EXPECT_EQ(cut(top.args[1]->over->span), "over (last 2 hours)");
  EXPECT_EQ(cut(top.args[1]->over->last.span), "2 hours");
  EXPECT_EQ(cut(*it.rule().clause(ClauseKind::kOn)), "on s");
  EXPECT_EQ(cut(it.file.statements[0].span), "create rule r on s when amount + 1 > avg(x) over (last 2 hours) alert;");
}

TEST(Parser, KeepsTheDigitsOfNumbers) {
  const Parsed it(when("f(5, 5.00, 0.05, 5e0, 9223372036854775807)"));
  ASSERT_TRUE(it.diagnostics.empty()) << it.report();
  const auto& args = it.rule().when->condition->args;
  EXPECT_EQ(args[0]->number.kind, NumberKind::kInt);
  EXPECT_EQ(args[1]->number.kind, NumberKind::kDecimal);
  EXPECT_EQ(args[1]->number.precision, 3);
  EXPECT_EQ(args[1]->number.scale, 2);
  EXPECT_EQ(args[1]->number.int_value, 500);
  EXPECT_EQ(args[2]->number.precision, 2);
  EXPECT_EQ(args[2]->number.int_value, 5);
  EXPECT_EQ(args[3]->number.kind, NumberKind::kFloat);
  EXPECT_EQ(args[3]->number.float_value, 5.0);
  EXPECT_EQ(args[4]->number.int_value, INT64_MAX);
}

TEST(Parser, DurationsAreExact) {
  const Parsed it(when("f(1.5 seconds, interval '2' hours, 1 week, 250 ms)"));
  ASSERT_TRUE(it.diagnostics.empty()) << it.report();
  const auto& args = it.rule().when->condition->args;
  EXPECT_EQ(args[0]->duration.us, 1'500'000);
  EXPECT_EQ(args[1]->duration.us, 2 * cep::kHour);
  EXPECT_EQ(args[2]->duration.us, 7 * cep::kDay);
  EXPECT_EQ(args[3]->duration.us, 250 * cep::kMillisecond);
  EXPECT_EQ(Parsed(when("f(0.0001 ms)")).found(), (Found{"E0018 0.0001"}));
  EXPECT_EQ(Parsed(when("f(999999999999999 weeks)")).found(), (Found{"E0018 999999999999999"}));
}

TEST(Parser, WordsThatAreNotReservedAreNames) {
  const Parsed it(
      "create stream stream (rule text, at timestamp, last int, day int, \"end\" int, skip int) event time at;"
      "create rule rule on stream as match partition by last pattern any -> strict+ strict -> until "
      "define any as timestamp > 5 and interval = 1 and distinct = 2, strict as count(distinct) > 1 and count(distinct "
      "last) > 1"
      " measures any.day as score alert severity severity message 'x' to to;");
  EXPECT_TRUE(it.diagnostics.empty()) << it.report();
}

TEST(Parser, AllowsAreKeptAndApplied) {
  const std::string text =
      "-- weir:allow W0306 small stream\ncreate rule r on s when x alert;\n"
      "create rule q on s when x alert;\n";
  Parsed it(text);
  ASSERT_EQ(it.file.statements[0].allows.size(), 1u);
  EXPECT_EQ(it.file.statements[0].allows[0].code, "W0306");
  EXPECT_EQ(it.file.statements[0].allows[0].reason, "small stream");
  it.diagnostics.add(Code::kGlobal, it.rule(0).name.span);
  it.diagnostics.add(Code::kGlobal, it.rule(1).name.span);
  apply_allows(it.file, it.diagnostics);
  EXPECT_EQ(it.found(), (Found{"W0306 q"}));
  EXPECT_EQ(Parsed("-- weir:allow W9999 x\ndrop rule r;").found(), (Found{"W0001 -- weir:allow W9999 x"}));
  EXPECT_EQ(Parsed("drop rule -- weir:allow W0306\n r;").found(), (Found{"W0001 -- weir:allow W0306"}));
}

TEST(Parser, GoesOnAfterEveryMistake) {
  const Parsed it(
      "create rule a on s partitoin by k when x > alert;\n"
      "selekt 1;\n"
      "create rule b on s pattern a -> -> b -> c{3,2} define a as f(1 2, x) and y, b as , c as z measures 1 + as m, 2 "
      "as n "
      "alert severty high;\n"
      "create stream t (a int b, c varchar(20), \"d\" foo) event time c dely 5 seconds;\n"
      "create list l of text");
  EXPECT_EQ(it.found(),
            (Found{"E0009 partitoin", "E0009 alert", "E0009 selekt", "E0009 ->", "E0202 {3,2}", "E0009 2", "E0009 ,",
                   "E0009 as", "E0009 severty", "E0009 b", "E0119 varchar", "E0119 foo", "E0009 dely", "E0008 text"}))
      << it.report();
  ASSERT_EQ(it.file.statements.size(), 4u);
  EXPECT_TRUE(it.file.statements[0].damaged);
  EXPECT_EQ(it.rule(1).measures.size(), 2u);
  EXPECT_EQ(print(*it.rule(1).defines[0].condition.condition), "f(1) and y");
}

TEST(Parser, UnclosedThingsTakeNoBlameForTheRest) {
  EXPECT_EQ(Parsed("create rule r on s when a = 'x alert;\ncreate rule q on s when x alert;").found(),
            (Found{"E0002 'x alert;"}));
  EXPECT_EQ(Parsed("create rule r on s when a /* alert;").found(), (Found{"E0004 /*"}));
  EXPECT_EQ(Parsed("create rule r /*").found(), (Found{"E0004 /*"}));
  const Parsed apostrophe(rule_with("when x alert message 'it's here'"));
  EXPECT_EQ(apostrophe.diagnostics.sorted().at(0).hint, "a quote inside a string is written twice: `''`")
      << apostrophe.report();
}

TEST(Parser, MisspeltClausesAreRead) {
  const Parsed it("create rule r on s partitoin by k patern a -> b alert;");
  EXPECT_EQ(it.found(), (Found{"E0009 partitoin", "E0009 patern"})) << it.report();
  EXPECT_EQ(it.rule().partition.size(), 1u);
  EXPECT_TRUE(it.rule().pattern);
}

TEST(Parser, LimitsAreDiagnostics) {
  const auto nested = [](size_t depth) { return when(repeated("(", depth) + "x" + repeated(")", depth)); };
  EXPECT_TRUE(Parsed(nested(63)).diagnostics.empty());
  EXPECT_EQ(Parsed(nested(64)).found().size(), 1u);
  EXPECT_EQ(Parsed(nested(20'000)).found()[0].substr(0, 5), "E0402");
  EXPECT_EQ(Parsed(nested(20'000)).found().size(), 1u);
  EXPECT_EQ(Parsed(when(repeated("not ", 10'000) + "x")).found()[0].substr(0, 5), "E0402");
  EXPECT_EQ(Parsed(when(repeated("- ", 20'000) + "x")).found()[0].substr(0, 5), "E0402");
  EXPECT_EQ(Parsed(when(repeated("f() over (partition by a = ", 2'000))).found()[0].substr(0, 5), "E0402");
  EXPECT_EQ(Parsed(when(repeated("case when ", 5'000))).found()[0].substr(0, 5), "E0402");
  EXPECT_TRUE(Parsed(when("x" + repeated(" and x", 900))).diagnostics.empty());
  EXPECT_EQ(Parsed(when("x" + repeated(" and x", 1'100))).found(), (Found{"E0403 x"}));
  EXPECT_EQ(Parsed(when("x" + repeated(" and f(x)", 5'000))).found().size(), 1u);
  EXPECT_EQ(Parsed(when("x" + repeated(" in (1)", 5'000))).found().size(), 2u);
  EXPECT_TRUE(Parsed(when("x in (1" + repeated(", 1", 999) + ")")).diagnostics.empty());
  EXPECT_EQ(Parsed(when("x in (1" + repeated(", 1", 1000) + ")")).found(), (Found{"E0405 in"}));
}

TEST(Parser, PatternAndTextLimitsAreDiagnostics) {
  const auto nested = [](size_t depth) { return pattern(repeated("(", depth) + "a" + repeated(")", depth)); };
  EXPECT_TRUE(Parsed(nested(16)).diagnostics.empty());
  EXPECT_EQ(Parsed(nested(17)).found(), (Found{"E0404 ("}));
  EXPECT_EQ(Parsed(nested(20'000)).found(), (Found{"E0404 ("}));
  EXPECT_EQ(Parsed(pattern(repeated("permute(", 5'000))).found()[0].substr(0, 5), "E0404");
  const Parsed longer(when("x" + repeated(" and x", 12'000)) + "drop rule r;");
  EXPECT_EQ(longer.found(), (Found{"E0401 create"}));
  EXPECT_EQ(longer.file.statements.size(), 1u);
  ParseLimits small;
  small.file_bytes_max = 3;
  EXPECT_EQ(Parsed("drop rule r;", small).found().size(), 1u);
}

TEST(Parser, ReadsEveryCharacterOfUtf8AndNothingElse) {
  for (const char* const good :
       {"\xC3\xA9", "\xE2\x82\xAC", "\xED\x9F\xBF", "\xEE\x80\x80", "\xF0\x9F\x98\x80", "\xF4\x8F\xBF\xBF"}) {
    EXPECT_EQ(Parsed(std::string("drop rule \"") + good + "\"; -- " + good).found(), Found{}) << good;
  }
  // Lone and missing followers, overlong forms, a surrogate, beyond the last code point.
  for (const char* const bad : {"\x80", "\xFF", "\xC3", "\xE2\x82", "\xC0\xAF", "\xE0\x9F\xBF", "\xED\xA0\x80",
                                "\xF0\x8F\xBF\xBF", "\xF4\x90\x80\x80", "\xF8\x88\x80\x80\x80"}) {
    const Found found = Parsed(std::string("drop rule \"") + bad + "\";").found();
    ASSERT_EQ(found.size(), 1u) << bad;
    EXPECT_EQ(found[0].substr(0, 5), "E0010");
  }
}

// Bytes and tokens of the examples changed at random: no crash, no hang, diagnostics whenever a part is missing.
TEST(Parser, SurvivesRandomMutations) {
  const uint32_t seed = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937 random(seed);
  const auto pick = [&](size_t count) { return std::uniform_int_distribution<size_t>(0, count - 1)(random); };
  const std::string source = read_source("tests/unit/patterns/examples/tour.weir") +
                             read_source("tests/unit/patterns/examples/typologies.weir") + ten_mistakes();
  SourceMap sources;
  Diagnostics ignored;
  std::vector<std::string> tokens;
  for (const Token& it : tokenize(sources, sources.add("x", source), ignored).tokens) {
    tokens.emplace_back(sources.text(it.span));
  }
  for (int round = 0; round < 400; ++round) {
    std::string text;
    const size_t begin = pick(tokens.size());
    for (size_t i = begin; i < std::min(tokens.size(), begin + 300); ++i) {
      const size_t dice = pick(40);
      if (dice == 0) continue;
      text += dice == 1 ? tokens[pick(tokens.size())] : tokens[i];
      if (dice == 2) text += " " + tokens[pick(tokens.size())];
      text += dice == 3 ? "\n" : " ";
    }
    for (size_t i = pick(6); i > 0 && !text.empty(); --i) text[pick(text.size())] = static_cast<char>(pick(128));
    const Parsed it(text);
    for (const Diagnostic& diagnostic : it.diagnostics.sorted()) {
      ASSERT_LE(diagnostic.span.begin, diagnostic.span.end);
      ASSERT_LE(diagnostic.span.end, text.size());
    }
    std::string printed;
    for (const Statement& statement : it.file.statements) printed += print(statement);
    ASSERT_LT(it.report().size(), 200'000u);
    if (!it.diagnostics.empty()) continue;
    const Parsed again(printed);
    ASSERT_TRUE(again.diagnostics.empty()) << text << "\n" << again.report();
    ASSERT_EQ(format(it.file), format(Parsed(format(it.file)).file)) << text;
  }
}

}  // namespace
}  // namespace patterns
