// A bounded queue between two threads of rising rank (io < log < shard < store). The producer waits when it is full, so a slow
// consumer slows its producers and nothing is lost. close() lets the consumer drain what is left.
#pragma once

#include <chrono>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <optional>
#include <utility>

namespace service {

template <class T>
class Queue {
 public:
  // `weight_max`: sum of the weights of waiting items (rows, alerts, bytes) above which push waits. One item always fits.
  explicit Queue(size_t weight_max) : weight_max_(weight_max) {}

  // Waits for room. False: closed, the item was not taken.
  bool push(T item, size_t weight) {
    std::unique_lock lock(mutex_);
    room_.wait(lock, [&] { return closed_ || items_.empty() || weight_ + weight <= weight_max_; });
    return put(lock, std::move(item), weight);
  }
  // As push, but wakes nobody: for what is in no hurry and can go with what comes next, or when the consumer looks by itself.
  bool push_quietly(T item, size_t weight) {
    std::unique_lock lock(mutex_);
    room_.wait(lock, [&] { return closed_ || items_.empty() || weight_ + weight <= weight_max_; });
    return put(lock, std::move(item), weight, false);
  }
  // Never waits. False: full or closed.
  bool try_push(T item, size_t weight) {
    std::unique_lock lock(mutex_);
    if (!items_.empty() && weight_ + weight > weight_max_) return false;
    return put(lock, std::move(item), weight);
  }
  // Never waits and never refuses for room: for what must not be held up (a barrier, an answer). False: closed.
  bool push_anyway(T item, size_t weight) {
    std::unique_lock lock(mutex_);
    return put(lock, std::move(item), weight);
  }
  // Waits for an item; nothing when closed and empty.
  std::optional<T> pop() {
    std::unique_lock lock(mutex_);
    filled_.wait(lock, [&] { return closed_ || !items_.empty(); });
    return take(lock);
  }
  // As pop, but gives up after `most`.
  template <class Duration>
  std::optional<T> pop_for(Duration most) {
    std::unique_lock lock(mutex_);
    filled_.wait_for(lock, most, [&] { return closed_ || !items_.empty(); });
    return take(lock);
  }
  std::optional<T> try_pop() {
    std::unique_lock lock(mutex_);
    return take(lock);
  }
  void close() {
    std::lock_guard lock(mutex_);
    closed_ = true;
    room_.notify_all();
    filled_.notify_all();
  }
  bool is_closed() const {
    std::lock_guard lock(mutex_);
    return closed_;
  }
  size_t weight() const {
    std::lock_guard lock(mutex_);
    return weight_;
  }

 private:
  bool put(std::unique_lock<std::mutex>& lock, T item, size_t weight, bool wakes = true) {
    if (closed_) return false;
    items_.emplace_back(std::move(item), weight);
    weight_ += weight;
    lock.unlock();
    if (wakes) filled_.notify_one();
    return true;
  }
  std::optional<T> take(std::unique_lock<std::mutex>& lock) {
    if (items_.empty()) return std::nullopt;
    std::optional<T> item(std::move(items_.front().first));
    weight_ -= items_.front().second;
    items_.pop_front();
    lock.unlock();
    room_.notify_all();
    return item;
  }

  const size_t weight_max_;
  mutable std::mutex mutex_;
  std::condition_variable room_, filled_;
  std::deque<std::pair<T, size_t>> items_;
  size_t weight_ = 0;
  bool closed_ = false;
};

}  // namespace service
