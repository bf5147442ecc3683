// What the names of an expression mean at the place where it stands (R41).
// Threads: plain values of one compilation.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "patterns/catalog.h"
#include "patterns/typed.h"

namespace patterns {

struct ScopeInput {
  std::string name;
  cep::SchemaPtr schema;  // null: the stream is unknown and has its diagnostic
};

struct ScopeVariable {
  std::string name;
  bool bound = false;            // stands outside NOT somewhere
  std::vector<uint16_t> inputs;  // whose events it can bind
  uint64_t members = 0;          // of a subset: its variables, one bit each
};

struct ScopeKey {
  std::string name;
  ExprType type;
};

// The names of a rule: the same for all its expressions.
struct RuleNames {
  std::vector<ScopeInput> inputs;
  std::vector<ScopeVariable> variables;  // numbered as in the core pattern; the subsets behind them
  std::vector<ScopeKey> key;
  std::vector<std::vector<std::string>> key_fields;  // by input, by key column: its field; empty: computed
  cep::DurationUs prev_horizon_us = 30 * cep::kDay;  // how far `prev` looks back: `within` if there is one (R50)
  const Catalog* catalog = nullptr;
  bool variables_unsure = false;  // the pattern could not be read: do not speak of unknown variables
  bool key_unsure = false;        // the key could not be read: do not speak of unknown names that may be in it
  bool is_when = false;

  uint16_t find_variable(const std::string& name) const;
  int find_input(const std::string& name) const;
  std::vector<std::string> input_names() const;
  std::vector<std::string> variable_names() const;  // without untils
};

enum class Place : uint8_t { kFilter, kKey, kDefine, kUntil, kWhen, kMatch, kWindow, kAggregate };

// The names at one place.
struct Scope {
  const RuleNames* names = nullptr;
  Place place = Place::kDefine;
  std::vector<uint16_t> bare;             // inputs whose event may be under test
  bool windows = false;                   // `over` may stand here
  std::optional<uint16_t> window_input;   // the input of an `over` without `on`
  std::vector<uint16_t> under_test;       // Place::kWindow: inputs whose event `this` may be; empty: no `this` here
  bool at_deadline = false;               // Place::kMatch: the match may complete when no event is under test
  uint64_t may = ~uint64_t{0};            // variables bound on some road to this place
  uint64_t must = ~uint64_t{0};           // on every road
  bool at_head = false;                   // of a NOT at the head: nothing is bound (R24)
  uint16_t own = cep::kNoVariable;        // whose condition this is
  uint16_t aggregate = cep::kNoVariable;  // Place::kAggregate: the variable whose fields are meant
};

}  // namespace patterns
