#include "api/handlers_events.h"

#include "api/event_body.h"
#include "api/json_writer.h"
#include "api/problem.h"
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
uint64_t fingerprint(const EventBodyHead& head, std::string_view body) {
  const uint64_t body_hash = cep::hash_bytes(body.data(), body.size());
  std::string parts(reinterpret_cast<const char*>(&body_hash), sizeof body_hash);
  for (const std::string* part : {&head.stream, &head.content_type, &head.ce_type, &head.ce_id, &head.ce_time}) {
    parts.append(*part) += '\0';
  }
  return cep::hash_bytes(parts.data(), parts.size());
}

void submit(HttpRequest& request, std::string stream, Backend& backend, Responder& respond) {
  EventBodyHead head;
  head.stream = std::move(stream);
  if (!read_head(request, head)) return respond.answer(problem_answer("bad-request", "A ce- header is badly encoded."));
  if (const auto encoding = request.header("content-encoding"); !encoding.empty() && encoding != "identity") {
    return respond.answer(problem_answer("unsupported-media-type", "Compressed bodies are not read."));
  }
  auto events = std::make_shared<SubmitRequest>();
  events->idempotency_key = request.header("idempotency-key");
  if (events->idempotency_key.size() > kIdempotencyKeyMax) {
    return respond.answer(problem_answer("bad-request", "An Idempotency-Key may have 255 bytes."));
  }
  events->body = std::move(request.body);
  events->body_hash = fingerprint(head, events->body);
  const SchemaSource schemas = [&backend](std::string_view name) { return backend.schema(name); };
  const cep::Status cut = split_body(head, schemas, *events);
  if (!cut.ok()) return respond.answer(body_refused(cut.error()));
  backend.submit(std::move(events), [respond](SubmitAnswer answer) { respond.answer(submit_answer(answer)); });
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
  const cep::SchemaPtr schema = backend.schema(stream);
  if (schema != nullptr && schema->from_rules) {
    Problem problem;
    problem.name = "conflict";
    problem.code = event_code_name(EventCode::kFromRules);
    problem.detail = "The stream " + stream + " is `from rules`: only rules with `into " + stream + "` fill it.";
    return respond.answer(problem_answer(problem));
  }
  if (schema == nullptr) {
    Problem problem;
    problem.name = "not-found";
    problem.code = event_code_name(EventCode::kUnknownStream);
    problem.detail = "There is no stream " + stream + ": declare it with POST /v1/deployments.";
    return respond.answer(problem_answer(problem));
  }
  submit(request, std::move(stream), backend, respond);
}

}  // namespace api
