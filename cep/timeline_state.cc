// See timeline_engine.h: timers, pruning, the life of a block, and its images for the store.
#include <algorithm>
#include <map>
#include <set>

#include "cep/key.h"
#include "cep/lifetime.h"
#include "cep/time_math.h"
#include "cep/timeline_engine.h"
#include "cep/timeline_peek.h"

namespace cep {
namespace {

// Visits the rules with an open episode in the block, with the time when it ends.
template <class F>
void for_each_episode(BlockView block, std::span<const Run> runs, const RuleSet& rules, const Limits& limits, F&& visit) {
  block.for_each_cell([&](Cell& cell) {
    const BoundRule* rule = cell.kind == CellKind::kEpisode ? rules.find(static_cast<ProgramId>(cell.id)) : nullptr;
    if (rule == nullptr) return;
    visit(rule, episode_end(*reinterpret_cast<EpisodeCell*>(cell.payload()), block, runs, *rule, limits).time);
  });
}

// Copies what nodes reach from one block into another, nodes and rows once each. The editor has room for all of it: nothing moves.
class HistoryCopier {
 public:
  HistoryCopier(BlockView from, BlockEditor& to) : from_(from), to_(to) {}

  // The copy of a Node, or of a MergedNode.
  uint32_t copy(uint32_t root, bool is_merged) {
    std::set<uint32_t> nodes;                 // older ones first, as they refer to each other
    std::vector<uint32_t> pending{root};
    while (!pending.empty()) {
      const uint32_t ref = pending.back();
      pending.pop_back();
      if (ref == 0 || copied_.contains(ref) || !nodes.insert(ref).second) continue;
      pending.push_back(from_.node(ref).previous);
      if (is_merged) pending.push_back(from_.merged_node(ref).older);
    }
    for (const uint32_t ref : nodes) copied_[ref] = is_merged ? copy_merged_node(ref) : copy_node(ref);
    return copied_.at(root);
  }

 private:
  uint32_t copied(uint32_t ref) const { return ref == 0 ? 0 : copied_.at(ref); }
  uint32_t copy_row(uint32_t ref) {
    uint32_t& row = copied_[ref];
    if (row == 0) row = to_.add_packed_row(from_.row(ref), from_.row_header(ref).size);
    return row;
  }
  uint32_t copy_node(uint32_t ref) {
    Node node = from_.node(ref);
    node.row = copy_row(node.row);
    node.previous = copied(node.previous);
    return to_.add_node(node);
  }
  uint32_t copy_merged_node(uint32_t ref) {
    MergedNode node = from_.merged_node(ref);
    node.row = copy_row(node.row);
    node.previous = copied(node.previous);
    node.older = copied(node.older);
    return to_.add_merged_node(node);
  }

