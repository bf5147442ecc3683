// The generator's own randomness: xoshiro256** seeded by splitmix64, and whole numbers drawn from it. The standard
// library's distributions differ between libraries, and a seed must mean the same events everywhere.
// Threads: a Random belongs to its owner; the functions are pure.
#pragma once

#include <array>
#include <bit>
#include <cstdint>

namespace service {

// The finaliser of splitmix64: a fixed scatter of `value` over 64 bits, for the traits of card n, user n, ...
constexpr uint64_t scatter(uint64_t value) {
  value += 0x9e3779b97f4a7c15;
  value = (value ^ (value >> 30)) * 0xbf58476d1ce4e5b9;
  value = (value ^ (value >> 27)) * 0x94d049bb133111eb;
  return value ^ (value >> 31);
}

class Random {
 public:
  // Equal seeds with different `stream` numbers give unrelated sequences.
  Random(uint64_t seed, uint64_t stream) {
    uint64_t word = scatter(seed) ^ scatter(~stream);
    for (uint64_t& part : state_) part = scatter(word++);
  }

  uint64_t next() {
    const uint64_t result = std::rotl(state_[1] * 5, 7) * 9;
    const uint64_t shifted = state_[1] << 17;
    state_[2] ^= state_[0];
    state_[3] ^= state_[1];
    state_[1] ^= state_[2];
    state_[0] ^= state_[3];
    state_[2] ^= shifted;
    state_[3] = std::rotl(state_[3], 45);
    return result;
  }

  // 0 to n - 1; n > 0. The bias of the multiplication is below n / 2^64.
  uint64_t below(uint64_t n) { return static_cast<uint64_t>((static_cast<unsigned __int128>(next()) * n) >> 64); }

  // lo to hi, both included.
  int64_t between(int64_t lo, int64_t hi) {
    return lo + static_cast<int64_t>(below(static_cast<uint64_t>(hi - lo) + 1));
  }

  bool per_mille(uint64_t chance) { return below(1000) < chance; }

 private:
  std::array<uint64_t, 4> state_;
};

}  // namespace service
