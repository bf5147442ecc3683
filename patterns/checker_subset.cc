#include "patterns/checker_subset.h"

#include <algorithm>

namespace patterns {
namespace {

class SubsetChecker {
 public:
  SubsetChecker(const RuleDecl& rule, Diagnostics& diagnostics, CheckedRule& out)
      : rule_(rule), diagnostics_(diagnostics), out_(out), variables_(out.names.variables.size()) {}

  void run() {
    for (const Subset& subset : rule_.subsets) {
      if (!is_free(subset.name)) continue;
      ScopeVariable made{subset.name.text, true, {}, 0};
      for (const Name& member : subset.members) add(member, made);
      std::sort(made.inputs.begin(), made.inputs.end());
      if (out_.core) out_.core->subsets.push_back(made.members);
      out_.names.variables.push_back(std::move(made));
    }
    const size_t all = out_.names.variables.size();
    if (rule_.subsets.empty() || all <= kConditionsMax) return;
    diagnostics_.add(Code::kTooManyVariables, rule_.subsets[0].span, {std::to_string(all), std::to_string(kConditionsMax)})
        .hint = "each subset and each `until` counts as one";
    out_.core.reset();
  }

 private:
  bool is_free(const Name& name) {
    const char* other = nullptr;
    const uint16_t known = out_.names.find_variable(name.text);
    if (name.text == "this" || name.text == "event") {
      other = "the event under test";
    } else if (out_.names.find_input(name.text) >= 0) {
      other = "an input";
    } else if (known != cep::kNoVariable) {
      other = known < variables_ ? "a variable" : "a subset";
    }
    if (other) diagnostics_.add(Code::kDuplicateName, name.span, {name.text, other});
    return other == nullptr;
  }

  void add(const Name& member, ScopeVariable& subset) {
    const bool is_subset = std::any_of(rule_.subsets.begin(), rule_.subsets.end(),
                                       [&](const Subset& one) { return one.name.text == member.text; });
    const uint16_t variable = out_.names.find_variable(member.text);
    if (variable >= variables_) {
      if (is_subset) {
        diagnostics_.add(Code::kSubsetPlace, member.span, {member.text, "is no member of one"}).hint =
            "name the variables themselves";
      } else if (!out_.names.variables_unsure) {
        Diagnostic& it = diagnostics_.add(Code::kNotInPattern, member.span, {member.text});
        it.hint = did_you_mean(member.text, out_.names.variable_names());
        if (it.hint.empty()) it.hint = "name variables of the pattern";
      }
      return;
    }
    if (!out_.names.variables[variable].bound) {
      diagnostics_.add(Code::kNotBound, member.span, {member.text}).hint = "leave it out: it has no events";
      return;
    }
    const uint64_t bit = variable < kConditionsMax ? uint64_t{1} << variable : 0;
    if ((subset.members & bit) != 0) {
      diagnostics_.add(Code::kDuplicateName, member.span, {member.text, "a member"}).hint = "once is enough";
    }
    subset.members |= bit;
    for (const uint16_t input : out_.names.variables[variable].inputs) {
      if (!std::count(subset.inputs.begin(), subset.inputs.end(), input)) subset.inputs.push_back(input);
    }
  }

  const RuleDecl& rule_;
  Diagnostics& diagnostics_;
  CheckedRule& out_;
  const size_t variables_;       // the subsets come behind them
};

}  // namespace

void check_subsets(const RuleDecl& rule, Diagnostics& diagnostics, CheckedRule& out) {
  SubsetChecker(rule, diagnostics, out).run();
}

}  // namespace patterns
