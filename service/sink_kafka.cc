// See sink_kafka.h. Tests: tests/unit/service/sink_kafka_test.cc, tests/e2e/kafka_test.sh.
#include "service/sink_kafka.h"

#include <algorithm>
#include <chrono>

#include "api/json_scan.h"
#include "service/delivery_adapter.h"

namespace service {
namespace {

constexpr size_t kAlertPage = 500;
constexpr cep::DurationUs kCursorEvery = 100 * cep::kMillisecond;
constexpr cep::DurationUs kPauseAfterFailure = cep::kSecond;
constexpr cep::DurationUs kAlertWait = 100 * cep::kMillisecond;
constexpr cep::DurationUs kReportWait = 10 * cep::kMillisecond;

}  // namespace

KafkaAlertParts kafka_parts_of(std::string_view alert_json) {
  KafkaAlertParts parts;
  api::JsonScan scan(alert_json);
  std::string_view name, value;
  if (!scan.enter('{')) return parts;
  while (scan.next_member(&name, &value)) {
    if (name == "version") parts.version = value;
    if (name != "key") continue;
    std::vector<std::string_view> values;
    api::JsonScan columns(value);
    std::string_view column, one;
    if (!columns.enter('{')) continue;
    while (columns.next_member(&column, &one)) values.push_back(one);
    if (values.empty()) continue;
    std::string& key = parts.key.emplace();
    if (values.size() == 1) {
      if (!api::unescape_json(values[0], key)) key = values[0];      // a number or a truth value
      continue;
    }
    for (const std::string_view part : values) key += (key.empty() ? "[" : ",") + std::string(part);
    key += "]";
  }
  return parts;
}

KafkaSink::KafkaSink(SinkId id, Sink sink, std::unique_ptr<DeliveryStore> store, Clock clock, DeliveryListener listener, KafkaLog log)
    : id_(id),
      sink_(std::move(sink)),
      store_(std::move(store)),
      clock_(std::move(clock)),
      listener_(std::move(listener)),
      log_(std::move(log)) {
  counted_.id = id_;
  counted_.name = sink_.name;
  counted_.disabled = sink_.disabled;
}

KafkaSink::~KafkaSink() { static_cast<void>(stop(0)); }

cep::Result<std::unique_ptr<KafkaSink>> KafkaSink::open(SinkId id, Sink sink, std::unique_ptr<DeliveryStore> store, Clock clock,
                                                        DeliveryListener listener, KafkaLog log) {
  std::unique_ptr<KafkaSink> opened(
      new KafkaSink(id, std::move(sink), std::move(store), std::move(clock), std::move(listener), std::move(log)));
  const cep::Result<SinkProgress> progress = opened->store_->load(id);
  if (!progress.ok()) return progress.error();
  opened->cursor_ = progress->cursor;
  opened->counted_.exhausted = progress->exhausted;
  if (!progress->known) {
    const cep::Result<uint64_t> newest = opened->store_->last_sequence();
    if (!newest.ok()) return newest.error();
    opened->cursor_ = *newest;
    DeliveryChange change;
    change.cursors.push_back({id, *newest, false});
    if (cep::Status status = opened->store_->commit(change); !status.ok()) return status.error();
  }
  opened->cursor_stored_ = opened->cursor_;
  opened->next_ = opened->cursor_ + 1;
  opened->publish();
  return opened;
}

void KafkaSink::start() {
  thread_ = std::thread([this] { run(); });
}

void KafkaSink::notify() {
  {
    std::lock_guard lock(mutex_);
    notified_ = true;
  }
  changed_.notify_all();
}

cep::Status KafkaSink::stop(cep::DurationUs grace_us) {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
    grace_us_ = grace_us;
  }
  changed_.notify_all();
  if (thread_.joinable()) thread_.join();
  return last_commit_;
}

void KafkaSink::wait(cep::DurationUs most_us) {
  std::unique_lock lock(mutex_);
  changed_.wait_for(lock, std::chrono::microseconds(most_us), [&] { return notified_ || stopping_; });
}

