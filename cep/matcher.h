// One rule on one key: what an event, or a deadline, does to the rule's runs (R0-R31). Implements the definition of a match in
// language_rules: a run's live edges are its threads; each is tested against the event on its own (R0).
// Runs that nothing can tell apart are merged (merged_runs.h). Scratch that is reused from event to event; one thread.
// Complexity: O(runs of the rule in the key * live edges); of merged runs one for each state.
#pragma once

#include <span>
#include <vector>

#include "cep/block.h"
#include "cep/bound_events.h"
#include "cep/limits.h"
#include "cep/merged_runs.h"
#include "cep/window_reader.h"

namespace cep {

// A complete match, before skip strategies: its last node is held by the editor.
struct Match {
  uint32_t held = 0;            // BlockEditor::held index of the last bound event's node
  uint32_t start_row = 0;
  uint32_t depth = 0;
  AlertKind kind = AlertKind::kMatch;
};

// Bound events of a chain in a block (see bound_events.h).
class ChainEvents : public BoundEvents {
 public:
  ChainEvents(BlockView block, uint32_t node, const Program& program, const RuleSet& rules)
      : block_(block), node_(node), program_(program), rules_(rules) {}
  RowRef find(uint16_t variable, bool from_first, uint32_t offset) const override;
  void for_each(uint16_t variable, const std::function<void(const RowRef&)>& visit) const override;
  const Program& program() const override { return program_; }
  RowRef row(uint32_t node) const;
  uint16_t variable(uint32_t node) const { return program_.states[block_.node(node).state].variable; }

 private:
  BlockView block_;
  uint32_t node_;
  const Program& program_;
  const RuleSet& rules_;
};

// The event under test, as one input of the rule sees it.
struct MatchEvent {
  const Batch* batch = nullptr;
  uint32_t row = 0;
  uint16_t input = 0;
  TimeUs time = 0;
  const uint64_t* words = nullptr;      // the row's predicate bits
  uint64_t fold = kAwaitsAny;           // of the words: what the event can wake
};

// What conditions of a rule may look at beyond the event and the run.
struct MatchScope {
  const RuleSet* rules = nullptr;
  const BoundRule* rule = nullptr;
  bool merges_runs = false;             // what starts is merged
  std::span<const Value> key;
  WindowReader* windows = nullptr;
  TextArena* texts = nullptr;
  EvalCounters* eval_counters = nullptr;
  EngineCounters* counters = nullptr;
  const Limits* limits = nullptr;
};

// The context of an expression of the rule, without what it is about: event and bound events are the caller's to set.
EvalContext context_of(const MatchScope& scope);

class Matcher {
 public:
  // Applies one event to the rule's runs in the open block; complete matches are appended to `matches`, in R31 order with the
  // skip strategy applied (of a rule with episodes all of them, for it skips when an episode ends). Marks the key as truncated when a
  // limit refused a run or a match. Matches of merged runs are made in the block's passing part: drop_passing() when they are told.
  void on_event(BlockEditor& block, const MatchScope& scope, const MatchEvent& event, std::vector<Match>& matches);
  // Completes the rule's absences whose deadline is exactly `deadline`.
  void on_deadline(BlockEditor& block, const MatchScope& scope, TimeUs deadline, std::vector<Match>& matches);
  // Whether a `when` rule's test (or any variable's condition) holds without bound events.
  static bool fits(const MatchScope& scope, const MatchEvent& event, uint16_t variable, const BoundEvents* bound);

 private:
  static constexpr size_t kNone = SIZE_MAX;
  static constexpr uint64_t kNotCounted = UINT64_MAX;

