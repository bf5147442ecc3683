// The bytes of a ring's cell, shared by who changes them (ring.cc, ring_numbers.h) and who reads them (ring_view.cc); internal to these.
// Payload: RingHeader, one WindowState per window, then `capacity` entries used circularly, then (distinct only) a table of
// 2 * capacity entry numbers + 1, open addressing by hash, that finds the newest entry of a value; or (texts, addresses and rows) a
// DataHeader and the bytes that entries point to, filled upwards, where what was dropped goes at the next rebuild; or (many numbers)
// Extremes, one of each 64 entries.
// Distinct: an entry is "newest of its value" until an equal one follows. A window's distinct count is its number of such entries.
#pragma once

#include <algorithm>
#include <cstring>

#include "cep/ring.h"

namespace cep::ring_layout {

// Entries are known by a sequence number that only rises (and wraps); their slot is its low bits.
struct RingHeader {
  uint32_t capacity = 0;      // entries, a power of two
  uint32_t first = 0;         // sequence of the oldest entry
  uint32_t next = 0;          // sequence of the entry to come
  uint16_t windows = 0;
  uint16_t is_grouped = 0;    // 1: Extremes stand behind the entries
  uint32_t count() const { return next - first; }
};
static_assert(sizeof(RingHeader) == 16);
// Packed to 8 bytes because a block aligns to no more than that.
struct [[gnu::packed, gnu::aligned(8)]] WindowState {
  DurationUs span_us = 0;
  uint32_t tail = 0;          // sequence of the oldest entry inside
  uint32_t non_null = 0;
  uint32_t distinct = 0;
  uint32_t saturated : 1 = 0;     // sum of squares overflowed once: no stddev until the window is empty
  uint32_t rows : 31 = 0;         // at most so many entries inside; 0: any number
  Int128 sum = 0;
  Int128 sum_squares = 0;
  bool has(const WindowExtent& extent) const { return span_us == extent.span_us && rows == extent.rows; }
};
static_assert(sizeof(WindowState) == 56);
// Of a ring of numbers.
struct NumberEntry {
  TimeUs time = 0;
  int64_t number = 0;         // or kNullNumber
};
// Of a group of slots, as far as it was filled since its first slot was: so that min and max need not ask every entry.
struct Extremes {
  static constexpr uint32_t kSlots = 64;
  static constexpr uint32_t kCapacityLeast = 2 * kSlots;      // of a ring that has them
  int64_t least = INT64_MAX;
  int64_t greatest = kNullNumber;       // of no number at all
  void add(int64_t number) {
    if (number == kNullNumber) return;
    least = std::min(least, number);
    greatest = std::max(greatest, number);
  }
};
struct DataHeader {
  uint32_t capacity = 0;      // bytes behind it
  uint32_t used = 0;
};
inline constexpr uint32_t kNoBytes = UINT32_MAX;  // size of a null

inline constexpr uint64_t kSuperseded = 1;        // low bit of hash_high: an equal value followed

inline uint32_t entry_bytes(RingValue value) {
  switch (value) {
    case RingValue::kNone: return 8;
    case RingValue::kNumber: return 16;
    case RingValue::kFloat: return 24;
    case RingValue::kText: return 24;
    case RingValue::kBytes:
    case RingValue::kRow: return 16;
  }
  return 8;
}

inline bool has_bytes(RingValue value) { return value == RingValue::kBytes || value == RingValue::kRow; }
inline uint32_t padded(size_t bytes) { return static_cast<uint32_t>((bytes + 7) / 8 * 8); }

// Pointers into a ring's payload; made anew after anything that moves the block.
struct Parts {
  RingHeader* header;
  WindowState* windows;
  uint8_t* entries;
  uint32_t* table;
  DataHeader* data;           // of a ring with bytes
  Extremes* groups;           // of one that is grouped
  uint32_t bytes;             // of an entry
  uint32_t mask;

