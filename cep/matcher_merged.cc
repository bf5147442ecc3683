// Matcher on merged runs (merged_runs.h). The states of a sequence are taken from the last to the first, so that an event does not
// continue itself. All that the event may add to the heap is reserved before the first reference is read: nothing moves in between.
#include <algorithm>

#include "cep/matcher.h"
#include "cep/merged_runs.h"

namespace cep {
namespace {

constexpr uint64_t kPassingBytesMax = 256u << 20;      // of the matches of one event, beyond matches_per_event_max of short ones
constexpr uint32_t kShareMax = 256u << 10;             // bytes that a rule's merged runs bind whatever those of others in the key do

// Bytes that those of the runs which are merged have bound and that may live.
uint64_t bound_by(BlockView block, const MatchScope& scope, std::span<const Run> runs, TimeUs now) {
  uint64_t sum = 0;
  for (const Run& run : runs) {
    const BoundRule* rule = run.is_merged != 0 ? scope.rules->find(run.program) : nullptr;
    if (rule == nullptr || is_over(*rule->entry.program, run.start_time, now)) continue;
    sum += bound_bytes(block, *rule->entry.program, run, now).sum();
  }
  return sum;
}

// Number of the row of the oldest event in the run's list that is not over.
uint32_t oldest_row(BlockView block, const Program& program, const Run& run, TimeUs now) {
  uint32_t ref = run.node;
  while (!block.is_end_over(ref, program.within_us, now)) ref = block.merged_node(ref).older;
  return block.row_header(block.merged_node(ref).row).number;
}

TimeUs newest_time(BlockView block, const Run& run) { return block.row_header(block.merged_node(run.node).row).time; }
uint32_t newest_row(BlockView block, const Run& run) { return block.row_header(block.merged_node(run.node).row).number; }

}  // namespace

// Whether the histories of the key's merged runs may take so many bytes more: then they are counted. A rule that has bound little is not
// asked about the others.
bool Matcher::has_room(BlockEditor& block, const MatchScope& scope, uint32_t bytes, TimeUs now) {
  const uint32_t max = scope.limits->block_bytes_max;
  const std::span<const Run> all = block.runs();
  if (own_bytes_ == kNotCounted) own_bytes_ = bound_by(block.view(), scope, all.subspan(first_, apart_ - first_), now);
  if (own_bytes_ + bytes > std::min(max / 16, kShareMax)) {
    if (all_bytes_ == kNotCounted) all_bytes_ = bound_by(block.view(), scope, all, now);
    if (all_bytes_ + bytes > max) return false;
  }
  own_bytes_ += bytes;
  if (all_bytes_ != kNotCounted) all_bytes_ += bytes;
  return true;
}

void Matcher::insert_merged(BlockEditor& block, size_t at, const Run& run) {
  block.runs().insert(block.runs().begin() + static_cast<std::ptrdiff_t>(at), run);
  ++apart_;
  ++last_;
}

void Matcher::remove_merged(BlockEditor& block, size_t at) {
  block.runs().erase(block.runs().begin() + static_cast<std::ptrdiff_t>(at));
  --apart_;
  --last_;
}

// The histories of the run at `at` go on no more. Nodes of later states may continue what it has bound: the next ones that can have it
// count it from their newest event on. Where nothing can, it is forgotten.
void Matcher::end_merged(BlockEditor& block, const MatchScope& scope, size_t at, TimeUs now) {
  std::vector<Run>& runs = block.runs();
  if (at > first_) {
    const Program& program = *scope.rule->entry.program;
    BoundBytes bound = BoundBytes::of(runs[at]);
    const uint32_t oldest = oldest_row(block.view(), program, runs[at], now);
    size_t later = at;
    while (later > first_ && newest_row(block.view(), runs[later - 1]) < oldest) --later;
    if (later > first_ || bound.is_shared) {
      Run& heir = runs[later > first_ ? later - 1 : at - 1];
      // By the heir's stretches of time. What is newer than its newest event it does not continue, but what is older it may.
      const TimeUs newest = newest_time(block.view(), heir);
      if (newest >= newest_time(block.view(), runs[at])) bound = bound_bytes(block.view(), program, runs[at], newest);
      else bound.add({bound.before, 0});
      bound.add(BoundBytes::of(heir));
      bound.is_shared = true;
      heir.live = bound.packed();
    }
  }
  remove_merged(block, at);
  own_bytes_ = all_bytes_ = kNotCounted;
}

void Matcher::step_merged(BlockEditor& block, const MatchScope& scope, const MatchEvent& event) {
  const Program& program = *scope.rule->entry.program;
  std::vector<Run>& runs = block.runs();
  const auto fits_event = [&](uint16_t variable) { return fits(scope, event, variable, nullptr); };
  for (size_t i = first_; i < apart_;) {
    const Run& run = runs[i];
    if (is_over(program, run.start_time, event.time)) {
      remove_merged(block, i);
      continue;
    }
    const Edge& edge = program.states[run.state].edges.front();
    const State& target = program.states[edge.target];
    if (!scope.rule->wakes[run.state].is_met(event.words, event.fold)) {
      ++i;
      continue;
    }
    const bool is_ended =
        std::any_of(edge.guards.begin(), edge.guards.end(), [&](const Guard& guard) { return fits_event(guard.variable); });
    const bool is_taken = !is_ended && fits_event(target.variable);
    if (is_taken && target.accepting) find_histories(block, scope, event, run);
    const bool is_bound = is_taken && !target.accepting && bind_merged(block, scope, event, &i, edge.target);
    if (is_bound) continue;
    if (is_ended || (is_taken && edge.link != Link::kAny)) end_merged(block, scope, i, event.time);
    else ++i;
  }
}

// Binds the event in state `target`, to the histories of the run at `*from`, which `->` uses up, or as a first event; `*from` is then
// the run after it. False: a limit refuses it.
bool Matcher::bind_merged(BlockEditor& block, const MatchScope& scope, const MatchEvent& event, size_t* from, uint16_t target) {
  const Program& program = *scope.rule->entry.program;
  std::vector<Run>& runs = block.runs();
  const uint32_t row_bytes = packed_size(*event.batch, event.row);
  const bool is_charged = charged_ != kNone;
  if (!has_room(block, scope, static_cast<uint32_t>(sizeof(MergedNode)) + (is_charged ? 0 : row_bytes), event.time)) {
    refused_ = true;
    return false;
  }
  const uint32_t missing = block.has_row(*event.batch, event.row) ? 0 : row_bytes;
  block.reserve(missing + static_cast<uint32_t>(sizeof(MergedNode) + sizeof(Run)));
  const size_t at = from != nullptr ? *from : apart_;      // the run of `target` is or comes before it
  const bool is_new = at == first_ || runs[at - 1].state != target;
  MergedNode node;
  node.row = block.add_row(*event.batch, event.row);
  node.state = target;
  Run run;
  run.program = scope.rule->entry.id;
  run.state = target;
  run.is_merged = 1;
  run.start_time = event.time;
  run.start_row = block.view().row_header(node.row).number;
  BoundBytes bound = charge_row(runs, row_bytes);
  bool is_used_up = false;
  if (from != nullptr) {
    const Run& continued = runs[at];
    node.previous = continued.node;
    run.start_time = continued.start_time;
    run.start_row = continued.start_row;
    is_used_up = program.states[continued.state].edges.front().link != Link::kAny;
    if (is_used_up) bound.add(bound_bytes(block.view(), program, continued, event.time));
  }
  if (!is_new) {
    node.older = runs[at - 1].node;
    bound.add(bound_bytes(block.view(), program, runs[at - 1], event.time));
  }
  run.live = bound.packed();
  run.node = block.add_merged_node(node);
  block.view().header().format = kMergedBlockFormat;
  charged_ = is_new ? at : at - 1;
  if (is_used_up && is_new) {
    runs[at] = run;                        // in its slot: nothing moves, however many states there are
  } else {
    if (is_new) insert_merged(block, at, run);
    else runs[at - 1] = run;
    if (is_used_up) remove_merged(block, is_new ? at + 1 : at);
  }
  if (from != nullptr) *from = at + (is_new ? 1 : 0) + (is_used_up ? 0 : 1);
  return true;
}

// What binding the event once more counts. Its row is stored once and is counted where it is bound last, in the earliest state, whose runs
// live the longest; when those end, later runs may still have it.
BoundBytes Matcher::charge_row(std::vector<Run>& runs, uint32_t row_bytes) {
  constexpr auto kNodeBytes = static_cast<uint32_t>(sizeof(MergedNode));
  if (charged_ == kNone) return {kNodeBytes + row_bytes, 0, false};
  BoundBytes before = BoundBytes::of(runs[charged_]);
  before.now -= std::min(before.now, row_bytes);
  runs[charged_].live = before.packed();
  return {kNodeBytes + row_bytes, 0, true};
}

// The event completes the histories of the run: those that are told are noted, and room is made for them and for what else it binds.
void Matcher::find_histories(BlockEditor& block, const MatchScope& scope, const MatchEvent& event, const Run& run) {
  const Program& program = *scope.rule->entry.program;
  history_depth_ = run.state;
  const uint64_t match_bytes = (history_depth_ + 1) * sizeof(Node);
  const uint64_t binds_max = apart_ - first_ + 1;
  const uint64_t kept_bytes = packed_size(*event.batch, event.row) + binds_max * (sizeof(MergedNode) + sizeof(Run));
  if (has_one_history(block.view(), run)) {
    block.reserve(static_cast<uint32_t>(match_bytes + kept_bytes));
    histories_.resize(history_depth_);
    uint32_t ref = run.node;
    for (size_t i = history_depth_; i-- > 0; ref = block.view().merged_node(ref).previous) histories_[i] = ref;
    return;
  }
  Histories found(block.view(), program, run, event.time);
  const uint64_t listed = std::min({found.count(), uint64_t{scope.limits->matches_per_event_max}, kPassingBytesMax / match_bytes});
  unlisted_ = found.count() - listed;
  const bool has_moved = block.reserve(static_cast<uint32_t>(listed * match_bytes + kept_bytes));
  if (has_moved) found = Histories(block.view(), program, run, event.time);
  histories_ = found.first(listed);
}

// Each history becomes a chain of nodes, as any match is; one shares what it begins with with the one before.
void Matcher::complete_histories(BlockEditor& block, const MatchScope& scope, const MatchEvent& event) {
  const auto accepting = static_cast<uint16_t>(scope.rule->entry.program->states.size() - 1);
  block.begin_passing();
  const uint32_t row = block.add_row(*event.batch, event.row);
  std::vector<uint32_t> chain(history_depth_);
  for (size_t at = 0; at < histories_.size(); at += history_depth_) {
    size_t same = 0;
    while (at > 0 && same < history_depth_ && histories_[at + same] == histories_[at + same - history_depth_]) ++same;
    for (size_t i = same; i < history_depth_; ++i) {
      const MergedNode& bound = block.view().merged_node(histories_[at + i]);
      Node node;
      node.previous = i > 0 ? chain[i - 1] : 0;
      node.row = bound.row;
      node.state = bound.state;
      node.depth = static_cast<uint32_t>(i + 1);
      chain[i] = block.add_node(node);
    }
    Node last;
    last.previous = chain.back();
    last.row = row;
    last.state = accepting;
    last.depth = static_cast<uint32_t>(history_depth_ + 1);
    const uint32_t start_row = block.view().row_header(block.view().node(chain.front()).row).number;
    complete_.push_back({block.hold(block.add_node(last)), start_row, last.depth, AlertKind::kMatch});
  }
}

}  // namespace cep
