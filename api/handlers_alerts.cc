#include "api/handlers_alerts.h"

#include <algorithm>
#include <array>

#include "api/problem.h"
#include "api/sse.h"
#include "cep/alert.h"

namespace api {
namespace {

Answer bad(std::string detail) { return problem_answer("bad-request", std::move(detail)); }

// Empty, or why the parameter is not one of the words.
template <size_t N>
std::string check_word(const HttpRequest& request, std::string_view name,
                       const std::array<std::string_view, N>& words) {
  const std::string* value = request.param(name);
  if (value == nullptr || std::find(words.begin(), words.end(), *value) != words.end()) return {};
  std::string message = "The parameter " + std::string(name) + " must be one of:";
  for (const std::string_view word : words) message.append(" ").append(word);
  return message + ".";
}

std::string check_severity(const HttpRequest& request) {
  return check_word(request, "severity", std::array<std::string_view, 5>{"info", "low", "medium", "high", "critical"});
}

}  // namespace

void get_alerts(HttpRequest& request, Backend& backend, Responder respond) {
  AlertsQuery query;
  const auto page = page_param(request);
  if (!page.ok()) return respond.answer(bad(page.error().message));
  query.limit = page.value().limit;
  query.cursor = page.value().cursor;
  query.rule = text_param(request, "rule");
  query.key = request.params("key");
  if (!query.key.empty() && !query.rule) return respond.answer(bad("The parameter key needs the parameter rule."));
  for (const auto& [name, time] : {std::pair{"from", &query.from}, std::pair{"to", &query.to}}) {
    const auto read = time_param(request, name);
    if (!read.ok()) return respond.answer(bad(read.error().message));
    *time = read.value();
  }
  std::string wrong = check_severity(request);
  if (wrong.empty()) wrong = check_word(request, "mode", std::array<std::string_view, 4>{"live", "shadow", "derived", "backfill"});
  if (!wrong.empty()) return respond.answer(bad(std::move(wrong)));
  query.severity = text_param(request, "severity");
  query.mode = text_param(request, "mode");
  backend.alerts(std::move(query), respond.answer);
}

void get_alert(HttpRequest& request, Backend& backend, Responder respond) {
  cep::AlertId id{};
  if (!cep::parse_alert_id(request.captures[0], &id)) {
    return respond.answer(problem_answer("not-found", "An alert's id is 32 hex digits."));
  }
  backend.alert(cep::to_hex(id), respond.answer);
}

// From the id the client saw last; without one, what comes from now on. An id that is none of ours begins with a gap.
void get_alert_stream(HttpRequest& request, Backend&, Responder respond) {
  FeedQuery query;
  if (std::string wrong = check_severity(request); !wrong.empty()) return respond.answer(bad(std::move(wrong)));
  query.rule = text_param(request, "rule");
  query.severity = text_param(request, "severity");
  std::string last(request.header("last-event-id"));
  if (last.empty()) last = text_param(request, "after").value_or("");
  query.after = parse_cursor(last);
  respond.stream(std::move(query), !last.empty() && !query.after);
}

void get_matches(HttpRequest& request, Backend& backend, Responder respond) {
  const std::string* rule = request.param("rule");
  if (rule == nullptr || rule->empty()) return respond.answer(bad("The parameter rule is needed."));
  const auto limit = limit_param(request);
  if (!limit.ok()) return respond.answer(bad(limit.error().message));
  backend.matches({*rule, request.params("key"), limit.value()}, respond.answer);
}

void get_rejected(HttpRequest& request, Backend& backend, Responder respond) {
  auto page = page_param(request);
  if (!page.ok()) return respond.answer(bad(page.error().message));
  RejectedQuery query;
  query.stream = text_param(request, "stream");
  query.code = text_param(request, "code");
  query.page = std::move(page.value());
  backend.rejected(std::move(query), respond.answer);
}

}  // namespace api
