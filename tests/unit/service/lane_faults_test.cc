// A lane whose log lies on a disk that forgets: power cuts and failed flushes while the state environment survives. Also restarts with
// two sources, which no single HTTP client can make. These catch broken builds that a kill cannot show (tests/e2e/mutants.sh), because
// a kill keeps the page cache.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <future>
#include <mutex>

#include "service/lane.h"
#include "tests/support/faulty_file.h"
#include "tests/support/lane_fixture.h"

namespace service {
namespace {

constexpr const char* kLogRoot = "/log";
const std::string kDeclarations =
    std::string(test_support::kPayments) + "create rule each_one on payments partition by card when amount > 0 alert message 'seen';";

// The log's directory on the faulty disk, everything else on the real one. The faulty disk is made for one thread: a mutex stands
// before it. `on_sync` is called before each flush of a log file, outside the mutex.
class SplitFiles final : public state::FileSystem {
 public:
  explicit SplitFiles(uint64_t seed) : disk_(seed), real_(state::make_real_file_system()) {}

  template <class Use>
  auto with_disk(Use use) {
    std::lock_guard lock(mutex_);
    return use(disk_);
  }
  void set_on_sync(std::function<void()> on_sync) {
    std::lock_guard lock(mutex_);
    on_sync_ = std::move(on_sync);
  }
  std::function<void()> on_sync() {
    std::lock_guard lock(mutex_);
    return on_sync_;
  }

  cep::Result<std::unique_ptr<state::File>> open(const std::string& path, state::OpenMode mode) override;
  cep::Status remove(const std::string& path) override {
    return at(path, [&](FileSystem& files) { return files.remove(path); });
  }
  cep::Status rename(const std::string& from, const std::string& to) override {
    return at(from, [&](FileSystem& files) { return files.rename(from, to); });
  }
  cep::Result<std::vector<std::string>> list(const std::string& dir) override {
    return at(dir, [&](FileSystem& files) { return files.list(dir); });
  }
  cep::Result<bool> exists(const std::string& path) override {
    return at(path, [&](FileSystem& files) { return files.exists(path); });
  }
  cep::Status make_dirs(const std::string& dir) override {
    return at(dir, [&](FileSystem& files) { return files.make_dirs(dir); });
  }
  cep::Status sync_dir(const std::string& dir) override {
    return at(dir, [&](FileSystem& files) { return files.sync_dir(dir); });
  }
  // The process holds no lock against itself here: the lane that lost its power is still there when the next one opens.
  cep::Result<std::unique_ptr<state::FileLock>> lock(const std::string& path) override {
    if (path.starts_with(kLogRoot)) return std::unique_ptr<state::FileLock>(std::make_unique<state::FileLock>());
    return real_->lock(path);
  }

 private:
  template <class Use>
  auto at(const std::string& path, Use use) -> decltype(use(*this)) {
    if (!path.starts_with(kLogRoot)) return use(*real_);
    std::lock_guard lock(mutex_);
    return use(disk_);
  }

  std::mutex mutex_;      // guards disk_ and on_sync_
  support::FaultyFileSystem disk_;
  std::function<void()> on_sync_;
  std::unique_ptr<state::FileSystem> real_;
};

class SplitFile final : public state::File {
 public:
  SplitFile(SplitFiles& files, std::unique_ptr<state::File> file) : files_(files), file_(std::move(file)) {}

  cep::Result<size_t> read_at(uint64_t offset, char* out, size_t bytes) override {
    return files_.with_disk([&](auto&) { return file_->read_at(offset, out, bytes); });
  }
  cep::Status write_at(uint64_t offset, std::string_view data) override {
    return files_.with_disk([&](auto&) { return file_->write_at(offset, data); });
  }
  cep::Status truncate(uint64_t bytes) override {
    return files_.with_disk([&](auto&) { return file_->truncate(bytes); });
  }
  cep::Status sync() override {
    if (auto on_sync = files_.on_sync()) on_sync();
    return files_.with_disk([&](auto&) { return file_->sync(); });
  }
  cep::Result<uint64_t> size() override {
    return files_.with_disk([&](auto&) { return file_->size(); });
  }

