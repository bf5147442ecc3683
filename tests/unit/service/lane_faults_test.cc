// A lane whose log lies on a disk that forgets: power cuts and failed flushes while the state environment survives. Also restarts with
// two sources, which no single HTTP client can make. These catch broken builds that a kill cannot show (tests/e2e/mutants.sh), because
// a kill keeps the page cache.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <future>
#include <mutex>

#include "api/event_body.h"
#include "service/lane.h"
#include "tests/support/faulty_file.h"
#include "tests/support/scratch_dir.h"

namespace service {
namespace {

constexpr const char* kLogRoot = "/log";
constexpr const char* kDeclarations =
    "create stream s (id text, k text not null, v int, at timestamp not null) event time at delay 0 seconds, idle 1 hour, unique id;"
    "create rule each_one on s partition by k when v > 0 alert message 'seen';";

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

cep::TimeUs wall_clock() {
  return std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::system_clock::now().time_since_epoch()).count();
}

std::unique_ptr<Lane> open_lane(const std::string& data_dir, std::shared_ptr<SplitFiles> files = nullptr) {
  LaneOptions options;
  options.data_dir = data_dir;
  if (files != nullptr) options.log_root = kLogRoot;
  options.files = files;
  options.shards = 2;
  std::vector<std::string> notes;
  auto lane = Lane::open(std::move(options), wall_clock, notes);
  EXPECT_TRUE(lane.ok()) << lane.error().message;
  return lane.ok() ? std::move(*lane) : nullptr;
}

void deploy(Lane& lane, const std::string& text) {
  std::promise<std::string> applied;
  lane.deploy(text, "test", false, nullptr, [&](DeployResult result) {
    applied.set_value(result.applied ? "" : "not applied " + to_text(result.plan.sources, result.plan.diagnostics));
  });
  EXPECT_EQ(applied.get_future().get(), "");
}

// `pages`: so much white space that no power cut keeps all of the event by chance.
std::string event(const std::string& id, int seconds, size_t padding = 0) {
  return R"({"id": ")" + id + R"(", "k": "a", "v": 1,)" + std::string(padding, ' ') + R"( "at": )" +
         std::to_string(1'767'600'000'000 + int64_t{1'000} * seconds) + "}";
}

std::future<api::SubmitAnswer> submit(Lane& lane, const std::string& body) {
  auto request = std::make_shared<api::SubmitRequest>();
  request->body = body;
  api::EventBodyHead head;
  head.content_type = "application/x-ndjson";
  head.stream = "s";
  RegistryPtr registry = lane.registry();
  auto split = api::split_body(head, [&](std::string_view name) { return registry->streams().at(std::string(name)); }, *request);
  EXPECT_TRUE(split.ok()) << split.error().message;
  auto answered = std::make_shared<std::promise<api::SubmitAnswer>>();
  lane.submit(request, [answered](api::SubmitAnswer answer) { answered->set_value(std::move(answer)); });
  return answered->get_future();
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
TEST(LaneFaultsTest, NothingIsVisibleBeforeItsEventIsDurable) {
  for (uint64_t seed = 1; seed <= 3; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    support::ScratchDir scratch;
    auto files = std::make_shared<SplitFiles>(seed);
    auto lane = open_lane(scratch / "data", files);
    ASSERT_NE(lane, nullptr);
    deploy(*lane, kDeclarations);
    EXPECT_EQ(submit(*lane, event("first", 1)).get().accepted, 1u);
    lane->settle(true);

    std::promise<void> flushing, go_on;
    files->set_on_sync([&, once = std::make_shared<std::once_flag>()] {
      std::call_once(*once, [&] {
        flushing.set_value();
        go_on.get_future().wait();
      });
    });
    auto answer = submit(*lane, event("second", 2, 20'000));
    flushing.get_future().wait();
    for (const auto& shard : lane->shards()) shard->wait_until_idle();
    lane->store().wait_until_stored();
    EXPECT_EQ(alerted(*lane), std::vector<std::string>{"first"});
    take_image(scratch / "data", *files, scratch / "image");
    go_on.set_value();
    EXPECT_EQ(answer.get().accepted, 1u);   // the lane wrote it again into the next file
    lane.reset();

    auto after = open_lane(scratch / "image");
    ASSERT_NE(after, nullptr);
    after->settle(false);
    EXPECT_EQ(alerted(*after), std::vector<std::string>{"first"});
  }
}

// The mutant WEIR_MUTANT_RETRY_FDATASYNC acknowledges an event that the disk never got.
TEST(LaneFaultsTest, AcknowledgedEventsSurviveAFailedFlushAndAPowerCut) {
  for (uint64_t seed = 1; seed <= 3; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    support::ScratchDir scratch;
    auto files = std::make_shared<SplitFiles>(seed);
    auto lane = open_lane(scratch / "data", files);
    ASSERT_NE(lane, nullptr);
    deploy(*lane, kDeclarations);
    lane->settle(true);
    files->with_disk([](support::FaultyFileSystem& disk) { disk.inject(0, support::Fault::kFailedSync); });
    EXPECT_EQ(submit(*lane, event("acknowledged", 1, 20'000)).get().accepted, 1u);
    lane->settle(false);
    take_image(scratch / "data", *files, scratch / "image");
    EXPECT_GT(lane->sequencer().numbers().failed_flushes.load(), 0u);
    lane.reset();

    auto after = open_lane(scratch / "image");
    ASSERT_NE(after, nullptr);
    after->settle(false);
    EXPECT_EQ(submit(*after, event("acknowledged", 1, 20'000)).get().duplicates, 1u);
    EXPECT_EQ(alerted(*after), std::vector<std::string>{"acknowledged"});
  }
}

// Appends events of one source, as a second input of the lane would have.
void append(state::LogWriter& log, uint32_t source, const std::string& row) {
  state::FrameInput frame;
  frame.header.source = source;
  frame.header.events = 1;
  frame.header.received_us = wall_clock();
  std::vector<uint32_t> ends = {static_cast<uint32_t>(row.size())};
  frame.row_ends = ends;
  frame.rows = row;
  ASSERT_TRUE(log.append({&frame, 1}).ok());
  ASSERT_TRUE(log.flush().ok());
}

// With two sources a row that came too late for its own may still lie after the watermark: time does not tell which rows wait, and
// WEIR_MUTANT_MARKS_BY_TIME brings `late` back to life. WEIR_MUTANT_REREAD_AT_BARRIER forgets `waits`.
TEST(LaneFaultsTest, RestartKeepsWaitingRowsAndNoLateOnes) {
  support::ScratchDir scratch;
  const std::string data = scratch / "data";
  {
    auto lane = open_lane(data);
    ASSERT_NE(lane, nullptr);
    deploy(*lane, kDeclarations);
  }
  auto files = state::make_real_file_system();
  auto with_log = [&](auto use) {
    auto log = state::LogWriter::open(*files, data + "/lanes/0/log");
    ASSERT_TRUE(log.ok());
    use(**log);
  };
  with_log([](state::LogWriter& log) {
    append(log, 1, event("slow", 10));
    append(log, 2, event("waits", 100));
    append(log, 2, event("late", 50));
  });
  {
    auto lane = open_lane(data);
    ASSERT_NE(lane, nullptr);
    lane->settle(true);
    EXPECT_EQ(alerted(*lane), std::vector<std::string>{"slow"});
    EXPECT_EQ(lane->sequencer().numbers().late.load(), 1u);
  }
  with_log([](state::LogWriter& log) { append(log, 1, event("last", 200)); });
  auto lane = open_lane(data);
  ASSERT_NE(lane, nullptr);
  lane->settle(false);
  EXPECT_EQ(alerted(*lane), (std::vector<std::string>{"slow", "waits"}));
}

}  // namespace
}  // namespace service
