// A directory as an object store: whole objects, one winner, and a crash at every operation.
#include "state/object_store.h"

#include <gtest/gtest.h>

#include "tests/support/faulty_file.h"

namespace state {
namespace {

using support::Fault;
using support::FaultyFileSystem;

std::unique_ptr<ObjectStore> open_store(FileSystem& files) {
  auto store = open_object_store(files, "file:///backup/weir/");
  EXPECT_TRUE(store.ok()) << (store.ok() ? "" : store.error().message);
  return store.ok() ? std::move(*store) : nullptr;
}

TEST(ObjectStoreTest, AnObjectIsPutOnceAndASwapHasOneWinner) {
  FaultyFileSystem files(1);
  auto store = open_store(files);
  EXPECT_EQ(store->url(), "file:///backup/weir");
  EXPECT_EQ(store->get("objects/1").error().code, "not_found");
  EXPECT_TRUE(store->list("objects")->empty());
  ASSERT_TRUE(store->put_new("objects/1", "first").ok());
  EXPECT_EQ(store->put_new("objects/1", "second").error().code, "exists");
  EXPECT_EQ(*store->get("objects/1"), "first");

  ASSERT_TRUE(store->swap("CURRENT", std::nullopt, "one").ok());
  EXPECT_EQ(store->swap("CURRENT", std::nullopt, "other").error().code, "changed");
  ASSERT_TRUE(store->swap("CURRENT", "one", "two").ok());
  EXPECT_EQ(store->swap("CURRENT", "one", "three").error().code, "changed");
  EXPECT_EQ(store->swap("NOWHERE", "one", "three").error().code, "changed");
  EXPECT_EQ(*store->get("CURRENT"), "two");

  ASSERT_TRUE(store->remove("objects/1").ok());
  ASSERT_TRUE(store->remove("objects/1").ok());
  EXPECT_EQ(store->get("objects/1").error().code, "not_found");
}

TEST(ObjectStoreTest, WhileAnotherProcessHoldsTheLockNothingChanges) {
  FaultyFileSystem files(1);
  auto store = open_store(files);
  {
    auto lock = files.lock("/backup/weir/LOCK");
    ASSERT_TRUE(lock.ok());
    EXPECT_EQ(store->swap("CURRENT", std::nullopt, "one").error().code, "locked");
    EXPECT_EQ(store->put_new("objects/1", "x").error().code, "locked");
  }
  EXPECT_EQ(store->get("CURRENT").error().code, "not_found");
  EXPECT_TRUE(store->swap("CURRENT", std::nullopt, "one").ok());
}

// The old or the new, as a whole, and what was answered is kept.
TEST(ObjectStoreTest, CrashAtEveryOperation) {
  const std::string large(20'000, 'x');
  bool reached_the_end = false;
  for (uint64_t at = 0; !reached_the_end; ++at) {
    FaultyFileSystem files(at);
    auto store = open_store(files);
    ASSERT_TRUE(store->swap("CURRENT", std::nullopt, "one").ok());
    files.inject(at, Fault::kCrash);
    const bool put = store->put_new("objects/1", large).ok();
    const bool swapped = put && store->swap("CURRENT", "one", "two").ok();
    reached_the_end = !files.crashed();
    files.power_cut();
    store = open_store(files);
    auto current = store->get("CURRENT");
    ASSERT_TRUE(current.ok()) << "operation " << at;
    EXPECT_TRUE(*current == "one" || *current == "two") << *current << ", operation " << at;
    EXPECT_TRUE(!swapped || *current == "two") << "operation " << at;
    auto object = store->get("objects/1");
    EXPECT_TRUE(!object.ok() || *object == large) << "operation " << at;
    EXPECT_TRUE(object.ok() || (!put && *current == "one")) << "operation " << at;
    // What was left behind is in nobody's way.
    EXPECT_TRUE(object.ok() || store->put_new("objects/1", large).ok()) << "operation " << at;
    EXPECT_TRUE(store->swap("CURRENT", *current, "three").ok()) << "operation " << at;
  }
}

TEST(ObjectStoreTest, AnUnknownUrlSaysWhatToWrite) {
  FaultyFileSystem files(1);
  for (const char* url : {"", "s3://bucket/weir", "/mnt/weir", "file://relative", "file:///"}) {
    auto store = open_object_store(files, url);
    ASSERT_FALSE(store.ok()) << url;
    EXPECT_EQ(store.error().code, "bad_url");
    EXPECT_NE(store.error().message.find("file:///absolute/path"), std::string::npos) << store.error().message;
  }
}

}  // namespace
}  // namespace state
