// Kafka, behind one file pair: the one place that knows librdkafka. A consumer that reads partitions it is told from offsets it is told
// and never skips what it was not told to; an idempotent producer that reports each record once.
// Settings that these promises stand on cannot be changed by properties of the configuration (check_kafka_properties).
// Threads: a consumer and a producer each belong to one thread, which also gets the reports; the library has its own.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "cep/result.h"
#include "cep/types.h"

namespace service {

struct KafkaOptions {
  std::string brokers;                                             // HOST:PORT, several joined by commas
  std::vector<std::pair<std::string, std::string>> properties;     // more settings of the library: TLS, SASL, sizes
};

// Error: bad_kafka_property, naming one that is unknown, that Weir sets itself, or that is a secret.
cep::Status check_kafka_properties(const std::vector<std::pair<std::string, std::string>>& properties);

// What the library has to say; `level` as in syslog, 3 and below an error.
inline constexpr int kKafkaWarning = 4;     // and below: worth a line of the process's log
using KafkaLog = std::function<void(int level, std::string_view text)>;

struct KafkaHeader {
  std::string_view name, value;
};

// What poll gives. Views are valid until the next poll.
struct KafkaEvent {
  enum class Kind : uint8_t {
    kRecord,
    kEnd,          // `offset`: everything below it has been given
    kOutOfRange,   // the partition has no such offset; it is not read any further
    kError,        // `text`; of the partition if there is a topic
  };
  Kind kind = Kind::kRecord;
  std::string_view topic;
  int32_t partition = -1;
  int64_t offset = -1;
  std::optional<cep::TimeUs> timestamp_us;
  std::optional<std::string_view> value;      // none: a tombstone
  std::vector<KafkaHeader> headers;
  std::string text;
};

class KafkaConsumer {
 public:
  // `group`: under which commit() tells monitors how far it is; nothing is ever read from there.
  // Errors: bad_kafka_property, no_kafka.
  static cep::Result<std::unique_ptr<KafkaConsumer>> create(const KafkaOptions& options, const std::string& group, KafkaLog log);
  ~KafkaConsumer();
  KafkaConsumer(const KafkaConsumer&) = delete;
  KafkaConsumer& operator=(const KafkaConsumer&) = delete;

  // Partitions of a topic. Errors: topic_missing, unreachable.
  cep::Result<int32_t> partitions(const std::string& topic, cep::DurationUs timeout_us);
  struct Bounds {
    int64_t low = 0, high = 0;      // the oldest offset, and that of the next record
  };
  // Errors: topic_missing, unreachable.
  cep::Result<Bounds> bounds(const std::string& topic, int32_t partition, cep::DurationUs timeout_us);
  // Begins to read a partition that is not being read, or ends it.
  cep::Status read_from(const std::string& topic, int32_t partition, int64_t offset);
  void end_reading(const std::string& topic, int32_t partition);
  // False: nothing came in time.
  bool poll(cep::DurationUs timeout_us, KafkaEvent* event);
  // For monitors, without waiting for an answer.
  void commit(const std::string& topic, int32_t partition, int64_t next);

 private:
  struct Handle;
  explicit KafkaConsumer(std::unique_ptr<Handle> handle);
  std::unique_ptr<Handle> handle_;
};

struct KafkaRecord {
  std::string topic;
  std::optional<std::string> key;
  std::string value;
  std::vector<KafkaHeader> headers;
};

// What became of a record.
struct KafkaReport {
  uint64_t tag = 0;
  bool is_delivered = false;
  bool is_refused = false;       // for what it is (too large): sending it again would change nothing
  std::string text;              // why not
};

// Topics of its own, for who measures. Errors: unreachable, with what the brokers said.
cep::Status make_kafka_topic(const KafkaOptions& options, const std::string& topic, int32_t partitions, cep::DurationUs timeout_us);
cep::Status remove_kafka_topic(const KafkaOptions& options, const std::string& topic, cep::DurationUs timeout_us);

class KafkaProducer {
 public:
  // Errors: bad_kafka_property, no_kafka.
  static cep::Result<std::unique_ptr<KafkaProducer>> create(const KafkaOptions& options, KafkaLog log);
  ~KafkaProducer();              // what has no report yet may or may not have been written
  KafkaProducer(const KafkaProducer&) = delete;
  KafkaProducer& operator=(const KafkaProducer&) = delete;

  // Sends the record behind all before. Errors: full (poll, then try again), refused, failed (make another producer).
  cep::Status send(KafkaRecord record, uint64_t tag);
  // Appends reports, waiting for the first one for at most so long.
  void poll(cep::DurationUs timeout_us, std::vector<KafkaReport>& reports);
  // Set: the library refuses all further work; make another producer.
  std::optional<std::string> fatal() const;

 private:
  struct Handle;
  explicit KafkaProducer(std::unique_ptr<Handle> handle);
  std::unique_ptr<Handle> handle_;
};

}  // namespace service
