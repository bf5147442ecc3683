// See log_tail.h. Test: tests/unit/state/log_test.cc.
#include "state/log_tail.h"

#include <algorithm>
#include <limits>

#include "state/format.h"

namespace state {
namespace {

// Requests of one flush come within milliseconds of each other: the linger is a second at most.
constexpr cep::DurationUs kOneFlushMax = 10 * cep::kSecond;
constexpr size_t kCopyBytes = size_t{1} << 20;

// Frames that are always flushed alone.
bool has_own_flush(FrameKind kind) {
  return kind != FrameKind::kEvents && kind != FrameKind::kWatermark && kind != FrameKind::kPosition;
}

cep::Result<std::string> read_range(File& file, uint64_t from, uint64_t end) {
  std::string bytes(end - from, '\0');
  auto got = file.read_at(from, bytes.data(), bytes.size());
  if (!got.ok()) return got.error();
  bytes.resize(*got);
  return bytes;
}

std::string cut_name(const std::string& name, uint64_t from) { return name + ".cut-" + std::to_string(from); }

}  // namespace

cep::Result<LogTail> look_behind(File& file, uint64_t from, uint64_t end, uint64_t next_offset) {
  auto read = read_range(file, from, end);
  if (!read.ok()) return read.error();
  const std::string_view bytes = *read;
  LogTail tail;
  cep::TimeUs first_us = std::numeric_limits<cep::TimeUs>::max(), last_us = std::numeric_limits<cep::TimeUs>::min();
  for (size_t at = 0; at + kFrameHeaderBytes <= bytes.size();) {
    // The offset tells frames from anything else long before the checksum is computed.
    const size_t length = frame_length(bytes.substr(at));
    const bool fits = length != 0 && length <= bytes.size() - at && load_le<uint64_t>(bytes.data() + at + 16) >= next_offset;
    auto frame = fits ? decode_frame(bytes.substr(at, length)) : cep::Result<FrameView>(cep::Error{"damaged", ""});
    if (!frame.ok()) {
      ++at;
      continue;
    }
    const FrameHeader& header = frame->header;
    ++tail.frames;
    tail.events += header.events;
    first_us = std::min(first_us, header.received_us);
    last_us = std::max(last_us, header.received_us);
    tail.acknowledged |= has_own_flush(header.kind);
    at += length;
  }
  if (tail.frames > 0 && last_us - first_us > kOneFlushMax) tail.acknowledged = true;
  return tail;
}

cep::Result<std::string> keep_tail(FileSystem& files, const std::string& dir, const std::string& name, uint64_t from, uint64_t end) {
  auto source = files.open(dir + "/" + name, OpenMode::kRead);
  if (!source.ok()) return source.error();
  const std::string base = dir + "/" + cut_name(name, from);
  std::string path = base;
  auto copy = files.open(path, OpenMode::kCreateNew);
  for (int n = 1; !copy.ok() && copy.error().code == "exists"; ++n) {     // of a start that did not get further, or of an earlier cut
    path = base + "." + std::to_string(n);
    copy = files.open(path, OpenMode::kCreateNew);
  }
  if (!copy.ok()) return copy.error();
  cep::Status done = cep::ok_status();
  for (uint64_t at = from; at < end && done.ok(); at += kCopyBytes) {
    auto piece = read_range(**source, at, std::min(end, at + kCopyBytes));
    done = piece.ok() ? (*copy)->write_at(at - from, *piece) : cep::Status(piece.error());
  }
  if (done.ok()) done = (*copy)->sync();
  if (done.ok()) done = files.sync_dir(dir);
  if (done.ok()) return path;
  static_cast<void>(files.remove(path));      // half a copy is none
  return done.error();
}

cep::Status remove_kept_tails(FileSystem& files, const std::string& dir, const std::string& name) {
  auto names = files.list(dir);
  if (!names.ok()) return names.error();
  for (const std::string& other : *names) {
    if (other.starts_with(name + ".cut-")) STATE_TRY(files.remove(dir + "/" + other));
  }
  return cep::ok_status();
}

}  // namespace state
