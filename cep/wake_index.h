// What an event can set off, by the predicate bits of its row: inputs of rules that it starts, runs that it wakes.
// Invariant: never less than what the automata could do with the event; more only where it says so.
// Threads: immutable once built; the rest are pure functions. Complexity: in the bits that are set, not in the rules.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "cep/program.h"

namespace cep {

inline bool has_bit(const uint64_t* words, uint32_t bit) { return (words[bit / 64] >> (bit % 64) & 1) != 0; }

// A predicate's bit, or none asked: kAlways, kNever.
inline bool passes(const uint64_t* words, int32_t bit) {
  return bit == kAlways || (bit >= 0 && has_bit(words, static_cast<uint32_t>(bit)));
}

// A set of predicates of one stream, any one of which is enough.
class AwaitedBits {
 public:
  void add(uint32_t bit) {
    if (words_.size() <= bit / 64) words_.resize(bit / 64 + 1, 0);
    words_[bit / 64] |= uint64_t{1} << (bit % 64);
  }
  void add_any() { any_ = true; }                  // every event
  void add(const AwaitedBits& other) {
    any_ = any_ || other.any_;
    if (words_.size() < other.words_.size()) words_.resize(other.words_.size(), 0);
    for (size_t w = 0; w < other.words_.size(); ++w) words_[w] |= other.words_[w];
  }
  bool any() const { return any_; }
  bool is_met(const uint64_t* words) const {
    if (any_) return true;
    uint64_t met = 0;
    for (size_t w = 0; w < words_.size(); ++w) met |= words_[w] & words[w];
    return met != 0;
  }
  template <class F>
  void for_each(F&& visit) const {
    for (size_t w = 0; w < words_.size(); ++w) {
      for (uint64_t left = words_[w]; left != 0; left &= left - 1) {
        visit(static_cast<uint32_t>(w * 64) + static_cast<uint32_t>(__builtin_ctzll(left)));
      }
    }
  }

 private:
  std::vector<uint64_t> words_;
  bool any_ = false;
};

// What wakes a run in one state: the bits themselves if they are few and of one stream, else their fold.
struct StateWake {
  static constexpr uint32_t kBitsMax = 3;
  uint64_t fold = 0;                  // kAwaitsAny: strict, first_only, residual alone
  uint32_t bits[kBitsMax] = {};
  uint8_t bit_count = 0;
  bool is_exact = false;              // the bits are all that it awaits
  bool has_deadline = false;          // the state has an absence

  bool is_met(const uint64_t* words, uint64_t row_fold) const {
    if ((fold & row_fold) == 0) return false;
    if (!is_exact) return true;
    for (uint32_t i = 0; i < bit_count; ++i) {
      if (has_bit(words, bits[i])) return true;
    }
    return false;
  }
};

// The inputs of a role by the bits that start them.
class StartIndex {
 public:
  // Inputs in order, each once.
  void add(const AwaitedBits& starts);
  void finish();
  // Sets the bits of the inputs that the row starts and clears all others: one a word of 64 inputs.
  void mark(const uint64_t* words, std::vector<uint64_t>& marked) const {
    marked.resize(always_.size());
    for (size_t w = 0; w < always_.size(); ++w) marked[w] = always_[w];      // mostly one: no call
    for (size_t w = 0; w < mask_.size(); ++w) {
      for (uint64_t left = words[w] & mask_[w]; left != 0; left &= left - 1) {
        const size_t bit = w * 64 + static_cast<size_t>(__builtin_ctzll(left));
        for (uint32_t i = first_[bit]; i < first_[bit + 1]; ++i) marked[inputs_[i] / 64] |= uint64_t{1} << (inputs_[i] % 64);
      }
    }
  }

 private:
  std::vector<AwaitedBits> starts_;   // by input, until finish()
  std::vector<uint64_t> always_;      // inputs that every event may start
  std::vector<uint64_t> mask_;        // by predicate: starts some input
  std::vector<uint32_t> first_;       // by predicate: where its inputs begin
  std::vector<uint32_t> inputs_;
};

}  // namespace cep
