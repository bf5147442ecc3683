// Lints of a rule: what is legal and seldom meant, and what will cost (language_rules, section 8).
// Invariant: only for rules without errors; a lint is silenced by `-- weir:allow CODE reason` before the statement.
// Threads: pure function.
#pragma once

#include "patterns/checker.h"

namespace patterns {

// `program` is the compiled rule.
void lint_rule(const CheckedRule& rule, const cep::Program& program, Diagnostics& diagnostics);

// Its parts: the shape of the pattern as written, the conditions, the windows, and what the rule costs or never answers.
void lint_pattern(const CheckedRule& rule, const cep::Program& program, Diagnostics& diagnostics);
void lint_conditions(const CheckedRule& rule, Diagnostics& diagnostics);
void lint_windows(const CheckedRule& rule, Diagnostics& diagnostics);
void lint_cost(const CheckedRule& rule, const cep::Program& program, Diagnostics& diagnostics);

}  // namespace patterns
