// Each lint speaks where it should, and can be silenced.
#include <gtest/gtest.h>

#include <algorithm>

#include "tests/unit/patterns/compile_support.h"

namespace patterns {
namespace {

struct Case {
  const char* code;
  const char* marked;
  std::string rule;
  const char* quiet;  // the same, said so that the lint has nothing to say; empty: not tried
};

std::string pattern(const std::string& body) {
  return "create rule r on tx partition by card pattern " + body + " alert;";
}
std::string when(const std::string& body) {
  return "create rule r on tx partition by card when " + body + " suppress 1 hour alert;";
}

std::vector<std::string> lints_of(const std::string& rule, std::string* report) {
  const Compiled compiled = compile_text(
      kTx + "create stream late (k text, id text, f float, at timestamp not null) event time at delay 5 seconds;\n" +
      rule);
  *report = compiled.report;
  EXPECT_TRUE(compiled.deployment) << rule << "\n" << compiled.report;
  return compiled.warnings;
}

bool has(const std::vector<std::string>& lints, const std::string& code) {
  const std::vector<std::string> found = codes(lints);
  return std::count(found.begin(), found.end(), code) > 0;
}

TEST(Lints, SpeakUnderTheirWord) {
  const std::string ab = " within 1 hour define a as v = 1, b as v = 2";
  const Case cases[] = {
      {"W0101", "b", pattern("a -> b within 1 hour define a as true"),
       "a -> b within 1 hour define a as true, b as true"},
      {"W0104", "f = 0.1", when("f = 0.1"), ""},
      {"W0105", "avg(amount) over (last 1 hour exclude current)",
       when("amount > 4 * avg(amount) over (last 1 hour exclude current)"), ""},
      {"W0106", "v < 3", when("v > 5 and v < 3"), ""},
      {"W0106", "country = null", when("country = null"), ""},
      {"W0106", "v not in (1, null)", when("v not in (1, null)"), ""},
      {"W0201", "a -> b | b -> a", pattern("a -> b | b -> a" + ab),
       "(a -> b) | (b -> a) within 1 hour define a as v = 1, b as v = 2"},
      {"W0202", "a", pattern("a -> b -> a" + ab), "a -> b within 1 hour define a as v = 1, b as v = 2"},
      {"W0203", "pattern a*", pattern("a* define a as true"), "a+ define a as true"},
      {"W0204", "not b", pattern("a -> not b -> c? within 1 hour define a as v = 1, b as v = 2, c as v = 3"), ""},
      {"W0204", "not b", pattern("a -> not b, c within 1 hour define a as v = 1, b as v = 2, c as v = 3"), ""},
      {"W0205", "not b", pattern("a, not b define a as v = 1, b as v = 2"),
       "a, not b for 1 hour define a as v = 1, b as v = 2"},
      {"W0206", "not b for 1 hour", pattern("a+ -> not b for 1 hour" + ab),
       "a -> not b for 1 hour define a as v = 1, b as v = 2"},
      {"W0207", "b", pattern("a -> b? -> c within 1 hour define a as v = 1, b as v = 2, c as v > b.v"), ""},
      {"W0208", "a.v", pattern("a+ -> b within 1 hour define a as v > a.v, b as v = 2"),
       "a+ -> b within 1 hour define a as a.v is null or v > a.v, b as v = 2"},
      {"W0209", "b", pattern("a -> [2 hours, 3 hours] b" + ab),
       "a -> [20 minutes, 3 hours] b within 1 hour define a as v = 1, b as v = 2"},
      {"W0210", "b", pattern("x -> a* greedy -> b within 1 hour define x as v = 0, a as v = 1, b as v = 1"), ""},
      {"W0211", "b", pattern("a -> b? within 1 hour define a as v = 1, b as v = 2 after match skip to last b"), ""},
      {"W0212", "b+", pattern("a -> b+" + ab), "a -> b+ -> a within 1 hour define a as v = 1, b as v = 2"},
      {"W0212", "b+", pattern("a -> b+" + ab), "a -> b+ within 1 hour define a as v = 1, b as v = 2 emit episode after quiet 5 minutes"},
      {"W0213", "emit episode", pattern("a -> b" + ab + " emit episode after quiet 5 minutes"),
       "a ->> b within 1 hour define a as v = 1, b as v = 2 emit episode after quiet 5 minutes"},
      {"W0209", "emit episode", pattern("a -> b+" + ab + " emit episode after quiet 1 hour"),
       "a -> b+ within 1 hour define a as v = 1, b as v = 2 emit episode after quiet 59 minutes"},
      {"W0304", "id", "create stream s (id text, at timestamp not null) event time at unique id;", ""},
      {"W0305", "country", "create rule r on tx partition by country when v > 1 suppress 1 hour alert;", ""},
      {"W0306", "r", "create rule r on tx when v > 1 suppress 1 hour alert;", ""},
      {"W0301", "count(*) over (partition by country", when("count(*) over (partition by country last 1 day) > 1"), ""},
      {"W0302", "prev(v)", when("v > prev(v)"), ""},
      {"W0302", "prev(v)", pattern("a -> b within 1 hour define a as v = 1, b as prev(v) between 1 and 2"), ""},
      {"W0303", "count(*) over (all)", when("count(*) over (all) > 1"), ""},
      {"W0307", "r", when("count(*) over (last 8 days) > 1"), ""},
      {"W0406", "count(*) filter", when("count(*) filter (where v = this.v) over (last 1 day) > 1"), ""},
      {"W0308", "block",
       pattern("a -> not b" + ab).substr(0, pattern("a -> not b" + ab).size() - 1) + " decision block;", ""},
      {"W0309", "block", "create rule r on late partition by k when f > 1e0 suppress 1 hour alert decision block;", ""},
      {"W0401", "pattern a -> b", pattern("a -> b define a as v = 1, b as v = 2"),
       "a -> [1 hour] b define a as v = 1, b as v = 2"},
      {"W0402", "a+ any", pattern("a+ any -> b" + ab), "a+ -> b within 1 hour define a as v = 1, b as v = 2"},
      {"W0403", "a+", pattern("a+ -> b within 1 hour define a as a.v is null or v > a.v, b as v = 2"), ""},
      {"W0404", "b+", pattern("a -> b+ -> a within 1 hour define a as v = 1, b as v > a.v"), ""},
      {"W0407", "b", pattern("not b for 1 hour -> a" + ab), ""},
      {"W0408", "when v > 1", "create rule r on tx partition by card when v > 1 alert;", ""},
      {"W0308", "block",
       "create rule r on tx partition by card when v > 1 emit episode after quiet 1 hour alert decision block;", ""},
      {"W0103", "'{card}'", "create rule r on tx partition by card when v > 1 suppress 1 hour alert message '{card}';",
       ""},
  };
  std::string report;
  for (const Case& it : cases) {
    const std::vector<std::string> lints = lints_of(it.rule, &report);
    const bool marked = std::any_of(lints.begin(), lints.end(), [&](const std::string& lint) {
      return lint.substr(0, 5) == it.code && lint.substr(lint.find(' ', 6) + 1).rfind(it.marked, 0) == 0;
    });
    EXPECT_TRUE(marked) << it.code << " " << it.rule << "\n" << report;
    if (*it.quiet == 0) continue;
    EXPECT_FALSE(has(lints_of(pattern(it.quiet), &report), it.code)) << it.code << " " << it.quiet << "\n" << report;
  }
}

// A window whose key holds the rule's key is read in the rule's own shard; one without a span is not longer than the log by mistake.
TEST(Lints, WindowsOfTheRulesKeyAreNotPinned) {
  std::string report;
  EXPECT_FALSE(has(lints_of(when("count(*) over (partition by card, country last 1 day) > 1"), &report), "W0301")) << report;
  EXPECT_FALSE(has(lints_of(when("count(*) over (partition by card last 1 day) > 1"), &report), "W0406")) << report;
  EXPECT_FALSE(has(lints_of(when("sum(amount) over (last 5 rows) > 1"), &report), "W0307")) << report;
}

// A condition that also asks for a count knows that there is a history, in the same window only.
TEST(Lints, ACountGuardsItsOwnWindow) {
  const std::string average = " and amount > 4 * avg(amount) over (last 1 hour exclude current)";
  std::string report;
  for (const std::string guard : {"count(*) over (last 1 hour exclude current) >= 1",
                                  "0 < count(amount) over (last 1 hour exclude current)",
                                  "count(*) filter (where v = 1) over (last 1 hour exclude current) = 2"})
    EXPECT_FALSE(has(lints_of(when(guard + average), &report), "W0105")) << guard << "\n" << report;
  for (const std::string guard : {"count(*) over (last 1 hour exclude current) >= 0",
                                  "count(*) over (last 1 hour exclude current) < 9",
                                  "count(*) over (last 2 hours exclude current) >= 1", "count(*) over (last 1 hour) >= 1"})
    EXPECT_TRUE(has(lints_of(when(guard + average), &report), "W0105")) << guard << "\n" << report;
  const std::string filtered = "amount > 4 * avg(amount) filter (where v = 1) over (last 1 hour exclude current)";
  EXPECT_TRUE(has(lints_of(when("count(*) over (last 1 hour exclude current) > 0 and " + filtered), &report), "W0105")) << report;
}

TEST(Lints, AllowSilencesOne) {
  std::string report;
  const std::string rule = "create rule r on tx when v > 1 suppress 1 hour alert;";
  EXPECT_TRUE(has(lints_of(rule, &report), "W0306"));
  EXPECT_TRUE(lints_of("-- weir:allow W0306 one shard is enough\n" + rule, &report).empty()) << report;
}

TEST(Lints, ARuleWithErrorsHasNone) {
  const Compiled compiled = compile_text(kTx + "create rule r on tx when amout > 1 alert;");
  EXPECT_TRUE(compiled.warnings.empty()) << compiled.report;
}

// The greatest time between the links may not reach `within`, also summed over several.
TEST(Lints, SumOfGaps) {
  std::string report;
  const std::string rule = pattern(
      "a -> [30 minutes, 1 hour] b -> [30 minutes, 1 hour] c within 1 hour define a as v = 1, b as v = 2, c as v = 3");
  EXPECT_TRUE(has(lints_of(rule, &report), "W0209")) << report;
}

}  // namespace
}  // namespace patterns
