// What stands behind the first frame of the last segment that does not read: an unfinished write, or damage that would take acknowledged
// events with it. A flush is written only when the one before it is durable, so what cannot have been written with the bad frame proves
// that the bad frame was acknowledged.
// Invariant: nothing is cut off a segment whose bytes were not copied beside it first, but for a full disk where nothing readable is lost.
// Threads: functions of the start, before the log is written.
#pragma once

#include <string>

#include "cep/result.h"
#include "state/file.h"

namespace state {

struct LogTail {
  uint64_t frames = 0;          // whole ones behind the first that does not read
  uint64_t events = 0;          // in them
  bool acknowledged = false;    // they prove that what does not read was durable once: damage, not an unfinished write
};

// Looks for whole frames between `from` and `end` of a segment's file; the frame that does not read would have offset `next_offset`.
cep::Result<LogTail> look_behind(File& file, uint64_t from, uint64_t end, uint64_t next_offset);

// Copies these bytes to "<path>.cut-<from>" (or ".cut-<from>.1" and so on), durably. Returns the copy's path.
cep::Result<std::string> keep_tail(FileSystem& files, const std::string& dir, const std::string& name, uint64_t from, uint64_t end);

// Deletes the copies of a segment that is deleted.
cep::Status remove_kept_tails(FileSystem& files, const std::string& dir, const std::string& name);

}  // namespace state
