// Deduplication at the log's door (R68): hashes of `unique` values and of Idempotency-Keys within their windows of arrival.
// Both tables are functions of the frames, so a restart rebuilds them by reading the log. One thread: the sequencer.
// Complexity: O(1) an event; memory 48 bytes a remembered hash, bounded by `ids_max`; when full the oldest minute goes, counted.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <unordered_map>
#include <vector>

#include "cep/types.h"
#include "state/bytes.h"

namespace service {

struct Id16Hash {
  size_t operator()(const state::Id16& id) const {
    return static_cast<size_t>(state::load_le<uint64_t>(reinterpret_cast<const char*>(id.data())));
  }
};

// Hashes seen within a window of arrival, forgotten a minute at a time.
class SeenIds {
 public:
  explicit SeenIds(size_t ids_max) : ids_max_(ids_max) {}

  // When `id` was first seen, if that is less than `window_us` before `now_us`.
  std::optional<cep::TimeUs> first_seen(const state::Id16& id, cep::TimeUs now_us, cep::DurationUs window_us) const;
  bool contains(const state::Id16& id, cep::TimeUs now_us, cep::DurationUs window_us) const {
    return first_seen(id, now_us, window_us).has_value();
  }
  // Remembers an id for `window_us` from `now_us` on.
  void add(const state::Id16& id, cep::TimeUs now_us, cep::DurationUs window_us);
  void forget_expired(cep::TimeUs now_us);
  size_t size() const { return seen_.size(); }
  uint64_t evicted() const { return evicted_; }    // dropped before their time because the table was full

 private:
  struct Seen {
    cep::TimeUs at_us;
    int64_t minute;            // of the bucket that may forget it: an id seen again belongs to a later one
  };
  struct Bucket {
    int64_t minute;
    std::vector<state::Id16> ids;
  };
  size_t forget(const Bucket& bucket);

  const size_t ids_max_;
  std::unordered_map<state::Id16, Seen, Id16Hash> seen_;
  std::deque<Bucket> expiry_;                                     // by the minute in which they may go, ascending
  uint64_t evicted_ = 0;
};

// What a request with an Idempotency-Key was answered, kept 24 hours of arrival.
struct RequestRecord {
  uint64_t body_hash = 0;
  cep::TimeUs received_us = 0;
  uint64_t accepted = 0;
};

class SeenRequests {
 public:
  explicit SeenRequests(size_t ids_max) : ids_max_(ids_max) {}

  const RequestRecord* find(const state::Id16& id, cep::TimeUs now_us) const;
  // A request's frames arrive one by one after a restart: `accepted` adds up.
  void add(const state::Id16& id, const RequestRecord& record);
  void forget_expired(cep::TimeUs now_us);
  uint64_t evicted() const { return evicted_; }

  static constexpr cep::DurationUs kWindow = cep::kDay;

 private:
  const size_t ids_max_;
  std::unordered_map<state::Id16, RequestRecord, Id16Hash> seen_;
  std::deque<std::pair<cep::TimeUs, state::Id16>> order_;
  uint64_t evicted_ = 0;
};

}  // namespace service
