#include "service/pipeline.h"

#include <algorithm>

namespace service {

Pipeline::Pipeline(const PipelineOptions& options)
    : options_(options), rules_(cep::RuleSet::build({}, {}, {})), images_(options.shards) {
  for (uint32_t shard = 0; shard < options.shards; ++shard) {
    engines_.push_back(std::make_unique<cep::Engine>(shard, options.shards, options.limits, options.merges_runs));
    if (!options.is_restarted) engines_.back()->expect_no_images();
  }
  clock_.limit_waiting(options.limits.reorder_rows_max);
}

void Pipeline::apply_rules(cep::RuleSetPtr rules, std::span<const cep::ProgramId> to_warm) {
  std::unique_ptr<Pipeline> warm;
  if (!to_warm.empty() && !history_.empty()) warm = warmed(rules, to_warm);
  rules_ = std::move(rules);
  if (warm != nullptr) clock_.offer(warm->clock_.save());
  clock_.apply_rules(*rules_);
  for (size_t shard = 0; shard < engines_.size(); ++shard) {
    engines_[shard]->apply_rules(rules_);
    if (warm != nullptr) engines_[shard]->adopt(*warm->engines_.front(), to_warm);
  }
  feed_engines(nullptr, clock_.standing());
  if (options_.keeps_history) history_.push_back({nullptr, cep::kTimeMin, std::nullopt, rules_->datasets()});
}

std::vector<cep::Admission> Pipeline::admit(const cep::BatchPtr& batch) {
  if (options_.keeps_history) history_.push_back({batch, cep::kTimeMin, std::nullopt, std::nullopt});
  rows_ += batch->rows();
  std::vector<cep::Admission> admissions = clock_.admit(*batch);
  note_late(*batch, admissions);
  return admissions;
}

void Pipeline::feed(const cep::BatchPtr& batch) { feed_engines(batch, admit(batch)); }

cep::Verdict Pipeline::decide(const cep::BatchPtr& event) {
  const std::vector<cep::Admission> admissions = admit(event);
  cep::Verdict verdict;
  for (const auto& engine : engines_) engine->decide(event, admissions, verdict);
  std::stable_sort(verdict.alerts.begin(), verdict.alerts.end(), is_alert_before);
  feed_engines(event, admissions);
  return verdict;
}

// One record through all shards and then, level by level, what their alerts became.
void Pipeline::feed_engines(const cep::BatchPtr& batch, std::span<const cep::Admission> admissions) {
  auto each = [&](auto step) {
    for (const auto& engine : engines_) {
      std::vector<cep::Alert> alerts;
      step(*engine, alerts);
      order_.add(std::move(alerts));
    }
  };
  each([&](cep::Engine& engine, std::vector<cep::Alert>& alerts) {
    if (batch != nullptr) {
      engine.on_batch(batch, admissions, alerts);
    } else {
      engine.on_time(admissions, alerts);
    }
  });
  if (!engines_.front()->is_passed_on(admissions)) return;
  for (uint32_t level = 1; level <= rules_->levels(); ++level) {
    cep::DerivedRows derived;
    for (const auto& engine : engines_) {
      const cep::DerivedRows rows = engine->take_derived();
      derived.insert(derived.end(), rows.begin(), rows.end());
    }
    each([&](cep::Engine& engine, std::vector<cep::Alert>& alerts) { engine.on_level(level, admissions, derived, alerts); });
  }
}

void Pipeline::watermark(cep::TimeUs time, const std::string* stream) {
  if (options_.keeps_history) {
    history_.push_back({nullptr, time, stream == nullptr ? std::nullopt : std::optional(*stream), std::nullopt});
  }
  feed_engines(nullptr, clock_.watermark(time, stream));
}

void Pipeline::note_late(const cep::Batch& batch, std::span<const cep::Admission> admissions) {
  std::map<uint32_t, cep::TimeUs> missed;      // by row: the greatest watermark it missed
  for (const cep::Admission& admission : admissions) {
    for (uint32_t row = 0; row < admission.late.size(); ++row) {
      if (admission.late[row] == 0) continue;
      cep::TimeUs& watermark = missed.emplace(row, cep::kTimeMin).first->second;
      watermark = std::max(watermark, admission.late_watermark[row]);
    }
  }
  for (const auto& [row, watermark] : missed) {
    late_.push_back({batch.schema, batch.position[row], batch.time[row], watermark});
  }
  late_count_ += missed.size();
}

// No alert to come is earlier than this, as far as the timelines that have spoken are concerned. One that has not may never: to wait for
// it would be to hold everything until the end.
cep::TimeUs Pipeline::settled_until() const {
  cep::TimeUs least = cep::kTimeMax;
  for (uint32_t t = 0; t < rules_->timelines().size(); ++t) {
    const cep::TimeUs watermark = clock_.watermark_of(t);
    if (watermark != cep::kTimeMin) least = std::min(least, watermark);
  }
  return least;
}

void Pipeline::take_alerts(std::vector<cep::Alert>& out, bool all) {
  order_.take(all ? cep::kTimeMax : settled_until(), out);
}

cep::EngineCounters Pipeline::counters() const {
  cep::EngineCounters sum;
  for (const auto& engine : engines_) {
    const cep::EngineCounters& one = engine->counters();
    sum.events += one.events;
    sum.matches = cep::add_capped(sum.matches, one.matches);
    sum.alerts += one.alerts;
    sum.suppressed += one.suppressed;
    sum.null_key += one.null_key;
    sum.runs_refused += one.runs_refused;
    sum.runs_aged += one.runs_aged;
    sum.matches_dropped = cep::add_capped(sum.matches_dropped, one.matches_dropped);
    sum.window_dropped += one.window_dropped;
    sum.keys_forgotten += one.keys_forgotten;
    sum.skip_target_unbound += one.skip_target_unbound;
    sum.peeks_refused += one.peeks_refused;
    sum.derived += one.derived;
    sum.derived_late += one.derived_late;
    sum.derived_dropped += one.derived_dropped;
  }
  return sum;
}

// --- A change of rules midway (R74)

// A muted pipeline of one shard with `programs` only, fed everything so far.
std::unique_ptr<Pipeline> Pipeline::warmed(const cep::RuleSetPtr& rules, std::span<const cep::ProgramId> programs) const {
  std::vector<cep::RuleEntry> all;
  for (const cep::BoundRule& rule : rules->rules()) all.push_back(rule.entry);
  const std::vector<cep::RuleEntry> staged = cep::with_feeders(all, {programs.begin(), programs.end()});
  cep::Datasets datasets;                      // what is new in this change was empty before it
  for (const auto& [name, dataset] : rules->datasets()) datasets[name] = dataset->emptied();
  auto warm = std::make_unique<Pipeline>(PipelineOptions{1, false, options_.limits, false, options_.merges_runs});
  warm->apply_rules(cep::RuleSet::build(staged, datasets, rules->streams()));
  std::vector<cep::Alert> muted;
  for (const Record& record : history_) {
    if (record.batch != nullptr) {
      warm->feed(record.batch);
    } else if (record.datasets) {
      for (const auto& [name, dataset] : *record.datasets) {
        const auto known = rules->datasets().find(name);       // another one had the name before
        if (known == rules->datasets().end() || dataset->is_declared_as(*known->second)) datasets[name] = dataset;
      }
      warm->apply_rules(cep::RuleSet::build(staged, datasets, rules->streams()));
    } else {
      warm->watermark(record.watermark, record.stream ? &*record.stream : nullptr);
    }
    warm->take_alerts(muted, true);
    muted.clear();
  }
  return warm;
}

// --- Restart

// Each row that waited in any shard's buffer goes back to the clock and to the buffers of the shards that its keys make its own.
void Pipeline::restore_rows(const std::map<std::string, std::set<uint64_t>>& waiting) {
  for (const auto& [timeline, positions] : waiting) {
    for (const Record& record : history_) {
      if (record.batch == nullptr) continue;
      std::vector<uint32_t> found;
      for (uint32_t row = 0; row < record.batch->rows(); ++row) {
        if (!positions.contains(record.batch->position[row])) continue;
        found.push_back(row);
        clock_.restore_waiting(timeline, record.batch->time[row]);
      }
      if (found.empty()) continue;
      for (const auto& engine : engines_) engine->restore_buffered(timeline, record.batch, found);
    }
  }
}

cep::Status Pipeline::restart(const ImageTrip& trip) {
  ++segment_;
  const std::vector<cep::TimelineClock> clocks = clock_.save();
  const auto streams = clock_.save_streams();
  clock_ = cep::Clock();
  clock_.limit_waiting(options_.limits.reorder_rows_max);
  clock_.restore(clocks, streams);
  clock_.apply_rules(*rules_);
  std::map<std::string, std::set<uint64_t>> waiting;
  for (uint32_t shard = 0; shard < options_.shards; ++shard) {
    for (const cep::BufferedRows& rows : engines_[shard]->buffered()) {
      if (!rows.positions.empty()) waiting[rows.timeline].insert(rows.positions.begin(), rows.positions.end());
    }
    std::vector<cep::KeyImage> changed;
    engines_[shard]->begin_images(segment_, {});
    engines_[shard]->take_images(SIZE_MAX, changed);
    KeyImages& images = images_[shard];
    for (cep::KeyImage& image : changed) {
      image.old_segment = segment_;
      const auto name = std::pair(image.space, image.hash);
      if (image.bytes.empty()) {
        images.erase(name);
      } else {
        images[name] = std::move(image);
      }
    }
    const cep::Status status = trip ? trip(shard, images) : cep::ok_status();
    if (!status) return status;
  }
  for (uint32_t shard = 0; shard < options_.shards; ++shard) {
    auto engine = std::make_unique<cep::Engine>(shard, options_.shards, options_.limits, options_.merges_runs);
    engine->apply_rules(rules_);
    for (uint32_t from = 0; from < options_.shards; ++from) {
      for (const auto& [name, image] : images_[from]) {
        if (from != shard && !engine->is_derived_space(image.space)) continue;
        if (!engine->restore_key(image.space, image.hash, image.old_segment, image.bytes)) {
          return cep::Error{"bad_image", "shard " + std::to_string(shard) + ": the image of a key is not a sound block"};
        }
      }
    }
    for (uint32_t t = 0; t < rules_->timelines().size(); ++t) {
      engine->restore_frontier(rules_->timelines()[t].name, clock_.watermark_of(t));
    }
    engines_[shard] = std::move(engine);
  }
  restore_rows(waiting);
  feed_engines(nullptr, clock_.standing());
  return cep::ok_status();
}

}  // namespace service
