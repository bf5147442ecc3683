// The key table against a map: keys come and go, hashes collide in all or some of their bits, and no insert moves more than a segment.
#include "cep/key_table.h"

#include <gtest/gtest.h>

#include <map>
#include <random>
#include <set>

namespace cep {
namespace {

// Blocks that hold a key and nothing else.
class Blocks {
 public:
  ~Blocks() {
    for (uint8_t* block : made_) memory_.release(block);
  }
  uint8_t* make(const std::string& key) {
    BlockEditor editor(memory_);
    editor.create(key);
    return made_.emplace_back(editor.view().bytes());
  }

 private:
  BlockMemory memory_;
  std::vector<uint8_t*> made_;
};

using Hasher = uint64_t (*)(uint64_t key);

uint64_t spread(uint64_t key) {
  key = (key + 0x9e3779b97f4a7c15u) * 0xbf58476d1ce4e5b9u;
  key = (key ^ key >> 27) * 0x94d049bb133111ebu;
  return key ^ key >> 31;
}
uint64_t only_high_bits(uint64_t key) { return spread(key) << 40; }      // the directory parts none of them
uint64_t only_low_bits(uint64_t key) { return spread(key) >> 24; }       // all have one home in their segment
uint64_t four_hashes(uint64_t key) { return spread(key % 4); }

void change_at_random(Hasher hash_of, uint64_t keys, int changes) {
  std::mt19937_64 random(11);
  Blocks blocks;
  std::map<uint64_t, uint8_t*> expected;
  std::map<uint64_t, KeyTable::Place> places;      // as they once were
  KeyTable table;
  for (int i = 0; i < changes; ++i) {
    const uint64_t key = random() % keys;
    const std::string name = std::to_string(key);
    Slot* slot = table.find(hash_of(key), name);
    const auto known = expected.find(key);
    ASSERT_EQ(slot != nullptr, known != expected.end()) << "change " << i;
    ASSERT_EQ(table.find_at(places[key], hash_of(key), name), slot) << "change " << i;
    if (random() % 4 == 0) places[key] = table.place_of(hash_of(key));
    if (slot == nullptr) {
      expected[key] = blocks.make(name);
      table.insert(hash_of(key), expected[key])->awaits = key;
    } else {
      ASSERT_EQ(slot->block, known->second);
      ASSERT_EQ(slot->awaits, key);
      if (random() % 3 != 0) continue;
      table.erase(slot);
      expected.erase(known);
    }
  }
  EXPECT_EQ(table.size(), expected.size());
  std::set<uint64_t> visited, swept;
  table.for_each([&](const Slot& slot) { EXPECT_TRUE(visited.insert(slot.awaits).second); });
  table.sweep(table.slots(), kTimeMax, [&](const Slot& slot) { EXPECT_TRUE(swept.insert(slot.awaits).second); });
  EXPECT_EQ(visited.size(), expected.size());
  EXPECT_EQ(swept, visited);
  for (const auto& [key, block] : expected) {
    const Slot* slot = table.find(hash_of(key), std::to_string(key));
    ASSERT_NE(slot, nullptr) << key;
    EXPECT_EQ(slot->block, block);
  }
}

TEST(KeyTableTest, HoldsWhatAMapHolds) { change_at_random(spread, 60'000, 200'000); }
TEST(KeyTableTest, HashesThatNoDirectoryPartsFindRoom) { change_at_random(only_high_bits, 20'000, 40'000); }
TEST(KeyTableTest, HashesOfOneHomeFindRoom) { change_at_random(only_low_bits, 3'000, 9'000); }
TEST(KeyTableTest, KeysOfOneHashAreTwoKeys) { change_at_random(four_hashes, 500, 4'000); }

TEST(KeyTableTest, NoInsertMovesMoreThanASegment) {
  Blocks blocks;
  KeyTable table;
  size_t least = table.slots();
  for (uint64_t key = 0; key < 200'000; ++key) {
    table.insert(spread(key), blocks.make(std::to_string(key)));
    ASSERT_LE(table.slots() - least, KeyTable::kSegmentSlots) << "key " << key;
    least = table.slots();
  }
  EXPECT_LE(table.slots(), 200'000u * 10 / 4 + KeyTable::kSegmentSlots) << "loads are between four tenths and eight";
}

TEST(KeyTableTest, AWalkSeesAllWhileOthersComeIn) {
  Blocks blocks;
  KeyTable table;
  for (uint64_t key = 0; key < 10'000; ++key) table.insert(spread(key), blocks.make(std::to_string(key)))->awaits = key;
  std::set<uint64_t> seen;
  KeyTable::Hand hand;
  uint64_t key = 10'000;
  while (table.visit_next(hand, [&](const Slot& slot) { seen.insert(slot.awaits); })) {
    if (++key % 8 == 0) table.insert(spread(key), blocks.make(std::to_string(key)))->awaits = 0;
  }
  EXPECT_GE(seen.size(), 9'900u) << "what moves may be missed, not more";
}

}  // namespace
}  // namespace cep
