// Verdicts in LMDB: `decision` by offset, `decision_id` by the event's identity. Test: tests/unit/state/decision_log_test.cc.
#include "state/decision_log.h"

#include <algorithm>

#include "state/try.h"
#include "state/values.h"

namespace state {
namespace {

Key decision_totals_key(uint16_t lane) { return Key().u16(lane).u16(kDecisionTotals); }

bool is_damage(const cep::Error& error) { return error.code == "damaged"; }

std::string encode_decision(const StoredDecision& decision) {
  std::string payload;
  Writer(payload).id(decision.id).put<int64_t>(decision.received_us).text(decision.stream).text(decision.body);
  return payload;
}

cep::Result<StoredDecision> decode_decision(uint64_t offset, std::string_view payload) {
  Reader reader(payload);
  StoredDecision decision;
  decision.offset = offset;
  decision.id = reader.id();
  decision.received_us = reader.get<int64_t>();
  decision.stream = reader.text();
  decision.body = reader.text();
  if (!reader.at_end()) return cep::Error{"damaged", "a decision in the state directory is damaged"};
  return decision;
}

}  // namespace

DecisionLog::DecisionLog(Env& env, uint16_t lane)
    : env_(env), lane_(lane), decisions_(env.table("decision")), ids_(env.table("decision_id")), totals_(env.table("totals")) {
  static_cast<void>(env_.read([&](ReadTxn& txn) -> cep::Status {
    auto known = totals(txn);
    if (known.ok()) dropped_ = known->dropped;       // what cannot be read, the first decision says
    return cep::ok_status();
  }));
}

cep::Status DecisionLog::append(WriteTxn& txn, std::span<const StoredDecision> decisions) {
  if (decisions.empty()) return cep::ok_status();
  auto totals = totals_or_count(txn);
  if (!totals.ok()) return totals.error();
  for (const StoredDecision& decision : decisions) {
    auto known = load(txn, decision.offset);
    if (known.ok() && known->has_value()) continue;
    if (!known.ok()) STATE_TRY(erase_damaged(txn, decision.offset, known.error(), *totals));      // its record was read again: mended
    auto of_id = offset_of(txn, decision.id);
    if (!of_id.ok() && !is_damage(of_id.error())) return of_id.error();
    const std::string payload = encode_decision(decision);
    STATE_TRY(put_pieces(txn, decisions_, key_of(decision.offset), payload));
    totals->bytes += payload.size();
    if (of_id.ok() && of_id->value_or(0) > decision.offset) continue;
    put_place(txn, decision);
  }
  store_totals(txn, *totals);
  return cep::ok_status();
}

void DecisionLog::put_place(WriteTxn& txn, const StoredDecision& decision) {
  std::string offset;
  Writer(offset).put<uint64_t>(decision.offset);
  put_small(txn, ids_, id_key(decision.id), offset);
}

cep::Status DecisionLog::index_anew(WriteTxn& txn, std::span<const uint64_t> offsets) {
  for (const uint64_t offset : offsets) {
    auto decision = load(txn, offset);
    if (!decision.ok() && !is_damage(decision.error())) return decision.error();
    if (decision.ok() && decision->has_value()) put_place(txn, **decision);
  }
  return cep::ok_status();
}

cep::Status DecisionLog::expire(WriteTxn& txn, cep::TimeUs now_us, cep::DurationUs keep_us, uint64_t keep_bytes, size_t records_max) {
  auto totals = totals_or_count(txn);
  if (!totals.ok()) return totals.error();
  size_t gone = 0;
  for (; gone < records_max && !txn.failed(); ++gone) {
    uint64_t offset = 0;
    {
      Cursor oldest = txn.cursor(decisions_);
      if (!oldest.seek(Key().u16(lane_)) || !oldest.on(Key().u16(lane_))) break;
      KeyReader key(oldest.key());
      key.u16();
      offset = key.u64();
    }
    auto decision = load(txn, offset);
    if (!decision.ok()) {      // what cannot be read any more must not keep the rest from going
      STATE_TRY(erase_damaged(txn, offset, decision.error(), *totals));
      ++totals->dropped;
      continue;
    }
    if (!decision->has_value()) break;
    const bool is_old = (*decision)->received_us < now_us - keep_us;
    if (!is_old && totals->bytes <= keep_bytes) break;
    auto of_id = offset_of(txn, (*decision)->id);
    if (!of_id.ok() && !is_damage(of_id.error())) return of_id.error();
    if (!of_id.ok() || *of_id == offset) txn.erase(ids_, id_key((*decision)->id));
    erase_pieces(txn, decisions_, key_of(offset));
    totals->bytes -= std::min<uint64_t>(encode_decision(**decision).size(), totals->bytes);
    totals->dropped += is_old ? 0 : 1;
  }
  if (gone > 0) store_totals(txn, *totals);
  return cep::ok_status();
}

cep::Status DecisionLog::erase_damaged(WriteTxn& txn, uint64_t offset, const cep::Error& error, Totals& totals) {
  if (!is_damage(error)) return error;
  const size_t bytes = get_raw_pieces(txn, decisions_, key_of(offset)).value_or("").size();
  totals.bytes -= std::min<uint64_t>(bytes - std::min(bytes, kValueHeaderBytes), totals.bytes);
  erase_pieces(txn, decisions_, key_of(offset));
  return cep::ok_status();
}

cep::Result<std::optional<StoredDecision>> DecisionLog::by_id(const Id16& id) const {
  std::optional<StoredDecision> found;
  STATE_TRY(env_.read([&](ReadTxn& txn) -> cep::Status {
    auto offset = offset_of(txn, id);
    if (!offset.ok()) return offset.error();
    if (!offset->has_value()) return cep::ok_status();
    auto decision = load(txn, **offset);
    if (!decision.ok()) return decision.error();
    found = std::move(*decision);
    return cep::ok_status();
  }));
  return found;
}

cep::Result<DecisionPage> DecisionLog::page(std::optional<uint64_t> before, size_t limit) const {
  DecisionPage page;
  size_t bytes = 0;
  STATE_TRY(env_.read([&](ReadTxn& txn) -> cep::Status {
    Cursor cursor = txn.cursor(decisions_);
    uint64_t above = before.value_or(UINT64_MAX);
    while (cursor.seek_before(key_of(above)) && cursor.on(Key().u16(lane_))) {
      if (page.items.size() == limit || bytes >= kDecisionPageBytesMax) {
        page.next = above;
        break;
      }
      KeyReader key(cursor.key());
      key.u16();
      above = key.u64();
      auto decision = load(txn, above);
      if (!decision.ok()) return decision.error();
      if (!decision->has_value()) continue;
      bytes += (*decision)->body.size();
      page.items.push_back(std::move(**decision));
    }
    return cep::ok_status();
  }));
  return page;
}

cep::Result<std::optional<StoredDecision>> DecisionLog::load(ReadTxn& txn, uint64_t offset) const {
  auto payload = get_pieces(txn, decisions_, key_of(offset), "a decision");
  if (!payload.ok()) return payload.error();
  if (!payload->has_value()) return std::optional<StoredDecision>();
  auto decision = decode_decision(offset, **payload);
  if (!decision.ok()) return decision.error();
  return std::optional<StoredDecision>(std::move(*decision));
}

cep::Result<std::optional<uint64_t>> DecisionLog::offset_of(ReadTxn& txn, const Id16& id) const {
  auto payload = get_small(txn, ids_, id_key(id), "the place of a decision");
  if (!payload.ok()) return payload.error();
  if (!payload->has_value()) return std::optional<uint64_t>();
  Reader reader(**payload);
  return std::optional<uint64_t>(reader.get<uint64_t>());
}

cep::Result<DecisionLog::Totals> DecisionLog::totals(ReadTxn& txn) const {
  Totals totals;
  auto payload = get_small(txn, totals_, decision_totals_key(lane_), "the totals of decisions");
  if (!payload.ok()) return payload.error();
  if (!payload->has_value()) return totals;
  Reader reader(**payload);
  totals.bytes = reader.get<uint64_t>();
  totals.dropped = reader.get<uint64_t>();
  return totals;
}

// Damaged ones are counted anew; the dropped, as far as they were known.
cep::Result<DecisionLog::Totals> DecisionLog::totals_or_count(WriteTxn& txn) const {
  auto known = totals(txn);
  if (known.ok() || !is_damage(known.error())) return known;
  Totals counted;
  counted.dropped = dropped_;
  Cursor cursor = txn.cursor(decisions_);
  for (bool more = cursor.seek(Key().u16(lane_)); more && cursor.on(Key().u16(lane_)); more = cursor.next()) {
    KeyReader key(cursor.key());
    key.u16();
    key.u64();
    counted.bytes += cursor.value().size() - (key.u16() == 0 ? kValueHeaderBytes : 0);
  }
  return counted;
}

void DecisionLog::store_totals(WriteTxn& txn, const Totals& totals) {
  std::string payload;
  Writer(payload).put<uint64_t>(totals.bytes).put<uint64_t>(totals.dropped);
  put_small(txn, totals_, decision_totals_key(lane_), payload);
  dropped_ = totals.dropped;
}

}  // namespace state
