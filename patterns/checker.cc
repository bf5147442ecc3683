#include "patterns/checker.h"

#include <algorithm>
#include <functional>

#include "patterns/checker_alert.h"
#include "patterns/checker_expr.h"
#include "patterns/checker_into.h"
#include "patterns/checker_key.h"
#include "patterns/checker_subset.h"
#include "patterns/printer.h"

namespace patterns {
namespace {

// Calls `visit(item)` for every item of the pattern, in the order of the text.
using Visit = std::function<void(const Item&)>;
void for_each_item(const Alternation& alternation, const Visit& visit);

void for_each_item(const std::vector<Item>& items, const Visit& visit) {
  for (const Item& item : items) {
    visit(item);
    if (item.group) for_each_item(*item.group, visit);
    for_each_item(item.members, visit);
  }
}

void for_each_item(const Alternation& alternation, const Visit& visit) {
  for (const Sequence& branch : alternation.branches) for_each_item(branch.items, visit);
}

// Where a variable's condition is asked: what is bound then.
struct Asked {
  uint64_t may = 0;
  uint64_t must = ~uint64_t{0};
  bool at_head = false;
};

std::vector<Asked> places_of_conditions(const CorePattern& core) {
  std::vector<Asked> asked(core.variables.size());
  const Bindings bindings = bindings_of(core);
  const auto ask = [&](uint16_t variable, size_t state) {
    asked[variable].may |= bindings.may[state];
    asked[variable].must &= bindings.must[state];
  };
  for (size_t from = 0; from < core.states.size(); ++from) {
    const cep::State& state = core.states[from];
    for (const cep::Until& until : state.untils) ask(until.variable, from);
    for (const cep::Edge& edge : state.edges) {
      if (edge.kind == cep::EdgeKind::kTake) ask(core.states[edge.target].variable, from);
      for (const cep::Guard& guard : edge.guards) ask(guard.variable, from);
      for (const uint16_t until : edge.entry_untils) ask(until, from);
    }
  }
  for (const cep::HeadNot& head : core.head_nots) asked[head.variable].at_head = true;
  return asked;
}

class RuleChecker {
 public:
  RuleChecker(const RuleDecl& rule, const Catalog& catalog, const SourceMap& sources, Diagnostics& diagnostics)
      : rule_(rule), sources_(sources), diagnostics_(diagnostics), expressions_(sources, diagnostics) {
    out_.decl = &rule;
    out_.names.catalog = &catalog;
    out_.names.is_when = rule.when.has_value();
  }

  CheckedRule run() {
    inputs();
    check_key(rule_, expressions_, diagnostics_, out_);
    names_for_windows();
    if (out_.names.is_when) {
      when();
    } else if (rule_.pattern) {
      pattern();
    } else {
      out_.names.variables_unsure = true;
    }
    match();
    if (rule_.alert) check_alert(*rule_.alert, sources_, match_scope(), expressions_, diagnostics_, out_);
    if (rule_.into) check_into(*rule_.into, diagnostics_, out_);
    return std::move(out_);
  }

 private:
  void inputs() {
    for (const Input& input : rule_.on) {
      const Name& known_as = input.known_as();
      if (known_as.text == "this" || known_as.text == "event") {
        diagnostics_.add(Code::kDuplicateName, known_as.span, {known_as.text, "the event under test"});
      } else if (out_.names.find_input(known_as.text) >= 0) {
        diagnostics_.add(Code::kDuplicateName, known_as.span, {known_as.text, "an input"}).hint =
            "give this one a name: `" + input.stream.text + " as other`";
      }
      const auto& streams = out_.names.catalog->streams;
      const auto found = streams.find(input.stream.text);
      if (found == streams.end()) {
        std::vector<std::string> names;
        for (const auto& [name, schema] : streams) names.push_back(name);
        diagnostics_.add(Code::kUnknownStream, input.stream.span, {input.stream.text}).hint =
            did_you_mean(input.stream.text, names);
      }
      out_.names.inputs.push_back({known_as.text, found == streams.end() ? nullptr : found->second});
    }
    for (size_t i = 0; i < rule_.on.size(); ++i) {
      Scope scope;
      scope.names = &out_.names;
      scope.place = Place::kFilter;
      scope.bare = {static_cast<uint16_t>(i)};
      out_.filters.push_back(rule_.on[i].where ? expressions_.check_condition(*rule_.on[i].where, scope) : nullptr);
    }
  }

  void names_for_windows() {
    for (const std::vector<TypedPtr>& parts : out_.key) {
      out_.names.key_fields.emplace_back();
      for (const TypedPtr& part : parts) {
        out_.names.key_fields.back().push_back(part->op == cep::ExprOp::kField ? part->name : std::string());
      }
    }
    if (rule_.pattern && rule_.pattern->within) out_.names.prev_horizon_us = rule_.pattern->within->us;
  }

