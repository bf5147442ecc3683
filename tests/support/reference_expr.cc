#include "tests/support/reference_expr.h"

#include <algorithm>
#include <cmath>
#include <optional>

#include "cep/result.h"

namespace support {
namespace {

using cep::Int128;
using cep::Value;
using cep::ValueKind;
using patterns::Expr;
using patterns::ExprKind;
using patterns::Op;
using Scope = ReferenceScope;

Value eval(const Expr& expr, const Scope& scope) { return reference_value(expr, scope); }

// --- Three-valued logic (R52)

Value not3(const Value& a) { return a.is_null() ? a : Value::boolean(!a.is_true()); }
Value and3(const Value& a, const Value& b) {
  if ((!a.is_null() && !a.is_true()) || (!b.is_null() && !b.is_true())) return Value::boolean(false);
  return a.is_null() || b.is_null() ? Value::null() : Value::boolean(true);
}
Value or3(const Value& a, const Value& b) { return not3(and3(not3(a), not3(b))); }

Value compared(Op op, const Value& a, const Value& b) {
  if (a.is_null() || b.is_null()) return Value::null();
  const int order = cep::compare(a, b);
  switch (op) {
    case Op::kEq: return Value::boolean(order == 0);
    case Op::kNe: return Value::boolean(order != 0);
    case Op::kLt: return Value::boolean(order < 0);
    case Op::kLe: return Value::boolean(order <= 0);
    case Op::kGt: return Value::boolean(order > 0);
    default: return Value::boolean(order >= 0);
  }
}

// --- Numbers (R53)

Int128 ten_to(int n) { return n == 0 ? 1 : 10 * ten_to(n - 1); }
// Both parts are below 2^53 in what is compared, so the division rounds once.
double to_double(const Value& v) {
  if (v.kind == ValueKind::kFloat) return v.real;
  return static_cast<double>(v.number) / static_cast<double>(ten_to(v.kind == ValueKind::kDecimal ? v.scale : 0));
}
Int128 at_scale(const Value& v, int scale) { return v.number * ten_to(scale - v.scale); }
Value exact(Int128 number, int scale, bool decimal) {
  return decimal ? Value::decimal(number, static_cast<uint8_t>(scale)) : Value::integer(number);
}
Value finite(double d) { return std::isfinite(d) ? Value::floating(d) : Value::null(); }

Value times(Op op, const Value& a, const Value& b) {
  const bool instant = a.kind == ValueKind::kTimestamp || b.kind == ValueKind::kTimestamp;
  const bool both = a.kind == ValueKind::kTimestamp && b.kind == ValueKind::kTimestamp;
  const Int128 us = op == Op::kAdd ? a.number + b.number : a.number - b.number;
  return instant && !both ? Value::timestamp(static_cast<cep::TimeUs>(us)) : Value::duration(static_cast<cep::DurationUs>(us));
}

Value arithmetic(Op op, const Value& a, const Value& b) {
  if (a.is_null() || b.is_null()) return Value::null();
  if (!a.is_number() || !b.is_number()) return times(op, a, b);
  const bool real = a.kind == ValueKind::kFloat || b.kind == ValueKind::kFloat;
  if (op == Op::kDiv) return to_double(b) == 0 ? Value::null() : finite(to_double(a) / to_double(b));   // never truncates
  if (real) {
    const double x = to_double(a);
    const double y = to_double(b);
    return finite(op == Op::kAdd ? x + y : op == Op::kSub ? x - y : x * y);
  }
  const bool decimal = a.kind == ValueKind::kDecimal || b.kind == ValueKind::kDecimal;
  if (op == Op::kMul) return exact(a.number * b.number, a.scale + b.scale, decimal);
  const int scale = std::max(a.scale, b.scale);
  const Int128 x = at_scale(a, scale);
  const Int128 y = at_scale(b, scale);
  return exact(op == Op::kAdd ? x + y : x - y, scale, decimal);
}

Value binary(const Expr& expr, const Scope& scope) {
  const Value a = eval(*expr.args[0], scope);
  const Value b = eval(*expr.args[1], scope);
  switch (expr.op) {
    case Op::kAnd: return and3(a, b);
    case Op::kOr: return or3(a, b);
    case Op::kEq:
    case Op::kNe:
    case Op::kLt:
    case Op::kLe:
    case Op::kGt:
    case Op::kGe: return compared(expr.op, a, b);
    default: return arithmetic(expr.op, a, b);
  }
}

// R57: whole value, case-sensitive.
bool like(std::string_view text, std::string_view pattern) {
  if (pattern.empty()) return text.empty();
  if (pattern[0] == '%') return like(text, pattern.substr(1)) || (!text.empty() && like(text.substr(1), pattern));
  return !text.empty() && (pattern[0] == '_' || pattern[0] == text[0]) && like(text.substr(1), pattern.substr(1));
}

// --- Names (R41, R44)

Value field(const ReferenceEvent* event, const std::string& name) {
  if (event == nullptr) return Value::null();
  const int column = event->row->schema->column_index(name);
  WEIR_CHECK(column >= 0, "the reference knows the field");
  return event->row->fields[static_cast<size_t>(column)];
}

// Events bound so far to a variable or to one of a subset, in the order of binding.
std::vector<const ReferenceEvent*> bound_to(const std::string& name, const Scope& scope) {
  std::vector<const ReferenceEvent*> events;
  for (const ReferenceBound& one : *scope.bound) {
    if (scope.names->stands_for(name, one.variable)) events.push_back(&(*scope.history)[one.event]);
  }
  return events;
}

Value named(const Expr& expr, const Scope& scope) {
  if (!expr.qualifier) return field(scope.event, expr.name.text);
  const std::string& qualifier = expr.qualifier->text;
  if (qualifier == "this") return field(scope.tested, expr.name.text);
  if (std::find(scope.names->inputs.begin(), scope.names->inputs.end(), qualifier) != scope.names->inputs.end()) {
    return field(scope.event, expr.name.text);
  }
  if (scope.argument != nullptr) return field(scope.argument, expr.name.text);
  const auto events = bound_to(qualifier, scope);
  return events.empty() ? Value::null() : field(events.back(), expr.name.text);
}

// --- Aggregates over bound events and over windows (R42, R46-R48, R51)

bool is_aggregate(const std::string& name) {
  for (const char* const one : {"count", "sum", "avg", "min", "max", "stddev", "first", "last"}) {
    if (name == one) return true;
  }
  return false;
}

// Numbers as whole multiples of 10^-scale; floats of 10^-9 (R47).
Value summed(const std::string& name, const std::vector<Value>& values) {
  const bool real = values[0].kind == ValueKind::kFloat;
  const int scale = real ? 9 : values[0].scale;
  Int128 sum = 0;
  Int128 squares = 0;
  for (const Value& v : values) {
    const Int128 n = real ? static_cast<Int128>(std::llround(v.real * 1e9)) : v.number;
    sum += n;
    squares += n * n;
  }
  const auto n = static_cast<Int128>(values.size());
  if (name == "sum") {
    if (real) return Value::floating(static_cast<double>(sum) / 1e9);
    return exact(sum, scale, values[0].kind == ValueKind::kDecimal);
  }
  if (name == "avg") return Value::floating(static_cast<double>(sum) / static_cast<double>(n * ten_to(scale)));
  if (n < 2) return Value::null();
  const double variance = static_cast<double>(n * squares - sum * sum) / static_cast<double>(n * (n - 1));
  return Value::floating(std::sqrt(variance) / static_cast<double>(ten_to(scale)));
}

Value aggregated(const Expr& call, std::vector<Value> values) {
  const std::string& name = call.name.text;
  if (name == "first" || name == "last") {      // R44: of an event, hence null if its field is
    const Int128 back = call.args.size() > 1 ? call.args[1]->number.int_value : 0;
    if (static_cast<Int128>(values.size()) <= back) return Value::null();
    return name == "first" ? values[static_cast<size_t>(back)] : values[values.size() - 1 - static_cast<size_t>(back)];
  }
  std::erase_if(values, [](const Value& v) { return v.is_null(); });
  if (call.distinct) {
    const auto less = [](const Value& a, const Value& b) { return cep::compare(a, b) < 0; };
    const auto same = [](const Value& a, const Value& b) { return cep::compare(a, b) == 0; };
    std::sort(values.begin(), values.end(), less);
    values.erase(std::unique(values.begin(), values.end(), same), values.end());
  }
  if (name == "count") return Value::integer(static_cast<Int128>(values.size()));
  if (values.empty()) return Value::null();
  if (name != "min" && name != "max") return summed(name, values);
  Value best = values[0];
  for (const Value& v : values) {
    if (name == "min" ? cep::compare(v, best) < 0 : cep::compare(v, best) > 0) best = v;
  }
  return best;
}

const Expr* first_qualified(const Expr& expr) {
  if (expr.kind == ExprKind::kName && expr.qualifier) return &expr;
  const Expr* found = nullptr;
  patterns::for_each_part(expr, [&](const Expr& part) {
    if (found == nullptr) found = first_qualified(part);
  });
  return found;
}

Value over_bound(const Expr& call, const Scope& scope) {
  std::vector<Value> values;
  if (call.star) {
    values.resize(scope.bound->size(), Value::boolean(true));
    return aggregated(call, std::move(values));
  }
  const Expr& argument = *call.args[0];
  const bool of_events = argument.kind == ExprKind::kName && !argument.qualifier;      // count(v)
  const Expr* qualified = of_events ? nullptr : first_qualified(argument);
  WEIR_CHECK(of_events || qualified != nullptr, "an aggregate names its variable");
  for (const ReferenceEvent* event : bound_to(of_events ? argument.name.text : qualified->qualifier->text, scope)) {
    Scope inner = scope;
    inner.argument = event;
    if (call.filter && !eval(*call.filter, inner).is_true()) continue;
    values.push_back(of_events ? Value::boolean(true) : eval(argument, inner));
  }
  return aggregated(call, std::move(values));
}

Value over_window(const Expr& call, const Scope& scope) {
  const patterns::Over& over = *call.over;
  size_t input = 0;
  while (over.input && scope.names->inputs[input] != over.input->text) ++input;
  std::vector<size_t> frame;
  for (size_t i = 0; i < scope.released; ++i) {
    const ReferenceEvent& event = (*scope.history)[i];
    const bool inside = over.kind != patterns::OverKind::kLast || event.time() > scope.now - over.last.us;
    if (event.input == input && inside) frame.push_back(i);
  }
  const auto rows = static_cast<size_t>(over.rows);
  if (over.kind == patterns::OverKind::kRows && frame.size() > rows) frame.erase(frame.begin(), frame.end() - over.rows);
  const ReferenceRow* current = scope.under_test == kNoEvent ? nullptr : (*scope.history)[scope.under_test].row;
  if (over.exclude_current) std::erase_if(frame, [&](size_t i) { return (*scope.history)[i].row == current; });
  std::vector<Value> values;
  for (const size_t i : frame) {
    Scope inner = scope;
    inner.tested = scope.event;
    inner.event = &(*scope.history)[i];
    if (call.filter && !eval(*call.filter, inner).is_true()) continue;
    values.push_back(call.star ? Value::boolean(true) : eval(*call.args[0], inner));
  }
  return aggregated(call, std::move(values));
}

// R50: the n-th earlier event of the same source, if it is within the horizon.
Value prev(const Expr& call, const Scope& scope) {
  if (scope.under_test == kNoEvent) return Value::null();
  const ReferenceEvent& event = (*scope.history)[scope.under_test];
  int64_t n = call.args.size() > 1 ? call.args[1]->number.int_value : 1;
  for (size_t i = scope.under_test; i-- > 0;) {
    const ReferenceEvent& earlier = (*scope.history)[i];
    if (earlier.input != event.input || --n > 0) continue;
    if (event.time() - earlier.time() >= scope.names->prev_horizon) return Value::null();
    return field(&earlier, call.args[0]->name.text);
  }
  return Value::null();
}

// --- Functions and the rest

Value function(const Expr& call, const Scope& scope) {
  std::vector<Value> args;
  for (const auto& arg : call.args) args.push_back(eval(*arg, scope));
  const std::string& name = call.name.text;
  if (name == "coalesce") {
    for (const Value& v : args) {
      if (!v.is_null()) return v;
    }
    return Value::null();
  }
  for (const Value& v : args) {
    if (v.is_null()) return v;
  }
  const bool negative = args[0].is_number() && cep::compare(args[0], Value::integer(0)) < 0;
  if (name == "abs") return negative ? arithmetic(Op::kMul, args[0], Value::integer(-1)) : args[0];
  if (name == "length") {                       // code points
    const std::string_view text = args[0].text();
    return Value::integer(std::count_if(text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xc0) != 0x80; }));
  }
  const bool least = name == "least";
  WEIR_CHECK(least || name == "greatest", "the reference knows the function");
  Value best = args[0];
  for (const Value& v : args) {
    if (least ? cep::compare(v, best) < 0 : cep::compare(v, best) > 0) best = v;
  }
  return best;
}

