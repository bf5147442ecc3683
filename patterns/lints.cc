// Lints of cost and of alerts that nobody can use; and the call of all others.
#include "patterns/lints.h"

#include <algorithm>

#include "patterns/explain.h"

namespace patterns {
namespace {

constexpr cep::DurationUs kRunAgeMax = 30 * cep::kDay;  // of runs without `within` (L1)

// A run can wait for ever behind a bound event.
bool waits_without_end(const cep::Program& program) {
  if (program.within_us != cep::kTimeMax) return false;
  for (size_t s = 1; s < program.states.size(); ++s) {
    for (const cep::Edge& edge : program.states[s].edges) {
      const bool timed = edge.gap_max_us != cep::kTimeMax || edge.clock_checks != 0;
      if (edge.kind == cep::EdgeKind::kTake && !timed) return true;
    }
  }
  return false;
}

void lint_key(const CheckedRule& rule, Diagnostics& diagnostics) {
  if (rule.decl->partition.empty()) {
    diagnostics.add(Code::kGlobal, rule.decl->name.span).hint = "write `partition by` what belongs together";
    return;
  }
  for (const std::vector<TypedPtr>& parts : rule.key) {
    for (const TypedPtr& part : parts) {
      if (part->op == cep::ExprOp::kField && !part->not_null) {
        diagnostics.add(Code::kNullableKey, part->span, {part->name}).hint =
            "declare it `not null`, or filter the source";
      }
    }
  }
}

void lint_decision(const CheckedRule& rule, const cep::Program& program, Diagnostics& diagnostics) {
  if (program.alert.decision == cep::Decision::kNone) return;
  const Span span = rule.decl->alert->decision->span;
  if (program.quiet_us != 0) {
    diagnostics.add(Code::kDecisionAbsence, span).hint = "an episode alerts when it is over: write `emit each`";
  } else if (rule.core && !rule.core->completes_at_event) {
    diagnostics.add(Code::kDecisionAbsence, span);
  }
  const bool delayed = std::any_of(program.inputs.begin(), program.inputs.end(),
                                   [](const cep::Input& input) { return input.schema->delay_us > 0; });
  if (delayed) diagnostics.add(Code::kDecisionDelay, span).hint = "give the stream `delay 0 seconds`";
}

void lint_message(const CheckedRule& rule, Diagnostics& diagnostics) {
  for (const TypedPtr& value : rule.message.values) {
    std::string name = value->name;
    std::transform(name.begin(), name.end(), name.begin(),
                   [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
    if (name != "card" && name != "pan" && name != "iban") continue;
    const bool raw = value->op != cep::ExprOp::kFunction;
    if (raw)
      diagnostics.add(Code::kPii, rule.decl->alert->message->span, {value->name}).hint =
          "show `mask(" + value->name + ")` as a measure";
  }
}

}  // namespace

void lint_cost(const CheckedRule& rule, const cep::Program& program, Diagnostics& diagnostics) {
  lint_key(rule, diagnostics);
  lint_decision(rule, program, diagnostics);
  lint_message(rule, diagnostics);
  if (program.is_when) {
    if (program.suppress_us == 0 && program.quiet_us == 0) {
      diagnostics.add(Code::kNoisy, *rule.decl->clause(ClauseKind::kWhen)).hint =
          "add `suppress 1 hour`, or `emit episode after quiet 5 minutes`";
    }
    return;
  }
  if (waits_without_end(program)) {
    diagnostics.add(Code::kNoWithin, rule.decl->pattern->span, {duration_text(kRunAgeMax)}).hint =
        "add `within 1 hour`";
  }
  if (!program.head_nots.empty()) {
    const CoreVariable& variable = rule.core->variables[program.head_nots[0].variable];
    diagnostics.add(Code::kStateAllKeys, variable.span).hint = "the last `" + variable.name + "` of every key is kept";
  }
}

void lint_rule(const CheckedRule& rule, const cep::Program& program, Diagnostics& diagnostics) {
  lint_conditions(rule, diagnostics);
  lint_windows(rule, diagnostics);
  if (!program.is_when) lint_pattern(rule, program, diagnostics);
  lint_cost(rule, program, diagnostics);
}

}  // namespace patterns
