// Places in a text as an editor counts them: lines from 0, columns from 0 in units of UTF-16 (what the Language Server Protocol fixes),
// and bytes as the compiler counts. Bytes that are no UTF-8 count as one unit.
// Threads: pure functions. O(text).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace service {

struct LspPosition {
  uint32_t line = 0;
  uint32_t character = 0;
  bool operator==(const LspPosition&) const = default;
};

// A line or column beyond the text is its end; the middle of a character is its beginning.
uint32_t offset_of(std::string_view text, LspPosition position);
LspPosition position_of(std::string_view text, uint32_t offset);

// The path of a file: URI, escapes resolved; empty for any other.
std::string path_of_uri(std::string_view uri);

}  // namespace service
