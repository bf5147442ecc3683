#include "api/openapi.h"

#include <charconv>
#include <map>

#include "api/json_writer.h"
#include "api/problem.h"
#include "api/routes.h"

namespace api {
namespace {

// Shapes the table's rows name. Bodies that only the service makes up are plain objects.
constexpr std::string_view kSchemas = R"json({
"Object": {"type": "object"},
"Page": {"type": "object", "required": ["items", "next"], "properties": {
  "items": {"type": "array", "items": {"type": "object"}}, "next": {"type": ["string", "null"]}}},
"KafkaPartition": {"type": "object",
  "required": ["name", "topic", "partition", "state", "next", "end", "lag_records", "newest", "lag", "records", "skipped"], "properties": {
  "name": {"type": "string", "description": "of the [[kafka]] of the configuration"}, "topic": {"type": "string"},
  "partition": {"type": "integer"},
  "state": {"enum": ["connecting", "waiting_for_stream", "reading", "idle", "stopped"],
    "description": "idle: read to its end, and no time waits for it; stopped: until the next start, see code"},
  "code": {"type": "string",
    "description": "absent without an error; unreachable, topic_missing, unknown_stream, topic_recreated, retention_passed, .."},
  "detail": {"type": "string", "description": "the error in words"},
  "next": {"type": ["integer", "null"], "description": "offset of the next record to be read"},
  "end": {"type": ["integer", "null"], "description": "offset behind the newest record, as brokers last said"},
  "lag_records": {"type": ["integer", "null"], "description": "end less next"},
  "newest": {"type": ["string", "null"], "format": "date-time", "description": "greatest event time of its events"},
  "lag": {"type": ["string", "null"], "description": "wall clock less newest"},
  "records": {"type": "integer", "description": "read since the start of the process"},
  "skipped": {"type": "integer", "description": "lost, where on_loss = \"skip\" let them go, since the start of the process"}}},
"Stream": {"type": "object",
  "required": ["name", "version", "columns", "event_time", "delay", "unique", "timelines", "kafka"],
  "properties": {"name": {"type": "string"}, "version": {"type": "integer"}, "columns": {"type": "array", "items": {"type": "object"}},
  "event_time": {"type": "string"}, "delay": {"type": "string"}, "unique": {"type": "array", "items": {"type": "string"}},
  "timelines": {"type": "array", "items": {"type": "object"}},
  "kafka": {"type": "array", "items": {"$ref": "#/components/schemas/KafkaPartition"}, "description": "partitions it is read from"}}},
"StreamPage": {"type": "object", "required": ["items", "next"], "properties": {
  "items": {"type": "array", "items": {"$ref": "#/components/schemas/Stream"}}, "next": {"type": ["string", "null"]}}},
"Problem": {"type": "object", "required": ["type", "title", "status", "detail", "code"], "properties": {
  "type": {"type": "string"}, "title": {"type": "string"}, "status": {"type": "integer"}, "detail": {"type": "string"},
  "code": {"type": "string"}, "instance": {"type": "string"},
  "diagnostics": {"type": "array", "items": {"$ref": "#/components/schemas/Diagnostic"}}}},
"Diagnostic": {"type": "object", "required": ["code", "name", "severity", "message"], "properties": {
  "code": {"type": "string"}, "name": {"type": "string"}, "severity": {"enum": ["error", "warning"]},
  "message": {"type": "string"}, "file": {"type": "string"}, "line": {"type": "integer"}, "column": {"type": "integer"},
  "end_line": {"type": "integer"}, "end_column": {"type": "integer"}, "hint": {"type": ["string", "null"]},
  "notes": {"type": "array", "items": {"type": "object", "properties": {
    "message": {"type": "string"}, "line": {"type": "integer"}, "column": {"type": "integer"}}}},
  "rule": {"type": ["string", "null"]}}},
"CheckAnswer": {"type": "object", "required": ["ok", "diagnostics"], "properties": {
  "ok": {"type": "boolean"},
  "diagnostics": {"type": "array", "items": {"$ref": "#/components/schemas/Diagnostic"}}}},
"SubmitAnswer": {"type": "object", "required": ["accepted", "duplicates", "rejected"], "properties": {
  "accepted": {"type": "integer"}, "duplicates": {"type": "integer"},
  "rejected": {"type": "array", "items": {"type": "object",
    "required": ["index", "code", "field", "message"], "properties": {
    "index": {"type": "integer"},
    "code": {"enum": ["wrong_type", "not_null", "out_of_range", "bad_time", "too_far_ahead", "late", "duplicate_key",
                      "bad_utf8", "too_deep", "too_large", "bad_json", "unknown_stream", "from_rules"]},
    "field": {"type": "string"}, "message": {"type": "string"}}}}}},
"RuleAnswer": {"type": "object", "required": ["name", "version"], "properties": {
  "name": {"type": "string"}, "version": {"type": "integer"}, "mode": {"enum": ["live", "shadow", "paused"]},
  "change": {"enum": ["none", "cosmetic", "matching"]}, "status": {"enum": ["active", "warming"]},
  "kept": {"type": "array"}, "rebuilt": {"type": "array"}, "partial_since": {"type": ["string", "null"]},
  "warnings": {"type": "array", "items": {"$ref": "#/components/schemas/Diagnostic"}}}},
"ModeAnswer": {"type": "object", "required": ["name", "version", "mode", "text", "runs_ended", "partial_since"], "properties": {
  "name": {"type": "string"}, "version": {"type": "integer"}, "mode": {"enum": ["live", "shadow", "paused"]},
  "text": {"type": "string"}, "runs_ended": {"type": "integer"}, "partial_since": {"type": ["string", "null"]}}},
"Mode": {"type": "object", "required": ["mode"], "properties": {"mode": {"enum": ["live", "shadow", "paused"]}}},
"ListEntry": {"type": "object", "additionalProperties": false, "properties": {
  "owner": {"type": "string"}, "comment": {"type": "string"}, "expires": {"type": "string", "format": "date-time"}}},
"TableRow": {"type": "object", "required": ["row"], "additionalProperties": false, "properties": {"row": {"type": "object"},
  "owner": {"type": "string"}, "comment": {"type": "string"}, "expires": {"type": "string", "format": "date-time"}}},
"Replay": {"type": "object", "additionalProperties": false, "properties": {
  "alert": {"type": "string"}, "from": {"type": "string", "format": "date-time"},
  "to": {"type": "string", "format": "date-time"}}},
"Alert": {"type": "object",
  "required": ["id", "type", "rule", "version", "time", "key", "severity", "tags", "message", "measures", "events",
               "suppressed", "mode", "truncated"],
  "properties": {"id": {"type": "string"}, "type": {"const": "alert"}, "rule": {"type": "string"},
  "version": {"type": "integer"}, "time": {"type": "string", "format": "date-time"}, "key": {"type": "object"},
  "severity": {"enum": ["info", "low", "medium", "high", "critical"]}, "score": {"type": "integer"},
  "decision": {"enum": ["allow", "review", "challenge", "block"]},
  "tags": {"type": "array", "items": {"type": "string"}},
  "message": {"type": "string"}, "measures": {"type": "object"},
  "events": {"type": "array", "items": {"type": "object", "required": ["var", "event"], "properties": {
    "var": {"type": "string"}, "event": {"type": "object"}}}},
  "evidence": {"type": "array", "items": {"type": "object"}}, "suppressed": {"type": "integer"},
  "mode": {"enum": ["live", "shadow", "derived", "backfill"]},
  "folded": {"const": true}, "truncated": {"type": "array", "items": {"enum": ["events", "matches", "runs", "window"]}},
  "partial_since": {"type": "string", "format": "date-time"}}},
"Decision": {"type": "object",
  "required": ["id", "decision", "score", "alerts", "shadow", "final", "late", "degraded", "stored", "latency_us"], "properties": {
  "id": {"type": "string", "description": "of the event: GET /v1/decisions/{id}"},
  "decision": {"enum": ["allow", "review", "challenge", "block"], "description": "the strictest of the alerts'"},
  "score": {"type": ["integer", "null"], "description": "the highest of the alerts'"},
  "alerts": {"type": "array", "items": {"$ref": "#/components/schemas/Alert"},
    "description": "what completes on the event; folded: suppress keeps it from being sent as an alert"},
  "shadow": {"type": "array", "items": {"$ref": "#/components/schemas/Alert"}, "description": "of rules in mode shadow; they do not count"},
  "more": {"const": true, "description": "not all alerts are listed"},
  "final": {"type": "boolean", "description": "no event to come can change it"},
  "late": {"type": "boolean", "description": "the event came behind the watermark, and was looked at as if it came there"},
  "degraded": {"type": "boolean", "description": "not all rules were asked in time: the configured default counts"},
  "stored": {"type": "boolean", "description": "given to an earlier request for the same event"},
  "latency_us": {"type": "integer"}}},
"StoredDecision": {"type": "object",
  "required": ["id", "stream", "received", "decision", "score", "alerts", "shadow", "final", "late", "degraded"], "properties": {
  "id": {"type": "string"}, "stream": {"type": "string"}, "received": {"type": "string", "format": "date-time"},
  "decision": {"enum": ["allow", "review", "challenge", "block"]}, "score": {"type": ["integer", "null"]},
  "alerts": {"type": "array", "items": {"$ref": "#/components/schemas/Alert"}},
  "shadow": {"type": "array", "items": {"$ref": "#/components/schemas/Alert"}}, "more": {"const": true}, "final": {"type": "boolean"},
  "late": {"type": "boolean"}, "degraded": {"type": "boolean"}}},
"DecisionPage": {"type": "object", "required": ["items", "next"], "properties": {
  "items": {"type": "array", "items": {"$ref": "#/components/schemas/StoredDecision"}}, "next": {"type": ["string", "null"]}}},
"AlertPage": {"type": "object", "required": ["items", "next"], "properties": {
  "items": {"type": "array", "items": {"$ref": "#/components/schemas/Alert"}}, "next": {"type": ["string", "null"]}}},
"MatchState": {"type": "object", "required": ["rule", "version", "mode"], "properties": {
  "rule": {"type": "string"}, "version": {"type": "integer"}, "mode": {"enum": ["live", "shadow", "paused"]},
  "key": {"type": "object"}, "watermark": {"type": ["string", "null"]},
  "runs": {"type": "array", "items": {"type": "object"}},
  "more": {"type": "boolean"}, "runs_live": {"type": ["integer", "string"]}, "windows": {"type": "array", "items": {"type": "object"}},
  "suppress": {"type": "object"},
  "episode": {"type": "object", "required": ["started", "last", "ends", "suppressed", "bound"], "properties": {
    "started": {"type": "string", "format": "date-time"}, "last": {"type": "string", "format": "date-time"},
    "ends": {"type": ["string", "null"], "format": "date-time"}, "suppressed": {"type": "integer"},
    "bound": {"type": "array", "items": {"type": "object"}}}},
  "truncated": {"type": "array", "items": {"type": "string"}},
  "states": {"type": "array", "items": {"type": "object"}}, "hottest": {"type": "array", "items": {"type": "object"}}}}
})json";

