// See backend.h. Here: sinks over the API. Durable first, then told to the delivery thread; a secret is shown once, when it was made here.
#include <algorithm>
#include <set>

#include "api/json_scan.h"
#include "api/problem.h"
#include "service/answers.h"
#include "service/backend.h"
#include "service/delivery_adapter.h"
#include "service/sink_webhook.h"

namespace service {
namespace {

constexpr uint64_t kAttemptsScanMax = 2'000;      // alerts looked at for one page of attempts
constexpr size_t kReplayScanPage = 1'000;

api::Answer only_webhooks(const std::string& what) {
  return error_answer({"sink_type_unavailable", "A sink of type kafka is not " + what + "."});
}

api::Answer no_sink(const std::string& name) { return api::problem_answer("not-found", "There is no sink `" + name + "`."); }

// Scheme and host: the path of a webhook's address often is a credential.
std::string origin_of(const std::string& url) {
  const size_t scheme = url.find("://");
  if (scheme == std::string::npos) return "";
  return url.substr(0, url.find_first_of("/?", scheme + 3)) + "/...";
}

void append_status(const SinkStatus& status, api::JsonWriter& json) {
  json.key("delivery").begin_object().key("disabled").boolean(status.disabled).key("cursor").unsigned_integer(status.cursor);
  json.key("in_flight").unsigned_integer(status.in_flight).key("pending").unsigned_integer(status.pending);
  json.key("parked").unsigned_integer(status.exhausted).key("expired").unsigned_integer(status.expired).key("attempts").begin_object();
  for (size_t i = 0; i < kAttemptOutcomes; ++i) {
    json.key(outcome_word(static_cast<AttemptOutcome>(i))).unsigned_integer(status.attempts[i]);
  }
  json.end_object().key("waits_until");
  append_time(status.waits_until_us == 0 ? cep::kTimeMin : status.waits_until_us, json);
  json.end_object();
}

void append_sink(const RegisteredSink& sink, const std::vector<SinkStatus>& statuses, const std::string& new_secret,
                 api::JsonWriter& json) {
  const SinkSpec& spec = sink.spec;
  json.begin_object().field("name", spec.name).field("type", spec.type);
  if (spec.type == "kafka") {
    json.field("topic", spec.topic);
  } else {
    json.field("url", origin_of(spec.url));
  }
  json.field("source", spec.source == SinkSource::kFile ? "file" : "api").key("headers").begin_array();
  for (const HttpHeader& header : spec.headers) json.string(header.name);
  json.end_array().key("rules").begin_array();
  for (const std::string& rule : spec.rules) json.string(rule);
  json.end_array().field("severity_min", spec.severity_min.empty() ? std::string_view("info") : std::string_view(spec.severity_min));
  json.key("disabled").boolean(spec.disabled).key("secrets").unsigned_integer(spec.secrets.size());
  if (!new_secret.empty()) json.field("secret", new_secret);
  for (const SinkStatus& status : statuses) {
    if (status.id == sink.id) append_status(status, json);
  }
  json.end_object();
}

const cep::Error kBadSink{"bad_request",
                          "The body must be a JSON object with url, and if wanted type, secret or secrets, headers, rules, severity_min, "
                          "disabled."};

bool read_texts(std::string_view json, std::vector<std::string>& texts) {
  api::JsonScan scan(json);
  std::string_view element;
  if (!scan.enter('[')) return false;
  texts.clear();
  while (scan.next_element(&element)) {
    std::string text;
    if (!api::unescape_json(element, text)) return false;
    texts.push_back(std::move(text));
  }
  return scan.complete();
}

bool read_headers(std::string_view json, std::vector<HttpHeader>& headers) {
  api::JsonScan scan(json);
  std::string_view name, value;
  if (!scan.enter('{')) return false;
  headers.clear();
  while (scan.next_member(&name, &value)) {
    HttpHeader header;
    if (!api::unescape_json("\"" + std::string(name) + "\"", header.name) || !api::unescape_json(value, header.value)) return false;
    headers.push_back(std::move(header));
  }
  return scan.complete();
}

bool read_flag(std::string_view json, bool& flag) {
  flag = json == "true";
  return json == "true" || json == "false";
}

// No message repeats a value: any may be a secret.
cep::Result<SinkSpec> read_sink(const std::string& name, std::string_view body) {
  SinkSpec spec;
  spec.name = name;
  std::set<std::string, std::less<>> seen;
  api::JsonScan scan(api::trim_json_space(body));
  std::string_view key, value;
  if (!scan.enter('{')) return kBadSink;
  while (scan.next_member(&key, &value)) {
    if (!seen.emplace(key).second) return cep::Error{"bad_request", "A member stands there twice."};
    bool well = false;
    if (key == "type") well = api::unescape_json(value, spec.type);
    if (key == "url") well = api::unescape_json(value, spec.url);
    if (key == "severity_min") well = api::unescape_json(value, spec.severity_min);
    if (key == "secret") well = api::unescape_json(value, spec.secrets.emplace_back());
    if (key == "secrets") well = read_texts(value, spec.secrets);
    if (key == "headers") well = read_headers(value, spec.headers);
    if (key == "rules") well = read_texts(value, spec.rules);
    if (key == "disabled") well = read_flag(value, spec.disabled);
    if (!well) return kBadSink;
  }
  if (!scan.complete() || (seen.contains("secret") && seen.contains("secrets"))) return kBadSink;
  return spec;
}

}  // namespace

std::vector<SinkStatus> Backend::sink_status(const DeliveryEngine& engine) const {
  std::vector<SinkStatus> all = engine.status();
  const std::vector<SinkStatus> kafka = options_.kafka_sinks != nullptr ? options_.kafka_sinks->status() : std::vector<SinkStatus>();
  all.insert(all.end(), kafka.begin(), kafka.end());
  return all;
}

void Backend::sinks(api::PageQuery page, api::Reply reply) {
  on_delivery(reply, [this, page = std::move(page), reply](DeliveryEngine& engine, cep::TimeUs) {
    const std::vector<SinkStatus> statuses = sink_status(engine);
    reply(page_by_name(sinks_.all(), page, [&](const std::string&, const RegisteredSink& sink, api::JsonWriter& json) {
      append_sink(sink, statuses, "", json);
    }));
  });
}

void Backend::sink(std::string name, api::Reply reply) {
  on_delivery(reply, [this, name = std::move(name), reply](DeliveryEngine& engine, cep::TimeUs) {
    const std::optional<RegisteredSink> sink = sinks_.find(name);
    if (!sink) return reply(no_sink(name));
    std::string body;
    api::JsonWriter json(body);
    append_sink(*sink, sink_status(engine), "", json);
    reply(json_answer(std::move(body)));
  });
}

// Without a secret in the body a known sink keeps its own, and a new one gets one made here.
void Backend::put_sink(std::string name, std::string json, api::Reply reply) {
  cep::Result<SinkSpec> spec = read_sink(name, json);
  if (!spec.ok()) return reply(api::problem_answer("bad-request", spec.error().message));
  on_work(reply, [this, spec = std::move(*spec), reply]() mutable {
    std::string new_secret;
    if (spec.secrets.empty()) {
      if (const std::optional<RegisteredSink> known = sinks_.find(spec.name)) spec.secrets = known->spec.secrets;
    }
    if (spec.secrets.empty()) {
      cep::Result<std::string> made = generate_webhook_secret();
      if (!made.ok()) return reply(error_answer(made.error()));
      new_secret = *made;
      spec.secrets.push_back(new_secret);
    }
    store_sink(std::move(spec), new_secret, reply);
  });
}

void Backend::store_sink(SinkSpec spec, const std::string& new_secret, const api::Reply& reply) {
  cep::Result<SinkRegistry::Put> put = sinks_.put(std::move(spec));
  if (!put.ok()) return reply(error_answer(put.error()));
  on_delivery(reply, [put = std::move(*put), new_secret, reply](DeliveryEngine& engine, cep::TimeUs) {
    cep::Status status = put.is_new ? engine.add_sink(put.sink.id, put.checked) : engine.update_sink(put.sink.id, put.checked);
    // Whoever writes a sink anew says that it should work: a 410 of the past is forgotten.
    if (status.ok() && !put.is_new && !put.checked.disabled) status = engine.set_disabled(put.sink.id, false);
    if (!status.ok()) return reply(error_answer(status.error()));
    std::string body;
    api::JsonWriter json(body);
    append_sink(put.sink, engine.status(), new_secret, json);
    reply(json_answer(std::move(body), put.is_new ? 201 : 200));
  });
}

void Backend::delete_sink(std::string name, api::Reply reply) {
  on_work(reply, [this, name = std::move(name), reply] {
    cep::Result<SinkId> id = sinks_.erase(name);
    if (!id.ok()) return reply(error_answer(id.error()));
    on_delivery(reply, [id = *id, reply](DeliveryEngine& engine, cep::TimeUs) {
      cep::Status status = engine.remove_sink(id);
      reply(status.ok() ? no_content() : error_answer(status.error()));
    });
  });
}

void Backend::test_sink(std::string name, api::Reply reply) {
  if (options_.sender == nullptr) return reply(api::not_there("Sending a test without a sender of webhooks"));
  const std::optional<RegisteredSink> registered = sinks_.find(name);
  if (!registered) return reply(no_sink(name));
  if (registered->spec.type == "kafka") return reply(only_webhooks("tested"));
  cep::Result<Sink> sink = make_sink(registered->spec);
  if (!sink.ok()) return reply(error_answer(sink.error()));
  cep::Result<HttpRequest> request = webhook_test_request(*sink, options_.clock());
  if (!request.ok()) return reply(error_answer(request.error()));
  cep::Status sent = options_.sender->submit(std::move(*request), [reply](const HttpResult& result) {
    std::string body;
    api::JsonWriter json(body);
    json.begin_object().key("delivered").boolean(outcome_of(result) == AttemptOutcome::kDelivered).key("status").integer(result.status);
    json.field("outcome", outcome_word(outcome_of(result))).field("error", transport_error_word(result.error));
    json.key("latency_us").integer(result.latency_us).end_object();
    reply(json_answer(std::move(body)));
  });
  if (!sent.ok()) reply(error_answer(sent.error()));
}

// Newest alert first; an alert's attempts in their order, never cut in two by a page.
void Backend::sink_attempts(std::string name, api::PageQuery page, api::Reply reply) {
  on_work(reply, [this, name = std::move(name), page = std::move(page), reply] {
    const std::optional<RegisteredSink> sink = sinks_.find(name);
    if (!sink) return reply(no_sink(name));
    cep::Result<state::AlertLogTotals> totals = lane_.store().alerts().totals();
    if (!totals.ok()) return reply(error_answer(totals.error()));
    const std::optional<uint64_t> before = page.cursor.empty() ? totals->next_sequence : parse_cursor_number(page.cursor);
    if (!before) return reply(bad_cursor());
    PageWriter writer;
    uint32_t items = 0;
    uint64_t looked = 0;
    uint64_t sequence = std::min(*before, totals->next_sequence);
    for (; sequence > totals->oldest_sequence && items < page.limit && looked < kAttemptsScanMax; --sequence, ++looked) {
      cep::Result<std::vector<state::DeliveryAttempt>> attempts = lane_.store().delivery().attempts_of(sequence - 1);
      if (!attempts.ok()) return reply(error_answer(attempts.error()));
      std::erase_if(*attempts, [&](const state::DeliveryAttempt& one) { return one.sink != static_cast<uint32_t>(sink->id); });
      if (attempts->empty()) continue;
      cep::Result<std::optional<state::StoredAlert>> alert = lane_.store().alerts().by_sequence(sequence - 1);
      if (!alert.ok()) return reply(error_answer(alert.error()));
      for (const state::DeliveryAttempt& one : *attempts) {
        const auto [status, error] = attempt_result(one.status);
        HttpResult result;
        result.status = status;
        result.error = error;
        api::JsonWriter& json = writer.json();
        json.begin_object().field("alert", alert->has_value() ? cep::to_hex((*alert)->alert.id) : std::string());
        json.field("time", cep::format_time(one.at_us)).field("outcome", outcome_word(outcome_of(result)));
        json.key("status").integer(status).field("error", transport_error_word(error));
        json.key("latency_us").unsigned_integer(one.latency_us).end_object();
        ++items;
      }
    }
    reply(writer.finish(sequence > totals->oldest_sequence ? std::optional(std::to_string(sequence)) : std::nullopt));
  });
}

void Backend::sink_parked(std::string name, api::PageQuery page, api::Reply reply) {
  const std::optional<RegisteredSink> sink = sinks_.find(name);
  if (!sink) return reply(no_sink(name));
  std::optional<ParkedEntry> after;      // "due:sequence" of the last entry
  if (!page.cursor.empty()) {
    const size_t colon = std::min(page.cursor.find(':'), page.cursor.size());
    const auto due = parse_cursor_number(std::string_view(page.cursor).substr(0, colon));
    const auto sequence = parse_cursor_number(std::string_view(page.cursor).substr(std::min(colon + 1, page.cursor.size())));
    if (!due || !sequence) return reply(bad_cursor());
    after = ParkedEntry{static_cast<cep::TimeUs>(*due), *sequence, 0};
  }
  const bool is_kafka = sink->spec.type == "kafka";
  on_delivery(reply, [this, is_kafka, id = sink->id, after, limit = page.limit, reply](DeliveryEngine& engine, cep::TimeUs) {
    cep::Result<std::vector<ParkedEntry>> entries =
        is_kafka ? LaneDeliveryStore(lane_).read_parked(id, after, limit + 1) : engine.parked(id, after, limit + 1);
    if (!entries.ok()) return reply(error_answer(entries.error()));
    on_work(reply, [this, entries = std::move(*entries), limit, reply] {
      PageWriter writer;
      for (size_t i = 0; i < entries.size() && i < limit; ++i) {
        const ParkedEntry& entry = entries[i];
        cep::Result<std::optional<state::StoredAlert>> alert = lane_.store().alerts().by_sequence(entry.sequence);
        if (!alert.ok()) return reply(error_answer(alert.error()));
        api::JsonWriter& json = writer.json();
        json.begin_object().field("alert", alert->has_value() ? cep::to_hex((*alert)->alert.id) : std::string());
        json.field("state", entry.due_us == ParkedEntry::kExhausted ? "parked" : "pending").key("due");
        append_time(entry.due_us, json);
        json.key("attempts").unsigned_integer(entry.attempts).end_object();
      }
      if (entries.size() <= limit) return reply(writer.finish(std::nullopt));
      const ParkedEntry& last = entries[limit - 1];
      reply(writer.finish(std::to_string(last.due_us) + ":" + std::to_string(last.sequence)));
    });
  });
}

void Backend::replay_sink(api::SinkReplay replay, api::Reply reply) {
  on_work(reply, [this, replay = std::move(replay), reply] {
    const std::optional<RegisteredSink> sink = sinks_.find(replay.sink);
    if (!sink) return reply(no_sink(replay.sink));
    if (sink->spec.type == "kafka") return reply(only_webhooks("replayed; topics keep what was sent"));
    std::vector<uint64_t> sequences;
    if (!replay.alert.empty()) {
      cep::AlertId id{};
      cep::parse_alert_id(replay.alert, &id);
      cep::Result<std::optional<state::StoredAlert>> alert = lane_.store().alerts().by_id(id);
      if (!alert.ok()) return reply(error_answer(alert.error()));
      if (!alert->has_value()) return reply(api::problem_answer("not-found", "No alert has this id, or it has expired."));
      sequences.push_back((*alert)->sequence);
    } else {
      state::AlertFilter filter;
      filter.from_us = replay.from;
      filter.to_us = replay.to;
      std::optional<uint64_t> before;
      do {
        cep::Result<state::AlertPage> page = lane_.store().alerts().page(filter, before, kReplayScanPage);
        if (!page.ok()) return reply(error_answer(page.error()));
        for (const state::StoredAlert& stored : page->items) sequences.push_back(stored.sequence);
        if (sequences.size() > DeliveryEngine::kReplayAlertsMax) {
          return reply(api::problem_answer("invalid", "More than " + std::to_string(DeliveryEngine::kReplayAlertsMax) +
                                                          " alerts lie between from and to: ask for less at once."));
        }
        before = page->next;
      } while (before);
      std::reverse(sequences.begin(), sequences.end());
    }
    replay_sequences(sink->id, std::move(sequences), reply);
  });
}

// A range of event time is scattered over the log: each stretch of neighbours is one call.
void Backend::replay_sequences(SinkId sink, std::vector<uint64_t> sequences, const api::Reply& reply) {
  on_delivery(reply, [sink, sequences = std::move(sequences), reply](DeliveryEngine& engine, cep::TimeUs now) {
    uint64_t queued = 0;
    for (size_t first = 0; first < sequences.size();) {
      size_t last = first;
      while (last + 1 < sequences.size() && sequences[last + 1] == sequences[last] + 1) ++last;
      cep::Result<DeliveryEngine::Replayed> replayed = engine.replay(sink, sequences[first], sequences[last], false, now);
      if (!replayed.ok()) return reply(error_answer(replayed.error()));
      queued += replayed->count;
      first = last + 1;
    }
    reply(json_answer("{\"queued\":" + std::to_string(queued) + "}"));
  });
}

}  // namespace service
