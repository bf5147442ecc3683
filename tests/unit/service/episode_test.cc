// Episodes as alerts and match state show them (R33): what scripts do not say, through shards, a checkpoint and a crash.
#include <gtest/gtest.h>

#include "api/alert_json.h"
#include "tests/support/lane_fixture.h"

namespace service {
namespace {

using test_support::kLaneStart;
using test_support::kPayments;

constexpr const char* kEpisodeRule =
    "create rule calm on payments partition by card pattern probe -> big+ within 10 minutes"
    " define probe as amount < 5, big as amount > 100 measures count(big) as n, count(*) over (last 1 minute) as recent"
    " after match skip to next row emit episode after quiet 1 minute alert severity high message '{card}: {n}, {recent}';\n";
constexpr const char* kHitRule =
    "create rule busy on payments partition by card when count(*) over (last 1 minute) >= 2"
    " measures count(*) over (last 1 minute) as n emit episode after quiet 2 minutes alert severity low message '{n} at {amount}';\n";

class EpisodeTest : public test_support::LaneFixture {
 protected:
  static std::string match_state(Lane& lane, const std::string& rule_name) {
    lane.settle(false);
    std::promise<std::string> told;
    cep::RuleSetPtr rules = lane.registry()->rule_set();
    const cep::BoundRule* rule = rules->find(rule_name);
    const cep::Value key = cep::Value::string("a");
    EXPECT_TRUE(lane.ask_owner(*rule->entry.program, lane.shards()[0]->engine().key_hash(*rule, {&key, 1}), [&](const cep::Engine& engine) {
      told.set_value(api::match_state_json(*rule->entry.program, 1, cep::RuleMode::kLive, engine.match_state(*rule, {&key, 1}, 10)));
    }));
    return told.get_future().get();
  }
  static std::vector<std::string> bodies(Lane& lane) {
    std::vector<std::string> all;
    for (const state::StoredAlert& one : alerts(lane)) all.push_back(one.alert.body);
    return all;
  }
  static void expect_in(const std::string& text, const std::string& part) { EXPECT_NE(text.find(part), std::string::npos) << text; }
};

TEST_F(EpisodeTest, CountsMatchesOfOtherStartsAndSurvivesACrash) {
  open(2);
  deploy(*lane_, std::string(kPayments) + kEpisodeRule);
  submit(*lane_, payment("1", "a", "1.00", 0) + payment("2", "a", "2.00", 5) + payment("3", "a", "200.00", 10) +
                     payment("4", "a", "300.00", 20));
  EXPECT_TRUE(alerts(*lane_).empty());
  const std::string open_state = match_state(*lane_, "calm");
  expect_in(open_state, R"("episode":{"started":"2026-01-05T00:00:00.000Z","last":"2026-01-05T00:00:20.000Z",)"
                        R"("ends":"2026-01-05T00:01:20.000Z","suppressed":2,"bound":[{"var":"probe","count":1,)");
  expect_in(open_state, R"({"var":"big","count":2,)");
  std::vector<std::string> expected;
  for (const char* const name : {"unsealed", "sealed"}) {
    if (name == std::string("sealed")) lane_->settle(true);
    auto copy = open_at(crash_image(name), 3);
    ASSERT_NE(copy, nullptr);
    EXPECT_EQ(match_state(*copy, "calm"), open_state) << name;
    submit(*copy, payment("5", "b", "1.00", 80));        // time alone ends it: another key brings it
    const std::vector<std::string> now = bodies(*copy);
    ASSERT_EQ(now.size(), 1u) << name;
    expect_in(now[0], R"("time":"2026-01-05T00:01:20.000Z")");
    expect_in(now[0], R"("message":"a: 2, 4")");
    expect_in(now[0], R"("suppressed":2,)");
    EXPECT_EQ(match_state(*copy, "calm").find("\"episode\""), std::string::npos);
    // `skip to next row`: the second start goes on, and what it finds is an episode of its own.
    submit(*copy, payment("6", "a", "400.00", 90) + payment("7", "b", "1.00", 150));
    ASSERT_EQ(bodies(*copy).size(), 2u) << name;
    expect_in(bodies(*copy)[1], R"("message":"a: 3, 1")");
    expect_in(bodies(*copy)[1], R"("suppressed":0,)");
    if (expected.empty()) expected = bodies(*copy);
    EXPECT_EQ(bodies(*copy), expected);
  }
}

TEST_F(EpisodeTest, OfHitsTheLastIsListedWithWhatHeldThen) {
  open();
  deploy(*lane_, std::string(kPayments) + kHitRule);
  submit(*lane_, payment("1", "a", "1.00", 0) + payment("2", "a", "2.00", 10) + payment("3", "a", "3.00", 20) +
                     payment("4", "a", "4.00", 30));
  expect_in(match_state(*lane_, "busy"), R"("ends":"2026-01-05T00:02:30.000Z","suppressed":2,"bound":[{"var":"event","count":1,)");
  lane_->settle(true);
  close();
  open(2);
  submit(*lane_, payment("5", "a", "5.00", 100) + payment("6", "b", "1.00", 150));      // 5 is no hit
  const std::vector<std::string> now = bodies(*lane_);
  ASSERT_EQ(now.size(), 1u);
  expect_in(now[0], R"("time":"2026-01-05T00:02:30.000Z")");
  expect_in(now[0], R"("message":"4 at 4.00")");
  expect_in(now[0], R"("suppressed":2,)");
  expect_in(now[0], R"j("evidence":[{"text":"count(*) over (last 1 minute)","value":4,)j"
                    R"j("rows":[{"time":"2026-01-05T00:00:00.000Z","value":null},)j");
}

// A suppressed episode counts with all that it had counted.
TEST_F(EpisodeTest, SuppressAddsWhatAnEpisodeHeld) {
  const std::string rule = kHitRule;
  const std::string with_suppress = rule.substr(0, rule.find("emit")) + "suppress 10 minutes " + rule.substr(rule.find("emit"));
  now_ = kLaneStart + 20 * cep::kMinute;
  open();
  deploy(*lane_, std::string(kPayments) + with_suppress);
  auto hits = [&](int from, int count) {
    std::string lines;
    for (int i = 0; i <= count; ++i) {
      lines += payment("e" + std::to_string(from + i), "a", "1.00", from + i);
    }
    submit(*lane_, lines);
  };
  hits(0, 2);
  hits(300, 3);
  hits(900, 1);
  submit(*lane_, payment("last", "b", "1.00", 1200));
  const std::vector<std::string> now = bodies(*lane_);
  ASSERT_EQ(now.size(), 2u);
  expect_in(now[0], R"("suppressed":1,)");
  expect_in(now[1], R"("suppressed":3,)");
}

}  // namespace
}  // namespace service
