// Events from Kafka into a lane, against the library's own cluster in this process. What such a cluster cannot show (groups, retention,
// killed brokers) is tests/e2e/kafka_test.sh's to show with a real broker.
#include "service/kafka_source.h"

#include <gtest/gtest.h>

#include "tests/support/kafka_cluster.h"
#include "tests/support/lane_fixture.h"

namespace service {
namespace {

using test_support::kLaneStart;
using test_support::KafkaCluster;

constexpr const char* kKafkaStream =
    "create stream payments (id text, card text not null, amount decimal(12,2) not null, at timestamp not null)"
    " event time at delay 0 seconds, idle 1 hour, unique id;\n";
constexpr const char* kKafkaBig = "create rule big on payments when amount > 100 partition by card alert severity low;\n";

class KafkaSourceTest : public test_support::LaneFixture {
 protected:
  static std::string event(const std::string& id, const std::string& card, const char* amount, int second) {
    std::string line = payment(id, card, amount, second);
    line.pop_back();
    return line;
  }
  KafkaSpec spec(const KafkaCluster& cluster) const {
    KafkaSpec spec;
    spec.name = "bank";
    spec.client.brokers = cluster.brokers();
    spec.stream = "payments";
    spec.topics = {"pay"};
    return spec;
  }
  KafkaSpec moves_spec(const KafkaCluster& cluster) const {
    KafkaSpec moves = spec(cluster);
    moves.name = "moves";
    moves.stream = "moves";
    moves.topics = {"moves"};
    return moves;
  }
  std::unique_ptr<KafkaSources> start(const KafkaSpec& spec) { return start(std::vector<KafkaSpec>{spec}); }
  std::unique_ptr<KafkaSources> start(const std::vector<KafkaSpec>& specs) {
    auto sources = KafkaSources::start(specs, *lane_, [] {
      return std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::steady_clock::now().time_since_epoch()).count();
    }, log_);
    EXPECT_TRUE(sources.ok()) << (sources.ok() ? "" : sources.error().message);
    return sources.ok() ? std::move(*sources) : nullptr;
  }
  template <class Condition>
  static bool comes_true(Condition&& condition) {
    for (int i = 0; i < 1'500; ++i) {
      if (condition()) return true;
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    return false;
  }
  uint64_t next_of(int partition, const std::string& suffix = "") {
    for (const SourceNumbers& source : lane_->sources()) {
      if (source.name == "kafka:bank/pay/" + std::to_string(partition) + suffix) return source.place.next;
    }
    return 0;
  }
  static std::string code_of(const KafkaSources& sources, int partition) {
    for (const KafkaPartitionStatus& one : sources.status()) {
      if (one.partition == partition) return one.code;
    }
    return "";
  }
  static KafkaPartitionStatus status_of(const KafkaSources& sources, int partition, const std::string& topic = "pay") {
    for (const KafkaPartitionStatus& one : sources.status()) {
      if (one.topic == topic && one.partition == partition) return one;
    }
    return {};
  }
  void close_time() { submit(*lane_, "{\"$watermark\": \"2026-01-06T00:00:00Z\"}\n"); }

  ServiceLog log_{"error", false};
};

TEST_F(KafkaSourceTest, ReadsEveryPartitionOnceAndGoesOnAfterARestart) {
  KafkaCluster cluster;
  cluster.make_topic("pay", 3);
  open();
  deploy(*lane_, std::string(kKafkaStream) + kKafkaBig);
  for (int i = 0; i < 60; ++i) cluster.produce("pay", i % 3, event("e" + std::to_string(i), "a", "200.00", i), kLaneStart);
  auto sources = start(spec(cluster));
  EXPECT_TRUE(comes_true([&] { return next_of(0) == 20 && next_of(1) == 20 && next_of(2) == 20; }));
  sources->stop();
  close();
  for (int i = 60; i < 90; ++i) cluster.produce("pay", i % 3, event("e" + std::to_string(i), "a", "200.00", i), kLaneStart);
  open();
  sources = start(spec(cluster));
  EXPECT_TRUE(comes_true([&] { return next_of(0) == 30 && next_of(1) == 30 && next_of(2) == 30; }));
  for (const KafkaPartitionStatus& one : sources->status()) {
    EXPECT_EQ(one.records, 10u) << "only what is new was read";
    EXPECT_EQ(one.state, "reading");
  }
  close_time();
  EXPECT_EQ(alerts(*lane_).size(), 90u);
  EXPECT_EQ(lane_->sequencer().numbers().duplicates.load(), 0u) << "nothing was read twice";
  EXPECT_TRUE(comes_true([&] { return cluster.committed("weir-positions", "pay", 1) == 30; })) << "monitors are told";
  sources->stop();
}

TEST_F(KafkaSourceTest, WaitsForItsStreamAndItsTopic) {
  KafkaCluster cluster;
  cluster.make_topic("pay", 1);
  rd_kafka_mock_topic_set_error(cluster.cluster(), "pay", RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART);
  open();
  auto sources = start(spec(cluster));
  EXPECT_TRUE(comes_true([&] { return code_of(*sources, 0) == "topic_missing"; })) << code_of(*sources, 0);
  rd_kafka_mock_topic_set_error(cluster.cluster(), "pay", RD_KAFKA_RESP_ERR_NO_ERROR);
  cluster.produce("pay", 0, event("1", "a", "200.00", 0), kLaneStart);
  EXPECT_TRUE(comes_true([&] { return code_of(*sources, 0) == "unknown_stream"; })) << code_of(*sources, 0);
  deploy(*lane_, std::string(kKafkaStream) + kKafkaBig);
  EXPECT_TRUE(comes_true([&] { return next_of(0) == 1; }));
  EXPECT_EQ(code_of(*sources, 0), "");
  sources->stop();
}

TEST_F(KafkaSourceTest, WhatIsNoEventIsKeptAndTheNextOneIsRead) {
  KafkaCluster cluster;
  cluster.make_topic("pay", 1);
  open();
  deploy(*lane_, std::string(kKafkaStream) + kKafkaBig);
  cluster.produce("pay", 0, "garbage", kLaneStart);
  cluster.produce("pay", 0, std::nullopt, kLaneStart);
  cluster.produce("pay", 0, event("1", "a", "200.00", 0), kLaneStart);
  cluster.produce("pay", 0, "[1]", kLaneStart);
  auto sources = start(spec(cluster));
  EXPECT_TRUE(comes_true([&] { return next_of(0) == 4; }));
  EXPECT_EQ(alerts(*lane_).size(), 1u);
  auto kept = lane_->store().rejected().page({}, std::nullopt, 10);
  ASSERT_TRUE(kept.ok());
  ASSERT_EQ(kept->items.size(), 3u);
  std::set<std::string> messages;
  for (const state::StoredRejected& one : kept->items) messages.insert(one.event.message);
  EXPECT_TRUE(messages.contains("the record has no value (kafka:bank/pay/0, offset 1)"));
  sources->stop();
}

TEST_F(KafkaSourceTest, ReadsCloudEventsOfBothModes) {
  KafkaCluster cluster;
  cluster.make_topic("pay", 1);
  open();
  deploy(*lane_, std::string(kKafkaStream) + kKafkaBig);
  cluster.produce("pay", 0, R"({"card":"a","amount":200,"at":"2026-01-05T00:00:01Z"})", kLaneStart,
                  {{"ce_specversion", "1.0"}, {"ce_id", "x1"}, {"ce_type", "t"}});
  cluster.produce("pay", 0,
                  R"({"specversion":"1.0","type":"t","id":"x2","data":{"card":"b","amount":300,"at":"2026-01-05T00:00:02Z"}})", kLaneStart);
  cluster.produce("pay", 0, R"({"card":"c","amount":400,"at":"2026-01-05T00:00:03Z"})", kLaneStart);
  KafkaSpec cloud = spec(cluster);
  cloud.cloud_events = true;
  auto sources = start(cloud);
  EXPECT_TRUE(comes_true([&] { return next_of(0) == 3; }));
  EXPECT_EQ(alerts(*lane_).size(), 2u);
  EXPECT_EQ(lane_->sequencer().stream_numbers().at("payments").rejected, 1u) << "the last one is none";
  sources->stop();
}

TEST_F(KafkaSourceTest, ANewTopicBeginsWhereTheConfigurationSays) {
  KafkaCluster cluster;
  cluster.make_topic("pay", 2);
  open();
  deploy(*lane_, std::string(kKafkaStream) + kKafkaBig);
  for (int i = 0; i < 10; ++i) cluster.produce("pay", i % 2, event("e" + std::to_string(i), "a", "200.00", i), kLaneStart);
  KafkaSpec latest = spec(cluster);
  latest.from_latest = true;
  auto sources = start(latest);
  EXPECT_TRUE(comes_true([&] { return next_of(0) == 5 && next_of(1) == 5; })) << "both begin at the end";
  cluster.produce("pay", 0, event("new0", "a", "200.00", 11), kLaneStart);
  cluster.produce("pay", 1, event("new1", "a", "200.00", 11), kLaneStart);
  EXPECT_TRUE(comes_true([&] { return next_of(0) == 6 && next_of(1) == 6; }));
  close_time();
  EXPECT_EQ(alerts(*lane_).size(), 2u);
  sources->stop();
}

TEST_F(KafkaSourceTest, ATopicThatIsAnotherOneStopsOrIsReadFromItsBeginning) {
  open();
  deploy(*lane_, std::string(kKafkaStream) + kKafkaBig);
  int second_of_time = 0;
  for (const bool is_shorter : {true, false}) {
    auto first = std::make_unique<KafkaCluster>();
    KafkaSpec bank = spec(*first);
    bank.name = is_shorter ? "bank" : "other";
    first->make_topic("pay", 1);
    auto next = [&](const std::string& suffix) {
      uint64_t found = 0;
      for (const SourceNumbers& source : lane_->sources()) {
        if (source.name == "kafka:" + bank.name + "/pay/0" + suffix) found = source.place.next;
      }
      return found;
    };
    for (int i = 0; i < 5; ++i) first->produce("pay", 0, event(bank.name + std::to_string(i), "a", "200.00", second_of_time++), kLaneStart);
    auto sources = start(bank);
    EXPECT_TRUE(comes_true([&] { return next("") == 5; }));
    sources->stop();
    first.reset();
    KafkaCluster second;
    second.make_topic("pay", 1);
    const int records = is_shorter ? 3 : 9;
    for (int i = 0; i < records; ++i) {
      second.produce("pay", 0, event(bank.name + "b" + std::to_string(i), "b", "200.00", second_of_time++), kLaneStart + cep::kHour);
    }
    bank.client.brokers = second.brokers();
    sources = start(bank);
    EXPECT_TRUE(comes_true([&] { return code_of(*sources, 0) == "topic_recreated"; })) << code_of(*sources, 0);
    EXPECT_EQ(sources->status()[0].state, "stopped");
    EXPECT_EQ(next(""), 5u) << "nothing of it was taken";
    sources->stop();
    bank.skips_lost = true;
    sources = start(bank);
    EXPECT_TRUE(comes_true([&] { return next("#2") == static_cast<uint64_t>(records); }));
    sources->stop();
    sources = start(bank);
    second.produce("pay", 0, event(bank.name + "last", "b", "200.00", second_of_time++), kLaneStart + cep::kHour);
    EXPECT_TRUE(comes_true([&] { return next("#2") == static_cast<uint64_t>(records) + 1; })) << "the other topic goes on after a restart";
    sources->stop();
  }
  close_time();
  EXPECT_EQ(alerts(*lane_).size(), 5u + 4u + 5u + 10u);
}

// A second stream that a rule reads together with the first, so that both have one time.
constexpr const char* kKafkaMoves =
    "create stream moves (id text, card text not null, amount decimal(12,2) not null, at timestamp not null)"
    " event time at delay 0 seconds, idle 1 hour, unique id;\n"
    "create rule pair on payments, moves partition by payments.card, moves.card pattern move -> payment within 1 hour"
    " define move as moves where amount > 100, payment as payments where amount > 100 alert severity high;\n";

TEST_F(KafkaSourceTest, TimeWaitsForATopicThatCannotBeReadYet) {
  KafkaCluster cluster;
  cluster.make_topic("pay", 2);
  cluster.make_topic("moves", 1);
  rd_kafka_mock_topic_set_error(cluster.cluster(), "moves", RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART);
  open();
  deploy(*lane_, std::string(kKafkaStream) + kKafkaMoves);
  auto sources = start({spec(cluster), moves_spec(cluster)});
  for (int i = 0; i < 10; ++i) cluster.produce("pay", i % 2, event("p" + std::to_string(i), "a", "200.00", 10 + i), kLaneStart);
  EXPECT_TRUE(comes_true([&] { return next_of(0) == 5 && next_of(1) == 5; })) << "it is read";
  EXPECT_EQ(status_of(*sources, 0, "moves").code, "topic_missing");
  EXPECT_EQ(status_of(*sources, 0, "moves").next, std::nullopt);
  rd_kafka_mock_topic_set_error(cluster.cluster(), "moves", RD_KAFKA_RESP_ERR_NO_ERROR);
  cluster.produce("moves", 0, event("m", "a", "200.00", 5), kLaneStart);
  EXPECT_TRUE(comes_true([&] { return status_of(*sources, 0, "moves").next == 1; })) << status_of(*sources, 0, "moves").code;
  close_time();
  EXPECT_EQ(lane_->sequencer().numbers().late.load(), 0u) << "it was waited for";
  EXPECT_EQ(alerts(*lane_).size(), 1u);
  sources->stop();
}

TEST_F(KafkaSourceTest, TimeWaitsForAPartitionThatCannotBeAsked) {
  KafkaCluster cluster;
  cluster.make_topic("pay", 2);
  rd_kafka_mock_partition_set_leader(cluster.cluster(), "pay", 1, -1);
  open();
  deploy(*lane_, std::string(kKafkaStream) + kKafkaBig);
  for (int i = 0; i < 5; ++i) cluster.produce("pay", 0, event("p" + std::to_string(i), "a", "200.00", 10 + i), kLaneStart);
  auto sources = start(spec(cluster));
  EXPECT_TRUE(comes_true([&] { return next_of(0) == 5; }));
  EXPECT_TRUE(alerts(*lane_).empty()) << "partition 1 may bring something earlier";
  EXPECT_EQ(status_of(*sources, 1).state, "connecting");
  sources->stop();
  close();
  open();
  EXPECT_EQ(next_of(1), kNotPlaced) << "the log knows that it is waited for";
  rd_kafka_mock_partition_set_leader(cluster.cluster(), "pay", 1, 1);
  cluster.produce("pay", 1, event("early", "b", "200.00", 1), kLaneStart);
  sources = start(spec(cluster));
  EXPECT_TRUE(comes_true([&] { return next_of(1) == 1; }));
  sources->stop();
  lane_ = open_at(crash_image("crash"), 1);
  EXPECT_EQ(next_of(1), 1u) << "and where it was placed";
  close_time();
  EXPECT_EQ(lane_->sequencer().numbers().late.load(), 0u);
  EXPECT_EQ(alerts(*lane_).size(), 6u);
}

TEST_F(KafkaSourceTest, ShowsPositionLagAndWhetherTimeWaits) {
  auto cluster = std::make_unique<KafkaCluster>();
  cluster->make_topic("pay", 1);
  open();
  deploy(*lane_, std::string(kKafkaStream) + kKafkaBig);
  for (int i = 0; i < 3; ++i) cluster->produce("pay", 0, event("e" + std::to_string(i), "a", "200.00", i), kLaneStart);
  auto sources = start(spec(*cluster));
  EXPECT_TRUE(comes_true([&] { return status_of(*sources, 0).next == 3 && status_of(*sources, 0).lag() == 0; }));
  EXPECT_EQ(status_of(*sources, 0).state, "reading");
  EXPECT_EQ(status_of(*sources, 0).newest_us, kLaneStart + 2 * cep::kSecond);
  for (int i = 0; i < 200 && status_of(*sources, 0).state != "idle"; ++i) {
    now_ += cep::kHour;
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  }
  EXPECT_EQ(status_of(*sources, 0).state, "idle");
  EXPECT_TRUE(status_of(*sources, 0).is_read());
  cluster->produce("pay", 0, event("e3", "a", "200.00", 9), kLaneStart);
  EXPECT_TRUE(comes_true([&] { return status_of(*sources, 0).next == 4; }));
  EXPECT_TRUE(comes_true([&] { return status_of(*sources, 0).state == "reading"; })) << "it has spoken";
  sources->stop();
  KafkaSpec unreachable = spec(*cluster);
  cluster.reset();
  sources = start(unreachable);
  EXPECT_EQ(status_of(*sources, 0).next, 4u) << "the log knows";
  EXPECT_TRUE(comes_true([&] { return code_of(*sources, 0) == "unreachable"; }));
  EXPECT_EQ(status_of(*sources, 0).state, "connecting");
  EXPECT_EQ(status_of(*sources, 0).lag(), std::nullopt) << "nobody could say";
  sources->stop();
}

TEST_F(KafkaSourceTest, WhatRetentionTookStopsThePartitionOrIsCounted) {
  KafkaCluster cluster;
  cluster.make_topic("pay", 1);
  open();
  deploy(*lane_, std::string(kKafkaStream) + kKafkaBig);
  cluster.produce("pay", 0, event("first", "a", "200.00", 0), kLaneStart);
  auto sources = start(spec(cluster));
  EXPECT_TRUE(comes_true([&] { return next_of(0) == 1; }));
  sources->stop();
  const std::string large(900'000, 'x');      // the library's brokers keep five megabytes
  for (int i = 0; i < 9; ++i) cluster.produce("pay", 0, large, kLaneStart);
  sources = start(spec(cluster));
  EXPECT_TRUE(comes_true([&] { return code_of(*sources, 0) == "retention_passed"; })) << code_of(*sources, 0);
  const KafkaPartitionStatus stopped = status_of(*sources, 0);
  EXPECT_EQ(stopped.state, "stopped");
  EXPECT_NE(stopped.error.find("topic pay, partition 0 goes on at offset 1, but the oldest record that is left is "), std::string::npos)
      << stopped.error;
  EXPECT_EQ(stopped.next, 1u);
  EXPECT_EQ(stopped.lag(), 9u);
  sources->stop();
  KafkaSpec skips = spec(cluster);
  skips.skips_lost = true;
  sources = start(skips);
  EXPECT_TRUE(comes_true([&] { return next_of(0) == 10; }));
  EXPECT_GT(status_of(*sources, 0).skipped, 0u);
  EXPECT_EQ(status_of(*sources, 0).skipped + status_of(*sources, 0).records, 9u) << "nothing is left out in silence";
  sources->stop();
}

TEST_F(KafkaSourceTest, ATopicThatVanishesIsWaitedForOrLetGo) {
  KafkaCluster cluster;
  cluster.make_topic("pay", 1);
  cluster.make_topic("moves", 1);
  open();
  deploy(*lane_, std::string(kKafkaStream) + kKafkaMoves);
  KafkaSpec moves = moves_spec(cluster);
  auto sources = start({spec(cluster), moves});
  EXPECT_TRUE(comes_true([&] { return status_of(*sources, 0).is_read() && status_of(*sources, 0, "moves").is_read(); }));
  sources.reset();
  rd_kafka_mock_topic_set_error(cluster.cluster(), "moves", RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART);
  sources = start({spec(cluster), moves});
  const auto is_missed = [&] { return status_of(*sources, 0, "moves").error.find("it was there and is no more") != std::string::npos; };
  EXPECT_TRUE(comes_true(is_missed)) << status_of(*sources, 0, "moves").error;
  EXPECT_EQ(status_of(*sources, 0, "moves").code, "topic_missing");
  EXPECT_EQ(status_of(*sources, 0, "moves").state, "connecting");
  const auto is_at_end = [&] {
    for (const SourceNumbers& source : lane_->sources()) {
      if (source.name == "kafka:moves/moves/0") return source.is_at_end;
    }
    return false;
  };
  EXPECT_FALSE(is_at_end()) << "time waits for it";
  sources->stop();
  moves.skips_lost = true;
  sources = start({spec(cluster), moves});
  EXPECT_TRUE(comes_true(is_at_end)) << "nothing more is expected of it";
  rd_kafka_mock_topic_set_error(cluster.cluster(), "moves", RD_KAFKA_RESP_ERR_NO_ERROR);
  EXPECT_TRUE(comes_true([&] { return status_of(*sources, 0, "moves").is_read(); })) << "it is read on when it comes back";
  sources->stop();
}

TEST_F(KafkaSourceTest, PropertiesThatThePromisesStandOnAndSecretsAreRefused) {
  auto code = [](const std::string& name, const std::string& value) {
    cep::Status status = check_kafka_properties({{name, value}});
    return status.ok() ? std::string("ok") : status.error().message;
  };
  EXPECT_EQ(code("security.protocol", "sasl_ssl"), "ok");
  EXPECT_EQ(code("enable.auto.commit", "true"), "properties: `enable.auto.commit` is set by Weir and cannot be given");
  EXPECT_NE(code("sasl.password", "x").find("password_file"), std::string::npos);
  EXPECT_NE(code("secruity.protocol", "ssl").find("is no property of librdkafka"), std::string::npos);
  EXPECT_NE(code("fetch.min.bytes", "many").find("has a value"), std::string::npos);
}

}  // namespace
}  // namespace service
