// What is wrong with a rule is said once, with its code, under the right word.
#include <gtest/gtest.h>

#include <fstream>

#include "tests/unit/patterns/compile_support.h"

namespace patterns {
namespace {

using Words = std::vector<std::string>;

TEST(Checker, TenMistakesAreTenDiagnostics) {
  const Compiled compiled = compile_text(
      R"(create stream tx (card text not null, amount decimal(12,2), country text, at timestamp not null) event time at
create rule one on tx partition by card
    pattern a -> b within 1 hour
    define a as amout > 5, b as amount # 5 > 3
    alert severity high message 'x';
create rule two on tx partition by card
    pattern a -> b within 1 hour
    define a as lenght(country) > 2 and amount > 'x', b as true
    define a as true
    alert severity high message 'x';
create rule three on tx partition by card
    pattern a -> not b
    define a as amount > 5, b as true
    alert severity high message 'x';
create rule four on tx partition by card
    pattern a --> b -> c within 1 hour
    define a as 1 < amount < 5, b as amount > c.amount, c as true
    alert severity high message 'x';
)");
  EXPECT_EQ(compiled.errors,
            (Words{"E0008 2:1 create", "E0103 4:17 amout", "E0001 4:40 #", "E0104 8:17 lenght", "E0105 8:48 >",
                   "E0012 9:5 define", "E0201 12:18 not b", "E0005 16:15 -->", "E0016 17:28 <", "E0219 17:47 c"}))
      << compiled.report;
  EXPECT_TRUE(compiled.warnings.empty());
  EXPECT_FALSE(compiled.deployment);
}

// The same ten in one rule, where each could hide another: the NOT that never ends must not keep the forward name unseen.
TEST(Checker, TenMistakesInOneRuleAreTenDiagnostics) {
  std::ifstream file(std::string(WEIR_SOURCE_DIR) + "/tests/unit/patterns/examples/ten_mistakes.weir");
  const std::string text((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  const Compiled compiled = compile_text(text);
  EXPECT_EQ(compiled.errors,
            (Words{"E0008 2:1 create", "E0005 3:13 -->", "E0201 3:22 not c", "E0103 4:15 amout", "E0001 4:25 #", "E0219 4:42 b",
                   "E0016 5:26 <", "E0104 5:35 maxx", "E0105 6:17 >", "E0012 7:19 suppress"}))
      << compiled.report;
  EXPECT_TRUE(compiled.warnings.empty());
}

struct Case {
  std::string rule;  // behind the streams tx and logins, one line
  Words errors;      // "CODE marked text"
};

void expect(const Case& it) {
  const Compiled compiled =
      compile_text(kTx + kLogins + "create list l of text; create list pairs of (text, int);\n" + it.rule);
  Words errors;
  for (const std::string& error : compiled.errors)
    errors.push_back(error.substr(0, 6) + error.substr(error.find(' ', 6) + 1));
  EXPECT_EQ(errors, it.errors) << it.rule << "\n" << compiled.report;
  EXPECT_EQ(compiled.deployment.has_value(), it.errors.empty()) << it.rule;
}

void expect_when(const std::string& condition, const Words& errors) {
  expect({"create rule r on tx partition by card when " + condition + " suppress 1 hour alert;", errors});
}

void expect_pattern(const std::string& body, const Words& errors) {
  expect({"create rule r on tx partition by card pattern " + body + " alert;", errors});
}

TEST(Checker, NamesOfTheEvent) {
  expect_when("amout > 5", {"E0103 amout"});
  expect_when("tx.amount > 5", {"E0102 tx"});
  expect({"create rule r on t partition by card when amount > 5 and x = y alert message '{z}';", {"E0101 t"}});
  expect({"create rule r on tx, logins partition by tx.card, logins.user when v > 5 alert;", {"E0113 v"}});
  expect({"create rule r on tx, logins partition by tx.card, logins.user when amount > 5 alert;", {}});
  expect({"create rule r on tx, logins partition by tx.card, logins.user when logins where n > 5 alert;", {}});
  expect(
      {"create rule r on tx, logins partition by tx.card, logins.user when login where n > 5 alert;", {"E0110 login"}});
  expect({"create rule r on tx, tx partition by card when v > 5 alert;", {"E0109 tx"}});
  expect({"create rule r on tx as event partition by card when v > 5 alert;", {"E0109 event"}});
}

TEST(Checker, Types) {
  expect_when("country = 5", {"E0105 ="});
  expect_when("ok > true", {"E0105 >"});
  expect_when("country + 1 > 2", {"E0105 +"});
  expect_when("amount", {"E0106 amount"});
  expect_when("not amount", {"E0105 amount"});
  expect_when("country || 1 = 'x'", {"E0105 ||"});
  expect_when("v between 'a' and 5", {"E0105 'a'"});
  expect_when("v in (1, 'a')", {"E0105 'a'"});
  expect_when("v like 'a'", {"E0105 v"});
  expect_when("country matches '('", {"E0116 '('"});
  expect_when("at + at > at", {"E0105 +"});
  expect_when("at - at > 5 minutes and at + 5 minutes > timestamp '2026-01-01T00:00:00Z'", {});
  expect_when("at > timestamp 'soon'", {"E0118 timestamp 'soon'"});
  expect_when("case when ok then 1 else 'x' end = 1", {"E0105 'x'"});
  expect_when("cast(ok as ip) is null", {"E0105 cast(ok as ip)"});
  expect_when("addr = '10.0.0.1'", {"E0105 ="});
  expect_when("cast('10.0.0.1' as ip) = addr and amount / v > 0.5 and f % 2 = 0", {});
}

TEST(Checker, Functions) {
  expect_when("lenght(country) > 2 and amount > 'x'", {"E0104 lenght", "E0105 >"});
  expect_when("length() > 2", {"E0107 length"});
  expect_when("length(v) > 2", {"E0108 v"});
  expect_when("length(amout) > 2", {"E0103 amout"});
  expect_when("round(amount, v) > 2", {"E0115 v"});
  expect_when("hour(at, 'Europe/Nowhere') > 2", {"E0117 'Europe/Nowhere'"});
  expect_when("hour(at, 'Europe/Berlin') > 2 and date_trunc('day', at) < at", {});
  expect_when("date_trunc('dya', at) < at", {"E0121 'dya'"});
  expect_when("in_cidr(addr, 'x')", {"E0108 'x'"});
  expect_when("coalesce(v, 'x') = 1", {"E0105 'x'"});
  expect_when("length(country) over (last 1 hour) > 1", {"E0114 length"});
}

TEST(Checker, Lists) {
  expect_when("country in @l and (country, v) in @pairs", {});
  expect_when("country in @lst", {"E0111 lst"});
  expect_when("v in @l", {"E0105 v"});
  expect_when("(country, v) in @l", {"E0127 (country, v)"});
}

TEST(Checker, Aggregates) {
  expect_when("sum(amount) > 5", {"E0126 sum"});
  expect_when("count(*) > 5", {"E0126 count"});
  expect_when("sum(country) over (last 1 hour) > 5", {"E0108 country"});
  expect_when("sum(amount) over (on n last 1 hour) > 5", {"E0110 n"});
  expect_when("sum(amount) filter (where country) over (last 1 hour) > 5", {"E0106 country"});
  expect({"create rule r on tx where count(*) over (last 1 hour) > 1 partition by card when v > 1 alert;",
          {"E0311 over (last 1 hour)"}});
  expect({"create rule r on tx as a, tx as b partition by card when count(*) over (last 1 hour) > 5 alert;",
          {"E0310 over (last 1 hour)"}});
  expect_pattern("a -> b define a as true, b as sum(a.amount + v) > 5", {"E0220 v"});
  expect_pattern("a -> b -> c define a as true, b as true, c as sum(a.amount + b.amount) > 5", {"E0220 b"});
  expect_pattern("a -> b define a as true, b as sum(amount) > 5", {"E0126 sum"});
  expect_pattern("a -> b define a as true, b as count(*) > 0 and count(a) > 0 and count(distinct a.country) > 1", {});
}

TEST(Checker, NamesOfBoundEvents) {
  expect_pattern("a -> b define a as b.v > 1, b as true", {"E0219 b"});
  expect_pattern("a -> b define a as true, b as v > aa.v", {"E0102 aa"});
  expect_pattern("a -> not b -> c define a as true, b as v = a.v, c as v > b.v", {"E0216 b"});
  expect_pattern("not b for 1 hour -> a define a as true, b as v = a.v", {"E0213 a"});
  expect_pattern("not b for 1 hour -> a define a as true, b as v = 1 and count(*) >= 0", {"E0213 count(*)"});
  expect_pattern("a -> b define a as true, b as true, c as true", {"E0221 c"});
  expect_pattern("a -> b define a as true, a as true, b as true", {"E0109 a"});
  expect_pattern("tx -> b define tx as true, b as true", {"E0109 tx"});
  expect_pattern("a -> b define a as true, b as a > 1", {"E0103 a"});
  expect_pattern("a -> b define a as true, b as v > first(a.v, 1) and v > last(a.v)", {});
  expect_pattern("a -> b define a as true, b as true after match skip to first c", {"E0217 c"});
  expect_pattern("a -> not c -> b define a as true, b as true, c as true after match skip to last c", {"E0216 c"});
}

TEST(Checker, Keys) {
  expect({"create rule r on tx, logins partition by tx.card, logins.n when v is null alert;",
          {"E0301 logins.n", "E0113 v"}});
  expect({"create rule r on tx, logins partition by tx.card when amount > 5 alert message '{card}';",
          {"E0302 partition by tx.card"}});
  expect({"create rule r on tx, logins partition by card when amount > 5 alert message '{card}';", {"E0103 card"}});
  expect({"create rule r on tx partition by f when amount > 5 alert;", {"E0303 f"}});
  expect({"create rule r on tx partition by card, card when amount > 5 alert;", {"E0109 card"}});
  expect({"create rule r on tx partition by network(addr, 24) as net when amount > 5 alert message '{net}';", {}});
  expect(
      {"create rule r on tx, logins partition by lower(tx.card) as c, lower(logins.user) as u when amount > 5 alert "
       "message '{c}';",
       {}});
  expect({"create rule r on tx, logins partition by lower(card) as c, logins.user when amount > 5 alert message '{c}';",
          {"E0303 lower(card)"}});
}

TEST(Checker, MatchAndAlert) {
  const std::string two =
      "create rule r on tx, logins partition by tx.card as who, logins.user pattern a -> (b | c) within 1 hour "
      "define a as tx where true, b as tx where true, c as logins where true ";
  expect({two + "alert message '{who} {amount}';", {}});
  expect({two + "measures n as n alert;", {"E0218 n"}});
  expect({two + "alert message '{v}';", {"E0218 v"}});
  expect({two + "having amount > 5 and who <> 'x' alert;", {}});
  expect(
      {"create rule r on tx partition by card when v > 1 alert severity hihg decision blok score country message "
       "'{crad} {';",
       {"E0121 hihg", "E0121 blok", "E0108 country", "E0122 crad", "E0123 {"}});
  expect({"create rule r on tx partition by card when v > 1 measures v as a, v as a alert;", {"E0109 a"}});
}

TEST(Checker, NotYetIsSaidAndNeverCascades) {
  expect_when("@t[card].x > 1 and this.v > 1", {"E0112 t", "E0312 this.v"});
  expect(
      {"create rule r on tx partition by card pattern a -> b subset s = (a, b) define a as true, b as true "
       "measures s.v as x emit episode after quiet 5 minutes into tx alert;",
       {"E0505 tx"}});
}

// A mistake in one rule leaves the others alone.
TEST(Checker, MistakesInSeveralRules) {
  expect(
      {"create rule r on tx partition by card when amout > 1 alert; create rule s on tx partition by card when amout > "
       "2 alert; "
       "create rule s on tx partition by card when amount > 2 alert;",
       {"E0103 amout", "E0103 amout", "E0506 s"}});
}

}  // namespace
}  // namespace patterns
