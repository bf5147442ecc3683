// What each sink has delivered: a cursor on the alert log, parked alerts with their next due time, attempts.
// Invariant: every alert up to a sink's cursor is delivered or parked; a cursor never goes back. One change is one
// part of one transaction, so no crash separates an advance from the parking that justifies it.
// Threads: apply, replay, forget and expire inside the store thread's transaction; reads from any thread.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "cep/result.h"
#include "cep/types.h"
#include "state/alert_log.h"
#include "state/bytes.h"
#include "state/env.h"

namespace state {

// A parked entry that is given up: listed, and delivered again only by replay.
inline constexpr cep::TimeUs kNeverDue = cep::kTimeMax;

struct SinkCursor {
  uint32_t sink = 0;
  uint64_t through = 0;          // every alert up to this sequence is delivered or parked
  bool disabled = false;
};

struct ParkedAlert {
  uint32_t sink = 0;
  cep::TimeUs due_us = 0;
  uint64_t alert_sequence = 0;
  uint32_t attempts = 0;         // so far
};

struct DeliveryAttempt {
  uint64_t alert_sequence = 0;
  uint32_t sink = 0;
  cep::TimeUs at_us = 0;
  int32_t status = 0;            // HTTP status, or negative: the delivery engine's own number
  uint32_t latency_us = 0;
};

// Applied in the order: unpark, park, cursors, attempts.
struct DeliveryChange {
  std::vector<ParkedAlert> unpark;          // by (sink, due_us, alert_sequence); one that is not there is ignored
  std::vector<ParkedAlert> park;
  std::vector<SinkCursor> cursors;          // `through` below the stored one is ignored, `disabled` is set
  std::vector<DeliveryAttempt> attempts;    // numbered after those stored

  bool empty() const { return unpark.empty() && park.empty() && cursors.empty() && attempts.empty(); }
};

struct ReplayProgress {
  uint64_t queued = 0;
  std::optional<uint64_t> next;             // call again from here
};

class DeliveryLog {
 public:
  static constexpr size_t kReplayMax = 10'000;   // alerts queued by one call

  DeliveryLog(Env& env, uint16_t lane);

  cep::Status apply(WriteTxn& txn, const DeliveryChange& change);
  // Parks every stored alert of [from, to] at or below the sink's cursor as due now with no attempts; an entry
  // that waits for one of them already is replaced. Error: not_found without such a sink.
  cep::Result<ReplayProgress> replay(WriteTxn& txn, const AlertLog& alerts, uint32_t sink, uint64_t from, uint64_t to,
                                     cep::TimeUs now_us);
  // Deletes a sink's cursor and up to `records_max` of its parked entries; true when nothing is left.
  cep::Result<bool> forget(WriteTxn& txn, uint32_t sink, size_t records_max);
  // Deletes attempts before `cutoff_us` among the first `records_max` of the oldest alerts. Returns how many.
  cep::Result<size_t> expire_attempts(WriteTxn& txn, cep::TimeUs cutoff_us, size_t records_max);

  cep::Result<std::vector<SinkCursor>> cursors() const;
  // Of one sink, the earliest due first, due at or before `due_by_us` (kNeverDue: all, those given up last).
  cep::Result<std::vector<ParkedAlert>> parked(uint32_t sink, cep::TimeUs due_by_us, size_t limit) const;
  // The page after `last`.
  cep::Result<std::vector<ParkedAlert>> parked_after(const ParkedAlert& last, size_t limit) const;
  cep::Result<std::vector<DeliveryAttempt>> attempts_of(uint64_t alert_sequence) const;

 private:
  Key cursor_key(uint32_t sink) const { return Key().u16(lane_).u32(sink); }
  Key parked_key(const ParkedAlert& entry) const;
  Key attempt_prefix(uint64_t alert_sequence, uint32_t sink) const;
  cep::Result<std::optional<SinkCursor>> cursor(ReadTxn& txn, uint32_t sink) const;
  void add_attempt(WriteTxn& txn, const DeliveryAttempt& attempt);
  void unpark_range(WriteTxn& txn, uint32_t sink, uint64_t from, uint64_t to);
  cep::Result<std::vector<ParkedAlert>> parked_from(std::string_view start, uint32_t sink, cep::TimeUs due_by_us,
                                                    size_t limit) const;

  Env& env_;
  uint16_t lane_;
  Dbi cursors_, parked_, attempts_;
};

}  // namespace state
