// Checkpoints and restore: a crash between any two steps gives back the last seal, exactly.
#include "state/checkpoint.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <random>

#include "state/data_dir.h"
#include "state/restore.h"
#include "state/values.h"
#include "tests/support/scratch_dir.h"

namespace state {
namespace {

using Keys = std::map<RecordId, std::string>;

// What the shards would hold: the bytes of each key, its locator, and whether it changed since the last checkpoint.
struct Shards {
  struct Block {
    std::string bytes;
    uint32_t segment = 0;
    bool dirty = true;
  };
  std::map<RecordId, Block> blocks;
  std::map<RecordId, uint32_t> ended;   // gone since the last checkpoint: the segment of the last record
};

class Store {
 public:
  explicit Store(unsigned shards = 2) : shards_(shards) { reopen(); }

  void reopen(unsigned shards = 0) {
    if (shards != 0) shards_ = shards;
    writer_.reset();
    env_.reset();
    auto env = Env::open(dir_.path(), state_tables(shards_));
    ASSERT_TRUE(env.ok()) << env.error().message;
    env_ = std::move(*env);
    live_ = {};
    keys_.clear();
    auto restored = restore_checkpoint(*env_, 0);
    ASSERT_TRUE(restored.ok()) << restored.error().message;
    const auto take = [&](StoredRecords records) {
      for (const StoredRecord& record : records) {
        RecordId id{record.space, record.hash};
        EXPECT_TRUE(keys_.emplace(id, record.bytes).second) << "a key came twice";
        live_.blocks[id] = {std::string(record.bytes), record.segment, false};
      }
      return cep::ok_status();
    };
    ASSERT_TRUE(restored->records.read(*env_, [](const RecordId&) { return true; }, take).ok());
    checkpoint_ = restored->checkpoint;
    notes_ = restored->notes;
    writer_ = std::make_unique<CheckpointWriter>(*env_, 0, std::move(restored->history));
  }

  void set(RecordId id, std::string bytes) {
    auto ended = live_.ended.find(id);
    Shards::Block& block = live_.blocks[id];
    if (ended != live_.ended.end()) {   // gone and back within one checkpoint: the old record is still the last
      block.segment = ended->second;
      live_.ended.erase(ended);
    }
    block.bytes = std::move(bytes);
    block.dirty = true;
  }

  void end(RecordId id) {
    auto found = live_.blocks.find(id);
    if (found == live_.blocks.end()) return;
    live_.ended[id] = found->second.segment;
    live_.blocks.erase(found);
  }

  Keys now() const {
    Keys keys;
    for (const auto& [id, block] : live_.blocks) keys[id] = block.bytes;
    return keys;
  }

  // The steps of one checkpoint; each is at most one commit.
  std::vector<std::function<void()>> steps(bool clean_before_seal = false) {
    std::vector<std::function<void()>> steps;
    steps.push_back([this] { writer_->begin(writer_->next_sequence()); });
    for (uint32_t shard = 0; shard < shards_; ++shard) {
      steps.push_back([this, shard] { hand_over(shard, true); });
      steps.push_back([this, shard] { hand_over(shard, false); });
    }
    if (clean_before_seal) steps.push_back([this] { clean(); });
    steps.push_back([this] { seal(); });
    steps.push_back([this] { ASSERT_TRUE(writer_->clean_some().ok()); });
    steps.push_back([this] { clean(); });
    return steps;
  }

  void checkpoint() {
    for (const auto& step : steps()) step();
  }

  void clean() {
    for (;;) {
      auto cleaned = writer_->clean_some();
      ASSERT_TRUE(cleaned.ok()) << cleaned.error().message;
      if (*cleaned == 0) return;
    }
  }

  size_t entries(const std::string& table) {
    size_t count = 0;
    EXPECT_TRUE(env_->read([&](ReadTxn& txn) {
                     Cursor cursor = txn.cursor(env_->table(table));
                     for (bool more = cursor.seek(Key().u16(0)); more; more = cursor.next()) ++count;
                     return cep::ok_status();
                   }).ok());
    return count;
  }

