// The hard typologies the language was made for: each compiles.
#include <gtest/gtest.h>

#include <algorithm>
#include <random>

#include "tests/unit/patterns/compile_support.h"

namespace patterns {
namespace {

const char kTypologies[] = R"weir(create stream logins (id text not null, user text not null, ip ip, device
      text, lat float, lon float, country text,
    success bool, new_device bool, at timestamp not null) event time at delay 5 seconds, idle 1 second, unique
      id within 1 day;
create stream mfa (user text not null, action text, result text, at timestamp not null) event time at delay 0 seconds;
create stream transfers (id text not null, debtor text not null, creditor text not null, amount decimal(14,2)
    not null,
    "from" text, "to" text, at timestamp not null) event time at delay 5 seconds, unique (id, debtor), retain 7 days;
create stream orders (id text, user text, amount decimal(12,2), at timestamp not null) event time at delay 5 seconds;
create stream refunds (id text, customer text, amount decimal(12,2), at timestamp not null) event time at delay
    5 seconds;
create stream user_alerts (user text not null, rule text, severity text, score int, at timestamp not null)
    event time at from rules;
create table customers (user text, segment text, birth_year int, opened timestamp) key user;
create list trusted of (text, text);

-- C1 Impossible travel. Consecutive logins (`,`); the source filter keeps one without coordinates from breaking
-- the pair. R59 makes equal times count.
create rule impossible_travel on logins where lat is not null and lon is not null
    partition by user
    pattern a, b within 90 minutes
    define a as true,
           b as distance_km(a.lat, a.lon, lat, lon) >= 500 and speed_kmh(a.lat, a.lon, a.at, lat, lon, at) >= 800
    measures distance_km(a.lat, a.lon, b.lat, b.lon) as km, a.country as origin, b.country as target
    after match skip to last b  suppress 1 hour
    into user_alerts
    alert severity high score 70 decision challenge message '{user}: {origin} to {target}, {km} km';

-- C2 Credential stuffing.
create rule credential_stuffing on logins where not success
    partition by ip
    when count(*) over (last 15 minutes) >= 25 and count(distinct user) over (last 15 minutes) >= 15
    suppress 1 hour
    alert severity high decision block message '{ip}: stuffing';
-- C2b MFA bombing: `until` kills the run below the minimum (R4). NOT in a loop would be (deny -> not ok){4} -> deny.
create rule mfa_bombing on mfa partition by user
    pattern deny{5,} until (result = 'approve') within 10 minutes
    define deny as result = 'deny'
    suppress 30 minutes into user_alerts
    alert severity medium message '{user} is being bombed';
-- C2c signup farm needs a key that is an expression.
create rule farm on logins where new_device partition by network(ip, 24) as net
    when count(distinct user) over (last 10 minutes) >= 10
    suppress 1 hour alert severity medium message 'farm {net}';

-- C3 Structuring: the sum belongs to the whole match, the last deposit included -> having.
create rule structuring on transfers where amount between 9000 and 9999.99
    partition by creditor
    pattern dep{3,} within 7 days
    define dep as true
    measures count(dep) as n, sum(dep.amount) as total
    having sum(dep.amount) >= 28000
    after match skip past last row
    alert severity medium message '{creditor}: {n} deposits, {total}';
-- C4 Brute force, then success soon after: two clocks -> within on a group.
create rule brute_force on logins partition by user
    pattern (fail{10,} within 10 minutes) -> [5 minutes] ok
    define fail as not success, ok as success
    alert severity high message '{user} guessed';

-- C5 Rapid in and out. ONE event is a credit of one account and a debit of another: without an alias this
-- cannot be written at all.
create rule in_and_out on transfers as credits, transfers as debits
    partition by credits.creditor as account, debits.debtor
    pattern credit -> debit+ within 24 hours
    define credit as credits where amount >= 1000, debit as debits where true
    having sum(debit.amount) between 0.9 * credit.amount and 1.1 * credit.amount
    after match skip past last row
    alert severity high message '{account} passes money through';
-- C6 Mule: fan-in then fan-out.
create rule mule on transfers as credits, transfers as debits
    partition by credits.creditor as account, debits.debtor
    when debits where count(distinct debtor) over (on credits last 24 hours) >= 5
                  and count(distinct creditor) over (on debits last 24 hours) >= 5
    suppress 24 hours
    alert severity high message 'mule {account}';

-- C7 Dormant account wakes. prev(at) has a horizon; lifetime last() is one timestamp per account.
create rule dormant on transfers partition by debtor
    when at - last(at) over (all exclude current) > 90 days and amount > 1000
    measures last(at) over (all exclude current) as seen
    alert severity medium message '{debtor} slept since {seen}';
-- C8 New payee, first large payment; list of pairs; table.
create rule new_payee on transfers partition by debtor
    when amount >= 1000 and (debtor, creditor) not in @trusted
     and count(*) over (partition by debtor, creditor last 180 days exclude current) = 0
     and @customers[debtor].birth_year < 1955
     and at - @customers[debtor].opened > 30 days
    suppress 1 day alert severity high decision review message 'first payment to {creditor}';
-- C9 Refund abuse: two streams, two field names, a ratio (R53: `/` does not truncate).
create rule refund_abuse on orders, refunds partition by orders.user, refunds.customer
    when refunds where count(*) over (on refunds last 30 days) >= 3
     and count(*) over (on refunds last 30 days) / greatest(1, count(*) over (on orders last 30 days)) > 0.5
    suppress 7 days alert severity medium message '{user} refunds too much';
-- C10 Too quick a follow-up.
create rule too_quick on transfers partition by debtor
    when at - prev(at) < 5 seconds and amount > 500
    suppress 5 minutes alert severity low message '{debtor} is a robot';
-- C11 Duplicate payment, 10 % tolerance, pairwise.
create rule duplicate on transfers partition by debtor, creditor
    pattern pay -> again within 10 minutes
    define pay as true, again as abs(amount - pay.amount) <= 0.10 * pay.amount
    after match skip to last again
    alert severity low message '{debtor} paid {creditor} twice';
-- C12 Two alerts on one user: alerts as events. Equal times (two rules on one event): R31/R76 order them.
create rule two_alerts on user_alerts partition by user
    pattern one -> two within 30 minutes
    define one as true, two as rule <> one.rule
    measures one.rule as first_rule, two.rule as second_rule, one.score + two.score as points
    alert severity critical score one.score + two.score message '{user}: {first_rule}, then {second_rule}';
)weir";

