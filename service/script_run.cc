#include "service/script_run.h"

#include <algorithm>
#include <map>
#include <random>

#include "api/alert_json.h"
#include "service/checkpoint_trip.h"
#include "service/dataset_text.h"
#include "service/pipeline.h"
#include "service/script_events.h"
#include "service/script_lines.h"
#include "service/source_files.h"

namespace service {
namespace {

constexpr uint64_t kShuffleSeed = 20260105;

cep::Error at_line(const Script& script, size_t line, const cep::Error& error) {
  return {error.code, script.path + ":" + std::to_string(line) + ": " + error.message};
}

// One run of a case: the engine under test and what it has given so far.
class Run {
 public:
  Run(const Script& script, const ScriptCase& one, const ScriptSetup& setup, ScriptMode mode)
      : script_(script), case_(one), setup_(setup), mode_(mode), print_(script, one.clock), events_(one.clock), random_(kShuffleSeed) {}

  cep::Result<std::vector<BlockResult>> run() {
    std::vector<BlockResult> results;
    for (const ScriptBlock& block : case_.blocks) {
      if (block.fresh) begin();
      for (const ScriptStep& step : block.steps) {
        const cep::Status status = take(step);
        if (!status) return at_line(script_, step.line, status.error());
      }
      const cep::Status status = deliver();
      if (!status) return at_line(script_, block.line, status.error());
      results.push_back(finish());
    }
    return results;
  }

 private:
  struct Line {
    cep::DurationUs offset_us;
    int rank;                    // at one offset: errors, rejected, late, alerts
    uint64_t order;
    std::string text;
    bool operator<(const Line& other) const {
      return std::tie(offset_us, rank, order) < std::tie(other.offset_us, other.rank, other.order);
    }
  };

  void begin() {
    book_ = mode_ == ScriptMode::kAmid ? setup_.amid : setup_.book;
    const PipelineOptions options{mode_ == ScriptMode::kShards ? 4u : 1u, true, case_.limits, true, mode_ != ScriptMode::kApart};
    pipeline_ = std::make_unique<Pipeline>(options);
    pipeline_->apply_rules(book_.build());
    trip_ = std::make_unique<CheckpointTrip>();
    events_.forget_schemas();
    offsets_.clear();
    alerts_.clear();
  }

  cep::Status take(const ScriptStep& step) {
    if (step.kind == ScriptStep::Kind::kEvent) {
      decode(step);
      return cep::ok_status();
    }
    const cep::Status delivered = deliver();
    if (!delivered) return delivered;
    switch (step.kind) {
      case ScriptStep::Kind::kAdvance: pipeline_->watermark(case_.clock + step.offset_us, nullptr); break;
      case ScriptStep::Kind::kRestart: return restart();
      case ScriptStep::Kind::kDeploy: deploy(step); break;
      default: return edit(step);
    }
    return cep::ok_status();
  }

  cep::Status edit(const ScriptStep& step) {
    const bool is_table = step.kind == ScriptStep::Kind::kTablePut || step.kind == ScriptStep::Kind::kTableRemove;
    const cep::Dataset* const dataset = book_.dataset(step.name, is_table);
    if (dataset == nullptr) {
      return cep::Error{"unknown_dataset", std::string("no rule file declares a ") + (is_table ? "table `" : "list `") + step.name + "`"};
    }
    DatasetChange::Edit edit;
    edit.key = step.value;
    if (step.kind == ScriptStep::Kind::kTablePut) {
      cep::Result<DatasetChange::Edit> row = read_row(*dataset, step.text, nullptr);
      if (!row) return row.error();
      edit = std::move(*row);
    } else if (step.kind == ScriptStep::Kind::kListAdd) {
      edit.now.emplace();
      if (step.expires_us) edit.now->expires_us = case_.clock + *step.expires_us;
    }
    const cep::Status status = book_.edit({step.name, "", 0, {std::move(edit)}});
    if (status) pipeline_->apply_rules(book_.build());
    return status;
  }

