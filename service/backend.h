// The service behind HTTP: implements api::Backend over a lane, its delivery thread and the registries.
// Invariant: an io thread never waits and never touches LMDB or the disk: what may do so runs on the lane's work thread, shard state is
// asked of its shard, sinks of the delivery thread; the reply comes from there.
// Threads: any. The lane and the delivery thread are stopped before a Backend is destroyed; HTTP is drained before that.
#pragma once

#include <atomic>
#include <mutex>
#include <string>
#include <vector>

#include "api/backend.h"
#include "api/http_server.h"
#include "service/delivery_thread.h"
#include "service/kafka_source.h"
#include "service/lane.h"
#include "service/metrics.h"
#include "service/remote_checkpoints.h"
#include "service/rules_dir.h"
#include "service/sink_kafka.h"
#include "service/sink_registry.h"

namespace service {

struct BackendOptions {
  Sequencer::WallClock clock;          // wall clock, microseconds
  HttpSender* sender = nullptr;        // sends sink tests; null: those answer 501
  RulesDir* rules_dir = nullptr;       // null: started without rule directories, reload has nothing to do
  const KafkaSources* kafka = nullptr;  // null: nothing is read from Kafka
  KafkaSinks* kafka_sinks = nullptr;   // null: nothing is sent there
  const RemoteCheckpoints* remote = nullptr;   // null: there are no remote checkpoints
  DeliveryOptions delivery;            // as in force, for /v1/limits
  api::HttpServerOptions http;         // the same
};

class Backend final : public api::Backend {
 public:
  Backend(Lane& lane, DeliveryThread& delivery, SinkRegistry& sinks, Metrics& metrics, const BackendOptions& options);
  ~Backend() override;

  // From now on not ready, and events are refused.
  void set_draining() { draining_ = true; }

  void submit(std::shared_ptr<api::SubmitRequest> request, std::function<void(api::SubmitAnswer)> reply) override;
  void decide(std::shared_ptr<api::SubmitRequest> request, api::Reply reply) override;
  void decisions(api::PageQuery page, api::Reply reply) override;
  void decision(std::string id, api::Reply reply) override;
  cep::SchemaPtr schema(std::string_view stream) const override;

  void check(std::string text, api::Reply reply) override;
  void deploy(std::string text, bool dry_run, api::Reply reply) override;
  void reload(api::Reply reply) override;
  void rules(api::PageQuery page, api::Reply reply) override;
  void rule(std::string name, api::Reply reply) override;
  void put_rule(api::RulePut put, api::Reply reply) override;
  void delete_rule(std::string name, std::string if_match, api::Reply reply) override;
  void rule_versions(std::string name, api::PageQuery page, api::Reply reply) override;
  void rule_version(std::string name, uint32_t version, api::Reply reply) override;
  void activate_rule_version(std::string name, uint32_t version, api::Reply reply) override;
  void set_rule_mode(std::string name, std::string mode, api::Reply reply) override;

  void alerts(api::AlertsQuery query, api::Reply reply) override;
  void alert(std::string id, api::Reply reply) override;
  void read_feed(api::FeedQuery query, std::function<void(api::FeedPage)> reply) override;
  void set_feed_hook(std::function<void()> hook) override;
  void matches(api::MatchesQuery query, api::Reply reply) override;
  void rejected(api::RejectedQuery query, api::Reply reply) override;

  void datasets(bool is_table, api::PageQuery page, api::Reply reply) override;
  void dataset(api::DatasetName name, api::PageQuery page, api::Reply reply) override;
  void import_dataset(api::DatasetImport import, api::Reply reply) override;
  void dataset_entry(api::DatasetName name, std::vector<std::string> key, api::Reply reply) override;
  void put_dataset_entry(api::DatasetEntryPut put, api::Reply reply) override;
  void delete_dataset_entry(api::EditRequest edit, std::vector<std::string> key, api::Reply reply) override;
  void edits(api::EditsQuery query, api::Reply reply) override;

  void sinks(api::PageQuery page, api::Reply reply) override;
  void sink(std::string name, api::Reply reply) override;
  void put_sink(std::string name, std::string json, api::Reply reply) override;
  void delete_sink(std::string name, api::Reply reply) override;
  void test_sink(std::string name, api::Reply reply) override;
  void sink_attempts(std::string name, api::PageQuery page, api::Reply reply) override;
  void sink_parked(std::string name, api::PageQuery page, api::Reply reply) override;
  void replay_sink(api::SinkReplay replay, api::Reply reply) override;

  void streams(api::PageQuery page, api::Reply reply) override;
  void stream(std::string name, api::Reply reply) override;
  void limits(api::Reply reply) override;
  void checkpoints(api::PageQuery page, api::Reply reply) override;
  void trigger_checkpoint(api::Reply reply) override;
  void ready(api::Reply reply) override;
  void health(api::Reply reply) override;
  void metrics(api::Reply reply) override;
  void observe_request(std::string_view route, std::string_view method, int status, double seconds) override;

 private:
  struct Feed;
  // Runs on the work thread, or answers 503 when too much waits for it.
  void on_work(const api::Reply& reply, std::function<void()> task);
  void on_delivery(const api::Reply& reply, DeliveryThread::Command command);
  void resume_rule(const RuleRecord& rule, cep::RuleMode mode, const api::Reply& reply);
  void pause_rule(const RuleRecord& rule, const api::Reply& reply);
  void match_summary(const RuleRecord& rule, const api::Reply& reply);
  void store_sink(SinkSpec spec, const std::string& new_secret, const api::Reply& reply);
  void replay_sequences(SinkId sink, std::vector<uint64_t> sequences, const api::Reply& reply);
  void continue_feed(std::shared_ptr<Feed> feed);
  std::vector<KafkaPartitionStatus> kafka_status() const;
  std::vector<SinkStatus> sink_status(const DeliveryEngine& engine) const;      // of both types

  Lane& lane_;
  DeliveryThread& delivery_;
  SinkRegistry& sinks_;
  Metrics& metrics_;
  const BackendOptions options_;
  const cep::TimeUs started_us_;          // what counts from the start of the process says so
  std::atomic<bool> draining_{false};
  std::mutex hook_mutex_;                 // guards feed_hook_, held while it is called
  std::function<void()> feed_hook_;
};

}  // namespace service