constexpr int kDamagedTexts = 100;

TEST(Typologies, AllAreRules) {
  const Compiled compiled = compile_text(kTypologies);
  ASSERT_TRUE(compiled.deployment) << compiled.report;
  std::vector<std::string> names;
  for (const CompiledRule& rule : compiled.deployment->rules) names.push_back(rule.name);
  EXPECT_EQ(names,
            (std::vector<std::string>{"impossible_travel", "credential_stuffing", "mfa_bombing", "farm", "structuring",
                                      "brute_force", "in_and_out", "mule", "dormant", "new_payee", "refund_abuse", "too_quick",
                                      "duplicate", "two_alerts"}));
}

// A damaged text is reported or compiled, whatever it says; either there is a deployment or an error.
TEST(Typologies, DamagedTextsNeverBreakTheCompiler) {
  const uint32_t seed = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937 random(seed);
  const std::string text = kTypologies;
  std::vector<std::string> words;
  for (size_t at = 0; at < text.size();) {
    size_t end = text.find_first_of(" \n", at);
    end = end == std::string::npos ? text.size() : end + 1;
    words.push_back(text.substr(at, end - at));
    at = end;
  }
  for (int round = 0; round < kDamagedTexts; ++round) {
    std::vector<std::string> damaged = words;
    for (int n = 0; n < 4; ++n) {
      const size_t at = random() % damaged.size();
      switch (random() % 3) {
        case 0: damaged.erase(damaged.begin() + static_cast<ptrdiff_t>(at)); break;
        case 1: damaged[at] = words[random() % words.size()]; break;
        default: damaged.insert(damaged.begin() + static_cast<ptrdiff_t>(at), words[random() % words.size()]); break;
      }
    }
    std::string joined;
    for (const std::string& word : damaged) joined += word;
    const Compiled compiled = compile_text(joined);
    ASSERT_NE(compiled.deployment.has_value(), !compiled.errors.empty()) << joined;
  }
}

}  // namespace
}  // namespace patterns
