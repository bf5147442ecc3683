// The small words everything else is written in: time in microseconds, distinct ids, value types.
#pragma once

#include <array>
#include <cstdint>
#include <limits>
#include <string>

namespace cep {

__extension__ using Int128 = __int128;            // exact sums and products of decimals

// Event time and every other instant: microseconds since 1970-01-01T00:00:00Z. Durations: microseconds.
using TimeUs = int64_t;
using DurationUs = int64_t;
inline constexpr TimeUs kTimeMin = std::numeric_limits<int64_t>::min();   // before everything
inline constexpr TimeUs kTimeMax = std::numeric_limits<int64_t>::max();   // never
inline constexpr DurationUs kMillisecond = 1'000;
inline constexpr DurationUs kSecond = 1'000'000;
inline constexpr DurationUs kMinute = 60 * kSecond;
inline constexpr DurationUs kHour = 60 * kMinute;
inline constexpr DurationUs kDay = 24 * kHour;

// Number of a stream in the catalogue, the same for all its schema versions; the index into every "by stream" table.
enum class StreamId : uint16_t {};
// One ordered input of the lane: 0 is HTTP (or the merged files of a run).
using SourceId = uint16_t;
inline constexpr SourceId kRulesSource = 0xffff;   // events that alerts became (`into`): at one instant they come last (R76)
// Number of one matching version of a rule: unique in a data directory for ever, kept across restarts.
// A cosmetic change keeps it, a matching change takes the next one.
enum class ProgramId : uint32_t {};

enum class TypeKind : uint8_t { kBool, kInt, kFloat, kDecimal, kText, kTimestamp, kDuration, kIp };

// precision and scale are used by decimals only, 0 elsewhere.
struct Type {
  TypeKind kind = TypeKind::kText;
  uint8_t precision = 0;
  uint8_t scale = 0;
  bool operator==(const Type&) const = default;
};
std::string type_name(const Type& type);   // "decimal(12,2)", as in a rule file

using IpBytes = std::array<uint8_t, 16>;   // network order; IPv4 is stored as ::ffff:a.b.c.d

inline size_t index_of(StreamId id) { return static_cast<size_t>(id); }

}  // namespace cep
