// Which checkpoint segments still hold live records: the choice of what to copy and what to delete.
// Invariant: live(s) counts the records of segment s that are the newest of their (space, hash); a `gone` record
// counts as live while a segment exists that is not newer than the record it ended, else that one would come back.
// A segment is deleted only when it was already dead in the oldest checkpoint kept.
// Threads: owned by the store thread. Test: tests/unit/state/segments_test.cc against a brute-force model.
#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <map>
#include <set>
#include <unordered_map>
#include <utility>
#include <vector>

namespace state {

struct RecordId {
  uint64_t space = 0;
  uint64_t hash = 0;
  auto operator<=>(const RecordId&) const = default;
};

struct RecordIdHash {
  std::size_t operator()(const RecordId& id) const {
    return static_cast<std::size_t>(id.hash ^ id.space * 0x9e3779b97f4a7c15u);
  }
};

// A `gone` record that must be kept: where it is and which record it ended.
struct Tombstone {
  uint32_t segment = 0;
  uint32_t ended_segment = 0;
};

class SegmentTable {
 public:
  // False for a key that is gone and never had a record: nothing is written for it, and add is not called.
  bool needs_record(bool gone, uint32_t old_segment) const { return !gone || old_segment != 0; }
  // A record was written into `segment`, the running checkpoint's. `old_segment` held the key's record before, 0 if
  // there was none.
  void add(const RecordId& id, uint32_t segment, uint32_t old_segment, bool gone);

  // While restoring: every segment first, with how many keys have their newest record there, then the newest records that are `gone`.
  void restore_segment(uint32_t segment, uint64_t records, uint64_t keys, uint32_t restored_sequence);
  void restore_tombstone(const RecordId& id, const Tombstone& tombstone);

  // The tombstone of `id` was written again into `segment`, the running checkpoint's.
  void carry(const RecordId& id, uint32_t segment);

  // Segments at most 50 % live, the emptiest first, until their live records exceed `records_max`; at least one if
  // any qualifies. When tombstones outgrow the keys the oldest segment is one too: only its end lets them go.
  std::vector<uint32_t> victims(uint32_t sealed_through, uint64_t records_max) const;
  std::vector<std::pair<RecordId, Tombstone>> tombstones_in(const std::vector<uint32_t>& segments, size_t max) const;

  // Segments that hold nothing live since a checkpoint not after `oldest_kept`.
  std::vector<uint32_t> deletable(uint32_t oldest_kept) const;
  void remove(uint32_t segment);   // it is being deleted: its records are out of reach for every kept checkpoint

  uint64_t live(uint32_t segment) const;
  uint64_t records(uint32_t segment) const;
  uint64_t live_keys() const { return live_keys_; }
  size_t tombstones() const { return tombstones_.size(); }
  size_t segments() const { return segments_.size(); }

 private:
  struct Segment {
    uint64_t records = 0;
    uint64_t live = 0;
    uint32_t dead_since = 0;   // checkpoint that took its last record so far; all are dead from it on if live is 0
  };
  void drop_live(uint32_t segment, uint32_t running_sequence);
  void forget_tombstone(const RecordId& id, uint32_t running_sequence);

  std::map<uint32_t, Segment> segments_;
  std::unordered_map<RecordId, Tombstone, RecordIdHash> tombstones_;
  std::set<std::pair<uint32_t, RecordId>> tombstones_by_ended_;   // ended segment, id: those that an end lets go
  uint64_t live_keys_ = 0;
};

}  // namespace state
