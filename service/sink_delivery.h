// One sink's way along the alert log: what is next, what is in flight, what is due again.
// Invariants: at most in_flight_max requests at once; the cursor stands before everything that is in flight for the
// first time; a failure is parked in the same change that lets the cursor pass it. Memory is bounded by in_flight_max,
// one page of alerts and one change: an outage is alerts on disk. An endpoint that is down (no answer, 5xx, 429,
// several times running) is asked once a second until it answers, so that an outage neither floods it nor uses up the
// retries of every alert meanwhile. Threads: owned by one DeliveryEngine, same thread. Time comes in as an argument.
#pragma once

#include <array>
#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <set>

#include "service/delivery_store.h"
#include "service/http_client.h"

namespace service {

struct DeliveryOptions {
  // Waits after the 1st, 2nd, .. failed attempt, each +-10 %; after the last the entry is exhausted.
  std::vector<cep::DurationUs> schedule = {5 * cep::kSecond, 5 * cep::kMinute, 30 * cep::kMinute,
                                           2 * cep::kHour,   5 * cep::kHour,   10 * cep::kHour,
                                           14 * cep::kHour,  20 * cep::kHour,  24 * cep::kHour};
  uint32_t in_flight_max = 64;       // a sink; retries take at most half of it
  uint32_t down_after_failures = 8;  // running, then the sink counts as down
  cep::DurationUs down_probe_interval_us = cep::kSecond;
  cep::DurationUs retry_after_max_us = cep::kHour;  // a longer Retry-After counts as this
  uint64_t ahead_max = 65'536;                      // alerts a sink may be ahead of its cursor
  cep::DurationUs commit_interval_us = 100 * cep::kMillisecond;
  cep::DurationUs stop_grace_us = 5 * cep::kSecond;  // what is in flight may still finish
};

// The word of an outcome is the `outcome` label of weir_delivery_attempts_total.
enum class AttemptOutcome : uint8_t { kDelivered, kRedirected, kGone, kThrottled, kRejected, kServerError, kTransport };
inline constexpr size_t kAttemptOutcomes = 7;
std::string_view outcome_word(AttemptOutcome outcome);
AttemptOutcome outcome_of(const HttpResult& result);

// `name` is one of: cursor_expired (alerts were dropped from the log before this sink had them; `count` of them from
// `sequence` on), entry_expired (the same, of a parked entry), entry_exhausted, sink_gone (410, now disabled),
// store_failed (`detail` is the error; it is tried again), sink_failed (kafka: `count` alerts from `sequence` on are sent again).
struct DeliveryEvent {
  std::string_view name;
  std::string sink;  // empty: all
  uint64_t sequence = 0;
  uint64_t count = 0;
  std::string detail;
};
using DeliveryListener = std::function<void(const DeliveryEvent&)>;

struct SinkStatus {
  SinkId id{};
  std::string name;
  bool disabled = false;  // by configuration, by a person, or by a 410
  uint64_t cursor = 0;
  uint32_t in_flight = 0;
  uint64_t pending = 0;                               // weir_delivery_pending
  uint64_t exhausted = 0;                             // weir_delivery_parked
  uint64_t expired = 0;                               // alerts that left the log before this sink had them, since start
  std::array<uint64_t, kAttemptOutcomes> attempts{};  // since start
  cep::TimeUs waits_until_us = 0;                     // asks for nothing before this: Retry-After, or down
};

class SinkDelivery {
 public:
  // Sends; false when the sender cannot take it now.
  using Send = std::function<bool(HttpRequest request, uint64_t sequence)>;

  SinkDelivery(SinkId id, Sink sink, const SinkProgress& progress, const DeliveryOptions& options,
               const DeliveryListener& listener);

