#include "patterns/emitter.h"

#include <algorithm>

#include "patterns/explain.h"

namespace patterns {
namespace {

using cep::ExprId;
using cep::ExprOp;

cep::Type type_of(const Typed& expr) { return expr.type.kind == ExprType::Kind::kKnown ? expr.type.type : cep::Type{}; }

// Distinct values are told apart by their hashes, of whatever type they are. A float that is handed out again must be one that came, so
// it is not rounded as what is summed (R47).
cep::RingValue ring_value_of(cep::AggregateKind aggregate, const cep::Type& type) {
  if (aggregate == cep::AggregateKind::kCountDistinct) return cep::RingValue::kText;
  const bool counts = aggregate == cep::AggregateKind::kCount;
  const bool sums = aggregate == cep::AggregateKind::kSum || aggregate == cep::AggregateKind::kAvg ||
                    aggregate == cep::AggregateKind::kStddev;
  switch (type.kind) {
    case cep::TypeKind::kFloat: return sums || counts ? cep::RingValue::kFloat : cep::RingValue::kNumber;
    case cep::TypeKind::kText:
    case cep::TypeKind::kIp: return counts ? cep::RingValue::kText : cep::RingValue::kBytes;
    default: return cep::RingValue::kNumber;
  }
}

cep::RingKeep keep_of(cep::AggregateKind aggregate) {
  switch (aggregate) {
    case cep::AggregateKind::kFirst: return cep::RingKeep::kFirst;
    case cep::AggregateKind::kMin: return cep::RingKeep::kLeast;
    case cep::AggregateKind::kMax: return cep::RingKeep::kGreatest;
    default: return cep::RingKeep::kTotals;
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
    case ExprOp::kThisField: return this_field(expr);
    case ExprOp::kWindow: return window(expr, inputs);
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
    case ExprOp::kLookUp:
    case ExprOp::kFunction:
    case ExprOp::kCase: {
      int32_t what = -1;
      const bool looks_up = expr.op == ExprOp::kLookUp;
      if (looks_up || expr.op == ExprOp::kInList) what = dataset(expr.name);
      if (expr.op == ExprOp::kFunction) what = static_cast<int32_t>(expr.function);
      const ExprId node = looks_up ? add(expr.op, expr, what, expr.offset, table_column(expr.column)) : add(expr.op, expr, what);
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

ExprId Emitter::this_field(const Typed& expr) {
  if (one_stream(asked_)) return add(ExprOp::kThisField, expr, column(expr.name, asked_[0]));
  return add(ExprOp::kThisFieldByStream, expr, field_map(expr.name, asked_));
}

ExprId Emitter::add_field(const std::string& name, const cep::Type& type, uint16_t input) {
  Typed field;
  field.op = ExprOp::kField;
  field.type = ExprType::of(type);
  return add(ExprOp::kField, field, column(name, input));
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
  made.offset = static_cast<uint32_t>(expr.offset);
  const std::vector<uint16_t> none;
  const std::vector<uint16_t>& inputs =
      expr.variable == cep::kAllVariables ? none : rule_.names.variables[expr.variable].inputs;
  if (!expr.args.empty()) made.argument = emit(*expr.args[0], inputs);
  if (expr.window.filter) made.filter = emit(*expr.window.filter, inputs);
  std::vector<cep::BoundAggregate>& known = program_.aggregates;
  const std::string text = aggregate_text(program_, made);
  for (size_t i = 0; i < known.size(); ++i) {
    if (aggregate_text(program_, known[i]) == text) return add(expr.op, expr, static_cast<int32_t>(i));
  }
  known.push_back(made);
  return add(expr.op, expr, static_cast<int32_t>(known.size() - 1));
}

uint16_t Emitter::ring(cep::Ring made, const std::vector<TypedPtr>& conjuncts) {
  std::vector<TypedPtr> all;
  if (const TypedPtr& filter = rule_.filters[made.input]) split_conjuncts(filter, all);
  all.insert(all.end(), conjuncts.begin(), conjuncts.end());
  made.predicate = predicate(made.input, all);
  made.identity = ring_identity(program_, made);
  for (size_t i = 0; i < program_.rings.size(); ++i) {
    cep::Ring& known = program_.rings[i];
    if (known.identity != made.identity || known.input != made.input) continue;
    known.span_us = std::max(known.span_us, made.span_us);
    return static_cast<uint16_t>(i);
  }
  program_.rings.push_back(std::move(made));
  return static_cast<uint16_t>(program_.rings.size() - 1);
}

// A window keeps what it needs: times only, values, or (when each entry is asked again) whole rows. A filter stands before the ring, so
// that equal ones share it, unless it looks at `this` or what is bound, or the window counts rows before it filters them.
ExprId Emitter::window(const Typed& expr, const std::vector<uint16_t>& inputs) {
  const TypedWindow& asked = expr.window;
  const TypedPtr argument = expr.args.empty() ? nullptr : expr.args[0];
  const bool counts_rows = asked.extent == TypedExtent::kRows;
  asked_ = inputs;
  cep::Window made;
  made.kind = expr.aggregate;
  made.extent = {asked.span_us, asked.rows};
  made.exclude_current = asked.exclude_current;
  made.type = type_of(expr);
  made.asked_inputs = inputs;
  std::vector<TypedPtr> before;      // the ring
  std::vector<TypedPtr> after;
  std::vector<TypedPtr> conjuncts;
  if (asked.filter) split_conjuncts(asked.filter, conjuncts);
  for (const TypedPtr& conjunct : conjuncts) (is_event_only(*conjunct) && !counts_rows ? before : after).push_back(conjunct);
  made.scans = !after.empty() || (argument && !is_event_only(*argument));

  cep::Ring ring;
  ring.input = asked.input;
  ring.span_us = asked.span_us;
  for (const TypedWindowKey& key : asked.other_key) {
    ring.other_key.push_back({key.field, key.type});
    ring.other_key_parts.push_back(add_field(key.field, key.type, asked.input));
    made.other_key.push_back(emit(*key.value, inputs));
  }
  if (made.scans) {
    ring.value = cep::RingValue::kRow;
    made.scan_filter = conjunction(after, asked.input);
    if (argument) made.scan_argument = emit(*argument, {asked.input});
  } else if (argument && expr.aggregate == cep::AggregateKind::kCount && !counts_rows) {
    if (!argument->not_null) before.push_back(not_null(argument));
  } else if (argument) {
    ring.argument = emit(*argument, {asked.input});
    ring.type = type_of(*argument);
    ring.value = ring_value_of(expr.aggregate, ring.type);
  }
  if (expr.aggregate == cep::AggregateKind::kLast && !made.scans) {
    // The newest one, or the one before it if the event under test is left out: no more need be kept.
    const uint32_t rows = asked.exclude_current ? 2 : 1;
    made.offset = asked.extent == TypedExtent::kPrev ? static_cast<uint32_t>(expr.offset) : 0;
    if (asked.extent != TypedExtent::kPrev) made.extent.rows = counts_rows ? std::min(asked.rows, rows) : rows;
  } else if (asked.extent == TypedExtent::kAll) {
    ring.keep = keep_of(expr.aggregate);
  }
  made.ring = this->ring(std::move(ring), before);
  made.text = window_text(program_, made, expr);
  for (size_t i = 0; i < program_.windows.size(); ++i) {
    const cep::Window& known = program_.windows[i];
    const bool same_columns = !made.asks_event() || known.asked_inputs == made.asked_inputs;
    if (known.ring == made.ring && known.text == made.text && same_columns) return add(expr.op, expr, static_cast<int32_t>(i));
  }
  program_.windows.push_back(std::move(made));
  return add(expr.op, expr, static_cast<int32_t>(program_.windows.size() - 1));
}

namespace {

int32_t number_in(std::vector<std::string>& names, const std::string& name) {
  const auto found = std::find(names.begin(), names.end(), name);
  if (found != names.end()) return static_cast<int32_t>(found - names.begin());
  names.push_back(name);
  return static_cast<int32_t>(names.size() - 1);
}

}  // namespace

int32_t Emitter::dataset(const std::string& name) { return number_in(program_.datasets, name); }
int32_t Emitter::table_column(const std::string& name) { return number_in(program_.table_columns, name); }

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
