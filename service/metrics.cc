// See metrics.h. The only file that knows prometheus-cpp.
#include "service/metrics.h"

#include <prometheus/counter.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>
#include <prometheus/text_serializer.h>

#include <algorithm>
#include <functional>

#include "api/alert_json.h"

namespace service {
namespace {

using Labels = std::vector<prometheus::ClientMetric::Label>;

double seconds_of(cep::DurationUs duration) { return static_cast<double>(duration) / static_cast<double>(cep::kSecond); }

// Families in the order in which they are added; a family without series is not printed.
class Families {
 public:
  void counter(std::string name, std::string help) { begin(std::move(name), std::move(help), prometheus::MetricType::Counter); }
  void gauge(std::string name, std::string help) { begin(std::move(name), std::move(help), prometheus::MetricType::Gauge); }
  // A series of the family begun last.
  void add(Labels labels, double value) {
    prometheus::ClientMetric metric;
    metric.label = std::move(labels);
    (families_.back().type == prometheus::MetricType::Counter ? metric.counter.value : metric.gauge.value) = value;
    families_.back().metric.push_back(std::move(metric));
  }
  void add(Labels labels, uint64_t value) { add(std::move(labels), static_cast<double>(value)); }
  void histogram(std::string name, std::string help, const LatencyHistogram& durations) {
    begin(std::move(name), std::move(help), prometheus::MetricType::Histogram);
    prometheus::ClientMetric metric;
    uint64_t cumulative = 0;
    for (size_t i = 0; i < LatencyHistogram::kBoundsUs.size(); ++i) {
      cumulative += durations.in_bucket(i);
      metric.histogram.bucket.push_back({cumulative, seconds_of(LatencyHistogram::kBoundsUs[i])});
    }
    // Read last and never below the buckets, which may have grown meanwhile.
    metric.histogram.sample_count = std::max(cumulative, durations.total());
    metric.histogram.sample_sum = seconds_of(durations.sum_us());
    families_.back().metric.push_back(std::move(metric));
  }
  std::string text(std::vector<prometheus::MetricFamily> more) {
    std::erase_if(families_, [](const prometheus::MetricFamily& family) { return family.metric.empty(); });
    families_.insert(families_.end(), std::make_move_iterator(more.begin()), std::make_move_iterator(more.end()));
    return prometheus::TextSerializer().Serialize(families_);
  }

