// Time zones: the offset of a zone at an instant, and the instant of a local time. The one user of the tz library;
// the database is the system's, so its version is an input of every rule that names a zone (R56).
// Threads: any; the library's database is loaded once and immutable.
#pragma once

#include <optional>
#include <string_view>

#include "cep/types.h"

namespace cep {

// Local time minus UTC at the instant; empty if the zone is unknown. "UTC" costs a comparison of three bytes.
std::optional<DurationUs> zone_offset_us(std::string_view zone, TimeUs t);
// The instant of a local time given as microseconds since 1970-01-01T00:00:00 there; empty if the zone is unknown.
// A time that occurs twice means its first occurrence, one that is skipped the instant of the jump.
std::optional<TimeUs> local_to_utc(std::string_view zone, int64_t local_us);

}  // namespace cep
