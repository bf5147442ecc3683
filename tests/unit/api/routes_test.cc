// Requests to port calls through the table, and the table against its own description.
#include "api/routes.h"

#include <gtest/gtest.h>

#include <future>
#include <set>

#include "api/json_scan.h"
#include "api/openapi.h"
#include "tests/unit/api/fake_backend.h"

namespace {

class RoutesTest : public testing::Test {
 protected:
  // Status of the answer; the body is kept.
  int ask(std::string_view method, std::string_view target, std::string body = {}, api::NamedValues headers = {}) {
    api::HttpRequest request;
    request.method = method;
    request.body = std::move(body);
    request.headers = std::move(headers);
    if (!api::parse_target(target, request)) return 0;
    const api::RouteMatch match = api::match_route(method, request.path);
    if (match.route == nullptr) return keep(api::no_route(match, request.path));
    request.captures = match.captures;
    std::promise<api::Answer> answer;
    api::Responder respond;
    respond.answer = [&](api::Answer a) { answer.set_value(std::move(a)); };
    respond.stream = [&](api::FeedQuery query, bool gap) {
      streamed_ = query;
      gap_ = gap;
      answer.set_value({});
    };
    api::dispatch(*match.route, request, backend_, respond);
    return keep(answer.get_future().get());
  }
  std::string last_call() { return backend_.calls().empty() ? "" : backend_.calls().back(); }
  int keep(api::Answer answer) {
    answer_ = std::move(answer);
    return answer_.status;
  }

