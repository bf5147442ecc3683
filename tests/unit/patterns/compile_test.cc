// From text to programs: what a program holds, what two versions share, what a catalogue accepts.
#include <gtest/gtest.h>

#include "patterns/types.h"
#include "tests/unit/patterns/compile_support.h"

namespace patterns {
namespace {

const std::string kRule =
    "create rule r on tx partition by card pattern a -> b+ within 1 hour define a as amount < 5 and v > 1, "
    "b as amount > 100 * avg(a.amount) and country <> a.country and ok ";

cep::ProgramPtr program_of(const std::string& text) {
  const Compiled compiled = compile_text(text);
  EXPECT_TRUE(compiled.deployment) << compiled.report;
  return compiled.deployment ? compiled.deployment->rules.at(0).program : std::make_shared<cep::Program>();
}

TEST(Compile, EventOnlyConjunctsArePredicates) {
  const cep::ProgramPtr program = program_of(kTx + kRule + "alert;");
  EXPECT_EQ(dump_lines(*program, "variable"),
            "variable a: amount < 5 and v > 1\n"
            "variable b: ok; amount > 100 * avg(a.amount) and country <> a.country\n");
  ASSERT_EQ(program->predicates.size(), 2u);
  EXPECT_EQ(program->predicates[0].text, "amount < 5 and v > 1");
  EXPECT_EQ(program->predicates[1].text, "ok");
}

TEST(Compile, LintsNeverRefuseADeployment) {
  std::string text = "create stream e (x text, at timestamp not null) event time at delay 0 seconds;\n";
  const size_t rules = kWarningsMax + 10;
  for (size_t i = 0; i < rules; ++i) {
    text += "create rule r" + std::to_string(i) + " on e when x = 'a' suppress 1 hour alert message 'm';\n";
  }
  const Compiled made = compile_text(text);
  ASSERT_TRUE(made.deployment) << made.report;
  EXPECT_EQ(made.deployment->rules.size(), rules);
  EXPECT_EQ(made.warnings.size(), kWarningsMax);
  EXPECT_NE(made.report.find("... and 10 more\n"), std::string::npos);
}

TEST(Compile, PredicatesAreCanonical) {
  const auto text = [](const std::string& condition) {
    const cep::ProgramPtr program =
        program_of(kTx + "create rule r on tx partition by card when " + condition + " alert;");
    return program->predicates.empty() ? "" : program->predicates[0].text;
  };
  EXPECT_EQ(text("( (v)>(1) )"), "v > 1");
  EXPECT_EQ(text("v between 1 and 5"), "v >= 1 and v <= 5");
  EXPECT_EQ(text("not (v = 1 or ok)"), "not (v = 1 or ok)");
  EXPECT_EQ(text("v - (1 - 2) > 0 and (v - 1) - 2 > 0"), "v - (1 - 2) > 0 and v - 1 - 2 > 0");
  EXPECT_EQ(text("v > -1 and -v < 1"), "v > -1 and -v < 1");
  EXPECT_EQ(text("country in ('a','b') and country not like 'x%' and country matches '^a'"),
            "country in ('a', 'b') and country not like 'x%' and country matches '^a'");
  EXPECT_EQ(text("case v when 1 then ok else false end"), "case when v = 1 then ok else false end");
  EXPECT_EQ(text("at - at > 90 seconds and f > 1e1"), "at - at > 90 seconds and f > 1e+01");
  EXPECT_EQ(text("true and v = 1"), "v = 1");
  EXPECT_EQ(text("true"), "");
}

TEST(Compile, FingerprintsTellCosmeticFromMatching) {
  const cep::ProgramPtr first = program_of(kTx + kRule + "alert severity high;");
  const cep::ProgramPtr spaced = program_of(kTx + kRule + "  alert\n severity high ;");
  const cep::ProgramPtr cosmetic =
      program_of(kTx + kRule + "measures count(b) as n suppress 1 hour alert severity low message '{n}';");
  const cep::ProgramPtr matching = program_of(kTx + kRule + "having count(b) > 2 alert severity high;");
  const cep::ProgramPtr skipping = program_of(kTx + kRule + "after match no skip alert severity high;");
  EXPECT_EQ(first->fingerprint, spaced->fingerprint);
  EXPECT_EQ(first->matching_fingerprint, cosmetic->matching_fingerprint);
  EXPECT_NE(first->fingerprint, cosmetic->fingerprint);
  EXPECT_NE(first->matching_fingerprint, matching->matching_fingerprint);
  EXPECT_NE(first->matching_fingerprint, skipping->matching_fingerprint);
}

TEST(Compile, WindowsOnOneKeyShareARing) {
  const cep::ProgramPtr program =
      program_of(kTx +
                 "create rule r on tx partition by card when count(*) over (last 1 hour) > 1 and count(*) over (last 2 "
                 "hours) > 2 and "
                 "count(card) over (last 1 hour exclude current) > 2 and count(country) over (last 1 hour) > 0 and "
                 "sum(amount) over (last 1 day) > 5 and avg(amount) over (last 1 hour) > 1 suppress 2 days alert;");
  ASSERT_EQ(program->rings.size(), 3u);
  EXPECT_EQ(program->rings[0].identity, "stream tx key (card)");
  EXPECT_EQ(program->rings[0].span_us, 2 * cep::kHour);
  EXPECT_EQ(program->rings[1].identity, "stream tx key (card) where country is not null");
  EXPECT_EQ(program->rings[2].identity, "stream tx key (card) value amount");
  EXPECT_EQ(program->rings[2].value, cep::RingValue::kNumber);
  EXPECT_EQ(program->windows.size(), 6u);
  EXPECT_EQ(program->horizon_us, 2 * cep::kDay);
}

TEST(Compile, SeveralInputs) {
  const cep::ProgramPtr program =
      program_of(kTx + kLogins +
                 "create rule r on tx where v > 0, logins partition by tx.card as who, logins.user pattern a -> b -> c "
                 "within 1 hour "
                 "define a as true, b as logins where n > 1, c as amount > a.amount alert message '{who} {amount}';");
  EXPECT_EQ(dump_lines(*program, "variable"),
            "variable a: tx where any; logins where any;\n"
            "variable b: logins where n > 1;\n"
            "variable c: tx where amount > a.amount; logins where amount > a.amount;\n");
  EXPECT_EQ(dump_lines(*program, "input"), "input tx where v > 0 key card\ninput logins key user\n");
  EXPECT_EQ(program->variables[1].conditions[0].predicate, cep::kNever);
  ASSERT_EQ(program->alert.message.values.size(), 2u);
  const auto op = [&](size_t i) {
    return program->pool.nodes[static_cast<size_t>(program->alert.message.values[i])].op;
  };
  EXPECT_EQ(op(0), cep::ExprOp::kKeyPart);
  EXPECT_EQ(op(1), cep::ExprOp::kFieldByStream);
  EXPECT_EQ(program->alert.message.literals, (std::vector<std::string>{"", " ", ""}));
}

TEST(Compile, MessageTemplate) {
  const cep::ProgramPtr program = program_of(kTx +
                                             "create rule r on tx partition by card when v > 1 measures v * 2 as twice "
                                             "alert message 'it''s {{{twice}}} of {card}';");
  EXPECT_EQ(program->alert.message.literals, (std::vector<std::string>{"it's {", "} of ", ""}));
  EXPECT_EQ(program_of(kTx + "create rule r on tx partition by card when v > 1 alert;")->alert.message.literals,
            std::vector<std::string>{"r"});
}

TEST(Compile, Horizon) {
  const auto horizon = [](const std::string& pattern) {
    return program_of(kTx + "create rule r on tx partition by card pattern " + pattern +
                      " define a as v = 1, b as v = 2 alert;")
        ->horizon_us;
  };
  EXPECT_EQ(horizon("a -> b within 1 hour"), cep::kHour);
  EXPECT_EQ(horizon("a -> not b for 12 hours"), 12 * cep::kHour);
  EXPECT_EQ(horizon("a -> b -> not b for 1 hour within 2 hours"), 3 * cep::kHour);  // R21: `for` outlives `within`
  EXPECT_EQ(horizon("not b for 3 hours -> a within 1 hour"), 3 * cep::kHour);
  EXPECT_EQ(horizon("a -> b"), cep::kTimeMax);
  EXPECT_EQ(horizon("a -> b+ within 1 hour emit episode after quiet 5 minutes"), 65 * cep::kMinute);
}

TEST(Compile, AllOrNothing) {
  Catalog catalog;
  ASSERT_TRUE(compile_text(kTx, catalog).deployment);
  EXPECT_FALSE(
      compile_text("create list l of text; create rule r on tx partition by card when amout > 1 alert;", catalog)
          .deployment);
  EXPECT_TRUE(catalog.datasets.empty());
  EXPECT_TRUE(catalog.rules.empty());
  const Compiled both =
      compile_text("create rule r on tx partition by card when country in @l alert; create list l of text;", catalog);
  ASSERT_TRUE(both.deployment) << both.report;
  EXPECT_EQ(catalog.rules.at("r").datasets.count("l"), 1u);
  EXPECT_EQ(both.deployment->rules[0].program->datasets, std::vector<std::string>{"l"});
  EXPECT_FALSE(both.deployment->rules[0].shadow);
}

TEST(Compile, Streams) {
  const Compiled compiled = compile_text(
      "create stream s (a bool, b int not null, c float, d decimal(5,2), e text path '/x/y', t timestamp not null, u "
      "duration, i ip) "
      "event time t delay 2 seconds, idle 1 minute, ahead 5 minutes, retain 30 days, zone 'Europe/Berlin', unique (b, "
      "e) within 7 days;");
  ASSERT_TRUE(compiled.deployment) << compiled.report;
  const cep::StreamSchema& s = *compiled.deployment->streams.at(0);
  EXPECT_EQ(s.columns.size(), 8u);
  EXPECT_EQ(s.columns[4].path, "/x/y");
  EXPECT_EQ(s.time_column, 5);
  EXPECT_EQ(s.delay_us, 2 * cep::kSecond);
  EXPECT_EQ(s.idle_us, cep::kMinute);
  EXPECT_EQ(s.ahead_us, 5 * cep::kMinute);
  EXPECT_EQ(s.retain_us, 30 * cep::kDay);
  EXPECT_EQ(s.zone, "Europe/Berlin");
  EXPECT_EQ(s.unique_columns, (std::vector<uint16_t>{1, 4}));
  EXPECT_EQ(s.unique_within_us, 7 * cep::kDay);
}

TEST(Compile, StreamsThatAreWrong) {
  const auto errors = [](const std::string& text) { return codes(compile_text(text).errors); };
  using Codes = std::vector<std::string>;
  EXPECT_EQ(errors("create stream s (a int, a text, t timestamp not null) event time t;"), Codes{"E0109"});
  EXPECT_EQ(errors("create stream s (a int, t timestamp) event time t;"), Codes{"E0309"});
  EXPECT_EQ(errors("create stream s (a int, t timestamp not null) event time tt;"), Codes{"E0103"});
  EXPECT_EQ(errors("create stream s (a int, t timestamp not null) event time t unique b;"), Codes{"E0103"});
  EXPECT_EQ(errors("create stream s (a int path '/x~2', t timestamp not null) event time t;"), Codes{"E0125"});
  EXPECT_EQ(errors("create stream s (t timestamp not null) event time t zone 'Moon/Sea';"), Codes{"E0117"});
}

TEST(Compile, StreamsMayOnlyGrow) {
  const std::string old = "create stream s (a int, t timestamp not null) event time t delay 1 second;";
  struct Change {
    const char* text;
    const char* code;  // empty: accepted
    uint32_t version;
  };
  const Change changes[] = {
      {"create stream s (a int, t timestamp not null) event time t delay 1 second;", "", 1},
      {"create stream s (a int, t timestamp not null, b text) event time t delay 2 seconds, retain 8 days;", "", 2},
      {"create stream s (a int, t timestamp not null, b text not null) event time t delay 1 second;", "E0502", 1},
      {"create stream s (a int, b text, t timestamp not null) event time t delay 1 second;", "E0502", 1},
      {"create stream s (a text, t timestamp not null) event time t delay 1 second;", "E0502", 1},
      {"create stream s (t timestamp not null) event time t delay 1 second;", "E0502", 1},
      {"create stream s (a int, t timestamp not null) event time t;", "E0502", 1},
      {"create stream s (a int, t timestamp not null) event time t delay 1 second, unique a;", "E0502", 1},
  };
  for (const Change& change : changes) {
    Catalog catalog;
    ASSERT_TRUE(compile_text(old, catalog).deployment);
    const cep::StreamId id = catalog.streams.at("s")->id;
    const Compiled compiled = compile_text(change.text, catalog);
    EXPECT_EQ(codes(compiled.errors), *change.code ? std::vector<std::string>{change.code} : std::vector<std::string>{})
        << change.text << "\n"
        << compiled.report;
    EXPECT_EQ(catalog.streams.at("s")->version, change.version) << change.text;
    EXPECT_EQ(catalog.streams.at("s")->id, id);
    if (!compiled.deployment) continue;
    EXPECT_EQ(compiled.deployment->streams.size(), change.version - 1);
  }
}

TEST(Compile, DropsAndLists) {
  Catalog catalog;
  ASSERT_TRUE(
      compile_text(kTx + "create list l of text; create rule r on tx partition by card when country in @l alert;",
                   catalog)
          .deployment);
  EXPECT_EQ(codes(compile_text("drop stream tx;", catalog).errors), std::vector<std::string>{"E0504"});
  EXPECT_EQ(codes(compile_text("drop list l;", catalog).errors), std::vector<std::string>{"E0504"});
  EXPECT_EQ(codes(compile_text("drop rule rr;", catalog).errors), std::vector<std::string>{"E0503"});
  EXPECT_EQ(codes(compile_text("create list l of int;", catalog).errors), std::vector<std::string>{"E0507"});
  const Compiled same = compile_text("create list l of text;", catalog);
  ASSERT_TRUE(same.deployment);
  EXPECT_TRUE(same.deployment->datasets.empty());
  const Compiled dropped = compile_text("drop rule r; drop list l; drop stream tx;", catalog);
  ASSERT_TRUE(dropped.deployment) << dropped.report;
  EXPECT_EQ(dropped.deployment->drops.size(), 3u);
  EXPECT_TRUE(catalog.streams.empty());
  ASSERT_TRUE(compile_text(kTx, catalog).deployment);
  EXPECT_EQ(cep::index_of(catalog.streams.at("tx")->id), 1u);  // numbers are never given twice
}

TEST(Types, ArithmeticAndCommonTypes) {
  const auto of = [](cep::TypeKind kind, int precision = 0, int scale = 0) {
    return ExprType::of(cep::Type{kind, static_cast<uint8_t>(precision), static_cast<uint8_t>(scale)});
  };
  using cep::TypeKind;
  const ExprType money = of(TypeKind::kDecimal, 12, 2);
  const ExprType whole = of(TypeKind::kInt);
  EXPECT_EQ(describe(*arithmetic_type(Op::kAdd, money, of(TypeKind::kDecimal, 5, 4))), "decimal(15,4)");
  EXPECT_EQ(describe(*arithmetic_type(Op::kMul, money, money)), "decimal(24,4)");
  EXPECT_EQ(describe(*arithmetic_type(Op::kAdd, money, whole)), "decimal(22,2)");
  EXPECT_EQ(describe(*arithmetic_type(Op::kDiv, whole, whole)), "float");
  EXPECT_EQ(describe(*arithmetic_type(Op::kMod, whole, whole)), "int");
  EXPECT_EQ(describe(*arithmetic_type(Op::kMul, of(TypeKind::kDuration), money)), "duration");
  EXPECT_FALSE(arithmetic_type(Op::kAdd, whole, of(TypeKind::kText)));
  EXPECT_TRUE(arithmetic_type(Op::kAdd, ExprType::error(), of(TypeKind::kText))->is_error());
  EXPECT_EQ(describe(*common_type(ExprType::null(), money)), "decimal(12,2)");
  EXPECT_EQ(describe(*common_type(whole, money)), "decimal(21,2)");
  EXPECT_FALSE(common_type(whole, of(TypeKind::kBool)));
}

}  // namespace
}  // namespace patterns
