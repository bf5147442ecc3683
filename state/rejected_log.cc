// The ring of refused events.
#include "state/rejected_log.h"

#include <algorithm>
#include <limits>

#include "state/try.h"
#include "state/values.h"

namespace state {
namespace {

std::string encode_event(const RejectedEvent& event) {
  std::string bytes;
  Writer(bytes)
      .put<int64_t>(event.at_us)
      .put<uint32_t>(event.source)
      .put<int64_t>(event.watermark_us)
      .put<int64_t>(event.lag_us)
      .put<uint64_t>(event.raw.size())
      .text(event.stream)
      .text(event.code)
      .text(event.field)
      .text(event.message)
      .text(std::string_view(event.raw).substr(0, kRejectedRawBytesMax));
  return bytes;
}

cep::Result<RejectedEvent> decode_event(std::string_view payload) {
  Reader reader(payload);
  RejectedEvent event;
  event.at_us = reader.get<int64_t>();
  event.source = reader.get<uint32_t>();
  event.watermark_us = reader.get<int64_t>();
  event.lag_us = reader.get<int64_t>();
  event.raw_bytes = reader.get<uint64_t>();
  event.stream = reader.text();
  event.code = reader.text();
  event.field = reader.text();
  event.message = reader.text();
  event.raw = reader.text();
  if (!reader.at_end()) return cep::Error{"damaged", "a rejected event in the state directory is damaged"};
  return event;
}

bool passes(const RejectedFilter& filter, const RejectedEvent& event) {
  return (!filter.stream || *filter.stream == event.stream) && (!filter.code || *filter.code == event.code);
}

Key totals_key(uint16_t lane) { return Key().u16(lane).u16(kRejectedTotals); }

}  // namespace

RejectedLog::RejectedLog(Env& env, uint16_t lane, uint64_t bytes_max)
    : env_(env), lane_(lane), bytes_max_(bytes_max), events_(env.table("rejected")), totals_(env.table("totals")) {}

cep::Status RejectedLog::append(WriteTxn& txn, std::span<const RejectedEvent> events) {
  auto totals = this->totals(txn);
  if (!totals.ok()) return totals.error();
  for (const RejectedEvent& event : events) {
    std::string payload = encode_event(event);
    STATE_TRY(put_pieces(txn, events_, key_of(totals->next_sequence++), payload));
    totals->bytes += payload.size();
  }
  STATE_TRY(make_room(txn, *totals));
  std::string payload;
  Writer(payload)
      .put<uint64_t>(totals->next_sequence)
      .put<uint64_t>(totals->oldest_sequence)
      .put<uint64_t>(totals->bytes)
      .put<uint64_t>(totals->dropped);
  put_small(txn, totals_, totals_key(lane_), payload);
  return cep::ok_status();
}

cep::Status RejectedLog::make_room(WriteTxn& txn, RejectedTotals& totals) {
  while (totals.bytes > bytes_max_ && totals.oldest_sequence < totals.next_sequence && !txn.failed()) {
    size_t bytes = 0;
    auto event = load(txn, totals.oldest_sequence, &bytes);
    if (!event.ok()) return event.error();
    erase_pieces(txn, events_, key_of(totals.oldest_sequence++));
    totals.bytes -= std::min<uint64_t>(bytes, totals.bytes);
    ++totals.dropped;
  }
  return cep::ok_status();
}

cep::Result<std::optional<RejectedEvent>> RejectedLog::load(ReadTxn& txn, uint64_t sequence, size_t* bytes) const {
  auto payload = get_pieces(txn, events_, key_of(sequence), "a rejected event");
  if (!payload.ok()) return payload.error();
  if (!payload->has_value()) return std::optional<RejectedEvent>();
  if (bytes != nullptr) *bytes = (*payload)->size();
  auto event = decode_event(**payload);
  if (!event.ok()) return event.error();
  return std::optional<RejectedEvent>(std::move(*event));
}

cep::Result<std::optional<StoredRejected>> RejectedLog::by_sequence(uint64_t sequence) const {
  std::optional<StoredRejected> found;
  STATE_TRY(env_.read([&](ReadTxn& txn) -> cep::Status {
    auto event = load(txn, sequence);
    if (!event.ok()) return event.error();
    if (event->has_value()) found = StoredRejected{sequence, std::move(**event)};
    return cep::ok_status();
  }));
  return found;
}

cep::Result<RejectedPage> RejectedLog::page(const RejectedFilter& filter, std::optional<uint64_t> before,
                                            size_t limit) const {
  RejectedPage page;
  STATE_TRY(env_.read([&](ReadTxn& txn) -> cep::Status {
    auto totals = this->totals(txn);
    if (!totals.ok()) return totals.error();
    uint64_t above = std::min(before.value_or(totals->next_sequence), totals->next_sequence);
    for (size_t scanned = 0; above > totals->oldest_sequence; ++scanned, --above) {
      if (page.items.size() == limit || scanned == kScanMax) {
        page.next = above;
        break;
      }
      auto event = load(txn, above - 1);
      if (!event.ok()) return event.error();
      if (event->has_value() && passes(filter, **event)) page.items.push_back({above - 1, std::move(**event)});
    }
    return cep::ok_status();
  }));
  return page;
}

cep::Result<RejectedTotals> RejectedLog::totals(ReadTxn& txn) const {
  auto payload = get_small(txn, totals_, totals_key(lane_), "the totals of rejected events");
  if (!payload.ok()) return payload.error();
  RejectedTotals totals;
  if (!payload->has_value()) return totals;
  Reader reader(**payload);
  totals.next_sequence = reader.get<uint64_t>();
  totals.oldest_sequence = reader.get<uint64_t>();
  totals.bytes = reader.get<uint64_t>();
  totals.dropped = reader.get<uint64_t>();
  return totals;
}

cep::Result<RejectedTotals> RejectedLog::totals() const {
  RejectedTotals found;
  STATE_TRY(env_.read([&](ReadTxn& txn) -> cep::Status {
    auto totals = this->totals(txn);
    if (!totals.ok()) return totals.error();
    found = *totals;
    return cep::ok_status();
  }));
  return found;
}

}  // namespace state
