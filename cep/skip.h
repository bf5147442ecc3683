// What `after match` drops: runs and matches by where they start (R29, R30). One thread.
#pragma once

#include "cep/matcher.h"

namespace cep {

// Of the rows of a key, by number: [from, to).
struct StartRange {
  uint32_t from = 0;
  uint32_t to = 0;
  bool has(uint32_t start_row) const { return from <= start_row && start_row < to; }
};

// The starts that go with an emitted match; `node` is its last event's.
StartRange skipped_starts(BlockView block, const MatchScope& scope, uint32_t node, uint32_t start_row);

}  // namespace cep
