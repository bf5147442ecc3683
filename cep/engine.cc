// See engine.h. The readers' side (match state) is in match_state.cc.
#include "cep/engine.h"

#include <algorithm>

#include "cep/timeline_engine.h"

namespace cep {

Engine::Engine(uint32_t shard, uint32_t shard_count, const Limits& limits)
    : shard_(shard), shard_count_(shard_count), limits_(limits), rules_(RuleSet::build({}, {}, {})) {}

Engine::~Engine() = default;

void Engine::apply_rules(RuleSetPtr rules) {
  rules_ = std::move(rules);
  std::vector<std::unique_ptr<TimelineEngine>> old = std::move(timelines_);
  timelines_.clear();
  for (uint32_t t = 0; t < rules_->timelines().size(); ++t) {
    auto kept = std::find_if(old.begin(), old.end(), [&](const std::unique_ptr<TimelineEngine>& timeline) {
      return timeline != nullptr && timeline->name() == rules_->timelines()[t].name;
    });
    if (kept != old.end()) {
      (*kept)->rebind(t);
      timelines_.push_back(std::move(*kept));
    } else {
      timelines_.push_back(std::make_unique<TimelineEngine>(*this, t));
    }
  }
  for (const std::unique_ptr<TimelineEngine>& timeline : old) {
    if (timeline != nullptr) timeline->end(ended_);
  }
}

namespace {

// Order of alerts within one call: time, then rule, then key; R31 inside a key is kept by stability.
void sort_alerts(std::vector<Alert>& alerts, size_t first) {
  std::stable_sort(alerts.begin() + static_cast<std::ptrdiff_t>(first), alerts.end(), [](const Alert& a, const Alert& b) {
    if (a.time != b.time) return a.time < b.time;
    if (a.program->rule != b.program->rule) return a.program->rule < b.program->rule;
    return a.key_hash < b.key_hash;
  });
}

}  // namespace

void Engine::on_batch(const BatchPtr& batch, std::span<const Admission> admissions, std::vector<Alert>& alerts) {
  size_t first = alerts.size();
  for (const Admission& admission : admissions) {
    timelines_[admission.timeline]->on_batch(batch, admission, alerts);
  }
  sort_alerts(alerts, first);
}

void Engine::on_time(std::span<const Admission> admissions, std::vector<Alert>& alerts) {
  size_t first = alerts.size();
  for (const Admission& admission : admissions) timelines_[admission.timeline]->on_time(admission, alerts);
  sort_alerts(alerts, first);
}

void Engine::adopt(const Engine& warmed, std::span<const ProgramId> programs) {
  for (const auto& from : warmed.timelines_) {
    for (const auto& timeline : timelines_) {
      if (timeline->name() == from->name()) timeline->adopt(*from, programs);
    }
  }
}

void Engine::begin_images(uint32_t segment, std::vector<uint32_t> victims) {
  for (const auto& timeline : timelines_) timeline->begin_images(segment, victims);
}

bool Engine::take_images(size_t bytes_max, std::vector<KeyImage>& images) {
  std::move(ended_.begin(), ended_.end(), std::back_inserter(images));
  ended_.clear();
  return std::any_of(timelines_.begin(), timelines_.end(),
                     [&](const std::unique_ptr<TimelineEngine>& timeline) { return timeline->take_images(&bytes_max, images); });
}

std::vector<BufferedRows> Engine::buffered() const {
  std::vector<BufferedRows> all;
  for (const auto& timeline : timelines_) all.push_back(timeline->buffered());
  return all;
}

bool Engine::restore_key(uint64_t space, uint64_t hash, uint32_t segment, std::string_view bytes) {
  bool known = false;
  for (const auto& timeline : timelines_) {
    if (!timeline->restore_key(space, hash, segment, bytes, &known)) return false;
    if (known) return true;
  }
  return true;     // of a key space that no rule uses any more: nothing to restore
}

void Engine::restore_buffered(const std::string& timeline, const BatchPtr& batch, std::span<const uint32_t> rows) {
  for (const auto& candidate : timelines_) {
    if (candidate->name() == timeline) candidate->restore_buffered(batch, rows);
  }
}

void Engine::restore_frontier(const std::string& timeline, TimeUs watermark) {
  for (const auto& candidate : timelines_) {
    if (candidate->name() == timeline) candidate->restore_frontier(watermark);
  }
}

uint64_t Engine::keys() const {
  uint64_t sum = 0;
  for (const auto& timeline : timelines_) sum += timeline->keys();
  return sum;
}

uint64_t Engine::runs(ProgramId program) const {
  uint64_t sum = 0;
  for (const auto& timeline : timelines_) sum += timeline->runs(program);
  return sum;
}

void Engine::count_runs(std::map<ProgramId, uint64_t>& runs) const {
  for (const auto& timeline : timelines_) timeline->count_runs(runs);
}

uint64_t Engine::state_bytes() const {
  uint64_t sum = 0;
  for (const auto& timeline : timelines_) sum += timeline->state_bytes();
  return sum;
}

uint64_t Engine::reorder_rows() const {
  uint64_t sum = 0;
  for (const auto& timeline : timelines_) sum += timeline->reorder_rows();
  return sum;
}

}  // namespace cep
