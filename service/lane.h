// One lane: event log, sequencer, shards, store, and what binds them: recovery, deployments with warm start, drain (solo mode: one lane).
// Threads: open and close on the caller's; everything else from any thread. Callbacks come from the lane's threads and must be short.
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "service/sequencer.h"
#include "state/data_dir.h"
#include "state/live_records.h"
#include "state/remote_owner.h"

namespace service {

struct LaneOptions {
  std::string data_dir;
  std::string log_root;                  // empty: inside data_dir
  uint32_t shards = 1;
  SequencerOptions sequencer;            // log_dir is set by open
  RetentionOptions retention;
  IntakeOptions intake;
  size_t dataset_entries_max = 5'000'000;      // of a list, rows of a table; policy: the edit is refused, counted
  DecisionOptions decisions;
  IntakeWatch::OnChange on_intake_change;      // may be empty
  // Called with the directory locked, its newest checkpoint proved and its log open, before anything goes on from them; an Error is that
  // of open. May be empty.
  std::function<cep::Status(const state::LocalPlace&)> may_start;
  std::shared_ptr<state::FileSystem> files;    // null: the real one; a test gives a twin that fails
};

// What a deployment came to. `warm_from_us`: arrival of the oldest log record the new programs were warmed with (kTimeMax: none).
struct DeployResult {
  DeploymentPlan plan;
  bool applied = false;
  cep::Status status = cep::ok_status(); // Error: stopping, io_error, ...; a text with errors is plan.ok == false
  cep::TimeUs warm_from_us = cep::kTimeMax;
  bool log_was_trimmed = false;          // the warm-up could not see the whole past: `partial`
};

// Records of one source, in its order: what a reader of Kafka hands to the lane. Items and rejected rows of the request are numbered by
// their places.
struct SourceRecords {
  cep::SourceId source = 0;
  std::string stream;
  std::shared_ptr<api::SubmitRequest> request;   // owns the rows' bytes; its items are events of `stream`
  std::vector<state::RowPlace> places;           // of every record, by SubmitItem::index
  uint64_t next = 0;                             // the source's ordinal behind them
};
enum class Taken : uint8_t { kTaken, kBusy, kNoStream, kStopping };

class Lane {
 public:
  static constexpr size_t kWorkWaitingMax = 1024;

  // Opens the data directory and recovers: last sealed checkpoint, then the log up to its end. `notes` get what an operator should read.
  // Errors: locked, foreign_data, newer_data, damaged, state_missing, log_disagrees, disk_full, io_error, ...
  static cep::Result<std::unique_ptr<Lane>> open(LaneOptions options, Sequencer::WallClock clock, std::vector<std::string>& notes);
  ~Lane();

  // Names the sinks there are: rules may send to no other. Before the first deployment; `names` is called on the work thread.
  void know_sinks(std::function<std::vector<std::string>()> names) { sink_names_ = std::move(names); }
  // Called on the store thread when alerts became visible. An empty one: no more calls once this returned.
  void on_alerts_stored(std::function<void()> hook);

  // Decodes on the caller's thread, replies after the flush. Unknown streams and bad rows are rejected one by one. While a disk is full
  // nothing is taken, and what waits is answered kUnavailable after a while.
  void submit(std::shared_ptr<api::SubmitRequest> request, std::function<void(api::SubmitAnswer)> reply);

  // The request has one record. Answered with the verdict on its event when that is durable, or as `submit` refuses.
  void decide(std::shared_ptr<api::SubmitRequest> request, DecisionReply reply);

