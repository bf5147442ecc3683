#include "service/delivery.h"

#include <algorithm>
#include <utility>

namespace service {
namespace {

constexpr cep::DurationUs kSenderFullWaitUs = 50 * cep::kMillisecond;
constexpr cep::DurationUs kStoreFailedWaitUs = cep::kSecond;
constexpr size_t kScheduleStepsMax = 32;
constexpr cep::DurationUs kScheduleWaitMaxUs = 30 * cep::kDay;

cep::Error unknown_sink() { return {"unknown_sink", "there is no such sink"}; }

}  // namespace

cep::Status check_delivery_options(const DeliveryOptions& options) {
  const auto bad = [](const char* what) {
    return cep::Error{"bad_delivery_options", std::string("delivery: ") + what};
  };
  if (options.schedule.size() > kScheduleStepsMax) return bad("schedule has more than 32 waits");
  for (const cep::DurationUs wait_us : options.schedule) {
    if (wait_us < cep::kMillisecond || wait_us > kScheduleWaitMaxUs) return bad("schedule: a wait is 1 ms to 30 days");
  }
  if (options.in_flight_max == 0) return bad("in_flight_max must be at least 1");
  if (options.down_after_failures == 0) return bad("down_after_failures must be at least 1");
  if (options.ahead_max == 0) return bad("ahead_max must be at least 1");
  if (options.down_probe_interval_us <= 0) return bad("down_probe_interval must be above 0");
  if (options.retry_after_max_us < 0) return bad("retry_after_max must not be negative");
  if (options.commit_interval_us < 0) return bad("commit_interval must not be negative");
  if (options.stop_grace_us < 0) return bad("stop_grace must not be negative");
  return cep::ok_status();
}

void DeliveryInbox::put(Item item) {
  const std::lock_guard lock(mutex_);
  items_.push_back(std::move(item));
  if (wake_) wake_();
}

std::vector<DeliveryInbox::Item> DeliveryInbox::take() {
  const std::lock_guard lock(mutex_);
  return std::exchange(items_, {});
}

void DeliveryInbox::close() {
  const std::lock_guard lock(mutex_);
  wake_ = nullptr;
}

DeliveryEngine::DeliveryEngine(DeliveryOptions options, DeliveryStore& store, HttpSender& sender,
                               std::function<void()> wake, DeliveryListener listener)
    : options_(std::move(options)),
      store_(store),
      sender_(sender),
      listener_(std::move(listener)),
      inbox_(std::make_shared<DeliveryInbox>(std::move(wake))) {
  WEIR_CHECK(check_delivery_options(options_).ok(), "delivery options were not checked");
}

DeliveryEngine::~DeliveryEngine() { inbox_->close(); }

cep::Status DeliveryEngine::add_sink(SinkId id, Sink sink) {
  if (find(id) != nullptr) return cep::Error{"duplicate_sink", "sink `" + sink.name + "` is there already"};
  cep::Result<SinkProgress> progress = store_.load(id);
  if (!progress) return progress.error();
  if (!progress->known) {
    cep::Result<uint64_t> last = store_.last_sequence();
    if (!last) return last.error();
    progress->cursor = *last;
  }
  auto added = std::make_unique<SinkDelivery>(id, std::move(sink), *progress, options_, listener_);
  if (!progress->known) {
    // Else a kill before the first change would make it new again, and it would begin after alerts it has not had.
    DeliveryChange first;
    added->add_cursor(first);
    if (cep::Status stored = store_.commit(first); !stored) return stored;
  }
  sinks_.emplace(id, std::move(added));
  return cep::ok_status();
}

cep::Status DeliveryEngine::update_sink(SinkId id, Sink sink) {
  SinkDelivery* found = find(id);
  if (found == nullptr) return unknown_sink();
  found->set_sink(std::move(sink));
  return cep::ok_status();
}

cep::Status DeliveryEngine::remove_sink(SinkId id) {
  if (sinks_.erase(id) == 0) return unknown_sink();
  change_.forgotten.push_back(id);
  return cep::ok_status();
}

cep::Status DeliveryEngine::set_disabled(SinkId id, bool disabled) {
  SinkDelivery* found = find(id);
  if (found == nullptr) return unknown_sink();
  found->set_disabled(disabled);
  return cep::ok_status();
}

cep::Result<DeliveryEngine::Replayed> DeliveryEngine::replay(SinkId id, uint64_t from, uint64_t to, bool only_parked,
                                                             cep::TimeUs now) {
  SinkDelivery* found = find(id);
  if (found == nullptr) return unknown_sink();
  if (from == 0 || from > to) {
    return cep::Error{"bad_range", "a replay goes from a sequence of at least 1 to one that is not smaller"};
  }
  if (cep::Status stored = flush(); !stored) return stored.error();
  const uint64_t last = std::min(to, found->cursor());  // beyond the cursor everything is on its way anyway
  Replayed replayed;
  if (from > last) return replayed;
  const uint64_t end = std::min(last, from + kReplayAlertsMax - 1);
  cep::Result<uint64_t> count = found->replay(from, end, only_parked, now, store_, change_);
  if (!count) return count.error();
  if (cep::Status stored = flush(); !stored) return stored.error();
  replayed.count = *count;
  if (end < last) replayed.next = end + 1;
  return replayed;
}

cep::Result<std::vector<ParkedEntry>> DeliveryEngine::parked(SinkId id, const std::optional<ParkedEntry>& after,
                                                             size_t limit) {
  if (find(id) == nullptr) return unknown_sink();
  return store_.read_parked(id, after, limit);
}

void DeliveryEngine::alerts_available() {
  for (auto& [id, sink] : sinks_) sink->alerts_available();
}

cep::TimeUs DeliveryEngine::step(cep::TimeUs now) {
  // The wall clock may be set back; no wait may grow by that.
  commit_from_us_ = std::min(commit_from_us_, now + std::max(options_.commit_interval_us, kStoreFailedWaitUs));
  start_from_us_ = std::min(start_from_us_, now + kStoreFailedWaitUs);
  for (auto& [id, sink] : sinks_) sink->clock_is(now);
  take_results(now);
  commit_if_due(now);
  start_sinks(now);
  return next_step_us(now);
}

void DeliveryEngine::take_results(cep::TimeUs now) {
  for (const DeliveryInbox::Item& item : inbox_->take()) {
    if (SinkDelivery* sink = find(item.sink)) sink->on_result(item.sequence, item.result, now, change_);
  }
}

void DeliveryEngine::start_sinks(cep::TimeUs now) {
  if (stopping_ || now < start_from_us_ || change_.size() >= kChangeMax) return;
  sender_full_ = false;
  for (auto& [id, sink] : sinks_) {
    const SinkId sink_id = id;
    const auto send_to = [&, sink_id](HttpRequest request, uint64_t sequence) {
      return send(sink_id, std::move(request), sequence);
    };
    if (cep::Status started = sink->start(now, store_, send_to, change_); !started) store_failed(started.error(), now);
    if (sender_full_) {
      start_from_us_ = now + kSenderFullWaitUs;
      return;
    }
  }
}

bool DeliveryEngine::send(SinkId id, HttpRequest request, uint64_t sequence) {
  const cep::Status sent = sender_.submit(std::move(request), [inbox = inbox_, id, sequence](const HttpResult& result) {
    inbox->put({id, sequence, result});
  });
  if (!sent) sender_full_ = true;
  return sent.ok();
}

void DeliveryEngine::commit_if_due(cep::TimeUs now) {
  const bool large = change_.size() >= kChangeMax / 2 && !commit_failed_;
  if (!has_changes() || (now < commit_from_us_ && !large)) return;
  cep::Status stored = flush();
  commit_failed_ = !stored.ok();
  if (commit_failed_) store_failed(stored.error(), now);
  commit_from_us_ = now + (commit_failed_ ? kStoreFailedWaitUs : options_.commit_interval_us);
}

bool DeliveryEngine::has_changes() const {
  return change_.size() > 0 ||
         std::any_of(sinks_.begin(), sinks_.end(), [](const auto& sink) { return sink.second->cursor_moved(); });
}

cep::Status DeliveryEngine::flush() {
  // A cursor of a change that failed is older than what the sink says now: only the newest is worth storing.
  for (auto& [id, sink] : sinks_) sink->add_cursor(change_);
  if (change_.size() == 0) return cep::ok_status();
  if (cep::Status stored = store_.commit(change_); !stored) return stored;
  change_ = {};
  for (auto& [id, sink] : sinks_) sink->on_committed();
  return cep::ok_status();
}

void DeliveryEngine::store_failed(const cep::Error& error, cep::TimeUs now) {
  start_from_us_ = now + kStoreFailedWaitUs;
  if (listener_) listener_({"store_failed", {}, 0, 0, error.code + ": " + error.message});
}

cep::TimeUs DeliveryEngine::next_step_us(cep::TimeUs now) const {
  cep::TimeUs next = has_changes() ? commit_from_us_ : cep::kTimeMax;
  if (!stopping_ && change_.size() < kChangeMax) {
    for (const auto& [id, sink] : sinks_) {
      const cep::TimeUs start_us = sink->next_start_us();
      if (start_us != cep::kTimeMax) next = std::min(next, std::max(start_us, start_from_us_));
    }
  }
  return std::max(next, now);
}

bool DeliveryEngine::idle() const {
  return std::all_of(sinks_.begin(), sinks_.end(), [](const auto& sink) { return sink.second->in_flight() == 0; });
}

std::vector<SinkStatus> DeliveryEngine::status() const {
  std::vector<SinkStatus> all;
  for (const auto& [id, sink] : sinks_) all.push_back(sink->status());
  return all;
}

SinkDelivery* DeliveryEngine::find(SinkId id) {
  const auto found = sinks_.find(id);
  return found == sinks_.end() ? nullptr : found->second.get();
}

}  // namespace service
