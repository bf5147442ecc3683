// The engine of one shard: reorder buffers, key tables, matching and timers for every timeline. One thread, no clock, no file.
// Rules that read what other rules made (`into`) stand on levels: on_batch and on_time run level 0; then, level by level, every shard
// gives what its alerts became, and gets what those of all shards did. feed() does all of it for an engine that is alone.
// Fed with batches and the clock's admissions in log order; returns alerts. What it returns depends only on what it was fed,
// not on how rows were cut into batches (R61, R62).
#pragma once

#include <map>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "cep/alert.h"
#include "cep/clock.h"
#include "cep/limits.h"
#include "cep/match_state.h"
#include "cep/rule_set.h"
#include "cep/verdict.h"

namespace cep {

// A key's bytes on their way to the store, or the news that it is gone (bytes empty).
struct KeyImage {
  uint64_t space = 0;                 // KeySpace::id
  uint64_t hash = 0;                  // of the key
  TimeUs deadline = kTimeMax;         // its next timer
  uint32_t old_segment = 0;           // where its previous image is; 0: nowhere
  std::string bytes;
};

// Rows that wait in a reorder buffer, by log position: the marks of a checkpoint (mechanisms 1.5).
struct BufferedRows {
  std::string timeline;
  std::vector<uint64_t> positions;    // in no order
};

// Events that alerts became: batches of one row each, in any order.
using DerivedRows = std::vector<BatchPtr>;

class TimelineEngine;

class Engine {
 public:
  // `merges_runs` false: every partial match is a run of its own, which gives the same alerts at a greater cost (a test's measure).
  Engine(uint32_t shard, uint32_t shard_count, const Limits& limits, bool merges_runs = true);
  ~Engine();
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;

  // Changes over to another rule set: state of programs that are in both stays, runs of others die. Not while images are being taken.
  void apply_rules(RuleSetPtr rules);
  // One batch with its admissions (Clock::admit): buffers rows that are not late and whose key is this shard's, releases
  // everything up to each frontier, fires timers. Alerts are appended in order of (time, rule, key, R31).
  void on_batch(const BatchPtr& batch, std::span<const Admission> admissions, std::vector<Alert>& alerts);
  // Watermark or tick: admissions without a batch.
  void on_time(std::span<const Admission> admissions, std::vector<Alert>& alerts);
  // Whether these admissions reach beyond level 0: the same answer in every shard.
  bool is_passed_on(std::span<const Admission> admissions) const;
  uint32_t levels() const { return rules_->levels(); }
  // Rows that alerts became since the last call.
  DerivedRows take_derived() { return std::exchange(derived_, {}); }
  // One level: first the rows that the alerts of all shards became on the level before, then what the frontiers release.
  void on_level(uint32_t level, std::span<const Admission> admissions, const DerivedRows& derived, std::vector<Alert>& alerts);
  // All levels of one record, for a single shard. `batch` null: watermark or tick.
  void feed(const BatchPtr& batch, std::span<const Admission> admissions, std::vector<Alert>& alerts);

  // The verdict on an event (a batch of one row), asked before on_batch has it, with the same admissions: works on copies of the keys that
  // are this shard's. What shards say of one event adds up: their alerts together are the verdict's.
  void decide(const BatchPtr& event, std::span<const Admission> admissions, Verdict& verdict);

  // Match state of one key, as of the watermark; nullptr rule name checks are the caller's. `key` by KeyPart.
  MatchState match_state(const BoundRule& rule, std::span<const Value> key, uint32_t runs_max) const;
  MatchSummary match_summary(const BoundRule& rule) const;
  uint64_t key_hash(const BoundRule& rule, std::span<const Value> key) const;

  // Copies the state of `programs` from a muted engine's keys into this one, right after apply_rules (warm start, R74), and
  // of the rows that wait in its buffers those that the rules now make this shard's. `warmed` is of one shard and was fed at least every
  // row that waits here; several shards may adopt from it.
  void adopt(const Engine& warmed, std::span<const ProgramId> programs);

  // No checkpoint will be taken (a file run): what changes need not be remembered for one, which would grow with every key that comes and
  // goes. Before the first event.
  void expect_no_images() { has_images_ = false; }
  // Checkpoint, a bit at a time: after begin_images, take_images hands over every key that changed since the begin_images before, as it
  // was at this one whatever comes in between, and keys unchanged since whose image is in `victims`. `segment` will hold them all.
  void begin_images(uint32_t segment, std::vector<uint32_t> victims);
  // Appends about `bytes_max` bytes of images; false when there are no more.
  bool take_images(size_t bytes_max, std::vector<KeyImage>& images);
  std::vector<BufferedRows> buffered() const;
  // Restore: a stored image (verified; false if it is not a sound block), then buffered rows, before the first batch.
  bool restore_key(uint64_t space, uint64_t hash, uint32_t segment, std::string_view bytes);
  void prefetch_key(uint64_t space, uint64_t hash) const;     // which is to be restored soon
  // Of such a space every shard restores every image, whoever wrote it: it holds derived rows that wait.
  bool is_derived_space(uint64_t space) const;
  void restore_buffered(const std::string& timeline, const BatchPtr& batch, std::span<const uint32_t> rows);
  // The watermark that the timeline's clock was saved with: readers see it at once, timers need no row to know it.
  void restore_frontier(const std::string& timeline, TimeUs watermark);

  const RuleSet& rules() const { return *rules_; }
  uint64_t keys() const;
  uint64_t runs(ProgramId program) const;
  // Adds the live runs of every program, of merged ones one for each state of a key; one walk over all keys.
  void count_runs(std::map<ProgramId, uint64_t>& runs) const;
  uint64_t state_bytes() const;
  uint64_t reorder_rows() const;
  uint64_t derived_waiting() const;     // the same in every shard
  const EngineCounters& counters() const { return counters_; }
  const EvalCounters& eval_counters() const { return eval_counters_; }

 private:
  friend class TimelineEngine;
  friend class TimelinePeek;
  void pass_on(std::vector<Alert>& alerts, size_t first);

  uint32_t shard_;
  uint32_t shard_count_;
  Limits limits_;
  bool merges_runs_;
  RuleSetPtr rules_;
  std::vector<std::unique_ptr<TimelineEngine>> timelines_;   // by timeline of rules_
  bool has_images_ = true;
  DerivedRows derived_;
  std::vector<KeyImage> ended_;                              // gone with their timelines, not yet taken
  EngineCounters counters_;
  EvalCounters eval_counters_;
};

}  // namespace cep
