// Alerts out to Kafka, against the library's own cluster in this process: order, keys, headers, the cursor, and what failures do to them.
#include "service/sink_kafka.h"

#include <gtest/gtest.h>

#include "service/app.h"
#include "tests/support/delivery_fakes.h"
#include "tests/support/kafka_cluster.h"

namespace service {
namespace {

using test_support::FakeDeliveryStore;
using test_support::KafkaCluster;

// The store outlives the sinks of a test, as the disk does; several threads never use it at once here.
class SharedStore final : public DeliveryStore {
 public:
  explicit SharedStore(FakeDeliveryStore& store) : store_(store) {}
  cep::Result<AlertPage> read_alerts(uint64_t from, size_t limit) override { return store_.read_alerts(from, limit); }
  cep::Result<uint64_t> last_sequence() override { return store_.last_sequence(); }
  cep::Result<SinkProgress> load(SinkId sink) override { return store_.load(sink); }
  cep::Result<std::vector<ParkedEntry>> read_parked(SinkId sink, const std::optional<ParkedEntry>& after, size_t limit) override {
    return store_.read_parked(sink, after, limit);
  }
  cep::Status commit(const DeliveryChange& change) override { return store_.commit(change); }

 private:
  FakeDeliveryStore& store_;
};

class SinkKafkaTest : public ::testing::Test {
 protected:
  SinkKafkaTest() { cluster_.make_topic("alerts", 1); }
  static constexpr SinkId kSink{7};
  std::unique_ptr<KafkaSink> open(const std::vector<std::string>& rules = {}) {
    Sink sink;
    sink.name = "out";
    sink.topic = "alerts";
    sink.kafka.brokers = cluster_.brokers();
    sink.rules = rules;
    auto opened = KafkaSink::open(kSink, sink, std::make_unique<SharedStore>(store_), wall_clock_us,
                                  [this](const DeliveryEvent& event) { events_.emplace_back(event.name); }, nullptr);
    EXPECT_TRUE(opened.ok()) << (opened.ok() ? "" : opened.error().message);
    return opened.ok() ? std::move(*opened) : nullptr;
  }
  void add(int number, const std::string& rule = "r", const std::string& filling = "") {
    OutgoingAlert alert;
    alert.rule = rule;
    alert.json = R"({"id":"x","rule":"r","version":3,"key":{"card":"c)" + std::to_string(number % 3) + R"("},"n":)" +
                 std::to_string(number) + R"(,"filling":")" + filling + R"("})";
    store_.add_alert(std::move(alert));
  }
  static bool delivers(const KafkaSink& sink, uint64_t cursor) {
    for (int i = 0; i < 1'500 && sink.status().cursor < cursor; ++i) std::this_thread::sleep_for(std::chrono::milliseconds(10));
    return sink.status().cursor == cursor;
  }
  std::vector<std::string> values() const {
    std::vector<std::string> all;
    for (const KafkaCluster::Record& record : cluster_.read("alerts", 0)) {
      const size_t begin = record.value.find("\"n\":") + 4;
      all.push_back(record.value.substr(begin, record.value.find(',', begin) - begin));
    }
    return all;
  }

  KafkaCluster cluster_;
  FakeDeliveryStore store_;
  std::vector<std::string> events_;      // of the sink's thread: read when it has stopped
};

TEST(KafkaPartsTest, TheKeyIsTheValueOfOneColumnAndAnArrayOfSeveral) {
  EXPECT_EQ(kafka_parts_of(R"({"version":12,"key":{"card":"a\"b"}})").key, "a\"b");
  EXPECT_EQ(kafka_parts_of(R"({"version":12,"key":{"card":"a"}})").version, "12");
  EXPECT_EQ(kafka_parts_of(R"({"key":{"user":17}})").key, "17");
  EXPECT_EQ(kafka_parts_of(R"({"key":{"user":17,"card":"a"}})").key, R"([17,"a"])");
  EXPECT_EQ(kafka_parts_of(R"({"key":{}})").key, std::nullopt);
}

TEST_F(SinkKafkaTest, SendsWhatComesAfterItsBeginningInOrderAndGoesOnFromItsCursor) {
  add(0);
  auto sink = open({"r*"});      // known from here on: what is older is not sent
  for (int i = 1; i <= 300; ++i) add(i, i % 10 == 0 ? "other" : "rule");
  sink->start();
  EXPECT_TRUE(delivers(*sink, 301));
  EXPECT_TRUE(sink->stop(30 * cep::kSecond).ok());
  for (int i = 301; i <= 310; ++i) add(i, "rule");
  sink = open({"r*"});
  sink->start();
  EXPECT_TRUE(delivers(*sink, 311));
  EXPECT_TRUE(sink->stop(30 * cep::kSecond).ok());
  std::vector<std::string> expected;
  for (int i = 1; i <= 310; ++i) {
    if (i % 10 != 0 || i > 300) expected.push_back(std::to_string(i));
  }
  EXPECT_EQ(values(), expected);
  const KafkaCluster::Record record = cluster_.read("alerts", 0)[0];
  EXPECT_EQ(record.key, "c1");
  EXPECT_EQ(record.headers, (std::map<std::string, std::string>{{"weir-alert-id", "00000000000000000000000000000002"},
                                                                {"weir-rule", "rule"},
                                                                {"weir-version", "3"},
                                                                {"content-type", "application/json"}}));
  EXPECT_TRUE(events_.empty());
}

TEST_F(SinkKafkaTest, BeginsAgainBehindItsCursorWhenTheProducerIsLost) {
  auto sink = open();
  for (int i = 1; i <= 20; ++i) add(i);
  // A broker that has lost the producer's sequence is fatal to it; one that does not let it write fails what was sent.
  rd_kafka_resp_err_t errors[] = {RD_KAFKA_RESP_ERR_OUT_OF_ORDER_SEQUENCE_NUMBER, RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED};
  rd_kafka_mock_push_request_errors_array(cluster_.cluster(), 0 /* produce */, 2, errors);
  sink->start();
  EXPECT_TRUE(delivers(*sink, 20));
  EXPECT_TRUE(sink->stop(30 * cep::kSecond).ok());
  std::vector<std::string> expected;
  for (int i = 1; i <= 20; ++i) expected.push_back(std::to_string(i));
  EXPECT_EQ(values(), expected);
  EXPECT_EQ(events_, (std::vector<std::string>{"sink_failed", "sink_failed"}));
  EXPECT_EQ(store_.cursors.at(kSink).sequence, 20u);
}

TEST_F(SinkKafkaTest, ParksWhatIsTooLargeAndSendsWhatFollows) {
  auto sink = open();
  add(1);
  add(2, "r", std::string(2 << 20, 'x'));
  add(3);
  sink->start();
  EXPECT_TRUE(delivers(*sink, 3));
  EXPECT_TRUE(sink->stop(30 * cep::kSecond).ok());
  EXPECT_EQ(values(), (std::vector<std::string>{"1", "3"}));
  EXPECT_EQ(store_.parked[kSink].size(), 1u);
  EXPECT_EQ(sink->status().exhausted, 1u);
  EXPECT_EQ(events_, std::vector<std::string>{"entry_exhausted"});
}

TEST_F(SinkKafkaTest, AStoreThatFailsIsTriedAgainAndTheCursorWaitsForIt) {
  auto sink = open();
  store_.commits_to_fail = 1;
  add(1);
  sink->start();
  EXPECT_TRUE(delivers(*sink, 1));
  std::this_thread::sleep_for(std::chrono::milliseconds(500));      // the first commit has been tried
  EXPECT_TRUE(sink->stop(30 * cep::kSecond).ok());
  EXPECT_EQ(store_.cursors.at(kSink).sequence, 1u);
  EXPECT_EQ(events_, std::vector<std::string>{"store_failed"});
}

}  // namespace
}  // namespace service
