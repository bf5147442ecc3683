// Lowering: the pattern of a rule, unrolled, as the states and edges of its automaton (Glushkov's positions).
// `{n,m}` becomes copies, a group's copies have positions of their own, sugar is gone; conditions are not looked at, so
// variables are numbers with names. Every road between two positions is one edge; equal roads are one (R15).
// Complexity: states * edges per state, both limited (kStatesMax, kRoadsMax).
// Threads: pure function.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "cep/program.h"
#include "patterns/ast.h"
#include "patterns/diagnostic.h"

namespace patterns {

inline constexpr uint32_t kStatesMax = 2'000;
inline constexpr uint32_t kRoadsMax = 63;       // edges + untils of a state; the 64th bit is the matcher's
inline constexpr uint32_t kVariablesMax = 32;   // with a name
inline constexpr uint32_t kConditionsMax = 64;  // named variables, untils and subsets
inline constexpr uint32_t kGroupClocksMax = 16;

struct CoreVariable {
  std::string name;             // of an until: "until#1", which no rule can write
  Span span;                    // where it first stands
  bool bound = false;           // stands outside NOT somewhere
  bool negated = false;         // stands under NOT somewhere
  const Expr* until = nullptr;  // the condition of an `until`
};

struct CorePattern {
  std::vector<CoreVariable> variables;
  std::vector<cep::State> states;
  std::vector<cep::HeadNot> head_nots;
  std::vector<cep::GroupClock> clocks;
  std::vector<uint64_t> subsets;    // the checker's: members of each, one bit a variable; numbered behind the variables
  bool can_be_empty = false;
  bool completes_at_event = false;  // some match completes when an event is bound
  bool completes_at_deadline = false;

  // Number of the variable of that name, or kNoVariable.
  uint16_t find(const std::string& name) const;
};

// Empty if the pattern cannot be lowered; the diagnostics say why.
std::optional<CorePattern> lower_pattern(const PatternClause& pattern, Diagnostics& diagnostics);

// Which variables are bound when a run is in a state, by state, one bit a variable or subset. The state's own variable is in.
struct Bindings {
  std::vector<uint64_t> may;
  std::vector<uint64_t> must;
};
Bindings bindings_of(const CorePattern& core);

}  // namespace patterns
