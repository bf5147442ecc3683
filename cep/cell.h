// The cells of a key's block: small state of a rule or ring for the key, each with a header of its own (state/FORMAT.md has every byte).
// Plain data.
#pragma once

#include "cep/types.h"

namespace cep {

enum class CellKind : uint16_t { kRing = 1, kSuppress = 2, kHeadNot = 3, kTruncated = 4, kEpisode = 5 };

// Small state of a rule or ring for this key. `size` includes this header and is a multiple of 8.
struct Cell {
  uint64_t id = 0;            // ring: BoundRing::id; others: program number (head NOT: program << 16 | index)
  uint32_t size = 0;
  CellKind kind{};
  uint16_t reserved = 0;
  uint8_t* payload() { return reinterpret_cast<uint8_t*>(this + 1); }
  const uint8_t* payload() const { return reinterpret_cast<const uint8_t*>(this + 1); }
};
static_assert(sizeof(Cell) == 16);

struct SuppressCell {
  TimeUs until = kTimeMin;
  uint64_t folded = 0;
};
struct TimeCell {             // head NOT: last event that fit; truncated: until when alerts say so
  TimeUs time = kTimeMin;
};
// An open episode (cep/episode.h); what it says of its rule's windows stands behind it.
struct EpisodeCell {
  uint32_t node = 0;          // reference of the last event of the match it lists
  uint32_t start_row = 0;     // number of the row that its matches start with; 0 of a `when` rule
  TimeUs last = 0;            // of its newest complete match
  uint64_t folded = 0;        // complete matches of other starts; of a `when` rule hits before the one it lists
  TimeUs partial_since = kTimeMin;     // of the match it lists (Alert::partial_since)
  uint32_t cuts = 0;          // bits: runs, matches or windows were cut meanwhile
  uint32_t value_bytes = 0;   // of what stands behind
};
static_assert(sizeof(EpisodeCell) == 40);

}  // namespace cep
