// See clock.h. Tests: tests/unit/cep/clock_test.cc (the six equalities of R61), tests/scripts/time.
#include "cep/clock.h"

#include <algorithm>

namespace cep {
namespace {

TimeUs minus(TimeUs time, DurationUs duration) { return time < kTimeMin + duration ? kTimeMin : time - duration; }

}  // namespace

void Clock::apply_rules(const RuleSet& rules) {
  for (TimelineClock& clock : clocks_) parked_[clock.timeline] = std::move(clock);
  clocks_.clear();
  timing_.clear();
  by_stream_.assign(rules.schema_count(), {});
  stream_ids_.clear();
  for (const auto& [name, schema] : rules.streams()) stream_ids_[name] = schema->id;
  for (uint32_t t = 0; t < rules.timelines().size(); ++t) {
    const Timeline& timeline = rules.timelines()[t];
    Timing timing{timeline.delay_us, timeline.idle_us, timeline.explicit_watermark, false, {}};
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
}

// W = the least clock of its sources, never back. True if it moved.
bool Clock::advance(TimelineClock& clock, const Timing& timing) {
  if (timing.is_explicit || clock.source_max.empty()) return false;
  TimeUs least = kTimeMax;
  for (const auto& [source, time] : clock.source_max) least = std::min(least, minus(time, timing.delay_us));
  if (least <= clock.watermark) return false;
  clock.watermark = least;
  return true;
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
  while (const TimeUs* first = clock.waiting.front()) {
    if (*first > clock.watermark) {
      if (clock.waiting.size() <= waiting_max_) return;
      clock.watermark = *first;
      ++forced_;
    }
    TimeUs time = clock.waiting.take();
    if (timing_[timeline].has_unseen) note_first_row(clock, timing_[timeline], time);
  }
}

std::vector<Admission> Clock::limit_waiting(uint32_t rows_max) {
  waiting_max_ = rows_max;
  std::vector<Admission> admissions;
  for (uint32_t t = 0; t < clocks_.size(); ++t) {
    TimeUs before = clocks_[t].watermark;
    release(t);
    if (clocks_[t].watermark != before) admissions.push_back(standing(t));
  }
  return admissions;
}

std::vector<Admission> Clock::standing() const {
  std::vector<Admission> admissions;
  for (uint32_t t = 0; t < clocks_.size(); ++t) admissions.push_back(standing(t));
  return admissions;
}

std::vector<Admission> Clock::admit(const Batch& batch) {
  StreamId stream = batch.schema->id;
  std::vector<Admission> admissions;
  if (index_of(stream) < by_stream_.size()) {
    for (uint32_t t : by_stream_[index_of(stream)]) {
      TimelineClock& clock = clocks_[t];
      const Timing& timing = timing_[t];
      Admission admission;
      admission.timeline = t;
      TimeUs& source_max = clock.source_max.emplace(batch.source, kTimeMin).first->second;
      for (uint32_t row = 0; row < batch.rows(); ++row) {
        TimeUs own = timing.is_explicit ? kTimeMin : minus(source_max, timing.delay_us);
        TimeUs watermark = std::max(own, clock.watermark);
        if (batch.time[row] < watermark) {
          if (admission.late.empty()) {
            admission.late.assign(batch.rows(), 0);
            admission.late_watermark.assign(batch.rows(), kTimeMin);
          }
          admission.late[row] = 1;
          admission.late_watermark[row] = watermark;
          continue;
        }
        if (batch.time[row] > source_max) {
          source_max = batch.time[row];
          advance(clock, timing);
        }
        if (batch.time[row] > clock.watermark || timing.has_unseen) clock.waiting.push(batch.time[row]);
        release(t);
      }
      if (source_max == kTimeMin) clock.source_max.erase(batch.source);
      clock.last_received_us = std::max(clock.last_received_us, batch.received_us);
      clock.silence_watermark = clock.watermark;
      admission.frontier = clock.watermark;
      admission.coverage = clock.coverage;
      admissions.push_back(std::move(admission));
    }
  }
  TimeUs& stream_max = stream_max_[stream].emplace(batch.source, kTimeMin).first->second;
  for (TimeUs time : batch.time) stream_max = std::max(stream_max, time);
  return admissions;
}

std::vector<Admission> Clock::watermark(TimeUs time, const std::string* stream) {
  std::vector<Admission> admissions;
  for (uint32_t t = 0; t < clocks_.size(); ++t) {
    if (stream != nullptr) {
      auto id = stream_ids_.find(*stream);
      if (id == stream_ids_.end()) continue;
      const std::vector<StreamId>& streams = timing_[t].streams;
      if (std::find(streams.begin(), streams.end(), id->second) == streams.end()) continue;
    }
    clocks_[t].watermark = std::max(clocks_[t].watermark, time);
    release(t);
    clocks_[t].silence_watermark = clocks_[t].watermark;
    admissions.push_back(standing(t));
  }
  return admissions;
}

// The watermark that a tick gives the timeline: its present one if it does not move.
TimeUs Clock::ticked(uint32_t timeline, TimeUs received_us) const {
  const TimelineClock& clock = clocks_[timeline];
  bool moves = !timing_[timeline].is_explicit && clock.watermark != kTimeMin && clock.last_received_us != kTimeMin;
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
    clocks_[t].watermark = moved;
    release(t);
    admissions.push_back(standing(t));
  }
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
