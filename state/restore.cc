// Restart, steps 1 and 2: choose the checkpoint that proves complete, clear away what was never sealed, say which record of
// each key is the newest.
#include "state/restore.h"

#include <map>

#include "state/try.h"
#include "state/values.h"

namespace state {
namespace {

constexpr size_t kDeletedPerTransaction = 10'000;

struct StoredSeal {
  uint32_t sequence = 0;
  cep::Result<std::string> payload = std::string();
};

cep::Error damaged(const std::string& what) { return {"damaged", what}; }

class Restorer {
 public:
  Restorer(Env& env, uint16_t lane) : env_(env), lane_(lane) {}

  cep::Result<Restored> run() {
    STATE_TRY(env_.read([&](ReadTxn& txn) { return choose(txn); }));
    uint32_t sealed = result_.checkpoint ? result_.checkpoint->sequence : 0;
    STATE_TRY(delete_after(sealed));
    if (!result_.checkpoint) return std::move(result_);
    fill_history(sealed);
    return std::move(result_);
  }

 private:
  // The newest seal for which everything agrees.
  cep::Status choose(ReadTxn& txn) {
    read_seals(txn);
    if (seals_.empty()) {
      Cursor footers = txn.cursor(env_.table("segment"));
      if (!footers.seek(Key().u16(lane_)) || !footers.on(Key().u16(lane_))) return cep::ok_status();
      return damaged("the state directory holds segments but no checkpoint. Put it back from a copy");
    }
    for (size_t i = seals_.size(); i-- > 0;) {
      auto proved = prove(txn, i);
      if (proved.ok()) {
        seals_.resize(i + 1);
        return cep::ok_status();
      }
      if (proved.error().code != "damaged") return proved;
      result_.checkpoint.reset();
      result_.notes.push_back("checkpoint " + std::to_string(seals_[i].sequence) + " cannot be used: " +
                              proved.error().message);
    }
    std::string text = "no checkpoint in the state directory can be used";
    for (const std::string& note : result_.notes) text += "; " + note;
    return damaged(text + ". Put the state directory back from a copy");
  }

  void read_seals(ReadTxn& txn) {
    Key lane = Key().u16(lane_);
    Cursor cursor = txn.cursor(env_.table("ckpt"));
    for (bool more = cursor.seek(lane); more && cursor.on(lane);) {
      KeyReader key(cursor.key());
      key.u16();
      StoredSeal seal;
      seal.sequence = key.u32();
      std::string bytes = take_pieces(cursor, Key().u16(lane_).u32(seal.sequence));
      auto payload = open_value(bytes, "the seal");
      if (payload.ok()) {
        seal.payload = std::string(*payload);
      } else {
        seal.payload = payload.error();
      }
      seals_.push_back(std::move(seal));
      more = cursor.on(lane);
    }
  }

  cep::Status prove(ReadTxn& txn, size_t index) {
    const StoredSeal& stored = seals_[index];
    if (!stored.payload.ok()) return stored.payload.error();
    auto seal = decode_seal(*stored.payload);
    if (!seal.ok()) return seal.error();
    if (seal->checkpoint.sequence != stored.sequence) return damaged("its seal is another checkpoint's");
    if (index > 0 && seals_[index - 1].payload.ok() &&
        digest_of(*seals_[index - 1].payload) != seal->previous_digest) {
      return damaged("it does not follow the checkpoint before it");
    }
    STATE_TRY(read_footers(txn, stored.sequence));
    STATE_TRY(read_index(txn, stored.sequence));
    const uint64_t keys = result_.records.keys();
    if (keys != seal->live_keys) {
      return damaged(std::to_string(keys) + " keys were found, " + std::to_string(seal->live_keys) + " were sealed");
    }
    result_.checkpoint = seal->checkpoint;
    return result_.records.prove(env_, txn);
  }

  cep::Status read_footers(ReadTxn& txn, uint32_t through) {
    footers_.clear();
    Key lane = Key().u16(lane_);
    Cursor cursor = txn.cursor(env_.table("segment"));
    for (bool more = cursor.seek(lane); more && cursor.on(lane); more = cursor.next()) {
      KeyReader key(cursor.key());
      key.u16();
      uint32_t segment = key.u32();
      if (segment > through) break;
      auto payload = open_value(cursor.value(), "a segment footer");
      if (!payload.ok()) return payload.error();
      auto footer = decode_footer(*payload);
      if (!footer.ok()) return footer.error();
      footers_[segment] = std::move(*footer);
    }
    return cep::ok_status();
  }

  // Newer segments first: the first record that is met of a key is its newest.
  cep::Status read_index(ReadTxn& txn, uint32_t through) {
    STATE_TRY(look_for_lost_footers(txn, through));
    uint64_t records = 0;
    for (const auto& [segment, footer] : footers_) records += footer.deleting ? 0 : footer.records();
    result_.records = LiveRecords(lane_, records);
    for (auto footer = footers_.rbegin(); footer != footers_.rend(); ++footer) {
      if (footer->second.deleting) continue;
      for (const SegmentFooter::Shard& shard : footer->second.shards) {
        STATE_TRY(result_.records.add_index(env_, txn, footer->first, shard));
      }
    }
    result_.records.end_index();
    return cep::ok_status();
  }