 private:
  void begin(std::string name, std::string help, prometheus::MetricType type) {
    families_.push_back({std::move(name), std::move(help), type, {}});
  }
  std::vector<prometheus::MetricFamily> families_;
};

uint64_t sum_of(const Lane& lane, const std::function<uint64_t(const ShardNumbers&)>& number) {
  uint64_t sum = 0;
  for (const std::unique_ptr<Shard>& shard : lane.shards()) sum = cep::add_capped(sum, number(shard->numbers()));
  return sum;
}

// Streams that are declared, and what named no declared one under the empty label.
void add_streams(Families& out, const Lane& lane) {
  const std::map<std::string, StreamNumbers> streams = lane.sequencer().stream_numbers();
  out.counter("weir_events_total", "Events that were logged and acknowledged, by stream.");
  for (const auto& [name, numbers] : streams) out.add({{"stream", name}}, numbers.accepted);
  out.counter("weir_rejected_total", "Events that were refused, by stream and reason; the stream is empty if it is not declared.");
  for (const auto& [name, numbers] : streams) {
    for (const auto& [code, rejected] : numbers.rejected_by_code) out.add({{"stream", name}, {"code", code}}, rejected);
  }
  out.counter("weir_late_total", "Events that came behind the watermark of a rule's streams, by stream.");
  for (const auto& [name, numbers] : streams) out.add({{"stream", name}}, numbers.late);
  out.counter("weir_duplicate_total", "Events dropped for a unique value that was seen already, by stream.");
  for (const auto& [name, numbers] : streams) out.add({{"stream", name}}, numbers.duplicates);
}

void add_rules(Families& out, const Lane& lane, const MetricsSample& sample) {
  RegistryPtr registry = lane.registry();
  out.counter("weir_alerts_total", "Alerts stored for the first time, by rule, severity and mode.");
  for (const AlertCount& count : lane.store().alert_counts()) {
    const RuleRecord* rule = registry->rule_by_number(count.rule);
    out.add({{"rule", rule != nullptr ? rule->name : ""},
             {"severity", std::string(cep::severity_name(static_cast<cep::Severity>(count.severity)))},
             {"mode", std::string(api::mode_name(static_cast<cep::AlertMode>(count.mode)))}},
            count.alerts);
  }
  out.counter("weir_suppressed_total", "Matches folded into an earlier alert by suppress.");
  out.add({}, sum_of(lane, [](const ShardNumbers& n) { return n.suppressed.load(); }));
  out.gauge("weir_runs", "Half-finished matches that live now, by rule; those of a key and step that are merged count as one.");
  for (const auto& [name, rule] : registry->rules()) {
    if (rule.dropped) continue;
    auto runs = sample.runs.find(rule.versions.back().program);
    out.add({{"rule", name}}, runs != sample.runs.end() ? runs->second : uint64_t{0});
  }
}

void add_engine(Families& out, const Lane& lane) {
  out.gauge("weir_keys", "Keys that have state.");
  out.add({}, sum_of(lane, [](const ShardNumbers& n) { return n.keys.load(); }));
  out.gauge("weir_state_bytes", "Memory of the match state, by shard.");
  for (size_t s = 0; s < lane.shards().size(); ++s) {
    out.add({{"shard", std::to_string(s)}}, lane.shards()[s]->numbers().state_bytes.load());
  }
  out.gauge("weir_watermark_timestamp_seconds", "Event time up to which everything has been seen, by timeline.");
  for (const auto& [timeline, watermark] : lane.sequencer().watermarks()) {
    if (watermark != cep::kTimeMin && watermark != cep::kTimeMax) out.add({{"timeline", timeline}}, seconds_of(watermark));
  }
  out.gauge("weir_reorder_rows", "Events that wait for their turn in event time, by shard.");
  for (size_t s = 0; s < lane.shards().size(); ++s) {
    out.add({{"shard", std::to_string(s)}}, lane.shards()[s]->numbers().reorder_rows.load());
  }
  out.counter("weir_derived_total", "Alerts that became events of a stream.");
  out.add({}, sum_of(lane, [](const ShardNumbers& n) { return n.derived.load(); }));
  out.counter("weir_derived_late_total", "Such events that came too late for the rules that read them.");
  out.add({}, sum_of(lane, [](const ShardNumbers& n) { return n.derived_late.load(); }));
  out.counter("weir_limit_hits_total", "How often a limit was reached and its policy applied, by limit; see /v1/limits.");
  out.add({{"limit", "runs_per_key_max"}}, sum_of(lane, [](const ShardNumbers& n) { return n.runs_refused.load(); }));
  out.add({{"limit", "matches_per_event_max"}}, sum_of(lane, [](const ShardNumbers& n) { return n.matches_dropped.load(); }));
  out.add({{"limit", "window_entries_max"}}, sum_of(lane, [](const ShardNumbers& n) { return n.window_dropped.load(); }));
  out.add({{"limit", "key_idle_max"}}, sum_of(lane, [](const ShardNumbers& n) { return n.keys_forgotten.load(); }));
  out.add({{"limit", "run_age_max"}}, sum_of(lane, [](const ShardNumbers& n) { return n.runs_aged.load(); }));
  out.add({{"limit", "reorder_rows_max"}}, lane.sequencer().numbers().reorder_forced.load());
  out.add({{"limit", "peek_rows_max"}}, sum_of(lane, [](const ShardNumbers& n) { return n.peeks_refused.load(); }));
  out.add({{"limit", "derived_rows_max"}}, sum_of(lane, [](const ShardNumbers& n) { return n.derived_dropped.load(); }));
  out.add({{"limit", "dedupe_ids_max"}}, lane.sequencer().numbers().ids_evicted.load());
  out.add({{"limit", "list_entries_max"}}, lane.list_entries_refused());
  out.add({{"limit", "table_rows_max"}}, lane.table_rows_refused());
  out.add({{"limit", "backfill_alerts_max"}}, lane.sequencer().numbers().backfill_dropped.load());
}

void add_storage(Families& out, const Lane& lane, cep::TimeUs now) {
  const StoreCounters& store = lane.store().counters();
  out.histogram("weir_log_flush_seconds", "Time to make a group of events durable.", lane.sequencer().numbers().flush);
  out.histogram("weir_event_to_alert_seconds", "Time from the arrival of what caused an alert to its visibility.", store.event_to_alert);
  out.histogram("weir_checkpoint_seconds", "Time from a checkpoint's barrier to its seal.", store.checkpoint);
  out.gauge("weir_checkpoint_age_seconds", "Time since the last checkpoint was sealed, or since the start.");
  out.add({}, seconds_of(now - store.sealed_at_us));
  out.gauge("weir_recovery_seconds", "Time from opening the data directory to taking events, at the last start.");
  out.add({}, seconds_of(lane.recovery_us()));
  out.gauge("weir_queue_depth", "What waits in a queue: rows, alerts and rejected events, bytes of requests, tasks.");
  for (size_t s = 0; s < lane.shards().size(); ++s) {
    out.add({{"queue", "shard_" + std::to_string(s) + "_rows"}}, uint64_t{lane.shards()[s]->inbox_rows()});
  }
  out.add({{"queue", "store_records"}}, uint64_t{lane.store().waiting()});
  out.add({{"queue", "log_bytes"}}, uint64_t{lane.sequencer().waiting_bytes()});
  out.add({{"queue", "work_tasks"}}, uint64_t{lane.work_waiting()});
}

void add_remote(Families& out, const RemoteCheckpoints& remote, cep::TimeUs now) {
  const RemoteNumbers& numbers = remote.numbers();
  out.gauge("weir_remote_checkpoint_age_seconds", "Time since the copy of the newest remote checkpoint began: what is younger is in none.");
  if (numbers.newest_us != 0) out.add({}, seconds_of(now - numbers.newest_us));
  out.gauge("weir_remote_checkpoint_bytes", "Bytes of all objects of the newest remote checkpoint.");
  out.add({}, numbers.newest_bytes.load());
  out.counter("weir_remote_bytes_put_total", "Bytes that were uploaded.");
  out.add({}, numbers.bytes_put.load());
  out.counter("weir_remote_uploads_total", "Remote checkpoints that were uploaded, and attempts that failed.");
  out.add({{"outcome", "done"}}, numbers.uploads.load());
  out.add({{"outcome", "failed"}}, numbers.failures.load());
  out.gauge("weir_remote_fenced", "1 once another process has taken over the remote checkpoints: this one uploads no more.");
  out.add({}, remote.fenced() ? 1.0 : 0.0);
}

void add_intake(Families& out, const Lane& lane) {
  out.gauge("weir_intake_open", "1 while events are taken, 0 while a full or failing disk keeps them out.");
  out.add({}, lane.intake().stall() ? 0.0 : 1.0);
  out.counter("weir_intake_refused_total", "Requests refused at once while events were not taken.");
  out.add({}, lane.intake().refused());
  out.counter("weir_intake_given_up_total", "Requests answered 503 while they waited for a full disk: whether they were taken is open.");
  out.add({}, lane.intake().given_up());
  out.counter("weir_disk_full_waits_total", "Writes that failed and were tried again, by what is written.");
  out.add({{"disk", "log"}}, lane.sequencer().numbers().disk_full_waits.load());
  out.add({{"disk", "state"}}, lane.store().counters().disk_full_waits.load());
}

void add_decisions(Families& out, const Lane& lane) {
  const DecisionNumbers& numbers = lane.decisions().numbers();
  out.counter("weir_decisions_total", "Decisions answered, by decision; repeated requests are not counted again.");
  for (const cep::Decision decision : {cep::Decision::kAllow, cep::Decision::kReview, cep::Decision::kChallenge, cep::Decision::kBlock}) {
    out.add({{"decision", std::string(cep::decision_name(decision))}}, numbers.by_decision[static_cast<size_t>(decision)].load());
  }
  out.counter("weir_decisions_degraded_total",
              "Decisions answered without all rules having been asked: timeout, the verdict was not there in time; rows, too many waited.");
  out.add({{"reason", "timeout"}}, numbers.timed_out.load());
  out.add({{"reason", "rows"}}, numbers.rows_refused.load());
  out.counter("weir_decisions_late_total", "Decisions on events that came behind the watermark of a rule's streams.");
  out.add({}, numbers.late.load());
  out.counter("weir_decisions_repeated_total", "Requests for a decision answered with the verdict stored for their event.");
  out.add({}, numbers.repeated.load());
  out.histogram("weir_decision_seconds", "Time from a whole request for a decision to its answer, the flush included.", numbers.latency);
}

void add_kafka(Families& out, const std::vector<KafkaPartitionStatus>& partitions, cep::TimeUs now) {
  const auto labels = [](const KafkaPartitionStatus& one) {
    return Labels{{"kafka", one.kafka}, {"topic", one.topic}, {"partition", std::to_string(one.partition)}};
  };
  out.gauge("weir_kafka_reading", "1 while a partition is read, 0 while it waits or has stopped; /v1/streams says why.");
  for (const KafkaPartitionStatus& one : partitions) out.add(labels(one), one.is_read() ? 1.0 : 0.0);
  const auto labels_and = [&](const KafkaPartitionStatus& one, std::string name, std::string value) {
    Labels all = labels(one);
    all.push_back({std::move(name), std::move(value)});
    return all;
  };
  out.gauge("weir_kafka_state", "1 for the state of a partition, 0 for the others; idle: read to its end, and no time waits for it.");
  for (const KafkaPartitionStatus& one : partitions) {
    for (const std::string_view state : kKafkaStates) out.add(labels_and(one, "state", std::string(state)), one.state == state ? 1.0 : 0.0);
  }
  out.gauge("weir_kafka_error", "1 for the error that keeps a partition from being read, by code; absent without one.");
  for (const KafkaPartitionStatus& one : partitions) {
    if (!one.code.empty()) out.add(labels_and(one, "code", one.code), 1.0);
  }
  const auto add_known = [&](const KafkaPartitionStatus& one, std::optional<uint64_t> value) {
    if (value) out.add(labels(one), *value);
  };
  out.gauge("weir_kafka_position_offset", "Offset of the next record to be read of a partition; absent while it is not known.");
  for (const KafkaPartitionStatus& one : partitions) add_known(one, one.next);
  out.gauge("weir_kafka_end_offset", "Offset behind the newest record of a partition, as brokers last said; absent before they did.");
  for (const KafkaPartitionStatus& one : partitions) add_known(one, one.end);
  out.gauge("weir_kafka_lag_records", "Records of a partition that have not been read yet: its end less the position.");
  for (const KafkaPartitionStatus& one : partitions) add_known(one, one.lag());
  out.gauge("weir_kafka_lag_seconds", "Wall clock less the newest event time that a partition has brought.");
  for (const KafkaPartitionStatus& one : partitions) {
    if (one.newest_us != cep::kTimeMin) out.add(labels(one), seconds_of(now - one.newest_us));
  }
  out.counter("weir_kafka_records_total", "Records read from a partition.");
  for (const KafkaPartitionStatus& one : partitions) out.add(labels(one), one.records);
  out.counter("weir_kafka_skipped_total", "Records lost before they were read, where on_loss = \"skip\" lets them go.");
  for (const KafkaPartitionStatus& one : partitions) out.add(labels(one), one.skipped);
}

void add_sinks(Families& out, const std::vector<SinkStatus>& sinks) {
  out.counter("weir_delivery_attempts_total", "Attempts to deliver an alert, by sink and outcome.");
  for (const SinkStatus& sink : sinks) {
    for (size_t i = 0; i < kAttemptOutcomes; ++i) {
      out.add({{"sink", sink.name}, {"outcome", std::string(outcome_word(static_cast<AttemptOutcome>(i)))}}, sink.attempts[i]);
    }
  }
  out.gauge("weir_delivery_pending", "Alerts that failed and will be tried again, by sink.");
  for (const SinkStatus& sink : sinks) out.add({{"sink", sink.name}}, sink.pending);
  out.gauge("weir_delivery_parked", "Alerts that were given up and wait for a replay, by sink.");
  for (const SinkStatus& sink : sinks) out.add({{"sink", sink.name}}, sink.exhausted);
}

}  // namespace

struct Metrics::Requests {
  prometheus::Registry registry;
  prometheus::Family<prometheus::Counter>& count = prometheus::BuildCounter()
                                                       .Name("weir_http_requests_total")
                                                       .Help("Requests that were answered, by route, method and status.")
                                                       .Register(registry);
  prometheus::Family<prometheus::Histogram>& seconds = prometheus::BuildHistogram()
                                                           .Name("weir_http_request_seconds")
                                                           .Help("Time from the end of a request to the begin of its answer, by route.")
                                                           .Register(registry);
};

Metrics::Metrics(std::string version) : version_(std::move(version)), requests_(std::make_unique<Requests>()) {}
Metrics::~Metrics() = default;

void Metrics::observe_request(std::string_view route, std::string_view method, int status, double seconds) {
  const prometheus::Histogram::BucketBoundaries bounds = {0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10};
  requests_->count.Add({{"route", std::string(route)}, {"method", std::string(method)}, {"code", std::to_string(status)}}).Increment();
  requests_->seconds.Add({{"route", std::string(route)}}, bounds).Observe(seconds);
}

std::string Metrics::render(const Lane& lane, const MetricsSample& sample) const {
  Families out;
  out.gauge("weir_build_info", "1; the version is in the label.");
  out.add({{"version", version_}}, 1.0);
  add_streams(out, lane);
  add_rules(out, lane, sample);
  add_engine(out, lane);
  add_storage(out, lane, sample.now_us);
  add_intake(out, lane);
  add_decisions(out, lane);
  if (sample.remote != nullptr) add_remote(out, *sample.remote, sample.now_us);
  if (!sample.kafka.empty()) add_kafka(out, sample.kafka, sample.now_us);
  add_sinks(out, sample.sinks);
  return out.text(requests_->registry.Collect());
}

}  // namespace service
