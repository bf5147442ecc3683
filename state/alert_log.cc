// Alerts in LMDB: `alert` by sequence, `alert_id` to find and to refuse the second one, `alert_key` for pages of a key.
#include "state/alert_log.h"

#include <algorithm>
#include <limits>

#include "state/try.h"
#include "state/values.h"

namespace state {
namespace {

constexpr uint64_t kNewest = std::numeric_limits<uint64_t>::max();

std::string encode_alert(const Alert& alert) {
  std::string bytes;
  Writer(bytes)
      .id(alert.id)
      .put<uint32_t>(alert.rule)
      .put<uint64_t>(alert.key_hash)
      .put<int64_t>(alert.time_us)
      .put<int64_t>(alert.stored_us)
      .put<uint64_t>(alert.cause_offset)
      .put<uint8_t>(alert.kind)
      .put<uint8_t>(alert.severity)
      .put<uint8_t>(alert.mode)
      .text(alert.body);
  return bytes;
}

cep::Result<Alert> decode_alert(std::string_view payload) {
  Reader reader(payload);
  Alert alert;
  alert.id = reader.id();
  alert.rule = reader.get<uint32_t>();
  alert.key_hash = reader.get<uint64_t>();
  alert.time_us = reader.get<int64_t>();
  alert.stored_us = reader.get<int64_t>();
  alert.cause_offset = reader.get<uint64_t>();
  alert.kind = reader.get<uint8_t>();
  alert.severity = reader.get<uint8_t>();
  alert.mode = reader.get<uint8_t>();
  alert.body = reader.text();
  if (!reader.at_end()) return cep::Error{"damaged", "an alert in the state directory is damaged"};
  return alert;
}

bool passes(const AlertFilter& filter, const Alert& alert) {
  return (!filter.rule || *filter.rule == alert.rule) && (!filter.key_hash || *filter.key_hash == alert.key_hash) &&
         (!filter.from_us || alert.time_us >= *filter.from_us) && (!filter.to_us || alert.time_us < *filter.to_us) &&
         (!filter.severity_min || alert.severity >= *filter.severity_min) &&
         (!filter.mode || *filter.mode == alert.mode);
}

std::string sequence_bytes(uint64_t sequence) {
  std::string bytes;
  Writer(bytes).put<uint64_t>(sequence);
  return bytes;
}

Key totals_key(uint16_t lane) { return Key().u16(lane).u16(kAlertTotals); }

}  // namespace

AlertLog::AlertLog(Env& env, uint16_t lane)
    : env_(env),
      lane_(lane),
      alerts_(env.table("alert")),
      ids_(env.table("alert_id")),
      keys_(env.table("alert_key")),
      totals_(env.table("totals")) {}

Key AlertLog::index_key(uint32_t rule, uint64_t key_hash, uint64_t sequence) const {
  return Key().u16(lane_).u32(rule).u64(key_hash).u64(sequence);
}

cep::Result<std::vector<Appended>> AlertLog::append(WriteTxn& txn, std::span<const Alert> alerts) {
  auto totals = this->totals(txn);
  if (!totals.ok()) return totals.error();
  std::vector<Appended> appended;
  for (const Alert& alert : alerts) {
    Key id_key = Key().u16(lane_).id(alert.id);
    uint64_t sequence = totals->next_sequence;
    if (!txn.put_new(ids_, id_key, seal_value(sequence_bytes(sequence)))) {
      auto existing = sequence_of(txn, alert.id);
      if (!existing.ok()) return existing.error();
      appended.push_back({**existing, false});
      continue;
    }
    std::string payload = encode_alert(alert);
    STATE_TRY(put_pieces(txn, alerts_, alert_key(sequence), payload));
    txn.put(keys_, index_key(alert.rule, alert.key_hash, sequence), {});
    totals->bytes += payload.size();
    ++totals->next_sequence;
    appended.push_back({sequence, true});
  }
  store_totals(txn, *totals);
  return appended;
}

cep::Result<std::optional<uint64_t>> AlertLog::sequence_of(ReadTxn& txn, const Id16& id) const {
  auto payload = get_small(txn, ids_, Key().u16(lane_).id(id), "an alert id");
  if (!payload.ok()) return payload.error();
  if (!payload->has_value()) {
    if (txn.failed()) return std::optional<uint64_t>(0);   // the transaction reports the error
    return std::optional<uint64_t>();
  }
  Reader reader(**payload);
  return std::optional<uint64_t>(reader.get<uint64_t>());
}

cep::Result<std::optional<StoredAlert>> AlertLog::load(ReadTxn& txn, uint64_t sequence) const {
  auto payload = get_pieces(txn, alerts_, alert_key(sequence), "an alert");
  if (!payload.ok()) return payload.error();
  if (!payload->has_value()) return std::optional<StoredAlert>();
  auto alert = decode_alert(**payload);
  if (!alert.ok()) return alert.error();
  return std::optional<StoredAlert>(StoredAlert{sequence, std::move(*alert)});
}

cep::Result<std::optional<StoredAlert>> AlertLog::by_id(const Id16& id) const {
  std::optional<StoredAlert> found;
  STATE_TRY(env_.read([&](ReadTxn& txn) -> cep::Status {
    auto sequence = sequence_of(txn, id);
    if (!sequence.ok()) return sequence.error();
    if (!sequence->has_value()) return cep::ok_status();
    auto stored = load(txn, **sequence);
    if (!stored.ok()) return stored.error();
    found = std::move(*stored);
    return cep::ok_status();
  }));
  return found;
}

cep::Result<std::optional<StoredAlert>> AlertLog::by_sequence(uint64_t sequence) const {
  std::optional<StoredAlert> found;
  STATE_TRY(env_.read([&](ReadTxn& txn) -> cep::Status {
    auto stored = load(txn, sequence);
    if (!stored.ok()) return stored.error();
    found = std::move(*stored);
    return cep::ok_status();
  }));
  return found;
}

cep::Result<AlertPage> AlertLog::page(const AlertFilter& filter, std::optional<uint64_t> before, size_t limit) const {
  AlertPage page;
  STATE_TRY(env_.read([&](ReadTxn& txn) { return fill_page(txn, filter, before.value_or(kNewest), limit, page); }));
  return page;
}

// Walks backwards over the alerts of one key, by the index, or over all of them.
cep::Status AlertLog::fill_page(ReadTxn& txn, const AlertFilter& filter, uint64_t before, size_t limit,
                                AlertPage& page) const {
  const bool by_key = filter.rule && filter.key_hash;
  Key prefix = Key().u16(lane_);
  if (by_key) prefix.u32(*filter.rule).u64(*filter.key_hash);
  Cursor cursor = txn.cursor(by_key ? keys_ : alerts_);
  size_t scanned = 0;
  uint64_t sequence = before;
  while (cursor.seek_before(Key(prefix).u64(sequence)) && cursor.on(prefix)) {
    if (page.items.size() == limit || scanned++ == kScanMax) {
      page.next = sequence;
      return cep::ok_status();
    }
    sequence = KeyReader(cursor.key().substr(prefix.view().size())).u64();
    auto stored = load(txn, sequence);
    if (!stored.ok()) return stored.error();
    if (stored->has_value() && passes(filter, (*stored)->alert)) page.items.push_back(std::move(**stored));
  }
  return cep::ok_status();
}

cep::Result<std::vector<StoredAlert>> AlertLog::from(uint64_t sequence, size_t limit) const {
  std::vector<StoredAlert> items;
  STATE_TRY(env_.read([&](ReadTxn& txn) -> cep::Status {
    auto totals = this->totals(txn);
    if (!totals.ok()) return totals.error();
    uint64_t at = std::max(sequence, totals->oldest_sequence);
    for (; at < totals->next_sequence && items.size() < limit; ++at) {
      auto stored = load(txn, at);
      if (!stored.ok()) return stored.error();
      if (!stored->has_value()) {
        return cep::Error{"damaged", "alert " + std::to_string(at) + " is missing in the state directory"};
      }
      items.push_back(std::move(**stored));
    }
    return cep::ok_status();
  }));
  return items;
}

cep::Result<size_t> AlertLog::expire(WriteTxn& txn, cep::TimeUs now_us, cep::DurationUs keep_us, uint64_t keep_bytes,
                                     size_t records_max) {
  auto totals = this->totals(txn);
  if (!totals.ok()) return totals.error();
  size_t expired = 0;
  while (expired < records_max && totals->oldest_sequence < totals->next_sequence) {
    auto stored = load(txn, totals->oldest_sequence);
    if (!stored.ok()) return stored.error();
    if (stored->has_value()) {
      const Alert& alert = (*stored)->alert;
      if (alert.stored_us >= now_us - keep_us && totals->bytes <= keep_bytes) break;
      erase(txn, **stored);
      totals->bytes -= encode_alert(alert).size();
      ++totals->expired;
      ++expired;
    }
    ++totals->oldest_sequence;
  }
  if (expired > 0) store_totals(txn, *totals);
  return expired;
}

cep::Status AlertLog::index_anew(WriteTxn& txn, std::span<const uint64_t> sequences) {
  for (const uint64_t sequence : sequences) {
    auto stored = load(txn, sequence);
    if (!stored.ok()) return stored.error();
    if (!stored->has_value()) return cep::Error{"damaged", "alert " + std::to_string(sequence) + " has lost its beginning"};
    txn.put(ids_, Key().u16(lane_).id((*stored)->alert.id), seal_value(sequence_bytes(sequence)));
    txn.put(keys_, index_key((*stored)->alert.rule, (*stored)->alert.key_hash, sequence), {});
  }
  return cep::ok_status();
}

void AlertLog::erase(WriteTxn& txn, const StoredAlert& stored) {
  const Alert& alert = stored.alert;
  txn.erase(ids_, Key().u16(lane_).id(alert.id));
  txn.erase(keys_, index_key(alert.rule, alert.key_hash, stored.sequence));
  erase_pieces(txn, alerts_, alert_key(stored.sequence));
}

cep::Result<AlertLogTotals> AlertLog::totals(ReadTxn& txn) const {
  auto payload = get_small(txn, totals_, totals_key(lane_), "the alert log's totals");
  if (!payload.ok()) return payload.error();
  AlertLogTotals totals;
  if (!payload->has_value()) return totals;
  Reader reader(**payload);
  totals.next_sequence = reader.get<uint64_t>();
  totals.oldest_sequence = reader.get<uint64_t>();
  totals.bytes = reader.get<uint64_t>();
  totals.expired = reader.get<uint64_t>();
  return totals;
}

void AlertLog::store_totals(WriteTxn& txn, const AlertLogTotals& totals) {
  std::string payload;
  Writer(payload)
      .put<uint64_t>(totals.next_sequence)
      .put<uint64_t>(totals.oldest_sequence)
      .put<uint64_t>(totals.bytes)
      .put<uint64_t>(totals.expired);
  put_small(txn, totals_, totals_key(lane_), payload);
}

cep::Result<AlertLogTotals> AlertLog::totals() const {
  AlertLogTotals found;
  STATE_TRY(env_.read([&](ReadTxn& txn) -> cep::Status {
    auto totals = this->totals(txn);
    if (!totals.ok()) return totals.error();
    found = *totals;
    return cep::ok_status();
  }));
  return found;
}

}  // namespace state