  // Steps from segment to segment of each index.
  cep::Status look_for_lost_footers(ReadTxn& txn, uint32_t through) const {
    const Key lane = Key().u16(lane_);
    for (uint32_t shard = 0; shard < kShardsMax; ++shard) {
      auto table = env_.find_table(index_table(shard));
      if (!table) continue;
      Cursor cursor = txn.cursor(*table);
      for (bool more = cursor.seek(lane); more && cursor.on(lane);) {
        KeyReader key(cursor.key());
        key.u16();
        const uint32_t segment = key.u32();
        if (segment > through) break;
        if (!footers_.contains(segment)) return damaged("segment " + std::to_string(segment) + " has lost its footer");
        more = cursor.seek(Key(lane).u32(segment + 1));
      }
    }
    return cep::ok_status();
  }

  cep::Status delete_after(uint32_t sealed) {
    std::vector<Dbi> tables = {env_.table("ckpt"), env_.table("segment")};
    for (uint32_t shard = 0; shard < kShardsMax; ++shard) {
      for (const std::string& name : {record_table(shard), index_table(shard)}) {
        if (auto table = env_.find_table(name)) tables.push_back(*table);
      }
    }
    for (Dbi table : tables) {
      for (size_t erased = kDeletedPerTransaction; erased == kDeletedPerTransaction;) {
        STATE_TRY(env_.write([&](WriteTxn& txn) {
          erased = delete_some_after(txn, table, sealed);
          return cep::ok_status();
        }));
      }
    }
    return cep::ok_status();
  }

  size_t delete_some_after(WriteTxn& txn, Dbi table, uint32_t sealed) const {
    size_t erased = 0;
    Key lane = Key().u16(lane_);
    Cursor cursor = txn.cursor(table);
    bool more = cursor.seek(Key(lane).u32(sealed + 1));
    while (more && cursor.on(lane) && cursor.erase()) more = ++erased < kDeletedPerTransaction && cursor.next();
    return erased;
  }

  void fill_history(uint32_t sealed) {
    CheckpointHistory& history = result_.history;
    for (const auto& [segment, footer] : footers_) {
      if (footer.deleting) {
        history.half_deleted.push_back(segment);
      } else {
        history.segments.restore_segment(segment, footer.records(), result_.records.keys_of(segment), sealed);
      }
    }
    for (const auto& [id, tombstone] : result_.records.tombstones()) history.segments.restore_tombstone(id, tombstone);
    for (const StoredSeal& stored : seals_) {
      if (!stored.payload.ok()) continue;
      auto seal = decode_seal(*stored.payload);
      if (!seal.ok()) continue;
      const SealedCheckpoint& checkpoint = seal->checkpoint;
      history.seals.push_back({checkpoint.sequence, checkpoint.applied_through, checkpoint.reread_offset,
                               digest_of(*stored.payload)});
    }
  }

  Env& env_;
  uint16_t lane_;
  Restored result_;
  std::vector<StoredSeal> seals_;              // oldest first
  std::map<uint32_t, SegmentFooter> footers_;
};

}  // namespace

cep::Result<std::vector<SealRecord>> read_seals(const Env& env, uint16_t lane) {
  std::vector<SealRecord> seals;
  STATE_TRY(env.read([&](ReadTxn& txn) -> cep::Status {
    seals.clear();
    const Key prefix = Key().u16(lane);
    Cursor cursor = txn.cursor(env.table("ckpt"));
    for (bool more = cursor.seek(prefix); more && cursor.on(prefix);) {
      KeyReader key(cursor.key());
      key.u16();
      const std::string bytes = take_pieces(cursor, Key(prefix).u32(key.u32()));
      more = cursor.on(prefix);
      auto payload = open_value(bytes, "the seal");
      if (!payload.ok()) continue;
      auto seal = decode_seal(*payload);
      if (seal.ok()) seals.push_back(std::move(*seal));
    }
    return cep::ok_status();
  }));
  return seals;
}

cep::Result<Restored> restore_checkpoint(Env& env, uint16_t lane) {
  return Restorer(env, lane).run();
}

cep::Status check_log_covers(const std::optional<SealedCheckpoint>& checkpoint, uint64_t log_first_offset,
                             uint64_t log_end_offset) {
  const std::string remedy = "Put the missing files back, or start from a copy of the whole data directory";
  if (!checkpoint) {
    if (log_first_offset == 0) return cep::ok_status();
    return cep::Error{"state_missing", "the state directory holds no checkpoint, but the log begins at offset " +
                                           std::to_string(log_first_offset) +
                                           ", so the state cannot be computed again. " + remedy};
  }
  std::string number = std::to_string(checkpoint->sequence);
  if (checkpoint->applied_through > log_end_offset) {
    return cep::Error{"log_behind_checkpoint", "checkpoint " + number + " holds everything up to log offset " +
                                                   std::to_string(checkpoint->applied_through) +
                                                   ", but the log ends at " + std::to_string(log_end_offset) +
                                                   ". " + remedy};
  }
  if (checkpoint->reread_offset < log_first_offset) {
    return cep::Error{"log_trimmed", "checkpoint " + number + " reads the log again from offset " +
                                         std::to_string(checkpoint->reread_offset) + ", but the log begins at " +
                                         std::to_string(log_first_offset) + ". " + remedy};
  }
  return cep::ok_status();
}

}  // namespace state
