// The columns of a rule's key (R1, R58): collected per input, one type each.
#pragma once

#include "patterns/checker.h"
#include "patterns/checker_expr.h"

namespace patterns {

// Fills names.key and key of `out`, whose inputs are known.
void check_key(const RuleDecl& rule, ExprChecker& expressions, Diagnostics& diagnostics, CheckedRule& out);

}  // namespace patterns
