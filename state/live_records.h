// The records of a checkpoint that are the newest of their keys: found from the index, proved by their checksums, handed over in the order
// in which they are stored, which is the order of reading ahead.
// Memory: a bit a record; while the index is read, 16 to 32 bytes a record more.
// Threads: `prove` uses several; several may `read` at a time, each in a transaction of its own.
#pragma once

#include <functional>
#include <span>
#include <utility>
#include <vector>

#include "cep/prefetch.h"
#include "cep/result.h"
#include "state/checkpoint_format.h"
#include "state/env.h"

namespace state {

// Ids seen so far. Open addressing, because it is asked once for every record of a checkpoint.
class IdSet {
 public:
  explicit IdSet(uint64_t ids_max);
  void prefetch(const RecordId& id) const { cep::prefetch(&slots_[home(id)]); }
  bool insert(const RecordId& id);      // false: it is there

 private:
  size_t home(const RecordId& id) const { return (RecordIdHash()(id) * 0x9e3779b97f4a7c15u) >> shift_; }

  std::vector<RecordId> slots_;         // {0, 0}: free
  unsigned shift_ = 0;
  bool has_zero_ = false;               // the id {0, 0}
};

// Records given to a sink at a time; they hold until it returns.
using StoredRecords = std::span<const StoredRecord>;
using RecordSink = std::function<cep::Status(StoredRecords)>;
using RecordFilter = std::function<bool(const RecordId&)>;

class LiveRecords {
 public:
  LiveRecords() = default;
  LiveRecords(uint16_t lane, uint64_t records) : lane_(lane), seen_(records) {}

  // Takes the index of one shard in one segment, newer segments first. Error: damaged, if it has not the records and digest of the footer.
  cep::Status add_index(const Env& env, ReadTxn& txn, uint32_t segment, const SegmentFooter::Shard& footer);
  void end_index() { seen_ = IdSet(0); }

  // Reads every live record once. `txn` is the caller's; other threads open their own. Error: damaged, io_error.
  cep::Status prove(const Env& env, ReadTxn& txn) const;
  // Hands over the records of keys that `wants` answers true for, after `prove`. An Error of the sink ends it.
  cep::Status read(const Env& env, const RecordFilter& wants, const RecordSink& sink) const;

  uint64_t keys() const;
  uint64_t keys_of(uint32_t segment) const;
  const std::vector<std::pair<RecordId, Tombstone>>& tombstones() const { return tombstones_; }      // the newest of their keys, too

 private:
  struct Part {                   // of one shard in one segment
    uint32_t segment = 0;
    uint32_t shard = 0;
    uint32_t records = 0;
    uint64_t keys = 0;            // bits of `live`
    std::vector<uint64_t> live;   // by ordinal
    bool is_live(uint32_t ordinal) const { return (live[ordinal / 64] >> ordinal % 64 & 1) != 0; }
  };
  struct Stretch {                // what one thread proves at a time
    const Part* part = nullptr;
    uint32_t first = 0, end = 0;  // ordinals
  };
  template <class Wants, class Visit>
  cep::Status walk(const Env& env, ReadTxn& txn, const Stretch& stretch, Wants&& wants, Visit&& visit) const;
  cep::Status take_piece(std::string_view piece, Part& part, uint32_t first);

  uint16_t lane_ = 0;
  std::vector<Part> parts_;
  std::vector<std::pair<RecordId, Tombstone>> tombstones_;
  IdSet seen_{0};
};

}  // namespace state
