// See decision.h. Test: tests/unit/service/lane_decisions_test.cc, tests/e2e/decisions_test.sh.
#include "service/decision.h"

#include <algorithm>

#include "api/alert_json.h"
#include "service/alert_order.h"
#include "state/checkpoint_format.h"

namespace service {
namespace {

// False: not all of them have room.
bool append_alerts(std::string_view name, const cep::Verdict& verdict, cep::AlertMode mode, size_t* bytes_left, api::JsonWriter& json) {
  bool has_room = true;
  json.key(name).begin_array();
  for (const cep::Alert& alert : verdict.alerts) {
    if (alert.mode != mode) continue;
    const std::string text = api::alert_json(alert);
    has_room = has_room && text.size() <= *bytes_left;
    if (!has_room) break;
    *bytes_left -= text.size();
    json.raw(text);
  }
  json.end_array();
  return has_room;
}

// The strictest of the live rules' decisions; `allow` where none has one. Where nobody looked it is not milder than the default.
cep::Decision decision_of(const cep::Verdict& verdict, cep::Decision otherwise) {
  cep::Decision strictest = verdict.is_refused ? otherwise : cep::Decision::kAllow;
  for (const cep::Alert& alert : verdict.alerts) {
    if (alert.mode == cep::AlertMode::kLive) strictest = std::max(strictest, alert.program->alert.decision);
  }
  return strictest;
}

}  // namespace

state::Id16 event_identity(const state::Id16& unique_hash, const state::Id16& request_id, const std::string& stream, uint64_t offset) {
  if (unique_hash != state::Id16{}) return unique_hash;
  if (request_id != state::Id16{}) return request_id;
  std::string place = stream;
  state::Writer(place).put<uint64_t>(offset);
  return state::digest_of(place);
}

std::string verdict_json(const cep::Verdict& verdict, cep::Decision decision) {
  std::string text;
  api::JsonWriter json(text);
  json.begin_object().field("decision", cep::decision_name(decision)).key("score");
  int score = -1;
  for (const cep::Alert& alert : verdict.alerts) {
    if (alert.mode == cep::AlertMode::kLive) score = std::max(score, alert.score);
  }
  if (score < 0) {
    json.null();
  } else {
    json.integer(score);
  }
  size_t bytes_left = kVerdictBytesMax;
  bool has_all = append_alerts("alerts", verdict, cep::AlertMode::kLive, &bytes_left, json);
  has_all = append_alerts("shadow", verdict, cep::AlertMode::kShadow, &bytes_left, json) && has_all;
  if (!has_all) json.key("more").boolean(true);
  json.key("final").boolean(verdict.is_final).key("late").boolean(verdict.is_late).key("degraded").boolean(verdict.is_refused);
  json.end_object();
  return text.substr(1, text.size() - 2);      // its members
}

bool Decision::is_answered() const {
  std::lock_guard lock(mutex_);
  return !reply_;
}

void Decision::answer(DecisionAnswer answer) {
  DecisionReply reply;
  {
    std::lock_guard lock(mutex_);
    if (!reply_) return;
    reply = std::exchange(reply_, nullptr);
  }
  const auto took = std::chrono::steady_clock::now() - began;
  answer.latency_us = std::chrono::duration_cast<std::chrono::microseconds>(took).count();
  if (answer.outcome == DecisionAnswer::Outcome::kVerdict) count(answer);
  reply(std::move(answer));
}

void Decision::count(const DecisionAnswer& answer) const {
  DecisionNumbers& numbers = decisions_.numbers_;
  numbers.latency.observe(answer.latency_us);
  if (answer.is_stored) {
    ++numbers.repeated;
    return;
  }
  ++numbers.by_decision[static_cast<size_t>(answer.decision)];
  numbers.timed_out += answer.is_default ? 1 : 0;
  numbers.rows_refused += answer.is_refused ? 1 : 0;
  numbers.late += answer.is_late ? 1 : 0;
}

void Decision::refuse(api::SubmitAnswer why) {
  DecisionAnswer refused;
  refused.outcome = DecisionAnswer::Outcome::kRefused;
  refused.submit = std::move(why);
  answer(std::move(refused));
}

void Decision::set_durable(state::StoredDecision event) {
  {
    std::lock_guard lock(mutex_);
    event_ = std::move(event);
    is_durable_ = true;
    if (!is_overdue_) return;
  }
  answer_default();
}

void Decision::time_out() {
  {
    std::lock_guard lock(mutex_);
    is_overdue_ = true;
    if (!is_durable_) return;
  }
  answer_default();
}

// What is stored later is the verdict, not this.
void Decision::answer_default() {
  cep::Verdict none;
  none.is_final = false;
  none.is_refused = true;
  DecisionAnswer given;
  given.is_default = true;
  given.decision = decisions_.options_.otherwise;
  given.verdict = verdict_json(none, given.decision);
  {
    std::lock_guard lock(mutex_);
    given.id = event_.id;
  }
  answer(std::move(given));
}

void Decision::expect(size_t shards) {
  {
    std::lock_guard lock(mutex_);
    shards_left_ = shards;
  }
  if (shards == 0) complete();
}

void Decision::add(cep::Verdict verdict) {
  {
    std::lock_guard lock(mutex_);
    std::move(verdict.alerts.begin(), verdict.alerts.end(), std::back_inserter(verdict_.alerts));
    verdict_.is_final = verdict_.is_final && verdict.is_final;
    verdict_.is_late = verdict_.is_late || verdict.is_late;
    verdict_.is_refused = verdict_.is_refused || verdict.is_refused;
    if (--shards_left_ > 0) return;
  }
  complete();
}

// Answered first: the log has the event, so a verdict that does not get as far as the store is found again when the log is read.
void Decision::complete() {
  cep::Verdict verdict = std::exchange(verdict_, {});
  std::stable_sort(verdict.alerts.begin(), verdict.alerts.end(), is_alert_before);
  DecisionAnswer given;
  given.decision = decision_of(verdict, decisions_.options_.otherwise);
  given.verdict = event_.body = verdict_json(verdict, given.decision);
  given.id = event_.id;
  given.is_late = verdict.is_late;
  given.is_refused = verdict.is_refused;
  answer(std::move(given));
  decisions_.store_.put_decision(std::move(event_));
}

void Decision::give_stored(const state::StoredDecision& stored) {
  DecisionAnswer given;
  given.id = stored.id;
  given.verdict = stored.body;
  given.is_stored = true;
  answer(std::move(given));
}

void Decision::give_unknown() {
  DecisionAnswer unknown;
  unknown.outcome = DecisionAnswer::Outcome::kUnknown;
  answer(std::move(unknown));
}

Decisions::Decisions(const DecisionOptions& options, Store& store) : options_(options), store_(store), thread_([this] { run(); }) {}

Decisions::~Decisions() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

// The thread sleeps until the oldest is due. Only from sleep without end must it be woken, which is seldom when decisions are many.
std::shared_ptr<Decision> Decisions::begin(DecisionReply reply) {
  auto decision = std::make_shared<Decision>(*this, std::move(reply));
  bool is_first = false;
  {
    std::lock_guard lock(mutex_);
    is_first = waiting_.empty();
    waiting_.push_back(decision);
  }
  if (is_first) changed_.notify_one();
  return decision;
}

void Decisions::look_up(std::shared_ptr<Decision> decision, const state::Id16& id, cep::TimeUs came_us) {
  if (give_stored(*decision, id, came_us)) return;
  store_.call_when_stored([this, decision = std::move(decision), id, came_us] {
    if (!give_stored(*decision, id, came_us)) decision->give_unknown();
  });
}

bool Decisions::give_stored(Decision& decision, const state::Id16& id, cep::TimeUs came_us) const {
  const cep::Result<std::optional<state::StoredDecision>> stored = store_.decisions().by_id(id);
  if (!stored.ok() || !stored->has_value() || (*stored)->received_us != came_us) return false;
  decision.give_stored(**stored);
  return true;
}

void Decisions::run() {
  const auto timeout = std::chrono::microseconds(options_.timeout_us);
  std::unique_lock lock(mutex_);
  while (!stopping_) {
    while (!waiting_.empty() && waiting_.front()->is_answered()) waiting_.pop_front();
    if (waiting_.empty()) {
      changed_.wait(lock);
      continue;
    }
    const auto due = waiting_.front()->began + timeout;
    if (std::chrono::steady_clock::now() < due) {
      changed_.wait_until(lock, due);
      continue;
    }
    const std::shared_ptr<Decision> overdue = std::move(waiting_.front());
    waiting_.pop_front();
    lock.unlock();
    overdue->time_out();
    lock.lock();
  }
}

}  // namespace service
