// See sequencer.h: what is not events. Control records and how they come into force, replay, ticks, checkpoints, trimming.
#include <algorithm>
#include <chrono>
#include <utility>

#include "service/sequencer.h"
#include "service/dataset_json.h"
#include "state/bytes.h"

namespace service {
namespace {

constexpr uint8_t kControlFormat = 4;
constexpr cep::DurationUs kTrimEvery = 30 * cep::kSecond;

}  // namespace

uint64_t Sequencer::log_frame(const state::FrameInput& frame) {
  cep::Result<uint64_t> offset = log_->append({&frame, 1});
  WEIR_CHECK(offset.ok(), offset.ok() ? "" : offset.error().message.c_str());
  flush_patiently();
  return *offset;
}

uint64_t Sequencer::log_control(state::FrameKind kind, const std::string& body) {
  state::FrameInput input;
  input.header.kind = kind;
  input.header.received_us = clock_now_();
  input.rows = body;
  return log_frame(input);
}

cep::Status Sequencer::put_in_force(const RulesChange& change, std::unique_ptr<WarmStart> warm) {
  Registry registry = *registry_;
  if (cep::Status status = registry.apply(change); !status.ok()) return status;
  if (warm != nullptr) clock_.offer(warm->clocks());
  publish(std::move(registry), warm.get());
  return cep::ok_status();
}

cep::Status Sequencer::put_in_force(const DatasetChange& change, uint64_t offset, cep::DatasetPtr after) {
  Registry registry = *registry_;
  if (cep::Status status = registry.apply(change, std::move(after)); !status.ok()) return status;
  store_.put_edit({offset, change.dataset, edit_json(change, *registry.datasets().at(change.dataset), offset)});
  publish(std::move(registry), nullptr);
  return cep::ok_status();
}

cep::Status Sequencer::put_in_force(const ModeChange& change) {
  Registry registry = *registry_;
  if (cep::Status status = registry.apply(change); !status.ok()) return status;
  publish(std::move(registry), nullptr);
  return cep::ok_status();
}

// A replay warms up and records the backfill again, under the same ids: whether the first time got as far as the disk does not show.
void Sequencer::publish(Registry registry, const WarmStart* warm) {
  rules_ = registry.rule_set();
  clock_.apply_rules(*rules_);
  if (warm == nullptr) {
    for (const std::unique_ptr<Shard>& shard : shards_) shard->put_rules(rules_, nullptr, {}, {});
  } else {
    std::vector<std::vector<state::Alert>> backfill = warm->backfill(static_cast<uint32_t>(shards_.size()));
    numbers_.backfill_dropped += warm->backfill_dropped();
    for (size_t i = 0; i < shards_.size(); ++i) shards_[i]->put_rules(rules_, warm->engine(), warm->programs(), std::move(backfill[i]));
  }
  dispatch_time(clock_.standing());
  {
    std::lock_guard lock(published_mutex_);
    registry_ = std::make_shared<const Registry>(std::move(registry));
  }
  publish_watermarks();
  next_checkpoint_us_ = 0;       // what came into force is soon in a checkpoint
}

// What decides lateness is data: a limit that the configuration has changed is a record of the log before it is in force.
void Sequencer::log_limits() {
  LimitsChange change{options_.limits.reorder_rows_max};
  if (change.reorder_rows_max == clock_.waiting_max()) return;
  log_control(state::FrameKind::kLimits, encode(change));
  dispatch_time(clock_.limit_waiting(change.reorder_rows_max));
  publish_watermarks();
}

void Sequencer::restore_clock(const SavedControl& control) {
  for (const auto& [source, place] : control.sources) {
    sources_.push_back({static_cast<cep::SourceId>(sources_.size() + 1), source.name, source.stream, place});
  }
  publish_sources();
  clock_.limit_waiting(control.reorder_rows_max);
  clock_.restore(control.clocks, control.streams);
  clock_.apply_rules(*rules_);
  barrier_offset_ = log_->next_offset();
  publish_watermarks();
}

void Sequencer::remember(const state::FrameView& frame) {
#ifndef WEIR_MUTANT_DEDUPE_NOT_REBUILT
  const state::FrameHeader& header = frame.header;
  if (header.kind != state::FrameKind::kEvents) return;
  if (frame.has_unique()) {
    size_t number = cep::index_of(header.stream);
    cep::DurationUs window = number < registry_->schemas().size() ? registry_->schemas()[number]->unique_within_us : cep::kHour;
    for (uint32_t row = 0; row < header.events; ++row) {
      state::Id16 hash = frame.unique_hash(row);
      if (hash != state::Id16{}) seen_.add(hash, frame.has_places() ? frame.place(row).arrival_us : header.received_us, window);
    }
  }
  if (header.request_id != state::Id16{}) {
    requests_.add(header.request_id, {header.source_position, header.received_us, header.events});
  }
#else
  (void)frame;
#endif
}

// Applies one frame as live would have right after its flush.
cep::Status Sequencer::replay(const state::FrameView& frame) {
  const state::FrameHeader& header = frame.header;
  const bool declares = header.kind == state::FrameKind::kSource;
  if (header.source > sources_.size() + (declares ? 1 : 0)) return cep::Error{"log_disagrees", "the log names an unknown source"};
  switch (header.kind) {
    case state::FrameKind::kEvents: {
      size_t number = cep::index_of(header.stream);
      if (number >= registry_->schemas().size()) return cep::Error{"log_disagrees", "the log names an unknown stream"};
      cep::Result<std::vector<cep::BatchPtr>> batches = rows_.decode_frame(frame, registry_->schemas()[number]);
      if (!batches.ok()) return batches.error();
      const bool has_decision = (header.flags & state::kFrameDecision) != 0;
      for (const cep::BatchPtr& batch : *batches) dispatch_batch(batch, nullptr, has_decision ? decision_again(frame, *batch) : nullptr);
      const state::RowPlace last = frame.has_places() ? frame.place(header.events - 1) : state::RowPlace{};
      note_place(static_cast<cep::SourceId>(header.source), header.source_position, frame.has_places() ? &last : nullptr);
      return cep::ok_status();
    }
    case state::FrameKind::kSource: {
      cep::Result<SourceChange> change = decode_source_change(frame.rows);
      if (!change.ok()) return change.error();
      put_in_force(*change, header);
      return cep::ok_status();
    }
    case state::FrameKind::kPosition:
      note_place(static_cast<cep::SourceId>(header.source), header.source_position, nullptr);
      return cep::ok_status();
    case state::FrameKind::kIdle:
      dispatch_time(clock_.idle(static_cast<cep::SourceId>(header.source), header.received_us));
      return cep::ok_status();
    case state::FrameKind::kTick: dispatch_time(clock_.tick(header.received_us)); return cep::ok_status();
    case state::FrameKind::kWatermark: {
      cep::Result<WatermarkMark> mark = decode_watermark_mark(frame.rows);
      if (!mark.ok()) return mark.error();
      dispatch_time(clock_.watermark(mark->time_us, mark->stream.empty() ? nullptr : &mark->stream));
      return cep::ok_status();
    }
    case state::FrameKind::kRules: {
      cep::Result<RulesChange> change = decode_rules_change(frame.rows);
      if (!change.ok()) return change.error();
      std::vector<cep::ProgramId> programs;
      for (const RulesChange::Rule& rule : change->rules) {
        if (rule.is_new_program) programs.push_back(rule.program);
      }
      Registry changed = *registry_;
      if (cep::Status status = changed.apply(*change); !status.ok()) return status;
      cep::Result<std::unique_ptr<WarmStart>> warm =
          WarmStart::open(files_, options_.log_dir, log_begin(), header.first_offset, changed, programs, options_.limits,
                          clock_.waiting_max());
      if (!warm.ok()) return warm.error();
      if (cep::Status status = (*warm)->feed_until(header.first_offset); !status.ok()) return status;
      return put_in_force(*change, std::move(*warm));
    }
    case state::FrameKind::kList: {
      cep::Result<DatasetChange> change = decode_dataset_change(frame.rows);
      return change.ok() ? put_in_force(*change, header.first_offset) : cep::Status(change.error());
    }
    case state::FrameKind::kMode: {
      cep::Result<ModeChange> change = decode_mode_change(frame.rows);
      return change.ok() ? put_in_force(*change) : cep::Status(change.error());
    }
    case state::FrameKind::kLimits: {
      cep::Result<LimitsChange> change = decode_limits_change(frame.rows);
      if (!change.ok()) return change.error();
      dispatch_time(clock_.limit_waiting(change->reorder_rows_max));
      return cep::ok_status();
    }
    case state::FrameKind::kDerived: break;
  }
  return cep::Error{"log_disagrees", "the log holds a record of a kind that this version does not write: use the version that wrote it"};
}

// The verdict of a record that is read again: the same as before, stored unless it is stored already.
std::shared_ptr<Decision> Sequencer::decision_again(const state::FrameView& frame, const cep::Batch& event) const {
  const state::Id16 unique = frame.has_unique() ? frame.unique_hash(0) : state::Id16{};
  const std::string& stream = event.schema->name;
  const state::Id16 id = event_identity(unique, frame.header.request_id, stream, event.position[0]);
  auto decision = std::make_shared<Decision>(decisions_, nullptr);
  decision->set_durable({event.position[0], id, frame.header.received_us, stream, ""});
  return decision;
}

void Sequencer::housekeeping() {
  cep::TimeUs now = clock_now_();
  seen_.forget_expired(std::min(now, oldest_arrival()));
  requests_.forget_expired(now);
  if (now >= next_tick_us_) {
    next_tick_us_ = now + options_.tick_every_us;
    mark_idle_sources(now);
    tick_if_silent(now);
  }
  if (now >= next_checkpoint_us_ && log_->next_offset() != barrier_offset_) begin_checkpoint();
  if (now < next_trim_us_) return;
  next_trim_us_ = now + kTrimEvery;
  const cep::DurationUs keep_us = std::max(options_.log_keep_us, registry()->retain_us());
  state::LogRetention keep{keep_us, options_.log_keep_bytes, store_.counters().log_floor_offset.load()};
  (void)log_->trim(keep, now);       // what cannot be deleted now is tried again in half a minute
  numbers_.log_begin = log_begin();
}

// A tick is logged only while some key or buffered row could be moved by it: an idle service writes nothing.
void Sequencer::tick_if_silent(cep::TimeUs now) {
  bool waits = std::any_of(shards_.begin(), shards_.end(), [](const std::unique_ptr<Shard>& shard) {
    return shard->numbers().keys.load() > 0 || shard->numbers().reorder_rows.load() > 0 || shard->inbox_rows() > 0;
  });
  if (!waits || !clock_.would_tick(now)) return;
  state::FrameInput input;
  input.header.kind = state::FrameKind::kTick;
  input.header.received_us = now;
  log_frame(input);
  ++numbers_.ticks;
  dispatch_time(clock_.tick(now));
  publish_watermarks();
}

SourceNumbers Sequencer::declare_source(const SourceChange& change, uint64_t first) {
  auto known = std::find_if(sources_.begin(), sources_.end(), [&](const SourceNumbers& source) { return source.name == change.name; });
  if (known != sources_.end()) {
    if (!known->place.is_placed() && first != kNotPlaced) place(*known, first);
    return *known;
  }
  const std::string body = encode(change);
  state::FrameInput input;
  input.header.kind = state::FrameKind::kSource;
  input.header.source = static_cast<uint32_t>(sources_.size() + 1);
  input.header.received_us = clock_now_();
  input.header.source_position = first;
  input.rows = body;
  log_frame(input);
  put_in_force(change, input.header);
  return sources_.back();
}

void Sequencer::place(SourceNumbers& source, uint64_t first) {
  state::FrameInput input;
  input.header.kind = state::FrameKind::kPosition;
  input.header.source = source.number;
  input.header.received_us = clock_now_();
  input.header.source_position = first;
  log_frame(input);
  note_place(source.number, first, nullptr);
  publish_sources();
}

void Sequencer::put_in_force(const SourceChange& change, const state::FrameHeader& header) {
  Registry registry = *registry_;
  registry.apply(change);
  sources_.push_back({static_cast<cep::SourceId>(header.source), change.name, change.stream, {}});
  sources_.back().place.next = header.source_position;
  publish(std::move(registry), nullptr);
  clock_.declare(static_cast<cep::SourceId>(header.source), change.stream, header.received_us);
  publish_sources();
}

void Sequencer::set_at_end(cep::SourceId source, bool is_at_end) {
  sources_[source - 1].is_at_end = is_at_end;
  sources_[source - 1].is_idle = false;       // until the next look at the clock
  publish_sources();
}

// One record for each source that falls silent: which timelines that concerns is told by what they heard of it (R64).
void Sequencer::mark_idle_sources(cep::TimeUs now) {
  for (cep::SourceId source = 0; source <= sources_.size(); ++source) {
    const bool is_at_end = source == cep::kInputSource || sources_[source - 1].is_at_end;
    if (!is_at_end || !clock_.would_idle(source, now)) continue;
    state::FrameInput input;
    input.header.kind = state::FrameKind::kIdle;
    input.header.source = source;
    input.header.received_us = now;
    log_frame(input);
    dispatch_time(clock_.idle(source, now));
    publish_watermarks();
  }
  bool has_changed = false;
  for (SourceNumbers& source : sources_) {
    const bool was_idle = std::exchange(source.is_idle, source.is_at_end && !clock_.waits_for(source.number));
    has_changed = has_changed || was_idle != source.is_idle;
  }
  if (has_changed) publish_sources();
}

cep::TimeUs Sequencer::oldest_arrival() const {
  cep::TimeUs oldest = cep::kTimeMax;
  for (const SourceNumbers& source : sources_) {
    if (!source.is_at_end && source.place.has_last) oldest = std::min(oldest, source.place.last.arrival_us);
  }
  return oldest;
}

bool Sequencer::begin_checkpoint() {
  Barrier barrier;
  std::vector<uint32_t> victims;
  if (!store_.begin_checkpoint(&barrier.sequence, &victims)) return false;
  next_checkpoint_us_ = clock_now_() + options_.checkpoint_every_us;
  barrier.applied_through = barrier_offset_ = log_->next_offset();
  for (const cep::Timeline& timeline : rules_->timelines()) barrier.timelines.push_back(timeline.name);
  barrier.control = control_bytes();
  barrier.shard_count = static_cast<uint32_t>(shards_.size());
  // Before any shard's, so that the last slice of the shard under whose number it goes is still the last.
  std::vector<state::KeyRecord> entries = dataset_records_.take(registry_->datasets(), barrier.sequence, victims);
  if (!entries.empty()) store_.put_slice({0, std::move(entries), {}, false});
  for (const std::unique_ptr<Shard>& shard : shards_) shard->put_barrier(barrier.sequence, victims);
  store_.put_barrier(std::move(barrier));
  return true;
}

std::string Sequencer::control_bytes() const {
  std::string bytes;
  state::Writer out(bytes);
  out.put<uint8_t>(kControlFormat).text(registry_->save()).put<uint32_t>(clock_.waiting_max());
  std::vector<const cep::TimelineClock*> clocks = clock_.clocks();
  out.put<uint32_t>(static_cast<uint32_t>(clocks.size()));
  auto put_times = [&](const std::map<cep::SourceId, cep::TimeUs>& times) {
    out.put<uint32_t>(static_cast<uint32_t>(times.size()));
    for (const auto& [source, time] : times) out.put<uint16_t>(source).put<int64_t>(time);
  };
  for (const cep::TimelineClock* clock : clocks) {
    out.text(clock->timeline).put<int64_t>(clock->watermark).put<uint16_t>(clock->frontier_source);
    put_times(clock->source_max);
    put_times(clock->source_received_us);
    out.put<uint32_t>(static_cast<uint32_t>(clock->idle.size()));
    for (cep::SourceId source : clock->idle) out.put<uint16_t>(source);
    out.put<int64_t>(clock->last_received_us).put<int64_t>(clock->silence_watermark).put<int64_t>(clock->released);
    out.put<uint32_t>(static_cast<uint32_t>(clock->coverage->size()));
    for (const auto& [ring, seen] : *clock->coverage) out.put<uint64_t>(ring).put<int64_t>(seen.since).put<int64_t>(seen.span_us);
  }
  std::map<cep::StreamId, std::map<cep::SourceId, cep::TimeUs>> streams = clock_.save_streams();
  out.put<uint32_t>(static_cast<uint32_t>(streams.size()));
  for (const auto& [stream, times] : streams) {
    out.put<uint16_t>(static_cast<uint16_t>(stream));
    put_times(times);
  }
  out.put<uint32_t>(static_cast<uint32_t>(sources_.size()));
  for (const SourceNumbers& source : sources_) {
    const SourcePlace& place = source.place;
    out.text(source.name).text(source.stream).put<uint64_t>(place.next).put<uint8_t>(place.has_last ? 1 : 0);
    out.put<uint64_t>(place.last.ordinal).put<int64_t>(place.last.arrival_us).put<int64_t>(place.newest_us);
  }
  return bytes;
}

cep::Result<SavedControl> decode_control(std::string_view bytes) {
  state::Reader in(bytes);
  SavedControl control;
  uint8_t format = in.get<uint8_t>();
  bool known = format >= 1 && format <= kControlFormat;
  control.registry = in.text();
  if (format > 1) control.reorder_rows_max = in.get<uint32_t>();
  auto get_times = [&](std::map<cep::SourceId, cep::TimeUs>& times) {
    for (uint32_t left = in.get<uint32_t>(); left > 0 && in.ok(); --left) {
      cep::SourceId source = in.get<uint16_t>();
      times[source] = in.get<int64_t>();
    }
  };
  for (uint32_t left = in.get<uint32_t>(); left > 0 && in.ok(); --left) {
    cep::TimelineClock clock;
    clock.timeline = in.text();
    clock.watermark = in.get<int64_t>();
    if (format > 3) clock.frontier_source = in.get<uint16_t>();
    get_times(clock.source_max);
    if (format > 3) get_times(clock.source_received_us);
    for (uint32_t idle = format > 3 ? in.get<uint32_t>() : 0; idle > 0 && in.ok(); --idle) clock.idle.insert(in.get<uint16_t>());
    clock.last_received_us = in.get<int64_t>();
    clock.silence_watermark = in.get<int64_t>();
    if (format > 2) clock.released = in.get<int64_t>();
    auto coverage = std::make_shared<cep::RingCoverages>();
    for (uint32_t rings = format > 1 ? in.get<uint32_t>() : 0; rings > 0 && in.ok(); --rings) {
      cep::RingCoverage& seen = (*coverage)[in.get<uint64_t>()];
      seen.since = in.get<int64_t>();
      seen.span_us = in.get<int64_t>();
    }
    clock.coverage = std::move(coverage);
    control.clocks.push_back(std::move(clock));
  }
  for (uint32_t left = in.get<uint32_t>(); left > 0 && in.ok(); --left) {
    cep::StreamId stream{in.get<uint16_t>()};
    get_times(control.streams[stream]);
  }
  for (uint32_t left = format > 3 ? in.get<uint32_t>() : 0; left > 0 && in.ok(); --left) {
    SourceChange source;
    SourcePlace place;
    source.name = in.text();
    source.stream = in.text();
    place.next = in.get<uint64_t>();
    place.has_last = in.get<uint8_t>() != 0;
    place.last.ordinal = in.get<uint64_t>();
    place.last.arrival_us = in.get<int64_t>();
    place.newest_us = in.get<int64_t>();
    control.sources.emplace_back(std::move(source), place);
  }
  if (!known || !in.at_end()) {
    return cep::Error{"damaged", "the checkpoint's control part does not decode; restore the data directory from a copy"};
  }
  return control;
}

}  // namespace service
