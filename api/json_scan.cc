#include "api/json_scan.h"

#include <array>
#include <cstdint>
#include <cstring>

namespace api {
namespace {

bool is_space(char c) { return c == ' ' || c == '\n' || c == '\r' || c == '\t'; }
bool is_digit(char c) { return c >= '0' && c <= '9'; }

// What skip_container must stop at.
constexpr std::array<bool, 256> make_stops() {
  std::array<bool, 256> stops{};
  for (const char c : {'"', '{', '}', '[', ']'}) stops[static_cast<uint8_t>(c)] = true;
  return stops;
}
constexpr std::array<bool, 256> kStops = make_stops();

// Four hex digits at text[at]; -1 if there are none.
int hex4(std::string_view text, size_t at) {
  if (at + 4 > text.size()) return -1;
  int value = 0;
  for (size_t i = at; i < at + 4; ++i) {
    const char c = text[i];
    const int digit = is_digit(c)            ? c - '0'
                      : c >= 'a' && c <= 'f' ? c - 'a' + 10
                      : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                             : -1;
    if (digit < 0) return -1;
    value = value * 16 + digit;
  }
  return value;
}

void append_utf8(uint32_t c, std::string& out) {
  if (c < 0x80) {
    out += static_cast<char>(c);
  } else if (c < 0x800) {
    out += static_cast<char>(0xc0 | (c >> 6));
    out += static_cast<char>(0x80 | (c & 0x3f));
  } else if (c < 0x10000) {
    out += static_cast<char>(0xe0 | (c >> 12));
    out += static_cast<char>(0x80 | ((c >> 6) & 0x3f));
    out += static_cast<char>(0x80 | (c & 0x3f));
  } else {
    out += static_cast<char>(0xf0 | (c >> 18));
    out += static_cast<char>(0x80 | ((c >> 12) & 0x3f));
    out += static_cast<char>(0x80 | ((c >> 6) & 0x3f));
    out += static_cast<char>(0x80 | (c & 0x3f));
  }
}

// The \uXXXX (or pair of them) whose digits begin at `at`; moves `at` behind it. False for a lone surrogate.
bool append_unicode(std::string_view text, size_t* at, std::string& out) {
  const int unit = hex4(text, *at);
  if (unit < 0 || (unit >= 0xdc00 && unit <= 0xdfff)) return false;
  *at += 4;
  if (unit < 0xd800 || unit > 0xdbff) {
    append_utf8(static_cast<uint32_t>(unit), out);
    return true;
  }
  if (*at + 6 > text.size() || text[*at] != '\\' || text[*at + 1] != 'u') return false;
  const int low = hex4(text, *at + 2);
  if (low < 0xdc00 || low > 0xdfff) return false;
  *at += 6;
  append_utf8(0x10000 + ((static_cast<uint32_t>(unit) - 0xd800) << 10) + (static_cast<uint32_t>(low) - 0xdc00), out);
  return true;
}

bool append_escape(std::string_view text, size_t* at, std::string& out) {
  switch (text[(*at)++]) {
    case '"': out += '"'; return true;
    case '\\': out += '\\'; return true;
    case '/': out += '/'; return true;
    case 'b': out += '\b'; return true;
    case 'f': out += '\f'; return true;
    case 'n': out += '\n'; return true;
    case 'r': out += '\r'; return true;
    case 't': out += '\t'; return true;
    case 'u': return append_unicode(text, at, out);
    default: return false;
  }
}

}  // namespace

std::string_view trim_json_space(std::string_view text) {
  while (!text.empty() && is_space(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_space(text.back())) text.remove_suffix(1);
  return text;
}

bool unescape_json(std::string_view token, std::string& out) {
  out.clear();
  if (token.size() < 2 || token.front() != '"' || token.back() != '"') return false;
  const std::string_view text = token.substr(1, token.size() - 2);
  size_t at = 0;
  while (at < text.size()) {
    const size_t slash = text.find('\\', at);
    if (slash == std::string_view::npos) {
      out.append(text, at);
      return true;
    }
    out.append(text, at, slash - at);
    at = slash + 1;
    if (at == text.size() || !append_escape(text, &at, out)) return false;
  }
  return true;
}

bool JsonScan::fail() {
  failed_ = true;
  return false;
}

void JsonScan::skip_space() {
  while (at_ < text_.size() && is_space(text_[at_])) ++at_;
}

bool JsonScan::enter(char bracket) {
  skip_space();
  if (at_ == text_.size() || text_[at_] != bracket) return fail();
  ++at_;
  close_ = bracket == '{' ? '}' : ']';
  return true;
}

bool JsonScan::next_part() {
  if (done_ || failed_) return false;
  skip_space();
  if (at_ == text_.size()) return fail();
  if (text_[at_] == close_) {
    ++at_;
    skip_space();
    done_ = true;
    if (at_ != text_.size()) return fail();
    return false;
  }
  if (!first_) {
    if (text_[at_] != ',') return fail();
    ++at_;
    skip_space();
  }
  first_ = false;
  return at_ < text_.size() || fail();
}

bool JsonScan::skip_string() {
  for (++at_;;) {
    const void* quote = at_ < text_.size() ? std::memchr(text_.data() + at_, '"', text_.size() - at_) : nullptr;
    if (quote == nullptr) return fail();
    const size_t end = static_cast<size_t>(static_cast<const char*>(quote) - text_.data());
    size_t slashes = 0;
    while (text_[end - 1 - slashes] == '\\') ++slashes;  // the opening quote stops it at the latest
    at_ = end + 1;
    if (slashes % 2 == 0) return true;
  }
}

bool JsonScan::skip_container() {
  size_t depth = 0;
  while (at_ < text_.size()) {
    const char c = text_[at_];
    if (!kStops[static_cast<uint8_t>(c)]) {
      ++at_;
    } else if (c == '"') {
      if (!skip_string()) return false;
    } else {
      ++at_;
      if (c == '{' || c == '[') {
        ++depth;
      } else if (--depth == 0) {
        return true;
      }
    }
  }
  return fail();
}

bool JsonScan::take_value(std::string_view* value) {
  const size_t first = at_;
  const char c = text_[at_];
  if (c == '"') {
    if (!skip_string()) return false;
  } else if (c == '{' || c == '[') {
    if (!skip_container()) return false;
  } else {
    while (at_ < text_.size() && !is_space(text_[at_]) && text_[at_] != ',' && text_[at_] != '}' && text_[at_] != ']')
      ++at_;
    if (at_ == first) return fail();
  }
  *value = text_.substr(first, at_ - first);
  return true;
}

bool JsonScan::next_member(std::string_view* key, std::string_view* value) {
  if (!next_part()) return false;
  if (text_[at_] != '"') return fail();
  const size_t first = at_ + 1;
  if (!skip_string()) return false;
  *key = text_.substr(first, at_ - 1 - first);
  skip_space();
  if (at_ == text_.size() || text_[at_] != ':') return fail();
  ++at_;
  skip_space();
  if (at_ == text_.size()) return fail();
  return take_value(value);
}

bool JsonScan::next_element(std::string_view* value) { return next_part() && take_value(value); }

}  // namespace api
