// What every fuzz target shares. A target is one file that defines LLVMFuzzerTestOneInput: any bytes in, no crash, and the properties it
// names hold. The same file is built with libFuzzer (preset fuzz) and, with regression_main.cc, into a test that runs its corpus.
// Invariant: a target touches no disk and keeps nothing between two runs but what is immutable.
// With -DWEIR_PLANTED each target carries one deliberate mistake, which `make fuzz-planted` must find.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <string>
#include <string_view>
#include <type_traits>

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

namespace fuzz {

#ifdef WEIR_PLANTED
inline constexpr bool kPlanted = true;
#else
inline constexpr bool kPlanted = false;
#endif

inline std::string_view text_of(const uint8_t* data, size_t size) { return {reinterpret_cast<const char*>(data), size}; }

// A property that every input must keep.
inline void check(bool holds, const char* what, std::string_view shown = {}) {
  if (holds) return;
  std::fprintf(stderr, "fuzz: %s\n%s\n", what, std::string(shown).c_str());
  __builtin_trap();
}

// Takes an input apart; after its end there are zeroes.
class Bytes {
 public:
  Bytes(const uint8_t* data, size_t size) : data_(data), size_(size) {}

  bool empty() const { return at_ >= size_; }
  uint8_t byte() { return at_ < size_ ? data_[at_++] : 0; }
  size_t below(size_t n) { return n == 0 ? 0 : byte() % n; }
  std::string_view rest() const { return text_of(data_, size_).substr(at_ < size_ ? at_ : size_); }

 private:
  const uint8_t* data_;
  size_t size_;
  size_t at_ = 0;
};

}  // namespace fuzz
