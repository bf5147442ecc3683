// See timeline_peek.h. Test: tests/unit/service/decide_test.cc, mode `decide` of scripts.
#include "cep/timeline_peek.h"

#include <algorithm>

namespace cep {
namespace {

// The same row as if its event time were another one; its columns say what they said.
BatchPtr at_time(const Batch& one, TimeUs time) {
  BatchBuilder builder(one.schema, one.source, one.received_us);
  copy_row(one, 0, one.position[0], builder);
  std::shared_ptr<Batch> moved = builder.finish();
  moved->ordinal = one.ordinal;
  moved->time[0] = time;
  return moved;
}

}  // namespace

bool TimelineEngine::peek(const BatchPtr& event, const Admission& admission, std::vector<Alert>& alerts) {
  if (!is_owned_by_shard(*event, 0)) return true;
  if (peek_ == nullptr) peek_ = std::make_unique<TimelinePeek>(*this);
  return peek_->run(event, admission, alerts);
}

// A copy of a key of the lender, which this peek meets for the first time.
Slot* TimelineEngine::borrow(Space& space, uint64_t hash, std::string_view key) {
  const Slot* there = loan_->lender.find(space.id, hash, key);
  if (there == nullptr || !loan_->lent.insert(there).second) return nullptr;
  std::string image = block_image(BlockView(there->block));
  Slot* slot = space.table.insert(hash, block_of_image({reinterpret_cast<uint8_t*>(image.data()), image.size()}, memory_));
  slot->deadline = there->deadline;
  slot->awaits = there->awaits;
  return slot;
}

TimelinePeek::TimelinePeek(TimelineEngine& timeline)
    : timeline_(timeline), loan_{timeline, {}}, copies_(timeline.engine_, timeline.index_, &loan_) {}

bool TimelinePeek::run(const BatchPtr& event, const Admission& admission, std::vector<Alert>& alerts) {
  const bool is_late = !admission.late.empty() && admission.late[0] != 0;
  const BatchPtr row = is_late ? at_time(*event, admission.late_watermark[0]) : event;
  Engine& engine = timeline_.engine_;
  std::vector<EarlierRow> earlier;
  if (!find_earlier(*row, earlier)) {
    ++engine.counters_.peeks_refused;
    return false;
  }
  const EngineCounters counters = engine.counters_;         // what happens is counted when it happens
  const EvalCounters eval_counters = engine.eval_counters_;
  copies_.coverage_ = admission.coverage;
  std::vector<Alert> of_earlier_rows;
  for (const EarlierRow& one : earlier) run_row(*one.batch, one.row, one.words, of_earlier_rows);
  run_row(*row, 0, nullptr, alerts);
  forget_copies();
  engine.counters_ = counters;
  engine.eval_counters_ = eval_counters;
  return true;
}

void TimelinePeek::run_row(const Batch& batch, uint32_t row, const std::vector<uint64_t>* words, std::vector<Alert>& alerts) {
  if (words == nullptr) {
    Engine& engine = timeline_.engine_;
    const TimelineStream* stream = timeline_.timeline().find(batch.schema->id);
    stream->predicates.evaluate(batch, engine.rules_->datasets(), engine.eval_counters_, copies_.words_);
    words = &copies_.words_;
  }
  copies_.process_rows(batch, row, row + 1, *words, alerts);
}

void TimelinePeek::forget_copies() {
  for (TimelineEngine::Space& space : copies_.spaces_) copies_.drop_space(space);
  copies_.gone_.clear();
  copies_.dirty_.clear();
  copies_.timers_ = {};
  loan_.lent.clear();
}

void TimelinePeek::note_waiting(const Reorder::Item& item) {
  if (waiting_ == nullptr) return;
  for_each_key(*item.batch->batch, item.row, [&](uint64_t key) { waiting_->add(key, item); });
}

void TimelinePeek::note_released(const Reorder::Item& item) {
  if (waiting_ == nullptr) return;
  for_each_key(*item.batch->batch, item.row, [&](uint64_t key) { waiting_->remove(key, item); });
}

// Where WaitingKeys has a row: under the key of each of its roles.
template <class F>
void TimelinePeek::for_each_key(const Batch& batch, uint32_t row, F&& visit) {
  copies_.texts_.clear();
  for (const Role& role : timeline_.timeline().find(batch.schema->id)->roles) {
    std::string& key = copies_.key_;
    key.clear();
    if (copies_.encode_row_key(batch, row, role, key)) visit(WaitingKeys::name_of(role.space, hash_bytes(key.data(), key.size())));
  }
}

void TimelinePeek::index_waiting() {
  waiting_ = std::make_unique<WaitingKeys>();
  timeline_.reorder_.for_each_in_arrival_order([&](const Reorder::Item& item) { note_waiting(item); });
}

// Rows of the event's keys; where rules read the state of other keys, all.
void TimelinePeek::find_waiting(const Batch& event, std::vector<Reorder::Item>& items) {
  const Reorder& reorder = timeline_.reorder_;
  const Reorder::Item end{event.time[0], reorder.arrivals(), nullptr, 0, event.source};
  if (timeline_.timeline().pinned) {
    reorder.for_each([&](const Reorder::Item& item) {
      if (item < end && items.size() <= timeline_.engine_.limits_.peek_rows_max) items.push_back(item);
    });
  } else if (!reorder.empty()) {
    if (waiting_ == nullptr) index_waiting();
    for_each_key(event, 0, [&](uint64_t key) { waiting_->append_before(key, end, timeline_.engine_.limits_.peek_rows_max + 1, items); });
  }
  std::sort(items.begin(), items.end());
  const auto is_same = [](const Reorder::Item& a, const Reorder::Item& b) { return a.arrival == b.arrival; };
  items.erase(std::unique(items.begin(), items.end(), is_same), items.end());      // a row that has two of the keys
}

// What alerts became and comes before the event: of its keys; where rules read the state of other keys, all.
void TimelinePeek::find_derived(const Batch& event, std::vector<BatchPtr>& rows) {
  std::vector<uint64_t> keys;
  if (!timeline_.derived_.empty()) for_each_key(event, 0, [&](uint64_t key) { keys.push_back(key); });
  for (const auto& [place, waiting] : timeline_.derived_) {
    if (std::get<TimeUs>(place) >= event.time[0]) break;      // they are in the order of time
    bool is_wanted = timeline_.timeline().pinned;
    if (!is_wanted) {
      for_each_key(*waiting.row, 0, [&](uint64_t key) { is_wanted = is_wanted || std::find(keys.begin(), keys.end(), key) != keys.end(); });
    }
    if (is_wanted) rows.push_back(waiting.row);
  }
}

// In the order of release. What alerts became is little, and comes behind every other row of its instant.
bool TimelinePeek::find_earlier(const Batch& event, std::vector<EarlierRow>& earlier) {
  std::vector<Reorder::Item> items;
  find_waiting(event, items);
  std::vector<BatchPtr> derived;
  find_derived(event, derived);
  if (items.size() + derived.size() > timeline_.engine_.limits_.peek_rows_max) return false;
  for (const Reorder::Item& item : items) earlier.push_back({item.batch->batch, item.row, &timeline_.words_of(*item.batch)});
  for (const BatchPtr& row : derived) earlier.push_back({row, 0, nullptr});
  const auto is_before = [](const EarlierRow& a, const EarlierRow& b) { return a.batch->time[a.row] < b.batch->time[b.row]; };
  if (!derived.empty()) std::stable_sort(earlier.begin(), earlier.end(), is_before);
  return true;
}

}  // namespace cep
