// The store thread: the only writer of the state environment. Alerts, rejected events, decisions and delivery changes go out
// together (T1, one commit after the other while there are any); between two of them one piece of a checkpoint slice (T2), and the seal
// (T3) when the last slice of every shard is in. A slice comes behind the alerts and decisions its shard made before, and those are
// committed first: what was caused below a barrier is stored before its seal.
// A full disk is waited out: nothing taken is dropped.
// Threads: every function may be called from any thread; `run` is the thread.
#pragma once

#include <atomic>
#include <condition_variable>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <tuple>
#include <variant>
#include <vector>

#include "cep/engine.h"
#include "service/intake_watch.h"
#include "service/latency.h"
#include "service/queue.h"
#include "state/alert_log.h"
#include "state/checkpoint.h"
#include "state/decision_log.h"
#include "state/delivery_log.h"
#include "state/edit_log.h"
#include "state/rejected_log.h"

namespace service {

struct RetentionOptions {
  cep::DurationUs alerts_keep_us = 30 * cep::kDay;
  uint64_t alerts_keep_bytes = uint64_t{10} << 30;
  cep::DurationUs attempts_keep_us = 7 * cep::kDay;
  cep::DurationUs decisions_keep_us = cep::kDay;
  uint64_t decisions_keep_bytes = uint64_t{1} << 30;
};

// Part of what one shard hands over at a barrier.
struct ShardSlice {
  uint32_t shard = 0;
  std::vector<state::KeyRecord> records;
  std::vector<cep::BufferedRows> buffered;      // with the first
  bool is_last = false;                         // everything of this shard is in
};

// What the sequencer knows at a barrier.
struct Barrier {
  uint32_t sequence = 0;               // of the checkpoint
  uint64_t applied_through = 0;        // L: every offset below is in the slices
  std::vector<std::string> timelines;  // names, by number of the rule set
  std::string control;                 // registry, clocks
  uint32_t shard_count = 1;
};

struct StoreCounters {
  std::atomic<uint64_t> alerts_stored{0};
  std::atomic<uint64_t> alerts_repeated{0};      // an id that was stored already: after a restart, or a second source
  std::atomic<uint64_t> checkpoints{0};
  std::atomic<uint64_t> disk_full_waits{0};
  std::atomic<int64_t> checkpoint_us{0};         // duration of the last one, from barrier to seal
  std::atomic<int64_t> sealed_at_us{0};          // wall clock
  std::atomic<uint64_t> log_floor_offset{0};     // the log may be trimmed below it
  LatencyHistogram event_to_alert;               // from the arrival of the records that caused an alert to its visibility
  LatencyHistogram checkpoint;
};

// Alerts newly stored since the start, by what metrics tell apart.
struct AlertCount {
  uint32_t rule = 0;                             // number
  uint8_t severity = 0, mode = 0;                // cep::Severity, cep::AlertMode
  uint64_t alerts = 0;
};

class Store {
 public:
  static constexpr size_t kAlertsWaitingMax = 4096;

  using WallClock = std::function<cep::TimeUs()>;
  Store(state::Env& env, state::CheckpointHistory history, RetentionOptions retention, WallClock clock);
  ~Store();

  void start();
  void stop();                                   // drains the queue, then ends the thread

  // From shards: waits while too much is queued. `received_us`: arrival of what caused them, kTimeMin: not to be measured.
  void put_alerts(std::vector<state::Alert> alerts, cep::TimeUs received_us = cep::kTimeMin);
  void put_rejected(std::vector<state::RejectedEvent> events);
  void put_edit(state::EditEntry entry);
  // Nobody waits for it, and the log has what it came from: it is stored with the next commit, after 100 ms at most.
  void put_decision(state::StoredDecision decision);
  // Calls `then` on the store thread when everything put before is durable. Not at all once the store has stopped.
  void call_when_stored(std::function<void()> then);
  // A delivery change; returns when it is durable.
  cep::Status commit_delivery(const state::DeliveryChange& change);
  // Any other write, in its own transaction; returns when it is durable.
  cep::Status write(const state::Env::WriteBody& body);
  // A checkpoint begins: the sequence for shards' slices and the segments they should hand over again. False while one is running.
  bool begin_checkpoint(uint32_t* sequence, std::vector<uint32_t>* victims);
  void put_slice(ShardSlice slice);
  void put_barrier(Barrier barrier);
  // While it is on no segment of a checkpoint is deleted, and no alert, attempt or verdict expires: somebody is copying them.
  void hold_deletions(bool on);
  // Waits until every alert, rejected event and task put before is durable.
  void wait_until_stored();
  // Waits until no checkpoint is under way. Its slices and barrier must have been put.
  void wait_until_sealed();

