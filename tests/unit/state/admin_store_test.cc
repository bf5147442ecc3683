// Sinks and applied statements: what was written is there after reopening, ids are never given again.
#include "state/admin_store.h"

#include <gtest/gtest.h>

#include <filesystem>

#include "state/data_dir.h"
#include "tests/support/scratch_dir.h"

namespace state {
namespace {

class AdminStoreTest : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_TRUE(DataDir::open(*files_, dir_.path()).ok());
    reopen();
  }
  void reopen() {
    store_.reset();
    auto store = AdminStore::open(*files_, dir_.path());
    ASSERT_TRUE(store.ok()) << store.error().message;
    store_ = std::move(*store);
  }

  support::ScratchDir dir_;
  std::unique_ptr<FileSystem> files_ = make_real_file_system();
  std::unique_ptr<AdminStore> store_;
};

TEST_F(AdminStoreTest, KeepsSinksOfAnySize) {
  const std::string large(10'000, 'x');
  ASSERT_EQ(*store_->add_sink({0, "one", false, large}), 1u);
  ASSERT_EQ(*store_->add_sink({0, "two", true, ""}), 2u);
  ASSERT_TRUE(store_->put_sink({1, "one", false, "small"}).ok());
  ASSERT_EQ(*store_->add_sink({0, "three", false, large}), 3u);
  reopen();
  const std::vector<SinkRecord> sinks = *store_->sinks();
  ASSERT_EQ(sinks.size(), 3u);
  EXPECT_EQ(sinks[0].spec, "small");
  EXPECT_EQ(sinks[1].name, "two");
  EXPECT_TRUE(sinks[1].from_file);
  EXPECT_EQ(sinks[2].id, 3u);
  EXPECT_EQ(sinks[2].spec, large);
}

// Sinks that vanish in silence are alerts that nobody gets.
TEST_F(AdminStoreTest, ALostOneIsNotMadeAnew) {
  ASSERT_EQ(*store_->add_sink({0, "one", false, "spec"}), 1u);
  store_.reset();
  std::filesystem::remove_all(dir_ / "admin");
  auto lost = AdminStore::open(*files_, dir_.path());
  ASSERT_FALSE(lost.ok());
  EXPECT_EQ(lost.error().code, "admin_missing");
  EXPECT_FALSE(*files_->exists(dir_ / "admin"));
  ASSERT_TRUE(DataDir::open(*files_, dir_.path()).ok());      // the directory is still ours
  auto identity = files_->open(dir_ / "WEIR", OpenMode::kReadWrite);
  ASSERT_TRUE((*identity)->truncate(*(*identity)->size() - std::string("part admin\n").size()).ok());      // what the message advises
  reopen();
  EXPECT_TRUE(store_->sinks()->empty());
}

TEST_F(AdminStoreTest, AnIdIsGivenOnce) {
  ASSERT_EQ(*store_->add_sink({0, "one", false, std::string(5'000, 'x')}), 1u);
  ASSERT_TRUE(store_->erase_sink(1).ok());
  reopen();
  EXPECT_TRUE(store_->sinks()->empty());
  EXPECT_EQ(*store_->add_sink({0, "one", false, "y"}), 2u);
  EXPECT_EQ(store_->sinks()->front().spec, "y");
}

TEST_F(AdminStoreTest, RemembersTheLastTextOfAStatement) {
  Id16 first{}, second{};
  first[0] = 1;
  second[0] = 2;
  ASSERT_TRUE(store_->put_applied(std::vector<AppliedStatement>{{"rule a", first}, {"rule b", first}}).ok());
  ASSERT_TRUE(store_->put_applied(std::vector<AppliedStatement>{{"rule a", second}}).ok());
  reopen();
  std::vector<AppliedStatement> applied = *store_->applied();
  ASSERT_EQ(applied.size(), 2u);
  for (const AppliedStatement& statement : applied) EXPECT_EQ(statement.digest, statement.name == "rule a" ? second : first);
}

}  // namespace
}  // namespace state
