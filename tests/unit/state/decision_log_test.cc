// Stored verdicts: one an offset, the newest of an identity, pages, and the oldest go by age and by size.
#include "state/decision_log.h"

#include <gtest/gtest.h>

#include "state/data_dir.h"
#include "state/values.h"
#include "tests/support/scratch_dir.h"

namespace state {
namespace {

class DecisionLogTest : public testing::Test {
 protected:
  void append(const StoredDecision& decision) {
    EXPECT_TRUE(env_->write([&](WriteTxn& txn) { return log_.append(txn, {&decision, 1}); }).ok());
  }
  void expire(cep::TimeUs now_us, cep::DurationUs keep_us, uint64_t keep_bytes, size_t records_max = 100) {
    EXPECT_TRUE(env_->write([&](WriteTxn& txn) { return log_.expire(txn, now_us, keep_us, keep_bytes, records_max); }).ok());
  }
  std::vector<uint64_t> offsets(std::optional<uint64_t> before = std::nullopt, size_t limit = 100) {
    const DecisionPage page = *log_.page(before, limit);
    std::vector<uint64_t> all;
    for (const StoredDecision& one : page.items) all.push_back(one.offset);
    if (page.next) all.push_back(1'000'000 + *page.next);
    return all;
  }
  std::string body_of(const std::string& event) {
    const auto found = *log_.by_id(digest_of(event));
    return found ? found->stream + " " + found->body : "none";
  }

  // Flips a bit of the first value whose key begins so.
  void damage(const char* table, const Key& prefix) {
    const Dbi dbi = env_->table(table);
    EXPECT_TRUE(env_->write([&](WriteTxn& txn) -> cep::Status {
      std::string key, value;
      {
        Cursor cursor = txn.cursor(dbi);
        EXPECT_TRUE(cursor.seek(prefix) && cursor.on(prefix)) << table;
        key = cursor.key();
        value = cursor.value();
      }
      value.back() = static_cast<char>(value.back() ^ 1);
      txn.put(dbi, key, value);
      return cep::ok_status();
    }).ok());
  }

  support::ScratchDir dir_;
  std::unique_ptr<Env> env_ = Env::open(dir_.path(), state_tables(1)).value();
  DecisionLog log_{*env_, 0};
};

TEST_F(DecisionLogTest, OnceAnOffsetAndTheNewestOfAnIdentity) {
  append({7, digest_of("e1"), 100, "tx", "first"});
  append({7, digest_of("e1"), 100, "tx", "the same record read again"});
  EXPECT_EQ(body_of("e1"), "tx first");
  append({900, digest_of("e1"), 300, "tx", std::string(5'000, 'x')});
  append({8, digest_of("e1"), 100, "tx", "of before, read again"});
  append({9, digest_of("e2"), 200, "logins", "other"});
  EXPECT_EQ(body_of("e1"), "tx " + std::string(5'000, 'x'));
  EXPECT_EQ(body_of("e2"), "logins other");
  EXPECT_EQ(body_of("e3"), "none");
  EXPECT_EQ(offsets(), (std::vector<uint64_t>{900, 9, 8, 7}));
  EXPECT_EQ(offsets(std::nullopt, 3), (std::vector<uint64_t>{900, 9, 8, 1'000'008}));
  EXPECT_EQ(offsets(8), (std::vector<uint64_t>{7}));
}

TEST_F(DecisionLogTest, TheOldestGoByAge) {
  for (uint64_t offset = 1; offset <= 5; ++offset) {
    append({offset, digest_of("e" + std::to_string(offset)), static_cast<cep::TimeUs>(offset * 10), "tx", "b"});
  }
  append({6, digest_of("e2"), 60, "tx", "again"});
  expire(100, 65, UINT64_MAX, 2);
  EXPECT_EQ(offsets(), (std::vector<uint64_t>{6, 5, 4, 3}));
  expire(100, 65, UINT64_MAX);
  EXPECT_EQ(offsets(), (std::vector<uint64_t>{6, 5, 4}));
  EXPECT_EQ(body_of("e1"), "none");
  EXPECT_EQ(body_of("e2"), "tx again") << "its older event is gone, it is not";
  EXPECT_EQ(log_.dropped(), 0u);
}

TEST_F(DecisionLogTest, TheOldestGoBySizeAndAreCounted) {
  for (uint64_t offset = 1; offset <= 10; ++offset) append({offset, digest_of(std::to_string(offset)), 10, "tx", std::string(3'000, 'x')});
  expire(10, 100, 10'000);
  EXPECT_EQ(offsets(), (std::vector<uint64_t>{10, 9, 8}));
  EXPECT_EQ(log_.dropped(), 7u);
  EXPECT_EQ(DecisionLog(*env_, 0).dropped(), 7u) << "after a restart too";
}

TEST_F(DecisionLogTest, WhatIsDamagedGoesInItsTurnOrIsWrittenAnew) {
  for (uint64_t offset = 1; offset <= 4; ++offset) {
    append({offset, digest_of("e" + std::to_string(offset)), static_cast<cep::TimeUs>(offset * 10), "tx", "b"});
  }
  damage("decision", Key().u16(0).u64(1));
  ASSERT_EQ(log_.by_id(digest_of("e1")).error().code, "damaged");
  append({1, digest_of("e1"), 10, "tx", "its record read again"});
  EXPECT_EQ(body_of("e1"), "tx its record read again");
  damage("decision_id", Key().u16(0).id(digest_of("e4")));
  append({5, digest_of("e4"), 50, "tx", "after it"});
  EXPECT_EQ(body_of("e4"), "tx after it");
  damage("decision", Key().u16(0).u64(2));
  damage("decision_id", Key().u16(0).id(digest_of("e3")));
  expire(100, 65, UINT64_MAX);
  EXPECT_EQ(offsets(), (std::vector<uint64_t>{5, 4}));
  EXPECT_EQ(body_of("e3"), "none");
  EXPECT_EQ(log_.dropped(), 1u) << "the one that could not be read";
}

TEST_F(DecisionLogTest, DamagedTotalsAreCountedAnew) {
  for (uint64_t offset = 1; offset <= 9; ++offset) append({offset, digest_of(std::to_string(offset)), 10, "tx", std::string(3'000, 'x')});
  damage("totals", Key().u16(0).u16(kDecisionTotals));
  append({10, digest_of("10"), 10, "tx", std::string(3'000, 'x')});
  expire(10, 100, 10'000);
  EXPECT_EQ(offsets(), (std::vector<uint64_t>{10, 9, 8})) << "as if they were whole";
}

TEST_F(DecisionLogTest, APageEndsWhenItIsLarge) {
  const size_t fit = kDecisionPageBytesMax >> 20;
  const std::string body(1 << 20, 'x');
  for (uint64_t offset = 1; offset <= fit + 2; ++offset) append({offset, digest_of(std::to_string(offset)), 10, "tx", body});
  const DecisionPage first = *log_.page(std::nullopt, 1'000);
  EXPECT_EQ(first.items.size(), fit);
  ASSERT_EQ(first.next, 3u);
  EXPECT_EQ(offsets(first.next), (std::vector<uint64_t>{2, 1}));
}

}  // namespace
}  // namespace state