Value call(const Expr& expr, const Scope& scope) {
  if (expr.over) return over_window(expr, scope);
  if (is_aggregate(expr.name.text)) return over_bound(expr, scope);
  return expr.name.text == "prev" ? prev(expr, scope) : function(expr, scope);
}

Value in_values(const Expr& expr, const Scope& scope) {
  const Value v = eval(*expr.args[0], scope);
  Value found = Value::boolean(false);
  for (size_t i = 1; i < expr.args.size(); ++i) found = or3(found, compared(Op::kEq, v, eval(*expr.args[i], scope)));
  return found;
}

Value in_list(const Expr& expr, const Scope& scope) {
  std::vector<Value> element;
  if (expr.args[0]->kind == ExprKind::kTuple) {
    for (const auto& part : expr.args[0]->args) element.push_back(eval(*part, scope));
  } else {
    element.push_back(eval(*expr.args[0], scope));
  }
  for (const Value& v : element) {
    if (v.is_null()) return v;
  }
  const auto equal = [](const Value& a, const Value& b) { return cep::compare(a, b) == 0; };
  for (const auto& known : scope.names->lists->at(expr.name.text)) {
    if (std::equal(element.begin(), element.end(), known.begin(), known.end(), equal)) return Value::boolean(true);
  }
  return Value::boolean(false);
}

