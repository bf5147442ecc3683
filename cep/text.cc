#include "cep/text.h"

#define OPENSSL_SUPPRESS_DEPRECATED      // the interface by name costs more than the hash of an alert's identity
#include <openssl/sha.h>

#include <algorithm>
#include <limits>

namespace cep {
namespace {

bool is_continuation(char c) { return (static_cast<unsigned char>(c) & 0xc0) == 0x80; }

// Start of the code point after the one at `at`.
size_t next_point(std::string_view text, size_t at) {
  ++at;
  while (at < text.size() && is_continuation(text[at])) ++at;
  return at;
}

// Byte offset of code point number `n`, or the size of the text.
size_t offset_of_point(std::string_view text, int64_t n) {
  size_t at = 0;
  for (; n > 0 && at < text.size(); --n) at = next_point(text, at);
  return at;
}

template <char kFirst, char kLast>
std::string_view flip_case(std::string_view text, TextArena& texts) {
  const auto flips = [](char c) { return c >= kFirst && c <= kLast; };
  if (std::none_of(text.begin(), text.end(), flips)) return text;
  std::string flipped(text);
  for (char& c : flipped) {
    if (flips(c)) c = static_cast<char>(c ^ 0x20);
  }
  return texts.keep(std::move(flipped));
}

}  // namespace

int64_t code_points(std::string_view text) {
  return std::count_if(text.begin(), text.end(), [](char c) { return !is_continuation(c); });
}

std::string_view substring(std::string_view text, int64_t from, int64_t length) {
  if (length <= 0) return {};
  int64_t end = 0;  // the first position that is not in the result
  if (__builtin_add_overflow(from, length, &end)) end = std::numeric_limits<int64_t>::max();
  from = std::max<int64_t>(from, 1);
  if (end <= from) return {};
  const size_t first = offset_of_point(text, from - 1);
  const std::string_view rest = text.substr(first);
  return rest.substr(0, offset_of_point(rest, end - from));
}

std::string_view trim_blanks(std::string_view text) {
  const size_t first = text.find_first_not_of(' ');
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(' ') - first + 1);
}

std::string_view lower_ascii(std::string_view text, TextArena& texts) { return flip_case<'A', 'Z'>(text, texts); }
std::string_view upper_ascii(std::string_view text, TextArena& texts) { return flip_case<'a', 'z'>(text, texts); }

bool is_like(std::string_view text, std::string_view pattern) {
  constexpr size_t kNone = std::string_view::npos;
  size_t t = 0;
  size_t p = 0;
  size_t after_percent = kNone;  // where to go on after the latest '%', which takes the text up to `taken`
  size_t taken = 0;
  while (true) {
    if (p < pattern.size() && pattern[p] == '%') {
      after_percent = ++p;
      taken = t;
      continue;
    }
    if (p == pattern.size() && t == text.size()) return true;
    if (p < pattern.size() && t < text.size()) {
      const bool escaped = pattern[p] == '\\' && p + 1 < pattern.size();
      if (pattern[p] == '_') {
        ++p;
        t = next_point(text, t);
        continue;
      }
      if (pattern[p + escaped] == text[t]) {
        p += 1 + size_t{escaped};
        ++t;
        continue;
      }
    }
    if (after_percent == kNone || taken >= text.size()) return false;
    taken = next_point(text, taken);  // the '%' takes one code point more
    t = taken;
    p = after_percent;
  }
}

std::array<uint8_t, 32> sha256(std::string_view bytes) {
  std::array<uint8_t, SHA256_DIGEST_LENGTH> digest;
  SHA256_CTX context;
  SHA256_Init(&context);
  SHA256_Update(&context, bytes.data(), bytes.size());
  SHA256_Final(digest.data(), &context);
  return digest;
}

std::string short_hash(std::string_view text) {
  static constexpr char kHex[] = "0123456789abcdef";
  const std::array<uint8_t, 32> digest = sha256(text);
  std::string hex;
  for (size_t i = 0; i < 8; ++i) {
    hex += kHex[digest[i] >> 4];
    hex += kHex[digest[i] & 15];
  }
  return hex;
}

std::string mask_text(std::string_view text) {
  constexpr int64_t kShown = 4;
  const int64_t hidden = std::max<int64_t>(code_points(text) - kShown, 0);
  return std::string(static_cast<size_t>(hidden), '*') + std::string(text.substr(offset_of_point(text, hidden)));
}

}  // namespace cep
