// Cursors, parked alerts, attempts and replay.
#include "state/delivery_log.h"

#include <gtest/gtest.h>

#include "state/data_dir.h"
#include "tests/support/scratch_dir.h"

namespace state {
namespace {

class DeliveryLogTest : public testing::Test {
 protected:
  DeliveryLogTest() { open(); }

  void open() {
    env_.reset();
    env_ = Env::open(dir_.path(), state_tables(1)).value();
    alerts_ = std::make_unique<AlertLog>(*env_, 0);
    log_ = std::make_unique<DeliveryLog>(*env_, 0);
  }

  void apply(const DeliveryChange& change) {
    EXPECT_TRUE(env_->write([&](WriteTxn& txn) { return log_->apply(txn, change); }).ok());
  }

  void store_alerts(uint64_t count) {
    std::vector<Alert> alerts(count);
    for (uint64_t n = 0; n < count; ++n) {
      for (size_t i = 0; i < 8; ++i) alerts[n].id[i] = static_cast<uint8_t>(n >> (8 * i));
    }
    EXPECT_TRUE(env_->write([&](WriteTxn& txn) -> cep::Status {
                     auto appended = alerts_->append(txn, alerts);
                     return appended.ok() ? cep::ok_status() : cep::Status(appended.error());
                   }).ok());
  }

  cep::Result<ReplayProgress> replay(uint32_t sink, uint64_t from, uint64_t to, cep::TimeUs now_us) {
    ReplayProgress progress;
    auto status = env_->write([&](WriteTxn& txn) -> cep::Status {
      auto result = log_->replay(txn, *alerts_, sink, from, to, now_us);
      if (!result.ok()) return result.error();
      progress = *result;
      return cep::ok_status();
    });
    if (!status.ok()) return status.error();
    return progress;
  }

