// A warm start (R74): new or changed rules, alone in a muted engine, fed the whole retained log up to the cut where they take over.
// It reads from the log's beginning, not from "now minus horizon": event time and arrival may be far apart (a backfill), and only the
// same records from the start give the same clock, hence the same late rows.
// Threads: built and fed by one thread at a time (work, then sequencer); afterwards shards read its engine together.
#pragma once

#include <deque>
#include <memory>
#include <vector>

#include "cep/clock.h"
#include "cep/engine.h"
#include "service/dataset_history.h"
#include "service/log_rows.h"
#include "service/registry.h"
#include "state/alert_log.h"
#include "state/log_reader.h"

namespace service {

class WarmStart {
 public:
  static constexpr size_t kBackfillMax = 10'000;          // alerts kept of what the programs find in the log

  // `registry`: as it will be after the change, its lists and tables as of `log_end`, a record's end. `waiting_max`: the limit on waiting
  // rows in force at the cut (cep/clock).
  static cep::Result<std::unique_ptr<WarmStart>> open(state::FileSystem& files, const std::string& log_dir, uint64_t log_begin,
                                                      uint64_t log_end, const Registry& registry, std::vector<cep::ProgramId> programs,
                                                      const cep::Limits& limits, uint32_t waiting_max);

  // Feeds the frames that begin below `end` (which must be durable). Error: damaged, io_error, log_disagrees.
  cep::Status feed_until(uint64_t end);
  uint64_t position() const { return reader_->next_offset(); }

  const std::shared_ptr<cep::Engine>& engine() const { return engine_; }
  std::vector<cep::TimelineClock> clocks() const { return clock_.save(); }
  const std::vector<cep::ProgramId>& programs() const { return programs_; }
  // What the programs have found so far, as the alert log keeps it, the newest of it, by the shard of so many that owns its key; and how
  // many were let go.
  std::vector<std::vector<state::Alert>> backfill(uint32_t shards) const;
  uint64_t backfill_dropped() const { return backfill_dropped_; }
  cep::TimeUs began_us() const { return began_us_; }      // arrival of the first frame read; kTimeMax if there was none

 private:
  WarmStart(const Registry& registry, std::vector<cep::ProgramId> programs, const cep::Limits& limits);
  cep::Status feed(const state::FrameView& frame);
  void keep_backfill();

  Registry registry_;
  DatasetHistory datasets_;
  std::vector<cep::ProgramId> programs_;
  cep::RuleSetPtr rules_;
  cep::Clock clock_;
  std::shared_ptr<cep::Engine> engine_;
  std::unique_ptr<state::LogReader> reader_;
  LogRows rows_;
  std::vector<cep::Alert> muted_;
  std::deque<cep::Alert> backfill_;
  uint64_t backfill_dropped_ = 0;
  cep::TimeUs began_us_ = cep::kTimeMax;
};

}  // namespace service
