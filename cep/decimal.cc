#include "cep/decimal.h"

#include <charconv>
#include <cmath>

#include "cep/value.h"

namespace cep {
namespace {

__extension__ using Uint128 = unsigned __int128;

constexpr std::array<Int128, kDecimalDigitsMax + 1> make_powers() {
  std::array<Int128, kDecimalDigitsMax + 1> powers{};
  Int128 p = 1;
  for (int i = 0; i <= kDecimalDigitsMax; ++i) {
    powers[static_cast<size_t>(i)] = p;
    if (i < kDecimalDigitsMax) p *= 10;
  }
  return powers;
}
constexpr auto kPowers = make_powers();

template <class T>
int sign_of_difference(T a, T b) {
  return a < b ? -1 : (a > b ? 1 : 0);
}

// Compares part / whole with f, both in [0, 1), bit after bit: doubling is exact on either side.
int compare_fractions(Uint128 part, Uint128 whole, double f) {
  while (part != 0 && f != 0) {
    part *= 2;
    f *= 2;
    const bool left = part >= whole;
    const bool right = f >= 1;
    if (left != right) return left ? 1 : -1;
    if (left) {
      part -= whole;
      f -= 1;
    }
  }
  return part != 0 ? 1 : (f != 0 ? -1 : 0);
}

}  // namespace

Int128 power_of_ten(int exponent) { return kPowers[static_cast<size_t>(exponent)]; }

Int128 divide_rounded(Int128 n, Int128 d) {
  const Int128 quotient = n / d;
  const Int128 rest = n < 0 ? -(n % d) : n % d;
  if (rest < d - rest) return quotient;
  return n < 0 ? quotient - 1 : quotient + 1;
}

std::optional<Int128> rescale(Int128 n, int from_scale, int to_scale) {
  if (to_scale > from_scale) {
    const int digits = to_scale - from_scale;
    if (n == 0) return n;
    if (digits >= kDecimalDigitsMax || !has_digits_at_most(n, kDecimalDigitsMax - digits)) return std::nullopt;
    return n * power_of_ten(digits);
  }
  if (to_scale == from_scale) return n;
  if (from_scale - to_scale > kDecimalDigitsMax) return 0;
  return divide_rounded(n, power_of_ten(from_scale - to_scale));
}

int compare_decimals(Int128 a, int a_scale, Int128 b, int b_scale) {
  if (a_scale == b_scale) return sign_of_difference(a, b);
  const Int128 a_unit = power_of_ten(a_scale);
  const Int128 b_unit = power_of_ten(b_scale);
  if (const int order = sign_of_difference(a / a_unit, b / b_unit)) return order;
  // Equal whole parts: the rests are below one unit, so bringing them to the greater scale cannot overflow.
  Int128 a_rest = a % a_unit;
  Int128 b_rest = b % b_unit;
  if (a_scale < b_scale) {
    a_rest *= power_of_ten(b_scale - a_scale);
  } else {
    b_rest *= power_of_ten(a_scale - b_scale);
  }
  return sign_of_difference(a_rest, b_rest);
}

int compare_decimal_with_double(Int128 n, int scale, double d) {
  if (std::isnan(d)) return -1;
  constexpr double kTwoTo127 = 170141183460469231731687303715884105728.0;
  if (d >= kTwoTo127) return -1;
  if (d <= -kTwoTo127) return 1;
  const double whole = std::trunc(d);
  const double fraction = d - whole;
  const Int128 unit = power_of_ten(scale);
  if (const int order = sign_of_difference(n / unit, static_cast<Int128>(whole))) return order;
  const Int128 rest = n % unit;
  if (rest >= 0 && fraction <= 0) return rest > 0 || fraction < 0 ? 1 : 0;
  if (rest <= 0 && fraction >= 0) return rest < 0 || fraction > 0 ? -1 : 0;
  const int order =
      compare_fractions(static_cast<Uint128>(rest < 0 ? -rest : rest), static_cast<Uint128>(unit), std::fabs(fraction));
  return rest < 0 ? -order : order;
}

double decimal_to_double(Int128 n, int scale) {
  if (scale == 0) return static_cast<double>(n);
  constexpr Int128 kExactInDouble = Int128{1} << 53;
  constexpr int kExactPower = 22;  // 10^22 is the last power of ten that is a double
  if (n <= kExactInDouble && n >= -kExactInDouble && scale <= kExactPower) {
    return static_cast<double>(n) / static_cast<double>(power_of_ten(scale));  // one rounding
  }
  const std::string digits = format_decimal(n, static_cast<uint8_t>(scale));
  double result = 0;
  std::from_chars(digits.data(), digits.data() + digits.size(), result);
  return result;
}

}  // namespace cep