  // Called on the store thread after alerts became visible. Set before start.
  void on_alerts_stored(std::function<void()> hook) { alerts_hook_ = std::move(hook); }

  const state::AlertLog& alerts() const { return alerts_; }
  const state::RejectedLog& rejected() const { return rejected_; }
  const state::EditLog& edits() const { return edits_; }
  const state::DecisionLog& decisions() const { return decisions_; }
  const state::DeliveryLog& delivery() const { return delivery_; }
  state::DeliveryLog& delivery() { return delivery_; }
  state::Env& env() { return env_; }
  const StoreCounters& counters() const { return counters_; }
  const DiskWait& disk_wait() const { return disk_wait_; }
  std::vector<state::KeptSeal> seals() const;
  std::vector<AlertCount> alert_counts() const;
  size_t waiting() const { return queue_.weight(); }      // alerts, rejected events, verdicts and tasks not stored yet

 private:
  struct Task {
    state::Env::WriteBody body;
    std::function<void(cep::Status)> done;
  };
  struct Alerts {
    std::vector<state::Alert> alerts;
    cep::TimeUs received_us;
  };
  using Item = std::variant<Alerts, std::vector<state::RejectedEvent>, state::StoredDecision, Task, ShardSlice, Barrier>;

  void run();
  void gather(Item item);
  void gather_slice(ShardSlice slice);
  void commit_outputs();
  void count_alerts(const std::vector<state::Appended>& appended, cep::TimeUs now);
  cep::Status write_patiently(const state::Env::WriteBody& body);
  bool has_checkpoint_work() const;
  void step_checkpoint();
  void write_piece(const ShardSlice& slice);
  void seal();
  void patiently(const std::function<cep::Status()>& step);
  cep::Status expire_decisions(state::WriteTxn& txn, cep::TimeUs now, size_t records_max);
  void expire();

  state::Env& env_;
  state::AlertLog alerts_;
  state::RejectedLog rejected_;
  state::EditLog edits_;
  state::DecisionLog decisions_;
  state::DeliveryLog delivery_;
  RetentionOptions retention_;
  WallClock clock_;
  std::function<void()> alerts_hook_;
  Queue<Item> queue_;
  std::thread thread_;

  std::vector<state::Alert> pending_alerts_;
  std::vector<std::pair<cep::TimeUs, size_t>> pending_arrivals_;      // when what caused so many of them arrived, in order
  std::vector<state::RejectedEvent> pending_rejected_;
  std::vector<state::StoredDecision> pending_decisions_;
  size_t pending_decisions_weight_ = 0;
  std::vector<Task> pending_tasks_;
  cep::TimeUs next_expiry_us_ = 0;

  mutable std::mutex checkpoint_mutex_;           // guards the writer's numbers for begin_checkpoint and seals(), and deletions
  state::CheckpointWriter checkpoint_;
  bool checkpoint_running_ = false;
  bool deletions_held_ = false;
  std::condition_variable sealed_;
  cep::TimeUs checkpoint_began_us_ = 0;
  std::unique_ptr<Barrier> barrier_;
  std::deque<ShardSlice> slices_;                 // waiting, the front one in part written
  size_t slice_written_ = 0;                      // records of the front one
  uint32_t shards_in_ = 0;                        // all of whose slices are written
  bool has_dead_segments_ = false;
  std::vector<cep::BufferedRows> buffered_;
  StoreCounters counters_;
  DiskWait disk_wait_;
  mutable std::mutex counts_mutex_;               // guards the one below
  std::map<std::tuple<uint32_t, uint8_t, uint8_t>, uint64_t> alert_counts_;    // by rule, severity, mode
};

}  // namespace service
