#include "tests/compare/shrink.h"

#include <functional>
#include <utility>

#include "patterns/parser.h"
#include "patterns/printer.h"

namespace compare {
namespace {

using patterns::ExprKind;
using patterns::ExprPtr;
using patterns::Item;
using patterns::ItemKind;

// Walks a tree and makes exactly the `wanted`-th of all simplifications there are.
class Simplification {
 public:
  explicit Simplification(size_t wanted) : left_(wanted) {}

  bool made() const { return made_; }
  void rule(patterns::RuleDecl& rule) {
    const bool twice = rule.on.size() > 1 && rule.on[0].stream.text == rule.on[1].stream.text;
    drop(rule.having);
    if (!twice) drop(rule.after);          // what the generator leaves out must not come back
    drop(rule.emit);
    drop(rule.suppress);
    drop(rule.partition);
    drop(rule.subsets);
    if (rule.measures.size() == 1) drop(rule.measures);
    each(rule.measures);
    for (patterns::Input& input : rule.on) {
      drop(input.where);
      simpler(input.where);
    }
    if (rule.pattern) {
      drop(rule.pattern->within);
      alternation(rule.pattern->alternation);
    }
    if (!twice) each(rule.defines);
    for (patterns::Define& define : rule.defines) simpler(define.condition.condition);
    if (rule.when) simpler(rule.when->condition);
    for (patterns::Measure& measure : rule.measures) simpler(measure.expr);
    simpler(rule.having);
  }

 private:
  bool turn() { return !made_ && left_-- == 0 && (made_ = true); }

  template <class Part>
  void drop(Part& part) {
    if constexpr (requires { part.empty(); }) {
      if (!part.empty() && turn()) part.clear();
    } else {
      if (part && turn()) part.reset();
    }
  }
  template <class Parts>
  void each(Parts& parts) {
    for (size_t i = 0; i < parts.size() && parts.size() > 1; ++i) {
      if (!turn()) continue;
      parts.erase(parts.begin() + static_cast<std::ptrdiff_t>(i));
      return;
    }
  }

  void alternation(patterns::Alternation& tree) {
    each(tree.branches);
    for (patterns::Sequence& branch : tree.branches) sequence(branch);
  }

  void sequence(patterns::Sequence& sequence) {
    each(sequence.items);
    for (size_t i = 0; i < sequence.items.size() && !made_; ++i) {
      if (i == 0) sequence.items[0].link = patterns::Link::kNone;
      if (i == 0) sequence.items[0].gap.reset();
      item(sequence.items[i]);
      const bool plain_group = sequence.items[i].kind == ItemKind::kGroup && !sequence.items[i].quantifier &&
                               !sequence.items[i].within && sequence.items[i].group->branches.size() == 1;
      if (plain_group && turn()) unwrap(sequence.items, i);
    }
    if (!sequence.items.empty()) sequence.items[0].link = patterns::Link::kNone;
    if (!sequence.items.empty()) sequence.items[0].gap.reset();
  }

  static void unwrap(std::vector<Item>& items, size_t i) {
    Item group = std::move(items[i]);
    std::vector<Item> inner = std::move(group.group->branches[0].items);
    inner[0].link = group.link;
    inner[0].gap = group.gap;
    const auto place = items.erase(items.begin() + static_cast<std::ptrdiff_t>(i));
    items.insert(place, std::make_move_iterator(inner.begin()), std::make_move_iterator(inner.end()));
  }

  void item(Item& item) {
    drop(item.gap);
    drop(item.absence_for);
    drop(item.within);
    drop(item.loop_gap);
    drop(item.until);
    simpler(item.until);
    each(item.names);
    each(item.members);
    if (item.greedy && turn()) item.greedy = false;
    if (item.mode != patterns::LoopMode::kRelaxed && turn()) item.mode = patterns::LoopMode::kRelaxed;
    const bool plain = !item.greedy && item.mode == patterns::LoopMode::kRelaxed && !item.loop_gap && !item.until;
    if (plain) drop(item.quantifier);
    if (item.link != patterns::Link::kSkip && item.link != patterns::Link::kNone && turn()) item.link = patterns::Link::kSkip;
    if (item.group) alternation(*item.group);
  }

  // An expression becomes one of its parts; a condition becomes `true`.
  void simpler(ExprPtr& expr) {
    if (!expr || made_) return;
    const bool logic = expr->kind == ExprKind::kBinary && (expr->op == patterns::Op::kAnd || expr->op == patterns::Op::kOr);
    const bool negation = expr->kind == ExprKind::kUnary && expr->op == patterns::Op::kNot;
    if ((logic || negation) && turn()) return become(expr, 0);
    if (logic && turn()) return become(expr, 1);
    if (expr->kind == ExprKind::kCall) {
      drop(expr->filter);
      if (expr->over && expr->over->exclude_current && turn()) expr->over->exclude_current = false;
    }
    for (ExprPtr& argument : expr->args) simpler(argument);
  }
  static void become(ExprPtr& expr, size_t part) {
    ExprPtr kept = std::move(expr->args[part]);
    expr = std::move(kept);
  }

  size_t left_;
  bool made_ = false;
};

// The rule with its `number`-th simplification; empty: there are no more.
std::string simplified(const std::string& rule, size_t number) {
  patterns::SourceMap sources;
  patterns::Diagnostics diagnostics;
  patterns::File tree = patterns::parse(sources, sources.add("rule", rule), diagnostics);
  Simplification change(number);
  change.rule(std::get<patterns::RuleDecl>(tree.statements.at(0).body));
  return change.made() ? patterns::print(tree.statements[0]) : "";
}

bool shrink_events(Runner& runner, Case& one) {
  bool smaller = false;
  for (size_t i = one.steps.size(); i-- > 0;) {
    Case fewer = one;
    fewer.steps.erase(fewer.steps.begin() + static_cast<std::ptrdiff_t>(i));
    if (!runner.run(fewer).differs()) continue;
    one = std::move(fewer);
    smaller = true;
  }
  for (size_t i = 0; i < one.steps.size(); ++i) {
    for (size_t column = 0; column < one.steps[i].fields.size() && column < kAt; ++column) {
      if (one.steps[i].fields[column].is_null()) continue;
      Case fewer = one;
      fewer.steps[i].fields[column] = cep::Value::null();
      if (runner.run(fewer).differs()) one = std::move(fewer);
    }
  }
  return smaller;
}

bool shrink_rule(Runner& runner, Case& one) {
  bool smaller = false;
  for (size_t number = 0;;) {
    Case simpler = one;
    simpler.rule = simplified(one.rule, number);
    if (simpler.rule.empty()) return smaller;
    if (simpler.rule != one.rule && runner.run(simpler).differs()) {
      one = std::move(simpler);
      smaller = true;
    } else {
      ++number;
    }
  }
}

}  // namespace

Case shrink(Runner& runner, Case one) {
  if (one.delays != Delays{0, 0}) {
    Case at_once = one;
    at_once.delays = {0, 0};
    if (runner.run(at_once).differs()) one = std::move(at_once);
  }
  for (bool smaller = true; smaller;) {
    smaller = shrink_events(runner, one);
    smaller = shrink_rule(runner, one) || smaller;
  }
  return one;
}

}  // namespace compare
