// Arithmetic and casts of the rule language (R53, R58): exact on ints, decimals and times, double on floats.
// Nothing fails: a result that does not exist (division by zero, beyond 38 digits or 64 bits) is null and counted.
// Threads: pure but for the caller's counters.
#pragma once

#include "cep/expr.h"

namespace cep {

// The double nearest to a number, or to the microseconds of a duration.
double to_double(const Value& v);
// An exact number at `scale` as a value of `type`: brought to the type's scale; null and counted if it does not fit.
Value exact_value(Int128 number, int scale, const Type& type, EvalCounters& counters);
// A float, or null and counted if it is infinite or not a number.
Value float_value(double d, EvalCounters& counters);
// kAdd, kSubtract, kMultiply, kDivide or kModulo with a result of `type`. Null if either operand is.
Value arithmetic(ExprOp op, const Type& type, const Value& a, const Value& b, EvalCounters& counters);
// Implicit conversion to the common type of a `case` or `coalesce`: int to decimal or float, decimal to float or
// greater scale.
Value coerce(const Value& v, const Type& type, EvalCounters& counters);

// Casts the language has: a kind to itself, among numbers, anything to and from text, int (epoch ms) to and from
// timestamp.
bool can_cast(TypeKind from, TypeKind to);
// Explicit cast; what does not read as the type is null and counted. Texts made go to `texts`.
Value cast(const Value& v, const Type& type, TextArena& texts, EvalCounters& counters);

}  // namespace cep