Value look_up(const Expr& expr, const Scope& scope) {
  std::vector<Value> key;
  for (const auto& part : expr.args) key.push_back(eval(*part, scope));
  for (const Value& v : key) {
    if (v.is_null()) return v;
  }
  const auto equal = [](const Value& a, const Value& b) { return cep::compare(a, b) == 0; };
  for (const auto& row : scope.names->lists->at(expr.qualifier->text)) {
    if (std::equal(key.begin(), key.end(), row.begin(), row.end() - 1, equal)) return row.back();
  }
  return Value::null();
}

Value case_value(const Expr& expr, const Scope& scope) {
  for (const patterns::CaseArm& arm : expr.arms) {
    const Value when = eval(*arm.when, scope);
    const Value test = expr.operand ? compared(Op::kEq, eval(*expr.operand, scope), when) : when;
    if (test.is_true()) return eval(*arm.then, scope);
  }
  return expr.otherwise ? eval(*expr.otherwise, scope) : Value::null();
}

Value number(const patterns::Number& n) {
  if (n.kind == patterns::NumberKind::kFloat) return Value::floating(n.float_value);
  return exact(n.int_value, n.scale, n.kind == patterns::NumberKind::kDecimal);
}

Value unary(const Expr& expr, const Scope& scope) {
  const Value a = eval(*expr.args[0], scope);
  if (expr.op == Op::kNot) return not3(a);
  return expr.op == Op::kPlus ? a : arithmetic(Op::kMul, a, Value::integer(-1));
}

