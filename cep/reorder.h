// The reorder buffer of one timeline in one shard: rows wait here until the frontier reaches their event time (R61).
// Release order is (time, source, order of arrival), so that it does not depend on how sources interleave (R63). Keeps each batch alive
// while a row of it waits, with its predicate bits computed once.
// One thread. Complexity: as TimeQueue.
#pragma once

#include <algorithm>
#include <memory>
#include <vector>

#include "cep/batch.h"
#include "cep/time_queue.h"

namespace cep {

// A batch with waiting rows and, once the first of them is released, its predicate bits under one rule set.
struct WaitingBatch {
  BatchPtr batch;
  std::vector<uint64_t> words;
  uint64_t generation = 0;      // of the rule set the words belong to; 0: not computed
};

class Reorder {
 public:
  struct Item {
    TimeUs time = 0;
    uint64_t arrival = 0;
    std::shared_ptr<WaitingBatch> batch;
    uint32_t row = 0;
    SourceId source = 0;
    bool operator<(const Item& other) const {
      if (time != other.time) return time < other.time;
      return source != other.source ? source < other.source : arrival < other.arrival;
    }
  };

  // The row's place in the order of arrival.
  uint64_t push(const std::shared_ptr<WaitingBatch>& batch, uint32_t row) {
    waiting_.push({batch->batch->time[row], arrivals_, batch, row, batch->batch->source});
    return arrivals_++;
  }
  uint64_t arrivals() const { return arrivals_; }
  // The time of the row that `pop` would give next; kTimeMax: there is none.
  TimeUs next_time() const { return waiting_.empty() ? kTimeMax : waiting_.front()->time; }
  // Takes the next row if it is at or before the frontier.
  bool pop(TimeUs frontier, SourceId frontier_source, Item* item) {
    const Item* first = waiting_.front();
    if (first == nullptr || first->time > frontier || (first->time == frontier && first->source > frontier_source)) return false;
    *item = waiting_.take();
    return true;
  }
  bool empty() const { return waiting_.empty(); }
  size_t size() const { return waiting_.size(); }
  template <class F>
  void for_each(F&& visit) const {
    waiting_.for_each(visit);
  }
  // For another buffer that is to release equal times in the same order.
  template <class F>
  void for_each_in_arrival_order(F&& visit) const {
    std::vector<const Item*> items;
    for_each([&](const Item& item) { items.push_back(&item); });
    std::sort(items.begin(), items.end(), [](const Item* a, const Item* b) { return a->arrival < b->arrival; });
    for (const Item* item : items) visit(*item);
  }

 private:
  TimeQueue<Item> waiting_;
  uint64_t arrivals_ = 0;
};

}  // namespace cep
