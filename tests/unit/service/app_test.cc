// A whole server in this process: it serves what it was started with, refuses what it must, and forgets nothing at
// stop.
#include "service/app.h"

#include <gtest/gtest.h>

#include <chrono>
#include <thread>

#include "service/api_client.h"
#include "service/client_output.h"
#include "service/rule_files.h"
#include "tests/support/kafka_cluster.h"
#include "tests/support/scratch_dir.h"

namespace service {
namespace {

constexpr const char* kRules =
    "create stream payments (card text not null, amount decimal(12,2) not null, at timestamp not null)\n"
    "    event time at delay 0 seconds;\n"
    "create rule two_large on payments partition by card\n"
    "    pattern a -> b within 1 hour define a as amount > 100.00, b as amount > 100.00\n"
    "    alert severity high message '{card}';\n";

class AppTest : public ::testing::Test {
 protected:
  void SetUp() override {
    options_.data = dir_ / "data";
    options_.shards = 2;
    options_.http.port = 0;
    rules_ = dir_ / "rules.weir";
    ASSERT_TRUE(write_whole_file(rules_, kRules).ok());
  }
  cep::Result<std::unique_ptr<App>> start() { return App::start(options_, log_); }
  std::string get(const App& app, const std::string& path) { return ask(app, {"GET", path, "", {}}); }
  std::string ask(const App& app, const ApiRequest& request) {
    auto client = ApiClient::create("http://127.0.0.1:" + std::to_string(app.port()));
    EXPECT_TRUE(client.ok());
    const auto answer = (*client)->send(request);
    EXPECT_TRUE(answer.ok()) << answer.error().message;
    EXPECT_TRUE(answer.ok() && answer->ok()) << request.path << ": " << answer->status << " " << answer->body;
    return answer.ok() ? answer->body : "";
  }
  std::string send(const App& app, const std::string& lines) {
    return ask(app, {"POST", "/v1/streams/payments/events", lines, {{"Content-Type", "application/x-ndjson"}}});
  }

