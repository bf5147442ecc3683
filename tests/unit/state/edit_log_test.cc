// The ring of edits: one entry an offset, newest first, by dataset, the oldest go.
#include "state/edit_log.h"

#include <gtest/gtest.h>

#include "state/data_dir.h"
#include "tests/support/scratch_dir.h"

namespace state {
namespace {

class EditLogTest : public testing::Test {
 protected:
  void append(EditLog& log, uint64_t offset, const std::string& dataset, const std::string& body) {
    EXPECT_TRUE(env_->write([&](WriteTxn& txn) { return log.append(txn, {offset, dataset, body}); }).ok());
  }
  static std::vector<uint64_t> offsets(const EditPage& page) {
    std::vector<uint64_t> all;
    for (const EditEntry& entry : page.items) all.push_back(entry.offset);
    return all;
  }

  support::ScratchDir dir_;
  std::unique_ptr<Env> env_ = Env::open(dir_.path(), state_tables(1)).value();
};

TEST_F(EditLogTest, NewestFirstAndOnceAnOffset) {
  EditLog log(*env_, 0);
  append(log, 5, "a", "one");
  append(log, 300, "b", "two");
  append(log, 70'000, "a", std::string(5'000, 'x'));
  append(log, 300, "b", "read again after a restart");
  const EditPage all = *log.page("", std::nullopt, 10);
  EXPECT_EQ(offsets(all), (std::vector<uint64_t>{70'000, 300, 5}));
  EXPECT_EQ(all.items[1].body, "two");
  EXPECT_EQ(all.items[0].body.size(), 5'000u);
  EXPECT_FALSE(all.next);
  EXPECT_EQ(offsets(*log.page("a", std::nullopt, 10)), (std::vector<uint64_t>{70'000, 5}));
  const EditPage first = *log.page("", std::nullopt, 2);
  EXPECT_EQ(offsets(first), (std::vector<uint64_t>{70'000, 300}));
  ASSERT_TRUE(first.next);
  EXPECT_EQ(offsets(*log.page("", first.next, 2)), (std::vector<uint64_t>{5}));
  EXPECT_TRUE(offsets(*log.page("nobody", std::nullopt, 2)).empty());
}

TEST_F(EditLogTest, TheOldestGoAndAreCounted) {
  EditLog log(*env_, 0, 1'000);
  for (uint64_t offset = 1; offset <= 20; ++offset) append(log, offset, "a", std::string(200, 'x'));
  EXPECT_EQ(offsets(*log.page("", std::nullopt, 10)), (std::vector<uint64_t>{20, 19, 18, 17}));
  EXPECT_EQ(log.dropped(), 16u);
  EXPECT_EQ(EditLog(*env_, 0).dropped(), 16u) << "after a restart too";
  append(log, 21, "a", std::string(3'000, 'x'));
  EXPECT_EQ(offsets(*log.page("", std::nullopt, 10)), (std::vector<uint64_t>{21}));
}

}  // namespace
}  // namespace state
