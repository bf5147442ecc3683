// The alert clause: words, score, and the names in the message.
#pragma once

#include "patterns/checker.h"
#include "patterns/checker_expr.h"

namespace patterns {

// Fills severity, decision, score and message of `out`; `match` is the scope of the finished match.
void check_alert(const AlertClause& alert, const SourceMap& sources, const Scope& match, ExprChecker& expressions,
                 Diagnostics& diagnostics, CheckedRule& out);

}  // namespace patterns
