// Reading the event log. A frame that does not decode is one of three things: the tail of a flush that failed (the
// next segment begins at this offset), the torn tail of the last segment, or damage.
#include "state/log_reader.h"

#include <algorithm>

namespace state {
namespace {

constexpr size_t kChunkBytes = size_t{128} << 10;

}  // namespace

cep::Result<std::unique_ptr<LogReader>> LogReader::open(FileSystem& files, std::string dir, uint64_t from_offset) {
  auto segments = list_segments(files, dir);
  if (!segments.ok()) return segments.error();
  std::unique_ptr<LogReader> reader(new LogReader(files, std::move(dir)));
  auto index = segment_of_offset(*segments, from_offset);
  if (!index && (from_offset != 0 || !segments->empty())) {
    std::string begins = segments->empty() ? "is empty" : "begins at " + std::to_string(segments->front().first_offset);
    return cep::Error{"log_trimmed", "offset " + std::to_string(from_offset) + " is wanted, but the log in " +
                                         reader->dir_ + " " + begins};
  }
  if (!index) return reader;   // an empty log from its beginning
  STATE_TRY(reader->open_segment((*segments)[*index]));
  if (*index + 1 < segments->size()) reader->segment_end_ = (*segments)[*index + 1].first_offset;
  while (reader->next_offset_ < from_offset) {
    auto frame = reader->step(from_offset, /*promised=*/false);
    if (!frame.ok()) return frame.error();
    if (!frame->has_value()) {
      return cep::Error{"log_trimmed", "offset " + std::to_string(from_offset) + " is wanted, but the log in " +
                                           reader->dir_ + " ends at " + std::to_string(reader->next_offset_)};
    }
    if ((*frame)->header.end_offset() > from_offset) {
      reader->step_back(**frame);
      break;
    }
  }
  return reader;
}

cep::Result<std::optional<FrameView>> LogReader::next(uint64_t limit) { return step(limit, limit != kToTheEnd); }

cep::Result<std::optional<FrameView>> LogReader::step(uint64_t limit, bool promised) {
  while (next_offset_ < limit) {
    if (file_ != nullptr && next_offset_ < segment_end_) {
      auto frame = read_frame();
      if (!frame.ok() || frame->has_value()) return frame;
    }
    auto moved = move_to_next_segment();
    if (!moved.ok()) return moved.error();
    if (*moved) continue;
    bool last = file_ == nullptr || segment_end_ == kToTheEnd;
    if (last && !promised) break;
    return damage();
  }
  return std::optional<FrameView>();
}

void LogReader::step_back(const FrameView& frame) {
  position_ = frame_position_;
  next_offset_ = frame.header.first_offset;
}

cep::Error LogReader::damage() const {
  std::string file = file_ == nullptr ? dir_ : dir_ + "/" + segment_.file_name();
  return {"damaged", file + " is damaged at byte " + std::to_string(position_) + " (log offset " +
                         std::to_string(next_offset_) + "): " + why_ +
                         ". Nothing after it was read. Put back this file from a copy, or start from a copy of the "
                         "whole data directory"};
}

cep::Status LogReader::open_segment(const LogSegment& segment) {
  auto file = files_.open(dir_ + "/" + segment.file_name(), OpenMode::kRead);
  if (!file.ok()) return file.error();
  file_ = std::move(*file);
  segment_ = segment;
  segment_end_ = kToTheEnd;
  buffer_.clear();
  buffer_start_ = position_ = 0;
  next_offset_ = segment.first_offset;
  return cep::ok_status();
}

// True if a segment other than the open one begins exactly here. Refreshes where the open one ends.
cep::Result<bool> LogReader::move_to_next_segment() {
  auto segments = list_segments(files_, dir_);
  if (!segments.ok()) return segments.error();
  auto index = segment_of_offset(*segments, next_offset_);
  if (!index) return false;
  const LogSegment& found = (*segments)[*index];
  uint64_t end = *index + 1 < segments->size() ? (*segments)[*index + 1].first_offset : kToTheEnd;
  bool open_already = file_ != nullptr && found.first_offset == segment_.first_offset &&
                      found.generation == segment_.generation;
  if (open_already || found.first_offset != next_offset_) {
    segment_end_ = end;
    return false;
  }
  STATE_TRY(open_segment(found));
  segment_end_ = end;
  return true;
}

cep::Result<bool> LogReader::fill(size_t bytes) {
  size_t skip = static_cast<size_t>(position_ - buffer_start_);
  if (buffer_.size() >= skip + bytes) return true;
  buffer_.erase(0, std::min(skip, buffer_.size()));
  buffer_start_ = position_;
  size_t have = buffer_.size();
  buffer_.resize(std::max(bytes, kChunkBytes));
  auto got = file_->read_at(buffer_start_ + have, buffer_.data() + have, buffer_.size() - have);
  buffer_.resize(have + (got.ok() ? *got : 0));
  if (!got.ok()) return got.error();
  return buffer_.size() >= bytes;
}

cep::Result<std::optional<FrameView>> LogReader::read_frame() {
  // Bytes read ahead beside a writer may be half-written: what does not decode is read once more.
  for (bool fresh : {false, true}) {
    if (fresh) {
      buffer_.clear();
      buffer_start_ = position_;
    }
    auto frame = decode_here();
    if (!frame.ok() || frame->has_value()) return frame;
  }
  return std::optional<FrameView>();
}

cep::Result<std::optional<FrameView>> LogReader::decode_here() {
  std::optional<FrameView> none;
  why_ = "the file ends within a frame";
  auto head = fill(8);
  if (!head.ok()) return head.error();
  if (!*head) return none;
  size_t length = frame_length(std::string_view(buffer_).substr(position_ - buffer_start_));
  why_ = "no frame begins here";
  if (length == 0) return none;
  why_ = "the file ends within a frame";
  auto body = fill(length);
  if (!body.ok()) return body.error();
  if (!*body) return none;
  auto frame = decode_frame(std::string_view(buffer_).substr(position_ - buffer_start_));
  if (!frame.ok()) {
    why_ = frame.error().message;
    return none;
  }
  if (frame->header.first_offset != next_offset_ || frame->header.end_offset() > segment_end_) {
    why_ = "a frame of offset " + std::to_string(frame->header.first_offset) + " stands there";
    return none;
  }
  frame_position_ = position_;
  position_ += length;
  next_offset_ = frame->header.end_offset();
  return std::optional<FrameView>(*frame);
}

}  // namespace state