  // Flips a bit in the nth entry of `table`, from the end.
  bool flip(const std::string& table, size_t from_end, size_t bit) {
    bool done = false;
    EXPECT_TRUE(env_->write([&](WriteTxn& txn) {
                     std::string key, value;
                     Cursor cursor = txn.cursor(env_->table(table));
                     bool there = cursor.seek_before(Key().u16(1));
                     for (size_t i = 0; there && i < from_end; ++i) there = cursor.previous();
                     if (!there || cursor.value().empty()) return cep::ok_status();
                     key = cursor.key();
                     value = cursor.value();
                     bit %= value.size() * 8;
                     value[bit / 8] = static_cast<char>(value[bit / 8] ^ (1 << bit % 8));
                     txn.put(env_->table(table), key, value);
                     done = true;
                     return cep::ok_status();
                   }).ok());
    return done;
  }

  const Keys& restored() const { return keys_; }
  const std::optional<SealedCheckpoint>& sealed() const { return checkpoint_; }
  const std::vector<std::string>& notes() const { return notes_; }
  CheckpointWriter& writer() { return *writer_; }
  Env& env() { return *env_; }
  const Keys& at_seal() const { return at_seal_; }
  uint32_t seals() const { return seals_; }
  void drop_env() {
    writer_.reset();
    env_.reset();
  }
  const std::string& path() const { return dir_.path(); }

