#include "patterns/checker_into.h"

#include <algorithm>
#include <set>

namespace patterns {
namespace {

// Whether every value of type `from` can stand in a column of type `to`.
bool fits_column(const cep::Type& from, const cep::Type& to) {
  const bool from_int = from.kind == cep::TypeKind::kInt;
  if (to.kind == cep::TypeKind::kFloat) return from_int || from.kind == cep::TypeKind::kFloat;
  if (to.kind == cep::TypeKind::kDecimal) return from_int || (from.kind == cep::TypeKind::kDecimal && from.scale <= to.scale);
  return from.kind == to.kind;
}

cep::Type text_type() { return {cep::TypeKind::kText, 0, 0}; }

// What a rule has for a column, in the order of bind_into (cep/derived): measures, key, then its own words.
struct Output {
  std::string name;
  ExprType type;
  bool may_be_null = true;
};

std::vector<Output> outputs_of(const CheckedRule& rule) {
  std::vector<Output> outputs;
  for (const CheckedMeasure& measure : rule.measures) {
    const Typed& expr = *measure.expr;
    const bool counts = expr.aggregate == cep::AggregateKind::kCount || expr.aggregate == cep::AggregateKind::kCountDistinct;
    const bool is_count = counts && (expr.op == cep::ExprOp::kBoundAggregate || expr.op == cep::ExprOp::kWindow);
    const bool is_value = expr.is_constant() && !expr.type.is_null();
    const bool is_own_field = expr.op == cep::ExprOp::kField && expr.not_null;
    outputs.push_back({measure.name, expr.type, !is_count && !is_value && !is_own_field});
  }
  for (const ScopeKey& key : rule.names.key) outputs.push_back({key.name, key.type, false});
  const bool has_score = rule.score && rule.score->is_constant() && !rule.score->type.is_null();
  outputs.push_back({"rule", ExprType::of(text_type()), false});
  outputs.push_back({"severity", ExprType::of(text_type()), false});
  outputs.push_back({"score", ExprType::of(cep::TypeKind::kInt), !has_score});
  outputs.push_back({"decision", ExprType::of(text_type()), rule.decision == cep::Decision::kNone});
  outputs.push_back({"at", ExprType::of(cep::TypeKind::kTimestamp), false});
  return outputs;
}

// Looks for a way from a rule back to itself: depth first over the rules that read what the last one fills.
class WayBack {
 public:
  explicit WayBack(const Catalog& catalog) : catalog_(catalog) {}

  // "`a` into `s`, `b` into `t`, `a`"; empty: there is none.
  std::string find(const std::string& rule) {
    seen_ = {rule};
    return go_on(rule, rule);
  }

 private:
  std::string go_on(const std::string& from, const std::string& rule) {
    const std::string& stream = catalog_.rules.at(from).into;
    const std::string step = "`" + from + "` into `" + stream + "`, ";
    if (catalog_.rules.at(rule).streams.contains(stream)) return step + "`" + rule + "`";
    for (const auto& [name, use] : catalog_.rules) {
      if (use.into.empty() || !use.streams.contains(stream) || !seen_.insert(name).second) continue;
      const std::string rest = go_on(name, rule);
      if (!rest.empty()) return step + rest;
    }
    return "";
  }

