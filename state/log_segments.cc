// Names and order of segment files; what retention may delete.
#include "state/log_segments.h"

#include <algorithm>
#include <charconv>
#include <cstdio>

#include "state/format.h"

namespace state {
namespace {

constexpr size_t kOffsetDigits = 20;
constexpr std::string_view kSuffix = ".log";

// The wall clock of the first frame; nothing in an empty file or where a tail was torn.
cep::Result<std::optional<cep::TimeUs>> first_received(File& file, uint64_t first_offset) {
  char bytes[kFrameHeaderBytes];
  auto got = file.read_at(0, bytes, sizeof bytes);
  if (!got.ok()) return got.error();
  if (*got < sizeof bytes) return std::optional<cep::TimeUs>();
  if (load_le<uint64_t>(bytes + 16) != first_offset) return std::optional<cep::TimeUs>();
  return std::optional<cep::TimeUs>(load_le<int64_t>(bytes + 32));
}

}  // namespace

std::string LogSegment::file_name() const {
  char name[48];
  std::snprintf(name, sizeof name, "%020llu.%u.log", static_cast<unsigned long long>(first_offset), generation);
  return name;
}

std::optional<LogSegment> parse_segment_name(const std::string& name) {
  if (name.size() < kOffsetDigits + 2 + kSuffix.size() || !name.ends_with(kSuffix)) return std::nullopt;
  const char* end = name.data() + name.size() - kSuffix.size();
  LogSegment segment;
  auto offset = std::from_chars(name.data(), name.data() + kOffsetDigits, segment.first_offset);
  if (offset.ec != std::errc() || offset.ptr != name.data() + kOffsetDigits || *offset.ptr != '.') return std::nullopt;
  auto generation = std::from_chars(offset.ptr + 1, end, segment.generation);
  if (generation.ec != std::errc() || generation.ptr != end) return std::nullopt;
  return segment;
}

cep::Result<std::vector<LogSegment>> list_segments(FileSystem& files, const std::string& dir) {
  auto names = files.list(dir);
  if (!names.ok()) {
    if (names.error().code == "not_found") return std::vector<LogSegment>();
    return names.error();
  }
  std::vector<LogSegment> found;
  for (const std::string& name : *names) {
    if (auto segment = parse_segment_name(name)) found.push_back(*segment);
  }
  std::sort(found.begin(), found.end(), [](const LogSegment& a, const LogSegment& b) {
    return a.first_offset != b.first_offset ? a.first_offset < b.first_offset : a.generation < b.generation;
  });
  std::vector<LogSegment> segments;
  for (LogSegment& segment : found) {
    if (!segments.empty() && segments.back().first_offset == segment.first_offset) segments.pop_back();
    segments.push_back(segment);
  }
  for (LogSegment& segment : segments) {
    auto file = files.open(dir + "/" + segment.file_name(), OpenMode::kRead);
    if (!file.ok() && file.error().code == "not_found") continue;   // deleted by the writer since the listing
    if (!file.ok()) return file.error();
    auto size = (*file)->size();
    if (!size.ok()) return size.error();
    auto received = first_received(**file, segment.first_offset);
    if (!received.ok()) return received.error();
    segment.bytes = *size;
    segment.first_received_us = *received;
  }
  return segments;
}

std::optional<size_t> segment_of_offset(const std::vector<LogSegment>& segments, uint64_t offset) {
  auto before = [](uint64_t wanted, const LogSegment& segment) { return wanted < segment.first_offset; };
  auto after = std::upper_bound(segments.begin(), segments.end(), offset, before);
  if (after == segments.begin()) return std::nullopt;
  return static_cast<size_t>(after - segments.begin()) - 1;
}

std::optional<uint64_t> first_segment_from(const std::vector<LogSegment>& segments, uint64_t offset) {
  for (const LogSegment& segment : segments) {
    if (segment.first_offset >= offset) return segment.first_offset;
  }
  return std::nullopt;
}

uint64_t offset_not_after_time(const std::vector<LogSegment>& segments, cep::TimeUs time_us) {
  uint64_t offset = segments.empty() ? 0 : segments.front().first_offset;
  for (const LogSegment& segment : segments) {
    if (!segment.first_received_us || *segment.first_received_us >= time_us) break;
    offset = segment.first_offset;
  }
  return offset;
}

size_t expired_segments(const std::vector<LogSegment>& segments, const LogRetention& keep, cep::TimeUs now_us) {
  uint64_t bytes = 0;
  for (const LogSegment& segment : segments) bytes += segment.bytes;
  size_t count = 0;
  for (; count + 1 < segments.size(); ++count) {
    const LogSegment& next = segments[count + 1];
    if (next.first_offset > keep.floor_offset) break;
    // All of a segment came before the first frame of the next one.
    bool too_old = next.first_received_us && *next.first_received_us < now_us - keep.keep_us;
    if (!too_old && bytes <= keep.keep_bytes) break;
    bytes -= segments[count].bytes;
  }
  return count;
}

}  // namespace state
