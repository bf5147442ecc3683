// Keys of which nothing matters any more give their memory back: while others are busy, and when nothing comes.
#include <gtest/gtest.h>

#include "cep/clock.h"
#include "cep/engine.h"
#include "service/bench_data.h"

namespace service {
namespace {

// A hundred thousand cards with an event every hundred seconds each, and windows of a minute.
TEST(IdleKeys, AreFreedByTouchesAndByTime) {
  const cep::Result<BenchWorkload> workload = bench_velocity(100'000);
  ASSERT_TRUE(workload.ok());
  cep::Clock clock;
  cep::Engine engine(0, 1, workload->limits);
  clock.apply_rules(*workload->rules);
  engine.apply_rules(workload->rules);
  std::vector<cep::Alert> alerts;
  for (const auto& batch : workload->batches) engine.feed(batch, clock.admit(*batch), alerts);
  EXPECT_GT(engine.keys(), 40'000u) << "cards of the last minute";
  EXPECT_LT(engine.keys(), 65'000u) << "of about 90,000 seen";
  const uint64_t bytes = engine.state_bytes();
  cep::TimeUs time = workload->batches.back()->time.back();
  for (int step = 0; step < 30; ++step) {
    time += 6 * cep::kSecond;
    engine.feed(nullptr, clock.watermark(time, nullptr), alerts);
  }
  EXPECT_EQ(engine.keys(), 0u);
  EXPECT_LT(engine.state_bytes(), bytes / 2) << "but for the table";
}

}  // namespace
}  // namespace service
