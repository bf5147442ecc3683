#include "cep/parse.h"

#include <arpa/inet.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <optional>

#include "cep/decimal.h"
#include "cep/zone.h"

namespace cep {
namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }

std::string quoted(std::string_view text) {
  constexpr size_t kShown = 60;
  return "'" + std::string(text.substr(0, kShown)) + (text.size() > kShown ? "...'" : "'");
}

// Takes the digits at the front of `rest`.
std::string_view take_digits(std::string_view& rest) {
  const size_t n = static_cast<size_t>(std::find_if_not(rest.begin(), rest.end(), is_digit) - rest.begin());
  const std::string_view digits = rest.substr(0, n);
  rest.remove_prefix(n);
  return digits;
}

bool take(std::string_view& rest, char c) {
  if (rest.empty() || rest.front() != c) return false;
  rest.remove_prefix(1);
  return true;
}

// A number cut into its parts: (-) whole . fraction e exponent.
struct NumberParts {
  bool negative = false;
  std::string_view whole;
  std::string_view fraction;
  int64_t exponent = 0;

  int64_t size() const { return static_cast<int64_t>(whole.size() + fraction.size()); }
  int digit(int64_t i) const {
    const auto at = static_cast<size_t>(i);
    return (at < whole.size() ? whole[at] : fraction[at - whole.size()]) - '0';
  }
};

bool take_exponent(std::string_view& rest, int64_t* exponent) {
  constexpr int64_t kFarBeyondAnyNumber = 1'000'000'000;
  const bool negative = take(rest, '-');
  if (!negative) take(rest, '+');
  const std::string_view digits = take_digits(rest);
  for (const char c : digits) *exponent = std::min(*exponent * 10 + (c - '0'), kFarBeyondAnyNumber);
  if (negative) *exponent = -*exponent;
  return !digits.empty();
}

std::optional<NumberParts> split_number(std::string_view rest) {
  NumberParts parts;
  parts.negative = take(rest, '-');
  parts.whole = take_digits(rest);
  if (parts.whole.empty() || (parts.whole.size() > 1 && parts.whole.front() == '0')) return std::nullopt;
  if (take(rest, '.')) {
    parts.fraction = take_digits(rest);
    if (parts.fraction.empty()) return std::nullopt;
  }
  if ((take(rest, 'e') || take(rest, 'E')) && !take_exponent(rest, &parts.exponent)) return std::nullopt;
  if (!rest.empty()) return std::nullopt;
  return parts;
}

enum class Excess { kRefuse, kTruncate, kRound };  // what happens to non-zero digits beyond the scale

// The number times 10^scale; empty if it has more than 38 digits then, or excess digits that are refused.
std::optional<Int128> scaled(const NumberParts& parts, int scale, Excess excess) {
  const int64_t size = parts.size();
  int64_t first = 0;
  while (first < size && parts.digit(first) == 0) ++first;
  if (first == size) return 0;
  int64_t last = size;
  while (parts.digit(last - 1) == 0) --last;
  const int64_t kept =
      static_cast<int64_t>(parts.whole.size()) + parts.exponent + scale;  // digits before this one count
  if (last > kept && excess == Excess::kRefuse) return std::nullopt;
  if (kept - first > kDecimalDigitsMax) return std::nullopt;
  Int128 number = 0;
  for (int64_t i = first; i < kept; ++i) number = number * 10 + (i < size ? parts.digit(i) : 0);
  if (excess == Excess::kRound && kept >= 0 && kept < size && parts.digit(kept) >= 5) ++number;
  if (!has_digits_at_most(number, kDecimalDigitsMax)) return std::nullopt;
  return parts.negative ? -number : number;
}

bool parse_scaled(std::string_view digits, int scale, Excess excess, Int128* out) {
  const std::optional<NumberParts> parts = split_number(digits);
  if (!parts) return false;
  const std::optional<Int128> number = scaled(*parts, scale, excess);
  if (number) *out = *number;
  return number.has_value();
}

// A fixed number of digits with a greatest value, as in the fields of a time.
bool take_field(std::string_view& rest, size_t width, int least, int greatest, int* out) {
  if (rest.size() < width || !std::all_of(rest.begin(), rest.begin() + static_cast<ptrdiff_t>(width), is_digit)) {
    return false;
  }
  std::from_chars(rest.data(), rest.data() + width, *out);
  rest.remove_prefix(width);
  return *out >= least && *out <= greatest;
}

bool take_date(std::string_view& rest, int64_t* us) {
  int year = 0;
  int month = 0;
  int day = 0;
  if (!take_field(rest, 4, 0, 9999, &year) || !take(rest, '-') || !take_field(rest, 2, 1, 12, &month) ||
      !take(rest, '-') || !take_field(rest, 2, 1, 31, &day)) {
    return false;
  }
  const std::chrono::year_month_day date{std::chrono::year{year}, std::chrono::month{static_cast<unsigned>(month)},
                                         std::chrono::day{static_cast<unsigned>(day)}};
  if (!date.ok()) return false;
  *us = std::chrono::sys_days{date}.time_since_epoch().count() * kDay;
  return true;
}

