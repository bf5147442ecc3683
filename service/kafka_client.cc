// See kafka_client.h.
#include "service/kafka_client.h"

#include <librdkafka/rdkafka.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <future>
#include <thread>

namespace service {
namespace {

using KafkaProperties = std::vector<std::pair<std::string, std::string>>;

struct KafkaConf {
  rd_kafka_conf_t* conf = rd_kafka_conf_new();
  ~KafkaConf() {
    if (conf != nullptr) rd_kafka_conf_destroy(conf);
  }
};

// What the promises stand on: an application that could change these would lose or repeat records in silence.
constexpr const char* kOwnProperties[] = {"bootstrap.servers", "metadata.broker.list", "group.id", "group.instance.id", "group.protocol",
                                "enable.auto.commit", "auto.commit.enable", "enable.auto.offset.store", "auto.offset.reset", "check.crcs",
                                "enable.partition.eof", "partition.assignment.strategy", "enable.idempotence", "enable.gapless.guarantee",
                                "acks", "request.required.acks", "retries", "message.send.max.retries", "message.timeout.ms",
                                "delivery.timeout.ms", "transactional.id", "partitioner", "plugin.library.paths", "client.id"};
constexpr const char* kSecretProperties[] = {"sasl.password", "ssl.key.password", "ssl.key.pem", "ssl.keystore.password",
                                    "sasl.oauthbearer.config", "sasl.oauthbearer.client.secret"};

bool is_property_of(const std::string& name, const auto& names) {
  return std::any_of(std::begin(names), std::end(names), [&](const char* one) { return name == one; });
}

cep::Status set_property(rd_kafka_conf_t* conf, const std::string& name, const std::string& value) {
  std::array<char, 512> why{};
  if (rd_kafka_conf_set(conf, name.c_str(), value.c_str(), why.data(), why.size()) == RD_KAFKA_CONF_OK) return cep::ok_status();
  // The library's text may repeat the value, which may be a secret.
  const bool is_unknown = std::string_view(why.data()).find("No such configuration property") != std::string_view::npos;
  return cep::Error{"bad_kafka_property", "properties: `" + name + "` " +
                                              (is_unknown ? "is no property of librdkafka " + std::string(rd_kafka_version_str())
                                                          : std::string("has a value that librdkafka does not take"))};
}

cep::Status set_properties(rd_kafka_conf_t* conf, const KafkaProperties& properties) {
  for (const auto& [name, value] : properties) {
    if (cep::Status status = set_property(conf, name, value); !status.ok()) return status;
  }
  return cep::ok_status();
}

KafkaProperties common_properties(const KafkaOptions& options) {
  KafkaProperties all = options.properties;
  all.insert(all.end(), {{"bootstrap.servers", options.brokers}, {"client.id", "weir"}});
  return all;
}

bool is_topic_missing(rd_kafka_resp_err_t error) {
  return error == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART || error == RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC ||
         error == RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION;
}

cep::Error broker_error(rd_kafka_resp_err_t error, const std::string& what) {
  return {is_topic_missing(error) ? "topic_missing" : "unreachable", what + ": " + rd_kafka_err2str(error)};
}

int ms_of(cep::DurationUs us) { return static_cast<int>((us + 999) / 1000); }

struct PartitionList {
  explicit PartitionList(const std::string& topic, int32_t partition, int64_t offset) : list(rd_kafka_topic_partition_list_new(1)) {
    rd_kafka_topic_partition_list_add(list, topic.c_str(), partition)->offset = offset;
  }
  ~PartitionList() { rd_kafka_topic_partition_list_destroy(list); }
  PartitionList(const PartitionList&) = delete;
  PartitionList& operator=(const PartitionList&) = delete;
  rd_kafka_topic_partition_list_t* list;
};

cep::Status taken_status(rd_kafka_error_t* error) {
  if (error == nullptr) return cep::ok_status();
  cep::Error told{"unreachable", rd_kafka_error_string(error)};
  rd_kafka_error_destroy(error);
  return told;
}

template <class T>
void log_of(const rd_kafka_t* rk, int level, const char* /*facility*/, const char* text) {
  const KafkaLog& log = static_cast<T*>(rd_kafka_opaque(rk))->log;
  if (log) log(level, text);
}

}  // namespace

cep::Status check_kafka_properties(const KafkaProperties& properties) {
  for (const auto& [name, value] : properties) {
    if (is_property_of(name, kOwnProperties)) {
      return cep::Error{"bad_kafka_property", "properties: `" + name + "` is set by Weir and cannot be given"};
    }
    if (is_property_of(name, kSecretProperties)) {
      return cep::Error{"bad_kafka_property",
                        "properties: `" + name + "` is a secret and does not stand in the configuration; "
                        "name its file or variable with password_file or password_env"};
    }
  }
  KafkaConf conf;
  return set_properties(conf.conf, properties);
}

// --- Consumer

struct KafkaConsumer::Handle {
  KafkaLog log;
  rd_kafka_t* rk = nullptr;
  rd_kafka_message_t* message = nullptr;      // what the last event's views look into
  std::vector<std::pair<std::string, int32_t>> reading;

