// The table of built-in functions and their dispatch. A null argument gives null before a function is entered, except
// for coalesce, concat and nullif.
#include "cep/functions.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <iterator>
#include <numbers>

#include "cep/arithmetic.h"
#include "cep/decimal.h"
#include "cep/parse.h"
#include "cep/text.h"
#include "cep/zone.h"

namespace cep {
namespace {

constexpr FunctionInfo kFunctions[] = {
    {"abs", FunctionId::kAbs, "n", ResultRule::kFirstArgument, "the number without its sign"},
    {"round", FunctionId::kRound, "n?k", ResultRule::kFirstArgument, "rounded half away from zero, to k digits (0)"},
    {"floor", FunctionId::kFloor, "n", ResultRule::kFirstArgument, "the greatest whole number not above"},
    {"ceil", FunctionId::kCeil, "n", ResultRule::kFirstArgument, "the least whole number not below"},
    {"div", FunctionId::kDiv, "nn", ResultRule::kInt, "the quotient without its fraction; null if the divisor is 0"},
    {"least", FunctionId::kLeast, "c*", ResultRule::kCommonType, "the least argument; null if one is null"},
    {"greatest", FunctionId::kGreatest, "c*", ResultRule::kCommonType, "the greatest argument; null if one is null"},
    {"coalesce", FunctionId::kCoalesce, "c*", ResultRule::kCommonType, "the first argument that is not null"},
    {"nullif", FunctionId::kNullif, "cc", ResultRule::kFirstArgument, "null if both are equal, else the first"},
    {"length", FunctionId::kLength, "t", ResultRule::kInt, "number of code points"},
    {"lower", FunctionId::kLower, "t", ResultRule::kText, "A-Z made small; other letters stay"},
    {"upper", FunctionId::kUpper, "t", ResultRule::kText, "a-z made capital; other letters stay"},
    {"trim", FunctionId::kTrim, "t", ResultRule::kText, "without blanks at both ends"},
    {"substring", FunctionId::kSubstring, "ti?i", ResultRule::kText,
     "from a position (1 is the first), at most a length"},
    {"starts_with", FunctionId::kStartsWith, "tt", ResultRule::kBool, "whether the first begins with the second"},
    {"ends_with", FunctionId::kEndsWith, "tt", ResultRule::kBool, "whether the first ends with the second"},
    {"contains", FunctionId::kContains, "tt", ResultRule::kBool, "whether the second occurs in the first"},
    {"concat", FunctionId::kConcat, "t*", ResultRule::kText, "the texts one after the other; nulls are skipped"},
    {"hash", FunctionId::kHash, "c", ResultRule::kText, "first 16 hex digits of SHA-256 of the value as text"},
    {"mask", FunctionId::kMask, "c", ResultRule::kText, "the value as text, all but its last 4 characters starred"},
    {"hour", FunctionId::kHour, "T?z", ResultRule::kInt, "hour of the day 0 to 23, in UTC or the zone"},
    {"day_of_week", FunctionId::kDayOfWeek, "T?z", ResultRule::kInt, "1 for Monday to 7, in UTC or the zone"},
    {"date_trunc", FunctionId::kDateTrunc, "uT?z", ResultRule::kTimestamp,
     "start of the second, minute, hour, day, week, month, quarter or year, in UTC or the zone"},
    {"distance_km", FunctionId::kDistanceKm, "nnnn", ResultRule::kFloat,
     "great-circle distance of lat1, lon1, lat2, lon2"},
    {"speed_kmh", FunctionId::kSpeedKmh, "nnTnnT", ResultRule::kFloat,
     "speed of lat1, lon1, t1, lat2, lon2, t2; two places at one time give 1e9"},
    {"in_cidr", FunctionId::kInCidr, "at", ResultRule::kBool, "whether the address lies in the network '10.0.0.0/8'"},
    {"network", FunctionId::kNetwork, "ai", ResultRule::kIp,
     "the address with only its first bits kept: of 32 for IPv4 (all if more are asked), of 128 for IPv6"},
};

using Arguments = std::span<const Value>;

// --- numbers ---

double round_to_millionth(double d) { return std::round(d * 1e6) / 1e6; }

// A float at `digits` decimal places; left alone where the scaling leaves the doubles.
double round_float(double d, int64_t digits) {
  constexpr int64_t kDigitsMax = 300;
  const double unit = std::pow(10.0, static_cast<double>(std::clamp<int64_t>(std::abs(digits), 0, kDigitsMax)));
  const double rounded = digits >= 0 ? std::round(d * unit) / unit : std::round(d / unit) * unit;
  return std::isfinite(rounded) ? rounded : d;
}

Value round_number(const Value& v, int64_t digits, const Type& type, EvalCounters& counters) {
  if (v.kind == ValueKind::kFloat) return Value::floating(round_float(v.real, digits));
  if (digits >= v.scale) return exact_value(v.number, v.scale, type, counters);
  const int64_t dropped = v.scale - digits;
  if (dropped > kDecimalDigitsMax) return exact_value(0, 0, type, counters);
  const Int128 unit = power_of_ten(static_cast<int>(dropped));
  Int128 rounded = 0;
  if (__builtin_mul_overflow(divide_rounded(v.number, unit), unit, &rounded)) {
    ++counters.arithmetic_null;
    return {};
  }
  return exact_value(rounded, v.scale, type, counters);
}

Value round_down_or_up(const Value& v, bool up, const Type& type, EvalCounters& counters) {
  if (v.kind == ValueKind::kFloat) return Value::floating(up ? std::ceil(v.real) : std::floor(v.real));
  const Int128 unit = power_of_ten(v.scale);
  Int128 whole = v.number / unit;
  const Int128 rest = v.number % unit;
  if (up && rest > 0) ++whole;
  if (!up && rest < 0) --whole;
  return exact_value(whole, 0, type, counters);
}

Value absolute(const Value& v, const Type& type, EvalCounters& counters) {
  if (v.kind == ValueKind::kFloat) return Value::floating(std::fabs(v.real));
  return exact_value(v.number < 0 ? -v.number : v.number, v.scale, type, counters);
}

Value truncated_quotient(const Value& a, const Value& b, const Type& type, EvalCounters& counters) {
  const bool floats = a.kind == ValueKind::kFloat || b.kind == ValueKind::kFloat;
  const int scale = std::max(a.scale, b.scale);
  const auto x = floats ? std::nullopt : rescale(a.number, a.scale, scale);
  const auto y = floats ? std::nullopt : rescale(b.number, b.scale, scale);
  if (x && y && *y != 0) return exact_value(*x / *y, 0, type, counters);
  const double quotient = std::trunc(to_double(a) / to_double(b));
  if (floats && std::fabs(quotient) < 1e18) return exact_value(static_cast<Int128>(quotient), 0, type, counters);
  ++counters.arithmetic_null;
  return {};
}

Value extreme(Arguments arguments, bool greatest, const Type& type, EvalCounters& counters) {
  const Value* chosen = &arguments[0];
  for (const Value& v : arguments.subspan(1)) {
    const int order = compare(v, *chosen);
    if (greatest ? order > 0 : order < 0) chosen = &v;
  }
  return coerce(*chosen, type, counters);
}

// --- functions that take nulls ---

Value coalesce(Arguments arguments, const Type& type, EvalCounters& counters) {
  const auto found = std::find_if(arguments.begin(), arguments.end(), [](const Value& v) { return !v.is_null(); });
  return found == arguments.end() ? Value::null() : coerce(*found, type, counters);
}

Value null_if(const Value& a, const Value& b) {
  return !a.is_null() && !b.is_null() && compare(a, b) == 0 ? Value::null() : a;
}

Value concat(Arguments arguments, TextArena& texts) {
  std::string joined;
  for (const Value& v : arguments) {
    if (!v.is_null()) joined += v.text();
  }
  return Value::string(texts.keep(std::move(joined)));
}

// --- times ---

constexpr std::string_view kTimeUnits[] = {"second", "minute", "hour", "day", "week", "month", "quarter", "year"};

int64_t floor_to(int64_t t, int64_t unit) {
  const int64_t rest = t % unit;
  return t - (rest < 0 ? rest + unit : rest);
}

std::string_view zone_argument(Arguments arguments, size_t index) {
  return index < arguments.size() ? arguments[index].text() : std::string_view("UTC");
}

// Start of the day, week, month, quarter or year of a local time.
int64_t truncate_to_days(std::string_view unit, int64_t local_us) {
  using namespace std::chrono;
  const sys_days day{days{floor_to(local_us, kDay) / kDay}};
  const year_month_day date{day};
  const unsigned month_number = unsigned{date.month()};
  sys_days start = day;
  if (unit == "week") start = day - days{weekday{day}.iso_encoding() - 1};
  if (unit == "month") start = sys_days{date.year() / date.month() / 1};
  if (unit == "quarter") start = sys_days{date.year() / month{month_number - (month_number - 1) % 3} / 1};
  if (unit == "year") start = sys_days{date.year() / January / 1};
  return start.time_since_epoch().count() * kDay;
}

Value date_trunc(std::string_view unit, TimeUs t, std::string_view zone) {
  const std::optional<DurationUs> offset = zone_offset_us(zone, t);
  if (!offset || !is_known_time_unit(unit)) return {};
  const int64_t local_us = t + *offset;
  // Within a day the offset of the instant itself stays: the second 02:30 of an autumn night begins at the second
  // 02:00.
  if (unit == "second") return Value::timestamp(floor_to(local_us, kSecond) - *offset);
  if (unit == "minute") return Value::timestamp(floor_to(local_us, kMinute) - *offset);
  if (unit == "hour") return Value::timestamp(floor_to(local_us, kHour) - *offset);
  const std::optional<TimeUs> start = local_to_utc(zone, truncate_to_days(unit, local_us));
  return start ? Value::timestamp(*start) : Value::null();
}

Value time_part(FunctionId id, const Value& t, std::string_view zone) {
  const auto instant = static_cast<TimeUs>(t.number);
  const std::optional<DurationUs> offset = zone_offset_us(zone, instant);
  if (!offset) return {};
  const int64_t local_us = instant + *offset;
  const int64_t midnight = floor_to(local_us, kDay);
  if (id == FunctionId::kHour) return Value::integer((local_us - midnight) / kHour);
  const std::chrono::weekday day{std::chrono::sys_days{std::chrono::days{midnight / kDay}}};
  return Value::integer(day.iso_encoding());
}

// --- addresses ---

Value in_cidr(const IpBytes& ip, std::string_view text) {
  Cidr cidr;
  if (!parse_cidr(text, &cidr)) return {};
  return Value::boolean(masked(ip, cidr.bits) == masked(cidr.address, cidr.bits));
}

Value network(const IpBytes& ip, Int128 bits) {
  if (bits < 0 || bits > 128) return {};
  if (!is_ipv4(ip)) return Value::address(masked(ip, static_cast<int>(bits)));
  return Value::address(masked(ip, 96 + std::min(static_cast<int>(bits), 32)));
}

// --- dispatch ---

Value call_number_function(FunctionId id, const Type& type, Arguments a, EvalCounters& counters) {
  switch (id) {
    case FunctionId::kAbs: return absolute(a[0], type, counters);
    case FunctionId::kRound:
      return round_number(a[0], a.size() > 1 ? static_cast<int64_t>(a[1].number) : 0, type, counters);
    case FunctionId::kFloor: return round_down_or_up(a[0], false, type, counters);
    case FunctionId::kCeil: return round_down_or_up(a[0], true, type, counters);
    case FunctionId::kDiv: return truncated_quotient(a[0], a[1], type, counters);
    case FunctionId::kLeast: return extreme(a, false, type, counters);
    case FunctionId::kGreatest: return extreme(a, true, type, counters);
    case FunctionId::kDistanceKm:
      return float_value(distance_km(to_double(a[0]), to_double(a[1]), to_double(a[2]), to_double(a[3])), counters);
    default:
      return float_value(speed_kmh(to_double(a[0]), to_double(a[1]), static_cast<TimeUs>(a[2].number), to_double(a[3]),
                                   to_double(a[4]), static_cast<TimeUs>(a[5].number)),
                         counters);
  }
}

Value call_text_function(FunctionId id, Arguments a, TextArena& texts) {
  switch (id) {
    case FunctionId::kLength: return Value::integer(code_points(a[0].text()));
    case FunctionId::kLower: return Value::string(lower_ascii(a[0].text(), texts));
    case FunctionId::kUpper: return Value::string(upper_ascii(a[0].text(), texts));
    case FunctionId::kTrim: return Value::string(trim_blanks(a[0].text()));
    case FunctionId::kSubstring:
      return Value::string(substring(a[0].text(), static_cast<int64_t>(a[1].number),
                                     a.size() > 2 ? static_cast<int64_t>(a[2].number) : INT64_MAX));
    case FunctionId::kStartsWith: return Value::boolean(a[0].text().starts_with(a[1].text()));
    case FunctionId::kEndsWith: return Value::boolean(a[0].text().ends_with(a[1].text()));
    case FunctionId::kContains: return Value::boolean(a[0].text().find(a[1].text()) != std::string_view::npos);
    case FunctionId::kHash: return Value::string(texts.keep(short_hash(to_display(a[0]))));
    default: return Value::string(texts.keep(mask_text(to_display(a[0]))));
  }
}

}  // namespace

std::span<const FunctionInfo> functions() { return kFunctions; }

const FunctionInfo* find_function(std::string_view name) {
  const auto found =
      std::find_if(std::begin(kFunctions), std::end(kFunctions), [&](const FunctionInfo& f) { return f.name == name; });
  return found == std::end(kFunctions) ? nullptr : found;
}

Value call_function(FunctionId id, const Type& type, Arguments a, EvalContext& context) {
  if (id == FunctionId::kCoalesce) return coalesce(a, type, *context.counters);
  if (id == FunctionId::kNullif) return null_if(a[0], a[1]);
  if (id == FunctionId::kConcat) return concat(a, *context.texts);
  if (std::any_of(a.begin(), a.end(), [](const Value& v) { return v.is_null(); })) return {};
  switch (id) {
    case FunctionId::kHour:
    case FunctionId::kDayOfWeek: return time_part(id, a[0], zone_argument(a, 1));
    case FunctionId::kDateTrunc: return date_trunc(a[0].text(), static_cast<TimeUs>(a[1].number), zone_argument(a, 2));
    case FunctionId::kInCidr: return in_cidr(a[0].ip, a[1].text());
    case FunctionId::kNetwork: return network(a[0].ip, a[1].number);
    case FunctionId::kLength:
    case FunctionId::kLower:
    case FunctionId::kUpper:
    case FunctionId::kTrim:
    case FunctionId::kSubstring:
    case FunctionId::kStartsWith:
    case FunctionId::kEndsWith:
    case FunctionId::kContains:
    case FunctionId::kHash:
    case FunctionId::kMask: return call_text_function(id, a, *context.texts);
    default: return call_number_function(id, type, a, *context.counters);
  }
}

double distance_km(double lat1, double lon1, double lat2, double lon2) {
  constexpr double kEarthRadiusKm = 6371.0088;
  constexpr double kRadians = std::numbers::pi / 180;
  const double sin_lat = std::sin((lat2 - lat1) * kRadians / 2);
  const double sin_lon = std::sin((lon2 - lon1) * kRadians / 2);
  const double h = sin_lat * sin_lat + std::cos(lat1 * kRadians) * std::cos(lat2 * kRadians) * sin_lon * sin_lon;
  return round_to_millionth(2 * kEarthRadiusKm * std::asin(std::sqrt(std::clamp(h, 0.0, 1.0))));
}

double speed_kmh(double lat1, double lon1, TimeUs t1, double lat2, double lon2, TimeUs t2) {
  constexpr double kTwoPlacesAtOnce = 1e9;
  const double km = distance_km(lat1, lon1, lat2, lon2);
  const Int128 us = t1 < t2 ? Int128{t2} - t1 : Int128{t1} - t2;
  if (us == 0) return km > 0 ? kTwoPlacesAtOnce : 0;
  return round_to_millionth(km / (static_cast<double>(us) / static_cast<double>(kHour)));
}

bool is_known_time_unit(std::string_view unit) {
  return std::find(std::begin(kTimeUnits), std::end(kTimeUnits), unit) != std::end(kTimeUnits);
}

bool is_known_zone(std::string_view zone) { return zone_offset_us(zone, 0).has_value(); }

}  // namespace cep
