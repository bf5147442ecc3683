// The metrics of a process as Prometheus text (formats.md "Metrics"). Numbers of lane, shards, store and delivery are read when somebody
// asks; only requests are observed as they happen. Labels are names of rules, sinks, streams, timelines, routes: never keys or values.
// Counters begin at 0 with the process. Threads: any.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "service/delivery.h"
#include "service/kafka_source.h"
#include "service/lane.h"
#include "service/remote_checkpoints.h"

namespace service {

// What has to be asked of other threads beforehand.
struct MetricsSample {
  cep::TimeUs now_us = 0;
  std::vector<SinkStatus> sinks;
  std::map<cep::ProgramId, uint64_t> runs;      // live runs of all shards
  std::vector<KafkaPartitionStatus> kafka;
  const RemoteCheckpoints* remote = nullptr;    // null: there are none
};

class Metrics {
 public:
  explicit Metrics(std::string version);
  ~Metrics();

  void observe_request(std::string_view route, std::string_view method, int status, double seconds);
  std::string render(const Lane& lane, const MetricsSample& sample) const;

 private:
  struct Requests;
  const std::string version_;
  std::unique_ptr<Requests> requests_;
};

}  // namespace service