  ~Handle() {
    drop_message();
    if (rk == nullptr) return;
    rd_kafka_consumer_close(rk);
    rd_kafka_destroy(rk);
  }
  void drop_message() {
    if (message != nullptr) rd_kafka_message_destroy(message);
    message = nullptr;
  }
};

KafkaConsumer::KafkaConsumer(std::unique_ptr<Handle> handle) : handle_(std::move(handle)) {}
// The library takes its leave of the brokers; where a topic was deleted while it was read it waits for a thread of its own that never ends
// (2.0.2). Then it is left to the end of the process, and says no more.
KafkaConsumer::~KafkaConsumer() {
  constexpr std::chrono::seconds kEndLimit{5};
  rd_kafka_set_log_level(handle_->rk, 0);
  std::promise<void> ended;
  const std::future<void> end = ended.get_future();
  std::thread([handle = std::move(handle_), ended = std::move(ended)]() mutable {
    handle.reset();
    ended.set_value();
  }).detach();
  end.wait_for(kEndLimit);
}

cep::Result<std::unique_ptr<KafkaConsumer>> KafkaConsumer::create(const KafkaOptions& options, const std::string& group, KafkaLog log) {
  auto handle = std::make_unique<Handle>();
  handle->log = std::move(log);
  KafkaConf conf;
  // Defaults first: the configuration may change sizes, but not what is set behind it.
  const KafkaProperties sizes = {{"queued.max.messages.kbytes", "16384"}, {"fetch.max.bytes", "16777216"}, {"fetch.wait.max.ms", "50"}};
  const KafkaProperties law = {{"group.id", group},          {"enable.auto.commit", "false"}, {"enable.auto.offset.store", "false"},
                          {"auto.offset.reset", "error"}, {"check.crcs", "true"},          {"enable.partition.eof", "true"}};
  for (const KafkaProperties& properties : {sizes, common_properties(options), law}) {
    if (cep::Status status = set_properties(conf.conf, properties); !status.ok()) return status.error();
  }
  rd_kafka_conf_set_opaque(conf.conf, handle.get());
  rd_kafka_conf_set_log_cb(conf.conf, log_of<Handle>);
  std::array<char, 512> why{};
  handle->rk = rd_kafka_new(RD_KAFKA_CONSUMER, conf.conf, why.data(), why.size());
  if (handle->rk == nullptr) return cep::Error{"no_kafka", std::string("the Kafka library does not start: ") + why.data()};
  conf.conf = nullptr;      // the handle's now
  rd_kafka_poll_set_consumer(handle->rk);
  return std::unique_ptr<KafkaConsumer>(new KafkaConsumer(std::move(handle)));
}

cep::Result<int32_t> KafkaConsumer::partitions(const std::string& topic, cep::DurationUs timeout_us) {
  rd_kafka_topic_t* handle = rd_kafka_topic_new(handle_->rk, topic.c_str(), nullptr);
  if (handle == nullptr) return broker_error(rd_kafka_last_error(), "topic " + topic);
  const struct rd_kafka_metadata* metadata = nullptr;
  const rd_kafka_resp_err_t error = rd_kafka_metadata(handle_->rk, 0, handle, &metadata, ms_of(timeout_us));
  rd_kafka_topic_destroy(handle);
  if (error != RD_KAFKA_RESP_ERR_NO_ERROR) return broker_error(error, "topic " + topic);
  cep::Result<int32_t> count = cep::Error{"topic_missing", "topic " + topic + ": the brokers know no topic of this name"};
  if (metadata->topic_cnt == 1) {
    const rd_kafka_metadata_topic& found = metadata->topics[0];
    if (found.err != RD_KAFKA_RESP_ERR_NO_ERROR) {
      count = broker_error(found.err, "topic " + topic);
    } else if (found.partition_cnt > 0) {
      count = found.partition_cnt;
    }
  }
  rd_kafka_metadata_destroy(metadata);
  return count;
}

cep::Result<KafkaConsumer::Bounds> KafkaConsumer::bounds(const std::string& topic, int32_t partition, cep::DurationUs timeout_us) {
  Bounds bounds;
  const rd_kafka_resp_err_t error =
      rd_kafka_query_watermark_offsets(handle_->rk, topic.c_str(), partition, &bounds.low, &bounds.high, ms_of(timeout_us));
  if (error != RD_KAFKA_RESP_ERR_NO_ERROR) return broker_error(error, "topic " + topic + ", partition " + std::to_string(partition));
  return bounds;
}

cep::Status KafkaConsumer::read_from(const std::string& topic, int32_t partition, int64_t offset) {
  const PartitionList list(topic, partition, offset);
  cep::Status status = taken_status(rd_kafka_incremental_assign(handle_->rk, list.list));
  if (status.ok()) handle_->reading.emplace_back(topic, partition);
  return status;
}

void KafkaConsumer::end_reading(const std::string& topic, int32_t partition) {
  const auto known = std::find(handle_->reading.begin(), handle_->reading.end(), std::pair(topic, partition));
  if (known == handle_->reading.end()) return;
  handle_->reading.erase(known);
  const PartitionList list(topic, partition, RD_KAFKA_OFFSET_INVALID);
  static_cast<void>(taken_status(rd_kafka_incremental_unassign(handle_->rk, list.list)));      // it was assigned: nothing can be wrong
}

bool KafkaConsumer::poll(cep::DurationUs timeout_us, KafkaEvent* event) {
  handle_->drop_message();
  rd_kafka_message_t* message = handle_->message = rd_kafka_consumer_poll(handle_->rk, ms_of(timeout_us));
  if (message == nullptr) return false;
  *event = KafkaEvent();
  if (message->rkt != nullptr) event->topic = rd_kafka_topic_name(message->rkt);
  event->partition = message->partition;
  event->offset = message->offset;
  const auto* bytes = static_cast<const char*>(message->payload);
  if (message->err != RD_KAFKA_RESP_ERR_NO_ERROR) {
    event->kind = message->err == RD_KAFKA_RESP_ERR__PARTITION_EOF        ? KafkaEvent::Kind::kEnd
                  : message->err == RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET ? KafkaEvent::Kind::kOutOfRange
                                                                         : KafkaEvent::Kind::kError;
    event->text = bytes != nullptr ? std::string(bytes, message->len) : rd_kafka_err2str(message->err);
    return true;
  }
  if (bytes != nullptr) event->value = std::string_view(bytes, message->len);
  rd_kafka_timestamp_type_t type{};
  const int64_t ms = rd_kafka_message_timestamp(message, &type);
  if (type != RD_KAFKA_TIMESTAMP_NOT_AVAILABLE && ms >= 0) event->timestamp_us = ms * cep::kMillisecond;
  rd_kafka_headers_t* headers = nullptr;
  if (rd_kafka_message_headers(message, &headers) != RD_KAFKA_RESP_ERR_NO_ERROR) return true;
  const char* name = nullptr;
  const void* value = nullptr;
  size_t size = 0;
  for (size_t i = 0; rd_kafka_header_get_all(headers, i, &name, &value, &size) == RD_KAFKA_RESP_ERR_NO_ERROR; ++i) {
    event->headers.push_back({name, value != nullptr ? std::string_view(static_cast<const char*>(value), size) : std::string_view()});
  }
  return true;
}

void KafkaConsumer::commit(const std::string& topic, int32_t partition, int64_t next) {
  const PartitionList list(topic, partition, next);
  rd_kafka_commit(handle_->rk, list.list, 1);
}

// --- Producer

struct KafkaProducer::Handle {
  KafkaLog log;
  rd_kafka_t* rk = nullptr;
  std::vector<KafkaReport> reports;      // of the poll under way

