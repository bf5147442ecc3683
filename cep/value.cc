#include "cep/value.h"

#include <charconv>
#include <chrono>
#include <cmath>

#include "cep/decimal.h"
#include "cep/result.h"

namespace cep {
namespace {

int sign(int n) { return (n > 0) - (n < 0); }

template <class T>
int order_of(T a, T b) {
  return a < b ? -1 : (a > b ? 1 : 0);
}

int compare_floats(double a, double b) {
  if (std::isnan(a) || std::isnan(b)) return order_of<int>(std::isnan(a), std::isnan(b));
  return order_of(a, b);
}

int compare_numbers(const Value& a, const Value& b) {
  if (a.kind == ValueKind::kFloat) {
    return b.kind == ValueKind::kFloat ? compare_floats(a.real, b.real)
                                       : -compare_decimal_with_double(b.number, b.scale, a.real);
  }
  if (b.kind == ValueKind::kFloat) return compare_decimal_with_double(a.number, a.scale, b.real);
  return compare_decimals(a.number, a.scale, b.number, b.scale);
}

int compare_texts(std::string_view a, std::string_view b) { return sign(a.compare(b)); }

// Digits of a number that is not negative, at least `width` of them.
std::string digits_of(Int128 n, size_t width = 1) {
  char buffer[48];
  char* end = buffer + sizeof buffer;
  char* p = end;
  for (; n > 0; n /= 10) *--p = static_cast<char>('0' + static_cast<int>(n % 10));
  while (static_cast<size_t>(end - p) < width) *--p = '0';
  return {p, end};
}

std::string format_float(double d) {
  char buffer[40];
  const auto end = std::to_chars(buffer, buffer + sizeof buffer, d).ptr;
  return {buffer, end};
}

}  // namespace

int compare(const Value& a, const Value& b) {
  if (a.is_number() && b.is_number()) return compare_numbers(a, b);
  WEIR_CHECK(a.kind == b.kind, "values of different kinds are compared");
  switch (a.kind) {
    case ValueKind::kText: return compare_texts(a.text(), b.text());
    case ValueKind::kIp: return sign(std::memcmp(a.ip.data(), b.ip.data(), a.ip.size()));
    default: return order_of(a.number, b.number);
  }
}

bool OwnedValue::operator==(const OwnedValue& other) const {
  const Value a = view();
  const Value b = other.view();
  return a.kind == b.kind && (a.is_null() || compare(a, b) == 0);
}

std::string format_decimal(Int128 scaled, uint8_t scale) {
  std::string text = digits_of(scaled < 0 ? -scaled : scaled, size_t{scale} + 1);
  if (scale > 0) text.insert(text.size() - scale, 1, '.');
  if (scaled < 0) text.insert(0, 1, '-');
  return text;
}

std::string format_time(TimeUs t) {
  using namespace std::chrono;
  const sys_time<microseconds> instant{microseconds{t}};
  const auto day = floor<days>(instant);
  const year_month_day date{day};
  const hh_mm_ss clock{instant - day};
  const int year = static_cast<int>(date.year());
  const int64_t us = clock.subseconds().count();
  std::string text = year < 0 ? "-" : "";
  text += digits_of(year < 0 ? -year : year, 4) + '-' + digits_of(unsigned{date.month()}, 2) + '-' +
          digits_of(unsigned{date.day()}, 2) + 'T' + digits_of(clock.hours().count(), 2) + ':' +
          digits_of(clock.minutes().count(), 2) + ':' + digits_of(clock.seconds().count(), 2) + '.';
  text += us % 1000 == 0 ? digits_of(us / 1000, 3) : digits_of(us, 6);
  return text + 'Z';
}

std::string format_duration(DurationUs d) {
  if (d == 0) return "PT0S";
  Int128 us = d;  // the least int64 has no positive twin
  std::string text = us < 0 ? "-P" : "P";
  if (us < 0) us = -us;
  const auto take = [&](DurationUs unit, const char* letter) {
    if (us >= unit) text += digits_of(us / unit) + letter;
    us %= unit;
  };
  take(kDay, "D");
  if (us == 0) return text;
  text += 'T';
  take(kHour, "H");
  take(kMinute, "M");
  if (us == 0) return text;
  text += digits_of(us / kSecond);
  if (us % kSecond != 0) {
    std::string fraction = digits_of(us % kSecond, 6);
    fraction.erase(fraction.find_last_not_of('0') + 1);
    text += '.' + fraction;
  }
  return text + 'S';
}

std::string format_ip(const IpBytes& ip) {
  static constexpr IpBytes kMapped{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0, 0, 0, 0};
  if (std::memcmp(ip.data(), kMapped.data(), 12) == 0) {
    std::string text;
    for (size_t i = 12; i < 16; ++i) text += (i > 12 ? "." : "") + std::to_string(ip[i]);
    return text;
  }
  std::array<uint16_t, 8> group;
  for (size_t i = 0; i < 8; ++i) group[i] = static_cast<uint16_t>(ip[2 * i] << 8 | ip[2 * i + 1]);
  size_t zeros_at = 8;  // the first longest run of at least two zero groups becomes "::" (RFC 5952)
  size_t zeros = 1;
  for (size_t i = 0; i < 8; ++i) {
    size_t end = i;
    while (end < 8 && group[end] == 0) ++end;
    if (end - i > zeros) {
      zeros_at = i;
      zeros = end - i;
    }
  }
  std::string text;
  for (size_t i = 0; i < 8; ++i) {
    if (i == zeros_at) {
      text += "::";
      i += zeros - 1;
      continue;
    }
    if (!text.empty() && text.back() != ':') text += ':';
    char hex[8];
    text.append(hex, std::to_chars(hex, hex + sizeof hex, group[i], 16).ptr);
  }
  return text;
}

std::string to_display(const Value& v) {
  switch (v.kind) {
    case ValueKind::kNull: return "-";
    case ValueKind::kBool: return v.number != 0 ? "true" : "false";
    case ValueKind::kInt: return format_decimal(v.number, 0);
    case ValueKind::kFloat: return format_float(v.real);
    case ValueKind::kDecimal: return format_decimal(v.number, v.scale);
    case ValueKind::kText: return std::string(v.text());
    case ValueKind::kTimestamp: return format_time(static_cast<TimeUs>(v.number));
    case ValueKind::kDuration: return format_duration(static_cast<DurationUs>(v.number));
    case ValueKind::kIp: return format_ip(v.ip);
  }
  return "-";
}

}  // namespace cep
