// What keeps events out, and who is answered when: the parts that a lane shows only with a full state disk.
#include "service/intake_watch.h"

#include <gtest/gtest.h>

namespace service {
namespace {

using Outcome = api::SubmitAnswer::Outcome;

class IntakeWatchTest : public ::testing::Test {
 protected:
  std::future<api::SubmitAnswer> add(std::shared_ptr<WaitingRequest>* request = nullptr) {
    auto promise = std::make_shared<std::promise<api::SubmitAnswer>>();
    auto added = watch_.add([promise](api::SubmitAnswer answer) { promise->set_value(std::move(answer)); });
    if (request != nullptr) *request = added;
    kept_.push_back(std::move(added));
    return promise->get_future();
  }
  static bool is_ready(std::future<api::SubmitAnswer>& answer, int ms) {
    return answer.wait_for(std::chrono::milliseconds(ms)) == std::future_status::ready;
  }

  DiskWait log_, store_;
  IntakeWatch watch_{{.answer_within_us = 200 * cep::kMillisecond, .store_patience_us = 300 * cep::kMillisecond}, log_, store_, {}};
  std::vector<std::shared_ptr<WaitingRequest>> kept_;
};

TEST_F(IntakeWatchTest, TheLogCountsAtOnceAndTheStoreAfterAWhile) {
  EXPECT_FALSE(watch_.stall());
  log_.failed({"disk_full", "no room in /log"});
  EXPECT_EQ(watch_.stall()->code, "disk_full");
  EXPECT_EQ(watch_.stall()->cause, "no room in /log");
  EXPECT_EQ(watch_.stall()->detail.find("/log"), std::string::npos);      // who sends events is told no path
  log_.failed({"io_error", "later"});
  EXPECT_EQ(watch_.stall()->code, "disk_full");                           // what it began with
  log_.over();
  EXPECT_FALSE(watch_.stall());
  store_.failed({"disk_full", "no room"});
  const IntakeWatch patient{{.answer_within_us = cep::kHour, .store_patience_us = cep::kHour}, log_, store_, {}};
  EXPECT_FALSE(patient.stall());
  while (!watch_.stall()) std::this_thread::sleep_for(std::chrono::milliseconds(10));
  EXPECT_EQ(watch_.stall()->code, "disk_full");
  store_.over();
  EXPECT_FALSE(watch_.stall());
  log_.failed({"io_error", "broken"});
  EXPECT_EQ(watch_.stall()->code, "disk_failing");
}

TEST_F(IntakeWatchTest, OnlyAStallEndsTheWaiting) {
  std::future<api::SubmitAnswer> answer = add();
  EXPECT_FALSE(is_ready(answer, 600));          // slow is not full
  log_.failed({"disk_full", "no room"});
  const api::SubmitAnswer given_up = answer.get();
  EXPECT_EQ(given_up.outcome, Outcome::kUnavailable);
  EXPECT_EQ(given_up.code, "disk_full");
  EXPECT_EQ(watch_.given_up(), 1u);
  kept_[0]->answer();                           // nobody hears it: the promise would throw
}

TEST_F(IntakeWatchTest, WhatIsDurableIsAnsweredSoThoughTheShardsCannotGoOn) {
  std::shared_ptr<WaitingRequest> request;
  std::future<api::SubmitAnswer> answer = add(&request);
  api::SubmitAnswer durable;
  durable.accepted = 7;
  request->decide(durable);
  store_.failed({"disk_full", "no room"});
  const api::SubmitAnswer given = answer.get();
  EXPECT_EQ(given.outcome, Outcome::kDurable);
  EXPECT_EQ(given.accepted, 7u);
  EXPECT_EQ(watch_.given_up(), 0u);
}

}  // namespace
}  // namespace service
