// A ring: the recent events of one input for one key, as a cell of the key's block, and the windows that look at it.
// Appending touches the newest entry, expiring the oldest; count, sum, avg, stddev and count distinct are kept as running values,
// so a window costs the same however long it is. min and max scan the window. Sums are exact: int and decimal in 128 bits, floats as
// whole multiples of 1e-9 (R47), so a value depends only on the window's set.
// One thread. Complexity: append and expire amortised O(1) per window; min, max O(entries of the window).
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "cep/block.h"
#include "cep/limits.h"

namespace cep {

// What an event adds to a ring. `number` holds an int-like value, a float in units of 1e-9, or nothing; `text` a 128-bit hash.
struct RingEntryValue {
  bool is_null = true;
  Int128 number = 0;
  uint64_t hash_low = 0, hash_high = 0;
};

// Turns the argument of an aggregate into an entry's value; a number that a ring cannot hold is null and counted.
RingEntryValue ring_value(const Ring& ring, const Value& argument, EvalCounters& counters);

// A float's rank: an int that orders as the floats do and gives the very same float back. -0.0 ranks as 0.0.
int64_t float_rank(double real);
double float_of_rank(int64_t rank);

// Running values of one window.
struct WindowTotals {
  uint64_t count = 0;        // entries
  uint64_t non_null = 0;
  Int128 sum = 0;
  Int128 sum_squares = 0;
  bool squares_lost = false; // beyond 128 bits: no stddev
  uint64_t distinct = 0;
};

class RingEditor {
 public:
  // Opens (or makes) the ring's cell in the block under edit.
  RingEditor(BlockEditor& block, const RingShape& shape) : block_(block), shape_(shape) {}

  // Adds an entry at `time` (not earlier than the newest) and expires what has left each window. Returns the time of the entry that the
  // limit dropped out of a window to make room; kTimeMin: none.
  TimeUs append(TimeUs time, const RingEntryValue& value, uint32_t entries_max);
  // Expires what has left each window at `time`; true if entries are left.
  static bool advance(Cell* cell, const RingShape& shape, TimeUs time);

 private:
  BlockEditor& block_;
  const RingShape& shape_;
};

// Reading a ring as of `time`, without changing it: entries that have left a window are not counted.
class RingView {
 public:
  RingView(Cell* cell, const RingShape& shape) : cell_(cell), shape_(shape) {}

  // Totals of (time - span, time], without the newest entry if `exclude_newest`.
  WindowTotals totals(DurationUs span_us, TimeUs time, bool exclude_newest) const;
  // Least or greatest non-null number in the window; false if there is none.
  bool extreme(DurationUs span_us, TimeUs time, bool exclude_newest, bool greatest, Int128* number) const;
  // The newest entries of the window, at most `max`, oldest first: time and value (number only).
  struct Entry {
    TimeUs time;
    bool has_number;
    Int128 number;
  };
  std::vector<Entry> newest(DurationUs span_us, TimeUs time, uint32_t max) const;
  TimeUs newest_time() const;         // kTimeMin when empty
  uint32_t entries() const;           // held, those that have left the windows since the last append included

 private:
  Cell* cell_;
  const RingShape& shape_;
};

// The SQL value of an aggregate from a window's totals, as `type`; min and max are the caller's. Null and counted beyond the type.
Value aggregate_value(AggregateKind kind, const Ring& ring, const Type& type, const WindowTotals& totals, EvalCounters& counters);

}  // namespace cep