  void deploy(const ScriptStep& step) {
    patterns::SourceMap sources;
    patterns::Diagnostics diagnostics;
    const patterns::FileId file = sources.add(script_.path + ":" + std::to_string(step.line), step.text);
    std::vector<cep::ProgramId> to_warm;
    if (book_.compile(sources, {&file, 1}, diagnostics, to_warm)) {
      pipeline_->apply_rules(book_.build(), to_warm);
      events_.forget_schemas();
      return;
    }
    for (const patterns::Diagnostic& diagnostic : diagnostics.sorted()) {
      if (diagnostic.severity != patterns::Severity::kError) continue;
      lines_.push_back({cep::kTimeMin, 0, lines_.size(), diagnostic_line(sources, diagnostic)});
    }
  }

  void decode(const ScriptStep& step) {
    const uint64_t position = offsets_.size();
    offsets_.push_back(step.offset_us);
    api::RowError error;
    if (cep::BatchPtr row = events_.decode(step, position, book_.streams(), error)) {
      arrivals_.push_back(std::move(row));
      return;
    }
    lines_.push_back({step.offset_us, 1, position, print_.rejected(step.offset_us, step.name, api::event_code_name(error.code))});
  }

  // Feeds the events since the last control line, as the mode wants it.
  cep::Status deliver() {
    std::vector<cep::BatchPtr> batches = std::move(arrivals_);
    arrivals_.clear();
    if (mode_ == ScriptMode::kShuffle) shuffle(batches);
    if (mode_ == ScriptMode::kBatches) batches = joined(batches);
    for (const cep::BatchPtr& batch : batches) {
      if (mode_ == ScriptMode::kDecide) {
        decide(batch);
        continue;
      }
      pipeline_->feed(batch);
      if (mode_ != ScriptMode::kRestart) continue;
      const cep::Status status = restart();
      if (!status) return status;
    }
    return cep::ok_status();
  }

  // A final verdict takes the place of what completed on the event when it was fed: a difference between the two shows as one of alerts.
  void decide(const cep::BatchPtr& event) {
    cep::Verdict verdict = pipeline_->decide(event);
    std::vector<cep::Alert> alerts;
    pipeline_->take_alerts(alerts, true);
    if (verdict.is_final) {
      std::erase_if(alerts, [&](const cep::Alert& alert) { return completes_on(*event, alert); });
      for (cep::Alert& alert : verdict.alerts) {
        if (!alert.folded && completes_on(*event, alert)) alerts.push_back(std::move(alert));
      }
    }
    std::move(alerts.begin(), alerts.end(), std::back_inserter(alerts_));
  }

  // Absences and episodes end at times of their own, and what alerts become reaches its rules later.
  bool completes_on(const cep::Batch& event, const cep::Alert& alert) const {
    if (alert.kind != cep::AlertKind::kMatch && alert.kind != cep::AlertKind::kWhen) return false;
    const cep::RuleSet& rules = *pipeline_->rules();
    const cep::BoundRule* const rule = rules.find(alert.program->rule);
    return rule != nullptr && rules.timelines()[rule->timeline].find(event.schema->id) != nullptr;
  }

  // The second of a case and every fourth after it goes through a directory: most cases are short.
  cep::Status restart() {
    const bool on_disk = mode_ == ScriptMode::kRestart && ++restarts_ % 4 == 2;
    if (!on_disk) return pipeline_->restart();
    return pipeline_->restart([this](uint32_t, KeyImages& images) { return trip_->run(images); });
  }

  // Each event moves to a random place at most its stream's delay later. Then nothing becomes late: what came before it has a place
  // before its own, hence a time of at most its own plus the delay.
  void shuffle(std::vector<cep::BatchPtr>& batches) {
    std::map<cep::TimeUs, cep::DurationUs> delays;         // by time: the least delay of its events
    for (const cep::BatchPtr& batch : batches) {
      const cep::DurationUs delay = batch->schema->explicit_watermark ? 0 : batch->schema->delay_us;
      auto [known, is_new] = delays.emplace(batch->time[0], delay);
      if (!is_new) known->second = std::min(known->second, delay);
    }
    std::map<cep::TimeUs, cep::TimeUs> place;              // one for all events of a time, so they keep their order
    for (const auto& [time, delay] : delays) {
      place[time] = time + static_cast<cep::DurationUs>(random_() % (static_cast<uint64_t>(delay) + 1));
    }
    std::stable_sort(batches.begin(), batches.end(), [&](const cep::BatchPtr& a, const cep::BatchPtr& b) {
      return place[a->time[0]] < place[b->time[0]];
    });
  }

