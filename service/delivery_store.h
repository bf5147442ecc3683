// The port through which delivery sees durable storage: the alert log, and per sink a cursor, parked entries, attempts.
// Meaning of the cursor: every alert up to it is delivered, parked, or not for this sink. So one commit that moves the
// cursor and parks what failed loses nothing, whenever the process is killed; at worst an attempt is repeated.
// Alert sequences begin at 1 and have no gaps; the oldest are dropped from the front.
// Threads: called by the delivery thread only; calls may block on the disk. `commit` is atomic and durable on return.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "cep/result.h"
#include "cep/types.h"
#include "service/http_client.h"
#include "service/sinks.h"

namespace service {

struct OutgoingAlert {
  uint64_t sequence = 0;
  std::string id;           // 32 hex digits
  cep::TimeUs time_us = 0;  // event time
  std::string rule;
  cep::Severity severity = cep::Severity::kMedium;
  bool live = true;                   // mode live; shadow, derived and backfill are delivered to nobody
  std::vector<std::string> to_sinks;  // the rule's `to sink, ...`; empty: all
  std::string json;                   // the alert object
};

struct AlertPage {
  std::vector<OutgoingAlert> alerts;  // ascending by sequence
  uint64_t first_retained = 1;        // the oldest sequence still kept; of an empty log, the next one to be written
};

// An alert that has had at least one attempt, or was asked for again. Pending until `due_us`, then tried; with
// kExhausted it is parked for good: kept, listed, and tried again only by a replay.
struct ParkedEntry {
  static constexpr cep::TimeUs kExhausted = cep::kTimeMax;

  cep::TimeUs due_us = 0;
  uint64_t sequence = 0;
  uint32_t attempts = 0;  // failed so far on the present schedule; a replay begins again at 0
  bool operator==(const ParkedEntry&) const = default;
};

struct SinkProgress {
  bool known = false;  // false: never committed, everything below is empty
  uint64_t cursor = 0;
  bool disabled = false;
  uint64_t pending = 0;                // parked entries with a due time
  uint64_t exhausted = 0;              // parked entries without
  std::vector<uint64_t> parked_ahead;  // sequences of parked entries beyond the cursor
};

struct DeliveryAttempt {
  SinkId sink{};
  uint64_t sequence = 0;  // the store numbers the attempts of one (alert, sink)
  cep::TimeUs at_us = 0;  // when it was sent
  int status = 0;         // 0: none arrived, see `error`
  TransportError error = TransportError::kNone;
  int64_t latency_us = 0;
};

// Applied in this order.
struct DeliveryChange {
  struct Parked {
    SinkId sink{};
    ParkedEntry entry;  // removals: found by (due_us, sequence)
  };
  struct Cursor {
    SinkId sink{};
    uint64_t sequence = 0;
    bool disabled = false;  // by a 410 or a person
  };
  std::vector<Parked> parked_removed;
  std::vector<Parked> parked_added;
  std::vector<Cursor> cursors;
  std::vector<DeliveryAttempt> attempts;
  std::vector<SinkId> forgotten;  // deleted sinks: cursor, flags and parked entries go, attempts expire by age

  size_t size() const {
    return parked_removed.size() + parked_added.size() + cursors.size() + attempts.size() + forgotten.size();
  }
};

class DeliveryStore {
 public:
  virtual ~DeliveryStore() = default;
  // Retained alerts with sequence >= from, at most `limit`.
  virtual cep::Result<AlertPage> read_alerts(uint64_t from, size_t limit) = 0;
  // The newest alert's sequence; 0 when there has been none.
  virtual cep::Result<uint64_t> last_sequence() = 0;
  virtual cep::Result<SinkProgress> load(SinkId sink) = 0;
  // Entries ordered by (due_us, sequence), the first `limit` or those after `after`.
  virtual cep::Result<std::vector<ParkedEntry>> read_parked(SinkId sink, const std::optional<ParkedEntry>& after,
                                                            size_t limit) = 0;
  virtual cep::Status commit(const DeliveryChange& change) = 0;
};

}  // namespace service
