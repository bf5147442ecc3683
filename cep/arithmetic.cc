#include "cep/arithmetic.h"

#include <algorithm>
#include <charconv>
#include <cmath>

#include "cep/decimal.h"
#include "cep/parse.h"

namespace cep {
namespace {

constexpr Int128 kExactInDouble = Int128{1} << 53;
constexpr double kTwoTo63 = 9223372036854775808.0;

Value no_value(EvalCounters& counters) {
  ++counters.arithmetic_null;
  return {};
}

// Two exact numbers at the greater of their scales.
struct Aligned {
  Int128 a = 0;
  Int128 b = 0;
  int scale = 0;
  bool ok = false;

  Aligned(const Value& left, const Value& right) : a(left.number), b(right.number), scale(left.scale) {
    ok = true;
    if (left.scale == right.scale) return;
    scale = std::max(left.scale, right.scale);
    const auto x = rescale(a, left.scale, scale);
    const auto y = rescale(b, right.scale, scale);
    ok = x && y;
    if (ok) {
      a = *x;
      b = *y;
    }
  }
};

bool is_exact_in_double(Int128 n) { return n <= kExactInDouble && n >= -kExactInDouble; }

double quotient(const Value& a, const Value& b) {
  if (a.kind != ValueKind::kFloat && b.kind != ValueKind::kFloat) {
    const Aligned aligned(a, b);
    if (aligned.ok && is_exact_in_double(aligned.a) && is_exact_in_double(aligned.b)) {
      return static_cast<double>(aligned.a) / static_cast<double>(aligned.b);  // 0.3 / 0.1 is 3: one rounding
    }
  }
  return to_double(a) / to_double(b);
}

Value float_arithmetic(ExprOp op, const Value& a, const Value& b, EvalCounters& counters) {
  switch (op) {
    case ExprOp::kAdd: return float_value(to_double(a) + to_double(b), counters);
    case ExprOp::kSubtract: return float_value(to_double(a) - to_double(b), counters);
    case ExprOp::kMultiply: return float_value(to_double(a) * to_double(b), counters);
    case ExprOp::kDivide: return float_value(quotient(a, b), counters);
    default: return float_value(std::fmod(to_double(a), to_double(b)), counters);
  }
}

// A double rounded half away from zero, as an exact value of `type` (int or duration).
Value rounded_double(double d, const Type& type, EvalCounters& counters) {
  const double r = std::round(d);
  if (!(r >= -kTwoTo63 && r < kTwoTo63)) return no_value(counters);
  return exact_value(static_cast<Int128>(r), 0, type, counters);
}

Value exact_arithmetic(ExprOp op, const Type& type, const Value& a, const Value& b, EvalCounters& counters) {
  Int128 result = 0;
  if (op == ExprOp::kMultiply) {
    const int scale = a.scale + b.scale;
    if (scale > kDecimalDigitsMax || __builtin_mul_overflow(a.number, b.number, &result)) return no_value(counters);
    return exact_value(result, scale, type, counters);
  }
  const Aligned aligned(a, b);
  if (!aligned.ok) return no_value(counters);
  switch (op) {
    case ExprOp::kAdd:
      if (__builtin_add_overflow(aligned.a, aligned.b, &result)) return no_value(counters);
      break;
    case ExprOp::kSubtract:
      if (__builtin_sub_overflow(aligned.a, aligned.b, &result)) return no_value(counters);
      break;
    default:
      if (aligned.b == 0) return no_value(counters);
      result = aligned.a % aligned.b;
  }
  return exact_value(result, aligned.scale, type, counters);
}

// duration / number: the quotient rounded to a microsecond.
Value divide_duration(const Value& a, const Value& b, const Type& type, EvalCounters& counters) {
  if (b.kind == ValueKind::kFloat) return rounded_double(to_double(a) / b.real, type, counters);
  const auto dividend = rescale(a.number, 0, b.scale);
  if (!dividend || b.number == 0) return no_value(counters);
  const Int128 n = b.number < 0 ? -*dividend : *dividend;
  return exact_value(divide_rounded(n, b.number < 0 ? -b.number : b.number), 0, type, counters);
}

Value cast_failed(EvalCounters& counters) {
  ++counters.cast_null;
  return {};
}

Value cast_float_to_exact(double d, const Type& type, EvalCounters& counters) {
  char digits[40];  // the shortest digits that read back as this double: what a person sees is what is rounded
  const auto end = std::to_chars(digits, digits + sizeof digits, d).ptr;
  std::string text(digits, end);
  text.erase(std::remove(text.begin(), text.end(), '+'), text.end());
  Int128 n = 0;
  if (!parse_decimal_rounded(text, type.scale, &n)) return cast_failed(counters);
  if (type.kind == TypeKind::kInt) return fits_int64(n) ? Value::integer(n) : cast_failed(counters);
  return has_digits_at_most(n, type.precision) ? Value::decimal(n, type.scale) : cast_failed(counters);
}

Value cast_number(const Value& v, const Type& type, EvalCounters& counters) {
  if (type.kind == TypeKind::kFloat) return Value::floating(to_double(v));
  if (v.kind == ValueKind::kFloat) return cast_float_to_exact(v.real, type, counters);
  const auto n = rescale(v.number, v.scale, type.scale);
  if (!n) return cast_failed(counters);
  if (type.kind == TypeKind::kInt) return fits_int64(*n) ? Value::integer(*n) : cast_failed(counters);
  return has_digits_at_most(*n, type.precision) ? Value::decimal(*n, type.scale) : cast_failed(counters);
}

Value cast_int_to_timestamp(const Value& v, EvalCounters& counters) {
  const Int128 us = v.number * kMillisecond;
  if (us < kEventTimeMin || us >= kEventTimeEnd) return cast_failed(counters);
  return Value::timestamp(static_cast<TimeUs>(us));
}

Value cast_timestamp_to_int(const Value& v) {
  const Int128 ms = v.number / kMillisecond;
  return Value::integer(v.number % kMillisecond < 0 ? ms - 1 : ms);
}

bool is_of_kind(const Value& v, TypeKind kind) { return static_cast<int>(v.kind) == static_cast<int>(kind) + 1; }
static_assert(static_cast<int>(ValueKind::kBool) == static_cast<int>(TypeKind::kBool) + 1);
static_assert(static_cast<int>(ValueKind::kIp) == static_cast<int>(TypeKind::kIp) + 1);

bool is_number_kind(TypeKind kind) {
  return kind == TypeKind::kInt || kind == TypeKind::kFloat || kind == TypeKind::kDecimal;
}

}  // namespace

double to_double(const Value& v) { return v.kind == ValueKind::kFloat ? v.real : decimal_to_double(v.number, v.scale); }

Value exact_value(Int128 number, int scale, const Type& type, EvalCounters& counters) {
  if (scale != type.scale) {
    const auto moved = rescale(number, scale, type.scale);
    if (!moved) return no_value(counters);
    number = *moved;
  }
  if (type.kind == TypeKind::kDecimal) {
    if (!has_digits_at_most(number, kDecimalDigitsMax)) return no_value(counters);
    return Value::decimal(number, type.scale);
  }
  if (!fits_int64(number)) return no_value(counters);
  switch (type.kind) {
    case TypeKind::kTimestamp: return Value::timestamp(static_cast<TimeUs>(number));
    case TypeKind::kDuration: return Value::duration(static_cast<DurationUs>(number));
    default: return Value::integer(number);
  }
}

Value float_value(double d, EvalCounters& counters) {
  return std::isfinite(d) ? Value::floating(d) : no_value(counters);
}

Value arithmetic(ExprOp op, const Type& type, const Value& a, const Value& b, EvalCounters& counters) {
  if (a.is_null() || b.is_null()) return {};
  if (type.kind == TypeKind::kFloat) return float_arithmetic(op, a, b, counters);
  if (op == ExprOp::kDivide) return divide_duration(a, b, type, counters);
  if (a.kind == ValueKind::kFloat || b.kind == ValueKind::kFloat) {  // duration * float
    return rounded_double(to_double(a) * to_double(b), type, counters);
  }
  return exact_arithmetic(op, type, a, b, counters);
}

Value coerce(const Value& v, const Type& type, EvalCounters& counters) {
  if (!v.is_number()) return v;
  if (type.kind == TypeKind::kFloat) return v.kind == ValueKind::kFloat ? v : Value::floating(to_double(v));
  if (type.kind != TypeKind::kDecimal || v.kind == ValueKind::kFloat) return v;
  return exact_value(v.number, v.scale, type, counters);
}

bool can_cast(TypeKind from, TypeKind to) {
  if (from == to || from == TypeKind::kText || to == TypeKind::kText) return true;
  if (is_number_kind(from) && is_number_kind(to)) return true;
  return (from == TypeKind::kInt && to == TypeKind::kTimestamp) ||
         (from == TypeKind::kTimestamp && to == TypeKind::kInt);
}

Value cast(const Value& v, const Type& type, TextArena& texts, EvalCounters& counters) {
  if (v.is_null()) return {};
  if (v.is_number() && is_number_kind(type.kind)) return cast_number(v, type, counters);
  if (is_of_kind(v, type.kind)) return v;
  if (type.kind == TypeKind::kText) return Value::string(texts.keep(to_display(v)));
  if (v.kind == ValueKind::kText) {
    const Result<Value> parsed = parse_value(v.text(), type);
    return parsed ? *parsed : cast_failed(counters);
  }
  if (v.kind == ValueKind::kInt && type.kind == TypeKind::kTimestamp) return cast_int_to_timestamp(v, counters);
  if (v.kind == ValueKind::kTimestamp && type.kind == TypeKind::kInt) return cast_timestamp_to_int(v);
  return cast_failed(counters);
}

}  // namespace cep
