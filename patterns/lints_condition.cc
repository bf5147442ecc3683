// Lints of conditions: what can never be true, or is unknown more often than its author thinks (R42, R43, R52, R53).
#include "patterns/lints.h"

#include <algorithm>
#include <map>

namespace patterns {
namespace {

using cep::ExprOp;

bool is_comparison(ExprOp op) { return op >= ExprOp::kEqual && op <= ExprOp::kGreaterEqual; }
bool is_null_constant(const Typed& expr) { return expr.is_constant() && expr.constant.view().is_null(); }

// Whether the value is null whenever what `unknown` picks is: operators and functions hand a null on, but for these.
template <class Unknown>
bool hands_null_on(const Typed& expr, const Unknown& unknown) {
  if (unknown(expr)) return true;
  switch (expr.op) {
    case ExprOp::kIsNull:
    case ExprOp::kCase:
    case ExprOp::kAnd:
    case ExprOp::kOr:
    case ExprOp::kBoundAggregate:
    case ExprOp::kWindow: return false;
    case ExprOp::kFunction:
      if (expr.function == cep::FunctionId::kCoalesce || expr.function == cep::FunctionId::kConcat ||
          expr.function == cep::FunctionId::kNullif) {
        return false;
      }
      break;
    case ExprOp::kIn: return hands_null_on(*expr.args[0], unknown);
    default: break;
  }
  return std::any_of(expr.args.begin(), expr.args.end(),
                     [&](const TypedPtr& arg) { return hands_null_on(*arg, unknown); });
}

// Whether a condition cannot be true while what `unknown` picks is null.
template <class Unknown>
bool needs_value(const Typed& condition, const Unknown& unknown) {
  const auto needs = [&](const TypedPtr& arg) { return needs_value(*arg, unknown); };
  if (condition.op == ExprOp::kAnd) return std::any_of(condition.args.begin(), condition.args.end(), needs);
  if (condition.op == ExprOp::kOr) return std::all_of(condition.args.begin(), condition.args.end(), needs);
  return hands_null_on(condition, unknown);
}

// Bounds that the conjuncts put on one column.
struct Range {
  cep::Value low, high;
  bool low_open = false;
  bool high_open = false;

  void at_least(const cep::Value& v, bool open) {
    const int order = low.is_null() ? -1 : cep::compare(low, v);
    if (order < 0) low_open = open;
    if (order == 0) low_open = low_open || open;
    if (order < 0) low = v;
  }
  void at_most(const cep::Value& v, bool open) {
    const int order = high.is_null() ? 1 : cep::compare(high, v);
    if (order > 0) high_open = open;
    if (order == 0) high_open = high_open || open;
    if (order > 0) high = v;
  }
  bool is_empty() const {
    if (low.is_null() || high.is_null()) return false;
    const int order = cep::compare(low, high);
    return order > 0 || (order == 0 && (low_open || high_open));
  }
};

ExprOp mirrored(ExprOp op) {
  switch (op) {
    case ExprOp::kLess: return ExprOp::kGreater;
    case ExprOp::kLessEqual: return ExprOp::kGreaterEqual;
    case ExprOp::kGreater: return ExprOp::kLess;
    case ExprOp::kGreaterEqual: return ExprOp::kLessEqual;
    default: return op;
  }
}

bool is_count(const Typed& expr) {
  return expr.op == ExprOp::kWindow &&
         (expr.aggregate == cep::AggregateKind::kCount || expr.aggregate == cep::AggregateKind::kCountDistinct);
}

// Whether an event in the one window is in the other, filters aside.
bool spans_same(const TypedWindow& a, const TypedWindow& b) {
  return a.input == b.input && a.extent == b.extent && a.span_us == b.span_us && a.rows == b.rows &&
         a.exclude_current == b.exclude_current && a.other_key.empty() && b.other_key.empty();
}

class ConditionLints {
 public:
  explicit ConditionLints(Diagnostics& diagnostics) : diagnostics_(diagnostics) {}

  void run(const TypedPtr& condition) {
    std::vector<TypedPtr> conjuncts;
    split_conjuncts(condition, conjuncts);
    ranges(conjuncts);
    guards(conjuncts);
    walk(*condition, [&](const Typed& part) { expression(part); });
    guards_.clear();
  }

  void expression(const Typed& part) {
    if (is_comparison(part.op)) comparison(part);
    if (part.op == ExprOp::kIn && (part.flags & cep::Expr::kNegated) != 0 &&
        std::any_of(part.args.begin() + 1, part.args.end(),
                    [](const TypedPtr& arg) { return is_null_constant(*arg); })) {
      diagnostics_.add(Code::kNeverTrue, part.span).hint = "`not in` with a null is never true: leave the null out";
    }
  }

 private:
  void comparison(const Typed& part) {
    const Typed& a = *part.args[0];
    const Typed& b = *part.args[1];
    if (is_null_constant(a) || is_null_constant(b)) {
      diagnostics_.add(Code::kNeverTrue, part.span).hint =
          part.op == ExprOp::kNotEqual ? "write `is not null`" : "write `is null`";
      return;
    }
    const bool equality = part.op == ExprOp::kEqual || part.op == ExprOp::kNotEqual;
    const auto kind = [](const Typed& t) { return t.type.type.kind; };
    if (equality && ((kind(a) == cep::TypeKind::kFloat && kind(b) == cep::TypeKind::kDecimal) ||
                     (kind(a) == cep::TypeKind::kDecimal && kind(b) == cep::TypeKind::kFloat))) {
      diagnostics_.add(Code::kFloatEq, part.span).hint = "write the constant as a float (`1e-1`), or ask for a range";
    }
    const bool greater = part.op == ExprOp::kGreater || part.op == ExprOp::kGreaterEqual;
    const bool less = part.op == ExprOp::kLess || part.op == ExprOp::kLessEqual;
    history(a, greater);
    history(b, less);
  }

