// Owners of remote checkpoints: the newest manifest is always whole, the older of two owners is fenced, nothing is swept that is needed.
#include "state/remote_owner.h"

#include <gtest/gtest.h>

#include "state/checkpoint_format.h"
#include "state/remote_restore.h"
#include "tests/support/faulty_file.h"

namespace state {
namespace {

using support::Fault;
using support::FaultyFileSystem;

constexpr const char* kData = "/data";
constexpr cep::TimeUs kNow = 1'767'571'200'000'000;

Id16 id_of(uint8_t number) {
  Id16 id{};
  id[0] = number;
  return id;
}

class RemoteTest : public ::testing::Test {
 protected:
  void SetUp() override { reopen(); }
  void reopen() {
    auto store = open_object_store(*files_, "file:///backup");
    ASSERT_TRUE(store.ok());
    store_ = std::move(*store);
    ASSERT_TRUE(files_->make_dirs(kData).ok());
  }
  void start_over(uint64_t seed) {
    store_.reset();
    files_ = std::make_unique<FaultyFileSystem>(seed);
    reopen();
  }
  cep::Result<RemoteOwner> claim(const std::string& data = kData, uint8_t fresh = 1, RemoteKeep keep = {}) {
    EXPECT_TRUE(files_->make_dirs(data).ok() || files_->crashed());
    return RemoteOwner::claim(*store_, *files_, data, place_, id_of(fresh), keep, ++now_);
  }
  // An object of its own for every text.
  cep::Result<RemoteObject> put(const std::string& text, cep::TimeUs when = kNow) {
    RemoteObject object{"", text.size(), digest_of(text)};
    object.name = std::string(kObjectFolder) + "/" + digits(static_cast<uint64_t>(when), 20) + "-" + hex(object.digest);
    if (auto done = store_->put_new(object.name, text); !done.ok()) return done.error();
    return object;
  }
  cep::Status publish(RemoteOwner& owner, uint32_t sequence, cep::TimeUs when = kNow) {
    auto head = put("head " + std::to_string(sequence), when);
    if (!head.ok()) return head.error();
    auto admin = put("admin " + std::to_string(sequence), when);
    if (!admin.ok()) return admin.error();
    RemoteManifest manifest;
    manifest.sequence = sequence;
    manifest.time_us = when;
    manifest.head = *head;
    manifest.admin = *admin;
    return owner.publish(std::move(manifest));
  }

  void copy_identity(const std::string& from, const std::string& to) {
    auto source = files_->open(from + "/REMOTE", OpenMode::kRead);
    ASSERT_TRUE(source.ok());
    std::string bytes(*(*source)->size(), '\0');
    ASSERT_TRUE((*source)->read_at(0, bytes.data(), bytes.size()).ok());
    ASSERT_TRUE(files_->make_dirs(to).ok());
    (void)files_->remove(to + "/REMOTE");
    auto target = files_->open(to + "/REMOTE", OpenMode::kCreateNew);
    ASSERT_TRUE(target.ok());
    ASSERT_TRUE((*target)->write_at(0, bytes).ok());
  }

  RemoteIdentity restored() { return {.owner = id_of(3), .is_claimed = true, .restored_from = find_remote(*store_, "")->current}; }

