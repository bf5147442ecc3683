// Live counts, tombstones and cleaning against a model that remembers every record ever written.
#include "state/segments.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <optional>
#include <random>

namespace state {
namespace {

struct Record {
  RecordId id;
  uint32_t segment;
  bool gone;
  uint32_t ended;
};

// All records in the order they were written, and the segments that exist.
struct Model {
  std::vector<Record> records;
  std::set<uint32_t> segments;

  uint64_t count(uint32_t segment) const {
    return static_cast<uint64_t>(
        std::count_if(records.begin(), records.end(), [&](const Record& r) { return r.segment == segment; }));
  }

  uint64_t live(uint32_t segment) const {
    std::map<RecordId, Record> newest;
    for (const Record& record : records) {
      if (segments.count(record.segment) != 0) newest[record.id] = record;
    }
    uint64_t live = 0;
    for (const auto& [id, record] : newest) {
      bool needed = !record.gone || *segments.begin() <= record.ended;
      live += record.segment == segment && needed;
    }
    return live;
  }
};

class Simulation {
 public:
  explicit Simulation(uint64_t seed) : random_(seed) {}

  void checkpoint() {
    uint32_t sequence = ++sequence_;
    std::vector<uint32_t> victims = table_.victims(sequence - 1, 20);
    for (RecordId id : all_ids()) {
      auto key = keys_.find(id);
      bool victim = key != keys_.end() &&
                    std::find(victims.begin(), victims.end(), key->second) != victims.end();
      if (victim || random_() % 4 == 0) write(id, sequence, !victim && random_() % 3 == 0);
    }
    for (const auto& [id, tombstone] : table_.tombstones_in(victims, 1'000)) {
      model_.records.push_back({id, sequence, true, tombstone.ended_segment});
      model_.segments.insert(sequence);
      table_.carry(id, sequence);
    }
    compare();
    clean();
  }

  // Everything ends; what is left must go.
  void end() {
    uint32_t sequence = ++sequence_;
    for (RecordId id : all_ids()) write(id, sequence, true);
    compare();
    for (int i = 0; i < 20; ++i) {
      sequence = ++sequence_;
      std::vector<uint32_t> victims = table_.victims(sequence - 1, 1'000);
      for (const auto& [id, tombstone] : table_.tombstones_in(victims, 1'000)) {
        model_.records.push_back({id, sequence, true, tombstone.ended_segment});
        model_.segments.insert(sequence);
        table_.carry(id, sequence);
      }
      clean();
    }
    EXPECT_EQ(table_.live_keys(), 0u);
    EXPECT_EQ(table_.tombstones(), 0u);
    EXPECT_EQ(table_.segments(), 0u);
  }

 private:
  std::vector<RecordId> all_ids() const {
    std::vector<RecordId> ids;
    for (uint64_t hash = 0; hash < 30; ++hash) ids.push_back({hash % 2, hash});
    return ids;
  }

  void write(RecordId id, uint32_t sequence, bool gone) {
    auto key = keys_.find(id);
    uint32_t old_segment = key == keys_.end() ? 0 : key->second;
    if (!table_.needs_record(gone, old_segment)) return;
    table_.add(id, sequence, old_segment, gone);
    model_.records.push_back({id, sequence, gone, old_segment});
    model_.segments.insert(sequence);
    if (gone) {
      keys_.erase(id);
    } else {
      keys_[id] = sequence;
    }
  }

  void clean() {
    uint32_t oldest_kept = sequence_ < 3 ? 0 : sequence_ - 2;
    for (;;) {
      std::vector<uint32_t> dead = table_.deletable(oldest_kept);
      if (dead.empty()) break;
      table_.remove(dead.front());
      model_.segments.erase(dead.front());
      compare();
    }
  }

  void compare() const {
    EXPECT_EQ(table_.live_keys(), keys_.size());
    EXPECT_EQ(table_.segments(), model_.segments.size());
    for (uint32_t segment : model_.segments) {
      EXPECT_EQ(table_.live(segment), model_.live(segment)) << "segment " << segment;
      EXPECT_EQ(table_.records(segment), model_.count(segment)) << "segment " << segment;
    }
  }

  std::mt19937_64 random_;
  SegmentTable table_;
  Model model_;
  std::map<RecordId, uint32_t> keys_;   // the segment of each
  uint32_t sequence_ = 0;
};

TEST(SegmentTableTest, EqualsBruteForceAndEndsEmpty) {
  for (uint64_t seed = 0; seed < 30 && !testing::Test::HasFailure(); ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Simulation run(seed);
    for (int i = 0; i < 25; ++i) run.checkpoint();
    run.end();
  }
}

TEST(SegmentTableTest, TombstoneOutlivesWhatItEnded) {
  SegmentTable table;
  for (uint64_t hash = 0; hash < 10; ++hash) table.add({1, hash}, 1, 0, false);
  table.add({1, 0}, 2, 1, true);
  EXPECT_EQ(table.live(2), 1u);
  for (uint64_t hash = 1; hash < 10; ++hash) table.add({1, hash}, 3, 1, false);
  EXPECT_EQ(table.live(1), 0u);
  EXPECT_TRUE(table.deletable(2).empty());   // checkpoint 2 still reads segment 1
  EXPECT_EQ(table.deletable(3), std::vector<uint32_t>{1});
  EXPECT_EQ(table.live(2), 1u);
  table.remove(1);
  EXPECT_EQ(table.live(2), 0u);
}

// A tombstone that lies in the segment it waits for would hold it for ever if half live were not a victim.
TEST(SegmentTableTest, KeyThatEndsInTheCheckpointThatWroteItLeavesNothing) {
  SegmentTable table;
  table.add({1, 5}, 1, 0, false);
  table.add({1, 5}, 1, 1, true);
  EXPECT_EQ(table.live(1), 1u);
  EXPECT_EQ(table.victims(1, 100), std::vector<uint32_t>{1});
  table.carry({1, 5}, 2);
  EXPECT_EQ(table.deletable(2), std::vector<uint32_t>{1});
  table.remove(1);
  EXPECT_EQ(table.tombstones(), 0u);
  EXPECT_EQ(table.live(2), 0u);
}

TEST(SegmentTableTest, ChoosesTheEmptiestWithinTheBudget) {
  SegmentTable table;
  for (uint64_t hash = 0; hash < 10; ++hash) table.add({1, hash}, 1, 0, false);
  for (uint64_t hash = 10; hash < 20; ++hash) table.add({1, hash}, 2, 0, false);
  for (uint64_t hash = 0; hash < 6; ++hash) table.add({1, hash}, 3, 1, false);
  for (uint64_t hash = 10; hash < 18; ++hash) table.add({1, hash}, 3, 2, false);
  EXPECT_EQ(table.victims(3, 100), (std::vector<uint32_t>{2, 1}));
  EXPECT_EQ(table.victims(3, 3), std::vector<uint32_t>{2});
  EXPECT_EQ(table.victims(1, 100), std::vector<uint32_t>{1});
}

TEST(SegmentTableTest, ManyTombstonesMakeTheOldestAVictim) {
  SegmentTable table;
  for (uint64_t hash = 0; hash < 4'000; ++hash) table.add({1, hash}, 1, 0, false);
  for (uint64_t hash = 10'000; hash < 14'000; ++hash) table.add({1, hash}, 2, 0, false);
  EXPECT_TRUE(table.victims(2, 100).empty());
  for (uint64_t hash = 10'000; hash < 12'000; ++hash) table.add({1, hash}, 3, 2, true);
  std::vector<uint32_t> victims = table.victims(3, 100);
  ASSERT_FALSE(victims.empty());
  EXPECT_EQ(victims.front(), 1u);
}

}  // namespace
}  // namespace state
