// Remote checkpoints of a real lane: what is uploaded restores to what a crash would have left, and goes on with the same alerts.
#include "service/remote_checkpoints.h"

#include <gtest/gtest.h>

#include <atomic>
#include <filesystem>
#include <thread>

#include "state/remote_restore.h"
#include "tests/support/lane_fixture.h"

namespace service {
namespace {

namespace fs = std::filesystem;

constexpr const char* kFolder = "create rule folder on payments partition by card when count(*) over (last 1 hour) >= 5 suppress 10 seconds"
                                " alert message '{card}';\n";

class RemoteCheckpointsTest : public test_support::LaneFixture {
 protected:
  void SetUp() override {
    options_.url = "file://" + scratch_ / "backup";
    fs::create_directory(scratch_ / "backup");
  }

  // Opens a lane over `data` that owns the remote checkpoints.
  void serve(const std::string& data, uint32_t shards = 2) {
    auto remote = RemoteCheckpoints::open(options_, [this] { return ++now_; }, log_);
    ASSERT_TRUE(remote.ok()) << remote.error().message;
    remote_ = std::move(*remote);
    LaneOptions options;
    options.data_dir = data;
    options.shards = shards;
    options.may_start = [this, data](const state::LocalPlace& place) { return remote_->claim(data, place); };
    std::vector<std::string> notes;
    auto lane = Lane::open(std::move(options), [this] { return now_.load(); }, notes);
    ASSERT_TRUE(lane.ok()) << lane.error().message;
    EXPECT_TRUE(notes.empty()) << notes.front();
    lane_ = std::move(*lane);
    auto admin = state::AdminStore::open(lane_->files(), data);
    ASSERT_TRUE(admin.ok()) << admin.error().message;
    admin_ = std::move(*admin);
    remote_->start(*lane_, *admin_);
  }
  void lose(const std::string& data) {
    remote_->stop();
    close();
    remote_.reset();
    admin_.reset();
    fs::remove_all(data);
  }
  void restore(const std::string& data, const std::string& id = "") {
    auto files = state::make_real_file_system();
    auto store = state::open_object_store(*files, options_.url);
    ASSERT_TRUE(store.ok());
    auto found = state::find_remote(**store, id);
    ASSERT_TRUE(found.ok()) << found.error().message;
    const auto problems = state::verify_remote(**store, found->manifest);
    ASSERT_TRUE(problems.ok() && problems->empty());
    const cep::Status restored = state::restore_remote(**store, *files, *found, data, "", random_identity());
    ASSERT_TRUE(restored.ok()) << restored.error().message;
  }
  cep::Status seal_and_upload() {
    lane_->settle(true);
    return remote_->upload();
  }
  // Ten cards in turn, small and large amounts, in order.
  std::string feed(Lane& lane, int from, int to) {
    std::string lines;
    for (int i = from; i < to; ++i) {
      lines += payment("p" + std::to_string(i), "c" + std::to_string(i % 10), i / 10 % 3 == 2 ? "250" : "1", i * 3);
    }
    EXPECT_EQ(submit(lane, lines).outcome, api::SubmitAnswer::Outcome::kDurable);
    return lines;
  }

  std::unique_ptr<state::ObjectStore> open_backup() {
    auto store = state::open_object_store(*files_, options_.url);
    EXPECT_TRUE(store.ok());
    return std::move(*store);
  }

