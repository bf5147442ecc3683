// See intake_watch.h. Test: tests/unit/service/intake_watch_test.cc, tests/e2e/disk_full_test.sh.
#include "service/intake_watch.h"

#include <chrono>
#include <utility>

namespace service {
namespace {

constexpr auto kLookEvery = std::chrono::milliseconds(200);
constexpr int kRetryAfterS = 5;
constexpr const char* kOutcomeOpen =
    "What becomes of this request is not known yet: its events may still be taken. Sending it again counts nothing twice if it has the "
    "same Idempotency-Key or its streams say `unique`.";

// Durations of waiting are measured with a clock that nobody sets back. Never 0.
int64_t steady_us() {
  return std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::steady_clock::now().time_since_epoch()).count() + 1;
}

IntakeStall stall_of(const char* whose, const cep::Error& why) {
  const bool full = why.code == "disk_full";
  return {full ? "disk_full" : "disk_failing",
          std::string("The disk of ") + whose + (full ? " is full" : " cannot be written") +
              "; events are taken again as soon as it can be written.",
          why.message};
}

api::SubmitAnswer unavailable(const IntakeStall& stall, const std::string& more) {
  api::SubmitAnswer answer;
  answer.outcome = api::SubmitAnswer::Outcome::kUnavailable;
  answer.code = stall.code;
  answer.detail = stall.detail + " " + more;
  answer.retry_after_s = kRetryAfterS;
  return answer;
}

}  // namespace

void DiskWait::failed(const cep::Error& why) {
  if (since_us_ != 0) return;
  std::lock_guard lock(mutex_);
  why_ = why;
  since_us_ = steady_us();
}

void DiskWait::over() { since_us_ = 0; }

std::optional<cep::DurationUs> DiskWait::lasted_us() const {
  const int64_t since = since_us_;
  return since != 0 ? std::optional(steady_us() - since) : std::nullopt;
}

cep::Error DiskWait::why() const {
  std::lock_guard lock(mutex_);
  return why_;
}

void WaitingRequest::decide(api::SubmitAnswer answer) {
  std::lock_guard lock(mutex_);
  decided_ = std::move(answer);
}

void WaitingRequest::give(api::SubmitAnswer refusal, std::atomic<uint64_t>* count) {
  Reply reply;
  {
    std::lock_guard lock(mutex_);
    if (!reply_) return;
    reply = std::exchange(reply_, nullptr);
    if (decided_) {
      refusal = std::move(*decided_);
    } else if (count != nullptr) {
      ++*count;
    }
  }
  reply(std::move(refusal));
}

bool WaitingRequest::is_answered() const {
  std::lock_guard lock(mutex_);
  return !reply_;
}

IntakeWatch::IntakeWatch(IntakeOptions options, const DiskWait& log, const DiskWait& store, OnChange on_change)
    : options_(options), log_(log), store_(store), on_change_(std::move(on_change)), thread_([this] { run(); }) {}

IntakeWatch::~IntakeWatch() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  stop_.notify_all();
  thread_.join();
}

// The log's first failure counts: what comes now would only wait behind it. The store may fall behind for a while, its queue has room.
std::optional<IntakeStall> IntakeWatch::stall() const {
  if (log_.lasted_us()) return stall_of("the event log", log_.why());
  if (store_.lasted_us().value_or(0) > options_.store_patience_us) return stall_of("the state", store_.why());
  return std::nullopt;
}

std::shared_ptr<WaitingRequest> IntakeWatch::add(WaitingRequest::Reply reply) {
  auto request = std::make_shared<WaitingRequest>(std::move(reply), steady_us());
  std::lock_guard lock(mutex_);
  while (!waiting_.empty() && waiting_.front()->is_answered()) waiting_.pop_front();
  waiting_.push_back(request);
  return request;
}

api::SubmitAnswer IntakeWatch::refusal(const IntakeStall& stall) {
  ++refused_;
  return unavailable(stall, "Nothing of this request was taken: send it again after Retry-After.");
}

cep::Status IntakeWatch::wait_for(std::future<cep::Status>& outcome) const {
  const int64_t began = steady_us();
  while (outcome.wait_for(kLookEvery) != std::future_status::ready) {
    std::optional<IntakeStall> stall = this->stall();
    if (!stall || steady_us() - began < options_.answer_within_us) continue;
    return cep::Error{stall->code, stall->detail + " This change waits for it and may still come into force: look before repeating it."};
  }
  return outcome.get();
}

void IntakeWatch::run() {
  std::optional<IntakeStall> told;
  for (;;) {
    {
      std::unique_lock lock(mutex_);
      if (stop_.wait_for(lock, kLookEvery, [this] { return stopping_; })) return;
    }
    look(told);
  }
}

void IntakeWatch::look(std::optional<IntakeStall>& told) {
  std::optional<IntakeStall> stall = this->stall();
  if (stall.has_value() != told.has_value() && on_change_) on_change_(stall ? &*stall : nullptr);
  told = std::move(stall);
  std::deque<std::shared_ptr<WaitingRequest>> overdue;
  {
    std::lock_guard lock(mutex_);
    const int64_t now = steady_us();
    while (!waiting_.empty()) {
      const bool late = told && now - waiting_.front()->since_us() > options_.answer_within_us;
      if (!late && !waiting_.front()->is_answered()) break;
      overdue.push_back(std::move(waiting_.front()));
      waiting_.pop_front();
    }
  }
  for (const std::shared_ptr<WaitingRequest>& request : overdue) {
    if (!told) continue;
    request->give_up(unavailable(*told, kOutcomeOpen), given_up_);
  }
}

}  // namespace service
