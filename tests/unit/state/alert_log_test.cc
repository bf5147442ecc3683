// The alert log: one alert an id, rising sequences, pages, expiry; and the ring of rejected events.
#include "state/alert_log.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>

#include "state/data_dir.h"
#include "state/rejected_log.h"
#include "tests/support/scratch_dir.h"

namespace state {
namespace {

Id16 id_of(uint64_t number) {
  Id16 id{};
  for (size_t i = 0; i < 8; ++i) id[15 - i] = static_cast<uint8_t>(number >> (8 * i));
  return id;
}

Alert alert_of(uint64_t number) {
  return {.id = id_of(number), .rule = static_cast<uint32_t>(number % 3), .key_hash = number % 5,
          .time_us = static_cast<int64_t>(number) * 10, .stored_us = static_cast<int64_t>(number) * 1'000,
          .cause_offset = number * 7, .kind = 0, .severity = static_cast<uint8_t>(number % 4),
          .mode = static_cast<uint8_t>(number % 2), .body = "{\"n\":" + std::to_string(number) + "}"};
}

class AlertLogTest : public testing::Test {
 protected:
  AlertLogTest() { open(); }

  void open() {
    log_.reset();
    env_.reset();
    env_ = Env::open(dir_.path(), state_tables(1)).value();
    log_ = std::make_unique<AlertLog>(*env_, 0);
  }

  std::vector<Appended> append(const std::vector<Alert>& alerts) {
    std::vector<Appended> appended;
    EXPECT_TRUE(env_->write([&](WriteTxn& txn) -> cep::Status {
                     auto result = log_->append(txn, alerts);
                     if (!result.ok()) return result.error();
                     appended = *result;
                     return cep::ok_status();
                   }).ok());
    return appended;
  }

  size_t expire(cep::TimeUs now_us, cep::DurationUs keep_us, uint64_t keep_bytes, size_t max = 1'000) {
    size_t count = 0;
    EXPECT_TRUE(env_->write([&](WriteTxn& txn) -> cep::Status {
                     auto result = log_->expire(txn, now_us, keep_us, keep_bytes, max);
                     if (!result.ok()) return result.error();
                     count = *result;
                     return cep::ok_status();
                   }).ok());
    return count;
  }

  void append_numbers(uint64_t from, uint64_t to) {
    std::vector<Alert> alerts;
    for (uint64_t n = from; n < to; ++n) alerts.push_back(alert_of(n));
    append(alerts);
  }