Value predicate(const Expr& expr, const Scope& scope) {
  switch (expr.kind) {
    case ExprKind::kIn: return in_values(expr, scope);
    case ExprKind::kInList: return in_list(expr, scope);
    case ExprKind::kIsNull: return Value::boolean(eval(*expr.args[0], scope).is_null());
    case ExprKind::kBetween: {
      const Value v = eval(*expr.args[0], scope);
      return and3(compared(Op::kGe, v, eval(*expr.args[1], scope)), compared(Op::kLe, v, eval(*expr.args[2], scope)));
    }
    default: {
      const Value v = eval(*expr.args[0], scope);
      const Value pattern = eval(*expr.args[1], scope);
      return v.is_null() || pattern.is_null() ? Value::null() : Value::boolean(like(v.text(), pattern.text()));
    }
  }
}

}  // namespace

bool ReferenceNames::stands_for(const std::string& name, size_t variable) const {
  const auto subset = subsets.find(name);
  if (subset == subsets.end()) return variables[variable] == name;
  return std::find(subset->second.begin(), subset->second.end(), variable) != subset->second.end();
}

cep::Value reference_value(const Expr& expr, const Scope& scope) {
  switch (expr.kind) {
    case ExprKind::kNull: return Value::null();
    case ExprKind::kBool: return Value::boolean(expr.flag);
    case ExprKind::kNumber: return number(expr.number);
    case ExprKind::kText: return Value::string(expr.text);
    case ExprKind::kDuration: return Value::duration(expr.duration.us);
    case ExprKind::kName: return named(expr, scope);
    case ExprKind::kCall: return call(expr, scope);
    case ExprKind::kCase: return case_value(expr, scope);
    case ExprKind::kLookup: return look_up(expr, scope);
    case ExprKind::kUnary: return unary(expr, scope);
    case ExprKind::kBinary: return binary(expr, scope);
    case ExprKind::kIn:
    case ExprKind::kInList:
    case ExprKind::kIsNull:
    case ExprKind::kBetween:
    case ExprKind::kLike: return expr.negated ? not3(predicate(expr, scope)) : predicate(expr, scope);
    default: break;
  }
  WEIR_CHECK(false, "the reference knows the expression");
  return Value::null();
}

}  // namespace support