  ~Handle() {
    if (rk == nullptr) return;
    rd_kafka_purge(rk, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
    rd_kafka_poll(rk, 0);
    rd_kafka_destroy(rk);
  }
  static void report(rd_kafka_t* /*rk*/, const rd_kafka_message_t* message, void* opaque) {
    KafkaReport report;
    report.tag = reinterpret_cast<uintptr_t>(message->_private);
    report.is_delivered = message->err == RD_KAFKA_RESP_ERR_NO_ERROR;
    report.is_refused = is_refusal(message->err);
    if (!report.is_delivered) report.text = rd_kafka_err2str(message->err);
    static_cast<Handle*>(opaque)->reports.push_back(std::move(report));
  }
  static bool is_refusal(rd_kafka_resp_err_t error) {
    return error == RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE || error == RD_KAFKA_RESP_ERR_INVALID_MSG_SIZE ||
           error == RD_KAFKA_RESP_ERR_INVALID_RECORD;
  }
};

KafkaProducer::KafkaProducer(std::unique_ptr<Handle> handle) : handle_(std::move(handle)) {}
KafkaProducer::~KafkaProducer() = default;

cep::Result<std::unique_ptr<KafkaProducer>> KafkaProducer::create(const KafkaOptions& options, KafkaLog log) {
  auto handle = std::make_unique<Handle>();
  handle->log = std::move(log);
  KafkaConf conf;
  const KafkaProperties sizes = {{"linger.ms", "5"}};
  // A record is sent until the brokers have it; the partitioner is that of Kafka's own clients, so that keys meet theirs.
  const KafkaProperties law = {{"enable.idempotence", "true"}, {"message.timeout.ms", "0"}, {"partitioner", "murmur2_random"}};
  for (const KafkaProperties& properties : {sizes, common_properties(options), law}) {
    if (cep::Status status = set_properties(conf.conf, properties); !status.ok()) return status.error();
  }
  rd_kafka_conf_set_opaque(conf.conf, handle.get());
  rd_kafka_conf_set_log_cb(conf.conf, log_of<Handle>);
  rd_kafka_conf_set_dr_msg_cb(conf.conf, Handle::report);
  std::array<char, 512> why{};
  handle->rk = rd_kafka_new(RD_KAFKA_PRODUCER, conf.conf, why.data(), why.size());
  if (handle->rk == nullptr) return cep::Error{"no_kafka", std::string("the Kafka library does not start: ") + why.data()};
  conf.conf = nullptr;      // the handle's now
  return std::unique_ptr<KafkaProducer>(new KafkaProducer(std::move(handle)));
}

cep::Status KafkaProducer::send(KafkaRecord record, uint64_t tag) {
  rd_kafka_headers_t* headers = rd_kafka_headers_new(record.headers.size());
  for (const KafkaHeader& header : record.headers) {
    rd_kafka_header_add(headers, header.name.data(), static_cast<ssize_t>(header.name.size()), header.value.data(),
                        static_cast<ssize_t>(header.value.size()));
  }
  void* const key = record.key ? record.key->data() : nullptr;
  const size_t key_bytes = record.key ? record.key->size() : 0;
  const rd_kafka_resp_err_t error = rd_kafka_producev(
      handle_->rk, RD_KAFKA_V_TOPIC(record.topic.c_str()), RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_KEY(key, key_bytes),
      RD_KAFKA_V_VALUE(record.value.data(), record.value.size()), RD_KAFKA_V_HEADERS(headers),
      RD_KAFKA_V_OPAQUE(reinterpret_cast<void*>(static_cast<uintptr_t>(tag))), RD_KAFKA_V_END);
  if (error == RD_KAFKA_RESP_ERR_NO_ERROR) return cep::ok_status();
  rd_kafka_headers_destroy(headers);      // taken only with the record
  if (error == RD_KAFKA_RESP_ERR__QUEUE_FULL) return cep::Error{"full", "too much waits for the brokers"};
  return cep::Error{Handle::is_refusal(error) ? "refused" : "failed", rd_kafka_err2str(error)};
}

void KafkaProducer::poll(cep::DurationUs timeout_us, std::vector<KafkaReport>& reports) {
  rd_kafka_poll(handle_->rk, ms_of(timeout_us));
  std::move(handle_->reports.begin(), handle_->reports.end(), std::back_inserter(reports));
  handle_->reports.clear();
}

std::optional<std::string> KafkaProducer::fatal() const {
  std::array<char, 512> why{};
  if (rd_kafka_fatal_error(handle_->rk, why.data(), why.size()) == RD_KAFKA_RESP_ERR_NO_ERROR) return std::nullopt;
  return why.data();
}

// --- Topics

namespace {

// A client that asks one thing of the brokers, and waits for the answer.
class KafkaAdmin {
 public:
  explicit KafkaAdmin(const KafkaOptions& options) {
    KafkaConf conf;
    status_ = set_properties(conf.conf, common_properties(options));
    if (!status_.ok()) return;
    std::array<char, 512> why{};
    rk_ = rd_kafka_new(RD_KAFKA_PRODUCER, conf.conf, why.data(), why.size());
    if (rk_ == nullptr) {
      status_ = cep::Error{"no_kafka", std::string("the Kafka library does not start: ") + why.data()};
      return;
    }
    conf.conf = nullptr;      // the handle's now
    queue_ = rd_kafka_queue_new(rk_);
  }
  ~KafkaAdmin() {
    if (queue_ != nullptr) rd_kafka_queue_destroy(queue_);
    if (rk_ != nullptr) rd_kafka_destroy(rk_);
  }
  KafkaAdmin(const KafkaAdmin&) = delete;
  KafkaAdmin& operator=(const KafkaAdmin&) = delete;

