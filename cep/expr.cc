// The interpreter: one switch over node kinds. A child is evaluated only when its value can matter.
#include "cep/expr.h"

#include <re2/re2.h>

#include "cep/aggregate.h"
#include "cep/arithmetic.h"
#include "cep/bound_events.h"
#include "cep/functions.h"
#include "cep/text.h"
#include "cep/window_reader.h"

namespace cep {
namespace {

constexpr size_t kRegexTextMax = 1024;
constexpr int64_t kRegexMemoryBytes = 1 << 20;
constexpr size_t kArgumentsOnStack = 8;

Value truth(bool value, const Expr& e) { return Value::boolean(value != ((e.flags & Expr::kNegated) != 0)); }

// A field of an event that may be of several streams.
Value field_by_stream(const RowRef& row, const FieldMap& map) {
  if (!row.valid()) return {};
  for (const FieldMap::Entry& entry : map.entries) {
    if (entry.stream == row.schema->id) return row.value(entry.column);
  }
  return {};
}

RowRef find_bound(const Expr& e, const EvalContext& context) {
  if (context.bound == nullptr) return {};
  return context.bound->find(static_cast<uint16_t>(e.a), (e.flags & Expr::kFromFirst) != 0, static_cast<uint32_t>(e.c));
}

Value conjunction(const ExprPool& pool, const Expr& e, EvalContext& context, bool is_and) {
  const Value a = evaluate(pool, e.a, context);
  if (!a.is_null() && a.is_true() != is_and) return a;  // decided: false and .., true or ..
  const Value b = evaluate(pool, e.b, context);
  if (!b.is_null() && b.is_true() != is_and) return b;
  return a.is_null() ? a : b;
}

Value comparison(const ExprPool& pool, const Expr& e, EvalContext& context) {
  const Value a = evaluate(pool, e.a, context);
  if (a.is_null()) return {};
  const Value b = evaluate(pool, e.b, context);
  if (b.is_null()) return {};
  const int order = compare(a, b);
  switch (e.op) {
    case ExprOp::kEqual: return Value::boolean(order == 0);
    case ExprOp::kNotEqual: return Value::boolean(order != 0);
    case ExprOp::kLess: return Value::boolean(order < 0);
    case ExprOp::kLessEqual: return Value::boolean(order <= 0);
    case ExprOp::kGreater: return Value::boolean(order > 0);
    default: return Value::boolean(order >= 0);
  }
}

Value membership(const ExprPool& pool, const Expr& e, EvalContext& context) {
  const Value value = evaluate(pool, e.a, context);
  if (value.is_null()) return {};
  bool unknown = false;
  for (uint32_t i = 0; i < e.args_count; ++i) {
    const Value candidate = evaluate(pool, pool.args[e.args_first + i], context);
    if (candidate.is_null()) {
      unknown = true;
    } else if (compare(value, candidate) == 0) {
      return truth(true, e);
    }
  }
  return unknown ? Value::null() : truth(false, e);
}

// Calls `use` with the node's evaluated arguments; on the stack unless there are unusually many.
template <class Use>
Value with_arguments(const ExprPool& pool, const Expr& e, EvalContext& context, Use use) {
  const auto fill = [&](Value* values) {
    for (uint32_t i = 0; i < e.args_count; ++i) values[i] = evaluate(pool, pool.args[e.args_first + i], context);
    return use(std::span<const Value>(values, e.args_count));
  };
  if (e.args_count <= kArgumentsOnStack) {
    std::array<Value, kArgumentsOnStack> values;
    return fill(values.data());
  }
  std::vector<Value> values(e.args_count);
  return fill(values.data());
}

// `x in @list` and `@table[x].column`, as of the time of the event they are asked about. A dataset without a version in force is empty.
Value ask_dataset(const ExprPool& pool, const Expr& e, EvalContext& context) {
  return with_arguments(pool, e, context, [&](std::span<const Value> key) -> Value {
    for (const Value& v : key) {
      if (v.is_null()) return {};
    }
    const auto index = static_cast<size_t>(e.a);
    WEIR_CHECK(index < context.datasets.size(), "a list or table is asked without the versions in force");
    const Dataset* const dataset = context.datasets[index].get();
    const TimeUs time = context.event.valid() ? context.event.time() : kTimeMin;
    if (e.op == ExprOp::kInList) return truth(dataset != nullptr && dataset->contains(key, time), e);
    if (dataset == nullptr) return {};
    const Value value = dataset->look_up(key, static_cast<uint16_t>(e.b), time);
    // An edit may let go of the version while the value is still in use.
    return value.kind == ValueKind::kText ? Value::string(context.texts->keep(std::string(value.text()))) : value;
  });
}

Value regex_match(const ExprPool& pool, const Expr& e, EvalContext& context) {
  const Value a = evaluate(pool, e.a, context);
  if (a.is_null()) return {};
  return truth(RE2::PartialMatch(re2::StringPiece(a.text_data, a.text_size), *pool.regexes[static_cast<size_t>(e.b)]),
               e);
}

Value like_match(const ExprPool& pool, const Expr& e, EvalContext& context) {
  const Value a = evaluate(pool, e.a, context);
  const Value b = evaluate(pool, e.b, context);
  if (a.is_null() || b.is_null()) return {};
  return truth(is_like(a.text(), b.text()), e);
}

Value concatenation(const ExprPool& pool, const Expr& e, EvalContext& context) {
  const Value a = evaluate(pool, e.a, context);
  const Value b = evaluate(pool, e.b, context);
  if (a.is_null() || b.is_null()) return {};
  std::string joined;
  joined.reserve(a.text().size() + b.text().size());
  joined.append(a.text()).append(b.text());
  return Value::string(context.texts->keep(std::move(joined)));
}

Value choice(const ExprPool& pool, const Expr& e, EvalContext& context) {
  const ExprId* args = pool.args.data() + e.args_first;
  uint32_t i = 0;
  for (; i + 1 < e.args_count; i += 2) {
    if (holds(pool, args[i], context)) return coerce(evaluate(pool, args[i + 1], context), e.type, *context.counters);
  }
  if (i == e.args_count) return {};
  return coerce(evaluate(pool, args[i], context), e.type, *context.counters);
}

Value negation(const Value& v, const Type& type, EvalCounters& counters) {
  if (v.is_null()) return {};
  if (v.kind == ValueKind::kFloat) return Value::floating(-v.real);
  return exact_value(-v.number, v.scale, type, counters);
}

// Nodes that read the run, the windows or the key; null where the context has none.
Value from_context(const ExprPool& pool, const Expr& e, EvalContext& context) {
  switch (e.op) {
    case ExprOp::kThisField:
      return context.this_event.valid() ? context.this_event.value(static_cast<uint16_t>(e.a)) : Value::null();
    case ExprOp::kThisFieldByStream: return field_by_stream(context.this_event, pool.field_maps[static_cast<size_t>(e.a)]);
    case ExprOp::kBoundField: {
      const RowRef row = find_bound(e, context);
      return row.valid() ? row.value(static_cast<uint16_t>(e.b)) : Value::null();
    }
    case ExprOp::kBoundFieldByStream:
      return field_by_stream(find_bound(e, context), pool.field_maps[static_cast<size_t>(e.b)]);
    case ExprOp::kBoundAggregate: return bound_aggregate(pool, static_cast<uint16_t>(e.a), e.type, context);
    case ExprOp::kWindow:
      return context.windows != nullptr ? context.windows->value(static_cast<uint16_t>(e.a), context) : Value::null();
    default:
      return static_cast<size_t>(e.a) < context.key.size() ? context.key[static_cast<size_t>(e.a)] : Value::null();
  }
}

}  // namespace

ExprPool::ExprPool() = default;
ExprPool::~ExprPool() = default;
ExprPool::ExprPool(ExprPool&&) noexcept = default;
ExprPool& ExprPool::operator=(ExprPool&&) noexcept = default;

ExprId ExprPool::add_constant(const Value& value, Type type) {
  constants.emplace_back(value);
  Expr e;
  e.op = ExprOp::kConstant;
  e.type = type;
  e.a = static_cast<int32_t>(constants.size() - 1);
  return add(e);
}

Result<int32_t> ExprPool::add_regex(const std::string& pattern) {
  if (pattern.size() > kRegexTextMax) {
    return Error{"regex_size", "a pattern has at most " + std::to_string(kRegexTextMax) + " bytes"};
  }
  RE2::Options options;
  options.set_max_mem(kRegexMemoryBytes);
  options.set_log_errors(false);
  auto regex = std::make_unique<RE2>(pattern, options);
  if (!regex->ok()) return Error{"bad_regex", regex->error()};
  regexes.push_back(std::move(regex));
  return static_cast<int32_t>(regexes.size() - 1);
}

Value evaluate(const ExprPool& pool, ExprId expr, EvalContext& context) {
  const Expr& e = pool.nodes[static_cast<size_t>(expr)];
  switch (e.op) {
    case ExprOp::kConstant: return pool.constants[static_cast<size_t>(e.a)].view();
    case ExprOp::kField: return context.event.valid() ? context.event.value(static_cast<uint16_t>(e.a)) : Value::null();
    case ExprOp::kFieldByStream: return field_by_stream(context.event, pool.field_maps[static_cast<size_t>(e.a)]);
    case ExprOp::kThisField:
    case ExprOp::kThisFieldByStream:
    case ExprOp::kBoundField:
    case ExprOp::kBoundFieldByStream:
    case ExprOp::kBoundAggregate:
    case ExprOp::kWindow:
    case ExprOp::kKeyPart: return from_context(pool, e, context);
    case ExprOp::kNot: {
      const Value a = evaluate(pool, e.a, context);
      return a.is_null() ? a : Value::boolean(!a.is_true());
    }
    case ExprOp::kAnd: return conjunction(pool, e, context, true);
    case ExprOp::kOr: return conjunction(pool, e, context, false);
    case ExprOp::kIsNull: return truth(evaluate(pool, e.a, context).is_null(), e);
    case ExprOp::kEqual:
    case ExprOp::kNotEqual:
    case ExprOp::kLess:
    case ExprOp::kLessEqual:
    case ExprOp::kGreater:
    case ExprOp::kGreaterEqual: return comparison(pool, e, context);
    case ExprOp::kIn: return membership(pool, e, context);
    case ExprOp::kInList:
    case ExprOp::kLookUp: return ask_dataset(pool, e, context);
    case ExprOp::kMatches: return regex_match(pool, e, context);
    case ExprOp::kLike: return like_match(pool, e, context);
    case ExprOp::kAdd:
    case ExprOp::kSubtract:
    case ExprOp::kMultiply:
    case ExprOp::kDivide:
    case ExprOp::kModulo: {
      const Value a = evaluate(pool, e.a, context);
      const Value b = evaluate(pool, e.b, context);
      return arithmetic(e.op, e.type, a, b, *context.counters);
    }
    case ExprOp::kNegate: return negation(evaluate(pool, e.a, context), e.type, *context.counters);
    case ExprOp::kConcat: return concatenation(pool, e, context);
    case ExprOp::kCase: return choice(pool, e, context);
    case ExprOp::kCast: return cast(evaluate(pool, e.a, context), e.type, *context.texts, *context.counters);
    case ExprOp::kFunction:
      return with_arguments(pool, e, context, [&](std::span<const Value> arguments) {
        return call_function(static_cast<FunctionId>(e.a), e.type, arguments, context);
      });
  }
  return {};
}

}  // namespace cep
