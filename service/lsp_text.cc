#include "service/lsp_text.h"

#include <algorithm>
#include <charconv>

#include "patterns/source_map.h"

namespace service {
namespace {

// Where a line ends: before "\n", "\r\n" or a lone "\r".
size_t line_end(std::string_view text, size_t from) { return std::min(text.find_first_of("\r\n", from), text.size()); }

size_t next_line(std::string_view text, size_t end) {
  if (end == text.size()) return end;
  return end + (text.substr(end).starts_with("\r\n") ? 2 : 1);
}

uint32_t units(size_t character_bytes) { return character_bytes == 4 ? 2 : 1; }

}  // namespace

uint32_t offset_of(std::string_view text, LspPosition position) {
  size_t at = 0;
  for (uint32_t line = 0; line < position.line; ++line) {
    const size_t end = line_end(text, at);
    if (end == text.size()) return static_cast<uint32_t>(end);
    at = next_line(text, end);
  }
  const size_t end = line_end(text, at);
  for (uint32_t column = 0; at < end && column < position.character;) {
    const size_t length = patterns::character_bytes(text.substr(at));
    column += units(length);
    if (column > position.character) break;
    at += length;
  }
  return static_cast<uint32_t>(at);
}

LspPosition position_of(std::string_view text, uint32_t offset) {
  const size_t target = std::min<size_t>(offset, text.size());
  LspPosition position;
  size_t at = 0;
  for (size_t end = line_end(text, 0); end < target; end = line_end(text, at)) {
    const size_t next = next_line(text, end);
    if (next > target) break;
    at = next;
    ++position.line;
    if (end == text.size()) break;
  }
  while (at < target) {
    const size_t length = patterns::character_bytes(text.substr(at));
    if (at + length > target) break;
    position.character += units(length);
    at += length;
  }
  return position;
}

std::string path_of_uri(std::string_view uri) {
  constexpr std::string_view kScheme = "file://";
  if (!uri.starts_with(kScheme)) return "";
  uri.remove_prefix(kScheme.size());
  uri.remove_prefix(std::min(uri.find('/'), uri.size()));      // the host: empty or localhost
  std::string path;
  for (size_t i = 0; i < uri.size(); ++i) {
    uint8_t byte = 0;
    const bool escaped = uri[i] == '%' && i + 2 < uri.size() &&
                         std::from_chars(uri.data() + i + 1, uri.data() + i + 3, byte, 16).ptr == uri.data() + i + 3;
    path += escaped ? static_cast<char>(byte) : uri[i];
    if (escaped) i += 2;
  }
  return path;
}

}  // namespace service
