// Events in from Kafka: one reader for each [[kafka]] of the configuration, whose partitions are sources of the lane.
// Invariants: no partition is read before the lane knows a source for every topic of the configuration, so that time waits for those that
// cannot be reached yet (R63). A partition is read from where the lane's log says, record by record without a gap, and what is handed to
// the lane is handed over in the partition's order; offsets committed to Kafka only inform. A record that is no event is kept with the
// rejected and holds nothing up. What cannot be read any more (a topic that is gone or another one under its name, records that retention
// took) stops the partition with a named error, or is skipped where the configuration says so: loudly, counted, never in silence.
// Threads: each reader has one, which owns everything but the published status.
#pragma once

#include <atomic>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "service/kafka_client.h"
#include "service/lane.h"
#include "service/service_log.h"

namespace service {

// One [[kafka]] section.
struct KafkaSpec {
  std::string name;                   // stands in the names of its sources, hence in identities of events without `unique`
  KafkaOptions client;
  std::string stream;
  std::vector<std::string> topics;
  bool cloud_events = false;          // format = "cloudevents": the event is what a CloudEvent carries; else the value is the event
  bool from_latest = false;           // start = "latest": a topic that is new to Weir begins at its end
  bool skips_lost = false;            // on_loss = "skip"
  std::string group = "weir";         // monitors find the offsets under <group>-positions
};
// Error: bad_kafka, saying which key.
cep::Status check_kafka_spec(const KafkaSpec& spec);

struct KafkaPartitionStatus {
  std::string kafka, topic, stream;
  int32_t partition = 0;
  std::string source;                 // name of the lane's source; empty: none yet
  std::string state;                  // one of kKafkaStates
  std::string code, error;            // why it does not read
  std::optional<uint64_t> next;       // position: offset of the next record for the lane; none: not known where it begins
  std::optional<uint64_t> end;        // offset behind the newest record, as last heard
  uint64_t records = 0, skipped = 0;  // since the start; skipped: lost to on_loss = "skip"
  cep::TimeUs newest_us = cep::kTimeMin;      // greatest event time of its events
  bool is_read() const { return code.empty() && (state == "reading" || state == "idle"); }
  std::optional<uint64_t> lag() const {
    if (!next || !end) return std::nullopt;
    return *end > *next ? *end - *next : 0;
  }
};
// idle: read to its end, and no time waits for it.
inline constexpr std::string_view kKafkaStates[] = {"connecting", "waiting_for_stream", "reading", "idle", "stopped"};

class KafkaSource {
 public:
  using WallClock = std::function<cep::TimeUs()>;
  using DeclareAll = std::function<cep::Status()>;      // declare_topics of all of a configuration
  // `lane` and `log` outlive it. Errors of start: bad_kafka_property, no_kafka.
  KafkaSource(KafkaSpec spec, Lane& lane, WallClock clock, const ServiceLog& log);
  ~KafkaSource();      // as stop()
  cep::Status start(DeclareAll declare_all);
  void stop();         // hands nothing over any more; what was read and not handed over is read again after the next start

  std::vector<KafkaPartitionStatus> status() const;
  // Whether a source of the lane is one of this configuration's.
  bool owns(const std::string& source_name) const;
  // Time waits for each of its topics from here on, though no broker may have answered yet; a topic whose stream is not declared has no
  // time to hold. Any thread. Errors: those of Lane::open_source but unknown_stream.
  cep::Status declare_topics() const;

 private:
  // Records of one partition on their way to the lane.
  struct Gathered {
    std::shared_ptr<api::SubmitRequest> request;
    std::vector<std::pair<size_t, size_t>> extents;      // of the items' rows in the body
    std::vector<state::RowPlace> places;
  };
  struct Partition {
    KafkaPartitionStatus shown;
    cep::SourceId source = cep::kInputSource;            // none yet
    bool is_of_new_topic = false;                        // of which the lane had no source when it was first found
    uint32_t incarnation = 1;                            // topics of this name so far
    uint64_t next = 0;
    std::optional<state::RowPlace> to_verify;            // the last row in the log, read again to see that it is the same topic
    Gathered gathered;
    bool is_at_end = false;
    bool is_gone = false;                                // the topic has fewer partitions now
    std::shared_ptr<std::atomic<uint64_t>> durable = std::make_shared<std::atomic<uint64_t>>(0);
    uint64_t committed = 0;
    bool is_reading() const { return shown.state == "reading"; }
  };

  void run();
  void look();
  bool look_at_topic(const std::string& topic);
  void note_missing(Partition& partition, const cep::Error& why);
  void recall();
  Partition& add(const std::string& topic, int32_t number);
  std::optional<SourceNumbers> find_source(Partition& partition) const;
  void release_time(const std::string& names);
  void open(Partition& partition);
  void open_known(Partition& partition, const SourceNumbers& known, const KafkaConsumer::Bounds& bounds);
  void declare(Partition& partition, uint64_t first);
  cep::Status declare_ahead() const;
  void read(Partition& partition, uint64_t from);
  void lose(Partition& partition, const std::string& code, const std::string& what, const KafkaConsumer::Bounds& bounds);
  void wait_for(Partition& partition, const cep::Error& why, const char* state = "connecting");
  bool note_end(Partition& partition, bool asks);
  void set_at_end(Partition& partition, bool is_at_end);
  void handle(const KafkaEvent& event);
  void handle_range(Partition& partition);
  bool is_same_topic(Partition& partition, const KafkaEvent& event);
  void gather(Partition& partition, const KafkaEvent& event);
  bool append_row(const KafkaEvent& event, std::string& body, api::RowError* error) const;
  void hand_over();
  void hand_over(Partition& partition);
  void commit(Partition& partition);
  void publish();
  std::string names_of(const std::string& topic) const;      // how those of its sources begin
  std::string source_name(const Partition& partition, uint32_t incarnation) const;
  Partition* find(std::string_view topic, int32_t number);

  const KafkaSpec spec_;
  Lane& lane_;
  const WallClock clock_;
  const ServiceLog& log_;
  DeclareAll declare_all_;
  std::unique_ptr<KafkaConsumer> consumer_;
  std::vector<std::unique_ptr<Partition>> partitions_;
  std::set<std::string> known_topics_;
  std::map<std::string, int> missing_looks_;             // by topic: how often running it was not found
  size_t gathered_bytes_ = 0;
  cep::TimeUs next_look_us_ = 0, next_commit_us_ = 0;
  std::atomic<bool> stopping_{false};
  mutable std::mutex mutex_;                             // guards the next
  std::vector<KafkaPartitionStatus> published_;
  std::thread thread_;
};

// All of a configuration.
class KafkaSources {
 public:
  // Sources of the lane that no section owns any more hold no time back. Errors: those of KafkaSource::start.
  static cep::Result<std::unique_ptr<KafkaSources>> start(const std::vector<KafkaSpec>& specs, Lane& lane, KafkaSource::WallClock clock,
                                                          const ServiceLog& log);
  ~KafkaSources() { stop(); }      // all of them before any is gone: each declares for all
  void stop();
  std::vector<KafkaPartitionStatus> status() const;

 private:
  cep::Status declare_topics() const;
  std::vector<std::unique_ptr<KafkaSource>> sources_;
};

}  // namespace service
