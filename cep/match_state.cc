// Match state for readers: Engine::match_state and match_summary (GET /v1/matches). Copies out of the block, changes nothing.
#include <algorithm>
#include <map>

#include "cep/key.h"
#include "cep/limits.h"
#include "cep/merged_runs.h"
#include "cep/time_math.h"
#include "cep/timeline_engine.h"
#include "cep/truncation.h"

namespace cep {
namespace {

constexpr size_t kBoundEventsMax = 20;     // newest events listed per stretch of one variable
constexpr size_t kHottestMax = 20;

// A partial match: a run, or one of the histories of a merged run.
struct Partial {
  Run run;                                  // of a merged run: as if this were its only history
  std::vector<uint32_t> nodes;              // newest first
};

std::vector<uint32_t> chain_of(BlockView block, uint32_t node) {
  std::vector<uint32_t> nodes;
  for (uint32_t ref = node; ref != 0; ref = block.node(ref).previous) nodes.push_back(ref);
  return nodes;
}

// Appends the first `max` of a run that is not over; how many there are.
uint64_t add_partials(BlockView block, const Program& program, const Run& run, TimeUs now, uint64_t max, std::vector<Partial>& partials) {
  if (run.is_merged == 0) {
    partials.push_back({run, chain_of(block, run.node)});
    return 1;
  }
  const Histories histories(block, program, run, now);
  const std::vector<uint32_t> nodes = histories.first(max);
  for (auto at = nodes.begin(); at != nodes.end(); at += static_cast<std::ptrdiff_t>(histories.depth())) {
    const RowHeader& start = block.row_header(block.node(*at).row);
    Partial partial{run, {at, at + static_cast<std::ptrdiff_t>(histories.depth())}};
    std::reverse(partial.nodes.begin(), partial.nodes.end());
    partial.run.start_time = start.time;
    partial.run.start_row = start.number;
    partial.run.live = 1;                   // its only edge
    partials.push_back(std::move(partial));
  }
  return histories.count();
}

// R31: start, longer first, then the rows of the events.
void sort_partials(BlockView block, std::vector<Partial>& partials) {
  const auto row_number = [&](uint32_t ref) { return block.row_header(block.node(ref).row).number; };
  std::stable_sort(partials.begin(), partials.end(), [&](const Partial& a, const Partial& b) {
    if (a.run.start_row != b.run.start_row) return a.run.start_row < b.run.start_row;
    if (a.nodes.size() != b.nodes.size()) return a.nodes.size() > b.nodes.size();
    return std::lexicographical_compare(a.nodes.rbegin(), a.nodes.rend(), b.nodes.rbegin(), b.nodes.rend(),
                                        [&](uint32_t x, uint32_t y) { return row_number(x) < row_number(y); });
  });
}

std::vector<MatchState::Bound> bound_events(BlockView block, const Program& program, const RuleSet& rules,
                                            const std::vector<uint32_t>& nodes) {
  std::vector<MatchState::Bound> bound;     // newest first while walking
  for (const uint32_t ref : nodes) {
    uint16_t variable = program.is_when ? 0 : program.states[block.node(ref).state].variable;
    if (bound.empty() || bound.back().variable != variable) bound.push_back({variable, 0, {}});
    MatchState::Bound& stretch = bound.back();
    ++stretch.count;
    if (stretch.events.size() >= kBoundEventsMax) continue;
    const uint8_t* packed = block.row(block.node(ref).row);
    const RowHeader& header = *reinterpret_cast<const RowHeader*>(packed);
    auto copy = std::make_shared<uint64_t[]>(header.size / 8);
    std::memcpy(copy.get(), packed, header.size);
    stretch.events.push_back({variable, rules.schema(header.stream), std::move(copy)});
  }
  std::reverse(bound.begin(), bound.end());
  for (MatchState::Bound& stretch : bound) std::reverse(stretch.events.begin(), stretch.events.end());
  return bound;
}

MatchState::Run describe_run(BlockView block, const Program& program, const RuleSet& rules, const Partial& partial, const Limits& limits) {
  const Run& run = partial.run;
  MatchState::Run described;
  described.state = run.state;
  described.started = run.start_time;
  described.expires = add_saturating(run.start_time, run_horizon(program, limits));
  described.deadline = run_deadline(block, program, run);
  described.bound = bound_events(block, program, rules, partial.nodes);
  TimeUs last = block.row_header(block.node(partial.nodes.front()).row).time;
  const State& state = program.states[run.state];
  for (size_t e = 0; e < state.edges.size(); ++e) {
    if ((run.live >> e & 1) == 0) continue;
    const Edge& edge = state.edges[e];
    if (edge.kind == EdgeKind::kTake) {
      MatchState::Await await;
      await.variable = program.variables[program.states[edge.target].variable].name;
      await.link = edge.link;
      if (edge.gap_min_us > 0) await.from = add_saturating(last, edge.gap_min_us);
      await.until = std::min(edge.gap_max_us == kTimeMax ? kTimeMax : add_saturating(last, edge.gap_max_us),
                             program.within_us == kTimeMax ? kTimeMax : described.expires);
      described.awaits.push_back(std::move(await));
    }
    for (const Guard& guard : edge.guards) {
      std::string text = "not " + program.variables[guard.variable].name;
      auto known = std::find(described.guards.begin(), described.guards.end(), text);
      if (known == described.guards.end()) described.guards.push_back(text);
    }
  }
  return described;
}

MatchState::Episode describe_episode(BlockView block, const BoundRule& rule, const RuleSet& rules, const EpisodeCell& episode,
                                     const Limits& limits) {
  MatchState::Episode described;
  described.bound = bound_events(block, *rule.entry.program, rules, chain_of(block, episode.node));
  described.started = first_time(block, episode.node);
  described.last = episode.last;
  described.ends = episode_end(episode, block, block.runs(), rule, limits).time;
  described.folded = episode.folded;
  return described;
}

bool has_ended(const Program& program, BlockView block, const Run& run, const Limits& limits, TimeUs now) {
  return run_end(block, program, run, limits) <= now;
}

}  // namespace

uint64_t Engine::key_hash(const BoundRule& rule, std::span<const Value> key) const {
  std::string encoded;
  if (!encode_key(rule.entry.program->key, key, encoded)) return 0;
  return hash_bytes(encoded.data(), encoded.size());
}

MatchState Engine::match_state(const BoundRule& asked, std::span<const Value> key, uint32_t runs_max) const {
  // The asker's rule set may be a moment older than this shard's.
  const BoundRule* rule = rules_->find(asked.entry.id);
  MatchState state;
  for (const Value& part : key) state.key.emplace_back(part);
  std::string encoded;
  if (rule == nullptr || !encode_key(rule->entry.program->key, key, encoded)) return state;
  const Program& program = *rule->entry.program;
  const Timeline& timeline = rules_->timelines()[rule->timeline];
  const TimelineEngine& engine = *timelines_[rule->timeline];
  state.watermark = engine.frontier();
  const Slot* slot = engine.find(timeline.spaces[rule->space].id, hash_bytes(encoded.data(), encoded.size()), encoded);
  if (slot == nullptr || engine.is_over(BlockView(slot->block), state.watermark)) return state;
  BlockView block(slot->block);
  std::vector<Partial> partials;
  for (const Run& run : block.runs()) {
    if (run.program != rule->entry.id || has_ended(program, block, run, limits_, state.watermark)) continue;
    state.runs_live = add_capped(state.runs_live, add_partials(block, program, run, state.watermark, runs_max, partials));
  }
  sort_partials(block, partials);
  state.more = state.runs_live > runs_max;
  partials.resize(std::min<size_t>(partials.size(), runs_max));
  for (const Partial& partial : partials) state.runs.push_back(describe_run(block, program, *rules_, partial, limits_));
  AppendedRings none;
  EvalCounters not_counted;     // a reader's question is no event
  TextArena texts;
  EvalContext nothing;          // no event is under test
  nothing.texts = &texts;
  nothing.counters = &not_counted;
  BlockWindows windows(engine, block, *rule, state.watermark, none, not_counted);
  for (uint16_t w = 0; w < program.windows.size(); ++w) {
    const TimeUs since = windows.partial_since(w, state.watermark);
    state.windows.push_back({program.windows[w].text, OwnedValue(windows.value(w, nothing)), since});
  }
  uint64_t id = static_cast<uint32_t>(rule->entry.id);
  if (Cell* cell = block.find_cell(CellKind::kSuppress, id)) {
    const SuppressCell& suppress = *reinterpret_cast<const SuppressCell*>(cell->payload());
    state.suppress_until = suppress.until > state.watermark || suppress.folded > 0 ? suppress.until : kTimeMin;
    state.suppress_folded = suppress.folded;
  }
  if (const EpisodeCell* episode = find_episode(block, *rule)) {
    state.episode = describe_episode(block, *rule, *rules_, *episode, limits_);
  }
  state.truncated = truncated_at(block, rule->entry.id, state.watermark);
  return state;
}

MatchSummary Engine::match_summary(const BoundRule& asked) const {
  MatchSummary summary;
  const BoundRule* rule = rules_->find(asked.entry.id);
  if (rule == nullptr) return summary;
  const Timeline& timeline = rules_->timelines()[rule->timeline];
  const KeySpace& space = timeline.spaces[rule->space];
  std::map<uint16_t, MatchSummary::StateCount> states;
  const TimeUs now = timelines_[rule->timeline]->frontier();
  timelines_[rule->timeline]->for_each_block(space.id, [&](const Slot& slot) {
    BlockView block(slot.block);
    std::map<uint16_t, uint64_t> in_key;
    uint64_t runs = 0;
    for (const Run& run : block.runs()) {
      if (run.program != rule->entry.id || has_ended(*rule->entry.program, block, run, limits_, now)) continue;
      const uint64_t partial = count_partial(block, *rule, run, now);
      in_key[run.state] = add_capped(in_key[run.state], partial);
      runs = add_capped(runs, partial);
    }
    if (runs == 0) return;
    for (const auto& [state, count] : in_key) {
      states[state].state = state;
      states[state].runs = add_capped(states[state].runs, count);
      ++states[state].keys;
    }
    MatchSummary::HotKey hot;
    for (const Value& part : decode_key(space.parts, block.key())) hot.key.emplace_back(part);
    hot.runs = runs;
    hot.bytes = block.header().capacity;
    summary.hottest.push_back(std::move(hot));
    auto hotter = [](const MatchSummary::HotKey& a, const MatchSummary::HotKey& b) { return a.runs > b.runs; };
    if (summary.hottest.size() <= 4 * kHottestMax) return;
    std::stable_sort(summary.hottest.begin(), summary.hottest.end(), hotter);
    summary.hottest.resize(kHottestMax);
  });
  std::stable_sort(summary.hottest.begin(), summary.hottest.end(), [](const auto& a, const auto& b) { return a.runs > b.runs; });
  summary.hottest.resize(std::min(summary.hottest.size(), kHottestMax));
  for (const auto& [state, count] : states) summary.states.push_back(count);
  return summary;
}

}  // namespace cep
