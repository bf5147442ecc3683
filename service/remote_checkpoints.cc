// See remote_checkpoints.h. Test: tests/unit/service/remote_checkpoints_test.cc, tests/e2e/remote_test.sh.
#include "service/remote_checkpoints.h"

#include <algorithm>
#include <chrono>
#include <cstring>
#include <random>

namespace service {
namespace {

constexpr uint16_t kRemoteLane = 0;
constexpr int kClaimAttempts = 50;
constexpr cep::DurationUs kSweepEvery = cep::kMinute;
constexpr std::chrono::seconds kLastUpload{30};         // a drain is given up after 60
constexpr auto kClaimRetry = std::chrono::milliseconds(100);
constexpr cep::DurationUs kCheckEvery = 10 * cep::kSecond;    // and at most so long after a failure

// While it lives nothing that is being copied is deleted.
class DeletionsHeld {
 public:
  explicit DeletionsHeld(Store& store) : store_(store) { store_.hold_deletions(true); }
  ~DeletionsHeld() { store_.hold_deletions(false); }
  DeletionsHeld(const DeletionsHeld&) = delete;

 private:
  Store& store_;
};

}  // namespace

state::Id16 random_identity() {
  std::random_device random;
  state::Id16 id{};
  for (size_t at = 0; at < id.size(); at += sizeof(uint32_t)) {
    const uint32_t part = random();
    std::memcpy(id.data() + at, &part, sizeof part);
  }
  return id;
}

cep::Result<std::unique_ptr<RemoteCheckpoints>> RemoteCheckpoints::open(RemoteOptions options, Sequencer::WallClock clock,
                                                                        const ServiceLog& log) {
  if (cep::Status known = state::check_store_url(options.url); !known.ok()) return known.error();
  std::unique_ptr<RemoteCheckpoints> remote(new RemoteCheckpoints(std::move(options), std::move(clock), log));
  // A place that is not mounted must not become a directory of this machine's own disk.
  const std::string& url = remote->options_.url;
  cep::Result<bool> there = remote->files_->exists(url.substr(std::string_view("file://").size()));
  if (!there.ok()) return there.error();
  if (!*there) return cep::Error{"remote_missing", url + " does not exist; check remote.url, and that it is mounted. A new one: make it"};
  cep::Result<std::unique_ptr<state::ObjectStore>> store = state::open_object_store(*remote->files_, remote->options_.url);
  if (!store.ok()) return store.error();
  remote->store_ = std::move(*store);
  return remote;
}

RemoteCheckpoints::~RemoteCheckpoints() { stop(); }

cep::Status RemoteCheckpoints::claim(const std::string& data_dir, const state::LocalPlace& place) {
  const state::Id16 fresh = random_identity();
  for (int attempt = 1;; ++attempt) {
    cep::Result<state::RemoteOwner> owner =
        state::RemoteOwner::claim(*store_, *files_, data_dir, place, fresh, options_.keep, clock_());
    if (owner.ok()) {
      owner_ = std::move(*owner);
      break;
    }
    const std::string& code = owner.error().code;
    if ((code != "locked" && code != "changed") || attempt == kClaimAttempts) return owner.error();
    std::this_thread::sleep_for(kClaimRetry);
  }
  make_copy();
  if (owner_->newest()) {
    numbers_.newest_us = owner_->newest()->time_us;
    numbers_.newest_bytes = owner_->newest()->bytes();
  }
  return cep::ok_status();
}

void RemoteCheckpoints::make_copy() {
  if (copy_ != nullptr) put_before_ += copy_->bytes_put();
  copy_ = std::make_unique<state::RemoteCopy>(*store_, *files_, kRemoteLane, owner_->newest(), options_.sizes);
  copy_->stop_when([this] { return must_break_off(); });
}

bool RemoteCheckpoints::must_break_off() const {
  return break_off_ || (give_up_ && std::chrono::steady_clock::now() >= *give_up_);
}

void RemoteCheckpoints::start(Lane& lane, const state::AdminStore& admin) {
  lane_ = &lane;
  admin_ = &admin;
  log_.info("remote checkpoints", {{"url", store_->url()}, {"epoch", std::to_string(owner_->epoch())}});
  thread_ = std::thread([this] { run(); });
}

void RemoteCheckpoints::stop() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  if (!thread_.joinable()) return;
  break_off_ = true;
  thread_.join();
  break_off_ = false;
  {
    std::lock_guard one_at_a_time(upload_mutex_);
    give_up_ = std::chrono::steady_clock::now() + kLastUpload;
  }
  const cep::Status last = upload();            // what else came of it is in the log
  if (last.ok() || last.error().code != "stopping") return;
  log_.warning("stopped without a last remote checkpoint: it took too long; the one before stays, and the local one is sealed",
               {{"url", store_->url()}});
}