  cep::Status make(const std::string& topic, int32_t partitions, cep::DurationUs timeout_us) {
    if (!status_.ok()) return status_;
    std::array<char, 512> why{};
    rd_kafka_NewTopic_t* wanted = rd_kafka_NewTopic_new(topic.c_str(), partitions, -1, why.data(), why.size());      // -1: as brokers do
    if (wanted == nullptr) return cep::Error{"unreachable", "topic " + topic + ": " + why.data()};
    rd_kafka_CreateTopics(rk_, &wanted, 1, nullptr, queue_);
    rd_kafka_NewTopic_destroy(wanted);
    return answer(topic, timeout_us);
  }
  cep::Status remove(const std::string& topic, cep::DurationUs timeout_us) {
    if (!status_.ok()) return status_;
    rd_kafka_DeleteTopic_t* unwanted = rd_kafka_DeleteTopic_new(topic.c_str());
    rd_kafka_DeleteTopics(rk_, &unwanted, 1, nullptr, queue_);
    rd_kafka_DeleteTopic_destroy(unwanted);
    return answer(topic, timeout_us);
  }

 private:
  // Of the request, and of the one topic in it.
  cep::Status answer(const std::string& topic, cep::DurationUs timeout_us) {
    rd_kafka_event_t* event = rd_kafka_queue_poll(queue_, ms_of(timeout_us));
    if (event == nullptr) return cep::Error{"unreachable", "topic " + topic + ": the brokers do not answer"};
    rd_kafka_resp_err_t error = rd_kafka_event_error(event);
    size_t count = 0;
    const rd_kafka_topic_result_t** results = nullptr;
    if (const auto* made = rd_kafka_event_CreateTopics_result(event)) results = rd_kafka_CreateTopics_result_topics(made, &count);
    if (const auto* gone = rd_kafka_event_DeleteTopics_result(event)) results = rd_kafka_DeleteTopics_result_topics(gone, &count);
    if (count > 0 && error == RD_KAFKA_RESP_ERR_NO_ERROR) error = rd_kafka_topic_result_error(results[0]);
    rd_kafka_event_destroy(event);
    if (error == RD_KAFKA_RESP_ERR_NO_ERROR) return cep::ok_status();
    return cep::Error{"unreachable", "topic " + topic + ": " + rd_kafka_err2str(error)};
  }

  cep::Status status_ = cep::ok_status();
  rd_kafka_t* rk_ = nullptr;
  rd_kafka_queue_t* queue_ = nullptr;
};

}  // namespace

cep::Status make_kafka_topic(const KafkaOptions& options, const std::string& topic, int32_t partitions, cep::DurationUs timeout_us) {
  return KafkaAdmin(options).make(topic, partitions, timeout_us);
}

cep::Status remove_kafka_topic(const KafkaOptions& options, const std::string& topic, cep::DurationUs timeout_us) {
  return KafkaAdmin(options).remove(topic, timeout_us);
}

}  // namespace service
