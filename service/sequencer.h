// The log thread: the one place where order is made. Requests are deduplicated, appended, flushed together (linger: 2 ms or 256 KB,
// none when a decision or a control record waits) and only then dispatched: clock, lateness, shards, answer (logged, then processed).
// Threads: submit and post from any thread; everything else belongs to the log thread, or to the caller before start().
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <variant>
#include <vector>

#include "api/backend.h"
#include "cep/clock.h"
#include "service/dataset_records.h"
#include "service/dedupe.h"
#include "service/intake_watch.h"
#include "service/latency.h"
#include "service/registry.h"
#include "service/shard.h"
#include "service/store.h"
#include "service/submission.h"
#include "service/warm_start.h"
#include "state/log_writer.h"

namespace service {

struct SequencerOptions {
  std::string log_dir;
  cep::DurationUs linger_us = 2 * cep::kMillisecond;
  size_t linger_bytes = 256 << 10;
  size_t credit_bytes = 64 << 20;              // of requests waiting; beyond it submit refuses: 429
  size_t dedupe_ids_max = 4'000'000;
  size_t request_ids_max = 1'000'000;
  cep::DurationUs checkpoint_every_us = cep::kSecond;
  cep::DurationUs tick_every_us = cep::kSecond;
  cep::DurationUs log_keep_us = 7 * cep::kDay;
  uint64_t log_keep_bytes = uint64_t{50} << 30;
  cep::Limits limits;
};

struct SequencerNumbers {
  std::atomic<uint64_t> log_end{0}, log_begin{0}, requests{0}, duplicates{0}, late{0}, failed_flushes{0}, disk_full_waits{0}, ticks{0};
  std::atomic<uint64_t> ids_evicted{0}, flushes{0}, reorder_forced{0}, backfill_dropped{0};
  std::atomic<int64_t> flush_us{0};            // of the last flush
  LatencyHistogram flush;
};

// Counts by stream name, for metrics; what named a stream that nobody declared counts under the empty name.
struct StreamNumbers {
  uint64_t accepted = 0, duplicates = 0, late = 0, rejected = 0;
  std::map<std::string, uint64_t> rejected_by_code;
};

// The sequencer's part of a checkpoint's control bytes.
struct SavedControl {
  std::string registry;
  uint32_t reorder_rows_max = cep::Clock::kWaitingMaxAtFirst;
  std::vector<cep::TimelineClock> clocks;
  std::map<cep::StreamId, std::map<cep::SourceId, cep::TimeUs>> streams;
  std::vector<std::pair<SourceChange, SourcePlace>> sources;     // by number, from 1 on
};
cep::Result<SavedControl> decode_control(std::string_view bytes);

class Sequencer {
 public:
  using WallClock = std::function<cep::TimeUs()>;
  using Command = std::function<void(Sequencer&)>;

  Sequencer(SequencerOptions options, state::FileSystem& files, std::unique_ptr<state::LogWriter> log, Registry registry,
            std::vector<std::unique_ptr<Shard>>& shards, Store& store, Decisions& decisions, WallClock clock);
  ~Sequencer();

  // Recovery, before start: the clock as of the checkpoint, then the rows that waited, then every frame from there on.
  void restore_clock(const SavedControl& control);
  void restore_datasets(DatasetRecords records) { dataset_records_ = std::move(records); }
  void restore_waiting(const std::string& timeline, cep::TimeUs time) { clock_.restore_waiting(timeline, time); }
  void tell_clocks() { dispatch_time(clock_.standing()); }     // to shards that have seen no row yet
  void remember(const state::FrameView& frame);                // dedupe tables only
  cep::Status replay(const state::FrameView& frame);

  void start();
  void stop();                                                 // commits and answers what was submitted, then ends the thread

  // False: no credit, or stopping; nothing was taken.
  bool submit(Submission submission);
  // Runs between groups, with nothing unflushed. False: stopping, the command will not run.
  bool post(Command command);

  bool is_stopping() const { return queue_.is_closed(); }

  RegistryPtr registry() const;
  size_t waiting_bytes() const { return queue_.weight(); }
  const SequencerNumbers& numbers() const { return numbers_; }
  const DiskWait& disk_wait() const { return disk_wait_; }
  std::map<std::string, StreamNumbers> stream_numbers() const;
  std::vector<std::pair<std::string, cep::TimeUs>> watermarks() const;
  std::vector<SourceNumbers> sources() const;                  // by number, from 1 on
  // The earliest arrival of which a row that a source may bring could still be a duplicate; kTimeMax: of no source.
  cep::TimeUs oldest_arrival() const;

