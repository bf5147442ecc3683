#include "cep/aggregate.h"

#include <algorithm>
#include <cmath>

#include "cep/arithmetic.h"
#include "cep/bound_events.h"
#include "cep/decimal.h"

namespace cep {
namespace {

Value lost(EvalCounters& counters) {
  ++counters.arithmetic_null;
  return {};
}

// The event that `first` or `last` is about (R44): the offset counts those that its filter lets through.
RowRef event_of(const ExprPool& pool, const BoundAggregate& aggregate, EvalContext& inner) {
  const bool from_first = aggregate.kind == AggregateKind::kFirst;
  if (aggregate.filter == kNoExpr) return inner.bound->find(aggregate.variable, from_first, aggregate.offset);
  std::vector<RowRef> newest_first;
  inner.bound->for_each(aggregate.variable, [&](const RowRef& row) {
    inner.event = row;
    if (holds(pool, aggregate.filter, inner)) newest_first.push_back(row);
  });
  if (aggregate.offset >= newest_first.size()) return {};
  return newest_first[from_first ? newest_first.size() - 1 - aggregate.offset : aggregate.offset];
}

}  // namespace

void ValueCollector::add(const Value& v) {
  if (kind_ == AggregateKind::kLast || (kind_ == AggregateKind::kFirst && !seen_)) kept_ = v;
  seen_ = true;
  if (v.is_null() || kind_ == AggregateKind::kFirst || kind_ == AggregateKind::kLast) return;
  ++count_;
  switch (kind_) {
    case AggregateKind::kSum:
    case AggregateKind::kAvg:
    case AggregateKind::kStddev: add_number(v); break;
    case AggregateKind::kMin:
      if (kept_.is_null() || compare(v, kept_) < 0) kept_ = v;
      break;
    case AggregateKind::kMax:
      if (kept_.is_null() || compare(v, kept_) > 0) kept_ = v;
      break;
    case AggregateKind::kCountDistinct: all_.push_back(v); break;
    default: break;
  }
}

Value ValueCollector::result(const Type& type, EvalCounters& counters) {
  switch (kind_) {
    case AggregateKind::kCount: return Value::integer(static_cast<Int128>(count_));
    case AggregateKind::kSum: return sums_.sum_as(type, scale_, counters);
    case AggregateKind::kAvg: return sums_.avg_as(type, scale_, counters);
    case AggregateKind::kStddev: return sums_.stddev(scale_, counters);
    case AggregateKind::kCountDistinct: return Value::integer(distinct());
    default: return kept_;
  }
}

void ValueCollector::add_number(const Value& v) {
  if (v.kind == ValueKind::kFloat) {
    scale_ = kFloatSumScale;
    const std::optional<Int128> units = to_billionths(v.real);
    sums_.add(units.value_or(0));
    sums_.sum_lost |= !units;
  } else {
    scale_ = v.scale;  // one expression, hence one type: all values have this scale
    sums_.add(v.number);
  }
}

Int128 ValueCollector::distinct() {
  std::sort(all_.begin(), all_.end(), [](const Value& a, const Value& b) { return compare(a, b) < 0; });
  const auto end = std::unique(all_.begin(), all_.end(), [](const Value& a, const Value& b) { return compare(a, b) == 0; });
  return end - all_.begin();
}

std::optional<Int128> to_billionths(double d) {
  constexpr double kLimit = 85070591730234615865843651857942052864.0;  // 2^126
  const double units = std::round(d * 1e9);
  if (!(units > -kLimit && units < kLimit)) return std::nullopt;
  return static_cast<Int128>(units);
}

void ExactSums::add(Int128 n) {
  Int128 square = 0;
  ++count;
  sum_lost |= __builtin_add_overflow(sum, n, &sum);
  squares_lost |= __builtin_mul_overflow(n, n, &square) || __builtin_add_overflow(sum_squares, square, &sum_squares);
}

Value ExactSums::sum_as(const Type& type, int scale, EvalCounters& counters) const {
  if (count == 0) return {};
  if (sum_lost) return lost(counters);
  if (type.kind == TypeKind::kFloat) return Value::floating(decimal_to_double(sum, scale));
  return exact_value(sum, scale, type, counters);
}

Value ExactSums::avg_as(const Type& type, int scale, EvalCounters& counters) const {
  if (count == 0) return {};
  if (sum_lost) return lost(counters);
  const auto n = static_cast<Int128>(count);
  if (type.kind != TypeKind::kFloat) return exact_value(divide_rounded(sum, n), scale, type, counters);
  // Sum and n * 10^scale are exact doubles up to 2^53, the usual case: then the quotient is rounded once.
  return Value::floating(static_cast<double>(sum) / static_cast<double>(n * power_of_ten(scale)));
}

Value ExactSums::stddev(int scale, EvalCounters& counters) const {
  if (count < 2) return {};
  const auto n = static_cast<Int128>(count);
  Int128 scaled_squares = 0;
  Int128 square_of_sum = 0;
  if (sum_lost || squares_lost || __builtin_mul_overflow(n, sum_squares, &scaled_squares) ||
      __builtin_mul_overflow(sum, sum, &square_of_sum)) {
    return lost(counters);
  }
  const double variance = static_cast<double>(scaled_squares - square_of_sum) / static_cast<double>(n * (n - 1));
  return Value::floating(std::sqrt(variance) / static_cast<double>(power_of_ten(scale)));
}

Value bound_aggregate(const ExprPool& pool, uint16_t index, const Type& type, EvalContext& context) {
  if (context.bound == nullptr) return {};
  const BoundAggregate& aggregate = context.bound->program().aggregates[index];
  EvalContext inner = context;
  if (aggregate.kind == AggregateKind::kFirst || aggregate.kind == AggregateKind::kLast) {
    inner.event = event_of(pool, aggregate, inner);
    return inner.event.valid() ? evaluate(pool, aggregate.argument, inner) : Value::null();
  }
  ValueCollector collector(aggregate.kind);
  context.bound->for_each(aggregate.variable, [&](const RowRef& row) {
    inner.event = row;
    if (aggregate.filter != kNoExpr && !holds(pool, aggregate.filter, inner)) return;
    collector.add(aggregate.argument == kNoExpr ? Value::boolean(true) : evaluate(pool, aggregate.argument, inner));
  });
  return collector.result(type, *context.counters);
}

}  // namespace cep
