// See backend.h. Here: its life, events, streams, checkpoints, health, metrics. Rules, alerts, lists, sinks and limits have their files.
#include "service/backend.h"

#include <algorithm>

#include "api/problem.h"
#include "service/answers.h"

namespace service {
namespace {

// Watermarks of the timelines a stream is part of. A timeline's name is its streams' names joined by '+'.
std::vector<std::pair<std::string, cep::TimeUs>> timelines_of(const Lane& lane, const std::string& stream) {
  std::vector<std::pair<std::string, cep::TimeUs>> found;
  for (auto& [name, watermark] : lane.sequencer().watermarks()) {
    for (std::string_view rest = name; !rest.empty();) {
      const size_t end = std::min(rest.find('+'), rest.size());
      if (rest.substr(0, end) == stream) {
        found.emplace_back(name, watermark);
        break;
      }
      rest.remove_prefix(std::min(end + 1, rest.size()));
    }
  }
  return found;
}

// The partitions that a stream's events come from, and how far behind they are read: in records, and in event time against the newest.
void append_partitions(const std::vector<KafkaPartitionStatus>& partitions, const std::string& stream, cep::TimeUs now,
                       api::JsonWriter& json) {
  json.key("kafka").begin_array();
  for (const KafkaPartitionStatus& one : partitions) {
    if (one.stream != stream) continue;
    json.begin_object().field("name", one.kafka).field("topic", one.topic).key("partition").integer(one.partition);
    json.field("state", one.state);
    if (!one.code.empty()) json.field("code", one.code).field("detail", one.error);
    for (const auto& [name, value] : {std::pair("next", one.next), {"end", one.end}, {"lag_records", one.lag()}}) {
      json.key(name);
      if (value) json.unsigned_integer(*value);
      else json.null();
    }
    json.key("newest");
    append_time(one.newest_us, json);
    json.key("lag");
    if (one.newest_us == cep::kTimeMin) {
      json.null();
    } else {
      json.string(cep::format_duration(now - one.newest_us));
    }
    json.key("records").unsigned_integer(one.records).key("skipped").unsigned_integer(one.skipped).end_object();
  }
  json.end_array();
}

struct StreamView {
  const Lane& lane;
  std::vector<KafkaPartitionStatus> partitions;
  cep::TimeUs now, started;
};

void append_stream(const StreamView& view, const cep::StreamSchema& schema, const StreamNumbers& numbers, api::JsonWriter& json) {
  const cep::TimeUs now = view.now;
  json.begin_object().field("name", schema.name).key("version").unsigned_integer(schema.version);
  json.key("columns").begin_array();
  for (const cep::Column& column : schema.columns) {
    json.begin_object().field("name", column.name).field("type", cep::type_name(column.type));
    json.key("not_null").boolean(column.not_null);
    if (!column.path.empty()) json.field("path", column.path);
    json.end_object();
  }
  json.end_array().field("event_time", schema.columns[schema.time_column].name);
  json.field("delay", cep::format_duration(schema.delay_us)).key("unique").begin_array();
  for (const uint16_t column : schema.unique_columns) json.string(schema.columns[column].name);
  json.end_array().key("timelines").begin_array();
  cep::TimeUs watermark = cep::kTimeMax;
  for (const auto& [name, time] : timelines_of(view.lane, schema.name)) {
    json.begin_object().field("name", name).key("watermark");
    append_time(time, json);
    json.end_object();
    watermark = std::min(watermark, time);
  }
  json.end_array().key("watermark");
  append_time(watermark, json);
  json.key("lag");
  if (watermark == cep::kTimeMin || watermark == cep::kTimeMax) {
    json.null();
  } else {
    json.string(cep::format_duration(now - watermark));
  }
  json.field("counted_since", cep::format_time(view.started));
  json.key("accepted").unsigned_integer(numbers.accepted).key("duplicates").unsigned_integer(numbers.duplicates);
  json.key("late").unsigned_integer(numbers.late).key("rejected").unsigned_integer(numbers.rejected);
  append_partitions(view.partitions, schema.name, now, json);
  json.end_object();
}

std::string hex_of(const state::Id16& id) { return cep::to_hex(id); }

}  // namespace

Backend::Backend(Lane& lane, DeliveryThread& delivery, SinkRegistry& sinks, Metrics& metrics, const BackendOptions& options)
    : lane_(lane), delivery_(delivery), sinks_(sinks), metrics_(metrics), options_(options), started_us_(options.clock()) {
  lane_.on_alerts_stored([this] {
    delivery_.notify();
    if (options_.kafka_sinks != nullptr) options_.kafka_sinks->notify();
    std::lock_guard lock(hook_mutex_);
    if (feed_hook_) feed_hook_();
  });
}

Backend::~Backend() { lane_.on_alerts_stored(nullptr); }

void Backend::on_work(const api::Reply& reply, std::function<void()> task) {
  if (!lane_.work(std::move(task))) reply(busy_answer("Too much waits for the work thread, or the service is stopping."));
}

void Backend::on_delivery(const api::Reply& reply, DeliveryThread::Command command) {
  if (cep::Status status = delivery_.post(std::move(command)); !status.ok()) reply(error_answer(status.error()));
}

void Backend::submit(std::shared_ptr<api::SubmitRequest> request, std::function<void(api::SubmitAnswer)> reply) {
  if (!draining_) return lane_.submit(std::move(request), std::move(reply));
  api::SubmitAnswer answer;
  answer.outcome = api::SubmitAnswer::Outcome::kUnavailable;
  answer.code = "stopping";
  answer.detail = "The service is stopping; send again.";
  reply(std::move(answer));
}

cep::SchemaPtr Backend::schema(std::string_view stream) const {
  RegistryPtr registry = lane_.registry();
  auto known = registry->streams().find(std::string(stream));
  return known != registry->streams().end() ? known->second : nullptr;
}

std::vector<KafkaPartitionStatus> Backend::kafka_status() const {
  return options_.kafka != nullptr ? options_.kafka->status() : std::vector<KafkaPartitionStatus>();
}

void Backend::streams(api::PageQuery page, api::Reply reply) {
  const auto numbers = lane_.sequencer().stream_numbers();
  const StreamView view{lane_, kafka_status(), options_.clock(), started_us_};
  reply(page_by_name(lane_.registry()->streams(), page, [&](const std::string& name, const cep::SchemaPtr& schema, api::JsonWriter& json) {
    auto counted = numbers.find(name);
    append_stream(view, *schema, counted != numbers.end() ? counted->second : StreamNumbers{}, json);
  }));
}

void Backend::stream(std::string name, api::Reply reply) {
  const cep::SchemaPtr known = schema(name);
  if (known == nullptr) return reply(api::problem_answer("not-found", "No stream `" + name + "` is declared."));
  const auto numbers = lane_.sequencer().stream_numbers();
  auto counted = numbers.find(name);
  std::string body;
  api::JsonWriter json(body);
  const StreamView view{lane_, kafka_status(), options_.clock(), started_us_};
  append_stream(view, *known, counted != numbers.end() ? counted->second : StreamNumbers{}, json);
  reply(json_answer(std::move(body)));
}

void Backend::checkpoints(api::PageQuery page, api::Reply reply) {
  on_work(reply, [this, page = std::move(page), reply] {      // the list is locked while a seal is being written
    const std::optional<uint64_t> before = page.cursor.empty() ? UINT64_MAX : parse_cursor_number(page.cursor);
    if (!before) return reply(bad_cursor());
    std::vector<state::KeptSeal> seals = lane_.store().seals();
    std::reverse(seals.begin(), seals.end());
    std::erase_if(seals, [&](const state::KeptSeal& seal) { return seal.sequence >= *before; });
    PageWriter writer;
    std::optional<std::string> next;
    if (seals.size() > page.limit) {
      seals.resize(page.limit);
      next = std::to_string(seals.back().sequence);
    }
    for (const state::KeptSeal& seal : seals) {
      api::JsonWriter& json = writer.json();
      json.begin_object().key("sequence").unsigned_integer(seal.sequence);
      json.key("applied_through").unsigned_integer(seal.applied_through);
      json.key("reread_offset").unsigned_integer(seal.reread_offset).field("digest", hex_of(seal.digest)).end_object();
    }
    reply(writer.finish(next));
  });
}

void Backend::trigger_checkpoint(api::Reply reply) {
  if (!lane_.trigger_checkpoint()) return reply(error_answer({"stopping", "the service is stopping"}));
  reply(json_answer(R"({"status":"started"})", 202));
}

void Backend::ready(api::Reply reply) {
  if (draining_) return reply(error_answer({"stopping", "the service is stopping and takes no more events"}));
  if (std::optional<IntakeStall> stall = lane_.intake().stall()) return reply(error_answer({stall->code, stall->detail}));
  if (options_.remote != nullptr) {
    if (std::optional<cep::Error> why = options_.remote->fenced()) return reply(error_answer(*why));
  }
  reply(json_answer(R"({"status":"ready"})"));
}

void Backend::health(api::Reply reply) {
  const SequencerNumbers& log = lane_.sequencer().numbers();
  const StoreCounters& store = lane_.store().counters();
  const cep::TimeUs now = options_.clock();
  std::string body;
  api::JsonWriter json(body);
  const std::optional<IntakeStall> stall = lane_.intake().stall();
  json.begin_object().field("status", draining_ ? "stopping" : stall ? "degraded" : "ok");
  if (stall) json.field("detail", stall->detail);
  const bool log_waits = lane_.sequencer().disk_wait().lasted_us().has_value();
  json.key("log").begin_object().key("writable").boolean(!log_waits).key("first_offset").unsigned_integer(log.log_begin);
  json.key("next_offset").unsigned_integer(log.log_end).key("failed_flushes").unsigned_integer(log.failed_flushes).end_object();
  const bool store_waits = lane_.store().disk_wait().lasted_us().has_value();
  json.key("store").begin_object().key("writable").boolean(!store_waits).key("disk_full_waits").unsigned_integer(store.disk_full_waits);
  json.key("alerts_stored").unsigned_integer(store.alerts_stored).key("checkpoints").unsigned_integer(store.checkpoints);
  json.key("sealed").string(cep::format_time(store.sealed_at_us)).field("checkpoint_age", cep::format_duration(now - store.sealed_at_us));
  json.end_object().key("shards").integer(static_cast<int64_t>(lane_.shards().size()));
  json.field("recovery", cep::format_duration(lane_.recovery_us())).end_object();
  reply(json_answer(std::move(body), draining_ || stall ? 503 : 200));
}

// Sinks are asked of the delivery thread, runs of every shard; the text is written on the work thread. Without an answer of the first the
// sinks' numbers are left out: the rest must be seen most of all when the service is busy.
void Backend::metrics(api::Reply reply) {
  struct Gathering {
    std::mutex mutex;
    MetricsSample sample;
    size_t waiting = 0;
  };
  auto gathering = std::make_shared<Gathering>();
  gathering->sample.now_us = options_.clock();
  gathering->sample.kafka = kafka_status();
  gathering->sample.remote = options_.remote;
  gathering->waiting = lane_.shards().size() + 1;
  auto one_less = [this, gathering, reply](size_t fewer) {
    {
      std::lock_guard lock(gathering->mutex);
      gathering->waiting -= fewer;
      if (gathering->waiting > 0 || fewer == 0) return;
    }
    on_work(reply, [this, gathering, reply] {
      api::Answer answer;
      answer.content_type = "text/plain; version=0.0.4; charset=utf-8";
      answer.body = metrics_.render(lane_, gathering->sample);
      reply(std::move(answer));
    });
  };
  cep::Status posted = delivery_.post([this, gathering, one_less](DeliveryEngine& engine, cep::TimeUs) {
    {
      std::lock_guard lock(gathering->mutex);
      gathering->sample.sinks = sink_status(engine);
    }
    one_less(1);
  });
  size_t unasked = posted.ok() ? 0 : 1;
  for (const std::unique_ptr<Shard>& shard : lane_.shards()) {
    const bool asked = shard->ask([gathering, one_less](const cep::Engine& engine) {
      {
        std::lock_guard lock(gathering->mutex);
        engine.count_runs(gathering->sample.runs);
      }
      one_less(1);
    });
    unasked += asked ? 0 : 1;
  }
  one_less(unasked);
}

void Backend::observe_request(std::string_view route, std::string_view method, int status, double seconds) {
  metrics_.observe_request(route, method, status, seconds);
}

void Backend::set_feed_hook(std::function<void()> hook) {
  std::lock_guard lock(hook_mutex_);
  feed_hook_ = std::move(hook);
}

}  // namespace service
