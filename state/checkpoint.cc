// T2, T3 and T4 of the store thread. Members change only after the commit of the transaction that justifies it, so
// that a body that ran twice or rolled back leaves no trace.
#include "state/checkpoint.h"

#include <algorithm>
#include <utility>

#include "state/try.h"
#include "state/values.h"

namespace state {
namespace {

constexpr size_t kTombstonesPerSlice = 1'000;

#ifdef WEIR_MUTANT_STATE_AND_POSITION_APART
// The seal as it goes in with the records: still at the position of the seal before it, if there is one.
SealRecord under_previous_position(const Env& env, uint16_t lane, SealRecord seal) {
  static_cast<void>(env.read([&](ReadTxn& txn) -> cep::Status {
    auto payload = get_pieces(txn, env.table("ckpt"), Key().u16(lane).u32(seal.checkpoint.sequence - 1), "the seal");
    if (!payload.ok() || !payload->has_value()) return cep::ok_status();
    auto before = decode_seal(**payload);
    if (!before.ok()) return cep::ok_status();
    before->checkpoint.sequence = seal.checkpoint.sequence;
    seal.checkpoint = before->checkpoint;
    return cep::ok_status();
  }));
  return seal;
}
#endif

}  // namespace

std::string record_table(uint32_t shard) { return "rec." + std::to_string(shard); }
std::string index_table(uint32_t shard) { return "idx." + std::to_string(shard); }

CheckpointWriter::CheckpointWriter(Env& env, uint16_t lane, CheckpointHistory history)
    : env_(env), lane_(lane), history_(std::move(history)) {}

uint32_t CheckpointWriter::next_sequence() const { return sealed_sequence() + 1; }

void CheckpointWriter::begin(uint32_t sequence) {
  WEIR_CHECK(running_ == 0, "one checkpoint at a time");
  WEIR_CHECK(sequence == next_sequence(), "checkpoints are numbered without gaps");
  running_ = sequence;
  shards_.clear();
  victims_.clear();
}

std::vector<uint32_t> CheckpointWriter::victims(uint64_t records_max) {
  victims_ = history_.segments.victims(sealed_sequence(), records_max);
  return victims_;
}

cep::Status CheckpointWriter::add_slice(uint32_t shard, std::span<const KeyRecord> records) {
  WEIR_CHECK(running_ != 0, "a slice belongs to a running checkpoint");
  std::vector<const KeyRecord*> needed;
  for (const KeyRecord& record : records) {
    if (history_.segments.needs_record(record.gone, record.old_segment)) needed.push_back(&record);
  }
  if (needed.empty()) return cep::ok_status();
  auto after = write_slice(shard, needed);
  if (!after.ok()) return after.error();
  shards_[shard] = std::move(*after);
  for (const KeyRecord* record : needed) {
    history_.segments.add({record->space, record->hash}, running_, record->old_segment, record->gone);
  }
  return cep::ok_status();
}

cep::Result<CheckpointWriter::Shard> CheckpointWriter::write_slice(uint32_t number,
                                                                   std::span<const KeyRecord* const> records) {
  Shard after;
  STATE_TRY(env_.write([&](WriteTxn& txn) -> cep::Status {
    auto before = shards_.find(number);
    after = before == shards_.end() ? Shard() : before->second;
    for (const KeyRecord* record : records) STATE_TRY(put_record(txn, number, after, *record));
    return cep::ok_status();
  }));
  return after;
}

cep::Status CheckpointWriter::put_record(WriteTxn& txn, uint32_t number, Shard& shard, const KeyRecord& record) const {
  std::string bytes = encode_key_record(record);
  Key key = Key().u16(lane_).u32(running_).u32(shard.entries);
  STATE_TRY(put_raw_pieces(txn, env_.table(record_table(number)), key, bytes));
  IndexEntry entry{.id = {record.space, record.hash},
                   .ordinal = shard.entries,
                   .gone = record.gone,
                   .bytes = static_cast<uint32_t>(bytes.size()),
                   .deadline_us = record.gone ? int64_t{record.old_segment} : record.deadline_us};
  encode_index_entry(entry, shard.tail);
  ++shard.entries;
  if (shard.tail.size() == kIndexEntriesPerPiece * kIndexEntryBytes) put_index_piece(txn, number, shard);
  return cep::ok_status();
}

void CheckpointWriter::put_index_piece(WriteTxn& txn, uint32_t number, Shard& shard) const {
  txn.append(env_.table(index_table(number)), Key().u16(lane_).u32(running_).u32(shard.pieces), shard.tail);
  shard.digest = chain_digest(shard.digest, shard.tail);
  shard.tail.clear();
  ++shard.pieces;
}

// Keys that are gone have nobody who hands them over again, so the tombstones of the victims move from here. Only
// after all slices are in: a key that came back in this checkpoint has made its tombstone void.
cep::Status CheckpointWriter::carry_tombstones() {
  auto tombstones = history_.segments.tombstones_in(victims_, kTombstonesCarriedMax);
#ifdef WEIR_MUTANT_TOMBSTONE_LEFT_BEHIND   // caught by CheckpointTest.RandomChangesWithRestartsAndShardCounts
  tombstones.clear();
#endif
  for (size_t from = 0; from < tombstones.size(); from += kTombstonesPerSlice) {
    size_t count = std::min(kTombstonesPerSlice, tombstones.size() - from);
    std::vector<KeyRecord> records(count);
    std::vector<const KeyRecord*> pointers;
    for (size_t i = 0; i < count; ++i) {
      const auto& [id, tombstone] = tombstones[from + i];
      records[i].space = id.space;
      records[i].hash = id.hash;
      records[i].gone = true;
      records[i].old_segment = tombstone.ended_segment;
      pointers.push_back(&records[i]);
    }
    auto after = write_slice(0, pointers);
    if (!after.ok()) return after.error();
    shards_[0] = std::move(*after);
    for (const KeyRecord& record : records) history_.segments.carry({record.space, record.hash}, running_);
  }
  return cep::ok_status();
}

SegmentFooter CheckpointWriter::put_index_tails(WriteTxn& txn) const {
  SegmentFooter footer;
  for (auto [number, shard] : shards_) {   // a copy: the transaction may run twice
    if (!shard.tail.empty()) put_index_piece(txn, number, shard);
    footer.shards.push_back({static_cast<uint16_t>(number), shard.entries, shard.digest});
  }
  return footer;
}

void CheckpointWriter::drop_old_seals(WriteTxn& txn) const {
  Dbi seals = env_.table("ckpt");
  for (size_t i = 0; i + kSealsKept <= history_.seals.size(); ++i) {
    erase_pieces(txn, seals, Key().u16(lane_).u32(history_.seals[i].sequence));
  }
}

cep::Status CheckpointWriter::seal(const SealedCheckpoint& checkpoint) {
  WEIR_CHECK(running_ != 0 && checkpoint.sequence == running_, "the seal closes the running checkpoint");
  WEIR_CHECK(checkpoint.reread_offset <= checkpoint.applied_through, "re-reading begins at or before the end");
  STATE_TRY(carry_tombstones());
  SealRecord seal{.checkpoint = checkpoint,
                  .previous_digest = history_.seals.empty() ? Id16{} : history_.seals.back().digest,
                  .live_keys = history_.segments.live_keys()};
  std::string payload = encode_seal(seal);
#ifdef WEIR_MUTANT_STATE_AND_POSITION_APART
  const std::string position = std::exchange(payload, encode_seal(under_previous_position(env_, lane_, seal)));
#endif
  STATE_TRY(env_.write([&](WriteTxn& txn) -> cep::Status {
    SegmentFooter footer = put_index_tails(txn);
    Key key = Key().u16(lane_).u32(running_);
    if (!footer.shards.empty()) put_small(txn, env_.table("segment"), key, encode_footer(footer));
    drop_old_seals(txn);
    return put_pieces(txn, env_.table("ckpt"), key, payload);
  }));
#ifdef WEIR_MUTANT_STATE_AND_POSITION_APART
  payload = position;
  STATE_TRY(env_.write([&](WriteTxn& txn) -> cep::Status {
    Key key = Key().u16(lane_).u32(running_);
    erase_pieces(txn, env_.table("ckpt"), key);
    return put_pieces(txn, env_.table("ckpt"), key, payload);
  }));
#endif
  history_.seals.push_back(
      {running_, checkpoint.applied_through, checkpoint.reread_offset, digest_of(payload)});
  if (history_.seals.size() > kSealsKept) history_.seals.erase(history_.seals.begin());
  running_ = 0;
  return cep::ok_status();
}

cep::Result<size_t> CheckpointWriter::clean_some() {
  if (history_.half_deleted.empty()) {
    uint32_t dead_through = history_.seals.empty() ? 0 : history_.seals.front().sequence;
#ifdef WEIR_MUTANT_DELETE_BEFORE_SEAL   // caught by CheckpointTest.CrashBetweenAnyTwoSteps
    dead_through = running_;
#endif
    std::vector<uint32_t> dead = history_.segments.deletable(dead_through);
    if (dead.empty()) return size_t{0};
    STATE_TRY(start_deletion(dead.front()));
  }
  return delete_some_of(history_.half_deleted.front());
}

// One commit puts the segment out of restore's reach as a whole; what is left of it then goes in slices.
cep::Status CheckpointWriter::start_deletion(uint32_t segment) {
  Dbi footers = env_.table("segment");
  Key key = Key().u16(lane_).u32(segment);
  STATE_TRY(env_.write([&](WriteTxn& txn) -> cep::Status {
    auto payload = get_small(txn, footers, key, "a segment footer");
    if (!payload.ok()) return payload.error();
    if (!payload->has_value()) return cep::Error{"damaged", "a segment footer in the state directory is missing"};
    auto footer = decode_footer(**payload);
    if (!footer.ok()) return footer.error();
    footer->deleting = true;
    put_small(txn, footers, key, encode_footer(*footer));
    return cep::ok_status();
  }));
  history_.segments.remove(segment);
  history_.half_deleted.push_back(segment);
  return cep::ok_status();
}

cep::Result<size_t> CheckpointWriter::delete_some_of(uint32_t segment) {
  size_t erased = 0;
  STATE_TRY(env_.write([&](WriteTxn& txn) -> cep::Status {
    erased = 0;
    Key key = Key().u16(lane_).u32(segment);
    for (uint32_t shard = 0; shard < kShardsMax; ++shard) {
      for (const std::string& name : {record_table(shard), index_table(shard)}) {
        if (auto table = env_.find_table(name)) erased += erase_prefix(txn, *table, key, kCleanRecordsMax - erased);
      }
    }
    if (erased == kCleanRecordsMax) return cep::ok_status();   // perhaps there is more
    erased += txn.erase(env_.table("segment"), key);
    return cep::ok_status();
  }));
  if (erased < kCleanRecordsMax) history_.half_deleted.erase(history_.half_deleted.begin());
  return erased;
}

}  // namespace state
