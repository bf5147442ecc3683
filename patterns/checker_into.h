// `into` (R76): whether the alerts of a rule can be events of the stream it names, and whether the rules of a catalogue that fill streams
// come to an end. Threads: pure functions.
#pragma once

#include <string>
#include <vector>

#include "patterns/checker.h"

namespace patterns {

inline constexpr size_t kHopsMax = 4;  // streams `from rules` behind each other

// The stream must be `from rules`; what the rule has for a column must be of its type, and never null for a `not null` one.
void check_into(const Name& into, Diagnostics& diagnostics, CheckedRule& out);

// A rule with `into` of the text under compilation.
struct IntoClause {
  std::string rule;
  Span span;
};
// No alert may come back to its own rule, nor go over more than kHopsMax streams. What is wrong is said at one of `clauses`: the rest
// of the catalogue was right before them.
void check_hops(const Catalog& catalog, const std::vector<IntoClause>& clauses, Diagnostics& diagnostics);
// The rules that fill the stream must have the types of its new columns.
void check_feeders(const cep::StreamSchema& stream, const Span& span, const Catalog& catalog, Diagnostics& diagnostics);

}  // namespace patterns
