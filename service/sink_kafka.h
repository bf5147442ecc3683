// Alerts out to Kafka: each sink of type kafka is a cursor on the alert log (the log is the outbox), moved by one thread.
// A record is the alert's JSON under the rule's key, so alerts of one key stay in order; its headers name id, rule, version, content type.
// Invariants: records are sent in the order of the alert log by an idempotent producer; the cursor stands before everything that has no
// report yet. When the library gives up (a fatal error, a topic that is not there) a new producer begins behind the cursor: what had been
// written already comes again, under the same id. An alert that brokers refuse for its size is parked, in the change that lets the cursor
// pass it. An outage is alerts on disk. Threads: one a sink; notify and status from any.
#pragma once

#include <atomic>
#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "service/delivery_store.h"
#include "service/kafka_client.h"
#include "service/lane.h"
#include "service/sink_delivery.h"
#include "service/sink_registry.h"

namespace service {

// What a record's key and headers are made from, read from the alert's JSON. The key: the value of the rule's only key column as text, an
// array of the values of several, nothing for a rule without a key.
struct KafkaAlertParts {
  std::optional<std::string> key;
  std::string version;
};
KafkaAlertParts kafka_parts_of(std::string_view alert_json);

class KafkaSink {
 public:
  using Clock = std::function<cep::TimeUs()>;      // wall clock, microseconds
  static constexpr size_t kInFlightMax = 1'000;

  // A sink that the store does not know begins after the newest alert. Errors: those of the store.
  static cep::Result<std::unique_ptr<KafkaSink>> open(SinkId id, Sink sink, std::unique_ptr<DeliveryStore> store, Clock clock,
                                                      DeliveryListener listener, KafkaLog log);
  ~KafkaSink();      // as stop()
  KafkaSink(const KafkaSink&) = delete;
  KafkaSink& operator=(const KafkaSink&) = delete;

  void start();
  void notify();     // the alert log has grown
  // Nothing new is sent; what is in flight may end for `grace_us`, then what is known is stored.
  cep::Status stop(cep::DurationUs grace_us);
  SinkStatus status() const;

 private:
  KafkaSink(SinkId id, Sink sink, std::unique_ptr<DeliveryStore> store, Clock clock, DeliveryListener listener, KafkaLog log);
  void run();
  void wait(cep::DurationUs most_us);
  bool make_producer();
  void fill();
  bool read_page();
  bool send(const OutgoingAlert& alert);
  void take_reports(cep::DurationUs wait_us);
  void on_report(const KafkaReport& report);
  void begin_again(const std::string& why);
  void advance();
  void commit_if_due(bool now);
  void publish();

  const SinkId id_;
  const Sink sink_;
  const std::unique_ptr<DeliveryStore> store_;
  const Clock clock_;
  const DeliveryListener listener_;
  const KafkaLog log_;

  std::unique_ptr<KafkaProducer> producer_;
  std::map<uint64_t, bool> open_;             // sequences behind the cursor that were looked at; true: nothing of it is outstanding
  size_t in_flight_ = 0;
  uint64_t next_ = 1;                         // the first sequence not looked at
  uint64_t cursor_ = 0, cursor_stored_ = 0;
  std::vector<OutgoingAlert> page_;           // read, from `page_at_` on not looked at
  size_t page_at_ = 0;
  bool caught_up_ = false;
  DeliveryChange change_;
  cep::TimeUs commit_from_us_ = 0, produce_from_us_ = 0;
  cep::Status last_commit_ = cep::ok_status();
  SinkStatus counted_;

  mutable std::mutex mutex_;                  // guards the four below
  std::condition_variable changed_;
  bool notified_ = true;
  bool stopping_ = false;
  SinkStatus published_;
  cep::DurationUs grace_us_ = 0;
  std::thread thread_;
};

// All sinks of type kafka of a registry.
class KafkaSinks {
 public:
  static cep::Result<std::unique_ptr<KafkaSinks>> start(const SinkRegistry& registry, Lane& lane, KafkaSink::Clock clock,
                                                        DeliveryListener listener, KafkaLog log);
  void notify();
  cep::Status stop(cep::DurationUs grace_us);
  std::vector<SinkStatus> status() const;

 private:
  std::vector<std::unique_ptr<KafkaSink>> sinks_;
};

}  // namespace service
