// See timeline_engine.h: rows and keys. Timers, pruning and durable images are in timeline_state.cc.
#include "cep/timeline_engine.h"

#include <algorithm>
#include <bit>

#include "cep/key.h"
#include "cep/lifetime.h"
#include "cep/time_math.h"
#include "cep/truncation.h"

namespace cep {
namespace {

constexpr uint32_t kRowsInFlight = 16;      // whose cache misses are waited for together

bool passes(const uint64_t* words, int32_t bit) { return bit == kAlways || (bit >= 0 && has_bit(words, static_cast<uint32_t>(bit))); }

}  // namespace

TimelineEngine::TimelineEngine(Engine& engine, uint32_t timeline) : engine_(engine), index_(timeline), editor_(memory_) {
  name_ = engine.rules_->timelines()[timeline].name;
  const std::string derived = name_ + "|from rules";
  derived_space_ = hash_bytes(derived.data(), derived.size());
  rebind(timeline);
}

TimelineEngine::~TimelineEngine() {
  for (Space& space : spaces_) drop_space(space);
}

void TimelineEngine::drop_space(Space& space) {
  space.table.for_each([&](const Slot& slot) {
    uint32_t segment = BlockView(slot.block).header().segment;
    if (segment != 0) gone_.push_back({space.id, slot.hash, segment});
    memory_.release(slot.block);
  });
  space.table = KeyTable();
}

const Timeline& TimelineEngine::timeline() const { return engine_.rules_->timelines()[index_]; }

void TimelineEngine::rebind(uint32_t index) {
  WEIR_CHECK(images_.keys.empty(), "rules change while images are being taken");
  index_ = index;
  std::vector<Space> old = std::move(spaces_);
  spaces_.clear();
  for (const KeySpace& wanted : timeline().spaces) {
    auto kept = std::find_if(old.begin(), old.end(), [&](const Space& space) { return space.id == wanted.id; });
    if (kept != old.end()) {
      spaces_.push_back(std::move(*kept));
      old.erase(kept);
    } else {
      spaces_.push_back({wanted.id, {}, 0});
    }
  }
  for (Space& space : old) drop_space(space);          // no rule uses these keys any more
  has_episodes_ = std::any_of(timeline().rules.begin(), timeline().rules.end(), [&](uint32_t rule) {
    return engine_.rules_->rules()[rule].entry.program->quiet_us != 0;
  });
  for (Space& space : spaces_) {     // bits have new numbers
    space.table.for_each([&](Slot& slot) { slot.awaits = awaits_of(BlockView(slot.block)); });
  }
}

const std::vector<uint64_t>& TimelineEngine::words_of(WaitingBatch& waiting) {
  if (waiting.generation != engine_.rules_->generation()) {
    const TimelineStream* stream = timeline().find(waiting.batch->schema->id);
    stream->predicates.evaluate(*waiting.batch, engine_.rules_->datasets(), engine_.eval_counters_, waiting.words);
    waiting.generation = engine_.rules_->generation();
  }
  return waiting.words;
}

bool TimelineEngine::owns(uint64_t key_hash) const { return timeline().owner(key_hash, engine_.shard_count_) == engine_.shard_; }

bool TimelineEngine::is_owned_by_shard(const Batch& batch, uint32_t row) {
  if (engine_.shard_count_ == 1 || timeline().pinned) return owns(0);
  for (const Role& role : timeline().find(batch.schema->id)->roles) {
    key_.clear();
    bool has_key = encode_row_key(batch, row, role, key_);
    // A row that a role has no key for is shard 0's: some shard must hold every row that waits, for a restart counts them there.
    if (owns(has_key ? hash_bytes(key_.data(), key_.size()) : 0)) return true;
  }
  return false;
}

void TimelineEngine::on_time(const Admission& admission, std::vector<Alert>& alerts) {
  coverage_ = admission.coverage;
  release(admission, alerts);
}

void TimelineEngine::on_batch(const BatchPtr& batch, const Admission& admission, std::vector<Alert>& alerts) {
  if (timeline().level > 0) return buffer(batch, admission);      // released with what the lower levels make of this batch
  coverage_ = admission.coverage;
  if (!pass_through(*batch, admission, alerts)) buffer(batch, admission);
  release(admission, alerts);
}

// Rows that come in order into an empty buffer and are due at once need no buffer: the usual case without a delay.
bool TimelineEngine::pass_through(const Batch& batch, const Admission& admission, std::vector<Alert>& alerts) {
  bool in_order = reorder_.empty() && admission.late.empty() && batch.rows() > 0 && admission.covers(batch.time.back(), batch.source) &&
                  std::is_sorted(batch.time.begin(), batch.time.end());
  if (!in_order) return false;
  is_new_ = false;
  timeline().find(batch.schema->id)->predicates.evaluate(batch, engine_.rules_->datasets(), engine_.eval_counters_, words_);
  for (uint32_t row = 0; row < batch.rows(); row += kRowsInFlight) {
    process_rows(batch, row, std::min(batch.rows(), row + kRowsInFlight), words_, alerts);
  }
  return true;
}

void TimelineEngine::buffer(const BatchPtr& batch, const Admission& admission) {
  is_new_ = false;
  texts_.clear();
  auto waiting = std::make_shared<WaitingBatch>();
  waiting->batch = batch;
  for (uint32_t row = 0; row < batch->rows(); ++row) {
    bool late = !admission.late.empty() && admission.late[row] != 0;
    if (!late && is_owned_by_shard(*batch, row)) reorder_.push(waiting, row);
  }
}

// Derived rows come after every row from outside of the same instant.
void TimelineEngine::release(const Admission& admission, std::vector<Alert>& alerts) {
  Reorder::Item item;
  for (;;) {
    TimeUs derived = derived_.empty() ? kTimeMax : std::get<TimeUs>(derived_.begin()->first);
    if (derived >= admission.frontier) derived = kTimeMax;
    if (reorder_.next_time() <= derived && reorder_.pop(admission.frontier, admission.frontier_source, &item)) {
      process_rows(*item.batch->batch, item.row, item.row + 1, words_of(*item.batch), alerts);
    } else if (derived != kTimeMax) {
      release_derived(alerts);
    } else {
      break;
    }
  }
  frontier_ = std::max(frontier_, admission.frontier);
  while (!timers_.empty() && timers_.top().time <= frontier_) {
    Timer timer = timers_.top();
    timers_.pop();
    for (Space& space : spaces_) {
      if (space.id == timer.space) service_key(space, timer.hash, frontier_, alerts);
    }
  }
}

// Appends the row's key; false: it has none.
bool TimelineEngine::encode_row_key(const Batch& batch, uint32_t row, const Role& role, std::string& key) {
  const std::vector<KeyPart>& parts = timeline().spaces[role.space].parts;
  if (role.plain_key) return encode_key(parts, batch, row, role.key_columns, key);
  const BoundRule& rule = engine_.rules_->rules()[role.inputs.front().rule];
  const Program& program = *rule.entry.program;
  EvalContext context;
  context.event = row_of(batch, row);
  context.datasets = rule.datasets;
  context.texts = &texts_;
  context.counters = &engine_.eval_counters_;
  key_values_.clear();
  for (ExprId part : program.inputs[role.inputs.front().input].key) {
    key_values_.push_back(evaluate(program.pool, part, context));
  }
  return encode_key(parts, key_values_, key);
}

void TimelineEngine::process_rows(const Batch& batch, uint32_t first, uint32_t last, const std::vector<uint64_t>& words,
                                  std::vector<Alert>& alerts) {
  const TimelineStream& stream = *timeline().find(batch.schema->id);
  const size_t per_row = stream.predicates.words_per_row();
  texts_.clear();
  prepared_.clear();
  prepared_keys_.clear();
  uint64_t folds[kRowsInFlight];
  for (uint32_t row = first; row < last; ++row) {
    folds[row - first] = fold_words(words.data() + row * per_row, static_cast<uint32_t>(per_row));
    prepare_row(stream, batch, row, words.data() + row * per_row);
  }
  for (const Prepared& prepared : prepared_) {
    if (prepared.has_key) spaces_[prepared.role->space].table.prefetch_block(prepared.hash);
  }
  Touch touch;
  touch.batch = &batch;
  touch.alerts = &alerts;
  uint32_t counted = last;             // the row counted last
  for (const Prepared& prepared : prepared_) {
    touch.row = prepared.row;
    touch.time = batch.time[prepared.row];
    touch.words = words.data() + prepared.row * per_row;
    touch.fold = folds[prepared.row - first];
    if (counted != prepared.row) {
      ++engine_.counters_.events;
      appended_.elsewhere.clear();
    }
    counted = prepared.row;
    process_prepared(prepared, touch);
  }
}

// Finds the roles that may care about the row, and asks for the memory of their keys' slots.
void TimelineEngine::prepare_row(const TimelineStream& stream, const Batch& batch, uint32_t row, const uint64_t* words) {
  auto prepare = [&](const Role& role) {
    Prepared prepared;
    prepared.starts = role.starts.is_met(words);
    if (!prepared.starts && !role.runs.is_met(words)) return;
    prepared.role = &role;
    prepared.row = row;
    prepared.key_begin = static_cast<uint32_t>(prepared_keys_.size());
    prepared.has_key = encode_row_key(batch, row, role, prepared_keys_);
    prepared.key_end = static_cast<uint32_t>(prepared_keys_.size());
    if (prepared.has_key) {
      prepared.hash = hash_bytes(prepared_keys_.data() + prepared.key_begin, prepared.key_end - prepared.key_begin);
      if (!owns(prepared.hash)) return;
      spaces_[role.space].table.prefetch(prepared.hash);
    } else if (!owns(0)) {
      return;                              // counted once
    }
    prepared_.push_back(prepared);
  };
  for (const Role& role : stream.feeders) prepare(role);
  for (const Role& role : stream.roles) prepare(role);
}

void TimelineEngine::process_prepared(const Prepared& prepared, Touch& touch) {
  const Role& role = *prepared.role;
  if (!prepared.has_key) {
    bool seen = std::any_of(role.inputs.begin(), role.inputs.end(),
                            [&](const RuleInput& input) { return passes(touch.words, input.filter_bit); });
    if (seen) ++engine_.counters_.null_key;      // R69: an event that only the missing key keeps from a rule
    return;
  }
  Space& space = spaces_[role.space];
  touch.hash = prepared.hash;
  std::string_view key = std::string_view(prepared_keys_).substr(prepared.key_begin, prepared.key_end - prepared.key_begin);
  Slot* slot = space.table.find(touch.hash, key);
  if (!prepared.starts && (slot == nullptr || (slot->awaits & touch.fold) == 0)) return;
  key_ = key;
  key_values_.clear();
  if (slot != nullptr) {
    open_key(space, *slot);
    if (slot->deadline <= touch.time) {
      fire_deadlines(touch, touch.time);
      prune(touch.time);                       // a batch may be long: what is over must not wait for its end
      slot->deadline = kTimeMax;
    }
  } else {
    editor_.create(key_, space.new_block_bytes);
  }
  feed_rings(role, touch);
  run_inputs(role, touch);
  close_key(space, touch.hash, slot);
}

void TimelineEngine::feed_rings(const Role& role, const Touch& touch) {
  appended_.here.clear();
  for (uint32_t number : role.rings) {
    const BoundRing& bound = timeline().rings[number];
    if (!passes(touch.words, bound.predicate_bit)) continue;
    feed_ring(number, touch);
    if (role.inputs.empty()) {
      appended_.elsewhere.emplace_back(number, key_);
    } else {
      appended_.here.push_back(number);
    }
  }
}

// What the event under work adds to the ring, but for a whole row. `argument` holds what the entry may point to.
RingEntryValue TimelineEngine::entry_of(const BoundRing& bound, const Ring& ring, const Touch& touch, Value* argument) {
  if (bound.number_column >= 0 && static_cast<size_t>(bound.number_column) < touch.batch->columns.size()) {
    const BatchColumn& column = touch.batch->columns[static_cast<size_t>(bound.number_column)];
    RingEntryValue value;
    value.number = column.fixed[touch.row];
    value.is_null = column.is_null[touch.row] != 0;
    if (value.is_null || value.number > INT64_MIN) return value;      // that one an entry cannot hold
  }
  const BoundRule& rule = engine_.rules_->rules()[bound.rule];
  if (ring.argument != kNoExpr) {
    EvalContext context;
    context.event = row_of(*touch.batch, touch.row);
    context.datasets = rule.datasets;
    context.texts = &texts_;
    context.counters = &engine_.eval_counters_;
    *argument = evaluate(rule.entry.program->pool, ring.argument, context);
  }
  return ring_value(ring, *argument, engine_.eval_counters_);
}

void TimelineEngine::feed_ring(uint32_t number, const Touch& touch) {
  const BoundRing& bound = timeline().rings[number];
  const Ring& ring = engine_.rules_->rules()[bound.rule].entry.program->rings[bound.ring];
  Value argument;
  RingEntryValue value = entry_of(bound, ring, touch, &argument);
  if (ring.keep != RingKeep::kEntries) {
    LifetimeEditor(editor_, bound.shape).append(touch.time, value, &engine_.counters_.keys_forgotten);
    return;
  }
  RingLimits limits{engine_.limits_.window_entries_max, engine_.limits_.window_bytes_max};
  if (ring.value == RingValue::kRow) {
    packed_.resize(packed_size(*touch.batch, touch.row) / 8);
    pack_row(*touch.batch, touch.row, reinterpret_cast<uint8_t*>(packed_.data()));
    value.bytes = {reinterpret_cast<const char*>(packed_.data()), packed_.size() * 8};
    limits.entries_max = std::min(limits.entries_max, engine_.limits_.scan_entries_max);
  }
  TimeUs dropped = RingEditor(editor_, bound.shape).append(touch.time, value, limits, &engine_.counters_.window_dropped);
  if (dropped != kTimeMin) note_dropped(number, dropped, touch.time);
}

// Rules with a window that the entry was in say so until it would have left, and so do those of their runs that began before. A window of
// rows has all of them while the ring holds as many.
void TimelineEngine::note_dropped(uint32_t ring, TimeUs dropped, TimeUs now) {
  const RingShape& shape = timeline().rings[ring].shape;
  const uint32_t held = RingView(editor_.view().find_cell(CellKind::kRing, shape.id), shape).entries();
  for (uint32_t number : timeline().rules) {
    const BoundRule& rule = engine_.rules_->rules()[number];
    const Program& program = *rule.entry.program;
    for (const Window& window : program.windows) {
      TimeUs left = add_saturating(dropped, window.extent.span_us);
      bool is_whole = window.extent.rows != 0 && window.extent.rows <= held;
      if (rule.ring[window.ring] != ring || left <= now || is_whole) continue;
      note_cut(editor_, rule.entry.id, Cut::kWindow, add_saturating(left - 1, run_horizon(program, engine_.limits_)));
    }
  }
}

// Only rules that the event can start, or a run of which it can wake.
void TimelineEngine::run_inputs(const Role& role, const Touch& touch) {
  const RuleSet& rules = *engine_.rules_;
  role.start_index.mark(touch.words, woken_);
  const Run* last = nullptr;                       // of the rule woken last
  for (const Run& run : editor_.runs()) {
    if (last != nullptr && run.program == last->program) continue;
    const StateWake* wake = rules.wake(run.program, run.state);
    if (wake == nullptr || !wake->is_met(touch.words, touch.fold)) continue;
    last = &run;
    const uint32_t first = role.first_input[rules.number_of(run.program)];
    if (first != Role::kNoInput) wake_inputs(role, first);
  }
  for (size_t w = 0; w < woken_.size(); ++w) {
    for (; woken_[w] != 0;) {
      const uint32_t number = static_cast<uint32_t>(w * 64) + static_cast<uint32_t>(std::countr_zero(woken_[w]));
      woken_[w] &= woken_[w] - 1;
      const RuleInput& input = role.inputs[number];
      const BoundRule& rule = rules.rules()[input.rule];
      if (rule.entry.mode == RuleMode::kPaused || !passes(touch.words, input.filter_bit) || !opens(rule.gate, touch.time)) continue;
      run_rule(rule, input.input, touch);
      // A stream read twice: what the event did by one input may wait for it by the next.
      if (number + 1 < role.inputs.size() && role.inputs[number + 1].rule == input.rule) wake_inputs(role, number + 1);
    }
  }
}

bool TimelineEngine::opens(const CountGate& gate, TimeUs time) const {
  if (gate.ring == UINT32_MAX) return true;
  const RingShape& shape = timeline().rings[gate.ring].shape;
  return RingView(editor_.view().find_cell(CellKind::kRing, shape.id), shape).count(gate.extent, time) >= gate.least;
}

// Marks this input and those of the same rule behind it.
void TimelineEngine::wake_inputs(const Role& role, uint32_t first) {
  for (uint32_t i = first; i < role.inputs.size() && role.inputs[i].rule == role.inputs[first].rule; ++i) {
    woken_[i / 64] |= uint64_t{1} << (i % 64);
  }
}

// The parts of the key under work are decoded when first needed: most events make no output.
const std::vector<Value>& TimelineEngine::key_values(const BoundRule& rule) {
  if (key_values_.empty()) key_values_ = decode_key(timeline().spaces[rule.space].parts, key_);
  return key_values_;
}

MatchScope TimelineEngine::match_scope(const BoundRule& rule) {
  MatchScope scope;
  scope.rules = engine_.rules_.get();
  scope.rule = &rule;
  if (rule.entry.program->having != kNoExpr) scope.key = key_values(rule);
  scope.texts = &texts_;
  scope.eval_counters = &engine_.eval_counters_;
  scope.counters = &engine_.counters_;
  scope.limits = &engine_.limits_;
  return scope;
}

OutputScope TimelineEngine::output_scope(const MatchScope& match, const Touch& touch) {
  OutputScope scope;
  scope.match = &match;
  scope.key_hash = touch.hash;
  bool is_logged = touch.batch != nullptr && touch.batch->source != kRulesSource;
  scope.cause_position = is_logged ? touch.batch->position[touch.row] : 0;
  scope.alerts = touch.alerts;
  return scope;
}

void TimelineEngine::run_rule(const BoundRule& rule, uint16_t input, const Touch& touch) {
  MatchEvent event{touch.batch, touch.row, input, touch.time, touch.words, touch.fold};
  BlockWindows windows(*this, editor_, rule, touch.time, appended_, engine_.eval_counters_);
  MatchScope scope = match_scope(rule);
  scope.windows = &windows;
  if (rule.entry.program->is_when) {
    if (!Matcher::fits(scope, event, 0, nullptr)) return;
    scope.key = key_values(rule);
    EvalContext asked = context_of(scope);
    asked.event = row_of(*event.batch, event.row);
    const auto evidence = [&] { return windows.evidence(engine_.limits_, asked); };
    if (rule.entry.program->quiet_us != 0) return feed_episode(editor_, scope, event, evidence);
    return emit_hit(editor_, output_scope(scope, touch), event, evidence);
  }
  matches_.clear();
  matcher_.on_event(editor_, scope, event, matches_);
  take_matches(scope, touch, touch.time);
}

// What the matcher found at one instant becomes alerts, or feeds the rule's episode, which may be over with it.
void TimelineEngine::take_matches(MatchScope& scope, const Touch& touch, TimeUs now) {
  const BoundRule& rule = *scope.rule;
  const bool in_episodes = rule.entry.program->quiet_us != 0;
  if (!matches_.empty()) scope.key = key_values(rule);
  for (const Match& match : matches_) {
    if (in_episodes) feed_episode(editor_, scope, match, now);
    else emit_match(editor_, output_scope(scope, touch), match, now);
  }
  if (in_episodes) end_due_episode(scope, touch, now, true);
}

void TimelineEngine::end_due_episode(MatchScope& scope, const Touch& touch, TimeUs now, bool absences_came) {
  const EpisodeCell* episode = find_episode(editor_.view(), *scope.rule);
  if (episode == nullptr) return;
  const EpisodeEnd end = episode_end(*episode, editor_.view(), editor_.runs(), *scope.rule, engine_.limits_);
  if (end.time > now || !(end.is_before_absences || absences_came)) return;
  scope.key = key_values(*scope.rule);
  end_episode(editor_, output_scope(scope, touch), now);
}

}  // namespace cep