// A fraction of a second after its point, truncated to microseconds.
bool take_fraction(std::string_view& rest, int64_t* us) {
  const std::string_view digits = take_digits(rest);
  int64_t unit = kSecond / 10;
  for (size_t i = 0; i < digits.size() && unit > 0; ++i, unit /= 10) *us += (digits[i] - '0') * unit;
  return !digits.empty();
}

bool take_clock(std::string_view& rest, int64_t* us) {
  int hour = 0;
  int minute = 0;
  int second = 0;
  int64_t fraction = 0;
  if (!take_field(rest, 2, 0, 23, &hour) || !take(rest, ':') || !take_field(rest, 2, 0, 59, &minute) ||
      !take(rest, ':') || !take_field(rest, 2, 0, 60, &second)) {
    return false;
  }
  if (take(rest, '.') && !take_fraction(rest, &fraction)) return false;
  if (second == 60) {  // a leap second has no number of its own: the last instant before the next minute
    second = 59;
    fraction = kSecond - 1;
  }
  *us = hour * kHour + minute * kMinute + second * kSecond + fraction;
  return true;
}

// Z or an offset; `present` is false at the end of the text.
bool take_offset(std::string_view& rest, bool* present, int64_t* us) {
  *present = !rest.empty();
  if (rest.empty() || take(rest, 'Z') || take(rest, 'z')) return true;
  const bool west = take(rest, '-');
  if (!west && !take(rest, '+')) return false;
  int hour = 0;
  int minute = 0;
  if (!take_field(rest, 2, 0, 23, &hour) || !take(rest, ':') || !take_field(rest, 2, 0, 59, &minute)) return false;
  *us = (hour * kHour + minute * kMinute) * (west ? -1 : 1);
  return true;
}

Result<TimeUs> in_event_range(Int128 t, std::string_view text) {
  if (t < kEventTimeMin || t >= kEventTimeEnd) {
    return Error{"out_of_range", "the time " + quoted(text) + " is outside the years 1900 to 2199"};
  }
  return static_cast<TimeUs>(t);
}

}  // namespace

bool is_json_number(std::string_view digits) { return split_number(digits).has_value(); }

bool parse_decimal_digits(std::string_view digits, uint8_t scale, Int128* out) {
  return parse_scaled(digits, scale, Excess::kRefuse, out);
}

bool parse_decimal(std::string_view digits, const Type& type, Int128* out) {
  return parse_decimal_digits(digits, type.scale, out) && has_digits_at_most(*out, type.precision);
}

bool parse_decimal_rounded(std::string_view digits, uint8_t scale, Int128* out) {
  return parse_scaled(digits, scale, Excess::kRound, out);
}

bool parse_int64(std::string_view digits, int64_t* out) {
  Int128 number = 0;
  if (!parse_decimal_digits(digits, 0, &number) || !fits_int64(number)) return false;
  *out = static_cast<int64_t>(number);
  return true;
}

bool parse_float(std::string_view digits, double* out) {
  if (!is_json_number(digits)) return false;
  return std::from_chars(digits.data(), digits.data() + digits.size(), *out).ec == std::errc{};
}

Result<TimeUs> parse_time(std::string_view rfc3339, std::string_view zone) {
  std::string_view rest = rfc3339;
  int64_t date_us = 0;
  int64_t clock_us = 0;
  int64_t offset_us = 0;
  bool has_offset = false;
  if (!take_date(rest, &date_us) || !(take(rest, 'T') || take(rest, 't') || take(rest, ' ')) ||
      !take_clock(rest, &clock_us) || !take_offset(rest, &has_offset, &offset_us) || !rest.empty()) {
    return Error{"bad_time", quoted(rfc3339) + " is not a time: write 2026-01-31T10:00:00Z"};
  }
  const int64_t local_us = date_us + clock_us;
  if (has_offset) return in_event_range(local_us - offset_us, rfc3339);
  const std::optional<TimeUs> utc = local_to_utc(zone, local_us);
  if (!utc) return Error{"bad_time", "unknown time zone " + quoted(zone)};
  return in_event_range(*utc, rfc3339);
}

Result<TimeUs> time_from_epoch_ms(std::string_view digits, bool* looks_like_seconds) {
  const std::optional<NumberParts> parts = split_number(digits);
  if (!parts) return Error{"bad_time", quoted(digits) + " is not a number of milliseconds"};
  const std::optional<Int128> us = scaled(*parts, 3, Excess::kTruncate);
  if (!us) return Error{"out_of_range", "the time " + quoted(digits) + " is outside the years 1900 to 2199"};
  if (looks_like_seconds != nullptr) {
    constexpr int64_t kLeastPlausibleMs = 100'000'000'000;
    *looks_like_seconds = scaled(*parts, 0, Excess::kRefuse).has_value() && *us / 1000 < kLeastPlausibleMs;
  }
  return in_event_range(*us, digits);
}

