// Aggregates over windows (R48, R49, R51) and `prev` (R50).
#include <algorithm>

#include "cep/limits.h"
#include "patterns/checker_expr.h"

namespace patterns {
namespace {

using cep::AggregateKind;
using cep::ExprOp;

constexpr int64_t kWindowRowsMax = 100'000;
constexpr int64_t kPrevMax = 1'000;

// The expression of the event under test, as it stands inside a window's filter: its bare names are `this.name` there.
TypedPtr as_this(const TypedPtr& expr) {
  Typed made = *expr;
  if (made.op == ExprOp::kField) made.op = ExprOp::kThisField;
  for (TypedPtr& arg : made.args) arg = as_this(arg);
  return std::make_shared<Typed>(std::move(made));
}

}  // namespace

bool ExprChecker::window_is_there(const Expr& expr, const Scope& scope, AggregateKind kind) {
  const Over& over = *expr.over;
  if (!scope.windows) {
    diagnostics_.add(Code::kOverPlace, over.span);
    return false;
  }
  if (expr.star && kind != AggregateKind::kCount) {
    diagnostics_.add(Code::kArgumentCount, expr.name.span, {expr.name.text, "1 argument", "`*`"});
    return false;
  }
  if (!expr.star && expr.args.size() != 1) {
    diagnostics_.add(Code::kArgumentCount, expr.name.span, {expr.name.text, "1 argument", std::to_string(expr.args.size())});
    return false;
  }
  if (over.kind == OverKind::kRows && (over.rows < 1 || over.rows > kWindowRowsMax)) {
    diagnostics_.add(Code::kWindowRows, over.span, {std::to_string(over.rows), std::to_string(kWindowRowsMax)}).hint =
        "write a number between them, or a span of time";
    return false;
  }
  return true;
}

std::optional<uint16_t> ExprChecker::window_input(const Expr& expr, const Scope& scope) {
  const Over& over = *expr.over;
  if (over.input) {
    const int input = scope.names->find_input(over.input->text);
    if (input >= 0) return static_cast<uint16_t>(input);
    diagnostics_.add(Code::kUnknownInput, over.input->span, {over.input->text}).hint = "add it to `on`";
    return std::nullopt;
  }
  if (!scope.window_input && !scope.names->inputs.empty()) {
    diagnostics_.add(Code::kWindowInput, over.span).hint =
        "write `over (on " + scope.names->inputs[0].name + " last 1 hour)`";
  }
  return scope.window_input;
}

bool ExprChecker::window_keys(const Expr& expr, const Scope& scope, Typed& window) {
  const uint16_t input = window.window.input;
  Scope of_window;
  of_window.names = scope.names;
  of_window.place = Place::kFilter;
  of_window.bare = {input};
  Scope of_event = scope;
  of_event.windows = false;
  std::vector<TypedPtr> fields;
  std::vector<TypedWindowKey> keys;
  for (const WindowKey& key : expr.over->partition) {
    Expr same;
    same.kind = ExprKind::kName;
    same.span = key.field.span;
    same.name = key.field;
    fields.push_back(check(same, of_window));
    keys.push_back({key.field.text, fields.back()->type.type, check(key.value ? *key.value : same, of_event)});
    const ExprType& type = fields.back()->type;
    const ExprType& value = keys.back().value->type;
    if (fields.back()->is_error() || keys.back().value->is_error()) return false;
    if (!can_be_key(type)) {
      diagnostics_.add(Code::kKeyForm, key.field.span, {"a value of type " + describe(type)}).hint =
          "a key is text, int, decimal, ip or bool";
      return false;
    }
    if (value.kind == ExprType::Kind::kKnown && !same_values(type.type, value.type)) {
      diagnostics_.add(Code::kKeyType, key.field.span, {key.field.text, describe(type), describe(value)});
      return false;
    }
  }
  // A key column of the rule is asked for if its field must equal the same column of the event under test.
  const auto& columns = scope.names->key_fields;
  const auto names_column = [&](size_t column) {
    return std::any_of(keys.begin(), keys.end(), [&](const TypedWindowKey& key) {
      if (key.field != columns[input][column]) return false;
      if (key.value->op == ExprOp::kKeyPart) return key.value->offset == static_cast<int32_t>(column);
      return key.value->op == ExprOp::kField && std::all_of(scope.bare.begin(), scope.bare.end(), [&](uint16_t asked) {
        return columns[asked][column] == key.value->name;
      });
    });
  };
  bool has_rule_key = !scope.names->key.empty() && !scope.bare.empty();
  for (size_t c = 0; c < scope.names->key.size() && has_rule_key; ++c) has_rule_key = names_column(c);
  if (!has_rule_key) {
    window.window.other_key = std::move(keys);
    return true;
  }
  for (size_t i = 0; i < keys.size(); ++i) {
    const bool is_key = std::count(columns[input].begin(), columns[input].end(), keys[i].field) != 0;
    if (is_key) continue;
    const TypedPtr same = node(ExprOp::kEqual, fields[i]->span, ExprType::of(cep::TypeKind::kBool), {fields[i], as_this(keys[i].value)});
    TypedPtr& filter = window.window.filter;
    filter = filter ? node(ExprOp::kAnd, filter->span, ExprType::of(cep::TypeKind::kBool), {filter, same}) : same;
  }
  return true;
}

// over (all) keeps what costs the same however long the life is: no distinct values, no entries to look at again (R51).
bool ExprChecker::lifetime_is_there(const Expr& expr, const Typed& window) {
  const bool distinct = window.aggregate == AggregateKind::kCountDistinct;
  const bool scans = std::any_of(window.args.begin(), window.args.end(), [](const TypedPtr& arg) { return !is_event_only(*arg); }) ||
                     (window.window.filter && !is_event_only(*window.window.filter));
  if (!distinct && !scans) return true;
  diagnostics_.add(Code::kWindowAggregate, expr.over->span, {distinct ? "count(distinct ..)" : "a look at each event"}).hint =
      "`over (all)` keeps totals only: write `over (last 30 days)`";
  return false;
}

TypedPtr ExprChecker::window(const Expr& expr, const Scope& scope, AggregateKind kind) {
  if (!window_is_there(expr, scope, kind)) return error(expr.span);
  const std::optional<uint16_t> input = window_input(expr, scope);
  if (!input) return error(expr.span);
  Scope inside = scope;
  inside.place = Place::kWindow;
  inside.bare = {*input};
  inside.under_test = scope.bare;
  inside.windows = false;
  TypedPtr argument = expr.star ? nullptr : check(*expr.args[0], inside);
  TypedPtr filter = expr.filter ? check_condition(*expr.filter, inside) : nullptr;
  const ExprType type = aggregate_type(expr, kind, argument.get());
  if ((argument && argument->is_error()) || (filter && filter->is_error()) || type.is_error()) return error(expr.span);
  Operands args;
  if (argument) args.push_back(argument);
  auto made = std::make_shared<Typed>(*node(ExprOp::kWindow, expr.span, type, std::move(args)));
  made->aggregate = kind;
  TypedWindow& window = made->window;
  const Over& over = *expr.over;
  window.input = *input;
  window.extent = over.kind == OverKind::kAll ? TypedExtent::kAll : over.kind == OverKind::kRows ? TypedExtent::kRows : TypedExtent::kLast;
  window.span_us = over.kind == OverKind::kLast ? over.last.us : cep::Limits::key_idle_max_us;
  window.rows = static_cast<uint32_t>(over.rows);
  window.exclude_current = over.exclude_current;
  window.filter = filter;
  if (!window_keys(expr, scope, *made)) return error(expr.span);
  if (over.kind == OverKind::kAll && !lifetime_is_there(expr, *made)) return error(expr.span);
  if (window.filter) made->weight += window.filter->weight;
  return made;
}

std::optional<int64_t> ExprChecker::prev_offset(const Expr& expr) {
  if (expr.args.empty() || expr.args.size() > 2) {
    diagnostics_.add(Code::kArgumentCount, expr.name.span, {"prev", "1 to 2 arguments", std::to_string(expr.args.size())});
    return std::nullopt;
  }
  if (expr.args.size() == 1) return 1;
  const Expr& back = *expr.args[1];
  if (back.kind != ExprKind::kNumber || back.number.kind != NumberKind::kInt) {
    diagnostics_.add(Code::kNotConstant, back.span, {"how far `prev` looks back"});
    return std::nullopt;
  }
  const int64_t offset = back.number.int_value;
  if (offset >= 1 && offset <= kPrevMax) return offset;
  diagnostics_.add(Code::kArgumentType, back.span, {"prev", "a number from 1 to " + std::to_string(kPrevMax), std::to_string(offset)});
  return std::nullopt;
}

// A window of `offset` + 1 rows that is asked for its oldest: the event under test is the newest.
TypedPtr ExprChecker::prev(const Expr& expr, const Scope& scope) {
  const std::string_view mark = expr.over ? "over" : expr.filter ? "filter" : expr.distinct ? "distinct" : expr.star ? "*" : "";
  if (!mark.empty()) {
    diagnostics_.add(Code::kNotAggregate, expr.name.span, {"prev", mark});
    return error(expr.span);
  }
  if (!scope.windows || scope.at_deadline) {
    diagnostics_.add(Code::kPrevPlace, expr.name.span, {"prev"}).hint =
        scope.at_deadline ? "at a deadline no event is under test" : "it stands where a condition asks the event under test";
    return error(expr.span);
  }
  const std::optional<int64_t> offset = prev_offset(expr);
  if (!offset) return error(expr.span);
  if (!scope.window_input) {
    if (!scope.names->inputs.empty()) {
      diagnostics_.add(Code::kWindowInput, expr.name.span).hint =
          "`prev` is of one input: `... as " + scope.names->inputs[0].name + " where ...`";
    }
    return error(expr.span);
  }
  Scope inside = scope;
  inside.place = Place::kWindow;
  inside.bare = {*scope.window_input};
  inside.windows = false;
  TypedPtr argument = check(*expr.args[0], inside);
  if (argument->is_error()) return error(expr.span);
  if (!is_event_only(*argument)) {
    diagnostics_.add(Code::kArgumentType, argument->span, {"prev", "a field of the earlier event", "a value of a bound one"});
    return error(expr.span);
  }
  const ExprType type = argument->type;
  auto made = std::make_shared<Typed>(*node(ExprOp::kWindow, expr.span, type, {argument}));
  made->aggregate = AggregateKind::kLast;
  made->offset = static_cast<int32_t>(*offset);
  made->window.input = *scope.window_input;
  made->window.extent = TypedExtent::kPrev;
  made->window.span_us = scope.names->prev_horizon_us;
  made->window.rows = static_cast<uint32_t>(*offset) + 1;
  return made;
}

}  // namespace patterns
