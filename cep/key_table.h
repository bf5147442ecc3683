// The hot table of one key space: hash of the key -> its block. Open addressing, linear probing, 32-byte slots, in segments that the hash
// chooses through a directory (extendible hashing). A full segment grows to 2,048 slots and then splits in two, so that no insert ever
// moves more than one segment, however large the table is: a shard answers meanwhile.
// Key bytes are verified in the block, so two keys of one hash are two entries. Blocks belong to the table's user.
// One thread. Complexity: find O(1) at a load of at most 0.8 a segment. Test: tests/unit/cep/key_table_test.cc.
#pragma once

#include <cstdint>
#include <string_view>
#include <utility>
#include <vector>

#include "cep/block.h"
#include "cep/prefetch.h"

namespace cep {

struct alignas(32) Slot {           // never in two cache lines
  uint64_t hash = 0;
  uint8_t* block = nullptr;         // nullptr: the slot is free
  TimeUs deadline = kTimeMax;       // when something of it is due: by the timer queue, or swept out some time after
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
  Slot* find(uint64_t hash, std::string_view key) {
    return const_cast<Slot*>(std::as_const(*this).find(hash, key));
  }
  const Slot* find(uint64_t hash, std::string_view key) const {
    const Place place = place_of(hash);
    for (size_t at = place.home(hash);; at = (at + 1) & place.mask) {
      const Slot& slot = place.slots[at];
      if (slot.block == nullptr) return nullptr;
      if (slot.hash == hash && BlockView(slot.block).key() == key) return &slot;
    }
  }
  // A slot for a key that is not in the table.
  Slot* insert(uint64_t hash, uint8_t* block) {
    while (is_full(place_of(hash))) make_room(hash);
    const Place place = place_of(hash);
    ++count_;
    ++counts_[place.segment];
    Slot* slot = free_slot(place, hash);
    *slot = {hash, block, kTimeMax, 0};
    return slot;
  }
  // Removes a slot (backward shift: no tombstones); moves others.
  void erase(Slot* slot) {
    const Place place = place_of(slot->hash);
    --count_;
    --counts_[place.segment];
    size_t hole = static_cast<size_t>(slot - place.slots);
    for (size_t next = hole;;) {
      place.slots[hole] = Slot();
      for (;;) {
        next = (next + 1) & place.mask;
        if (place.slots[next].block == nullptr) return;
        size_t home = place.home(place.slots[next].hash);
        bool stays = hole <= next ? (hole < home && home <= next) : (hole < home || home <= next);
        if (!stays) break;
      }
      place.slots[hole] = place.slots[next];
      hole = next;
    }
  }
  // Visits the slots of that hash until the visitor returns true: for timers, which know only the hash.
  template <class F>
  void for_each_of_hash(uint64_t hash, F&& visit) {
    const Place place = place_of(hash);
    for (size_t at = place.home(hash); place.slots[at].block != nullptr; at = (at + 1) & place.mask) {
      if (place.slots[at].hash == hash && visit(place.slots[at])) return;
    }
  }
  void prefetch(uint64_t hash) const {
    const Place& place = place_of(hash);
    cep::prefetch(&place.slots[place.home(hash)]);
  }
  // The head of the block of the first slot of that hash, if there is one.
  void prefetch_block(uint64_t hash) const {
    const Place place = place_of(hash);
    for (size_t at = place.home(hash); place.slots[at].block != nullptr; at = (at + 1) & place.mask) {
      if (place.slots[at].hash != hash) continue;
      for (size_t line = 0; line < 5; ++line) cep::prefetch(place.slots[at].block + line * 64);
      return;
    }
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
    const_cast<KeyTable*>(this)->for_each([&](const Slot& slot) { visit(slot); });
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
  // Visits the next `slots` of the table, round and round. The visitor must not insert or erase; entries that move may be missed once.
  template <class F>
  void sweep(size_t slots, F&& visit) {
    for (; slots > 0; --slots) {
      if (visit_next(hand_, visit)) continue;
      hand_ = Hand();
      visit_next(hand_, visit);
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
  struct Place {                  // an entry of the directory: all that finding needs
    Slot* slots = nullptr;
    uint32_t mask = 0;
    uint32_t segment = 0;
    size_t home(uint64_t hash) const { return (hash >> kHomeShift) & mask; }
  };

  const Place& place_of(uint64_t hash) const { return directory_[hash >> kDirectoryShift & (directory_.size() - 1)]; }
  bool is_full(const Place& place) const { return (counts_[place.segment] + uint64_t{1}) * 10 > (place.mask + uint64_t{1}) * 8; }
  static Slot* free_slot(const Place& place, uint64_t hash) {
    size_t at = place.home(hash);
    while (place.slots[at].block != nullptr) at = (at + 1) & place.mask;
    return &place.slots[at];
  }
  void point_to(uint32_t number, size_t first, size_t step);
  void make_room(uint64_t hash);     // in the segment that the hash is in

  std::vector<Place> directory_;     // by bits of the hash; a power of two
  std::vector<Segment> segments_;
  std::vector<uint32_t> counts_;     // of keys, by segment: close together, for every insert asks
  size_t count_ = 0;
  size_t slots_ = 16;
  Hand hand_;                        // slot to be swept next
};

}  // namespace cep
