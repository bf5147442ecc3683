#include "api/handlers_events.h"

#include "api/event_body.h"
#include "api/json_writer.h"
#include "api/problem.h"
#include "cep/alert.h"
#include "cep/batch.h"

namespace api {
namespace {

constexpr size_t kIdempotencyKeyMax = 255;

Answer body_refused(const cep::Error& error) {
  Problem problem;
  problem.code = error.code;
  problem.detail = error.message;
  problem.name = error.code == "unsupported_media_type" ? "unsupported-media-type"
                 : error.code == "too_large"            ? "too-large"
                 : error.code == "unknown_stream"       ? "not-found"
                                                        : "invalid";
  return problem_answer(problem);
}

// The media type without its parameters.
std::string media_type(std::string_view content_type) {
  content_type = content_type.substr(0, content_type.find(';'));
  while (content_type.ends_with(' ') || content_type.ends_with('\t')) content_type.remove_suffix(1);
  return lower_case(content_type);
}

// False: a ce- header is not well encoded.
bool read_head(const HttpRequest& request, EventBodyHead& head) {
  head.content_type = media_type(request.header("content-type"));
  head.is_cloud_event = !request.header("ce-specversion").empty();
  return percent_decode(request.header("ce-type"), false, head.ce_type) &&
         percent_decode(request.header("ce-id"), false, head.ce_id) &&
         percent_decode(request.header("ce-time"), false, head.ce_time);
}

// What a repeated Idempotency-Key is compared by: the body and all that gives it its meaning, so that the same bytes
// for another stream, or as another event, are not taken for the request that was answered before.
uint64_t fingerprint(const EventBodyHead& head, std::string_view use, std::string_view body) {
  const uint64_t body_hash = cep::hash_bytes(body.data(), body.size());
  std::string parts(reinterpret_cast<const char*>(&body_hash), sizeof body_hash);
  for (const std::string* part : {&head.stream, &head.content_type, &head.ce_type, &head.ce_id, &head.ce_time}) {
    parts.append(*part) += '\0';
  }
  parts += use;
  return cep::hash_bytes(parts.data(), parts.size());
}

// What the request submits; null: it was answered with why not. `use` is part of what a repeated key is compared by.
std::shared_ptr<SubmitRequest> read_events(HttpRequest& request, std::string stream, Backend& backend, Responder& respond,
                                           std::string_view use) {
  const auto refuse = [&](Answer answer) {
    respond.answer(std::move(answer));
    return nullptr;
  };
  EventBodyHead head;
  head.stream = std::move(stream);
  if (!read_head(request, head)) return refuse(problem_answer("bad-request", "A ce- header is badly encoded."));
  if (const auto encoding = request.header("content-encoding"); !encoding.empty() && encoding != "identity") {
    return refuse(problem_answer("unsupported-media-type", "Compressed bodies are not read."));
  }
  auto events = std::make_shared<SubmitRequest>();
  events->idempotency_key = request.header("idempotency-key");
  if (events->idempotency_key.size() > kIdempotencyKeyMax) {
    return refuse(problem_answer("bad-request", "An Idempotency-Key may have 255 bytes."));
  }
  events->body = std::move(request.body);
  events->body_hash = fingerprint(head, use, events->body);
  const SchemaSource schemas = [&backend](std::string_view name) { return backend.schema(name); };
  const cep::Status cut = split_body(head, schemas, *events);
  if (!cut.ok()) return refuse(body_refused(cut.error()));
  return events;
}

void submit(HttpRequest& request, std::string stream, Backend& backend, Responder& respond) {
  std::shared_ptr<SubmitRequest> events = read_events(request, std::move(stream), backend, respond, "");
  if (events == nullptr) return;
  backend.submit(std::move(events), [respond](SubmitAnswer answer) { respond.answer(submit_answer(answer)); });
}

// False: the stream takes no events from outside, or there is none of that name; answered.
bool takes_events(const std::string& stream, Backend& backend, Responder& respond) {
  const cep::SchemaPtr schema = backend.schema(stream);
  if (schema != nullptr && !schema->from_rules) return true;
  Problem problem;
  problem.name = schema != nullptr ? "conflict" : "not-found";
  problem.code = event_code_name(schema != nullptr ? EventCode::kFromRules : EventCode::kUnknownStream);
  problem.detail = schema != nullptr ? "The stream " + stream + " is `from rules`: only rules with `into " + stream + "` fill it."
                                     : "There is no stream " + stream + ": declare it with POST /v1/deployments.";
  respond.answer(problem_answer(problem));
  return false;
}

}  // namespace

Answer submit_answer(const SubmitAnswer& answer) {
  using Outcome = SubmitAnswer::Outcome;
  if (answer.outcome != Outcome::kDurable) {
    const char* name = answer.outcome == Outcome::kKeyConflict ? "conflict"
                       : answer.outcome == Outcome::kBusy      ? "too-many-requests"
                                                               : "unavailable";
    Problem problem;
    problem.name = name;
    problem.code = answer.code;
    problem.detail = answer.detail;
    Answer refused = problem_answer(problem);
    if (answer.outcome != Outcome::kKeyConflict) {
      refused.headers.emplace_back("Retry-After", std::to_string(answer.retry_after_s));
    }
    return refused;
  }
  Answer done;
  done.status = 202;
  JsonWriter json(done.body);
  json.begin_object().key("accepted").unsigned_integer(answer.accepted);
  json.key("duplicates").unsigned_integer(answer.duplicates).key("rejected").begin_array();
  for (const RejectedRow& row : answer.rejected) {
    json.begin_object().key("index").unsigned_integer(row.index).field("code", event_code_name(row.error.code));
    json.field("field", row.error.field).field("message", row.error.message).end_object();
  }
  json.end_array().end_object();
  return done;
}

void post_events(HttpRequest& request, Backend& backend, Responder respond) { submit(request, {}, backend, respond); }

void post_stream_events(HttpRequest& request, Backend& backend, Responder respond) {
  std::string stream = request.captures[0];
  if (takes_events(stream, backend, respond)) submit(request, std::move(stream), backend, respond);
}

void post_decision(HttpRequest& request, Backend& backend, Responder respond) {
  std::string stream = request.captures[0];
  if (!takes_events(stream, backend, respond)) return;
  std::shared_ptr<SubmitRequest> event = read_events(request, std::move(stream), backend, respond, "decision");
  if (event == nullptr) return;
  const size_t records = event->items.size() + event->rejected.size();
  const bool is_watermark = !event->items.empty() && event->items.front().kind == SubmitItem::Kind::kWatermark;
  if (records != 1 || is_watermark) {
    Problem problem;
    problem.name = "invalid";
    problem.code = "one_event";
    problem.detail = is_watermark ? "A watermark line is no event: send it to /v1/streams/" + request.captures[0] + "/events."
                                  : "A decision is on one event, and this body has " + std::to_string(records) + ": send each by itself.";
    return respond.answer(problem_answer(problem));
  }
  backend.decide(std::move(event), respond.answer);
}

void get_decisions(HttpRequest& request, Backend& backend, Responder respond) {
  auto page = page_param(request);
  if (!page.ok()) return respond.answer(problem_answer("bad-request", page.error().message));
  backend.decisions(std::move(page.value()), respond.answer);
}

void get_decision(HttpRequest& request, Backend& backend, Responder respond) {
  cep::AlertId id{};
  if (!cep::parse_alert_id(request.captures[0], &id)) {
    return respond.answer(problem_answer("not-found", "A decision's id is 32 hex digits."));
  }
  backend.decision(cep::to_hex(id), respond.answer);
}

}  // namespace api
