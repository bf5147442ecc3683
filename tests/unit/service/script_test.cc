// The test language: what its parser takes, what it refuses, and that a failing script fails.
#include "service/script.h"

#include <gtest/gtest.h>

#include "service/script_lines.h"
#include "service/script_run.h"
#include "service/text_diff.h"

namespace service {
namespace {

constexpr const char* kRule =
    "rule <<\n"
    "create stream e (x text, at timestamp not null) event time at delay 5 seconds;\n"
    "create rule r on e pattern a -> b define a as x = 'a', b as x = 'b' after match no skip alert message 'm';\n"
    ">>\n";

Script parsed(const std::string& text) {
  cep::Result<Script> script = parse_script("t.test", text);
  EXPECT_TRUE(script.ok()) << (script.ok() ? "" : script.error().message);
  return script.ok() ? *script : Script();
}

std::string refusal(const std::string& text) {
  const cep::Result<Script> script = parse_script("t.test", text);
  return script.ok() ? "fine" : script.error().message;
}

TEST(Script, Offsets) {
  EXPECT_EQ(parse_offset("+0s"), 0);
  EXPECT_EQ(parse_offset("+1h30m"), 90 * cep::kMinute);
  EXPECT_EQ(parse_offset("+59.999s"), 59'999'000);
  EXPECT_EQ(parse_offset("+250ms"), 250'000);
  EXPECT_EQ(parse_offset("-2d"), -2 * cep::kDay);
  for (const char* const bad : {"", "+", "+5", "5s", "+s", "+5x", "+1.2.3s", "+5s4", "+-5s"}) {
    EXPECT_EQ(parse_offset(bad), std::nullopt) << bad;
  }
  for (const cep::DurationUs us : {int64_t{0}, int64_t{1}, int64_t{59'999'000}, 119 * cep::kSecond, 120 * cep::kSecond,
                                   cep::kHour, 3 * cep::kDay + 4 * cep::kMinute + 5, -cep::kHour}) {
    EXPECT_EQ(parse_offset(print_offset(us)), us) << print_offset(us);
  }
  EXPECT_EQ(print_offset(60 * cep::kSecond), "+60s");
  EXPECT_EQ(print_offset(90 * cep::kMinute), "+1h30m");
}

TEST(Script, AllStatements) {
  const Script script = parsed(
      "# comment\n"
      "use a.weir\n"
      "use stream s\n"
      "use list l = one, \"t,wo\", (a, \"b)\")\n"
      "use table t {\"k\": 1}\n"
      "clock 2026-02-01T00:00:00Z\n"
      "rule r.weir\n"
      "events\n"
      "+5s s {\"x\": 1}   # not a comment: JSON is taken as it stands\n"
      "advance +1h\n"
      "list add l (x, y)\n"
      "list remove l one\n"
      "list add l (x, y), expires +2h\n"
      "table put t {\"k\": 2}\n"
      "table remove t (2, x)\n"
      "restart\n"
      "deploy <<\n"
      "drop rule r;\n"
      ">>\n"
      "----\n"
      "# why\n"
      "+5s   r  a=1\n"
      "\n"
      "events fresh\n"
      "----\n"
      "none\n"
      "rule other.weir\n"
      "events\n"
      "----\n"
      "none\n");
  ASSERT_EQ(script.cases.size(), 2u);
  const ScriptCase& one = script.cases[0];
  ASSERT_EQ(one.uses.size(), 4u);
  EXPECT_EQ(one.uses[0].kind, ScriptUse::Kind::kFile);
  EXPECT_EQ(one.uses[1].name, "s");
  EXPECT_EQ(one.uses[2].values, (std::vector<std::vector<std::string>>{{"one"}, {"t,wo"}, {"a", "b)"}}));
  EXPECT_EQ(one.uses[3].row, R"({"k": 1})");
  EXPECT_EQ(one.clock, 1'769'904'000 * cep::kSecond);
  EXPECT_EQ(one.rules[0].path, "r.weir");
  ASSERT_EQ(one.blocks.size(), 2u);
  ASSERT_EQ(one.blocks[0].steps.size(), 9u);
  EXPECT_EQ(one.blocks[0].steps[0].line, 9u);
  EXPECT_EQ(one.blocks[0].steps[1].offset_us, cep::kHour);
  EXPECT_EQ(one.blocks[0].steps[2].value, (std::vector<std::string>{"x", "y"}));
  EXPECT_FALSE(one.blocks[0].steps[2].expires_us);
  EXPECT_EQ(one.blocks[0].steps[4].expires_us, 2 * cep::kHour);
  EXPECT_EQ(one.blocks[0].steps[5].text, R"({"k": 2})");
  EXPECT_EQ(one.blocks[0].steps[6].value, (std::vector<std::string>{"2", "x"}));
  EXPECT_EQ(one.blocks[0].steps[8].text, "drop rule r;\n");
  EXPECT_EQ(one.blocks[0].expected, (std::vector<std::string>{"+5s   r  a=1"}));
  EXPECT_TRUE(one.blocks[0].fresh);
  EXPECT_TRUE(one.blocks[1].expected.empty());
  EXPECT_EQ(script.cases[1].uses.size(), 4u);
  EXPECT_EQ(script.cases[1].clock, one.clock);
  EXPECT_EQ(script.cases[1].rules.size(), 1u);
}

TEST(Script, WhatIsRefusedSaysWhere) {
  EXPECT_EQ(refusal("").find("t.test:1: "), 0u);
  EXPECT_EQ(refusal("events\n----\nnone\n").find("t.test:1: no `rule`"), 0u);
  EXPECT_EQ(refusal("rule r.weir\nevents\n+5 s {}\n----\n").find("t.test:3: `+5`"), 0u);
  EXPECT_EQ(refusal("rule r.weir\nevents\n+5s s\n----\n").find("t.test:3: "), 0u);
  EXPECT_EQ(refusal("rule r.weir\nevents\nwait +5s\n----\n").find("t.test:3: "), 0u);
  EXPECT_EQ(refusal("rule r.weir\nevents\n+5s s {}\n").find("t.test:2: this block has no `----`"), 0u);
  EXPECT_EQ(refusal("rule r.weir\nevents\nevents\n----\nnone\n").find("t.test:2: this block has no `----`"), 0u);
  EXPECT_EQ(refusal("rule <<\ncreate\n").find("t.test:1: `<<` has no `>>`"), 0u);
  EXPECT_EQ(refusal("clock today\n").find("t.test:1: clock"), 0u);
  EXPECT_EQ(refusal("rule r.weir\nevents\nlist add l\n----\n").find("t.test:3: list add"), 0u);
  EXPECT_EQ(refusal("rule r.weir\nevents\nlist add l v, until +5s\n----\n").find("t.test:3: list add"), 0u);
  EXPECT_EQ(refusal("rule r.weir\nevents\nlist remove l v, expires +5s\n----\n").find("t.test:3: list add"), 0u);
  EXPECT_EQ(refusal("rule r.weir\nevents\ntable put t\n----\n").find("t.test:3: table put"), 0u);
}

TEST(Script, LinesAreComparedInOneForm) {
  const Script script = parsed(std::string(kRule) + "events\n+60s e {}\n+1h e {}\n----\nnone\n");
  const ScriptLines print(script, 0);
  EXPECT_EQ(print.normalized("+1m  r   k=\"a  b\"\t[ a +60000ms,  b +3600s ]"), "+60s r k=\"a  b\" [a +60s, b +1h]");
}

// The lines of the only block in each mode.
std::vector<std::vector<std::string>> results(const std::string& text) {
  const Script script = parsed(text);
  ScriptCrowd crowd;
  const auto setup = prepare_case(script, script.cases[0], &crowd);
  EXPECT_TRUE(setup.ok());
  EXPECT_TRUE((*setup)->errors.empty()) << (*setup)->warnings;
  std::vector<std::vector<std::string>> all;
  for (const ScriptModeInfo& info : kScriptModes) {
    if (!has_mode(script.cases[0], **setup, info.mode)) continue;
    const auto blocks = run_case(script, script.cases[0], **setup, info.mode);
    EXPECT_TRUE(blocks.ok()) << blocks.error().message;
    all.push_back(blocks->back().lines);
  }
  return all;
}

TEST(Script, EveryModeGivesTheSame) {
  const auto all = results(std::string(kRule) +
                           "events\n"
                           "+4s e {\"x\": \"b\"}\n"
                           "+0s e {\"x\": \"a\"}\n"
                           "+1s e {\"x\": 5}\n"
                           "+2s e {\"x\": \"a\"}\n"
                           "+2s f {}\n"
                           "+3s e {\"x\": \"x\", \"at\": \"2026-01-05T00:00:03Z\"}\n"
                           "advance +1h\n"
                           "----\nnone\n");
  EXPECT_EQ(all.size(), std::size(kScriptModes));
  for (const auto& lines : all) {
    EXPECT_EQ(lines, (std::vector<std::string>{"+1s rejected e wrong_type", "+2s rejected f unknown_stream",
                                               "+4s r [a +0s, b +4s]", "+4s r [a +2s, b +4s]"}));
  }
}

TEST(Script, LateEventsAreToldByTheirOffset) {
  const auto all = results(std::string(kRule) + "events\n+0s e {}\n+10s e {}\n+5s e {}\n+4.999s e {}\n----\nnone\n");
  EXPECT_EQ(all[0], (std::vector<std::string>{"+4.999s late e"}));
}

TEST(Script, ErrorsOfARuleSayWhere) {
  const Script script = parsed("rule <<\ncreate rule r on nowhere\n  when true alert message 'm';\n>>\n----\nerror E0101\n");
  ScriptCrowd crowd;
  const auto setup = prepare_case(script, script.cases[0], &crowd);
  ASSERT_TRUE(setup.ok());
  ASSERT_EQ((*setup)->errors.size(), 1u);
  EXPECT_EQ((*setup)->errors[0], "error E0101 1:18");
}

TEST(TextDiff, ShowsWhatChangedWithContext) {
  EXPECT_EQ(unified_diff({"a"}, {"a"}, "x", "y"), "");
  EXPECT_EQ(unified_diff({"a", "b", "c"}, {"a", "c", "d"}, "x", "y"), "--- x\n+++ y\n@@ -1,3 +1,3 @@\n a\n-b\n c\n+d\n");
  EXPECT_EQ(unified_diff({}, {"a"}, "x", "y"), "--- x\n+++ y\n@@ -0,0 +1,1 @@\n+a\n");
  std::vector<std::string> before;
  for (int i = 0; i < 30; ++i) before.push_back(std::to_string(i));
  std::vector<std::string> after = before;
  after[5] = "five";
  after[25] = "twenty-five";
  EXPECT_EQ(unified_diff(before, after, "x", "y"),
            "--- x\n+++ y\n@@ -3,7 +3,7 @@\n 2\n 3\n 4\n-5\n+five\n 6\n 7\n 8\n"
            "@@ -23,7 +23,7 @@\n 22\n 23\n 24\n-25\n+twenty-five\n 26\n 27\n 28\n");
}

}  // namespace
}  // namespace service
