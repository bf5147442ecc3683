// What a `when` rule asks of its windows first: how many events one holds, or their sum, against a number. Where such a comparison is
// false the rule's test is, and most events end there, without the interpreter.
// Invariant: a gate is closed only where the test is not true. Plain data; making one reads the program only.
#pragma once

#include <span>
#include <vector>

#include "cep/program.h"

namespace cep {

struct WindowGate {
  uint32_t ring = 0;                        // in Timeline::rings
  uint32_t window = 0;                      // of the extents of its shape
  WindowExtent extent;
  bool sums = false;                        // what is compared: the sum of the values, else the number of events
  Int128 least = 0;                         // the comparison is true from here on

  // By what the window has now. Sums that may be beyond their type are left to the interpreter, which counts them.
  bool is_open(uint64_t count, uint64_t non_null, Int128 sum) const {
    if (!sums) return static_cast<Int128>(count) >= least;
    return (non_null > 0 && sum >= least) || sum >= kSumTrusted || sum <= -kSumTrusted;
  }

 private:
  static constexpr Int128 kSumTrusted = Int128{1} << 56;
};

// The comparisons that the rule's test begins with, as far as they are gates. `ring`: Program::rings -> Timeline::rings.
std::vector<WindowGate> gates_of(const Program& program, std::span<const uint32_t> ring);

}  // namespace cep
