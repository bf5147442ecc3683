// `weir bench state`: what many keys cost a lane, from the log to the seals: memory of a key and of a run, how long a checkpoint keeps a
// shard from answering, how much is written for what changes, and how long a start takes. A lane of its own in a temporary directory,
// without HTTP, with one rule; each key has one live run at first.
// Threads: the caller's, one that asks shards, one that reads the clock, and those of the lane.
#pragma once

#include <cstdint>
#include <string>

#include "cep/result.h"

namespace service {

struct StateFigure {
  uint64_t keys = 0;
  uint32_t shards = 1;
  double events_per_s = 0;                  // while the keys were made
  double bytes_per_key = 0;                 // with its one run: the block and its slot
  double resident_per_key = 0;              // of the whole process, log and store included
  double bytes_per_run = 0;                 // one more
  double disk_per_key = 0;                  // of state/ behind the first checkpoint
  uint64_t changed_per_checkpoint = 0;      // keys
  uint64_t checkpoints = 0;                 // with so many changed keys each
  double checkpoint_ms = 0;                 // from its barrier to its seal, on the average
  double written_per_changed_byte = 0;      // bytes written for a byte of the changed keys' memory: those of the log are not counted
  struct Answers {                          // to questions to shards, in us
    double p99_us = 0, max_us = 0;          // from question to answer
    double work_max_us = 0;                 // of that, what the shard worked meanwhile by its thread's clock: what is ours
    double gauge_max_us = 0;                // how long a thread that only wakes up and reads the clock was kept from it
  };
  Answers busy, calm;                       // while checkpoints are taken, and while nothing is done
  double restart_s = 0;                     // from the last seal to taking events
  double restart_cpu_s = 0;                 // of all threads meanwhile
};

// `directory` is made, and removed at the end.
cep::Result<StateFigure> measure_state(const std::string& directory, uint64_t keys, uint32_t shards);

}  // namespace service
