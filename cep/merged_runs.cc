// See merged_runs.h. Tests: tests/unit/service/merged_runs_test.cc, tests/compare (merging on and off).
#include "cep/merged_runs.h"

#include <algorithm>
#include <bit>

#include "cep/limits.h"

namespace cep {
namespace {

uint32_t add_bytes(uint32_t a, uint32_t b, uint32_t max) { return static_cast<uint32_t>(std::min<uint64_t>(uint64_t{a} + b, max)); }

bool asks_only_events(const Program& program) {
  return std::all_of(program.variables.begin(), program.variables.end(), [](const Variable& variable) {
    return std::all_of(variable.conditions.begin(), variable.conditions.end(),
                       [](const Condition& condition) { return condition.residual == kNoExpr; });
  });
}

// An event that comes twice, by two inputs, could follow itself.
bool reads_streams_once(const Program& program) {
  for (size_t i = 0; i < program.inputs.size(); ++i) {
    for (size_t j = 0; j < i; ++j) {
      if (program.inputs[i].schema->id == program.inputs[j].schema->id) return false;
    }
  }
  return true;
}

bool is_plain(const Edge& edge) {
  const bool guards_always = std::all_of(edge.guards.begin(), edge.guards.end(), [](const Guard& guard) {
    return !guard.first_only && guard.active_us == kTimeMax && guard.lifted_by < 0;
  });
  return edge.kind == EdgeKind::kTake && edge.link != Link::kStrict && edge.gap_min_us == 0 && edge.gap_max_us == kTimeMax &&
         guards_always && edge.ended_by.empty() && edge.entry_untils.empty();
}

}  // namespace

bool can_merge_runs(const Program& program) {
  const bool is_simple = !program.is_when && program.skip == SkipStrategy::kNoSkip && program.having == kNoExpr &&
                         program.within_us != kTimeMax && program.within_us > 0 && program.clocks.empty() && program.quiet_us == 0;
  const bool is_sized = program.states.size() >= 3 && program.states.size() <= kMergedStatesMax;
  if (!is_simple || !is_sized || !asks_only_events(program) || !reads_streams_once(program)) return false;
  for (size_t s = 0; s < program.states.size(); ++s) {
    const State& state = program.states[s];
    const bool is_last = s + 1 == program.states.size();
    if (state.accepting != is_last || state.edges.size() != (is_last ? 0u : 1u) || !state.untils.empty()) return false;
    if (is_last) continue;
    const Edge& edge = state.edges.front();
    if (edge.target != s + 1 || (s > 0 && !is_plain(edge)) || edge.kind != EdgeKind::kTake) return false;
  }
  return true;
}

void BoundBytes::add(const BoundBytes& other) {
  now = add_bytes(now, other.now, UINT32_MAX);
  before = add_bytes(before, other.before, kMax);
  is_shared = is_shared || other.is_shared;
}

BoundBytes bound_bytes(BlockView block, const Program& program, const Run& run, TimeUs time) {
  const auto shift = static_cast<int>(std::bit_width(static_cast<uint64_t>(program.within_us) - 1));
  const BoundBytes bound = BoundBytes::of(run);
  const TimeUs newest = block.row_header(block.merged_node(run.node).row).time >> shift;
  if (time >> shift == newest) return bound;
  if (time >> shift == newest + 1) return {0, std::min(bound.now, BoundBytes::kMax), bound.is_shared};
  return {};
}

bool has_one_history(BlockView block, const Run& run) {
  for (uint32_t ref = run.node; ref != 0; ref = block.merged_node(ref).previous) {
    if (block.merged_node(ref).older != 0) return false;
  }
  return true;
}

Histories::Histories(BlockView block, const Program& program, const Run& run, TimeUs now) : layers_(run.state) {
  if (!is_over(program, run.start_time, now)) collect(block, program.within_us, run, now);
  count_all();
}

// What the run's nodes reach, state by state, each list up to where it is over. An older node continues an end of the list that the newer
// one does, or a list of its own, so each node of the layer below is met once and in order.
void Histories::collect(BlockView block, DurationUs span, const Run& run, TimeUs now) {
  const auto append = [&](uint32_t list, Layer& layer) {
    for (uint32_t ref = list;; ref = block.merged_node(ref).older) {
      layer.push_back({ref, 0, 0});
      if (block.is_end_over(ref, span, now)) return;
    }
  };
  append(run.node, layers_.back());
  for (size_t layer = layers_.size() - 1; layer > 0; --layer) {
    Layer& below = layers_[layer - 1];
    size_t at = 0;
    for (Bound& bound : layers_[layer]) {
      const uint32_t previous = block.merged_node(bound.node).previous;
      while (at < below.size() && below[at].node != previous) ++at;
      if (at == below.size()) append(previous, below);
      bound.from = static_cast<uint32_t>(at);
      bound.to = static_cast<uint32_t>(below.size());
    }
  }
}

void Histories::count_all() {
  std::vector<uint64_t> below(layers_.front().size(), 1);
  for (size_t layer = 1; layer < layers_.size(); ++layer) {
    const Layer& nodes = layers_[layer];
    std::vector<uint64_t> counts(nodes.size());
    size_t counted = below.size();          // from here on, those of the list under work are in the sum
    uint64_t sum = 0;
    for (size_t i = nodes.size(); i-- > 0; counted = nodes[i].from) {
      if (nodes[i].to <= counted) sum = 0, counted = nodes[i].to;      // another list
      for (size_t b = nodes[i].from; b < counted; ++b) sum = add_capped(sum, below[b]);
      counts[i] = sum;
    }
    below = std::move(counts);
  }
  for (const uint64_t histories : below) count_ = add_capped(count_, histories);
}

// Oldest first is R31: events are compared one by one from the first on. Each node is continued by some of the layer above, or it would
// not have been collected, so nothing is walked that is not listed.
std::vector<uint32_t> Histories::first(uint64_t max) const {
  std::vector<uint32_t> listed;
  std::vector<uint32_t> path(depth());
  for (size_t at = layers_.front().size(); at-- > 0 && listed.size() < max * depth();) list(0, at, max, path, listed);
  return listed;
}

void Histories::list(size_t layer, size_t at, uint64_t max, std::vector<uint32_t>& path, std::vector<uint32_t>& listed) const {
  path[layer] = layers_[layer][at].node;
  if (layer + 1 == layers_.size()) {
    listed.insert(listed.end(), path.begin(), path.end());
    return;
  }
  const Layer& above = layers_[layer + 1];
  const auto beyond =
      std::upper_bound(above.begin(), above.end(), at, [](size_t index, const Bound& bound) { return index < bound.from; });
  for (auto next = static_cast<size_t>(beyond - above.begin()); next-- > 0 && listed.size() < max * depth();) {
    if (above[next].to <= at) return;
    list(layer + 1, next, max, path, listed);
  }
}

uint64_t count_partial(BlockView block, const BoundRule& rule, const Run& run, TimeUs now) {
  if (run.is_merged == 0) return 1;
  if (is_over(*rule.entry.program, run.start_time, now)) return 0;
  return has_one_history(block, run) ? 1 : Histories(block, *rule.entry.program, run, now).count();
}

}  // namespace cep
