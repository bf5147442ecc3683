#include "patterns/road.h"

#include <algorithm>

namespace patterns {

Road join(const Road& first, const Road& second) {
  Road road = second;
  road.guards.insert(road.guards.begin(), first.guards.begin(), first.guards.end());
  road.entry_untils.insert(road.entry_untils.begin(), first.entry_untils.begin(), first.entry_untils.end());
  road.ends_with_not = second.ends_with_not || (first.ends_with_not && !second.passed_item);
  road.passed_item = first.passed_item || second.passed_item;
  if (!road.link) {
    road.link = first.link;
    road.link_span = first.link_span;
  }
  road.gap_min_us = std::max(first.gap_min_us, second.gap_min_us);
  road.gap_max_us = std::min(first.gap_max_us, second.gap_max_us);
  road.clock_starts = static_cast<uint16_t>(first.clock_starts | second.clock_starts);
  return road;
}

Road settle(Road road, std::optional<cep::Link> link) {
  if (!link) return road;
  for (RoadGuard& guard : road.guards) {
    if (!guard.inherits) continue;
    guard.inherits = false;
    guard.strict = *link == cep::Link::kStrict;
  }
  return road;
}

Road enter(const Road& inside, std::optional<cep::Link> link, const Span& link_span, cep::DurationUs gap_min_us,
           cep::DurationUs gap_max_us) {
  Road road = settle(inside, link);
  if (!road.link) {
    road.link = link;
    road.link_span = link_span;
  }
  road.gap_min_us = std::max(road.gap_min_us, gap_min_us);
  road.gap_max_us = std::min(road.gap_max_us, gap_max_us);
  return road;
}

}  // namespace patterns
