// Every limit of the engine: a number with a unit, its policy, listed at /v1/limits. One struct, set once at start.
#pragma once

#include <cstdint>

#include "cep/types.h"

namespace cep {

// Counts of matches and of partial matches may be more than a number can say: UINT64_MAX is as many or more.
inline uint64_t add_capped(uint64_t a, uint64_t b) {
  uint64_t sum = 0;
  return __builtin_add_overflow(a, b, &sum) ? UINT64_MAX : sum;
}

struct Limits {
  uint32_t runs_per_key_max = 1'000;             // per rule and key, but of merged runs; policy: a new run is refused, `truncated: runs`
  uint32_t matches_per_event_max = 1'000;        // per rule, key and event; the rest is dropped in R31 order, `truncated: matches`
  uint32_t window_entries_max = 100'000;         // per ring and key; the oldest entries go, `truncated: window`
  uint32_t scan_entries_max = 10'000;            // the same for a window that is read entry by entry (`this` or bound events inside)
  uint32_t window_bytes_max = 4u << 20;          // of the texts or rows of a ring and key; the oldest entries go, `truncated: window`
  uint32_t block_bytes_max = 16u << 20;          // of what runs of a key have bound, and again of what merged ones have; then as above
  uint32_t alert_events_max = 100;               // bound events listed in an alert; the first half and the last half stay
  uint32_t evidence_rows_max = 20;               // entries listed per window of a when rule
  uint32_t evidence_windows_max = 4;             // windows listed in an alert of a when rule
  uint32_t reorder_rows_max = 2'000'000;         // per timeline, counted where order is made (cep/clock); the frontier is forced forward
  uint32_t derived_rows_max = 100'000;           // events of streams `from rules` that wait in a timeline; the newest is dropped, counted
  uint32_t peek_rows_max = 10'000;               // waiting rows that a decision takes into account; beyond it there is no verdict
  DurationUs run_age_max_us = 30 * kDay;         // of event time, for rules without `within`; the run ends, counted
  // Of event time, for windows without a span (`over (all)`, `last n rows`): a key that was silent for so long is forgotten, counted.
  // Fixed, because what a rule reads back and every replica must agree about it.
  static constexpr DurationUs key_idle_max_us = 400 * kDay;
};

// What the engine counts; each shard has its own, summed by the metrics.
struct EngineCounters {
  uint64_t events = 0;              // released rows that may concern a key of this shard, by timeline
  uint64_t matches = 0;
  uint64_t alerts = 0;
  uint64_t suppressed = 0;
  uint64_t null_key = 0;            // R69
  uint64_t runs_refused = 0;        // runs_per_key_max or block_bytes_max
  uint64_t runs_aged = 0;           // run_age_max_us
  uint64_t matches_dropped = 0;     // matches_per_event_max
  uint64_t window_dropped = 0;      // window_entries_max, scan_entries_max, window_bytes_max
  uint64_t keys_forgotten = 0;      // key_idle_max_us
  uint64_t derived = 0;             // alerts that became events of a stream
  uint64_t derived_late = 0;        // such events earlier than what their timeline has released (a rule change set a feeder back)
  uint64_t derived_dropped = 0;     // derived_rows_max
  uint64_t skip_target_unbound = 0; // R30
  uint64_t peeks_refused = 0;       // peek_rows_max
};

}  // namespace cep
