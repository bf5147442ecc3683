// See ring.h. Layout of a ring's payload: RingHeader, one WindowState per span, then `capacity` entries used circularly,
// then (distinct only) a table of 2 * capacity entry numbers + 1, open addressing by hash, that finds the newest entry of a value.
// Distinct: an entry is "newest of its value" until an equal one follows. A window's distinct count is its number of such entries.
#include "cep/ring.h"

#include <algorithm>
#include <bit>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "cep/aggregate.h"

namespace cep {
namespace {

// Entries are known by a sequence number that only rises (and wraps); their slot is its low bits.
struct RingHeader {
  uint32_t capacity = 0;      // entries, a power of two
  uint32_t first = 0;         // sequence of the oldest entry
  uint32_t next = 0;          // sequence of the entry to come
  uint16_t windows = 0;
  uint16_t unused = 0;
  uint32_t count() const { return next - first; }
};
static_assert(sizeof(RingHeader) == 16);
// Packed to 8 bytes because a block aligns to no more than that.
struct [[gnu::packed, gnu::aligned(8)]] WindowState {
  DurationUs span_us = 0;
  uint32_t tail = 0;          // sequence of the oldest entry inside
  uint32_t non_null = 0;
  uint32_t distinct = 0;
  uint32_t saturated = 0;     // sum of squares overflowed once: no stddev until the window is empty
  Int128 sum = 0;
  Int128 sum_squares = 0;
};
static_assert(sizeof(WindowState) == 56);

constexpr int64_t kNullNumber = INT64_MIN;
constexpr uint64_t kSuperseded = 1;        // low bit of hash_high: an equal value followed

uint32_t entry_bytes(RingValue value) {
  switch (value) {
    case RingValue::kNone: return 8;
    case RingValue::kNumber: return 16;
    case RingValue::kFloat: return 24;
    case RingValue::kText: return 24;
  }
  return 8;
}

// Pointers into a ring's payload; made anew after anything that moves the block.
struct Parts {
  RingHeader* header;
  WindowState* windows;
  uint8_t* entries;
  uint32_t* table;
  uint32_t bytes;             // of an entry
  uint32_t mask;

