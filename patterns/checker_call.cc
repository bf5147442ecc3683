// Calls: functions, aggregates over bound events (R42, R44), aggregates over windows (R48).
#include "patterns/checker_expr.h"

#include <algorithm>
#include <array>

#include "cep/parse.h"
#include "patterns/callables.h"

namespace patterns {
namespace {

using cep::AggregateKind;
using cep::ExprOp;
using cep::TypeKind;

struct AggregateName {
  std::string_view name;
  AggregateKind kind;
};
constexpr AggregateName kAggregates[] = {
    {"count", AggregateKind::kCount}, {"sum", AggregateKind::kSum},   {"avg", AggregateKind::kAvg},
    {"min", AggregateKind::kMin},     {"max", AggregateKind::kMax},   {"stddev", AggregateKind::kStddev},
    {"first", AggregateKind::kFirst}, {"last", AggregateKind::kLast},
};
const std::vector<std::string> kUnits = {"second", "minute", "hour", "day", "week", "month", "quarter", "year"};

std::optional<AggregateKind> find_aggregate(const Expr& call) {
  for (const AggregateName& aggregate : kAggregates) {
    if (aggregate.name != call.name.text) continue;
    return call.distinct && aggregate.kind == AggregateKind::kCount ? AggregateKind::kCountDistinct : aggregate.kind;
  }
  return std::nullopt;
}

// "1 argument", "2 to 3 arguments", "1 or more arguments".
std::string count_text(size_t min, size_t max) {
  const auto plural = [](size_t n) { return n == 1 ? " argument" : " arguments"; };
  if (min == max) return std::to_string(min) + plural(min);
  if (max == SIZE_MAX) return std::to_string(min) + " or more arguments";
  return std::to_string(min) + " to " + std::to_string(max) + " arguments";
}

// Letters of FunctionInfo::arguments without their marks.
struct Signature {
  std::string letters;
  size_t min = 0;
  size_t max = 0;
  char letter(size_t i) const { return letters[std::min(i, letters.size() - 1)]; }
};

Signature signature_of(std::string_view arguments) {
  Signature s;
  bool optional = false;
  bool repeats = false;
  for (const char c : arguments) {
    if (c == '?') {
      optional = true;
    } else if (c == '*') {
      repeats = true;
    } else {
      s.letters += c;
      s.min += optional ? 0 : 1;
    }
  }
  s.max = repeats ? SIZE_MAX : s.letters.size();
  return s;
}

// Where bare names are fields of the bound events of a variable.
Scope of_bound_events(Scope scope, uint16_t variable) {
  scope.place = Place::kAggregate;
  scope.aggregate = variable;
  scope.windows = false;
  return scope;
}

}  // namespace

std::vector<std::string> callable_names() {
  std::vector<std::string> names;
  for (const AggregateName& aggregate : kAggregates) names.emplace_back(aggregate.name);
  for (const cep::FunctionInfo& info : cep::functions()) names.emplace_back(info.name);
  names.emplace_back("prev");
  return names;
}

TypedPtr ExprChecker::call(const Expr& expr, const Scope& scope) {
  if (expr.name.text == "prev") return prev(expr, scope);
  const std::optional<AggregateKind> aggregate = find_aggregate(expr);
  if (!aggregate) return function(expr, scope);
  if (expr.distinct && *aggregate != AggregateKind::kCountDistinct) {
    diagnostics_.add(Code::kDistinctCount, expr.name.span, {expr.name.text}).hint = "leave `distinct` out, or count what is distinct";
    return error(expr.span);
  }
  if (expr.over) return window(expr, scope, *aggregate);
  return bound_aggregate(expr, scope, *aggregate);
}

TypedPtr ExprChecker::function(const Expr& expr, const Scope& scope) {
  Operands args;
  for (const ExprPtr& arg : expr.args) args.push_back(check(*arg, scope));
  const cep::FunctionInfo* info = cep::find_function(expr.name.text);
  if (!info) {
    diagnostics_.add(Code::kUnknownFunction, expr.name.span, {expr.name.text}).hint = function_meant(expr.name.text);
    return error(expr.span);
  }
  const std::string_view mark = expr.over       ? "over"
                                : expr.filter   ? "filter"
                                : expr.distinct ? "distinct"
                                : expr.star     ? "*"
                                                : "";
  if (!mark.empty()) {
    diagnostics_.add(Code::kNotAggregate, expr.name.span, {expr.name.text, mark});
    return error(expr.span);
  }
  if (!function_arguments(expr, *info, args)) return error(expr.span);
  ExprType type;
  switch (info->result) {
    case cep::ResultRule::kBool: type = ExprType::of(TypeKind::kBool); break;
    case cep::ResultRule::kInt: type = ExprType::of(TypeKind::kInt); break;
    case cep::ResultRule::kFloat: type = ExprType::of(TypeKind::kFloat); break;
    case cep::ResultRule::kText: type = ExprType::of(TypeKind::kText); break;
    case cep::ResultRule::kTimestamp: type = ExprType::of(TypeKind::kTimestamp); break;
    case cep::ResultRule::kIp: type = ExprType::of(TypeKind::kIp); break;
    case cep::ResultRule::kFirstArgument: type = args[0]->type; break;
    case cep::ResultRule::kCommonType:
      type = ExprType::null();
      for (const TypedPtr& arg : args) type = common_type(type, arg->type).value_or(ExprType::error());
      break;
  }
  auto made = std::make_shared<Typed>(*node(ExprOp::kFunction, expr.span, type, std::move(args)));
  made->function = info->id;
  made->name = expr.name.text;
  return made;
}

bool ExprChecker::function_arguments(const Expr& expr, const cep::FunctionInfo& info, const Operands& args) {
  const Signature signature = signature_of(info.arguments);
  if (args.size() < signature.min || args.size() > signature.max) {
    diagnostics_.add(Code::kArgumentCount, expr.name.span,
                     {info.name, count_text(signature.min, signature.max), std::to_string(args.size())})
        .hint = "write `" + usage(info) + "`";
    return false;
  }
  bool fine = true;
  ExprType common = ExprType::null();
  for (size_t i = 0; i < args.size(); ++i) {
    const char letter = signature.letter(i);
    if (letter != 'c') {
      fine = function_argument(expr, info, letter, *args[i]) && fine;
      continue;
    }
    const std::optional<ExprType> next = common_type(common, args[i]->type);
    if (!next) {
      diagnostics_.add(Code::kTypeClash, args[i]->span, {describe(args[i]->type), describe(common), info.name}).hint =
          "all of them have one type";
      return false;
    }
    common = *next;
  }
  return fine;
}

bool ExprChecker::function_argument(const Expr& expr, const cep::FunctionInfo& info, char letter, const Typed& arg) {
  const bool constant = letter == 'k' || letter == 'z' || letter == 'u';
  const bool fits = letter == 'n'                    ? arg.type.fits_number()
                    : letter == 'i' || letter == 'k' ? arg.type.fits(TypeKind::kInt)
                    : letter == 'T'                  ? arg.type.fits(TypeKind::kTimestamp)
                    : letter == 'a'                  ? arg.type.fits(TypeKind::kIp)
                                                     : arg.type.fits(TypeKind::kText);
  if (!fits) {
    diagnostics_.add(Code::kArgumentType, arg.span, {info.name, letter_text(letter), describe(arg.type)}).hint =
        letter == 't' ? "write `cast(... as text)`" : "write `" + usage(info) + "`";
    return false;
  }
  if (arg.is_error()) return true;
  if (constant && (!arg.is_constant() || arg.type.is_null())) {
    diagnostics_.add(Code::kNotConstant, arg.span, {std::string(letter_text(letter)) + " of `" + expr.name.text + "`"});
    return false;
  }
  const cep::Value value = arg.is_constant() ? arg.constant.view() : cep::Value();
  if (letter == 'z' && !cep::is_known_zone(value.text())) {
    diagnostics_.add(Code::kBadZone, arg.span, {value.text()}).hint = "write it like 'Europe/Berlin'";
    return false;
  }
  if (letter == 'u' && !std::count(kUnits.begin(), kUnits.end(), value.text())) {
    diagnostics_.add(Code::kUnknownWord, arg.span, {value.text(), "unit"}).hint = did_you_mean(value.text(), kUnits);
    return false;
  }
  cep::Cidr network;
  if (info.id == cep::FunctionId::kInCidr && letter == 't' && !value.is_null() &&
      !cep::parse_cidr(value.text(), &network)) {
    diagnostics_.add(Code::kArgumentType, arg.span, {info.name, "a network like '10.0.0.0/8'", "this text"});
    return false;
  }
  return true;
}

ExprType ExprChecker::aggregate_type(const Expr& expr, AggregateKind kind, const Typed* argument) {
  if (kind == AggregateKind::kCount || kind == AggregateKind::kCountDistinct) return ExprType::of(TypeKind::kInt);
  if (!argument || argument->is_error()) return ExprType::error();
  const TypeKind of = argument->type.type.kind;
  const bool number = argument->type.fits_number();
  const bool duration = argument->type.fits(TypeKind::kDuration);
  const bool time = argument->type.fits(TypeKind::kTimestamp);
  bool fits = number;
  if (kind == AggregateKind::kSum || kind == AggregateKind::kAvg) fits = number || duration;
  if (kind == AggregateKind::kMin || kind == AggregateKind::kMax) {
    fits = number || duration || time || of == TypeKind::kText;
  }
  if (kind == AggregateKind::kFirst || kind == AggregateKind::kLast) fits = true;
  if (!fits) {
    diagnostics_.add(Code::kArgumentType, argument->span, {expr.name.text, "a number", describe(argument->type)}).hint =
        "count different ones with `count(distinct ...)`";
    return ExprType::error();
  }
  if (kind == AggregateKind::kStddev || (kind == AggregateKind::kAvg && of != TypeKind::kDuration)) {
    return ExprType::of(TypeKind::kFloat);
  }
  if (kind == AggregateKind::kSum && of == TypeKind::kDecimal) {
    return ExprType::of(cep::Type{TypeKind::kDecimal, 38, argument->type.type.scale});
  }
  return argument->type;
}

// The variable whose fields an aggregate's argument reads; reports what else it does.
uint16_t ExprChecker::aggregated_variable(const Expr& expr, const Scope& scope) {
  const Name* found = nullptr;
  const Name* bare = nullptr;
  const auto look = [&](const Expr& part, const auto& self) -> void {
    if (part.kind == ExprKind::kName) {
      if (part.qualifier && !found) found = &*part.qualifier;
      if (!part.qualifier && !bare) bare = &part.name;
    }
    for_each_part(part, [&](const Expr& below) { self(below, self); });
  };
  look(*expr.args[0], look);
  if (found) return use_variable(*found, scope, false);
  const std::string call(sources_.text(expr.span));
  Diagnostic& it = diagnostics_.add(Code::kWhichEvents, expr.name.span, {call});
  if (scope.names->is_when) {
    it.hint = "write `" + call + " over (last 1 hour)`";
  } else if (bare) {
    it.hint = "of a variable: `" + expr.name.text + "(v." + bare->text + ")`, or of a window: `over (last 1 hour)`";
  }
  return cep::kNoVariable;
}

TypedPtr ExprChecker::count_variable(const Expr& expr, const Scope& scope, AggregateKind kind) {
  Typed made;
  made.op = ExprOp::kBoundAggregate;
  made.span = expr.span;
  made.type = ExprType::of(TypeKind::kInt);
  made.aggregate = kind;
  made.variable = cep::kAllVariables;
  if (!expr.star) made.variable = use_variable(expr.args[0]->name, scope, false);
  if (made.variable == cep::kNoVariable) return error(expr.span);
  if (expr.filter) {
    if (expr.star) {
      diagnostics_.add(Code::kWhichEvents, expr.name.span, {std::string(sources_.text(expr.span))}).hint =
          "of a variable: `count(v) filter (where v.field ...)`, or of a window: `over (last 1 hour)`";
      return error(expr.span);
    }
    made.window.filter = check_condition(*expr.filter, of_bound_events(scope, made.variable));
    if (made.window.filter->is_error()) return error(expr.span);
    made.weight += made.window.filter->weight;
  }
  if (expr.star && (scope.place == Place::kFilter || scope.place == Place::kWindow || scope.place == Place::kKey)) {
    diagnostics_.add(Code::kOverPlace, expr.span);
    return error(expr.span);
  }
  if (expr.star && scope.at_head) {
    diagnostics_.add(Code::kHeadNotNames, expr.span, {"count(*)"});
    return error(expr.span);
  }
  return std::make_shared<Typed>(std::move(made));
}

// kind(argument) over the bound events of the variable, those that the filter lets through.
TypedPtr ExprChecker::aggregate_of(const Expr& expr, const Scope& scope, AggregateKind kind, uint16_t variable) {
  const Scope inside = of_bound_events(scope, variable);
  const TypedPtr argument = check(*expr.args[0], inside);
  const TypedPtr filter = expr.filter ? check_condition(*expr.filter, inside) : nullptr;
  const ExprType type = aggregate_type(expr, kind, argument.get());
  if (argument->is_error() || type.is_error() || (filter && filter->is_error())) return error(expr.span);
  auto made = std::make_shared<Typed>(*node(ExprOp::kBoundAggregate, expr.span, type, {argument}));
  made->aggregate = kind;
  made->variable = variable;
  made->window.filter = filter;
  if (filter) made->weight += filter->weight;
  return made;
}

TypedPtr ExprChecker::bound_aggregate(const Expr& expr, const Scope& scope, AggregateKind kind) {
  if (expr.star && kind != AggregateKind::kCount) {
    diagnostics_.add(Code::kArgumentCount, expr.name.span, {expr.name.text, "1 argument", "`*`"});
    return error(expr.span);
  }
  if (expr.star && scope.names->is_when) {
    diagnostics_.add(Code::kWhichEvents, expr.name.span, {"count(*)"}).hint = "write `count(*) over (last 1 hour)`";
    return error(expr.span);
  }
  if (scope.place == Place::kAggregate) {
    diagnostics_.add(Code::kAggregateMix, expr.span).hint = "an aggregate of an aggregate is none";
    return error(expr.span);
  }
  if (kind == AggregateKind::kFirst || kind == AggregateKind::kLast) return first_or_last(expr, scope, kind);
  if (!expr.star && expr.args.size() != 1) {
    diagnostics_.add(Code::kArgumentCount, expr.name.span,
                     {expr.name.text, "1 argument", std::to_string(expr.args.size())});
    return error(expr.span);
  }
  const bool of_variable = !expr.star && kind == AggregateKind::kCount && expr.args[0]->kind == ExprKind::kName &&
                           !expr.args[0]->qualifier &&
                           scope.names->find_variable(expr.args[0]->name.text) != cep::kNoVariable;
  if (expr.star || of_variable) return count_variable(expr, scope, kind);
  const uint16_t variable = aggregated_variable(expr, scope);
  return variable == cep::kNoVariable ? error(expr.span) : aggregate_of(expr, scope, kind, variable);
}

TypedPtr ExprChecker::first_or_last(const Expr& expr, const Scope& scope, AggregateKind kind) {
  if (expr.args.empty() || expr.args.size() > 2) {
    diagnostics_.add(Code::kArgumentCount, expr.name.span,
                     {expr.name.text, "1 to 2 arguments", std::to_string(expr.args.size())});
    return error(expr.span);
  }
  const Expr& of = *expr.args[0];
  if (of.kind == ExprKind::kError) return error(expr.span);
  int64_t offset = 0;
  if (expr.args.size() == 2) {
    const Expr& back = *expr.args[1];
    if (back.kind != ExprKind::kNumber || back.number.kind != NumberKind::kInt || back.number.int_value > INT32_MAX) {
      diagnostics_.add(Code::kNotConstant, back.span, {"the offset of `" + expr.name.text + "`"});
      return error(expr.span);
    }
    offset = back.number.int_value;
  }
  if (of.kind == ExprKind::kName && of.qualifier && !expr.filter) {
    return bound_field(of, scope, static_cast<int32_t>(offset), kind == AggregateKind::kFirst);
  }
  const uint16_t variable = aggregated_variable(expr, scope);
  if (variable == cep::kNoVariable) return error(expr.span);
  const TypedPtr made = aggregate_of(expr, scope, kind, variable);
  if (made->is_error()) return made;
  Typed with_offset = *made;
  with_offset.offset = static_cast<int32_t>(offset);
  return std::make_shared<Typed>(std::move(with_offset));
}

}  // namespace patterns
