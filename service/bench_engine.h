// Measures the engine alone: batches in memory through clock and engine on one thread, in nanoseconds of that thread's
// CPU time an event. Invariant: the first pass is never counted, every pass sees fresh event times, and what is
// measured ends in alerts that were built. Threads: the caller's.
#pragma once

#include <cstdint>

#include "service/bench_data.h"

namespace service {

struct BenchFigure {
  double ns_per_event = 0;  // median of the passes
  double ns_least = 0, ns_most = 0;
  double wall_ns_per_event = 0;
  uint32_t passes = 0;
  uint64_t alerts = 0;                         // of the last pass
  uint64_t alerts_least = 0, alerts_most = 0;  // of any pass, the first included
  uint64_t state_bytes = 0;                    // at the end of the first pass
};
// Runs passes until `seconds` of wall time are over, five at least. Before each, time moves on to its first event.
BenchFigure measure(const BenchWorkload& workload, double seconds);

// Wall time an event, in ns, when so many shards in threads of their own see all events and take those of their keys: the median of the
// passes.
double measure_shards(const BenchWorkload& workload, uint32_t shards, double seconds);

// Wall time of the engine for one event in a batch of its own, in a pass that follows another.
struct BenchLatency {
  uint64_t p50_ns = 0, p99_ns = 0, p999_ns = 0, max_ns = 0;
};
BenchLatency measure_latency(const BenchWorkload& workload);

// A fixed loop over keys in an array, written by hand: how noisy the machine is, and how fast. ns an event, median of
// five.
double noise_gauge_ns();

struct BenchMemory {
  double bytes_per_key = 0;  // of a key with one live run, its slot included
  double bytes_per_run = 0;  // of each further run, its bound event included
};
cep::Result<BenchMemory> measure_memory();

}  // namespace service
