// Values: exact comparison across kinds, and how they print.
#include "cep/value.h"

#include <gtest/gtest.h>

#include <cmath>
#include <random>

#include "cep/decimal.h"
#include "cep/parse.h"

namespace cep {
namespace {

TEST(Types, NamesAreThoseOfRuleFiles) {
  EXPECT_EQ(type_name({TypeKind::kDecimal, 12, 2}), "decimal(12,2)");
  EXPECT_EQ(type_name({TypeKind::kTimestamp, 0, 0}), "timestamp");
}

// R53: comparison is exact on the real values.
TEST(Compare, MixedNumbersAreExact) {
  const int64_t big = (int64_t{1} << 53) + 1;
  EXPECT_EQ(compare(Value::integer(big), Value::floating(9007199254740992.0)), 1);
  EXPECT_EQ(compare(Value::floating(9007199254740992.0), Value::integer(big)), -1);
  EXPECT_EQ(compare(Value::integer(big - 1), Value::floating(9007199254740992.0)), 0);
  EXPECT_EQ(compare(Value::decimal(1, 1), Value::floating(0.1)), -1);  // the double is a little more than 0.1
  EXPECT_EQ(compare(Value::decimal(-1, 1), Value::floating(-0.1)), 1);
  EXPECT_EQ(compare(Value::decimal(5, 1), Value::floating(0.5)), 0);
  EXPECT_EQ(compare(Value::decimal(-5, 1), Value::floating(0.5)), -1);
  EXPECT_EQ(compare(Value::integer(0), Value::floating(5e-324)), -1);
  EXPECT_EQ(compare(Value::integer(0), Value::floating(-0.0)), 0);
  EXPECT_EQ(compare(Value::integer(1), Value::floating(1e300)), -1);
  EXPECT_EQ(compare(Value::integer(1), Value::floating(-INFINITY)), 1);
}

TEST(Compare, DecimalsOfAnyScale) {
  EXPECT_EQ(compare(Value::decimal(500, 2), Value::integer(5)), 0);
  EXPECT_EQ(compare(Value::decimal(-501, 2), Value::integer(-5)), -1);
  EXPECT_EQ(compare(Value::decimal(5005, 3), Value::decimal(500, 2)), 1);
  const Int128 widest = power_of_ten(38) - 1;
  EXPECT_EQ(compare(Value::decimal(widest, 0), Value::decimal(widest, 38)),
            1);  // bringing them to one scale would overflow
  EXPECT_EQ(compare(Value::decimal(-widest, 38), Value::decimal(0, 0)), -1);
  EXPECT_EQ(compare(Value::decimal(power_of_ten(38) - 1, 38), Value::floating(1.0)), -1);
}

TEST(Compare, OtherKinds) {
  EXPECT_EQ(compare(Value::string("a"), Value::string("ab")), -1);
  EXPECT_EQ(compare(Value::string("\xff"), Value::string("a")), 1);  // by unsigned bytes
  EXPECT_EQ(compare(Value::boolean(true), Value::boolean(false)), 1);
  EXPECT_EQ(compare(Value::timestamp(-1), Value::timestamp(0)), -1);
}

TEST(Compare, AgreesWithLongDoubleOnRandomNumbers) {
  const auto seed = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937_64 random(seed);
  for (int i = 0; i < 20'000; ++i) {
    const auto n = static_cast<int64_t>(random() % 2001) - 1000;
    const double d = (static_cast<double>(random() % 8001) - 4000) / 32;  // exact in double and long double
    const long double exact = static_cast<long double>(n) / 8;
    const int expected = exact < d ? -1 : (exact > d ? 1 : 0);
    ASSERT_EQ(compare(Value::decimal(Int128{n} * 125, 3), Value::floating(d)), expected) << n << " " << d;
  }
}

TEST(Decimal, RoundsHalfAwayFromZero) {
  EXPECT_EQ(static_cast<int>(divide_rounded(25, 10)), 3);
  EXPECT_EQ(static_cast<int>(divide_rounded(-25, 10)), -3);
  EXPECT_EQ(static_cast<int>(divide_rounded(-24, 10)), -2);
  EXPECT_EQ(static_cast<int>(*rescale(12345, 3, 2)), 1235);
  EXPECT_FALSE(rescale(power_of_ten(37), 0, 2).has_value());
  EXPECT_EQ(*rescale(power_of_ten(36), 0, 1), power_of_ten(37));
}

TEST(Decimal, ToDoubleIsTheNearestDouble) {
  EXPECT_EQ(decimal_to_double(1, 1), 0.1);
  EXPECT_EQ(decimal_to_double(123456789012345678, 2), 1234567890123456.78);
  EXPECT_EQ(decimal_to_double(1, 30), 1e-30);
  EXPECT_EQ(decimal_to_double(-3, 0), -3.0);
}

TEST(Owned, KeepsItsTextAndComparesNulls) {
  OwnedValue a;
  {
    const std::string text = "a text that is longer than a small string";
    a = OwnedValue(Value::string(text));
  }
  const OwnedValue copy = a;
  EXPECT_EQ(copy.view().text(), "a text that is longer than a small string");
  EXPECT_TRUE(copy == a);
  EXPECT_TRUE(OwnedValue() == OwnedValue());
  EXPECT_FALSE(OwnedValue() == OwnedValue(Value::integer(0)));
  EXPECT_FALSE(OwnedValue(Value::integer(1)) == OwnedValue(Value::boolean(true)));
}

TEST(Display, Numbers) {
  EXPECT_EQ(to_display(Value::null()), "-");
  EXPECT_EQ(to_display(Value::boolean(true)), "true");
  EXPECT_EQ(to_display(Value::integer(INT64_MIN)), "-9223372036854775808");
  EXPECT_EQ(to_display(Value::decimal(-5, 2)), "-0.05");
  EXPECT_EQ(to_display(Value::decimal(500, 2)), "5.00");
  EXPECT_EQ(to_display(Value::decimal(7, 0)), "7");
  EXPECT_EQ(to_display(Value::floating(0.1)), "0.1");
}

TEST(Display, Times) {
  EXPECT_EQ(format_time(0), "1970-01-01T00:00:00.000Z");
  EXPECT_EQ(format_time(-1), "1969-12-31T23:59:59.999999Z");
  EXPECT_EQ(format_time(951'782'400'120'000), "2000-02-29T00:00:00.120Z");
  EXPECT_EQ(format_duration(0), "PT0S");
  EXPECT_EQ(format_duration(kHour + 30 * kMinute), "PT1H30M");
  EXPECT_EQ(format_duration(kSecond / 2), "PT0.5S");
  EXPECT_EQ(format_duration(-(90 * kDay + kSecond)), "-P90DT1S");
  EXPECT_EQ(format_duration(INT64_MIN), "-P106751991DT4H54.775808S");
}

std::string round_trip_ip(std::string_view text) {
  IpBytes ip;
  return parse_ip(text, &ip) ? format_ip(ip) : "no address";
}

TEST(Display, Addresses) {
  EXPECT_EQ(round_trip_ip("10.0.0.255"), "10.0.0.255");
  EXPECT_EQ(round_trip_ip("::ffff:10.0.0.255"), "10.0.0.255");
  EXPECT_EQ(round_trip_ip("2001:DB8:0:0:1:0:0:1"), "2001:db8::1:0:0:1");     // the first of two runs
  EXPECT_EQ(round_trip_ip("2001:db8:0:1:1:1:1:1"), "2001:db8:0:1:1:1:1:1");  // one zero group stays
  EXPECT_EQ(round_trip_ip("::"), "::");
  EXPECT_EQ(round_trip_ip("::1"), "::1");
  EXPECT_EQ(round_trip_ip("fe80::"), "fe80::");
  EXPECT_EQ(round_trip_ip("1:0:0:0:0:0:0:1"), "1::1");
  EXPECT_EQ(round_trip_ip("10.0.0.256"), "no address");
  EXPECT_EQ(round_trip_ip("10.0.0.01"), "no address");
  EXPECT_EQ(round_trip_ip(" 10.0.0.1"), "no address");
}

}  // namespace
}  // namespace cep
