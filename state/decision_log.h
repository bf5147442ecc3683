// Verdicts that were given: by the event's offset in the log, and by its identity for who asks again (R37).
// Invariant: one entry an offset, however often its record is read again; an identity leads to its newest event. The oldest go after a
// time, or when the rest is too large, and are counted.
// Threads: append and expire inside the store thread's transaction; reads from any thread, one short transaction each.
#pragma once

#include <atomic>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "cep/result.h"
#include "cep/types.h"
#include "state/bytes.h"
#include "state/env.h"

namespace state {

struct StoredDecision {
  uint64_t offset = 0;
  Id16 id{};                     // of the event
  cep::TimeUs received_us = 0;   // arrival of the event: age is counted from it
  std::string stream;
  std::string body;              // JSON, the service's
};

struct DecisionPage {
  std::vector<StoredDecision> items;   // newest first
  std::optional<uint64_t> next;        // pass as `before`
};
// A page that has so many bytes takes no more verdicts.
inline constexpr size_t kDecisionPageBytesMax = 8 << 20;

class DecisionLog {
 public:
  DecisionLog(Env& env, uint16_t lane);

  // What is damaged never fails these two: a verdict that cannot be read is written anew, or goes.
  cep::Status append(WriteTxn& txn, std::span<const StoredDecision> decisions);
  // Deletes the oldest: received before `now_us - keep_us`, or while the rest exceeds `keep_bytes`; at most `records_max`.
  cep::Status expire(WriteTxn& txn, cep::TimeUs now_us, cep::DurationUs keep_us, uint64_t keep_bytes, size_t records_max);
  // The entries by identity of verdicts whose own rows were put from a copy, by rising offset; what is damaged has none.
  cep::Status index_anew(WriteTxn& txn, std::span<const uint64_t> offsets);

  cep::Result<std::optional<StoredDecision>> by_id(const Id16& id) const;
  // `before`: only offsets below it (a cursor); nothing begins at the newest.
  cep::Result<DecisionPage> page(std::optional<uint64_t> before, size_t limit) const;
  uint64_t dropped() const { return dropped_; }      // before their time, because there were too many bytes; ever

 private:
  struct Totals {
    uint64_t bytes = 0, dropped = 0;
  };
  Key key_of(uint64_t offset) const { return Key().u16(lane_).u64(offset); }
  Key id_key(const Id16& id) const { return Key().u16(lane_).id(id); }
  cep::Status erase_damaged(WriteTxn& txn, uint64_t offset, const cep::Error& error, Totals& totals);      // another error comes back
  cep::Result<std::optional<StoredDecision>> load(ReadTxn& txn, uint64_t offset) const;
  cep::Result<std::optional<uint64_t>> offset_of(ReadTxn& txn, const Id16& id) const;
  cep::Result<Totals> totals(ReadTxn& txn) const;
  cep::Result<Totals> totals_or_count(WriteTxn& txn) const;
  void store_totals(WriteTxn& txn, const Totals& totals);
  void put_place(WriteTxn& txn, const StoredDecision& decision);

  Env& env_;
  uint16_t lane_;
  Dbi decisions_, ids_, totals_;
  std::atomic<uint64_t> dropped_{0};                 // as the totals have it
};

}  // namespace state
