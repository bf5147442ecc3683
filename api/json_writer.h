// Append-only JSON text: commas and escapes are its business, nesting is the caller's. No allocation but the output's
// growth. Invariant: what is appended is valid JSON if the calls are well nested; invalid UTF-8 becomes U+FFFD.
// Threads: one owner.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace api {

class JsonWriter {
 public:
  explicit JsonWriter(std::string& out) : out_(out), start_(out.size()) {}

  JsonWriter& begin_object() { return open('{'); }
  JsonWriter& end_object() { return close('}'); }
  JsonWriter& begin_array() { return open('['); }
  JsonWriter& end_array() { return close(']'); }
  JsonWriter& key(std::string_view name);
  JsonWriter& string(std::string_view text);
  JsonWriter& integer(int64_t value);
  JsonWriter& unsigned_integer(uint64_t value);
  JsonWriter& number(double value);  // shortest round-trip; null if not finite
  JsonWriter& boolean(bool value) { return raw(value ? "true" : "false"); }
  JsonWriter& null() { return raw("null"); }
  JsonWriter& raw(std::string_view json);  // one finished value

  JsonWriter& field(std::string_view name, std::string_view text) { return key(name).string(text); }
  // A literal would otherwise choose the bool of some other overload.
  JsonWriter& field(std::string_view name, const char* text) { return key(name).string(text); }

  // Some string was not valid UTF-8.
  bool replaced() const { return replaced_; }

 private:
  JsonWriter& open(char bracket);
  JsonWriter& close(char bracket);
  void separate();

  std::string& out_;
  size_t start_;
  bool replaced_ = false;
};

}  // namespace api