void RemoteCheckpoints::run() {
  const auto sleep = [&](cep::DurationUs wait) {      // false: stopping
    std::unique_lock lock(mutex_);
    return !changed_.wait_for(lock, std::chrono::microseconds(wait), [&] { return stopping_; });
  };
  for (cep::DurationUs wait = 0; sleep(std::min(wait, kCheckEvery));) {
    if (wait > kCheckEvery) {
      wait -= kCheckEvery;
      check_ownership();
      continue;
    }
    const cep::Status status = upload();
    const bool young = !status.ok() && status.error().code == "nothing_sealed";
    wait = status.ok() ? options_.interval_us : std::min(options_.interval_us, young ? cep::kSecond : kCheckEvery);
  }
}

// Between two uploads that are far apart: whoever asks whether this is the service should not have to wait for the next one.
void RemoteCheckpoints::check_ownership() {
  std::lock_guard one_at_a_time(upload_mutex_);
  if (fenced()) return;
  const cep::Status ours = owner_->check();
  if (!ours.ok() && ours.error().code == "fenced") tell(ours);
}

cep::Status RemoteCheckpoints::upload() {
  std::lock_guard one_at_a_time(upload_mutex_);
  if (std::optional<cep::Error> why = fenced()) return *why;
  cep::Status status = copy_and_publish();
  if (!status.ok() && status.error().code == "disk_full") {
    const cep::Result<size_t> swept = owner_->sweep(clock_());
    // What the copy has put and nobody named yet may be among it: begin anew from what is named.
    if (!swept.ok() || *swept > 0) make_copy();
    if (swept.ok() && *swept > 0) status = copy_and_publish();
  }
  tell(status);
  return status;
}

cep::Status RemoteCheckpoints::copy_and_publish() {
  if (cep::Status ours = owner_->check(); !ours.ok()) return ours;
  const cep::TimeUs began = clock_();
  copy_->begin(began);
  {
    const DeletionsHeld held(lane_->store());
    if (cep::Status copied = copy_->copy_state(lane_->store().env()); !copied.ok()) return copied;
  }
  // Admin after the state, and the log after both: what they have seen is in it.
  if (cep::Status copied = copy_->copy_admin(admin_->env()); !copied.ok()) return copied;
  const uint64_t log_end = lane_->sequencer().numbers().log_end;
  if (cep::Status copied = copy_->copy_log(lane_->options().sequencer.log_dir, log_end); !copied.ok()) return copied;
  cep::Result<SavedControl> control = decode_control(copy_->control());
  if (!control.ok()) return control.error();
  std::vector<std::pair<std::string, uint64_t>> sources;
  for (const auto& [source, place] : control->sources) sources.emplace_back(source.name, place.next);
  if (cep::Status put = owner_->publish(copy_->finish(std::move(sources))); !put.ok()) return put;
  copy_->accept(*owner_->newest());
  numbers_.newest_us = began;
  numbers_.newest_bytes = owner_->newest()->bytes();
  ++numbers_.uploads;
  if (give_up_ || clock_() < next_sweep_us_) return cep::ok_status();      // the last one leaves that to the next start
  next_sweep_us_ = clock_() + std::min(options_.keep.grace_us / 2, kSweepEvery);
  const cep::Result<size_t> swept = owner_->sweep(clock_());
  return swept.ok() ? cep::ok_status() : cep::Status(swept.error());
}

// A failure is told when it begins and when it is over, not every time.
void RemoteCheckpoints::tell(const cep::Status& status) {
  numbers_.bytes_put = put_before_ + copy_->bytes_put();
  if (status.ok()) {
    if (failing_) log_.info("remote checkpoints are uploaded again");
    failing_ = false;
    return;
  }
  const cep::Error& error = status.error();
  if (error.code == "nothing_sealed" || error.code == "stopping") return;
  ++numbers_.failures;
  if (error.code == "fenced") {
    std::lock_guard lock(mutex_);
    fenced_ = error;
  }
  if (!failing_) log_.error("remote checkpoint not uploaded", {{"code", error.code}, {"error", error.message}});
  failing_ = true;
}

std::optional<cep::Error> RemoteCheckpoints::fenced() const {
  std::lock_guard lock(mutex_);
  return fenced_;
}

}  // namespace service
