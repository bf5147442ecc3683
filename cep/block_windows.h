// Values of one rule's windows for one key, as of the event under test (window_reader.h): from the rings of the key's block, and for
// windows by another key from the block of that key, in the same shard because the timeline is pinned (R49). One thread.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "cep/alert.h"
#include "cep/ring.h"
#include "cep/window_reader.h"

namespace cep {

class TimelineEngine;

// Rings that the event under test has entered.
struct AppendedRings {
  std::vector<uint32_t> here;                                      // of the key under work
  std::vector<std::pair<uint32_t, std::string>> elsewhere;         // by other keys: ring and encoded key
};

class BlockWindows : public WindowReader {
 public:
  // Of a block under edit, wherever it moves.
  BlockWindows(const TimelineEngine& engine, const BlockEditor& editor, const BoundRule& rule, TimeUs time, const AppendedRings& appended,
               EvalCounters& counters)
      : engine_(engine), editor_(&editor), block_(nullptr), rule_(rule), time_(time), appended_(appended), counters_(counters) {}
  // Of a block at rest (match state): there is no event under test, and what asks it is null.
  BlockWindows(const TimelineEngine& engine, BlockView block, const BoundRule& rule, TimeUs time, const AppendedRings& appended,
               EvalCounters& counters)
      : engine_(engine), block_(block), rule_(rule), time_(time), appended_(appended), counters_(counters) {}

  Value value(uint16_t window, const EvalContext& asked) override;
  TimeUs partial_since(uint16_t window, TimeUs time) const override;
  // Evidence of a `when` alert: the first windows with their newest entries (R40).
  std::vector<Evidence> evidence(const Limits& limits, const EvalContext& asked);

 private:
  // The ring a window reads, and whether its newest entry is the event under test and to be left out.
  struct Found {
    Cell* cell = nullptr;
    bool exclude_newest = false;
  };
  const RingShape& shape_of(const Window& window) const;
  bool is_asked_by(const Window& window, const RowRef& event) const;
  Found find(const Window& window, const EvalContext& asked) const;
  Found find_elsewhere(const Window& window, const EvalContext& asked) const;
  Value read_entries(const Window& window, const Ring& ring, const Found& found) const;
  Value read_lifetime(const Window& window, const Ring& ring, const Found& found) const;
  // Calls visit(time, value of the argument) for the entries that fit, oldest first.
  template <class Visit>
  void scan(const Window& window, const Found& found, const EvalContext& asked, Visit&& visit) const;
  Value scanned(const Window& window, const Found& found, const EvalContext& asked) const;

  const TimelineEngine& engine_;
  const BlockEditor* editor_ = nullptr;
  BlockView block_;
  const BoundRule& rule_;
  TimeUs time_;
  const AppendedRings& appended_;
  EvalCounters& counters_;
};

}  // namespace cep