  // Sources beside the input (lane_sources.cc). The log is the truth of how far each was read: `next` of its place, also after a crash.
  // Declares the source, which begins at `first`, or finds the one of that name, which begins there if it was kNotPlaced.
  // Errors: as edit_list, unknown_stream.
  cep::Result<SourceNumbers> open_source(const SourceChange& source, uint64_t first);
  std::vector<SourceNumbers> sources() const { return sequencer_->sources(); }
  // Takes records in, unless there is no credit, which a source may fill to four fifths only, or no such stream now; then nothing was
  // taken and `records` is as it was. `durable` (may be empty) is called when the log has them; a full disk delays it, nothing drops them.
  Taken submit_records(SourceRecords& records, std::function<void()> durable);
  // What set_at_end of the sequencer says, behind everything submitted before.
  void set_source_at_end(cep::SourceId source, bool is_at_end);
  // What deploying a text would come to. On the work thread: it may take long.
  DeploymentPlan plan(const std::string& text, const std::string& file_name) const;
  // Compiles and deploys a text on the work thread. `allow` (may be empty) sees the plan and may refuse: nothing is applied then.
  using PlanCheck = std::function<bool(const Registry&, const DeploymentPlan&)>;
  void deploy(std::string text, std::string file_name, bool dry_run, PlanCheck allow, std::function<void(DeployResult)> done);
  // Drops a rule; a resumed or rolled back version starts anew.
  void restart_rule(std::string rule, std::string text, cep::RuleMode mode, std::function<void(DeployResult)> done);
  // In force when they return. Error: not_found, stopping, and while a disk is full disk_full, at once or after a while.
  cep::Status set_mode(ModeChange change);
  // Settles the edits (settle_edits) and brings them into force; `change` is then what was logged. Error: also wrong_type, too_many, busy.
  cep::Status edit_dataset(DatasetChange& change);
  uint64_t list_entries_refused() const { return list_entries_refused_; }     // edits at that limit
  uint64_t table_rows_refused() const { return table_rows_refused_; }
  // Runs `task` on the work thread: what may fault or take long (history pages, compiling). False: stopping.
  bool work(std::function<void()> task);

  // A question to the shard that owns a key of a rule, or to each shard. False: too many wait.
  bool ask_owner(const cep::Program& program, uint64_t key_hash, std::function<void(const cep::Engine&)> question);
  bool ask_all(const std::function<void(uint32_t shard, const cep::Engine&)>& question);
  // Waits until everything submitted before is processed, stored and (with `checkpoint`) sealed: for drain and tests.
  void settle(bool checkpoint);
  bool trigger_checkpoint();

  RegistryPtr registry() const { return sequencer_->registry(); }
  Store& store() { return *store_; }
  const Store& store() const { return *store_; }
  const Sequencer& sequencer() const { return *sequencer_; }
  const IntakeWatch& intake() const { return *intake_; }
  const Decisions& decisions() const { return *decisions_; }
  const std::vector<std::unique_ptr<Shard>>& shards() const { return shards_; }
  cep::DurationUs recovery_us() const { return recovery_us_; }
  const std::string& data_dir() const { return options_.data_dir; }
  const LaneOptions& options() const { return options_; }
  size_t work_waiting() const { return work_.weight(); }
  state::FileSystem& files() { return *files_; }

  // Finishes what was submitted, seals a checkpoint, stops all threads. Once.
  void close();

 private:
  explicit Lane(LaneOptions options, Sequencer::WallClock clock);
  struct Recovery;
  cep::Status recover(std::vector<std::string>& notes);
  cep::Status open_parts(Recovery& recovery, std::vector<std::string>& notes);
  cep::Status read_checkpoint(Recovery& recovery, std::vector<std::string>& notes);
  cep::Status read_control(Recovery& recovery, std::vector<std::string>& notes);
  cep::Status take_datasets(Recovery& recovery);
  cep::Status restore_state(Recovery& recovery);
  cep::Status restore_keys(const state::LiveRecords& records);
  cep::Status restore_keys_of(uint32_t shard, const state::LiveRecords& records);
  cep::Status restore_waiting_rows(const state::SealedCheckpoint& checkpoint);
  cep::Status replay_log(uint64_t from);
  void run_deploy(DeploymentPlan plan, bool dry_run, const PlanCheck& allow, const std::function<void(DeployResult)>& done);
  void apply_plan(DeployResult& result);
  cep::Status change_and_wait(std::function<cep::Status(Sequencer&)> change);
  void submit(std::shared_ptr<api::SubmitRequest> request, std::shared_ptr<Decision> decision, WaitingRequest::Reply reply);
  void run_work();

  LaneOptions options_;
  Sequencer::WallClock clock_;
  std::shared_ptr<state::FileSystem> files_;
  state::DataDir dir_;
  std::unique_ptr<state::Env> env_;
  std::unique_ptr<Store> store_;
  std::unique_ptr<Decisions> decisions_;
  std::vector<std::unique_ptr<Shard>> shards_;
  std::unique_ptr<Sequencer> sequencer_;
  std::unique_ptr<IntakeWatch> intake_;
  Queue<std::function<void()>> work_;
  std::thread work_thread_;
  std::function<std::vector<std::string>()> sink_names_;      // empty: nobody knows the sinks
  std::mutex hook_mutex_;                // guards the next, held while it is called
  std::function<void()> alerts_hook_;
  cep::DurationUs recovery_us_ = 0;
  std::atomic<uint64_t> list_entries_refused_{0}, table_rows_refused_{0};
  bool closed_ = false;
};

}  // namespace service
