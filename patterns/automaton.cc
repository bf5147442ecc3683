#include "patterns/automaton.h"

#include <algorithm>

namespace patterns {
namespace {

bool operator==(const cep::Guard& a, const cep::Guard& b) {
  return a.variable == b.variable && a.first_only == b.first_only && a.active_us == b.active_us &&
         a.lifted_by == b.lifted_by;
}

bool same_edge(const cep::Edge& a, const cep::Edge& b) {
  return a.kind == b.kind && a.link == b.link && a.target == b.target && a.gap_min_us == b.gap_min_us &&
         a.gap_max_us == b.gap_max_us && a.ended_by == b.ended_by && a.entry_untils == b.entry_untils &&
         a.head_nots == b.head_nots && a.clock_starts == b.clock_starts && a.clock_checks == b.clock_checks && a.for_us == b.for_us &&
         std::equal(a.guards.begin(), a.guards.end(), b.guards.begin(), b.guards.end(),
                    [](const cep::Guard& x, const cep::Guard& y) { return x == y; });
}

class Automaton {
 public:
  Automaton(Draft draft, const PatternClause& pattern, Diagnostics& diagnostics)
      : draft_(std::move(draft)),
        core_(draft_.core),
        diagnostics_(diagnostics),
        span_(pattern.span),
        within_us_(pattern.within ? pattern.within->us : cep::kTimeMax) {}

  std::optional<CorePattern> make(const Fragment& whole) {
    const size_t errors_before = diagnostics_.errors();
    if (draft_.positions.empty()) {
      diagnostics_.add(Code::kNothingBound, span_);
      return std::nullopt;
    }
    core_.states.resize(draft_.positions.size() + 1);
    for (size_t p = 0; p < draft_.positions.size(); ++p) core_.states[p + 1].variable = draft_.positions[p];
    for (const End& first : whole.first) add_start(first);
    for (const DraftEdge& edge : draft_.edges) add_take(edge);
    for (const End& last : whole.last) add_end(last);
    core_.can_be_empty = !whole.skips.empty();
    check_sizes();
    // A NOT without an end leaves the automaton whole: conditions are still checked against it, so all problems show at once.
    if (diagnostics_.errors() != errors_before + unbounded_) return std::nullopt;
    return std::move(core_);
  }

 private:
  // A head item is entered without a link or gap; NOTs before it look back (R24).
  void add_start(const End& first) {
    cep::Edge edge;
    edge.target = static_cast<uint16_t>(first.position + 1);
    edge.entry_untils = first.road.entry_untils;
    edge.clock_starts = first.road.clock_starts;
    for (const RoadGuard& guard : first.road.guards) {
      if (guard.greedy) {
        add_unique_guard(edge, guard_of(0, guard));
        continue;
      }
      if (guard.strict || first.road.link == cep::Link::kStrict) {
        diagnostics_.add(Code::kHeadNotStrict,
                         first.road.link == cep::Link::kStrict ? first.road.link_span : guard.span);
        continue;
      }
      const cep::DurationUs span_us = guard.for_us != cep::kTimeMax ? guard.for_us : within_us_;
      if (span_us == cep::kTimeMax) {
        unbounded(guard);
        continue;
      }
      add_unique(edge.head_nots, head_not({guard.variable, span_us}));
    }
    check_for_mix(first.road);
    add_edge(0, std::move(edge));
  }

  uint16_t head_not(const cep::HeadNot& wanted) {
    add_unique(core_.head_nots, wanted);
    const auto found = std::find(core_.head_nots.begin(), core_.head_nots.end(), wanted);
    return static_cast<uint16_t>(found - core_.head_nots.begin());
  }

  void add_take(const DraftEdge& draft) {
    const uint16_t from = static_cast<uint16_t>(draft.from + 1);
    cep::Edge edge;
    edge.link = draft.road.link.value_or(cep::Link::kRelaxed);
    edge.target = static_cast<uint16_t>(draft.to + 1);
    edge.gap_min_us = draft.road.gap_min_us;
    edge.gap_max_us = draft.road.gap_max_us;
    edge.entry_untils = draft.road.entry_untils;
    edge.clock_starts = draft.road.clock_starts;
    edge.clock_checks = draft.clock_checks;
    for (const uint16_t until : draft.ended_by) edge.ended_by.push_back(until_index(from, until));
    for (const RoadGuard& guard : draft.road.guards) {
      add_unique_guard(edge, guard_of(from, guard));
      if (guard.for_us == cep::kTimeMax || guard.between_rounds) continue;
      if (edge.link == cep::Link::kStrict) {
        const bool placed = draft.road.link_span.end > draft.road.link_span.begin;
        diagnostics_.add(Code::kStrictAfterAbsence, placed ? draft.road.link_span : guard.span,
                         {core_.variables[guard.variable].name});
      }
      edge.gap_min_us = std::max(edge.gap_min_us, guard.for_us);
    }
    check_for_mix(draft.road);
    add_edge(from, std::move(edge));
  }

