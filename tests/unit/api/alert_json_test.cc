// Alerts, match state, problems, events of a stream: their exact bytes.
#include "api/alert_json.h"

#include <gtest/gtest.h>

#include <limits>

#include "api/problem.h"
#include "api/sse.h"

namespace {

cep::SchemaPtr make_schema() {
  auto schema = std::make_shared<cep::StreamSchema>();
  schema->name = "tx";
  auto add = [&](std::string name, cep::Type type) {
    cep::Column column;
    column.name = std::move(name);
    column.type = type;
    schema->columns.push_back(column);
  };
  add("at", {cep::TypeKind::kTimestamp});
  add("card", {cep::TypeKind::kText});
  add("amount", {cep::TypeKind::kDecimal, 12, 2});
  add("n", {cep::TypeKind::kInt});
  add("f", {cep::TypeKind::kFloat});
  return schema;
}

constexpr cep::TimeUs kTime = 1767571200000000;

cep::AlertEvent make_event(const cep::SchemaPtr& schema) {
  cep::BatchBuilder builder(schema, 0, 0);
  builder.begin_row();
  builder.set_fixed(0, kTime);
  builder.set_text(1, "c\"1");
  builder.set_fixed(2, 1250);
  builder.set_real(4, 0.1);
  builder.commit_row(7);
  const auto batch = builder.finish();
  cep::AlertEvent event;
  event.schema = schema;
  auto packed = std::make_shared<uint64_t[]>(cep::packed_size(*batch, 0) / 8);
  cep::pack_row(*batch, 0, reinterpret_cast<uint8_t*>(packed.get()));
  event.packed = std::move(packed);
  return event;
}

cep::ProgramPtr make_program(bool is_when, cep::Decision decision = cep::Decision::kBlock) {
  auto program = std::make_shared<cep::Program>();
  program->rule = "card_testing";
  program->is_when = is_when;
  program->key = {{"card", {cep::TypeKind::kText}}};
  program->variables.resize(1);
  program->variables[0].name = is_when ? "event" : "probe";
  program->measures = {{"probes", cep::kNoExpr}, {"sum", cep::kNoExpr}};
  program->alert.severity = cep::Severity::kHigh;
  program->alert.decision = decision;
  program->alert.tags = {"a", "b"};
  return program;
}

cep::Alert make_alert(bool is_when) {
  cep::Alert alert;
  alert.id = {0x01, 0x9a, 0xa8};
  alert.program = make_program(is_when);
  alert.version = 3;
  alert.time = kTime + 120'000;
  alert.key = {cep::OwnedValue(cep::Value::string("c\"1"))};
  alert.score = 80;
  alert.message = "card c\"1: 3 probes";
  alert.measures = {cep::OwnedValue(cep::Value::integer(3)), cep::OwnedValue(cep::Value::decimal(91200, 2))};
  alert.events = {make_event(make_schema())};
  alert.suppressed = 2;
  return alert;
}

const std::string kEvent = R"({"at":"2026-01-05T00:00:00.000Z","card":"c\"1","amount":"12.50","n":null,"f":0.1})";

TEST(AlertJson, WritesAnAlert) {
  EXPECT_EQ(
      api::alert_json(make_alert(false)),
      R"({"id":"019aa800000000000000000000000000","type":"alert","rule":"card_testing","version":3,)"
      R"("time":"2026-01-05T00:00:00.120Z","key":{"card":"c\"1"},"severity":"high","score":80,"decision":"block",)"
      R"("tags":["a","b"],"message":"card c\"1: 3 probes","measures":{"probes":3,"sum":"912.00"},)"
      R"("events":[{"var":"probe","event":)" +
          kEvent + R"(}],"suppressed":2,"mode":"live","truncated":[]})");
}

// An event from before `keep raw`, or from CSV, has its declared columns only.
TEST(AlertJson, WritesWholeEventsWhereTheStreamKeepsThem) {
  auto schema = std::make_shared<cep::StreamSchema>(*make_schema());
  schema->raw_column = 5;
  schema->columns.push_back({std::string(cep::kRawColumn), {cep::TypeKind::kText}, false, ""});
  cep::BatchBuilder builder(schema, 0, 0);
  const std::string raw = R"({"card":"c","more":[1]})";
  for (const bool kept : {true, false}) {
    builder.begin_row();
    builder.set_fixed(0, kTime);
    if (kept) builder.set_text(5, raw);
    builder.commit_row(7);
  }
  const auto batch = builder.finish();
  for (uint32_t row : {0u, 1u}) {
    cep::AlertEvent event;
    event.schema = schema;
    auto packed = std::make_shared_for_overwrite<uint64_t[]>(cep::packed_size(*batch, row) / 8);
    cep::pack_row(*batch, row, reinterpret_cast<uint8_t*>(packed.get()));
    event.packed = std::move(packed);
    cep::Alert alert = make_alert(false);
    alert.events = {event};
    const std::string declared = R"({"at":"2026-01-05T00:00:00.000Z","card":null,"amount":null,"n":null,"f":null})";
    EXPECT_NE(api::alert_json(alert).find("\"event\":" + (row == 0 ? raw : declared) + "}]"), std::string::npos) << api::alert_json(alert);
  }
}