  const Catalog& catalog_;
  std::set<std::string> seen_;
};

// By stream: how many streams `from rules` stand behind each other up to it. Without cycles it ends after as many rounds as the
// longest way has hops.
std::map<std::string, size_t> hops_of(const Catalog& catalog) {
  std::map<std::string, size_t> hops;
  for (bool grows = true; grows;) {
    grows = false;
    for (const auto& [name, use] : catalog.rules) {
      if (use.into.empty()) continue;
      size_t most = 1;
      for (const std::string& stream : use.streams) {
        const auto before = hops.find(stream);
        if (before != hops.end()) most = std::max(most, before->second + 1);
      }
      size_t& known = hops[use.into];
      grows = grows || most > known;
      known = std::max(known, most);
    }
  }
  return hops;
}

}  // namespace

void check_into(const Name& into, Diagnostics& diagnostics, CheckedRule& out) {
  const auto& streams = out.names.catalog->streams;
  const auto found = streams.find(into.text);
  if (found == streams.end()) {
    std::vector<std::string> names;
    for (const auto& [name, schema] : streams) {
      if (schema->from_rules) names.push_back(name);
    }
    diagnostics.add(Code::kUnknownStream, into.span, {into.text}).hint = did_you_mean(into.text, names);
    return;
  }
  const cep::StreamSchema& stream = *found->second;
  if (!stream.from_rules) {
    diagnostics.add(Code::kIntoStream, into.span, {into.text}).hint = "declare it `event time .. from rules`";
    return;
  }
  const std::string& rule = out.decl->name.text;
  const std::vector<Output> outputs = outputs_of(out);
  for (const Output& output : outputs) {
    if (output.type.kind == ExprType::Kind::kKnown) out.outputs.emplace(output.name, output.type.type);
  }
  for (size_t c = 0; c < stream.columns.size(); ++c) {
    if (c == stream.time_column) continue;
    const cep::Column& column = stream.columns[c];
    const auto output = std::find_if(outputs.begin(), outputs.end(), [&](const Output& o) { return o.name == column.name; });
    const bool is_known = output != outputs.end() && output->type.kind == ExprType::Kind::kKnown;
    if (is_known && !fits_column(output->type.type, column.type)) {
      diagnostics.add(Code::kIntoType, into.span,
                      {column.name, stream.name, cep::type_name(column.type), rule, describe(output->type)});
    } else if (column.not_null && (output == outputs.end() || output->may_be_null)) {
      diagnostics.add(Code::kIntoNull, into.span, {column.name, stream.name, rule}).hint =
          output == outputs.end() ? "give it a measure, `... as " + column.name + "`, or let the column be null"
                                  : "let the column be null: drop its `not null`";
    }
  }
}

void check_hops(const Catalog& catalog, const std::vector<IntoClause>& clauses, Diagnostics& diagnostics) {
  for (const IntoClause& clause : clauses) {
    const std::string way = WayBack(catalog).find(clause.rule);
    if (way.empty()) continue;
    diagnostics.add(Code::kCycle, clause.span, {clause.rule}).hint = "the way round: " + way;
    return;  // its other rules would say the same
  }
  if (clauses.empty()) return;
  const std::map<std::string, size_t> hops = hops_of(catalog);
  const auto fewer = [](const auto& a, const auto& b) { return a.second < b.second; };
  const auto longest = std::max_element(hops.begin(), hops.end(), fewer);
  if (longest->second <= kHopsMax) return;
  const auto hops_to = [&](const IntoClause& clause) { return hops.at(catalog.rules.at(clause.rule).into); };
  const auto last = std::max_element(clauses.begin(), clauses.end(),
                                     [&](const IntoClause& a, const IntoClause& b) { return hops_to(a) < hops_to(b); });
  diagnostics.add(Code::kHops, last->span, {std::to_string(kHopsMax)}).hint =
      "it is " + std::to_string(longest->second) + " hops to `" + longest->first + "`: let a rule on the way read the events themselves";
}

void check_feeders(const cep::StreamSchema& stream, const Span& span, const Catalog& catalog, Diagnostics& diagnostics) {
  for (const auto& [name, use] : catalog.rules) {
    if (use.into != stream.name) continue;
    for (const cep::Column& column : stream.columns) {
      const auto output = use.outputs.find(column.name);
      if (&column == &stream.columns[stream.time_column] || output == use.outputs.end()) continue;
      if (fits_column(output->second, column.type)) continue;
      diagnostics.add(Code::kIntoType, span,
                      {column.name, stream.name, cep::type_name(column.type), name, cep::type_name(output->second)});
    }
  }
}

}  // namespace patterns
