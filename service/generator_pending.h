// Lines that are already written and wait for their time: the events of planted fraud, what follows an ordinary event
// (the payment of an order), and the truth about a planted instance, which is told once it is complete. Ordered by
// time, then by the order of adding; at most kPendingLinesMax lines, whoever adds asks has_room() first.
// Threads: belongs to its owner.
#pragma once

#include <algorithm>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace service {

class PendingLines {
 public:
  struct Line {
    int64_t at_ms;
    uint64_t order;
    bool truth;  // for the truth file, not an event
    std::string text;
  };
  static constexpr size_t kPendingLinesMax = 1 << 16;
  static constexpr size_t kPlotLinesMax = 64;  // no planted instance has more

  bool has_room() const { return lines_.size() + kPlotLinesMax <= kPendingLinesMax; }
  size_t size() const { return lines_.size(); }

  void add(int64_t at_ms, bool truth, std::string text) {
    lines_.push_back({at_ms, added_++, truth, std::move(text)});
    std::push_heap(lines_.begin(), lines_.end(), later);
  }

  // The earliest line, if its time is `at_ms` or before; else null. Valid until the next add or pop.
  const Line* due(int64_t at_ms) const {
    return lines_.empty() || lines_.front().at_ms > at_ms ? nullptr : &lines_.front();
  }
  void pop() {
    std::pop_heap(lines_.begin(), lines_.end(), later);
    lines_.pop_back();
  }

 private:
  static bool later(const Line& a, const Line& b) { return a.at_ms != b.at_ms ? a.at_ms > b.at_ms : a.order > b.order; }

  std::vector<Line> lines_;  // a heap with the earliest in front
  uint64_t added_ = 0;
};

}  // namespace service
