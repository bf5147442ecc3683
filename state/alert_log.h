// The alert log: every alert under a sequence number, once for each id. It is the outbox of all sinks.
// Invariant: an id is in the log at most once, sequences rise without reuse and without gaps but for expiry at the
// old end; an alert is visible only from the commit of its transaction.
// Threads: append and expire inside the store thread's transaction; reads from any thread, one short transaction
// each. Complexity: a page looks at up to kScanMax alerts and then answers what it has.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "cep/result.h"
#include "cep/types.h"
#include "state/bytes.h"
#include "state/env.h"

namespace state {

struct Alert {
  Id16 id{};                     // R72
  uint32_t rule = 0;             // number of the rule: the service's
  uint64_t key_hash = 0;
  cep::TimeUs time_us = 0;       // event time
  cep::TimeUs stored_us = 0;     // wall clock of storing; age for expiry is counted from it
  uint64_t cause_offset = 0;     // log position that caused it
  uint8_t kind = 0;              // 0 alert; later: row
  uint8_t severity = 0;          // the service's order, greater is worse
  uint8_t mode = 0;              // live, shadow, ...: the service's number
  std::string body;              // JSON
};

struct StoredAlert {
  uint64_t sequence = 0;         // from 1
  Alert alert;
};

struct Appended {
  uint64_t sequence = 0;         // of the alert with that id, new or not
  bool is_new = false;
};

struct AlertFilter {
  std::optional<uint32_t> rule;
  std::optional<uint64_t> key_hash;
  std::optional<cep::TimeUs> from_us, to_us;   // event time, half-open
  std::optional<uint8_t> severity_min;
  std::optional<uint8_t> mode;
};

struct AlertPage {
  std::vector<StoredAlert> items;    // newest first
  std::optional<uint64_t> next;      // pass as `before` for the next page; may be set though items are few
};

struct AlertLogTotals {
  uint64_t next_sequence = 1;
  uint64_t oldest_sequence = 1;      // next_sequence when empty
  uint64_t bytes = 0;                // of stored alerts
  uint64_t expired = 0;              // since the directory was made
};

class AlertLog {
 public:
  static constexpr size_t kScanMax = 20'000;

  AlertLog(Env& env, uint16_t lane);

  // One entry for each alert, in order. An id that is there already, in the log or earlier in `alerts`, is kept.
  cep::Result<std::vector<Appended>> append(WriteTxn& txn, std::span<const Alert> alerts);
  // Deletes the oldest: stored before `now_us - keep_us`, or while the rest exceeds `keep_bytes`; at most
  // `records_max`. Returns how many.
  cep::Result<size_t> expire(WriteTxn& txn, cep::TimeUs now_us, cep::DurationUs keep_us, uint64_t keep_bytes,
                             size_t records_max);

  // The entries by id and by key of alerts whose own rows were put from a copy.
  cep::Status index_anew(WriteTxn& txn, std::span<const uint64_t> sequences);

  cep::Result<std::optional<StoredAlert>> by_id(const Id16& id) const;
  cep::Result<std::optional<StoredAlert>> by_sequence(uint64_t sequence) const;
  // `before`: only sequences below it (a cursor); nothing begins at the newest.
  cep::Result<AlertPage> page(const AlertFilter& filter, std::optional<uint64_t> before, size_t limit) const;
  // Oldest first from `sequence` on: for SSE, sinks, feedback. If oldest_sequence of the totals is above
  // `sequence` the reader has missed expired alerts.
  cep::Result<std::vector<StoredAlert>> from(uint64_t sequence, size_t limit) const;

  cep::Result<AlertLogTotals> totals() const;
  cep::Result<AlertLogTotals> totals(ReadTxn& txn) const;

 private:
  Key alert_key(uint64_t sequence) const { return Key().u16(lane_).u64(sequence); }
  Key index_key(uint32_t rule, uint64_t key_hash, uint64_t sequence) const;
  cep::Result<std::optional<uint64_t>> sequence_of(ReadTxn& txn, const Id16& id) const;
  cep::Result<std::optional<StoredAlert>> load(ReadTxn& txn, uint64_t sequence) const;
  cep::Status fill_page(ReadTxn& txn, const AlertFilter& filter, uint64_t before, size_t limit, AlertPage& page) const;
  void erase(WriteTxn& txn, const StoredAlert& stored);
  void store_totals(WriteTxn& txn, const AlertLogTotals& totals);

  Env& env_;
  uint16_t lane_;
  Dbi alerts_, ids_, keys_, totals_;
};

}  // namespace state
