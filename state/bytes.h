// Little-endian encoding of durable values, and big-endian keys that sort as numbers do.
// Invariant: Reader never reads past its bytes; after one failed read ok() is false and every later read gives 0.
// Threads: plain values.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <type_traits>

#include "cep/result.h"

namespace state {

using Id16 = std::array<uint8_t, 16>;   // alert ids, request ids, hashes of `unique` values, digests

// The durable form is little-endian; every supported machine is, so a copy is the encoding.
static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "durable bytes are little-endian");

template <class T>
T load_le(const char* from) {
  static_assert(std::is_integral_v<T>);
  T value;
  std::memcpy(&value, from, sizeof value);
  return value;
}

class Writer {
 public:
  explicit Writer(std::string& out) : out_(out) {}

  template <class T>
  Writer& put(std::type_identity_t<T> value) {   // the width is always written: put<uint32_t>(x)
    static_assert(std::is_integral_v<T>);
    out_.append(reinterpret_cast<const char*>(&value), sizeof value);
    return *this;
  }
  Writer& id(const Id16& value) {
    out_.append(reinterpret_cast<const char*>(value.data()), value.size());
    return *this;
  }
  Writer& raw(std::string_view bytes) {
    out_.append(bytes);
    return *this;
  }
  // u32 length, then the bytes
  Writer& text(std::string_view bytes) {
    return put<uint32_t>(static_cast<uint32_t>(bytes.size())).raw(bytes);
  }

 private:
  std::string& out_;
};

class Reader {
 public:
  explicit Reader(std::string_view bytes) : rest_(bytes) {}

  template <class T>
  T get() {
    std::string_view bytes = raw(sizeof(T));
    return bytes.size() == sizeof(T) ? load_le<T>(bytes.data()) : T{};
  }
  Id16 id() {
    Id16 value{};
    std::string_view bytes = raw(value.size());
    if (bytes.size() == value.size()) std::memcpy(value.data(), bytes.data(), value.size());
    return value;
  }
  std::string_view raw(size_t bytes) {
    if (!ok_ || bytes > rest_.size()) {
      ok_ = false;
      return {};
    }
    std::string_view taken = rest_.substr(0, bytes);
    rest_.remove_prefix(bytes);
    return taken;
  }
  std::string_view text() { return raw(get<uint32_t>()); }

  bool ok() const { return ok_; }
  bool at_end() const { return ok_ && rest_.empty(); }   // true only if every read succeeded
  std::string_view rest() const { return rest_; }

 private:
  std::string_view rest_;
  bool ok_ = true;
};

// An LMDB key: fields big-endian, so that byte order is field order.
class Key {
 public:
  static constexpr size_t kBytesMax = 48;

  Key& u16(uint16_t value) { return append(value, 2); }
  Key& u32(uint32_t value) { return append(value, 4); }
  Key& u64(uint64_t value) { return append(value, 8); }
  // The sign bit is turned so that negative times sort first.
  Key& i64(int64_t value) { return append(static_cast<uint64_t>(value) ^ (uint64_t{1} << 63), 8); }
  Key& id(const Id16& value) {
    for (uint8_t byte : value) append(byte, 1);
    return *this;
  }

  std::string_view view() const { return {bytes_, size_}; }
  operator std::string_view() const { return view(); }   // NOLINT(google-explicit-constructor)

 private:
  Key& append(uint64_t value, unsigned bytes) {
    WEIR_CHECK(size_ + bytes <= kBytesMax, "a key fits its buffer");
    while (bytes-- > 0) bytes_[size_++] = static_cast<char>(value >> (8 * bytes));
    return *this;
  }
  char bytes_[kBytesMax];
  size_t size_ = 0;
};

// Reads the fields of a Key back, in order; the caller knows the key's size.
class KeyReader {
 public:
  explicit KeyReader(std::string_view key) : key_(key) {}
  uint16_t u16() { return static_cast<uint16_t>(take(2)); }
  uint32_t u32() { return static_cast<uint32_t>(take(4)); }
  uint64_t u64() { return take(8); }
  int64_t i64() { return static_cast<int64_t>(take(8) ^ (uint64_t{1} << 63)); }
  Id16 id() {
    Id16 value{};
    for (uint8_t& byte : value) byte = static_cast<uint8_t>(take(1));
    return value;
  }

 private:
  uint64_t take(unsigned bytes) {
    uint64_t value = 0;
    for (unsigned i = 0; i < bytes && !key_.empty(); ++i, key_.remove_prefix(1)) {
      value = value << 8 | static_cast<uint8_t>(key_.front());
    }
    return value;
  }
  std::string_view key_;
};

}  // namespace state
