// Delivery over kills, failed commits and ordered stops: no delivery is lost.
#include <gtest/gtest.h>

#include <map>
#include <random>
#include <set>

#include "service/delivery.h"
#include "tests/support/delivery_fixture.h"

namespace service {
namespace {

using test_support::FakeSender;
using test_support::kOne;
using test_support::sink_named;

class DeliveryKill : public test_support::DeliveryFixture {};

TEST_F(DeliveryKill, AnEntryParkedAheadOfTheCursorKeepsItsDueTimeOverARestart) {
  add(kOne);
  alerts(3);
  step();
  sender_.answer(1, FakeSender::status_result(500));
  pass(cep::kSecond);
  ASSERT_EQ(store_.cursors[kOne].sequence, 0u);
  ASSERT_EQ(store_.parked[kOne].size(), 1u);
  restart({kOne});
  step();
  ASSERT_EQ(sender_.open.size(), 2u);
  EXPECT_EQ(sender_.open[0].sequence(), 1u);
  EXPECT_EQ(sender_.open[1].sequence(), 3u);
  sender_.answer_all(200);
  pass(5 * cep::kSecond);
  EXPECT_EQ(store_.cursors[kOne].sequence, 3u);
  ASSERT_EQ(sender_.open.size(), 1u);
  EXPECT_EQ(sender_.open[0].sequence(), 2u);
}

TEST_F(DeliveryKill, TheWholeScheduleThenExhaustedThenReplayed) {
  add(kOne);
  alerts(1);
  std::vector<cep::TimeUs> tries;
  for (cep::TimeUs next = step(); next != cep::kTimeMax || !sender_.open.empty(); next = step()) {
    if (sender_.open.empty()) {
      now_ = next;
      continue;
    }
    tries.push_back(now_);
    ASSERT_LE(tries.size(), 11u);
    HttpResult refused;
    refused.error = TransportError::kRefusedAddress;
    sender_.answer(0, refused);
    if (tries.size() == 4) restart({kOne});  // the result is lost, so that attempt is repeated
  }
  ASSERT_EQ(tries.size(), 11u);  // 1 + 9 retries, and the one the restart repeated
  tries.erase(tries.begin() + 4);
  for (size_t i = 0; i + 1 < tries.size(); ++i) {
    const cep::DurationUs wait = tries[i + 1] - tries[i];
    EXPECT_GE(wait, options_.schedule[i] / 10 * 9) << i;
    EXPECT_LE(wait, options_.schedule[i] / 10 * 11 + cep::kSecond) << i;
  }
  ASSERT_EQ(parked().size(), 1u);
  EXPECT_EQ(parked()[0], (ParkedEntry{ParkedEntry::kExhausted, 1, 10}));
  EXPECT_EQ(status().exhausted, 1u);
  EXPECT_EQ(status().pending, 0u);
  EXPECT_EQ(count_events("entry_exhausted"), 1u);
  EXPECT_EQ(store_.attempts.back().error, TransportError::kRefusedAddress);

  now_ = tries.back() + cep::kDay;
  restart({kOne});
  EXPECT_EQ(status().exhausted, 1u);
  const auto replayed = engine_->replay(kOne, 1, 1, true, now_);
  ASSERT_TRUE(replayed.ok());
  EXPECT_EQ(replayed->count, 1u);
  step();
  ASSERT_EQ(sender_.open.size(), 1u);
  sender_.answer_all(200);
  pass(cep::kSecond);
  EXPECT_TRUE(parked().empty());
  EXPECT_EQ(status().exhausted, 0u);
}

TEST_F(DeliveryKill, ANewSinkBeginsNowAndThatIsDurable) {
  alerts(5);
  add(kOne);
  EXPECT_EQ(store_.cursors[kOne].sequence, 5u);
  alerts(1);
  restart({kOne});
  step();
  ASSERT_EQ(sender_.open.size(), 1u);
  EXPECT_EQ(sender_.open[0].sequence(), 6u);
  EXPECT_EQ(engine_->add_sink(kOne, sink_named("s1")).error().code, "duplicate_sink");
}

TEST_F(DeliveryKill, AFailingStoreIsToldAndTriedAgain) {
  add(kOne);
  alerts(1);
  step();
  store_.commits_to_fail = 3;
  sender_.answer_all(500);
  pass(1500 * cep::kMillisecond);
  EXPECT_EQ(count_events("store_failed"), 2u);
  EXPECT_TRUE(store_.parked[kOne].empty());
  EXPECT_EQ(store_.cursors[kOne].sequence, 0u);
  pass(3 * cep::kSecond);
  EXPECT_EQ(store_.parked[kOne].size(), 1u);
  EXPECT_EQ(store_.cursors[kOne].sequence, 1u);
}

TEST_F(DeliveryKill, AfterBeginStopNothingIsSentAndFlushStores) {
  add(kOne);
  alerts(100);
  step();
  engine_->begin_stop();
  sender_.answer(3, FakeSender::status_result(500));
  while (sender_.open.size() > 2) sender_.answer(0, FakeSender::status_result(200));
  HttpResult cancelled;
  cancelled.error = TransportError::kCancelled;
  sender_.answer(0, cancelled);  // alert 63: sent or not, nobody knows
  step();
  EXPECT_FALSE(engine_->idle());
  ASSERT_TRUE(engine_->flush().ok());
  EXPECT_EQ(sender_.submitted, 64u);
  EXPECT_EQ(store_.cursors[kOne].sequence, 62u);
  EXPECT_EQ(store_.parked[kOne].size(), 1u);
  restart({kOne});
  step();
  ASSERT_FALSE(sender_.open.empty());
  EXPECT_EQ(sender_.open[0].sequence(), 63u);
}

// Random answers, a random order of them, kills, failed commits: every alert reaches both sinks or is listed as
// exhausted.
TEST_F(DeliveryKill, KillsAtRandomLoseNoDelivery) {
  const uint64_t seed = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937_64 random(seed);
  const auto chance = [&](int percent) { return std::uniform_int_distribution(0, 99)(random) < percent; };
  options_.schedule = {cep::kSecond, 2 * cep::kSecond, 3 * cep::kSecond};  // for the engines made from here on
  const std::vector<SinkId> sinks = {kOne, SinkId{2}};
  for (const SinkId id : sinks) {
    add(id);
    if (HasFatalFailure()) return;
  }
  restart(sinks);
  std::map<std::string, std::set<uint64_t>> delivered;  // by url
  const auto rename = [&] {
    for (const SinkId id : sinks) {
      Sink sink = sink_named("s" + std::to_string(int(id)));
      sink.url = "https://example.com/" + std::to_string(int(id));
      ASSERT_TRUE(engine_->update_sink(id, sink).ok());
    }
  };
  rename();
  size_t kills = 0;
  for (int round = 0; round < 3000; ++round) {
    if (round < 2500 && chance(50)) alerts(1 + random() % 20);
    step();
    for (size_t n = sender_.open.size() * (random() % 101) / 100; n > 0; --n) {
      const size_t i = random() % sender_.open.size();
      const bool good = chance(70);
      if (good) delivered[sender_.open[i].request.url].insert(sender_.open[i].sequence());
      sender_.answer(i, FakeSender::status_result(good ? 200 : chance(50) ? 400 : 500));
    }
    now_ += static_cast<cep::TimeUs>(random() % 300) * cep::kMillisecond;
    if (chance(3)) store_.commits_to_fail = 1 + random() % 3;
    if (chance(2)) {
      ++kills;
      store_.commits_to_fail = 0;
      restart(sinks);
      rename();
    }
  }
  store_.commits_to_fail = 0;
  for (int i = 0; i < 2000; ++i) {
    pass(100 * cep::kMillisecond);
    while (!sender_.open.empty()) {
      delivered[sender_.open[0].request.url].insert(sender_.open[0].sequence());
      sender_.answer(0, FakeSender::status_result(200));
    }
  }
  EXPECT_GT(kills, 0u);
  const uint64_t last = *store_.last_sequence();
  for (const SinkId id : sinks) {
    EXPECT_EQ(store_.cursors[id].sequence, last);
    std::set<uint64_t> reached = delivered["https://example.com/" + std::to_string(int(id))];
    for (const auto& [key, attempts] : store_.parked[id]) {
      EXPECT_EQ(key.first, ParkedEntry::kExhausted);
      reached.insert(key.second);
    }
    EXPECT_EQ(reached.size(), last);
    EXPECT_EQ(status(id).pending, 0u);
    EXPECT_EQ(status(id).exhausted, store_.parked[id].size());
  }
}

}  // namespace
}  // namespace service
