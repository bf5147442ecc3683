// Lints of a pattern's shape: what is written and means something else than it seems to.
#include "patterns/lints.h"

#include <algorithm>
#include <set>

#include "patterns/explain.h"
#include "patterns/printer.h"

namespace patterns {
namespace {

bool repeats(const Item& item) { return item.quantifier && item.quantifier->repeats(); }
bool unbounded(const Item& item) { return item.quantifier && !item.quantifier->max; }

bool in_episodes(const RuleDecl& rule) { return rule.emit && rule.emit->episode_quiet; }

bool can_be_skipped(const Item& item) {
  if (item.quantifier && item.quantifier->min == 0) return true;
  if (repeats(item)) return false;
  if (item.kind == ItemKind::kPermute) return std::all_of(item.members.begin(), item.members.end(), can_be_skipped);
  if (item.kind != ItemKind::kGroup) return false;
  return std::any_of(item.group->branches.begin(), item.group->branches.end(), [](const Sequence& branch) {
    return std::all_of(branch.items.begin(), branch.items.end(),
                       [](const Item& inner) { return inner.kind == ItemKind::kNot || can_be_skipped(inner); });
  });
}

class ShapeLints {
 public:
  ShapeLints(const CheckedRule& rule, Diagnostics& diagnostics)
      : rule_(rule), diagnostics_(diagnostics), has_within_(rule.decl->pattern->within.has_value()) {}

  void run() {
    names_of(rule_.decl->pattern->alternation);
    alternation(rule_.decl->pattern->alternation, true);
  }

 private:
  void alternation(const Alternation& tree, bool at_end) {
    const bool splits = tree.branches.size() > 1 && std::any_of(tree.branches.begin(), tree.branches.end(),
                                                                [](const Sequence& s) { return s.items.size() > 1; });
    if (splits) {
      std::string hint = "it means";
      for (size_t i = 0; i < tree.branches.size(); ++i)
        hint += (i > 0 ? " | (" : " (") + text_of(tree.branches[i]) + ")";
      diagnostics_.add(Code::kAltSplit, tree.span).hint = hint;
    }
    for (const Sequence& branch : tree.branches) sequence(branch, at_end);
  }

  static std::string text_of(const Sequence& branch) {
    std::string text;
    for (const Item& item : branch.items) {
      text += item.link == Link::kNext   ? ", "
              : item.link == Link::kSkip ? " -> "
              : item.link == Link::kAny  ? " ->> "
                                         : "";
      if (item.kind == ItemKind::kNot) text += "not ";
      text += item.kind == ItemKind::kVariable ? item.name.text
              : item.kind == ItemKind::kNot    ? item.names[0].text
                                               : "(..)";
    }
    return text;
  }

  void sequence(const Sequence& tree, bool at_end) {
    for (size_t i = 0; i < tree.items.size(); ++i) {
      const Item& item = tree.items[i];
      const bool last = at_end && std::all_of(tree.items.begin() + static_cast<ptrdiff_t>(i) + 1, tree.items.end(),
                                              [](const Item& after) { return can_be_skipped(after); });
      if (item.kind == ItemKind::kNot) {
        negation(tree, i, at_end, last);
      } else {
        loop(item, last && !(i + 1 < tree.items.size() && tree.items[i + 1].kind == ItemKind::kNot));
      }
      inside(item, last && !repeats(item));
    }
  }

  void inside(const Item& item, bool last) {
    if (item.group) alternation(*item.group, last);
    for (const Item& member : item.members) {
      loop(member, false);
      inside(member, false);
    }
  }

  void negation(const Sequence& tree, size_t i, bool at_end, bool rest_is_optional) {
    const Item& item = tree.items[i];
    const std::string& name = item.names[0].text;
    const bool very_last = i + 1 == tree.items.size();
    if (!very_last && tree.items[i + 1].link == Link::kNext && tree.items[i + 1].kind != ItemKind::kNot) {
      diagnostics_.add(Code::kNotVacuous, item.span, {name}).hint = "with `,` the next event decides anyway";
    } else if (!very_last && rest_is_optional) {
      const std::string dur = item.absence_for ? print(*item.absence_for) : "1 hour";
      diagnostics_.add(Code::kNotVacuous, item.span, {name}).hint =
          "without what follows the match is complete before it: write `(.. -> not " + name + " for " + dur +
          ") | (.. -> not " + name + " -> ..)`";
    }
    if (!very_last || !at_end) return;
    if (item.link == Link::kNext && !item.absence_for && !has_within_) {
      diagnostics_.add(Code::kNeedsEvent, item.span, {name}).hint = "add `for 1 hour` or `within`";
    }
    if (i > 0 && item.link != Link::kNext && repeats(tree.items[i - 1]) &&
        tree.items[i - 1].kind == ItemKind::kVariable) {
      const std::string& loop = tree.items[i - 1].name.text;
      diagnostics_.add(Code::kPrefixAbsence, item.span).hint =
          "if silence is meant, write `" + loop + " -> not " + loop + " for 1 hour`";
    }
  }

