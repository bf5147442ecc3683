// The built-in functions: one table with names, types and costs, and their evaluation.
#pragma once

#include <span>
#include <string_view>

#include "cep/expr.h"

namespace cep {

enum class FunctionId : uint8_t {
  kAbs, kRound, kFloor, kCeil, kDiv, kLeast, kGreatest, kCoalesce, kNullif, kLength, kLower, kUpper, kTrim, kSubstring,
  kStartsWith, kEndsWith, kContains, kConcat, kHash, kMask, kHour, kDayOfWeek, kDateTrunc, kDistanceKm, kSpeedKmh,
  kInCidr, kNetwork,
};

// How the result type follows from the arguments.
enum class ResultRule : uint8_t { kBool, kInt, kFloat, kText, kTimestamp, kIp, kFirstArgument, kCommonType };

struct FunctionInfo {
  std::string_view name;
  FunctionId id;
  // One letter an argument: n number, i int, t text, T timestamp, a ip, c any (all alike), z zone constant, u unit constant,
  // k constant int; after '?' optional; '*' repeats the last.
  std::string_view arguments;
  ResultRule result;
  std::string_view help;       // one line for documentation
};

std::span<const FunctionInfo> functions();
const FunctionInfo* find_function(std::string_view name);

// Applies a function to evaluated arguments. `type` is the result's. Null in, null out, unless the function says otherwise.
Value call_function(FunctionId id, const Type& type, std::span<const Value> arguments, EvalContext& context);

// Great-circle distance in km, haversine with R = 6371.0088, rounded to 1e-6 (R59).
double distance_km(double lat1, double lon1, double lat2, double lon2);
// km/h, rounded to 1e-6; no time and some distance gives 1e9, no time and no distance 0 (R59).
double speed_kmh(double lat1, double lon1, TimeUs t1, double lat2, double lon2, TimeUs t2);
// True for the units of date_trunc: second, minute, hour, day, week (from Monday), month, quarter, year.
bool is_known_time_unit(std::string_view unit);
// True if the tz database knows the zone ("Europe/Berlin").
bool is_known_zone(std::string_view zone);

}  // namespace cep
