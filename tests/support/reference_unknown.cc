#include "tests/support/reference_unknown.h"

#include <algorithm>

namespace support {
namespace {

using patterns::Expr;
using patterns::ExprKind;
using patterns::Op;

constexpr std::string_view kKnownCalls[] = {"count", "sum",  "avg",      "min", "max",    "stddev", "first",
                                            "last",  "prev", "coalesce", "abs", "length", "least",  "greatest"};

class Search {
 public:
  explicit Search(size_t inputs) : inputs_(inputs) {}

  void look(const Expr& expr) {
    if (const std::string what = unknown(expr); found.empty()) found = what;
    patterns::for_each_part(expr, [&](const Expr& part) { look(part); });
  }
  void look(const patterns::ExprPtr& expr) {
    if (expr) look(*expr);
  }
  void look(const patterns::Alternation& alternation) {
    for (const patterns::Sequence& sequence : alternation.branches) {
      for (const patterns::Item& item : sequence.items) look(item);
    }
  }

  std::string found;

 private:
  void look(const patterns::Item& item) {
    look(item.until);
    if (item.group) look(*item.group);
    for (const patterns::Item& member : item.members) look(member);
  }

  std::string unknown(const Expr& expr) const {
    const auto is_span = [](const patterns::ExprPtr& part) { return part->kind == ExprKind::kDuration; };
    switch (expr.kind) {
      case ExprKind::kTimestamp: return "timestamp literal";
      case ExprKind::kCast: return "cast";
      case ExprKind::kMatches: return "matches";
      case ExprKind::kLookup: return "table look-up";
      case ExprKind::kLike: return expr.args[1]->text.find('\\') == std::string::npos ? "" : "like with an escape";
      case ExprKind::kBinary:
        if (expr.op == Op::kConcat) return "||";
        if (expr.op == Op::kMod) return "%";
        if ((expr.op == Op::kMul || expr.op == Op::kDiv) && std::any_of(expr.args.begin(), expr.args.end(), is_span)) {
          return "product of a length of time";
        }
        return "";
      case ExprKind::kCall: return unknown_call(expr);
      default: return "";
    }
  }

  std::string unknown_call(const Expr& expr) const {
    const bool known = std::find(std::begin(kKnownCalls), std::end(kKnownCalls), expr.name.text) != std::end(kKnownCalls);
    if (!known) return "function `" + expr.name.text + "`";
    if (expr.name.text == "prev" && expr.args[0]->kind != ExprKind::kName) return "prev of an expression";
    if (expr.over && !expr.over->partition.empty()) return "window by another key";
    if (expr.over && !expr.over->input && inputs_ > 1) return "window that does not name its input";
    return "";
  }

  size_t inputs_;
};

}  // namespace

std::string unknown_to_reference(const patterns::RuleDecl& rule, const std::map<std::string, cep::SchemaPtr>& streams) {
  for (const patterns::Input& input : rule.on) {
    const cep::StreamSchema& schema = *streams.at(input.stream.text);
    if (schema.from_rules) return "stream from rules";
    if (schema.explicit_watermark) return "explicit watermark";
  }
  Search search(rule.on.size());
  for (const patterns::Input& input : rule.on) search.look(input.where);
  for (const patterns::KeyPart& part : rule.partition) search.look(part.expr);
  if (rule.when) search.look(rule.when->condition);
  if (rule.pattern) search.look(rule.pattern->alternation);
  for (const patterns::Define& define : rule.defines) search.look(define.condition.condition);
  for (const patterns::Measure& measure : rule.measures) search.look(measure.expr);
  search.look(rule.having);
  return search.found;
}

}  // namespace support