void KafkaSink::run() {
  for (;;) {
    {
      std::lock_guard lock(mutex_);
      if (stopping_) break;
      if (std::exchange(notified_, false)) caught_up_ = false;
    }
    if (!sink_.disabled && make_producer()) fill();
    if (in_flight_ > 0) {
      take_reports(kReportWait);
    } else if (caught_up_ || producer_ == nullptr) {
      wait(kAlertWait);
    }
    commit_if_due(false);
    publish();
  }
  const auto until = std::chrono::steady_clock::now() + std::chrono::microseconds(grace_us_);
  while (in_flight_ > 0 && producer_ != nullptr && std::chrono::steady_clock::now() < until) take_reports(kReportWait);
  commit_if_due(true);
  producer_.reset();
  publish();
}

bool KafkaSink::make_producer() {
  if (producer_ != nullptr) return true;
  if (clock_() < produce_from_us_) return false;
  cep::Result<std::unique_ptr<KafkaProducer>> made = KafkaProducer::create(sink_.kafka, log_);
  if (made.ok()) {
    producer_ = std::move(*made);
    return true;
  }
  begin_again(made.error().message);
  return false;
}

// Everything that has no report yet is sent once more, in order, by a new producer.
void KafkaSink::begin_again(const std::string& why) {
  if (listener_) listener_({"sink_failed", sink_.name, cursor_ + 1, in_flight_, why});
  producer_.reset();
  open_.clear();
  in_flight_ = 0;
  page_.clear();
  page_at_ = 0;
  next_ = cursor_ + 1;
  caught_up_ = false;
  produce_from_us_ = clock_() + kPauseAfterFailure;
  counted_.waits_until_us = produce_from_us_;
}

bool KafkaSink::read_page() {
  page_.clear();
  page_at_ = 0;
  cep::Result<AlertPage> page = store_->read_alerts(next_, kAlertPage);
  if (!page.ok()) {
    if (listener_) listener_({"store_failed", sink_.name, next_, 0, page.error().message});
    wait(kPauseAfterFailure);
    return false;
  }
  if (page->first_retained > next_) {
    const uint64_t lost = page->first_retained - next_;
    counted_.expired += lost;
    if (listener_) listener_({"cursor_expired", sink_.name, next_, lost, ""});
    next_ = page->first_retained;
    open_[next_ - 1] = true;
  }
  caught_up_ = page->alerts.empty();
  page_ = std::move(page->alerts);
  return !page_.empty();
}

void KafkaSink::fill() {
  while (in_flight_ < kInFlightMax && producer_ != nullptr && !caught_up_) {
    if (page_at_ == page_.size() && !read_page()) break;
    const OutgoingAlert& alert = page_[page_at_];
    const bool wanted = alert.live && sink_wants(sink_, {alert.rule, alert.severity, alert.to_sinks});
    if (wanted && !send(alert)) break;
    if (!wanted) open_[alert.sequence] = true;
    next_ = alert.sequence + 1;
    ++page_at_;
  }
  advance();
}

// False: not now.
bool KafkaSink::send(const OutgoingAlert& alert) {
  const KafkaAlertParts parts = kafka_parts_of(alert.json);
  KafkaRecord record;
  record.topic = sink_.topic;
  record.key = parts.key;
  record.value = alert.json;
  record.headers = {{"weir-alert-id", alert.id},
                    {"weir-rule", alert.rule},
                    {"weir-version", parts.version},
                    {"content-type", "application/json"}};
  const cep::Status sent = producer_->send(std::move(record), alert.sequence);
  if (sent.ok()) {
    open_[alert.sequence] = false;
    ++in_flight_;
    return true;
  }
  if (sent.error().code == "full") return false;
  if (sent.error().code != "refused") {
    begin_again(sent.error().message);
    return false;
  }
  open_[alert.sequence] = false;
  ++in_flight_;
  on_report({alert.sequence, false, true, sent.error().message});
  return true;
}

