// The canonical text: a fixed point, one text for one meaning, comments kept by format().
#include "patterns/printer.h"

#include <gtest/gtest.h>

#include <functional>
#include <random>

#include "tests/unit/patterns/parse_support.h"

namespace patterns {
namespace {

std::string canonical(const Parsed& it) {
  std::string out;
  for (const Statement& statement : it.file.statements) out += print(statement);
  return out;
}

void expect_fixed_point(const std::string& text) {
  const Parsed once(text);
  ASSERT_TRUE(once.diagnostics.empty()) << once.report();
  const Parsed twice(canonical(once));
  ASSERT_TRUE(twice.diagnostics.empty()) << twice.report();
  EXPECT_EQ(canonical(once), canonical(twice));
  const std::string formatted = format(once.file);
  const Parsed again(formatted);
  ASSERT_TRUE(again.diagnostics.empty()) << again.report();
  EXPECT_EQ(formatted, format(again.file));
  EXPECT_EQ(canonical(once), canonical(again));
}

std::string with_condition(const std::string& condition) { return "create rule r on s when " + condition + " alert;"; }

std::string printed_condition(const std::string& condition) {
  const Parsed it(with_condition(condition));
  EXPECT_TRUE(it.diagnostics.empty()) << it.report();
  return print(*it.rule().when->condition);
}

std::string printed_pattern(const std::string& pattern) {
  const Parsed it("create rule r on s pattern " + pattern + " alert;");
  EXPECT_TRUE(it.diagnostics.empty()) << it.report();
  return print(it.rule().pattern->alternation);
}

TEST(Printer, ExamplesAreFixedPoints) {
  for (const char* name : {"tour", "typologies"}) {
    SCOPED_TRACE(name);
    expect_fixed_point(read_source(std::string("tests/unit/patterns/examples/") + name + ".weir"));
  }
}

TEST(Printer, PrintsARuleInTheOrderOfTheGrammar) {
  const Parsed it(
      "CREATE RULE r ALERT to x message 'it''s' severity HIGH score 1 SUPPRESS 1 hours define b as s where x=1, a as "
      "(y) pattern a->b WITHIN interval '10' minute partition BY k on s;");
  ASSERT_TRUE(it.diagnostics.empty()) << it.report();
  EXPECT_EQ(canonical(it),
            "create rule r\n"
            "    on s\n"
            "    partition by k\n"
            "    pattern a -> b within 10 minutes\n"
            "    define\n"
            "        b as s where x = 1,\n"
            "        a as y\n"
            "    suppress 1 hour\n"
            "    alert severity HIGH score 1 message 'it''s' to x;\n");
}

TEST(Printer, PrintsStreams) {
  const Parsed it(
      "create stream s (id int, \"on\" text not null path '/a/b', d decimal(12,2)) event time at unique (id, d) within "
      "7 days, delay 5 seconds from rules keep raw zone 'Europe/Berlin' watermark explicit;");
  ASSERT_TRUE(it.diagnostics.empty()) << it.report();
  EXPECT_EQ(canonical(it),
            "create stream s (\n"
            "    id int,\n"
            "    \"on\" text not null path '/a/b',\n"
            "    d decimal(12,2)\n"
            ") event time at delay 5 seconds, watermark explicit, zone 'Europe/Berlin', unique (id, d) within 7 days, "
            "keep raw, from rules;\n");
}

TEST(Printer, ParenthesesOnlyWhereNeeded) {
  EXPECT_EQ(printed_condition("((a) + (b * c)) > 1"), "a + b * c > 1");
  EXPECT_EQ(printed_condition("(a + b) * c - (d - e) > 1"), "(a + b) * c - (d - e) > 1");
  EXPECT_EQ(printed_condition("a and b or c and not (d or e)"), "(a and b) or (c and not (d or e))");
  EXPECT_EQ(printed_condition("a or (b or c) or d"), "a or (b or c) or d");
  EXPECT_EQ(printed_condition("(a = b) = c"), "(a = b) = c");
  EXPECT_EQ(printed_condition("- - x > -(+(3))"), "-(-x) > -(+3)");
  EXPECT_EQ(printed_condition("not not a"), "not not a");
  EXPECT_EQ(printed_condition("(not a) = b"), "(not a) = b");
  EXPECT_EQ(printed_condition("(a, b) NOT IN @l"), "(a, b) not in @l");
}

// The printer adds parentheses, and a text that is just allowed must still be allowed when printed.
TEST(Printer, WhatParsesAtTheLimitOfDepthPrintsAsWhatParses) {
  const auto signs = [](size_t depth) { return "0 < " + repeated("+ ", depth) + "x"; };
  const auto turns = [](size_t depth) { return repeated("(", depth) + "x" + repeated(" or x and x) and x", depth); };
  for (const auto& nested : {std::function<std::string(size_t)>(signs), std::function<std::string(size_t)>(turns)}) {
    size_t depth = 0;
    while (Parsed(with_condition(nested(depth))).diagnostics.empty()) expect_fixed_point(with_condition(nested(depth++)));
    EXPECT_GT(depth, 15u) << nested(1);
    EXPECT_LT(depth, 64u) << nested(1);
    EXPECT_EQ(Parsed(with_condition(nested(depth))).found()[0].substr(0, 5), "E0402");
  }
}

TEST(Printer, PrintsEveryExpression) {
  for (const char* text : {
           "x is not null",
           "x is null",
           "x in (1, 2)",
           "x not in (1, null)",
           "x not between 1 and 2 + 3",
           "x like 'a%'",
           "x not matches '^a'",
           "case x when 1 then 'a' else 'b' end = 'a'",
           "case when a then b end",
           "5.00 < 5e0",
           "cast(x as decimal(4,1)) > 1",
           "@t[a, b].c = 1",
           "count(*) filter (where this.a = a) over (last 5 rows) > 1",
           "sum(x) over (on s partition by a, b = c || d last 90 minutes exclude current) > 1",
           "last(x) over (all) = 1",
           "count(distinct x) over (last 1 hour) = 1",
           "at > timestamp '2026-01-01T00:00:00Z'",
           "at > timestamp 5",
           "\"select me\" = \"end\".\"x\"\"y\"",
           "f() || g(a, b) = ''",
           "at - at2 > 0.5 seconds",
           "\"distinct\" = \"cast\"(x)",
       }) {
    EXPECT_EQ(printed_condition(text), text);
  }
}

TEST(Printer, PrintsEveryPattern) {
  for (const char* text : {
           "a",
           "a, b -> c ->> d",
           "a -> [5 minutes] b, [1 minute, 5 minutes] c",
           "a? -> b* -> c+ -> d{3} -> e{2,} -> f{,4}",
           "a{2,4} strict greedy [2 minutes] until (x = 5)",
           "a+ any",
           "(a -> b within 5 minutes){2} -> c",
           "a -> b | c",
           "a -> (b | c) -> d",
           "permute(a, b?, c{2})",
           "a -> not b -> c",
           "a -> not (b | c) for 1 hour",
           "a, not b",
           "a? greedy -> b",
           "((a | b -> c)+ -> d)*",
       }) {
    EXPECT_EQ(printed_pattern(text), text);
  }
  EXPECT_EQ(printed_pattern("a{0,1} -> b{1,} -> c{0,} -> d{0,3} -> e{2,2}"), "a? -> b+ -> c* -> d{,3} -> e{2}");
}

TEST(Printer, LongConditionsBreakAtTheirAnds) {
  std::string condition = "aaaaaaaaaaaaaaaaaaaa = 1";
  for (int i = 0; i < 6; ++i) condition += " and (bbbbbbbbbbbbbbbbbb = 2 or c = 3)";
  expect_fixed_point(with_condition(condition));
  const Parsed it(with_condition(condition));
  EXPECT_NE(canonical(it).find("\n        and (bbbbbbbbbbbbbbbbbb = 2 or c = 3)\n"), std::string::npos)
      << canonical(it);
}

TEST(Printer, FormatKeepsComments) {
  const Parsed it(
      "-- weir:allow W0306 one shard is enough\n-- head\ncreate rule r -- name\n on s -- input\n"
      " /* before */ define a as x, -- first\n b as y\n pattern a -> b -- order\n alert; -- behind\n\n-- the end\n");
  ASSERT_TRUE(it.diagnostics.empty()) << it.report();
  EXPECT_EQ(format(it.file),
            "-- weir:allow W0306 one shard is enough\n"
            "-- head\n"
            "-- name\n"
            "create rule r\n"
            "    -- input\n"
            "    on s\n"
            "    -- order\n"
            "    pattern a -> b\n"
            "    /* before */\n"
            "    define\n"
            "        -- first\n"
            "        a as x,\n"
            "        b as y\n"
            "    -- behind\n"
            "    alert;\n"
            "\n"
            "-- the end\n");
  const Parsed again(format(it.file));
  EXPECT_EQ(format(again.file), format(it.file));
}

TEST(Printer, EqualMeaningPrintsEqual) {
  const Parsed one("create rule r on s pattern a{1,} within interval '10' minute define a as (x != 1) alert;");
  const Parsed two("create rule r\non s define a as x <> 1 -- why\npattern a+ within 10 minutes alert;");
  const Parsed other("create rule r on s pattern a+ within 10 minutes define a as x <> 2 alert;");
  EXPECT_EQ(canonical(one), canonical(two));
  EXPECT_NE(canonical(one), canonical(other));
}

// Conditions made of random parts: what is printed reads back as the same tree.
class Conditions {
 public:
  explicit Conditions(uint32_t seed) : random_(seed) {}
  std::string make(int depth) {
    static const char* const kLeaves[] = {"a", "b.c", "1", "2.50", "'t'", "true", "null", "5 minutes", "count(v)"};
    static const char* const kSigns[] = {"or", "and", "=", "<>", "<", ">=", "||", "+", "-", "*", "/", "%"};
    if (depth == 0 || pick(5) == 0) return kLeaves[pick(std::size(kLeaves))];
    const auto inner = [&] { return "(" + make(depth - 1) + ")"; };
    switch (pick(9)) {
      case 0: return "not " + inner();
      case 1: return "-" + inner();
      case 2: return inner() + " is not null";
      case 3: return inner() + " between " + inner() + " and " + inner();
      case 4: return "case when " + make(depth - 1) + " then " + make(depth - 1) + " end";
      case 5: return inner() + " not in (" + make(depth - 1) + ", " + make(depth - 1) + ")";
      default: return inner() + " " + kSigns[pick(std::size(kSigns))] + " " + inner();
    }
  }

 private:
  size_t pick(size_t count) { return std::uniform_int_distribution<size_t>(0, count - 1)(random_); }
  std::mt19937 random_;
};

// A tree written with every parenthesis: equal exactly when the trees are.
std::string full(const Expr& it) {
  std::string out = "[" + std::to_string(static_cast<int>(it.kind)) + "." + std::to_string(static_cast<int>(it.op)) +
                    (it.negated ? "!" : "") + it.text + it.name.text + it.duration.amount;
  for_each_part(it, [&](const Expr& part) { out += full(part); });
  return out + "]";
}

TEST(Printer, RandomConditionsReadBackAsTheSameTree) {
  const uint32_t seed = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  Conditions conditions(seed);
  for (int i = 0; i < 500; ++i) {
    const Parsed once(with_condition(conditions.make(5)));
    ASSERT_TRUE(once.diagnostics.empty()) << once.report();
    const Parsed twice(print(once.file.statements[0]));
    ASSERT_TRUE(twice.diagnostics.empty()) << twice.report();
    ASSERT_EQ(full(*once.rule().when->condition), full(*twice.rule().when->condition))
        << print(once.file.statements[0]);
  }
}

}  // namespace
}  // namespace patterns
