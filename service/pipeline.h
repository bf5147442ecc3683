// One in-process pipeline: a clock and the engines of N shards, fed one record after the other by one thread.
// It is the service's engine without its threads and files: `run`, `test`, warm starts and measurements use it.
// Invariant: the alerts it gives depend on the records alone, not on the number of shards or the size of batches.
// With `keeps_history` it remembers all records, which is what a change of rules midway (R74) and restart() read; that
// memory is unbounded and meant for tests and warm starts.
// Threads: one owner.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "cep/clock.h"
#include "cep/engine.h"
#include "cep/result.h"
#include "service/alert_order.h"

namespace service {

// Later than every event and every deadline, and far from overflow: the watermark of a closed input.
inline constexpr cep::TimeUs kEndOfTime = cep::kTimeMax / 4;

struct PipelineOptions {
  uint32_t shards = 1;
  bool keeps_history = false;
  cep::Limits limits;
  bool is_restarted = true;       // perhaps: state is taken out of it (restart, Engine::begin_images)
  bool merges_runs = true;      // cep::Engine
};

// The images of a shard's keys by (space, hash).
using KeyImages = std::map<std::pair<uint64_t, uint64_t>, cep::KeyImage>;
// What happens to them between two lives: it leaves what comes back.
using ImageTrip = std::function<cep::Status(uint32_t shard, KeyImages& images)>;

struct LateRow {
  cep::SchemaPtr schema;
  uint64_t position = 0;
  cep::TimeUs time = 0;
  cep::TimeUs watermark = 0;      // that it missed
};

class Pipeline {
 public:
  explicit Pipeline(const PipelineOptions& options);

  // Changes over to another rule set at the present frontier. Programs in `to_warm` start as if they had been there from
  // the first record on (needs the history); what they would have found before now is not given.
  void apply_rules(cep::RuleSetPtr rules, std::span<const cep::ProgramId> to_warm = {});
  void feed(const cep::BatchPtr& batch);
  // The verdict on an event (a batch of one row), which is then fed.
  cep::Verdict decide(const cep::BatchPtr& event);
  // {"$watermark": T}, of one stream's timelines or (nullptr) of all.
  void watermark(cep::TimeUs time, const std::string* stream);
  // Takes all state out as a checkpoint would, throws the engines away and puts it into new ones (needs the history).
  // Errors: bad_image, an image was not sound; those of the trip.
  cep::Status restart(const ImageTrip& trip = {});

  // Appends the alerts that no later record can precede, in order; with `all`, those that are held as well.
  void take_alerts(std::vector<cep::Alert>& out, bool all);
  // Rows late for any timeline since the last call, each once.
  std::vector<LateRow> take_late() { return std::exchange(late_, {}); }

  const cep::RuleSetPtr& rules() const { return rules_; }
  uint64_t late_rows() const { return late_count_; }
  uint64_t rows() const { return rows_; }
  uint64_t reorder_forced() const { return clock_.forced(); }
  // Rows that alerts became and time has not passed yet, by timeline.
  uint64_t derived_waiting() const { return engines_.front()->derived_waiting(); }
  cep::EngineCounters counters() const;     // summed over the shards
  cep::Engine& engine(uint32_t shard) { return *engines_[shard]; }

 private:
  // One record: a batch, a watermark, or lists and tables that apply from here on.
  struct Record {
    cep::BatchPtr batch;
    cep::TimeUs watermark = cep::kTimeMin;
    std::optional<std::string> stream;      // of the watermark
    std::optional<cep::Datasets> datasets;
  };

  std::vector<cep::Admission> admit(const cep::BatchPtr& batch);
  void feed_engines(const cep::BatchPtr& batch, std::span<const cep::Admission> admissions);
  void note_late(const cep::Batch& batch, std::span<const cep::Admission> admissions);
  cep::TimeUs settled_until() const;
  std::unique_ptr<Pipeline> warmed(const cep::RuleSetPtr& rules, std::span<const cep::ProgramId> programs) const;
  void restore_rows(const std::map<std::string, std::set<uint64_t>>& waiting);

  PipelineOptions options_;
  cep::RuleSetPtr rules_;
  cep::Clock clock_;
  std::vector<std::unique_ptr<cep::Engine>> engines_;
  std::vector<KeyImages> images_;   // by shard: as last restarted
  uint32_t segment_ = 0;            // number of the last restart
  AlertOrder order_;
  std::vector<LateRow> late_;
  std::vector<Record> history_;
  uint64_t late_count_ = 0;
  uint64_t rows_ = 0;
};

}  // namespace service
