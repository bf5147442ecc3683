// Source map: the rule texts of one compilation, and where a byte of them is for a person.
// Invariant: a FileId is an index into the files in the order they were added; texts never change afterwards.
// Lines and columns count from 1; columns count code points, so a caret stands under the right letter.
// Threads: one owner; position() is O(log lines).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace patterns {

using FileId = uint32_t;

// Half-open range of bytes [begin, end) of one file.
struct Span {
  FileId file = 0;
  uint32_t begin = 0;
  uint32_t end = 0;
  bool operator==(const Span&) const = default;
};

// From the first byte of `first` to the last byte of `last`; both of one file.
inline Span join(const Span& first, const Span& last) { return {first.file, first.begin, last.end}; }

struct Position {
  uint32_t line = 1;
  uint32_t column = 1;
  bool operator==(const Position&) const = default;
};

class SourceMap {
 public:
  // `name` is what diagnostics print: a path, or "<request>". A text of 4 GB or more is cut (rule texts are 64 KB).
  FileId add(std::string name, std::string text);

  const std::string& name(FileId file) const { return files_[file].name; }
  const std::string& text(FileId file) const { return files_[file].text; }
  std::string_view text(const Span& span) const;
  size_t size() const { return files_.size(); }

  // An offset beyond the end is the position just behind the last byte.
  Position position(FileId file, uint32_t offset) const;
  // The line without its line break; empty for a line the file does not have.
  std::string_view line(FileId file, uint32_t line) const;

 private:
  struct File {
    std::string name;
    std::string text;
    std::vector<uint32_t> line_begins;
  };
  std::vector<File> files_;
};

// Bytes of the character that begins `bytes`, which are not empty; 1 as well if no valid UTF-8 begins there.
size_t character_bytes(std::string_view bytes);
// Code points in `bytes`; a byte that is no valid UTF-8 counts as one.
uint32_t code_points(std::string_view bytes);

}  // namespace patterns
