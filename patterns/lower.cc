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

// How an item is reached from what stands before it.
struct Entry {
  std::optional<cep::Link> link;
  Span span;
  Times gap;
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

uint64_t count_positions(const Item& item);

uint64_t count_positions(const std::vector<Item>& items) {
  uint64_t total = 0;
  for (const Item& item : items) total = std::min(kManyStates, total + count_positions(item));
  return total;
}

uint64_t count_positions(const Alternation& alternation) {
  uint64_t total = 0;
  for (const Sequence& branch : alternation.branches) total = std::min(kManyStates, total + count_positions(branch.items));
  return total;
}

// Positions the item will have, without making them; at most kManyStates. Each member of a permute stands behind every
// subset of the others.
uint64_t count_positions(const Item& item) {
  uint64_t body = 0;
  if (item.kind == ItemKind::kVariable) body = 1;
  if (item.kind == ItemKind::kGroup && item.group) body = count_positions(*item.group);
  if (item.kind == ItemKind::kPermute) body = count_positions(item.members) << (item.members.size() - 1);
  return std::min(kManyStates, body * copies_of(item));
}

bool can_be_left_out(const Item& member) { return member.quantifier && member.quantifier->min == 0; }

// Whether a permute may end with the members of the set `taken`, one bit a member.
bool may_end(const Item& permute, size_t taken) {
  for (size_t i = 0; i < permute.members.size(); ++i) {
    if ((taken >> i & 1) == 0 && !can_be_left_out(permute.members[i])) return false;
  }
  return true;
}

void add_ends(Fragment& all, const Fragment& one) {
  for (const End& end : one.first) add_unique(all.first, end);
  for (const End& end : one.last) add_unique(all.last, end);
  for (const Road& road : one.skips) add_unique(all.skips, road);
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
      add_ends(all, one);
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
        append(whole, next, {link_of(item.link), item.link_span, times_of(item.gap)});
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

  void append(Fragment& whole, const Fragment& next, const Entry& by) {
    const std::optional<cep::Link> link = by.link;
    for (const End& first : next.first) {
      const Road entered = enter(first.road, link, by.span, by.gap.min_us, by.gap.max_us);
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
    if (item.kind == ItemKind::kPermute) return permute(item);
    if (item.kind != ItemKind::kGroup || !item.group) {
      refused_ = true;
      one.skips.push_back({});
      return one;
    }
    const size_t edges_before = draft_.edges.size();
    one = alternation(*item.group);
    if (item.within) start_clock(item, one, edges_before);
    return one;
  }

  // R12: the alternation of the orders of those that are taken, joined by `->`. What may follow depends on which were taken
  // and not on their order, so orders of the same subset share what is behind them: n * 2^(n-1) copies, not n! (L4).
  Fragment permute(const Item& item) {
    std::vector<Fragment> behind(size_t{1} << item.members.size());   // by the set of members taken
    behind[0].skips.push_back({});
    Fragment all;
    for (size_t taken = 0; taken < behind.size() && !refused_; ++taken) {
      if (taken == 0 && may_end(item, taken)) {
        all.skips.push_back({});
        all.skips.back().passed_item = true;
      } else if (may_end(item, taken)) {
        add_ends(all, behind[taken]);
      }
      for (size_t i = 0; i < item.members.size(); ++i) {
        if ((taken >> i & 1) != 0) continue;
        Fragment next = loop(item.members[i]);
        if (can_be_left_out(item.members[i])) next.skips.clear();     // left out: a smaller subset, not a road through
        Fragment longer = behind[taken];
        append(longer, next, {taken == 0 ? std::nullopt : std::optional(cep::Link::kRelaxed), {}, {}});
        add_ends(behind[taken | size_t{1} << i], longer);
      }
    }
    return all;
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
      if (!refused_) diagnostics_.add(Code::kTooManyClocks, item.within->span, {std::to_string(kGroupClocksMax)});
      refused_ = true;
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
    if (count_positions(item) == 0) {  // a round takes an event (R16), and here none can; or the item could not be read
      if (item.kind == ItemKind::kGroup && item.group) {
        diagnostics_.add(Code::kNotQuantified, item.quantifier->span).hint =
            "nothing in the parentheses takes an event: leave the quantifier out";
      }
      return plain(item);
    }
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
    if (item.kind != ItemKind::kVariable) one.rounds.clear();  // R19: behind a group between its rounds, not inside one
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
    for (const End& last : one.last) {
      End end = last;
      if (guarded) {
        // The guards of the loop that is left stand before those of what follows, as written.
        for (const End& first : one.first) add_unique(end.road.guards, greedy_guard(item, first, until));
      }
      add_unique(whole.last, std::move(end));
    }
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
