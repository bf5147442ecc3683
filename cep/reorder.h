// The reorder buffer of one timeline in one shard: rows wait here until the frontier reaches their event time (R61).
// Release order is (time, order of arrival). Rows that come in order are a FIFO; only stragglers go to a small heap.
// Keeps each batch alive while a row of it waits, with its predicate bits computed once. One thread.
// Complexity: O(1) a row in order, O(log stragglers) otherwise.
#pragma once

#include <algorithm>
#include <deque>
#include <memory>
#include <vector>

#include "cep/batch.h"

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
  };

  void push(const std::shared_ptr<WaitingBatch>& batch, uint32_t row) {
    Item item{batch->batch->time[row], arrivals_++, batch, row};
    if (in_order_.empty() || in_order_.back().time <= item.time) {
      in_order_.push_back(std::move(item));
    } else {
      stragglers_.push_back(std::move(item));
      std::push_heap(stragglers_.begin(), stragglers_.end(), later);
    }
  }
  // Takes the next row if its time is at most `frontier`.
  bool pop(TimeUs frontier, Item* item) {
    bool straggler = !stragglers_.empty() && (in_order_.empty() || later(in_order_.front(), stragglers_.front()));
    if (straggler) {
      if (stragglers_.front().time > frontier) return false;
      std::pop_heap(stragglers_.begin(), stragglers_.end(), later);
      *item = std::move(stragglers_.back());
      stragglers_.pop_back();
      return true;
    }
    if (in_order_.empty() || in_order_.front().time > frontier) return false;
    *item = std::move(in_order_.front());
    in_order_.pop_front();
    return true;
  }
  bool empty() const { return in_order_.empty() && stragglers_.empty(); }
  size_t size() const { return in_order_.size() + stragglers_.size(); }
  template <class F>
  void for_each(F&& visit) const {
    for (const Item& item : in_order_) visit(item);
    for (const Item& item : stragglers_) visit(item);
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
  static bool later(const Item& a, const Item& b) { return a.time != b.time ? a.time > b.time : a.arrival > b.arrival; }

  std::deque<Item> in_order_;
  std::vector<Item> stragglers_;    // a heap, earliest first
  uint64_t arrivals_ = 0;
};

}  // namespace cep
