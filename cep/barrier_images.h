// What one timeline of a shard still has to hand over for a checkpoint (TimelineEngine::begin_images). Plain data, one thread.
#pragma once

#include <deque>
#include <utility>
#include <vector>

#include "cep/engine.h"
#include "cep/key_table.h"

namespace cep {

// A key that is gone and whose image is still in a segment.
struct GoneKey {
  uint64_t space;
  uint64_t hash;
  uint32_t segment;
};

// (space id, hash) of keys. In pieces, so that neither growing nor letting go of millions takes long at once.
using ChangedKeys = std::deque<std::pair<uint64_t, uint64_t>>;

// The images of one barrier on their way. A key changed before it keeps the mark of that epoch until its image is taken, which is at its
// turn or before its next change.
struct BarrierImages {
  uint32_t segment = 0;
  std::vector<uint32_t> victims;
  ChangedKeys keys;                                     // changed before the barrier and not taken yet
  std::vector<KeyImage> ahead;                          // gone at the barrier, or taken before their turn
  size_t victim_space = 0;                              // how far the walk for victims is
  KeyTable::Hand victim_hand;
};

}  // namespace cep
