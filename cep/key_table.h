// The hot table of one key space: hash of the key -> its block. Flat, open addressing, linear probing, 32-byte slots.
// Key bytes are verified in the block, so two keys of one hash are two entries. Blocks belong to the table's user.
// One thread. Complexity: find O(1) at a load of at most 0.8; growth doubles and moves all slots.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "cep/block.h"

namespace cep {

struct Slot {
  uint64_t hash = 0;
  uint8_t* block = nullptr;         // nullptr: the slot is free
  TimeUs deadline = kTimeMax;       // when something of it is due: by the timer queue, or swept out some time after
  uint64_t awaits = 0;              // fold of what its runs await
};
static_assert(sizeof(Slot) == 32);

class KeyTable {
 public:
  KeyTable() : slots_(16) {}

  // The slot of the key, or nullptr. Valid until the next insert or erase.
  Slot* find(uint64_t hash, std::string_view key) {
    for (size_t at = hash & mask();; at = (at + 1) & mask()) {
      Slot& slot = slots_[at];
      if (slot.block == nullptr) return nullptr;
      if (slot.hash == hash && BlockView(slot.block).key() == key) return &slot;
    }
  }
  const Slot* find(uint64_t hash, std::string_view key) const {
    for (size_t at = hash & mask();; at = (at + 1) & mask()) {
      const Slot& slot = slots_[at];
      if (slot.block == nullptr) return nullptr;
      if (slot.hash == hash && BlockView(slot.block).key() == key) return &slot;
    }
  }
  // A slot for a key that is not in the table.
  Slot* insert(uint64_t hash, uint8_t* block) {
    if ((count_ + 1) * 10 > slots_.size() * 8) grow();
    ++count_;
    Slot* slot = free_slot(hash);
    *slot = {hash, block, kTimeMax, 0};
    return slot;
  }
  // Removes a slot (backward shift: no tombstones); moves others.
  void erase(Slot* slot) {
    --count_;
    size_t hole = static_cast<size_t>(slot - slots_.data());
    for (size_t next = hole;;) {
      slots_[hole] = Slot();
      for (;;) {
        next = (next + 1) & mask();
        if (slots_[next].block == nullptr) return;
        size_t home = slots_[next].hash & mask();
        bool stays = hole <= next ? (hole < home && home <= next) : (hole < home || home <= next);
        if (!stays) break;
      }
      slots_[hole] = slots_[next];
      hole = next;
    }
  }
  // Visits the slots of that hash until the visitor returns true: for timers, which know only the hash.
  template <class F>
  void for_each_of_hash(uint64_t hash, F&& visit) {
    for (size_t at = hash & mask(); slots_[at].block != nullptr; at = (at + 1) & mask()) {
      if (slots_[at].hash == hash && visit(slots_[at])) return;
    }
  }
  void prefetch(uint64_t hash) const { __builtin_prefetch(&slots_[hash & mask()]); }
  // The head of the block of the first slot of that hash, if there is one.
  void prefetch_block(uint64_t hash) const {
    for (size_t at = hash & mask(); slots_[at].block != nullptr; at = (at + 1) & mask()) {
      if (slots_[at].hash != hash) continue;
      for (size_t line = 0; line < 5; ++line) __builtin_prefetch(slots_[at].block + line * 64);
      return;
    }
  }
  // Visits every slot; the visitor must not insert or erase.
  template <class F>
  void for_each(F&& visit) {
    for (Slot& slot : slots_) {
      if (slot.block != nullptr) visit(slot);
    }
  }
  template <class F>
  void for_each(F&& visit) const {
    for (const Slot& slot : slots_) {
      if (slot.block != nullptr) visit(slot);
    }
  }
  // Visits the slot at `at`, if one is there, and steps on; false behind the last. Entries that move meanwhile may be missed or seen twice.
  template <class F>
  bool visit_next(size_t* at, F&& visit) {
    if (*at >= slots_.size()) return false;
    Slot& slot = slots_[(*at)++];
    if (slot.block != nullptr) visit(slot);
    return true;
  }
  // Visits the next `slots` of the table, round and round. The visitor must not insert or erase; entries that move may be missed once.
  template <class F>
  void sweep(size_t slots, F&& visit) {
    for (; slots > 0; --slots) {
      hand_ = (hand_ + 1) & mask();
      if (slots_[hand_].block != nullptr) visit(slots_[hand_]);
    }
  }
  size_t size() const { return count_; }
  size_t slots() const { return slots_.size(); }
  size_t bytes() const { return slots_.size() * sizeof(Slot); }

 private:
  size_t mask() const { return slots_.size() - 1; }
  Slot* free_slot(uint64_t hash) {
    size_t at = hash & mask();
    while (slots_[at].block != nullptr) at = (at + 1) & mask();
    return &slots_[at];
  }
  void grow() {
    std::vector<Slot> old(slots_.size() * 2);
    old.swap(slots_);
    for (const Slot& slot : old) {
      if (slot.block != nullptr) *free_slot(slot.hash) = slot;
    }
  }

  std::vector<Slot> slots_;     // a power of two
  size_t count_ = 0;
  size_t hand_ = 0;             // slot swept last
};

}  // namespace cep
