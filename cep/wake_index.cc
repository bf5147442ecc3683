#include "cep/wake_index.h"

#include <utility>

namespace cep {

void StartIndex::add(const AwaitedBits& starts) { starts_.push_back(starts); }

void StartIndex::finish() {
  const size_t input_words = (starts_.size() + 63) / 64;
  always_.assign(input_words, 0);
  std::vector<std::pair<uint32_t, uint32_t>> pairs;  // predicate and input
  for (uint32_t input = 0; input < starts_.size(); ++input) {
    if (starts_[input].any()) {
      always_[input / 64] |= uint64_t{1} << (input % 64);
      continue;
    }
    starts_[input].for_each([&](uint32_t bit) { pairs.emplace_back(bit, input); });
  }
  starts_.clear();
  std::sort(pairs.begin(), pairs.end());
  const size_t predicates = pairs.empty() ? 0 : pairs.back().first + 1;
  mask_.assign((predicates + 63) / 64, 0);
  first_.assign(predicates + 1, 0);
  inputs_.clear();
  for (const auto& [bit, input] : pairs) {
    mask_[bit / 64] |= uint64_t{1} << (bit % 64);
    ++first_[bit + 1];
    inputs_.push_back(input);
  }
  for (size_t p = 0; p < predicates; ++p) first_[p + 1] += first_[p];
}

}  // namespace cep
