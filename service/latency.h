// A histogram of durations that one thread fills and others read: what weir_*_seconds of the hot paths are made of.
// Threads: observe from any, lock-free; a reader may see a count a moment before its sum.
#pragma once

#include <array>
#include <atomic>

#include "cep/types.h"

namespace service {

class LatencyHistogram {
 public:
  // Upper bounds of the buckets; what is longer than the last counts in total() only.
  static constexpr std::array<cep::DurationUs, 16> kBoundsUs = {100,    250,    500,     1'000,   2'500,     5'000,     10'000,     25'000,
                                                                50'000, 100'000, 250'000, 1'000'000, 2'500'000, 10'000'000, 30'000'000,
                                                                60'000'000};

  void observe(cep::DurationUs duration_us, uint64_t times = 1) {
    if (duration_us < 0) duration_us = 0;      // the wall clock was set back
    for (size_t i = 0; i < kBoundsUs.size(); ++i) {
      if (duration_us > kBoundsUs[i]) continue;
      within_[i] += times;
      break;
    }
    sum_us_ += duration_us * static_cast<int64_t>(times);
    total_ += times;
  }
  // Of bucket `i` alone, not those below it.
  uint64_t in_bucket(size_t i) const { return within_[i].load(); }
  uint64_t total() const { return total_.load(); }
  cep::DurationUs sum_us() const { return sum_us_.load(); }

 private:
  std::array<std::atomic<uint64_t>, kBoundsUs.size()> within_{};
  std::atomic<uint64_t> total_{0};
  std::atomic<int64_t> sum_us_{0};
};

}  // namespace service