TEST(AlertJson, LeavesOutWhatARuleDoesNotSay) {
  cep::Alert alert = make_alert(false);
  alert.program = make_program(false, cep::Decision::kNone);
  alert.score = -1;
  alert.mode = cep::AlertMode::kShadow;
  alert.truncated = {true, true, true, false};
  const std::string json = api::alert_json(alert);
  EXPECT_EQ(json.find("score"), std::string::npos);
  EXPECT_EQ(json.find("decision"), std::string::npos);
  EXPECT_EQ(json.find("evidence"), std::string::npos);
  EXPECT_NE(json.find(R"("mode":"shadow","truncated":["events","matches","runs"]})"), std::string::npos);
}

TEST(AlertJson, WritesEvidenceOfWhenRules) {
  cep::Alert alert = make_alert(true);
  alert.evidence = {
      {"count(*) over (last 1 hour)", cep::OwnedValue(cep::Value::integer(2)), {{kTime, {}}, {kTime + 1, {}}}}};
  EXPECT_NE(api::alert_json(alert).find(R"("events":[{"var":"event","event":)" + kEvent +
                                        R"j(}],"evidence":[{"text":"count(*) over (last 1 hour)","value":2,)j"
                                        R"("rows":[{"time":"2026-01-05T00:00:00.000Z","value":null},)"
                                        R"({"time":"2026-01-05T00:00:00.000001Z","value":null}]}],)"),
            std::string::npos);
}

TEST(AlertJson, WritesValues) {
  auto shown = [](const cep::Value& value) {
    std::string out;
    api::JsonWriter json(out);
    api::append_value(value, json);
    return out;
  };
  EXPECT_EQ(shown(cep::Value::integer(9007199254740992)), "9007199254740992");
  EXPECT_EQ(shown(cep::Value::integer(9007199254740993)), "\"9007199254740993\"");
  EXPECT_EQ(shown(cep::Value::integer(-9007199254740993)), "\"-9007199254740993\"");
  EXPECT_EQ(shown(cep::Value::floating(0.1)), "0.1");
  EXPECT_EQ(shown(cep::Value::floating(std::numeric_limits<double>::infinity())), "null");
  EXPECT_EQ(shown(cep::Value::decimal(-5, 2)), "\"-0.05\"");
  EXPECT_EQ(shown(cep::Value::duration(90 * cep::kMinute)), "\"PT1H30M\"");
  EXPECT_EQ(shown(cep::Value::boolean(true)), "true");
  EXPECT_EQ(shown(cep::Value::null()), "null");
}

TEST(AlertJson, WrapsAnAlertForAWebhook) {
  EXPECT_EQ(api::webhook_body("{\"id\":1}", kTime),
            R"({"type":"alert.fired","timestamp":"2026-01-05T00:00:00.000Z","data":{"id":1}})");
}

