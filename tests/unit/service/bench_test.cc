// The workloads of `weir bench` are what they say: their rules compile, find something, and read as many events as they claim.
#include <gtest/gtest.h>

#include <filesystem>

#include "service/bench_engine.h"
#include "service/bench_state.h"
#include "tests/support/scratch_dir.h"

namespace service {
namespace {

void expect_sound(const cep::Result<BenchWorkload>& workload, size_t rules, bool finds) {
  ASSERT_TRUE(workload.ok()) << workload.error().message;
  EXPECT_EQ(workload->rules->rules().size(), rules);
  uint64_t events = 0;
  cep::TimeUs last = cep::kTimeMin;
  for (const auto& batch : workload->batches) {
    events += batch->rows();
    for (const cep::TimeUs time : batch->time) {
      ASSERT_GE(time, last);
      last = time;
    }
  }
  EXPECT_EQ(events, workload->events);
  EXPECT_LT(last - workload->batches.front()->time.front(), workload->span_us);
  const BenchFigure figure = measure(*workload, 0);
  EXPECT_GE(figure.passes, 5u);
  EXPECT_GT(figure.ns_per_event, 0);
  EXPECT_EQ(figure.alerts > 0, finds) << figure.alerts;
}

TEST(Bench, SequenceWithoutKey) { expect_sound(bench_sequence(), 1, true); }
TEST(Bench, SequencePerCard) { expect_sound(bench_keyed(1'000), 1, true); }
TEST(Bench, Velocity) { expect_sound(bench_velocity(1'000), 1, true); }
TEST(Bench, TwentyRules) { expect_sound(bench_twenty_rules(), 20, true); }

TEST(Bench, MemoryOfKeysAndRuns) {
  const cep::Result<BenchMemory> memory = measure_memory();
  ASSERT_TRUE(memory.ok()) << memory.error().message;
  EXPECT_GT(memory->bytes_per_key, 100);
  EXPECT_GT(memory->bytes_per_run, 32);
}

TEST(Bench, StateOfManyKeys) {
  const support::ScratchDir scratch;
  const cep::Result<StateFigure> figure = measure_state(scratch / "state", 5'000, 2);
  ASSERT_TRUE(figure.ok()) << figure.error().message;
  EXPECT_GT(figure->bytes_per_key, 100);
  EXPECT_GT(figure->bytes_per_run, 32);
  EXPECT_GT(figure->disk_per_key, 100);
  EXPECT_EQ(figure->checkpoints, 20u);
  EXPECT_GT(figure->checkpoint_ms, 0);
  EXPECT_GT(figure->busy.max_us, 0);
  EXPECT_GT(figure->busy.work_max_us, 0);
  EXPECT_GT(figure->busy.gauge_max_us, 0);
  EXPECT_GT(figure->restart_s, 0);
  EXPECT_GT(figure->restart_cpu_s, 0);
  EXPECT_FALSE(std::filesystem::exists(scratch / "state"));
}

}  // namespace
}  // namespace service
