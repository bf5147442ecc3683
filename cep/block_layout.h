// What a key's block (cep/block.h) is made of, byte for byte: state/FORMAT.md describes the same. Plain data.
#pragma once

#include <cstdint>

#include "cep/program.h"

namespace cep {

inline constexpr uint16_t kBlockFormat = 1;
inline constexpr uint16_t kMergedBlockFormat = 2;      // some run is, or was, merged

struct BlockHeader {
  uint32_t capacity = 0;      // bytes of the whole block
  uint32_t heap_bytes = 0;    // used at the end
  uint32_t cell_bytes = 0;
  uint32_t run_count = 0;
  uint32_t key_bytes = 0;     // without padding
  uint32_t next_row = 1;      // number of the next row
  uint32_t segment = 0;       // where the stored image is; 0: not stored
  uint16_t format = kBlockFormat;
  uint8_t dirty = 0;          // the epoch in which it changed since its image was taken, 0: unchanged; always 0 in an image
  uint8_t is_timed = 0;       // 1: the timer queue has an entry for its slot's deadline; always 0 in an image
};
static_assert(sizeof(BlockHeader) == 32);

// One partial match. `live`: bit e = edge e of the state still waits; bit 63 = no event of the partition seen since the last bound one;
// bits 62 - u = `until` u of the state has been true. Or all partial matches of a rule in one state, if they are merged (merged_runs.h).
struct Run {
  ProgramId program{};
  uint16_t state = 0;
  uint16_t is_merged = 0;     // 1: `node` is a MergedNode, `start_*` are those of its newest history, `live` is a BoundBytes
  uint32_t node = 0;          // last bound event
  uint32_t start_row = 0;     // number of the first bound event: what skip strategies compare
  TimeUs start_time = 0;
  uint64_t live = 0;
};
static_assert(sizeof(Run) == 32);
inline constexpr uint64_t kRunFresh = 1ull << 63;
inline uint64_t run_until_bit(size_t until) { return 1ull << (62 - until); }

// A bound event in a run's history, newest first.
struct Node {
  uint32_t previous = 0;      // 0: the first
  uint32_t row = 0;
  uint16_t state = 0;         // of the automaton, hence the variable
  uint16_t clock_starts = 0;  // group clocks whose round began with this event
  uint32_t depth = 0;         // events in the chain up to this one
};
static_assert(sizeof(Node) == 16);

// A bound event of merged runs. What it continues is a list, and so is what waits in its own state: each from its newest on. It begins as a
// Node does.
struct MergedNode {
  uint32_t previous = 0;      // newest of the nodes of the state before that it continues; 0: it is a first event
  uint32_t row = 0;
  uint16_t state = 0;
  uint16_t reserved = 0;
  uint32_t older = 0;         // the node bound before it that waits in the same state, 0: none
};
static_assert(sizeof(MergedNode) == 16);

}  // namespace cep
