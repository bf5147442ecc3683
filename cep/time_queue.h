// What waits for its turn in event time. What comes in order is a FIFO; only stragglers go to a small heap.
// `Item` has a total order by operator<. One thread. Complexity: O(1) an item in order, O(log stragglers) otherwise.
#pragma once

#include <algorithm>
#include <deque>
#include <vector>

namespace cep {

template <class Item>
class TimeQueue {
 public:
  void push(Item item) {
    if (in_order_.empty() || !(item < in_order_.back())) {
      in_order_.push_back(std::move(item));
    } else {
      stragglers_.push_back(std::move(item));
      std::push_heap(stragglers_.begin(), stragglers_.end(), later);
    }
  }
  // The earliest; nullptr when empty.
  const Item* front() const {
    if (front_is_straggler()) return &stragglers_.front();
    return in_order_.empty() ? nullptr : &in_order_.front();
  }
  // Removes and returns the earliest; there is one.
  Item take() {
    if (front_is_straggler()) {
      std::pop_heap(stragglers_.begin(), stragglers_.end(), later);
      Item item = std::move(stragglers_.back());
      stragglers_.pop_back();
      return item;
    }
    Item item = std::move(in_order_.front());
    in_order_.pop_front();
    return item;
  }
  bool empty() const { return in_order_.empty() && stragglers_.empty(); }
  size_t size() const { return in_order_.size() + stragglers_.size(); }
  template <class F>
  void for_each(F&& visit) const {
    for (const Item& item : in_order_) visit(item);
    for (const Item& item : stragglers_) visit(item);
  }

 private:
  static bool later(const Item& a, const Item& b) { return b < a; }
  bool front_is_straggler() const { return !stragglers_.empty() && (in_order_.empty() || stragglers_.front() < in_order_.front()); }

  std::deque<Item> in_order_;
  std::vector<Item> stragglers_;    // a heap, earliest first
};

}  // namespace cep
