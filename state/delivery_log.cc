// Cursors, parked alerts and attempts in LMDB.
#include "state/delivery_log.h"

#include <algorithm>
#include <limits>

#include "state/try.h"
#include "state/values.h"

namespace state {
namespace {

constexpr uint32_t kLastAttempt = std::numeric_limits<uint32_t>::max();
constexpr uint64_t kLastSequence = std::numeric_limits<uint64_t>::max();

std::string encode_cursor(const SinkCursor& cursor) {
  std::string bytes;
  Writer(bytes).put<uint64_t>(cursor.through).put<uint8_t>(cursor.disabled ? 1 : 0);
  return bytes;
}

cep::Result<SinkCursor> decode_cursor(uint32_t sink, std::string_view value) {
  auto payload = open_value(value, "a sink's cursor");
  if (!payload.ok()) return payload.error();
  Reader reader(*payload);
  SinkCursor cursor;
  cursor.sink = sink;
  cursor.through = reader.get<uint64_t>();
  cursor.disabled = reader.get<uint8_t>() != 0;
  return cursor;
}

std::string encode_attempt(const DeliveryAttempt& attempt) {
  std::string bytes;
  Writer(bytes).put<int64_t>(attempt.at_us).put<int32_t>(attempt.status).put<uint32_t>(attempt.latency_us);
  return bytes;
}

// Key: lane, alert sequence, sink, number.
cep::Result<DeliveryAttempt> decode_attempt(std::string_view key, std::string_view value) {
  auto payload = open_value(value, "a delivery attempt");
  if (!payload.ok()) return payload.error();
  KeyReader fields(key);
  fields.u16();
  DeliveryAttempt attempt;
  attempt.alert_sequence = fields.u64();
  attempt.sink = fields.u32();
  Reader reader(*payload);
  attempt.at_us = reader.get<int64_t>();
  attempt.status = reader.get<int32_t>();
  attempt.latency_us = reader.get<uint32_t>();
  return attempt;
}

// Key: lane, sink, due, alert sequence.
ParkedAlert decode_parked_key(std::string_view key) {
  KeyReader fields(key);
  fields.u16();
  ParkedAlert entry;
  entry.sink = fields.u32();
  entry.due_us = fields.i64();
  entry.alert_sequence = fields.u64();
  return entry;
}

std::string encode_attempts(uint32_t attempts) {
  std::string bytes;
  Writer(bytes).put<uint32_t>(attempts);
  return bytes;
}

}  // namespace

DeliveryLog::DeliveryLog(Env& env, uint16_t lane)
    : env_(env),
      lane_(lane),
      cursors_(env.table("cursor")),
      parked_(env.table("parked")),
      attempts_(env.table("attempt")) {}

Key DeliveryLog::parked_key(const ParkedAlert& entry) const {
  return Key().u16(lane_).u32(entry.sink).i64(entry.due_us).u64(entry.alert_sequence);
}

Key DeliveryLog::attempt_prefix(uint64_t alert_sequence, uint32_t sink) const {
  return Key().u16(lane_).u64(alert_sequence).u32(sink);
}

cep::Result<std::optional<SinkCursor>> DeliveryLog::cursor(ReadTxn& txn, uint32_t sink) const {
  auto value = txn.get(cursors_, cursor_key(sink));
  if (!value) return std::optional<SinkCursor>();
  auto decoded = decode_cursor(sink, *value);
  if (!decoded.ok()) return decoded.error();
  return std::optional<SinkCursor>(*decoded);
}

cep::Status DeliveryLog::apply(WriteTxn& txn, const DeliveryChange& change) {
  for (const ParkedAlert& entry : change.unpark) txn.erase(parked_, parked_key(entry));
  for (const ParkedAlert& entry : change.park) {
    put_small(txn, parked_, parked_key(entry), encode_attempts(entry.attempts));
  }
  for (SinkCursor wanted : change.cursors) {
    auto stored = cursor(txn, wanted.sink);
    if (!stored.ok()) return stored.error();
    if (stored->has_value()) wanted.through = std::max(wanted.through, (*stored)->through);
    put_small(txn, cursors_, cursor_key(wanted.sink), encode_cursor(wanted));
  }
  for (const DeliveryAttempt& attempt : change.attempts) add_attempt(txn, attempt);
  return cep::ok_status();
}

void DeliveryLog::add_attempt(WriteTxn& txn, const DeliveryAttempt& attempt) {
  Key prefix = attempt_prefix(attempt.alert_sequence, attempt.sink);
  uint32_t number = 0;
  {
    Cursor last = txn.cursor(attempts_);
    if (last.seek_before(Key(prefix).u32(kLastAttempt)) && last.on(prefix)) {
      number = KeyReader(last.key().substr(prefix.view().size())).u32() + 1;
    }
  }
  put_small(txn, attempts_, Key(prefix).u32(number), encode_attempt(attempt));
}

cep::Result<ReplayProgress> DeliveryLog::replay(WriteTxn& txn, const AlertLog& alerts, uint32_t sink, uint64_t from,
                                                uint64_t to, cep::TimeUs now_us) {
  auto stored = cursor(txn, sink);
  if (!stored.ok()) return stored.error();
  if (!stored->has_value()) return cep::Error{"not_found", "there is no sink " + std::to_string(sink)};
  auto totals = alerts.totals(txn);
  if (!totals.ok()) return totals.error();
  // Above the cursor everything will be delivered anyway.
  from = std::max(from, totals->oldest_sequence);
  to = std::min({to, (*stored)->through, totals->next_sequence - 1});
  ReplayProgress progress;
  if (from > to) return progress;
  uint64_t end = to - from < kReplayMax ? to : from + kReplayMax - 1;
  unpark_range(txn, sink, from, end);
  for (uint64_t sequence = from; sequence <= end; ++sequence) {
    ParkedAlert entry{.sink = sink, .due_us = now_us, .alert_sequence = sequence, .attempts = 0};
    put_small(txn, parked_, parked_key(entry), encode_attempts(0));
    ++progress.queued;
  }
  if (end < to) progress.next = end + 1;
  return progress;
}

void DeliveryLog::unpark_range(WriteTxn& txn, uint32_t sink, uint64_t from, uint64_t to) {
  Key prefix = cursor_key(sink);
  Cursor cursor = txn.cursor(parked_);
  for (bool more = cursor.seek(prefix); more && cursor.on(prefix); more = cursor.next()) {
    uint64_t sequence = decode_parked_key(cursor.key()).alert_sequence;
    if (sequence >= from && sequence <= to && !cursor.erase()) return;
  }
}

cep::Result<bool> DeliveryLog::forget(WriteTxn& txn, uint32_t sink, size_t records_max) {
  txn.erase(cursors_, cursor_key(sink));
  return erase_prefix(txn, parked_, cursor_key(sink), records_max) < records_max;
}

cep::Result<size_t> DeliveryLog::expire_attempts(WriteTxn& txn, cep::TimeUs cutoff_us, size_t records_max) {
  Key lane = Key().u16(lane_);
  Cursor cursor = txn.cursor(attempts_);
  size_t seen = 0, erased = 0;
  bool more = cursor.seek(lane);
  for (; more && cursor.on(lane) && seen < records_max; ++seen, more = cursor.next()) {
    auto attempt = decode_attempt(cursor.key(), cursor.value());
    if (!attempt.ok()) return attempt.error();
    if (attempt->at_us < cutoff_us) erased += cursor.erase();
  }
  return erased;
}

cep::Result<std::vector<SinkCursor>> DeliveryLog::cursors() const {
  std::vector<SinkCursor> found;
  STATE_TRY(env_.read([&](ReadTxn& txn) -> cep::Status {
    found.clear();
    Key lane = Key().u16(lane_);
    Cursor cursor = txn.cursor(cursors_);
    for (bool more = cursor.seek(lane); more && cursor.on(lane); more = cursor.next()) {
      auto decoded = decode_cursor(KeyReader(cursor.key().substr(2)).u32(), cursor.value());
      if (!decoded.ok()) return decoded.error();
      found.push_back(*decoded);
    }
    return cep::ok_status();
  }));
  return found;
}

cep::Result<std::vector<ParkedAlert>> DeliveryLog::parked(uint32_t sink, cep::TimeUs due_by_us, size_t limit) const {
  return parked_from(cursor_key(sink), sink, due_by_us, limit);
}

cep::Result<std::vector<ParkedAlert>> DeliveryLog::parked_after(const ParkedAlert& last, size_t limit) const {
  ParkedAlert first = last;
  if (first.alert_sequence == kLastSequence) return std::vector<ParkedAlert>();   // no sequence is that great
  ++first.alert_sequence;
  return parked_from(parked_key(first), last.sink, kNeverDue, limit);
}

cep::Result<std::vector<ParkedAlert>> DeliveryLog::parked_from(std::string_view start, uint32_t sink,
                                                               cep::TimeUs due_by_us, size_t limit) const {
  std::vector<ParkedAlert> found;
  STATE_TRY(env_.read([&](ReadTxn& txn) -> cep::Status {
    Key prefix = cursor_key(sink);
    Cursor cursor = txn.cursor(parked_);
    bool more = cursor.seek(start);
    for (; more && cursor.on(prefix) && found.size() < limit; more = cursor.next()) {
      ParkedAlert entry = decode_parked_key(cursor.key());
      if (entry.due_us > due_by_us) break;
      auto payload = open_value(cursor.value(), "a parked alert");
      if (!payload.ok()) return payload.error();
      entry.attempts = Reader(*payload).get<uint32_t>();
      found.push_back(entry);
    }
    return cep::ok_status();
  }));
  return found;
}

cep::Result<std::vector<DeliveryAttempt>> DeliveryLog::attempts_of(uint64_t alert_sequence) const {
  std::vector<DeliveryAttempt> found;
  STATE_TRY(env_.read([&](ReadTxn& txn) -> cep::Status {
    Key prefix = Key().u16(lane_).u64(alert_sequence);
    Cursor cursor = txn.cursor(attempts_);
    for (bool more = cursor.seek(prefix); more && cursor.on(prefix); more = cursor.next()) {
      auto attempt = decode_attempt(cursor.key(), cursor.value());
      if (!attempt.ok()) return attempt.error();
      found.push_back(*attempt);
    }
    return cep::ok_status();
  }));
  return found;
}

}  // namespace state