  Parts(uint8_t* payload, const RingShape& shape) {
    header = reinterpret_cast<RingHeader*>(payload);
    windows = reinterpret_cast<WindowState*>(payload + sizeof(RingHeader));
    entries = payload + sizeof(RingHeader) + header->windows * sizeof(WindowState);
    bytes = entry_bytes(shape.value);
    mask = header->capacity - 1;
    table = reinterpret_cast<uint32_t*>(entries + size_t{header->capacity} * bytes);
    data = reinterpret_cast<DataHeader*>(table);
    groups = reinterpret_cast<Extremes*>(table);
  }
  char* data_bytes() const { return reinterpret_cast<char*>(data + 1); }
  uint32_t slot(uint32_t sequence) const { return sequence & mask; }
  uint8_t* entry(uint32_t slot_number) const { return entries + size_t{slot_number} * bytes; }
  TimeUs time(uint32_t sequence) const {
    TimeUs t;
    std::memcpy(&t, entry(slot(sequence)), sizeof t);
    return t;
  }
  int64_t number(uint32_t sequence) const {      // RingValue::kNumber
    int64_t n;
    std::memcpy(&n, entry(slot(sequence)) + 8, sizeof n);
    return n;
  }
};

inline bool is_grouped(RingValue value, uint32_t capacity) { return value == RingValue::kNumber && capacity >= Extremes::kCapacityLeast; }
inline uint32_t group_bytes(uint32_t capacity) { return capacity / Extremes::kSlots * static_cast<uint32_t>(sizeof(Extremes)); }

inline RingEntryValue read_entry(const Parts& parts, RingValue kind, uint32_t slot) {
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
  } else if (has_bytes(kind)) {
    uint32_t place[2];
    std::memcpy(place, at, 8);
    value.is_null = place[1] == kNoBytes;
    if (!value.is_null) value.bytes = {parts.data_bytes() + place[0], place[1]};
  } else {
    std::memcpy(&value.hash_low, at, 8);
    std::memcpy(&value.hash_high, at + 8, 8);
    value.is_null = value.hash_low == 0;
  }
  return value;
}
inline bool square(Int128 number, Int128* out) { return !__builtin_mul_overflow(number, number, out); }

inline void add_sums(WindowState& window, Int128 number, Int128 squared, bool is_squared) {
  Int128 sum;
  (void)__builtin_add_overflow(window.sum, number, &sum);      // wraps, and back when the value leaves
  window.sum = sum;
  Int128 total;
  if (!is_squared || __builtin_add_overflow(window.sum_squares, squared, &total)) {
    window.saturated = 1;
  } else {
    window.sum_squares = total;
  }
}

inline void add_to(WindowState& window, const RingEntryValue& value, int sign) {
  if (value.is_null) return;
  window.non_null += static_cast<uint32_t>(sign);
  Int128 squared = 0;
  const bool is_squared = square(value.number, &squared);
  add_sums(window, sign * value.number, sign * squared, is_squared);
}
// The same for an entry of 64 bits, whose square cannot overflow.
inline void add_number(WindowState& window, int64_t number, int sign) {
  if (number == kNullNumber) return;
  window.non_null += static_cast<uint32_t>(sign);
  add_sums(window, sign * static_cast<Int128>(number), sign * (static_cast<Int128>(number) * number), true);
}

// Moves the window's tail past what is outside at `time`, when `incoming` more entries come.
inline void expire(const Parts& parts, const RingShape& shape, WindowState& window, TimeUs time, uint32_t incoming = 0) {
  const TimeUs oldest = time - window.span_us;
  uint32_t tail = window.tail;
  if (shape.value == RingValue::kNumber && window.rows == 0) {       // the usual ring, without questions
    for (; tail != parts.header->next && parts.time(tail) <= oldest; ++tail) add_number(window, parts.number(tail), -1);
  }
  auto is_outside = [&] {
    return parts.time(tail) <= oldest || (window.rows != 0 && parts.header->next - tail + incoming > window.rows);
  };
  for (; tail != parts.header->next && is_outside(); ++tail) {
    if (shape.value == RingValue::kNone) continue;
    if (shape.value == RingValue::kNumber) {
      add_number(window, parts.number(tail), -1);
      continue;
    }
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

}  // namespace cep::ring_layout