  std::vector<uint16_t> all_inputs() const {
    std::vector<uint16_t> all(out_.names.inputs.size());
    for (size_t i = 0; i < all.size(); ++i) all[i] = static_cast<uint16_t>(i);
    return all;
  }

  // The inputs a condition is asked of; none if it names one that is not there.
  std::vector<uint16_t> inputs_of(const Condition& condition) {
    if (!condition.input) return all_inputs();
    const int input = out_.names.find_input(condition.input->text);
    if (input >= 0) return {static_cast<uint16_t>(input)};
    diagnostics_.add(Code::kUnknownInput, condition.input->span, {condition.input->text}).hint =
        did_you_mean(condition.input->text, out_.names.input_names());
    return {};
  }

  Scope condition_scope(Place place, const std::vector<uint16_t>& inputs) const {
    Scope scope;
    scope.names = &out_.names;
    scope.place = place;
    scope.bare = inputs;
    scope.windows = true;
    if (inputs.size() == 1) scope.window_input = inputs[0];
    return scope;
  }

  void when() {
    CheckedCondition test;
    test.inputs = inputs_of(*rule_.when);
    test.expr = expressions_.check_condition(*rule_.when->condition, condition_scope(Place::kWhen, test.inputs));
    out_.last_inputs = test.inputs;
    out_.names.variables.push_back({"event", true, test.inputs});
    out_.conditions.push_back(std::move(test));
  }

  void pattern() {
    out_.core = lower_pattern(*rule_.pattern, diagnostics_);
    variables();
    bind_inputs();
    check_subsets(rule_, diagnostics_, out_);
    conditions();
    untils();
    if (out_.core) last_inputs();
  }

  void variables() {
    std::vector<ScopeVariable>& known = out_.names.variables;
    if (out_.core) {
      for (const CoreVariable& v : out_.core->variables) known.push_back({v.name, v.bound, all_inputs()});
    } else {
      for_each_item(rule_.pattern->alternation, [&](const Item& item) {
        if (item.kind == ItemKind::kError) out_.names.variables_unsure = true;
        if (item.kind == ItemKind::kVariable) add_variable(item.name, true);
        for (const Name& name : item.names) add_variable(name, false);
      });
    }
    for_each_item(rule_.pattern->alternation, [&](const Item& item) {
      if (item.kind == ItemKind::kVariable) check_variable_name(item.name);
      for (const Name& name : item.names) check_variable_name(name);
    });
  }

  void add_variable(const Name& name, bool bound) {
    const uint16_t number = out_.names.find_variable(name.text);
    if (number == cep::kNoVariable) {
      out_.names.variables.push_back({name.text, bound, all_inputs()});
    } else {
      out_.names.variables[number].bound = out_.names.variables[number].bound || bound;
    }
  }

  void check_variable_name(const Name& name) {
    const bool own_word = name.text == "this" || name.text == "event";
    if (!own_word && out_.names.find_input(name.text) < 0) return;
    if (std::count(misnamed_.begin(), misnamed_.end(), name.text)) return;
    misnamed_.push_back(name.text);
    diagnostics_.add(Code::kDuplicateName, name.span, {name.text, own_word ? "the event under test" : "an input"});
  }

  // Which define is whose, and whose events it can bind, before any condition is read.
  void bind_inputs() {
    definitions_.assign(out_.names.variables.size(), nullptr);
    for (const Define& define : rule_.defines) {
      const uint16_t variable = out_.names.find_variable(define.variable.text);
      if (variable == cep::kNoVariable) {
        if (out_.names.variables_unsure || is_subset(define.variable)) continue;
        diagnostics_.add(Code::kNotInPattern, define.variable.span, {define.variable.text}).hint =
            one_of_variables(define.variable.text, "leave it out, or put it into the pattern");
      } else if (definitions_[variable]) {
        diagnostics_.add(Code::kDuplicateName, define.variable.span, {define.variable.text, "a definition"});
      } else {
        definitions_[variable] = &define;
        out_.names.variables[variable].inputs = inputs_of(define.condition);
      }
    }
  }

  bool is_subset(const Name& name) {
    const bool found = std::any_of(rule_.subsets.begin(), rule_.subsets.end(),
                                   [&](const Subset& subset) { return subset.name.text == name.text; });
    if (found) {
      diagnostics_.add(Code::kSubsetPlace, name.span, {name.text, "has no condition of its own"}).hint =
          "give its variables conditions";
    }
    return found;
  }

