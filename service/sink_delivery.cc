#include "service/sink_delivery.h"

#include <algorithm>
#include <utility>

#include "service/sink_webhook.h"

namespace service {
namespace {

constexpr size_t kPageAlerts = 64;
constexpr size_t kPagesPerStart = 16;  // then the other sinks have their turn
constexpr size_t kParkedPage = 1024;
constexpr int64_t kJitterPercent = 10;

// The same alert and attempt always give the same number, so a restart does not move a due time; different alerts that
// failed in one instant are spread. FNV-1a, then a finisher that spreads the low bits.
uint64_t jitter_hash(std::string_view alert_id, uint32_t attempt) {
  uint64_t hash = 0xcbf29ce484222325;
  for (const char c : alert_id) hash = (hash ^ static_cast<uint8_t>(c)) * 0x100000001b3;
  hash = (hash ^ attempt) * 0x100000001b3;
  hash = (hash ^ (hash >> 33)) * 0xff51afd7ed558ccd;
  return hash ^ (hash >> 33);
}

bool is_unavailable(AttemptOutcome outcome) {
  return outcome == AttemptOutcome::kThrottled || outcome == AttemptOutcome::kServerError ||
         outcome == AttemptOutcome::kTransport;
}

}  // namespace

std::string_view outcome_word(AttemptOutcome outcome) {
  switch (outcome) {
    case AttemptOutcome::kDelivered: return "delivered";
    case AttemptOutcome::kRedirected: return "redirected";
    case AttemptOutcome::kGone: return "gone";
    case AttemptOutcome::kThrottled: return "throttled";
    case AttemptOutcome::kRejected: return "rejected";
    case AttemptOutcome::kServerError: return "server_error";
    case AttemptOutcome::kTransport: return "transport";
  }
  WEIR_CHECK(false, "an attempt outcome without a word");
}

AttemptOutcome outcome_of(const HttpResult& result) {
  const int status = result.status;
  if (status == 0) return AttemptOutcome::kTransport;
  if (status >= 200 && status < 300) return AttemptOutcome::kDelivered;
  if (status >= 300 && status < 400) return AttemptOutcome::kRedirected;
  if (status == 410) return AttemptOutcome::kGone;
  if (status == 429 || status == 503) return AttemptOutcome::kThrottled;
  return status >= 400 && status < 500 ? AttemptOutcome::kRejected : AttemptOutcome::kServerError;
}

SinkDelivery::SinkDelivery(SinkId id, Sink sink, const SinkProgress& progress, const DeliveryOptions& options,
                           const DeliveryListener& listener)
    : id_(id),
      sink_(std::move(sink)),
      options_(options),
      listener_(listener),
      disabled_(progress.disabled),
      next_(progress.cursor + 1),
      parked_ahead_(progress.parked_ahead.begin(), progress.parked_ahead.end()),
      pending_(progress.pending),
      exhausted_(progress.exhausted) {
  if (progress.known) cursor_added_ = {progress.cursor, progress.disabled};
}

cep::Status SinkDelivery::start(cep::TimeUs now, DeliveryStore& store, const Send& send, DeliveryChange& change) {
  if (disabled() || now < waits_until_us_) return cep::ok_status();
  if (cep::Status due = start_due(now, store, send, change); !due) return due;
  return start_new(now, store, send);
}

void SinkDelivery::clock_is(cep::TimeUs now) {
  waits_until_us_ =
      std::min(waits_until_us_, now + std::max(options_.retry_after_max_us, options_.down_probe_interval_us));
}

cep::Status SinkDelivery::start_due(cep::TimeUs now, DeliveryStore& store, const Send& send, DeliveryChange& change) {
  if (now < next_due_us_ || free_retry_slots() == 0) return cep::ok_status();
  // Enough to see past the entries that are in flight or are newer here than in the store.
  const size_t limit = in_flight_.size() + uncommitted_.size() + free_retry_slots() + 1;
  cep::Result<std::vector<ParkedEntry>> entries = store.read_parked(id_, std::nullopt, limit);
  if (!entries) return entries.error();
  for (const ParkedEntry& entry : *entries) {
    if (entry.due_us > now || free_retry_slots() == 0) {
      next_due_us_ = entry.due_us;
      return cep::ok_status();
    }
    if (in_flight_.contains(entry.sequence) || uncommitted_.contains(entry.sequence)) continue;
    const size_t before = in_flight_.size() + uncommitted_.size();
    if (cep::Status tried = retry(entry, now, store, send, change); !tried) return tried;
    if (in_flight_.size() + uncommitted_.size() == before) return cep::ok_status();  // the sender is full
  }
  // A full page may have more behind it; due times not yet committed come back with on_committed().
  next_due_us_ = entries->size() == limit ? now : cep::kTimeMax;
  return cep::ok_status();
}

cep::Status SinkDelivery::retry(const ParkedEntry& entry, cep::TimeUs now, DeliveryStore& store, const Send& send,
                                DeliveryChange& change) {
  cep::Result<AlertPage> page = store.read_alerts(entry.sequence, 1);
  if (!page) return page.error();
  const bool found = !page->alerts.empty() && page->alerts.front().sequence == entry.sequence;
  if (found && wants(page->alerts.front())) {
    launch(page->alerts.front(), entry, now, send);
    return cep::ok_status();
  }
  remove_parked(entry, change);
  if (!found) {
    ++expired_;
    tell("entry_expired", entry.sequence, 1);
  }
  return cep::ok_status();
}

cep::Status SinkDelivery::start_new(cep::TimeUs now, DeliveryStore& store, const Send& send) {
  for (size_t pages = 0; free_slots() > 0 && next_ - cursor() <= options_.ahead_max;) {
    if (page_.empty()) {
      if (caught_up_ || ++pages > kPagesPerStart) break;
      if (cep::Status read = read_page(store); !read) return read;
      continue;
    }
    const OutgoingAlert& alert = page_.front();
    const bool skip = parked_ahead_.contains(alert.sequence) || !wants(alert);
    if (!skip && !launch(alert, std::nullopt, now, send)) break;
    parked_ahead_.erase(alert.sequence);
    next_ = alert.sequence + 1;
    page_.pop_front();
  }
  return cep::ok_status();
}

cep::Status SinkDelivery::read_page(DeliveryStore& store) {
  cep::Result<AlertPage> page = store.read_alerts(next_, kPageAlerts);
  if (!page) return page.error();
  if (page->first_retained > next_) {
    const uint64_t missed = page->first_retained - next_;
    expired_ += missed;
    tell("cursor_expired", next_, missed);
    next_ = page->first_retained;
  }
  caught_up_ = page->alerts.empty();
  page_.assign(std::make_move_iterator(page->alerts.begin()), std::make_move_iterator(page->alerts.end()));
  return cep::ok_status();
}

bool SinkDelivery::launch(const OutgoingAlert& alert, std::optional<ParkedEntry> retry_of, cep::TimeUs now,
                          const Send& send) {
  if (!send(webhook_request(sink_, {alert.id, alert.time_us, alert.json}, now), alert.sequence)) return false;
  in_flight_.emplace(alert.sequence, Flight{now, alert.id, retry_of});
  return true;
}

void SinkDelivery::on_result(uint64_t sequence, const HttpResult& result, cep::TimeUs now, DeliveryChange& change) {
  // Cancelled is what a stopping client says: it stays in flight, so the cursor stays before it or its entry parked,
  // and the next start tries it again.
  if (result.error == TransportError::kCancelled) return;
  auto node = in_flight_.extract(sequence);
  if (node.empty()) return;
  const Flight& flight = node.mapped();
  const AttemptOutcome outcome = outcome_of(result);
  ++attempts_[static_cast<size_t>(outcome)];
  change.attempts.push_back({id_, sequence, flight.sent_us, result.status, result.error, result.latency_us});
  note_health(outcome, result, now);
  if (outcome == AttemptOutcome::kGone && !disabled_) {
    disabled_ = true;
    tell("sink_gone", sequence, 1);
  }
  if (flight.retry_of) remove_parked(*flight.retry_of, change);
  if (outcome != AttemptOutcome::kDelivered) park(sequence, flight, result, now, change);
}

void SinkDelivery::note_health(AttemptOutcome outcome, const HttpResult& result, cep::TimeUs now) {
  if (!is_unavailable(outcome)) {
    failures_running_ = 0;
    return;
  }
  ++failures_running_;
  cep::TimeUs wait_us = outcome == AttemptOutcome::kThrottled ? retry_after_us(result) : 0;
  if (failures_running_ >= options_.down_after_failures) wait_us = std::max(wait_us, options_.down_probe_interval_us);
  if (wait_us > 0) waits_until_us_ = std::max(waits_until_us_, now + wait_us);
}

void SinkDelivery::park(uint64_t sequence, const Flight& flight, const HttpResult& result, cep::TimeUs now,
                        DeliveryChange& change) {
  ParkedEntry entry{ParkedEntry::kExhausted, sequence, (flight.retry_of ? flight.retry_of->attempts : 0) + 1};
  if (entry.attempts <= options_.schedule.size()) {
    const cep::DurationUs asked_us = outcome_of(result) == AttemptOutcome::kThrottled ? retry_after_us(result) : 0;
    entry.due_us = now + std::max(delay_after(entry.attempts, flight.alert_id), asked_us);
  } else {
    tell("entry_exhausted", sequence, entry.attempts);
  }
  add_parked(entry, change);
}

cep::DurationUs SinkDelivery::delay_after(uint32_t failed_attempts, const std::string& alert_id) const {
  const cep::DurationUs base_us = options_.schedule[failed_attempts - 1];
  const cep::DurationUs spread_us = base_us / 100 * kJitterPercent;
  const auto offset = jitter_hash(alert_id, failed_attempts) % static_cast<uint64_t>(2 * spread_us + 1);
  return base_us - spread_us + static_cast<cep::DurationUs>(offset);
}

cep::DurationUs SinkDelivery::retry_after_us(const HttpResult& result) const {
  if (!result.retry_after_s) return 0;
  const int64_t max_s = options_.retry_after_max_us / cep::kSecond;
  return std::clamp<int64_t>(*result.retry_after_s, 0, max_s) * cep::kSecond;
}

void SinkDelivery::add_parked(const ParkedEntry& entry, DeliveryChange& change) {
  change.parked_added.push_back({id_, entry});
  uncommitted_.insert(entry.sequence);
  ++(entry.due_us == ParkedEntry::kExhausted ? exhausted_ : pending_);
}

void SinkDelivery::remove_parked(const ParkedEntry& entry, DeliveryChange& change) {
  change.parked_removed.push_back({id_, entry});
  uncommitted_.insert(entry.sequence);
  --(entry.due_us == ParkedEntry::kExhausted ? exhausted_ : pending_);
}

cep::Result<uint64_t> SinkDelivery::replay(uint64_t from, uint64_t to, bool only_parked, cep::TimeUs now,
                                           DeliveryStore& store, DeliveryChange& change) {
  uint64_t count = 0;
  std::set<uint64_t> was_parked;
  for (std::optional<ParkedEntry> after;;) {
    cep::Result<std::vector<ParkedEntry>> entries = store.read_parked(id_, after, kParkedPage);
    if (!entries) return entries.error();
    for (const ParkedEntry& entry : *entries) {
      if (entry.sequence < from || entry.sequence > to) continue;
      was_parked.insert(entry.sequence);
      if (in_flight_.contains(entry.sequence)) continue;
      remove_parked(entry, change);
      add_parked({now, entry.sequence, 0}, change);
      ++count;
    }
    if (entries->size() < kParkedPage) break;
    after = entries->back();
  }
  for (uint64_t at = from; !only_parked && at <= to;) {
    cep::Result<AlertPage> page = store.read_alerts(at, kPageAlerts);
    if (!page) return page.error();
    if (page->alerts.empty()) break;
    at = page->alerts.back().sequence + 1;
    for (const OutgoingAlert& alert : page->alerts) {
      if (alert.sequence > to || was_parked.contains(alert.sequence) || !wants(alert)) continue;
      add_parked({now, alert.sequence, 0}, change);
      ++count;
    }
  }
  return count;
}

void SinkDelivery::set_disabled(bool disabled) {
  disabled_ = disabled;
  failures_running_ = 0;
  waits_until_us_ = 0;
}

void SinkDelivery::add_cursor(DeliveryChange& change) {
  if (!cursor_moved()) return;
  cursor_added_ = {cursor(), disabled_};
  change.cursors.push_back({id_, cursor(), disabled_});
}

void SinkDelivery::on_committed() {
  if (uncommitted_.empty()) return;
  uncommitted_.clear();
  next_due_us_ = cep::kTimeMin;  // the store knows the due times now; the next start() reads the least of them
}

uint64_t SinkDelivery::cursor() const {
  const auto first =
      std::find_if(in_flight_.begin(), in_flight_.end(), [](const auto& flight) { return !flight.second.retry_of; });
  return (first == in_flight_.end() ? next_ : std::min(next_, first->first)) - 1;
}

bool SinkDelivery::wants(const OutgoingAlert& alert) const {
  return alert.live && sink_wants(sink_, {alert.rule, alert.severity, alert.to_sinks});
}

size_t SinkDelivery::retries_in_flight() const {
  return static_cast<size_t>(std::count_if(in_flight_.begin(), in_flight_.end(),
                                           [](const auto& flight) { return flight.second.retry_of.has_value(); }));
}

size_t SinkDelivery::free_slots() const {
  const bool down = failures_running_ >= options_.down_after_failures;
  const size_t most = down ? 1 : options_.in_flight_max;
  return most - std::min(most, in_flight_.size());
}

// A flood of retries leaves room for alerts that have just fired.
size_t SinkDelivery::free_retry_slots() const {
  const size_t most = std::max<size_t>(1, options_.in_flight_max / 2);
  return std::min(free_slots(), most - std::min(most, retries_in_flight()));
}

cep::TimeUs SinkDelivery::next_start_us() const {
  if (disabled() || free_slots() == 0) return cep::kTimeMax;
  cep::TimeUs next = free_retry_slots() > 0 ? next_due_us_ : cep::kTimeMax;
  const bool more = !page_.empty() || !caught_up_;
  if (more && next_ - cursor() <= options_.ahead_max) next = cep::kTimeMin;
  return next == cep::kTimeMax ? next : std::max(next, waits_until_us_);
}

SinkStatus SinkDelivery::status() const {
  return {.id = id_,
          .name = sink_.name,
          .disabled = disabled(),
          .cursor = cursor(),
          .in_flight = static_cast<uint32_t>(in_flight_.size()),
          .pending = pending_,
          .exhausted = exhausted_,
          .expired = expired_,
          .attempts = attempts_,
          .waits_until_us = waits_until_us_};
}

void SinkDelivery::tell(std::string_view event, uint64_t sequence, uint64_t count) const {
  if (listener_) listener_({event, sink_.name, sequence, count, {}});
}

}  // namespace service
