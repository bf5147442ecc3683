// The durable bytes of a checkpoint: key record, index entry, segment footer, seal. Tables: FORMAT.md.
// Invariant: each decoder answers "damaged" for bytes that no encoder made.
// Threads: plain values.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "cep/result.h"
#include "cep/types.h"
#include "state/bytes.h"
#include "state/segments.h"

namespace state {

inline constexpr size_t kIndexEntryBytes = 32;
inline constexpr size_t kIndexEntriesPerPiece = 59;   // 1,888 bytes
inline constexpr uint8_t kRecordVersion = 1;
inline constexpr size_t kRecordHeaderBytes = 40;

// One key's block as the shard hands it over. (space, hash) names the key: two keys of one space with one hash
// are the caller's to keep in one block.
struct KeyRecord {
  uint64_t space = 0;              // the key space's stable number
  uint64_t hash = 0;               // of the key
  cep::TimeUs deadline_us = cep::kTimeMax;   // least of its timers
  uint32_t old_segment = 0;        // segment (checkpoint sequence) of its last record, 0 if it has none
  bool gone = false;               // the key has no state any more; `bytes` is empty
  std::string bytes;               // key and block, opaque here
};

// The same as it lies in the store: `bytes` are there.
struct StoredRecord {
  uint64_t space = 0;
  uint64_t hash = 0;
  cep::TimeUs deadline_us = cep::kTimeMax;
  uint32_t old_segment = 0;        // where gone: of the record that it ended
  uint32_t segment = 0;            // where it is: the old_segment of the key's next record; the reader sets it
  bool gone = false;
  std::string_view bytes;
};

struct IndexEntry {
  RecordId id;
  uint32_t ordinal = 0;            // within (shard, segment)
  bool gone = false;
  uint32_t bytes = 0;              // length of the record
  int64_t deadline_us = 0;         // for `gone`: the segment of the record it ended
};

std::string encode_key_record(const KeyRecord& record);
cep::Result<StoredRecord> decode_key_record(std::string_view bytes);
StoredRecord proved_key_record(std::string_view bytes);               // of bytes that decode_key_record has accepted
void encode_index_entry(const IndexEntry& entry, std::string& out);
cep::Result<IndexEntry> decode_index_entry(std::string_view bytes);   // exactly kIndexEntryBytes

// Written with the seal of its checkpoint, removed last when the segment is deleted.
struct SegmentFooter {
  struct Shard {
    uint16_t shard = 0;
    uint32_t entries = 0;
    Id16 index_digest{};           // chain over the index pieces, in order
  };
  bool deleting = false;           // its records are out of reach; the rest of it goes in slices
  std::vector<Shard> shards;       // those that wrote something
  uint64_t records() const;
};
std::string encode_footer(const SegmentFooter& footer);
cep::Result<SegmentFooter> decode_footer(std::string_view payload);

// Rows of one timeline that were still in its reorder buffer, as a bitmap from the re-read offset.
struct TimelineMarks {
  uint32_t timeline = 0;
  std::string bitmap;
};

// What the seal says. `applied_through` is an exclusive end: every offset below it is in the records.
struct SealedCheckpoint {
  uint32_t sequence = 0;
  uint64_t applied_through = 0;
  uint64_t reread_offset = 0;      // the oldest row still buffered in any timeline; not above applied_through
  std::vector<TimelineMarks> marks;
  std::string control;             // rule set, clocks, catalogue, counters: the service's own encoding
  uint32_t shard_count = 1;
};

// The seal as stored: with what proves it complete.
struct SealRecord {
  SealedCheckpoint checkpoint;
  Id16 previous_digest{};          // of the payload of the seal before, zeroes for the first
  uint64_t live_keys = 0;          // keys with a record that is not `gone`: restore must find as many
};
std::string encode_seal(const SealRecord& seal);
cep::Result<SealRecord> decode_seal(std::string_view payload);

Id16 digest_of(std::string_view bytes);
Id16 chain_digest(const Id16& before, std::string_view bytes);

}  // namespace state
