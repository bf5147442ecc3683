// See timeline_engine.h: rows and keys. Timers, pruning and durable images are in timeline_state.cc.
#include "cep/timeline_engine.h"

#include <algorithm>
#include <bit>
#include <utility>

#include "cep/key.h"
#include "cep/lifetime.h"
#include "cep/prefetch.h"
#include "cep/time_math.h"
#include "cep/timeline_peek.h"
#include "cep/truncation.h"

namespace cep {
namespace {

constexpr size_t kTimersAtOnce = 16;
// So many touches ahead of those under work the memory of a key is asked for, one miss behind the other.
constexpr size_t kTouchesAtOnce = 8;
constexpr size_t kSlotsAhead = 24;
constexpr size_t kBlocksAhead = 16;
constexpr size_t kRingsAhead = 8;
constexpr size_t kColumnsAhead = 32;        // rows
constexpr size_t kTextsAhead = 16;
constexpr size_t kBlockBytesAhead = 320;    // of a key with runs
constexpr size_t kWindowBytesAhead = 160;   // of one whose windows move: its head and the state of a window
constexpr size_t kRowsApart = 4;            // on average, so that columns are asked for ahead
constexpr size_t kSweepLeast = 16;          // slots swept at least
constexpr size_t kSweepStep = 64;           // at a time
constexpr size_t kSweepPerTouch = 2;

// What binding the row will read, asked for ahead.
void prefetch_columns(const Batch& batch, uint32_t row) {
  for (const BatchColumn& column : batch.columns) {
    prefetch(column.is_null.data() + row);
    if (column.kind == TypeKind::kFloat) {
      prefetch(column.real.data() + row);
    } else if (column.kind == TypeKind::kIp) {
      prefetch(column.ip.data() + row);
    } else if (column.kind == TypeKind::kText) {
      prefetch(column.offset.data() + row);
      prefetch(column.length.data() + row);
    } else {
      prefetch(column.fixed.data() + row);
    }
  }
  prefetch(batch.position.data() + row);
}

// After its columns: texts of a row mostly stand together.
void prefetch_texts(const Batch& batch, uint32_t row) {
  for (const BatchColumn& column : batch.columns) {
    if (column.kind == TypeKind::kText) prefetch(batch.arena.data() + column.offset[row]);
  }
}

}  // namespace

TimelineEngine::TimelineEngine(Engine& engine, uint32_t timeline, TimelineLoan* loan)
    : engine_(engine), index_(timeline), editor_(memory_), loan_(loan) {
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

void TimelineEngine::rebind(uint32_t index) {
  WEIR_CHECK(images_.keys.empty(), "rules change while images are being taken");
  index_ = index;
  timeline_ = &engine_.rules_->timelines()[index];
  peek_.reset();
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
  has_episodes_ = has_absences_ = false;
  longest_us_ = kSecond;
  for (const uint32_t number : timeline().rules) {
    const BoundRule& rule = engine_.rules_->rules()[number];
    has_episodes_ = has_episodes_ || rule.entry.program->quiet_us != 0;
    for (const StateWake& wake : rule.wakes) has_absences_ = has_absences_ || wake.has_deadline;
    longest_us_ = std::max(longest_us_, run_horizon(*rule.entry.program, engine_.limits_));
  }
  for (const BoundRing& ring : timeline().rings) longest_us_ = std::max(longest_us_, ring.shape.extents.back().span_us);
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

bool TimelineEngine::owns(uint64_t key_hash) const {
  return engine_.shard_count_ == 1 || timeline().owner(key_hash, engine_.shard_count_) == engine_.shard_;
}

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
  process_rows(batch, 0, batch.rows(), words_, alerts);
  return true;
}

void TimelineEngine::buffer(const BatchPtr& batch, const Admission& admission) {
  is_new_ = false;
  texts_.clear();
  auto waiting = std::make_shared<WaitingBatch>();
  waiting->batch = batch;
  for (uint32_t row = 0; row < batch->rows(); ++row) {
    bool late = !admission.late.empty() && admission.late[row] != 0;
    if (late || !is_owned_by_shard(*batch, row)) continue;
    const uint64_t arrival = reorder_.push(waiting, row);
    if (peek_ != nullptr) peek_->note_waiting({batch->time[row], arrival, waiting, row, batch->source});
  }
}

// Derived rows come after every row from outside of the same instant.
void TimelineEngine::release(const Admission& admission, std::vector<Alert>& alerts) {
  Reorder::Item item;
  for (;;) {
    TimeUs derived = derived_.empty() ? kTimeMax : std::get<TimeUs>(derived_.begin()->first);
    if (derived >= admission.frontier) derived = kTimeMax;
    if (reorder_.next_time() <= derived && reorder_.pop(admission.frontier, admission.frontier_source, &item)) {
      if (peek_ != nullptr) peek_->note_released(item);
      process_rows(*item.batch->batch, item.row, item.row + 1, words_of(*item.batch), alerts);
    } else if (derived != kTimeMax) {
      release_derived(alerts);
    } else {
      break;
    }
  }
  const TimeUs before = std::exchange(frontier_, std::max(frontier_, admission.frontier));
  while (take_due_timers()) {
    for (const auto& [space, hash] : due_) service_key(*space, hash, frontier_, alerts);
  }
  sweep(before, alerts);
}

// Keys of which only the end is awaited have no timer: a hand goes round their tables, as fast as touches come and, when none come, once in
// the longest time that anything is remembered. What is over before the hand comes by is seen to be over by whoever touches the key.
void TimelineEngine::sweep(TimeUs before, std::vector<Alert>& alerts) {
  const double passed = before == kTimeMin ? 1 : static_cast<double>(frontier_ - before) / static_cast<double>(longest_us_);
  for (Space& space : spaces_) {
    const auto slots = static_cast<double>(space.table.slots());
    space.sweep_credit = std::min(slots, space.sweep_credit + passed * slots);
    const auto by_time = static_cast<size_t>(space.sweep_credit);
    space.sweep_credit -= static_cast<double>(by_time);
    size_t left = std::min(space.table.slots(), kSweepLeast + kSweepPerTouch * touches_ + by_time);
    while (left > 0) {
      due_.clear();
      const size_t step = std::min(left, kSweepStep);
      left -= step;
      space.table.sweep(step, frontier_, [&](const Slot& slot) {
        due_.emplace_back(&space, slot.hash);
        prefetch(slot.block);
        prefetch(slot.block + 64);
      });
      for (const auto& [at, hash] : due_) prefetch_newest(*at, hash);
      for (const auto& [at, hash] : due_) service_key(*at, hash, frontier_, alerts);
    }
  }
  touches_ = 0;
}

// Takes the next timers that are due, and asks for the memory of their keys. Which of two keys comes first does not matter.
bool TimelineEngine::take_due_timers() {
  due_.clear();
  while (due_.size() < kTimersAtOnce && !timers_.empty() && timers_.front()->time <= frontier_) {
    const KeyTimer timer = timers_.take();
    for (Space& space : spaces_) {
      if (space.id != timer.space) continue;
      due_.emplace_back(&space, timer.hash);
      space.table.prefetch_slot(timer.hash);
    }
  }
  for (const auto& [space, hash] : due_) space->table.prefetch_block(hash, kBlockBytesAhead);
  return !due_.empty();
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

[[gnu::always_inline]] inline bool TimelineEngine::prepare_key(const Role& role, const Batch& batch, uint32_t row) {
  if (role.text_key >= 0 && static_cast<size_t>(role.text_key) < batch.columns.size()) {        // the usual key
    if (batch.columns[static_cast<size_t>(role.text_key)].is_null[row] != 0) return false;
    const std::string_view text = batch.text(row, static_cast<uint16_t>(role.text_key));
    char* const key = prepared_keys_.room(kTextKeyHead + std::max(text.size(), kArenaSpareBytes));
    prepared_keys_.take(put_text_key(key, text));
    return true;
  }
  key_.clear();
  if (!encode_row_key(batch, row, role, key_)) return false;
  std::memcpy(prepared_keys_.room(key_.size()), key_.data(), key_.size());
  prepared_keys_.take(key_.size());
  return true;
}

// If the role may care about the row: works out the touch, and asks for the memory of its key's slot.
void TimelineEngine::prepare(const Role& role, const Batch& batch, uint32_t row, const uint64_t* words) {
  const bool starts = role.starts.is_met(words);
  if (!starts && !role.runs.is_met(words)) return;
  Prepared& prepared = prepared_.emplace_back();
  prepared.role = &role;
  prepared.row = row;
  prepared.starts = starts;
  prepared.key_begin = prepared_keys_.used();
  prepared.has_key = prepare_key(role, batch, row);
  prepared.key_end = prepared_keys_.used();
  if (prepared.has_key) {
    const std::string_view key = prepared_keys_.key(prepared.key_begin, prepared.key_end);
    prepared.hash = hash_bytes(key.data(), key.size());
    spaces_[role.space].table.prefetch_slot(prepared.hash);
  }
  if (!owns(prepared.hash)) prepared_.pop_back();      // one without a key, of hash 0, is counted once
}

// The head of the key's block. True: it has none, and was asked for the one that it is going to get behind `created` others.
[[gnu::always_inline]] inline bool TimelineEngine::prefetch_block(Prepared& prepared, size_t created) const {
  if (!prepared.has_key) return false;
  const Space& space = spaces_[prepared.role->space];
  prepared.place = space.table.place_of(prepared.hash);
  if (const Slot* const slot = prepared.place.slot) {
    const size_t bytes = prepared.role->moves_windows ? kWindowBytesAhead : kBlockBytesAhead;
    for (size_t at = 0; at < bytes; at += 64) prefetch(slot->block + at);
    return false;
  }
  if (prepared.starts) editor_.prefetch_new(prepared.key_end - prepared.key_begin, space.new_block_bytes, created);
  return prepared.starts;
}

// Rows [first, last) of a batch: those that some role cares about. What a touch needs is asked for while those before it are under work.
void TimelineEngine::process_rows(const Batch& batch, uint32_t first, uint32_t last, const std::vector<uint64_t>& words,
                                  std::vector<Alert>& alerts) {
  const TimelineStream& stream = *timeline().find(batch.schema->id);
  const size_t per_row = stream.predicates.words_per_row();
  awake_.resize(last - first);
  size_t awake = 0;
  for (uint32_t row = first; row < last; ++row) {      // without a branch: nothing foretells which row it is
    awake_[awake] = row;
    awake += static_cast<size_t>(stream.cares.is_met(words.data() + row * per_row));
  }
  awake_.resize(awake);
  const bool are_apart = awake_.size() * kRowsApart <= last - first;       // else the processor reads ahead by itself
  size_t columns = 0, texts = 0, rows = 0;          // how far each of them is
  const auto prepare_next = [&] {
    const uint32_t row = awake_[rows];
    if (are_apart) {
      for (; columns < std::min(awake_.size(), rows + kColumnsAhead); ++columns) prefetch_columns(batch, awake_[columns]);
      for (; texts < std::min(awake_.size(), rows + kTextsAhead); ++texts) prefetch_texts(batch, awake_[texts]);
    }
    for (const Role& role : stream.feeders) prepare(role, batch, row, words.data() + row * per_row);
    for (const Role& role : stream.roles) prepare(role, batch, row, words.data() + row * per_row);
    ++rows;
  };
  Touch touch;
  touch.batch = &batch;
  touch.alerts = &alerts;
  uint32_t counted = UINT32_MAX;       // the row counted last
  size_t blocks = 0, rings = 0;
  size_t created = 0;                  // keys to come whose blocks were asked for
  for (size_t at = 0;;) {
    const size_t end = at + kTouchesAtOnce;
    while (rows < awake_.size() && prepared_.size() < end + kSlotsAhead) prepare_next();
    if (at == prepared_.size()) break;
    for (const size_t last = std::min(prepared_.size(), end + kBlocksAhead); blocks < last; ++blocks) {
      prepared_[blocks].is_new = prefetch_block(prepared_[blocks], created);
      created += prepared_[blocks].is_new ? 1 : 0;
    }
    for (const size_t last = std::min(prepared_.size(), end + kRingsAhead); rings < last; ++rings) prefetch_rings(prepared_[rings]);
    texts_.clear();
    for (const size_t last = std::min(prepared_.size(), end); at < last; ++at) {
      const Prepared& prepared = prepared_[at];
      touch.row = prepared.row;
      touch.time = batch.time[prepared.row];
      touch.words = words.data() + prepared.row * per_row;
      if (counted != prepared.row) {
        ++engine_.counters_.events;
        appended_.elsewhere.clear();
        touch.fold = fold_words(touch.words, static_cast<uint32_t>(per_row));
      }
      counted = prepared.row;
      created -= prepared.is_new ? 1 : 0;
      process_prepared(prepared, touch);
    }
  }
  prepared_.clear();
  prepared_keys_.clear();
}

void TimelineEngine::process_prepared(const Prepared& prepared, Touch& touch) {
  const Role& role = *prepared.role;
  ++touches_;
  if (!prepared.has_key) {
    bool seen = std::any_of(role.inputs.begin(), role.inputs.end(),
                            [&](const RuleInput& input) { return passes(touch.words, input.filter_bit); });
    if (seen) ++engine_.counters_.null_key;      // R69: an event that only the missing key keeps from a rule
    return;
  }
  Space& space = spaces_[role.space];
  touch.hash = prepared.hash;
  const std::string_view key = prepared_keys_.key(prepared.key_begin, prepared.key_end);
  Slot* slot = space.table.find_at(prepared.place, touch.hash, key);
  if (slot == nullptr && loan_ != nullptr) slot = borrow(space, touch.hash, key);
  const bool wakes = slot != nullptr && (slot->awaits & touch.fold) != 0;
  if (!prepared.starts && !wakes) return;
  if (role.moves_windows && slot != nullptr && !wakes && (slot->deadline > touch.time || begins_anew(role, *slot))) {
    return move_windows(role, space, *slot, touch, key);
  }
  key_ = key;
  key_values_.clear();
  if (slot != nullptr) {
    open_key(space, *slot, touch.time);
    if (slot->deadline <= touch.time) {
      const size_t made = touch.alerts->size();
      fire_deadlines(touch, touch.time);
      if (loan_ != nullptr) touch.alerts->resize(made);      // what a deadline completes does not complete on the event (R37)
      prune(touch.time);                       // a batch may be long: what is over must not wait for its end
      forget_deadline(*slot);
    }
  } else {
    editor_.create(key_, space.new_block_bytes);
  }
  feed_rings(role, touch);
  run_inputs(role, touch);
  slot = close_key(space, touch.hash, slot);
  if (slot != nullptr) extend_end(role, *slot, touch.time);
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
      if (!is_asked(input, editor_.view(), touch)) continue;
      run_rule(rule, input.input, touch);
      // A stream read twice: what the event did by one input may wait for it by the next.
      if (number + 1 < role.inputs.size() && role.inputs[number + 1].rule == input.rule) wake_inputs(role, number + 1);
    }
  }
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
  scope.merges_runs = rule.merges_runs && engine_.merges_runs_;
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
  scope.keeps_folded = loan_ != nullptr;
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
  editor_.drop_passing();
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