  void conditions() {
    std::vector<Asked> asked;
    if (out_.core) asked = places_of_conditions(*out_.core);
    out_.conditions.resize(definitions_.size());
    for (size_t v = 0; v < definitions_.size(); ++v) out_.conditions[v].inputs = out_.names.variables[v].inputs;
    for (const Define& define : rule_.defines) {
      const uint16_t variable = out_.names.find_variable(define.variable.text);
      const bool own = variable < definitions_.size() && definitions_[variable] == &define;
      Scope scope = condition_scope(Place::kDefine, own ? out_.names.variables[variable].inputs : all_inputs());
      scope.own = variable;
      if (own && out_.core) take_place(asked[variable], scope);
      TypedPtr expr = expressions_.check_condition(*define.condition.condition, scope);
      if (own) out_.conditions[variable].expr = std::move(expr);
    }
    if (!out_.core) return;
    for (size_t v = 0; v < out_.core->variables.size(); ++v) {
      if (const Expr* until = out_.core->variables[v].until) {
        Scope scope = condition_scope(Place::kUntil, all_inputs());
        take_place(asked[v], scope);
        out_.conditions[v].expr = expressions_.check_condition(*until, scope);
      }
    }
  }

  static void take_place(const Asked& asked, Scope& scope) {
    scope.may = asked.may;
    scope.must = asked.must;
    scope.at_head = asked.at_head;
  }

  // Of a pattern that could not be lowered.
  void untils() {
    if (out_.core) return;
    for_each_item(rule_.pattern->alternation, [&](const Item& item) {
      if (item.until) expressions_.check_condition(*item.until, condition_scope(Place::kUntil, all_inputs()));
    });
  }

  void last_inputs() {
    for (const cep::State& state : out_.core->states) {
      const bool ends = state.accepting || std::any_of(state.edges.begin(), state.edges.end(), [](const cep::Edge& e) {
                          return e.kind != cep::EdgeKind::kTake;
                        });
      if (!ends) continue;
      for (const uint16_t input : out_.conditions[state.variable].inputs) {
        if (!std::count(out_.last_inputs.begin(), out_.last_inputs.end(), input)) out_.last_inputs.push_back(input);
      }
    }
    std::sort(out_.last_inputs.begin(), out_.last_inputs.end());
  }

  Scope match_scope() const {
    Scope scope = condition_scope(Place::kMatch, out_.last_inputs);
    if (!out_.core) return scope;
    for (const cep::State& state : out_.core->states) {
      for (const cep::Edge& edge : state.edges) scope.at_deadline = scope.at_deadline || edge.kind != cep::EdgeKind::kTake;
    }
    return scope;
  }

  void match() {
    const Scope scope = match_scope();
    for (const Measure& measure : rule_.measures) {
      for (const CheckedMeasure& known : out_.measures) {
        if (known.name != measure.name.text) continue;
        diagnostics_.add(Code::kDuplicateName, measure.name.span, {measure.name.text, "a measure"});
        break;
      }
      out_.measures.push_back({measure.name.text, expressions_.check(*measure.expr, scope)});
    }
    if (rule_.having) out_.having = expressions_.check_condition(*rule_.having, scope);
    if (rule_.after) skip_target(*rule_.after);
    if (rule_.emit && rule_.emit->episode_quiet) quiet_time(*rule_.emit->episode_quiet);
  }

  void quiet_time(const Duration& quiet) {
    if (quiet.us != 0 || quiet.amount.find_first_of("123456789") != std::string::npos) return;      // of a bad number all was said
    diagnostics_.add(Code::kDurationRange, quiet.span, {print(quiet), "no time to be quiet"}).hint =
        "say how long nothing more must come, or write `emit each`";
  }

  std::string one_of_variables(const std::string& name, const char* otherwise) const {
    std::string near = did_you_mean(name, out_.names.variable_names());
    return near.empty() ? otherwise : near;
  }

  void skip_target(const AfterMatch& after) {
    if (after.kind != SkipKind::kFirst && after.kind != SkipKind::kLast) return;
    const uint16_t variable = out_.names.find_variable(after.target.text);
    if (variable == cep::kNoVariable) {
      if (out_.names.variables_unsure) return;
      diagnostics_.add(Code::kSkipTarget, after.target.span, {after.target.text}).hint =
          one_of_variables(after.target.text, "name one of its variables");
    } else if (!out_.names.variables[variable].bound) {
      diagnostics_.add(Code::kNotBound, after.target.span, {after.target.text});
    } else {
      out_.skip_variable = variable;
    }
  }

  const RuleDecl& rule_;
  const SourceMap& sources_;
  Diagnostics& diagnostics_;
  ExprChecker expressions_;
  CheckedRule out_;
  std::vector<const Define*> definitions_;  // by variable
  std::vector<std::string> misnamed_;
};

}  // namespace

CheckedRule check_rule(const RuleDecl& rule, const Catalog& catalog, const SourceMap& sources,
                       Diagnostics& diagnostics) {
  return RuleChecker(rule, catalog, sources, diagnostics).run();
}

}  // namespace patterns
