// A Kafka client for tests, independent of the one in the service: makes, fills, reads, cuts and deletes topics. `client` alone says how.
#include <librdkafka/rdkafka.h>

#include <chrono>
#include <cstdio>
#include <iostream>
#include <map>
#include <string>
#include <thread>

namespace {

constexpr int kTimeoutMs = 15'000;

[[noreturn]] void fail(const std::string& what) {
  std::fprintf(stderr, "client: %s\n", what.c_str());
  std::exit(1);
}

rd_kafka_t* connect(rd_kafka_type_t type, const char* brokers, const std::map<std::string, std::string>& properties) {
  char why[512];
  rd_kafka_conf_t* conf = rd_kafka_conf_new();
  rd_kafka_conf_set(conf, "bootstrap.servers", brokers, why, sizeof why);
  rd_kafka_conf_set(conf, "log_level", "0", why, sizeof why);
  for (const auto& [name, value] : properties) {
    if (rd_kafka_conf_set(conf, name.c_str(), value.c_str(), why, sizeof why) != RD_KAFKA_CONF_OK) fail(why);
  }
  rd_kafka_t* client = rd_kafka_new(type, conf, why, sizeof why);
  if (client == nullptr) fail(why);
  return client;
}

int partitions_of(rd_kafka_t* client, const char* topic) {
  rd_kafka_topic_t* handle = rd_kafka_topic_new(client, topic, nullptr);
  const struct rd_kafka_metadata* metadata = nullptr;
  int count = 0;
  if (rd_kafka_metadata(client, 0, handle, &metadata, 1'000) == RD_KAFKA_RESP_ERR_NO_ERROR) {
    const rd_kafka_metadata_topic& found = metadata->topics[0];
    for (int i = 0; found.err == RD_KAFKA_RESP_ERR_NO_ERROR && i < found.partition_cnt; ++i) count += found.partitions[i].leader >= 0;
    rd_kafka_metadata_destroy(metadata);
  }
  rd_kafka_topic_destroy(handle);
  return count;
}

void await_partitions(rd_kafka_t* client, const char* topic, int wanted) {
  for (int i = 0; i < 300; ++i) {
    if (partitions_of(client, topic) == wanted) return;
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  }
  fail(std::string("topic ") + topic + " does not get its partitions");
}

// The answer of an admin request; ends the program if it is an error.
void answer(rd_kafka_queue_t* queue) {
  rd_kafka_event_t* event = rd_kafka_queue_poll(queue, kTimeoutMs);
  if (event == nullptr) fail("no answer");
  if (rd_kafka_event_error(event) != RD_KAFKA_RESP_ERR_NO_ERROR) fail(rd_kafka_event_error_string(event));
  rd_kafka_event_destroy(event);
}

int make_topic(const char* brokers, const char* topic, int partitions) {
  rd_kafka_t* client = connect(RD_KAFKA_PRODUCER, brokers, {});
  rd_kafka_queue_t* queue = rd_kafka_queue_new(client);
  char why[512];
  rd_kafka_NewTopic_t* wanted = rd_kafka_NewTopic_new(topic, partitions, 1, why, sizeof why);
  rd_kafka_CreateTopics(client, &wanted, 1, nullptr, queue);
  answer(queue);
  await_partitions(client, topic, partitions);
  return 0;
}

int delete_topic(const char* brokers, const char* topic) {
  rd_kafka_t* client = connect(RD_KAFKA_PRODUCER, brokers, {});
  rd_kafka_queue_t* queue = rd_kafka_queue_new(client);
  rd_kafka_DeleteTopic_t* unwanted = rd_kafka_DeleteTopic_new(topic);
  rd_kafka_DeleteTopics(client, &unwanted, 1, nullptr, queue);
  answer(queue);
  await_partitions(client, topic, 0);
  return 0;
}

// Deletes the records of a partition below `offset`, as retention would.
int cut(const char* brokers, const char* topic, int partition, long offset) {
  rd_kafka_t* client = connect(RD_KAFKA_PRODUCER, brokers, {});
  rd_kafka_queue_t* queue = rd_kafka_queue_new(client);
  rd_kafka_topic_partition_list_t* list = rd_kafka_topic_partition_list_new(1);
  rd_kafka_topic_partition_list_add(list, topic, partition)->offset = offset;
  rd_kafka_DeleteRecords_t* records = rd_kafka_DeleteRecords_new(list);
  rd_kafka_DeleteRecords(client, &records, 1, nullptr, queue);
  answer(queue);
  return 0;
}

// Lines of the standard input: partition, a tab, the value.
int produce(const char* brokers, const char* topic) {
  rd_kafka_t* client = connect(RD_KAFKA_PRODUCER, brokers, {{"enable.idempotence", "true"}, {"linger.ms", "2"}});
  std::string line;
  while (std::getline(std::cin, line)) {
    const size_t tab = line.find('\t');
    if (tab == std::string::npos) fail("no tab in: " + line);
    const int partition = std::stoi(line.substr(0, tab));
    char* const value = line.data() + tab + 1;
    for (;;) {
      const rd_kafka_resp_err_t error =
          rd_kafka_producev(client, RD_KAFKA_V_TOPIC(topic), RD_KAFKA_V_PARTITION(partition), RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY),
                            RD_KAFKA_V_VALUE(value, line.size() - tab - 1), RD_KAFKA_V_END);
      if (error == RD_KAFKA_RESP_ERR_NO_ERROR) break;
      if (error != RD_KAFKA_RESP_ERR__QUEUE_FULL) fail(rd_kafka_err2str(error));
      rd_kafka_poll(client, 20);
    }
  }
  if (rd_kafka_flush(client, kTimeoutMs) != RD_KAFKA_RESP_ERR_NO_ERROR) fail("records were not written");
  return 0;
}

std::string headers_of(const rd_kafka_message_t* message) {
  std::string text;
  rd_kafka_headers_t* headers = nullptr;
  if (rd_kafka_message_headers(message, &headers) != RD_KAFKA_RESP_ERR_NO_ERROR) return text;
  const char* name = nullptr;
  const void* value = nullptr;
  size_t size = 0;
  for (size_t i = 0; rd_kafka_header_get_all(headers, i, &name, &value, &size) == RD_KAFKA_RESP_ERR_NO_ERROR; ++i) {
    text += (text.empty() ? "" : " ") + std::string(name) + "=" + std::string(static_cast<const char*>(value), size);
  }
  return text;
}

// Prints the topic from its beginning to its end as it is now: partition, key, headers, value, with tabs between them.
int consume(const char* brokers, const char* topic) {
  rd_kafka_t* client = connect(RD_KAFKA_CONSUMER, brokers,
                               {{"group.id", "reader"}, {"enable.partition.eof", "true"}, {"enable.auto.commit", "false"},
                                {"isolation.level", "read_committed"}});
  const int partitions = partitions_of(client, topic);
  if (partitions == 0) fail(std::string("there is no topic ") + topic);
  rd_kafka_topic_partition_list_t* list = rd_kafka_topic_partition_list_new(partitions);
  for (int i = 0; i < partitions; ++i) rd_kafka_topic_partition_list_add(list, topic, i)->offset = RD_KAFKA_OFFSET_BEGINNING;
  rd_kafka_assign(client, list);
  for (int ended = 0; ended < partitions;) {
    rd_kafka_message_t* message = rd_kafka_consumer_poll(client, kTimeoutMs);
    if (message == nullptr) fail("nothing comes");
    if (message->err == RD_KAFKA_RESP_ERR__PARTITION_EOF) {
      ++ended;
    } else if (message->err != RD_KAFKA_RESP_ERR_NO_ERROR) {
      fail(rd_kafka_message_errstr(message));
    } else {
      std::printf("%d\t%.*s\t%s\t%.*s\n", message->partition, static_cast<int>(message->key_len), static_cast<const char*>(message->key),
                  headers_of(message).c_str(), static_cast<int>(message->len), static_cast<const char*>(message->payload));
    }
    rd_kafka_message_destroy(message);
  }
  rd_kafka_consumer_close(client);
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  const std::string command = argc > 2 ? argv[2] : "";
  if (command == "make" && argc == 5) return make_topic(argv[1], argv[3], std::atoi(argv[4]));
  if (command == "delete" && argc == 4) return delete_topic(argv[1], argv[3]);
  if (command == "cut" && argc == 6) return cut(argv[1], argv[3], std::atoi(argv[4]), std::atol(argv[5]));
  if (command == "produce" && argc == 4) return produce(argv[1], argv[3]);
  if (command == "consume" && argc == 4) return consume(argv[1], argv[3]);
  std::fprintf(stderr, "client BROKERS make TOPIC PARTITIONS | delete TOPIC | cut TOPIC PARTITION OFFSET\n"
                       "client BROKERS produce TOPIC | consume TOPIC\n");
  return 2;
}
