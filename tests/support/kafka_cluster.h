// A Kafka cluster of one broker inside the test's process, as the library offers it: topics, records, committed offsets. It knows no
// retention, no groups worth the name and no transactions. Threads: the test's; the library has its own.
#pragma once

#include <gtest/gtest.h>
#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>

#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "cep/types.h"

namespace test_support {

class KafkaCluster {
 public:
  KafkaCluster() {
    char why[512];
    rd_kafka_conf_t* conf = rd_kafka_conf_new();
    rd_kafka_conf_set(conf, "log_level", "0", why, sizeof why);
    producer_ = rd_kafka_new(RD_KAFKA_PRODUCER, conf, why, sizeof why);
    EXPECT_NE(producer_, nullptr) << why;
    cluster_ = rd_kafka_mock_cluster_new(producer_, 1);
    EXPECT_EQ(rd_kafka_brokers_add(producer_, brokers().c_str()), 1);
  }
  ~KafkaCluster() {
    rd_kafka_mock_cluster_destroy(cluster_);
    rd_kafka_destroy(producer_);
  }
  KafkaCluster(const KafkaCluster&) = delete;
  KafkaCluster& operator=(const KafkaCluster&) = delete;

  std::string brokers() const { return rd_kafka_mock_cluster_bootstraps(cluster_); }
  rd_kafka_mock_cluster_t* cluster() { return cluster_; }
  void make_topic(const std::string& topic, int partitions) {
    EXPECT_EQ(rd_kafka_mock_topic_create(cluster_, topic.c_str(), partitions, 1), RD_KAFKA_RESP_ERR_NO_ERROR);
  }
  // Returns when the broker has it.
  void produce(const std::string& topic, int partition, std::optional<std::string> value, cep::TimeUs timestamp_us,
               const std::vector<std::pair<std::string, std::string>>& headers = {}) {
    rd_kafka_headers_t* all = rd_kafka_headers_new(headers.size());
    for (const auto& [name, text] : headers) {
      rd_kafka_header_add(all, name.data(), static_cast<ssize_t>(name.size()), text.data(), static_cast<ssize_t>(text.size()));
    }
    void* const bytes = value ? value->data() : nullptr;
    const size_t size = value ? value->size() : 0;
    EXPECT_EQ(rd_kafka_producev(producer_, RD_KAFKA_V_TOPIC(topic.c_str()), RD_KAFKA_V_PARTITION(partition),
                                RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_VALUE(bytes, size),
                                RD_KAFKA_V_TIMESTAMP(timestamp_us / cep::kMillisecond), RD_KAFKA_V_HEADERS(all), RD_KAFKA_V_END),
              RD_KAFKA_RESP_ERR_NO_ERROR);
    EXPECT_EQ(rd_kafka_flush(producer_, 10'000), RD_KAFKA_RESP_ERR_NO_ERROR);
  }
  struct Record {
    std::string key, value;
    std::map<std::string, std::string> headers;
  };
  // Everything that a partition has now.
  std::vector<Record> read(const std::string& topic, int partition) const {
    rd_kafka_t* client = consumer("reader");
    rd_kafka_topic_partition_list_t* list = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_list_add(list, topic.c_str(), partition)->offset = RD_KAFKA_OFFSET_BEGINNING;
    rd_kafka_assign(client, list);
    rd_kafka_topic_partition_list_destroy(list);
    std::vector<Record> records;
    for (bool ended = false; !ended;) {
      rd_kafka_message_t* message = rd_kafka_consumer_poll(client, 10'000);
      if (message == nullptr || message->err != RD_KAFKA_RESP_ERR_NO_ERROR) {
        EXPECT_TRUE(message != nullptr && message->err == RD_KAFKA_RESP_ERR__PARTITION_EOF);
        ended = true;
      } else {
        records.push_back({std::string(static_cast<const char*>(message->key), message->key_len),
                           std::string(static_cast<const char*>(message->payload), message->len), headers_of(message)});
      }
      if (message != nullptr) rd_kafka_message_destroy(message);
    }
    rd_kafka_consumer_close(client);
    rd_kafka_destroy(client);
    return records;
  }
  // -1: nothing is committed.
  static int64_t committed_of(rd_kafka_t* client, const std::string& topic, int partition) {
    rd_kafka_topic_partition_list_t* list = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_list_add(list, topic.c_str(), partition);
    const bool answered = rd_kafka_committed(client, list, 5'000) == RD_KAFKA_RESP_ERR_NO_ERROR;
    const int64_t offset = answered ? list->elems[0].offset : -1;
    rd_kafka_topic_partition_list_destroy(list);
    return offset;
  }
  int64_t committed(const std::string& group, const std::string& topic, int partition) const {
    rd_kafka_t* client = consumer(group);
    const int64_t offset = committed_of(client, topic, partition);
    rd_kafka_consumer_close(client);
    rd_kafka_destroy(client);
    return offset;
  }

 private:
  rd_kafka_t* consumer(const std::string& group) const {
    rd_kafka_conf_t* conf = rd_kafka_conf_new();
    char why[512];
    rd_kafka_conf_set(conf, "group.id", group.c_str(), why, sizeof why);
    rd_kafka_conf_set(conf, "bootstrap.servers", brokers().c_str(), why, sizeof why);
    rd_kafka_conf_set(conf, "enable.partition.eof", "true", why, sizeof why);
    return rd_kafka_new(RD_KAFKA_CONSUMER, conf, why, sizeof why);
  }
  static std::map<std::string, std::string> headers_of(const rd_kafka_message_t* message) {
    std::map<std::string, std::string> all;
    rd_kafka_headers_t* headers = nullptr;
    if (rd_kafka_message_headers(message, &headers) != RD_KAFKA_RESP_ERR_NO_ERROR) return all;
    const char* name = nullptr;
    const void* value = nullptr;
    size_t size = 0;
    for (size_t i = 0; rd_kafka_header_get_all(headers, i, &name, &value, &size) == RD_KAFKA_RESP_ERR_NO_ERROR; ++i) {
      all[name] = std::string(static_cast<const char*>(value), size);
    }
    return all;
  }

  rd_kafka_t* producer_ = nullptr;
  rd_kafka_mock_cluster_t* cluster_ = nullptr;
};

}  // namespace test_support
