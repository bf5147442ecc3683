// See reference_matcher.h: the rule's tree with names resolved, `permute` written out and defaults filled in. Nothing else is changed.
#include <algorithm>

#include "cep/result.h"
#include "tests/support/reference_matcher.h"

namespace support {

using patterns::Link;
using Part = Reference::Part;
using Sequence = Reference::Sequence;

std::optional<ReferenceBreak> reference_break(std::string_view name) {
  constexpr std::pair<std::string_view, ReferenceBreak> kNames[] = {
      {"window_edge", ReferenceBreak::kWindowEdge},          {"arrow_no_skip", ReferenceBreak::kArrowNoSkip},
      {"until_ignored", ReferenceBreak::kUntilIgnored},      {"absence_at_event", ReferenceBreak::kAbsenceAtEvent},
      {"skip_too_much", ReferenceBreak::kSkipTooMuch},       {"quiet_edge", ReferenceBreak::kQuietEdge},
      {"any_used_up", ReferenceBreak::kAnyUsedUp},
  };
  for (const auto& [known, broken] : kNames) {
    if (known == name) return broken;
  }
  return std::nullopt;
}

Reference::Reference(const patterns::RuleDecl& decl, const std::map<std::string, cep::SchemaPtr>& streams, const ReferenceLists& lists,
                     ReferenceBreak how)
    : rule(decl), broken(how) {
  for (const patterns::Input& one : decl.on) {
    names.inputs.push_back(one.known_as().text);
    streams_.push_back(streams.at(one.stream.text));
  }
  names.lists = &lists;
  names.prev_horizon = decl.pattern && decl.pattern->within ? decl.pattern->within->us : 30 * cep::kDay;
  if (decl.when) names.variables = {"event"};
  if (!decl.pattern) return;
  for (const patterns::Sequence& branch : decl.pattern->alternation.branches) pattern.branches.push_back(sequence_of(branch));
  if (decl.pattern->within) pattern.within = decl.pattern->within->us;
  for (const patterns::Subset& subset : decl.subsets) {
    for (const patterns::Name& member : subset.members) names.subsets[subset.name.text].push_back(variable(member.text));
  }
}

// A variable's number is its place in the pattern's text, which is what R31 compares.
size_t Reference::variable(const std::string& name) {
  const auto known = std::find(names.variables.begin(), names.variables.end(), name);
  if (known != names.variables.end()) return static_cast<size_t>(known - names.variables.begin());
  const auto is_it = [&](const patterns::Define& define) { return define.variable.text == name; };
  const auto define = std::find_if(rule.defines.begin(), rule.defines.end(), is_it);
  defines.push_back(define == rule.defines.end() ? nullptr : &define->condition);
  define_inputs.emplace_back();
  if (defines.back() != nullptr && defines.back()->input) define_inputs.back() = input(defines.back()->input->text);
  names.variables.push_back(name);
  return names.variables.size() - 1;
}

size_t Reference::input(const std::string& name) const {
  const auto known = std::find(names.inputs.begin(), names.inputs.end(), name);
  WEIR_CHECK(known != names.inputs.end(), "the reference knows the input");
  return static_cast<size_t>(known - names.inputs.begin());
}

Reference::Sequence Reference::sequence_of(const patterns::Sequence& sequence) {
  Sequence parts;
  for (const patterns::Item& item : sequence.items) parts.push_back(part_of(item));
  return parts;
}

Part Reference::part_of(const patterns::Item& item) {
  Part part;
  part.link = item.link;
  if (item.gap && item.gap->at_least) part.at_least = item.gap->at_least->us;
  if (item.gap) part.less_than = item.gap->less_than.us;
  switch (item.kind) {
    case patterns::ItemKind::kVariable:
      part.kind = Part::Kind::kVariable;
      part.variables = {variable(item.name.text)};
      break;
    case patterns::ItemKind::kNot:
      part.kind = Part::Kind::kNot;
      for (const patterns::Name& name : item.names) part.variables.push_back(variable(name.text));
      if (item.absence_for) part.absent_for = item.absence_for->us;
      break;
    case patterns::ItemKind::kPermute: part.branches = permuted(item); break;
    default:
      for (const patterns::Sequence& branch : item.group->branches) part.branches.push_back(sequence_of(branch));
      if (item.within) part.within = item.within->us;
  }
  if (!item.quantifier) return part;
  part.min = item.quantifier->min;
  part.max = item.quantifier->max.value_or(UINT32_MAX);
  if (item.mode == patterns::LoopMode::kStrict) part.again = Link::kNext;
  if (item.mode == patterns::LoopMode::kAny) part.again = Link::kAny;
  if (item.loop_gap && item.loop_gap->at_least) part.again_at_least = item.loop_gap->at_least->us;
  if (item.loop_gap) part.again_less_than = item.loop_gap->less_than.us;
  part.greedy = item.greedy;
  part.until = item.until.get();
  return part;
}

// R12: the alternation of all orders, joined by `->`, of those that are taken: what is left out leaves no trace.
std::vector<Sequence> Reference::permuted(const patterns::Item& item) {
  Sequence members;
  for (const patterns::Item& member : item.members) members.push_back(part_of(member));
  std::vector<Sequence> orders;
  for (size_t taken = 0; taken < size_t{1} << members.size(); ++taken) {
    std::vector<size_t> order;
    bool left_out = true;
    for (size_t i = 0; i < members.size(); ++i) {
      const bool is_taken = (taken >> i & 1) != 0;
      if (is_taken) order.push_back(i);
      left_out = left_out && (is_taken || members[i].min == 0);
    }
    if (!left_out) continue;
    do {
      Sequence& one = orders.emplace_back();
      for (const size_t i : order) {
        Part& part = one.emplace_back(members[i]);
        if (part.min == 0) {
          part.min = 1;
          part.taken = true;
        }
        if (one.size() > 1) part.link = Link::kSkip;
      }
    } while (std::next_permutation(order.begin(), order.end()));
  }
  return orders;
}

}  // namespace support
