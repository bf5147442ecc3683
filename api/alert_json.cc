#include "api/alert_json.h"

namespace api {
namespace {

constexpr int64_t kExactInDouble = int64_t{1} << 53;  // readers of JSON may hold numbers as doubles

JsonWriter& append_time(cep::TimeUs time, JsonWriter& json) {
  if (time == cep::kTimeMin || time == cep::kTimeMax) return json.null();
  return json.string(cep::format_time(time));
}

void append_event(const cep::AlertEvent& event, JsonWriter& json) {
  const cep::RowRef row = event.row();
  const std::optional<uint16_t>& raw = event.schema->raw_column;
  const cep::Value whole = raw ? row.value(*raw) : cep::Value::null();
  if (!whole.is_null()) {
    json.raw(whole.text());
    return;
  }
  json.begin_object();
  for (size_t c = 0; c < event.schema->columns.size(); ++c) {
    if (raw == c) continue;
    json.key(event.schema->columns[c].name);
    append_value(row.value(static_cast<uint16_t>(c)), json);
  }
  json.end_object();
}

std::string_view variable_name(const cep::Program& program, uint16_t variable) {
  return variable < program.variables.size() ? std::string_view(program.variables[variable].name) : "event";
}

void append_truncated(const cep::Truncated& truncated, JsonWriter& json) {
  json.key("truncated").begin_array();
  for (std::string_view cut : truncated_names(truncated)) json.string(cut);
  json.end_array();
}

void append_evidence(const std::vector<cep::Evidence>& evidence, JsonWriter& json) {
  json.key("evidence").begin_array();
  for (const cep::Evidence& window : evidence) {
    json.begin_object().field("text", window.text).key("value");
    append_value(window.value.view(), json);
    json.key("rows").begin_array();
    for (const cep::Evidence::Row& row : window.rows) {
      json.begin_object().key("time");
      append_time(row.time, json).key("value");
      append_value(row.value.view(), json);
      json.end_object();
    }
    json.end_array().end_object();
  }
  json.end_array();
}

void append_strings(std::string_view name, const std::vector<std::string>& texts, JsonWriter& json) {
  json.key(name).begin_array();
  for (const std::string& text : texts) json.string(text);
  json.end_array();
}

std::string_view link_name(cep::Link link) {
  switch (link) {
    case cep::Link::kStrict: return "next";
    case cep::Link::kRelaxed: return "skip";
    case cep::Link::kAny: return "any";
  }
  return "skip";
}

void append_bound(const cep::Program& program, const std::vector<cep::MatchState::Bound>& all, JsonWriter& json) {
  json.key("bound").begin_array();
  for (const cep::MatchState::Bound& bound : all) {
    json.begin_object().field("var", variable_name(program, bound.variable)).key("count").unsigned_integer(bound.count);
    json.key("events").begin_array();
    for (const cep::AlertEvent& event : bound.events) append_event(event, json);
    json.end_array().end_object();
  }
  json.end_array();
}

void append_run(const cep::Program& program, const cep::MatchState::Run& run, JsonWriter& json) {
  json.begin_object().key("state").unsigned_integer(run.state).key("started");
  append_time(run.started, json).key("expires");
  append_time(run.expires, json);
  append_bound(program, run.bound, json);
  json.key("awaits").begin_array();
  for (const cep::MatchState::Await& await : run.awaits) {
    json.begin_object().field("var", await.variable).field("link", link_name(await.link)).key("from");
    append_time(await.from, json).key("until");
    append_time(await.until, json).end_object();
  }
  json.end_array();
  append_strings("guards", run.guards, json);
  json.key("deadline");
  append_time(run.deadline, json).end_object();
}

void append_episode(const cep::Program& program, const cep::MatchState::Episode& episode, JsonWriter& json) {
  json.key("episode").begin_object().key("started");
  append_time(episode.started, json).key("last");
  append_time(episode.last, json).key("ends");
  append_time(episode.ends, json).key("suppressed").unsigned_integer(episode.folded);
  append_bound(program, episode.bound, json);
  json.end_object();
}

void append_rule(const cep::Program& program, uint32_t version, cep::RuleMode mode, JsonWriter& json) {
  json.field("rule", program.rule).key("version").unsigned_integer(version).field("mode", mode_name(mode));
}

}  // namespace

std::string_view mode_name(cep::RuleMode mode) {
  switch (mode) {
    case cep::RuleMode::kLive: return "live";
    case cep::RuleMode::kShadow: return "shadow";
    case cep::RuleMode::kPaused: return "paused";
  }
  return "live";
}

std::string_view mode_name(cep::AlertMode mode) {
  switch (mode) {
    case cep::AlertMode::kLive: return "live";
    case cep::AlertMode::kShadow: return "shadow";
    case cep::AlertMode::kBackfill: return "backfill";
    case cep::AlertMode::kDerived: return "derived";
  }
  return "live";
}

std::vector<std::string_view> truncated_names(const cep::Truncated& truncated) {
  std::vector<std::string_view> names;
  if (truncated.events) names.push_back("events");
  if (truncated.matches) names.push_back("matches");
  if (truncated.runs) names.push_back("runs");
  if (truncated.window) names.push_back("window");
  return names;
}

void append_value(const cep::Value& value, JsonWriter& json) {
  switch (value.kind) {
    case cep::ValueKind::kNull: json.null(); return;
    case cep::ValueKind::kBool: json.boolean(value.number != 0); return;
    case cep::ValueKind::kFloat: json.number(value.real); return;
    case cep::ValueKind::kText: json.string(value.text()); return;
    case cep::ValueKind::kDecimal: json.string(cep::format_decimal(value.number, value.scale)); return;
    case cep::ValueKind::kTimestamp: json.string(cep::format_time(static_cast<cep::TimeUs>(value.number))); return;
    case cep::ValueKind::kDuration:
      json.string(cep::format_duration(static_cast<cep::DurationUs>(value.number)));
      return;
    case cep::ValueKind::kIp: json.string(cep::format_ip(value.ip)); return;
    case cep::ValueKind::kInt: break;
  }
  if (value.number >= -kExactInDouble && value.number <= kExactInDouble) {
    json.integer(static_cast<int64_t>(value.number));
  } else {
    json.string(cep::format_decimal(value.number, 0));
  }
}

void append_key(const cep::Program& program, const std::vector<cep::OwnedValue>& key, JsonWriter& json) {
  json.begin_object();
  for (size_t i = 0; i < key.size() && i < program.key.size(); ++i) {
    json.key(program.key[i].name);
    append_value(key[i].view(), json);
  }
  json.end_object();
}

void append_alert(const cep::Alert& alert, std::string& out) {
  const cep::Program& program = *alert.program;
  JsonWriter json(out);
  json.begin_object().field("id", cep::to_hex(alert.id)).field("type", "alert").field("rule", program.rule);
  json.key("version").unsigned_integer(alert.version).key("time");
  append_time(alert.time, json).key("key");
  append_key(program, alert.key, json);
  json.field("severity", cep::severity_name(program.alert.severity));
  if (alert.score >= 0) json.key("score").integer(alert.score);
  if (program.alert.decision != cep::Decision::kNone) json.field("decision", cep::decision_name(program.alert.decision));
  append_strings("tags", program.alert.tags, json);
  json.field("message", alert.message).key("measures").begin_object();
  for (size_t i = 0; i < alert.measures.size() && i < program.measures.size(); ++i) {
    json.key(program.measures[i].name);
    append_value(alert.measures[i].view(), json);
  }
  json.end_object().key("events").begin_array();
  for (const cep::AlertEvent& event : alert.events) {
    json.begin_object().field("var", variable_name(program, event.variable)).key("event");
    append_event(event, json);
    json.end_object();
  }
  json.end_array();
  if (program.is_when) append_evidence(alert.evidence, json);
  json.key("suppressed").unsigned_integer(alert.suppressed).field("mode", mode_name(alert.mode));
  if (alert.folded) json.key("folded").boolean(true);
  append_truncated(alert.truncated, json);
  if (alert.partial_since != cep::kTimeMin) json.field("partial_since", cep::format_time(alert.partial_since));
  json.end_object();
}

std::string alert_json(const cep::Alert& alert) {
  std::string out;
  append_alert(alert, out);
  return out;
}

std::string webhook_body(std::string_view alert, cep::TimeUs timestamp_us) {
  std::string out;
  JsonWriter json(out);
  json.begin_object().field("type", "alert.fired").field("timestamp", cep::format_time(timestamp_us));
  json.key("data").raw(alert).end_object();
  return out;
}

std::string match_state_json(const cep::Program& program, uint32_t version, cep::RuleMode mode,
                             const cep::MatchState& state) {
  std::string out;
  JsonWriter json(out);
  json.begin_object();
  append_rule(program, version, mode, json);
  json.key("key");
  append_key(program, state.key, json);
  json.key("watermark");
  append_time(state.watermark, json).key("runs").begin_array();
  for (const cep::MatchState::Run& run : state.runs) append_run(program, run, json);
  json.end_array();
  if (state.more) json.key("more").boolean(true).key("runs_live").unsigned_integer(state.runs_live);
  json.key("windows").begin_array();
  for (const cep::MatchState::WindowValue& window : state.windows) {
    json.begin_object().field("text", window.text).key("value");
    append_value(window.value.view(), json);
    json.key("partial_since");
    append_time(window.partial_since, json).end_object();
  }
  json.end_array().key("suppress").begin_object().key("until");
  append_time(state.suppress_until, json).key("folded").unsigned_integer(state.suppress_folded).end_object();
  if (state.episode) append_episode(program, *state.episode, json);
  append_truncated(state.truncated, json);
  json.end_object();
  return out;
}

std::string match_summary_json(const cep::Program& program, uint32_t version, cep::RuleMode mode,
                               const cep::MatchSummary& summary) {
  std::string out;
  JsonWriter json(out);
  json.begin_object();
  append_rule(program, version, mode, json);
  json.key("states").begin_array();
  for (const cep::MatchSummary::StateCount& count : summary.states) {
    json.begin_object().key("state").unsigned_integer(count.state).key("runs").unsigned_integer(count.runs);
    json.key("keys").unsigned_integer(count.keys).end_object();
  }
  json.end_array().key("hottest").begin_array();
  for (const cep::MatchSummary::HotKey& hot : summary.hottest) {
    json.begin_object().key("key");
    append_key(program, hot.key, json);
    json.key("runs").unsigned_integer(hot.runs).key("bytes").unsigned_integer(hot.bytes).end_object();
  }
  json.end_array().end_object();
  return out;
}

}  // namespace api
