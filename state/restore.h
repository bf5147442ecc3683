// Finds the last checkpoint that proves complete and gives it back.
// Invariant: a checkpoint is given back only if its seal, the digests of all its index pieces, every live record's
// checksum and the number of live keys agree; else the one before is tried and that is said in `notes`. If none
// proves, Error "damaged": never an empty state.
// Threads: at start, on the store thread, before CheckpointWriter. Complexity: O(records), memory 48 B a record.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "cep/result.h"
#include "state/checkpoint.h"
#include "state/env.h"

namespace state {

struct Restored {
  std::optional<SealedCheckpoint> checkpoint;   // none: no checkpoint was ever sealed
  CheckpointHistory history;                    // for CheckpointWriter
  std::vector<std::string> notes;               // what was wrong and what was done: log them as errors
};

// Called once for every key that has state, in no particular order; `segment` is its locator, the old_segment of
// its next record. `record.old_segment` is not set.
using RecordSink = std::function<cep::Status(const KeyRecord& record, uint32_t segment)>;

// Deletes what belongs to no sealed checkpoint. `sink` is called only after everything was verified; an Error it
// answers ends the restore with it. Error: damaged, io_error, disk_full.
cep::Result<Restored> restore_checkpoint(Env& env, uint16_t lane, const RecordSink& sink);

// Whether the log still has what the checkpoint needs: [first, end) must hold [reread_offset, applied_through).
// Without a checkpoint the log must begin at 0: nothing was ever deleted from it, so a state that lost its
// checkpoints is told from a young one. Error: log_trimmed, log_behind_checkpoint, state_missing.
cep::Status check_log_covers(const std::optional<SealedCheckpoint>& checkpoint, uint64_t log_first_offset,
                             uint64_t log_end_offset);

}  // namespace state
