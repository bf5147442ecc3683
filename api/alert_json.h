// Alerts and match state as JSON (formats.md "Alert encoding"): the one encoding for webhook, REST, SSE, `weir run` and
// tests. Invariant: equal data gives equal bytes. One line, no newline at the end. Threads: pure functions.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "api/json_writer.h"
#include "cep/alert.h"
#include "cep/match_state.h"

namespace api {

// Appends the alert object. Declared fields in stream order, nulls written, decimals as strings.
void append_alert(const cep::Alert& alert, std::string& out);
std::string alert_json(const cep::Alert& alert);

// Body of a webhook: {"type": "alert.fired", "timestamp": ..., "data": <alert>}. `alert` is finished JSON.
std::string webhook_body(std::string_view alert, cep::TimeUs timestamp_us);

// One value: decimals as strings at their scale, ints beyond 2^53 as strings, times RFC 3339, durations ISO 8601.
void append_value(const cep::Value& value, JsonWriter& json);
// {"card": "4929...", ...} by the rule's key parts.
void append_key(const cep::Program& program, const std::vector<cep::OwnedValue>& key, JsonWriter& json);

// Body of GET /v1/matches with a key, and without one.
std::string match_state_json(const cep::Program& program, uint32_t version, cep::RuleMode mode,
                             const cep::MatchState& state);
std::string match_summary_json(const cep::Program& program, uint32_t version, cep::RuleMode mode,
                               const cep::MatchSummary& summary);

std::string_view mode_name(cep::RuleMode mode);          // "live"
std::string_view mode_name(cep::AlertMode mode);         // "live", "shadow", "backfill", "derived"
std::vector<std::string_view> truncated_names(const cep::Truncated& truncated);   // "events", "matches", "runs", "window"

}  // namespace api
