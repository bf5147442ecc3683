// Texts to values: numbers by their digits, times, addresses (R54, R55).
#include "cep/parse.h"

#include <gtest/gtest.h>

#include "cep/decimal.h"

namespace cep {
namespace {

std::string decimal(std::string_view text, uint8_t scale) {
  Int128 n = 0;
  return parse_decimal_digits(text, scale, &n) ? format_decimal(n, scale) : "refused";
}

// R54
TEST(ParseDecimal, FromDigits) {
  EXPECT_EQ(decimal("12.5", 2), "12.50");
  EXPECT_EQ(decimal("-0.05", 2), "-0.05");
  EXPECT_EQ(decimal("5e2", 2), "500.00");
  EXPECT_EQ(decimal("1250E-3", 2), "1.25");
  EXPECT_EQ(decimal("1.2500000", 2), "1.25");
  EXPECT_EQ(decimal("0.000e99", 2), "0.00");
  EXPECT_EQ(decimal("-0", 2), "0.00");
  EXPECT_EQ(decimal("0.1", 1), "0.1");
  EXPECT_EQ(decimal("1.251", 2), "refused");
  EXPECT_EQ(decimal("1e-3", 2), "refused");
  EXPECT_EQ(decimal("1e999999999999999999999", 2), "refused");
  EXPECT_EQ(decimal("99999999999999999999999999999999999999", 0), "99999999999999999999999999999999999999");
  EXPECT_EQ(decimal("999999999999999999999999999999999999990", 0), "refused");
}

TEST(ParseDecimal, OnlyJsonSyntax) {
  for (const char* bad :
       {"", "-", "+1", "01", "1.", ".5", "1e", "1e+", " 1", "1 ", "0x1", "1_0", "nan", "--1", "1.5.2"}) {
    EXPECT_EQ(decimal(bad, 5), "refused") << bad;
    EXPECT_FALSE(is_json_number(bad)) << bad;
  }
  EXPECT_TRUE(is_json_number("-1.5e+3"));
}

TEST(ParseDecimal, PrecisionAndRounding) {
  Int128 n = 0;
  EXPECT_TRUE(parse_decimal("999.99", {TypeKind::kDecimal, 5, 2}, &n));
  EXPECT_FALSE(parse_decimal("1000.00", {TypeKind::kDecimal, 5, 2}, &n));
  EXPECT_TRUE(parse_decimal_rounded("-1.005", 2, &n));
  EXPECT_EQ(static_cast<int>(n), -101);
  EXPECT_TRUE(parse_decimal_rounded("0.0049", 2, &n));
  EXPECT_EQ(static_cast<int>(n), 0);
  EXPECT_TRUE(parse_decimal_rounded("0.005", 2, &n));
  EXPECT_EQ(static_cast<int>(n), 1);
  EXPECT_TRUE(parse_decimal_rounded("5e-9", 2, &n));
  EXPECT_EQ(static_cast<int>(n), 0);
}

TEST(ParseInt, WholeNumbersOf64Bits) {
  int64_t n = 0;
  EXPECT_TRUE(parse_int64("5.0", &n) && n == 5);
  EXPECT_TRUE(parse_int64("5e2", &n) && n == 500);
  EXPECT_TRUE(parse_int64("-9223372036854775808", &n) && n == INT64_MIN);
  EXPECT_FALSE(parse_int64("9223372036854775808", &n));
  EXPECT_FALSE(parse_int64("5.5", &n));
}

TEST(ParseFloat, NearestDouble) {
  double d = 0;
  EXPECT_TRUE(parse_float("0.1", &d) && d == 0.1);
  EXPECT_TRUE(parse_float("-1e3", &d) && d == -1000);
  EXPECT_FALSE(parse_float("1e999", &d));
  EXPECT_FALSE(parse_float("inf", &d));
}

std::string time(std::string_view text, std::string_view zone = "UTC") {
  const Result<TimeUs> t = parse_time(text, zone);
  return t ? format_time(*t) : t.error().code;
}

// R55
TEST(ParseTime, Rfc3339) {
  EXPECT_EQ(time("2026-01-31T10:00:00Z"), "2026-01-31T10:00:00.000Z");
  EXPECT_EQ(time("2026-01-31t10:00:00.5z"), "2026-01-31T10:00:00.500Z");
  EXPECT_EQ(time("2026-01-31 10:00:00+02:30"), "2026-01-31T07:30:00.000Z");
  EXPECT_EQ(time("2026-01-01T00:00:00.1234567-01:00"), "2026-01-01T01:00:00.123456Z");
  EXPECT_EQ(time("2016-12-31T23:59:60Z"), "2016-12-31T23:59:59.999999Z");
  EXPECT_EQ(time("1900-01-01T00:00:00Z"), "1900-01-01T00:00:00.000Z");
  EXPECT_EQ(time("1899-12-31T23:59:59Z"), "out_of_range");
  EXPECT_EQ(time("2199-12-31T23:59:59.999999Z"), "2199-12-31T23:59:59.999999Z");
  EXPECT_EQ(time("2200-01-01T00:00:00Z"), "out_of_range");
  for (const char* bad :
       {"", "2026-01-31", "2026-02-29T00:00:00Z", "2026-01-31T24:00:00Z", "2026-01-31T10:00Z", "2026-01-31T10:00:00.Z",
        "2026-01-31T10:00:00+0100", "2026-01-31T10:00:61Z", "2026-01-31T10:00:00Zjunk", "26-01-31T10:00:00Z"}) {
    EXPECT_EQ(time(bad), "bad_time") << bad;
  }
}

TEST(ParseTime, WithoutZoneItIsTheStreams) {
  EXPECT_EQ(time("2026-07-01T12:00:00"), "2026-07-01T12:00:00.000Z");
  EXPECT_EQ(time("2026-07-01T12:00:00", "Europe/Berlin"), "2026-07-01T10:00:00.000Z");
  EXPECT_EQ(time("2026-07-01T12:00:00Z", "Europe/Berlin"), "2026-07-01T12:00:00.000Z");
  EXPECT_EQ(time("2026-03-29T02:30:00", "Europe/Berlin"), "2026-03-29T01:00:00.000Z");  // skipped: the jump
  EXPECT_EQ(time("2026-10-25T02:30:00", "Europe/Berlin"), "2026-10-25T00:30:00.000Z");  // twice: the first
  EXPECT_EQ(time("2026-07-01T12:00:00", "Europe/Nowhere"), "bad_time");
}

TEST(ParseTime, EpochMilliseconds) {
  bool seconds = false;
  EXPECT_EQ(format_time(*time_from_epoch_ms("1767225600000", &seconds)), "2026-01-01T00:00:00.000Z");
  EXPECT_FALSE(seconds);
  EXPECT_EQ(format_time(*time_from_epoch_ms("1767225600000.1239", &seconds)), "2026-01-01T00:00:00.000123Z");
  EXPECT_EQ(format_time(*time_from_epoch_ms("1767225600", &seconds)), "1970-01-21T10:53:45.600Z");
  EXPECT_TRUE(seconds);
  EXPECT_TRUE(time_from_epoch_ms("1767225600.5", &seconds).ok());
  EXPECT_FALSE(seconds);
  EXPECT_EQ(time_from_epoch_ms("9e99").error().code, "out_of_range");
  EXPECT_EQ(time_from_epoch_ms("9e12").error().code, "out_of_range");
  EXPECT_EQ(time_from_epoch_ms("now").error().code, "bad_time");
}

TEST(ParseDuration, ReadsWhatIsWritten) {
  for (const DurationUs d :
       {DurationUs{0}, kHour + 30 * kMinute, kSecond / 2, -(90 * kDay + kSecond), kDay, INT64_MAX, INT64_MIN}) {
    DurationUs back = 1;
    EXPECT_TRUE(parse_duration(format_duration(d), &back)) << format_duration(d);
    EXPECT_EQ(back, d);
  }
  DurationUs d = 0;
  for (const char* bad :
       {"", "P", "PT", "1H", "P1", "P1H", "PT1D", "PT1.5H", "PT1S1H", "P1DT", "PT1H1H", "P9999999999999D"}) {
    EXPECT_FALSE(parse_duration(bad, &d)) << bad;
  }
}

TEST(ParseCidr, Networks) {
  Cidr cidr;
  EXPECT_TRUE(parse_cidr("10.0.0.0/8", &cidr) && cidr.bits == 104);
  EXPECT_TRUE(parse_cidr("2001:db8::/32", &cidr) && cidr.bits == 32);
  EXPECT_TRUE(parse_cidr("::ffff:10.0.0.0/104", &cidr) && cidr.bits == 104);
  EXPECT_TRUE(parse_cidr("10.1.2.3", &cidr) && cidr.bits == 128);
  EXPECT_FALSE(parse_cidr("10.0.0.0/33", &cidr));
  EXPECT_FALSE(parse_cidr("10.0.0.0/", &cidr));
  EXPECT_FALSE(parse_cidr("10.0.0.0/-1", &cidr));
}

}  // namespace
}  // namespace cep
