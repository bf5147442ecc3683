// Match state as a reader sees it (GET /v1/matches): what is half-matched for a key of a rule. Owns its bytes.
// Only event time and state decide its content, so it is the same before and after a restart.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "cep/alert.h"

namespace cep {

struct MatchState {
  struct Bound {
    uint16_t variable = 0;
    uint32_t count = 0;
    std::vector<AlertEvent> events;      // the newest ones, oldest first, at most 20
  };
  struct Await {
    std::string variable;
    Link link = Link::kRelaxed;
    TimeUs from = kTimeMin;              // not before (gaps), kTimeMin: at once
    TimeUs until = kTimeMax;             // not at or after; kTimeMax: no bound
  };
  struct Run {
    uint16_t state = 0;
    TimeUs started = 0;
    TimeUs expires = kTimeMax;           // by `within` or the age limit
    std::vector<Bound> bound;            // in order of binding, one entry per stretch of one variable
    std::vector<Await> awaits;
    std::vector<std::string> guards;     // "not confirm"
    TimeUs deadline = kTimeMax;          // of its absence
  };
  struct Episode {
    TimeUs started = 0;                  // time of its start event
    TimeUs last = 0;                     // of its newest match
    TimeUs ends = kTimeMax;              // if nothing more comes
    uint64_t folded = 0;
    std::vector<Bound> bound;            // of the match it lists
  };
  struct WindowValue {
    std::string text;
    OwnedValue value;
    TimeUs partial_since = kTimeMin;     // not kTimeMin: has not seen its whole span
  };

  std::vector<OwnedValue> key;
  TimeUs watermark = kTimeMin;
  std::vector<Run> runs;                 // in R31 order, at most the asked limit; merged runs one by one
  uint64_t runs_live = 0;                // how many there are
  bool more = false;                     // than are listed
  std::vector<WindowValue> windows;
  TimeUs suppress_until = kTimeMin;
  uint64_t suppress_folded = 0;
  std::optional<Episode> episode;        // the open one
  Truncated truncated;
};

// Without a key: where a rule's runs are.
struct MatchSummary {
  struct StateCount {
    uint16_t state = 0;
    uint64_t runs = 0;
    uint64_t keys = 0;
  };
  struct HotKey {
    std::vector<OwnedValue> key;
    uint64_t runs = 0;
    uint64_t bytes = 0;
  };
  std::vector<StateCount> states;
  std::vector<HotKey> hottest;           // at most 20
};

}  // namespace cep
