// The walk over the pattern's tree that makes positions and edges. A copy of a loop's body is made by walking it again.
#include "patterns/lower.h"

#include <algorithm>

#include "patterns/automaton.h"

namespace patterns {
namespace {

cep::Link link_of(LoopMode mode) {
  switch (mode) {
    case LoopMode::kStrict: return cep::Link::kStrict;
    case LoopMode::kAny: return cep::Link::kAny;
    case LoopMode::kRelaxed: break;
  }
  return cep::Link::kRelaxed;
}

std::optional<cep::Link> link_of(Link link) {
  switch (link) {
    case Link::kNext: return cep::Link::kStrict;
    case Link::kSkip: return cep::Link::kRelaxed;
    case Link::kAny: return cep::Link::kAny;
    case Link::kNone: break;
  }
  return std::nullopt;
}

struct Times {
  cep::DurationUs min_us = 0;
  cep::DurationUs max_us = cep::kTimeMax;
};

Times times_of(const std::optional<Gap>& gap) {
  if (!gap) return {};
  return {gap->at_least ? gap->at_least->us : 0, gap->less_than.us};
}

constexpr size_t kDraftEdgesMax = size_t{kStatesMax} * kRoadsMax;  // before equal ones are folded
constexpr uint64_t kManyStates = 1'000'000'000;

uint64_t copies_of(const Item& item) {
  if (!item.quantifier) return 1;
  return item.quantifier->max ? *item.quantifier->max : std::max(item.quantifier->min, 1u);
}

// Positions the pattern will have, without making them; at most kManyStates.
uint64_t count_positions(const Alternation& alternation) {
  uint64_t total = 0;
  for (const Sequence& branch : alternation.branches) {
    for (const Item& item : branch.items) {
      const uint64_t body = item.kind == ItemKind::kVariable              ? 1
                            : item.kind == ItemKind::kGroup && item.group ? count_positions(*item.group)
                                                                          : 0;
      total = std::min(kManyStates, total + std::min(kManyStates, body * copies_of(item)));
    }
  }
  return total;
}

class Lowering {
 public:
  Lowering(const PatternClause& pattern, Diagnostics& diagnostics) : pattern_(pattern), diagnostics_(diagnostics) {}

  std::optional<CorePattern> run() {
    const size_t errors_before = diagnostics_.errors();
    const uint64_t states = count_positions(pattern_.alternation) + 1;
    if (states > kStatesMax) {
      diagnostics_.add(Code::kTooBig, pattern_.span, {std::to_string(states), std::to_string(kStatesMax)});
      return std::nullopt;
    }
    const Fragment whole = alternation(pattern_.alternation);
    check_variables();
    if (diagnostics_.errors() != errors_before || refused_) return std::nullopt;
    return make_automaton(std::move(draft_), whole, pattern_, diagnostics_);
  }

 private:
  Fragment alternation(const Alternation& tree) {
    Fragment all;
    for (const Sequence& branch : tree.branches) {
      Fragment one = sequence(branch);
      for (End& end : one.first) add_unique(all.first, std::move(end));
      for (End& end : one.last) add_unique(all.last, std::move(end));
      for (Road& road : one.skips) add_unique(all.skips, std::move(road));
      if (tree.branches.size() == 1) all.rounds = std::move(one.rounds);
    }
    return all;
  }

  Fragment sequence(const Sequence& tree) {
    Fragment whole;
    whole.skips.push_back({});
    std::vector<Round> rounds;  // of the loop that stands directly before
    for (const Item& item : tree.items) {
      if (refused_) break;
      if (item.kind == ItemKind::kNot) {
        add_not(item, whole, rounds);
      } else {
        Fragment next = loop(item);
        rounds = next.rounds;
        append(whole, next, item);
      }
    }
    whole.rounds = std::move(rounds);
    return whole;
  }

  // Roads that reach the place of a NOT carry its guards on.
  void add_not(const Item& item, Fragment& whole, const std::vector<Round>& rounds) {
    for (const Name& name : item.names) {
      RoadGuard guard;
      guard.variable = variable(name, true);
      guard.strict = item.link == Link::kNext;
      guard.inherits = item.link == Link::kNone;
      guard.for_us = item.absence_for ? item.absence_for->us : cep::kTimeMax;
      guard.span = item.span;
      for (End& end : whole.last) end.road.guards.push_back(guard);
      for (Road& road : whole.skips) road.guards.push_back(guard);
      guard.between_rounds = true;
      for (const Round& round : rounds) {
        if (guard.strict && !round.may_be_last) continue;
        draft_.edges[round.edge].road.guards.push_back(guard);
      }
    }
    for (End& end : whole.last) end.road.ends_with_not = true;
    for (Road& road : whole.skips) road.ends_with_not = true;
  }