  cep::TimeUs now_ = kNow;
  LocalPlace place_{.sequence = std::nullopt, .log_end = 1'000};
  std::unique_ptr<FaultyFileSystem> files_ = std::make_unique<FaultyFileSystem>(1);
  std::unique_ptr<ObjectStore> store_;
};

TEST_F(RemoteTest, DocumentsComeBackAndDamageIsSeen) {
  RemoteManifest manifest;
  manifest.sequence = 7;
  manifest.epoch = 3;
  manifest.number = 12;
  manifest.time_us = kNow;
  manifest.applied_through = 100;
  manifest.reread_offset = 90;
  manifest.log_end = 120;
  manifest.keys = 5;
  manifest.shards = 4;
  manifest.sources = {{"kafka:bank/cards/0", 17}};
  manifest.first = {{"alert", 1}, {"edit", 100}};
  manifest.head = {"objects/a", 10, id_of(1)};
  manifest.admin = {"objects/b", 20, id_of(2)};
  manifest.rows = {{"segment", {{"objects/c", 30, id_of(3)}}}};
  manifest.log = {{"00000000000000000000.0.log", {{0, {"objects/d", 40, id_of(4)}}}}};
  const std::string bytes = encode_manifest(manifest);
  auto decoded = decode_manifest(bytes);
  ASSERT_TRUE(decoded.ok()) << decoded.error().message;
  EXPECT_EQ(encode_manifest(*decoded), bytes);
  EXPECT_EQ(decoded->id(), "3-12");
  EXPECT_EQ(decoded->bytes(), 100u);
  EXPECT_TRUE(decoded->same_objects(manifest));
  for (size_t at = 0; at < bytes.size(); ++at) {
    std::string flipped = bytes;
    flipped[at] = static_cast<char>(flipped[at] ^ 4);
    EXPECT_FALSE(decode_manifest(flipped).ok()) << at;
    EXPECT_FALSE(decode_manifest(bytes.substr(0, at)).ok()) << at;
  }
  EXPECT_TRUE(is_manifest_name(manifest_name(3, 12)));
  EXPECT_FALSE(is_manifest_name(manifest_name(3, 12) + ".new"));
}

// Whatever the crash: CURRENT names a manifest all of whose objects are there, the one before or the new one.
TEST_F(RemoteTest, CrashAtEveryOperationLeavesTheOldOrTheNew) {
  bool reached_the_end = false;
  uint64_t old_ones = 0, new_ones = 0;
  for (uint64_t at = 0; !reached_the_end; ++at) {
    start_over(at);
    auto owner = claim(kData, 1, {.manifests = 1, .grace_us = 0});
    ASSERT_TRUE(owner.ok()) << owner.error().message;
    ASSERT_TRUE(publish(*owner, 1).ok());
    files_->inject(at, Fault::kCrash);
    const bool published = publish(*owner, 2, kNow + 1).ok();
    if (published) (void)owner->sweep(kNow + cep::kHour);
    reached_the_end = !files_->crashed();
    files_->power_cut();
    reopen();
    auto next = claim();
    ASSERT_TRUE(next.ok()) << next.error().message << ", operation " << at;
    ASSERT_TRUE(next->newest().has_value()) << "operation " << at;
    const uint32_t found = next->newest()->sequence;
    EXPECT_TRUE(found == 2 || (found == 1 && !published)) << found << ", operation " << at;
    ++(found == 1 ? old_ones : new_ones);
    auto problems = verify_remote(*store_, *next->newest());
    ASSERT_TRUE(problems.ok()) << problems.error().message;
    EXPECT_TRUE(problems->empty()) << problems->front() << ", operation " << at;
    EXPECT_TRUE(publish(*next, 3, kNow + 2).ok()) << "operation " << at;
  }
  EXPECT_GT(old_ones, 5u);
  EXPECT_GE(new_ones, 4u);
}

TEST_F(RemoteTest, TheOlderOfTwoOwnersIsFenced) {
  auto older = claim();
  ASSERT_TRUE(older.ok());
  ASSERT_TRUE(publish(*older, 1).ok());
  auto younger = claim();       // the same directory, as a process sees it that believes the other one dead
  ASSERT_TRUE(younger.ok()) << younger.error().message;
  EXPECT_EQ(younger->epoch(), older->epoch() + 1);
  const cep::Status refused = publish(*older, 2, kNow + 1);
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().code, "fenced");
  EXPECT_NE(refused.error().message.find("epoch 2"), std::string::npos) << refused.error().message;
  EXPECT_EQ(older->check().error().code, "fenced");
  EXPECT_EQ(older->sweep(kNow + cep::kDay).error().code, "fenced");
  EXPECT_EQ(find_remote(*store_, "")->manifest.sequence, 1u);
  ASSERT_TRUE(publish(*younger, 3, kNow + 2).ok());
  EXPECT_EQ(find_remote(*store_, "")->manifest.sequence, 3u);
}

TEST_F(RemoteTest, AnotherDirectoryMustHaveBeenRestoredFromWhatIsThereNow) {
  EXPECT_TRUE(claim("/first", 1).ok());
  EXPECT_TRUE(claim("/second", 2).ok()) << "nothing was uploaded yet: there is nothing to lose";
  auto second = claim("/second", 2);
  ASSERT_TRUE(second.ok());
  ASSERT_TRUE(publish(*second, 1).ok());
  EXPECT_EQ(claim("/first", 1).error().code, "remote_taken");
  EXPECT_EQ(claim("/third", 3).error().code, "remote_taken");
  ASSERT_TRUE(write_identity(*files_, "/third", restored()).ok());
  ASSERT_TRUE(publish(*second, 2, kNow + 1).ok());
  const auto stale = claim("/third", 3);
  ASSERT_FALSE(stale.ok()) << "what was uploaded since would be lost";
  EXPECT_NE(stale.error().message.find("was restored from others, or before"), std::string::npos) << stale.error().message;
  ASSERT_TRUE(write_identity(*files_, "/third", restored()).ok());
  auto third = claim("/third", 3);
  ASSERT_TRUE(third.ok()) << third.error().message;
  EXPECT_TRUE(claim("/third", 3).ok()) << "a second start of the directory that has taken over";
  EXPECT_EQ(claim("/second", 2).error().code, "remote_taken") << "the old machine comes back";
}

// A snapshot of the machine, or `cp -a`: the same identity, and less than what was uploaded.
TEST_F(RemoteTest, AnOlderCopyOfTheOwnDirectoryIsRefused) {
  auto owner = claim("/own");
  ASSERT_TRUE(owner.ok());
  ASSERT_TRUE(publish(*owner, 5).ok());
  copy_identity("/own", "/copy");
  place_.sequence = 4;
  EXPECT_EQ(claim("/copy").error().code, "remote_taken") << "of this epoch, and behind what was uploaded";
  EXPECT_TRUE(owner->check().ok()) << "a refused claim fences nobody";
  place_.sequence = std::nullopt;
  RemoteManifest longer = *owner->newest();
  longer.sequence = 6;
  longer.log_end = 1'001;
  ASSERT_TRUE(owner->publish(longer).ok());
  EXPECT_EQ(claim("/copy").error().code, "remote_taken") << "its log is shorter";
  place_ = {.sequence = 6, .log_end = 1'001};
  ASSERT_TRUE(claim("/own").ok());
  place_ = {.sequence = 100, .log_end = 9'999};
  const auto refused = claim("/copy");
  ASSERT_FALSE(refused.ok()) << "it does not know the claim after it";
  EXPECT_EQ(refused.error().code, "remote_taken");
  EXPECT_NE(refused.error().message.find("does not know the last claim"), std::string::npos) << refused.error().message;
  EXPECT_TRUE(claim("/own").ok());
}

TEST_F(RemoteTest, ADirectoryOfOneStoreDoesNotTakeOverAnother) {
  auto owner = claim("/own");
  ASSERT_TRUE(owner.ok());
  ASSERT_TRUE(publish(*owner, 1).ok());
  ASSERT_TRUE(write_identity(*files_, "/third", restored()).ok());
  auto other = open_object_store(*files_, "file:///other");
  ASSERT_TRUE(other.ok());
  std::swap(store_, *other);
  EXPECT_EQ(claim("/third", 3).error().code, "remote_missing");
  EXPECT_EQ(claim("/own").error().code, "remote_missing") << "as if it were not mounted";
  EXPECT_TRUE(store_->list(kManifestFolder)->empty());
  auto stranger = claim("/stranger", 7);
  ASSERT_TRUE(stranger.ok());
  ASSERT_TRUE(publish(*stranger, 1).ok());       // of the same revision as the first store
  EXPECT_EQ(claim("/third", 3).error().code, "remote_taken");
  ASSERT_TRUE(store_->remove(kCurrentName).ok());
  EXPECT_EQ(claim("/fresh", 8).error().code, "damaged") << "manifests without CURRENT";
  store_ = std::move(*other);
  EXPECT_TRUE(claim("/third", 3).ok());
}

// Whatever the crash of the first claim: the directory may claim again, also where CURRENT was not there yet.
TEST_F(RemoteTest, CrashAtEveryOperationOfAClaim) {
  bool reached_the_end = false;
  for (uint64_t at = 0; !reached_the_end; ++at) {
    start_over(at);
    files_->inject(at, Fault::kCrash);
    auto first = claim();
    reached_the_end = !files_->crashed();
    files_->power_cut();
    reopen();
    auto next = claim();
    ASSERT_TRUE(next.ok()) << next.error().message << ", operation " << at;
    ASSERT_TRUE(publish(*next, 1).ok());
    EXPECT_TRUE(claim().ok()) << "operation " << at;
  }
}

TEST_F(RemoteTest, AFailedPutLeavesNoDraft) {
  auto owner = claim();
  ASSERT_TRUE(owner.ok());
  ASSERT_TRUE(publish(*owner, 1).ok());
  for (const Fault fault : {Fault::kShortWrite, Fault::kFailedSync, Fault::kDiskFull}) {
    files_->inject(0, fault);
    ASSERT_FALSE(put("a long text that is new", kNow + 1).ok());
    EXPECT_EQ(store_->list(kObjectFolder)->size(), 2u);
  }
  EXPECT_TRUE(put("a long text that is new", kNow + 1).ok());
}

TEST_F(RemoteTest, OldManifestsGoAndTheirObjectsAfterTheGrace) {
  auto owner = claim(kData, 1, {.manifests = 2, .grace_us = cep::kHour});
  ASSERT_TRUE(owner.ok());
  // Far apart: a manifest is old already when it is replaced, and somebody may have begun to restore from it just then.
  for (uint32_t sequence = 1; sequence <= 4; ++sequence) ASSERT_TRUE(publish(*owner, sequence, kNow + sequence * cep::kDay).ok());
  EXPECT_EQ(store_->list(kManifestFolder)->size(), 4u);
  EXPECT_EQ(*owner->sweep(kNow + 4 * cep::kDay + cep::kMinute), 2u) << "the first one went out of those kept a day ago";
  EXPECT_EQ(store_->list(kManifestFolder)->size(), 3u) << "the second one only now";
  EXPECT_EQ(*owner->sweep(kNow + 4 * cep::kDay + 2 * cep::kHour), 2u);
  EXPECT_EQ(store_->list(kObjectFolder)->size(), 4u);
  auto listing = list_remote(*store_);
  ASSERT_TRUE(listing.ok());
  ASSERT_EQ(listing->manifests.size(), 2u);
  for (const RemoteManifest& manifest : listing->manifests) EXPECT_TRUE(verify_remote(*store_, manifest)->empty()) << manifest.id();
  EXPECT_EQ(listing->manifests.front().sequence, 4u);
  EXPECT_NE(find_remote(*store_, "9-9").error().message.find(listing->manifests.back().id()), std::string::npos);
}

TEST_F(RemoteTest, DamageIsToldObjectByObject) {
  auto owner = claim();
  ASSERT_TRUE(owner.ok());
  ASSERT_TRUE(publish(*owner, 1).ok());
  const RemoteManifest manifest = *owner->newest();
  files_->flip_bit("/backup/" + manifest.head.name, 2, 1);
  ASSERT_TRUE(store_->remove(manifest.admin.name).ok());
  const auto problems = verify_remote(*store_, manifest);
  ASSERT_TRUE(problems.ok());
  ASSERT_EQ(problems->size(), 2u);
  EXPECT_NE(problems->at(0).find("digest"), std::string::npos) << problems->at(0);
  EXPECT_NE(problems->at(1).find("is missing"), std::string::npos) << problems->at(1);
}

}  // namespace
}  // namespace state
