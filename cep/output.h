// From a complete match (or a `when` rule's hit) to an alert: suppression, measures, message, evidence and the deterministic id
// (R31-R40, R72).
// One thread; allocation is fine here, alerts are rare.
#pragma once

#include <functional>
#include <vector>

#include "cep/alert.h"
#include "cep/matcher.h"

namespace cep {

// Where alerts of the key under test go.
struct OutputScope {
  const MatchScope* match = nullptr;
  uint64_t key_hash = 0;
  uint64_t cause_position = 0;
  std::vector<Alert>* alerts = nullptr;
};

// Folds the match into a suppression window, or appends its alert. `time`: of the completing event or the deadline.
void emit_match(BlockEditor& block, const OutputScope& scope, const Match& match, TimeUs time);
// The same for a `when` rule whose test held for `event`. `evidence` lists its windows as they stand; asked only for an alert.
void emit_hit(BlockEditor& block, const OutputScope& scope, const MatchEvent& event,
              const std::function<std::vector<Evidence>()>& evidence);

// The id of an alert whose time, kind, key and events are set (R72); byte-exact in state/FORMAT.md.
AlertId alert_id(const Alert& alert);

}  // namespace cep