  void append(Fragment& whole, const Fragment& next, const Item& item) {
    const std::optional<cep::Link> link = link_of(item.link);
    const Times gap = times_of(item.gap);
    for (const End& first : next.first) {
      const Road entered = enter(first.road, link, item.link_span, gap.min_us, gap.max_us);
      for (const End& from : whole.last) edge(from.position, first.position, join(from.road, entered));
      for (const Road& skip : whole.skips) add_unique(whole.first, End{first.position, join(skip, entered)});
    }
    std::vector<End> last;
    for (const Road& skip : next.skips) {
      const Road passed = settle(skip, link);
      for (const End& from : whole.last) add_unique(last, End{from.position, join(from.road, passed)});
    }
    for (const End& end : next.last) add_unique(last, end);
    std::vector<Road> skips;
    for (const Road& before : whole.skips) {
      for (const Road& skip : next.skips) add_unique(skips, join(before, settle(skip, link)));
    }
    whole.last = std::move(last);
    whole.skips = std::move(skips);
  }

  // One round of an item.
  Fragment round(const Item& item) {
    Fragment one;
    if (item.kind == ItemKind::kVariable) {
      const uint16_t position = static_cast<uint16_t>(draft_.positions.size());
      draft_.positions.push_back(variable(item.name, false));
      one.first.push_back({position, {}});
      one.last.push_back({position, {}});
      return one;
    }
    if (item.kind != ItemKind::kGroup || !item.group) {
      if (item.kind == ItemKind::kPermute) diagnostics_.add(Code::kNotYet, item.span, {"`permute`"});
      refused_ = true;
      one.skips.push_back({});
      return one;
    }
    const size_t edges_before = draft_.edges.size();
    one = alternation(*item.group);
    if (item.within) start_clock(item, one, edges_before);
    return one;
  }

  void start_clock(const Item& item, Fragment& one, size_t edges_before) {
    const uint16_t bit = clock_bit(item);
    for (End& end : one.first) end.road.clock_starts |= bit;
    for (size_t i = edges_before; i < draft_.edges.size(); ++i) draft_.edges[i].clock_checks |= bit;
  }

  // All copies of a group share a clock: only one round of it is open at a time.
  uint16_t clock_bit(const Item& item) {
    auto found = std::find(clock_items_.begin(), clock_items_.end(), &item);
    const size_t number = static_cast<size_t>(found - clock_items_.begin());
    if (number >= kGroupClocksMax) {
      diagnostics_.add(Code::kNotYet, item.within->span, {"a pattern with more than 16 groups with `within`"});
      return 0;
    }
    if (found == clock_items_.end()) {
      clock_items_.push_back(&item);
      draft_.core.clocks.push_back({item.within->us});
    }
    return static_cast<uint16_t>(1u << number);
  }

  Fragment loop(const Item& item) {
    if (!item.quantifier) return plain(item);
    const uint32_t min = item.quantifier->min;
    const bool unbounded = !item.quantifier->max.has_value();
    const uint32_t copies = static_cast<uint32_t>(copies_of(item));
    const uint16_t until = item.until ? until_variable(*item.until) : cep::kNoVariable;
    const size_t edges_before = draft_.edges.size();
    Fragment whole;
    Fragment before;
    for (uint32_t n = 1; n <= copies; ++n) {
      Fragment one = round(item);
      if (n == 1) {
        enter_loop(item, one, until, whole);
      } else {
        add_rounds(item, before, one, n - 1 >= min, whole);
      }
      if (unbounded && n == copies) add_rounds(item, one, one, true, whole);
      if (n >= min) leave_loop(item, one, n < copies || unbounded, until, whole);
      before = std::move(one);
    }
    if (until != cep::kNoVariable) {
      for (size_t i = edges_before; i < draft_.edges.size(); ++i) draft_.edges[i].ended_by.push_back(until);
    }
    return whole;
  }

  // Parentheses without a quantifier are only parentheses; what can be skipped inside can be skipped.
  Fragment plain(const Item& item) {
    Fragment one = round(item);
    if (item.kind == ItemKind::kGroup) one.rounds.clear();  // R19: behind a group between its rounds, not inside one
    return one;
  }

  // A round takes at least one event (R16), so the roads through an empty round are not roads through the loop.
  void enter_loop(const Item& item, Fragment& one, uint16_t until, Fragment& whole) {
    for (const End& first : one.first) {
      End end = first;
      if (until != cep::kNoVariable) end.road.entry_untils.push_back(until);
      whole.first.push_back(std::move(end));
    }
    if (item.quantifier->min > 0) return;
    Road skip;
    skip.passed_item = true;
    if (item.greedy && item.kind == ItemKind::kVariable) skip.guards.push_back(greedy_guard(item, one.first[0], until));
    whole.skips.push_back(std::move(skip));
  }

