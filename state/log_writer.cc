// Writing the event log. The one subtle rule is here: what a failed fdatasync leaves behind is not known, so the
// file is abandoned at its last durable byte and the frames that were not acknowledged are written elsewhere.
#include "state/log_writer.h"

#include <algorithm>
#include <utility>

#include "state/log_reader.h"
#include "state/log_tail.h"

namespace state {
namespace {

constexpr int kFilesTriedByFlush = 3;   // then the caller hears of it and decides when to try again

bool is(const cep::Error& error, std::string_view code) { return error.code == code; }

}  // namespace

LogWriter::LogWriter(FileSystem& files, std::string dir, LogOptions options)
    : files_(files), dir_(std::move(dir)), options_(options) {}

cep::Result<std::unique_ptr<LogWriter>> LogWriter::open(FileSystem& files, std::string dir, LogOptions options) {
  std::unique_ptr<LogWriter> writer(new LogWriter(files, std::move(dir), options));
  STATE_TRY(files.make_dirs(writer->dir_));
  STATE_TRY(writer->recover());
  return writer;
}

cep::Status LogWriter::recover() {
  auto listed = list_segments(files_, dir_);
  if (!listed.ok()) return listed.error();
  segments_ = std::move(*listed);
  STATE_TRY(remove_superseded());
  if (segments_.empty()) return cep::ok_status();

  LogSegment& last = segments_.back();
  auto reader = LogReader::open(files_, dir_, last.first_offset);
  if (!reader.ok()) return reader.error();
  uint64_t end_offset = last.first_offset;   // after the last whole group, and its place in the file
  uint64_t end_byte = 0;
  for (;;) {
    auto frame = (*reader)->next();
    if (!frame.ok()) return frame.error();
    if (!frame->has_value()) break;
    if ((*frame)->more()) continue;
    end_offset = (*frame)->header.end_offset();
    end_byte = (*reader)->file_position();
  }
  if (end_offset < options_.needed_until) {
    return cep::Error{"damaged", path_of(last) + " does not read from byte " + std::to_string(end_byte) + " (offset " +
                                     std::to_string(end_offset) + ") on, and the last checkpoint needs offset " +
                                     std::to_string(options_.needed_until) +
                                     ". Nothing was changed; put the log directory back from a copy"};
  }
  auto file = files_.open(path_of(last), OpenMode::kReadWrite);
  if (!file.ok()) return file.error();
  recovery_.first_offset = segments_.front().first_offset;
  recovery_.end_offset = end_offset;
  recovery_.cut_bytes = last.bytes - end_byte;
  if (recovery_.cut_bytes > 0) STATE_TRY(cut_tail(**file, (*reader)->file_position()));
  // Frames of the last run that were never acknowledged may only be in the page cache, and are processed from here.
  STATE_TRY((*file)->sync());
  last.bytes = end_byte;
  if (end_byte == 0) last.first_received_us.reset();
  file_ = std::move(*file);
  next_offset_ = durable_offset_ = end_offset;
  return cep::ok_status();
}

// `bad_byte`: where the first frame begins that does not read; the group before it may lack its end.
cep::Status LogWriter::cut_tail(File& file, uint64_t bad_byte) {
  const LogSegment& last = segments_.back();
  const uint64_t end_byte = last.bytes - recovery_.cut_bytes;
  auto behind = look_behind(file, bad_byte, last.bytes, recovery_.end_offset);
  if (!behind.ok()) return behind.error();
  recovery_.cut_frames = behind->frames;
  recovery_.cut_events = behind->events;
  if (behind->acknowledged) {
    return cep::Error{"damaged", path_of(last) + " is damaged at byte " + std::to_string(bad_byte) + " (log offset " +
                                     std::to_string(recovery_.end_offset) + "): " + std::to_string(behind->frames) +
                                     " whole frames with " + std::to_string(behind->events) +
                                     " events stand behind it, so it was acknowledged and is no unfinished write. Nothing was changed; put "
                                     "this file back from a copy. Without one, `truncate -s " + std::to_string(end_byte) +
                                     "` of a copied log gives up everything behind the damage"};
  }
  auto copy = keep_tail(files_, dir_, last.file_name(), end_byte, last.bytes);
  if (!copy.ok() && (copy.error().code != "disk_full" || behind->frames > 0)) return copy.error();
  if (copy.ok()) recovery_.cut_copy = *copy;
  return file.truncate(end_byte);
}

cep::Status LogWriter::remove_superseded() {
  auto names = files_.list(dir_);
  if (!names.ok()) return names.error();
  for (const std::string& name : *names) {
    bool known = !parse_segment_name(name) || std::any_of(segments_.begin(), segments_.end(), [&](const LogSegment& s) {
      return s.file_name() == name;
    });
    if (!known) STATE_TRY(files_.remove(dir_ + "/" + name));
  }
  return cep::ok_status();
}

cep::Result<uint64_t> LogWriter::append(std::span<const FrameInput> group) {
  WEIR_CHECK(!group.empty(), "a group has a frame");
  size_t before = pending_.size();
  uint64_t offset = next_offset_;
  for (size_t i = 0; i < group.size(); ++i) {
    FrameInput frame = group[i];
    frame.header.first_offset = offset;
    bool more = i + 1 < group.size();
#ifdef WEIR_MUTANT_GROUP_IN_PARTS      // caught by LogTest.TornTailIsCutAtEveryByte
    more = false;
#endif
    frame.header.flags = more ? frame.header.flags | kFrameMore : frame.header.flags & ~kFrameMore;
    if (auto encoded = encode_frame(frame, pending_); !encoded.ok()) {
      pending_.resize(before);
      return encoded.error();
    }
    offset = frame.header.end_offset();
  }
  groups_.push_back({pending_.size(), offset, group.front().header.received_us});
  return std::exchange(next_offset_, offset);
}

cep::Status LogWriter::flush() {
  int files_tried = 0;
  while (!groups_.empty()) {
    if (file_ == nullptr || !first_group_fits()) STATE_TRY(open_segment());
    auto written = write_groups(groups_that_fit());
    if (written.ok()) continue;
    if (file_ != nullptr || ++files_tried == kFilesTriedByFlush) return written;   // disk full, or three files failed
  }
  return cep::ok_status();
}

bool LogWriter::first_group_fits() const {
  uint64_t used = segments_.back().bytes;
  return used == 0 || used + groups_.front().end_byte <= options_.segment_bytes_max;
}

size_t LogWriter::groups_that_fit() const {
  uint64_t used = segments_.back().bytes;
  size_t count = 1;
  while (count < groups_.size() && used + groups_[count].end_byte <= options_.segment_bytes_max) ++count;
  return count;
}

// Begins a file at durable_offset_. Its name is durable before anything in it counts.
cep::Status LogWriter::open_segment() {
  file_.reset();
  LogSegment segment{.first_offset = durable_offset_, .generation = 0, .bytes = 0, .first_received_us = {}};
  bool replaces = !segments_.empty() && segments_.back().first_offset == durable_offset_;
  if (replaces) segment.generation = segments_.back().generation + 1;
  auto file = files_.open(path_of(segment), OpenMode::kCreateNew);
  while (!file.ok() && is(file.error(), "exists")) {   // left by an attempt whose directory flush failed
    ++segment.generation;
    file = files_.open(path_of(segment), OpenMode::kCreateNew);
  }
  if (!file.ok()) return file.error();
  STATE_TRY(files_.sync_dir(dir_));
  if (replaces) {
    // Best effort: a higher generation wins whether or not the old file is there, and the next open removes it.
    static_cast<void>(files_.remove(path_of(segments_.back())));
    segments_.pop_back();
  }
  segments_.push_back(segment);
  file_ = std::move(*file);
  return cep::ok_status();
}

cep::Status LogWriter::write_groups(size_t groups) {
  LogSegment& segment = segments_.back();
  size_t bytes = groups_[groups - 1].end_byte;
  auto written = file_->write_at(segment.bytes, std::string_view(pending_).substr(0, bytes));
  if (!written.ok() && is(written.error(), "disk_full")) {
    // No flush failed, so the file may be used again: the next attempt overwrites what this one left.
    static_cast<void>(file_->truncate(segment.bytes));
    return written;
  }
  auto synced = written.ok() ? file_->sync() : written;
#ifdef WEIR_MUTANT_RETRY_FDATASYNC   // caught by LogTest.FailedFlushLosesNothing
  if (!synced.ok()) synced = file_->sync();
#endif
  if (!synced.ok()) {
    seal();
    return synced;
  }
  if (!segment.first_received_us) segment.first_received_us = groups_.front().received_us;
  segment.bytes += bytes;
  forget_groups(groups);
  return cep::ok_status();
}

// The file ends at its last durable byte. Cutting it off is a courtesy to readers: the name of the next segment
// already says that nothing after it counts.
void LogWriter::seal() {
  ++failed_flushes_;
  static_cast<void>(file_->truncate(segments_.back().bytes));
  file_.reset();
}

void LogWriter::forget_groups(size_t groups) {
  size_t bytes = groups_[groups - 1].end_byte;
  durable_offset_ = groups_[groups - 1].end_offset;
  pending_.erase(0, bytes);
  groups_.erase(groups_.begin(), groups_.begin() + static_cast<std::ptrdiff_t>(groups));
  for (Group& group : groups_) group.end_byte -= bytes;
}

cep::Result<size_t> LogWriter::trim(const LogRetention& keep, cep::TimeUs now_us) {
  size_t count = expired_segments(segments_, keep, now_us);
  for (size_t i = 0; i < count; ++i) {
    STATE_TRY(remove_kept_tails(files_, dir_, segments_.front().file_name()));
    STATE_TRY(files_.remove(path_of(segments_.front())));
    segments_.erase(segments_.begin());
    // Each name before the next: else a power cut could leave a hole.
    STATE_TRY(files_.sync_dir(dir_));
  }
  return count;
}

}  // namespace state