  support::ScratchDir dir_;
  std::unique_ptr<Env> env_;
  std::unique_ptr<AlertLog> alerts_;
  std::unique_ptr<DeliveryLog> log_;
};

TEST_F(DeliveryLogTest, CursorsAdvanceAndNeverGoBack) {
  apply({.unpark = {}, .park = {}, .cursors = {{1, 10, false}, {2, 5, false}}, .attempts = {}});
  apply({.unpark = {}, .park = {}, .cursors = {{1, 7, true}}, .attempts = {}});
  open();
  auto cursors = log_->cursors();
  ASSERT_TRUE(cursors.ok());
  ASSERT_EQ(cursors->size(), 2u);
  EXPECT_EQ((*cursors)[0].sink, 1u);
  EXPECT_EQ((*cursors)[0].through, 10u);
  EXPECT_TRUE((*cursors)[0].disabled);
  EXPECT_EQ((*cursors)[1].through, 5u);
  EXPECT_FALSE((*cursors)[1].disabled);
}

TEST_F(DeliveryLogTest, ParkedComeByDueTime) {
  apply({.unpark = {},
         .park = {{1, 300, 3, 1}, {1, 100, 7, 2}, {1, kNeverDue, 1, 9}, {2, 50, 4, 1}, {1, -5, 8, 0}},
         .cursors = {},
         .attempts = {}});
  auto due = log_->parked(1, 100, 10);
  ASSERT_TRUE(due.ok());
  ASSERT_EQ(due->size(), 2u);
  EXPECT_EQ((*due)[0].alert_sequence, 8u);
  EXPECT_EQ((*due)[1].alert_sequence, 7u);
  EXPECT_EQ((*due)[1].attempts, 2u);
  EXPECT_EQ(log_->parked(1, kNeverDue, 10)->back().alert_sequence, 1u);
  // Moved to a later time, as after another failure.
  apply({.unpark = {{1, 100, 7, 2}, {1, 12345, 99, 0}}, .park = {{1, 400, 7, 3}}, .cursors = {}, .attempts = {}});
  auto all = log_->parked(1, kNeverDue, 2);
  ASSERT_EQ(all->size(), 2u);
  EXPECT_EQ((*all)[1].alert_sequence, 3u);
  auto rest = log_->parked_after(all->back(), 10);
  ASSERT_EQ(rest->size(), 2u);
  EXPECT_EQ((*rest)[0].attempts, 3u);
  EXPECT_EQ((*rest)[1].due_us, kNeverDue);
}

TEST_F(DeliveryLogTest, AttemptsAreNumberedAndExpire) {
  apply({.unpark = {}, .park = {}, .cursors = {}, .attempts = {{5, 1, 100, 500, 20}, {5, 1, 200, 200, 30}}});
  open();
  apply({.unpark = {},
         .park = {},
         .cursors = {},
         .attempts = {{5, 1, 300, -2, 40}, {5, 2, 310, 200, 1}, {6, 1, 320, 204, 2}}});
  auto attempts = log_->attempts_of(5);
  ASSERT_TRUE(attempts.ok());
  ASSERT_EQ(attempts->size(), 4u);
  EXPECT_EQ((*attempts)[0].status, 500);
  EXPECT_EQ((*attempts)[1].status, 200);
  EXPECT_EQ((*attempts)[2].status, -2);
  EXPECT_EQ((*attempts)[2].latency_us, 40u);
  EXPECT_EQ((*attempts)[3].sink, 2u);
  size_t erased = 0;
  EXPECT_TRUE(env_->write([&](WriteTxn& txn) -> cep::Status {
                   erased = *log_->expire_attempts(txn, 300, 100);
                   return cep::ok_status();
                 }).ok());
  EXPECT_EQ(erased, 2u);
  EXPECT_EQ(log_->attempts_of(5)->size(), 2u);
  EXPECT_EQ(log_->attempts_of(6)->size(), 1u);
}

TEST_F(DeliveryLogTest, ReplayQueuesARangeOnce) {
  store_alerts(20);
  apply({.unpark = {}, .park = {{1, kNeverDue, 6, 9}, {1, 777, 15, 1}}, .cursors = {{1, 16, false}}, .attempts = {}});
  auto progress = replay(1, 5, 100, 1'000);
  ASSERT_TRUE(progress.ok());
  EXPECT_EQ(progress->queued, 12u);   // 5 to 16: what is above the cursor comes anyway
  EXPECT_FALSE(progress->next.has_value());
  auto parked = log_->parked(1, kNeverDue, 100);
  ASSERT_EQ(parked->size(), 12u);
  for (size_t i = 0; i < parked->size(); ++i) {
    EXPECT_EQ((*parked)[i].alert_sequence, 5 + i);
    EXPECT_EQ((*parked)[i].due_us, 1'000);
    EXPECT_EQ((*parked)[i].attempts, 0u);
  }
  EXPECT_EQ(replay(2, 1, 5, 0).error().code, "not_found");
  EXPECT_EQ(replay(1, 17, 20, 0)->queued, 0u);
}

TEST_F(DeliveryLogTest, LongReplayGoesInSteps) {
  store_alerts(DeliveryLog::kReplayMax + 50);
  apply({.unpark = {}, .park = {}, .cursors = {{1, DeliveryLog::kReplayMax + 50, false}}, .attempts = {}});
  auto first = replay(1, 1, 1'000'000, 5);
  EXPECT_EQ(first->queued, DeliveryLog::kReplayMax);
  ASSERT_TRUE(first->next.has_value());
  auto second = replay(1, *first->next, 1'000'000, 5);
  EXPECT_EQ(second->queued, 50u);
  EXPECT_FALSE(second->next.has_value());
}

TEST_F(DeliveryLogTest, ForgottenSinkLeavesTheOthers) {
  apply({.unpark = {}, .park = {{1, 1, 1, 0}, {1, 2, 2, 0}, {1, 3, 3, 0}, {2, 1, 1, 0}},
         .cursors = {{1, 3, false}, {2, 3, false}}, .attempts = {}});
  bool done = false;
  for (int calls = 0; !done; ++calls) {
    ASSERT_LT(calls, 3);
    EXPECT_TRUE(env_->write([&](WriteTxn& txn) -> cep::Status {
                     done = *log_->forget(txn, 1, 2);
                     return cep::ok_status();
                   }).ok());
  }
  EXPECT_TRUE(log_->parked(1, kNeverDue, 10)->empty());
  EXPECT_EQ(log_->parked(2, kNeverDue, 10)->size(), 1u);
  EXPECT_EQ(log_->cursors()->size(), 1u);
}

TEST_F(DeliveryLogTest, ChangeIsAllOrNothing) {
  auto status = env_->write([&](WriteTxn& txn) -> cep::Status {
    EXPECT_TRUE(log_->apply(txn, {.unpark = {}, .park = {{1, 1, 1, 0}}, .cursors = {{1, 9, false}},
                                  .attempts = {{1, 1, 1, 200, 1}}}).ok());
    return cep::Error{"alerts_failed", ""};
  });
  EXPECT_FALSE(status.ok());
  EXPECT_TRUE(log_->cursors()->empty());
  EXPECT_TRUE(log_->parked(1, kNeverDue, 10)->empty());
  EXPECT_TRUE(log_->attempts_of(1)->empty());
}

}  // namespace
}  // namespace state
