// The backend over a real lane, without sockets: what each question answers, and what is left of it after a restart.
#include "service/backend.h"

#include <gtest/gtest.h>

#include <fstream>

#include "api/json_scan.h"
#include "tests/support/backend_fixture.h"

namespace service {
namespace {

using test_support::kPayments;
using test_support::kProbeRule;

class BackendTest : public test_support::BackendFixture {
 protected:
  api::Answer put(const std::string& name, const std::string& text, const std::string& if_match = "",
                  const std::string& if_none_match = "", bool dry_run = false) {
    return ask([&](api::Reply reply) { backend_->put_rule({name, text, if_match, if_none_match, 0, dry_run}, reply); });
  }
  api::Answer get_rule(const std::string& name) {
    return ask([&](api::Reply reply) { backend_->rule(name, reply); });
  }
  api::Answer mode(const std::string& name, const std::string& mode) {
    return ask([&](api::Reply reply) { backend_->set_rule_mode(name, mode, reply); });
  }
  api::Answer matches(const std::string& rule, std::vector<std::string> key) {
    return ask([&](api::Reply reply) { backend_->matches({rule, std::move(key), 100}, reply); });
  }
  api::Answer alerts_page(const api::AlertsQuery& query) {
    return ask([&](api::Reply reply) { backend_->alerts(query, reply); });
  }
  api::FeedPage feed(const api::FeedQuery& query) {
    std::promise<api::FeedPage> page;
    backend_->read_feed(query, [&page](api::FeedPage p) { page.set_value(std::move(p)); });
    return page.get_future().get();
  }
  void write_rules(const std::string& file, const std::string& text) {
    std::filesystem::create_directories(scratch_ / "rules");
    std::ofstream(scratch_ / ("rules/" + file)) << text;
  }
  // Names of the members of the answer's object, in order.
  static std::vector<std::string> members(const api::Answer& answer) {
    std::vector<std::string> names;
    api::JsonScan scan(answer.body);
    std::string_view name, value;
    EXPECT_TRUE(scan.enter('{')) << answer.body;
    while (scan.next_member(&name, &value)) names.emplace_back(name);
    return names;
  }
  static size_t count(const std::string& text, const std::string& part) {
    size_t found = 0;
    for (size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++found;
    return found;
  }
  // `n` alerts of cards c0..; one second apart.
  void make_alerts(int n) {
    for (int i = 0; i < n; ++i) {
      const std::string card = "c" + std::to_string(i);
      submit(*lane_, payment("p" + card, card, "1.00", i) + payment("b" + card, card, "200.50", i));
    }
    lane_->settle(false);
  }
};

TEST_F(BackendTest, PutsRulesWithVersionsAndPreconditions) {
  EXPECT_EQ(deploy_text(kPayments).status, 200);
  const api::Answer made = put("probe_then_big", kProbeRule);
  EXPECT_EQ(made.status, 201) << made.body;
  EXPECT_EQ(etag(made), "\"1\"");
  EXPECT_TRUE(has(made, R"("name":"probe_then_big","version":1,"mode":"live","change":"matching","status":"active","kept":[])"))
      << made.body;

  const api::Answer same = put("probe_then_big", kProbeRule);
  EXPECT_EQ(same.status, 200);
  EXPECT_TRUE(has(same, R"("version":1,"mode":"live","change":"none")")) << same.body;

  std::string cosmetic = kProbeRule;
  cosmetic.replace(cosmetic.find("high"), 4, "low");
  const api::Answer changed = put("probe_then_big", cosmetic, "\"1\"");
  EXPECT_EQ(changed.status, 200);
  EXPECT_EQ(etag(changed), "\"2\"");
  EXPECT_TRUE(has(changed, R"("change":"cosmetic","status":"active","kept":["runs","windows","suppress"],"rebuilt":[])"))
      << changed.body;

  EXPECT_EQ(put("probe_then_big", kProbeRule, "\"1\"").status, 412);
  EXPECT_EQ(put("probe_then_big", kProbeRule, "", "*").status, 412);
  EXPECT_EQ(put("unknown", kProbeRule, "*").status, 422);
  EXPECT_EQ(etag(get_rule("probe_then_big")), "\"2\"");
}

TEST_F(BackendTest, RefusesWrongTextsWithDiagnostics) {
  deploy_text(kPayments);
  const api::Answer wrong = put("r", "create rule r on payments partition by card when amont > 5 alert message 'x';");
  EXPECT_EQ(wrong.status, 422);
  EXPECT_EQ(wrong.content_type, "application/problem+json");
  EXPECT_TRUE(has(wrong, R"("diagnostics":[{"code": "E0103", "name": "unknown-field")")) << wrong.body;
  EXPECT_TRUE(has(wrong, "did you mean `amount`")) << wrong.body;
  EXPECT_EQ(get_rule("r").status, 404);

  EXPECT_EQ(put("other", kProbeRule).status, 422);
  EXPECT_EQ(put("s", "create stream s (at timestamp not null) event time at;").status, 422);
  EXPECT_EQ(put("probe_then_big", std::string(kProbeRule) + kProbeRule).status, 422);
  EXPECT_EQ(backend_->schema("s"), nullptr);

  const api::Answer checked = ask([&](api::Reply reply) { backend_->check(kProbeRule, reply); });
  EXPECT_EQ(checked.status, 200);
  EXPECT_TRUE(has(checked, R"({"ok":true,"diagnostics":[)")) << checked.body;
  const api::Answer dry = put("probe_then_big", kProbeRule, "", "", true);
  EXPECT_EQ(dry.status, 200);
  EXPECT_TRUE(has(dry, R"("status":"checked")")) << dry.body;
  EXPECT_EQ(get_rule("probe_then_big").status, 404);
}

TEST_F(BackendTest, RollsBackDeletesAndContinuesTheNumbers) {
  deploy_text(std::string(kPayments) + kProbeRule);
  std::string wider = kProbeRule;
  wider.replace(wider.find("10 minutes"), 10, "20 minutes");
  EXPECT_TRUE(has(put("probe_then_big", wider), R"("version":2,"mode":"live","change":"matching")"));
  const api::Answer back = ask([&](api::Reply reply) { backend_->activate_rule_version("probe_then_big", 1, reply); });
  EXPECT_EQ(back.status, 200) << back.body;
  EXPECT_EQ(etag(back), "\"3\"");
  EXPECT_TRUE(has(get_rule("probe_then_big"), "within 10 minutes"));
  EXPECT_EQ(ask([&](api::Reply reply) { backend_->activate_rule_version("probe_then_big", 9, reply); }).status, 404);

  const auto remove = [&](const std::string& if_match) {
    return ask([&](api::Reply reply) { backend_->delete_rule("probe_then_big", if_match, reply); }).status;
  };
  EXPECT_EQ(remove("\"1\""), 412);
  EXPECT_EQ(remove("\"3\""), 204);
  EXPECT_EQ(remove(""), 404);
  EXPECT_EQ(get_rule("probe_then_big").status, 404);
  restart();
  const api::Answer versions = ask([&](api::Reply reply) { backend_->rule_versions("probe_then_big", {2, ""}, reply); });
  EXPECT_EQ(versions.body.find(R"({"items":[{"name":"probe_then_big","version":3,"in_force":false)"), 0u) << versions.body;
  EXPECT_TRUE(has(versions, R"("next":"2")")) << versions.body;
  const api::Answer again = put("probe_then_big", kProbeRule, "", "*");
  EXPECT_EQ(again.status, 201);
  EXPECT_EQ(etag(again), "\"4\"");
}

TEST_F(BackendTest, DeploysAllOrNothing) {
  const api::Answer wrong = deploy_text(std::string(kPayments) + "create rule r on payments when nothing_here > 5 alert;");
  EXPECT_EQ(wrong.status, 422);
  EXPECT_EQ(backend_->schema("payments"), nullptr);
  EXPECT_TRUE(has(deploy_text(kPayments, true), R"("applied":false,"dry_run":true)"));
  EXPECT_EQ(backend_->schema("payments"), nullptr);
  const api::Answer good = deploy_text(std::string(kPayments) + kProbeRule);
  EXPECT_TRUE(has(good, R"("applied":true)")) << good.body;
  ASSERT_NE(backend_->schema("payments"), nullptr);
  const api::Answer page = ask([&](api::Reply reply) { backend_->rules({1, ""}, reply); });
  EXPECT_TRUE(has(page, R"("name":"probe_then_big","version":1,"mode":"live","status":"active","severity":"high")")) << page.body;
  EXPECT_TRUE(has(page, R"("next":null)"));
}

TEST_F(BackendTest, PausesResumesAndShadows) {
  deploy_text(std::string(kPayments) + kProbeRule);
  submit(*lane_, payment("1", "a", "1.00", 0) + payment("2", "b", "1.00", 1));
  const api::Answer paused = mode("probe_then_big", "paused");
  EXPECT_TRUE(has(paused, R"("mode":"paused")") && has(paused, R"("runs_ended":2,"partial_since":null})")) << paused.body;
  submit(*lane_, payment("3", "a", "500.00", 2));
  EXPECT_TRUE(alerts(*lane_).empty());
  // The state of a paused rule is empty; resumed, it has seen what the log holds.
  EXPECT_TRUE(has(matches("probe_then_big", {"b"}), R"("mode":"paused","key":{"card":"b"},"watermark":null,"runs":[])"));
  const api::Answer resumed = mode("probe_then_big", "shadow");
  EXPECT_EQ(members(resumed), members(paused));
  submit(*lane_, payment("4", "b", "500.00", 3));
  ASSERT_EQ(alerts(*lane_).size(), 1u);
  EXPECT_NE(alerts(*lane_)[0].alert.body.find(R"("mode":"shadow")"), std::string::npos);
  for (int time = 0; time < 2; ++time) {      // the second changes nothing
    const api::Answer live = mode("probe_then_big", "live");
    EXPECT_TRUE(has(live, R"("version":1,"mode":"live")"));
    EXPECT_EQ(members(live), members(paused));
    EXPECT_EQ(etag(live), "\"1\"");
  }
  EXPECT_EQ(mode("nobody", "live").status, 404);
  restart();
  EXPECT_TRUE(has(get_rule("probe_then_big"), R"("mode":"live")"));
}

TEST_F(BackendTest, MatchStateIsTheSameBytesAfterARestart) {
  deploy_text(std::string(kPayments) + kProbeRule);
  submit(*lane_, payment("1", "a", "1.00", 0) + payment("2", "b", "2.00", 1) + payment("3", "a", "1.50", 2));
  lane_->settle(false);
  const api::Answer before = matches("probe_then_big", {"a"});
  const api::Answer summary = matches("probe_then_big", {});
  EXPECT_EQ(before.status, 200);
  EXPECT_EQ(count(before.body, R"("var":"probe")"), 2u) << before.body;
  EXPECT_TRUE(has(before, R"("awaits":[{"var":"big","link":"skip")")) << before.body;
  EXPECT_TRUE(has(summary, R"("runs":3,"keys":2)")) << summary.body;
  restart();
  EXPECT_EQ(matches("probe_then_big", {"a"}).body, before.body);
  // The bytes of the hottest keys are memory and may differ, the counts may not.
  const std::string states = summary.body.substr(0, summary.body.find("hottest"));
  EXPECT_EQ(matches("probe_then_big", {}).body.substr(0, states.size()), states);
  const api::Answer none = matches("probe_then_big", {"nobody"});
  EXPECT_EQ(none.status, 200);
  EXPECT_TRUE(has(none, R"("key":{"card":"nobody"})")) << none.body;
  EXPECT_TRUE(has(none, R"("runs":[])")) << none.body;
  EXPECT_EQ(matches("probe_then_big", {"a", "b"}).status, 400);
  EXPECT_EQ(matches("unknown", {"a"}).status, 404);
}

TEST_F(BackendTest, PagesAlertsByFilterAndCursor) {
  deploy_text(std::string(kPayments) + kProbeRule);
  make_alerts(5);
  api::AlertsQuery query;
  query.limit = 2;
  std::string all;
  int pages = 0;
  do {
    const api::Answer page = alerts_page(query);
    ASSERT_EQ(page.status, 200);
    all += page.body;
    const size_t next = page.body.rfind(R"("next":")");
    query.cursor = next == std::string::npos ? "" : page.body.substr(next + 8, page.body.size() - next - 10);
    ++pages;
  } while (!query.cursor.empty() && pages < 10);
  EXPECT_EQ(pages, 3);
  EXPECT_EQ(count(all, R"("type":"alert")"), 5u);
  EXPECT_LT(all.find("c4: 200.50"), all.find("c3: 200.50"));

  api::AlertsQuery filtered;
  filtered.rule = "probe_then_big";
  filtered.key = {"c2"};
  EXPECT_EQ(count(alerts_page(filtered).body, R"("type":"alert")"), 1u);
  filtered = {};
  filtered.from = test_support::kLaneStart + 1 * cep::kSecond;
  filtered.to = test_support::kLaneStart + 3 * cep::kSecond;
  EXPECT_EQ(count(alerts_page(filtered).body, R"("type":"alert")"), 2u);
  filtered = {};
  filtered.severity = "medium";
  EXPECT_EQ(count(alerts_page(filtered).body, R"("type":"alert")"), 0u);
  filtered.severity = "high";
  EXPECT_EQ(count(alerts_page(filtered).body, R"("type":"alert")"), 5u);
  filtered.mode = "shadow";
  EXPECT_EQ(count(alerts_page(filtered).body, R"("type":"alert")"), 0u);
  std::string lower = kProbeRule;                  // its past is in the log: only who asks for it sees it
  deploy_text(lower.replace(lower.find("probe_then_big"), 14, "another").replace(lower.find("> 100"), 5, "> 150"));
  lane_->settle(false);
  filtered = {};
  EXPECT_EQ(count(alerts_page(filtered).body, R"("type":"alert")"), 5u);
  filtered.mode = "backfill";
  const size_t past = count(alerts_page(filtered).body, R"("mode":"backfill")");
  EXPECT_GT(past, 0u);
  api::FeedQuery from_start;
  from_start.after = api::AlertCursor{0, 0};
  EXPECT_EQ(feed(from_start).items.size(), 5u);
  filtered = {};
  filtered.rule = "unknown";
  EXPECT_EQ(alerts_page(filtered).status, 404);
  filtered = {};
  filtered.cursor = "x";
  EXPECT_EQ(alerts_page(filtered).status, 400);

  const state::StoredAlert stored = alerts(*lane_).front();
  EXPECT_EQ(ask([&](api::Reply reply) { backend_->alert(cep::to_hex(stored.alert.id), reply); }).body, stored.alert.body);
  EXPECT_EQ(ask([&](api::Reply reply) { backend_->alert(std::string(32, '0'), reply); }).status, 404);
}

TEST_F(BackendTest, TheFeedResumesAndTellsGaps) {
  deploy_text(std::string(kPayments) + kProbeRule);
  std::atomic<int> calls{0};
  backend_->set_feed_hook([&calls] { ++calls; });
  api::FeedQuery query;
  api::FeedPage page = feed(query);
  EXPECT_TRUE(page.items.empty());
  make_alerts(3);
  lane_->settle(false);      // the hook follows the commit that the first settle saw
  EXPECT_GT(calls.load(), 0);
  query.after = page.next;
  query.items_max = 2;
  page = feed(query);
  ASSERT_EQ(page.items.size(), 2u);
  EXPECT_FALSE(page.gap);
  EXPECT_NE(page.items[0].json.find("c0: 200.50"), std::string::npos);
  backend_->set_feed_hook(nullptr);
  restart();
  query.after = page.next;
  page = feed(query);
  ASSERT_EQ(page.items.size(), 1u);
  EXPECT_NE(page.items[0].json.find("c2: 200.50"), std::string::npos);
  query.after = page.next;
  EXPECT_TRUE(feed(query).items.empty());
  query.after = api::AlertCursor{0, 99};
  EXPECT_TRUE(feed(query).gap);
  EXPECT_EQ(feed(query).next.sequence, 3u);
  query.after = api::AlertCursor{0, 0};
  query.severity = "low";
  EXPECT_TRUE(feed(query).items.empty());
  EXPECT_EQ(feed(query).next.sequence, 3u);
}

TEST_F(BackendTest, RejectedEventsAreListedWithReasonAndBytes) {
  deploy_text(kPayments);
  submit(*lane_, R"({"id":"1","card":7})" "\n" + payment("2", "a", "1.00", 0));
  lane_->settle(false);
  api::RejectedQuery query;
  const api::Answer page = ask([&](api::Reply reply) { backend_->rejected(query, reply); });
  EXPECT_TRUE(has(page, R"("stream":"payments","code":"wrong_type","field":"card")")) << page.body;
  EXPECT_TRUE(has(page, R"("raw":"{\"id\":\"1\",\"card\":7}")")) << page.body;
  query.code = "late";
  EXPECT_TRUE(has(ask([&](api::Reply reply) { backend_->rejected(query, reply); }), R"({"items":[],"next":null})"));
}

TEST_F(BackendTest, SinksAreMadeKeptAndDeletedWithoutShowingSecrets) {
  const std::string name = "siem";
  const auto get = [&] { return ask([&](api::Reply reply) { backend_->sink(name, reply); }); };
  const auto put_sink = [&](const std::string& json) { return ask([&](api::Reply reply) { backend_->put_sink(name, json, reply); }); };
  const api::Answer made = put_sink(R"({"url":"https://hooks.example.com/T0/secretpath","headers":{"x-key":"hidden"},"rules":["probe*"]})");
  EXPECT_EQ(made.status, 201) << made.body;
  EXPECT_TRUE(has(made, R"("secret":"whsec_)"));
  EXPECT_TRUE(has(get(), R"("url":"https://hooks.example.com/...","source":"api","headers":["x-key"],"rules":["probe*"])")) << get().body;
  for (const char* const secret : {"whsec_", "hidden", "secretpath"}) EXPECT_FALSE(has(get(), secret)) << secret;
  EXPECT_EQ(put_sink(R"({"url":"ftp://x"})").status, 422);
  EXPECT_EQ(put_sink(R"({"url":"https://a.example","color":"red"})").status, 400);
  EXPECT_EQ(put_sink(R"({"url":"https://a.example","type":"kafka"})").status, 501);
  const api::Answer changed = put_sink(R"({"url":"https://a.example/x","severity_min":"high"})");
  EXPECT_EQ(changed.status, 200) << changed.body;
  EXPECT_FALSE(has(changed, "whsec_"));
  restart();
  EXPECT_TRUE(has(get(), R"("severity_min":"high","disabled":false,"secrets":1,"delivery":{"disabled":false)")) << get().body;
  EXPECT_TRUE(has(ask([&](api::Reply reply) { backend_->sinks({10, ""}, reply); }), R"("name":"siem")"));
  EXPECT_EQ(ask([&](api::Reply reply) { backend_->delete_sink(name, reply); }).status, 204);
  EXPECT_EQ(ask([&](api::Reply reply) { backend_->delete_sink(name, reply); }).status, 404);
  EXPECT_EQ(get().status, 404);
  restart();
  EXPECT_EQ(get().status, 404);
  EXPECT_EQ(ask([&](api::Reply reply) { backend_->sink_attempts(name, {10, ""}, reply); }).status, 404);
}

TEST_F(BackendTest, ARuleSendsOnlyToSinksThatAreThere) {
  deploy_text(kPayments);
  const auto to = [](const std::string& sink) {
    return "create rule r on payments partition by card when amount > 5 suppress 1 hour alert message 'm' to " + sink + ";";
  };
  const api::Answer refused = put("r", to("desk"));
  EXPECT_EQ(refused.status, 422);
  EXPECT_TRUE(has(refused, "E0124")) << refused.body;
  EXPECT_TRUE(has(refused, "make it first")) << refused.body;
  EXPECT_TRUE(has(ask([&](api::Reply reply) { backend_->check(to("desk"), reply); }), "E0124"));
  const std::string sink = R"({"url":"https://desk.example.com"})";
  EXPECT_EQ(ask([&](api::Reply reply) { backend_->put_sink("desk", sink, reply); }).status, 201);
  EXPECT_TRUE(has(put("r", to("desc")), "did you mean `desk`"));
  EXPECT_EQ(put("r", to("desk")).status, 201);
  EXPECT_EQ(ask([&](api::Reply reply) { backend_->delete_sink("desk", reply); }).status, 204);
  restart();      // what is in force stays, whatever became of its sink
  EXPECT_EQ(get_rule("r").status, 200);
  EXPECT_EQ(mode("r", "paused").status, 200);
  EXPECT_EQ(mode("r", "live").status, 200);
}

TEST_F(BackendTest, DeliversParksListsAttemptsAndReplays) {
  deploy_text(std::string(kPayments) + kProbeRule);
  const std::string siem = R"({"url":"https://a.example/x"})";
  const auto parked = [&] { return ask([&](api::Reply reply) { backend_->sink_parked("siem", {10, ""}, reply); }); };
  const auto attempts = [&] { return ask([&](api::Reply reply) { backend_->sink_attempts("siem", {10, ""}, reply); }); };
  // Moves the clock until what the delivery thread does shows in `answer`: it commits when time passes.
  const auto until = [&](const auto& answer, const std::string& part) {
    for (int i = 0; i < 2'000 && !has(answer(), part); ++i) {
      now_ += 200 * cep::kMillisecond;
      delivery_->notify();
    }
    EXPECT_TRUE(has(answer(), part)) << answer().body;
  };
  EXPECT_EQ(ask([&](api::Reply reply) { backend_->put_sink("siem", siem, reply); }).status, 201);
  sender_.status = 500;
  make_alerts(1);
  until(parked, R"("state":"pending")");
  const std::string id = cep::to_hex(alerts(*lane_)[0].alert.id);
  EXPECT_TRUE(has(parked(), R"({"items":[{"alert":")" + id)) << parked().body;
  until(attempts, R"("outcome":"server_error","status":500,"error":"","latency_us":9)");
  sender_.status = 200;
  until([&] { return ask([&](api::Reply reply) { backend_->sink("siem", reply); }); }, R"("cursor":1,"in_flight":0,"pending":0)");
  until(attempts, R"("outcome":"delivered","status":200)");
  const size_t sent = sender_.bodies().size();
  api::SinkReplay replay;
  replay.sink = "siem";
  replay.alert = id;
  EXPECT_EQ(ask([&](api::Reply reply) { backend_->replay_sink(replay, reply); }).body, R"({"queued":1})");
  until([&] { return ask([&](api::Reply reply) { backend_->sink("siem", reply); }); }, R"("delivered":2)");
  EXPECT_EQ(sender_.bodies().size(), sent + 1);
  replay.alert = "";
  replay.from = test_support::kLaneStart + cep::kHour;
  replay.to = test_support::kLaneStart + 2 * cep::kHour;
  EXPECT_EQ(ask([&](api::Reply reply) { backend_->replay_sink(replay, reply); }).body, R"({"queued":0})");
  replay.alert = std::string(32, 'f');
  EXPECT_EQ(ask([&](api::Reply reply) { backend_->replay_sink(replay, reply); }).status, 404);
  const api::Answer tested = ask([&](api::Reply reply) { backend_->test_sink("siem", reply); });
  EXPECT_TRUE(has(tested, R"("delivered":true,"status":200)")) << tested.body;
  const api::Answer metrics = ask([&](api::Reply reply) { backend_->metrics(reply); });
  EXPECT_TRUE(has(metrics, R"(weir_delivery_attempts_total{sink="siem",outcome="delivered"} 2)"));
}

TEST_F(BackendTest, SinksOfTheConfigurationAreReadOnlyAndKeepTheirId) {
  SinkSpec spec;
  spec.name = "fixed";
  spec.url = "https://example.com/hook";
  spec.secrets = {"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"};
  restart({spec});
  const SinkId id = sinks_->find("fixed")->id;
  EXPECT_EQ(ask([&](api::Reply reply) { backend_->put_sink("fixed", R"({"url":"https://a.example"})", reply); }).status, 409);
  EXPECT_EQ(ask([&](api::Reply reply) { backend_->delete_sink("fixed", reply); }).status, 409);
  restart();
  EXPECT_FALSE(sinks_->find("fixed"));
  restart({spec});
  EXPECT_EQ(sinks_->find("fixed")->id, id);
  EXPECT_EQ(ask([&](api::Reply reply) { backend_->put_sink("mine", R"({"url":"https://a.example"})", reply); }).status, 201);
  stop();
  open(2);
  auto admin = state::AdminStore::open(lane_->files(), lane_->data_dir());
  ASSERT_TRUE(admin.ok());
  spec.name = "mine";
  EXPECT_EQ(SinkRegistry::open(**admin, {spec}).error().code, "duplicate_sink");
  admin->reset();
  lane_->close();
  lane_.reset();
  start();
}

TEST_F(BackendTest, ReloadAppliesWhatChangedOnDiskAndNothingElse) {
  const auto reload = [&] { return ask([&](api::Reply reply) { backend_->reload(reply); }); };
  write_rules("a.weir", std::string("-- the stream\n") + kPayments);
  write_rules("b.weir", kProbeRule);
  const api::Answer first = reload();
  EXPECT_EQ(first.status, 200) << first.body;
  EXPECT_TRUE(has(first, R"({"applied":["stream payments","rule probe_then_big"],"unchanged":[],"orphans":[])")) << first.body;

  std::string by_api = kProbeRule;
  by_api.replace(by_api.find("high"), 4, "critical");
  put("probe_then_big", by_api);
  restart();
  EXPECT_TRUE(has(reload(), R"({"applied":[],"unchanged":["stream payments","rule probe_then_big"])"));
  EXPECT_TRUE(has(get_rule("probe_then_big"), "severity critical"));

  write_rules("b.weir", "\n\ncreate rule probe_then_big on payments partition by card when amont > 1 alert message 'x';\n");
  const api::Answer wrong = reload();
  EXPECT_EQ(wrong.status, 422);
  EXPECT_TRUE(has(wrong, R"(b.weir", "line": 3, "column": 63)")) << wrong.body;
  EXPECT_TRUE(has(get_rule("probe_then_big"), R"("version":2)"));

  std::filesystem::remove(scratch_ / "rules/b.weir");
  EXPECT_TRUE(has(reload(), R"("orphans":["rule probe_then_big"])"));
  EXPECT_EQ(get_rule("probe_then_big").status, 200);
  std::string from_disk = kProbeRule;
  from_disk.replace(from_disk.find("high"), 4, "low");
  write_rules("b.weir", from_disk);
  EXPECT_TRUE(has(reload(), R"("applied":["rule probe_then_big"])"));
  EXPECT_TRUE(has(get_rule("probe_then_big"), "severity low"));
}

TEST_F(BackendTest, TellsStreamsLimitsCheckpointsAndHealth) {
  deploy_text(std::string(kPayments) + kProbeRule);
  submit(*lane_, payment("1", "a", "1.00", 30) + payment("2", "a", "1.00", 0));
  lane_->settle(true);
  const api::Answer stream = ask([&](api::Reply reply) { backend_->stream("payments", reply); });
  EXPECT_TRUE(has(stream, R"("timelines":[{"name":"payments","watermark":"2026-01-05T00:00:30.000Z"}])")) << stream.body;
  EXPECT_TRUE(has(stream, R"("accepted":2,"duplicates":0,"late":1,"rejected":0)")) << stream.body;
  const api::Answer streams = ask([&](api::Reply reply) { backend_->streams({10, ""}, reply); });
  EXPECT_TRUE(has(streams, R"x("name":"amount","type":"decimal(12,2)","not_null":true)x"));
  const api::Answer limits = ask([&](api::Reply reply) { backend_->limits(reply); });
  EXPECT_TRUE(has(limits, R"("name":"runs_per_key_max","value":1000,"unit":"runs of a rule and key")")) << limits.body;
  EXPECT_TRUE(has(ask([&](api::Reply reply) { backend_->checkpoints({1, ""}, reply); }), R"("applied_through":)"));
  EXPECT_EQ(ask([&](api::Reply reply) { backend_->trigger_checkpoint(reply); }).status, 202);
  EXPECT_EQ(ask([&](api::Reply reply) { backend_->ready(reply); }).status, 200);
  EXPECT_EQ(ask([&](api::Reply reply) { backend_->health(reply); }).status, 200);
  backend_->set_draining();
  EXPECT_EQ(ask([&](api::Reply reply) { backend_->ready(reply); }).status, 503);
  std::promise<api::SubmitAnswer> refused;
  backend_->submit(std::make_shared<api::SubmitRequest>(), [&](api::SubmitAnswer answer) { refused.set_value(std::move(answer)); });
  EXPECT_EQ(refused.get_future().get().outcome, api::SubmitAnswer::Outcome::kUnavailable);
}

}  // namespace
}  // namespace service
