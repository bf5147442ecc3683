// Reads the event log from an offset, in order, frame by frame.
// Invariant: frames come without gap; a bad frame that is not the torn tail of the last segment is an Error with
// file and offset, never skipped. Reads only: cutting a torn tail is LogWriter::open's work.
// Threads: each reader belongs to one thread and may run beside the writer when it stays below durable_offset().
#pragma once

#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "cep/result.h"
#include "state/file.h"
#include "state/format.h"
#include "state/log_segments.h"

namespace state {

class LogReader {
 public:
  static constexpr uint64_t kToTheEnd = std::numeric_limits<uint64_t>::max();

  // The first frame given is the one that holds `from_offset`. Error: log_trimmed if the log begins later,
  // damaged, io_error.
  static cep::Result<std::unique_ptr<LogReader>> open(FileSystem& files, std::string dir, uint64_t from_offset);

  // The next frame that begins below `limit`, or nothing. The view holds until the next call. Beside a writer pass
  // its durable_offset(): then nothing means "not yet", and a later call goes on from there.
  // Error: damaged, io_error; the reader stays where it is.
  cep::Result<std::optional<FrameView>> next(uint64_t limit = kToTheEnd);

  uint64_t next_offset() const { return next_offset_; }       // of the frame that comes next
  // Where the frame that comes next begins in its file; with `next_offset` a complete place to report.
  uint64_t file_position() const { return position_; }

 private:
  LogReader(FileSystem& files, std::string dir) : files_(files), dir_(std::move(dir)) {}
  // `promised`: the caller knows that frames reach `limit`, so a torn tail below it is damage.
  cep::Result<std::optional<FrameView>> step(uint64_t limit, bool promised);
  void step_back(const FrameView& frame);
  cep::Error damage() const;
  cep::Status open_segment(const LogSegment& segment);
  cep::Result<bool> move_to_next_segment();
  cep::Result<bool> fill(size_t bytes);                       // false: the file ends before
  cep::Result<std::optional<FrameView>> read_frame();         // nothing: no whole frame is here
  cep::Result<std::optional<FrameView>> decode_here();

  FileSystem& files_;
  std::string dir_;
  LogSegment segment_;
  uint64_t segment_end_ = kToTheEnd;   // first offset of the next segment, where this one ends
  std::unique_ptr<File> file_;
  std::string buffer_;                 // bytes of the file from buffer_start_
  uint64_t buffer_start_ = 0;
  uint64_t position_ = 0;
  uint64_t frame_position_ = 0;        // of the frame given last
  uint64_t next_offset_ = 0;
  std::string why_;                    // what kept the last frame from being read
};

}  // namespace state
