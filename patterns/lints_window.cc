// Lints of windows: what they cost, and how far back they see (R49-R51, R75, L7-L10).
#include "patterns/lints.h"

#include <algorithm>
#include <map>
#include <set>

#include "cep/limits.h"
#include "patterns/explain.h"

namespace patterns {
namespace {

constexpr cep::DurationUs kLogKeptUs = 7 * cep::kDay;  // unless a stream says `retain` (R75)

// Calls `visit` once for every window of the rule, in the order of the clauses. Filters and keys have none.
template <class Visit>
void for_each_window(const CheckedRule& rule, const Visit& visit) {
  std::set<uint32_t> seen;           // `between` asks its operand twice
  const auto look = [&](const TypedPtr& expr) {
    if (!expr) return;
    walk(*expr, [&](const Typed& part) {
      if (part.op == cep::ExprOp::kWindow && seen.insert(part.span.begin).second) visit(part);
    });
  };
  for (const CheckedCondition& condition : rule.conditions) look(condition.expr);
  for (const CheckedMeasure& measure : rule.measures) look(measure.expr);
  look(rule.having);
  look(rule.score);
}

bool scans(const Typed& window) {
  const auto looks_further = [](const TypedPtr& expr) { return expr && !is_event_only(*expr); };
  return looks_further(window.window.filter) || std::any_of(window.args.begin(), window.args.end(), looks_further);
}

void lint_log(const CheckedRule& rule, Diagnostics& diagnostics) {
  std::map<uint16_t, cep::DurationUs> longest;
  for_each_window(rule, [&](const Typed& part) {
    if (part.window.extent != TypedExtent::kLast) return;
    cep::DurationUs& span_us = longest[part.window.input];
    span_us = std::max(span_us, part.window.span_us);
  });
  for (const auto& [input, span_us] : longest) {
    const cep::StreamSchema& schema = *rule.names.inputs[input].schema;
    const cep::DurationUs kept = std::max(kLogKeptUs, schema.retain_us.value_or(0));
    if (span_us <= kept) continue;
    diagnostics.add(Code::kLongerThanLog, rule.decl->name.span).hint = "at first it sees " + duration_text(kept) + " of `" + schema.name +
                                                                       "`; `retain " + duration_text(span_us) + "` keeps more";
  }
}

}  // namespace

void lint_windows(const CheckedRule& rule, Diagnostics& diagnostics) {
  for_each_window(rule, [&](const Typed& part) {
    switch (part.window.extent) {
      case TypedExtent::kPrev:
        diagnostics.add(Code::kPrevHorizon, part.span, {duration_text(part.window.span_us)}).hint =
            "a longer memory is `last(..) over (last 180 days exclude current)`";
        break;
      case TypedExtent::kAll:
        diagnostics.add(Code::kForever, part.span).hint = "a key is forgotten after " +
                                                          duration_text(cep::Limits::key_idle_max_us) + " of silence";
        break;
      case TypedExtent::kLast:
      case TypedExtent::kRows: break;
    }
    if (!part.window.other_key.empty()) {
      diagnostics.add(Code::kPinned, part.span).hint = "partition the rule by that key, if it is what the rule is about";
    }
    if (scans(part)) diagnostics.add(Code::kScan, part.span).hint = "of at most 10,000 events of the key";
  });
  lint_log(rule, diagnostics);
}

}  // namespace patterns