  void add_end(const End& last) {
    const uint16_t from = static_cast<uint16_t>(last.position + 1);
    if (!last.road.ends_with_not) {
      core_.states[from].accepting = true;
      core_.completes_at_event = true;
      return;
    }
    cep::Edge edge;
    edge.kind = cep::EdgeKind::kStrictAbsence;
    cep::DurationUs for_us = 0;
    bool has_for = false;
    for (const RoadGuard& guard : last.road.guards) {
      if (guard.greedy) continue;  // R3: a greedy loop at the end changes nothing
      if (!guard.strict) edge.kind = cep::EdgeKind::kAbsence;
      if (guard.for_us != cep::kTimeMax) {
        has_for = true;
        for_us = std::max(for_us, guard.for_us);
      }
      add_unique_guard(edge, guard_of(from, guard));
    }
    check_for_mix(last.road);
    if (has_for) {
      edge.for_us = for_us;
    } else if (within_us_ == cep::kTimeMax && edge.kind == cep::EdgeKind::kAbsence) {
      for (const RoadGuard& guard : last.road.guards) {
        if (!guard.greedy && !guard.strict) unbounded(guard);
      }
    }
    (edge.kind == cep::EdgeKind::kAbsence ? core_.completes_at_deadline : core_.completes_at_event) = true;
    add_edge(from, std::move(edge));
  }

  void unbounded(const RoadGuard& guard) {
    ++unbounded_;
    diagnostics_.add(Code::kNotUnbounded, guard.span, {core_.variables[guard.variable].name}).hint =
        "write `not " + core_.variables[guard.variable].name + " for 1 hour`, or give the pattern a `within`";
  }

  // R26
  void check_for_mix(const Road& road) {
    const RoadGuard* with = nullptr;
    const RoadGuard* without = nullptr;
    for (const RoadGuard& guard : road.guards) {
      if (!guard.greedy && !guard.between_rounds) (guard.for_us != cep::kTimeMax ? with : without) = &guard;
    }
    if (with && without) diagnostics_.add(Code::kNotForMix, without->span).hint = "give this one a `for` too";
  }

  cep::Guard guard_of(uint16_t state, const RoadGuard& guard) {
    cep::Guard made;
    made.variable = guard.variable;
    made.first_only = guard.strict;
    made.active_us = guard.for_us;
    if (guard.until != cep::kNoVariable) made.lifted_by = static_cast<int8_t>(until_index(state, guard.until));
    return made;
  }

  uint8_t until_index(uint16_t state, uint16_t variable) {
    std::vector<cep::Until>& untils = core_.states[state].untils;
    for (size_t i = 0; i < untils.size(); ++i) {
      if (untils[i].variable == variable) return static_cast<uint8_t>(i);
    }
    untils.push_back({variable});
    return static_cast<uint8_t>(untils.size() - 1);
  }

  static void add_unique_guard(cep::Edge& edge, const cep::Guard& guard) {
    for (const cep::Guard& known : edge.guards) {
      if (known == guard) return;
    }
    edge.guards.push_back(guard);
  }

  void add_edge(uint16_t from, cep::Edge edge) {
    for (const cep::Edge& known : core_.states[from].edges) {
      if (same_edge(known, edge)) return;
    }
    core_.states[from].edges.push_back(std::move(edge));
  }

  void check_sizes() {
    for (const cep::State& state : core_.states) {
      const size_t roads = state.edges.size() + state.untils.size();
      if (roads <= kRoadsMax) continue;
      const std::string name = state.variable == cep::kNoVariable ? "the start" : core_.variables[state.variable].name;
      diagnostics_.add(Code::kTooManyRoads, span_, {name, std::to_string(roads), std::to_string(kRoadsMax)});
      return;
    }
  }

  Draft draft_;
  CorePattern& core_;
  size_t unbounded_ = 0;              // NOTs that nothing ends: reported, and no reason to stop
  Diagnostics& diagnostics_;
  Span span_;
  cep::DurationUs within_us_;
};

}  // namespace

std::optional<CorePattern> make_automaton(Draft draft, const Fragment& whole, const PatternClause& pattern,
                                          Diagnostics& diagnostics) {
  return Automaton(std::move(draft), pattern, diagnostics).make(whole);
}

namespace {

// The variable and the subsets that it is in.
uint64_t bits_of(const CorePattern& core, uint16_t variable) {
  uint64_t bits = uint64_t{1} << variable;
  for (size_t s = 0; s < core.subsets.size(); ++s) {
    if ((core.subsets[s] >> variable & 1) != 0) bits |= uint64_t{1} << (core.variables.size() + s);
  }
  return bits;
}

}  // namespace

Bindings bindings_of(const CorePattern& core) {
  const size_t count = core.states.size();
  Bindings bindings{std::vector<uint64_t>(count, 0), std::vector<uint64_t>(count, ~uint64_t{0})};
  bindings.must[0] = 0;
  for (bool changed = true; changed;) {
    changed = false;
    for (size_t from = 0; from < count; ++from) {
      for (const cep::Edge& edge : core.states[from].edges) {
        if (edge.kind != cep::EdgeKind::kTake) continue;
        const uint64_t own = bits_of(core, core.states[edge.target].variable);
        const uint64_t may = bindings.may[edge.target] | bindings.may[from] | own;
        const uint64_t must = bindings.must[edge.target] & (bindings.must[from] | own);
        changed = changed || may != bindings.may[edge.target] || must != bindings.must[edge.target];
        bindings.may[edge.target] = may;
        bindings.must[edge.target] = must;
      }
    }
  }
  return bindings;
}

}  // namespace patterns
