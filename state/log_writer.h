// Appends groups of frames to the event log and makes them durable together.
// Invariant: an offset below durable_offset() survives a power cut; a file whose fdatasync failed is never
// written or flushed again: it is sealed at the last durable offset and what was not acknowledged goes to a new one.
// Threads: owned by the log thread. Test: tests/unit/state/log_test.cc (crash at every operation).
#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "cep/result.h"
#include "state/file.h"
#include "state/format.h"
#include "state/log_segments.h"

namespace state {

struct LogOptions {
  uint64_t segment_bytes_max = kSegmentBytesMax;
  uint64_t needed_until = 0;     // a checkpoint holds every offset below: a tail that begins earlier is damage and is not cut
};

// What open found at the end of the log.
struct LogRecovery {
  uint64_t first_offset = 0;   // of the oldest segment
  uint64_t end_offset = 0;     // the next frame gets it
  uint64_t cut_bytes = 0;      // torn tail, or a group without its last frame, that was cut off
  std::string cut_copy = {};   // where they are; empty: the disk had no room for a copy, and nothing in them was readable
  uint64_t cut_frames = 0;     // whole frames among them, behind one that does not read,
  uint64_t cut_events = 0;     // and the events in those
};

class LogWriter {
 public:
  // Opens or makes the log in `dir`, checks the last segment frame by frame and cuts its torn tail, of which a copy stays beside it.
  // What cannot be an unfinished write, because what stands behind it was flushed later, is damage and is not cut.
  // Error: damaged (with file and offset), io_error, disk_full.
  static cep::Result<std::unique_ptr<LogWriter>> open(FileSystem& files, std::string dir, LogOptions options = {});

  const LogRecovery& recovery() const { return recovery_; }

  // Takes one request: its frames get offsets and stay together. Nothing is written before flush().
  // Returns the first offset. Error: too_large, bad_frame; then nothing was taken.
  cep::Result<uint64_t> append(std::span<const FrameInput> group);

  // Writes and flushes everything appended so far. After an Error (disk_full, io_error) the frames are still
  // held, those below durable_offset() are safe, and flush() may be called again at any time.
  cep::Status flush();

  uint64_t next_offset() const { return next_offset_; }
  uint64_t durable_offset() const { return durable_offset_; }   // first offset that is not durable yet
  size_t pending_bytes() const { return pending_.size(); }
  uint64_t failed_flushes() const { return failed_flushes_; }   // each sealed a file

  // Oldest first; the last is the one being written.
  const std::vector<LogSegment>& segments() const { return segments_; }

  // Deletes whole segments that are too old or too many. Returns how many.
  cep::Result<size_t> trim(const LogRetention& keep, cep::TimeUs now_us);

 private:
  struct Group {
    size_t end_byte;                // in pending_
    uint64_t end_offset;
    cep::TimeUs received_us;        // of its first frame
  };

  LogWriter(FileSystem& files, std::string dir, LogOptions options);
  cep::Status recover();
  cep::Status cut_tail(File& file, uint64_t bad_byte);
  cep::Status remove_superseded();
  cep::Status open_segment();
  cep::Status write_groups(size_t groups);
  bool first_group_fits() const;
  size_t groups_that_fit() const;
  void seal();
  void forget_groups(size_t groups);
  std::string path_of(const LogSegment& segment) const { return dir_ + "/" + segment.file_name(); }

  FileSystem& files_;
  std::string dir_;
  LogOptions options_;
  LogRecovery recovery_;
  std::vector<LogSegment> segments_;
  std::unique_ptr<File> file_;      // null: the next flush opens a segment
  std::string pending_;             // encoded frames that are not durable
  std::vector<Group> groups_;
  uint64_t next_offset_ = 0;
  uint64_t durable_offset_ = 0;
  uint64_t failed_flushes_ = 0;
};

}  // namespace state
