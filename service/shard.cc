// See shard.h.
#include "service/shard.h"

#include <chrono>
#include <future>

#include "api/alert_json.h"

namespace service {
namespace {

constexpr auto kSliceTime = std::chrono::microseconds(200);     // what a message waits for the hand-over of a checkpoint at most
constexpr size_t kTakeBytes = 16 << 10;                         // between two looks at the clock

state::KeyRecord key_record(cep::KeyImage&& image) {
  state::KeyRecord record;
  record.space = image.space;
  record.hash = image.hash;
  record.deadline_us = image.deadline;
  record.old_segment = image.old_segment;
  record.gone = image.bytes.empty();
  record.bytes = std::move(image.bytes);
  return record;
}

}  // namespace

Shard::Shard(uint32_t number, uint32_t count, const cep::Limits& limits, Store& store, std::shared_ptr<DerivedExchange> exchange)
    : number_(number),
      store_(store),
      exchange_(std::move(exchange)),
      engine_(number, count, limits),
      inbox_(kInboxRowsMax) {}

Shard::~Shard() { stop(); }

void Shard::start() {
  thread_ = std::thread([this] { run(); });
}

void Shard::stop() {
  inbox_.close();
  if (thread_.joinable()) thread_.join();
}

void Shard::put_batch(cep::BatchPtr batch, std::vector<cep::Admission> admissions, std::shared_ptr<Decision> decision) {
  size_t rows = batch->rows();
  inbox_.push(BatchMessage{std::move(batch), std::move(admissions), std::move(decision)}, rows);
}

void Shard::put_time(std::vector<cep::Admission> admissions) { inbox_.push(BatchMessage{nullptr, std::move(admissions), nullptr}, 1); }

void Shard::put_rules(cep::RuleSetPtr rules, std::shared_ptr<cep::Engine> warmed, std::vector<cep::ProgramId> programs,
                      std::vector<state::Alert> backfill) {
  inbox_.push_anyway(RulesMessage{std::move(rules), std::move(warmed), std::move(programs), std::move(backfill)}, 1);
}

void Shard::put_barrier(uint32_t sequence, std::vector<uint32_t> victims) {
  inbox_.push_anyway(BarrierMessage{sequence, std::move(victims)}, 1);
}

bool Shard::ask(std::function<void(const cep::Engine&)> question) {
  if (questions_.fetch_add(1) >= kQuestionsMax) {
    --questions_;
    return false;
  }
  return inbox_.push_anyway(Question(std::move(question)), 0);
}

void Shard::put_task(std::function<void()> task) { inbox_.push_anyway(Message(Task(std::move(task))), 0); }

void Shard::wait_until_idle() {
  auto promise = std::make_shared<std::promise<void>>();
  std::future<void> idle = promise->get_future();
  ++questions_;
  if (inbox_.push_anyway(Question([promise](const cep::Engine&) { promise->set_value(); }), 0)) idle.wait();
}

void Shard::run() {
  for (;;) {
    std::optional<Message> message = handing_over_ ? inbox_.try_pop() : inbox_.pop();
    if (!message && !handing_over_) break;
    if (handing_over_) hand_over_slice();
    if (!message) continue;
    if (auto* batch = std::get_if<BatchMessage>(&*message)) {
      apply(*batch);
    } else if (auto* rules = std::get_if<RulesMessage>(&*message)) {
      apply(*rules);
    } else if (auto* barrier = std::get_if<BarrierMessage>(&*message)) {
      apply(*barrier);
    } else if (auto* question = std::get_if<Question>(&*message)) {
      --questions_;
      (*question)(engine_);
    } else if (auto* task = std::get_if<Task>(&*message)) {
      (*task)();
    }
    publish();
  }
}

void Shard::apply(BatchMessage& message) {
  if (message.decision != nullptr) {
    cep::Verdict verdict;
    engine_.decide(message.batch, message.admissions, verdict);
    message.decision->add(std::move(verdict));
  }
  if (message.batch != nullptr) {
    engine_.on_batch(message.batch, message.admissions, alerts_);
  } else {
    engine_.on_time(message.admissions, alerts_);
  }
  if (engine_.is_passed_on(message.admissions)) {
    for (uint32_t level = 1; level <= engine_.levels(); ++level) {
      engine_.on_level(level, message.admissions, *exchange_->pass(rounds_++, engine_.take_derived()), alerts_);
    }
  }
  store_alerts(message.batch != nullptr ? message.batch->received_us : cep::kTimeMin);
}

void Shard::store_alerts(cep::TimeUs received_us) {
  if (alerts_.empty()) return;
#ifdef WEIR_MUTANT_CLOCK_IN_ID
  for (cep::Alert& alert : alerts_) alert.id[15] ^= static_cast<uint8_t>(std::chrono::steady_clock::now().time_since_epoch().count() >> 10);
#endif
  std::vector<state::Alert> stored;
  for (const cep::Alert& alert : alerts_) {
    stored.push_back(stored_alert(alert, static_cast<uint32_t>(engine_.rules().find(alert.program->rule)->entry.number)));
  }
  alerts_.clear();
  store_.put_alerts(std::move(stored), received_us);
}

void Shard::apply(RulesMessage& message) {
  while (handing_over_) hand_over_slice();      // the images are of the programs so far
  engine_.apply_rules(message.rules);
  if (message.warmed == nullptr) return;
  engine_.adopt(*message.warmed, message.programs);
  if (!message.backfill.empty()) store_.put_alerts(std::move(message.backfill));
}

void Shard::apply(BarrierMessage& message) {
  engine_.begin_images(message.sequence, std::move(message.victims));
  buffered_ = engine_.buffered();
  handing_over_ = true;
}

void Shard::hand_over_slice() {
  const auto begin = std::chrono::steady_clock::now();
  std::vector<cep::KeyImage> images;
  do {
    handing_over_ = engine_.take_images(kTakeBytes, images);
  } while (handing_over_ && std::chrono::steady_clock::now() - begin < kSliceTime);
  ShardSlice slice;
  slice.shard = number_;
  slice.records.reserve(images.size());
  for (cep::KeyImage& image : images) slice.records.push_back(key_record(std::move(image)));
  slice.buffered = std::move(buffered_);
  buffered_.clear();
  slice.is_last = !handing_over_;
  store_.put_slice(std::move(slice));
}

void Shard::publish() {
  const cep::EngineCounters& counters = engine_.counters();
  numbers_.events = counters.events;
  numbers_.alerts = counters.alerts;
  numbers_.suppressed = counters.suppressed;
  numbers_.matches = counters.matches;
  numbers_.null_key = counters.null_key;
  numbers_.runs_refused = counters.runs_refused;
  numbers_.runs_aged = counters.runs_aged;
  numbers_.matches_dropped = counters.matches_dropped;
  numbers_.window_dropped = counters.window_dropped;
  numbers_.keys_forgotten = counters.keys_forgotten;
  numbers_.peeks_refused = counters.peeks_refused;
  numbers_.derived = counters.derived;
  numbers_.derived_late = counters.derived_late;
  numbers_.derived_dropped = counters.derived_dropped;
  numbers_.arithmetic_null = engine_.eval_counters().arithmetic_null;
  numbers_.cast_null = engine_.eval_counters().cast_null;
  numbers_.keys = engine_.keys();
  numbers_.state_bytes = engine_.state_bytes();
  numbers_.reorder_rows = engine_.reorder_rows();
}

state::Alert stored_alert(const cep::Alert& alert, uint32_t rule_number) {
  state::Alert stored;
  stored.id = alert.id;
  stored.rule = rule_number;
  stored.key_hash = alert.key_hash;
  stored.time_us = alert.time;
  stored.cause_offset = alert.cause_position;
  stored.severity = static_cast<uint8_t>(alert.program->alert.severity);
  stored.mode = static_cast<uint8_t>(alert.mode);
  api::append_alert(alert, stored.body);
  return stored;
}

}  // namespace service
