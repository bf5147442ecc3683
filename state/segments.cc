// Live counts by segment, tombstones, and the choice of what to clean.
#include "state/segments.h"

#include <algorithm>
#include <limits>

#include "cep/result.h"

namespace state {
namespace {

constexpr uint64_t kTombstonesTolerated = 1'000;   // fewer never make a healthy segment a victim

}  // namespace

void SegmentTable::drop_live(uint32_t number, uint32_t running_sequence) {
  auto found = segments_.find(number);
  WEIR_CHECK(found != segments_.end() && found->second.live > 0, "a segment that loses a record had it");
  --found->second.live;
  found->second.dead_since = running_sequence;
}

void SegmentTable::forget_tombstone(const RecordId& id, uint32_t running_sequence) {
  auto found = tombstones_.find(id);
  if (found == tombstones_.end()) return;
  drop_live(found->second.segment, running_sequence);
  tombstones_by_ended_.erase({found->second.ended_segment, id});
  tombstones_.erase(found);
}

void SegmentTable::add(const RecordId& id, uint32_t number, uint32_t old_segment, bool gone) {
  WEIR_CHECK(needs_record(gone, old_segment), "a key without a record needs no tombstone");
  Segment& segment = segments_[number];
  ++segment.records;
  ++segment.live;
  forget_tombstone(id, number);
  if (old_segment != 0) drop_live(old_segment, number);
  if (gone) {
    --live_keys_;
    tombstones_[id] = {number, old_segment};
    tombstones_by_ended_.insert({old_segment, id});
  } else if (old_segment == 0) {
    ++live_keys_;
  }
}

void SegmentTable::restore_segment(uint32_t number, uint64_t records, uint64_t keys, uint32_t restored_sequence) {
  segments_[number] = {.records = records, .live = keys, .dead_since = restored_sequence};
  live_keys_ += keys;
}

void SegmentTable::restore_tombstone(const RecordId& id, const Tombstone& tombstone) {
  if (segments_.begin()->first > tombstone.ended_segment) return;   // what it ended is deleted
  ++segments_.at(tombstone.segment).live;
  tombstones_[id] = tombstone;
  tombstones_by_ended_.insert({tombstone.ended_segment, id});
}

void SegmentTable::carry(const RecordId& id, uint32_t number) {
  Tombstone& tombstone = tombstones_.at(id);
  Segment& segment = segments_[number];
  ++segment.records;
  ++segment.live;
  drop_live(tombstone.segment, number);
  tombstone.segment = number;
}

std::vector<uint32_t> SegmentTable::victims(uint32_t sealed_through, uint64_t records_max) const {
  struct Candidate {
    double share;
    uint32_t number;
    uint64_t live;
  };
  std::vector<Candidate> candidates;
  bool oldest_too = tombstones_.size() > std::max(kTombstonesTolerated, live_keys_ / 4);
  for (const auto& [number, segment] : segments_) {
    if (number > sealed_through || segment.live == 0) continue;
    if (segment.live * 2 <= segment.records || oldest_too) {
      double share = oldest_too ? 0 : static_cast<double>(segment.live) / static_cast<double>(segment.records);
      candidates.push_back({share, number, segment.live});
    }
    oldest_too = false;
  }
  std::sort(candidates.begin(), candidates.end(), [](const Candidate& a, const Candidate& b) {
    return a.share != b.share ? a.share < b.share : a.number < b.number;
  });
  std::vector<uint32_t> chosen;
  uint64_t records = 0;
  for (const Candidate& candidate : candidates) {
    if (!chosen.empty() && records + candidate.live > records_max) break;
    records += candidate.live;
    chosen.push_back(candidate.number);
  }
  return chosen;
}

std::vector<std::pair<RecordId, Tombstone>> SegmentTable::tombstones_in(const std::vector<uint32_t>& segments,
                                                                        size_t max) const {
  std::vector<std::pair<RecordId, Tombstone>> found;
  if (segments.empty()) return found;
  for (const auto& [id, tombstone] : tombstones_) {
    if (found.size() == max) break;
    if (std::find(segments.begin(), segments.end(), tombstone.segment) != segments.end()) {
      found.push_back({id, tombstone});
    }
  }
  return found;
}

std::vector<uint32_t> SegmentTable::deletable(uint32_t oldest_kept) const {
  std::vector<uint32_t> numbers;
  for (const auto& [number, segment] : segments_) {
    if (segment.live == 0 && segment.dead_since <= oldest_kept) numbers.push_back(number);
  }
  return numbers;
}

void SegmentTable::remove(uint32_t number) {
  segments_.erase(number);
  uint32_t oldest = segments_.empty() ? std::numeric_limits<uint32_t>::max() : segments_.begin()->first;
  // What these ended is out of reach, for every kept checkpoint: they go without waiting for another seal.
  while (!tombstones_by_ended_.empty() && tombstones_by_ended_.begin()->first < oldest) {
    const RecordId id = tombstones_by_ended_.begin()->second;
    --segments_.at(tombstones_.at(id).segment).live;
    tombstones_.erase(id);
    tombstones_by_ended_.erase(tombstones_by_ended_.begin());
  }
}

uint64_t SegmentTable::live(uint32_t number) const {
  auto found = segments_.find(number);
  return found == segments_.end() ? 0 : found->second.live;
}

uint64_t SegmentTable::records(uint32_t number) const {
  auto found = segments_.find(number);
  return found == segments_.end() ? 0 : found->second.records;
}

}  // namespace state
