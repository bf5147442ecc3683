// The hot table of one key space: hash of the key -> its block. Open addressing, linear probing, 32-byte slots, in segments that the hash
// chooses through a directory (extendible hashing). A full segment grows to 2,048 slots and then splits in two, so that no insert ever
// moves more than one segment, however large the table is: a shard answers meanwhile.
// Key bytes are verified in the block, so two keys of one hash are two entries. Blocks belong to the table's user.
// One thread. Complexity: find O(1) at a load of at most 0.8 a segment. Test: tests/unit/cep/key_table_test.cc.
#pragma once

#include <algorithm>
#include <cstdint>
#include <string_view>
#include <vector>

#include "cep/block.h"
#include "cep/key.h"
#include "cep/prefetch.h"

namespace cep {

struct alignas(32) Slot {           // never in two cache lines
  uint64_t hash = 0;
  uint8_t* block = nullptr;         // nullptr: the slot is free
  TimeUs deadline = kTimeMax;       // when something of it is due: by the timer queue, or swept out some time after; of a free slot never
  uint64_t awaits = 0;              // fold of what its runs await
};
static_assert(sizeof(Slot) == 32);

class KeyTable {
 public:
  static constexpr size_t kSegmentSlots = 2'048;

  KeyTable();
  KeyTable(KeyTable&&) noexcept = default;      // slots stay where they are
  KeyTable& operator=(KeyTable&&) noexcept = default;

  // The slot of the key, or nullptr. Valid until the next insert or erase.
  Slot* find(uint64_t hash, std::string_view key) { return seek(hash, key); }
  const Slot* find(uint64_t hash, std::string_view key) const { return seek(hash, key); }
  // A slot that may have become another key's since, or no more than memory that was given back.
  struct Place {
    Slot* slot = nullptr;
    uint64_t layout = 0;
  };
  // The first slot of that hash; none if there is none.
  Place place_of(uint64_t hash) const {
    const Segmented& entry = entry_of(hash);
    size_t at = entry.home(hash);
    while (entry.slots[at].block != nullptr && entry.slots[at].hash != hash) at = (at + 1) & entry.mask;
    return {entry.slots[at].block != nullptr ? &entry.slots[at] : nullptr, layout_};
  }
  // The block that is there now, if it is still one of that hash; else nullptr.
  uint8_t* block_at(const Place& place, uint64_t hash) const {
    return place.slot != nullptr && place.layout == layout_ && place.slot->hash == hash ? place.slot->block : nullptr;
  }
  // find(), looking at that place first.
  Slot* find_at(const Place& place, uint64_t hash, std::string_view key) {
    uint8_t* const block = block_at(place, hash);
    return block != nullptr && equal_keys(BlockView(block).key(), key) ? place.slot : seek(hash, key);
  }
  // A slot for a key that is not in the table.
  Slot* insert(uint64_t hash, uint8_t* block) {
    while (is_full(entry_of(hash))) make_room(hash);
    const Segmented entry = entry_of(hash);
    ++count_;
    ++counts_[entry.segment];
    Slot* slot = free_slot(entry, hash);
    *slot = {hash, block, kTimeMax, 0};
    return slot;
  }
  // Removes a slot (backward shift: no tombstones); moves others.
  void erase(Slot* slot) {
    const Segmented entry = entry_of(slot->hash);
    --count_;
    --counts_[entry.segment];
    size_t hole = static_cast<size_t>(slot - entry.slots);
    for (size_t next = hole;;) {
      entry.slots[hole] = Slot();
      for (;;) {
        next = (next + 1) & entry.mask;
        if (entry.slots[next].block == nullptr) return;
        size_t home = entry.home(entry.slots[next].hash);
        bool stays = hole <= next ? (hole < home && home <= next) : (hole < home || home <= next);
        if (!stays) break;
      }
      entry.slots[hole] = entry.slots[next];
      hole = next;
    }
  }
  // Visits the slots of that hash until the visitor returns true: for timers, which know only the hash.
  template <class F>
  void for_each_of_hash(uint64_t hash, F&& visit) {
    const Segmented entry = entry_of(hash);
    for (size_t at = entry.home(hash); entry.slots[at].block != nullptr; at = (at + 1) & entry.mask) {
      if (entry.slots[at].hash == hash && visit(entry.slots[at])) return;
    }
  }
  void prefetch_slot(uint64_t hash) const {
    const Segmented& entry = entry_of(hash);
    prefetch(&entry.slots[entry.home(hash)]);
  }
  // The block of the first slot of that hash; nullptr: there is none.
  uint8_t* block_of(uint64_t hash) const { return block_at(place_of(hash), hash); }
  // Asks for the head of that block.
  void prefetch_block(uint64_t hash, size_t bytes) const {
    const uint8_t* const block = block_of(hash);
    for (size_t at = 0; block != nullptr && at < bytes; at += 64) prefetch(block + at);
  }
  // Visits every slot; the visitor must not insert or erase.
  template <class F>
  void for_each(F&& visit) {
    for (Segment& segment : segments_) {
      for (Slot& slot : segment.slots) {
        if (slot.block != nullptr) visit(slot);
      }
    }
  }
  template <class F>
  void for_each(F&& visit) const {
    for (const Segment& segment : segments_) {
      for (const Slot& slot : segment.slots) {
        if (slot.block != nullptr) visit(slot);
      }
    }
  }

