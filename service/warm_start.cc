// See warm_start.h. Test: tests/unit/service/lane_test.cc (deploy at every position).
#include "service/warm_start.h"

#include <algorithm>

#include "service/shard.h"

namespace service {

WarmStart::WarmStart(const Registry& registry, std::vector<cep::ProgramId> programs, const cep::Limits& limits)
    : registry_(registry), programs_(std::move(programs)), engine_(std::make_shared<cep::Engine>(0, 1, limits)) {
  engine_->expect_no_images();      // it is adopted from, never stored
}

cep::Result<std::unique_ptr<WarmStart>> WarmStart::open(state::FileSystem& files, const std::string& log_dir, uint64_t log_begin,
                                                        uint64_t log_end, const Registry& registry, std::vector<cep::ProgramId> programs,
                                                        const cep::Limits& limits, uint32_t waiting_max) {
  std::unique_ptr<WarmStart> warm(new WarmStart(registry, std::move(programs), limits));
  cep::Result<std::unique_ptr<state::LogReader>> reader = state::LogReader::open(files, log_dir, log_begin);
  if (!reader.ok()) return reader.error();
  warm->reader_ = std::move(*reader);
  cep::Result<DatasetHistory> history = DatasetHistory::read(files, log_dir, log_begin, log_end, registry);
  if (!history.ok()) return history.error();
  warm->datasets_ = std::move(*history);
  if (cep::Status status = warm->datasets_.rewind(warm->registry_); !status.ok()) return status.error();
  // A log that begins at 0 holds every limit; a trimmed one does not, so the present one stands in.
  if (log_begin != 0) warm->clock_.limit_waiting(waiting_max);
  warm->rules_ = warm->registry_.rule_set_of(warm->programs_);
  warm->clock_.apply_rules(*warm->rules_);
  warm->engine_->apply_rules(warm->rules_);
  return warm;
}

cep::Status WarmStart::feed_until(uint64_t end) {
  for (;;) {
    cep::Result<std::optional<state::FrameView>> frame = reader_->next(end);
    if (!frame.ok()) return frame.error();
    if (!frame->has_value()) return cep::ok_status();
    if (cep::Status status = feed(**frame); !status.ok()) return status;
    keep_backfill();
  }
}

void WarmStart::keep_backfill() {
  for (cep::Alert& alert : muted_) {
    const cep::ProgramId program = rules_->find(alert.program->rule)->entry.id;
    if (std::find(programs_.begin(), programs_.end(), program) == programs_.end()) continue;      // it only feeds them
    alert.mode = cep::AlertMode::kBackfill;
    backfill_.push_back(std::move(alert));
    if (backfill_.size() <= kBackfillMax) continue;
    backfill_.pop_front();
    ++backfill_dropped_;
  }
  muted_.clear();
}

std::vector<std::vector<state::Alert>> WarmStart::backfill(uint32_t shards) const {
  std::vector<std::vector<state::Alert>> stored(shards);
  for (const cep::Alert& alert : backfill_) {
    stored[owner_of(*alert.program, alert.key_hash, shards)].push_back(
        stored_alert(alert, rules_->find(alert.program->rule)->entry.number));
  }
  return stored;
}

cep::Status WarmStart::feed(const state::FrameView& frame) {
  const state::FrameHeader& header = frame.header;
  began_us_ = std::min(began_us_, header.received_us);
  if (header.kind == state::FrameKind::kEvents) {
    size_t number = cep::index_of(header.stream);
    if (number >= registry_.schemas().size()) return cep::Error{"log_disagrees", "the log names an unknown stream"};
    const cep::SchemaPtr& schema = registry_.schemas()[number];
    bool is_read = cep::index_of(schema->id) < rules_->schema_count() && !rules_->timelines_of(schema->id).empty();
    if (!is_read) return cep::ok_status();
    cep::Result<std::vector<cep::BatchPtr>> batches = rows_.decode_frame(frame, schema);
    if (!batches.ok()) return batches.error();
    for (const cep::BatchPtr& batch : *batches) engine_->feed(batch, clock_.admit(*batch), muted_);
  } else if (header.kind == state::FrameKind::kTick) {
    engine_->feed(nullptr, clock_.tick(header.received_us), muted_);
  } else if (header.kind == state::FrameKind::kIdle) {
    engine_->feed(nullptr, clock_.idle(static_cast<cep::SourceId>(header.source), header.received_us), muted_);
  } else if (header.kind == state::FrameKind::kSource) {
    cep::Result<SourceChange> change = decode_source_change(frame.rows);
    if (!change.ok()) return change.error();
    clock_.declare(static_cast<cep::SourceId>(header.source), change->stream, header.received_us);
  } else if (header.kind == state::FrameKind::kWatermark) {
    cep::Result<WatermarkMark> mark = decode_watermark_mark(frame.rows);
    if (!mark.ok()) return mark.error();
    engine_->feed(nullptr, clock_.watermark(mark->time_us, mark->stream.empty() ? nullptr : &mark->stream), muted_);
  } else if (header.kind == state::FrameKind::kLimits) {
    cep::Result<LimitsChange> change = decode_limits_change(frame.rows);
    if (!change.ok()) return change.error();
    engine_->feed(nullptr, clock_.limit_waiting(change->reorder_rows_max), muted_);
  } else if (header.kind == state::FrameKind::kList) {
    cep::Result<DatasetChange> change = decode_dataset_change(frame.rows);
    if (!change.ok()) return change.error();
    const bool is_there = registry_.datasets().contains(change->dataset) && datasets_.is_of_present(change->dataset, header.first_offset);
    if (!is_there) return cep::ok_status();     // dropped since
    if (cep::Status status = registry_.apply(*change); !status.ok()) return status;
    rules_ = registry_.rule_set_of(programs_);
    clock_.apply_rules(*rules_);
    engine_->apply_rules(rules_);
  }
  return cep::ok_status();
}

}  // namespace service
