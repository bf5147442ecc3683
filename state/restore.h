// Finds the last checkpoint that proves complete and gives it back.
// Invariant: a checkpoint is given back only if its seal, the digests of all its index pieces, every live record's
// checksum and the number of live keys agree; else the one before is tried and that is said in `notes`. If none
// proves, Error "damaged": never an empty state.
// Threads: at start, before CheckpointWriter; records are proved by several. Complexity: O(records).
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "cep/result.h"
#include "state/checkpoint.h"
#include "state/env.h"
#include "state/live_records.h"

namespace state {

struct Restored {
  std::optional<SealedCheckpoint> checkpoint;   // none: no checkpoint was ever sealed
  LiveRecords records;                          // of the checkpoint, proved: read every key that has state, until something is written
  CheckpointHistory history;                    // for CheckpointWriter
  std::vector<std::string> notes;               // what was wrong and what was done: log them as errors
};

// The seals that are kept, oldest first, as far as they can be read; nothing else is proved or changed.
cep::Result<std::vector<SealRecord>> read_seals(const Env& env, uint16_t lane);

// Deletes what belongs to no sealed checkpoint. Error: damaged, io_error, disk_full.
cep::Result<Restored> restore_checkpoint(Env& env, uint16_t lane);

// Whether the log still has what the checkpoint needs: [first, end) must hold [reread_offset, applied_through).
// Without a checkpoint the log must begin at 0: nothing was ever deleted from it, so a state that lost its
// checkpoints is told from a young one. Error: log_trimmed, log_behind_checkpoint, state_missing.
cep::Status check_log_covers(const std::optional<SealedCheckpoint>& checkpoint, uint64_t log_first_offset,
                             uint64_t log_end_offset);

}  // namespace state
