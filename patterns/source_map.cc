// Source map: line tables by one scan when a file is added, positions by binary search.
#include "patterns/source_map.h"

#include <algorithm>

namespace patterns {

namespace {

// Length of the UTF-8 sequence that begins `bytes`, 1 if it is not valid there.
size_t sequence_bytes(std::string_view bytes) {
  const auto lead = static_cast<unsigned char>(bytes[0]);
  const size_t length = lead >= 0xF0 && lead < 0xF8 ? 4 : lead >= 0xE0 ? 3 : lead >= 0xC2 ? 2 : 1;
  if (lead < 0xC2 || lead >= 0xF8 || length > bytes.size()) return 1;
  for (size_t i = 1; i < length; ++i) {
    if ((static_cast<unsigned char>(bytes[i]) & 0xC0) != 0x80) return 1;
  }
  return length;
}

}  // namespace

uint32_t code_points(std::string_view bytes) {
  uint32_t count = 0;
  for (size_t at = 0; at < bytes.size(); ++count) at += sequence_bytes(bytes.substr(at));
  return count;
}

FileId SourceMap::add(std::string name, std::string text) {
  constexpr size_t kTextMax = UINT32_MAX - 1;
  if (text.size() > kTextMax) text.resize(kTextMax);
  File file{std::move(name), std::move(text), {0}};
  for (uint32_t i = 0; i < file.text.size(); ++i) {
    if (file.text[i] == '\n') file.line_begins.push_back(i + 1);
  }
  files_.push_back(std::move(file));
  return static_cast<FileId>(files_.size() - 1);
}

std::string_view SourceMap::text(const Span& span) const {
  const std::string_view all = files_[span.file].text;
  const size_t begin = std::min<size_t>(span.begin, all.size());
  const size_t end = std::clamp<size_t>(span.end, begin, all.size());
  return all.substr(begin, end - begin);
}

Position SourceMap::position(FileId file, uint32_t offset) const {
  const File& it = files_[file];
  const uint32_t at = std::min<uint32_t>(offset, static_cast<uint32_t>(it.text.size()));
  const auto next = std::upper_bound(it.line_begins.begin(), it.line_begins.end(), at);
  const uint32_t begin = *(next - 1);
  const auto line = static_cast<uint32_t>(next - it.line_begins.begin());
  return {line, 1 + code_points(std::string_view(it.text).substr(begin, at - begin))};
}

std::string_view SourceMap::line(FileId file, uint32_t line) const {
  const File& it = files_[file];
  if (line == 0 || line > it.line_begins.size()) return {};
  const uint32_t begin = it.line_begins[line - 1];
  size_t end = line < it.line_begins.size() ? it.line_begins[line] - 1 : it.text.size();
  if (end > begin && it.text[end - 1] == '\r') --end;
  return std::string_view(it.text).substr(begin, end - begin);
}

}  // namespace patterns
