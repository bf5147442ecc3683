// See matcher.h. Tests: tests/scripts/*, tests/unit/cep/matcher_test.cc.
#include "cep/matcher.h"

#include <algorithm>
#include <bit>

#include "cep/skip.h"
#include "cep/time_math.h"
#include "cep/truncation.h"

namespace cep {
namespace {

constexpr uint64_t edge_bits(size_t edges) { return (1ull << edges) - 1; }

// Time of the last bound event.
TimeUs last_time(BlockView block, const Run& run) { return block.row_header(block.node(run.node).row).time; }

// Time of the first event of the current round of a group clock, walking back to where the round began.
TimeUs round_start(BlockView block, uint32_t node, uint32_t clock) {
  for (uint32_t ref = node;;) {
    const Node& at = block.node(ref);
    if ((at.clock_starts >> clock & 1) != 0 || at.previous == 0) return block.row_header(at.row).time;
    ref = at.previous;
  }
}

TimeUs edge_deadline(BlockView block, const Program& program, const Run& run, const Edge& edge) {
  if (edge.for_us != kTimeMax) return add_saturating(last_time(block, run), edge.for_us);
  return program.within_us == kTimeMax ? kTimeMax : add_saturating(run.start_time, program.within_us);
}

bool is_aged(const Program& program, const Run& run, const Limits& limits, TimeUs now) {
  return program.within_us == kTimeMax && now - run.start_time >= limits.run_age_max_us;
}

}  // namespace

RowRef ChainEvents::row(uint32_t node) const {
  const uint8_t* packed = block_.row(block_.node(node).row);
  return row_of(*rules_.schema(reinterpret_cast<const RowHeader*>(packed)->stream), packed);
}

RowRef ChainEvents::find(uint16_t wanted, bool from_first, uint32_t offset) const {
  uint32_t found = 0;
  uint32_t count = 0;
  for (uint32_t ref = node_; ref != 0; ref = block_.node(ref).previous) {
    if (!program_.stands_for(wanted, variable(ref))) continue;
    if (!from_first && count == offset) return row(ref);
    ++count;
  }
  if (!from_first || offset >= count) return {};
  uint32_t skip = count - 1 - offset;     // the same walk again: from the newest, `skip` of them come before
  for (uint32_t ref = node_; ref != 0; ref = block_.node(ref).previous) {
    if (!program_.stands_for(wanted, variable(ref))) continue;
    if (skip-- == 0) {
      found = ref;
      break;
    }
  }
  return row(found);
}

void ChainEvents::for_each(uint16_t wanted, const std::function<void(const RowRef&)>& visit) const {
  for (uint32_t ref = node_; ref != 0; ref = block_.node(ref).previous) {
    if (program_.stands_for(wanted, variable(ref))) visit(row(ref));
  }
}

EvalContext context_of(const MatchScope& scope) {
  EvalContext context;
  context.windows = scope.windows;
  context.key = scope.key;
  context.datasets = scope.rule->datasets;
  context.texts = scope.texts;
  context.counters = scope.eval_counters;
  return context;
}

bool Matcher::fits(const MatchScope& scope, const MatchEvent& event, uint16_t variable, const BoundEvents* bound) {
  const Program& program = *scope.rule->entry.program;
  const Condition& condition = program.variables[variable].conditions[event.input];
  if (condition.predicate == kNever) return false;
  if (condition.predicate != kAlways && !has_bit(event.words, scope.rule->predicate_bit[condition.predicate])) return false;
  if (condition.residual == kNoExpr) return true;
  EvalContext context = context_of(scope);
  context.event = row_of(*event.batch, event.row);
  context.bound = bound;
  return holds(program.pool, condition.residual, context);
}

// Tests every live edge of the run against the event. Removes edges that die; takes may add to born_ and complete_.
void Matcher::step_run(BlockEditor& block, const MatchScope& scope, const MatchEvent& event, size_t index) {
  const Program& program = *scope.rule->entry.program;
  Run& run = block.runs()[index];       // its node follows when the heap is compacted
  if (!scope.rule->wakes[run.state].is_met(event.words, event.fold)) return;
  if (is_aged(program, run, *scope.limits, event.time)) return;      // ends with this event, whether or not a timer saw it before
  const State& state = program.states[run.state];
  auto fits_run = [&](uint16_t variable) {
    ChainEvents bound(block.view(), run.node, program, *scope.rules);
    return fits(scope, event, variable, &bound);
  };
  bool fresh = (run.live & kRunFresh) != 0;
  bool expired = program.within_us != kTimeMax && event.time - run.start_time >= program.within_us;
  DurationUs dt = event.time - last_time(block.view(), run);
  for (size_t u = 0; u < state.untils.size() && !expired; ++u) {
    if ((run.live & run_until_bit(u)) == 0 && fits_run(state.untils[u].variable)) run.live |= run_until_bit(u);
  }
  run.live &= ~kRunFresh;
  uint64_t live = run.live & edge_bits(state.edges.size());
  for (uint64_t left = live; left != 0; left &= left - 1) {
    int e = std::countr_zero(left);
    const Edge& edge = state.edges[e];
    uint64_t bit = 1ull << e;
    if (edge.kind == EdgeKind::kTake && (expired || dt >= edge.gap_max_us)) {
      run.live &= ~bit;
      continue;
    }
    bool ended = std::any_of(edge.ended_by.begin(), edge.ended_by.end(),
                             [&](uint8_t until) { return (run.live & run_until_bit(until)) != 0; });
    bool killed = ended || std::any_of(edge.guards.begin(), edge.guards.end(), [&](const Guard& guard) {
      if (guard.first_only && !fresh) return false;
      if (dt >= guard.active_us) return false;
      if (guard.lifted_by >= 0 && (run.live & run_until_bit(static_cast<size_t>(guard.lifted_by))) != 0) return false;
      return fits_run(guard.variable);
    });
    if (killed) {
      run.live &= ~bit;
      continue;
    }
    if (edge.kind == EdgeKind::kAbsence) continue;
    if (edge.kind == EdgeKind::kStrictAbsence) {
      run.live &= ~bit;
      if (accepts(block, scope, run.node)) {
        complete_.push_back({block.hold(run.node), run.start_row, block.view().node(run.node).depth, AlertKind::kAbsence});
      }
      continue;
    }
    uint16_t variable = program.states[edge.target].variable;
    bool in_round = true;
    for (uint32_t g = 0; g < program.clocks.size() && in_round; ++g) {
      if ((edge.clock_checks >> g & 1) == 0) continue;
      in_round = event.time - round_start(block.view(), run.node, g) < program.clocks[g].within_us;
    }
    if (!in_round) {                       // time only grows: no later event of this round fits either
      run.live &= ~bit;
      continue;
    }
    bool fit = dt >= edge.gap_min_us && fits_run(variable);
    if (fit) {
      bool stopped = std::any_of(edge.entry_untils.begin(), edge.entry_untils.end(), fits_run);
      if (!stopped) {
        take(block, scope, event, &run, edge);
      }
      if (edge.link != Link::kAny) run.live &= ~bit;
    } else if (edge.link == Link::kStrict) {
      run.live &= ~bit;
    }
  }
}

// Binds the event: a new run in the edge's target. `from` is nullptr for the first event of a match.
void Matcher::take(BlockEditor& block, const MatchScope& scope, const MatchEvent& event, const Run* from, const Edge& edge) {
  if (from == nullptr && scope.merges_runs) {
    bind_merged(block, scope, event, nullptr, edge.target);
    return;
  }
  const Program& program = *scope.rule->entry.program;
  const State& target = program.states[edge.target];
  bool keeps = !target.edges.empty();
  if (keeps && last_ - apart_ + born_.size() >= scope.limits->runs_per_key_max && is_full(block, scope, event.time)) {
    keeps = false;
    refused_ = true;
  }
  if (is_heavy(block, scope, event.time)) {
    refused_ = true;
    return;
  }
  if (!keeps && !target.accepting) return;
  taken_bytes_ += sizeof(Node) + (keeps ? sizeof(Run) : 0);
  if (!block.has_row(*event.batch, event.row)) taken_bytes_ += packed_size(*event.batch, event.row);
  uint32_t previous = from != nullptr ? block.hold(from->node) : block.hold(0);
  uint32_t row = block.add_row(*event.batch, event.row);
  Node node;
  node.previous = block.held(previous);
  node.row = row;
  node.state = edge.target;
  node.clock_starts = edge.clock_starts;
  node.depth = node.previous != 0 ? block.view().node(node.previous).depth + 1 : 1;
  uint32_t ref = block.add_node(node);
  Run run;
  run.program = scope.rule->entry.id;
  run.state = edge.target;
  run.start_row = from != nullptr ? from->start_row : block.view().row_header(block.view().node(ref).row).number;
  run.start_time = from != nullptr ? from->start_time : event.time;
  run.live = edge_bits(target.edges.size()) | kRunFresh;
  uint32_t held = block.hold(ref);
  if (target.accepting && accepts(block, scope, ref)) complete_.push_back({held, run.start_row, node.depth, AlertKind::kMatch});
  if (!keeps) return;
  run.node = held;
  born_.push_back(run);
}

// Runs whose time is over stay until the key's next timer, which batches may hold up: they take no room.
bool Matcher::is_full(BlockEditor& block, const MatchScope& scope, TimeUs now) {
  if (over_ == kNone) {
    const auto has_ended = [&](const Run& run) { return run_end(block.view(), *scope.rule->entry.program, run, *scope.limits) <= now; };
    const std::span<const Run> own = std::span(block.runs()).subspan(apart_, last_ - apart_);
    over_ = static_cast<size_t>(std::count_if(own.begin(), own.end(), has_ended));
  }
  return last_ - apart_ - over_ + born_.size() >= scope.limits->runs_per_key_max;
}

// Whether the key is beyond its limit: by the runs that are apart and what they have bound. Histories of merged runs and windows have
// limits of their own, and what memory looks like depends on when it was compacted. Nothing is counted while all of it is within the limit.
bool Matcher::is_heavy(BlockEditor& block, const MatchScope& scope, TimeUs now) {
  const uint32_t max = scope.limits->block_bytes_max;
  if (block.used_bytes() + born_.size() * sizeof(Run) <= max) return false;
  if (apart_bytes_ == kNotCounted) {
    std::vector<uint32_t> nodes;
    for (Run run : block.runs()) {
      if (run.is_merged != 0) continue;
      const BoundRule* rule = scope.rules->find(run.program);
      run.live = ~uint64_t{0};           // what it awaited before the event, or more
      const bool is_over = rule != nullptr && run_end(block.view(), *rule->entry.program, run, *scope.limits) <= now;
      if (!is_over) nodes.push_back(run.node);
    }
    apart_bytes_ = (nodes.empty() ? 0 : block.reached_bytes(nodes)) + nodes.size() * sizeof(Run);
  }
  return apart_bytes_ + taken_bytes_ > max;
}

void Matcher::start(BlockEditor& block, const MatchScope& scope, const MatchEvent& event) {
  const Program& program = *scope.rule->entry.program;
  auto fits_start = [&](uint16_t variable) {
    ChainEvents nothing(block.view(), 0, program, *scope.rules);   // counts are 0, fields are null
    return fits(scope, event, variable, &nothing);
  };
  const State& nothing_bound = program.states[0];
  auto lifted = [&](const Guard& guard) {
    return guard.lifted_by >= 0 && fits_start(nothing_bound.untils[static_cast<size_t>(guard.lifted_by)].variable);
  };
  for (const Edge& edge : nothing_bound.edges) {
    if (!fits_start(program.states[edge.target].variable)) continue;
    if (!head_nots_allow(block, scope, event, edge)) continue;
    // A greedy loop skipped at the head guards too: the event it would take starts nothing behind it (R3).
    bool guarded = std::any_of(edge.guards.begin(), edge.guards.end(),
                               [&](const Guard& guard) { return fits_start(guard.variable) && !lifted(guard); });
    if (guarded) continue;
    bool stopped = std::any_of(edge.entry_untils.begin(), edge.entry_untils.end(), fits_start);
    if (!stopped) take(block, scope, event, nullptr, edge);
  }
}

bool Matcher::head_nots_allow(BlockEditor& block, const MatchScope& scope, const MatchEvent& event, const Edge& edge) {
  const Program& program = *scope.rule->entry.program;
  for (const uint16_t i : edge.head_nots) {
    const HeadNot& head = program.head_nots[i];
    Cell* cell = block.view().find_cell(CellKind::kHeadNot, uint64_t{static_cast<uint32_t>(scope.rule->entry.id)} << 16 | i);
    if (cell == nullptr) continue;
    if (event.time - reinterpret_cast<TimeCell*>(cell->payload())->time < head.span_us) return false;
  }
  return true;
}

// After the starts: an event that is both b and a does not precede itself (R24).
void Matcher::note_head_nots(BlockEditor& block, const MatchScope& scope, const MatchEvent& event) {
  const Program& program = *scope.rule->entry.program;
  for (size_t i = 0; i < program.head_nots.size(); ++i) {
    if (!fits(scope, event, program.head_nots[i].variable, nullptr)) continue;
    uint64_t id = uint64_t{static_cast<uint32_t>(scope.rule->entry.id)} << 16 | i;
    Cell* cell = block.view().find_cell(CellKind::kHeadNot, id);
    if (cell == nullptr) cell = block.add_cell(CellKind::kHeadNot, id, sizeof(TimeCell));
    reinterpret_cast<TimeCell*>(cell->payload())->time = event.time;
  }
}

bool Matcher::accepts(BlockEditor& block, const MatchScope& scope, uint32_t node) {
  const Program& program = *scope.rule->entry.program;
  if (program.having == kNoExpr) return true;
  ChainEvents bound(block.view(), node, program, *scope.rules);
  EvalContext context = context_of(scope);
  context.event = bound.row(node);
  context.bound = &bound;
  return holds(program.pool, program.having, context);
}

void Matcher::find_runs(BlockEditor& block, ProgramId id) {
  born_.clear();
  complete_.clear();
  refused_ = matches_cut_ = false;
  over_ = charged_ = kNone;
  apart_bytes_ = own_bytes_ = all_bytes_ = kNotCounted;
  taken_bytes_ = 0;
  histories_.clear();
  unlisted_ = 0;
  const std::vector<Run>& all = block.runs();
  const auto found = std::lower_bound(all.begin(), all.end(), id, [](const Run& run, ProgramId wanted) { return run.program < wanted; });
  first_ = apart_ = static_cast<size_t>(found - all.begin());
  while (apart_ < all.size() && all[apart_].program == id && all[apart_].is_merged != 0) ++apart_;
  last_ = apart_;
  while (last_ < all.size() && all[last_].program == id) ++last_;
}

void Matcher::on_event(BlockEditor& block, const MatchScope& scope, const MatchEvent& event, std::vector<Match>& matches) {
  find_runs(block, scope.rule->entry.id);
  for (size_t i = apart_; i < last_; ++i) step_run(block, scope, event, i);
  if (apart_ != first_) step_merged(block, scope, event);
  start(block, scope, event);
  if (!histories_.empty()) complete_histories(block, scope, event);
  if (!scope.rule->entry.program->head_nots.empty()) note_head_nots(block, scope, event);
  finish(block, scope, event.time, matches);
}

void Matcher::on_deadline(BlockEditor& block, const MatchScope& scope, TimeUs deadline, std::vector<Match>& matches) {
  const Program& program = *scope.rule->entry.program;
  find_runs(block, scope.rule->entry.id);
  for (size_t i = apart_; i < last_; ++i) {
    Run& run = block.runs()[i];
    const State& state = program.states[run.state];
    for (size_t e = 0; e < state.edges.size(); ++e) {
      const Edge& edge = state.edges[e];
      if (edge.kind == EdgeKind::kTake || (run.live >> e & 1) == 0) continue;
      if (edge_deadline(block.view(), program, run, edge) != deadline) continue;
      run.live &= ~(1ull << e);
      if (accepts(block, scope, run.node)) {
        complete_.push_back({block.hold(run.node), run.start_row, block.view().node(run.node).depth, AlertKind::kAbsence});
      }
    }
  }
  finish(block, scope, deadline, matches);
}

// R31: start position, longer first, then the list of positions, then of variables. Equal lists are one match (R15).
void Matcher::sort_complete(BlockEditor& block, const MatchScope& scope) {
  const bool are_in_order = !histories_.empty() && complete_.size() == histories_.size() / history_depth_;
  if (complete_.size() < 2 || are_in_order) return;
  const Program& program = *scope.rule->entry.program;
  ranked_.clear();
  chains_.clear();
  for (const Match& match : complete_) {       // its rows, oldest first, then their variables
    const size_t begin = chains_.size();
    chains_.resize(begin + 2 * size_t{match.depth});
    uint32_t* row = chains_.data() + begin + match.depth;
    for (uint32_t ref = block.held(match.held); ref != 0; ref = block.view().node(ref).previous) {
      const Node& node = block.view().node(ref);
      *--row = block.view().row_header(node.row).number;
      row[match.depth] = program.states[node.state].variable;
    }
    ranked_.push_back({match, static_cast<uint32_t>(ranked_.size()), static_cast<uint32_t>(begin)});
  }
  const auto chain = [&](const Ranked& one) { return std::span<const uint32_t>(chains_).subspan(one.begin, 2 * size_t{one.match.depth}); };
  std::sort(ranked_.begin(), ranked_.end(), [&](const Ranked& a, const Ranked& b) {
    if (a.match.start_row != b.match.start_row) return a.match.start_row < b.match.start_row;
    if (a.match.depth != b.match.depth) return a.match.depth > b.match.depth;
    const auto [left, right] = std::mismatch(chain(a).begin(), chain(a).end(), chain(b).begin());
    return left != chain(a).end() ? *left < *right : a.number < b.number;
  });
  complete_.clear();
  const Ranked* previous = nullptr;
  for (const Ranked& one : ranked_) {
    if (previous == nullptr || !std::ranges::equal(chain(*previous), chain(one))) complete_.push_back(one.match);
    previous = &one;
  }
}

// R15: a list that is complete is not complete again at a later deadline. Other roads to the same list lose their absences.
void Matcher::end_other_roads(BlockEditor& block, const MatchScope& scope) {
  if (complete_.empty()) return;
  const Program& program = *scope.rule->entry.program;
  auto absence_bits = [&](const Run& run) -> uint64_t {
    if (!scope.rule->wakes[run.state].has_deadline) return 0;
    const std::vector<Edge>& edges = program.states[run.state].edges;
    uint64_t bits = 0;
    for (size_t e = 0; e < edges.size(); ++e) bits |= edges[e].kind == EdgeKind::kTake ? 0 : run.live & 1ull << e;
    return bits;
  };
  auto equal_lists = [&](uint32_t a, uint32_t b) {
    for (; a != b && a != 0 && b != 0; a = block.view().node(a).previous, b = block.view().node(b).previous) {
      const Node& x = block.view().node(a);
      const Node& y = block.view().node(b);
      if (program.states[x.state].variable != program.states[y.state].variable) return false;
      if (block.view().row_header(x.row).number != block.view().row_header(y.row).number) return false;
    }
    return a == b;
  };
  absences_.clear();
  for (size_t i = apart_; i < last_; ++i) {
    if (absence_bits(block.runs()[i]) != 0) absences_.push_back(&block.runs()[i]);
  }
  const size_t older = absences_.size();
  for (Run& run : born_) {
    if (absence_bits(run) != 0) absences_.push_back(&run);
  }
  for (const Match& match : complete_) {
    for (size_t i = 0; i < absences_.size(); ++i) {
      Run& run = *absences_[i];
      if (run.start_row != match.start_row) continue;
      const uint32_t node = i < older ? run.node : block.held(run.node);
      if (equal_lists(node, block.held(match.held))) run.live &= ~absence_bits(run);
    }
  }
}

// Drops the runs and later matches that the emitted match's skip strategy covers.
void Matcher::apply_skip(BlockEditor& block, const MatchScope& scope, const Match& match, size_t index) {
  const StartRange dropped = skipped_starts(block.view(), scope, block.held(match.held), match.start_row);
  for (size_t i = apart_; i < last_; ++i) {
    if (dropped.has(block.runs()[i].start_row)) block.runs()[i].live = 0;
  }
  for (Run& run : born_) {
    if (dropped.has(run.start_row)) run.live = 0;
  }
  for (size_t i = index + 1; i < complete_.size(); ++i) {
    if (dropped.has(complete_[i].start_row)) dropped_[i] = 1;
  }
}

void Matcher::finish(BlockEditor& block, const MatchScope& scope, TimeUs now, std::vector<Match>& matches) {
  sort_complete(block, scope);
  end_other_roads(block, scope);
  const uint64_t told = std::min<uint64_t>(complete_.size(), scope.limits->matches_per_event_max);
  const uint64_t dropped = add_capped(unlisted_, complete_.size() - told);
  scope.counters->matches = add_capped(scope.counters->matches, add_capped(told, dropped));
  scope.counters->matches_dropped = add_capped(scope.counters->matches_dropped, dropped);
  matches_cut_ = unlisted_ > 0;
  if (complete_.size() > told) {
    complete_.resize(scope.limits->matches_per_event_max);
    matches_cut_ = true;
  }
  dropped_.assign(complete_.size(), 0);
  for (size_t i = 0; i < complete_.size(); ++i) {
    if (dropped_[i] != 0) continue;
    matches.push_back(complete_[i]);
    if (scope.rule->entry.program->quiet_us == 0) apply_skip(block, scope, complete_[i], i);
  }
  settle_runs(block, scope, now);
}

// Removes runs that have ended, adds the new ones behind the older ones of the rule.
void Matcher::settle_runs(BlockEditor& block, const MatchScope& scope, TimeUs now) {
  const Program& program = *scope.rule->entry.program;
  std::vector<Run>& all = block.runs();
  size_t kept = apart_;
  for (size_t i = apart_; i < last_; ++i) {
    const Run& run = all[i];
    bool is_live = (run.live & edge_bits(program.states[run.state].edges.size())) != 0;
    if (is_live && is_aged(program, run, *scope.limits, now)) {
      ++scope.counters->runs_aged;
      is_live = false;
    }
    if (is_live && kept != i) all[kept] = run;
    kept += is_live ? 1 : 0;
  }
  if (kept != last_) all.erase(all.begin() + static_cast<std::ptrdiff_t>(kept), all.begin() + static_cast<std::ptrdiff_t>(last_));
  if (!born_.empty()) {
    std::erase_if(born_, [](const Run& run) { return (run.live & ~kRunFresh) == 0; });
    for (Run& run : born_) run.node = block.held(run.node);
    all.insert(all.begin() + static_cast<std::ptrdiff_t>(kept), born_.begin(), born_.end());
  }
  if (refused_) {
    ++scope.counters->runs_refused;
    note_cut(block, scope.rule->entry.id, Cut::kRuns, add_saturating(now, run_horizon(program, *scope.limits)));
  }
  if (matches_cut_) note_cut(block, scope.rule->entry.id, Cut::kMatches, now);
}

TimeUs first_time(BlockView block, uint32_t node) {
  while (block.node(node).previous != 0) node = block.node(node).previous;
  return block.row_header(block.node(node).row).time;
}

TimeUs run_deadline(BlockView block, const Program& program, const Run& run) {
  const State& state = program.states[run.state];
  TimeUs deadline = kTimeMax;
  for (size_t e = 0; e < state.edges.size(); ++e) {
    if (state.edges[e].kind == EdgeKind::kTake || (run.live >> e & 1) == 0) continue;
    deadline = std::min(deadline, edge_deadline(block, program, run, state.edges[e]));
  }
  return deadline;
}

TimeUs edge_end(BlockView block, const Program& program, const Run& run, const Edge& edge, const Limits& limits) {
  TimeUs end = add_saturating(run.start_time, run_horizon(program, limits));
  if (edge.kind != EdgeKind::kTake) {
    const TimeUs deadline = edge_deadline(block, program, run, edge);
    return deadline != kTimeMax ? deadline : end;
  }
  if (edge.gap_max_us != kTimeMax) end = std::min(end, add_saturating(last_time(block, run), edge.gap_max_us));
  for (uint32_t g = 0; g < program.clocks.size(); ++g) {
    if ((edge.clock_checks >> g & 1) == 0) continue;
    end = std::min(end, add_saturating(round_start(block, run.node, g), program.clocks[g].within_us));
  }
  return end;
}

DurationUs run_horizon(const Program& program, const Limits& limits) {
  if (program.is_when) return 0;
  return program.within_us != kTimeMax ? program.within_us : limits.run_age_max_us;
}

TimeUs run_end(BlockView block, const Program& program, const Run& run, const Limits& limits) {
  TimeUs end = add_saturating(run.start_time, run_horizon(program, limits));
  TimeUs deadline = run_deadline(block, program, run);
  return deadline == kTimeMax ? end : std::max(end, deadline);
}

}  // namespace cep
