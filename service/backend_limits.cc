// See backend.h. Here: GET /v1/limits, every limit with its number, unit, policy and how often it was reached since the start.
#include <optional>

#include "api/event_body.h"
#include "api/handlers_rules.h"
#include "patterns/lower.h"
#include "patterns/parser.h"
#include "service/answers.h"
#include "service/backend.h"

namespace service {
namespace {

struct Limit {
  std::string_view name;
  uint64_t value = 0;
  std::string_view unit;
  std::string_view policy;
  std::optional<uint64_t> hits;       // none: not counted
};

std::vector<Limit> engine_limits(const Lane& lane) {
  const cep::Limits& limits = lane.options().sequencer.limits;
  uint64_t refused = 0, dropped = 0, window = 0, forgotten = 0, derived = 0, aged = 0, peeks = 0;
  for (const std::unique_ptr<Shard>& shard : lane.shards()) {
    const ShardNumbers& numbers = shard->numbers();
    refused += numbers.runs_refused;
    dropped = cep::add_capped(dropped, numbers.matches_dropped);
    window += numbers.window_dropped;
    forgotten += numbers.keys_forgotten;
    derived += numbers.derived_dropped;
    aged += numbers.runs_aged;
    peeks += numbers.peeks_refused;
  }
  return {
      {"runs_per_key_max", limits.runs_per_key_max, "runs of a rule and key", "a new run is refused; alerts say truncated: runs", refused},
      {"block_bytes_max", limits.block_bytes_max, "bytes of a key's runs and what they bound",
       "a new run is refused; counted with runs_per_key_max", std::nullopt},
      {"matches_per_event_max", limits.matches_per_event_max, "matches of a rule, key and event",
       "the rest is dropped in R31 order; alerts say truncated: matches", dropped},
      {"window_entries_max", limits.window_entries_max, "entries of a window and key", "the oldest go; alerts say truncated: window",
       window},
      {"scan_entries_max", limits.scan_entries_max, "entries of a window that is read entry by entry, and key",
       "the oldest go; counted with window_entries_max", std::nullopt},
      {"window_bytes_max", limits.window_bytes_max, "bytes of texts or events of a window and key",
       "the oldest go; counted with window_entries_max", std::nullopt},
      {"key_idle_max", static_cast<uint64_t>(cep::Limits::key_idle_max_us), "microseconds of event time",
       "a window without a span forgets a key that was silent for so long; fixed", forgotten},
      {"run_age_max", static_cast<uint64_t>(limits.run_age_max_us), "microseconds of event time",
       "a run of a rule without `within` ends", aged},
      {"reorder_rows_max", limits.reorder_rows_max, "rows of a timeline that wait for their turn", "event time is forced forward",
       lane.sequencer().numbers().reorder_forced.load()},
      {"peek_rows_max", limits.peek_rows_max, "rows that wait before an event to be decided", "the default, `degraded`", peeks},
      {"derived_rows_max", limits.derived_rows_max, "events of streams `from rules` waiting in a timeline",
       "the newest is dropped", derived},
      {"alert_events_max", limits.alert_events_max, "events listed in an alert", "the first and the last half stay; truncated: events",
       std::nullopt},
      {"evidence_rows_max", limits.evidence_rows_max, "entries listed of a window", "the newest stay", std::nullopt},
      {"evidence_windows_max", limits.evidence_windows_max, "windows listed in an alert", "the first stay", std::nullopt},
  };
}

std::vector<Limit> intake_limits(const Lane& lane) {
  const SequencerOptions& options = lane.options().sequencer;
  const SequencerNumbers& numbers = lane.sequencer().numbers();
  const size_t entries_max = lane.options().dataset_entries_max;
  return {
      {"dedupe_ids_max", options.dedupe_ids_max, "remembered `unique` values", "the oldest minute is forgotten", numbers.ids_evicted},
      {"request_ids_max", options.request_ids_max, "remembered Idempotency-Keys", "the oldest are forgotten", std::nullopt},
      {"log_waiting_bytes_max", options.credit_bytes, "bytes of requests waiting for the log", "refused: 429 with Retry-After",
       std::nullopt},
      {"source_waiting_bytes_max", options.credit_bytes / 5 * 4, "bytes waiting for the log, as far as a partition of Kafka may fill them",
       "it is not read until there is room", std::nullopt},
      {"answer_within", static_cast<uint64_t>(lane.intake().options().answer_within_us), "microseconds a request waits for a full disk",
       "answered 503, whether it was taken is open then", lane.intake().given_up()},
      {"decision_timeout", static_cast<uint64_t>(lane.decisions().options().timeout_us), "microseconds until a decision is answered",
       "the default, `degraded`; not before the event is durable", lane.decisions().numbers().timed_out},
      {"verdict_bytes_max", kVerdictBytesMax, "bytes of the alerts a verdict lists", "the first are listed, the verdict says more",
       std::nullopt},
      {"decisions_keep_bytes", lane.options().retention.decisions_keep_bytes, "bytes of verdicts kept",
       "the oldest go: a repeated request is refused, 409", lane.store().decisions().dropped()},
      {"log_keep_bytes", options.log_keep_bytes, "bytes of the event log", "the oldest segments no checkpoint needs go", std::nullopt},
      {"shard_inbox_rows_max", Shard::kInboxRowsMax, "rows waiting for a shard", "the log thread waits", std::nullopt},
      {"shard_questions_max", Shard::kQuestionsMax, "questions waiting for a shard", "refused: 503", std::nullopt},
      {"store_waiting_max", Store::kAlertsWaitingMax, "alerts and rejected events waiting for the store", "shards and log wait",
       std::nullopt},
      {"backfill_alerts_max", WarmStart::kBackfillMax, "alerts recorded of what a deployment finds in the past", "the newest stay",
       numbers.backfill_dropped},
      {"list_entries_max", entries_max, "entries of a list", "the edit is refused: 422", lane.list_entries_refused()},
      {"table_rows_max", entries_max, "rows of a table", "the edit is refused: 422", lane.table_rows_refused()},
      {"dataset_entry_bytes_max", kEntryBytesMax, "bytes of an entry or row", "the edit is refused: 422", std::nullopt},
      {"edits_bytes_max", state::kEditBytesMax, "bytes of recorded edits of lists and tables", "the oldest go",
       lane.store().edits().dropped()},
      {"work_waiting_max", Lane::kWorkWaitingMax, "tasks waiting for the work thread", "refused: 503", std::nullopt},
      {"rejected_bytes_max", state::kRejectedBytesMax, "bytes of rejected events kept", "the oldest go", std::nullopt},
      {"rejected_raw_bytes_max", state::kRejectedRawBytesMax, "bytes kept of one rejected event", "the first stay", std::nullopt},
      {"alerts_keep_bytes", lane.options().retention.alerts_keep_bytes, "bytes of alerts kept",
       "the oldest go; a sink that had not sent them is told as cursor_expired", std::nullopt},
  };
}

std::vector<Limit> outer_limits(const BackendOptions& options) {
  const patterns::ParseLimits language;
  return {
      {"http_head_bytes_max", options.http.head.head_bytes_max, "bytes of a request's head", "refused: 431", std::nullopt},
      {"http_fields_max", options.http.head.fields_max, "header fields", "refused: 431", std::nullopt},
      {"http_target_bytes_max", options.http.head.target_bytes_max, "bytes of a request's target", "refused: 414", std::nullopt},
      {"http_connections_max", options.http.connections_max, "connections", "refused: 503", std::nullopt},
      {"http_connections_per_ip_max", options.http.connections_per_ip_max, "connections of an address", "refused: 503", std::nullopt},
      {"http_bodies_bytes_max", options.http.bodies_bytes_max, "bytes of all bodies being served", "refused: 429", std::nullopt},
      {"request_records_max", api::kRequestRecordsMax, "events of a request", "refused: 413", std::nullopt},
      {"event_bytes_max", api::kJsonRowBytesMax, "bytes of an event", "rejected: too_large", std::nullopt},
      {"event_depth_max", api::kJsonDepthMax, "levels of an event", "rejected: too_deep", std::nullopt},
      {"event_fields_max", api::kJsonFieldsMax, "fields of an object", "rejected: too_large", std::nullopt},
      {"event_string_bytes_max", api::kJsonStringBytesMax, "bytes of a text", "rejected: too_large", std::nullopt},
      {"deployment_bytes_max", api::kDeploymentBytesMax, "bytes of a deployment", "refused: 413", std::nullopt},
      {"statement_bytes_max", language.statement_bytes_max, "bytes of a statement", "refused: E04xx", std::nullopt},
      {"expression_depth_max", language.expr_depth_max, "levels of an expression", "refused: E04xx", std::nullopt},
      {"expression_nodes_max", language.expr_nodes_max, "nodes of an expression", "refused: E04xx", std::nullopt},
      {"pattern_nesting_max", language.pattern_nesting_max, "levels of a pattern", "refused: E04xx", std::nullopt},
      {"in_values_max", language.in_values_max, "values of an `in (...)`", "refused: E04xx", std::nullopt},
      {"permute_items_max", language.permute_items_max, "items of a permute", "refused: E04xx", std::nullopt},
      {"rule_states_max", patterns::kStatesMax, "states of a rule", "refused: E04xx", std::nullopt},
      {"rule_variables_max", patterns::kVariablesMax, "variables of a rule", "refused: E04xx", std::nullopt},
      {"rule_conditions_max", patterns::kConditionsMax, "variables, untils and subsets of a rule", "refused: E04xx", std::nullopt},
      {"rule_roads_max", patterns::kRoadsMax, "ways to go on behind an event", "refused: E04xx", std::nullopt},
      {"rule_group_clocks_max", patterns::kGroupClocksMax, "groups of a rule with a `within` of their own", "refused: E04xx", std::nullopt},
      {"delivery_in_flight_max", options.delivery.in_flight_max, "requests in flight of a sink", "the sink reads no further", std::nullopt},
      {"kafka_sink_in_flight_max", KafkaSink::kInFlightMax, "alerts in flight of a sink of type kafka", "the sink reads no further",
       std::nullopt},
      {"delivery_ahead_max", options.delivery.ahead_max, "alerts a sink is ahead of its cursor", "the sink reads no further", std::nullopt},
      {"delivery_attempts_max", options.delivery.schedule.size() + 1, "attempts of an alert and sink",
       "parked: listed, sent again by a replay only", std::nullopt},
      {"delivery_commands_max", DeliveryThread::kCommandsMax, "questions waiting for the delivery thread", "refused: 503", std::nullopt},
      {"replay_alerts_max", DeliveryEngine::kReplayAlertsMax, "alerts of a replay", "refused: 422", std::nullopt},
      {"sink_headers_max", kSinkHeadersMax, "headers of a sink", "refused: 422", std::nullopt},
      {"sink_rules_max", kSinkRulesMax, "rule globs of a sink", "refused: 422", std::nullopt},
      {"sink_secrets_max", kSinkSecretsMax, "secrets of a sink", "refused: 422", std::nullopt},
  };
}

}  // namespace

void Backend::limits(api::Reply reply) {
  std::string body;
  api::JsonWriter json(body);
  json.begin_object().key("items").begin_array();
  for (const std::vector<Limit>& part : {engine_limits(lane_), intake_limits(lane_), outer_limits(options_)}) {
    for (const Limit& limit : part) {
      json.begin_object().field("name", limit.name).key("value").unsigned_integer(limit.value);
      json.field("unit", limit.unit).field("policy", limit.policy).key("hits");
      if (limit.hits) {
        json.unsigned_integer(*limit.hits);
      } else {
        json.null();
      }
      json.end_object();
    }
  }
  json.end_array().key("next").null().end_object();
  reply(json_answer(std::move(body)));
}

}  // namespace service
