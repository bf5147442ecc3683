// Random cases: rules over the whole grammar of the language, and events that are likely to match them.
// Invariant: a case is a pure function of (seed, number); four cases in a row have the same rule and events of their own.
// Threads: pure functions.
#pragma once

#include "tests/compare/case.h"
#include "tests/compare/random.h"

namespace compare {

inline constexpr uint64_t kCasesPerRule = 4;

// What the events must know of a rule to match it now and then.
struct RulePlan {
  struct Want {
    char letter = 'a';                 // that `x` should have
    int stream = -1;                   // -1: any
  };
  std::string text;
  FeatureSet features;
  std::vector<Want> path;              // an order in which events may match
  Delays delays{};
  int streams = 1;                     // that the rule reads
};

RulePlan random_rule(uint64_t seed, uint64_t number);
Case random_case(const RulePlan& plan, uint64_t seed, uint64_t number);

}  // namespace compare