  Parts(uint8_t* payload, const RingShape& shape) {
    header = reinterpret_cast<RingHeader*>(payload);
    windows = reinterpret_cast<WindowState*>(payload + sizeof(RingHeader));
    entries = payload + sizeof(RingHeader) + header->windows * sizeof(WindowState);
    bytes = entry_bytes(shape.value);
    mask = header->capacity - 1;
    table = reinterpret_cast<uint32_t*>(entries + size_t{header->capacity} * bytes);
  }
  uint32_t slot(uint32_t sequence) const { return sequence & mask; }
  uint8_t* entry(uint32_t slot_number) const { return entries + size_t{slot_number} * bytes; }
  TimeUs time(uint32_t sequence) const {
    TimeUs t;
    std::memcpy(&t, entry(slot(sequence)), sizeof t);
    return t;
  }
};

uint32_t payload_bytes(const RingShape& shape, uint32_t capacity) {
  uint32_t table = shape.keeps_distinct ? capacity * 2 * static_cast<uint32_t>(sizeof(uint32_t)) : 0;
  return static_cast<uint32_t>(sizeof(RingHeader) + shape.spans.size() * sizeof(WindowState)) + capacity * entry_bytes(shape.value) +
         table;
}

RingEntryValue read_entry(const Parts& parts, RingValue kind, uint32_t slot) {
  RingEntryValue value;
  const uint8_t* at = parts.entry(slot) + 8;
  if (kind == RingValue::kNone) {
    value.is_null = false;
  } else if (kind == RingValue::kNumber) {
    int64_t number;
    std::memcpy(&number, at, 8);
    value.is_null = number == kNullNumber;
    value.number = number;
  } else if (kind == RingValue::kFloat) {
    std::memcpy(&value.number, at, 16);
    value.is_null = value.number == static_cast<Int128>(kNullNumber) << 64;
  } else {
    std::memcpy(&value.hash_low, at, 8);
    std::memcpy(&value.hash_high, at + 8, 8);
    value.is_null = value.hash_low == 0;
  }
  return value;
}

void write_entry(const Parts& parts, RingValue kind, uint32_t slot, TimeUs time, const RingEntryValue& value) {
  uint8_t* at = parts.entry(slot);
  std::memcpy(at, &time, 8);
  at += 8;
  if (kind == RingValue::kNumber) {
    int64_t number = value.is_null ? kNullNumber : static_cast<int64_t>(value.number);
    std::memcpy(at, &number, 8);
  } else if (kind == RingValue::kFloat) {
    Int128 number = value.is_null ? static_cast<Int128>(kNullNumber) << 64 : value.number;
    std::memcpy(at, &number, 16);
  } else if (kind == RingValue::kText) {
    uint64_t low = value.is_null ? 0 : value.hash_low;
    std::memcpy(at, &low, 8);
    std::memcpy(at + 8, &value.hash_high, 8);
  }
}

// ---- distinct: the newest entry of each value
uint32_t table_mask(const Parts& parts) { return parts.header->capacity * 2 - 1; }

// Table position of the value's newest entry, or of the empty place where it belongs.
uint32_t find_value(const Parts& parts, const RingEntryValue& value) {
  uint32_t at = static_cast<uint32_t>(value.hash_low) & table_mask(parts);
  for (; parts.table[at] != 0; at = (at + 1) & table_mask(parts)) {
    RingEntryValue other = read_entry(parts, RingValue::kText, parts.table[at] - 1);
    if (other.hash_low == value.hash_low && (other.hash_high | kSuperseded) == (value.hash_high | kSuperseded)) break;
  }
  return at;
}

void erase_value(const Parts& parts, uint32_t at) {
  uint32_t mask = table_mask(parts);
  for (uint32_t next = at;;) {
    parts.table[at] = 0;
    for (;;) {
      next = (next + 1) & mask;
      if (parts.table[next] == 0) return;
      uint32_t home = static_cast<uint32_t>(read_entry(parts, RingValue::kText, parts.table[next] - 1).hash_low) & mask;
      bool stays = at <= next ? (at < home && home <= next) : (at < home || home <= next);
      if (!stays) break;
    }
    parts.table[at] = parts.table[next];
    at = next;
  }
}

// Marks the previous entry of the value as superseded and remembers the new one. False: the value is in no other entry; else
// `*previous` is that entry's sequence.
bool supersede(const Parts& parts, const RingEntryValue& value, uint32_t new_slot, uint32_t* previous) {
  uint32_t at = find_value(parts, value);
  bool found = parts.table[at] != 0;
  if (found) {
    uint32_t slot = parts.table[at] - 1;
    *previous = parts.header->first + ((slot - parts.header->first) & parts.mask);
    uint64_t high;
    std::memcpy(&high, parts.entry(slot) + 16, 8);
    high |= kSuperseded;
    std::memcpy(parts.entry(slot) + 16, &high, 8);
  }
  parts.table[at] = new_slot + 1;
  return found;
}

bool square(Int128 number, Int128* out) { return !__builtin_mul_overflow(number, number, out); }

void add_to(WindowState& window, const RingEntryValue& value, int sign) {
  if (value.is_null) return;
  window.non_null += static_cast<uint32_t>(sign);
  window.sum += sign * value.number;
  Int128 squared;
  Int128 total;
  if (!square(value.number, &squared) || __builtin_add_overflow(window.sum_squares, sign * squared, &total)) {
    window.saturated = 1;
  } else {
    window.sum_squares = total;
  }
}

// Moves the window's tail past what is outside at `time`.
void expire(const Parts& parts, const RingShape& shape, WindowState& window, TimeUs time) {
  const TimeUs oldest = time - window.span_us;
  uint32_t tail = window.tail;
  for (; tail != parts.header->next && parts.time(tail) <= oldest; ++tail) {
    if (shape.value == RingValue::kNone) continue;
    RingEntryValue value = read_entry(parts, shape.value, parts.slot(tail));
    if (shape.keeps_distinct && !value.is_null && (value.hash_high & kSuperseded) == 0) --window.distinct;
    add_to(window, value, -1);
  }
  window.tail = tail;
  if (tail == parts.header->next) {
    window.sum_squares = 0;
    window.saturated = 0;
  }
}

// Gives up the entries before `first`, which no window holds any more.
void drop_oldest(const Parts& parts, const RingShape& shape, uint32_t first) {
  for (uint32_t i = parts.header->first; i != first && shape.keeps_distinct; ++i) {
    uint32_t slot = parts.slot(i);
    RingEntryValue value = read_entry(parts, shape.value, slot);
    if (value.is_null || (value.hash_high & kSuperseded) != 0) continue;
    uint32_t at = find_value(parts, value);
    if (parts.table[at] == slot + 1) erase_value(parts, at);
  }
  parts.header->first = first;
}

struct SavedEntry {
  TimeUs time;
  RingEntryValue value;
};

std::vector<SavedEntry> saved_entries(const Parts& parts, const RingShape& shape) {
  std::vector<SavedEntry> saved;
  for (uint32_t i = parts.header->first; i != parts.header->next; ++i) {
    SavedEntry entry{parts.time(i), read_entry(parts, shape.value, parts.slot(i))};
    entry.value.hash_high &= ~kSuperseded;
    saved.push_back(entry);
  }
  return saved;
}

void append_entry(const Parts& parts, const RingShape& shape, TimeUs time, const RingEntryValue& value) {
  uint32_t slot = parts.slot(parts.header->next);
  write_entry(parts, shape.value, slot, time, value);
  bool counts_distinct = shape.keeps_distinct && !value.is_null;
  uint32_t previous = 0;
  bool repeated = counts_distinct && supersede(parts, value, slot, &previous);
  const uint32_t first = parts.header->first;
  ++parts.header->next;
  for (uint32_t i = 0; i < parts.header->windows && shape.value != RingValue::kNone; ++i) {
    WindowState& window = parts.windows[i];
    add_to(window, value, 1);
    bool inside = repeated && previous - first >= window.tail - first;
    if (counts_distinct && !inside) ++window.distinct;
  }
}

// Lays the ring out anew: another capacity, or other windows than the cell was made with.
Cell* rebuild(BlockEditor& block, Cell* cell, const RingShape& shape, uint32_t capacity) {
  std::vector<SavedEntry> saved;
  if (cell->size > sizeof(Cell)) {
    Parts old(cell->payload(), shape);
    if (old.header->capacity != 0) saved = saved_entries(old, shape);
  }
  cell = block.resize_cell(cell, payload_bytes(shape, capacity));
  std::memset(cell->payload(), 0, cell->size - sizeof(Cell));
  RingHeader header;
  header.capacity = capacity;
  header.windows = static_cast<uint16_t>(shape.spans.size());
  std::memcpy(cell->payload(), &header, sizeof header);
  Parts parts(cell->payload(), shape);
  for (uint32_t i = 0; i < header.windows; ++i) {
    parts.windows[i] = WindowState();
    parts.windows[i].span_us = shape.spans[i];
  }
  for (const SavedEntry& entry : saved) append_entry(parts, shape, entry.time, entry.value);
  return cell;
}

bool has_windows(const Parts& parts, const RingShape& shape) {
  if (parts.header->windows != shape.spans.size()) return false;
  for (uint32_t i = 0; i < parts.header->windows; ++i) {
    if (parts.windows[i].span_us != shape.spans[i]) return false;
  }
  return true;
}

// What the window would be without its newest entry; it has at least that one.
void leave_out_newest(const Parts& parts, const RingShape& shape, WindowState& window) {
  if (shape.value == RingValue::kNone) return;
  RingEntryValue newest = read_entry(parts, shape.value, parts.slot(parts.header->next - 1));
  add_to(window, newest, -1);
  if (!shape.keeps_distinct || newest.is_null) return;
  for (uint32_t i = window.tail; i != parts.header->next - 1; ++i) {
    RingEntryValue other = read_entry(parts, shape.value, parts.slot(i));
    bool is_same = !other.is_null && other.hash_low == newest.hash_low &&
                   (other.hash_high | kSuperseded) == (newest.hash_high | kSuperseded);
    if (is_same) return;
  }
  --window.distinct;
}

}  // namespace

// The bits of a float order as ints do, but for the negative ones, which go the other way.
int64_t float_rank(double real) {
  int64_t bits = std::bit_cast<int64_t>(real == 0 ? 0.0 : real);
  return bits < 0 ? bits ^ INT64_MAX : bits;
}

double float_of_rank(int64_t rank) { return std::bit_cast<double>(rank < 0 ? rank ^ INT64_MAX : rank); }

RingEntryValue ring_value(const Ring& ring, const Value& argument, EvalCounters& counters) {
  RingEntryValue value;
  if (ring.argument == kNoExpr) {
    value.is_null = false;
    return value;
  }
  if (argument.is_null()) return value;
  value.is_null = false;
  switch (ring.value) {
    case RingValue::kNone: break;
    case RingValue::kNumber:
      value.number = argument.kind == ValueKind::kFloat ? float_rank(argument.real) : argument.number;
      value.is_null = value.number > INT64_MAX || value.number <= INT64_MIN;
      if (value.is_null) ++counters.arithmetic_null;
      break;
    case RingValue::kFloat: {
      std::optional<Int128> billionths = to_billionths(argument.real);
      value.is_null = !billionths.has_value();
      if (value.is_null) ++counters.arithmetic_null;
      value.number = billionths.value_or(0);
      break;
    }
    case RingValue::kText: {
      XXH128_hash_t hash;
      if (argument.kind == ValueKind::kText) {
        hash = XXH3_128bits(argument.text_data, argument.text_size);
      } else if (argument.kind == ValueKind::kIp) {
        hash = XXH3_128bits(argument.ip.data(), argument.ip.size());
      } else if (argument.kind == ValueKind::kFloat) {
        int64_t rank = float_rank(argument.real);
        hash = XXH3_128bits(&rank, sizeof rank);
      } else {
        hash = XXH3_128bits(&argument.number, sizeof argument.number);
      }
      value.hash_low = hash.low64 == 0 ? 1 : hash.low64;
      value.hash_high = hash.high64 & ~kSuperseded;
      break;
    }
  }
  return value;
}

TimeUs RingEditor::append(TimeUs time, const RingEntryValue& value, uint32_t entries_max) {
  Cell* cell = block_.view().find_cell(CellKind::kRing, shape_.id);
  if (cell == nullptr) {
    cell = rebuild(block_, block_.add_cell(CellKind::kRing, shape_.id, 0), shape_, 4);
  } else if (!has_windows(Parts(cell->payload(), shape_), shape_)) {
    cell = rebuild(block_, cell, shape_, Parts(cell->payload(), shape_).header->capacity);
  }
  advance(cell, shape_, time);
  Parts parts(cell->payload(), shape_);
  TimeUs dropped = kTimeMin;
  if (parts.header->count() >= entries_max) {
    const uint32_t oldest = parts.header->first;
    RingEntryValue value_out = read_entry(parts, shape_.value, parts.slot(oldest));
    for (uint32_t i = 0; i < parts.header->windows; ++i) {   // out of every window that holds it, then dropped
      WindowState& window = parts.windows[i];
      if (window.tail != oldest) continue;
      if (shape_.keeps_distinct && !value_out.is_null && (value_out.hash_high & kSuperseded) == 0) --window.distinct;
      add_to(window, value_out, -1);
      ++window.tail;
    }
    dropped = parts.time(oldest);
    drop_oldest(parts, shape_, oldest + 1);
  }
  if (parts.header->count() == parts.header->capacity) {
    cell = rebuild(block_, cell, shape_, parts.header->capacity * 2);
    advance(cell, shape_, time);
    parts = Parts(cell->payload(), shape_);
  }
  append_entry(parts, shape_, time, value);
  return dropped;
}

bool RingEditor::advance(Cell* cell, const RingShape& shape, TimeUs time) {
  Parts parts(cell->payload(), shape);
  for (uint32_t i = 0; i < parts.header->windows; ++i) expire(parts, shape, parts.windows[i], time);
  // The windows are ascending by span: the last one's tail is the oldest entry that any of them holds.
  if (parts.header->windows > 0) drop_oldest(parts, shape, parts.windows[parts.header->windows - 1].tail);
  return parts.header->count() > 0;
}

WindowTotals RingView::totals(DurationUs span_us, TimeUs time, bool exclude_newest) const {
  WindowTotals totals;
  if (cell_ == nullptr) return totals;
  Parts parts(cell_->payload(), shape_);
  WindowState window;
  bool found = false;
  for (uint32_t i = 0; i < parts.header->windows && !found; ++i) {
    found = parts.windows[i].span_us == span_us;
    if (found) window = parts.windows[i];
  }
  if (!found) {              // a window that no event has met yet since the rules changed: from the entries
    window.span_us = span_us;
    window.tail = parts.header->first;
    for (uint32_t i = parts.header->first; i != parts.header->next; ++i) {
      RingEntryValue value = read_entry(parts, shape_.value, parts.slot(i));
      if (shape_.value != RingValue::kNone) add_to(window, value, 1);
      if (shape_.keeps_distinct && !value.is_null && (value.hash_high & kSuperseded) == 0) ++window.distinct;
    }
  }
  expire(parts, shape_, window, time);
  totals.count = parts.header->next - window.tail;
  if (exclude_newest && totals.count > 0) {
    --totals.count;
    leave_out_newest(parts, shape_, window);
  }
  totals.non_null = shape_.value == RingValue::kNone ? static_cast<uint32_t>(totals.count) : window.non_null;
  totals.sum = window.sum;
  totals.sum_squares = window.sum_squares;
  totals.squares_lost = window.saturated != 0;
  totals.distinct = window.distinct;
  return totals;
}

bool RingView::extreme(DurationUs span_us, TimeUs time, bool exclude_newest, bool greatest, Int128* number) const {
  if (cell_ == nullptr) return false;
  Parts parts(cell_->payload(), shape_);
  bool found = false;
  uint32_t count = parts.header->count() - (exclude_newest && parts.header->count() > 0 ? 1 : 0);
  for (uint32_t left = count; left > 0; --left) {
    uint32_t sequence = parts.header->first + left - 1;
    if (parts.time(sequence) <= time - span_us) break;
    RingEntryValue value = read_entry(parts, shape_.value, parts.slot(sequence));
    if (value.is_null) continue;
    if (!found || (greatest ? value.number > *number : value.number < *number)) *number = value.number;
    found = true;
  }
  return found;
}

std::vector<RingView::Entry> RingView::newest(DurationUs span_us, TimeUs time, uint32_t max) const {
  std::vector<Entry> entries;
  if (cell_ == nullptr) return entries;
  Parts parts(cell_->payload(), shape_);
  for (uint32_t left = parts.header->count(); left > 0 && entries.size() < max; --left) {
    uint32_t sequence = parts.header->first + left - 1;
    if (parts.time(sequence) <= time - span_us) break;
    RingEntryValue value = read_entry(parts, shape_.value, parts.slot(sequence));
    bool numeric = shape_.value == RingValue::kNumber || shape_.value == RingValue::kFloat;
    entries.push_back({parts.time(sequence), numeric && !value.is_null, value.number});
  }
  std::reverse(entries.begin(), entries.end());
  return entries;
}

TimeUs RingView::newest_time() const {
  if (cell_ == nullptr) return kTimeMin;
  Parts parts(cell_->payload(), shape_);
  return parts.header->count() == 0 ? kTimeMin : parts.time(parts.header->next - 1);
}

uint32_t RingView::entries() const {
  return cell_ == nullptr ? 0 : Parts(cell_->payload(), shape_).header->count();
}

Value aggregate_value(AggregateKind kind, const Ring& ring, const Type& type, const WindowTotals& totals, EvalCounters& counters) {
  ExactSums sums;
  sums.count = totals.non_null;
  sums.sum = totals.sum;
  sums.sum_squares = totals.sum_squares;
  sums.squares_lost = totals.squares_lost;
  int scale = ring.value == RingValue::kFloat ? kFloatSumScale : ring.type.scale;
  switch (kind) {
    case AggregateKind::kCount:
      return Value::integer(static_cast<Int128>(ring.argument == kNoExpr ? totals.count : totals.non_null));
    case AggregateKind::kCountDistinct: return Value::integer(static_cast<Int128>(totals.distinct));
    case AggregateKind::kSum: return sums.sum_as(type, scale, counters);
    case AggregateKind::kAvg: return sums.avg_as(type, scale, counters);
    case AggregateKind::kStddev: return sums.stddev(scale, counters);
    case AggregateKind::kMin:
    case AggregateKind::kMax:
    case AggregateKind::kFirst:
    case AggregateKind::kLast: break;
  }
  WEIR_CHECK(false, "aggregate has no running value");
  return Value::null();
}

}  // namespace cep
