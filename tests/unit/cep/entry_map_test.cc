// The persistent map of entries against std::map: random edits over versions that share, leaves that come back as they were.
#include "cep/entry_map.h"

#include <gtest/gtest.h>

#include <map>
#include <random>

namespace cep {
namespace {

using Model = std::map<std::string, std::string>;

Model contents(const EntryMap& map) {
  Model all;
  uint64_t last = 0;
  map.each_from(0, [&](uint64_t hash, std::string_view key, std::string_view payload) {
    EXPECT_GE(hash, last);
    last = hash;
    EXPECT_TRUE(all.emplace(key, payload).second);
    return true;
  });
  return all;
}

TEST(EntryMap, VersionsKeepWhatTheyHad) {
  std::mt19937 random(7);
  EntryMap map;
  Model model;
  std::vector<std::pair<EntryMap, Model>> versions;
  for (int step = 0; step < 20'000; ++step) {
    const std::string key = "k" + std::to_string(random() % 3'000);
    if (random() % 3 == 0) {
      EXPECT_EQ(map.erase(key), model.erase(key) == 1);
    } else {
      const std::string payload(random() % 40, static_cast<char>('a' + random() % 26));
      EXPECT_EQ(map.put(key, payload), !model.contains(key));
      model[key] = payload;
    }
    ASSERT_EQ(map.size(), model.size());
    if (step % 2'000 != 0) continue;
    versions.emplace_back(map, model);
    map = EntryMap(versions.back().first);
  }
  versions.emplace_back(map, model);
  for (const auto& [version, wanted] : versions) EXPECT_EQ(contents(version), wanted);
  for (const auto& [key, payload] : model) EXPECT_EQ(map.find(key), payload);
  EXPECT_FALSE(map.find("nobody"));
  EXPECT_FALSE(EntryMap().find(""));
}

TEST(EntryMap, AWalkGoesOnWhereItEnded) {
  EntryMap map;
  for (int i = 0; i < 1'000; ++i) map.put("k" + std::to_string(i), "");
  Model seen;
  for (uint64_t from = 0; seen.size() < 1'000;) {
    int items = 0;
    const size_t before = seen.size();
    map.each_from(from, [&](uint64_t hash, std::string_view key, std::string_view) {
      from = hash;
      return items++ < 7 && seen.emplace(key, "").second;
    });
    ASSERT_GT(seen.size(), before);
  }
}

// A mirror that is told the changed leaves alone has every version's leaves, and makes the version again.
TEST(EntryMap, ChangedLeavesAreAllThatChanged) {
  std::mt19937 random(11);
  EntryMap before;
  std::map<uint64_t, std::string> mirror;
  for (int round = 0; round < 30; ++round) {
    EntryMap now = before;
    const uint32_t edits = round == 10 ? 5'000 : random() % 50;
    for (uint32_t i = 0; i < edits; ++i) {
      const std::string key = std::to_string(random() % 8'000);
      if (random() % 4 == 0) {
        now.erase(key);
      } else {
        now.put(key, std::to_string(random()));
      }
    }
    size_t visited = 0;
    now.changed_leaves(before, [&](uint64_t leaf, const std::string* bytes) {
      ++visited;
      if (bytes == nullptr) {
        EXPECT_EQ(mirror.erase(leaf), 1u);
      } else {
        mirror[leaf] = *bytes;
      }
    });
    EXPECT_LE(visited, edits * 33u);
    EntryMap again;
    for (const auto& [leaf, bytes] : mirror) {
      ASSERT_NE(now.leaf(leaf), nullptr);
      EXPECT_EQ(*now.leaf(leaf), bytes);
      ASSERT_TRUE(again.restore_leaf(leaf, bytes));
    }
    EXPECT_EQ(contents(again), contents(now));
    EXPECT_EQ(again.size(), now.size());
    size_t different = 0;
    again.changed_leaves(now, [&](uint64_t, const std::string*) { ++different; });
    EXPECT_EQ(different, 0u) << "a restored map has the same leaves";
    before = now;
  }
  EXPECT_EQ(before.leaf(3), nullptr);
}

TEST(EntryMap, DamagedLeavesAreRefused) {
  EntryMap map;
  for (int i = 0; i < 200; ++i) map.put(std::to_string(i), "payload");
  std::vector<std::pair<uint64_t, std::string>> leaves;
  map.changed_leaves({}, [&](uint64_t leaf, const std::string* bytes) { leaves.emplace_back(leaf, *bytes); });
  ASSERT_GT(leaves.size(), 2u);
  const auto& [number, bytes] = leaves.front();
  EXPECT_TRUE(EntryMap().restore_leaf(number, bytes));
  EXPECT_FALSE(EntryMap().restore_leaf(leaves.back().first, bytes)) << "another leaf's";
  EXPECT_FALSE(EntryMap().restore_leaf(number, std::string_view(bytes).substr(0, bytes.size() - 1)));
  EXPECT_FALSE(EntryMap().restore_leaf(number, bytes + bytes)) << "the same keys twice";
  EXPECT_FALSE(EntryMap().restore_leaf(number | 0xf, bytes)) << "deeper than any";
  EXPECT_FALSE(EntryMap().restore_leaf(number, ""));
  EXPECT_FALSE(map.restore_leaf(number, bytes)) << "there already";
}

}  // namespace
}  // namespace cep
