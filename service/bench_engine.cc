#include "service/bench_engine.h"

#include <time.h>

#include <algorithm>
#include <chrono>
#include <memory>
#include <thread>

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
std::shared_ptr<const cep::Batch> moved(const cep::Batch& batch, uint32_t first, uint32_t last, cep::DurationUs by_us,
                                        uint64_t positions) {
  cep::BatchBuilder rows(batch.schema, batch.source, batch.received_us);
  for (uint32_t row = first; row < last; ++row) copy_row(batch, row, batch.position[row] + positions, rows);
  std::shared_ptr<cep::Batch> copy = rows.finish();
  for (cep::TimeUs& time : copy->time) time += by_us;
  for (int64_t& time : copy->columns[copy->schema->time_column].fixed) time += by_us;
  return copy;
}

class EngineRun {
 public:
  EngineRun(const cep::RuleSetPtr& rules, const cep::Limits& limits, uint32_t shard = 0, uint32_t shards = 1)
      : engine_(shard, shards, limits) {
    clock_.apply_rules(*rules);
    engine_.expect_no_images();
    engine_.apply_rules(rules);
  }
  // Answers the number of alerts.
  uint64_t feed(const std::shared_ptr<const cep::Batch>& batch) {
    engine_.feed(batch, clock_.admit(*batch), alerts_);
    const uint64_t alerts = alerts_.size();
    alerts_.clear();
    return alerts;
  }
  uint64_t feed(const BenchBatches& batches) {
    uint64_t alerts = 0;
    for (const auto& batch : batches) alerts += feed(batch);
    return alerts;
  }
  // Time passes up to `time`; nothing that it brings about belongs to a pass.
  void advance(cep::TimeUs time) {
    engine_.feed(nullptr, clock_.watermark(time, nullptr), alerts_);
    alerts_.clear();
  }
  const cep::Engine& engine() const { return engine_; }

 private:
  cep::Clock clock_;
  cep::Engine engine_;
  std::vector<cep::Alert> alerts_;
};

// The passes of one engine over a workload, each later than the one before.
class Passes {
 public:
  explicit Passes(const BenchWorkload& workload) : workload_(workload), run_(workload.rules, workload.limits) {}

  void run_one(BenchFigure& figure) {
    BenchBatches filling, timed;
    uint64_t events = 0;
    for (const auto& batch : workload_.batches) {
      (events < workload_.untimed ? filling : timed).push_back(moved(*batch, 0, batch->rows(), shift(), positions()));
      events += batch->rows();
    }
    next_pass();
    figure.alerts = run_.feed(filling);
    const auto began = std::chrono::steady_clock::now();
    const uint64_t before = thread_cpu_ns();
    figure.alerts += run_.feed(timed);
    const uint64_t after = thread_cpu_ns();
    const std::chrono::duration<double, std::nano> wall = std::chrono::steady_clock::now() - began;
    const auto count = static_cast<double>(workload_.events - workload_.untimed);
    if (pass_ == 1) {
      figure.state_bytes = run_.engine().state_bytes();
      figure.alerts_least = figure.alerts;
    } else {
      cpu_.push_back(static_cast<double>(after - before) / count);
      wall_.push_back(wall.count() / count);
    }
    figure.alerts_least = std::min(figure.alerts_least, figure.alerts);
    figure.alerts_most = std::max(figure.alerts_most, figure.alerts);
  }
  // Every event on its own. Batches of one row are many bytes each, so they are made a batch at a time.
  void time_events(std::vector<uint64_t>& times_ns) {
    const cep::DurationUs by_us = shift();
    const uint64_t by_positions = positions();
    next_pass();
    uint64_t events = 0;
    for (const auto& batch : workload_.batches) {
      BenchBatches rows;
      for (uint32_t row = 0; row < batch->rows(); ++row)
        rows.push_back(moved(*batch, row, row + 1, by_us, by_positions));
      for (const auto& row : rows) {
        const auto began = std::chrono::steady_clock::now();
        run_.feed(row);
        const auto took = std::chrono::steady_clock::now() - began;
        if (events++ < workload_.untimed) continue;
        times_ns.push_back(static_cast<uint64_t>(std::chrono::nanoseconds(took).count()));
      }
    }
  }
  uint32_t timed() const { return static_cast<uint32_t>(cpu_.size()); }
  void sum_up(BenchFigure& figure) {
    figure.passes = timed();
    figure.ns_least = *std::min_element(cpu_.begin(), cpu_.end());
    figure.ns_most = *std::max_element(cpu_.begin(), cpu_.end());
    figure.ns_per_event = median(std::move(cpu_));
    figure.wall_ns_per_event = median(std::move(wall_));
  }