  // Starts what may start: due entries, then new alerts. Adds to `change` what needs no attempt.
  cep::Status start(cep::TimeUs now, DeliveryStore& store, const Send& send, DeliveryChange& change);
  void clock_is(cep::TimeUs now);  // keeps waits to their length when the wall clock was set back
  void on_result(uint64_t sequence, const HttpResult& result, cep::TimeUs now, DeliveryChange& change);
  // Makes sequences [from, to], none beyond the cursor, due now; only_parked: of these, those that are parked. The
  // store must hold every earlier change. Returns how many.
  cep::Result<uint64_t> replay(uint64_t from, uint64_t to, bool only_parked, cep::TimeUs now, DeliveryStore& store,
                               DeliveryChange& change);

  void alerts_available() { caught_up_ = false; }
  void set_sink(Sink sink) { sink_ = std::move(sink); }
  void set_disabled(bool disabled);
  void add_cursor(DeliveryChange& change);  // if it, or the disabled flag, is not what was last added
  void on_committed();

  uint64_t cursor() const;
  SinkStatus status() const;
  size_t in_flight() const { return in_flight_.size(); }
  bool cursor_moved() const { return cursor_added_ != CursorState{cursor(), disabled_}; }
  // When start() may find something to do though nothing happens; kTimeMax: never.
  cep::TimeUs next_start_us() const;

 private:
  struct CursorState {
    uint64_t sequence = 0;
    bool disabled = false;
    bool operator==(const CursorState&) const = default;
  };
  struct Flight {
    cep::TimeUs sent_us = 0;
    std::string alert_id;
    std::optional<ParkedEntry> retry_of;  // none: the first attempt
  };

  bool disabled() const { return sink_.disabled || disabled_; }
  bool wants(const OutgoingAlert& alert) const;
  size_t retries_in_flight() const;
  size_t free_slots() const;
  size_t free_retry_slots() const;
  cep::Status start_due(cep::TimeUs now, DeliveryStore& store, const Send& send, DeliveryChange& change);
  cep::Status retry(const ParkedEntry& entry, cep::TimeUs now, DeliveryStore& store, const Send& send,
                    DeliveryChange& change);
  cep::Status start_new(cep::TimeUs now, DeliveryStore& store, const Send& send);
  cep::Status read_page(DeliveryStore& store);
  bool launch(const OutgoingAlert& alert, std::optional<ParkedEntry> retry_of, cep::TimeUs now, const Send& send);
  void note_health(AttemptOutcome outcome, const HttpResult& result, cep::TimeUs now);
  void park(uint64_t sequence, const Flight& flight, const HttpResult& result, cep::TimeUs now, DeliveryChange& change);
  void add_parked(const ParkedEntry& entry, DeliveryChange& change);
  void remove_parked(const ParkedEntry& entry, DeliveryChange& change);
  cep::DurationUs delay_after(uint32_t failed_attempts, const std::string& alert_id) const;
  cep::DurationUs retry_after_us(const HttpResult& result) const;
  void tell(std::string_view event, uint64_t sequence, uint64_t count) const;

  const SinkId id_;
  Sink sink_;
  const DeliveryOptions& options_;
  const DeliveryListener& listener_;

  bool disabled_ = false;
  uint64_t next_ = 1;                        // the first sequence not yet looked at
  std::optional<CursorState> cursor_added_;  // last put into a change; none: not known to the store yet
  std::set<uint64_t> parked_ahead_;          // found parked beyond the cursor at start: not tried a first time again
  std::deque<OutgoingAlert> page_;           // read, not yet looked at
  bool caught_up_ = false;
  std::map<uint64_t, Flight> in_flight_;     // by alert sequence
  std::set<uint64_t> uncommitted_;           // sequences whose parked entry in the store is not the latest
  cep::TimeUs next_due_us_ = cep::kTimeMin;  // no parked entry is due before this
  cep::TimeUs waits_until_us_ = 0;
  uint32_t failures_running_ = 0;
  uint64_t pending_ = 0;
  uint64_t exhausted_ = 0;
  uint64_t expired_ = 0;
  std::array<uint64_t, kAttemptOutcomes> attempts_{};
};

}  // namespace service
