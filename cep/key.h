// The bytes of a key: what names a key's block, routes its rows to a shard and is hashed into alert ids.
// Encoding, one part after the other: a tag byte (KeyTag), then text as u32 length and bytes, int and decimal as i64 (decimal at its
// declared scale), bool as u8, ip as 16 bytes; all little-endian. Also the encoding of values in an alert's id (R72).
#pragma once

#include <cstring>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "cep/batch.h"
#include "cep/program.h"
#include "cep/value.h"

namespace cep {

enum class KeyTag : uint8_t {
  kNull = 0, kText = 1, kInt = 2, kDecimal = 3, kBool = 4, kIp = 5, kTimestamp = 6, kDuration = 7, kFloat = 8
};

// Appends one value with its tag. Floats by their bits.
void append_tagged(std::string& out, const Value& value);
// Writes the key that is one text of a batch's arena, and answers its size. `to` has room for kTextKeyHead bytes and the text, or
// kArenaSpareBytes if that is more.
inline constexpr size_t kTextKeyHead = 1 + sizeof(uint32_t);
inline size_t put_text_key(char* to, std::string_view text) {
  const auto size = static_cast<uint32_t>(text.size());
  to[0] = static_cast<char>(KeyTag::kText);
  std::memcpy(to + 1, &size, sizeof size);
  // As many bytes for every short text: no call.
  if (size <= kArenaSpareBytes) std::memcpy(to + kTextKeyHead, text.data(), kArenaSpareBytes);
  else std::memcpy(to + kTextKeyHead, text.data(), size);
  return kTextKeyHead + size;
}
// Appends a key; false if a part is null: such an event is not seen by the rule (R69). Decimals are brought to the part's scale.
bool encode_key(std::span<const KeyPart> parts, std::span<const Value> values, std::string& out);
// The same from the columns of a row, one a part.
bool encode_key(std::span<const KeyPart> parts, const Batch& batch, uint32_t row, std::span<const uint16_t> columns, std::string& out);
// The parts of an encoded key, texts pointing into it. The bytes must come from encode_key (or have passed is_sound_key).
std::vector<Value> decode_key(std::span<const KeyPart> parts, std::string_view encoded);
// Checks untrusted key bytes against the parts.
bool is_sound_key(std::span<const KeyPart> parts, std::string_view encoded);

// Keys are short: no call.
inline bool equal_keys(std::string_view a, std::string_view b) {
  if (a.size() != b.size()) return false;
  const auto differs = [&](size_t at) {
    uint64_t x, y;
    std::memcpy(&x, a.data() + at, sizeof x);
    std::memcpy(&y, b.data() + at, sizeof y);
    return x != y;
  };
  if (a.size() < sizeof(uint64_t)) return a == b;
  for (size_t at = 0; at + sizeof(uint64_t) < a.size(); at += sizeof(uint64_t)) {
    if (differs(at)) return false;
  }
  return !differs(a.size() - sizeof(uint64_t));
}

}  // namespace cep
