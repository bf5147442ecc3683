#include "api/handlers_rules.h"

#include <charconv>

#include "api/json_scan.h"
#include "api/problem.h"

namespace api {
namespace {

bool read_version(const std::string& text, uint32_t* version) {
  const auto end = std::from_chars(text.data(), text.data() + text.size(), *version);
  return end.ec == std::errc() && end.ptr == text.data() + text.size();
}

Answer bad(std::string detail) { return problem_answer("bad-request", std::move(detail)); }

// The mode in {"mode": "live"} or in a bare text body; empty if it is neither.
std::string read_mode(std::string_view body) {
  body = trim_json_space(body);
  std::string mode(body);
  JsonScan scan(body);
  std::string_view key, value;
  if (body.starts_with('{') && scan.enter('{')) {
    mode.clear();
    while (scan.next_member(&key, &value)) {
      if (key == "mode" && !unescape_json(value, mode)) return {};
    }
    if (!scan.complete()) return {};
  }
  return mode == "live" || mode == "shadow" || mode == "paused" ? mode : std::string();
}

}  // namespace

void get_rules(HttpRequest& request, Backend& backend, Responder respond) {
  auto page = page_param(request);
  if (!page.ok()) return respond.answer(bad(page.error().message));
  backend.rules(std::move(page.value()), respond.answer);
}

void get_rule(HttpRequest& request, Backend& backend, Responder respond) {
  backend.rule(request.captures[0], respond.answer);
}

void put_rule(HttpRequest& request, Backend& backend, Responder respond) {
  const auto wait = wait_ms_param(request);
  if (!wait.ok()) return respond.answer(bad(wait.error().message));
  const auto dry_run = flag_param(request, "dry_run");
  if (!dry_run.ok()) return respond.answer(bad(dry_run.error().message));
  RulePut put;
  put.name = request.captures[0];
  put.text = std::move(request.body);
  put.if_match = request.header("if-match");
  put.if_none_match = request.header("if-none-match");
  put.wait_ms = wait.value();
  put.dry_run = dry_run.value();
  backend.put_rule(std::move(put), respond.answer);
}

void delete_rule(HttpRequest& request, Backend& backend, Responder respond) {
  backend.delete_rule(request.captures[0], std::string(request.header("if-match")), respond.answer);
}

void get_rule_versions(HttpRequest& request, Backend& backend, Responder respond) {
  auto page = page_param(request);
  if (!page.ok()) return respond.answer(bad(page.error().message));
  backend.rule_versions(request.captures[0], std::move(page.value()), respond.answer);
}

void get_rule_version(HttpRequest& request, Backend& backend, Responder respond) {
  uint32_t version = 0;
  if (!read_version(request.captures[1], &version)) return respond.answer(bad("A version is a number."));
  backend.rule_version(request.captures[0], version, respond.answer);
}

void activate_rule_version(HttpRequest& request, Backend& backend, Responder respond) {
  uint32_t version = 0;
  if (!read_version(request.captures[1], &version)) return respond.answer(bad("A version is a number."));
  backend.activate_rule_version(request.captures[0], version, respond.answer);
}

void put_rule_mode(HttpRequest& request, Backend& backend, Responder respond) {
  std::string mode = read_mode(request.body);
  if (mode.empty()) return respond.answer(bad("Send {\"mode\": \"live\"}, \"shadow\" or \"paused\"."));
  backend.set_rule_mode(request.captures[0], std::move(mode), respond.answer);
}

void post_check(HttpRequest& request, Backend& backend, Responder respond) {
  backend.check(std::move(request.body), respond.answer);
}

void post_deployment(HttpRequest& request, Backend& backend, Responder respond) {
  const auto dry_run = flag_param(request, "dry_run");
  if (!dry_run.ok()) return respond.answer(bad(dry_run.error().message));
  backend.deploy(std::move(request.body), dry_run.value(), respond.answer);
}

void post_reload(HttpRequest&, Backend& backend, Responder respond) { backend.reload(respond.answer); }

}  // namespace api
