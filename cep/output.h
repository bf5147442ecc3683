// From a complete match (or a `when` rule's hit, or an episode) to an alert: suppression, measures, message, evidence and the
// deterministic id (R31-R40, R72).
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
  bool keeps_folded = false;             // what `suppress` folds is appended all the same, marked as such (R37)
  std::vector<Alert>* alerts = nullptr;
};

// A match or an episode about to become an alert.
struct Finding {
  AlertKind kind = AlertKind::kMatch;
  uint32_t held = 0;                     // BlockEditor::held index of the last event's node
  TimeUs time = 0;
  uint64_t folded = 0;                   // matches that an episode counted without listing them
  Truncated truncated;                   // known before `time`
  TimeUs partial_since = kTimeMin;       // the same
  std::vector<Evidence> evidence;        // of an episode of a `when` rule
};

// Folds the finding into a suppression window, or appends its alert.
void emit(BlockEditor& block, const OutputScope& scope, Finding finding);
// The latest of what the rule's windows are partial since, as they stood when the match began.
TimeUs partial_since(const MatchScope& scope, TimeUs began);
// Folds the match into a suppression window, or appends its alert. `time`: of the completing event or the deadline.
void emit_match(BlockEditor& block, const OutputScope& scope, const Match& match, TimeUs time);
// The same for a `when` rule whose test held for `event`. `evidence` lists its windows as they stand; asked only for an alert.
void emit_hit(BlockEditor& block, const OutputScope& scope, const MatchEvent& event,
              const std::function<std::vector<Evidence>()>& evidence);

// The id of an alert whose time, kind, key and events are set (R72); byte-exact in state/FORMAT.md. `sources`: RuleSet::sources.
AlertId alert_id(const Alert& alert, std::span<const std::string> sources = {});

}  // namespace cep
