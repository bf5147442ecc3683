// What becomes of the complete matches of a key: skip strategies, episodes and suppression (R29-R34). Part of the reference matcher.
// Invariant: pure. Threads: one owner.
#pragma once

#include <compare>
#include <tuple>
#include <vector>

#include "tests/support/reference_matcher.h"

namespace support {

// When something happens: timers come before the events of their instant (R61), and what dies with an event, or with an absence that
// is complete, dies after it.
struct ReferenceMoment {
  cep::TimeUs time = 0;
  bool at_event = false;
  size_t event = 0;
  bool after = false;
  auto operator<=>(const ReferenceMoment&) const = default;
};

struct ReferenceMatch {
  ReferenceMoment moment;
  std::vector<ReferenceBound> bound;
  std::vector<size_t> places;          // of its events: one for both inputs of an event that came by two
  uint64_t folded = 0;
  cep::TimeUs time = 0;                // of its alert: of an episode, when it ends
  // R31: the order of matches.
  auto order() const {
    std::vector<size_t> variables;
    for (const ReferenceBound& one : bound) variables.push_back(one.variable);
    return std::tuple(moment, places[0], ~bound.size(), places, variables);
  }
};

// Those of `matches` (in R31 order) that are alerts. `ends`: by start event, when its last run is gone.
std::vector<ReferenceMatch> reference_output(const Reference& rule, const ReferenceHistory& history, std::vector<ReferenceMatch> matches,
                                             const std::vector<ReferenceMoment>& ends, cep::TimeUs watermark);

}  // namespace support