  // A place in the table to go on from.
  struct Hand {
    size_t segment = 0, slot = 0;
  };
  // Visits the slot at `hand`, if one is there, and steps on; false behind the last. What moves meanwhile may be missed or seen twice.
  template <class F>
  bool visit_next(Hand& hand, F&& visit) {
    while (hand.segment < segments_.size() && hand.slot >= segments_[hand.segment].slots.size()) hand = {hand.segment + 1, 0};
    if (hand.segment >= segments_.size()) return false;
    Slot& slot = segments_[hand.segment].slots[hand.slot++];
    if (slot.block != nullptr) visit(slot);
    return true;
  }
  // Visits those of the next `slots` of the table, round and round, whose deadline has come at `time`. The visitor must not insert or
  // erase; entries that move may be missed once.
  template <class F>
  void sweep(size_t slots, TimeUs time, F&& visit) {
    while (slots > 0) {
      if (hand_.slot >= segments_[hand_.segment].slots.size()) hand_ = {(hand_.segment + 1) % segments_.size(), 0};
      const std::vector<Slot>& all = segments_[hand_.segment].slots;
      const size_t step = std::min(slots, all.size() - hand_.slot);
      for (const Slot* slot = all.data() + hand_.slot, *end = slot + step; slot != end; ++slot) {
        if (slot->deadline <= time && slot->block != nullptr) visit(*slot);      // a free slot's never comes
      }
      hand_.slot += step;
      slots -= step;
    }
  }
  size_t size() const { return count_; }
  size_t slots() const { return slots_; }
  size_t bytes() const { return slots_ * sizeof(Slot); }

 private:
  static constexpr unsigned kDirectoryShift = 8, kHomeShift = 40;      // bits of the hash; which shard has it is decided by the lowest
  static constexpr uint32_t kDepthMax = kHomeShift - kDirectoryShift;

  struct Segment {
    std::vector<Slot> slots;      // a power of two
    uint32_t depth;               // that many bits of the directory's are the same for all that is in it
  };
  struct Segmented {              // an entry of the directory: all that finding needs
    Slot* slots = nullptr;
    uint32_t mask = 0;
    uint32_t segment = 0;
    size_t home(uint64_t hash) const { return (hash >> kHomeShift) & mask; }
  };

  const Segmented& entry_of(uint64_t hash) const { return directory_[hash >> kDirectoryShift & directory_mask_]; }
  Slot* seek(uint64_t hash, std::string_view key) const {
    const Segmented entry = entry_of(hash);
    for (size_t at = entry.home(hash);; at = (at + 1) & entry.mask) {
      Slot& slot = entry.slots[at];
      if (slot.block == nullptr) return nullptr;
      if (slot.hash == hash && equal_keys(BlockView(slot.block).key(), key)) return &slot;
    }
  }
  bool is_full(const Segmented& entry) const { return (counts_[entry.segment] + uint64_t{1}) * 10 > (entry.mask + uint64_t{1}) * 8; }
  static Slot* free_slot(const Segmented& entry, uint64_t hash) {
    size_t at = entry.home(hash);
    while (entry.slots[at].block != nullptr) at = (at + 1) & entry.mask;
    return &entry.slots[at];
  }
  void point_to(uint32_t number, size_t first, size_t step);
  void make_room(uint64_t hash);     // in the segment that the hash is in

  std::vector<Segmented> directory_;     // by bits of the hash; a power of two
  uint64_t directory_mask_ = 0;
  uint64_t layout_ = 0;                  // rises when slots get other memory
  std::vector<Segment> segments_;
  std::vector<uint32_t> counts_;     // of keys, by segment: close together, for every insert asks
  size_t count_ = 0;
  size_t slots_ = 16;
  Hand hand_;                        // slot to be swept next
};

}  // namespace cep
