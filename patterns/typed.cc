#include "patterns/typed.h"

#include <algorithm>

namespace patterns {

bool is_event_only(const Typed& expr) {
  switch (expr.op) {
    case cep::ExprOp::kThisField:
    case cep::ExprOp::kBoundField:
    case cep::ExprOp::kBoundAggregate:
    case cep::ExprOp::kWindow:
    case cep::ExprOp::kKeyPart: return false;
    default: break;
  }
  return std::all_of(expr.args.begin(), expr.args.end(), [](const TypedPtr& arg) { return is_event_only(*arg); });
}

void split_conjuncts(const TypedPtr& condition, std::vector<TypedPtr>& conjuncts) {
  if (condition->op != cep::ExprOp::kAnd) {
    conjuncts.push_back(condition);
    return;
  }
  for (const TypedPtr& arg : condition->args) split_conjuncts(arg, conjuncts);
}

}  // namespace patterns
