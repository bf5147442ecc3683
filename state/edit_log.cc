// The ring of edits. Test: tests/unit/state/edit_log_test.cc.
#include "state/edit_log.h"

#include <algorithm>

#include "state/try.h"
#include "state/values.h"

namespace state {
namespace {

Key edit_totals_key(uint16_t lane) { return Key().u16(lane).u16(kEditTotals); }

cep::Result<EditEntry> decode_edit(uint64_t offset, std::string_view payload) {
  Reader reader(payload);
  EditEntry entry;
  entry.offset = offset;
  entry.dataset = reader.text();
  entry.body = reader.text();
  if (!reader.at_end()) return cep::Error{"damaged", "an edit of a list or table in the state directory is damaged"};
  return entry;
}

}  // namespace

EditLog::EditLog(Env& env, uint16_t lane, uint64_t bytes_max)
    : env_(env), lane_(lane), bytes_max_(bytes_max), edits_(env.table("edit")), totals_(env.table("totals")) {
  static_cast<void>(env_.read([&](ReadTxn& txn) -> cep::Status {
    auto known = totals(txn);
    if (known.ok()) dropped_ = known->dropped;       // what cannot be read, the first edit says
    return cep::ok_status();
  }));
}

cep::Status EditLog::append(WriteTxn& txn, const EditEntry& entry) {
  auto known = get_pieces(txn, edits_, key_of(entry.offset), "an edit");
  if (!known.ok()) return known.error();
  if (known->has_value()) return cep::ok_status();
  auto totals = this->totals(txn);
  if (!totals.ok()) return totals.error();
  std::string payload;
  Writer(payload).text(entry.dataset).text(entry.body);
  STATE_TRY(put_pieces(txn, edits_, key_of(entry.offset), payload));
  totals->bytes += payload.size();
  while (totals->bytes > bytes_max_ && !txn.failed()) {
    Cursor oldest = txn.cursor(edits_);
    if (!oldest.seek(Key().u16(lane_)) || !oldest.on(Key().u16(lane_))) break;
    KeyReader key(oldest.key());
    key.u16();
    const uint64_t offset = key.u64();
    if (offset == entry.offset) break;          // one entry alone may be larger than the ring
    auto gone = get_pieces(txn, edits_, key_of(offset), "an edit");
    if (!gone.ok()) return gone.error();
    erase_pieces(txn, edits_, key_of(offset));
    totals->bytes -= std::min<uint64_t>(gone->has_value() ? (*gone)->size() : 0, totals->bytes);
    ++totals->dropped;
  }
  dropped_ = totals->dropped;
  payload.clear();
  Writer(payload).put<uint64_t>(totals->bytes).put<uint64_t>(totals->dropped);
  put_small(txn, totals_, edit_totals_key(lane_), payload);
  return cep::ok_status();
}

cep::Result<EditPage> EditLog::page(const std::string& dataset, std::optional<uint64_t> before, size_t limit) const {
  EditPage page;
  STATE_TRY(env_.read([&](ReadTxn& txn) -> cep::Status {
    Cursor cursor = txn.cursor(edits_);
    uint64_t above = before.value_or(UINT64_MAX);
    for (size_t scanned = 0;; ++scanned) {
      if (!cursor.seek_before(key_of(above)) || !cursor.on(Key().u16(lane_))) return cep::ok_status();
      if (page.items.size() == limit || scanned == kScanMax) {
        page.next = above;
        return cep::ok_status();
      }
      KeyReader key(cursor.key());
      key.u16();
      above = key.u64();
      auto payload = get_pieces(txn, edits_, key_of(above), "an edit");
      if (!payload.ok()) return payload.error();
      auto entry = decode_edit(above, payload->value_or(""));
      if (!entry.ok()) return entry.error();
      if (dataset.empty() || entry->dataset == dataset) page.items.push_back(std::move(*entry));
    }
  }));
  return page;
}

cep::Result<EditLog::Totals> EditLog::totals(ReadTxn& txn) const {
  auto payload = get_small(txn, totals_, edit_totals_key(lane_), "the totals of edits");
  if (!payload.ok()) return payload.error();
  Totals totals;
  const std::string none(16, '\0');
  Reader reader(payload->has_value() ? std::string_view(**payload) : std::string_view(none));
  totals.bytes = reader.get<uint64_t>();
  totals.dropped = reader.get<uint64_t>();
  return totals;
}

}  // namespace state