  void add_rounds(const Item& item, const Fragment& from, const Fragment& to, bool may_be_last, Fragment& whole) {
    const Times gap = times_of(item.loop_gap);
    for (const End& last : from.last) {
      for (const End& first : to.first) {
        const Road entered = enter(first.road, link_of(item.mode), {}, gap.min_us, gap.max_us);
        whole.rounds.push_back({draft_.edges.size(), may_be_last});
        edge(last.position, first.position, join(last.road, entered));
      }
    }
  }

  void leave_loop(const Item& item, const Fragment& one, bool another_possible, uint16_t until, Fragment& whole) {
    const bool guarded = item.greedy && another_possible;
    if (guarded && item.kind == ItemKind::kGroup && !first_items_are_mandatory(*item.group)) {
      diagnostics_.add(Code::kNotYet, item.span, {"a greedy group whose first item is optional, a group or a NOT"});
    }
    for (const End& last : one.last) {
      End end = last;
      if (guarded) {
        // The guards of the loop that is left stand before those of what follows, as written.
        for (const End& first : one.first) add_unique(end.road.guards, greedy_guard(item, first, until));
      }
      add_unique(whole.last, std::move(end));
    }
  }

  static bool first_items_are_mandatory(const Alternation& group) {
    return std::all_of(group.branches.begin(), group.branches.end(), [](const Sequence& branch) {
      const Item& item = branch.items.front();
      return item.kind == ItemKind::kVariable && (!item.quantifier || item.quantifier->min > 0);
    });
  }

  RoadGuard greedy_guard(const Item& item, const End& first, uint16_t until) const {
    RoadGuard guard;
    guard.variable = draft_.positions[first.position];
    guard.greedy = true;
    guard.until = until;
    guard.span = item.span;
    return guard;
  }

  void edge(uint16_t from, uint16_t to, Road road) {
    if (draft_.edges.size() >= kDraftEdgesMax) {
      if (!refused_) {
        diagnostics_.add(Code::kTooManyRoads, pattern_.span,
                         {draft_.core.variables[draft_.positions[from]].name, "too many", std::to_string(kRoadsMax)});
      }
      refused_ = true;
      return;
    }
    DraftEdge draft;
    draft.from = from;
    draft.to = to;
    draft.road = std::move(road);
    draft_.edges.push_back(std::move(draft));
  }

  uint16_t variable(const Name& name, bool negated) {
    uint16_t number = draft_.core.find(name.text);
    if (number == cep::kNoVariable) {
      number = static_cast<uint16_t>(draft_.core.variables.size());
      draft_.core.variables.push_back({name.text, name.span, false, false, nullptr});
    }
    CoreVariable& known = draft_.core.variables[number];
    (negated ? known.negated : known.bound) = true;
    return number;
  }

  uint16_t until_variable(const Expr& condition) {
    size_t untils = 0;
    for (size_t i = 0; i < draft_.core.variables.size(); ++i) {
      if (draft_.core.variables[i].until == &condition) return static_cast<uint16_t>(i);
      if (draft_.core.variables[i].until) ++untils;
    }
    draft_.core.variables.push_back({"until#" + std::to_string(untils + 1), condition.span, false, false, &condition});
    return static_cast<uint16_t>(draft_.core.variables.size() - 1);
  }

  void check_variables() {
    const auto& variables = draft_.core.variables;
    const size_t named = static_cast<size_t>(
        std::count_if(variables.begin(), variables.end(), [](const CoreVariable& v) { return v.until == nullptr; }));
    if (named > kVariablesMax) {
      diagnostics_.add(Code::kTooManyVariables, pattern_.span, {std::to_string(named), std::to_string(kVariablesMax)});
    } else if (variables.size() > kConditionsMax) {
      diagnostics_
          .add(Code::kTooManyVariables, pattern_.span,
               {std::to_string(variables.size()), std::to_string(kConditionsMax)})
          .hint = "each `until` counts as one";
    }
  }

  const PatternClause& pattern_;
  Diagnostics& diagnostics_;
  Draft draft_;
  std::vector<const Item*> clock_items_;
  bool refused_ = false;
};

}  // namespace

uint16_t CorePattern::find(const std::string& name) const {
  for (size_t i = 0; i < variables.size(); ++i) {
    if (variables[i].name == name && !variables[i].until) return static_cast<uint16_t>(i);
  }
  return cep::kNoVariable;
}

std::optional<CorePattern> lower_pattern(const PatternClause& pattern, Diagnostics& diagnostics) {
  return Lowering(pattern, diagnostics).run();
}

}  // namespace patterns
