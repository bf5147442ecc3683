// Checks the subsets of a rule: names for the events of several variables (SQL:2016), which conditions, measures and `having` may
// use as they use a variable (R28). Threads: pure function.
#pragma once

#include "patterns/checker.h"

namespace patterns {

// Adds them to the names behind the variables, whose inputs are known by now, and to the core pattern.
void check_subsets(const RuleDecl& rule, Diagnostics& diagnostics, CheckedRule& out);

}  // namespace patterns
