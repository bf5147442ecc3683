// Decisions of a lane: the verdict is the alert, is stored, comes again for the same event, and survives a crash as a function of the log.
#include <gtest/gtest.h>

#include <random>

#include "api/json_scan.h"
#include "service/client_output.h"
#include "service/lane.h"
#include "tests/support/lane_fixture.h"

namespace service {
namespace {

using test_support::kLaneStart;
using test_support::kPayments;
using Outcome = DecisionAnswer::Outcome;

constexpr const char* kDecidingRules =
    "create rule cash_out on payments partition by card pattern probe+ -> big within 10 minutes"
    " define probe as amount < 5, big as amount > 100 suppress 1 hour alert score 70 decision block message '{card}';\n"
    "create rule large on payments partition by card when amount > 150 suppress 1 hour alert score 90 decision review message '{amount}';\n"
    "create shadow rule any_big on payments partition by card when amount > 120 suppress 1 second alert decision block message 'm';\n";
constexpr const char* kNotes =
    "create stream notes (card text not null, amount int not null, at timestamp not null) event time at delay 0 seconds, idle 1 hour;\n"
    "create rule noted on notes partition by card when count(*) over (last 1 hour) >= 2 suppress 1 second"
    " alert decision challenge message 'm';\n";

class LaneDecisionsTest : public test_support::LaneFixture {
 protected:
  void open_with_rules(uint32_t shards = 2) {
    open(shards);
    deploy(*lane_, std::string(kPayments) + kDecidingRules + kNotes);
  }
  static std::string note(const std::string& card, int amount, int second) {
    return R"({"card":")" + card + R"(","amount":)" + std::to_string(amount) + R"(,"at":")" +
           cep::format_time(kLaneStart + second * cep::kSecond) + "\"}";
  }
  std::future<DecisionAnswer> decide_later(const std::string& event, const std::string& stream = "payments") {
    auto answer = std::make_shared<std::promise<DecisionAnswer>>();
    std::future<DecisionAnswer> later = answer->get_future();
    lane_->decide(request_of(*lane_, event, stream, ""), [answer](DecisionAnswer given) { answer->set_value(std::move(given)); });
    return later;
  }
  // Runs `take` when the deployment of `text` stands before the log thread but is not yet in force: what `take` sends is decoded before it
  // and logged after it.
  void deploy_before(const std::string& text, const std::function<void()>& take) {
    std::promise<void> is_held, go_on;
    lane_->submit(request_of(*lane_, payment("hold", "z", "1.00", 0), "payments", ""), [&](const api::SubmitAnswer&) {
      is_held.set_value();
      go_on.get_future().wait();
    });
    is_held.get_future().wait();
    auto deployed = std::async(std::launch::async, [&] { return deploy(*lane_, text); });
    while (lane_->sequencer().waiting_bytes() == 0) std::this_thread::sleep_for(std::chrono::milliseconds(1));
    take();
    go_on.set_value();
    deployed.get();
  }
  static std::string member(const DecisionAnswer& answer, std::string_view name) {
    return std::string(json_member("{" + answer.verdict + "}", name));
  }
  static std::vector<std::string> rules_of(const DecisionAnswer& answer, std::string_view list = "alerts") {
    std::vector<std::string> rules;
    const std::string alerts = member(answer, list);
    api::JsonScan scan(alerts);
    EXPECT_TRUE(scan.enter('['));
    std::string_view alert;
    while (scan.next_element(&alert)) {
      rules.push_back(json_text(json_member(alert, "rule")) + (alert.find(R"("folded":true)") != std::string_view::npos ? " folded" : ""));
    }
    return rules;
  }
  static std::vector<std::string> traffic(uint32_t seed, int events) {
    std::mt19937 random(seed);
    std::vector<std::string> lines;
    for (int i = 0; i < events; ++i) {
      const char* amounts[] = {"1.00", "4.99", "130.00", "250.00"};
      const std::string card(1, static_cast<char>('a' + random() % 5));
      lines.push_back(payment("e" + std::to_string(i), card, amounts[random() % 4], i * 3));
    }
    return lines;
  }
};

TEST_F(LaneDecisionsTest, TheVerdictIsTheAlert) {
  open_with_rules();
  const DecisionAnswer probe = decide(*lane_, payment("1", "a", "1.00", 0));
  EXPECT_EQ(probe.outcome, Outcome::kVerdict);
  EXPECT_EQ(probe.verdict, R"("decision":"allow","score":null,"alerts":[],"shadow":[],"final":true,"late":false,"degraded":false)");
  const DecisionAnswer big = decide(*lane_, payment("2", "a", "200.00", 1));
  EXPECT_EQ(member(big, "decision"), R"("block")") << "the strictest";
  EXPECT_EQ(member(big, "score"), "90") << "the highest";
  EXPECT_EQ(rules_of(big), (std::vector<std::string>{"cash_out", "large"}));
  EXPECT_EQ(rules_of(big, "shadow"), std::vector<std::string>{"any_big"});
  std::string all;
  for (const state::StoredAlert& stored : alerts(*lane_)) {
    EXPECT_NE(big.verdict.find(stored.alert.body), std::string::npos) << stored.alert.body;
    all += stored.alert.body;
  }
  EXPECT_NE(all.find("cash_out"), std::string::npos);
  const DecisionAnswer again = decide(*lane_, payment("3", "a", "300.00", 2));
  EXPECT_EQ(rules_of(again), std::vector<std::string>{"large folded"}) << "suppress spares people, not thieves";
  EXPECT_EQ(member(again, "decision"), R"("review")");
  EXPECT_EQ(lane_->decisions().numbers().by_decision[static_cast<size_t>(cep::Decision::kBlock)], 1u);
  EXPECT_EQ(lane_->decisions().numbers().latency.total(), 3u);
}

TEST_F(LaneDecisionsTest, TheSameEventGetsTheStoredVerdict) {
  open_with_rules();
  decide(*lane_, payment("1", "a", "1.00", 0));
  const DecisionAnswer first = decide(*lane_, payment("2", "a", "200.00", 1));
  EXPECT_FALSE(first.is_stored);
  for (const char* amount : {"200.00", "1.00"}) {      // R68: the first wins, whatever the second says
    const DecisionAnswer second = decide(*lane_, payment("2", "a", amount, 1));
    EXPECT_TRUE(second.is_stored);
    EXPECT_EQ(second.id, first.id);
    EXPECT_EQ(second.verdict, first.verdict);
  }
  EXPECT_EQ(lane_->decisions().numbers().repeated, 2u);
  EXPECT_EQ(alerts(*lane_).size(), 3u) << "one of each rule: the event counted once";
  submit(*lane_, payment("3", "a", "1.00", 2));
  EXPECT_EQ(decide(*lane_, payment("3", "a", "1.00", 2)).outcome, Outcome::kUnknown) << "nobody asked when it came";
}

TEST_F(LaneDecisionsTest, AnEarlierEventOfTheSameIdentityIsNotTheOneThatIsRepeated) {
  open_with_rules();
  decide(*lane_, payment("1", "a", "200.00", 0));
  now_ += 2 * cep::kHour;      // beyond the window of `unique`
  EXPECT_EQ(submit(*lane_, payment("1", "b", "1.00", 1)).accepted, 1u);
  EXPECT_EQ(decide(*lane_, payment("1", "b", "1.00", 1)).outcome, Outcome::kUnknown) << "nobody asked about this one";
  now_ += 2 * cep::kHour;
  const DecisionAnswer newest = decide(*lane_, payment("1", "c", "200.00", 2));
  EXPECT_FALSE(newest.is_stored);
  EXPECT_EQ(decide(*lane_, payment("1", "c", "200.00", 2)).verdict, newest.verdict);
}

TEST_F(LaneDecisionsTest, AStoredVerdictWaitsForNoCommit) {
  decisions_.timeout_us = 20 * cep::kSecond;
  open_with_rules();
  const DecisionAnswer first = decide(*lane_, payment("1", "a", "200.00", 0));
  lane_->settle(false);
  std::promise<void> go_on;
  std::shared_future<void> held = go_on.get_future().share();
  std::promise<void> is_held;
  lane_->on_alerts_stored([&, is_first = true]() mutable {
    if (std::exchange(is_first, false)) is_held.set_value();
    held.wait();
  });
  decide(*lane_, payment("2", "b", "200.00", 1));
  is_held.get_future().wait();
  const DecisionAnswer again = decide(*lane_, payment("1", "a", "200.00", 0));
  EXPECT_TRUE(again.is_stored);
  EXPECT_EQ(again.verdict, first.verdict);
  go_on.set_value();
  lane_->settle(false);
}

TEST_F(LaneDecisionsTest, RepeatedRequestsKeepNoReaderOut) {
  open_with_rules(1);
  decide(*lane_, payment("1", "a", "200.00", 0));
  std::promise<void> go_on;
  std::shared_future<void> held = go_on.get_future().share();
  ASSERT_TRUE(lane_->ask_all([held](uint32_t, const cep::Engine&) { held.wait(); }));
  std::vector<std::future<DecisionAnswer>> repeated;
  for (int i = 0; i < Shard::kQuestionsMax; ++i) repeated.push_back(decide_later(payment("1", "a", "200.00", 0)));
  submit(*lane_, payment("2", "a", "1.00", 1));      // answered when the shards have been given what came before it
  EXPECT_TRUE(lane_->ask_all([](uint32_t, const cep::Engine&) {}));
  go_on.set_value();
  for (std::future<DecisionAnswer>& one : repeated) EXPECT_TRUE(one.get().is_stored);
}

TEST_F(LaneDecisionsTest, AnEventThatTheNewSchemaRefusesIsRejectedAndNotRemembered) {
  open_with_rules();
  const std::string wider = "create stream payments (id text, card text not null, amount decimal(12,2) not null, at timestamp not null,"
                            " country text) event time at delay 0 seconds, idle 1 hour, unique id;\n";
  const auto abroad = [](const std::string& id, const std::string& country) {
    return R"({"country":)" + country + "," + payment(id, "a", "200.00", 1).substr(1);
  };
  std::future<DecisionAnswer> decided;
  std::promise<api::SubmitAnswer> submitted;
  deploy_before(wider, [&] {
    decided = decide_later(abroad("1", "7"));
    lane_->submit(request_of(*lane_, abroad("2", "7") + abroad("3", R"("RO")"), "payments", ""),
                  [&](api::SubmitAnswer answer) { submitted.set_value(std::move(answer)); });
  });
  const DecisionAnswer refused = decided.get();
  EXPECT_EQ(refused.outcome, Outcome::kRefused);
  ASSERT_EQ(refused.submit.rejected.size(), 1u);
  EXPECT_EQ(refused.submit.rejected[0].error.field, "country");
  const api::SubmitAnswer answer = submitted.get_future().get();
  EXPECT_EQ(answer.accepted, 1u);
  EXPECT_EQ(answer.duplicates, 0u);
  ASSERT_EQ(answer.rejected.size(), 1u);
  EXPECT_EQ(answer.rejected[0].index, 0u);
  lane_->settle(false);
  EXPECT_EQ(lane_->store().rejected().page({}, std::nullopt, 10)->items.size(), 2u);
  const DecisionAnswer corrected = decide(*lane_, abroad("1", R"("RO")"));
  EXPECT_EQ(corrected.outcome, Outcome::kVerdict) << "it was never an event: this is the first";
  EXPECT_FALSE(corrected.is_stored);
}

TEST_F(LaneDecisionsTest, AnEventOfAStreamThatIsDroppedMeanwhileIsRejected) {
  open_with_rules();
  std::future<DecisionAnswer> decided;
  deploy_before("drop rule noted; drop stream notes;", [&] { decided = decide_later(note("a", 1, 0), "notes"); });
  const DecisionAnswer refused = decided.get();
  EXPECT_EQ(refused.outcome, Outcome::kRefused);
  ASSERT_EQ(refused.submit.rejected.size(), 1u);
  EXPECT_EQ(refused.submit.rejected[0].error.code, api::EventCode::kUnknownStream);
}

TEST_F(LaneDecisionsTest, AnIdempotencyKeyStandsForAnEventWithoutUniqueValues) {
  open_with_rules();
  decide(*lane_, note("a", 1, 0), "notes", "k0");
  const DecisionAnswer first = decide(*lane_, note("a", 2, 1), "notes", "k1");
  EXPECT_EQ(member(first, "decision"), R"("challenge")");
  const DecisionAnswer same = decide(*lane_, note("a", 2, 1), "notes", "k1");
  EXPECT_TRUE(same.is_stored);
  EXPECT_EQ(same.verdict, first.verdict);
  const DecisionAnswer other = decide(*lane_, note("a", 3, 1), "notes", "k1");
  EXPECT_EQ(other.outcome, Outcome::kRefused);
  EXPECT_EQ(other.submit.outcome, api::SubmitAnswer::Outcome::kKeyConflict);
  const DecisionAnswer unnamed = decide(*lane_, note("a", 2, 2), "notes"), unnamed_too = decide(*lane_, note("a", 2, 2), "notes");
  EXPECT_FALSE(unnamed_too.is_stored) << "nothing says that it is the same event";
  EXPECT_NE(unnamed.id, unnamed_too.id);
}

TEST_F(LaneDecisionsTest, AnEventThatIsNoneIsRefusedAndKept) {
  open_with_rules();
  const DecisionAnswer refused = decide(*lane_, R"({"id":"1","card":7,"amount":1,"at":"2026-01-05T00:00:01Z"})");
  EXPECT_EQ(refused.outcome, Outcome::kRefused);
  ASSERT_EQ(refused.submit.rejected.size(), 1u);
  EXPECT_EQ(refused.submit.rejected[0].error.field, "card");
  lane_->settle(false);
  EXPECT_EQ(lane_->store().rejected().page({}, std::nullopt, 10)->items.size(), 1u);
}

TEST_F(LaneDecisionsTest, ALateEventIsDecidedAndDropped) {
  open_with_rules();
  decide(*lane_, payment("1", "a", "1.00", 60));
  const DecisionAnswer late = decide(*lane_, payment("2", "a", "140.00", 1));
  EXPECT_EQ(member(late, "late"), "true");
  EXPECT_EQ(member(late, "final"), "false");
  EXPECT_EQ(member(late, "decision"), R"("block")");
  EXPECT_TRUE(alerts(*lane_).empty());
  EXPECT_EQ(lane_->decisions().numbers().late, 1u);
}

TEST_F(LaneDecisionsTest, WithoutAVerdictInTimeTheDefaultAnswersAndTheVerdictIsStored) {
  decisions_ = {20 * cep::kMillisecond, cep::Decision::kChallenge};
  open_with_rules(1);
  std::promise<void> go_on;
  std::shared_future<void> held = go_on.get_future().share();
  ASSERT_TRUE(lane_->ask_all([held](uint32_t, const cep::Engine&) { held.wait(); }));
  const DecisionAnswer given = decide(*lane_, payment("1", "a", "200.00", 0));
  EXPECT_EQ(given.verdict, R"("decision":"challenge","score":null,"alerts":[],"shadow":[],"final":false,"late":false,"degraded":true)");
  EXPECT_GE(given.latency_us, 20 * cep::kMillisecond);
  EXPECT_EQ(lane_->decisions().numbers().timed_out, 1u);
  go_on.set_value();
  lane_->settle(false);
  const auto stored = *lane_->store().decisions().by_id(given.id);
  ASSERT_TRUE(stored.has_value()) << "the default was about this event";
  EXPECT_NE(stored->body.find(R"("decision":"review","score":90)"), std::string::npos) << stored->body;
  EXPECT_NE(stored->body.find(R"("degraded":false)"), std::string::npos);
}

TEST_F(LaneDecisionsTest, WhereTooManyRowsWaitTheDefaultCounts) {
  limits_.peek_rows_max = 1;
  decisions_.otherwise = cep::Decision::kReview;
  open(1);
  deploy(*lane_,
         "create stream slow (card text not null, amount int not null, at timestamp not null) event time at delay 1 minute;\n"
         "create rule big on slow partition by card when amount > 5 suppress 1 hour alert decision block message 'm';\n");
  EXPECT_EQ(member(decide(*lane_, note("a", 9, 1), "slow"), "decision"), R"("block")");
  EXPECT_EQ(member(decide(*lane_, note("a", 1, 2), "slow"), "decision"), R"("allow")");
  const DecisionAnswer refused = decide(*lane_, note("a", 9, 3), "slow");
  EXPECT_EQ(member(refused, "decision"), R"("review")");
  EXPECT_EQ(member(refused, "degraded"), "true");
  EXPECT_EQ(lane_->decisions().numbers().rows_refused, 1u);
}

TEST_F(LaneDecisionsTest, ADecisionWaitsForNoOtherRequest) {
  linger_us_ = 30 * cep::kSecond;
  open_with_rules();
  std::promise<api::SubmitAnswer> beside;
  lane_->submit(request_of(*lane_, payment("1", "a", "1.00", 0), "payments", ""),
                [&](api::SubmitAnswer a) { beside.set_value(std::move(a)); });
  const auto began = std::chrono::steady_clock::now();
  EXPECT_EQ(decide(*lane_, payment("2", "a", "200.00", 1)).outcome, Outcome::kVerdict);
  EXPECT_EQ(beside.get_future().get().accepted, 1u) << "goes with it";
  EXPECT_LT(std::chrono::steady_clock::now() - began, std::chrono::seconds(15));
}

TEST_F(LaneDecisionsTest, AVerdictListsNoMoreThanItsBytesAllow) {
  open(1);
  deploy(*lane_, "create stream wide (card text not null, note text, amount int not null, at timestamp not null)"
                 " event time at delay 0 seconds;\n"
                 "create rule pair on wide partition by card pattern a -> b within 1 hour define a as amount = 1, b as amount = 2"
                 " after match no skip alert score 7 decision block message 'm';\n");
  const std::string text(60'000, 'x');
  for (int i = 0; i < 20; ++i) {
    submit(*lane_, R"({"card":"a","amount":1,"note":")" + text + R"(","at":")" + cep::format_time(kLaneStart + i) + "\"}", "wide");
  }
  const DecisionAnswer answer = decide(*lane_, note("a", 2, 1), "wide");
  EXPECT_EQ(rules_of(answer).size(), 17u);
  EXPECT_EQ(member(answer, "more"), "true");
  EXPECT_EQ(member(answer, "decision"), R"("block")");
  EXPECT_EQ(member(answer, "score"), "7");
}

TEST_F(LaneDecisionsTest, StreamsThatNoRuleReadsAreAllowed) {
  open_with_rules();
  deploy(*lane_, "create stream unread (card text not null, amount int not null, at timestamp not null) event time at delay 0 seconds;\n");
  EXPECT_EQ(member(decide(*lane_, note("a", 1, 0), "unread"), "decision"), R"("allow")");
  EXPECT_EQ(member(decide(*lane_, note("a", 1, 0), "unread", "k"), "final"), "true");
  EXPECT_TRUE(decide(*lane_, note("a", 1, 0), "unread", "k").is_stored);
}

// Whatever the shards, and whether somebody looked at the state in between or it was lost and found again from the log.
TEST_F(LaneDecisionsTest, VerdictsAreAFunctionOfTheLog) {
  const std::vector<std::string> lines = traffic(11, 120);
  std::vector<std::string> expected;
  std::set<std::string> expected_ids;
  for (const uint32_t shards : {1u, 4u}) {
    std::unique_ptr<Lane> lane = open_at(scratch_ / ("data" + std::to_string(shards)), shards);
    deploy(*lane, std::string(kPayments) + kDecidingRules);
    std::vector<std::string> verdicts;
    for (const std::string& line : lines) verdicts.push_back(decide(*lane, line).verdict);
    if (expected.empty()) expected = verdicts;
    EXPECT_EQ(verdicts, expected) << shards << " shards";
    if (expected_ids.empty()) expected_ids = alert_ids(*lane);
    EXPECT_EQ(alert_ids(*lane), expected_ids);
    lane->close();
  }
  const size_t found = static_cast<size_t>(std::count_if(expected.begin(), expected.end(), [](const std::string& verdict) {
    return verdict.find(R"("decision":"block")") != std::string::npos;
  }));
  EXPECT_GT(found, 10u);
  std::filesystem::remove_all(scratch_ / "data1/state");
  std::unique_ptr<Lane> again = open_at(scratch_ / "data1", 3);
  for (size_t i = 0; i < lines.size(); ++i) {
    const DecisionAnswer answer = decide(*again, lines[i]);
    EXPECT_TRUE(answer.is_stored) << i;
    EXPECT_EQ(answer.verdict, expected[i]) << i;
  }
  EXPECT_EQ(alert_ids(*again), expected_ids);
  again->close();
}

}  // namespace
}  // namespace service
