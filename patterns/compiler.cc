#include "patterns/compiler.h"

#include <algorithm>

#include "cep/batch.h"
#include "patterns/emitter.h"
#include "patterns/explain.h"

namespace patterns {
namespace {

cep::SkipStrategy strategy_of(SkipKind kind) {
  switch (kind) {
    case SkipKind::kPastLastRow: return cep::SkipStrategy::kPastLastRow;
    case SkipKind::kNextRow: return cep::SkipStrategy::kToNextRow;
    case SkipKind::kFirst: return cep::SkipStrategy::kToFirst;
    case SkipKind::kLast: return cep::SkipStrategy::kToLast;
    case SkipKind::kNoSkip: return cep::SkipStrategy::kNoSkip;
  }
  return cep::SkipStrategy::kPastLastRow;
}

uint64_t hash_text(const std::string& text) { return cep::hash_bytes(text.data(), text.size()); }

class Compiler {
 public:
  Compiler(const CheckedRule& rule, std::string text) : rule_(rule), emitter_(rule, program_) {
    program_.rule = rule.decl->name.text;
    program_.text = std::move(text);
    program_.is_when = rule.names.is_when;
  }

  cep::ProgramPtr run() {
    inputs();
    if (rule_.core) pattern(*rule_.core);
    variables();
    result();
    alert();
    program_.horizon_us = horizon();
    program_.dump = dump_text(program_);
    program_.matching_fingerprint = hash_text(program_.dump);
    program_.fingerprint = hash_text(program_.text + "\n" + program_.dump);
    return std::make_shared<cep::Program>(std::move(program_));
  }

 private:
  void inputs() {
    for (const ScopeInput& input : rule_.names.inputs) {
      cep::Input made;
      made.schema = input.schema;
      made.alias = input.name;
      program_.inputs.push_back(std::move(made));
    }
    for (const ScopeKey& key : rule_.names.key) program_.key.push_back({key.name, key.type.type});
    for (size_t i = 0; i < program_.inputs.size(); ++i) {
      const uint16_t input = static_cast<uint16_t>(i);
      for (const TypedPtr& part : rule_.key[i]) program_.inputs[i].key.push_back(emitter_.emit(*part, {input}));
      if (!rule_.filters[i]) continue;
      std::vector<TypedPtr> conjuncts;
      split_conjuncts(rule_.filters[i], conjuncts);
      program_.inputs[i].filter = emitter_.predicate(input, conjuncts);
    }
  }

  void pattern(const CorePattern& core) {
    program_.states = core.states;
    program_.head_nots = core.head_nots;
    program_.clocks = core.clocks;
    if (rule_.decl->pattern->within) program_.within_us = rule_.decl->pattern->within->us;
  }

  // First who is whose, since the text of a condition names the columns of other variables; then the conditions.
  void variables() {
    for (size_t v = 0; v < rule_.names.variables.size(); ++v) {
      const ScopeVariable& known = rule_.names.variables[v];
      cep::Variable made;
      made.name = known.name;
      made.members = known.members;
      if (v >= rule_.conditions.size()) {      // a subset: nobody asks its condition, but its fields are of these inputs
        made.conditions.assign(program_.inputs.size(), {cep::kNever, cep::kNoExpr});
        for (const uint16_t input : known.inputs) made.conditions[input] = {};
        program_.variables.push_back(std::move(made));
        continue;
      }
      made.negated = !known.bound && (!rule_.core || rule_.core->variables[v].negated);
      made.synthetic = rule_.core && rule_.core->variables[v].until != nullptr;
      made.conditions.assign(program_.inputs.size(), {cep::kNever, cep::kNoExpr});
      for (const uint16_t input : rule_.conditions[v].inputs) made.conditions[input] = {};
      program_.variables.push_back(std::move(made));
    }
    for (size_t v = 0; v < rule_.conditions.size(); ++v) {
      for (const uint16_t input : rule_.conditions[v].inputs) {
        const cep::Condition made = emitter_.condition(input, rule_.conditions[v].expr);
        program_.variables[v].conditions[input] = made;
      }
    }
  }

  cep::ExprId emit_result(const TypedPtr& expr) { return emitter_.emit(*expr, rule_.last_inputs); }

  void result() {
    for (const CheckedMeasure& measure : rule_.measures) {
      program_.measures.push_back({measure.name, emit_result(measure.expr)});
    }
    if (rule_.having) program_.having = emit_result(rule_.having);
    if (rule_.decl->after) program_.skip = strategy_of(rule_.decl->after->kind);
    program_.skip_variable = rule_.skip_variable;
    const auto& emit = rule_.decl->emit;
    if (emit && emit->episode_quiet) program_.quiet_us = emit->episode_quiet->us;
    if (rule_.decl->suppress) program_.suppress_us = rule_.decl->suppress->us;
  }

  void alert() {
    if (rule_.decl->into) program_.into = rule_.decl->into->text;
    cep::AlertSpec& spec = program_.alert;
    spec.is_written = rule_.decl->alert.has_value();
    spec.severity = rule_.severity;
    spec.decision = rule_.decision;
    if (rule_.score) spec.score = emit_result(rule_.score);
    spec.message.literals = rule_.message.literals;
    if (spec.message.literals.empty()) spec.message.literals.push_back(program_.rule);
    for (const TypedPtr& value : rule_.message.values) spec.message.values.push_back(emit_result(value));
    if (!rule_.decl->alert) return;
    for (const AlertText& tag : rule_.decl->alert->tags) spec.tags.push_back(tag.text);
    for (const Name& sink : rule_.decl->alert->sinks) spec.sinks.push_back(sink.text);
  }

  // R74. A run lives for `within` and then for the absence behind its last event (R21). Without `within` a run that
  // still awaits an event has no end, so the whole log must be read. An episode goes on for its quiet time after what fed it.
  cep::DurationUs horizon() const {
    cep::DurationUs longest = program_.suppress_us;
    for (const cep::Ring& ring : program_.rings) longest = std::max(longest, ring.span_us);
    for (const cep::HeadNot& head : program_.head_nots) longest = std::max(longest, head.span_us);
    bool awaits_events = false;
    cep::DurationUs absence = 0;
    for (size_t s = 1; s < program_.states.size(); ++s) {
      for (const cep::Edge& edge : program_.states[s].edges) {
        if (edge.kind == cep::EdgeKind::kTake || edge.for_us == cep::kTimeMax) {
          awaits_events = true;
        } else {
          absence = std::max(absence, edge.for_us);
        }
      }
    }
    const cep::DurationUs behind = saturating_sum(absence, program_.quiet_us);
    if (program_.within_us != cep::kTimeMax) return std::max(longest, saturating_sum(program_.within_us, behind));
    if (awaits_events) return cep::kTimeMax;
    longest = std::max(longest, behind);
    return longest == 0 ? cep::kTimeMax : longest;
  }

  static cep::DurationUs saturating_sum(cep::DurationUs a, cep::DurationUs b) {
    cep::DurationUs sum = 0;
    return __builtin_add_overflow(a, b, &sum) ? cep::kTimeMax : sum;
  }

  const CheckedRule& rule_;
  cep::Program program_;
  Emitter emitter_;
};

}  // namespace

cep::ProgramPtr compile_rule(const CheckedRule& rule, std::string text) {
  return Compiler(rule, std::move(text)).run();
}

}  // namespace patterns
