// Source map: line tables by one scan when a file is added, positions by binary search.
#include "patterns/source_map.h"

#include <algorithm>

namespace patterns {

// RFC 3629, section 4: behind some leads the second byte has less room, which leaves out overlong forms, surrogates and
// what lies beyond U+10FFFF.
size_t character_bytes(std::string_view bytes) {
  const auto byte = [&](size_t i) { return static_cast<unsigned char>(bytes[i]); };
  const unsigned lead = byte(0);
  const size_t length = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : lead >= 0xC2 ? 2 : 1;
  if (length == 1 || lead > 0xF4 || length > bytes.size()) return 1;
  const unsigned least = lead == 0xE0 ? 0xA0 : lead == 0xF0 ? 0x90 : 0x80;
  const unsigned most = lead == 0xED ? 0x9F : lead == 0xF4 ? 0x8F : 0xBF;
  if (byte(1) < least || byte(1) > most) return 1;
  for (size_t i = 2; i < length; ++i) {
    if ((byte(i) & 0xC0) != 0x80) return 1;
  }
  return length;
}

uint32_t code_points(std::string_view bytes) {
  uint32_t count = 0;
  for (size_t at = 0; at < bytes.size(); ++count) at += character_bytes(bytes.substr(at));
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
