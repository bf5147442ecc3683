// Events refused or late, with reason and raw bytes: a ring of bounded size.
// Invariant: the oldest go when the ring is full, and are counted; sequences rise and are not reused.
// Threads: append inside the store thread's transaction; reads from any thread, one short transaction each.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "cep/result.h"
#include "cep/types.h"
#include "state/bytes.h"
#include "state/env.h"

namespace state {

inline constexpr size_t kRejectedRawBytesMax = 4'096;
inline constexpr uint64_t kRejectedBytesMax = uint64_t{256} << 20;

struct RejectedEvent {
  cep::TimeUs at_us = 0;           // wall clock
  std::string stream;
  uint32_t source = 0;
  std::string code;                // reason: late, wrong_type, ...
  std::string field;               // may be empty
  std::string message;
  cep::TimeUs watermark_us = 0;    // for `late`
  cep::DurationUs lag_us = 0;      // for `late`: how far behind the watermark
  uint64_t raw_bytes = 0;          // length of the event as it came; set by append
  std::string raw;                 // append keeps the first kRejectedRawBytesMax bytes
};

struct StoredRejected {
  uint64_t sequence = 0;           // from 1
  RejectedEvent event;
};

struct RejectedFilter {
  std::optional<std::string> stream, code;
};

struct RejectedPage {
  std::vector<StoredRejected> items;   // newest first
  std::optional<uint64_t> next;        // pass as `before`; may be set though items are few
};

struct RejectedTotals {
  uint64_t next_sequence = 1;
  uint64_t oldest_sequence = 1;
  uint64_t bytes = 0;
  uint64_t dropped = 0;                // by the ring's bound
};

class RejectedLog {
 public:
  static constexpr size_t kScanMax = 20'000;

  RejectedLog(Env& env, uint16_t lane, uint64_t bytes_max = kRejectedBytesMax);

  cep::Status append(WriteTxn& txn, std::span<const RejectedEvent> events);
  cep::Result<std::optional<StoredRejected>> by_sequence(uint64_t sequence) const;
  cep::Result<RejectedPage> page(const RejectedFilter& filter, std::optional<uint64_t> before, size_t limit) const;
  cep::Result<RejectedTotals> totals() const;

 private:
  Key key_of(uint64_t sequence) const { return Key().u16(lane_).u64(sequence); }
  cep::Result<RejectedTotals> totals(ReadTxn& txn) const;
  cep::Result<std::optional<RejectedEvent>> load(ReadTxn& txn, uint64_t sequence, size_t* bytes = nullptr) const;
  cep::Status make_room(WriteTxn& txn, RejectedTotals& totals);

  Env& env_;
  uint16_t lane_;
  uint64_t bytes_max_;
  Dbi events_, totals_;
};

}  // namespace state
