#include "api/handlers_admin.h"

#include "api/json_scan.h"
#include "api/problem.h"
#include "cep/alert.h"
#include "cep/parse.h"

namespace api {
namespace {

using Members = std::vector<std::pair<std::string, std::string>>;

Answer bad(std::string detail) { return problem_answer("bad-request", std::move(detail)); }

// The members of a flat JSON object of texts; null members are left out. An empty body has none.
cep::Result<Members> text_members(std::string_view body) {
  const cep::Error not_texts{"bad_request", "The body must be a JSON object whose members are texts."};
  Members members;
  if (trim_json_space(body).empty()) return members;
  JsonScan scan(body);
  std::string_view key, value;
  if (!scan.enter('{')) return not_texts;
  while (scan.next_member(&key, &value)) {
    std::string text;
    if (value == "null") continue;
    if (!unescape_json(value, text)) return not_texts;
    members.emplace_back(key, std::move(text));
  }
  if (!scan.complete()) return not_texts;
  return members;
}

cep::Result<std::optional<cep::TimeUs>> read_time(const std::string& name, const std::string& text) {
  const auto time = cep::parse_time(text, "UTC");
  if (!time.ok()) return cep::Error{"bad_request", "The member " + name + " must be an RFC 3339 time."};
  return std::optional<cep::TimeUs>(time.value());
}

template <class Call>
void with_page(const HttpRequest& request, const Responder& respond, const Call& call) {
  auto page = page_param(request);
  if (!page.ok()) return respond.answer(bad(page.error().message));
  call(std::move(page.value()));
}

}  // namespace

void get_sinks(HttpRequest& request, Backend& backend, Responder respond) {
  with_page(request, respond, [&](PageQuery page) { backend.sinks(std::move(page), respond.answer); });
}

void get_sink(HttpRequest& request, Backend& backend, Responder respond) {
  backend.sink(request.captures[0], respond.answer);
}

void put_sink(HttpRequest& request, Backend& backend, Responder respond) {
  backend.put_sink(request.captures[0], std::move(request.body), respond.answer);
}

void delete_sink(HttpRequest& request, Backend& backend, Responder respond) {
  backend.delete_sink(request.captures[0], respond.answer);
}

void post_sink_test(HttpRequest& request, Backend& backend, Responder respond) {
  backend.test_sink(request.captures[0], respond.answer);
}

void get_sink_attempts(HttpRequest& request, Backend& backend, Responder respond) {
  with_page(request, respond,
            [&](PageQuery page) { backend.sink_attempts(request.captures[0], std::move(page), respond.answer); });
}

void get_sink_parked(HttpRequest& request, Backend& backend, Responder respond) {
  with_page(request, respond,
            [&](PageQuery page) { backend.sink_parked(request.captures[0], std::move(page), respond.answer); });
}

void post_sink_replay(HttpRequest& request, Backend& backend, Responder respond) {
  SinkReplay replay;
  replay.sink = request.captures[0];
  const auto members = text_members(request.body);
  if (!members.ok()) return respond.answer(bad(members.error().message));
  for (const auto& [name, text] : members.value()) {
    if (name == "alert") {
      cep::AlertId id{};
      if (!cep::parse_alert_id(text, &id)) return respond.answer(bad("The member alert must be 32 hex digits."));
      replay.alert = cep::to_hex(id);
    } else if (name == "from" || name == "to") {
      const auto time = read_time(name, text);
      if (!time.ok()) return respond.answer(bad(time.error().message));
      (name == "from" ? replay.from : replay.to) = time.value();
    } else {
      return respond.answer(bad("The member " + name + " is unknown: alert, or from and to, are read."));
    }
  }
  const bool one = !replay.alert.empty() && !replay.from && !replay.to;
  const bool range = replay.alert.empty() && replay.from && replay.to;
  if (!one && !range) {
    return respond.answer(bad("Name one alert, or both from and to."));
  }
  backend.replay_sink(std::move(replay), respond.answer);
}

void get_streams(HttpRequest& request, Backend& backend, Responder respond) {
  with_page(request, respond, [&](PageQuery page) { backend.streams(std::move(page), respond.answer); });
}

void get_stream(HttpRequest& request, Backend& backend, Responder respond) {
  backend.stream(request.captures[0], respond.answer);
}

void get_limits(HttpRequest&, Backend& backend, Responder respond) { backend.limits(respond.answer); }

void get_checkpoints(HttpRequest& request, Backend& backend, Responder respond) {
  with_page(request, respond, [&](PageQuery page) { backend.checkpoints(std::move(page), respond.answer); });
}

void post_checkpoint(HttpRequest&, Backend& backend, Responder respond) { backend.trigger_checkpoint(respond.answer); }

// Asks nobody: a live process answers, whatever it depends on.
void get_livez(HttpRequest&, Backend&, Responder respond) {
  Answer answer;
  answer.body = R"({"status":"ok"})";
  respond.answer(std::move(answer));
}

void get_readyz(HttpRequest&, Backend& backend, Responder respond) { backend.ready(respond.answer); }
void get_healthz(HttpRequest&, Backend& backend, Responder respond) { backend.health(respond.answer); }
void get_metrics(HttpRequest&, Backend& backend, Responder respond) { backend.metrics(respond.answer); }

}  // namespace api
