// What a timeline's engine has in hand: the event and key under work, and the touches prepared ahead.
// Internal to cep/timeline_engine. Plain data.
#pragma once

#include <string_view>
#include <vector>

#include "cep/alert.h"
#include "cep/key_table.h"
#include "cep/rule_set.h"

namespace cep {

// What a touch of a key works on.
struct Touch {
  uint64_t hash = 0;
  TimeUs time = 0;
  const Batch* batch = nullptr;
  uint32_t row = 0;
  const uint64_t* words = nullptr;
  uint64_t fold = 0;                     // of the words
  std::vector<Alert>* alerts = nullptr;
};

// The encoded keys of what was prepared, one behind the other.
class PreparedKeys {
 public:
  uint32_t used() const { return used_; }
  std::string_view key(uint32_t begin, uint32_t end) const { return {bytes_.data() + begin, end - begin}; }
  // Where the next key goes, so many bytes at most; it ends where take() says.
  char* room(size_t bytes) {
    if (bytes_.size() - used_ < bytes) bytes_.resize((used_ + bytes) * 2);
    return bytes_.data() + used_;
  }
  void take(size_t bytes) { used_ += static_cast<uint32_t>(bytes); }
  void clear() { used_ = 0; }

 private:
  std::vector<char> bytes_;
  uint32_t used_ = 0;
};

// One row's way into one role, worked out ahead so that the memory it needs is on its way.
struct Prepared {
  const Role* role = nullptr;
  uint64_t hash = 0;
  KeyTable::Place place;                   // where the key was when its block was asked for
  uint32_t key_begin = 0, key_end = 0;     // in prepared_keys_
  uint32_t row = 0;
  bool starts = false;
  bool has_key = false;
  bool is_new = false;                     // it has no block yet
};

// When something of a key is due.
struct KeyTimer {
  TimeUs time;
  uint64_t space;
  uint64_t hash;
  bool operator<(const KeyTimer& other) const { return time < other.time; }
};

}  // namespace cep
