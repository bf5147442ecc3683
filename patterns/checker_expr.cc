#include "patterns/checker_expr.h"

#include <algorithm>

#include "cep/arithmetic.h"
#include "cep/parse.h"
#include "patterns/declarations.h"

namespace patterns {
namespace {

using cep::ExprOp;
using cep::TypeKind;

constexpr uint32_t kWeightMax = 20'000;  // nodes an expression may have once `between` and `case x` are written out

ExprOp operation(Op op) {
  switch (op) {
    case Op::kOr: return ExprOp::kOr;
    case Op::kAnd: return ExprOp::kAnd;
    case Op::kNot: return ExprOp::kNot;
    case Op::kEq: return ExprOp::kEqual;
    case Op::kNe: return ExprOp::kNotEqual;
    case Op::kLt: return ExprOp::kLess;
    case Op::kLe: return ExprOp::kLessEqual;
    case Op::kGt: return ExprOp::kGreater;
    case Op::kGe: return ExprOp::kGreaterEqual;
    case Op::kConcat: return ExprOp::kConcat;
    case Op::kAdd: return ExprOp::kAdd;
    case Op::kSub: return ExprOp::kSubtract;
    case Op::kMul: return ExprOp::kMultiply;
    case Op::kDiv: return ExprOp::kDivide;
    case Op::kMod: return ExprOp::kModulo;
    case Op::kNegate:
    case Op::kPlus: break;
  }
  return ExprOp::kNegate;
}

// What was probably meant by two values whose types do not go together.
std::string clash_hint(const Typed& a, const Typed& b) {
  const auto either = [&](TypeKind kind) { return a.type.type.kind == kind || b.type.type.kind == kind; };
  const Typed& text = a.type.type.kind == TypeKind::kText ? a : b;
  const Typed& other = &text == &a ? b : a;
  const TypeKind kind = other.type.type.kind;
  if (either(TypeKind::kText) && text.is_constant() && kind != TypeKind::kText) {
    if (kind == TypeKind::kTimestamp) return "write `timestamp '2026-01-31T12:00:00Z'`";
    if (kind == TypeKind::kIp) return "write `cast('...' as ip)`, or `in_cidr(...)` for a network";
    if (kind == TypeKind::kDuration) return "write a length of time: `5 minutes`";
    return "write the value without quotes";
  }
  if (either(TypeKind::kText) && other.is_constant()) return "write the value in quotes: '...'";
  if (either(TypeKind::kText)) return "nothing becomes a text by itself: write `cast(... as ...)`";
  if (either(TypeKind::kDuration)) return "write a length of time: `300 seconds`";
  if (either(TypeKind::kTimestamp)) return "from a time take a time or a length of time: `at - first(a.at) < 5 minutes`";
  return either(TypeKind::kBool) ? "a bool is a condition by itself: `flag`, `not flag`" : "";
}

bool is_comparison(Op op) { return op >= Op::kEq && op <= Op::kGe; }

}  // namespace

TypedPtr ExprChecker::error(const Span& span) {
  Typed made;
  made.span = span;
  return std::make_shared<Typed>(std::move(made));
}

TypedPtr ExprChecker::constant(const Span& span, const cep::Value& value, ExprType type) {
  Typed made;
  made.span = span;
  made.type = type;
  made.constant = cep::OwnedValue(value);
  return std::make_shared<Typed>(std::move(made));
}

TypedPtr ExprChecker::node(ExprOp op, const Span& span, ExprType type, Operands args, uint8_t flags) {
  Typed made;
  made.op = op;
  made.flags = flags;
  made.type = type;
  made.span = span;
  for (const TypedPtr& arg : args) made.weight += arg->weight;
  if (made.weight > kWeightMax) {
    diagnostics_.add(Code::kExprNodes, span, {std::to_string(kWeightMax)});
    return error(span);
  }
  made.args = std::move(args);
  return std::make_shared<Typed>(std::move(made));
}

TypedPtr ExprChecker::clash(const Span& span, std::string_view symbol, const Typed& a, const Typed& b) {
  Diagnostic& it = diagnostics_.add(Code::kTypeClash, span, {describe(a.type), describe(b.type), symbol});
  if (!a.type.is_null() && !b.type.is_null()) it.hint = clash_hint(a, b);
  return error(join(a.span, b.span));
}

bool ExprChecker::require(const Typed& expr, TypeKind kind, std::string_view symbol, const Span& at) {
  if (expr.type.fits(kind)) return true;
  diagnostics_.add(Code::kTypeClash, at, {describe(expr.type), cep::type_name({kind, 0, 0}), symbol});
  return false;
}

TypedPtr ExprChecker::check_condition(const Expr& expr, const Scope& scope) {
  TypedPtr checked = check(expr, scope);
  if (checked->type.fits(TypeKind::kBool)) return checked;
  Diagnostic& it = diagnostics_.add(Code::kNotCondition, expr.span, {describe(checked->type)});
  if (expr.kind == ExprKind::kName) it.hint = "compare it with something, or ask `is not null`";
  return error(expr.span);
}

TypedPtr ExprChecker::check(const Expr& expr, const Scope& scope) {
  switch (expr.kind) {
    case ExprKind::kError: return error(expr.span);
    case ExprKind::kNull: return constant(expr.span, {}, ExprType::null());
    case ExprKind::kBool: return constant(expr.span, cep::Value::boolean(expr.flag), ExprType::of(TypeKind::kBool));
    case ExprKind::kNumber: {
      const Number& n = expr.number;
      if (n.kind == NumberKind::kInt)
        return constant(expr.span, cep::Value::integer(n.int_value), ExprType::of(TypeKind::kInt));
      if (n.kind == NumberKind::kFloat) {
        return constant(expr.span, cep::Value::floating(n.float_value), ExprType::of(TypeKind::kFloat));
      }
      return constant(expr.span, cep::Value::decimal(n.int_value, n.scale),
                      ExprType::of(cep::Type{TypeKind::kDecimal, n.precision, n.scale}));
    }
    case ExprKind::kText: return constant(expr.span, cep::Value::string(expr.text), ExprType::of(TypeKind::kText));
    case ExprKind::kDuration:
      return constant(expr.span, cep::Value::duration(expr.duration.us), ExprType::of(TypeKind::kDuration));
    case ExprKind::kTimestamp: return timestamp(expr);
    case ExprKind::kName: return name(expr, scope);
    case ExprKind::kCall: return call(expr, scope);
    case ExprKind::kCase: return case_when(expr, scope);
    case ExprKind::kCast: return cast(expr, scope);
    case ExprKind::kTuple: return error(expr.span);  // the parser spoke of it, or in_list took it apart
    case ExprKind::kUnary: return unary(expr, scope);
    case ExprKind::kBinary: return binary(expr, scope);
    case ExprKind::kIn: return in_values(expr, scope);
    case ExprKind::kInList: return in_list(expr, scope);
    case ExprKind::kBetween: return between(expr, scope);
    case ExprKind::kLike:
    case ExprKind::kMatches: return text_match(expr, scope);
    case ExprKind::kIsNull: {
      TypedPtr operand = check(*expr.args[0], scope);
      return node(ExprOp::kIsNull, expr.span, ExprType::of(TypeKind::kBool), {operand},
                  expr.negated ? cep::Expr::kNegated : uint8_t{0});
    }
    case ExprKind::kLookup: return look_up(expr, scope);
  }
  return error(expr.span);
}

TypedPtr ExprChecker::timestamp(const Expr& expr) {
  const cep::Result<cep::TimeUs> time =
      expr.flag ? cep::time_from_epoch_ms(expr.text) : cep::parse_time(expr.text, "UTC");
  if (!time.ok()) {
    diagnostics_.add(Code::kBadTimestamp, expr.span, {expr.text}).hint =
        "write it like `timestamp '2026-01-31T12:00:00Z'`";
    return error(expr.span);
  }
  return constant(expr.span, cep::Value::timestamp(*time), ExprType::of(TypeKind::kTimestamp));
}

TypedPtr ExprChecker::unary(const Expr& expr, const Scope& scope) {
  TypedPtr operand = check(*expr.args[0], scope);
  if (expr.op == Op::kNot) {
    if (!require(*operand, TypeKind::kBool, "not", operand->span)) return error(expr.span);
    return node(ExprOp::kNot, expr.span, ExprType::of(TypeKind::kBool), {operand});
  }
  if (operand->is_error()) return operand;
  const bool has_sign = operand->type.fits_number() || operand->type.type.kind == TypeKind::kDuration;
  if (!has_sign) {
    diagnostics_.add(Code::kTypeClash, operand->span, {describe(operand->type), "a sign", symbol(expr.op)});
    return error(expr.span);
  }
  if (expr.op == Op::kPlus) return operand;
  if (!operand->is_constant()) return node(ExprOp::kNegate, expr.span, operand->type, {operand});
  cep::Value value = operand->constant.view();
  if (value.kind == cep::ValueKind::kFloat) {
    value.real = -value.real;
  } else if (!value.is_null()) {
    value.number = -value.number;
  }
  return constant(expr.span, value, operand->type);
}

TypedPtr ExprChecker::logic(const Expr& expr, const Scope& scope) {
  TypedPtr a = check_condition(*expr.args[0], scope);
  TypedPtr b = check_condition(*expr.args[1], scope);
  return node(operation(expr.op), expr.span, ExprType::of(TypeKind::kBool), {a, b});
}

TypedPtr ExprChecker::binary(const Expr& expr, const Scope& scope) {
  if (expr.op == Op::kAnd || expr.op == Op::kOr) return logic(expr, scope);
  TypedPtr a = check(*expr.args[0], scope);
  TypedPtr b = check(*expr.args[1], scope);
  if (is_comparison(expr.op)) return compare(operation(expr.op), symbol(expr.op), expr.op_span, expr.span, a, b);
  if (a->is_error() || b->is_error()) return error(expr.span);
  if (expr.op == Op::kConcat) {
    if (!a->type.fits(TypeKind::kText) || !b->type.fits(TypeKind::kText)) return clash(expr.op_span, "||", *a, *b);
    return node(ExprOp::kConcat, expr.span, ExprType::of(TypeKind::kText), {a, b});
  }
  const std::optional<ExprType> type = arithmetic_type(expr.op, a->type, b->type);
  if (!type) return clash(expr.op_span, symbol(expr.op), *a, *b);
  return node(operation(expr.op), expr.span, *type, {a, b});
}

TypedPtr ExprChecker::compare(ExprOp op, std::string_view symbol, const Span& at, const Span& span, TypedPtr a,
                              TypedPtr b) {
  const bool ordered = op != ExprOp::kEqual && op != ExprOp::kNotEqual;
  if (a->is_error() || b->is_error()) {
    return node(op, span, ExprType::of(TypeKind::kBool), {a, b});  // a condition all the same, so nothing cascades
  }
  if (!comparable(a->type, b->type, ordered)) {
    clash(at, symbol, *a, *b);
    return error(span);
  }
  return node(op, span, ExprType::of(TypeKind::kBool), {a, b});
}

TypedPtr ExprChecker::between(const Expr& expr, const Scope& scope) {
  TypedPtr value = check(*expr.args[0], scope);
  TypedPtr low = check(*expr.args[1], scope);
  TypedPtr high = check(*expr.args[2], scope);
  TypedPtr above = compare(ExprOp::kGreaterEqual, "between", low->span, join(value->span, low->span), value, low);
  TypedPtr below = compare(ExprOp::kLessEqual, "between", high->span, join(value->span, high->span), value, high);
  TypedPtr both = node(ExprOp::kAnd, expr.span, ExprType::of(TypeKind::kBool), {above, below});
  return expr.negated ? node(ExprOp::kNot, expr.span, ExprType::of(TypeKind::kBool), {both}) : both;
}

TypedPtr ExprChecker::in_values(const Expr& expr, const Scope& scope) {
  Operands args;
  for (const ExprPtr& arg : expr.args) args.push_back(check(*arg, scope));
  for (size_t i = 1; i < args.size(); ++i) {
    if (!comparable(args[0]->type, args[i]->type, false)) {
      clash(args[i]->span, "in", *args[0], *args[i]);
      return error(expr.span);
    }
  }
  return node(ExprOp::kIn, expr.span, ExprType::of(TypeKind::kBool), std::move(args),
              expr.negated ? cep::Expr::kNegated : uint8_t{0});
}

const DatasetDeclaration* ExprChecker::dataset(const Name& name, bool is_table, const Scope& scope) {
  const auto& all = scope.names->catalog->datasets;
  const auto found = all.find(name.text);
  if (found != all.end() && found->second.is_table == is_table) return &found->second;
  Diagnostic& it = diagnostics_.add(is_table ? Code::kUnknownTable : Code::kUnknownList, name.span, {name.text});
  if (found != all.end()) {
    it.hint = is_table ? "`" + name.text + "` is a list: ask `x in @" + name.text + "`"
                       : "`" + name.text + "` is a table: ask `@" + name.text + "[key].column is not null`";
    return nullptr;
  }
  std::vector<std::string> names;
  for (const auto& [known, one] : all) {
    if (one.is_table == is_table) names.push_back(known);
  }
  it.hint = did_you_mean(name.text, names);
  return nullptr;
}

bool ExprChecker::fits_key(const Operands& values, const DatasetDeclaration& dataset, const Span& at, std::string_view symbol) {
  const std::vector<cep::Type>& types = dataset.types;
  if (types.size() != values.size()) {
    const auto parts = [](size_t n) { return n == 1 ? std::string("one value") : "a tuple of " + std::to_string(n); };
    const std::string of = dataset.is_table ? "[..]`, whose key is " : "` of ";
    diagnostics_.add(Code::kTupleWidth, at, {parts(values.size()), "`@" + dataset.name + of + parts(types.size())});
    return false;
  }
  for (size_t i = 0; i < values.size(); ++i) {
    if (values[i]->type.fits(types[i].kind)) continue;
    diagnostics_.add(Code::kTypeClash, values[i]->span, {describe(values[i]->type), cep::type_name(types[i]), symbol}).hint =
        "ask with a value of its type, or cast it: `cast(" + std::string(sources_.text(values[i]->span)) + " as " +
        cep::type_name(types[i]) + ")`";
    return false;
  }
  return true;
}

TypedPtr ExprChecker::in_list(const Expr& expr, const Scope& scope) {
  Operands args;
  const Expr& left = *expr.args[0];
  if (left.kind == ExprKind::kTuple) {
    for (const ExprPtr& part : left.args) args.push_back(check(*part, scope));
  } else {
    args.push_back(check(left, scope));
  }
  const DatasetDeclaration* const list = dataset(expr.name, false, scope);
  if (list == nullptr || !fits_key(args, *list, left.span, "in @" + list->name)) return error(expr.span);
  auto made = std::make_shared<Typed>(*node(ExprOp::kInList, expr.span, ExprType::of(TypeKind::kBool), std::move(args),
                                            expr.negated ? cep::Expr::kNegated : uint8_t{0}));
  made->name = expr.name.text;
  return made;
}

TypedPtr ExprChecker::look_up(const Expr& expr, const Scope& scope) {
  Operands args;
  for (const ExprPtr& part : expr.args) args.push_back(check(*part, scope));
  const DatasetDeclaration* const table = dataset(*expr.qualifier, true, scope);
  if (table == nullptr || !fits_key(args, *table, expr.span, "@" + table->name + "[..]")) return error(expr.span);
  const auto found = std::find_if(table->columns.begin(), table->columns.end(),
                                  [&](const cep::Column& column) { return column.name == expr.name.text; });
  if (found == table->columns.end()) {
    report_unknown_column(*table, expr.name, diagnostics_);
    return error(expr.span);
  }
  const auto column = static_cast<size_t>(found - table->columns.begin());
  auto made = std::make_shared<Typed>(*node(ExprOp::kLookUp, expr.span, ExprType::of(table->columns[column].type), std::move(args)));
  made->name = table->name;
  made->column = expr.name.text;
  made->offset = static_cast<int32_t>(column);
  return made;
}

TypedPtr ExprChecker::text_match(const Expr& expr, const Scope& scope) {
  const bool like = expr.kind == ExprKind::kLike;
  TypedPtr value = check(*expr.args[0], scope);
  const std::string_view word = like ? "like" : "matches";
  if (!require(*value, TypeKind::kText, word, value->span)) return error(expr.span);
  const uint8_t flags = expr.negated ? cep::Expr::kNegated : uint8_t{0};
  if (like) {
    TypedPtr pattern = check(*expr.args[1], scope);
    if (!require(*pattern, TypeKind::kText, word, pattern->span)) return error(expr.span);
    return node(ExprOp::kLike, expr.span, ExprType::of(TypeKind::kBool), {value, pattern}, flags);
  }
  cep::ExprPool trial;
  if (const cep::Result<int32_t> compiled = trial.add_regex(expr.text); !compiled.ok()) {
    Span at = expr.span;
    const size_t quote = sources_.text(at).find('\'', value->span.end - at.begin);
    if (quote != std::string_view::npos) at.begin += static_cast<uint32_t>(quote);
    const bool is_too_long = compiled.error().code == "regex_size";
    diagnostics_.add(is_too_long ? Code::kRegexSize : Code::kBadRegex, at, {compiled.error().message});
    return error(expr.span);
  }
  auto made =
      std::make_shared<Typed>(*node(ExprOp::kMatches, expr.span, ExprType::of(TypeKind::kBool), {value}, flags));
  made->name = expr.text;
  return made;
}

TypedPtr ExprChecker::case_when(const Expr& expr, const Scope& scope) {
  TypedPtr operand = expr.operand ? check(*expr.operand, scope) : nullptr;
  ExprType type = ExprType::null();
  Operands args;
  bool failed = false;
  const auto add_result = [&](const Expr& result) {
    TypedPtr checked = check(result, scope);
    const std::optional<ExprType> common = common_type(type, checked->type);
    if (!common) {
      diagnostics_.add(Code::kTypeClash, checked->span, {describe(checked->type), describe(type), "case"}).hint =
          "all branches have one type";
      failed = true;
    } else {
      type = *common;
    }
    args.push_back(std::move(checked));
  };
  for (const CaseArm& arm : expr.arms) {
    if (operand) {
      TypedPtr value = check(*arm.when, scope);
      args.push_back(compare(ExprOp::kEqual, "case", value->span, value->span, operand, value));
    } else {
      args.push_back(check_condition(*arm.when, scope));
    }
    add_result(*arm.then);
  }
  if (expr.otherwise) add_result(*expr.otherwise);
  if (failed) return error(expr.span);
  return node(ExprOp::kCase, expr.span, type, std::move(args));
}

TypedPtr ExprChecker::cast(const Expr& expr, const Scope& scope) {
  TypedPtr operand = check(*expr.args[0], scope);
  const bool known = operand->type.kind == ExprType::Kind::kKnown;
  if (known && !cep::can_cast(operand->type.type.kind, expr.type.type.kind)) {
    diagnostics_.add(Code::kTypeClash, expr.span, {describe(operand->type), cep::type_name(expr.type.type), "cast"});
    return error(expr.span);
  }
  return node(ExprOp::kCast, expr.span, ExprType::of(expr.type.type), {operand});
}

}  // namespace patterns
