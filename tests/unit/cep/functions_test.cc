// The built-in functions, one by one (R53-R59).
#include "cep/functions.h"

#include <gtest/gtest.h>

#include <random>

#include "cep/parse.h"
#include "cep/text.h"
#include "tests/unit/cep/expr_maker.h"

namespace cep {
namespace {

struct Caller : ExprMaker {
  std::string call(std::string_view name, Type type, std::initializer_list<ExprId> args) {
    return show(ExprMaker::call(find_function(name)->id, type, args));
  }
  ExprId time(std::string_view text) { return constant(Value::timestamp(*parse_time(text, "UTC")), kTimeType); }
  ExprId ip(std::string_view text) {
    IpBytes bytes;
    EXPECT_TRUE(parse_ip(text, &bytes));
    return constant(Value::address(bytes), kIpType);
  }
};

TEST(Table, NamesAndIdsAreDistinct) {
  for (const FunctionInfo& f : functions()) {
    EXPECT_EQ(find_function(f.name), &f);
    for (const FunctionInfo& g : functions()) EXPECT_EQ(f.id == g.id, &f == &g);
    EXPECT_FALSE(f.help.empty());
  }
  EXPECT_EQ(functions().size(), 27u);
  EXPECT_EQ(find_function("nope"), nullptr);
}

TEST(Numbers, Rounding) {
  Caller c;
  const Type three{TypeKind::kDecimal, 6, 3};
  const ExprId x = c.constant(Value::decimal(-1255, 3), three);
  EXPECT_EQ(c.call("abs", three, {x}), "1.255");
  EXPECT_EQ(c.call("round", three, {x, c.number(2)}), "-1.260");  // half away from zero
  EXPECT_EQ(c.call("round", kMoneyType, {x, c.number(2)}), "-1.26");
  EXPECT_EQ(c.call("round", three, {x}), "-1.000");
  EXPECT_EQ(c.call("floor", three, {x}), "-2.000");
  EXPECT_EQ(c.call("ceil", three, {x}), "-1.000");
  EXPECT_EQ(c.call("ceil", three, {c.constant(Value::decimal(1001, 3), three)}), "2.000");
  EXPECT_EQ(c.call("round", kIntType, {c.number(-1250), c.number(-2)}), "-1300");
  EXPECT_EQ(c.call("round", kIntType, {c.number(5), c.number(-100)}), "0");
  EXPECT_EQ(c.call("round", kFloatType, {c.real(2.5)}), "3");
  EXPECT_EQ(c.call("round", kFloatType, {c.real(1.2345), c.number(2)}), "1.23");
  EXPECT_EQ(c.call("round", kFloatType, {c.real(1e300), c.number(200)}), "1e+300");
  EXPECT_EQ(c.call("floor", kFloatType, {c.real(-0.5)}), "-1");
  EXPECT_EQ(c.call("abs", kIntType, {c.null()}), "-");
  EXPECT_EQ(c.call("abs", kIntType, {c.number(INT64_MIN)}), "-");
  EXPECT_EQ(c.counters.arithmetic_null, 1u);
}

TEST(Numbers, Div) {
  Caller c;
  EXPECT_EQ(c.call("div", kIntType, {c.number(-7), c.number(2)}), "-3");
  EXPECT_EQ(c.call("div", kIntType, {c.money(750), c.money(-50)}), "-15");
  EXPECT_EQ(c.call("div", kIntType, {c.real(7.9), c.number(2)}), "3");
  EXPECT_EQ(c.call("div", kIntType, {c.number(1), c.number(0)}), "-");
  EXPECT_EQ(c.call("div", kIntType, {c.real(1), c.real(0)}), "-");
  EXPECT_EQ(c.counters.arithmetic_null, 2u);
}

TEST(Choice, NullsAndCommonTypes) {
  Caller c;
  EXPECT_EQ(c.call("least", kMoneyType, {c.number(2), c.money(150)}), "1.50");
  EXPECT_EQ(c.call("greatest", kMoneyType, {c.number(2), c.money(150)}), "2.00");
  EXPECT_EQ(c.call("greatest", kMoneyType, {c.number(2), c.null()}), "-");
  EXPECT_EQ(c.call("coalesce", kMoneyType, {c.null(), c.number(0), c.money(1)}), "0.00");
  EXPECT_EQ(c.call("coalesce", kMoneyType, {c.null()}), "-");
  EXPECT_EQ(c.call("nullif", kIntType, {c.number(5), c.money(500)}), "-");
  EXPECT_EQ(c.call("nullif", kIntType, {c.number(5), c.null()}), "5");
  EXPECT_EQ(
      c.call("coalesce", kIntType,
             {c.null(), c.null(), c.null(), c.null(), c.null(), c.null(), c.null(), c.null(), c.null(), c.number(9)}),
      "9");  // more arguments than the stack holds
}

// R57
TEST(Texts, CodePointsAndAscii) {
  Caller c;
  EXPECT_EQ(c.call("length", kIntType, {c.text("d\xc3\xa9j\xc3\xa0")}), "4");
  EXPECT_EQ(c.call("lower", kTextType, {c.text("AbC\xc3\x89")}), "abc\xc3\x89");
  EXPECT_EQ(c.call("upper", kTextType, {c.text("abz{")}), "ABZ{");
  EXPECT_EQ(c.call("trim", kTextType, {c.text("  a b ")}), "a b");
  EXPECT_EQ(c.call("trim", kTextType, {c.text("   ")}), "");
  EXPECT_EQ(c.call("substring", kTextType, {c.text("d\xc3\xa9j\xc3\xa0"), c.number(2), c.number(2)}), "\xc3\xa9j");
  EXPECT_EQ(c.call("substring", kTextType, {c.text("abc"), c.number(2)}), "bc");
  EXPECT_EQ(c.call("substring", kTextType, {c.text("abc"), c.number(-1), c.number(3)}), "a");
  EXPECT_EQ(c.call("substring", kTextType, {c.text("abc"), c.number(9)}), "");
  EXPECT_EQ(c.call("starts_with", kBoolType, {c.text("abc"), c.text("ab")}), "true");
  EXPECT_EQ(c.call("ends_with", kBoolType, {c.text("abc"), c.text("ab")}), "false");
  EXPECT_EQ(c.call("contains", kBoolType, {c.text("abc"), c.text("")}), "true");
  EXPECT_EQ(c.call("contains", kBoolType, {c.null(), c.text("a")}), "-");
  EXPECT_EQ(c.call("concat", kTextType, {c.text("a"), c.null(), c.text("b")}), "ab");
  EXPECT_EQ(c.call("hash", kTextType, {c.text("abc")}), "ba7816bf8f01cfea");
  EXPECT_EQ(c.call("mask", kTextType, {c.text("4111111111111234")}), "************1234");
  EXPECT_EQ(c.call("mask", kTextType, {c.number(12345)}), "*2345");
}

TEST(Texts, Like) {
  EXPECT_TRUE(is_like("", ""));
  EXPECT_TRUE(is_like("", "%"));
  EXPECT_FALSE(is_like("", "_"));
  EXPECT_TRUE(is_like("a%c", "a\\%c"));
  EXPECT_FALSE(is_like("abc", "a\\%c"));
  EXPECT_TRUE(is_like("a\\", "a\\"));  // a backslash at the end is itself
  EXPECT_TRUE(is_like("\xe2\x82\xac", "_"));
  EXPECT_FALSE(is_like("\xe2\x82\xac", "%__"));  // one code point is not two
  EXPECT_FALSE(is_like("ABC", "abc"));
}

// The definition, by recursion: every split that `%` can make.
bool plainly_like(std::string_view text, std::string_view pattern) {
  if (pattern.empty()) return text.empty();
  if (pattern[0] != '%') {
    return !text.empty() && (pattern[0] == '_' || pattern[0] == text[0]) && plainly_like(text.substr(1), pattern.substr(1));
  }
  for (size_t taken = 0; taken <= text.size(); ++taken) {
    if (plainly_like(text.substr(taken), pattern.substr(1))) return true;
  }
  return false;
}

TEST(Texts, LikeAgreesWithItsDefinition) {
  const auto seed = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937 random(seed);
  for (int i = 0; i < 5000; ++i) {
    std::string text;
    std::string pattern;
    for (unsigned n = random() % 8; n > 0; --n) text += "ab"[random() % 2];
    for (unsigned n = random() % 6; n > 0; --n) pattern += "ab%_"[random() % 4];
    ASSERT_EQ(is_like(text, pattern), plainly_like(text, pattern)) << text << " like " << pattern;
  }
}

// R56
TEST(Times, Parts) {
  Caller c;
  const ExprId t =
      c.time("2026-03-29T23:30:00Z");  // a Sunday; Monday in Berlin, which is in summer time since 01:00 UTC
  EXPECT_EQ(c.call("hour", kIntType, {t}), "23");
  EXPECT_EQ(c.call("day_of_week", kIntType, {t}), "7");
  EXPECT_EQ(c.call("hour", kIntType, {t, c.text("Europe/Berlin")}), "1");
  EXPECT_EQ(c.call("day_of_week", kIntType, {t, c.text("Europe/Berlin")}), "1");
  EXPECT_EQ(c.call("hour", kIntType, {c.time("1969-12-31T23:59:59Z")}), "23");
  EXPECT_EQ(c.call("day_of_week", kIntType, {c.time("1969-12-31T23:59:59Z")}), "3");
  EXPECT_TRUE(is_known_zone("Europe/Berlin"));
  EXPECT_TRUE(is_known_zone("UTC"));
  EXPECT_FALSE(is_known_zone("Europe/Nowhere"));
  EXPECT_FALSE(is_known_zone(""));
}

TEST(Times, Truncation) {
  Caller c;
  const auto trunc = [&](const char* unit, const char* t) {
    return c.call("date_trunc", kTimeType, {c.text(unit), c.time(t)});
  };
  const char* t = "2026-08-20T15:42:31.5Z";  // a Thursday
  EXPECT_EQ(trunc("second", t), "2026-08-20T15:42:31.000Z");
  EXPECT_EQ(trunc("minute", t), "2026-08-20T15:42:00.000Z");
  EXPECT_EQ(trunc("hour", t), "2026-08-20T15:00:00.000Z");
  EXPECT_EQ(trunc("day", t), "2026-08-20T00:00:00.000Z");
  EXPECT_EQ(trunc("week", t), "2026-08-17T00:00:00.000Z");
  EXPECT_EQ(trunc("month", t), "2026-08-01T00:00:00.000Z");
  EXPECT_EQ(trunc("quarter", t), "2026-07-01T00:00:00.000Z");
  EXPECT_EQ(trunc("year", t), "2026-01-01T00:00:00.000Z");
  EXPECT_EQ(trunc("day", "1969-12-31T23:59:59Z"), "1969-12-31T00:00:00.000Z");
  EXPECT_EQ(trunc("century", t), "-");
  EXPECT_TRUE(is_known_time_unit("week"));
  EXPECT_FALSE(is_known_time_unit("weeks"));
}

TEST(Times, TruncationInAZone) {
  Caller c;
  const auto trunc = [&](const char* unit, const char* t, const char* zone) {
    return c.call("date_trunc", kTimeType, {c.text(unit), c.time(t), c.text(zone)});
  };
  EXPECT_EQ(trunc("day", "2026-07-01T23:00:00Z", "Europe/Berlin"), "2026-07-01T22:00:00.000Z");
  // 02:30 comes twice in this night, and each belongs to its own hour.
  EXPECT_EQ(trunc("hour", "2026-10-25T00:30:00Z", "Europe/Berlin"), "2026-10-25T00:00:00.000Z");
  EXPECT_EQ(trunc("hour", "2026-10-25T01:30:00Z", "Europe/Berlin"), "2026-10-25T01:00:00.000Z");
  EXPECT_EQ(trunc("day", "2026-10-25T12:00:00Z", "Europe/Berlin"), "2026-10-24T22:00:00.000Z");
  EXPECT_EQ(trunc("hour", "2026-01-01T00:10:00Z", "Asia/Kolkata"), "2025-12-31T23:30:00.000Z");
  // This day has no midnight: it begins at 01:00 local time.
  EXPECT_EQ(trunc("day", "2018-11-04T12:00:00Z", "America/Sao_Paulo"), "2018-11-04T03:00:00.000Z");
}

// R59
TEST(Geo, DistanceAndSpeed) {
  EXPECT_NEAR(distance_km(52.52, 13.405, 48.8566, 2.3522), 877.46, 0.05);  // Berlin to Paris
  EXPECT_EQ(distance_km(10, 20, 10, 20), 0);
  EXPECT_NEAR(distance_km(0, 0, 0, 180), 20015.1145, 0.001);
  EXPECT_NEAR(distance_km(0, 179.5, 0, -179.5), 111.195, 0.001);  // across the date line
  const double km = distance_km(0, 0, 0, 1);
  EXPECT_EQ(km, std::round(km * 1e6) / 1e6);
  EXPECT_NEAR(speed_kmh(0, 0, 0, 0, 1, kHour / 2), 2 * km, 1e-5);
  EXPECT_EQ(speed_kmh(0, 0, kHour, 0, 1, 0), speed_kmh(0, 0, 0, 0, 1, kHour));
  EXPECT_EQ(speed_kmh(0, 0, 5, 0, 1, 5), 1e9);
  EXPECT_EQ(speed_kmh(0, 1, 5, 0, 1, 5), 0);
  Caller c;
  EXPECT_EQ(c.call("distance_km", kFloatType, {c.money(0), c.number(0), c.null(), c.real(1)}), "-");
  EXPECT_EQ(c.call("distance_km", kFloatType, {c.money(0), c.number(0), c.number(0), c.number(0)}), "0");
}

// R58
TEST(Addresses, Networks) {
  Caller c;
  EXPECT_EQ(c.call("in_cidr", kBoolType, {c.ip("10.1.2.3"), c.text("10.0.0.0/8")}), "true");
  EXPECT_EQ(c.call("in_cidr", kBoolType, {c.ip("11.1.2.3"), c.text("10.0.0.0/8")}), "false");
  EXPECT_EQ(c.call("in_cidr", kBoolType, {c.ip("::ffff:10.1.2.3"), c.text("10.9.9.9/8")}), "true");
  EXPECT_EQ(c.call("in_cidr", kBoolType, {c.ip("2001:db8::1"), c.text("0.0.0.0/0")}), "false");
  EXPECT_EQ(c.call("in_cidr", kBoolType, {c.ip("2001:db8::1"), c.text("2001:db8::/33")}), "true");
  EXPECT_EQ(c.call("in_cidr", kBoolType, {c.ip("10.1.2.3"), c.text("ten")}), "-");
  EXPECT_EQ(c.call("network", kIpType, {c.ip("10.1.2.3"), c.number(24)}), "10.1.2.0");
  EXPECT_EQ(c.call("network", kIpType, {c.ip("10.1.2.3"), c.number(64)}), "10.1.2.3");
  EXPECT_EQ(c.call("network", kIpType, {c.ip("2001:db8:1:2:3::1"), c.number(64)}), "2001:db8:1:2::");
  EXPECT_EQ(c.call("network", kIpType, {c.ip("10.1.2.3"), c.number(-1)}), "-");
}

}  // namespace
}  // namespace cep