  BlockView from_;
  BlockEditor& to_;
  std::map<uint32_t, uint32_t> copied_;       // nodes and rows: there -> here
};

}  // namespace

// Completes every absence of the open block whose deadline is at most `until`, and ends every episode that is over by then, in order of
// time, then rule.
void TimelineEngine::fire_deadlines(const Touch& touch, TimeUs until) {
  appended_.here.clear();
  while (has_absences_ || has_episodes_) {
    TimeUs next = kTimeMax;
    std::vector<const BoundRule*> due;
    const auto consider = [&](const BoundRule* rule, TimeUs time) {
      if (time > until || time > next) return;
      if (time < next) due.clear();
      next = time;
      if (time != kTimeMax && std::find(due.begin(), due.end(), rule) == due.end()) due.push_back(rule);
    };
    for (const Run& run : editor_.runs()) {
      const BoundRule* rule = engine_.rules_->find(run.program);
      if (rule == nullptr || !rule->wakes[run.state].has_deadline) continue;
      consider(rule, run_deadline(editor_.view(), *rule->entry.program, run));
    }
    if (has_episodes_) for_each_episode(editor_.view(), editor_.runs(), *engine_.rules_, engine_.limits_, consider);
    if (due.empty()) return;
    std::sort(due.begin(), due.end());     // rules are stored by name
    for (const BoundRule* rule : due) {
      BlockWindows windows(*this, editor_, *rule, next, appended_, engine_.eval_counters_);
      MatchScope scope = match_scope(*rule);
      scope.windows = &windows;
      end_due_episode(scope, touch, next, false);
      matches_.clear();
      matcher_.on_deadline(editor_, scope, next, matches_);
      take_matches(scope, touch, next);
    }
  }
}

// The usual end of a key, without opening its block. False: something is still to be said or counted of it, or it is not over.
bool TimelineEngine::drop_if_over(Space& space, Slot& slot, TimeUs now) {
  if (has_absences_ || has_episodes_ || is_changed_before_barrier(BlockView(slot.block))) return false;
  const BlockView block(slot.block);
  for (const Run& run : block.runs()) {
    const BoundRule* rule = engine_.rules_->find(run.program);
    if (rule != nullptr && rule->entry.program->within_us == kTimeMax) return false;
  }
  bool counts = false;
  block.for_each_cell([&](const Cell& cell) {
    const BoundRing* ring = cell.kind == CellKind::kRing ? ring_by_id(cell.id) : nullptr;
    counts = counts || (ring != nullptr && ring->shape.extents.back().span_us == Limits::key_idle_max_us);
  });
  if (counts || !is_over(block, now)) return false;
  if (block.header().segment != 0) gone_.push_back({space.id, slot.hash, block.header().segment});
  memory_.release(slot.block);
  space.table.erase(&slot);
  return true;
}

// A timer of the key is due: absences complete, what can no longer matter is removed.
void TimelineEngine::service_key(Space& space, uint64_t hash, TimeUs now, std::vector<Alert>& alerts) {
  for (;;) {
    Slot* due = nullptr;
    space.table.for_each_of_hash(hash, [&](Slot& slot) {
      if (slot.deadline <= now) due = &slot;
      return due != nullptr;
    });
    if (due == nullptr) return;
    if (drop_if_over(space, *due, now)) continue;
    texts_.clear();
    key_ = BlockView(due->block).key();
    key_values_.clear();
    open_key(space, *due, now);
    forget_deadline(*due);
    Touch touch;
    touch.hash = hash;
    touch.time = now;
    touch.alerts = &alerts;
    fire_deadlines(touch, now);
    prune(now);
    close_key(space, hash, due);
  }
}

// When a cell stops mattering; kTimeMin if nothing of the present rules reads it.
TimeUs TimelineEngine::cell_end(Cell& cell) const {
  const RuleSet& rules = *engine_.rules_;
  if (cell.kind == CellKind::kRing) {
    const BoundRing* ring = ring_by_id(cell.id);
    if (ring == nullptr) return kTimeMin;
    TimeUs newest = ring->shape.keep == RingKeep::kEntries ? RingView(&cell, ring->shape).newest_time()
                                                           : LifetimeView(&cell, ring->shape).newest_time();
    return newest == kTimeMin ? kTimeMin : add_saturating(newest, ring->shape.extents.back().span_us);
  }
  bool has_part = cell.kind == CellKind::kHeadNot || cell.kind == CellKind::kTruncated;
  const BoundRule* rule = rules.find(static_cast<ProgramId>(has_part ? cell.id >> 16 : cell.id));
  if (rule == nullptr) return kTimeMin;
  if (cell.kind == CellKind::kSuppress) {
    const SuppressCell& suppress = *reinterpret_cast<const SuppressCell*>(cell.payload());
    // A count of folded matches waits for the next alert, but not for ever.
    return suppress.folded == 0 ? suppress.until : add_saturating(suppress.until, engine_.limits_.run_age_max_us);
  }
  if (cell.kind == CellKind::kEpisode) {
    return add_saturating(reinterpret_cast<const EpisodeCell*>(cell.payload())->last, rule->entry.program->quiet_us);
  }
  TimeUs time = reinterpret_cast<const TimeCell*>(cell.payload())->time;
  if (cell.kind == CellKind::kTruncated) return add_saturating(time, 1);
  return add_saturating(time, rule->entry.program->head_nots[cell.id & 0xffff].span_us);
}

void TimelineEngine::prune(TimeUs now) {
  BlockView view = editor_.view();
  std::erase_if(editor_.runs(), [&](const Run& run) {
    const BoundRule* rule = engine_.rules_->find(run.program);
    if (rule == nullptr) return true;
    bool over = run_end(view, *rule->entry.program, run, engine_.limits_) <= now;
    if (over && rule->entry.program->within_us == kTimeMax) ++engine_.counters_.runs_aged;
    return over;
  });
  for (bool removed = true; removed;) {
    removed = false;
    Cell* dead = nullptr;
    view.for_each_cell([&](Cell& cell) {
      const BoundRing* ring = cell.kind == CellKind::kRing ? ring_by_id(cell.id) : nullptr;
      if (ring != nullptr && ring->shape.keep == RingKeep::kEntries) RingEditor::advance(&cell, ring->shape, now);
      if (dead == nullptr && cell_end(cell) <= now) dead = &cell;
    });
    if (dead != nullptr) {
      const BoundRing* ring = dead->kind == CellKind::kRing ? ring_by_id(dead->id) : nullptr;
      if (ring != nullptr && ring->shape.extents.back().span_us == Limits::key_idle_max_us) ++engine_.counters_.keys_forgotten;
      editor_.remove_cell(dead);
      removed = true;
    }
  }
}

const BoundRing* TimelineEngine::ring_by_id(uint64_t id) const {
  for (const BoundRing& ring : timeline().rings) {
    if (ring.shape.id == id) return &ring;
  }
  return nullptr;
}

uint64_t TimelineEngine::awaits_of(BlockView block) const {
  uint64_t awaits = 0;
  for (const Run& run : block.runs()) {
    const StateWake* wake = engine_.rules_->wake(run.program, run.state);
    if (wake != nullptr) awaits |= wake->fold;
  }
  return awaits;
}

// A block that exists and stays was changed in place, in this epoch and since its image of the one before was taken.
void TimelineEngine::mark_changed(const Space& space, uint64_t hash, BlockHeader& header) {
  if (!engine_.has_images_) return;
  if (header.dirty == 0) dirty_.emplace_back(space.id, hash);
  header.dirty = epoch_;
}

// Ends the work on a key: `slot` is nullptr if the key is new. The block is dirty from here on, or gone: then the answer is nullptr.
Slot* TimelineEngine::close_key(Space& space, uint64_t hash, Slot* slot) {
  BlockHeader& header = editor_.view().header();
  uint32_t segment = header.segment;
  uint8_t* block = editor_.close();
  if (block == nullptr) {
    if (slot != nullptr) space.table.erase(slot);
    if (segment != 0) gone_.push_back({space.id, hash, segment});
    return nullptr;
  }
  if (slot == nullptr) {
    slot = space.table.insert(hash, block);
    space.new_block_bytes = BlockView(block).used_bytes();
  } else {
    slot->block = block;
  }
  mark_changed(space, hash, BlockView(block).header());      // open_key saw to the epoch before
  slot->awaits = awaits_of(BlockView(block));
  schedule(space, *slot);
  return slot;
}

// Of the slot whose block is open.
void TimelineEngine::forget_deadline(Slot& slot) {
  slot.deadline = kTimeMax;
  editor_.view().header().is_timed = 0;
}

// When the last of it stops mattering.
TimeUs TimelineEngine::key_end(BlockView block) const {
  TimeUs end = kTimeMin;
  for (const Run& run : block.runs()) {
    const BoundRule* rule = engine_.rules_->find(run.program);
    if (rule != nullptr) end = std::max(end, run_end(block, *rule->entry.program, run, engine_.limits_));
  }
  block.for_each_cell([&](Cell& cell) { end = std::max(end, cell_end(cell)); });
  return end;
}

// One timer a key: its next absence or end of an episode. Where there is none, the slot says when nothing of the key can matter any more.
void TimelineEngine::schedule(Space& space, Slot& slot) {
  BlockView view(slot.block);
  TimeUs next = kTimeMax;
  for (const Run& run : view.runs()) {
    if (!has_absences_) break;
    const BoundRule* rule = engine_.rules_->find(run.program);
    bool waits = rule != nullptr && rule->wakes[run.state].has_deadline;
    if (waits) next = std::min(next, run_deadline(view, *rule->entry.program, run));
  }
  const auto ends = [&](const BoundRule*, TimeUs end) { next = std::min(next, end); };
  if (has_episodes_) for_each_episode(view, view.runs(), *engine_.rules_, engine_.limits_, ends);
  if (next != kTimeMax) {
    if (view.header().is_timed != 0 && next >= slot.deadline) return;
    slot.deadline = next;
    view.header().is_timed = 1;
    timers_.push({next, space.id, slot.hash});
    return;
  }
  if (slot.deadline == kTimeMax) slot.deadline = key_end(view);
}

void TimelineEngine::end(std::vector<KeyImage>& images) {
  for (Space& space : spaces_) drop_space(space);
  while (!derived_.empty()) drop_derived(derived_.begin());
  for (const GoneKey& gone : gone_) images.push_back({gone.space, gone.hash, kTimeMax, gone.segment, {}});
}

void TimelineEngine::begin_images(uint32_t segment, const std::vector<uint32_t>& victims) {
  WEIR_CHECK(images_.keys.empty() && images_.ahead.empty(), "the images of the barrier before were not all taken");
  images_ = BarrierImages();
  images_.segment = segment;
  images_.victims = victims;
  images_.keys.swap(dirty_);
  for (const GoneKey& gone : gone_) images_.ahead.push_back({gone.space, gone.hash, kTimeMax, gone.segment, {}});
  gone_.clear();
  begin_derived_images();
  epoch_ = static_cast<uint8_t>(3 - epoch_);
}

bool TimelineEngine::is_changed_before_barrier(BlockView block) const {
  return block.header().dirty != 0 && block.header().dirty != epoch_;
}

void TimelineEngine::take_image(const Space& space, Slot& slot, std::vector<KeyImage>& images) {
  BlockHeader& header = BlockView(slot.block).header();
  images.push_back({space.id, slot.hash, slot.deadline, header.segment, block_image(BlockView(slot.block))});
  header.segment = images_.segment;
  header.dirty = 0;
}

// Before any change of a key that exists.
void TimelineEngine::keep_image(const Space& space, Slot& slot) {
  bool takes_image = is_changed_before_barrier(BlockView(slot.block));
#ifdef WEIR_MUTANT_IMAGE_AFTER_CHANGE
  takes_image = false;
#endif
  if (takes_image) take_image(space, slot, images_.ahead);
}

void TimelineEngine::open_key(Space& space, Slot& slot, TimeUs now) {
  keep_image(space, slot);
  editor_.open(slot.block, engine_.rules_.get(), now);
}

bool TimelineEngine::take_images(size_t* bytes_left, std::vector<KeyImage>& images) {
  std::move(images_.ahead.begin(), images_.ahead.end(), std::back_inserter(images));
  images_.ahead.clear();
  while (!images_.keys.empty()) {
    if (*bytes_left == 0) return true;
    const auto [space_id, hash] = images_.keys.front();
    images_.keys.pop_front();
    const size_t first = images.size();
    for (Space& space : spaces_) {
      if (space.id != space_id) continue;
      space.table.for_each_of_hash(hash, [&](Slot& slot) {
        if (is_changed_before_barrier(BlockView(slot.block))) take_image(space, slot, images);
        return false;
      });
    }
    for (size_t i = first; i < images.size(); ++i) *bytes_left -= std::min(*bytes_left, images[i].bytes.size());
  }
  return !images_.victims.empty() && take_victims(bytes_left, images);
}

// Keys whose image is in a segment that is to be emptied. One that changed since the barrier has left it by itself next time.
bool TimelineEngine::take_victims(size_t* bytes_left, std::vector<KeyImage>& images) {
  for (; images_.victim_space < spaces_.size(); ++images_.victim_space, images_.victim_hand = {}) {
    Space& space = spaces_[images_.victim_space];
    bool more = true;
    while (more && *bytes_left > 0) {
      size_t cost = sizeof(Slot);
      more = space.table.visit_next(images_.victim_hand, [&](Slot& slot) {
        const BlockHeader& header = BlockView(slot.block).header();
        const std::vector<uint32_t>& victims = images_.victims;
        if (header.dirty != 0 || std::find(victims.begin(), victims.end(), header.segment) == victims.end()) return;
        take_image(space, slot, images);
        cost += images.back().bytes.size();
      });
      *bytes_left -= std::min(*bytes_left, cost);
    }
    if (more) return true;
  }
  images_.victims.clear();
  return false;
}

bool TimelineEngine::restore_key(uint64_t space_id, uint64_t hash, uint32_t segment, std::string_view bytes, bool* known) {
  if (space_id == derived_space_) {
    *known = true;
    return restore_derived(segment, bytes);
  }
  for (size_t i = 0; i < spaces_.size(); ++i) {
    Space& space = spaces_[i];
    if (space.id != space_id) continue;
    *known = true;
    is_new_ = false;
    if (bytes.size() < sizeof(BlockHeader)) return false;
    image_.resize((bytes.size() + 7) / 8);
    const std::span<uint8_t> copy(reinterpret_cast<uint8_t*>(image_.data()), bytes.size());
    std::memcpy(copy.data(), bytes.data(), bytes.size());
    if (!verify_block(copy, timeline().spaces[i].parts, *engine_.rules_, timeline().rings)) return false;
    uint8_t* block = block_of_image(copy, memory_);
    BlockView view(block);
    view.header().segment = segment;
    Slot* slot = space.table.insert(hash, block);
    slot->awaits = awaits_of(view);
    schedule(space, *slot);
    return true;
  }
  return true;
}

void TimelineEngine::restore_buffered(const BatchPtr& batch, std::span<const uint32_t> rows) {
  is_new_ = false;
  texts_.clear();
  auto waiting = std::make_shared<WaitingBatch>();
  waiting->batch = batch;
  for (uint32_t row : rows) {
    if (is_owned_by_shard(*batch, row)) reorder_.push(waiting, row);
  }
}

BufferedRows TimelineEngine::buffered() const {
  BufferedRows rows;
  rows.timeline = name_;
  reorder_.for_each([&](const Reorder::Item& item) { rows.positions.push_back(item.batch->batch->position[item.row]); });
  return rows;
}

// Two cells of one ring end with the same events; the one with more of them reaches further back. A warmed ring does where a new
// rule's window is longer than all before it, this key's own where the log has forgotten what it still holds (R74, R75).
bool TimelineEngine::reaches_further(Cell& warmed, Cell& own) const {
  if (warmed.kind != CellKind::kRing) return false;
  const BoundRing* ring = ring_by_id(warmed.id);
  if (ring == nullptr) return false;
  if (ring->shape.keep != RingKeep::kEntries) {
    return LifetimeView(&warmed, ring->shape).events() > LifetimeView(&own, ring->shape).events();
  }
  return RingView(&warmed, ring->shape).entries() > RingView(&own, ring->shape).entries();
}

// Copies the warmed programs' runs and episodes with their histories, their other cells, and rings that reach further back than this
// key's own.
void TimelineEngine::adopt_block(BlockView warmed, std::span<const ProgramId> programs, Space& space, uint64_t hash) {
  auto is_wanted = [&](ProgramId id) { return std::find(programs.begin(), programs.end(), id) != programs.end(); };
  key_ = warmed.key();
  Slot* slot = space.table.find(hash, key_);
  if (slot != nullptr) {
    open_key(space, *slot, frontier_);
  } else {
    editor_.create(key_);
  }
  BlockHeader& header = editor_.view().header();
  header.next_row = std::max(header.next_row, warmed.header().next_row);
  editor_.reserve(warmed.header().heap_bytes + warmed.header().run_count * static_cast<uint32_t>(sizeof(Run)));
  HistoryCopier histories(warmed, editor_);
  for (const Run& run : warmed.runs()) {
    if (!is_wanted(run.program)) continue;
    Run moved = run;
    moved.node = histories.copy(run.node, run.is_merged != 0);
    editor_.runs().push_back(moved);
    if (run.is_merged != 0) editor_.view().header().format = kMergedBlockFormat;
  }
  std::map<ProgramId, uint32_t> listed;         // by episodes: as the editor holds it
  warmed.for_each_cell([&](Cell& cell) {
    const auto program = static_cast<ProgramId>(cell.id);
    if (cell.kind != CellKind::kEpisode || !is_wanted(program)) return;
    listed[program] = editor_.hold(histories.copy(reinterpret_cast<EpisodeCell*>(cell.payload())->node, false));
  });
  warmed.for_each_cell([&](Cell& cell) {
    bool has_part = cell.kind == CellKind::kHeadNot || cell.kind == CellKind::kTruncated;
    bool wanted = cell.kind == CellKind::kRing || is_wanted(static_cast<ProgramId>(has_part ? cell.id >> 16 : cell.id));
    if (!wanted) return;
    const uint32_t bytes = cell.size - static_cast<uint32_t>(sizeof(Cell));
    Cell* own = editor_.view().find_cell(cell.kind, cell.id);
    if (own != nullptr && !reaches_further(cell, *own)) return;
    own = own != nullptr ? editor_.resize_cell(own, bytes) : editor_.add_cell(cell.kind, cell.id, bytes);
    std::memcpy(own->payload(), cell.payload(), bytes);
    if (cell.kind != CellKind::kEpisode) return;
    reinterpret_cast<EpisodeCell*>(own->payload())->node = editor_.held(listed.at(static_cast<ProgramId>(cell.id)));
  });
  close_key(space, hash, slot);
}

// This shard kept the waiting rows that were its own by the keys of the rules so far; by the new keys others may be. The warmed engine
// is of one shard and has them all.
void TimelineEngine::adopt_waiting(const TimelineEngine& warmed) {
  texts_.clear();
  reorder_ = Reorder();
  std::map<const Batch*, std::shared_ptr<WaitingBatch>> adopted;
  warmed.reorder_.for_each_in_arrival_order([&](const Reorder::Item& item) {
    const BatchPtr& batch = item.batch->batch;
    if (item.time <= frontier_ || !is_owned_by_shard(*batch, item.row)) return;
    std::shared_ptr<WaitingBatch>& waiting = adopted[batch.get()];
    if (waiting == nullptr) waiting = std::make_shared<WaitingBatch>(WaitingBatch{batch, {}, 0});
    reorder_.push(waiting, item.row);
  });
}

void TimelineEngine::adopt(const TimelineEngine& warmed, std::span<const ProgramId> programs) {
  if (is_new_) {
    frontier_ = warmed.frontier_;
    adopt_derived(warmed);
  }
  is_new_ = false;
  peek_.reset();
  adopt_waiting(warmed);
  for (const Space& from : warmed.spaces_) {
    for (Space& space : spaces_) {
      if (space.id != from.id) continue;
      from.table.for_each([&](const Slot& slot) {
        if (owns(slot.hash)) adopt_block(BlockView(slot.block), programs, space, slot.hash);
      });
    }
  }
}

// Of a key of which a peek has no copy yet, what it is a copy of.
const Slot* TimelineEngine::find(uint64_t space_id, uint64_t hash, std::string_view key) const {
  for (const Space& space : spaces_) {
    if (space.id != space_id) continue;
    const Slot* slot = space.table.find(hash, key);
    if (slot != nullptr || loan_ == nullptr) return slot;
    const Slot* there = loan_->lender.find(space_id, hash, key);
    return loan_->lent.contains(there) ? nullptr : there;
  }
  return nullptr;
}

uint64_t TimelineEngine::keys() const {
  uint64_t keys = 0;
  for (const Space& space : spaces_) keys += space.table.size();
  return keys;
}

uint64_t TimelineEngine::runs(ProgramId program) const {
  uint64_t runs = 0;
  for (const Space& space : spaces_) {
    space.table.for_each([&](const Slot& slot) {
      for (const Run& run : BlockView(slot.block).runs()) runs += run.program == program ? 1 : 0;
    });
  }
  return runs;
}

void TimelineEngine::count_runs(std::map<ProgramId, uint64_t>& runs) const {
  for (const Space& space : spaces_) {
    space.table.for_each([&](const Slot& slot) {
      for (const Run& run : BlockView(slot.block).runs()) ++runs[run.program];
    });
  }
}

uint64_t TimelineEngine::state_bytes() const {
  uint64_t bytes = memory_.bytes_in_use();
  for (const Space& space : spaces_) bytes += space.table.bytes();
  return bytes;
}

}  // namespace cep
