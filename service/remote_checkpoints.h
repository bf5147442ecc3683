// Remote checkpoints of a running service: a thread of its own copies the newest sealed checkpoint and what belongs to it into an object
// store, again and again; shards, log and store wait for none of it. Invariant: what `claim` did not allow is never uploaded over; after
// a failure the newest remote checkpoint is the one before, and the next upload tries again; after `fenced` there is no next one.
// Threads: open, claim, start and stop on the owner's; the rest from any.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

#include "service/lane.h"
#include "service/service_log.h"
#include "state/admin_store.h"
#include "state/remote_copy.h"
#include "state/remote_owner.h"

namespace service {

struct RemoteOptions {
  std::string url;                                   // empty: no remote checkpoints
  cep::DurationUs interval_us = cep::kMinute;
  state::RemoteKeep keep;
  state::RemoteSizes sizes;
};

struct RemoteNumbers {
  std::atomic<int64_t> newest_us{0};                 // when the copy of the newest began; 0: there is none
  std::atomic<uint64_t> newest_bytes{0};             // of all its objects
  std::atomic<uint64_t> bytes_put{0}, uploads{0}, failures{0};
};

class RemoteCheckpoints {
 public:
  // Error: bad_url, remote_missing (there is no such directory), io_error.
  static cep::Result<std::unique_ptr<RemoteCheckpoints>> open(RemoteOptions options, Sequencer::WallClock clock, const ServiceLog& log);
  ~RemoteCheckpoints();

  // LaneOptions::may_start. Error: remote_taken, remote_missing, damaged, those of the store.
  cep::Status claim(const std::string& data_dir, const state::LocalPlace& place);
  void start(Lane& lane, const state::AdminStore& admin);
  // Ends the thread, breaks off what it is uploading, and uploads what was sealed last, once, if that does not take too long.
  void stop();

  // Now, on the caller's thread, once what is under way is over.
  cep::Status upload();
  // Why nothing is uploaded any more: another process has taken over.
  std::optional<cep::Error> fenced() const;
  const RemoteNumbers& numbers() const { return numbers_; }
  uint64_t epoch() const { return owner_->epoch(); }

 private:
  RemoteCheckpoints(RemoteOptions options, Sequencer::WallClock clock, const ServiceLog& log)
      : options_(std::move(options)), clock_(std::move(clock)), log_(log), files_(state::make_real_file_system()) {}
  void run();
  void check_ownership();
  void make_copy();
  cep::Status copy_and_publish();
  bool must_break_off() const;
  void tell(const cep::Status& status);

  const RemoteOptions options_;
  const Sequencer::WallClock clock_;
  const ServiceLog& log_;
  std::unique_ptr<state::FileSystem> files_;
  std::unique_ptr<state::ObjectStore> store_;
  std::optional<state::RemoteOwner> owner_;
  std::unique_ptr<state::RemoteCopy> copy_;
  Lane* lane_ = nullptr;
  const state::AdminStore* admin_ = nullptr;
  cep::TimeUs next_sweep_us_ = 0;
  bool failing_ = false;
  uint64_t put_before_ = 0;                          // bytes, by copies before copy_
  std::optional<std::chrono::steady_clock::time_point> give_up_;     // of the last upload
  std::mutex upload_mutex_;                          // guards all of the above but the constants
  RemoteNumbers numbers_;
  std::atomic<bool> break_off_{false};

  mutable std::mutex mutex_;                         // guards the next three
  std::condition_variable changed_;
  bool stopping_ = false;
  std::optional<cep::Error> fenced_;
  std::thread thread_;
};

// A new identity of a data directory.
state::Id16 random_identity();

}  // namespace service
