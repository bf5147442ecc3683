// Writes checkpoints: slices of key records (T2), the seal (T3), and the deletion of what no kept seal needs (T4).
// Invariant: before the seal's commit the checkpoint before is the one that restores; after it this one. Only then,
// and only when no kept seal can need them, are old segments deleted.
// Protocol: begin, any number of add_slice, seal; clean_some between and after. A call that answers disk_full left
// nothing behind and is made again. A crash before the seal leaves records that restore deletes.
// Threads: owned by the store thread. Test: tests/unit/state/checkpoint_test.cc (a crash between any two steps).
#pragma once

#include <map>
#include <span>
#include <string>
#include <vector>

#include "cep/result.h"
#include "state/checkpoint_format.h"
#include "state/env.h"
#include "state/segments.h"

namespace state {

inline constexpr unsigned kShardsMax = 64;
inline constexpr size_t kSealsKept = 3;
inline constexpr size_t kCleanRecordsMax = 1'000;       // deleted by one clean_some
inline constexpr size_t kTombstonesCarriedMax = 20'000; // copied by one checkpoint

struct KeptSeal {
  uint32_t sequence = 0;
  uint64_t applied_through = 0;
  uint64_t reread_offset = 0;
  Id16 digest{};
};

// What the writer must know of the checkpoints before it: Restored gives it.
struct CheckpointHistory {
  SegmentTable segments;
  std::vector<KeptSeal> seals;             // oldest first, at most kSealsKept
  std::vector<uint32_t> half_deleted;      // segments whose deletion a crash interrupted
};

class CheckpointWriter {
 public:
  CheckpointWriter(Env& env, uint16_t lane, CheckpointHistory history);

  // The sequence to pass to begin: one above the last seal.
  uint32_t next_sequence() const;
  uint32_t sealed_sequence() const { return history_.seals.empty() ? 0 : history_.seals.back().sequence; }
  // Nothing of the log at or after this may be deleted: the oldest kept seal still needs it.
  uint64_t log_floor_offset() const { return history_.seals.empty() ? 0 : history_.seals.front().reread_offset; }
  const std::vector<KeptSeal>& seals() const { return history_.seals; }

  // Starts checkpoint `sequence`. Its segment has the same number: the shard notes it as the key's locator.
  void begin(uint32_t sequence);
  // Segments whose live keys the shards should hand over with this checkpoint, changed or not (any part of them
  // helps). Ask after begin.
  std::vector<uint32_t> victims(uint64_t records_max);
  // One transaction. The records get the shard's next ordinals, in this order.
  cep::Status add_slice(uint32_t shard, std::span<const KeyRecord> records);
  // All slices are in and every alert caused below applied_through is stored: makes it the checkpoint.
  cep::Status seal(const SealedCheckpoint& checkpoint);

  // Deletes at most kCleanRecordsMax entries of dead segments; returns how many, 0 when there is nothing to do.
  cep::Result<size_t> clean_some();

  const SegmentTable& segments() const { return history_.segments; }

 private:
  struct Shard {
    uint32_t entries = 0;        // also the next ordinal
    uint32_t pieces = 0;         // full index pieces written
    std::string tail;            // index entries that do not fill a piece yet
    Id16 digest{};
  };
  // One transaction; returns the shard as it is after it. `records` have old_segment set where gone.
  cep::Result<Shard> write_slice(uint32_t shard, std::span<const KeyRecord* const> records);
  cep::Status put_record(WriteTxn& txn, uint32_t number, Shard& shard, const KeyRecord& record) const;
  void put_index_piece(WriteTxn& txn, uint32_t number, Shard& shard) const;
  cep::Status carry_tombstones();
  SegmentFooter put_index_tails(WriteTxn& txn) const;
  void drop_old_seals(WriteTxn& txn) const;
  cep::Status start_deletion(uint32_t segment);
  cep::Result<size_t> delete_some_of(uint32_t segment);

  Env& env_;
  uint16_t lane_;
  CheckpointHistory history_;
  uint32_t running_ = 0;                      // 0: none
  std::vector<uint32_t> victims_;             // of the running checkpoint, as last asked
  std::map<uint32_t, Shard> shards_;          // of the running checkpoint
};

std::string record_table(uint32_t shard);     // "rec.<shard>"
std::string index_table(uint32_t shard);      // "idx.<shard>"

}  // namespace state
