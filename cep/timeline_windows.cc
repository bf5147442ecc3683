// See timeline_engine.h: what an event adds to the windows of its keys.
#include <algorithm>

#include "cep/lifetime.h"
#include "cep/ring_numbers.h"
#include "cep/time_math.h"
#include "cep/timeline_engine.h"
#include "cep/truncation.h"

namespace cep {

namespace {

// The number straight from its column. False: it takes the interpreter, or is one that an entry cannot hold.
inline bool column_number(const BoundRing& bound, const Touch& touch, int64_t* number) {
  if (bound.number_column < 0 || static_cast<size_t>(bound.number_column) >= touch.batch->columns.size()) return false;
  const BatchColumn& column = touch.batch->columns[static_cast<size_t>(bound.number_column)];
  *number = column.is_null[touch.row] != 0 ? kNullNumber : column.fixed[touch.row];
  return *number != kNullNumber || column.is_null[touch.row] != 0;
}

}  // namespace

// The ends of the rings of a block that was asked for before.
void TimelineEngine::prefetch_rings(const Prepared& prepared) const {
  const Role& role = *prepared.role;
  if (!role.moves_windows) return;
  uint8_t* const block = spaces_[role.space].table.block_at(prepared.place, prepared.hash);
  if (block == nullptr) return;
  for (const uint32_t number : role.rings) {
    const RingShape& shape = timeline().rings[number].shape;
    Cell* const cell = BlockView(block).find_cell(CellKind::kRing, shape.id);
    if (cell != nullptr) RingEditor::prefetch_ends(cell, shape);
  }
}

// What tells whether the rings of a block are over.
void TimelineEngine::prefetch_newest(const Space& space, uint64_t hash) const {
  uint8_t* const block = timeline().rings.empty() ? nullptr : space.table.block_of(hash);
  if (block == nullptr) return;
  for (const BoundRing& ring : timeline().rings) {
    Cell* const cell = BlockView(block).find_cell(CellKind::kRing, ring.shape.id);
    if (cell != nullptr && ring.shape.keep == RingKeep::kEntries) RingEditor::prefetch_newest(cell, ring.shape);
  }
}

// Of a key whose time is up: whether all of its windows are over and begin anew where they are, for nothing else is to be ended or counted,
// and no memory to be given back.
bool TimelineEngine::begins_anew(const Role& role, const Slot& slot) const {
  constexpr uint32_t kSmallRingBytes = 512;
  const BlockView block(slot.block);
  const BlockHeader& header = block.header();
  bool is_plain = header.run_count == 0 && header.is_timed == 0 && role.longest_us != Limits::key_idle_max_us;
  block.for_each_cell([&](const Cell& cell) {
    const bool is_own = std::any_of(role.rings.begin(), role.rings.end(), [&](uint32_t ring) {
      return timeline().rings[ring].shape.id == cell.id;
    });
    is_plain = is_plain && cell.kind == CellKind::kRing && is_own && cell.size <= kSmallRingBytes;
  });
  return is_plain;
}

// False: that takes another block.
[[gnu::always_inline]] inline bool TimelineEngine::feed_in_place(BlockView block, uint32_t number, const Touch& touch) {
  const BoundRing& bound = timeline().rings[number];
  if (!passes(touch.words, bound.predicate_bit)) return true;
  Cell* cell = block.find_cell(CellKind::kRing, bound.shape.id);
  if (cell == nullptr) return false;
  const uint32_t entries_max = engine_.limits_.window_entries_max;
  int64_t added = 0;
  if (bound.shape.value == RingValue::kNumber && !column_number(bound, touch, &added)) {
    if (!RingEditor::has_room(cell, bound.shape, touch.time, entries_max)) return false;      // evaluated once: what fails is counted
    Value argument;
    const RingEntryValue value = entry_of(bound, touch, &argument);
    added = value.is_null ? kNullNumber : static_cast<int64_t>(value.number);
  }
  if (bound.shape.value != RingValue::kNumber) return RingEditor::append_in_place(cell, bound.shape, touch.time, added, entries_max);
  ring_layout::RingHeader& header = *reinterpret_cast<ring_layout::RingHeader*>(cell->payload());
  return ring_layout::append_number_in_place(header, bound.shape, touch.time, added, entries_max);
}

// Whether the event comes to the rule by this input, and no gate keeps it away.
bool TimelineEngine::is_asked(const RuleInput& input, BlockView block, const Touch& touch) const {
  const BoundRule& rule = engine_.rules_->rules()[input.rule];
  if (rule.entry.mode == RuleMode::kPaused || !passes(touch.words, input.filter_bit)) return false;
  for (const WindowGate& gate : rule.gates) {
    const RingShape& shape = timeline().rings[gate.ring].shape;
    Cell* const cell = block.find_cell(CellKind::kRing, shape.id);
    if (ring_layout::is_closed_by_count(cell, gate) || !RingView(cell, shape).opens(gate, touch.time)) return false;
  }
  return true;
}

// What process_prepared does, for an event that wakes no run: the block is opened only if a ring must grow or a test may hold.
void TimelineEngine::move_windows(const Role& role, Space& space, Slot& slot, const Touch& touch, std::string_view key) {
  keep_image(space, slot);
  const BlockView block(slot.block);
  size_t fed = 0;
  while (fed < role.rings.size() && feed_in_place(block, role.rings[fed], touch)) ++fed;
  bool opens = fed < role.rings.size();
  if (!opens) {
    role.start_index.mark(touch.words, woken_);
    for (size_t i = 0; i < role.inputs.size() && !opens; ++i) {
      opens = (woken_[i / 64] >> (i % 64) & 1) != 0 && is_asked(role.inputs[i], block, touch);
    }
  }
  if (!opens) {
    extend_end(role, slot, touch.time);
    return mark_changed(space, touch.hash, block.header());
  }
  key_ = key;
  key_values_.clear();
  open_key(space, slot, touch.time);
  feed_rings(role, touch, fed);
  run_inputs(role, touch);
  if (Slot* const kept = close_key(space, touch.hash, &slot)) extend_end(role, *kept, touch.time);
}

// Where nothing but windows lives in a key, its end moves on with them. Whether it was opened must not matter: images depend on when a key
// is swept.
void TimelineEngine::extend_end(const Role& role, Slot& slot, TimeUs time) {
  const BlockHeader& header = BlockView(slot.block).header();
  const bool is_all = role.moves_windows && header.run_count == 0 && header.is_timed == 0;
  if (is_all) slot.deadline = std::max(slot.deadline, add_saturating(time, role.longest_us));
}

// The rings of the role; those before `first` have the event already.
void TimelineEngine::feed_rings(const Role& role, const Touch& touch, size_t first) {
  appended_.here.clear();
  for (size_t i = 0; i < role.rings.size(); ++i) {
    const uint32_t number = role.rings[i];
    if (!passes(touch.words, timeline().rings[number].predicate_bit)) continue;
    if (i >= first) feed_ring(number, touch);
    if (role.inputs.empty()) {
      appended_.elsewhere.emplace_back(number, key_);
    } else {
      appended_.here.push_back(number);
    }
  }
}

// What the event under work adds to the ring, but for a whole row. `argument` holds what the entry may point to.
RingEntryValue TimelineEngine::entry_of(const BoundRing& bound, const Touch& touch, Value* argument) {
  RingEntryValue value;
  if (int64_t number = 0; column_number(bound, touch, &number)) {
    value.is_null = number == kNullNumber;
    if (!value.is_null) value.number = number;
    return value;
  }
  const Ring& ring = engine_.rules_->rules()[bound.rule].entry.program->rings[bound.ring];
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
  RingEntryValue value = entry_of(bound, touch, &argument);
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

}  // namespace cep
