// From positions and drafted edges to the numbered states of a program: starts, ends, absences, untils, and the limits.
// Position p is state p + 1; state 0 has nothing bound.
#pragma once

#include <optional>

#include "patterns/lower.h"
#include "patterns/road.h"

namespace patterns {

struct Draft {
  CorePattern core;                 // variables and clocks; states to be made
  std::vector<uint16_t> positions;  // variable of each position
  std::vector<DraftEdge> edges;
};

// `whole` is the pattern's fragment. Empty after an error.
std::optional<CorePattern> make_automaton(Draft draft, const Fragment& whole, const PatternClause& pattern,
                                          Diagnostics& diagnostics);

}  // namespace patterns