  void loop(const Item& item, bool last) {
    if (last && unbounded(item) && !in_episodes(*rule_.decl)) {
      diagnostics_.add(Code::kTrailingLoop, item.span).hint =
          "later events start a new match; `emit episode after quiet 5 minutes` waits for the longest";
    }
    if (item.mode == LoopMode::kAny && repeats(item)) {
      diagnostics_.add(Code::kExponential, item.span).hint = "leave out `any`";
    }
    if (item.link == Link::kAny && ++any_links_ == 2)
      diagnostics_.add(Code::kExponential, item.link_span).hint = "write `->`";
    if (item.kind == ItemKind::kVariable && repeats(item)) loop_condition(item);
  }

  // Conditions over bound events keep runs apart (L6); at the head there is one for every start and length (L3).
  void loop_condition(const Item& item) {
    const uint16_t variable = rule_.core->find(item.name.text);
    const TypedPtr& condition = rule_.conditions[variable].expr;
    if (!condition || item.mode != LoopMode::kRelaxed) return;
    bool bound = false;
    walk(*condition, [&](const Typed& part) {
      bound = bound || part.op == cep::ExprOp::kBoundField || part.op == cep::ExprOp::kBoundAggregate;
    });
    if (!bound) return;
    const std::vector<cep::Edge>& starts = rule_.core->states[0].edges;
    const bool head = std::any_of(starts.begin(), starts.end(), [&](const cep::Edge& edge) {
      return rule_.core->states[edge.target].variable == variable;
    });
    diagnostics_.add(head && unbounded(item) ? Code::kQuadratic : Code::kExplicitRuns, item.span);
  }

  // Variables bound somewhere in the tree; a name in two items of one sequence stands twice in one path.
  std::set<std::string> names_of(const Alternation& tree) {
    std::set<std::string> all;
    for (const Sequence& branch : tree.branches) all.merge(names_of(branch.items));
    return all;
  }

  std::set<std::string> names_of(const std::vector<Item>& items) {
    std::set<std::string> path;
    for (const Item& item : items) {
      std::set<std::string> names = names_of(item.members);
      if (item.kind == ItemKind::kVariable) names.insert(item.name.text);
      if (item.group) names = names_of(*item.group);
      for (const std::string& name : names) {
        if (path.insert(name).second || !reported_.insert(name).second) continue;
        const Span& span = item.kind == ItemKind::kVariable ? item.name.span : item.span;
        diagnostics_.add(Code::kVarTwice, span, {name}).hint =
            "`" + name + ".field` is the last one's, `first(" + name + ".field)` the first one's";
      }
    }
    return path;
  }

