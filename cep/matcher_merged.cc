// Matcher on merged runs (merged_runs.h). The states of a sequence are taken from the last to the first, so that an event does not
// continue itself. All that the event may add to the heap is reserved before the first reference is read: nothing moves in between.
#include <algorithm>

#include "cep/matcher.h"
#include "cep/merged_runs.h"

namespace cep {
namespace {

constexpr uint64_t kPassingBytesMax = 256u << 20;      // of the matches of one event, beyond matches_per_event_max of short ones
constexpr uint32_t kShareMax = 256u << 10;             // bytes that a rule's merged runs bind whatever those of others in the key do

// Whether the histories of the key's merged runs may take so many bytes more. A rule that has bound little is not asked about the others.
bool has_room(BlockEditor& block, const MatchScope& scope, std::span<const Run> own, uint32_t bytes, TimeUs now) {
  const uint32_t max = scope.limits->block_bytes_max;
  uint64_t sum = bytes;
  for (const Run& run : own) {
    if (!is_over(*scope.rule->entry.program, run.start_time, now)) sum += BoundBytes::of(run).sum();
  }
  if (sum <= std::min(max / 16, kShareMax)) return true;
  sum = bytes;
  for (const Run& run : block.runs()) {
    const BoundRule* rule = run.is_merged != 0 ? scope.rules->find(run.program) : nullptr;
    if (rule == nullptr || is_over(*rule->entry.program, run.start_time, now)) continue;
    sum += bound_bytes(block.view(), *rule->entry.program, run, now).sum();
  }
  return sum <= max;
}

// What a run has bound that a NOT ends may be continued by nodes of later states: it counts with those, from their newest event on.
void pass_on(const Run& ended, Run& later) {
  const BoundBytes bound = BoundBytes::of(ended);
  BoundBytes all = BoundBytes::of(later);
  all.add({bound.now, 0});
  all.add({bound.before, 0});
  later.live = all.packed();
}

}  // namespace

void Matcher::remove_merged(BlockEditor& block, size_t at) {
  block.runs().erase(block.runs().begin() + static_cast<std::ptrdiff_t>(at));
  --apart_;
  --last_;
}

void Matcher::step_merged(BlockEditor& block, const MatchScope& scope, const MatchEvent& event) {
  const Program& program = *scope.rule->entry.program;
  const auto fits_event = [&](uint16_t variable) { return fits(scope, event, variable, nullptr); };
  for (size_t i = first_; i < apart_;) {
    const Run& run = block.runs()[i];
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
    else if (is_taken) bind_merged(block, scope, event, &i, edge.target);
    if (is_ended && i > first_) pass_on(run, block.runs()[i - 1]);
    if (is_ended || (is_taken && edge.link != Link::kAny)) remove_merged(block, i);
    else ++i;
  }
}

// Binds the event in state `target`, to the histories of the run at `*from` (which moves if the target's run is new), or as a first event.
void Matcher::bind_merged(BlockEditor& block, const MatchScope& scope, const MatchEvent& event, size_t* from, uint16_t target) {
  const Program& program = *scope.rule->entry.program;
  std::vector<Run>& runs = block.runs();
  const uint32_t bytes = packed_size(*event.batch, event.row) + static_cast<uint32_t>(sizeof(MergedNode));
  if (!has_room(block, scope, std::span(runs).subspan(first_, apart_ - first_), bytes, event.time)) {
    refused_ = true;
    return;
  }
  block.reserve(bytes + static_cast<uint32_t>(sizeof(Run)));
  size_t at = from != nullptr ? *from : apart_;      // the run of `target` is or comes before it
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
  BoundBytes bound{bytes, 0};
  if (from != nullptr) {
    const Run& continued = runs[*from];
    node.previous = continued.node;
    run.start_time = continued.start_time;
    run.start_row = continued.start_row;
    const bool is_used_up = program.states[continued.state].edges.front().link != Link::kAny;
    if (is_used_up) bound.add(bound_bytes(block.view(), program, continued, event.time));
  }
  if (!is_new) {
    node.older = runs[at - 1].node;
    bound.add(bound_bytes(block.view(), program, runs[at - 1], event.time));
  }
  run.live = bound.packed();
  run.node = block.add_merged_node(node);
  if (!is_new) {
    runs[at - 1] = run;
    return;
  }
  block.view().header().format = kMergedBlockFormat;
  runs.insert(runs.begin() + static_cast<std::ptrdiff_t>(at), run);
  ++apart_;
  ++last_;
  if (from != nullptr) ++*from;
}

// The event completes the histories of the run: those that are told are noted, and room is made for them and for what else it binds.
void Matcher::find_histories(BlockEditor& block, const MatchScope& scope, const MatchEvent& event, const Run& run) {
  const Program& program = *scope.rule->entry.program;
  Histories found(block.view(), program, run, event.time);
  history_depth_ = found.depth();
  const uint64_t match_bytes = (history_depth_ + 1) * sizeof(Node);
  const uint64_t listed = std::min({found.count(), uint64_t{scope.limits->matches_per_event_max}, kPassingBytesMax / match_bytes});
  unlisted_ = found.count() - listed;
  // Each state that binds the event asks for the whole again, and must not move what was found.
  const uint64_t kept_bytes = program.states.size() * (packed_size(*event.batch, event.row) + sizeof(MergedNode) + sizeof(Run));
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
