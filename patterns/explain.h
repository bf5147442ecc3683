// A program as text: expressions, the dump of everything that decides matching (its fingerprint is of this text), and
// DOT. Invariant: the dump depends only on the program, never on addresses or the order of a hash table; equal dumps
// match alike. Threads: pure functions.
#pragma once

#include <string>

#include "cep/program.h"
#include "patterns/typed.h"

namespace patterns {

// An expression in the rule language; `event` is the schema of the event under test (null: of a key or match).
std::string expr_text(const cep::Program& program, cep::ExprId expr, const cep::StreamSchema* event);
std::string aggregate_text(const cep::Program& program, const cep::BoundAggregate& aggregate);
// "sum(amount) filter (where country <> 'US') over (last 1 day)".
std::string window_text(const cep::Program& program, const cep::Window& window, const Typed& asked);
// What a ring holds, whatever rule it is of: stream, key, predicate, argument, what is kept.
std::string ring_identity(const cep::Program& program, const cep::Ring& ring);
// "90 seconds": the greatest unit that leaves a whole number.
std::string duration_text(cep::DurationUs us);

// The automaton and all it asks, a line for each thing (Program::dump).
std::string dump_text(const cep::Program& program);
// The automaton for Graphviz (weir explain --output dot).
std::string compile_dot(const cep::Program& program);

}  // namespace patterns