  const CheckedRule& rule_;
  Diagnostics& diagnostics_;
  const bool has_within_;
  int any_links_ = 0;
  std::set<std::string> reported_;
};

// A state that no run reaches in time: the least time to it is not less than `within`.
void lint_reachable(const CheckedRule& rule, const cep::Program& program, Diagnostics& diagnostics) {
  if (program.within_us == cep::kTimeMax) return;
  std::vector<cep::DurationUs> least(program.states.size(), cep::kTimeMax);
  least[0] = 0;
  for (bool changed = true; changed;) {
    changed = false;
    for (size_t from = 0; from < program.states.size(); ++from) {
      if (least[from] >= program.within_us) continue;
      for (const cep::Edge& edge : program.states[from].edges) {
        if (edge.kind != cep::EdgeKind::kTake || edge.gap_min_us >= edge.gap_max_us) continue;
        const cep::DurationUs time =
            std::min(program.within_us, least[from] + std::min(edge.gap_min_us, program.within_us));
        changed = changed || time < least[edge.target];
        least[edge.target] = std::min(least[edge.target], time);
      }
    }
  }
  for (size_t s = 1; s < program.states.size(); ++s) {
    if (least[s] < program.within_us) continue;
    const CoreVariable& variable = rule.core->variables[program.states[s].variable];
    diagnostics.add(Code::kUnreachable, variable.span,
                    {"`" + variable.name + "` comes too late for `within " + duration_text(program.within_us) + "`"});
    return;
  }
}

bool same_condition(const cep::Variable& a, const cep::Variable& b) {
  return std::equal(a.conditions.begin(), a.conditions.end(), b.conditions.begin(), b.conditions.end(),
                    [](const cep::Condition& x, const cep::Condition& y) {
                      return x.predicate == y.predicate && x.residual == cep::kNoExpr && y.residual == cep::kNoExpr;
                    });
}

// A guard that asks what its own edge awaits.
void lint_shadowed(const CheckedRule& rule, const cep::Program& program, Diagnostics& diagnostics) {
  for (const cep::State& state : program.states) {
    for (const cep::Edge& edge : state.edges) {
      if (edge.kind != cep::EdgeKind::kTake) continue;
      const uint16_t awaited = program.states[edge.target].variable;
      for (const cep::Guard& guard : edge.guards) {
        if (guard.variable == awaited || guard.lifted_by >= 0 || guard.active_us != cep::kTimeMax || guard.first_only)
          continue;
        if (!same_condition(program.variables[awaited], program.variables[guard.variable])) continue;
        diagnostics.add(Code::kShadowed, rule.core->variables[awaited].span,
                        {program.variables[guard.variable].name, program.variables[awaited].name});
      }
    }
  }
}

void lint_skip_target(const CheckedRule& rule, const cep::Program& program, Diagnostics& diagnostics) {
  if (program.skip_variable == cep::kNoVariable) return;
  const Bindings bindings = bindings_of(*rule.core);
  for (size_t s = 1; s < program.states.size(); ++s) {
    bool ends = program.states[s].accepting;
    for (const cep::Edge& edge : program.states[s].edges) ends = ends || edge.kind != cep::EdgeKind::kTake;
    if (!ends || (bindings.must[s] >> program.skip_variable & 1) != 0) continue;
    diagnostics.add(Code::kSkipTargetOptional, rule.decl->after->target.span, {rule.decl->after->target.text});
    return;
  }
}

// An episode that nothing can join: each start has one road, and where that ends nothing more is awaited.
bool has_single_matches(const cep::Program& program) {
  return std::all_of(program.states.begin(), program.states.end(), [](const cep::State& state) {
    const bool forks = state.edges.size() > 1 || (!state.edges.empty() && state.edges[0].link == cep::Link::kAny);
    return !forks && (!state.accepting || state.edges.empty());
  });
}

void lint_episode(const CheckedRule& rule, const cep::Program& program, Diagnostics& diagnostics) {
  if (program.quiet_us == 0) return;
  if (has_single_matches(program)) {
    diagnostics.add(Code::kEpisodeSingle, rule.decl->emit->span).hint = "write `emit each`, or let the pattern end in a loop";
  } else if (program.quiet_us >= program.within_us) {
    const std::string text = "within " + duration_text(program.within_us) + "` comes before `quiet " + duration_text(program.quiet_us);
    diagnostics.add(Code::kUnreachable, rule.decl->emit->span, {"`" + text + "`"});
  }
}

}  // namespace

void lint_pattern(const CheckedRule& rule, const cep::Program& program, Diagnostics& diagnostics) {
  for (size_t v = 0; v < rule.conditions.size(); ++v) {
    const CoreVariable& variable = rule.core->variables[v];
    if (rule.conditions[v].expr || variable.until) continue;
    diagnostics.add(Code::kUndefined, variable.span, {variable.name}).hint =
        "write `" + print_name(variable.name) + " as true` if so";
  }
  if (rule.core->can_be_empty) diagnostics.add(Code::kEmpty, rule.decl->pattern->span);
  ShapeLints(rule, diagnostics).run();
  lint_reachable(rule, program, diagnostics);
  lint_shadowed(rule, program, diagnostics);
  lint_skip_target(rule, program, diagnostics);
  lint_episode(rule, program, diagnostics);
}

}  // namespace patterns
