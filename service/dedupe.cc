// See dedupe.h. Test: tests/unit/service/dedupe_test.cc.
#include "service/dedupe.h"

#include <algorithm>

namespace service {

std::optional<cep::TimeUs> SeenIds::first_seen(const state::Id16& id, cep::TimeUs now_us, cep::DurationUs window_us) const {
  auto found = seen_.find(id);
  if (found == seen_.end() || now_us - found->second.at_us >= window_us) return std::nullopt;
  return found->second.at_us;
}

void SeenIds::add(const state::Id16& id, cep::TimeUs now_us, cep::DurationUs window_us) {
  if (seen_.size() >= ids_max_ && !expiry_.empty()) {
    evicted_ += forget(expiry_.front());
    expiry_.pop_front();
  }
  int64_t minute = (now_us + window_us) / cep::kMinute + 1;
  seen_[id] = {now_us, minute};
  auto at = std::lower_bound(expiry_.begin(), expiry_.end(), minute, [](const Bucket& b, int64_t m) { return b.minute < m; });
  if (at == expiry_.end() || at->minute != minute) at = expiry_.insert(at, {minute, {}});
  at->ids.push_back(id);
}

size_t SeenIds::forget(const Bucket& bucket) {
  size_t forgotten = 0;
  for (const state::Id16& id : bucket.ids) {
    auto found = seen_.find(id);
    if (found == seen_.end() || found->second.minute != bucket.minute) continue;
    seen_.erase(found);
    ++forgotten;
  }
  return forgotten;
}

void SeenIds::forget_expired(cep::TimeUs now_us) {
  while (!expiry_.empty() && expiry_.front().minute * cep::kMinute <= now_us) {
    forget(expiry_.front());
    expiry_.pop_front();
  }
}

const RequestRecord* SeenRequests::find(const state::Id16& id, cep::TimeUs now_us) const {
  auto found = seen_.find(id);
  return found == seen_.end() || now_us - found->second.received_us >= kWindow ? nullptr : &found->second;
}

void SeenRequests::add(const state::Id16& id, const RequestRecord& record) {
  auto found = seen_.find(id);
  if (found != seen_.end() && found->second.received_us == record.received_us) {
    found->second.accepted += record.accepted;
    return;
  }
  if (seen_.size() >= ids_max_ && !order_.empty()) {
    evicted_ += seen_.erase(order_.front().second);
    order_.pop_front();
  }
  seen_[id] = record;
  order_.emplace_back(record.received_us, id);
}

void SeenRequests::forget_expired(cep::TimeUs now_us) {
  while (!order_.empty() && now_us - order_.front().first >= kWindow) {
    seen_.erase(order_.front().second);
    order_.pop_front();
  }
}

}  // namespace service
