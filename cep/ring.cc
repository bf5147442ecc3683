// See ring.h and ring_layout.h. Here: appending and expiring.
#include "cep/ring.h"

#include <algorithm>
#include <bit>

#include "cep/prefetch.h"
#include "cep/ring_numbers.h"

namespace cep {

using namespace ring_layout;

namespace {

void write_entry(const Parts& parts, RingValue kind, uint32_t slot, TimeUs time, const RingEntryValue& value) {
  uint8_t* at = parts.entry(slot);
  std::memcpy(at, &time, 8);
  at += 8;
  if (kind == RingValue::kFloat) {
    Int128 number = value.is_null ? static_cast<Int128>(kNullNumber) << 64 : value.number;
    std::memcpy(at, &number, 16);
  } else if (kind == RingValue::kText) {
    uint64_t low = value.is_null ? 0 : value.hash_low;
    std::memcpy(at, &low, 8);
    std::memcpy(at + 8, &value.hash_high, 8);
  } else if (has_bytes(kind)) {           // the caller has made room
    uint32_t place[2] = {parts.data->used, value.is_null ? kNoBytes : static_cast<uint32_t>(value.bytes.size())};
    std::memcpy(at, place, 8);
    std::copy(value.bytes.begin(), value.bytes.end(), parts.data_bytes() + parts.data->used);   // a null has no bytes to point at
    parts.data->used += padded(value.bytes.size());
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
// Gives up the entries before `first`, which no window holds any more.
void drop_oldest(const Parts& parts, const RingShape& shape, uint32_t first) {
  for (uint32_t i = parts.header->first; shape.keeps_distinct && i != first; ++i) {
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
  std::string bytes;
};

std::vector<SavedEntry> saved_entries(const Parts& parts, const RingShape& shape) {
  std::vector<SavedEntry> saved;
  for (uint32_t i = parts.header->first; i != parts.header->next; ++i) {
    SavedEntry entry{parts.time(i), read_entry(parts, shape.value, parts.slot(i)), {}};
    entry.value.hash_high &= ~kSuperseded;
    entry.bytes = entry.value.bytes;
    saved.push_back(std::move(entry));
  }
  return saved;
}

void append_number(const Parts& parts, TimeUs time, int64_t number) {
  const uint32_t slot = parts.slot(parts.header->next);
  uint8_t* at = parts.entry(slot);
  std::memcpy(at, &time, 8);
  std::memcpy(at + 8, &number, 8);
  if (parts.header->is_grouped != 0) add_to_group(parts.groups, slot, number);
  ++parts.header->next;
  for (uint32_t i = 0; i < parts.header->windows; ++i) add_number(parts.windows[i], number, 1);
}

void append_entry(const Parts& parts, const RingShape& shape, TimeUs time, const RingEntryValue& value) {
  if (shape.value == RingValue::kNumber) {
    return append_number(parts, time, value.is_null ? kNullNumber : static_cast<int64_t>(value.number));
  }
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

// Bytes that the entries of a ring still point to.
uint32_t live_bytes(const Parts& parts, const RingShape& shape) {
  uint32_t bytes = 0;
  for (uint32_t i = parts.header->first; i != parts.header->next && has_bytes(shape.value); ++i) {
    bytes += padded(read_entry(parts, shape.value, parts.slot(i)).bytes.size());
  }
  return bytes;
}

uint32_t payload_bytes(const RingShape& shape, uint32_t capacity, uint32_t data_capacity) {
  uint32_t table = shape.keeps_distinct ? capacity * 2 * static_cast<uint32_t>(sizeof(uint32_t)) : 0;
  if (is_grouped(shape.value, capacity)) table = group_bytes(capacity);
  if (has_bytes(shape.value)) table = static_cast<uint32_t>(sizeof(DataHeader)) + data_capacity;
  return static_cast<uint32_t>(sizeof(RingHeader) + shape.extents.size() * sizeof(WindowState)) + capacity * entry_bytes(shape.value) +
         table;
}

// Lays the ring out anew: another capacity, other windows than the cell was made with, or room for `more_bytes`.
Cell* rebuild(BlockEditor& block, Cell* cell, const RingShape& shape, uint32_t capacity, uint32_t more_bytes = 0) {
  std::vector<SavedEntry> saved;
  if (cell->size > sizeof(Cell)) {
    Parts old(cell->payload(), shape);
    if (old.header->capacity != 0) saved = saved_entries(old, shape);
  }
  uint32_t data_capacity = more_bytes;
  for (const SavedEntry& entry : saved) data_capacity += padded(entry.bytes.size());
  data_capacity *= 2;          // so that the next rebuild is as far away as this one was dear
  cell = block.resize_cell(cell, payload_bytes(shape, capacity, data_capacity));
  std::memset(cell->payload(), 0, cell->size - sizeof(Cell));
  RingHeader header;
  header.capacity = capacity;
  header.windows = static_cast<uint16_t>(shape.extents.size());
  header.is_grouped = is_grouped(shape.value, capacity) ? 1 : 0;
  std::memcpy(cell->payload(), &header, sizeof header);
  Parts parts(cell->payload(), shape);
  for (uint32_t i = 0; i < header.windows; ++i) {
    parts.windows[i] = WindowState();
    parts.windows[i].span_us = shape.extents[i].span_us;
    parts.windows[i].rows = shape.extents[i].rows & 0x7fffffff;
  }
  if (has_bytes(shape.value)) parts.data->capacity = data_capacity;
  for (SavedEntry& entry : saved) {
    if (!entry.value.is_null) entry.value.bytes = entry.bytes;
    append_entry(parts, shape, entry.time, entry.value);
  }
  return cell;
}

// Doubles a ring that keeps nothing beside its entries: those find their places in the upper half or stay.
Cell* grow(BlockEditor& block, Cell* cell, const RingShape& shape) {
  const uint32_t old_capacity = Parts(cell->payload(), shape).header->capacity;
  cell = block.resize_cell(cell, payload_bytes(shape, old_capacity * 2, 0));
  const Parts old(cell->payload(), shape);
  old.header->capacity = old_capacity * 2;
  old.header->is_grouped = is_grouped(shape.value, old_capacity * 2) ? 1 : 0;
  const Parts parts(cell->payload(), shape);
  for (uint32_t i = parts.header->first; i != parts.header->next; ++i) {
    const uint32_t slot = parts.slot(i);
    if (slot >= old_capacity) std::memcpy(parts.entry(slot), old.entry(old.slot(i)), parts.bytes);
  }
  for (uint32_t i = parts.header->first; parts.header->is_grouped != 0 && i != parts.header->next; ++i) {
    add_to_group(parts.groups, parts.slot(i), parts.number(i));
  }
  return cell;
}

// Expires what has left each window, then gives up what none holds any more.
void move_tails(const Parts& parts, const RingShape& shape, TimeUs time, uint32_t incoming) {
  uint32_t held = 0;             // by the window that holds most: all of them hold the newest ones
  for (uint32_t i = 0; i < parts.header->windows; ++i) {
    expire(parts, shape, parts.windows[i], time, incoming);
    held = std::max(held, parts.header->next - parts.windows[i].tail);
  }
  if (parts.header->windows > 0) drop_oldest(parts, shape, parts.header->next - held);
}

bool has_windows(const Parts& parts, const RingShape& shape) {
  if (parts.header->windows != shape.extents.size()) return false;
  for (uint32_t i = 0; i < parts.header->windows; ++i) {
    if (!parts.windows[i].has(shape.extents[i])) return false;
  }
  return true;
}

// Takes the oldest entry out of every window that holds it, then drops it; its time.
TimeUs lose_oldest(const Parts& parts, const RingShape& shape, uint64_t* dropped) {
  const uint32_t oldest = parts.header->first;
  RingEntryValue out = read_entry(parts, shape.value, parts.slot(oldest));
  for (uint32_t i = 0; i < parts.header->windows; ++i) {
    WindowState& window = parts.windows[i];
    if (window.tail != oldest) continue;
    if (shape.keeps_distinct && !out.is_null && (out.hash_high & kSuperseded) == 0) --window.distinct;
    add_to(window, out, -1);
    ++window.tail;
  }
  ++*dropped;
  const TimeUs time = parts.time(oldest);
  drop_oldest(parts, shape, oldest + 1);
  return time;
}

// A ring's entries of distinct values have one place each in its table, which holds nothing else: else a search might not end.
bool is_sound_table(const Parts& parts) {
  const uint32_t capacity = parts.header->capacity;
  uint32_t taken = 0;
  for (uint32_t at = 0; at < 2 * capacity; ++at) {
    if (parts.table[at] > capacity) return false;
    taken += parts.table[at] != 0 ? 1 : 0;
  }
  if (taken > parts.header->count()) return false;
  uint32_t newest = 0;
  for (uint32_t i = parts.header->first; i != parts.header->next; ++i) {
    const RingEntryValue value = read_entry(parts, RingValue::kText, parts.slot(i));
    if (value.is_null || (value.hash_high & kSuperseded) != 0) continue;
    ++newest;
    if (parts.table[find_value(parts, value)] != parts.slot(i) + 1) return false;
  }
  return newest == taken;
}

// Groups that are whole say what is in them.
bool are_sound_groups(const Parts& parts) {
  uint32_t first = parts.header->first;
  while (parts.slot(first) % Extremes::kSlots != 0 && first != parts.header->next) ++first;
  for (; parts.header->next - first >= Extremes::kSlots; first += Extremes::kSlots) {
    Extremes group;
    for (uint32_t i = 0; i < Extremes::kSlots; ++i) group.add(parts.number(first + i));
    const Extremes& kept = parts.groups[parts.slot(first) / Extremes::kSlots];
    if (kept.least != group.least || kept.greatest != group.greatest) return false;
  }
  return true;
}

// Every entry points into the bytes, and to a row of the stream where rows are kept.
bool are_sound_bytes(const Parts& parts, const StreamSchema* rows) {
  if (parts.data->used > parts.data->capacity || parts.data->used % 8 != 0) return false;
  for (uint32_t i = parts.header->first; i != parts.header->next; ++i) {
    uint32_t place[2];
    std::memcpy(place, parts.entry(parts.slot(i)) + 8, sizeof place);
    if (place[1] == kNoBytes) continue;
    const auto used = parts.data->used;
    if (place[0] % 8 != 0 || place[0] > used || place[1] > used || padded(place[1]) > used - place[0]) return false;
    if (rows != nullptr && !verify_row(*rows, reinterpret_cast<const uint8_t*>(parts.data_bytes()) + place[0], place[1])) return false;
  }
  return true;
}

}  // namespace

bool is_sound_ring(Cell& cell, const RingShape& shape, const StreamSchema* rows) {
  constexpr uint32_t kCapacityMax = 1u << 24;
  RingHeader header;
  const size_t payload = cell.size - sizeof(Cell);
  if (payload < sizeof header) return false;
  std::memcpy(&header, cell.payload(), sizeof header);
  if (!std::has_single_bit(header.capacity) || header.capacity > kCapacityMax || header.count() > header.capacity) return false;
  size_t used = sizeof header + header.windows * sizeof(WindowState) + size_t{header.capacity} * entry_bytes(shape.value);
  const size_t table = size_t{header.capacity} * 2 * sizeof(uint32_t);
  if (header.is_grouped > 1 || (header.is_grouped != 0 && !is_grouped(shape.value, header.capacity))) return false;
  const size_t groups = header.is_grouped != 0 ? group_bytes(header.capacity) : 0;
  const size_t tail = shape.keeps_distinct ? table : has_bytes(shape.value) ? sizeof(DataHeader) : groups;
  if (payload < used + tail) return false;
  const Parts parts(cell.payload(), shape);
  used += tail;
  if (has_bytes(shape.value)) used += parts.data->capacity;
  if (payload != (used + 7) / 8 * 8) return false;
  for (uint32_t i = 0; i < header.windows; ++i) {
    const WindowState& window = parts.windows[i];
    if (window.tail - header.first > header.count() || window.span_us < 0 || window.span_us > kTimeMax / 2) return false;
  }
  if (header.is_grouped != 0) return are_sound_groups(parts);
  if (has_bytes(shape.value)) return are_sound_bytes(parts, shape.value == RingValue::kRow ? rows : nullptr);
  return !shape.keeps_distinct || is_sound_table(parts);
}

bool RingEditor::has_room(Cell* cell, const RingShape& shape, TimeUs time, uint32_t entries_max) {
  const Parts parts(cell->payload(), shape);
  if (!has_windows(parts, shape)) return false;
  move_tails(parts, shape, time, 1);
  return parts.header->count() < std::min(parts.header->capacity, entries_max);
}

bool RingEditor::append_in_place(Cell* cell, const RingShape& shape, TimeUs time, int64_t number, uint32_t entries_max) {
  if (shape.value == RingValue::kNumber) {
    return append_number_in_place(*reinterpret_cast<RingHeader*>(cell->payload()), shape, time, number, entries_max);
  }
  if (!has_room(cell, shape, time, entries_max)) return false;
  append_entry(Parts(cell->payload(), shape), shape, time, {});
  return true;
}

void RingEditor::prefetch_ends(Cell* cell, const RingShape& shape) {
  const Parts parts(cell->payload(), shape);
  prefetch(parts.entry(parts.slot(parts.header->next)));
  for (uint32_t i = 0; i < parts.header->windows; ++i) prefetch(parts.entry(parts.slot(parts.windows[i].tail)));
}

void RingEditor::prefetch_newest(Cell* cell, const RingShape& shape) {
  const Parts parts(cell->payload(), shape);
  prefetch(parts.entry(parts.slot(parts.header->next - 1)));
}

TimeUs RingEditor::append(TimeUs time, const RingEntryValue& value, const RingLimits& limits, uint64_t* dropped) {
  Cell* cell = block_.view().find_cell(CellKind::kRing, shape_.id);
  if (cell == nullptr) {
    cell = rebuild(block_, block_.add_cell(CellKind::kRing, shape_.id, 0), shape_, 4);
  } else if (!has_windows(Parts(cell->payload(), shape_), shape_)) {
    cell = rebuild(block_, cell, shape_, Parts(cell->payload(), shape_).header->capacity);
  }
  advance(cell, shape_, time, 1);
  Parts parts(cell->payload(), shape_);
  TimeUs lost = kTimeMin;
  if (parts.header->count() >= limits.entries_max) lost = lose_oldest(parts, shape_, dropped);
  const uint32_t bytes = padded(value.bytes.size());
  bool is_full = parts.header->count() == parts.header->capacity;
  if (is_full || (has_bytes(shape_.value) && parts.data->used + bytes > parts.data->capacity)) {
    for (uint32_t live = live_bytes(parts, shape_); parts.header->count() > 0 && live + bytes > limits.bytes_max;) {
      live -= padded(read_entry(parts, shape_.value, parts.slot(parts.header->first)).bytes.size());
      lost = lose_oldest(parts, shape_, dropped);
    }
    is_full = parts.header->count() == parts.header->capacity;
    if (shape_.value == RingValue::kNone || shape_.value == RingValue::kNumber) {
      cell = grow(block_, cell, shape_);
    } else {
      cell = rebuild(block_, cell, shape_, parts.header->capacity * (is_full ? 2 : 1), bytes);
      advance(cell, shape_, time, 1);
    }
    parts = Parts(cell->payload(), shape_);
  }
  append_entry(parts, shape_, time, value);
  return lost;
}

bool RingEditor::advance(Cell* cell, const RingShape& shape, TimeUs time, uint32_t incoming) {
  const Parts parts(cell->payload(), shape);
  move_tails(parts, shape, time, incoming);
  return parts.header->count() > 0;
}

}  // namespace cep