 private:
  SplitFiles& files_;
  std::unique_ptr<state::File> file_;
};

cep::Result<std::unique_ptr<state::File>> SplitFiles::open(const std::string& path, state::OpenMode mode) {
  if (!path.starts_with(kLogRoot)) return real_->open(path, mode);
  auto file = with_disk([&](support::FaultyFileSystem& disk) { return disk.open(path, mode); });
  if (!file.ok()) return file.error();
  return std::unique_ptr<state::File>(std::make_unique<SplitFile>(*this, std::move(*file)));
}

// Ids of the events that have alerts, sorted.
std::vector<std::string> alerted(Lane& lane) {
  std::vector<std::string> ids;
  auto alerts = lane.store().alerts().from(1, 1'000);
  EXPECT_TRUE(alerts.ok());
  for (const state::StoredAlert& stored : *alerts) {
    const std::string mark = R"("event":{"id":")";
    size_t at = stored.alert.body.find(mark) + mark.size();
    ids.push_back(stored.alert.body.substr(at, stored.alert.body.find('"', at) - at));
  }
  std::sort(ids.begin(), ids.end());
  return ids;
}

class LaneFaultsTest : public test_support::LaneFixture {
 protected:
  std::unique_ptr<Lane> open_split(std::shared_ptr<SplitFiles> files, LaneOptions options = {}) {
    options.data_dir = scratch_ / "data";
    options.log_root = kLogRoot;
    options.files = std::move(files);
    options.shards = 2;
    std::vector<std::string> notes;
    auto lane = Lane::open(std::move(options), [this] { return now_.load(); }, notes);
    EXPECT_TRUE(lane.ok()) << (lane.ok() ? "" : lane.error().message);
    return lane.ok() ? std::move(*lane) : nullptr;
  }
  // So much white space that no power cut keeps all of the event by chance.
  static std::string large(std::string event) { return event.insert(1, std::string(20'000, ' ')); }
};

// What is found after the power came back: the state directory as it is now, the log as the disk kept it.
void take_image(const std::string& data_dir, SplitFiles& files, const std::string& image) {
  std::filesystem::copy(data_dir, image, std::filesystem::copy_options::recursive);
  std::filesystem::create_directories(image + "/lanes/0/log");
  files.with_disk([&](support::FaultyFileSystem& disk) {
    disk.power_cut();
    auto names = disk.list(kLogRoot);
    ASSERT_TRUE(names.ok());
    for (const std::string& name : *names) {
      const std::string path = std::string(kLogRoot) + "/" + name;
      std::string bytes(disk.file_bytes(path), '\0');
      auto file = disk.open(path, state::OpenMode::kRead);
      ASSERT_TRUE(file.ok() && (*file)->read_at(0, bytes.data(), bytes.size()).ok());
      std::ofstream(image + "/lanes/0/log/" + name, std::ios::binary) << bytes;
    }
  });
}

// The mutant WEIR_MUTANT_PROCESS_BEFORE_FLUSH makes an alert of an event that the power cut takes back.
TEST_F(LaneFaultsTest, NothingIsVisibleBeforeItsEventIsDurable) {
  for (uint64_t seed = 1; seed <= 3; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    std::filesystem::remove_all(scratch_ / "data");
    const std::string image = scratch_ / ("image-" + std::to_string(seed));
    auto files = std::make_shared<SplitFiles>(seed);
    auto lane = open_split(files);
    ASSERT_NE(lane, nullptr);
    deploy(*lane, kDeclarations);
    EXPECT_EQ(submit(*lane, payment("first", "a", "1.00", 1)).accepted, 1u);
    lane->settle(true);

    std::promise<void> flushing, go_on;
    files->set_on_sync([&, once = std::make_shared<std::once_flag>()] {
      std::call_once(*once, [&] {
        flushing.set_value();
        go_on.get_future().wait();
      });
    });
    auto answer = std::async(std::launch::async, [&] { return submit(*lane, large(payment("second", "a", "1.00", 2))); });
    flushing.get_future().wait();
    for (const auto& shard : lane->shards()) shard->wait_until_idle();
    lane->store().wait_until_stored();
    EXPECT_EQ(alerted(*lane), std::vector<std::string>{"first"});
    take_image(scratch_ / "data", *files, image);
    go_on.set_value();
    EXPECT_EQ(answer.get().accepted, 1u);   // the lane wrote it again into the next file
    lane.reset();

    auto after = open_at(image, 1);
    ASSERT_NE(after, nullptr);
    after->settle(false);
    EXPECT_EQ(alerted(*after), std::vector<std::string>{"first"});
  }
}

// The mutant WEIR_MUTANT_RETRY_FDATASYNC acknowledges an event that the disk never got.
TEST_F(LaneFaultsTest, AcknowledgedEventsSurviveAFailedFlushAndAPowerCut) {
  for (uint64_t seed = 1; seed <= 3; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    std::filesystem::remove_all(scratch_ / "data");
    const std::string image = scratch_ / ("image-" + std::to_string(seed));
    auto files = std::make_shared<SplitFiles>(seed);
    auto lane = open_split(files);
    ASSERT_NE(lane, nullptr);
    deploy(*lane, kDeclarations);
    lane->settle(true);
    files->with_disk([](support::FaultyFileSystem& disk) { disk.inject(0, support::Fault::kFailedSync); });
    EXPECT_EQ(submit(*lane, large(payment("acknowledged", "a", "1.00", 1))).accepted, 1u);
    lane->settle(false);
    take_image(scratch_ / "data", *files, image);
    EXPECT_GT(lane->sequencer().numbers().failed_flushes.load(), 0u);
    lane.reset();

    auto after = open_at(image, 1);
    ASSERT_NE(after, nullptr);
    after->settle(false);
    EXPECT_EQ(submit(*after, large(payment("acknowledged", "a", "1.00", 1))).duplicates, 1u);
    EXPECT_EQ(alerted(*after), std::vector<std::string>{"acknowledged"});
  }
}

// While the log's disk is full nothing hangs and nothing is lost: who waits is told after a while, who comes is told at once.
TEST_F(LaneFaultsTest, AFullLogDiskRefusesAndGoesOnWhenThereIsRoom) {
  auto files = std::make_shared<SplitFiles>(1);
  std::mutex mutex;
  std::vector<std::string> told;
  LaneOptions options;
  options.intake.answer_within_us = 300 * cep::kMillisecond;
  options.on_intake_change = [&](const IntakeStall* stall) {
    std::lock_guard lock(mutex);
    told.push_back(stall != nullptr ? stall->code : "open");
  };
  auto lane = open_split(files, options);
  ASSERT_NE(lane, nullptr);
  deploy(*lane, kDeclarations + "create list blocked of text;");
  lane->settle(true);
  files->with_disk([](support::FaultyFileSystem& disk) { disk.inject(0, support::Fault::kDiskFull, UINT64_MAX); });

  const api::SubmitAnswer waited = submit(*lane, payment("waited", "a", "1.00", 1));
  EXPECT_EQ(waited.outcome, api::SubmitAnswer::Outcome::kUnavailable);
  EXPECT_EQ(waited.code, "disk_full");
  EXPECT_EQ(lane->intake().given_up(), 1u);
  const api::SubmitAnswer refused = submit(*lane, payment("refused", "a", "1.00", 2));
  EXPECT_EQ(refused.code, "disk_full");
  EXPECT_EQ(lane->intake().refused(), 1u);
  DatasetChange change{"blocked", "", 0, {{{"a"}, cep::EntryText(), std::nullopt}}};
  EXPECT_EQ(lane->edit_dataset(change).error().code, "disk_full");

  files->with_disk([](support::FaultyFileSystem& disk) { disk.inject(0, support::Fault::kNone); });
  while (lane->intake().stall()) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  EXPECT_EQ(submit(*lane, payment("refused", "a", "1.00", 2)).accepted, 1u);
  EXPECT_EQ(submit(*lane, payment("waited", "a", "1.00", 1)).duplicates, 1u);      // it was taken when there was room
  lane->settle(false);
  EXPECT_EQ(alerted(*lane), (std::vector<std::string>{"refused", "waited"}));
  for (size_t lines = 0; lines < 2; std::this_thread::sleep_for(std::chrono::milliseconds(1))) {
    std::lock_guard lock(mutex);
    lines = told.size();
  }
  lane.reset();
  EXPECT_EQ(told, (std::vector<std::string>{"disk_full", "open"}));
}

// With two sources a row that came too late for its own may still lie after the watermark: time does not tell which rows wait, and
// WEIR_MUTANT_MARKS_BY_TIME brings `late` back to life. WEIR_MUTANT_REREAD_AT_BARRIER forgets `waits`.
TEST_F(LaneFaultsTest, RestartKeepsWaitingRowsAndNoLateOnes) {
  open();
  deploy(*lane_, kDeclarations);
  for (const char* name : {"first", "second"}) ASSERT_TRUE(lane_->open_source({name, "payments"}, 0).ok());
  close();
  auto files = state::make_real_file_system();
  auto append = [&](uint32_t source, const std::string& row) {
    auto log = state::LogWriter::open(*files, scratch_ / "data/lanes/0/log");
    ASSERT_TRUE(log.ok());
    state::FrameInput frame;
    frame.header.source = source;
    frame.header.events = 1;
    frame.header.received_us = now_;
    const std::vector<uint32_t> ends = {static_cast<uint32_t>(row.size())};
    frame.row_ends = ends;
    frame.rows = row;
    ASSERT_TRUE((*log)->append({&frame, 1}).ok());
    ASSERT_TRUE((*log)->flush().ok());
  };
  append(1, payment("slow", "a", "1.00", 10));
  append(2, payment("waits", "a", "1.00", 100));
  append(2, payment("late", "a", "1.00", 50));
  open(2);
  lane_->settle(true);
  EXPECT_EQ(alerted(*lane_), std::vector<std::string>{"slow"});
  EXPECT_EQ(lane_->sequencer().numbers().late.load(), 1u);
  close();
  append(1, payment("last", "a", "1.00", 200));
  open();
  lane_->settle(false);
  EXPECT_EQ(alerted(*lane_), (std::vector<std::string>{"slow", "waits"}));
}

}  // namespace
}  // namespace service
