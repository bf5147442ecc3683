#include "patterns/emitter.h"

#include <algorithm>

#include "patterns/explain.h"

namespace patterns {
namespace {

using cep::ExprId;
using cep::ExprOp;

cep::Type type_of(const Typed& expr) { return expr.type.kind == ExprType::Kind::kKnown ? expr.type.type : cep::Type{}; }

// Distinct values are told apart by their hashes, of whatever type they are. The least and the greatest float must be one that came,
// so they are not rounded as what is summed (R47).
cep::RingValue ring_value_of(cep::AggregateKind aggregate, const cep::Type& type) {
  if (aggregate == cep::AggregateKind::kCountDistinct) return cep::RingValue::kText;
  const bool extreme = aggregate == cep::AggregateKind::kMin || aggregate == cep::AggregateKind::kMax;
  switch (type.kind) {
    case cep::TypeKind::kFloat: return extreme ? cep::RingValue::kNumber : cep::RingValue::kFloat;
    case cep::TypeKind::kText:
    case cep::TypeKind::kIp: return cep::RingValue::kText;
    default: return cep::RingValue::kNumber;
  }
}

// count(x) counts events whose x is not null: a filter, so that it can share a ring with count(*).
TypedPtr not_null(const TypedPtr& argument) {
  Typed made;
  made.op = ExprOp::kIsNull;
  made.flags = cep::Expr::kNegated;
  made.type = ExprType::of(cep::TypeKind::kBool);
  made.args = {argument};
  return std::make_shared<Typed>(std::move(made));
}

}  // namespace

ExprId Emitter::add(ExprOp op, const Typed& expr, int32_t a, int32_t b, int32_t c) {
  cep::Expr node;
  node.op = op;
  node.flags = expr.flags;
  node.type = type_of(expr);
  node.a = a;
  node.b = b;
  node.c = c;
  return program_.pool.add(node);
}

void Emitter::add_args(ExprId node, const std::vector<ExprId>& args) {
  cep::Expr& made = program_.pool.nodes[static_cast<size_t>(node)];
  made.args_first = static_cast<uint32_t>(program_.pool.args.size());
  made.args_count = static_cast<uint32_t>(args.size());
  program_.pool.args.insert(program_.pool.args.end(), args.begin(), args.end());
}

ExprId Emitter::emit(const Typed& expr, const std::vector<uint16_t>& inputs) {
  switch (expr.op) {
    case ExprOp::kConstant: return program_.pool.add_constant(expr.constant.view(), type_of(expr));
    case ExprOp::kField: return field(expr, inputs);
    case ExprOp::kBoundField: return bound_field(expr);
    case ExprOp::kBoundAggregate: return bound_aggregate(expr);
    case ExprOp::kWindow: return window(expr);
    case ExprOp::kKeyPart: return add(expr.op, expr, expr.offset);
    default: break;
  }
  std::vector<ExprId> args;
  for (const TypedPtr& arg : expr.args) args.push_back(emit(*arg, inputs));
  switch (expr.op) {
    case ExprOp::kIn: {
      const ExprId node = add(expr.op, expr, args[0]);
      add_args(node, {args.begin() + 1, args.end()});
      return node;
    }
    case ExprOp::kInList:
    case ExprOp::kFunction:
    case ExprOp::kCase: {
      int32_t what = -1;
      if (expr.op == ExprOp::kInList) what = list(expr.name);
      if (expr.op == ExprOp::kFunction) what = static_cast<int32_t>(expr.function);
      const ExprId node = add(expr.op, expr, what);
      add_args(node, args);
      return node;
    }
    case ExprOp::kMatches: return add(expr.op, expr, args[0], regex(expr.name));
    default: return add(expr.op, expr, args[0], args.size() > 1 ? args[1] : -1);
  }
}

bool Emitter::one_stream(const std::vector<uint16_t>& inputs) const {
  return std::all_of(inputs.begin(), inputs.end(), [&](uint16_t input) {
    return program_.inputs[input].schema->id == program_.inputs[inputs[0]].schema->id;
  });
}

uint16_t Emitter::column(const std::string& name, uint16_t input) const {
  const int index = program_.inputs[input].schema->column_index(name);
  WEIR_CHECK(index >= 0, "a checked field has a column");
  return static_cast<uint16_t>(index);
}

int32_t Emitter::field_map(const std::string& name, const std::vector<uint16_t>& inputs) {
  cep::FieldMap map;
  for (const uint16_t input : inputs) {
    const cep::StreamId stream = program_.inputs[input].schema->id;
    const bool known = std::any_of(map.entries.begin(), map.entries.end(),
                                   [&](const cep::FieldMap::Entry& entry) { return entry.stream == stream; });
    if (!known) map.entries.push_back({stream, column(name, input)});
  }
  program_.pool.field_maps.push_back(std::move(map));
  return static_cast<int32_t>(program_.pool.field_maps.size() - 1);
}

ExprId Emitter::field(const Typed& expr, const std::vector<uint16_t>& inputs) {
  if (one_stream(inputs)) return add(ExprOp::kField, expr, column(expr.name, inputs[0]));
  return add(ExprOp::kFieldByStream, expr, field_map(expr.name, inputs));
}

ExprId Emitter::bound_field(const Typed& expr) {
  const std::vector<uint16_t>& inputs = rule_.names.variables[expr.variable].inputs;
  if (one_stream(inputs)) {
    return add(ExprOp::kBoundField, expr, expr.variable, column(expr.name, inputs[0]), expr.offset);
  }
  return add(ExprOp::kBoundFieldByStream, expr, expr.variable, field_map(expr.name, inputs), expr.offset);
}

ExprId Emitter::bound_aggregate(const Typed& expr) {
  cep::BoundAggregate made;
  made.kind = expr.aggregate;
  made.variable = expr.variable;
  if (!expr.args.empty()) made.argument = emit(*expr.args[0], rule_.names.variables[expr.variable].inputs);
  std::vector<cep::BoundAggregate>& known = program_.aggregates;
  const std::string text = aggregate_text(program_, made);
  for (size_t i = 0; i < known.size(); ++i) {
    if (aggregate_text(program_, known[i]) == text) return add(expr.op, expr, static_cast<int32_t>(i));
  }
  known.push_back(made);
  return add(expr.op, expr, static_cast<int32_t>(known.size() - 1));
}

uint16_t Emitter::ring(const Typed& expr) {
  cep::Ring made;
  made.input = expr.window.input;
  std::vector<TypedPtr> conjuncts;
  if (const TypedPtr& filter = rule_.filters[made.input]) split_conjuncts(filter, conjuncts);
  if (expr.window.filter) split_conjuncts(expr.window.filter, conjuncts);
  if (!expr.args.empty()) {
    const TypedPtr& argument = expr.args[0];
    if (expr.aggregate == cep::AggregateKind::kCount) {
      if (!argument->not_null) conjuncts.push_back(not_null(argument));
    } else {
      made.argument = emit(*argument, {made.input});
      made.type = type_of(*argument);
      made.value = ring_value_of(expr.aggregate, made.type);
    }
  }
  made.predicate = predicate(made.input, conjuncts);
  made.identity = ring_identity(program_, made);
  for (size_t i = 0; i < program_.rings.size(); ++i) {
    if (program_.rings[i].identity == made.identity && program_.rings[i].input == made.input)
      return static_cast<uint16_t>(i);
  }
  program_.rings.push_back(std::move(made));
  return static_cast<uint16_t>(program_.rings.size() - 1);
}

ExprId Emitter::window(const Typed& expr) {
  cep::Window made;
  made.kind = expr.aggregate;
  made.ring = ring(expr);
  made.span_us = expr.window.span_us;
  made.exclude_current = expr.window.exclude_current;
  made.type = type_of(expr);
  cep::Ring& ring = program_.rings[made.ring];
  ring.span_us = std::max(ring.span_us, made.span_us);
  for (size_t i = 0; i < program_.windows.size(); ++i) {
    const cep::Window& known = program_.windows[i];
    if (known.kind == made.kind && known.ring == made.ring && known.span_us == made.span_us &&
        known.exclude_current == made.exclude_current) {
      return add(expr.op, expr, static_cast<int32_t>(i));
    }
  }
  made.text = window_text(program_, made);
  program_.windows.push_back(std::move(made));
  return add(expr.op, expr, static_cast<int32_t>(program_.windows.size() - 1));
}

int32_t Emitter::list(const std::string& name) {
  std::vector<std::string>& lists = program_.lists;
  const auto found = std::find(lists.begin(), lists.end(), name);
  if (found != lists.end()) return static_cast<int32_t>(found - lists.begin());
  lists.push_back(name);
  return static_cast<int32_t>(lists.size() - 1);
}

int32_t Emitter::regex(const std::string& pattern) {
  const auto known = regexes_.find(pattern);
  if (known != regexes_.end()) return known->second;
  const cep::Result<int32_t> made = program_.pool.add_regex(pattern);
  WEIR_CHECK(made.ok(), "a checked pattern compiles");
  regexes_[pattern] = *made;
  return *made;
}

ExprId Emitter::conjunction(const std::vector<TypedPtr>& conjuncts, uint16_t input) {
  ExprId all = cep::kNoExpr;
  for (const TypedPtr& conjunct : conjuncts) {
    const ExprId next = emit(*conjunct, {input});
    if (all == cep::kNoExpr) {
      all = next;
      continue;
    }
    cep::Expr both;
    both.op = ExprOp::kAnd;
    both.type = {cep::TypeKind::kBool, 0, 0};
    both.a = all;
    both.b = next;
    all = program_.pool.add(both);
  }
  return all;
}

int32_t Emitter::predicate(uint16_t input, const std::vector<TypedPtr>& conjuncts) {
  std::vector<TypedPtr> asked;
  for (const TypedPtr& conjunct : conjuncts) {
    if (!conjunct->is_constant() || !conjunct->constant.view().is_true()) asked.push_back(conjunct);
  }
  if (asked.empty()) return cep::kAlways;
  cep::Predicate made;
  made.input = input;
  made.expr = conjunction(asked, input);
  made.text = expr_text(program_, made.expr, program_.inputs[input].schema.get());
  for (size_t i = 0; i < program_.predicates.size(); ++i) {
    const cep::Predicate& known = program_.predicates[i];
    if (known.input == input && known.text == made.text) return static_cast<int32_t>(i);
  }
  program_.predicates.push_back(std::move(made));
  return static_cast<int32_t>(program_.predicates.size() - 1);
}

cep::Condition Emitter::condition(uint16_t input, const TypedPtr& expr) {
  cep::Condition made;
  if (!expr) return made;
  std::vector<TypedPtr> conjuncts;
  split_conjuncts(expr, conjuncts);
  std::vector<TypedPtr> on_event;
  std::vector<TypedPtr> residual;
  for (const TypedPtr& conjunct : conjuncts) (is_event_only(*conjunct) ? on_event : residual).push_back(conjunct);
  made.predicate = predicate(input, on_event);
  made.residual = conjunction(residual, input);
  return made;
}

}  // namespace patterns
