// What most events of windows do, without a call: enter a ring of numbers, and find a gate closed. Internal to ring.cc and
// timeline_windows.cc.
#pragma once

#include "cep/ring_layout.h"
#include "cep/window_gate.h"

namespace cep::ring_layout {

// Tells the group of a slot what the slot got.
inline void add_to_group(Extremes* groups, uint32_t slot, int64_t number) {
  Extremes& group = groups[slot / Extremes::kSlots];
  if (slot % Extremes::kSlots == 0) group = Extremes();
  group.add(number);
}

// Of the numbers `first` to `next`, whole groups at once.
inline Extremes extremes_of(const Parts& parts, uint32_t first, uint32_t next) {
  Extremes all;
  for (uint32_t at = first; at != next;) {
    const uint32_t slot = parts.slot(at);
    if (parts.header->is_grouped != 0 && slot % Extremes::kSlots == 0 && next - at >= Extremes::kSlots) {
      const Extremes& group = parts.groups[slot / Extremes::kSlots];
      all.least = std::min(all.least, group.least);
      all.greatest = std::max(all.greatest, group.greatest);
      at += Extremes::kSlots;
    } else {
      all.add(parts.number(at++));
    }
  }
  return all;
}

// RingEditor::append_in_place of a ring of numbers.
inline bool append_number_in_place(RingHeader& header, const RingShape& shape, TimeUs time, int64_t number, uint32_t entries_max) {
  if (header.windows != shape.extents.size()) return false;
  WindowState* const windows = reinterpret_cast<WindowState*>(&header + 1);
  WindowState* const end = windows + header.windows;
  NumberEntry* const entries = reinterpret_cast<NumberEntry*>(end);
  const uint32_t mask = header.capacity - 1;
  const uint32_t next = header.next;
  const WindowExtent* extent = shape.extents.data();
  uint32_t held = 0;             // by the window that holds most
  for (WindowState* window = windows; window != end; ++window, ++extent) {
    if (!window->has(*extent)) return false;
    const TimeUs oldest = time - extent->span_us;
    uint32_t tail = window->tail;
    for (; tail != next; ++tail) {
      const NumberEntry& entry = entries[tail & mask];
      if (entry.time > oldest && (extent->rows == 0 || next - tail < extent->rows)) break;
      add_number(*window, entry.number, -1);
    }
    window->tail = tail;
    if (tail == next) {
      window->sum_squares = 0;
      window->saturated = 0;
    }
    held = std::max(held, next - tail);
  }
  header.first = next - held;
  if (held >= std::min(header.capacity, entries_max)) return false;
  entries[next & mask] = {time, number};
  if (header.is_grouped != 0) add_to_group(reinterpret_cast<Extremes*>(entries + header.capacity), next & mask, number);
  header.next = next + 1;
  for (WindowState* window = windows; window != end; ++window) add_number(*window, number, 1);
  return true;
}

// Whether a gate on the number of events is closed by all that its window holds: some of it may have left, and none has come.
inline bool is_closed_by_count(const Cell* cell, const WindowGate& gate) {
  if (gate.sums || cell == nullptr) return false;
  const RingHeader& header = *reinterpret_cast<const RingHeader*>(cell->payload());
  const WindowState& window = reinterpret_cast<const WindowState*>(&header + 1)[gate.window];
  if (gate.window >= header.windows || !window.has(gate.extent)) return false;      // the cell is of other rules, and was not fed since
  return static_cast<Int128>(header.next - window.tail) < gate.least;
}

}  // namespace cep::ring_layout
