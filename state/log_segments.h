// The files of an event log: their names, their order, which of them hold an offset or an age.
// Invariant: a segment ends where the next one's name begins; bytes after that point are the tail of a flush
// that failed and are never read. Of two files with one first offset the higher generation is the segment.
// Threads: free functions over a directory; may run beside the one LogWriter.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "cep/result.h"
#include "cep/types.h"
#include "state/file.h"

namespace state {

inline constexpr uint64_t kSegmentBytesMax = uint64_t{256} << 20;

struct LogSegment {
  uint64_t first_offset = 0;
  uint32_t generation = 0;   // above 0 only after a flush failed before anything in the file was durable
  uint64_t bytes = 0;
  std::optional<cep::TimeUs> first_received_us;   // of its first frame; none while it is empty

  std::string file_name() const;   // "<first offset, 20 digits>.<generation>.log"
};

// Without `first_received_us` and `bytes`; nothing if the name is not a segment's.
std::optional<LogSegment> parse_segment_name(const std::string& name);

// In order of offsets, superseded generations left out; sizes and times are those of now. A missing directory
// is an empty log.
cep::Result<std::vector<LogSegment>> list_segments(FileSystem& files, const std::string& dir);

// Index of the segment that holds `offset` (the last whose first offset is not greater), or nothing before the log.
std::optional<size_t> segment_of_offset(const std::vector<LogSegment>& segments, uint64_t offset);

// First offset of the first segment that begins at or after `offset`.
std::optional<uint64_t> first_segment_from(const std::vector<LogSegment>& segments, uint64_t offset);

// An offset at or before every frame received at or after `time_us` (as far as the log reaches back): where a
// warm start that wants rows since `time_us` begins to read.
uint64_t offset_not_after_time(const std::vector<LogSegment>& segments, cep::TimeUs time_us);

struct LogRetention {
  cep::DurationUs keep_us = 7 * cep::kDay;
  uint64_t keep_bytes = uint64_t{50} << 30;
  uint64_t floor_offset = 0;   // nothing at or after this offset is deleted
};

// How many of the oldest segments may go now; never the last one.
size_t expired_segments(const std::vector<LogSegment>& segments, const LogRetention& keep, cep::TimeUs now_us);

}  // namespace state
