#include "cep/zone.h"

#include <date/tz.h>

#include <chrono>
#include <exception>

namespace cep {
namespace {

using std::chrono::microseconds;

// The library reports an unknown name, or a missing database, by an exception: nullptr here.
const date::time_zone* find_zone(std::string_view zone) {
  try {
    return date::locate_zone(zone);
  } catch (const std::exception&) {
    return nullptr;
  }
}

}  // namespace

std::optional<DurationUs> zone_offset_us(std::string_view zone, TimeUs t) {
  if (zone == "UTC") return 0;
  const date::time_zone* found = find_zone(zone);
  if (found == nullptr) return std::nullopt;
  const date::sys_time<microseconds> instant{microseconds{t}};
  return found->get_info(instant).offset.count() * kSecond;
}

std::optional<TimeUs> local_to_utc(std::string_view zone, int64_t local_us) {
  if (zone == "UTC") return local_us;
  const date::time_zone* found = find_zone(zone);
  if (found == nullptr) return std::nullopt;
  const date::local_time<microseconds> local{microseconds{local_us}};
  return found->to_sys(local, date::choose::earliest).time_since_epoch().count();
}

}  // namespace cep
