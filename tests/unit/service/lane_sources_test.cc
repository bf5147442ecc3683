// Sources beside the input: the alerts do not depend on how they interleave, on shards or on crashes; the log knows how far each was read.
#include <gtest/gtest.h>

#include <random>

#include "service/lane.h"
#include "tests/support/lane_fixture.h"

namespace service {
namespace {

using test_support::kLaneStart;

// Without `unique`: a row is named by its source and its ordinal there.
constexpr const char* kPlainStream =
    "create stream payments (card text not null, amount decimal(12,2) not null, at timestamp not null)"
    " event time at delay 0 seconds, idle 1 minute;\n";
constexpr const char* kStepRules =
    "create rule steps on payments partition by card pattern a ->> b ->> c within 15 seconds"
    " define a as amount < 5, b as amount < 50, c as amount > 100 after match no skip measures c.amount as amount alert severity high;\n"
    "create rule quiet on payments partition by card pattern a -> not b for 20 seconds"
    " define a as amount > 100, b as amount < 5 alert severity low;\n";
constexpr const char* kUniqueStream =
    "create stream payments (id text, card text not null, amount decimal(12,2) not null, at timestamp not null)"
    " event time at delay 0 seconds, idle 1 minute, unique id;\n";
constexpr const char* kBigRule = "create rule big on payments when amount > 100 partition by card alert severity low;\n";

class LaneSourcesTest : public test_support::LaneFixture {
 protected:
  static std::string row(const std::string& card, const char* amount, int second) {
    return R"({"card":")" + card + R"(","amount":)" + amount + R"(,"at":")" + cep::format_time(kLaneStart + second * cep::kSecond) + "\"}";
  }
  static std::string name_of(int partition) { return "kafka:bank/payments/" + std::to_string(partition); }
  static SourceNumbers open_source(Lane& lane, int partition, uint64_t first = 0, const std::string& stream = "payments") {
    auto opened = lane.open_source({name_of(partition), stream}, first);
    EXPECT_TRUE(opened.ok()) << (opened.ok() ? "" : opened.error().message);
    return opened.ok() ? *opened : SourceNumbers{};
  }
  // One submission of records from ordinal `first` on; waits until the log has them.
  static void give(Lane& lane, cep::SourceId source, uint64_t first, const std::vector<std::string>& rows,
                   cep::TimeUs arrival_us = kLaneStart, const std::string& stream = "payments") {
    SourceRecords records;
    records.source = source;
    records.stream = stream;
    records.request = std::make_shared<api::SubmitRequest>();
    api::SubmitRequest& request = *records.request;
    for (const std::string& text : rows) request.body += text;
    size_t begin = 0;
    for (uint32_t i = 0; i < rows.size(); ++i) {
      api::SubmitItem item;
      item.index = i;
      item.row = std::string_view(request.body).substr(begin, rows[i].size());
      begin += rows[i].size();
      request.items.push_back(item);
      records.places.push_back({first + i, arrival_us});
    }
    records.next = first + rows.size();
    std::promise<void> durable;
    ASSERT_EQ(lane.submit_records(records, [&durable] { durable.set_value(); }), Taken::kTaken);
    durable.get_future().wait();
  }
  static SourceNumbers source_of(const Lane& lane, int partition) {
    for (const SourceNumbers& source : lane.sources()) {
      if (source.name == name_of(partition)) return source;
    }
    ADD_FAILURE() << name_of(partition);
    return {};
  }
  static void close_time(Lane& lane) { submit(lane, "{\"$watermark\": \"2026-01-06T00:00:00Z\"}\n"); }
  static void silence(Lane& lane, std::atomic<cep::TimeUs>& now, cep::DurationUs by) {
    move_clock(lane, now, by);
    std::this_thread::sleep_for(std::chrono::milliseconds(450));      // the log thread looks at its clock every 200 ms
    lane.settle(false);
  }
  // The log thread looks once at a clock that stands still: behind all that it was told before.
  static void move_clock(Lane& lane, std::atomic<cep::TimeUs>& now, cep::DurationUs by) {
    lane.settle(false);
    now += by;
  }
  size_t await_alerts(size_t count) {
    for (int i = 0; i < 300 && alerts(*lane_).size() < count; ++i) std::this_thread::sleep_for(std::chrono::milliseconds(100));
    return alerts(*lane_).size();
  }
};

// Three partitions whose keys overlap, so that every order between them would show, with equal times across them.
std::vector<std::vector<std::string>> rows_of_partitions(const std::function<std::string(const std::string&, const char*, int)>& row) {
  std::mt19937 random(11);
  std::vector<std::vector<std::string>> rows(3);
  int second[3] = {0, 0, 0};
  for (int i = 0; i < 240; ++i) {
    const size_t p = random() % 3;
    const char* amounts[] = {"1.00", "4.50", "20.00", "250.00"};
    rows[p].push_back(row(std::string(1, static_cast<char>('a' + random() % 4)), amounts[random() % 4], second[p]));
    second[p] += static_cast<int>(random() % 4);
  }
  return rows;
}

TEST_F(LaneSourcesTest, TheAlertsDependNeitherOnTheInterleavingNorOnShardsBatchesOrCrashes) {
  const auto rows = rows_of_partitions(row);
  std::set<std::string> expected;
  for (uint32_t seed = 0; seed < 5; ++seed) {
    std::mt19937 random(seed);
    std::unique_ptr<Lane> lane = open_at(scratch_ / ("data" + std::to_string(seed)), seed % 3 + 1);
    ASSERT_NE(lane, nullptr);
    deploy(*lane, std::string(kPlainStream) + kStepRules);
    cep::SourceId number[3];
    for (int p = 0; p < 3; ++p) number[p] = open_source(*lane, p).number;
    size_t at[3] = {0, 0, 0};
    for (int step = 0; at[0] < rows[0].size() || at[1] < rows[1].size() || at[2] < rows[2].size(); ++step) {
      const size_t p = random() % 3;
      const size_t count = std::min<size_t>(rows[p].size() - at[p], random() % 9 + 1);
      if (count == 0) continue;
      give(*lane, number[p], at[p], {rows[p].begin() + static_cast<long>(at[p]), rows[p].begin() + static_cast<long>(at[p] + count)});
      at[p] += count;
      if (step % 16 != 15 || seed == 0) continue;
      if (step % 32 == 31) lane->settle(true);
      lane->settle(false);
      const std::string copy = scratch_ / ("crash" + std::to_string(seed) + "-" + std::to_string(step));
      std::filesystem::copy(lane->data_dir(), copy, std::filesystem::copy_options::recursive);
      lane->close();
      lane = open_at(copy, (seed + static_cast<uint32_t>(step)) % 3 + 1);
      ASSERT_NE(lane, nullptr);
      for (int q = 0; q < 3; ++q) {
        const SourceNumbers again = open_source(*lane, q, 999);
        EXPECT_EQ(again.number, number[q]);
        EXPECT_EQ(again.place.next, at[q]) << "the log knows how far it was read";
      }
    }
    close_time(*lane);
    const std::set<std::string> ids = alert_ids(*lane);
    EXPECT_EQ(lane->sequencer().numbers().late.load(), 0u);
    if (seed == 0) expected = ids;
    EXPECT_GT(expected.size(), 50u);
    EXPECT_EQ(ids, expected) << "seed " << seed;
    lane->close();
  }
}

TEST_F(LaneSourcesTest, ADeploymentLaterFindsTheSameInTheLog) {
  open();
  deploy(*lane_, std::string(kPlainStream) + kStepRules);
  const auto rows = rows_of_partitions(row);
  for (int p = 0; p < 3; ++p) open_source(*lane_, p);
  for (int p = 0; p < 3; ++p) give(*lane_, static_cast<cep::SourceId>(p + 1), 0, rows[static_cast<size_t>(p)]);
  auto late = open_at(scratch_ / "late", 2);
  deploy(*late, kPlainStream);
  for (int p = 0; p < 3; ++p) open_source(*late, p);
  for (int p : {2, 0, 1}) give(*late, static_cast<cep::SourceId>(p + 1), 0, rows[static_cast<size_t>(p)]);
  deploy(*late, kStepRules);
  close_time(*lane_);
  close_time(*late);
  std::set<std::string> found = alert_ids(*late);
  for (const state::StoredAlert& stored : backfill(*late)) found.insert(cep::to_hex(stored.alert.id));
  EXPECT_EQ(found, alert_ids(*lane_));
  late->close();
}

TEST_F(LaneSourcesTest, WhatIsNoEventIsKeptWithItsPlaceAndHoldsNothingUp) {
  open();
  deploy(*lane_, std::string(kPlainStream) + kBigRule);
  const cep::SourceId source = open_source(*lane_, 3, 40).number;
  EXPECT_EQ(source_of(*lane_, 3).place.next, 40u);
  give(*lane_, source, 40, {row("a", "1.00", 0), "nonsense", row("a", "\"x\"", 1), row("a", "200.00", 2)});
  give(*lane_, source, 44, {"{}", "[]"});
  EXPECT_EQ(alerts(*lane_).size(), 1u);
  auto kept = lane_->store().rejected().page({}, std::nullopt, 10);
  ASSERT_TRUE(kept.ok());
  ASSERT_EQ(kept->items.size(), 4u);
  EXPECT_EQ(kept->items[2].event.code, "wrong_type");
  EXPECT_NE(kept->items[2].event.message.find("(kafka:bank/payments/3, offset 42)"), std::string::npos) << kept->items[2].event.message;
  EXPECT_EQ(kept->items[3].event.raw, "nonsense");
  EXPECT_EQ(kept->items[3].event.source, source);
  lane_ = open_at(crash_image("crash"), 1);
  EXPECT_EQ(source_of(*lane_, 3).place.next, 46u) << "records that left no row have been read as well";
  EXPECT_EQ(source_of(*lane_, 3).place.last.ordinal, 43u);
}

TEST_F(LaneSourcesTest, TimeWaitsForASourceUntilItIsAtItsEndAndIdle) {
  open();
  deploy(*lane_, std::string(kPlainStream) + kBigRule);
  open_source(*lane_, 0);
  open_source(*lane_, 1);
  give(*lane_, 1, 0, {row("a", "200.00", 0)});
  EXPECT_TRUE(alerts(*lane_).empty()) << "partition 1 has said nothing yet";
  lane_->set_source_at_end(1, true);
  silence(*lane_, now_, cep::kMinute + cep::kSecond);      // no longer: a tick may move time by what is beyond `idle`
  EXPECT_TRUE(alerts(*lane_).empty()) << "silent, but perhaps only unread";
  lane_->set_source_at_end(2, true);
  move_clock(*lane_, now_, 2 * cep::kSecond);
  EXPECT_EQ(await_alerts(1), 1u);
  auto copy = open_at(crash_image("crash"), 1);
  give(*copy, 1, 1, {row("b", "200.00", 5)}, now_);
  EXPECT_EQ(alerts(*copy).size(), 2u) << "that partition 1 was idle is remembered";
  give(*copy, 2, 0, {row("c", "200.00", 3), row("d", "200.00", 5)}, now_);
  EXPECT_EQ(alerts(*copy).size(), 2u) << "partition 0 may bring more of that second, which comes first";
  give(*copy, 1, 2, {row("e", "1.00", 6)}, now_);
  EXPECT_EQ(alerts(*copy).size(), 3u) << "one was late, one in time";
  EXPECT_EQ(copy->sequencer().numbers().late.load(), 1u);
  copy->close();
}

// Two streams, each with a source, whose rules fill a third.
constexpr const char* kFedRules =
    "create stream logins (card text not null, amount decimal(12,2) not null, at timestamp not null)"
    " event time at delay 0 seconds, idle 1 minute;\n"
    "create stream raised (card text not null, rule text not null, at timestamp not null) event time at from rules;\n"
    "create rule paid on payments partition by card when amount > 100 into raised;\n"
    "create rule seen on logins partition by card when amount > 100 into raised;\n"
    "create rule both on raised partition by card pattern one -> other within 1 minute"
    " define one as rule = 'seen', other as rule = 'paid' alert severity high;\n"
    "create rule twice on raised partition by card pattern one -> other within 1 minute"
    " define one as rule = 'paid', other as rule = 'paid' alert severity high;\n";

TEST_F(LaneSourcesTest, AlertsAsEventsWaitForASourceThatHasSaidNothing) {
  open(2);
  deploy(*lane_, std::string(kPlainStream) + kFedRules);
  open_source(*lane_, 0);
  open_source(*lane_, 1, 0, "logins");
  give(*lane_, 1, 0, {row("a", "200.00", 10), row("a", "200.00", 20), row("a", "1.00", 50)});
  EXPECT_EQ(alerts(*lane_).size(), 2u) << "two rows of `raised`, which nobody has read yet";
  auto copy = open_at(crash_image("crash"), 1);
  for (Lane* lane : {lane_.get(), copy.get()}) {
    give(*lane, 2, 0, {row("a", "200.00", 5), row("a", "1.00", 50)}, kLaneStart, "logins");
    close_time(*lane);
    EXPECT_EQ(alerts(*lane).size(), 5u) << "seen, both, twice: what came of the second source was in time";
  }
  copy->close();
}

TEST_F(LaneSourcesTest, AlertsAsEventsGoOnWithoutASourceThatIsIdle) {
  open(2);
  deploy(*lane_, std::string(kPlainStream) + kFedRules);
  open_source(*lane_, 0);
  open_source(*lane_, 1, 0, "logins");
  give(*lane_, 1, 0, {row("a", "200.00", 10), row("a", "200.00", 20), row("a", "1.00", 50)});
  lane_->set_source_at_end(2, true);
  move_clock(*lane_, now_, cep::kMinute + cep::kSecond);
  EXPECT_EQ(await_alerts(3), 3u) << "twice";
}

TEST_F(LaneSourcesTest, DuplicatesAreToldByTheTimestampOfTheRecord) {
  open();
  deploy(*lane_, std::string(kUniqueStream) + kBigRule);
  const cep::TimeUs long_ago = kLaneStart - 20 * cep::kDay;
  auto event = [&](int at_hour) {
    return R"({"id":"x","card":"a","amount":200,"at":")" + cep::format_time(long_ago + at_hour * cep::kHour) + "\"}";
  };
  open_source(*lane_, 0);
  give(*lane_, 1, 0, {event(0)}, long_ago);
  give(*lane_, 1, 1, {event(0)}, long_ago + 30 * cep::kMinute);
  EXPECT_EQ(lane_->sequencer().numbers().duplicates.load(), 1u);
  give(*lane_, 1, 2, {event(2)}, long_ago + 2 * cep::kHour);
  EXPECT_EQ(lane_->sequencer().numbers().duplicates.load(), 1u) << "outside the window of an hour, though read within a moment";
  lane_ = open_at(crash_image("crash"), 1);
  give(*lane_, 1, 3, {event(2)}, long_ago + 2 * cep::kHour + cep::kMinute);
  EXPECT_EQ(lane_->sequencer().numbers().duplicates.load(), 1u) << "remembered over a crash";
  give(*lane_, 1, 4, {event(3)}, long_ago + 4 * cep::kHour);
  EXPECT_EQ(alerts(*lane_).size(), 3u);
  give(*lane_, 1, 5, {event(30)}, long_ago + 5 * cep::kHour);
  auto kept = lane_->store().rejected().page({}, std::nullopt, 1);
  ASSERT_EQ(kept->items.size(), 1u);
  EXPECT_EQ(kept->items[0].event.code, "too_far_ahead") << "ahead of the record's own timestamp";
}

TEST_F(LaneSourcesTest, ASourceOfAnUnknownStreamIsRefused) {
  open();
  auto opened = lane_->open_source({name_of(0), "payments"}, 0);
  ASSERT_FALSE(opened.ok());
  EXPECT_EQ(opened.error().code, "unknown_stream");
}

}  // namespace
}  // namespace service