  void find_runs(BlockEditor& block, ProgramId id);
  void step_run(BlockEditor& block, const MatchScope& scope, const MatchEvent& event, size_t index);
  void take(BlockEditor& block, const MatchScope& scope, const MatchEvent& event, const Run* from, const Edge& edge);
  bool is_full(BlockEditor& block, const MatchScope& scope, TimeUs now);
  bool is_heavy(BlockEditor& block, const MatchScope& scope, TimeUs now);
  void step_merged(BlockEditor& block, const MatchScope& scope, const MatchEvent& event);
  bool has_room(BlockEditor& block, const MatchScope& scope, uint32_t bytes, TimeUs now);
  bool bind_merged(BlockEditor& block, const MatchScope& scope, const MatchEvent& event, size_t* from, uint16_t target);
  void find_histories(BlockEditor& block, const MatchScope& scope, const MatchEvent& event, const Run& run);
  void complete_histories(BlockEditor& block, const MatchScope& scope, const MatchEvent& event);
  BoundBytes charge_row(std::vector<Run>& runs, uint32_t row_bytes);
  void insert_merged(BlockEditor& block, size_t at, const Run& run);
  void remove_merged(BlockEditor& block, size_t at);
  void end_merged(BlockEditor& block, const MatchScope& scope, size_t at, TimeUs now);
  void start(BlockEditor& block, const MatchScope& scope, const MatchEvent& event);
  void note_head_nots(BlockEditor& block, const MatchScope& scope, const MatchEvent& event);
  bool head_nots_allow(BlockEditor& block, const MatchScope& scope, const MatchEvent& event, const Edge& edge);
  bool accepts(BlockEditor& block, const MatchScope& scope, uint32_t node);
  void finish(BlockEditor& block, const MatchScope& scope, TimeUs now, std::vector<Match>& matches);
  void sort_complete(BlockEditor& block, const MatchScope& scope);
  void end_other_roads(BlockEditor& block, const MatchScope& scope);
  void apply_skip(BlockEditor& block, const MatchScope& scope, const Match& match, size_t index);
  void settle_runs(BlockEditor& block, const MatchScope& scope, TimeUs now);

  // The rule's runs in the open block: of BlockEditor::runs() from first_ on the merged ones, later states first, then [apart_, last_).
  size_t first_ = 0, apart_ = 0, last_ = 0;
  size_t over_ = kNone;             // of those apart, how many are over; counted when the limit asks
  uint64_t apart_bytes_ = kNotCounted;   // of the key's runs that are apart and what they had bound before the event; counted likewise
  uint64_t taken_bytes_ = 0;             // what the rule's have bound since
  // What the rule's, and the key's, merged runs have bound; counted when they bind.
  uint64_t own_bytes_ = kNotCounted, all_bytes_ = kNotCounted;
  size_t charged_ = kNone;          // the merged run that counts the event's row
  std::vector<Run> born_;           // new runs; `node` is an index of the editor's held references
  struct Ranked {
    Match match;
    uint32_t number, begin;         // of the match in complete_; where its chain is in chains_
  };
  std::vector<Match> complete_;
  std::vector<Ranked> ranked_;      // of sort_complete
  std::vector<uint32_t> chains_;    // likewise
  std::vector<uint32_t> histories_; // of merged runs, that the event completes: Histories::first
  size_t history_depth_ = 0;        // events of each, without this one
  uint64_t unlisted_ = 0;           // such histories beyond the limit
  std::vector<Run*> absences_;      // runs that still await a deadline
  std::vector<uint8_t> dropped_;    // by complete match
  bool refused_ = false;
  bool matches_cut_ = false;
};

// Time of the first event of a chain.
TimeUs first_time(BlockView block, uint32_t node);
// When the run's next absence completes, kTimeMax if it has none.
TimeUs run_deadline(BlockView block, const Program& program, const Run& run);
// When an edge that still waits can no longer: nothing is bound, and no absence completes, at or after it (an absence at it).
TimeUs edge_end(BlockView block, const Program& program, const Run& run, const Edge& edge, const Limits& limits);
// How long a run of the program can live after its first event: within, or the age limit; none of a `when` rule.
DurationUs run_horizon(const Program& program, const Limits& limits);
// When nothing of the run can be alive any more: within (or the age limit) and its deadline.
TimeUs run_end(BlockView block, const Program& program, const Run& run, const Limits& limits);

}  // namespace cep