  static std::vector<cep::BatchPtr> joined(const std::vector<cep::BatchPtr>& rows) {
    std::vector<cep::BatchPtr> batches;
    for (size_t at = 0; at < rows.size();) {
      cep::BatchBuilder builder(rows[at]->schema, 0, 0);
      const cep::SchemaPtr schema = rows[at]->schema;
      for (; at < rows.size() && rows[at]->schema == schema && builder.rows() < cep::kBatchRowsMax; ++at) {
        copy_row(*rows[at], 0, rows[at]->position[0], builder);
      }
      batches.push_back(builder.finish());
    }
    return batches;
  }

  bool is_own(const cep::Alert& alert) const {
    return mode_ != ScriptMode::kAmid || setup_.book.rules().contains(alert.program->rule) ||
           !setup_.amid.rules().contains(alert.program->rule);
  }

  BlockResult finish() {
    BlockResult result;
    std::vector<cep::Alert> alerts = std::exchange(alerts_, {});
    pipeline_->take_alerts(alerts, true);
    if (mode_ == ScriptMode::kDecide) std::stable_sort(alerts.begin(), alerts.end(), is_alert_before);
    for (const LateRow& late : pipeline_->take_late()) {
      const cep::DurationUs offset_us = offsets_[late.position];
      lines_.push_back({offset_us, 2, late.position, print_.late(offset_us, late.schema->name)});
    }
    for (const cep::Alert& alert : alerts) {
      if (!is_own(alert)) continue;
      lines_.push_back({alert.time - case_.clock, 3, result.alerts.size(), print_.alert(alert)});
      result.alerts.push_back(api::alert_json(alert));
    }
    std::stable_sort(lines_.begin(), lines_.end());
    for (Line& line : lines_) result.lines.push_back(std::move(line.text));
    lines_.clear();
    return result;
  }

  const Script& script_;
  const ScriptCase& case_;
  const ScriptSetup& setup_;
  ScriptMode mode_;
  ScriptLines print_;
  ScriptEvents events_;
  std::mt19937_64 random_;
  RuleBook book_;
  std::unique_ptr<Pipeline> pipeline_;
  std::unique_ptr<CheckpointTrip> trip_;        // of this pipeline's keys
  uint64_t restarts_ = 0;
  std::vector<cep::DurationUs> offsets_;        // by position: as the event's line says it
  std::vector<cep::BatchPtr> arrivals_;         // one row each
  std::vector<cep::Alert> alerts_;              // of mode decide, event by event
  std::vector<Line> lines_;
};

}  // namespace

bool has_mode(const ScriptCase& one, const ScriptSetup& setup, ScriptMode mode) {
  // What merged runs are not counted by cuts runs that are apart.
  const cep::Limits usual;
  const bool has_room = one.limits.runs_per_key_max == usual.runs_per_key_max && one.limits.block_bytes_max == usual.block_bytes_max;
  if (mode == ScriptMode::kApart) return has_room;
  if (mode != ScriptMode::kShuffle) return true;
  if (one.limits.reorder_rows_max != cep::Limits().reorder_rows_max) return false;
  return std::any_of(setup.book.streams().begin(), setup.book.streams().end(),
                     [](const auto& stream) { return stream.second->delay_us > 0; });
}

cep::Result<std::vector<BlockResult>> run_case(const Script& script, const ScriptCase& one, const ScriptSetup& setup,
                                               ScriptMode mode) {
  return Run(script, one, setup, mode).run();
}

}  // namespace service
