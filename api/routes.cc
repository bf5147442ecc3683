#include "api/routes.h"

#include <algorithm>

#include "api/handlers_admin.h"
#include "api/handlers_alerts.h"
#include "api/handlers_datasets.h"
#include "api/handlers_events.h"
#include "api/handlers_rules.h"
#include "api/openapi.h"
#include "api/problem.h"

namespace api {
namespace {

constexpr size_t kBatchBytesMax = 8 << 20;
constexpr size_t kSmallBytesMax = 64 << 10;
constexpr size_t kEventBytesMax = kJsonRowBytesMax + (64 << 10);      // and what a CloudEvent wraps around it

void get_openapi(HttpRequest&, Backend&, Responder respond) {
  Answer answer;
  answer.body = openapi_json();
  respond.answer(std::move(answer));
}

using enum BodyKind;
using enum Scope;

std::vector<Route> event_routes() {
  return {
      {"POST", "/v1/events", post_events, kBatchBytesMax, kIngest,
       "Events of several streams: envelope lines, watermark lines or CloudEvents; 202 once they are durable", "",
       kEvents, "", "202:SubmitAnswer 400 409 413 415 422 429 503"},
      {"POST", "/v1/streams/{stream}/events", post_stream_events, kBatchBytesMax, kIngest,
       "Events of one stream: NDJSON, JSON, CSV or CloudEvents; 202 once they are durable", "", kEvents, "",
       "202:SubmitAnswer 400 404 409 413 415 422 429 503"},
      {"POST", "/v1/streams/{stream}/decisions", post_decision, kEventBytesMax, kDecide,
       "A body of one event in, the verdict of the rules out, once the event is durable", "", kEvents, "",
       "200:Decision 400 404 409 413 415 422 429 503"},
      {"GET", "/v1/decisions", get_decisions, 0, kRead, "Verdicts given, newest first", "limit cursor", kNone, "", "200:DecisionPage 400"},
      {"GET", "/v1/decisions/{id}", get_decision, 0, kRead, "The verdict on one event", "", kNone, "", "200:StoredDecision 404"},
      {"GET", "/v1/streams", get_streams, 0, kRead, "Streams with watermark, lag and counts since the start of the process",
       "limit cursor", kNone, "", "200:StreamPage"},
      {"GET", "/v1/streams/{stream}", get_stream, 0, kRead, "One stream: its declaration and counts since the start of the process",
       "", kNone, "", "200:Stream 404"},
      {"GET", "/v1/rejected", get_rejected, 0, kRead, "Events refused or late, newest first",
       "stream code limit cursor", kNone, "", "200:Page"},
      {"POST", "/v1/rejected/{id}/resubmit", nullptr, 0, kIngest, "Submit a refused event again", "", kNone, "", "501"},
  };
}

std::vector<Route> rule_routes() {
  return {
      {"GET", "/v1/rules", get_rules, 0, kRead, "Rules by name", "limit cursor", kNone, "", "200:Page"},
      {"GET", "/v1/rules/{name}", get_rule, 0, kRead, "One rule with its text", "", kNone, "", "200:Object 404"},
      {"PUT", "/v1/rules/{name}", put_rule, kRuleTextBytesMax, kRules,
       "Deploy a rule: exactly one create rule statement", "wait dry_run", kRuleText, "",
       "200:RuleAnswer 201:RuleAnswer 412 413 422"},
      {"DELETE", "/v1/rules/{name}", delete_rule, 0, kRules, "Drop a rule; its version numbers go on if it comes back",
       "", kNone, "", "204 404 412"},
      {"GET", "/v1/rules/{name}/versions", get_rule_versions, 0, kRead, "Versions of a rule, newest first",
       "limit cursor", kNone, "", "200:Page 404"},
      {"GET", "/v1/rules/{name}/versions/{version}", get_rule_version, 0, kRead, "One version of a rule", "", kNone, "",
       "200:Object 404"},
      {"POST", "/v1/rules/{name}/versions/{version}/activate", activate_rule_version, 0, kRules,
       "Roll back: a new version with that version's text", "", kNone, "", "200:RuleAnswer 201:RuleAnswer 404 422"},
      {"PUT", "/v1/rules/{name}/mode", put_rule_mode, kSmallBytesMax, kRules, "Make a rule live, shadow or paused", "",
       kJson, "Mode", "200:ModeAnswer 404"},
      {"GET", "/v1/rules/{name}/graph", nullptr, 0, kRead, "The automaton with live counts", "", kNone, "", "501"},
      {"POST", "/v1/check", post_check, kDeploymentBytesMax, kRead, "Check statements without deploying them", "",
       kRuleText, "", "200:CheckAnswer 413 422"},
      {"POST", "/v1/deployments", post_deployment, kDeploymentBytesMax, kRules,
       "Streams, lists, tables and rules in one cut, all or nothing", "dry_run", kRuleText, "", "200:Object 413 422"},
      {"POST", "/v1/reload", post_reload, 0, kAdmin, "Apply the rule directories again", "", kNone, "",
       "200:Object 422"},
  };
}

std::vector<Route> alert_routes() {
  return {
      {"GET", "/v1/alerts", get_alerts, 0, kRead, "Alerts, newest first",
       "rule key* from to severity mode limit cursor", kNone, "", "200:AlertPage"},
      {"GET", "/v1/alerts/stream", get_alert_stream, 0, kRead,
       "Alerts as they come, as server-sent events; Last-Event-ID (or after) resumes", "rule severity after", kNone, "",
       "200:text/event-stream"},
      {"GET", "/v1/alerts/{id}", get_alert, 0, kRead, "One alert", "", kNone, "", "200:Alert 404"},
      {"POST", "/v1/alerts/{id}/disposition", nullptr, 0, kAdmin, "Say whether it was fraud", "", kNone, "", "501"},
      {"GET", "/v1/matches", get_matches, 0, kRead,
       "Match state: every live run of a key, or counts and the hottest keys without one", "rule! key* limit", kNone,
       "", "200:MatchState 404 503"},
      {"GET", "/v1/why", nullptr, 0, kRead, "Why a rule did or did not match", "rule key*", kNone, "", "501"},
      {"POST", "/v1/backtest", nullptr, 0, kRules, "Run a rule over the past", "", kNone, "", "501"},
  };
}

std::vector<Route> dataset_routes() {
  return {
      {"GET", "/v1/lists", get_datasets, 0, kRead, "Lists by name", "limit cursor", kNone, "", "200:Page"},
      {"GET", "/v1/lists/{name}", get_dataset, 0, kRead, "Entries of a list, in an order that edits do not change",
       "limit cursor", kNone, "", "200:Page 404"},
      {"PUT", "/v1/lists/{name}", put_dataset, kBatchBytesMax, kAdmin,
       "Replace a list's entries: values, then owner, comment and expiry if wanted; one edit, all or nothing", "", kCsv,
       "", "200:Object 404 412 413 422"},
      {"POST", "/v1/lists/{name}", post_dataset, kBatchBytesMax, kAdmin, "Add or change the entries of a CSV; one edit, all or nothing",
       "", kCsv, "", "200:Object 404 412 413 422"},
      {"GET", "/v1/lists/{name}/{value*}", get_dataset_entry, 0, kRead, "One entry", "", kNone, "", "200:Object 404"},
      {"PUT", "/v1/lists/{name}/{value*}", put_dataset_entry, kSmallBytesMax, kAdmin, "Add or change an entry", "", kJson,
       "ListEntry", "200:Object 201:Object 404 412 422"},
      {"DELETE", "/v1/lists/{name}/{value*}", delete_dataset_entry, 0, kAdmin, "Remove an entry", "", kNone, "",
       "204 404 412"},
      {"GET", "/v1/tables", get_datasets, 0, kRead, "Tables by name", "limit cursor", kNone, "", "200:Page"},
      {"GET", "/v1/tables/{name}", get_dataset, 0, kRead, "Rows of a table, in an order that edits do not change",
       "limit cursor", kNone, "", "200:Page 404"},
      {"PUT", "/v1/tables/{name}", put_dataset, kBatchBytesMax, kAdmin,
       "Replace a table's rows by those of a CSV with a header; one edit, all or nothing", "", kCsv, "",
       "200:Object 404 412 413 422"},
      {"POST", "/v1/tables/{name}", post_dataset, kBatchBytesMax, kAdmin,
       "Add or change the rows of a CSV with a header; one edit, all or nothing", "", kCsv, "", "200:Object 404 412 413 422"},
      {"GET", "/v1/tables/{name}/{key*}", get_dataset_entry, 0, kRead, "One row of a table", "", kNone, "", "200:Object 404"},
      {"PUT", "/v1/tables/{name}/{key*}", put_dataset_entry, kSmallBytesMax, kAdmin, "Add or change a row of a table", "",
       kJson, "TableRow", "200:Object 201:Object 404 412 422"},
      {"DELETE", "/v1/tables/{name}/{key*}", delete_dataset_entry, 0, kAdmin, "Remove a row of a table", "", kNone, "",
       "204 404 412"},
      {"GET", "/v1/edits", get_edits, 0, kRead, "Who edited lists and tables, when and how, newest first",
       "list table limit cursor", kNone, "", "200:Page"},
  };
}

std::vector<Route> admin_routes() {
  return {
      {"GET", "/v1/sinks", get_sinks, 0, kRead, "Sinks by name", "limit cursor", kNone, "", "200:Page"},
      {"GET", "/v1/sinks/{name}", get_sink, 0, kRead, "One sink", "", kNone, "", "200:Object 404"},
      {"PUT", "/v1/sinks/{name}", put_sink, kSmallBytesMax, kAdmin, "Create or change a sink", "", kJson, "Object",
       "200:Object 201:Object 409 422"},
      {"DELETE", "/v1/sinks/{name}", delete_sink, 0, kAdmin, "Delete a sink", "", kNone, "", "204 404 409"},
      {"POST", "/v1/sinks/{name}/test", post_sink_test, 0, kAdmin, "Send a test alert", "", kNone, "",
       "200:Object 404"},
      {"GET", "/v1/sinks/{name}/attempts", get_sink_attempts, 0, kRead, "Delivery attempts, newest first",
       "limit cursor", kNone, "", "200:Page 404"},
      {"GET", "/v1/sinks/{name}/parked", get_sink_parked, 0, kRead, "Alerts that were given up", "limit cursor", kNone,
       "", "200:Page 404"},
      {"POST", "/v1/sinks/{name}/replay", post_sink_replay, kSmallBytesMax, kAdmin,
       "Deliver one alert or a range again", "", kJson, "Replay", "200:Object 202:Object 404 422"},
      {"POST", "/v1/sinks/{name}/rotate", nullptr, 0, kAdmin, "Rotate the secret", "", kNone, "", "501"},
      {"GET", "/v1/limits", get_limits, 0, kRead, "Every limit, its policy and how often it was reached", "", kNone, "",
       "200:Object"},
      {"GET", "/v1/checkpoints", get_checkpoints, 0, kRead, "Checkpoints, newest first", "limit cursor", kNone, "",
       "200:Page"},
      {"POST", "/v1/checkpoints", post_checkpoint, 0, kAdmin, "Take a checkpoint now", "", kNone, "",
       "200:Object 202:Object 503"},
      {"POST", "/v1/checkpoints/verify", nullptr, 0, kAdmin, "Check the stored checkpoints", "", kNone, "", "501"},
      {"GET", "/livez", get_livez, 0, kOpen, "The process lives", "", kNone, "", "200:Object"},
      {"GET", "/readyz", get_readyz, 0, kOpen, "Events are taken", "", kNone, "", "200:Object 503"},
      {"GET", "/healthz", get_healthz, 0, kOpen, "State of the parts", "", kNone, "", "200:Object 503"},
      {"GET", "/metrics", get_metrics, 0, kOpen, "Prometheus metrics", "", kNone, "", "200:text/plain"},
      {"GET", "/openapi.json", get_openapi, 0, kOpen, "This description", "", kNone, "", "200:Object"},
      {"GET", "/console", nullptr, 0, kRead, "The web console", "", kNone, "", "501"},
  };
}

std::vector<std::string_view> split(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  while (!text.empty()) {
    const size_t end = std::min(text.find(separator), text.size());
    if (end > 0) parts.push_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return parts;
}

// Segments between slashes; an empty one counts, so "/v1//x" and "/v1/x/" are no paths of the table.
std::vector<std::string_view> segments(std::string_view path) {
  std::vector<std::string_view> parts;
  for (path.remove_prefix(std::min<size_t>(1, path.size()));;) {
    const size_t end = path.find('/');
    parts.push_back(path.substr(0, end));
    if (end == std::string_view::npos) return parts;
    path.remove_prefix(end + 1);
  }
}

bool fits(const std::vector<std::string_view>& wanted, const std::vector<std::string_view>& given) {
  const bool open_end = wanted.back().ends_with("*}");
  if (open_end ? given.size() < wanted.size() : given.size() != wanted.size()) return false;
  for (size_t i = 0; i < given.size(); ++i) {
    const std::string_view want = wanted[std::min(i, wanted.size() - 1)];
    if (want.starts_with('{') ? given[i].empty() : want != given[i]) return false;
  }
  return true;
}

bool capture(const std::vector<std::string_view>& wanted, const std::vector<std::string_view>& given,
             std::vector<std::string>& captures) {
  for (size_t i = 0; i < given.size(); ++i) {
    if (!wanted[std::min(i, wanted.size() - 1)].starts_with('{')) continue;
    if (!percent_decode(given[i], false, captures.emplace_back())) return false;
  }
  return true;
}

// Empty, or what is wrong with the parameters.
std::string check_query(const Route& route, const HttpRequest& request) {
  const std::vector<std::string_view> specs = split(route.query, ' ');
  for (const auto& [name, value] : request.query) {
    const bool known = std::any_of(specs.begin(), specs.end(), [&, &wanted = name](std::string_view spec) {
      return spec.substr(0, spec.find_first_of("*!")) == wanted;
    });
    if (!known) return "The parameter " + name + " is unknown here.";
    if (request.params(name).size() > 1 && std::find(specs.begin(), specs.end(), name + "*") == specs.end()) {
      return "The parameter " + name + " is given twice.";
    }
  }
  return {};
}

}  // namespace

std::string_view scope_name(Scope scope) {
  switch (scope) {
    case Scope::kOpen: return "";
    case Scope::kIngest: return "ingest";
    case Scope::kDecide: return "decide";
    case Scope::kRead: return "read";
    case Scope::kRules: return "rules";
    case Scope::kAdmin: return "admin";
  }
  return "";
}

const std::vector<Route>& routes() {
  static const std::vector<Route> table = [] {
    std::vector<Route> all;
    for (const auto& part : {event_routes(), rule_routes(), alert_routes(), dataset_routes(), admin_routes()}) {
      all.insert(all.end(), part.begin(), part.end());
    }
    return all;
  }();
  return table;
}

// The first row that fits wins: rows with a literal segment stand before those that capture it.
RouteMatch match_route(std::string_view method, std::string_view path) {
  static const std::vector<std::vector<std::string_view>> templates = [] {
    std::vector<std::vector<std::string_view>> all;
    for (const Route& route : routes()) all.push_back(segments(route.path));
    return all;
  }();
  const std::vector<std::string_view> given = segments(path);
  const std::string_view wanted = method == "HEAD" ? "GET" : method;      // answered alike, without the body
  RouteMatch match;
  for (size_t i = 0; i < templates.size(); ++i) {
    if (!fits(templates[i], given)) continue;
    const Route& route = routes()[i];
    if (route.method == wanted) {
      match.route = &route;
      match.malformed = !capture(templates[i], given, match.captures);
      return match;
    }
    if (match.allow.find(route.method) == std::string::npos) {
      match.allow.append(match.allow.empty() ? "" : ", ").append(route.method == "GET" ? "GET, HEAD" : route.method);
    }
  }
  return match;
}

Answer no_route(const RouteMatch& match, std::string_view path) {
  Problem problem;
  problem.instance = path;
  if (match.allow.empty()) {
    problem.name = "not-found";
    problem.detail = "There is nothing at this path; /openapi.json lists all there is.";
    return problem_answer(problem);
  }
  problem.name = "method-not-allowed";
  problem.detail = "This path takes " + match.allow + ".";
  Answer answer = problem_answer(problem);
  answer.headers.emplace_back("Allow", match.allow);
  return answer;
}

void dispatch(const Route& route, HttpRequest& request, Backend& backend, Responder respond) {
  if (route.handler == nullptr)
    return respond.answer(not_there(std::string(route.method) + " " + std::string(route.path)));
  if (std::string wrong = check_query(route, request); !wrong.empty()) {
    return respond.answer(problem_answer("bad-request", std::move(wrong)));
  }
  route.handler(request, backend, std::move(respond));
}

}  // namespace api
