// A finished alert: everything a reader of it needs, owning its bytes, independent of the key's block and of the log.
// Made by the engine, encoded by api/alert_json, stored by state/alert_log. Plain data.
#pragma once

#include <array>
#include <memory>
#include <string>
#include <vector>

#include "cep/program.h"
#include "cep/row.h"

namespace cep {

using AlertId = std::array<uint8_t, 16>;     // R72; printed as 32 hex digits, sortable by event time
std::string to_hex(const AlertId& id);
bool parse_alert_id(std::string_view hex, AlertId* id);

enum class AlertKind : uint8_t { kMatch = 1, kAbsence = 2, kWhen = 3, kEpisode = 4 };   // a byte of the id: never renumber
enum class RuleMode : uint8_t { kLive, kShadow, kPaused };
// Backfill: found by a new version in what came before it was in force; recorded, never delivered (R74). Derived: of a live rule that has
// `into` and no `alert`; listed, never delivered. A byte of the store.
enum class AlertMode : uint8_t { kLive, kShadow, kBackfill, kDerived };

std::string_view severity_name(Severity severity);     // "medium"
std::string_view decision_name(Decision decision);     // "block", "" for none

// What was cut from an alert, and why its key may have missed matches (R38, L18).
struct Truncated {
  bool events = false;       // more than Limits::alert_events_max bound events
  bool matches = false;      // more than Limits::matches_per_event_max at this event
  bool runs = false;         // the key hit Limits::runs_per_key_max within the rule's horizon
  bool window = false;       // a window lost its oldest entries to Limits::window_entries_max
  Truncated operator|(const Truncated& other) const {
    return {events || other.events, matches || other.matches, runs || other.runs, window || other.window};
  }
};

struct AlertEvent {
  uint16_t variable = 0;                 // of the program; for when rules 0 ("event")
  SchemaPtr schema;
  std::shared_ptr<const uint64_t[]> packed;      // a packed row (cep/row.h), 8-aligned; the events of an alert share a buffer
  RowRef row() const { return row_of(*schema, reinterpret_cast<const uint8_t*>(packed.get())); }
};

// One window of a `when` rule as it stood (R40): the value and the last entries of its ring, oldest first.
struct Evidence {
  std::string text;
  OwnedValue value;
  struct Row {
    TimeUs time;
    OwnedValue value;        // null when the ring keeps no value
  };
  std::vector<Row> rows;     // at most 20
  uint16_t window = 0;       // of the program
};

struct Alert {
  AlertId id{};
  AlertKind kind = AlertKind::kMatch;
  ProgramPtr program;                    // names of rule, key, variables, measures, tags and sinks
  uint32_t version = 1;                  // of the rule's text
  AlertMode mode = AlertMode::kLive;
  TimeUs time = 0;                       // of the completing event, the deadline of an absence, or the end of an episode
  std::vector<OwnedValue> key;           // by KeyPart
  uint64_t key_hash = 0;
  int score = -1;                        // 0-100; -1: the rule has none
  std::string message;
  std::vector<OwnedValue> measures;      // by Measure
  std::vector<AlertEvent> events;
  std::vector<Evidence> evidence;        // when rules only
  uint64_t suppressed = 0;               // folded since the previous alert of this rule and key (R34), and into the episode (R33)
  Truncated truncated;
  TimeUs partial_since = kTimeMin;       // not kTimeMin: a window of the rule has seen everything only since then, less than its span
  bool folded = false;                   // only in a verdict: `suppress` keeps it from being an alert (R37)
  uint64_t cause_position = 0;           // log position being processed when it was made (0 in run and test)
};

}  // namespace cep