 private:
  // The first or the second half of a shard's dirty keys and of the victims' keys.
  void hand_over(uint32_t shard, bool first_half) {
    uint32_t sequence = writer_->next_sequence();
    std::vector<uint32_t> victims = writer_->victims(1'000);
    std::vector<KeyRecord> slice;
    for (auto& [id, block] : live_.blocks) {
      bool victim = std::find(victims.begin(), victims.end(), block.segment) != victims.end();
      bool mine = id.hash % shards_ == shard && (id.hash / shards_ % 2 == 0) == first_half;
      if (!mine || !(block.dirty || victim)) continue;
      slice.push_back({.space = id.space, .hash = id.hash, .deadline_us = 5, .old_segment = block.segment,
                       .gone = false, .bytes = block.bytes});
      block.segment = sequence;
      block.dirty = false;
    }
    for (auto ended = live_.ended.begin(); ended != live_.ended.end();) {
      const auto& [id, segment] = *ended;
      bool mine = id.hash % shards_ == shard && (id.hash / shards_ % 2 == 0) == first_half;
      if (mine) {
        slice.push_back({.space = id.space, .hash = id.hash, .deadline_us = 0, .old_segment = segment, .gone = true,
                         .bytes = {}});
      }
      ended = mine ? live_.ended.erase(ended) : std::next(ended);
    }
    ASSERT_TRUE(writer_->add_slice(shard, slice).ok());
  }

  void seal() {
    SealedCheckpoint checkpoint;
    checkpoint.sequence = writer_->next_sequence();
    checkpoint.applied_through = checkpoint.sequence * 100;
    checkpoint.reread_offset = checkpoint.sequence * 100 - 7;
    checkpoint.marks = {{1, std::string(3'000, 'm')}};
    checkpoint.control = "control of " + std::to_string(checkpoint.sequence);
    checkpoint.shard_count = shards_;
    ASSERT_TRUE(writer_->seal(checkpoint).ok());
    at_seal_ = now();
    ++seals_;
  }

  support::ScratchDir dir_;
  unsigned shards_;
  std::unique_ptr<Env> env_;
  std::unique_ptr<CheckpointWriter> writer_;
  Shards live_;
  Keys keys_, at_seal_;
  uint32_t seals_ = 0;
  std::optional<SealedCheckpoint> checkpoint_;
  std::vector<std::string> notes_;
};

void change(Store& store, std::mt19937_64& random, uint64_t keys, unsigned percent) {
  for (uint64_t hash = 0; hash < keys; ++hash) {
    if (random() % 100 >= percent) continue;
    RecordId id{hash % 3, hash};
    if (random() % 4 == 0) {
      store.end(id);
    } else {
      store.set(id, std::string(random() % 10 == 0 ? 5'000 : random() % 60, static_cast<char>('a' + random() % 26)));
    }
  }
}

TEST(CheckpointTest, GivesBackTheSealAndTheKeys) {
  Store store;
  EXPECT_FALSE(store.sealed().has_value());
  store.set({1, 10}, "ten");
  store.set({1, 11}, std::string(10'000, 'x'));
  store.set({2, 10}, "");
  store.checkpoint();
  store.set({1, 10}, "never sealed");
  store.reopen();
  ASSERT_TRUE(store.sealed().has_value());
  EXPECT_EQ(store.sealed()->sequence, 1u);
  EXPECT_EQ(store.sealed()->applied_through, 100u);
  EXPECT_EQ(store.sealed()->reread_offset, 93u);
  EXPECT_EQ(store.sealed()->control, "control of 1");
  EXPECT_EQ(store.sealed()->marks[0].bitmap, std::string(3'000, 'm'));
  EXPECT_EQ(store.restored(), (Keys{{{1, 10}, "ten"}, {{1, 11}, std::string(10'000, 'x')}, {{2, 10}, ""}}));
  EXPECT_EQ(store.writer().next_sequence(), 2u);
  EXPECT_EQ(store.writer().log_floor_offset(), 93u);
}

TEST(CheckpointTest, RandomChangesWithRestartsAndShardCounts) {
  for (uint64_t seed = 0; seed < 6 && !testing::Test::HasFailure(); ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    std::mt19937_64 random(seed);
    Store store(1 + seed % 4);
    for (int round = 0; round < 30 && !testing::Test::HasFailure(); ++round) {
      change(store, random, 150, 30);
      store.checkpoint();
      if (random() % 4 != 0) continue;
      change(store, random, 150, 30);   // lost with the crash
      store.reopen(1 + static_cast<unsigned>(random() % 4));
      EXPECT_EQ(store.restored(), store.at_seal());
      EXPECT_EQ(store.sealed()->sequence, store.seals());
      EXPECT_EQ(store.writer().segments().live_keys(), store.restored().size());
    }
    EXPECT_LT(store.writer().segments().segments(), 20u);
    store.reopen(1);
    EXPECT_EQ(store.restored(), store.at_seal());
  }
}

// The mutant WEIR_MUTANT_DELETE_BEFORE_SEAL deletes segment 1 in a step before the seal and has nothing to go back to.
TEST(CheckpointTest, CrashBetweenAnyTwoSteps) {
  const uint64_t seed = 11;
  SCOPED_TRACE("seed " + std::to_string(seed));
  size_t count = Store().steps(true).size();
  for (size_t crash_after = 0; crash_after <= count && !testing::Test::HasFailure(); ++crash_after) {
    for (uint32_t before : {1u, 2u, 5u}) {
      SCOPED_TRACE("crash after step " + std::to_string(crash_after) + " of checkpoint " + std::to_string(before + 1));
      std::mt19937_64 random(seed);
      Store store;
      for (uint32_t i = 0; i < before; ++i) {
        change(store, random, 300, 100);
        store.checkpoint();
      }
      change(store, random, 300, 100);
      auto steps = store.steps(true);
      for (size_t i = 0; i < crash_after; ++i) steps[i]();
      store.reopen();
      ASSERT_TRUE(store.sealed().has_value());
      EXPECT_EQ(store.sealed()->sequence, store.seals());
      EXPECT_EQ(store.restored(), store.at_seal());
      EXPECT_TRUE(store.notes().empty());
      store.checkpoint();   // and it goes on
      store.reopen();
      EXPECT_EQ(store.restored(), store.at_seal());
    }
  }
}

TEST(CheckpointTest, FlippedBitsFallBackToTheCheckpointBefore) {
  const uint64_t seed = 3;
  std::mt19937_64 random(seed);
  for (const char* table : {"ckpt", "segment", "rec.0", "rec.1", "idx.0", "idx.1"}) {
    for (int round = 0; round < 25 && !testing::Test::HasFailure(); ++round) {
      SCOPED_TRACE(std::string(table) + ", round " + std::to_string(round));
      Store store;
      change(store, random, 60, 100);
      store.checkpoint();
      change(store, random, 60, 50);
      store.checkpoint();
      Keys before = store.at_seal();
      for (uint64_t hash = 0; hash < 60; ++hash) store.set({hash % 3, hash}, std::string(random() % 40, 'n'));
      store.checkpoint();
      // The newest entries are the third checkpoint's, and all its records are live.
      ASSERT_TRUE(store.flip(table, 0, random()));
      store.reopen();
      EXPECT_EQ(store.notes().size(), 1u);
      ASSERT_TRUE(store.sealed().has_value());
      EXPECT_EQ(store.sealed()->sequence, 2u);
      EXPECT_EQ(store.restored(), before);
      store.checkpoint();
      store.reopen();
      EXPECT_TRUE(store.notes().empty());
      EXPECT_EQ(store.restored(), before);
    }
  }
}

TEST(CheckpointTest, DamageThatAllShareIsAnErrorNeverAnEmptyState) {
  Store store;
  store.set({1, 2}, "cold");
  store.checkpoint();
  for (int i = 0; i < 5; ++i) {
    store.set({1, 4}, "hot " + std::to_string(i));
    store.checkpoint();
  }
  // The oldest record of shard 0 is live in every checkpoint kept.
  ASSERT_TRUE(store.flip("rec.0", store.entries("rec.0") - 1, 300));
  Env& env = store.env();
  auto restored = restore_checkpoint(env, 0);
  ASSERT_FALSE(restored.ok());
  EXPECT_EQ(restored.error().code, "damaged");
}

// So many records that several threads prove them, most of them dead, and the damaged one is neither the first nor the last.
TEST(CheckpointTest, ManyRecordsAreProvedWhereverTheyAre) {
  Store store(1);
  const uint64_t keys = 150'000;
  for (uint64_t hash = 0; hash < keys; ++hash) store.set({7, hash}, std::to_string(hash));
  store.checkpoint();
  for (uint64_t hash = 0; hash < keys; hash += 1 + hash / 1'000) store.set({7, hash}, "anew");
  store.set({0, 0}, "of the least name");
  store.checkpoint();
  store.reopen();
  EXPECT_EQ(store.restored(), store.at_seal());
  EXPECT_EQ(store.writer().segments().live_keys(), keys + 1);
  const size_t records = store.entries("rec.0");
  ASSERT_TRUE(store.flip("rec.0", records - 100'000, 350));      // the first segment's, which both checkpoints need
  auto restored = restore_checkpoint(store.env(), 0);
  ASSERT_FALSE(restored.ok());
  EXPECT_EQ(restored.error().code, "damaged");
}

TEST(CheckpointTest, OnlyWantedRecordsAreReadAndAnErrorEndsIt) {
  Store store;
  for (uint64_t hash = 0; hash < 300; ++hash) store.set({hash % 2, hash}, std::string(hash % 50 == 0 ? 7'000 : hash % 90, 'x'));
  store.checkpoint();
  auto restored = restore_checkpoint(store.env(), 0);
  ASSERT_TRUE(restored.ok());
  Keys read;
  size_t left = SIZE_MAX;
  const auto take = [&](StoredRecords records) -> cep::Status {
    if (left == 0) return cep::Error{"stopped", ""};
    --left;
    for (const StoredRecord& record : records) read[{record.space, record.hash}] = record.bytes;
    return cep::ok_status();
  };
  const auto is_odd = [](const RecordId& id) { return id.space == 1; };
  ASSERT_TRUE(restored->records.read(store.env(), is_odd, take).ok());
  Keys wanted = store.at_seal();
  std::erase_if(wanted, [&](const auto& key) { return !is_odd(key.first); });
  EXPECT_EQ(read, wanted);
  left = 1;
  EXPECT_EQ(restored->records.read(store.env(), is_odd, take).error().code, "stopped");
}

TEST(CheckpointTest, IdleWritesNothingAndTheEndLeavesNothing) {
  Store store;
  std::mt19937_64 random(5);
  for (int i = 0; i < 10; ++i) {
    change(store, random, 200, 40);
    store.checkpoint();
  }
  for (int i = 0; i < 15; ++i) store.checkpoint();
  size_t records = store.entries("rec.0") + store.entries("rec.1");
  uint32_t newest = store.writer().sealed_sequence();
  for (int i = 0; i < 3; ++i) store.checkpoint();
  EXPECT_EQ(store.entries("rec.0") + store.entries("rec.1"), records);
  EXPECT_EQ(store.writer().segments().records(newest + 1), 0u);
  for (uint64_t hash = 0; hash < 200; ++hash) store.end({hash % 3, hash});
  for (int i = 0; i < 10; ++i) store.checkpoint();
  EXPECT_EQ(store.entries("rec.0") + store.entries("rec.1"), 0u);
  EXPECT_EQ(store.entries("idx.0") + store.entries("idx.1"), 0u);
  EXPECT_EQ(store.entries("segment"), 0u);
  EXPECT_EQ(store.entries("ckpt"), store.entries("ckpt") / 3 * 3);
  store.reopen();
  EXPECT_TRUE(store.restored().empty());
}

TEST(CheckpointTest, KeyThatEndsAndComesBackIsNotEndedAgain) {
  Store store;
  store.set({1, 2}, "first");
  store.set({1, 4}, "other");
  store.checkpoint();
  store.end({1, 2});
  store.checkpoint();
  store.set({1, 2}, "second");
  store.checkpoint();
  store.end({1, 2});
  store.set({1, 2}, "third");
  store.checkpoint();
  store.reopen();
  EXPECT_EQ(store.restored(), (Keys{{{1, 2}, "third"}, {{1, 4}, "other"}}));
}

TEST(CheckpointTest, TombstonesMoveOutOfSegmentsThatAreOtherwiseDead) {
  Store store(1);
  for (uint64_t hash = 0; hash < 50; ++hash) store.set({1, hash}, "cold");   // keeps segment 1 alive
  store.checkpoint();
  store.end({1, 7});
  for (uint64_t hash = 100; hash < 120; ++hash) store.set({1, hash}, "hot");
  store.checkpoint();
  for (int i = 0; i < 6; ++i) {
    for (uint64_t hash = 100; hash < 120; ++hash) store.set({1, hash}, "hot again");
    store.checkpoint();
    EXPECT_EQ(store.writer().segments().tombstones(), 1u);
  }
  EXPECT_EQ(store.writer().segments().live(1), 49u);
  EXPECT_EQ(store.writer().segments().records(2), 0u);   // it is deleted, its tombstone is elsewhere
  store.reopen();
  EXPECT_EQ(store.restored(), store.at_seal());
  EXPECT_EQ(store.restored().count({1, 7}), 0u);
}

TEST(CheckpointTest, CleaningGoesInSlicesAndSurvivesAStop) {
  Store store(1);
  for (uint64_t hash = 0; hash < 3'000; ++hash) store.set({1, hash}, "v");
  store.checkpoint();
  for (int i = 0; i < 2; ++i) {
    for (uint64_t hash = 0; hash < 3'000; ++hash) store.set({1, hash}, "w");
    store.checkpoint();
  }
  for (uint64_t hash = 0; hash < 3'000; ++hash) store.set({1, hash}, "x");
  auto steps = store.steps();
  for (size_t i = 0; i + 1 < steps.size(); ++i) steps[i]();   // one clean_some after the seal
  EXPECT_EQ(store.entries("rec.0"), 11'000u);
  store.reopen();
  EXPECT_EQ(store.restored(), store.at_seal());
  store.clean();
  EXPECT_EQ(store.entries("rec.0"), 9'000u);   // three checkpoints are kept whole
}

TEST(CheckpointTest, FullDiskLeavesTheCallToBeMadeAgain) {
  support::ScratchDir dir;
  auto env = Env::open(dir.path(), state_tables(1), {.map_bytes = 1 << 20, .map_bytes_max = 1 << 20});
  ASSERT_TRUE(env.ok());
  CheckpointWriter writer(**env, 0, {});
  writer.begin(1);
  uint64_t written = 0;
  cep::Status status = cep::ok_status();
  while (status.ok()) {
    std::vector<KeyRecord> slice;
    for (uint64_t i = 0; i < 50; ++i) {
      slice.push_back({.space = 1, .hash = written + i, .deadline_us = 0, .old_segment = 0, .gone = false,
                       .bytes = std::string(500, 'x')});
    }
    status = writer.add_slice(0, slice);
    if (status.ok()) written += 50;
  }
  EXPECT_EQ(status.error().code, "disk_full");
  EXPECT_EQ(writer.segments().live_keys(), written);
  env->reset();
  env = Env::open(dir.path(), state_tables(1));
  CheckpointHistory nothing;
  auto restored = restore_checkpoint(**env, 0);
  ASSERT_TRUE(restored.ok());
  EXPECT_FALSE(restored->checkpoint.has_value());
}

TEST(CheckpointTest, LogThatDoesNotCoverTheCheckpointIsRefused) {
  SealedCheckpoint checkpoint;
  checkpoint.reread_offset = 90;
  checkpoint.applied_through = 100;
  EXPECT_TRUE(check_log_covers(checkpoint, 90, 100).ok());
  EXPECT_EQ(check_log_covers(checkpoint, 91, 200).error().code, "log_trimmed");
  EXPECT_EQ(check_log_covers(checkpoint, 0, 99).error().code, "log_behind_checkpoint");
  EXPECT_TRUE(check_log_covers(std::nullopt, 0, 99).ok());
  EXPECT_EQ(check_log_covers(std::nullopt, 1, 99).error().code, "state_missing");
}

}  // namespace
}  // namespace state
