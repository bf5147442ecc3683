// Runs that nothing can tell apart. Where a rule is a plain sequence whose conditions look at the event alone, all its partial matches in
// one state await the same and go on together, so a key has one Run for each state however many they are. What they have bound is a
// compact shared graph, as in CORE's tECS (PVLDB 15(9), arXiv 2111.04635): a MergedNode is an event bound in a state; it continues the
// list of nodes that waited one state before, and is itself put in front of the list of its own state, which is never changed but by
// compaction. Hence an event costs the same however many partial matches live, and they are listed one by one only for output.
// Invariant: along a list rows and latest starts fall, so what is over is its end; of two nodes of a list the older continues what is
// older: an end of the same list, or a list that ended before, because `->` used it up or a NOT came.
// A merged run whose newest history is over is as if it were not there. Threads: pure functions on a block.
#pragma once

#include <vector>

#include "cep/block.h"
#include "cep/time_math.h"

namespace cep {

// When a history began is found by a walk over its events, for each node that is looked at: so many states are merged at most.
inline constexpr size_t kMergedStatesMax = 32;
// Whether runs of the program can be merged: states 1, 2, .. in a row, links `->` or `->>` and NOTs between them, `no skip`, `within`,
// nothing asked but of the event under test.
bool can_merge_runs(const Program& program);

inline bool is_over(const Program& program, TimeUs start, TimeUs now) { return add_saturating(start, program.within_us) <= now; }

// Bytes that the histories of a merged run have bound, in the stretch of time of the newest event and in the one before: Run::live.
// A stretch is a power of two of microseconds and at least `within` long, so what is not counted any more is over. It depends on events
// alone, not on when a heap was compacted, and so does the limit that is decided by it.
struct BoundBytes {
  uint32_t now = 0;
  uint32_t before = 0;        // at most kMax
  bool is_shared = false;     // with runs of later states: if the run ends, it may go on in them

  static constexpr uint32_t kMax = UINT32_MAX >> 1;
  static BoundBytes of(const Run& run) {
    const auto high = static_cast<uint32_t>(run.live >> 32);
    return {static_cast<uint32_t>(run.live), high & kMax, high > kMax};
  }
  uint64_t packed() const { return (uint64_t{is_shared} << 31 | before) << 32 | now; }
  uint64_t sum() const { return uint64_t{now} + before; }
  void add(const BoundBytes& other);      // saturating
};
// As they stand at `time`, no earlier than the run's newest event.
BoundBytes bound_bytes(BlockView block, const Program& program, const Run& run, TimeUs time);

// Whether a merged run has but one history, the usual thing.
bool has_one_history(BlockView block, const Run& run);

// The histories of a merged run that are not over at `now`. A copy: valid while no reference changes.
// Complexity: linear in the nodes that live to build, and each ends or begins some history; then in what is listed.
class Histories {
 public:
  Histories(BlockView block, const Program& program, const Run& run, TimeUs now);

  // How many; UINT64_MAX: as many or more.
  uint64_t count() const { return count_; }
  // Events of each.
  size_t depth() const { return layers_.size(); }
  // The first so many in R31 order: the nodes that bound their events, oldest first, depth() of each.
  std::vector<uint32_t> first(uint64_t max) const;

 private:
  struct Bound {
    uint32_t node = 0;
    uint32_t from = 0;        // in the layer below: [from, to) is what it continues, newest first
    uint32_t to = 0;
  };
  using Layer = std::vector<Bound>;   // newest first

  void collect(BlockView block, DurationUs span, const Run& run, TimeUs now);
  void count_all();
  void list(size_t layer, size_t at, uint64_t max, std::vector<uint32_t>& path, std::vector<uint32_t>& listed) const;

  std::vector<Layer> layers_;         // by state, from 1 on
  uint64_t count_ = 0;
};

// Partial matches that a run of the rule stands for: 1, or of a merged run how many are not over at `now`.
uint64_t count_partial(BlockView block, const BoundRule& rule, const Run& run, TimeUs now);

}  // namespace cep
