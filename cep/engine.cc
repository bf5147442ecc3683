// See engine.h. The readers' side (match state) is in match_state.cc.
#include "cep/engine.h"

#include <algorithm>

#include "cep/timeline_engine.h"

namespace cep {

Engine::Engine(uint32_t shard, uint32_t shard_count, const Limits& limits, bool merges_runs)
    : shard_(shard), shard_count_(shard_count), limits_(limits), merges_runs_(merges_runs), rules_(RuleSet::build({}, {}, {})) {}

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
  const auto is_before = [](const Alert& a, const Alert& b) {
    if (a.time != b.time) return a.time < b.time;
    if (a.program != b.program && a.program->rule != b.program->rule) return a.program->rule < b.program->rule;
    return a.key_hash < b.key_hash;
  };
  const auto begin = alerts.begin() + static_cast<std::ptrdiff_t>(first);
  if (!std::is_sorted(begin, alerts.end(), is_before)) std::stable_sort(begin, alerts.end(), is_before);
}

}  // namespace

void Engine::on_batch(const BatchPtr& batch, std::span<const Admission> admissions, std::vector<Alert>& alerts) {
  size_t first = alerts.size();
  for (const Admission& admission : admissions) {
    if (admission.has_rows) {
      timelines_[admission.timeline]->on_batch(batch, admission, alerts);
    } else if (rules_->timelines()[admission.timeline].level == 0) {
      timelines_[admission.timeline]->on_time(admission, alerts);
    }
  }
  pass_on(alerts, first);
}

void Engine::on_time(std::span<const Admission> admissions, std::vector<Alert>& alerts) {
  size_t first = alerts.size();
  for (const Admission& admission : admissions) {
    if (rules_->timelines()[admission.timeline].level == 0) timelines_[admission.timeline]->on_time(admission, alerts);
  }
  pass_on(alerts, first);
}

bool Engine::is_passed_on(std::span<const Admission> admissions) const {
  return std::any_of(admissions.begin(), admissions.end(),
                     [&](const Admission& admission) { return rules_->timelines()[admission.timeline].level > 0; });
}

// Puts the alerts of one call into order, and those of rules with `into` among what they became.
void Engine::pass_on(std::vector<Alert>& alerts, size_t first) {
  sort_alerts(alerts, first);
  if (rules_->levels() == 0) return;
  for (size_t i = first; i < alerts.size(); ++i) {
    if (alerts[i].program->into.empty()) continue;
    const BoundRule* rule = rules_->find(alerts[i].program->rule);
    if (rule == nullptr || rule->into == nullptr) continue;
    derived_.push_back(derived_row(alerts[i], rule->into, rule->into_columns, eval_counters_));
    ++counters_.derived;
  }
}

void Engine::on_level(uint32_t level, std::span<const Admission> admissions, const DerivedRows& derived, std::vector<Alert>& alerts) {
  DerivedRows ordered = derived;           // whoever came first: at the limit of what may wait it decides who is dropped
  std::sort(ordered.begin(), ordered.end(), [](const BatchPtr& a, const BatchPtr& b) {
    return std::pair(a->time[0], a->position[0]) < std::pair(b->time[0], b->position[0]);
  });
  for (const BatchPtr& row : ordered) {
    for (uint32_t reader : rules_->timelines_of(row->schema->id)) timelines_[reader]->wait(row);
  }
  size_t first = alerts.size();
  for (const Admission& admission : admissions) {
    if (rules_->timelines()[admission.timeline].level == level) timelines_[admission.timeline]->on_time(admission, alerts);
  }
  pass_on(alerts, first);
}

void Engine::feed(const BatchPtr& batch, std::span<const Admission> admissions, std::vector<Alert>& alerts) {
  if (batch != nullptr) {
    on_batch(batch, admissions, alerts);
  } else {
    on_time(admissions, alerts);
  }
  if (!is_passed_on(admissions)) return;
  for (uint32_t level = 1; level <= levels(); ++level) on_level(level, admissions, take_derived(), alerts);
}

// A timeline that reads what alerts become releases a row behind those that its own record made, which nobody has made yet: not final.
void Engine::decide(const BatchPtr& event, std::span<const Admission> admissions, Verdict& verdict) {
  for (const Admission& admission : admissions) {
    if (!admission.has_rows) continue;
    const bool is_late = !admission.late.empty() && admission.late[0] != 0;
    const bool is_first = rules_->timelines()[admission.timeline].level == 0;
    verdict.is_late = verdict.is_late || is_late;
    verdict.is_final = verdict.is_final && !is_late && is_first && admission.covers(event->time[0], event->source);
    if (!timelines_[admission.timeline]->peek(event, admission, verdict.alerts)) verdict.is_refused = true;
  }
  sort_alerts(verdict.alerts, 0);
}

void Engine::adopt(const Engine& warmed, std::span<const ProgramId> programs) {
  for (const auto& from : warmed.timelines_) {
    bool has_programs = std::any_of(programs.begin(), programs.end(), [&](ProgramId program) {
      const BoundRule* rule = warmed.rules_->find(program);
      return rule != nullptr && warmed.rules_->timelines()[rule->timeline].name == from->name();
    });
    if (!has_programs) continue;       // only its rules' alerts were wanted
    for (const auto& timeline : timelines_) {
      if (timeline->name() == from->name()) timeline->adopt(*from, programs);
    }
  }
}

void Engine::begin_images(uint32_t segment, std::vector<uint32_t> victims) {
  WEIR_CHECK(has_images_, "a checkpoint was not to be expected");
  for (const auto& timeline : timelines_) timeline->begin_images(segment, victims);
}

bool Engine::take_images(size_t bytes_max, std::vector<KeyImage>& images) {
  std::move(ended_.begin(), ended_.end(), std::back_inserter(images));
  ended_.clear();
  return std::any_of(timelines_.begin(), timelines_.end(),
                     [&](const std::unique_ptr<TimelineEngine>& timeline) { return timeline->take_images(&bytes_max, images); });
}

void Engine::prefetch_key(uint64_t space, uint64_t hash) const {
  for (const auto& timeline : timelines_) timeline->prefetch_key(space, hash);
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

bool Engine::is_derived_space(uint64_t space) const {
  return std::any_of(timelines_.begin(), timelines_.end(), [&](const auto& timeline) { return timeline->derived_space() == space; });
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

uint64_t Engine::derived_waiting() const {
  uint64_t sum = 0;
  for (const auto& timeline : timelines_) sum += timeline->derived_waiting();
  return sum;
}

}  // namespace cep