  // --- on the log thread, in a Command
  // Declares a source that begins at `first`, or finds the one of that name, which begins there if it was kNotPlaced.
  SourceNumbers declare_source(const SourceChange& change, uint64_t first);
  // Whether the source has brought all there is: only then may its silence make it idle (R64). Until somebody says so it has not.
  void set_at_end(cep::SourceId source, bool is_at_end);
  // Logs a control record and makes it durable, waiting out a full disk; the record's offset.
  uint64_t log_control(state::FrameKind kind, const std::string& body);
  // Brings a rule change into force: registry, clock, shards. `warm` (may be null) holds the new programs' state.
  cep::Status put_in_force(const RulesChange& change, std::unique_ptr<WarmStart> warm);
  // `after`, if given, is the dataset with these edits made already.
  cep::Status put_in_force(const DatasetChange& change, uint64_t offset, cep::DatasetPtr after = nullptr);
  cep::Status put_in_force(const ModeChange& change);
  // Swaps the registry and the rule set without a log record: only during recovery.
  void publish(Registry registry, const WarmStart* warm);
  uint64_t log_end() const { return log_->next_offset(); }
  uint64_t log_begin() const;
  bool begin_checkpoint();                                     // false: one is running already
  std::string control_bytes() const;                           // registry and clocks, for the seal
  state::FileSystem& files() { return files_; }
  const SequencerOptions& options() const { return options_; }      // from any thread: they never change

 private:
  struct Pending {
    Submission submission;
    std::vector<Submission::Part> parts;                       // what was logged, in order, duplicates removed
    std::vector<uint64_t> first_offsets;                       // by part
    api::SubmitAnswer answer;
    state::StoredDecision decided;                             // of a decision: its event
    bool is_repeated = false;                                  // of a decision: the event is known, its verdict stored
  };
  using Item = std::variant<Submission, Command>;

  void run();
  void log_limits();
  void take(Submission submission);
  void decode_anew(Submission& submission, cep::TimeUs now);
  bool answer_repeated(Submission& submission, const state::Id16& request_id, cep::TimeUs now);
  Submission::Part without_duplicates(Submission::Part part, std::span<const state::RowPlace> places, cep::TimeUs now,
                                      uint64_t* duplicates);
  void append(Pending& pending, const state::Id16& request_id, cep::TimeUs now);
  uint64_t log_frame(const state::FrameInput& frame);
  void note_place(cep::SourceId source, uint64_t next, const state::RowPlace* last);
  void commit();
  void flush_patiently();
  void dispatch(Pending& pending);
  void note_decision(Pending& pending, const state::Id16& unique_hash, const state::Id16& request_id,
                     std::optional<cep::TimeUs> came_us) const;
  void repeat_decision(const Pending& pending);
  std::shared_ptr<Decision> decision_again(const state::FrameView& frame, const cep::Batch& event) const;
  void dispatch_batch(const cep::BatchPtr& batch, const std::vector<std::string_view>* rows, std::shared_ptr<Decision> decision = nullptr);
  void dispatch_time(std::vector<cep::Admission> admissions);
  void keep_late(const cep::Batch& batch, const std::vector<cep::Admission>& admissions, const std::vector<std::string_view>* rows);
  void keep_rejected(const Submission& submission, cep::TimeUs now);
  void housekeeping();
  void tick_if_silent(cep::TimeUs now);
  void put_in_force(const SourceChange& change, const state::FrameHeader& header);
  void mark_idle_sources(cep::TimeUs now);
  void place(SourceNumbers& source, uint64_t first);
  void publish_sources();
  void publish_watermarks();

  SequencerOptions options_;
  state::FileSystem& files_;
  std::unique_ptr<state::LogWriter> log_;
  std::vector<std::unique_ptr<Shard>>& shards_;
  Store& store_;
  Decisions& decisions_;
  WallClock clock_now_;
  cep::Clock clock_;
  cep::RuleSetPtr rules_;
  DatasetRecords dataset_records_;
  SeenIds seen_;
  SeenRequests requests_;
  LogRows rows_;
  std::vector<Pending> pending_;
  std::vector<SourceNumbers> sources_;                         // by number - 1
  uint64_t barrier_offset_ = 0;                                // of the last checkpoint begun
  cep::TimeUs next_checkpoint_us_ = 0, next_tick_us_ = 0, next_trim_us_ = 0;

  Queue<Item> queue_;
  std::thread thread_;
  mutable std::mutex published_mutex_;                         // guards the four below
  RegistryPtr registry_;
  std::map<std::string, StreamNumbers> stream_numbers_;
  std::vector<std::pair<std::string, cep::TimeUs>> watermarks_;
  std::vector<SourceNumbers> published_sources_;
  SequencerNumbers numbers_;
  DiskWait disk_wait_;
};

}  // namespace service