  api::FakeBackend backend_;
  api::Answer answer_;
  api::FeedQuery streamed_;
  bool gap_ = false;
};

TEST_F(RoutesTest, UnknownPathsAndMethods) {
  for (const char* path : {"/", "/v1", "/v1/", "/v1/rules/", "/v1//rules", "/v1/rules/a/b", "/v1/alerts/x/y/z", "x"}) {
    EXPECT_EQ(ask("GET", path), 404) << path;
  }
  EXPECT_EQ(ask("PATCH", "/v1/rules/a"), 405);
  ASSERT_EQ(answer_.headers.size(), 1u);
  EXPECT_EQ(answer_.headers[0].first, "Allow");
  EXPECT_EQ(answer_.headers[0].second, "GET, HEAD, PUT, DELETE");
  EXPECT_NE(answer_.body.find(R"("type":"/problems/method-not-allowed")"), std::string::npos);
}

TEST_F(RoutesTest, PlannedRoutesSaySo) {
  EXPECT_EQ(ask("POST", "/v1/backtest"), 501);
  EXPECT_NE(answer_.body.find("planned"), std::string::npos);
  EXPECT_EQ(ask("GET", "/v1/why?rule=r"), 501);
  for (const api::Route& route : api::routes())
    EXPECT_EQ(route.handler == nullptr, route.answers == "501") << route.path;
}

TEST_F(RoutesTest, Rules) {
  EXPECT_EQ(ask("GET", "/v1/rules?limit=7&cursor=a%2Bb+c"), 200);
  EXPECT_EQ(last_call(), "rules 7,a+b c");
  EXPECT_EQ(ask("PUT", "/v1/rules/card%20x?wait=30s&dry_run=true", "create rule", {{"if-match", "\"3\""}}), 200);
  EXPECT_EQ(backend_.last_put.name, "card x");
  EXPECT_EQ(backend_.last_put.text, "create rule");
  EXPECT_EQ(backend_.last_put.if_match, "\"3\"");
  EXPECT_EQ(backend_.last_put.wait_ms, 30'000);
  EXPECT_TRUE(backend_.last_put.dry_run);
  EXPECT_EQ(ask("POST", "/v1/rules/r/versions/2/activate"), 200);
  EXPECT_EQ(last_call(), "activate r2");
  EXPECT_EQ(ask("PUT", "/v1/rules/r/mode", R"({"mode": "paused"})"), 200);
  EXPECT_EQ(last_call(), "mode r paused");
  EXPECT_EQ(ask("PUT", "/v1/rules/r/mode", "shadow\n"), 200);
  EXPECT_EQ(ask("PUT", "/v1/rules/r/mode", R"({"mode": "asleep"})"), 400);
  EXPECT_EQ(ask("POST", "/v1/deployments?dry_run=true", "x"), 200);
  EXPECT_EQ(last_call(), "deploy x dry");
}

TEST_F(RoutesTest, RefusesBadParameters) {
  for (const char* target : {"/v1/rules?limit=0", "/v1/rules?limit=1001", "/v1/rules?limit=x", "/v1/rules?nonsense=1",
                             "/v1/rules?limit=1&limit=2", "/v1/alerts?from=never", "/v1/alerts?severity=worst",
                             "/v1/alerts?mode=paused", "/v1/alerts?key=a", "/v1/matches", "/v1/matches?key=a",
                             "/v1/rules/r/versions/x", "/v1/alerts/stream?severity=worst"}) {
    EXPECT_EQ(ask("GET", target), 400) << target;
  }
  EXPECT_EQ(ask("PUT", "/v1/rules/r?wait=2h"), 400);
  EXPECT_EQ(ask("PUT", "/v1/rules/r?wait=61s"), 400);
  EXPECT_EQ(ask("PUT", "/v1/rules/r?dry_run=maybe"), 400);
  EXPECT_TRUE(backend_.calls().empty());
}

TEST_F(RoutesTest, AlertsAndMatches) {
  EXPECT_EQ(
      ask("GET",
          "/v1/alerts?rule=r&key=a&key=b&from=2026-01-05T00:00:00Z&to=1767571201000&severity=high&mode=live&limit=5"),
      200);
  const api::AlertsQuery& query = backend_.last_alerts;
  EXPECT_EQ(query.rule, "r");
  EXPECT_EQ(query.key, (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(*query.to - *query.from, 1'000'000);
  EXPECT_EQ(query.limit, 5u);
  EXPECT_EQ(ask("GET", "/v1/alerts/019aa8000000000000000000000000ff"), 200);
  EXPECT_EQ(last_call(), "alert 019aa8000000000000000000000000ff");
  EXPECT_EQ(ask("GET", "/v1/alerts/zz"), 404);
  EXPECT_EQ(ask("GET", "/v1/matches?rule=r&key=a%26b&key="), 200);
  EXPECT_EQ(last_call(), "matches r|a&b|");
  EXPECT_EQ(ask("GET", "/v1/alerts/stream?rule=r", {}, {{"last-event-id", "2:17"}}), 200);
  EXPECT_EQ(streamed_.after->lane, 2u);
  EXPECT_EQ(streamed_.after->sequence, 17u);
  EXPECT_FALSE(gap_);
  EXPECT_EQ(ask("GET", "/v1/alerts/stream", {}, {{"last-event-id", "2:"}}), 200);
  EXPECT_FALSE(streamed_.after.has_value());
  EXPECT_TRUE(gap_);
}

TEST_F(RoutesTest, Decisions) {
  auto schema = std::make_shared<cep::StreamSchema>();
  schema->name = "tx";
  schema->columns.push_back({"card", {cep::TypeKind::kText}, false, ""});
  backend_.add_schema(schema);
  auto derived = std::make_shared<cep::StreamSchema>();
  derived->name = "found";
  derived->from_rules = true;
  backend_.add_schema(derived);
  const char* target = "/v1/streams/tx/decisions";
  EXPECT_EQ(ask("POST", target, R"({"card": "c"})", {{"content-type", "application/json"}, {"idempotency-key", "k1"}}), 200);
  EXPECT_EQ(last_call(), "decide");
  EXPECT_EQ(backend_.last_submit->idempotency_key, "k1");
  ASSERT_EQ(backend_.last_submit->items.size(), 1u);
  EXPECT_EQ(backend_.last_submit->items[0].row, R"({"card": "c"})");
  const uint64_t hash = backend_.last_submit->body_hash;
  EXPECT_EQ(ask("POST", "/v1/streams/tx/events", R"({"card": "c"})", {{"content-type", "application/json"}}), 202);
  EXPECT_NE(backend_.last_submit->body_hash, hash) << "a key is not for both";
  EXPECT_EQ(ask("POST", target, "{\"card\": \"c\"}\n", {{"content-type", "application/x-ndjson"}}), 200);
  EXPECT_EQ(ask("POST", target, R"([{"card": "c"}])", {{"content-type", "application/json"}}), 200);
  EXPECT_EQ(ask("POST", target, "card\nc\n", {{"content-type", "text/csv"}}), 200);
  const size_t calls = backend_.calls().size();
  for (const char* body : {R"([{"card": "c"}, {"card": "d"}])", "[]", "{\"card\": \"c\"}\n{\"card\": \"d\"}\n", R"({"$watermark": 0})"}) {
    EXPECT_EQ(ask("POST", target, body), 422) << body;
    EXPECT_NE(answer_.body.find(R"("code":"one_event")"), std::string::npos) << answer_.body;
  }
  EXPECT_EQ(ask("POST", target, "card\nc\n", {{"content-type", "text/tab-separated-values"}}), 415);
  EXPECT_EQ(ask("POST", target, "{}", {{"content-encoding", "gzip"}}), 415);
  EXPECT_EQ(ask("POST", "/v1/streams/nothing/decisions", "{}"), 404);
  EXPECT_EQ(ask("POST", "/v1/streams/found/decisions", "{}"), 409);
  EXPECT_EQ(backend_.calls().size(), calls);
  EXPECT_EQ(ask("GET", "/v1/decisions?limit=7&cursor=9"), 200);
  EXPECT_EQ(last_call(), "decisions 7,9");
  EXPECT_EQ(ask("GET", "/v1/decisions/019aa8000000000000000000000000ff"), 200);
  EXPECT_EQ(last_call(), "decision 019aa8000000000000000000000000ff");
  EXPECT_EQ(ask("GET", "/v1/decisions/zz"), 404);
}

TEST_F(RoutesTest, TablesAndEdits) {
  EXPECT_EQ(ask("GET", "/v1/tables?limit=3"), 200);
  EXPECT_EQ(last_call(), "tables 3,");
  EXPECT_EQ(ask("PUT", "/v1/tables/t/k", R"({"row": {"a": 1}, "owner": null})", {{"from", "ann@desk"}, {"if-none-match", "*"}}), 200);
  EXPECT_EQ(last_call(), "put_entry of table t|k");
  EXPECT_EQ(backend_.last_entry.row, R"({"a": 1})");
  EXPECT_EQ(backend_.last_entry.edit.by, "ann@desk");
  EXPECT_EQ(backend_.last_entry.edit.if_none_match, "*");
  EXPECT_EQ(ask("PUT", "/v1/tables/t/k"), 400);
  EXPECT_EQ(ask("PUT", "/v1/tables/t/k", R"({"owner": "x"})"), 400);
  EXPECT_EQ(ask("PUT", "/v1/tables/t/k", R"({"rows": {}})"), 400);
  EXPECT_EQ(ask("POST", "/v1/tables/t", "k,v\na,1\n"), 200);
  EXPECT_EQ(last_call(), "import table t k,v\na,1\n");
  EXPECT_EQ(ask("GET", "/v1/edits?table=t"), 200);
  EXPECT_EQ(last_call(), "edits t");
  EXPECT_EQ(ask("GET", "/v1/edits?table=t&list=l"), 400);
}

TEST_F(RoutesTest, ListsAndSinks) {
  EXPECT_EQ(ask("PUT", "/v1/lists/pairs/a%2Fb/c",
                R"({"owner": "me", "comment": "caf\u00e9", "expires": "2026-01-05T00:00:00Z"})"),
            200);
  EXPECT_EQ(last_call(), "put_entry of list pairs|a/b|c");
  EXPECT_EQ(backend_.last_entry.owner, "me");
  EXPECT_EQ(backend_.last_entry.comment, "caf\xc3\xa9");
  EXPECT_EQ(backend_.last_entry.expires, 1767571200000000);
  EXPECT_EQ(ask("PUT", "/v1/lists/pairs/a"), 200);
  EXPECT_EQ(ask("PUT", "/v1/lists/pairs/a", R"({"color": "red"})"), 400);
  EXPECT_EQ(ask("PUT", "/v1/lists/pairs/a", R"({"owner": 5})"), 400);
  EXPECT_EQ(ask("PUT", "/v1/lists/pairs/a", R"({"owner": "x")"), 400);
  EXPECT_EQ(ask("DELETE", "/v1/lists/pairs/a", {}, {{"from", "ann@desk"}, {"if-match", "\"3\""}}), 200);
  EXPECT_EQ(last_call(), "delete_entry of list pairs|a");
  EXPECT_EQ(ask("PUT", "/v1/lists/pairs", "a,1\n"), 200);
  EXPECT_EQ(last_call(), "replace list pairs a,1\n");
  EXPECT_EQ(ask("POST", "/v1/sinks/s/replay", R"({"alert": "019aa8000000000000000000000000ff"})"), 200);
  EXPECT_EQ(last_call(), "replay s 019aa8000000000000000000000000ff");
  EXPECT_EQ(ask("POST", "/v1/sinks/s/replay", R"({"from": "2026-01-05T00:00:00Z", "to": "2026-01-06T00:00:00Z"})"),
            200);
  EXPECT_EQ(ask("POST", "/v1/sinks/s/replay", R"({"from": "2026-01-05T00:00:00Z"})"), 400);
  EXPECT_EQ(ask("POST", "/v1/sinks/s/replay"), 400);
}

// Members of the object at that key, as raw text.
std::string member(std::string_view object, std::string_view wanted) {
  api::JsonScan scan(object);
  std::string_view key, value;
  std::string found;
  if (!scan.enter('{')) return {};
  while (scan.next_member(&key, &value)) {
    if (key == wanted) found = value;
  }
  return scan.complete() ? found : std::string();
}

TEST_F(RoutesTest, OpenApiDescribesEveryRoute) {
  ASSERT_EQ(ask("GET", "/openapi.json"), 200);
  const std::string paths = member(answer_.body, "paths");
  const std::string schemas = member(member(answer_.body, "components"), "schemas");
  std::set<std::string> ids;
  for (const api::Route& route : api::routes()) {
    std::string path(route.path);
    std::erase(path, '*');
    const std::string operation = member(member(paths, path), api::lower_case(route.method));
    ASSERT_FALSE(operation.empty()) << route.method << " " << route.path;
    EXPECT_TRUE(ids.insert(member(operation, "operationId")).second) << member(operation, "operationId");
    const std::string answers = member(operation, "responses");
    for (const char* status : {"200", "201", "202", "204", "400", "404", "409", "412", "413", "422", "429", "501", "503"}) {
      EXPECT_EQ(!member(answers, status).empty(), std::string(route.answers).find(status) != std::string::npos)
          << route.path;
    }
    EXPECT_EQ(member(operation, "requestBody").empty(), route.body == api::BodyKind::kNone) << route.path;
    EXPECT_EQ(route.body != api::BodyKind::kNone, route.body_bytes_max > 0) << route.path;
  }
  // Every reference leads somewhere.
  constexpr std::string_view kPrefix = "\"#/components/schemas/";
  for (size_t at = answer_.body.find(kPrefix); at != std::string::npos; at = answer_.body.find(kPrefix, at + 1)) {
    const size_t name = at + kPrefix.size();
    const std::string schema = answer_.body.substr(name, answer_.body.find('"', name) - name);
    EXPECT_FALSE(member(schemas, schema).empty()) << schema;
  }
}

}  // namespace
