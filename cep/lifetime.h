// over (all): what all events of one input for one key came to, in a cell of a few bytes: totals, and the first, least or greatest
// value. The newest value stands beside them, so that a rule can leave out the event under test.
// Invariant: a key that was silent for Limits::key_idle_max_us starts anew, whether or not its cell was removed in between.
// One thread. Complexity: O(1) per event and per question.
#pragma once

#include "cep/ring.h"

namespace cep {

class LifetimeEditor {
 public:
  LifetimeEditor(BlockEditor& block, const RingShape& shape) : block_(block), shape_(shape) {}
  // Adds a value at `time` (not earlier than the newest); counts a key that had been silent for too long.
  void append(TimeUs time, const RingEntryValue& value, uint64_t* forgotten);

 private:
  BlockEditor& block_;
  const RingShape& shape_;
};

// Checks a cell of untrusted bytes before it is used with that shape.
bool is_sound_lifetime(const Cell& cell, const RingShape& shape);

class LifetimeView {
 public:
  LifetimeView(const Cell* cell, const RingShape& shape) : cell_(cell), shape_(shape) {}

  // As of `time`, without the newest value if `exclude_newest`.
  WindowTotals totals(TimeUs time, bool exclude_newest) const;
  // The first, least or greatest value, by the shape; false if there is none.
  bool kept(TimeUs time, bool exclude_newest, RingEntryValue* value) const;
  TimeUs newest_time() const;         // kTimeMin when empty
  uint64_t events() const;

 private:
  const Cell* cell_;
  const RingShape& shape_;
};

}  // namespace cep
