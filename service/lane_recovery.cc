// See lane.h: from a data directory to a running lane (mechanisms 1.5). Order: directory, log, checkpoint, keys, waiting rows, clock,
// then every frame after the checkpoint as if it had just been flushed, then the dedupe tables.
#include <algorithm>

#include "service/lane.h"
#include "state/log_reader.h"
#include "state/restore.h"

namespace service {
namespace {

bool is_marked(const std::string& bitmap, uint64_t bit) {
  return bit / 8 < bitmap.size() && (static_cast<uint8_t>(bitmap[bit / 8]) >> bit % 8 & 1) != 0;
}

std::string cut_note(const state::LogRecovery& found) {
  const std::string cut = std::to_string(found.cut_bytes) + " bytes off the end of the event log";
  const std::string kept = found.cut_copy.empty() ? "; the disk had no room to keep them" : "; they are kept in " + found.cut_copy;
  if (found.cut_frames == 0) return "cut " + cut + ", an unfinished write" + kept;
  return "CUT " + cut + kept + ". " + std::to_string(found.cut_frames) + " whole frames with " + std::to_string(found.cut_events) +
         " events stood behind one that does not read: after a power cut that is an unfinished write, which nobody was answered 202 for; "
         "without one the disk has damaged the log: send the events from offset " + std::to_string(found.end_offset) +
         " on again, and check the disk";
}

}  // namespace

cep::Result<std::unique_ptr<Lane>> Lane::open(LaneOptions options, Sequencer::WallClock clock, std::vector<std::string>& notes) {
  std::unique_ptr<Lane> lane(new Lane(std::move(options), std::move(clock)));
  if (cep::Status status = lane->recover(notes); !status.ok()) {
    lane->closed_ = true;      // nothing is sealed over a directory that was refused
    if (lane->sequencer_ != nullptr) lane->sequencer_->stop();
    for (const std::unique_ptr<Shard>& shard : lane->shards_) shard->stop();
    if (lane->store_ != nullptr) lane->store_->stop();
    return status.error();
  }
  return lane;
}

// What recovery carries from step to step.
struct Lane::Recovery {
  std::unique_ptr<state::LogWriter> log;
  state::LogRecovery found;                                          // at the log's end
  state::Restored restored;
  Registry registry;
  DatasetRecords datasets;
  SavedControl control;
  uint64_t replay_from = 0;
  std::vector<cep::ProgramId> renewed;                               // programs that start anew
};

cep::Status Lane::recover(std::vector<std::string>& notes) {
  cep::TimeUs began = clock_();
  Recovery recovery;
  if (cep::Status status = open_parts(recovery, notes); !status.ok()) return status;
  if (cep::Status status = read_control(recovery, notes); !status.ok()) return status;
  if (cep::Status status = restore_state(recovery); !status.ok()) return status;
  intake_ = std::make_unique<IntakeWatch>(options_.intake, sequencer_->disk_wait(), store_->disk_wait(), options_.on_intake_change);
  store_->start();
  for (const std::unique_ptr<Shard>& shard : shards_) shard->start();
  sequencer_->tell_clocks();
  if (cep::Status status = replay_log(recovery.replay_from); !status.ok()) return status;
  for (const std::unique_ptr<Shard>& shard : shards_) shard->wait_until_idle();
  sequencer_->start();
  work_thread_ = std::thread([this] { run_work(); });
  recovery_us_ = clock_() - began;
  return cep::ok_status();
}

cep::Status Lane::open_parts(Recovery& recovery, std::vector<std::string>& notes) {
  cep::Result<state::DataDir> dir = state::DataDir::open(*files_, options_.data_dir, options_.log_root);
  if (!dir.ok()) return dir.error();
  dir_ = std::move(*dir);
  options_.sequencer.log_dir = dir_.log_dir;
  // The checkpoint is read before the log is opened, which cuts a torn tail: never below what the checkpoint needs.
  cep::Result<bool> has_state = files_->exists(dir_.state_dir + "/data.mdb");
  if (!has_state.ok()) return has_state.error();
  if (*has_state) {
    if (cep::Status status = read_checkpoint(recovery, notes); !status.ok()) return status;
  }
  state::LogOptions log_options;
  if (recovery.restored.checkpoint.has_value()) log_options.needed_until = recovery.restored.checkpoint->applied_through;
  cep::Result<std::unique_ptr<state::LogWriter>> log = state::LogWriter::open(*files_, dir_.log_dir, log_options);
  if (!log.ok()) return log.error();
  recovery.log = std::move(*log);
  recovery.found = recovery.log->recovery();
  if (recovery.found.cut_bytes > 0) notes.push_back(cut_note(recovery.found));
  cep::Result<bool> anew = state::check_parts(*files_, dir_, recovery.found);
  if (!anew.ok()) return anew.error();
  if (*anew) notes.push_back("state/ is missing: everything is computed again from the event log, which begins at 0");
  if (!*has_state) {
    if (cep::Status status = read_checkpoint(recovery, notes); !status.ok()) return status;
  }
  if (!options_.may_start) return cep::ok_status();
  state::LocalPlace place{.sequence = std::nullopt, .log_end = recovery.found.end_offset};
  const auto& checkpoint = recovery.restored.checkpoint;
  if (checkpoint.has_value() && recovery.restored.notes.empty()) place.sequence = checkpoint->sequence;
  return options_.may_start(place);
}

// The last sealed checkpoint, or the beginning of a log that has never had one.
cep::Status Lane::read_checkpoint(Recovery& recovery, std::vector<std::string>& notes) {
  cep::Result<std::unique_ptr<state::Env>> env = state::open_state(*files_, dir_, options_.shards);
  if (!env.ok()) return env.error();
  env_ = std::move(*env);
  cep::Result<state::Restored> restored = state::restore_checkpoint(*env_, 0);
  if (!restored.ok()) return restored.error();
  recovery.restored = std::move(*restored);
  notes.insert(notes.end(), recovery.restored.notes.begin(), recovery.restored.notes.end());
  return cep::ok_status();
}

// What the checkpoint says beside the keys: rules, clocks, where to read on.
cep::Status Lane::read_control(Recovery& recovery, std::vector<std::string>& notes) {
  const std::optional<state::SealedCheckpoint>& checkpoint = recovery.restored.checkpoint;
  const state::LogRecovery& found = recovery.found;
  cep::Status covers = state::check_log_covers(checkpoint, found.first_offset, found.end_offset);
  if (!covers.ok() || !checkpoint.has_value()) return covers;
  cep::Result<SavedControl> control = decode_control(checkpoint->control);
  if (!control.ok()) return control.error();
  recovery.control = std::move(*control);
  cep::Result<Registry> saved = Registry::restore(recovery.control.registry);
  if (!saved.ok()) return saved.error();
  recovery.registry = std::move(*saved);
  for (const auto& [source, place] : recovery.control.sources) recovery.registry.apply(source);
  if (cep::Status status = take_datasets(recovery); !status.ok()) return status;
  recovery.replay_from = checkpoint->applied_through;
  recovery.renewed = recovery.registry.renew_recompiled();
  for (const std::string& rule : recovery.registry.recompiled()) {
    notes.push_back("rule " + rule + " compiles to another program than before: it starts anew from the event log");
  }
  return cep::ok_status();
}

// The entries of lists and tables are records of the checkpoint beside the keys.
cep::Status Lane::take_datasets(Recovery& recovery) {
  std::map<uint64_t, std::string> spaces;
  for (const std::string& dataset : recovery.registry.unrestored()) spaces[DatasetRecords::space_of(dataset)] = dataset;
  if (spaces.empty()) return cep::ok_status();
  const auto is_entry = [&](const state::RecordId& id) { return spaces.contains(id.space); };
  const auto take = [&](state::StoredRecords records) -> cep::Status {
    for (const state::StoredRecord& record : records) {
      if (recovery.datasets.restore(spaces.at(record.space), record)) continue;
      return cep::Error{"damaged",
                        "the entries of a list or table in the checkpoint are not sound; restore the data directory from a copy"};
    }
    return cep::ok_status();
  };
  if (cep::Status read = recovery.restored.records.read(*env_, is_entry, take); !read.ok()) return read;
  for (const auto& [space, dataset] : spaces) {
    if (cep::Status status = recovery.registry.restore_entries(dataset, recovery.datasets.entries(dataset)); !status.ok()) return status;
  }
  return cep::ok_status();
}

// Store, shards and sequencer as they were when the checkpoint was sealed; no thread runs yet.
cep::Status Lane::restore_state(Recovery& recovery) {
  store_ = std::make_unique<Store>(*env_, std::move(recovery.restored.history), options_.retention, clock_);
  store_->on_alerts_stored([this] {
    std::lock_guard lock(hook_mutex_);
    if (alerts_hook_) alerts_hook_();
  });
  decisions_ = std::make_unique<Decisions>(options_.decisions, *store_);
  cep::RuleSetPtr rules = recovery.registry.rule_set();
  auto exchange = std::make_shared<DerivedExchange>(options_.shards);
  for (uint32_t s = 0; s < options_.shards; ++s) {
    shards_.push_back(std::make_unique<Shard>(s, options_.shards, options_.sequencer.limits, *store_, exchange));
    shards_.back()->set_rules(rules);
  }
  if (cep::Status status = restore_keys(recovery.restored.records); !status.ok()) return status;
  sequencer_ = std::make_unique<Sequencer>(options_.sequencer, *files_, std::move(recovery.log), recovery.registry, shards_, *store_,
                                           *decisions_, clock_);
  sequencer_->restore_datasets(std::move(recovery.datasets));
  sequencer_->restore_clock(recovery.control);
  for (const auto& [timeline, watermark] : sequencer_->watermarks()) {
    for (const std::unique_ptr<Shard>& shard : shards_) shard->engine().restore_frontier(timeline, watermark);
  }
  if (recovery.restored.checkpoint.has_value()) {
    if (cep::Status status = restore_waiting_rows(*recovery.restored.checkpoint); !status.ok()) return status;
  }
  if (recovery.renewed.empty()) return cep::ok_status();
  cep::Result<std::unique_ptr<WarmStart>> warm = WarmStart::open(*files_, dir_.log_dir, recovery.found.first_offset, recovery.replay_from,
                                                                 recovery.registry, recovery.renewed, options_.sequencer.limits,
                                                                 recovery.control.reorder_rows_max);
  if (!warm.ok()) return warm.error();
  if (cep::Status status = (*warm)->feed_until(recovery.replay_from); !status.ok()) return status;
  for (const std::unique_ptr<Shard>& shard : shards_) shard->engine().adopt(*(*warm)->engine(), recovery.renewed);
  return cep::ok_status();
}

// Each shard takes its own, in a thread of its own.
cep::Status Lane::restore_keys(const state::LiveRecords& records) {
  std::vector<cep::Status> statuses(shards_.size(), cep::ok_status());
  std::vector<std::thread> threads;
  for (uint32_t s = 1; s < shards_.size(); ++s) {
    threads.emplace_back([&, s] { statuses[s] = restore_keys_of(s, records); });
  }
  statuses[0] = restore_keys_of(0, records);
  for (std::thread& thread : threads) thread.join();
  for (cep::Status& status : statuses) {
    if (!status.ok()) return status;
  }
  return cep::ok_status();
}

cep::Status Lane::restore_keys_of(uint32_t shard, const state::LiveRecords& records) {
  cep::Engine& engine = shards_[shard]->engine();
  const cep::RuleSet& rules = engine.rules();
  const auto is_wanted = [&](const state::RecordId& id) {
    return rules.owner(id.space, id.hash, options_.shards) == shard || engine.is_derived_space(id.space);
  };
  const auto take = [&](state::StoredRecords some) -> cep::Status {
    for (const state::StoredRecord& record : some) engine.prefetch_key(record.space, record.hash);
    for (const state::StoredRecord& record : some) {
      if (engine.restore_key(record.space, record.hash, record.segment, record.bytes)) continue;
      return cep::Error{"damaged", "the state of a key in checkpoint segment " + std::to_string(record.segment) +
                                       " is not sound; restore the data directory from a copy"};
    }
    return cep::ok_status();
  };
  return records.read(*env_, is_wanted, take);
}

// Exactly the marked rows go back into their buffers; lateness is not computed again.
cep::Status Lane::restore_waiting_rows(const state::SealedCheckpoint& checkpoint) {
  if (checkpoint.marks.empty()) return cep::ok_status();
  cep::Result<std::unique_ptr<state::LogReader>> reader = state::LogReader::open(*files_, dir_.log_dir, checkpoint.reread_offset);
  if (!reader.ok()) return reader.error();
  RegistryPtr registry = this->registry();
  cep::RuleSetPtr rules = registry->rule_set();
  LogRows rows;
  for (;;) {
    cep::Result<std::optional<state::FrameView>> frame = (*reader)->next(checkpoint.applied_through);
    if (!frame.ok()) return frame.error();
    if (!frame->has_value()) return cep::ok_status();
    if ((*frame)->header.kind != state::FrameKind::kEvents) continue;
    cep::Result<std::vector<cep::BatchPtr>> batches =
        rows.decode_frame(**frame, registry->schemas()[cep::index_of((*frame)->header.stream)]);
    if (!batches.ok()) return batches.error();
    for (const cep::BatchPtr& batch : *batches) {
      for (const state::TimelineMarks& marks : checkpoint.marks) {
        std::vector<uint32_t> waiting;
        for (uint32_t row = 0; row < batch->rows(); ++row) {
          uint64_t position = batch->position[row];
          bool marked = position >= checkpoint.reread_offset && is_marked(marks.bitmap, position - checkpoint.reread_offset);
#ifdef WEIR_MUTANT_MARKS_BY_TIME
          marked = batch->time[row] > sequencer_->watermarks()[marks.timeline].second;
#endif
          if (marked) waiting.push_back(row);
        }
        if (waiting.empty()) continue;
        const std::string& timeline = rules->timelines()[marks.timeline].name;
        for (uint32_t row : waiting) sequencer_->restore_waiting(timeline, batch->time[row]);
        for (const std::unique_ptr<Shard>& shard : shards_) shard->engine().restore_buffered(timeline, batch, waiting);
      }
    }
  }
}

cep::Status Lane::replay_log(uint64_t from) {
  const uint64_t end = sequencer_->numbers().log_end;
  cep::Result<std::unique_ptr<state::LogReader>> reader = state::LogReader::open(*files_, dir_.log_dir, from);
  if (!reader.ok()) return reader.error();
  for (;;) {
    cep::Result<std::optional<state::FrameView>> frame = (*reader)->next(end);
    if (!frame.ok()) return frame.error();
    if (!frame->has_value()) break;
    if (cep::Status status = sequencer_->replay(**frame); !status.ok()) return status;
  }
  // The dedupe tables reach further back than the checkpoint: as far as the longest window of arrival. A record of a source arrives by its
  // own timestamp, and is in the log later than that.
  const cep::TimeUs newest = std::min(clock_(), sequencer_->oldest_arrival());
  cep::DurationUs window = SeenRequests::kWindow;
  for (const cep::SchemaPtr& schema : registry()->schemas()) window = std::max(window, schema->unique_within_us);
  cep::Result<std::vector<state::LogSegment>> segments = state::list_segments(*files_, dir_.log_dir);
  if (!segments.ok()) return segments.error();
  if (segments->empty()) return cep::ok_status();
  cep::Result<std::unique_ptr<state::LogReader>> back =
      state::LogReader::open(*files_, dir_.log_dir, state::offset_not_after_time(*segments, newest - window));
  if (!back.ok()) return back.error();
  for (;;) {
    cep::Result<std::optional<state::FrameView>> frame = (*back)->next(end);
    if (!frame.ok()) return frame.error();
    if (!frame->has_value()) return cep::ok_status();
    sequencer_->remember(**frame);
  }
}

}  // namespace service
