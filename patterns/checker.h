// Checks a rule: inputs, keys, the pattern, every expression, the alert. All problems at once, each once.
// Invariant: a CheckedRule is only good for compiling if the check added no error; it refers to the tree it was made
// of. Threads: pure function.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "patterns/ast.h"
#include "patterns/diagnostic.h"
#include "patterns/lower.h"
#include "patterns/scope.h"

namespace patterns {

// What a variable, an `until` or the test of a `when` rule asks.
struct CheckedCondition {
  TypedPtr expr;                 // null: fits every event
  std::vector<uint16_t> inputs;  // of these
};

struct CheckedMeasure {
  std::string name;
  TypedPtr expr;
};

struct CheckedMessage {
  std::vector<std::string> literals;  // one more than values
  std::vector<TypedPtr> values;
};

struct CheckedRule {
  const RuleDecl* decl = nullptr;
  RuleNames names;
  std::vector<TypedPtr> filters;             // by input; null: none
  std::vector<std::vector<TypedPtr>> key;    // by input, by key column
  std::optional<CorePattern> core;           // of a pattern rule
  std::vector<CheckedCondition> conditions;  // by core variable; of a `when` rule: one
  std::vector<uint16_t> last_inputs;         // whose event can be the last bound one
  std::vector<CheckedMeasure> measures;
  TypedPtr having;
  TypedPtr score;
  CheckedMessage message;
  cep::Severity severity = cep::Severity::kMedium;
  cep::Decision decision = cep::Decision::kNone;
  std::map<std::string, cep::Type> outputs;  // with `into`: what it has for the stream's columns, by name
  uint16_t skip_variable = cep::kNoVariable;
};

CheckedRule check_rule(const RuleDecl& rule, const Catalog& catalog, const SourceMap& sources,
                       Diagnostics& diagnostics);

}  // namespace patterns
