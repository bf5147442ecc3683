// Key records, index entries, footers and seals to bytes and back.
#include "state/checkpoint_format.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "state/crc32c.h"

namespace state {
namespace {

constexpr uint8_t kRecordKey = 0;
constexpr uint8_t kRecordGone = 2;            // 1 is kept for window chunks
constexpr size_t kKindAt = 9, kSpaceAt = 16, kDeadlineAt = 32;      // bytes of a record
constexpr uint32_t kGoneBit = 1u << 31;       // in an index entry's length
constexpr uint8_t kSealVersion = 1;

cep::Error damaged(const char* what) {
  return {"damaged", std::string(what) + " in the state directory is damaged"};
}

// `gone` records keep in the deadline's place which record they ended.
int64_t deadline_field(const KeyRecord& record) {
  return record.gone ? static_cast<int64_t>(record.old_segment) : record.deadline_us;
}

}  // namespace

Id16 digest_of(std::string_view bytes) {
  XXH128_canonical_t canonical;
  XXH128_canonicalFromHash(&canonical, XXH3_128bits(bytes.data(), bytes.size()));
  Id16 digest;
  std::memcpy(digest.data(), canonical.digest, digest.size());
  return digest;
}

Id16 chain_digest(const Id16& before, std::string_view bytes) {
  std::string joined;
  Writer(joined).id(before).raw(bytes);
  return digest_of(joined);
}

std::string encode_key_record(const KeyRecord& record) {
  std::string bytes;
  bytes.reserve(kRecordHeaderBytes + record.bytes.size());
  Writer writer(bytes);
  writer.put<uint32_t>(0).put<uint32_t>(static_cast<uint32_t>(kRecordHeaderBytes + record.bytes.size()));
  writer.put<uint8_t>(kRecordVersion).put<uint8_t>(record.gone ? kRecordGone : kRecordKey);
  writer.put<uint16_t>(0).put<uint32_t>(0);   // part numbers, for window chunks
  writer.put<uint64_t>(record.space).put<uint64_t>(record.hash).put<int64_t>(deadline_field(record));
  writer.raw(record.bytes);
  uint32_t checksum = crc32c(std::string_view(bytes).substr(4));
  std::memcpy(bytes.data(), &checksum, sizeof checksum);
  return bytes;
}

cep::Result<StoredRecord> decode_key_record(std::string_view bytes) {
  Reader reader(bytes);
  uint32_t checksum = reader.get<uint32_t>();
  uint32_t length = reader.get<uint32_t>();
  if (!reader.ok() || length != bytes.size() || length < kRecordHeaderBytes || crc32c(bytes.substr(4)) != checksum) {
    return damaged("a key record");
  }
  uint8_t version = reader.get<uint8_t>();
  uint8_t kind = reader.get<uint8_t>();
  uint64_t part = reader.get<uint16_t>();
  part |= reader.get<uint32_t>();
  if (version != kRecordVersion || (kind != kRecordKey && kind != kRecordGone) || part != 0) {
    return cep::Error{"damaged", "a key record was written by a newer version of Weir; start that one"};
  }
  const StoredRecord record = proved_key_record(bytes);
  if (record.gone && record.old_segment != load_le<int64_t>(bytes.data() + kDeadlineAt)) return damaged("a key record");
  return record;
}

StoredRecord proved_key_record(std::string_view bytes) {
  WEIR_CHECK(bytes.size() >= kRecordHeaderBytes, "a proved record has a header");
  StoredRecord record;
  record.gone = bytes[kKindAt] == kRecordGone;
  record.space = load_le<uint64_t>(bytes.data() + kSpaceAt);
  record.hash = load_le<uint64_t>(bytes.data() + kSpaceAt + 8);
  const int64_t deadline = load_le<int64_t>(bytes.data() + kDeadlineAt);
  if (record.gone) {
    record.old_segment = static_cast<uint32_t>(deadline);
  } else {
    record.deadline_us = deadline;
  }
  record.bytes = bytes.substr(kRecordHeaderBytes);
  return record;
}

void encode_index_entry(const IndexEntry& entry, std::string& out) {
  WEIR_CHECK(entry.bytes < kGoneBit, "a record's length fits 31 bits");
  Writer(out)
      .put<uint64_t>(entry.id.hash)
      .put<uint64_t>(entry.id.space)
      .put<uint32_t>(entry.ordinal)
      .put<uint32_t>(entry.bytes | (entry.gone ? kGoneBit : 0))
      .put<int64_t>(entry.deadline_us);
}

cep::Result<IndexEntry> decode_index_entry(std::string_view bytes) {
  if (bytes.size() != kIndexEntryBytes) return damaged("an index entry");
  Reader reader(bytes);
  IndexEntry entry;
  entry.id.hash = reader.get<uint64_t>();
  entry.id.space = reader.get<uint64_t>();
  entry.ordinal = reader.get<uint32_t>();
  uint32_t length = reader.get<uint32_t>();
  entry.gone = (length & kGoneBit) != 0;
  entry.bytes = length & ~kGoneBit;
  entry.deadline_us = reader.get<int64_t>();
  return entry;
}

uint64_t SegmentFooter::records() const {
  uint64_t sum = 0;
  for (const Shard& shard : shards) sum += shard.entries;
  return sum;
}

std::string encode_footer(const SegmentFooter& footer) {
  std::string bytes;
  Writer writer(bytes);
  writer.put<uint8_t>(footer.deleting ? 1 : 0).put<uint16_t>(static_cast<uint16_t>(footer.shards.size()));
  for (const SegmentFooter::Shard& shard : footer.shards) {
    writer.put<uint16_t>(shard.shard).put<uint32_t>(shard.entries).id(shard.index_digest);
  }
  return bytes;
}

cep::Result<SegmentFooter> decode_footer(std::string_view payload) {
  Reader reader(payload);
  SegmentFooter footer;
  const uint8_t deleting = reader.get<uint8_t>();
  footer.deleting = deleting != 0;
  uint16_t count = reader.get<uint16_t>();
  for (uint16_t i = 0; i < count && reader.ok(); ++i) {
    SegmentFooter::Shard shard;
    shard.shard = reader.get<uint16_t>();
    shard.entries = reader.get<uint32_t>();
    shard.index_digest = reader.id();
    footer.shards.push_back(shard);
  }
  if (!reader.at_end() || deleting > 1) return damaged("a segment footer");
  return footer;
}

std::string encode_seal(const SealRecord& seal) {
  const SealedCheckpoint& checkpoint = seal.checkpoint;
  std::string bytes;
  Writer writer(bytes);
  writer.put<uint8_t>(kSealVersion).put<uint32_t>(checkpoint.sequence).id(seal.previous_digest);
  writer.put<uint64_t>(seal.live_keys).put<uint64_t>(checkpoint.applied_through);
  writer.put<uint64_t>(checkpoint.reread_offset).put<uint32_t>(checkpoint.shard_count);
  writer.put<uint32_t>(static_cast<uint32_t>(checkpoint.marks.size()));
  for (const TimelineMarks& marks : checkpoint.marks) writer.put<uint32_t>(marks.timeline).text(marks.bitmap);
  writer.text(checkpoint.control);
  return bytes;
}

cep::Result<SealRecord> decode_seal(std::string_view payload) {
  Reader reader(payload);
  if (reader.get<uint8_t>() != kSealVersion) {
    return cep::Error{"damaged", "a checkpoint was written by a newer version of Weir; start that one"};
  }
  SealRecord seal;
  SealedCheckpoint& checkpoint = seal.checkpoint;
  checkpoint.sequence = reader.get<uint32_t>();
  seal.previous_digest = reader.id();
  seal.live_keys = reader.get<uint64_t>();
  checkpoint.applied_through = reader.get<uint64_t>();
  checkpoint.reread_offset = reader.get<uint64_t>();
  checkpoint.shard_count = reader.get<uint32_t>();
  uint32_t timelines = reader.get<uint32_t>();
  for (uint32_t i = 0; i < timelines && reader.ok(); ++i) {
    TimelineMarks marks;
    marks.timeline = reader.get<uint32_t>();
    marks.bitmap = reader.text();
    checkpoint.marks.push_back(std::move(marks));
  }
  checkpoint.control = reader.text();
  if (!reader.at_end() || checkpoint.reread_offset > checkpoint.applied_through) return damaged("a checkpoint's seal");
  return seal;
}

}  // namespace state
