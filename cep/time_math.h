// Arithmetic of event time at its ends: what lies beyond the greatest time is "never".
// Threads: pure functions.
#pragma once

#include "cep/types.h"

namespace cep {

inline TimeUs add_saturating(TimeUs time, DurationUs duration) {
  TimeUs sum;
  return __builtin_add_overflow(time, duration, &sum) ? kTimeMax : sum;
}

}  // namespace cep
