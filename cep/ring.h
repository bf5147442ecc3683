// A ring: the recent events of one input for one key, as a cell of the key's block, and the windows that look at it.
// Appending touches the newest entry, expiring the oldest; count, sum, avg, stddev and count distinct are kept as running values,
// so a window costs the same however long it is. min and max of numbers ask one of 64 entries, of texts all. Sums are exact: int and
// decimal in 128 bits, floats as whole multiples of 1e-9 (R47), so a value depends only on the window's set. Texts, addresses and rows are
// kept as they are.
// One thread. Complexity: append and expire amortised O(1) per window; min, max O(entries of the window); first, last O(log of them).
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "cep/block.h"
#include "cep/limits.h"

namespace cep {

// What an event adds to a ring. `number` holds an int-like value, a float in units of 1e-9, or nothing; the hash is of 128 bits; `bytes` is
// a text, an address or a packed row, whose owner is the event or (read from a ring) the block.
struct RingEntryValue {
  bool is_null = true;
  Int128 number = 0;
  uint64_t hash_low = 0, hash_high = 0;
  std::string_view bytes;
};

inline constexpr int64_t kNullNumber = INT64_MIN;     // what a ring of numbers keeps of a null

// Turns the argument of an aggregate into an entry's value; a number that a ring cannot hold is null and counted.
RingEntryValue ring_value(const Ring& ring, const Value& argument, EvalCounters& counters);
// And back, for first, last, min, max and what a reader sees; null of what is only a hash.
Value value_of_entry(const Ring& ring, const RingEntryValue& value);
// -1, 0, 1: numbers or bytes, neither null.
int compare_entries(RingValue kind, const RingEntryValue& a, const RingEntryValue& b);

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

// How much of a ring one key may keep; the oldest entries go first and are counted.
struct RingLimits {
  uint32_t entries_max = 0;
  uint32_t bytes_max = 0;      // of texts or rows
};

class RingEditor {
 public:
  // Opens (or makes) the ring's cell in the block under edit.
  RingEditor(BlockEditor& block, const RingShape& shape) : block_(block), shape_(shape) {}

  // Adds an entry at `time` (not earlier than the newest) and expires what has left each window. Counts the entries that the limits
  // dropped out of windows to make room, and returns the time of the newest of them; kTimeMin: none.
  TimeUs append(TimeUs time, const RingEntryValue& value, const RingLimits& limits, uint64_t* dropped);
  // The same for a ring of times or numbers, without an editor. False: nothing was added, for the cell must be laid out anew or a limit is
  // in the way; what has left may be expired all the same. A ring of times takes no notice of the number.
  static bool append_in_place(Cell* cell, const RingShape& shape, TimeUs time, int64_t number, uint32_t entries_max);
  // Whether append_in_place would add.
  static bool has_room(Cell* cell, const RingShape& shape, TimeUs time, uint32_t entries_max);
  // Asks for the memory that append_in_place will touch behind the head of the cell.
  static void prefetch_ends(Cell* cell, const RingShape& shape);
  // The same for RingView::newest_time.
  static void prefetch_newest(Cell* cell, const RingShape& shape);
  // Expires what has left each window at `time`, when so many more entries come; true if entries are left.
  static bool advance(Cell* cell, const RingShape& shape, TimeUs time, uint32_t incoming = 0);

 private:
  BlockEditor& block_;
  const RingShape& shape_;
};

// Checks a cell of untrusted bytes before it is used as a ring of that shape: sizes, windows, the table of distinct values, the
// bytes of texts and of rows of that stream. O(1), O(entries) with a table or bytes.
bool is_sound_ring(Cell& cell, const RingShape& shape, const StreamSchema* rows);

// Reading a ring as of `time`, without changing it: entries that have left a window are not counted.
class RingView {
 public:
  RingView(Cell* cell, const RingShape& shape) : cell_(cell), shape_(shape) {}

  // Totals of the window at `time`, without the newest entry if `exclude_newest`.
  WindowTotals totals(const WindowExtent& extent, TimeUs time, bool exclude_newest) const;
  // Whether the gate lets an event pass, its own entry included if it is there.
  bool opens(const WindowGate& gate, TimeUs time) const;
  // Least or greatest non-null value in the window; false if there is none.
  bool extreme(const WindowExtent& extent, TimeUs time, bool exclude_newest, bool greatest, RingEntryValue* value) const;
  // The entry `offset` behind the oldest or before the newest of the window; false if there is none.
  bool entry(const WindowExtent& extent, TimeUs time, bool exclude_newest, bool from_first, uint32_t offset, RingEntryValue* value) const;
  // The newest entries of the window, at most `max`, oldest first: entry_at of the numbers from `first` on, before `next` (they wrap).
  struct Stretch {
    uint32_t first = 0, next = 0;
    uint32_t count() const { return next - first; }
  };
  struct Entry {
    TimeUs time;
    RingEntryValue value;
  };
  Stretch newest(const WindowExtent& extent, TimeUs time, bool exclude_newest, uint32_t max) const;
  Entry entry_at(uint32_t number) const;
  TimeUs newest_time() const;         // kTimeMin when empty
  uint32_t entries() const;           // held, those that have left the windows since the last append included

 private:
  Cell* cell_;
  const RingShape& shape_;
};

// The SQL value of an aggregate from a window's totals, as `type`; min, max, first and last are the caller's. Null and counted
// beyond the type.
Value aggregate_value(AggregateKind kind, const Ring& ring, const Type& type, const WindowTotals& totals, EvalCounters& counters);

}  // namespace cep
