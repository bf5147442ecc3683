// The lane from outside: what comes in, what is remembered, what a restart, a crash or a late deployment leaves of it.
#include "service/lane.h"

#include <gtest/gtest.h>

#include <fstream>
#include <random>

#include "tests/support/lane_fixture.h"

namespace service {
namespace {

using test_support::kLaneStart;
using test_support::kPayments;
using test_support::kProbeRule;

class LaneTest : public test_support::LaneFixture {
 protected:
  // Cards a..d, probes and big payments mixed so that some matches fail and some complete.
  static std::vector<std::string> traffic(uint32_t seed, int events) {
    std::mt19937 random(seed);
    std::vector<std::string> lines;
    for (int i = 0; i < events; ++i) {
      const std::string card(1, static_cast<char>('a' + random() % 4));
      const char* amounts[] = {"1.00", "4.99", "50.00", "250.00"};
      lines.push_back(payment("e" + std::to_string(i), card, amounts[random() % 4], i * 7));
    }
    return lines;
  }
  static std::vector<std::string> rejected_codes(const api::SubmitAnswer& answer) {
    std::vector<std::string> codes;
    for (const api::RejectedRow& row : answer.rejected) {
      codes.push_back(std::to_string(row.index) + " " + std::string(api::event_code_name(row.error.code)));
    }
    return codes;
  }
};

TEST_F(LaneTest, TakesRowsAndNamesWhatItDoesNotTake) {
  open();
  deploy(*lane_, kPayments);
  const api::SubmitAnswer answer =
      submit(*lane_, payment("1", "a", "1.00", 0) + R"({"id":"2","card":7,"amount":1,"at":"2026-01-05T00:00:01Z"})" "\n" +
                         payment("3", "a", "\"x\"", 2) + payment("4", "a", "2.50", 3));
  EXPECT_EQ(answer.accepted, 2u);
  EXPECT_EQ(answer.duplicates, 0u);
  EXPECT_EQ(rejected_codes(answer), (std::vector<std::string>{"1 wrong_type", "2 wrong_type"}));
  const api::SubmitAnswer ahead = submit(*lane_, payment("5", "a", "1.00", 3600));
  EXPECT_EQ(rejected_codes(ahead), std::vector<std::string>{"0 too_far_ahead"});
  lane_->settle(false);
  auto kept = lane_->store().rejected().page({}, std::nullopt, 10);
  ASSERT_TRUE(kept.ok());
  ASSERT_EQ(kept->items.size(), 3u);
  EXPECT_EQ(kept->items.front().event.code, "too_far_ahead");
  EXPECT_EQ(kept->items.front().event.stream, "payments");
}

TEST_F(LaneTest, AWatermarkOfAnUnknownStreamIsRejected) {
  open();
  deploy(*lane_, kPayments);
  const std::string lines = "{\"$watermark\": \"2026-01-05T00:00:09Z\", \"stream\": \"nope\"}\n" + payment("1", "a", "1.00", 0);
  const api::SubmitAnswer answer = submit(*lane_, lines);
  EXPECT_EQ(rejected_codes(answer), std::vector<std::string>{"0 unknown_stream"});
  EXPECT_EQ(answer.accepted, 1u);
}

TEST_F(LaneTest, SeenIdsCountOnceAlsoAfterARestart) {
  open();
  deploy(*lane_, std::string(kPayments) + kProbeRule);
  EXPECT_EQ(submit(*lane_, payment("1", "a", "1.00", 0)).accepted, 1u);
  EXPECT_EQ(submit(*lane_, payment("1", "a", "999.00", 5)).duplicates, 1u);
  close();
  open();
  EXPECT_EQ(submit(*lane_, payment("1", "a", "999.00", 5)).duplicates, 1u);
  EXPECT_TRUE(alerts(*lane_).empty());
  now_ += 2 * cep::kHour;      // beyond the window of an hour
  EXPECT_EQ(submit(*lane_, payment("1", "a", "999.00", 5)).accepted, 1u);
}

TEST_F(LaneTest, AnIdempotencyKeyGivesTheSameAnswerAgain) {
  open();
  deploy(*lane_, kPayments);
  const std::string body = payment("1", "a", "1.00", 0) + payment("2", "a", "1.00", 1);
  EXPECT_EQ(submit(*lane_, body, "payments", "key").accepted, 2u);
  EXPECT_EQ(submit(*lane_, body, "payments", "key").accepted, 2u);
  EXPECT_EQ(submit(*lane_, payment("3", "a", "1.00", 2), "payments", "key").outcome, api::SubmitAnswer::Outcome::kKeyConflict);
  close();
  open();
  EXPECT_EQ(submit(*lane_, body, "payments", "key").accepted, 2u);
  EXPECT_EQ(submit(*lane_, payment("3", "a", "1.00", 2), "payments", "key").outcome, api::SubmitAnswer::Outcome::kKeyConflict);
  now_ += 25 * cep::kHour;
  EXPECT_EQ(submit(*lane_, payment("3", "a", "1.00", 2), "payments", "key").accepted, 1u);
}

TEST_F(LaneTest, LateRowsAreAcceptedKeptAsideAndMatchNothing) {
  open();
  deploy(*lane_, std::string(kPayments) + kProbeRule);
  submit(*lane_, payment("1", "a", "1.00", 60));
  EXPECT_EQ(submit(*lane_, payment("2", "a", "500.00", 30)).accepted, 1u);
  EXPECT_TRUE(alerts(*lane_).empty());
  auto kept = lane_->store().rejected().page({}, std::nullopt, 10);
  ASSERT_TRUE(kept.ok());
  ASSERT_EQ(kept->items.size(), 1u);
  EXPECT_EQ(kept->items[0].event.code, "late");
  EXPECT_EQ(kept->items[0].event.lag_us, 30 * cep::kSecond);
  EXPECT_EQ(lane_->sequencer().stream_numbers().at("payments").late, 1u);
  submit(*lane_, payment("3", "a", "500.00", 61));
  EXPECT_EQ(alerts(*lane_).size(), 1u);
}

TEST_F(LaneTest, AHalfFinishedMatchSurvivesARestartAndACrash) {
  open();
  deploy(*lane_, std::string(kPayments) + kProbeRule);
  submit(*lane_, payment("1", "a", "1.00", 0));
  for (const bool sealed : {false, true}) {
    if (sealed) lane_->settle(true);
    auto copy = open_at(crash_image(sealed ? "sealed" : "unsealed"), 1);
    ASSERT_NE(copy, nullptr);
    submit(*copy, payment("2", "a", "900.00", 5));
    EXPECT_EQ(alerts(*copy).size(), 1u);
  }
  close();
  open();
  submit(*lane_, payment("2", "a", "900.00", 5));
  ASSERT_EQ(alerts(*lane_).size(), 1u);
  EXPECT_NE(alerts(*lane_)[0].alert.body.find("a: 900.00"), std::string::npos);
}

TEST_F(LaneTest, CrashesAfterEveryEventLeaveTheSameAlerts) {
  const std::vector<std::string> lines = traffic(11, 30);
  open(2);
  deploy(*lane_, std::string(kPayments) + kProbeRule);
  std::vector<std::string> images;
  for (size_t i = 0; i < lines.size(); ++i) {
    submit(*lane_, lines[i]);
    if (i % 5 == 3) lane_->settle(true);
    if (i % 4 == 2) images.push_back(crash_image("crash" + std::to_string(i)));
  }
  const std::set<std::string> expected = alert_ids(*lane_);
  ASSERT_GE(expected.size(), 3u);
  for (size_t n = 0; n < images.size(); ++n) {
    auto copy = open_at(images[n], 2);
    ASSERT_NE(copy, nullptr);
    for (size_t i = 4 * n + 3; i < lines.size(); ++i) submit(*copy, lines[i]);
    EXPECT_EQ(alert_ids(*copy), expected) << images[n];
  }
}

TEST_F(LaneTest, ADeploymentAtAnyPositionIsAsIfTheRuleHadAlwaysBeenThere) {
  const std::vector<std::string> lines = traffic(5, 40);
  auto baseline = open_at(scratch_ / "baseline", 2);
  deploy(*baseline, std::string(kPayments) + kProbeRule);
  std::vector<std::set<std::string>> after = {{}};
  for (const std::string& line : lines) {
    submit(*baseline, line);
    after.push_back(alert_ids(*baseline));
  }
  ASSERT_GE(after.back().size(), 3u);
  for (size_t position = 0; position <= lines.size(); ++position) {
    SCOPED_TRACE("deployed before event " + std::to_string(position));
    auto lane = open_at(scratch_ / ("at" + std::to_string(position)), 2);
    deploy(*lane, kPayments);
    for (size_t i = 0; i < position; ++i) submit(*lane, lines[i]);
    deploy(*lane, kProbeRule);
    for (size_t i = position; i < lines.size(); ++i) submit(*lane, lines[i]);
    std::set<std::string> expected;
    std::set_difference(after.back().begin(), after.back().end(), after[position].begin(), after[position].end(),
                        std::inserter(expected, expected.end()));
    EXPECT_EQ(alert_ids(*lane), expected);
  }
}

TEST_F(LaneTest, ALogDamagedBelowTheCheckpointIsRefusedAndLeftAsItIs) {
  open();
  deploy(*lane_, kPayments);
  for (int i = 0; i < 40; ++i) submit(*lane_, payment(std::to_string(i), "a", "1.00", i));
  close();
  const std::string directory = scratch_ / "data/lanes/0/log";
  const std::filesystem::path segment = std::filesystem::directory_iterator(directory)->path();
  const auto bytes = std::filesystem::file_size(segment);
  std::fstream file(segment, std::ios::in | std::ios::out | std::ios::binary);
  file.seekp(static_cast<std::streamoff>(bytes / 2));
  file.put('\xff');
  file.close();
  LaneOptions options;
  options.data_dir = scratch_ / "data";
  std::vector<std::string> notes;
  auto refused = Lane::open(std::move(options), [this] { return now_.load(); }, notes);
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().code, "damaged") << refused.error().message;
  EXPECT_EQ(std::filesystem::file_size(segment), bytes);
}

TEST_F(LaneTest, TheNumberOfShardsChangesNothing) {
  const std::vector<std::string> lines = traffic(77, 200);
  std::vector<std::set<std::string>> ids;
  for (const uint32_t shards : {1u, 4u}) {
    auto lane = open_at(scratch_ / ("shards" + std::to_string(shards)), shards);
    deploy(*lane, std::string(kPayments) + kProbeRule);
    std::string body;
    for (const std::string& line : lines) body += line;
    now_ = kLaneStart + cep::kHour;
    EXPECT_EQ(submit(*lane, body).accepted, lines.size());
    ids.push_back(alert_ids(*lane));
  }
  EXPECT_GE(ids[0].size(), 10u);
  EXPECT_EQ(ids[0], ids[1]);
}

TEST_F(LaneTest, AnotherNumberOfShardsReadsTheSameDirectory) {
  open(1);
  deploy(*lane_, std::string(kPayments) + kProbeRule);
  std::string probes, bigs;
  for (char card = 'a'; card <= 'h'; ++card) {
    probes += payment(std::string("p") + card, std::string(1, card), "1.00", 0);
    bigs += payment(std::string("b") + card, std::string(1, card), "200.00", 10);
  }
  submit(*lane_, probes);
  close();
  open(4);
  submit(*lane_, bigs);
  EXPECT_EQ(alerts(*lane_).size(), 8u);
}

// Rows out of order on a stream with a delay, more than may wait: what is late is the same with any shards, after any crash and for a
// rule that comes later, also when the limit was changed on the way.
TEST_F(LaneTest, TheForcedFrontierIsDataOfTheLog) {
  const std::string stream =
      "create stream payments (id text, card text, amount decimal(12,2) not null, at timestamp not null)"
      " event time at delay 200 seconds, idle 1 hour, unique id;\n";
  const uint32_t seed = 23;
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937 random(seed);
  std::vector<std::string> lines;
  for (int i = 0; i < 60; ++i) {
    const std::string card(1, static_cast<char>('a' + random() % 4));
    const char* amounts[] = {"1.00", "4.99", "250.00"};
    std::string line = payment("e" + std::to_string(i), card, amounts[random() % 3], i * 4 - static_cast<int>(random() % 120));
    if (i % 9 == 5) line.replace(line.find('"' + card + '"'), 3, "null");       // no key: it waits all the same
    lines.push_back(line);
  }
  auto late = [](const Lane& lane) { return lane.sequencer().stream_numbers().at("payments").late; };
  limits_.reorder_rows_max = 4;
  auto baseline = open_at(scratch_ / "one", 1);
  auto many = open_at(scratch_ / "data", 4);
  for (Lane* lane : {baseline.get(), many.get()}) deploy(*lane, stream + kProbeRule);
  std::vector<std::string> images;
  uint64_t late_before_change = 0;
  for (size_t i = 0; i < lines.size(); ++i) {
    if (i == 40) {      // the limit in force comes from the log, not from what the next start is configured with
      late_before_change = late(*baseline);
      limits_.reorder_rows_max = 7;
      for (std::unique_ptr<Lane>* lane : {&baseline, &many}) lane->reset();
      baseline = open_at(scratch_ / "one", 1);
      many = open_at(scratch_ / "data", 4);
    }
    for (Lane* lane : {baseline.get(), many.get()}) submit(*lane, lines[i]);
    if (i % 7 == 3) many->settle(true);
    if (i % 4 != 2) continue;
    many->settle(false);
    images.push_back(scratch_ / ("forced" + std::to_string(i)));
    std::filesystem::copy(scratch_ / "data", images.back(), std::filesystem::copy_options::recursive);
  }
  EXPECT_GT(baseline->sequencer().numbers().reorder_forced, 0u);
  const std::set<std::string> expected = alert_ids(*baseline);
  ASSERT_GE(expected.size(), 3u);
  ASSERT_GT(late_before_change, 0u);
  EXPECT_EQ(alert_ids(*many), expected);
  EXPECT_EQ(late(*many), late(*baseline));
  for (size_t n = 0; n < images.size(); ++n) {
    const size_t next = 4 * n + 3;
    limits_.reorder_rows_max = next <= 40 ? 4 : 7;
    auto copy = open_at(images[n], n % 2 == 0 ? 1 : 4);
    ASSERT_NE(copy, nullptr);
    for (size_t i = next; i < lines.size(); ++i) {
      if (i == 40) {
        limits_.reorder_rows_max = 7;
        copy.reset();
        copy = open_at(images[n], 2);
      }
      submit(*copy, lines[i]);
    }
    EXPECT_EQ(alert_ids(*copy), expected) << images[n];
  }
  limits_.reorder_rows_max = 7;
  deploy(*many, "drop rule probe_then_big;");
  deploy(*many, kProbeRule);                                       // warmed by a clock that reads the limits in the log
  deploy(*baseline, "create rule another on payments partition by card when amount > 1000 alert severity low message 'x';");
  for (int second : {0, 200, 230, 231, 300, 400}) {
    const std::string body = payment("z" + std::to_string(second), "a", second % 2 == 0 ? "1.00" : "300.00", second);
    for (Lane* lane : {baseline.get(), many.get()}) submit(*lane, body);
    EXPECT_EQ(late(*many), late(*baseline)) << second;
  }
  EXPECT_EQ(alert_ids(*many), alert_ids(*baseline));
}

TEST_F(LaneTest, ANewVersionRecordsWhatItWouldHaveFoundAndDeliversNoneOfIt) {
  auto rule = [](const std::string& more_than) {
    std::string text = kProbeRule;
    return text.replace(text.find("amount > 100"), 12, "amount > " + more_than);
  };
  auto ids = [](const std::vector<state::StoredAlert>& stored) {
    std::set<std::string> all;
    for (const state::StoredAlert& one : stored) all.insert(cep::to_hex(one.alert.id));
    EXPECT_EQ(all.size(), stored.size());
    return all;
  };
  open(2);
  deploy(*lane_, kPayments);
  for (const char* card : {"a", "b", "c"}) {
    submit(*lane_, payment(std::string("1") + card, card, "1.00", card[0] - 'a'));
  }
  for (const char* card : {"a", "b", "c"}) {
    submit(*lane_, payment(std::string("2") + card, card, card[0] == 'c' ? "60.00" : "200.00", 10 + card[0] - 'a'));
  }
  lane_->settle(true);
  deploy(*lane_, rule("100"));                           // new: what it would have found is of the past
  EXPECT_TRUE(alerts(*lane_).empty());
  EXPECT_EQ(backfill(*lane_).size(), 2u);
  submit(*lane_, payment("3a", "a", "1.00", 20) + payment("4a", "a", "300.00", 21));
  submit(*lane_, payment("3b", "b", "1.00", 22) + payment("4b", "b", "70.00", 23));
  const std::set<std::string> live = ids(alerts(*lane_));
  EXPECT_EQ(live.size(), 1u);
  deploy(*lane_, rule("50"));                            // finds those too, and what version 1 did not
  const std::string killed = crash_image("killed");      // the activation is logged, no checkpoint holds it
  EXPECT_EQ(ids(alerts(*lane_)), live);
  const std::vector<state::StoredAlert> found = backfill(*lane_);
  EXPECT_EQ(found.size(), 4u);
  for (const state::StoredAlert& one : found) {
    EXPECT_NE(one.alert.body.find(R"("mode":"backfill")"), std::string::npos) << one.alert.body;
    EXPECT_FALSE(live.contains(cep::to_hex(one.alert.id)));
  }
  auto copy = open_at(killed, 3);
  ASSERT_NE(copy, nullptr);
  EXPECT_EQ(ids(backfill(*copy)), ids(found));
  EXPECT_EQ(ids(alerts(*copy)), live);
  for (Lane* lane : {lane_.get(), copy.get()}) {
    submit(*lane, payment("5c", "c", "1.00", 30) + payment("6c", "c", "60.00", 31));
    EXPECT_EQ(alerts(*lane).size(), 2u);
    EXPECT_EQ(backfill(*lane).size(), 4u);
  }
  close();
  open(2);
  EXPECT_EQ(ids(backfill(*lane_)), ids(found));
  EXPECT_EQ(alerts(*lane_).size(), 2u);
}

TEST_F(LaneTest, AWindowSaysSinceWhenItHasSeenEverythingUntilThatIsItsSpan) {
  const std::string counts =
      "create rule counts on payments partition by card when count(*) over (last 1 hour) >= 1"
      " alert severity low message '{card}';\n";
  const std::string since = R"("partial_since":"2026-01-05T00:00:05.000Z")";
  auto says_since = [&](Lane& lane) { return alerts(lane).back().alert.body.find(since) != std::string::npos; };
  auto window = [](Lane& lane) {
    std::promise<cep::TimeUs> told;
    cep::RuleSetPtr rules = lane.registry()->rule_set();
    const cep::BoundRule* rule = rules->find("counts");
    const cep::Value key = cep::Value::string("a");
    EXPECT_TRUE(lane.ask_owner(*rule->entry.program, lane.shards()[0]->engine().key_hash(*rule, {&key, 1}), [&](const cep::Engine& engine) {
      cep::MatchState state = engine.match_state(*rule, {&key, 1}, 1);
      told.set_value(state.windows.empty() ? cep::kTimeMax : state.windows[0].partial_since);
    }));
    return told.get_future().get();
  };
  open(2);
  deploy(*lane_, std::string(kPayments) + counts);
  submit(*lane_, payment("1", "b", "1.00", 5));
  submit(*lane_, payment("2", "a", "1.00", 60));        // since the first row of the stream, not of the key
  EXPECT_TRUE(says_since(*lane_));
  EXPECT_EQ(window(*lane_), kLaneStart + 5 * cep::kSecond);
  for (const bool sealed : {false, true}) {
    if (sealed) lane_->settle(true);
    auto copy = open_at(crash_image(sealed ? "sealed" : "unsealed"), 3);
    ASSERT_NE(copy, nullptr);
    EXPECT_EQ(window(*copy), kLaneStart + 5 * cep::kSecond);
    submit(*copy, payment("3", "a", "1.00", 61));
    EXPECT_TRUE(says_since(*copy));
  }
  // A rule that comes later was warmed from the log's beginning and knows as much; a longer window is partial for longer.
  deploy(*lane_, "create rule longer on payments partition by card when count(*) over (last 2 hours) >= 2"
                 " alert severity low message '{card}';");
  now_ += 55 * cep::kMinute;                             // not so long that the stream is idle
  submit(*lane_, payment("4", "a", "1.00", 3604));
  EXPECT_TRUE(says_since(*lane_));
  submit(*lane_, payment("5", "a", "1.00", 3605));
  ASSERT_EQ(alerts(*lane_).size(), 6u);
  std::map<bool, int> told;
  for (const state::StoredAlert& stored : alerts(*lane_)) {
    if (stored.alert.time_us == kLaneStart + 3605 * cep::kSecond) ++told[stored.alert.body.find(since) != std::string::npos];
  }
  EXPECT_EQ(told[false], 1) << "the hour is whole";
  EXPECT_EQ(told[true], 1) << "two hours are not";
}

// R49: a rule that reads the state of other keys lives on one shard, also in a directory that had another number of them.
TEST_F(LaneTest, AWindowByAnotherKeyLivesOnOneShardAcrossRestarts) {
  const std::string rule =
      "create rule same_amount on payments partition by card when count(*) over (partition by amount last 1 hour) >= 3"
      " measures count(distinct card) over (partition by amount last 1 hour) as cards alert message '{card} {cards}';\n";
  open(4);
  deploy(*lane_, std::string(kPayments) + kProbeRule + rule);
  std::string first;
  for (char card = 'a'; card <= 'h'; ++card) first += payment(std::string("p") + card, std::string(1, card), "200.00", card - 'a');
  submit(*lane_, first);
  ASSERT_EQ(alerts(*lane_).size(), 6u);
  size_t shards_with_keys = 0;
  for (const std::unique_ptr<service::Shard>& shard : lane_->shards()) shards_with_keys += shard->numbers().keys > 0 ? 1 : 0;
  EXPECT_EQ(shards_with_keys, 1u) << "nothing but the pinned rule has state";
  for (const uint32_t shards : {3u, 1u, 4u}) {
    lane_->settle(true);
    close();
    open(shards);
    submit(*lane_, payment("q" + std::to_string(shards), "z" + std::to_string(shards), "200.00", 60));
  }
  const auto all = alerts(*lane_);
  ASSERT_EQ(all.size(), 9u);
  EXPECT_TRUE(std::any_of(all.begin(), all.end(), [](const auto& one) { return one.alert.body.find("z4 11") != std::string::npos; }));
}

TEST_F(LaneTest, AListEditIsInForceFromItsPlaceInTheLogOn) {
  open();
  deploy(*lane_, std::string(kPayments) + "create list blocked of text;\n"
                                          "create rule hit on payments partition by card when card in @blocked alert message 'x';\n");
  const auto edit = [&](bool add) {
    DatasetChange change{"blocked", "", 0, {{{"a"}, std::nullopt, std::nullopt}}};
    if (add) change.edits[0].now.emplace();
    EXPECT_TRUE(lane_->edit_dataset(change).ok());
  };
  submit(*lane_, payment("1", "a", "1.00", 0));
  edit(true);
  submit(*lane_, payment("2", "a", "1.00", 1));
  auto copy = open_at(crash_image("crash"), 1);
  submit(*copy, payment("3", "a", "1.00", 2));
  EXPECT_EQ(alerts(*copy).size(), 2u);
  edit(false);
  submit(*lane_, payment("3", "a", "1.00", 2));
  EXPECT_EQ(alerts(*lane_).size(), 1u);
}

// A declaration of the same text as one that was dropped declares anew.
TEST_F(LaneTest, WhatWasDroppedComesBackUnderTheSameText) {
  open();
  const std::string rule = "create rule hit on payments partition by card when card in @blocked alert message 'x';\n";
  const std::string all = std::string(kPayments) + "create list blocked of text;\n" + rule;
  ASSERT_TRUE(deploy(*lane_, all).applied);
  DatasetChange change{"blocked", "", 0, {{{"a"}, cep::EntryText(), std::nullopt}}};
  ASSERT_TRUE(lane_->edit_dataset(change).ok());
  submit(*lane_, payment("1", "a", "1.00", 0));
  EXPECT_EQ(alerts(*lane_).size(), 1u);
  ASSERT_TRUE(deploy(*lane_, "drop rule hit; drop list blocked; drop stream payments;").applied);
  ASSERT_TRUE(deploy(*lane_, all).applied);
  submit(*lane_, payment("2", "a", "1.00", 1));
  EXPECT_EQ(alerts(*lane_).size(), 1u) << "the list that came back is empty";
  auto copy = open_at(crash_image("crash"), 1);
  ASSERT_NE(copy, nullptr);
  change.edits = {{{"a"}, cep::EntryText(), std::nullopt}};
  ASSERT_TRUE(copy->edit_dataset(change).ok());
  submit(*copy, payment("3", "a", "1.00", 2));
  EXPECT_EQ(alerts(*copy).size(), 2u);
}

// What a new rule finds in the log it finds with the rows of their time.
TEST_F(LaneTest, AWarmStartLooksUpWhatWasInForceThen) {
  open(2);
  deploy(*lane_, std::string(kPayments) + "create table limits (card text, top decimal(12,2)) key card;");
  const auto put = [&](const std::string& top) {
    cep::EntryText row;
    row.row = {top};
    DatasetChange change{"limits", "", 0, {{{"a"}, row, std::nullopt}}};
    ASSERT_TRUE(lane_->edit_dataset(change).ok());
  };
  submit(*lane_, payment("1", "a", "50.00", 0));
  put("10.00");
  submit(*lane_, payment("2", "a", "50.00", 1));
  put("90.00");
  submit(*lane_, payment("3", "a", "50.00", 2));
  lane_->settle(true);
  deploy(*lane_, "create rule above on payments partition by card when amount > @limits[card].top measures @limits[card].top as top"
                 " alert message '{card} over {top}';");
  const auto found = backfill(*lane_);
  ASSERT_EQ(found.size(), 1u);
  EXPECT_NE(found[0].alert.body.find("a over 10.00"), std::string::npos) << found[0].alert.body;
  submit(*lane_, payment("4", "a", "95.00", 3));
  auto copy = open_at(crash_image("crash"), 4);
  submit(*copy, payment("5", "a", "96.00", 4));
  EXPECT_EQ(alerts(*copy).size(), 2u);
}

TEST_F(LaneTest, WhoComesTooLateIsToldThatItStops) {
  open();
  deploy(*lane_, kPayments);
  lane_->close();
  const api::SubmitAnswer answer = submit(*lane_, payment("1", "a", "1.00", 0));
  EXPECT_EQ(answer.outcome, api::SubmitAnswer::Outcome::kUnavailable);
  EXPECT_EQ(answer.code, "stopping");
}

}  // namespace
}  // namespace service
