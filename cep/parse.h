// Values out of text: numbers by their digits and never through a double, times, durations, addresses. What decoders,
// lists and casts share. Each takes the whole text and no blanks around it. Threads: pure functions.
#pragma once

#include <string_view>

#include "cep/result.h"
#include "cep/value.h"

namespace cep {

// Event times lie in [kEventTimeMin, kEventTimeEnd): the years 1900 to 2199 (R55).
inline constexpr TimeUs kEventTimeMin = -25'567 * kDay;
inline constexpr TimeUs kEventTimeEnd = 84'006 * kDay;

// Number syntax is JSON's, exponent included: "-12.50", "5e2"; no plus sign, no leading zeros.
bool is_json_number(std::string_view digits);
// The number times 10^scale. False: no number, a non-zero digit beyond the scale, or more than 38 digits.
bool parse_decimal_digits(std::string_view digits, uint8_t scale, Int128* out);
// The same, and within the type's precision.
bool parse_decimal(std::string_view digits, const Type& type, Int128* out);
// Rounds half away from zero at the scale instead of refusing.
bool parse_decimal_rounded(std::string_view digits, uint8_t scale, Int128* out);
// "5", "5.0" and "5e2" are ints; false: no number, a fraction, or beyond 64 bits.
bool parse_int64(std::string_view digits, int64_t* out);
// The nearest double; false: no number, or beyond the range of a double.
bool parse_float(std::string_view digits, double* out);

// RFC 3339: "2026-01-31T10:00:00.5+01:00", a blank for the T allowed. Without Z or offset it is local time of `zone`.
// Finer than a microsecond is truncated; second 60 is :59.999999. Errors: bad_time, out_of_range.
Result<TimeUs> parse_time(std::string_view rfc3339, std::string_view zone);
// Milliseconds since 1970 as a JSON number, truncated to microseconds. `looks_like_seconds` (may be null) is set to
// whether the number is whole and below 10^11, as a time in seconds would be. Errors: bad_time, out_of_range.
Result<TimeUs> time_from_epoch_ms(std::string_view digits, bool* looks_like_seconds = nullptr);
// ISO 8601 as format_duration writes it: "PT1H30M", "-P1DT0.5S"; weeks to seconds, a fraction of seconds only.
bool parse_duration(std::string_view text, DurationUs* out);

// Dotted quad or IPv6 text; an IPv4-mapped address is the IPv4 address.
bool parse_ip(std::string_view text, IpBytes* out);
// A network in the same 16 bytes: of an IPv4 network `bits` counts from 96.
struct Cidr {
  IpBytes address{};
  uint8_t bits = 0;
};
bool parse_cidr(std::string_view text, Cidr* out);  // "10.0.0.0/8", "2001:db8::/32"; an address alone is itself
bool is_ipv4(const IpBytes& ip);
// The address with all bits after the first `bits` (0..128) cleared.
IpBytes masked(const IpBytes& ip, int bits);

// A value of the type as a list file or cast writes it; a timestamp also as epoch milliseconds. A text views the
// argument. Errors: wrong_type, bad_time, out_of_range.
Result<Value> parse_value(std::string_view text, const Type& type);

}  // namespace cep