TEST(AlertJson, WritesMatchState) {
  cep::MatchState state;
  state.key = {cep::OwnedValue(cep::Value::string("c1"))};
  EXPECT_EQ(
      api::match_state_json(*make_program(false), 2, cep::RuleMode::kLive, state),
      R"({"rule":"card_testing","version":2,"mode":"live","key":{"card":"c1"},"watermark":null,"runs":[],"windows":[],)"
      R"("suppress":{"until":null,"folded":0},"truncated":[]})");
  state.watermark = kTime;
  cep::MatchState::Run run;
  run.state = 2;
  run.started = kTime;
  run.bound = {{0, 3, {make_event(make_schema())}}};
  run.awaits = {{"cashout", cep::Link::kRelaxed, cep::kTimeMin, kTime + cep::kMinute}};
  run.guards = {"not confirm"};
  state.runs = {run};
  state.more = true;
  state.runs_live = 4;
  state.windows = {{"sum(amount) over (last 1 hour)", cep::OwnedValue(cep::Value::decimal(100, 2)), kTime}};
  EXPECT_EQ(api::match_state_json(*make_program(false), 2, cep::RuleMode::kPaused, state),
            R"({"rule":"card_testing","version":2,"mode":"paused","key":{"card":"c1"},)"
            R"("watermark":"2026-01-05T00:00:00.000Z",)"
            R"("runs":[{"state":2,"started":"2026-01-05T00:00:00.000Z","expires":null,)"
            R"("bound":[{"var":"probe","count":3,"events":[)" +
                kEvent +
                R"(]}],"awaits":[{"var":"cashout","link":"skip","from":null,"until":"2026-01-05T00:01:00.000Z"}],)"
                R"("guards":["not confirm"],"deadline":null}],"more":true,"runs_live":4,)"
                R"j("windows":[{"text":"sum(amount) over (last 1 hour)",)j"
                R"("value":"1.00","partial_since":"2026-01-05T00:00:00.000Z"}],)"
                R"("suppress":{"until":null,"folded":0},"truncated":[]})");
  state.runs.clear();
  state.windows.clear();
  state.more = false;
  state.episode = {kTime, kTime + cep::kMinute, kTime + cep::kHour, 4, {{0, 2, {make_event(make_schema())}}}};
  EXPECT_NE(api::match_state_json(*make_program(false), 2, cep::RuleMode::kLive, state)
                .find(R"("episode":{"started":"2026-01-05T00:00:00.000Z","last":"2026-01-05T00:01:00.000Z",)"
                      R"("ends":"2026-01-05T01:00:00.000Z","suppressed":4,"bound":[{"var":"probe","count":2,"events":[)" +
                      std::string(kEvent) + R"(]}]},"truncated":[]})"),
            std::string::npos);
  cep::MatchSummary summary;
  summary.states = {{1, 5, 3}};
  summary.hottest = {{{cep::OwnedValue(cep::Value::string("c1"))}, 4, 900}};
  EXPECT_EQ(api::match_summary_json(*make_program(false), 2, cep::RuleMode::kLive, summary),
            R"({"rule":"card_testing","version":2,"mode":"live","states":[{"state":1,"runs":5,"keys":3}],)"
            R"("hottest":[{"key":{"card":"c1"},"runs":4,"bytes":900}]})");
}

TEST(JsonWriter, EscapesAndRepairs) {
  std::string out = "kept:";
  api::JsonWriter json(out);
  json.begin_array().string("a\"\\\n\x01\x7f\xc3\xa9").string("\xff\xed\xa0\x80x").end_array();
  EXPECT_EQ(out, "kept:[\"a\\\"\\\\\\n\\u0001\\u007f\xc3\xa9\",\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbdx\"]");
  EXPECT_TRUE(json.replaced());
}

TEST(Problem, HasTheShapeOfRfc9457) {
  api::Problem problem;
  problem.name = "invalid";
  problem.detail = "Two errors.";
  problem.code = "bad_rule";
  problem.instance = "/v1/rules/r";
  problem.extra = "\"diagnostics\":[]";
  const api::Answer answer = api::problem_answer(problem);
  EXPECT_EQ(answer.status, 422);
  EXPECT_EQ(answer.content_type, "application/problem+json");
  EXPECT_EQ(answer.body,
            R"({"type":"/problems/invalid","title":"The content is wrong","status":422,"detail":"Two errors.",)"
            R"("code":"bad_rule","instance":"/v1/rules/r","diagnostics":[]})");
  EXPECT_EQ(api::not_there("X").status, 501);
  EXPECT_NE(api::problem_answer("not-found", "").body.find(R"("code":"not_found")"), std::string::npos);
}

TEST(Sse, FormatsEventsAndCursors) {
  std::string out;
  api::append_sse_event("0:1", "alert", "a\nb\r\nc", out);
  api::append_sse_event("", "gap", "", out);
  api::append_sse_comment("x", out);
  EXPECT_EQ(out, "id: 0:1\nevent: alert\ndata: a\ndata: b\ndata: c\n\nevent: gap\ndata: \n\n: x\n\n");
  EXPECT_EQ(api::format_cursor({3, 18446744073709551615u}), "3:18446744073709551615");
  EXPECT_EQ(api::parse_cursor("3:42")->sequence, 42u);
  for (const char* bad :
       {"", ":", "1:", ":1", "1", "1:2:3", "1:x", "-1:2", "1:18446744073709551616", " 1:2", "4294967296:1"}) {
    EXPECT_FALSE(api::parse_cursor(bad)) << bad;
  }
}

}  // namespace
