// Roads: how a run gets from one bound event to the next, and the algebra that joins pieces of them.
// A road is a thread of the definition of a match, still without its two ends: the link and gap by which the next item
// is entered, and the guards of all that stands between. Invariant: of two joined roads the later link counts (R5:
// links of skipped items do not), gaps narrow each other (R10), guards add up (R18, R26). Threads: plain values.
#pragma once

#include <optional>
#include <vector>

#include "cep/program.h"
#include "patterns/source_map.h"

namespace patterns {

struct RoadGuard {
  uint16_t variable = 0;
  bool greedy = false;                     // a greedy loop is left here (R3); else a NOT
  bool strict = false;                     // `, not b`
  bool inherits = false;                   // NOT at the head of a group: strict if the group's own link is
  bool between_rounds = false;             // R19: watches the loop before the NOT; asks nothing of the gap
  cep::DurationUs for_us = cep::kTimeMax;  // `not b for d`; kTimeMax: no `for`
  uint16_t until = cep::kNoVariable;       // greedy: the loop's `until`, which lifts the guard
  Span span;                               // of the NOT
  bool operator==(const RoadGuard&) const = default;
};

struct Road {
  std::optional<cep::Link> link;
  Span link_span;
  cep::DurationUs gap_min_us = 0;
  cep::DurationUs gap_max_us = cep::kTimeMax;
  std::vector<RoadGuard> guards;
  bool ends_with_not = false;  // nothing after the last NOT, not even an optional item (R20)
  bool passed_item = false;    // an optional item was skipped
  std::vector<uint16_t> entry_untils;
  uint16_t clock_starts = 0;
  bool operator==(const Road&) const = default;
};

struct End {
  uint16_t position = 0;
  Road road;  // from outside to the position, or from the position to outside
  bool operator==(const End&) const = default;
};

// Another round of a loop.
struct Round {
  size_t edge = 0;
  bool may_be_last = false;  // the round that the edge leaves satisfies the minimum
};

// A piece of the pattern with open ends.
struct Fragment {
  std::vector<End> first;
  std::vector<End> last;
  std::vector<Road> skips;    // roads through it that bind nothing
  std::vector<Round> rounds;  // when the piece is one loop: what a NOT right behind it also guards (R19)
};

// An edge between two positions before it is numbered into a state's table.
struct DraftEdge {
  uint16_t from = 0;
  uint16_t to = 0;
  Road road;
  std::vector<uint16_t> ended_by;  // until variables
  uint16_t clock_checks = 0;
};

// `second` follows `first`.
Road join(const Road& first, const Road& second);
// The road into an item that is entered by `link` with `gap_min`, `gap_max`; an inner link of a later item counts
// instead.
Road enter(const Road& inside, std::optional<cep::Link> link, const Span& link_span, cep::DurationUs gap_min_us,
           cep::DurationUs gap_max_us);
// A NOT at the head of a skipped item is strict if the item's link is.
Road settle(Road road, std::optional<cep::Link> link);
template <class T>
void add_unique(std::vector<T>& items, T item) {
  for (const T& known : items) {
    if (known == item) return;
  }
  items.push_back(std::move(item));
}

}  // namespace patterns
