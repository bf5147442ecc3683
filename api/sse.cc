#include "api/sse.h"

#include <charconv>

namespace api {

void append_sse_event(std::string_view id, std::string_view event, std::string_view data, std::string& out) {
  if (!id.empty()) out.append("id: ").append(id).append("\n");
  out.append("event: ").append(event).append("\n");
  for (size_t at = 0;;) {
    const size_t end = data.find_first_of("\r\n", at);
    out.append("data: ").append(data.substr(at, end - at)).append("\n");
    if (end == std::string_view::npos) break;
    at = end + (data.substr(end, 2) == "\r\n" ? 2 : 1);
  }
  out += '\n';
}

void append_sse_comment(std::string_view text, std::string& out) { out.append(": ").append(text).append("\n\n"); }

std::string format_cursor(const AlertCursor& cursor) {
  return std::to_string(cursor.lane) + ":" + std::to_string(cursor.sequence);
}

std::optional<AlertCursor> parse_cursor(std::string_view text) {
  const size_t colon = text.find(':');
  if (colon == std::string_view::npos) return std::nullopt;
  AlertCursor cursor;
  auto read = [](std::string_view digits, auto* number) {
    const auto end = std::from_chars(digits.data(), digits.data() + digits.size(), *number);
    return end.ec == std::errc() && end.ptr == digits.data() + digits.size();
  };
  if (!read(text.substr(0, colon), &cursor.lane) || !read(text.substr(colon + 1), &cursor.sequence))
    return std::nullopt;
  return cursor;
}

}  // namespace api