 private:
  cep::DurationUs shift() const { return workload_.span_us * static_cast<int64_t>(pass_); }
  uint64_t positions() const { return workload_.events * pass_; }
  void next_pass() {
    run_.advance(workload_.batches.front()->time.front() - 1 + shift());
    ++pass_;
  }

  const BenchWorkload& workload_;
  EngineRun run_;
  uint64_t pass_ = 0;
  std::vector<double> cpu_, wall_;      // ns an event, by pass
};

}  // namespace

BenchFigure measure(const BenchWorkload& workload, double seconds) {
  Passes passes(workload);
  BenchFigure figure;
  passes.run_one(figure);
  const auto began = std::chrono::steady_clock::now();
  while (passes.timed() < kPassesLeast ||
         std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count() < seconds) {
    passes.run_one(figure);
  }
  passes.sum_up(figure);
  return figure;
}

double measure_shards(const BenchWorkload& workload, uint32_t shards, double seconds) {
  std::vector<std::unique_ptr<EngineRun>> runs;
  for (uint32_t shard = 0; shard < shards; ++shard) {
    runs.push_back(std::make_unique<EngineRun>(workload.rules, workload.limits, shard, shards));
  }
  std::vector<double> passes;
  const auto over = std::chrono::steady_clock::now() + std::chrono::duration<double>(seconds);
  for (uint64_t pass = 0; pass <= kPassesLeast || std::chrono::steady_clock::now() < over; ++pass) {
    BenchBatches batches;
    const cep::DurationUs by_us = workload.span_us * static_cast<int64_t>(pass);
    for (const auto& batch : workload.batches) batches.push_back(moved(*batch, 0, batch->rows(), by_us, workload.events * pass));
    const auto began = std::chrono::steady_clock::now();
    {
      std::vector<std::jthread> threads;
      for (const auto& run : runs) threads.emplace_back([&batches, &run] { run->feed(batches); });
    }
    const std::chrono::duration<double, std::nano> wall = std::chrono::steady_clock::now() - began;
    if (pass > 0) passes.push_back(wall.count() / static_cast<double>(workload.events));
  }
  return median(std::move(passes));
}

BenchLatency measure_latency(const BenchWorkload& workload) {
  Passes passes(workload);
  BenchFigure first;
  passes.run_one(first);
  std::vector<uint64_t> times_ns;
  passes.time_events(times_ns);
  std::sort(times_ns.begin(), times_ns.end());
  const auto at = [&](double share) {
    return times_ns[static_cast<size_t>(static_cast<double>(times_ns.size() - 1) * share)];
  };
  return {at(0.5), at(0.99), at(0.999), times_ns.back()};
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
  EngineRun first(one->rules, {}), second(many->rules, {});
  first.feed(one->batches);
  second.feed(many->batches);
  BenchMemory memory;
  const auto bytes = static_cast<double>(first.engine().state_bytes());
  memory.bytes_per_key = bytes / kCards;
  memory.bytes_per_run = (static_cast<double>(second.engine().state_bytes()) - bytes) / (double{kCards} * kMoreRuns);
  return memory;
}

}  // namespace service
