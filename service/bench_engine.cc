#include "service/bench_engine.h"

#include <time.h>

#include <algorithm>
#include <chrono>

#include "cep/clock.h"
#include "cep/engine.h"

#include "service/source_files.h"

namespace service {
namespace {

constexpr uint32_t kPassesLeast = 5;

uint64_t thread_cpu_ns() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<uint64_t>(now.tv_sec) * 1'000'000'000 + static_cast<uint64_t>(now.tv_nsec);
}

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

// The same events, later: outside what is measured.
BenchBatches moved(const BenchWorkload& workload, cep::DurationUs by_us, uint64_t positions) {
  BenchBatches batches;
  for (const auto& batch : workload.batches) {
    cep::BatchBuilder rows(batch->schema, batch->source, batch->received_us);
    for (uint32_t row = 0; row < batch->rows(); ++row) copy_row(*batch, row, batch->position[row] + positions, rows);
    std::shared_ptr<cep::Batch> copy = rows.finish();
    for (cep::TimeUs& time : copy->time) time += by_us;
    for (int64_t& time : copy->columns[copy->schema->time_column].fixed) time += by_us;
    batches.push_back(std::move(copy));
  }
  return batches;
}

class EngineRun {
 public:
  explicit EngineRun(const cep::RuleSetPtr& rules) : engine_(0, 1, {}) {
    clock_.apply_rules(*rules);
    engine_.apply_rules(rules);
  }
  // Answers the number of alerts.
  uint64_t feed(const BenchBatches& batches) {
    uint64_t alerts = 0;
    for (const auto& batch : batches) {
      engine_.feed(batch, clock_.admit(*batch), alerts_);
      alerts += alerts_.size();
      alerts_.clear();
    }
    return alerts;
  }
  const cep::Engine& engine() const { return engine_; }

 private:
  cep::Clock clock_;
  cep::Engine engine_;
  std::vector<cep::Alert> alerts_;
};

}  // namespace

BenchFigure measure(const BenchWorkload& workload, double seconds) {
  EngineRun run(workload.rules);
  BenchFigure figure;
  run.feed(workload.batches);
  std::vector<double> passes;
  const auto began = std::chrono::steady_clock::now();
  while (passes.size() < kPassesLeast ||
         std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count() < seconds) {
    const uint64_t pass = passes.size() + 1;
    const BenchBatches batches = moved(workload, workload.span_us * static_cast<int64_t>(pass), workload.events * pass);
    const uint64_t before = thread_cpu_ns();
    figure.alerts = run.feed(batches);
    passes.push_back(static_cast<double>(thread_cpu_ns() - before) / static_cast<double>(workload.events));
  }
  figure.passes = static_cast<uint32_t>(passes.size());
  figure.ns_least = *std::min_element(passes.begin(), passes.end());
  figure.ns_most = *std::max_element(passes.begin(), passes.end());
  figure.ns_per_event = median(std::move(passes));
  return figure;
}

double noise_gauge_ns() {
  struct State {
    uint32_t step = 0;
    uint32_t count = 0;
    uint64_t sum = 0;
  };
  constexpr uint64_t kEvents = 4'000'000;
  std::vector<State> states(1 << 14);
  std::vector<double> passes;
  uint64_t found = 0;
  for (uint32_t pass = 0; pass < kPassesLeast; ++pass) {
    const uint64_t before = thread_cpu_ns();
    uint64_t random = pass + 1;
    for (uint64_t i = 0; i < kEvents; ++i) {
      random = random * 6'364'136'223'846'793'005ull + 1'442'695'040'888'963'407ull;
      State& state = states[random >> 50];
      const uint64_t amount = (random >> 20) & 1'023;
      state.sum += amount;
      ++state.count;
      if (state.step < 2 ? amount < 24 : amount > 1'000) state.step = (state.step + 1) % 3, found += state.step == 0;
    }
    passes.push_back(static_cast<double>(thread_cpu_ns() - before) / static_cast<double>(kEvents));
  }
  // What was found is used, or the compiler might leave the loop out.
  return found == 0 ? 0 : median(std::move(passes));
}

cep::Result<BenchMemory> measure_memory() {
  constexpr uint32_t kCards = 100'000;
  constexpr uint32_t kMoreRuns = 9;
  const cep::Result<BenchWorkload> one = bench_runs(kCards, 0);
  const cep::Result<BenchWorkload> many = bench_runs(kCards, kMoreRuns);
  if (!one) return one.error();
  if (!many) return many.error();
  EngineRun first(one->rules), second(many->rules);
  first.feed(one->batches);
  second.feed(many->batches);
  BenchMemory memory;
  const auto bytes = static_cast<double>(first.engine().state_bytes());
  memory.bytes_per_key = bytes / kCards;
  memory.bytes_per_run = (static_cast<double>(second.engine().state_bytes()) - bytes) / (double{kCards} * kMoreRuns);
  return memory;
}

}  // namespace service
