// What keeps events from being taken, and the requests that wait for it: while a disk is full, those that have waited too long are
// answered and new ones are refused at once, until there is room again.
// Invariant: a request is answered once, and as durable only after its flush.
// Threads: any; the watch has a thread of its own, which holds no lock of the watch while it answers.
#pragma once

#include <atomic>
#include <condition_variable>
#include <deque>
#include <functional>
#include <future>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

#include "api/messages.h"
#include "cep/result.h"
#include "cep/types.h"

namespace service {

// A writer that waits for its disk: the log thread, the store thread.
class DiskWait {
 public:
  // The writer: a write failed and will be tried again; it went through.
  void failed(const cep::Error& why);
  void over();
  // Any thread: how long the writer has been waiting, nothing if it is not; and for what.
  std::optional<cep::DurationUs> lasted_us() const;
  cep::Error why() const;

 private:
  std::atomic<int64_t> since_us_{0};      // 0: it does not wait
  mutable std::mutex mutex_;              // guards why_
  cep::Error why_;
};

// The answer that a request waits for.
class WaitingRequest {
 public:
  using Reply = std::function<void(api::SubmitAnswer)>;
  WaitingRequest(Reply reply, int64_t since_us) : since_us_(since_us), reply_(std::move(reply)) {}

  // It is known what became of it: from now on it gets this answer, whoever gives it.
  void decide(api::SubmitAnswer answer);
  // Gives the decided answer, or `refusal` while there is none. Only the first call counts.
  void answer(api::SubmitAnswer refusal = {}) { give(std::move(refusal), nullptr); }
  // The same; when it is the refusal, `count` has it before the request does.
  void give_up(api::SubmitAnswer refusal, std::atomic<uint64_t>& count) { give(std::move(refusal), &count); }
  bool is_answered() const;
  int64_t since_us() const { return since_us_; }

 private:
  void give(api::SubmitAnswer refusal, std::atomic<uint64_t>* count);

  const int64_t since_us_;
  mutable std::mutex mutex_;              // guards the next, not held while the reply is called
  Reply reply_;                           // empty: answered
  std::optional<api::SubmitAnswer> decided_;
};

// Why no events are taken.
struct IntakeStall {
  std::string code;         // disk_full, disk_failing
  std::string detail;       // for whoever sends events
  std::string cause;        // for the operator: the error, with its path
};

struct IntakeOptions {
  cep::DurationUs answer_within_us = 5 * cep::kSecond;     // a request that waits longer for a full disk is answered 503
  cep::DurationUs store_patience_us = 3 * cep::kSecond;    // the store may wait so long before events are refused
};

class IntakeWatch {
 public:
  using OnChange = std::function<void(const IntakeStall* stall)>;     // null: events are taken again; on the watch's thread
  IntakeWatch(IntakeOptions options, const DiskWait& log, const DiskWait& store, OnChange on_change);
  ~IntakeWatch();

  // Why no events are taken now, nothing if they are.
  std::optional<IntakeStall> stall() const;
  std::shared_ptr<WaitingRequest> add(WaitingRequest::Reply reply);
  // The answer to a request of which nothing was taken, counted.
  api::SubmitAnswer refusal(const IntakeStall& stall);
  // Waits for a record on its way through the log. Error: that of the stall, when it lasts too long; the outcome is open then.
  cep::Status wait_for(std::future<cep::Status>& outcome) const;

  const IntakeOptions& options() const { return options_; }
  uint64_t refused() const { return refused_; }            // at once
  uint64_t given_up() const { return given_up_; }          // answered before it was known what becomes of them

 private:
  void run();
  void look(std::optional<IntakeStall>& told);

  const IntakeOptions options_;
  const DiskWait& log_;
  const DiskWait& store_;
  const OnChange on_change_;
  std::atomic<uint64_t> refused_{0}, given_up_{0};
  std::mutex mutex_;                                       // guards the next two
  std::deque<std::shared_ptr<WaitingRequest>> waiting_;    // in order of arrival
  bool stopping_ = false;
  std::condition_variable stop_;
  std::thread thread_;
};

}  // namespace service
