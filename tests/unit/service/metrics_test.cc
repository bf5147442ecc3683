// The text of /metrics: names, types, help, and numbers that follow what happened.
#include "service/metrics.h"

#include <gtest/gtest.h>

#include <sstream>

#include "tests/support/lane_fixture.h"

namespace service {
namespace {

class MetricsTest : public test_support::LaneFixture {
 protected:
  std::string render(const MetricsSample& sample = {}) { return metrics_.render(*lane_, sample); }
  static bool has_line(const std::string& text, const std::string& line) {
    return ("\n" + text).find("\n" + line + "\n") != std::string::npos;
  }
  Metrics metrics_{"1.2.3"};
};

TEST_F(MetricsTest, CountsWhatHappened) {
  open(2);
  deploy(*lane_, std::string(test_support::kPayments) + test_support::kProbeRule);
  submit(*lane_, payment("1", "a", "1.00", 0) + payment("1", "a", "1.00", 0));
  submit(*lane_, payment("1", "a", "1.00", 0) + "{}\n");
  submit(*lane_, payment("2", "a", "500.00", 5) + payment("3", "b", "1.00", 0));
  submit(*lane_, "{}\n", "made_up_by_a_client");
  lane_->settle(true);
  MetricsSample sample;
  sample.now_us = now_;
  SinkStatus sink;
  sink.name = "siem";
  sink.attempts[static_cast<size_t>(AttemptOutcome::kDelivered)] = 7;
  sink.pending = 2;
  sample.sinks.push_back(sink);
  KafkaPartitionStatus partition;
  partition.kafka = "bank";
  partition.topic = "pay";
  partition.partition = 2;
  partition.state = "reading";
  partition.next = 40;
  partition.end = 47;
  partition.newest_us = now_ - 3 * cep::kSecond;
  sample.kafka.push_back(partition);
  const std::string text = render(sample);
  EXPECT_TRUE(has_line(text, R"(weir_kafka_reading{kafka="bank",topic="pay",partition="2"} 1)")) << text;
  EXPECT_TRUE(has_line(text, R"(weir_kafka_lag_records{kafka="bank",topic="pay",partition="2"} 7)")) << text;
  EXPECT_TRUE(has_line(text, R"(weir_kafka_lag_seconds{kafka="bank",topic="pay",partition="2"} 3)")) << text;
  EXPECT_TRUE(has_line(text, R"(weir_kafka_state{kafka="bank",topic="pay",partition="2",state="reading"} 1)")) << text;
  EXPECT_TRUE(has_line(text, R"(weir_kafka_state{kafka="bank",topic="pay",partition="2",state="stopped"} 0)")) << text;
  EXPECT_TRUE(has_line(text, R"(weir_kafka_position_offset{kafka="bank",topic="pay",partition="2"} 40)")) << text;
  EXPECT_TRUE(has_line(text, R"(weir_kafka_end_offset{kafka="bank",topic="pay",partition="2"} 47)")) << text;
  EXPECT_EQ(text.find("weir_kafka_error"), std::string::npos) << text;
  EXPECT_TRUE(has_line(text, R"(weir_build_info{version="1.2.3"} 1)")) << text;
  EXPECT_TRUE(has_line(text, R"(weir_events_total{stream="payments"} 3)")) << text;
  EXPECT_TRUE(has_line(text, R"(weir_duplicate_total{stream="payments"} 2)")) << text;
  EXPECT_TRUE(has_line(text, R"(weir_rejected_total{stream="payments",code="not_null"} 1)")) << text;
  EXPECT_TRUE(has_line(text, R"(weir_rejected_total{stream="",code="unknown_stream"} 1)")) << text;
  EXPECT_TRUE(has_line(text, R"(weir_late_total{stream="payments"} 1)")) << text;
  EXPECT_TRUE(has_line(text, R"(weir_alerts_total{rule="probe_then_big",severity="high",mode="live"} 1)")) << text;
  EXPECT_TRUE(has_line(text, R"(weir_runs{rule="probe_then_big"} 0)")) << text;
  EXPECT_TRUE(has_line(text, R"(weir_event_to_alert_seconds_count 1)")) << text;
  EXPECT_TRUE(has_line(text, R"(weir_watermark_timestamp_seconds{timeline="payments"} 1767571205)")) << text;
  EXPECT_TRUE(has_line(text, R"(weir_delivery_attempts_total{sink="siem",outcome="delivered"} 7)")) << text;
  EXPECT_TRUE(has_line(text, R"(weir_delivery_pending{sink="siem"} 2)")) << text;
  EXPECT_EQ(text.find("made_up_by_a_client"), std::string::npos);
}

// A number that nobody knows is left out: 0 would say that nothing waits.
TEST_F(MetricsTest, SaysWhyAPartitionIsNotReadAndNotWhatIsUnknown) {
  open();
  MetricsSample sample;
  KafkaPartitionStatus partition;
  partition.kafka = "bank";
  partition.topic = "pay";
  partition.state = "stopped";
  partition.code = "topic_recreated";
  partition.next = 40;
  sample.kafka.push_back(partition);
  const std::string text = render(sample);
  EXPECT_TRUE(has_line(text, R"(weir_kafka_error{kafka="bank",topic="pay",partition="0",code="topic_recreated"} 1)")) << text;
  EXPECT_TRUE(has_line(text, R"(weir_kafka_state{kafka="bank",topic="pay",partition="0",state="stopped"} 1)")) << text;
  EXPECT_TRUE(has_line(text, R"(weir_kafka_reading{kafka="bank",topic="pay",partition="0"} 0)")) << text;
  EXPECT_TRUE(has_line(text, R"(weir_kafka_position_offset{kafka="bank",topic="pay",partition="0"} 40)")) << text;
  for (const char* const unknown : {"weir_kafka_end_offset", "weir_kafka_lag_records", "weir_kafka_lag_seconds"}) {
    EXPECT_EQ(text.find(unknown), std::string::npos) << unknown;
  }
}

TEST_F(MetricsTest, ObservesRequests) {
  open();
  metrics_.observe_request("/v1/rules/{name}", "PUT", 201, 0.004);
  metrics_.observe_request("/v1/rules/{name}", "PUT", 201, 0.3);
  const std::string text = render();
  EXPECT_TRUE(has_line(text, R"(weir_http_requests_total{code="201",method="PUT",route="/v1/rules/{name}"} 2)")) << text;
  EXPECT_TRUE(has_line(text, R"(weir_http_request_seconds_bucket{route="/v1/rules/{name}",le="0.005"} 1)")) << text;
}

// What promtool checks: each family has a help and a type before its series, counters end in _total, units are base units, and each
// histogram ends at +Inf with its count.
TEST_F(MetricsTest, IsWellFormed) {
  open(2);
  deploy(*lane_, std::string(test_support::kPayments) + test_support::kProbeRule);
  submit(*lane_, payment("1", "a", "1.00", 0) + payment("2", "a", "500.00", 5));
  lane_->settle(true);
  metrics_.observe_request("/livez", "GET", 200, 0.001);
  std::istringstream lines(render());
  std::string line, family, type;
  std::set<std::string> families;
  while (std::getline(lines, line)) {
    if (line.starts_with("# HELP ")) {
      family = line.substr(7, line.find(' ', 7) - 7);
      EXPECT_TRUE(families.insert(family).second) << family << " twice";
      EXPECT_GT(line.size(), 7 + family.size() + 5) << line;
      continue;
    }
    if (line.starts_with("# TYPE ")) {
      EXPECT_EQ(line.substr(7, family.size() + 1), family + " ");
      type = line.substr(8 + family.size());
      EXPECT_EQ(family.ends_with("_total"), type == "counter") << line;
      continue;
    }
    EXPECT_TRUE(line.starts_with(family)) << line;
    const size_t value = line.rfind(' ');
    ASSERT_NE(value, std::string::npos) << line;
    EXPECT_EQ(line.find_first_not_of("-+.0123456789eInf", value + 1), std::string::npos) << line;
    EXPECT_EQ(line.find('{') != std::string::npos, line[value - 1] == '}') << line;
    for (const char* const unit : {"millis", "_ms", "micros", "minutes"}) EXPECT_EQ(family.find(unit), std::string::npos) << family;
  }
  for (const char* const name :
       {"weir_keys", "weir_state_bytes", "weir_reorder_rows", "weir_log_flush_seconds", "weir_checkpoint_seconds",
        "weir_checkpoint_age_seconds",
        "weir_recovery_seconds", "weir_limit_hits_total", "weir_queue_depth", "weir_suppressed_total", "weir_http_request_seconds"}) {
    EXPECT_TRUE(families.contains(name)) << name;
  }
}

}  // namespace
}  // namespace service
