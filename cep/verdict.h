// What the rules say of one event at the moment when it came (R37): the answer to a decision.
// Made by Engine::decide from copies of the event's keys, so that asking changes nothing. Plain data.
#pragma once

#include <vector>

#include "cep/alert.h"

namespace cep {

struct Verdict {
  // What completes on the event, in order of (time, rule, key, R31): also what `suppress` folds, and what shadow rules find. An absence
  // whose deadline the event is past, and what alerts become as events, do not complete on it.
  std::vector<Alert> alerts;
  bool is_final = true;          // released at once in every timeline of its stream: its alerts are these
  bool is_late = false;          // for some timeline; there it was looked at as if it came at the watermark
  bool is_refused = false;       // for some timeline, because too many rows wait before it (Limits::peek_rows_max)
};

}  // namespace cep