bool parse_duration(std::string_view text, DurationUs* out) {
  std::string_view rest = text;
  const bool negative = take(rest, '-');
  if (!take(rest, 'P') || rest.empty()) return false;
  struct Unit {
    char letter;
    bool after_t;
    DurationUs us;
  };
  static constexpr Unit kUnits[] = {
      {'W', false, 7 * kDay}, {'D', false, kDay}, {'H', true, kHour}, {'M', true, kMinute}, {'S', true, kSecond}};
  Int128 total = 0;
  bool after_t = false;
  for (const Unit* unit = kUnits; !rest.empty();) {
    if (!after_t && take(rest, 'T')) after_t = true;
    const std::string_view digits = take_digits(rest);
    Int128 count = 0;
    int64_t fraction = 0;
    if (digits.empty() || digits.size() > 18) return false;
    for (const char c : digits) count = count * 10 + (c - '0');
    const bool has_fraction = take(rest, '.');
    if (has_fraction && !take_fraction(rest, &fraction)) return false;
    if (rest.empty()) return false;
    unit = std::find_if(unit, std::end(kUnits), [&](const Unit& u) { return u.letter == rest.front(); });
    if (unit == std::end(kUnits) || unit->after_t != after_t || (has_fraction && unit->us != kSecond)) return false;
    rest.remove_prefix(1);
    total += count * unit->us + fraction;
    ++unit;
  }
  if (negative) total = -total;
  if (text.back() == 'T' || !fits_int64(total)) return false;
  *out = static_cast<DurationUs>(total);
  return true;
}

bool is_ipv4(const IpBytes& ip) {
  return std::all_of(ip.begin(), ip.begin() + 10, [](uint8_t b) { return b == 0; }) && ip[10] == 0xff && ip[11] == 0xff;
}

bool parse_ip(std::string_view text, IpBytes* out) {
  char buffer[INET6_ADDRSTRLEN];
  if (text.size() >= sizeof buffer || text.find('\0') != std::string_view::npos) return false;
  *std::copy(text.begin(), text.end(), buffer) = '\0';
  IpBytes ip{};
  if (inet_pton(AF_INET6, buffer, ip.data()) == 1) {
    *out = ip;
    return true;
  }
  ip[10] = ip[11] = 0xff;
  if (inet_pton(AF_INET, buffer, ip.data() + 12) != 1) return false;
  *out = ip;
  return true;
}

bool parse_cidr(std::string_view text, Cidr* out) {
  const size_t slash = text.find('/');
  if (!parse_ip(text.substr(0, slash), &out->address)) return false;
  out->bits = 128;
  if (slash == std::string_view::npos) return true;
  const bool v4 = is_ipv4(out->address) && text.substr(0, slash).find(':') == std::string_view::npos;
  const std::string_view digits = text.substr(slash + 1);
  int bits = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), bits);
  if (error != std::errc{} || end != digits.data() + digits.size()) return false;
  if (bits < 0 || bits > (v4 ? 32 : 128)) return false;
  out->bits = static_cast<uint8_t>(v4 ? bits + 96 : bits);
  return true;
}

IpBytes masked(const IpBytes& ip, int bits) {
  IpBytes result{};
  for (int i = 0; i < 16; ++i) {
    const int kept = std::clamp(bits - 8 * i, 0, 8);
    result[static_cast<size_t>(i)] = static_cast<uint8_t>(ip[static_cast<size_t>(i)] & (0xff00 >> kept));
  }
  return result;
}

Result<Value> parse_value(std::string_view text, const Type& type) {
  switch (type.kind) {
    case TypeKind::kBool:
      if (text == "true") return Value::boolean(true);
      if (text == "false") return Value::boolean(false);
      break;
    case TypeKind::kInt: {
      int64_t n = 0;
      if (parse_int64(text, &n)) return Value::integer(n);
      break;
    }
    case TypeKind::kFloat: {
      double d = 0;
      if (parse_float(text, &d)) return Value::floating(d);
      break;
    }
    case TypeKind::kDecimal: {
      Int128 n = 0;
      if (parse_decimal(text, type, &n)) return Value::decimal(n, type.scale);
      break;
    }
    case TypeKind::kText: return Value::string(text);
    case TypeKind::kTimestamp: {
      const Result<TimeUs> t = is_json_number(text) ? time_from_epoch_ms(text) : parse_time(text, "UTC");
      if (!t) return t.error();
      return Value::timestamp(*t);
    }
    case TypeKind::kDuration: {
      DurationUs d = 0;
      if (parse_duration(text, &d)) return Value::duration(d);
      break;
    }
    case TypeKind::kIp: {
      IpBytes ip;
      if (parse_ip(text, &ip)) return Value::address(ip);
      break;
    }
  }
  return Error{"wrong_type", quoted(text) + " is not a value of type " + type_name(type)};
}

}  // namespace cep
