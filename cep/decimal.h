// Scaled integers: number / 10^scale in 128 bits. Exact comparison with every other number, rounding, powers of ten.
// Invariant: a decimal has at most 38 digits and a scale of at most 38; what would not fit is reported, never wrapped.
// Threads: pure functions.
#pragma once

#include <optional>

#include "cep/types.h"

namespace cep {

inline constexpr int kDecimalDigitsMax = 38;

// 10^exponent; 0 <= exponent <= 38.
Int128 power_of_ten(int exponent);
// At most `digits` (<= 38) decimal digits, sign aside.
inline bool has_digits_at_most(Int128 n, int digits) {
  const Int128 limit = power_of_ten(digits);
  return n < limit && n > -limit;
}
inline bool fits_int64(Int128 n) { return n >= INT64_MIN && n <= INT64_MAX; }

// n / d rounded half away from zero; d > 0.
Int128 divide_rounded(Int128 n, Int128 d);
// The number at another scale: exact when it grows, rounded half away from zero when it shrinks. Empty: beyond 38
// digits.
std::optional<Int128> rescale(Int128 n, int from_scale, int to_scale);

// -1, 0, 1, exact on the real values.
int compare_decimals(Int128 a, int a_scale, Int128 b, int b_scale);
// The same against a double. NaN is greater than every number.
int compare_decimal_with_double(Int128 n, int scale, double d);
// The double nearest to n / 10^scale.
double decimal_to_double(Int128 n, int scale);

}  // namespace cep
