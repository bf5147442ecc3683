// Who edited which list or table, when and how: a ring of bounded size, by the offset of the edit's record in the event log.
// Invariant: one entry an offset, however often its record is read again; the oldest go when the ring is full, and are counted.
// Threads: append inside the store thread's transaction; reads from any thread, one short transaction each.
#pragma once

#include <atomic>
#include <optional>
#include <string>
#include <vector>

#include "cep/result.h"
#include "state/bytes.h"
#include "state/env.h"

namespace state {

inline constexpr uint64_t kEditBytesMax = uint64_t{64} << 20;

struct EditEntry {
  uint64_t offset = 0;
  std::string dataset;
  std::string body;              // JSON, the service's
};

struct EditPage {
  std::vector<EditEntry> items;  // newest first
  std::optional<uint64_t> next;  // pass as `before`; may be set though items are few
};

class EditLog {
 public:
  static constexpr size_t kScanMax = 20'000;

  EditLog(Env& env, uint16_t lane, uint64_t bytes_max = kEditBytesMax);

  cep::Status append(WriteTxn& txn, const EditEntry& entry);
  // `dataset` empty: of all.
  cep::Result<EditPage> page(const std::string& dataset, std::optional<uint64_t> before, size_t limit) const;
  uint64_t dropped() const { return dropped_; }      // by the ring's bound, ever

 private:
  struct Totals {
    uint64_t bytes = 0, dropped = 0;
  };
  Key key_of(uint64_t offset) const { return Key().u16(lane_).u64(offset); }
  cep::Result<Totals> totals(ReadTxn& txn) const;

  Env& env_;
  uint16_t lane_;
  uint64_t bytes_max_;
  Dbi edits_, totals_;
  std::atomic<uint64_t> dropped_{0};                 // as the totals have it
};

}  // namespace state
