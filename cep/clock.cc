// See clock.h. Tests: tests/unit/cep/clock_test.cc (the six equalities of R61), tests/scripts/time.
#include "cep/clock.h"

#include <algorithm>

#include "cep/time_math.h"

namespace cep {
namespace {

TimeUs minus(TimeUs time, DurationUs duration) { return time < kTimeMin + duration ? kTimeMin : time - duration; }

// Whether anything came from outside.
bool is_heard(const TimelineClock& clock) {
  return clock.watermark != kTimeMin || std::any_of(clock.source_max.begin(), clock.source_max.end(),
                                                    [](const auto& source) { return source.second != kTimeMin; });
}

}  // namespace

void Clock::apply_rules(const RuleSet& rules) {
  for (TimelineClock& clock : clocks_) parked_[clock.timeline] = std::move(clock);
  clocks_.clear();
  timing_.clear();
  by_stream_.assign(rules.schema_count(), {});
  fed_ = rules.fed_timelines();
  stream_ids_.clear();
  for (const auto& [name, schema] : rules.streams()) stream_ids_[name] = schema->id;
  for (uint32_t t = 0; t < rules.timelines().size(); ++t) {
    const Timeline& timeline = rules.timelines()[t];
    Timing timing;
    timing.delay_us = timing.lag_us = timeline.delay_us;
    timing.idle_us = timeline.idle_us;
    timing.is_explicit = timeline.explicit_watermark;
    timing.level = timeline.level;
    timing.has_outside = timeline.has_outside;
    timing.feeders = timeline.feeders;
    for (const TimelineStream& stream : timeline.streams) {
      timing.streams.push_back(stream.stream);
      by_stream_[index_of(stream.stream)].push_back(t);
    }
    TimelineClock clock;
    auto parked = parked_.find(timeline.name);
    if (parked != parked_.end()) {
      clock = std::move(parked->second);
      parked_.erase(parked);
    } else {
      clock.timeline = timeline.name;
      for (StreamId stream : timing.streams) {
        for (const auto& [source, time] : stream_max_[stream]) {
          auto [at, is_new] = clock.source_max.emplace(source, time);
          if (!is_new) at->second = std::max(at->second, time);
        }
      }
      advance(clock, timing);
      clock.silence_watermark = clock.watermark;
    }
    cover_rings(timeline, clock, timing);
    clocks_.push_back(std::move(clock));
    timing_.push_back(std::move(timing));
  }
  offered_.clear();
  for (auto& [name, clock] : parked_) clock.waiting = {};     // the buffer went with the timeline
  for (uint32_t t : fed_) {
    for (uint32_t feeder : timing_[t].feeders) timing_[t].lag_us = std::max(timing_[t].lag_us, timing_[feeder].lag_us);
  }
}

bool Clock::is_idle(const TimelineClock& clock, const Timing& timing, SourceId source) const {
  return timing.idle_us == 0 || clock.idle.contains(source);
}

// W = the least clock of the sources that are not idle, never back; at W itself the lowest-numbered of them is waited for (R63). When all
// are idle none is waited for: W is the greatest. True if the frontier moved.
bool Clock::advance(TimelineClock& clock, const Timing& timing) {
  if (timing.is_explicit || clock.source_max.empty()) return false;
  TimeUs least = kTimeMax, greatest = kTimeMin;
  SourceId slowest = kEverySource;
  for (const auto& [source, time] : clock.source_max) {
    const TimeUs own = minus(time, timing.delay_us);
    greatest = std::max(greatest, own);
    if (own >= least || is_idle(clock, timing, source)) continue;
    least = own;
    slowest = source;
  }
  least = std::min(least, greatest);
  if (least < clock.watermark || (least == clock.watermark && slowest <= clock.frontier_source)) return false;
  clock.watermark = least;
  clock.frontier_source = slowest;
  return true;
}

// What moves time beside the sources releases everything of its instant.
void Clock::move_to(TimelineClock& clock, TimeUs time) {
  if (time < clock.watermark) return;
  clock.watermark = time;
  clock.frontier_source = kEverySource;
}

SourceId Clock::frontier_source_of(uint32_t timeline) const {
  const TimelineClock& clock = clocks_[timeline];
  return timing_[timeline].level > 0 && clock.released != clock.watermark ? kEverySource : clock.frontier_source;
}

// What the rings of a changed rule set have seen. One that is to reach further back than before has let go of what is older; a warmed
// one has read it again, as far as the log reaches, and of the two a key keeps what reaches further (TimelineEngine::adopt).
void Clock::cover_rings(const Timeline& timeline, TimelineClock& clock, Timing& timing) {
  auto coverage = std::make_shared<RingCoverages>();
  auto offered = offered_.find(timeline.name);
  for (const BoundRing& ring : timeline.rings) {
    RingCoverage seen{kTimeMax, ring.shape.extents.empty() ? 0 : ring.shape.extents.back().span_us};
    if (auto known = clock.coverage->find(ring.shape.id); known != clock.coverage->end()) {
      seen.since = known->second.since;
      bool grows = seen.span_us > known->second.span_us && seen.since != kTimeMax;
      if (grows) seen.since = std::max(seen.since, minus(clock.watermark, known->second.span_us));
    }
    if (offered != offered_.end()) {
      auto warmed = offered->second->find(ring.shape.id);
      if (warmed != offered->second->end()) seen.since = std::min(seen.since, warmed->second.since);
    }
    timing.has_unseen = timing.has_unseen || seen.since == kTimeMax;
    coverage->emplace(ring.shape.id, seen);
  }
  clock.coverage = std::move(coverage);
}

void Clock::note_first_row(TimelineClock& clock, Timing& timing, TimeUs time) {
  auto coverage = std::make_shared<RingCoverages>(*clock.coverage);
  for (auto& [id, seen] : *coverage) seen.since = seen.since == kTimeMax ? time : seen.since;
  clock.coverage = std::move(coverage);
  timing.has_unseen = false;
}

// Rows that the frontier has reached wait no longer; of more than may wait, the earliest are not waited with.
void Clock::release(uint32_t timeline) {
  TimelineClock& clock = clocks_[timeline];
  Timing& timing = timing_[timeline];
  while (const TimeUs* first = clock.waiting.front()) {
    if (*first > watermark_of(timeline)) {
      if (clock.waiting.size() <= waiting_max_) return;
      move_to(clock, *first);
      if (timing.level > 0) clock.released = *first;
      ++forced_;
    }
    TimeUs time = clock.waiting.take();
    if (timing.has_unseen) note_first_row(clock, timing, time);
  }
}

std::vector<Admission> Clock::limit_waiting(uint32_t rows_max) {
  waiting_max_ = rows_max;
  std::vector<Admission> admissions;
  for (uint32_t t = 0; t < clocks_.size(); ++t) {
    TimeUs before = watermark_of(t);
    release(t);
    if (watermark_of(t) != before) admissions.push_back(standing(t));
  }
  advance_fed();
  add_fed(admissions);
  return admissions;
}

std::vector<Admission> Clock::standing() const {
  std::vector<Admission> admissions;
  for (uint32_t t = 0; t < clocks_.size(); ++t) admissions.push_back(standing(t));
  return admissions;
}

void Clock::admit_row(const Batch& batch, uint32_t row, TimeUs& source_max, Admission& admission) {
  TimelineClock& clock = clocks_[admission.timeline];
  const Timing& timing = timing_[admission.timeline];
  TimeUs time = batch.time[row];
  TimeUs own = timing.is_explicit ? kTimeMin : minus(source_max, timing.delay_us);
  TimeUs watermark = std::max({own, clock.watermark, clock.released});
  if (time < watermark) {
    if (admission.late.empty()) {
      admission.late.assign(batch.rows(), 0);
      admission.late_watermark.assign(batch.rows(), kTimeMin);
    }
    admission.late[row] = 1;
    admission.late_watermark[row] = watermark;
    return;
  }
  if (time > source_max) {
    bool holds = own <= clock.watermark;      // else another source does, and this one moves nothing
    source_max = time;
    if (holds) advance(clock, timing);
  }
  if (time > watermark_of(admission.timeline) || timing.has_unseen) clock.waiting.push(time);
  release(admission.timeline);
}

// The usual batch without a delay, at once: its rows come in order from the only source and are released one after the other, so that
// its last row alone says how the clock stands afterwards. False: admit_row is to be asked, row by row.
bool Clock::admit_in_order(const Batch& batch, TimeUs& source_max, const Admission& admission) {
  TimelineClock& clock = clocks_[admission.timeline];
  const Timing& timing = timing_[admission.timeline];
  const bool is_plain = timing.level == 0 && timing.delay_us == 0 && !timing.is_explicit && !timing.has_unseen;
  const bool is_alone = clock.source_max.size() == 1 && source_max <= clock.watermark && clock.waiting.empty();
  if (!is_plain || !is_alone || batch.rows() == 0) return false;
  const TimeUs first = batch.time.front();
  if (first < std::max(clock.watermark, clock.released) || !std::is_sorted(batch.time.begin(), batch.time.end())) return false;
  if (batch.time.back() <= source_max) return true;
  source_max = batch.time.back();
  advance(clock, timing);
  return true;
}

std::vector<Admission> Clock::admit(const Batch& batch) {
  StreamId stream = batch.schema->id;
  std::vector<Admission> admissions;
  std::vector<TimeUs*> source_max;
  std::vector<bool> is_new;
  if (index_of(stream) < by_stream_.size()) {
    for (uint32_t t : by_stream_[index_of(stream)]) {
      admissions.push_back({t, kTimeMin, kEverySource, true, {}, {}, nullptr});
      auto [known, added] = clocks_[t].source_max.emplace(batch.source, kTimeMin);
      source_max.push_back(&known->second);
      is_new.push_back(added);
      clocks_[t].idle.erase(batch.source);
    }
  }
  bool is_in_order = false;
  bool by_row = std::any_of(fed_.begin(), fed_.end(), [&](uint32_t t) { return is_moved_row_by_row(t); });
  for (uint32_t row = 0; by_row && row < batch.rows(); ++row) {
    for (size_t i = 0; i < admissions.size(); ++i) admit_row(batch, row, *source_max[i], admissions[i]);
    advance_fed();
  }
  for (size_t i = 0; i < admissions.size(); ++i) {
    is_in_order = !by_row && admit_in_order(batch, *source_max[i], admissions[i]);
    const bool is_done = by_row || is_in_order;
    for (uint32_t row = 0; !is_done && row < batch.rows(); ++row) admit_row(batch, row, *source_max[i], admissions[i]);
    TimelineClock& clock = clocks_[admissions[i].timeline];
    if (is_new[i] && *source_max[i] == kTimeMin) clock.source_max.erase(batch.source);
    TimeUs& received_us = clock.source_received_us.emplace(batch.source, kTimeMin).first->second;
    received_us = std::max(received_us, batch.received_us);
    clock.last_received_us = std::max(clock.last_received_us, batch.received_us);
    clock.silence_watermark = clock.watermark;
  }
  if (!by_row) advance_fed();
  for (Admission& admission : admissions) {
    admission.frontier = watermark_of(admission.timeline);
    admission.frontier_source = frontier_source_of(admission.timeline);
    admission.coverage = clocks_[admission.timeline].coverage;
  }
  TimeUs& stream_max = stream_max_[stream].emplace(batch.source, kTimeMin).first->second;
  if (is_in_order) stream_max = std::max(stream_max, batch.time.back());
  else for (TimeUs time : batch.time) stream_max = std::max(stream_max, time);
  add_fed(admissions);
  return admissions;
}

bool Clock::is_awaited(uint32_t timeline) const {
  const TimelineClock& clock = clocks_[timeline];
  return std::any_of(clock.source_max.begin(), clock.source_max.end(), [&](const auto& source) {
    return source.second == kTimeMin && !is_idle(clock, timing_[timeline], source.first);
  });
}

// Whether anything came that it reads, told by rows or by watermarks, or is sure to come: a declared source is waited for (R63).
bool Clock::has_spoken(uint32_t timeline) const {
  const std::vector<uint32_t>& feeders = timing_[timeline].feeders;
  return clocks_[timeline].released != kTimeMin || is_heard(clocks_[timeline]) || is_awaited(timeline) ||
         std::any_of(feeders.begin(), feeders.end(), [&](uint32_t feeder) { return has_spoken(feeder); });
}

// Its watermark at the end of a batch is not all that matters: rows from outside may be late or wait too many, and a first word counts
// from its row on.
bool Clock::is_moved_row_by_row(uint32_t timeline) const {
  const Timing& timing = timing_[timeline];
  return timing.has_outside || !std::all_of(timing.feeders.begin(), timing.feeders.end(), [&](uint32_t f) { return has_spoken(f); });
}

// What has never spoken may never: it must not hold the others back for ever, nor may they run away from what it says first. So until it
// speaks its watermark is as far behind the furthest of the others as its delay allows its rows to be (R63, as if read together).
void Clock::advance_fed() {
  for (uint32_t t : fed_) {
    const Timing& timing = timing_[t];
    TimelineClock& clock = clocks_[t];
    auto each_hand = [&](auto visit) {
      if (timing.has_outside) visit(clock.watermark, timing.delay_us, is_heard(clock) || is_awaited(t));
      for (uint32_t f : timing.feeders) visit(watermark_of(f), timing_[f].lag_us, has_spoken(f));
    };
    TimeUs furthest = kTimeMin;
    each_hand([&](TimeUs watermark, DurationUs lag_us, bool) {
      if (watermark != kTimeMin) furthest = std::max(furthest, add_saturating(watermark, lag_us));
    });
    if (furthest == kTimeMin) continue;
    TimeUs least = kTimeMax;
    each_hand([&](TimeUs watermark, DurationUs lag_us, bool has_spoken) {
      least = std::min(least, has_spoken ? watermark : minus(furthest, lag_us));
    });
    clock.released = std::max(clock.released, least);
    release(t);
  }
}

// A fed timeline is told of every record that its feeders are told of: their alerts may have become rows of it.
void Clock::add_fed(std::vector<Admission>& admissions) const {
  for (uint32_t t : fed_) {
    auto is_told = [&](uint32_t timeline) {
      return std::any_of(admissions.begin(), admissions.end(), [&](const Admission& a) { return a.timeline == timeline; });
    };
    const std::vector<uint32_t>& feeders = timing_[t].feeders;
    if (!is_told(t) && std::any_of(feeders.begin(), feeders.end(), is_told)) admissions.push_back(standing(t));
  }
  for (Admission& admission : admissions) {
    admission.frontier = watermark_of(admission.timeline);
    admission.frontier_source = frontier_source_of(admission.timeline);
  }
}

void Clock::settle(uint32_t timeline, std::vector<Admission>& admissions) {
  release(timeline);
  clocks_[timeline].silence_watermark = clocks_[timeline].watermark;
  admissions.push_back(standing(timeline));
}

std::vector<Admission> Clock::watermark(TimeUs time, const std::string* stream) {
  std::vector<Admission> admissions;
  for (uint32_t t = 0; t < clocks_.size(); ++t) {
    if (!timing_[t].has_outside) continue;
    if (stream != nullptr) {
      auto id = stream_ids_.find(*stream);
      if (id == stream_ids_.end()) continue;
      const std::vector<StreamId>& streams = timing_[t].streams;
      if (std::find(streams.begin(), streams.end(), id->second) == streams.end()) continue;
    }
    move_to(clocks_[t], time);
    settle(t, admissions);
  }
  advance_fed();
  add_fed(admissions);
  return admissions;
}

void Clock::declare(SourceId source, const std::string& stream, TimeUs received_us) {
  auto id = stream_ids_.find(stream);
  if (id == stream_ids_.end()) return;
  stream_max_[id->second].emplace(source, kTimeMin);
  for (uint32_t t : by_stream_[index_of(id->second)]) {
    clocks_[t].source_max.emplace(source, kTimeMin);
    clocks_[t].source_received_us.emplace(source, received_us);
  }
}

bool Clock::waits_for(uint32_t timeline, SourceId source) const {
  const TimelineClock& clock = clocks_[timeline];
  return !timing_[timeline].is_explicit && clock.source_max.contains(source) && !is_idle(clock, timing_[timeline], source);
}

bool Clock::waits_for(SourceId source) const {
  for (uint32_t t = 0; t < clocks_.size(); ++t) {
    if (waits_for(t, source)) return true;
  }
  return false;
}

// Where the only source is the input nothing waits for another one, and silence is the tick's to tell.
bool Clock::falls_idle(uint32_t timeline, SourceId source, TimeUs received_us) const {
  const TimelineClock& clock = clocks_[timeline];
  const Timing& timing = timing_[timeline];
  if (!waits_for(timeline, source) || (source == kInputSource && clock.source_max.size() == 1)) return false;
  auto newest = clock.source_received_us.find(source);
  return newest == clock.source_received_us.end() || received_us - newest->second >= timing.idle_us;
}

bool Clock::would_idle(SourceId source, TimeUs received_us) const {
  for (uint32_t t = 0; t < clocks_.size(); ++t) {
    if (falls_idle(t, source, received_us)) return true;
  }
  return false;
}

std::vector<Admission> Clock::idle(SourceId source, TimeUs received_us) {
  std::vector<Admission> admissions;
  for (uint32_t t = 0; t < clocks_.size(); ++t) {
    if (!falls_idle(t, source, received_us)) continue;
    clocks_[t].idle.insert(source);
    if (advance(clocks_[t], timing_[t])) {
      settle(t, admissions);
    } else {
      admissions.push_back(standing(t));      // what it feeds may go on without it
    }
  }
  advance_fed();
  add_fed(admissions);
  return admissions;
}

// The watermark that a tick gives the timeline: its present one if it does not move.
TimeUs Clock::ticked(uint32_t timeline, TimeUs received_us) const {
  const TimelineClock& clock = clocks_[timeline];
  bool moves = !timing_[timeline].is_explicit && clock.watermark != kTimeMin && clock.last_received_us != kTimeMin;
  for (const auto& [source, time] : clock.source_max) {
    moves = moves && (source == kInputSource || is_idle(clock, timing_[timeline], source));
  }
  if (!moves) return clock.watermark;
  DurationUs silence = received_us - clock.last_received_us;
  if (silence < timing_[timeline].idle_us) return clock.watermark;
  return std::max(clock.watermark, clock.silence_watermark + silence - timing_[timeline].idle_us);
}

std::vector<Admission> Clock::tick(TimeUs received_us) {
  std::vector<Admission> admissions;
  for (uint32_t t = 0; t < clocks_.size(); ++t) {
    TimeUs moved = ticked(t, received_us);
    if (moved == clocks_[t].watermark) continue;
    move_to(clocks_[t], moved);
    release(t);
    admissions.push_back(standing(t));
  }
  advance_fed();
  add_fed(admissions);
  return admissions;
}

bool Clock::would_tick(TimeUs received_us) const {
  for (uint32_t t = 0; t < clocks_.size(); ++t) {
    if (ticked(t, received_us) != clocks_[t].watermark) return true;
  }
  return false;
}

void Clock::offer(const std::vector<TimelineClock>& clocks) {
  for (const TimelineClock& clock : clocks) {
    bool present = std::any_of(clocks_.begin(), clocks_.end(), [&](const TimelineClock& own) { return own.timeline == clock.timeline; });
    if (present) {
      offered_[clock.timeline] = clock.coverage;
    } else {
      parked_[clock.timeline] = clock;
    }
  }
}

std::vector<const TimelineClock*> Clock::clocks() const {
  std::vector<const TimelineClock*> all;
  for (const TimelineClock& clock : clocks_) all.push_back(&clock);
  for (const auto& [name, clock] : parked_) all.push_back(&clock);
  return all;
}

std::vector<TimelineClock> Clock::save() const {
  std::vector<TimelineClock> saved;
  for (const TimelineClock* clock : clocks()) saved.push_back(*clock);
  return saved;
}

void Clock::restore(const std::vector<TimelineClock>& clocks, const std::map<StreamId, std::map<SourceId, TimeUs>>& streams) {
  clocks_.clear();
  timing_.clear();
  by_stream_.clear();
  parked_.clear();
  for (const TimelineClock& clock : clocks) {
    parked_[clock.timeline] = clock;
    parked_[clock.timeline].waiting = {};
  }
  stream_max_ = streams;
}

void Clock::restore_waiting(const std::string& timeline, TimeUs time) {
  for (TimelineClock& clock : clocks_) {
    if (clock.timeline == timeline) clock.waiting.push(time);
  }
}

}  // namespace cep