  // A window that the event under test need not be in can be empty. A sum that must be large is as good as 0 then.
  void history(const Typed& operand, bool must_be_large) {
    const Typed* found = nullptr;
    hands_null_on(operand, [&](const Typed& part) {
      const bool counts = is_count(part) || (part.aggregate == cep::AggregateKind::kSum && must_be_large);
      const bool can_be_empty = part.window.exclude_current || part.window.filter;
      if (part.op == ExprOp::kWindow && !counts && can_be_empty && !is_guarded(part.window)) found = &part;
      return false;
    });
    if (found) {
      static constexpr std::string_view kNames[] = {"count",  "sum",   "avg",   "min", "max",
                                                    "stddev", "count", "first", "last"};
      diagnostics_.add(Code::kNullHistory, found->span, {kNames[static_cast<size_t>(found->aggregate)]}).hint =
          "say what then: `coalesce(.., 0)`";
    }
  }

  // Windows that the condition also asks to hold something: `count(*) over (..) >= 3 and ..`.
  void guards(const std::vector<TypedPtr>& conjuncts) {
    for (const TypedPtr& conjunct : conjuncts) {
      if (!is_comparison(conjunct->op)) continue;
      const bool swapped = conjunct->args[0]->is_constant();
      const Typed& count = *conjunct->args[swapped ? 1 : 0];
      const Typed& bound = *conjunct->args[swapped ? 0 : 1];
      if (!is_count(count) || !bound.is_constant() || !bound.constant.view().is_number()) continue;
      const ExprOp op = swapped ? mirrored(conjunct->op) : conjunct->op;
      const int order = cep::compare(bound.constant.view(), cep::Value::integer(0));
      const bool excludes_zero = ((op == ExprOp::kGreaterEqual || op == ExprOp::kEqual) && order > 0) ||
                                 (op == ExprOp::kGreater && order >= 0);
      if (excludes_zero) guards_.push_back(&count.window);
    }
  }

  bool is_guarded(const TypedWindow& window) const {
    return !window.filter &&
           std::any_of(guards_.begin(), guards_.end(), [&](const TypedWindow* guard) { return spans_same(*guard, window); });
  }

  void ranges(const std::vector<TypedPtr>& conjuncts) {
    std::map<std::string, Range> by_column;
    for (const TypedPtr& conjunct : conjuncts) {
      if (!is_comparison(conjunct->op) || conjunct->op == ExprOp::kNotEqual) continue;
      const bool swapped = conjunct->args[0]->is_constant();
      const Typed& column = *conjunct->args[swapped ? 1 : 0];
      const Typed& bound = *conjunct->args[swapped ? 0 : 1];
      if (column.op != ExprOp::kField || !bound.is_constant() || is_null_constant(bound)) continue;
      const ExprOp op = swapped ? mirrored(conjunct->op) : conjunct->op;
      Range& range = by_column[column.name];
      const bool was_empty = range.is_empty();
      const cep::Value value = bound.constant.view();
      if (op == ExprOp::kEqual || op == ExprOp::kGreater || op == ExprOp::kGreaterEqual)
        range.at_least(value, op == ExprOp::kGreater);
      if (op == ExprOp::kEqual || op == ExprOp::kLess || op == ExprOp::kLessEqual)
        range.at_most(value, op == ExprOp::kLess);
      if (!was_empty && range.is_empty())
        diagnostics_.add(Code::kNeverTrue, conjunct->span).hint = "it contradicts what stands before it";
    }
  }

  Diagnostics& diagnostics_;
  std::vector<const TypedWindow*> guards_;
};

}  // namespace

void lint_conditions(const CheckedRule& rule, Diagnostics& diagnostics) {
  ConditionLints lints(diagnostics);
  for (const TypedPtr& filter : rule.filters) {
    if (filter) lints.run(filter);
  }
  for (size_t v = 0; v < rule.conditions.size(); ++v) {
    const TypedPtr& condition = rule.conditions[v].expr;
    if (!condition) continue;
    lints.run(condition);
    if (rule.names.is_when || rule.core->variables[v].until || !rule.core->variables[v].bound) continue;
    const Typed* own = nullptr;
    const bool never_starts = needs_value(*condition, [&](const Typed& part) {
      const bool is_own = part.op == ExprOp::kBoundField && part.variable == v;
      if (is_own && !own) own = &part;
      return is_own;
    });
    if (!never_starts) continue;
    const std::string field = rule.names.variables[v].name + "." + own->name;
    diagnostics.add(Code::kNeverStarts, own->span, {field}).hint = "write `" + field + " is null or ...`";
  }
  if (rule.having) lints.run(rule.having);
  for (const CheckedMeasure& measure : rule.measures)
    walk(*measure.expr, [&](const Typed& part) { lints.expression(part); });
}

}  // namespace patterns
