// Decisions (R37): an event whose verdict somebody waits for. The event goes the way of all events; what every shard says of it when it
// comes adds up to the verdict, which is answered and then stored under the event's identity for who asks again.
// Invariant: answered once, and not before the event is durable; a verdict that comes too late for its asker is stored all the same. It is
// a function of the log: a replay of a record that carries a decision gives it again.
// Threads: any. An io thread begins a decision, the log thread says that it is durable, the last shard completes it, the clerk's own thread
// answers with the default when that takes too long.
#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

#include "api/messages.h"
#include "cep/verdict.h"
#include "service/latency.h"
#include "service/store.h"

namespace service {

// Of the alerts that a verdict lists; more are counted in its decision and score only, and it says `more`.
inline constexpr size_t kVerdictBytesMax = 1 << 20;

struct DecisionAnswer {
  enum class Outcome : uint8_t {
    kVerdict,
    kRefused,      // `submit` says why: nothing was taken, or the event is not one
    kUnknown,      // the event was taken before, but nobody asked for a verdict then, or it is not kept any more
  };
  Outcome outcome = Outcome::kVerdict;
  state::Id16 id{};                // of the event
  std::string verdict;             // members of a JSON object
  bool is_stored = false;          // given to an earlier request for the same event
  bool is_default = false;         // there was none in time
  cep::Decision decision = cep::Decision::kNone;
  bool is_late = false, is_refused = false;      // as of the verdict
  cep::DurationUs latency_us = 0;
  api::SubmitAnswer submit;
};
using DecisionReply = std::function<void(DecisionAnswer)>;

struct DecisionOptions {
  cep::DurationUs timeout_us = 50 * cep::kMillisecond;
  cep::Decision otherwise = cep::Decision::kAllow;      // the answer when there is no verdict in time
};

struct DecisionNumbers {
  std::array<std::atomic<uint64_t>, 5> by_decision{};   // answers but repeated ones, by cep::Decision
  std::atomic<uint64_t> timed_out{0};                   // of them: with the default, because of the time
  std::atomic<uint64_t> rows_refused{0};                // because too many rows wait (Limits::peek_rows_max)
  std::atomic<uint64_t> late{0};
  std::atomic<uint64_t> repeated{0};                    // with the stored verdict
  LatencyHistogram latency;                             // from the whole request to its answer
};

// The identity of a decided event: the hash of its `unique` values, else of its Idempotency-Key, else of its place in the log.
state::Id16 event_identity(const state::Id16& unique_hash, const state::Id16& request_id, const std::string& stream, uint64_t offset);
// Members of a JSON object.
std::string verdict_json(const cep::Verdict& verdict, cep::Decision decision);

class Decisions;

class Decision {
 public:
  // `reply` empty: nobody asks, a record is read again.
  Decision(Decisions& decisions, DecisionReply reply) : decisions_(decisions), reply_(std::move(reply)) {}

  // Nothing will come of it.
  void refuse(api::SubmitAnswer why);
  // Its event is durable: from here on the time limit may answer. `event` has no body yet.
  void set_durable(state::StoredDecision event);
  void time_out();
  bool is_answered() const;
  // The event is on its way to so many shards, each of which adds what it says. None: no rule reads the stream.
  void expect(size_t shards);
  void add(cep::Verdict verdict);
  // The stored verdict of the same event.
  void give_stored(const state::StoredDecision& stored);
  void give_unknown();

  const std::chrono::steady_clock::time_point began = std::chrono::steady_clock::now();

 private:
  void complete();
  void answer_default();
  void answer(DecisionAnswer answer);
  void count(const DecisionAnswer& answer) const;

  Decisions& decisions_;
  mutable std::mutex mutex_;               // guards what follows, not held while anybody is called
  DecisionReply reply_;                    // empty: answered
  bool is_durable_ = false;
  bool is_overdue_ = false;
  state::StoredDecision event_;
  size_t shards_left_ = 0;
  cep::Verdict verdict_;
};

// All decisions of a lane.
class Decisions {
 public:
  Decisions(const DecisionOptions& options, Store& store);
  ~Decisions();

  std::shared_ptr<Decision> begin(DecisionReply reply);
  // Answers with what is stored of the event that came then: at once, else behind everything that was put into the store so far. The
  // verdict on an event of the same identity that came at another time is not it.
  void look_up(std::shared_ptr<Decision> decision, const state::Id16& id, cep::TimeUs came_us);

  const DecisionOptions& options() const { return options_; }
  const DecisionNumbers& numbers() const { return numbers_; }

 private:
  friend class Decision;
  void run();
  bool give_stored(Decision& decision, const state::Id16& id, cep::TimeUs came_us) const;      // false: it is not stored

  const DecisionOptions options_;
  Store& store_;
  DecisionNumbers numbers_;
  std::mutex mutex_;                                       // guards the next two
  std::deque<std::shared_ptr<Decision>> waiting_;          // in the order in which they began
  bool stopping_ = false;
  std::condition_variable changed_;
  std::thread thread_;
};

}  // namespace service