  support::ScratchDir dir_;
  std::unique_ptr<Env> env_;
  std::unique_ptr<AlertLog> log_;
};

TEST_F(AlertLogTest, AnIdIsStoredOnce) {
  auto first = append({alert_of(1), alert_of(2), alert_of(1)});
  ASSERT_EQ(first.size(), 3u);
  EXPECT_TRUE(first[0].is_new && first[1].is_new);
  EXPECT_FALSE(first[2].is_new);
  EXPECT_EQ(first[2].sequence, first[0].sequence);
  open();   // as after a crash: the replay brings them again
  auto again = append({alert_of(2), alert_of(3)});
  EXPECT_FALSE(again[0].is_new);
  EXPECT_EQ(again[0].sequence, 2u);
  EXPECT_TRUE(again[1].is_new);
  EXPECT_EQ(again[1].sequence, 3u);
  EXPECT_EQ(log_->from(1, 100)->size(), 3u);
}

TEST_F(AlertLogTest, ComesBackByIdAndSequence) {
  Alert large = alert_of(9);
  large.body = std::string(50'000, 'j');
  append({alert_of(8), large});
  auto by_id = log_->by_id(id_of(9));
  ASSERT_TRUE(by_id.ok() && by_id->has_value());
  EXPECT_EQ((*by_id)->sequence, 2u);
  EXPECT_EQ((*by_id)->alert.body, large.body);
  EXPECT_EQ((*by_id)->alert.cause_offset, 63u);
  EXPECT_EQ((*log_->by_sequence(1))->alert.id, id_of(8));
  EXPECT_FALSE(log_->by_id(id_of(7))->has_value());
  EXPECT_FALSE(log_->by_sequence(3)->has_value());
}

TEST_F(AlertLogTest, PagesEqualAFilteredList) {
  append_numbers(0, 300);
  const uint64_t seed = 4;
  std::mt19937_64 random(seed);
  for (int round = 0; round < 60; ++round) {
    SCOPED_TRACE("seed " + std::to_string(seed) + ", round " + std::to_string(round));
    AlertFilter filter;
    if (random() % 2 == 0) filter.rule = random() % 3;
    if (random() % 2 == 0) filter.key_hash = random() % 5;
    if (random() % 3 == 0) filter.from_us = random() % 3'000;
    if (random() % 3 == 0) filter.to_us = random() % 3'000;
    if (random() % 3 == 0) filter.severity_min = random() % 4;
    if (random() % 3 == 0) filter.mode = random() % 2;
    std::vector<uint64_t> expected, found;
    for (uint64_t n = 300; n-- > 0;) {
      Alert a = alert_of(n);
      bool passes = (!filter.rule || a.rule == *filter.rule) && (!filter.key_hash || a.key_hash == *filter.key_hash) &&
                    (!filter.from_us || a.time_us >= *filter.from_us) && (!filter.to_us || a.time_us < *filter.to_us) &&
                    (!filter.severity_min || a.severity >= *filter.severity_min) &&
                    (!filter.mode || a.mode == *filter.mode);
      if (passes) expected.push_back(n + 1);
    }
    std::optional<uint64_t> before;
    do {
      auto page = log_->page(filter, before, 7);
      ASSERT_TRUE(page.ok());
      EXPECT_LE(page->items.size(), 7u);
      for (const StoredAlert& item : page->items) found.push_back(item.sequence);
      before = page->next;
    } while (before);
    EXPECT_EQ(found, expected);
  }
}

TEST_F(AlertLogTest, NewAlertsDoNotDisturbAPageCursor) {
  append_numbers(0, 20);
  auto first = log_->page({}, std::nullopt, 10);
  append_numbers(20, 40);
  auto second = log_->page({}, first->next, 100);
  EXPECT_EQ(second->items.front().sequence, 10u);
  EXPECT_EQ(second->items.size(), 10u);
}

TEST_F(AlertLogTest, OldestExpireByAgeAndBytesAndAreCounted) {
  append_numbers(0, 100);   // stored at n ms
  EXPECT_EQ(expire(60'000, 10'000, 1 << 30, 30), 30u);   // 50 are too old, 30 a time
  EXPECT_EQ(expire(60'000, 10'000, 1 << 30), 20u);
  EXPECT_EQ(log_->totals()->oldest_sequence, 51u);
  EXPECT_FALSE(log_->by_id(id_of(49))->has_value());
  EXPECT_TRUE(log_->by_id(id_of(50))->has_value());
  EXPECT_EQ(log_->from(1, 5)->front().sequence, 51u);
  uint64_t half = log_->totals()->bytes / 2;
  EXPECT_EQ(expire(60'000, 100'000, half), 25u);
  EXPECT_LE(log_->totals()->bytes, half);
  EXPECT_EQ(log_->page({}, std::nullopt, 1'000)->items.size(), 25u);
  AlertFilter filter;
  filter.rule = 1;
  filter.key_hash = 1;
  EXPECT_EQ(log_->page(filter, std::nullopt, 1'000)->items.size(), 2u);   // 76 and 91
  EXPECT_EQ(expire(60'000, 0, 0), 25u);
  EXPECT_EQ(log_->totals()->bytes, 0u);
  EXPECT_EQ(log_->totals()->expired, 100u);
  open();
  EXPECT_EQ(append({alert_of(500)})[0].sequence, 101u);   // never used again
}

TEST_F(AlertLogTest, RolledBackTransactionShowsNothing) {
  auto status = env_->write([&](WriteTxn& txn) -> cep::Status {
    EXPECT_TRUE(log_->append(txn, std::vector<Alert>{alert_of(1)}).ok());
    return cep::Error{"later_part_failed", ""};
  });
  EXPECT_FALSE(status.ok());
  EXPECT_FALSE(log_->by_id(id_of(1))->has_value());
  EXPECT_EQ(append({alert_of(1)})[0].sequence, 1u);
}

RejectedEvent rejected_of(uint64_t number) {
  return {.at_us = static_cast<int64_t>(number), .stream = number % 2 == 0 ? "payments" : "logins", .source = 1,
          .code = number % 3 == 0 ? "late" : "bad_time", .field = "at", .message = "m", .watermark_us = 5, .lag_us = 6,
          .raw_bytes = 0, .raw = std::to_string(number) + std::string(100, 'r')};
}

TEST(RejectedLogTest, KeepsTheNewestWithinItsBytesAndCountsTheRest) {
  support::ScratchDir dir;
  auto env = Env::open(dir.path(), state_tables(1)).value();
  RejectedLog log(*env, 0, 10'000);
  for (uint64_t n = 0; n < 200; n += 10) {
    std::vector<RejectedEvent> events;
    for (uint64_t i = n; i < n + 10; ++i) events.push_back(rejected_of(i));
    ASSERT_TRUE(env->write([&](WriteTxn& txn) { return log.append(txn, events); }).ok());
  }
  auto totals = log.totals();
  ASSERT_TRUE(totals.ok());
  EXPECT_EQ(totals->next_sequence, 201u);
  EXPECT_LE(totals->bytes, 10'000u);
  EXPECT_GT(totals->bytes, 9'500u);
  EXPECT_EQ(totals->dropped, totals->oldest_sequence - 1);
  RejectedFilter filter{.stream = "payments", .code = "late"};
  std::vector<uint64_t> found;
  std::optional<uint64_t> before;
  do {
    auto page = log.page(filter, before, 3);
    ASSERT_TRUE(page.ok());
    for (const StoredRejected& item : page->items) found.push_back(item.sequence);
    before = page->next;
  } while (before);
  std::vector<uint64_t> expected;
  for (uint64_t n = 200; n-- > totals->oldest_sequence - 1;) {
    if (n % 6 == 0) expected.push_back(n + 1);
  }
  EXPECT_EQ(found, expected);
  EXPECT_FALSE((*log.by_sequence(1)).has_value());
}

TEST(RejectedLogTest, RawBytesAreCutAndTheirLengthKept) {
  support::ScratchDir dir;
  auto env = Env::open(dir.path(), state_tables(1)).value();
  RejectedLog log(*env, 0);
  RejectedEvent event = rejected_of(1);
  event.raw = std::string(100'000, 'z');
  ASSERT_TRUE(env->write([&](WriteTxn& txn) { return log.append(txn, std::vector<RejectedEvent>{event}); }).ok());
  auto stored = log.by_sequence(1);
  ASSERT_TRUE(stored.ok() && stored->has_value());
  EXPECT_EQ((*stored)->event.raw.size(), kRejectedRawBytesMax);
  EXPECT_EQ((*stored)->event.raw_bytes, 100'000u);
  EXPECT_EQ((*stored)->event.field, "at");
  EXPECT_EQ((*stored)->event.lag_us, 6);
}

}  // namespace
}  // namespace state