  support::ScratchDir dir_;
  ServeOptions options_;
  ServiceLog log_{"error", false};
  std::string rules_;
};

TEST_F(AppTest, ServesRulesOfTheDirectoryAndKeepsHalfAMatchAcrossARestart) {
  options_.rules = {rules_};
  std::string before;
  {
    auto app = start();
    ASSERT_TRUE(app.ok()) << app.error().message;
    EXPECT_NE(send(**app, R"({"card":"c1","amount":200,"at":"2026-01-05T10:00:00Z"})").find("\"accepted\":1"),
              std::string::npos);
    before = get(**app, "/v1/matches?rule=two_large&key=c1");
    EXPECT_NE(before.find("\"started\""), std::string::npos) << before;
    (*app)->stop();
  }
  auto app = start();
  ASSERT_TRUE(app.ok()) << app.error().message;
  EXPECT_EQ(get(**app, "/v1/matches?rule=two_large&key=c1"), before);
  send(**app, R"({"card":"c1","amount":300,"at":"2026-01-05T10:30:00Z"})");
  // The answer came after the flush; the alert becomes visible a moment later, so the stream is read from its
  // beginning.
  auto client = ApiClient::create("http://127.0.0.1:" + std::to_string((*app)->port()));
  ASSERT_TRUE(client.ok());
  SseReader reader;
  std::string message;
  const auto answer = (*client)->stream({"GET", "/v1/alerts/stream?after=0:0", "", {}}, [&](std::string_view piece) {
    reader.feed(piece, [&](const SseReader::Event& event) { message = json_text(json_member(event.data, "message")); });
    return message.empty();
  });
  EXPECT_TRUE(answer.ok());
  EXPECT_EQ(message, "c1");
}

TEST_F(AppTest, BadRulesStopTheStartWithTheirDiagnostics) {
  ASSERT_TRUE(write_whole_file(rules_, "create rule x on nowhere when true alert severity low;").ok());
  options_.rules = {rules_};
  const auto app = start();
  ASSERT_FALSE(app.ok());
  EXPECT_EQ(app.error().code, "bad_rules");
  EXPECT_NE(app.error().message.find("rules.weir:1:"), std::string::npos) << app.error().message;
}

TEST_F(AppTest, ASecondProcessAndAStrangersDirectoryAreRefused) {
  auto first = start();
  ASSERT_TRUE(first.ok()) << first.error().message;
  const auto second = start();
  ASSERT_FALSE(second.ok());
  EXPECT_EQ(second.error().code, "locked");
  options_.data = dir_.make("strangers");
  ASSERT_TRUE(write_whole_file(options_.data + "/diary.txt", "mine").ok());
  const auto third = start();
  ASSERT_FALSE(third.ok());
  EXPECT_EQ(third.error().code, "foreign_data");
}

TEST_F(AppTest, ATakenPortIsAnErrorOfTheUser) {
  auto first = start();
  ASSERT_TRUE(first.ok()) << first.error().message;
  options_.data = dir_ / "other";
  options_.http.port = (*first)->port();
  const auto second = start();
  ASSERT_FALSE(second.ok());
  EXPECT_EQ(second.error().code, "cannot_listen");
}

TEST_F(AppTest, ShowsThePartitionsThatItReadsAndTheRecordsThatAreNoEvents) {
  test_support::KafkaCluster cluster;
  cluster.make_topic("pay", 2);
  constexpr cep::TimeUs kProduced = 1'767'607'200'000'000;      // 2026-01-05T10:00:00Z
  cluster.produce("pay", 1, R"({"card":"c1","amount":1,"at":"2026-01-05T10:00:00Z"})", kProduced);
  cluster.produce("pay", 1, "garbage", kProduced);
  cluster.produce("pay", 1, R"({"card":"c1","amount":"much","at":"2026-01-05T10:00:00Z"})", kProduced);
  options_.rules = {rules_};
  KafkaSpec spec;
  spec.name = "bank";
  spec.client.brokers = cluster.brokers();
  spec.stream = "payments";
  spec.topics = {"pay"};
  options_.kafka = {spec};
  auto app = start();
  ASSERT_TRUE(app.ok()) << app.error().message;
  const auto expect = [&](const std::string& path, const std::string& text) {
    std::string said;
    for (int i = 0; i < 1'000 && said.find(text) == std::string::npos; ++i) {
      if (i > 0) std::this_thread::sleep_for(std::chrono::milliseconds(10));
      said = get(**app, path);
    }
    EXPECT_NE(said.find(text), std::string::npos) << path << " does not say " << text << " but " << said;
  };
  expect("/v1/streams/payments", R"("topic":"pay","partition":1,"state":"reading","next":3,"end":3,"lag_records":0)");
  expect("/v1/streams", R"("newest":"2026-01-05T10:00:00.000Z")");
  expect("/metrics", R"(weir_kafka_state{kafka="bank",topic="pay",partition="1",state="reading"} 1)");
  expect("/metrics", R"(weir_kafka_position_offset{kafka="bank",topic="pay",partition="1"} 3)");
  expect("/metrics", R"(weir_kafka_lag_records{kafka="bank",topic="pay",partition="1"} 0)");
  expect("/v1/rejected?stream=payments&code=bad_json", "(kafka:bank/pay/1, offset 1)");
  expect("/v1/rejected?stream=payments&code=bad_json", R"("raw":"garbage")");
  expect("/v1/rejected?stream=payments&code=wrong_type", "(kafka:bank/pay/1, offset 2)");
}

TEST_F(AppTest, StopsTwiceAndRestartsEmpty) {
  auto app = start();
  ASSERT_TRUE(app.ok()) << app.error().message;
  (*app)->reload();
  (*app)->stop();
  (*app)->stop();
  app = cep::Error{"gone", "destroyed"};
  app = start();
  ASSERT_TRUE(app.ok()) << app.error().message;
  EXPECT_NE(get(**app, "/readyz").find("{"), std::string::npos);
}

}  // namespace
}  // namespace service
