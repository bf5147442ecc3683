// See timeline_engine.h: the rows that alerts became (`into`, R76), from the exchange between shards to their release, and in checkpoints.
// Invariant: all shards hold the same ones, in the same order, until they are released at the same record.
#include <algorithm>
#include <cstring>

#include "cep/derived.h"
#include "cep/timeline_engine.h"

namespace cep {

bool TimelineEngine::speaks_for(uint64_t position) const { return position % engine_.shard_count_ == engine_.shard_; }

void TimelineEngine::wait(const BatchPtr& derived) {
  bool counted = speaks_for(derived->position[0]);        // by one shard of all
  if (derived->time[0] < frontier_) {
    engine_.counters_.derived_late += counted ? 1 : 0;
  } else if (derived_.size() >= engine_.limits_.derived_rows_max) {
    engine_.counters_.derived_dropped += counted ? 1 : 0;
  } else {
    is_new_ = false;
    derived_.insert({{derived->time[0], derived->position[0], derived->schema->id}, {derived, 0}});
  }
}

void TimelineEngine::release_derived(std::vector<Alert>& alerts) {
  auto first = derived_.begin();
  const BatchPtr row = first->second.row;
  drop_derived(first);
  const TimelineStream* stream = timeline().find(row->schema->id);
  stream->predicates.evaluate(*row, engine_.rules_->datasets(), engine_.eval_counters_, words_);
  process_rows(*row, 0, 1, words_, alerts);
}

void TimelineEngine::drop_derived(std::map<DerivedKey, Derived>::iterator row) {
  const uint64_t position = std::get<uint64_t>(row->first);
  if (row->second.segment != 0 && speaks_for(position)) gone_.push_back({derived_space_, position, row->second.segment});
  derived_.erase(row);
}

// All at the barrier and none later: what waits for time to pass is little beside the keys. Of all shards, which hold the same, the owner
// of the position does it.
void TimelineEngine::begin_derived_images() {
#ifdef WEIR_MUTANT_DERIVED_NOT_KEPT
  return;
#endif
  const std::vector<uint32_t>& victims = images_.victims;
  for (auto& [key, waiting] : derived_) {
    const uint64_t position = std::get<uint64_t>(key);
    bool is_victim = std::find(victims.begin(), victims.end(), waiting.segment) != victims.end();
    if (!speaks_for(position) || (waiting.segment != 0 && !is_victim)) continue;
    images_.ahead.push_back({derived_space_, position, kTimeMax, waiting.segment, pack_derived(*waiting.row)});
    waiting.segment = images_.segment;
  }
}

bool TimelineEngine::restore_derived(uint32_t segment, std::string_view bytes) {
  if (bytes.size() < sizeof(RowHeader)) return false;
  is_new_ = false;
  RowHeader header;
  std::memcpy(&header, bytes.data(), sizeof header);
  const TimelineStream* stream = timeline().find(header.stream);
  if (stream == nullptr) return false;
  const BatchPtr row = unpack_derived(stream->schema, bytes);
  if (row == nullptr) return false;
  derived_[{row->time[0], row->position[0], row->schema->id}] = {row, segment};
  return true;
}

// A timeline that is new takes over what its feeders had made, and time had not passed, before there was anybody to wait for it.
void TimelineEngine::adopt_derived(const TimelineEngine& warmed) {
  for (const auto& [key, waiting] : warmed.derived_) derived_.insert({key, {waiting.row, 0}});
}

}  // namespace cep
