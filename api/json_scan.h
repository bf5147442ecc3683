// Where the parts of a JSON text begin and end, for what is not an event's own fields: envelopes, watermark lines,
// CloudEvents, arrays of events, small request bodies. Finds extents only; what is inside a part is for its own reader
// to validate. Invariant: never reads outside the text; a part that is returned has balanced brackets and closed
// strings. Threads: plain values. Cost: one pass.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace api {

class JsonScan {
 public:
  explicit JsonScan(std::string_view text) : text_(text) {}

  // Enters the object or array ('{' or '[') the text consists of. False if it is something else.
  bool enter(char bracket);
  // The next member: its key without quotes, escapes not resolved, and its value. False at the end or when failed().
  bool next_member(std::string_view* key, std::string_view* value);
  // The next element of an array.
  bool next_element(std::string_view* value);

  bool failed() const { return failed_; }
  // The closing bracket was met and only white space follows.
  bool complete() const { return done_ && !failed_; }

 private:
  bool fail();
  void skip_space();
  bool next_part();  // the comma before a part, or the end
  bool skip_string();
  bool skip_container();
  bool take_value(std::string_view* value);

  std::string_view text_;
  size_t at_ = 0;
  char close_ = 0;
  bool first_ = true;
  bool done_ = false;
  bool failed_ = false;
};

// The text of a JSON string: `token` with its quotes. False on a bad escape or a lone surrogate; `out` is replaced.
bool unescape_json(std::string_view token, std::string& out);
std::string_view trim_json_space(std::string_view text);

}  // namespace api
