// Which rows of a reorder buffer a key has, for peeks (R37): made when the first decision asks, kept up from then on.
// One thread. Complexity: O(1) a row that comes and goes in order; a question O(rows of the key).
#pragma once

#include <algorithm>
#include <deque>
#include <unordered_map>

#include "cep/reorder.h"

namespace cep {

class WaitingKeys {
 public:
  using Item = Reorder::Item;

  // Keys of several spaces are told apart by their numbers. Two keys of one hash share their rows, which costs a peek a look at a few more.
  static uint64_t name_of(uint32_t space, uint64_t hash) { return hash ^ (space + 1) * 0x9e3779b97f4a7c15ull; }

  void add(uint64_t key, const Item& item) {
    std::deque<Item>& rows = rows_[key];
    if (rows.empty() || rows.back() < item) {
      rows.push_back(item);
    } else {
      rows.insert(std::upper_bound(rows.begin(), rows.end(), item), item);
    }
  }
  void remove(uint64_t key, const Item& item) {
    const auto known = rows_.find(key);
    if (known == rows_.end()) return;
    std::deque<Item>& rows = known->second;
    const auto at = std::lower_bound(rows.begin(), rows.end(), item);
    if (at != rows.end() && at->arrival == item.arrival) rows.erase(at);
    if (rows.empty()) rows_.erase(known);
  }
  // Appends the key's rows that come before `end` in the order of release, so many at most.
  void append_before(uint64_t key, const Item& end, size_t most, std::vector<Item>& out) const {
    const auto known = rows_.find(key);
    if (known == rows_.end()) return;
    const std::deque<Item>& rows = known->second;
    const auto last = std::lower_bound(rows.begin(), rows.end(), end);
    out.insert(out.end(), rows.begin(), rows.begin() + std::min(last - rows.begin(), static_cast<std::ptrdiff_t>(most)));
  }

 private:
  std::unordered_map<uint64_t, std::deque<Item>> rows_;
};

}  // namespace cep
