// What an expression of a rule is worth, straight from the tree and the whole history of a key: the half of the reference matcher that
// looks at values. Nothing is cached, shared or incremental: a window reads every event that was ever released.
// Written from the rules of the language alone (R41-R53, R57, R60); shares with the engine the tree, schemas and cep::compare.
// Invariant: pure; whoever owns rule, rows and history keeps them. Threads: one owner.
#pragma once

#include <cstddef>
#include <map>
#include <string>
#include <vector>

#include "cep/schema.h"
#include "cep/value.h"
#include "patterns/ast.h"

namespace support {

inline constexpr size_t kNoEvent = static_cast<size_t>(-1);

struct ReferenceRow {           // an event as it came
  cep::SchemaPtr schema;
  cep::TimeUs time = 0;
  uint64_t position = 0;
  std::vector<cep::Value> fields;   // by column of the schema
};

struct ReferenceEvent {         // an event of a key, by one input; R8: a stream that `on` names twice gives two, in that order
  const ReferenceRow* row = nullptr;
  size_t input = 0;
  cep::TimeUs time() const { return row->time; }
};

struct ReferenceBound {
  size_t variable = 0;
  size_t event = 0;             // index in the key's history
  auto operator<=>(const ReferenceBound&) const = default;
};

using ReferenceHistory = std::vector<ReferenceEvent>;
// Elements of lists; of a table of one column its rows, that column last.
using ReferenceLists = std::map<std::string, std::vector<std::vector<cep::Value>>>;

struct ReferenceNames {         // what names in the rule's expressions stand for
  std::vector<std::string> inputs;
  std::vector<std::string> variables;
  std::map<std::string, std::vector<size_t>> subsets;   // to variables
  bool stands_for(const std::string& name, size_t variable) const;
  const ReferenceLists* lists = nullptr;
  cep::DurationUs prev_horizon = 0;                     // R50
};

// Where an expression is asked.
struct ReferenceScope {
  const ReferenceNames* names = nullptr;
  const ReferenceHistory* history = nullptr;
  const std::vector<ReferenceBound>* bound = nullptr;
  const ReferenceEvent* event = nullptr;      // what a bare name means (R41)
  size_t under_test = kNoEvent;               // what `exclude current` leaves out and `prev` counts from
  size_t released = 0;                        // windows see history[0, released) (R48)
  cep::TimeUs now = 0;                        // the end of their span
  const ReferenceEvent* argument = nullptr;   // inside an aggregate over bound events: what `v.f` means
  const ReferenceEvent* tested = nullptr;     // inside a window: what `this.f` means
};

cep::Value reference_value(const patterns::Expr& expr, const ReferenceScope& scope);

}  // namespace support
