// What a timeline's engine has in hand: the event and key under work, and the touches prepared ahead.
// Internal to cep/timeline_engine. Plain data.
#pragma once

#include <vector>

#include "cep/alert.h"
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

// One row's way into one role, worked out ahead so that the memory it needs is on its way.
struct Prepared {
  const Role* role = nullptr;
  uint64_t hash = 0;
  uint32_t key_begin = 0, key_end = 0;     // in prepared_keys_
  uint32_t row = 0;
  bool starts = false;
  bool has_key = false;
};

}  // namespace cep