  std::unique_ptr<state::FileSystem> files_ = state::make_real_file_system();
  RemoteOptions options_{.url = "", .interval_us = cep::kDay, .keep = {.manifests = 3, .grace_us = cep::kHour}, .sizes = {}};
  ServiceLog log_{"error", false};
  std::unique_ptr<RemoteCheckpoints> remote_;
  std::unique_ptr<state::AdminStore> admin_;
};

TEST_F(RemoteCheckpointsTest, ALostDirectoryIsRestoredAndGoesOnWithTheSameAlerts) {
  const std::string rules = std::string(test_support::kPayments) + test_support::kProbeRule + kFolder;
  std::set<std::string> expected;
  std::vector<state::StoredAlert> before;
  {
    auto undisturbed = open_at(scratch_ / "undisturbed", 1);
    deploy(*undisturbed, rules);
    feed(*undisturbed, 0, 200);
    expected = alert_ids(*undisturbed);
  }
  ASSERT_GT(expected.size(), 20u);

  serve(scratch_ / "data");
  deploy(*lane_, rules);
  ASSERT_EQ(*admin_->add_sink({0, "desk", false, "spec"}), 1u);
  for (int i = 0; i < 100; i += 20) {      // many uploads, each of what is new
    feed(*lane_, i, i + 20);
    const cep::Status uploaded = seal_and_upload();
    ASSERT_TRUE(uploaded.ok()) << uploaded.error().message;
  }
  feed(*lane_, 100, 110);                  // in the log of the copy, behind its checkpoint
  lane_->settle(false);
  ASSERT_TRUE(remote_->upload().ok());
  before = alerts(*lane_);
  const uint64_t end = lane_->sequencer().numbers().log_end;
  lose(scratch_ / "data");

  restore(scratch_ / "again");
  serve(scratch_ / "again", 1);            // shards may differ
  EXPECT_EQ(lane_->sequencer().numbers().log_end, end);
  const std::vector<state::StoredAlert> after = alerts(*lane_);
  ASSERT_EQ(after.size(), before.size());
  for (size_t i = 0; i < before.size(); ++i) {
    EXPECT_EQ(after[i].sequence, before[i].sequence);
    EXPECT_EQ(after[i].alert.id, before[i].alert.id);
    EXPECT_EQ(after[i].alert.body, before[i].alert.body);
    EXPECT_TRUE((*lane_->store().alerts().by_id(before[i].alert.id)).has_value());
  }
  EXPECT_EQ(lane_->store().alerts().totals()->next_sequence, before.back().sequence + 1);
  ASSERT_EQ(admin_->sinks()->size(), 1u);
  EXPECT_EQ(admin_->sinks()->front().name, "desk");
  EXPECT_EQ(submit(*lane_, payment("p5", "c5", "1", 15)).duplicates, 1u) << "the dedupe tables reach as far back";
  feed(*lane_, 110, 200);
  EXPECT_EQ(alert_ids(*lane_), expected);
  ASSERT_TRUE(seal_and_upload().ok());
  lose(scratch_ / "again");
}

TEST_F(RemoteCheckpointsTest, VerdictsEditsAndRejectedEventsAreInTheCopy) {
  serve(scratch_ / "data");
  deploy(*lane_, std::string(test_support::kPayments) + "create list bad of text;\n"
                 "create rule blocked on payments partition by card when card in @bad alert decision block message 'm';\n");
  DatasetChange change;
  change.dataset = "bad";
  change.at_us = now_;
  change.edits.push_back({.key = {"c1"}, .now = cep::EntryText{}, .before = {}});
  ASSERT_TRUE(lane_->edit_dataset(change).ok());
  const DecisionAnswer first = decide(*lane_, payment("d1", "c1", "10", 1));
  EXPECT_NE(first.verdict.find("block"), std::string::npos) << first.verdict;
  submit(*lane_, "{\"id\":\"broken\",\"card\":\"c1\"}\n");
  const cep::Status uploaded = seal_and_upload();
  ASSERT_TRUE(uploaded.ok()) << uploaded.error().message;
  const size_t edits = lane_->store().edits().page("", std::nullopt, 10)->items.size();
  const uint64_t rejected = lane_->store().rejected().totals()->next_sequence;
  ASSERT_EQ(edits, 1u);
  ASSERT_GT(rejected, 1u);
  lose(scratch_ / "data");
  restore(scratch_ / "again");
  serve(scratch_ / "again");
  EXPECT_EQ(lane_->store().edits().page("", std::nullopt, 10)->items.size(), edits);
  EXPECT_EQ(lane_->store().rejected().totals()->next_sequence, rejected);
  const auto verdicts = lane_->store().decisions().page(std::nullopt, 10);
  ASSERT_TRUE(verdicts.ok());
  ASSERT_EQ(verdicts->items.size(), 1u);
  EXPECT_TRUE((*lane_->store().decisions().by_id(verdicts->items[0].id)).has_value());
  const DecisionAnswer repeated = decide(*lane_, payment("d1", "c1", "10", 1));
  EXPECT_NE(repeated.verdict.find("block"), std::string::npos) << repeated.verdict;
  lose(scratch_ / "again");
}

// Objects so small that every kind of them fills up, and packs of segments die, within a few rounds.
TEST_F(RemoteCheckpointsTest, FullObjectsStayAndEveryCopyIsWhole) {
  options_.sizes = {.full_bytes = 3'000, .full_numbers = 8, .log_block_bytes = 2'000};
  options_.keep.grace_us = 0;              // whatever is not named goes at once
  const std::string rules = std::string(test_support::kPayments) + test_support::kProbeRule + kFolder;
  serve(scratch_ / "data");
  deploy(*lane_, rules);
  uint64_t put_first = 0, put_last = 0;
  for (int round = 0; round < 40; ++round) {
    feed(*lane_, round * 20, round * 20 + 20);
    const uint64_t before = remote_->numbers().bytes_put;
    const cep::Status uploaded = seal_and_upload();
    ASSERT_TRUE(uploaded.ok()) << uploaded.error().message;
    put_last = remote_->numbers().bytes_put - before;
    if (round == 0) put_first = remote_->numbers().bytes_put;
    if (round % 8 != 7) continue;
    const std::string copy = scratch_ / ("copy" + std::to_string(round));
    restore(copy);
    auto lane = open_at(copy, 1);
    EXPECT_EQ(alert_ids(*lane), alert_ids(*lane_)) << "round " << round;
    EXPECT_EQ(lane->sequencer().numbers().log_end, lane_->sequencer().numbers().log_end) << "round " << round;
  }
  uint64_t segment_bytes = 0;
  const state::RemoteManifest newest = state::find_remote(*open_backup(), "")->manifest;
  for (const state::RemoteObject& object : newest.rows.at("segment")) segment_bytes += object.bytes;
  EXPECT_LT(segment_bytes, 20'000u) << "dead segments stay behind";
  const uint64_t whole = remote_->numbers().newest_bytes;
  EXPECT_GT(whole, 8 * put_first);
  EXPECT_LT(put_last, whole / 4) << "only what is new";
  lose(scratch_ / "data");
  // A second process finds most of it by digest, and goes on.
  restore(scratch_ / "again");
  serve(scratch_ / "again");
  ASSERT_TRUE(seal_and_upload().ok());
  EXPECT_LT(remote_->numbers().bytes_put, whole / 2);
  feed(*lane_, 800, 850);
  const std::set<std::string> found = alert_ids(*lane_);
  lose(scratch_ / "again");
  auto undisturbed = open_at(scratch_ / "undisturbed", 1);
  deploy(*undisturbed, rules);
  feed(*undisturbed, 0, 850);
  EXPECT_EQ(found, alert_ids(*undisturbed));
}

TEST_F(RemoteCheckpointsTest, OnlyWhatIsNewIsUploaded) {
  serve(scratch_ / "data");
  deploy(*lane_, std::string(test_support::kPayments) + kFolder);
  feed(*lane_, 0, 50);
  ASSERT_TRUE(seal_and_upload().ok());
  lane_->settle(false);
  const uint64_t first = remote_->numbers().bytes_put;
  ASSERT_GT(first, 0u);
  ASSERT_TRUE(remote_->upload().ok());
  EXPECT_EQ(remote_->numbers().bytes_put, first) << "nothing has changed";
  const auto newest = [&] { return state::find_remote(*open_backup(), "")->manifest.id(); };
  const std::string before = newest();
  ASSERT_TRUE(remote_->upload().ok());
  EXPECT_EQ(newest(), before);
  // A sink alone is something new.
  ASSERT_TRUE(admin_->add_sink({0, "desk", false, "spec"}).ok());
  ASSERT_TRUE(remote_->upload().ok());
  EXPECT_NE(newest(), before);
  EXPECT_LT(remote_->numbers().bytes_put, first + 1'000);
  lose(scratch_ / "data");
}

// With a new identity each, as two machines would be: the second one took over what the first one still believes to own.
TEST_F(RemoteCheckpointsTest, TheOlderOfTwoProcessesIsFencedAndSaysSo) {
  serve(scratch_ / "data");
  deploy(*lane_, std::string(test_support::kPayments) + kFolder);
  feed(*lane_, 0, 20);
  ASSERT_TRUE(seal_and_upload().ok());
  restore(scratch_ / "again");
  auto older_remote = std::move(remote_);
  auto older_lane = std::move(lane_);
  auto older_admin = std::move(admin_);
  serve(scratch_ / "again");
  EXPECT_FALSE(older_remote->fenced().has_value());
  feed(*older_lane, 20, 40);
  older_lane->settle(true);
  const cep::Status refused = older_remote->upload();
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().code, "fenced");
  ASSERT_TRUE(older_remote->fenced().has_value());
  EXPECT_EQ(older_remote->numbers().failures, 1u);
  feed(*lane_, 20, 30);
  EXPECT_TRUE(seal_and_upload().ok());
  older_remote->stop();
  older_lane->close();
  lose(scratch_ / "again");
}

// Whoever applies a rules file first has its records in the log, then says so in admin/: a copy must not know only the latter.
TEST_F(RemoteCheckpointsTest, AdminIsNeverNewerThanTheLog) {
  serve(scratch_ / "data");
  deploy(*lane_, std::string(test_support::kPayments) + kFolder);
  feed(*lane_, 0, 20);
  ASSERT_TRUE(seal_and_upload().ok());
  const uint64_t base = lane_->sequencer().numbers().log_end;
  std::atomic<bool> done{false};
  std::thread both([&] {
    for (int i = 0; i < 100; ++i) {
      submit(*lane_, payment("q" + std::to_string(i), "c1", "1", 60 + i));
      EXPECT_TRUE(admin_->add_sink({0, "sink" + std::to_string(i), false, "spec"}).ok());
    }
    done = true;
  });
  auto store = open_backup();
  int uploads = 0;
  for (bool last = false; !last; ++uploads) {
    last = done;
    const cep::Status uploaded = remote_->upload();
    EXPECT_TRUE(uploaded.ok()) << uploaded.error().message;
    if (!uploaded.ok()) break;
    const state::RemoteManifest manifest = state::find_remote(*store, "")->manifest;
    uint64_t sinks = 0;
    const auto bytes = store->get(manifest.admin.name);
    EXPECT_TRUE(bytes.ok());
    EXPECT_TRUE(state::visit_rows(*bytes, [&](const std::string& table, std::string_view, std::string_view) {
      sinks += table == "sink" ? 1 : 0;
      return cep::ok_status();
    }).ok());
    EXPECT_GE(manifest.log_end, base + sinks) << "upload " << uploads;
  }
  both.join();
  EXPECT_GT(uploads, 1);
  lose(scratch_ / "data");
}

TEST_F(RemoteCheckpointsTest, APlaceThatIsNotThereIsNotMade) {
  serve(scratch_ / "data");
  deploy(*lane_, std::string(test_support::kPayments) + kFolder);
  feed(*lane_, 0, 20);
  ASSERT_TRUE(seal_and_upload().ok());
  remote_->stop();
  close();
  admin_.reset();
  fs::rename(scratch_ / "backup", scratch_ / "unmounted");
  const auto missing = RemoteCheckpoints::open(options_, [this] { return ++now_; }, log_);
  ASSERT_FALSE(missing.ok());
  EXPECT_EQ(missing.error().code, "remote_missing");
  EXPECT_FALSE(fs::exists(scratch_ / "backup"));
  fs::create_directory(scratch_ / "backup");      // the place where it is mounted else
  auto remote = RemoteCheckpoints::open(options_, [this] { return ++now_; }, log_);
  ASSERT_TRUE(remote.ok());
  EXPECT_EQ((*remote)->claim(scratch_ / "data", {.sequence = 1'000, .log_end = 1'000}).error().code, "remote_missing");
  fs::remove_all(scratch_ / "backup");
  fs::rename(scratch_ / "unmounted", scratch_ / "backup");
  EXPECT_EQ((*remote)->claim(scratch_ / "data", {.sequence = 1'000, .log_end = 19}).error().code, "remote_taken") << "a snapshot";
  remote->reset();
  serve(scratch_ / "data");
  lose(scratch_ / "data");
}

TEST_F(RemoteCheckpointsTest, ARestoreThatMeetsDamageLeavesNoDataDirectory) {
  serve(scratch_ / "data");
  deploy(*lane_, std::string(test_support::kPayments) + kFolder);
  feed(*lane_, 0, 50);
  ASSERT_TRUE(seal_and_upload().ok());
  lose(scratch_ / "data");
  auto store = open_backup();
  const state::RemoteFound found = *state::find_remote(*store, "");
  const state::RemoteManifest& manifest = found.manifest;
  const std::string damaged = scratch_ / "backup/" + manifest.admin.name;      // the last object that is read
  fs::resize_file(damaged, manifest.admin.bytes - 1);
  const cep::Status refused = state::restore_remote(*store, *files_, found, scratch_ / "again", "", random_identity());
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().code, "damaged");
  std::vector<std::string> notes;
  LaneOptions options;
  options.data_dir = scratch_ / "again";
  auto lane = Lane::open(std::move(options), [this] { return now_.load(); }, notes);
  ASSERT_FALSE(lane.ok());
  EXPECT_EQ(lane.error().code, "foreign_data");
  EXPECT_EQ(state::restore_remote(*store, *files_, found, scratch_ / "again", "", random_identity()).error().code, "not_empty");
}

}  // namespace
}  // namespace service