void KafkaSink::take_reports(cep::DurationUs wait_us) {
  std::vector<KafkaReport> reports;
  producer_->poll(wait_us, reports);
  std::string failure = producer_->fatal().value_or("");
  for (const KafkaReport& report : reports) {
    on_report(report);
    if (!report.is_delivered && !report.is_refused && failure.empty()) failure = report.text;
  }
  advance();
  if (!failure.empty()) begin_again(failure);
}

void KafkaSink::on_report(const KafkaReport& report) {
  const AttemptOutcome outcome = report.is_delivered ? AttemptOutcome::kDelivered
                                 : report.is_refused ? AttemptOutcome::kRejected
                                                     : AttemptOutcome::kTransport;
  ++counted_.attempts[static_cast<size_t>(outcome)];
  auto open = open_.find(report.tag);
  if (open == open_.end() || open->second) return;
  --in_flight_;
  if (outcome == AttemptOutcome::kTransport) return;      // stays before the cursor
  open->second = true;
  counted_.waits_until_us = 0;
  if (!report.is_refused) return;
  ++counted_.exhausted;
  change_.parked_added.push_back({id_, {ParkedEntry::kExhausted, report.tag, 1}});
  if (listener_) listener_({"entry_exhausted", sink_.name, report.tag, 1, report.text});
}

void KafkaSink::advance() {
  while (!open_.empty() && open_.begin()->second) {
    cursor_ = open_.begin()->first;
    open_.erase(open_.begin());
  }
}

// The cursor never goes to the store without what it has passed.
void KafkaSink::commit_if_due(bool now) {
  if ((cursor_ == cursor_stored_ && change_.size() == 0) || (!now && clock_() < commit_from_us_)) return;
  DeliveryChange change = change_;
  change.cursors.push_back({id_, cursor_, false});
  last_commit_ = store_->commit(change);
  commit_from_us_ = clock_() + (last_commit_.ok() ? kCursorEvery : kPauseAfterFailure);
  if (last_commit_.ok()) {
    change_ = DeliveryChange();
    cursor_stored_ = cursor_;
  } else if (listener_) {
    listener_({"store_failed", sink_.name, cursor_, 0, last_commit_.error().message});
  }
}

void KafkaSink::publish() {
  counted_.cursor = cursor_;
  counted_.in_flight = static_cast<uint32_t>(in_flight_);
  std::lock_guard lock(mutex_);
  published_ = counted_;
}

SinkStatus KafkaSink::status() const {
  std::lock_guard lock(mutex_);
  return published_;
}

// --- All of them

cep::Result<std::unique_ptr<KafkaSinks>> KafkaSinks::start(const SinkRegistry& registry, Lane& lane, KafkaSink::Clock clock,
                                                           DeliveryListener listener, KafkaLog log) {
  auto all = std::make_unique<KafkaSinks>();
  for (const auto& [name, registered] : registry.all()) {
    cep::Result<Sink> sink = make_sink(registered.spec);
    if (!sink.ok()) return sink.error();
    if (sink->topic.empty()) continue;
    auto store = std::make_unique<LaneDeliveryStore>(lane);
    cep::Result<std::unique_ptr<KafkaSink>> opened =
        KafkaSink::open(registered.id, std::move(*sink), std::move(store), clock, listener, log);
    if (!opened.ok()) return opened.error();
    all->sinks_.push_back(std::move(*opened));
  }
  for (const auto& sink : all->sinks_) sink->start();
  return all;
}

void KafkaSinks::notify() {
  for (const auto& sink : sinks_) sink->notify();
}

cep::Status KafkaSinks::stop(cep::DurationUs grace_us) {
  cep::Status first = cep::ok_status();
  for (const auto& sink : sinks_) {
    cep::Status status = sink->stop(grace_us);
    if (first.ok()) first = std::move(status);
  }
  return first;
}

std::vector<SinkStatus> KafkaSinks::status() const {
  std::vector<SinkStatus> all;
  for (const auto& sink : sinks_) all.push_back(sink->status());
  return all;
}

}  // namespace service