// "/v1/lists/{name}/{value*}" as OpenAPI writes it.
std::string plain_path(std::string_view path) {
  std::string plain(path);
  std::erase(plain, '*');
  return plain;
}

std::string operation_id(const Route& route) {
  std::string id = lower_case(route.method);
  bool gap = true;
  for (const char c : route.path) {
    const bool letter = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
    if (letter && gap) id += '_';
    if (letter) id += c;
    gap = !letter;
  }
  return id;
}

void write_parameter(std::string_view name, std::string_view where, bool required, bool repeats, JsonWriter& json) {
  json.begin_object().field("name", name).field("in", where).key("required").boolean(required).key("schema");
  json.raw(repeats ? R"({"type":"array","items":{"type":"string"}})" : R"({"type":"string"})");
  if (repeats) json.key("explode").boolean(true);
  json.end_object();
}

void write_parameters(const Route& route, JsonWriter& json) {
  json.key("parameters").begin_array();
  for (size_t open = route.path.find('{'); open != std::string_view::npos; open = route.path.find('{', open + 1)) {
    const size_t close = route.path.find_first_of("*}", open);
    write_parameter(route.path.substr(open + 1, close - open - 1), "path", true, false, json);
  }
  for (std::string_view rest = route.query; !rest.empty();) {
    const size_t end = std::min(rest.find(' '), rest.size());
    const std::string_view spec = rest.substr(0, end);
    write_parameter(spec.substr(0, spec.find_first_of("*!")), "query", spec.ends_with('!'), spec.ends_with('*'), json);
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  if (route.body == BodyKind::kEvents) write_parameter("Idempotency-Key", "header", false, false, json);
  const bool edits = route.scope == Scope::kAdmin && (route.path.starts_with("/v1/lists") || route.path.starts_with("/v1/tables"));
  if (edits) {
    for (const std::string_view header : {"From", "If-Match"}) write_parameter(header, "header", false, false, json);
    if (route.body == BodyKind::kJson) write_parameter("If-None-Match", "header", false, false, json);
  }
  json.end_array();
}

void write_media(std::string_view type, std::string_view schema, JsonWriter& json) {
  json.key(type).begin_object().key("schema").raw(schema).end_object();
}

std::string reference(std::string_view schema) {
  return R"({"$ref":"#/components/schemas/)" + std::string(schema) + "\"}";
}

void write_body(const Route& route, JsonWriter& json) {
  if (route.body == BodyKind::kNone) return;
  json.key("requestBody")
      .begin_object()
      .key("required")
      .boolean(route.body != BodyKind::kJson || route.body_schema != "ListEntry");
  json.key("content").begin_object();
  if (route.body == BodyKind::kRuleText) write_media("text/plain", R"({"type":"string"})", json);
  if (route.body == BodyKind::kCsv) write_media("text/csv", R"({"type":"string"})", json);
  if (route.body == BodyKind::kJson) write_media("application/json", reference(route.body_schema), json);
  if (route.body == BodyKind::kEvents) {
    write_media("application/x-ndjson", R"({"type":"string"})", json);
    write_media("application/json", R"({"type":["object","array"]})", json);
    write_media("application/cloudevents+json", R"({"type":"object"})", json);
    write_media("application/cloudevents-batch+json", R"({"type":"array"})", json);
    if (route.path != "/v1/events") write_media("text/csv", R"({"type":"string"})", json);
  }
  json.end_object().end_object();
}

std::string_view status_text(int status) {
  for (const ProblemKind& kind : problem_kinds()) {
    if (kind.status == status) return kind.title;
  }
  return status == 201 ? "Created" : status == 202 ? "Taken" : status == 204 ? "Done, nothing to say" : "Fine";
}

void write_answer(std::string_view status, std::string_view shape, JsonWriter& json) {
  int number = 0;
  std::from_chars(status.data(), status.data() + status.size(), number);
  json.key(status).begin_object().field("description", status_text(number));
  if (number >= 400) {
    json.key("content").begin_object();
    write_media("application/problem+json", reference("Problem"), json);
    json.end_object();
  } else if (!shape.empty()) {
    json.key("content").begin_object();
    const bool is_media = shape.find('/') != std::string_view::npos;
    write_media(is_media ? shape : "application/json",
                is_media ? std::string(R"({"type":"string"})") : reference(shape), json);
    json.end_object();
  }
  json.end_object();
}

void write_answers(const Route& route, JsonWriter& json) {
  json.key("responses").begin_object();
  for (std::string_view rest = route.answers; !rest.empty();) {
    const size_t end = std::min(rest.find(' '), rest.size());
    const std::string_view answer = rest.substr(0, end);
    const size_t colon = std::min(answer.find(':'), answer.size());
    write_answer(answer.substr(0, colon), colon < answer.size() ? answer.substr(colon + 1) : std::string_view(), json);
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  json.key("default").raw(
      R"({"description":"Any other refusal","content":{"application/problem+json":{"schema":{"$ref":)"
      R"("#/components/schemas/Problem"}}}})");
  json.end_object();
}

std::string print() {
  std::string out;
  JsonWriter json(out);
  json.begin_object().field("openapi", "3.1.0").key("info").begin_object();
  json.field("title", "Weir").field("version", "1");
  json.field("description",
             "HEAD answers every GET without its body. A server on loopback answers 403 to a Host other than localhost, 127.0.0.1, "
             "[::1] and those of server.hosts; every server answers 403 to a request that would change something and whose Origin is "
             "not its Host.");
  json.end_object();
  std::map<std::string, std::vector<const Route*>> paths;
  for (const Route& route : routes()) paths[plain_path(route.path)].push_back(&route);
  json.key("paths").begin_object();
  for (const auto& [path, operations] : paths) {
    json.key(path).begin_object();
    for (const Route* route : operations) {
      json.key(lower_case(route->method)).begin_object().field("operationId", operation_id(*route));
      json.field("summary", route->summary);
      if (route->scope != Scope::kOpen) json.field("x-scope", scope_name(route->scope));
      write_parameters(*route, json);
      write_body(*route, json);
      write_answers(*route, json);
      json.end_object();
    }
    json.end_object();
  }
  json.end_object().key("components").begin_object().key("schemas").raw(kSchemas).end_object();
  json.end_object();
  return out;
}

}  // namespace

const std::string& openapi_json() {
  static const std::string text = print();
  return text;
}

}  // namespace api
