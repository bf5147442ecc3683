// Expressions of a program as canonical text of the rule language.
#include "patterns/explain.h"

#include <re2/re2.h>

#include <charconv>

#include "cep/functions.h"
#include "patterns/printer.h"

namespace patterns {
namespace {

using cep::ExprOp;

enum Level { kOr, kAnd, kNot, kCompare, kConcat, kSum, kProduct, kSign, kPrimary };

struct Operator {
  const char* text;
  Level level;
};

Operator operator_of(ExprOp op) {
  switch (op) {
    case ExprOp::kOr: return {" or ", kOr};
    case ExprOp::kAnd: return {" and ", kAnd};
    case ExprOp::kEqual: return {" = ", kCompare};
    case ExprOp::kNotEqual: return {" <> ", kCompare};
    case ExprOp::kLess: return {" < ", kCompare};
    case ExprOp::kLessEqual: return {" <= ", kCompare};
    case ExprOp::kGreater: return {" > ", kCompare};
    case ExprOp::kGreaterEqual: return {" >= ", kCompare};
    case ExprOp::kLike: return {" like ", kCompare};
    case ExprOp::kConcat: return {" || ", kConcat};
    case ExprOp::kAdd: return {" + ", kSum};
    case ExprOp::kSubtract: return {" - ", kSum};
    case ExprOp::kMultiply: return {" * ", kProduct};
    case ExprOp::kDivide: return {" / ", kProduct};
    case ExprOp::kModulo: return {" % ", kProduct};
    default: return {"", kPrimary};
  }
}

// A float always shows that it is one: another type compares and divides otherwise.
std::string float_text(double d) {
  char buffer[32];
  const auto end = std::to_chars(buffer, buffer + sizeof buffer, d, std::chars_format::scientific).ptr;
  return std::string(buffer, end);
}

std::string constant_text(const cep::Value& v) {
  switch (v.kind) {
    case cep::ValueKind::kNull: return "null";
    case cep::ValueKind::kBool: return v.is_true() ? "true" : "false";
    case cep::ValueKind::kFloat: return float_text(v.real);
    case cep::ValueKind::kText: return print_string(v.text());
    case cep::ValueKind::kTimestamp:
      return "timestamp " + print_string(cep::format_time(static_cast<cep::TimeUs>(v.number)));
    case cep::ValueKind::kDuration: return duration_text(static_cast<cep::DurationUs>(v.number));
    default: return cep::to_display(v);
  }
}

// A subset is written as what it stands for: its name decides nothing.
std::string variable_text(const cep::Program& program, const cep::Variable& variable) {
  if (variable.members == 0) return print_name(variable.name);
  std::string text;
  for (size_t v = 0; v < program.variables.size(); ++v) {
    if ((variable.members >> v & 1) != 0) text += (text.empty() ? "(" : " | ") + print_name(program.variables[v].name);
  }
  return text + ")";
}

class ExprText {
 public:
  ExprText(const cep::Program& program, const cep::StreamSchema* event, const cep::StreamSchema* under_test = nullptr)
      : program_(program), event_(event), this_(under_test) {}

  std::string text(cep::ExprId id, Level around = kOr) const {
    const cep::Expr& e = program_.pool.nodes[static_cast<size_t>(id)];
    const auto [written, level] = written_of(e);
    return level < around ? "(" + written + ")" : written;
  }

 private:
  struct Written {
    std::string text;
    Level level;
  };

  Written written_of(const cep::Expr& e) const {
    const bool negated = (e.flags & cep::Expr::kNegated) != 0;
    const std::string no = negated ? "not " : "";
    switch (e.op) {
      case ExprOp::kConstant:
        return {constant_text(program_.pool.constants[static_cast<size_t>(e.a)].view()), kPrimary};
      case ExprOp::kField:
      case ExprOp::kFieldByStream: return {field_text(e), kPrimary};
      case ExprOp::kThisField:
        WEIR_CHECK(this_ != nullptr, "`this` is an event under test");
        return {"this." + print_name(this_->columns[static_cast<size_t>(e.a)].name), kPrimary};
      case ExprOp::kThisFieldByStream:
        return {"this." + column_name(program_.pool.field_maps[static_cast<size_t>(e.a)]), kPrimary};
      case ExprOp::kBoundField:
      case ExprOp::kBoundFieldByStream: return {bound_text(e), kPrimary};
      case ExprOp::kBoundAggregate:
        return {aggregate_text(program_, program_.aggregates[static_cast<size_t>(e.a)]), kPrimary};
      case ExprOp::kWindow: return {program_.windows[static_cast<size_t>(e.a)].text, kPrimary};
      case ExprOp::kKeyPart: return {print_name(program_.key[static_cast<size_t>(e.a)].name), kPrimary};
      case ExprOp::kNot: return {"not " + text(e.a, kNot), kNot};
      case ExprOp::kNegate: return {"-" + text(e.a, kPrimary), kSign};
      case ExprOp::kIsNull: return {text(e.a, kConcat) + (negated ? " is not null" : " is null"), kCompare};
      case ExprOp::kIn: return {text(e.a, kConcat) + " " + no + "in (" + args_text(e, 0) + ")", kCompare};
      case ExprOp::kInList: {
        const std::string left = e.args_count == 1 ? text(arg(e, 0), kConcat) : "(" + args_text(e, 0) + ")";
        return {left + " " + no + "in @" + print_name(program_.datasets[static_cast<size_t>(e.a)]), kCompare};
      }
      case ExprOp::kLookUp:
        return {"@" + print_name(program_.datasets[static_cast<size_t>(e.a)]) + "[" + args_text(e, 0) + "]." +
                    print_name(program_.table_columns[static_cast<size_t>(e.c)]),
                kPrimary};
      case ExprOp::kMatches:
        return {text(e.a, kConcat) + " " + no + "matches " +
                    print_string(program_.pool.regexes[static_cast<size_t>(e.b)]->pattern()),
                kCompare};
      case ExprOp::kLike: return {text(e.a, kConcat) + " " + no + "like " + text(e.b, kConcat), kCompare};
      case ExprOp::kCase: return {case_text(e), kPrimary};
      case ExprOp::kCast: return {"cast(" + text(e.a) + " as " + cep::type_name(e.type) + ")", kPrimary};
      case ExprOp::kFunction: return {function_name(e) + "(" + args_text(e, 0) + ")", kPrimary};
      default: return binary_text(e);
    }
  }

  Written binary_text(const cep::Expr& e) const {
    const Operator op = operator_of(e.op);
    const bool associative = op.level == kOr || op.level == kAnd;
    const Level left = op.level == kCompare ? kConcat : op.level;
    const Level right = associative ? op.level : static_cast<Level>(op.level + 1);
    return {text(e.a, left) + op.text + text(e.b, right), op.level};
  }

  cep::ExprId arg(const cep::Expr& e, uint32_t i) const { return program_.pool.args[e.args_first + i]; }

  std::string args_text(const cep::Expr& e, uint32_t first) const {
    std::string all;
    for (uint32_t i = first; i < e.args_count; ++i) all += (i > first ? ", " : "") + text(arg(e, i));
    return all;
  }

  std::string case_text(const cep::Expr& e) const {
    std::string all = "case";
    uint32_t i = 0;
    for (; i + 1 < e.args_count; i += 2) all += " when " + text(arg(e, i)) + " then " + text(arg(e, i + 1));
    if (i < e.args_count) all += " else " + text(arg(e, i));
    return all + " end";
  }

  static std::string function_name(const cep::Expr& e) {
    for (const cep::FunctionInfo& info : cep::functions()) {
      if (info.id == static_cast<cep::FunctionId>(e.a)) return std::string(info.name);
    }
    return "?";
  }

  std::string column_name(const cep::FieldMap& map) const {
    for (const cep::Input& input : program_.inputs) {
      if (input.schema->id == map.entries[0].stream)
        return print_name(input.schema->columns[map.entries[0].column].name);
    }
    return "?";
  }

  std::string field_text(const cep::Expr& e) const {
    if (e.op == ExprOp::kFieldByStream) return column_name(program_.pool.field_maps[static_cast<size_t>(e.a)]);
    WEIR_CHECK(event_ != nullptr, "a field is of an event");
    return print_name(event_->columns[static_cast<size_t>(e.a)].name);
  }

  std::string bound_text(const cep::Expr& e) const {
    const cep::Variable& variable = program_.variables[static_cast<size_t>(e.a)];
    std::string column;
    if (e.op == ExprOp::kBoundFieldByStream) {
      column = column_name(program_.pool.field_maps[static_cast<size_t>(e.b)]);
    } else {
      column = print_name(schema_of(variable)->columns[static_cast<size_t>(e.b)].name);
    }
    const std::string field = variable_text(program_, variable) + "." + column;
    const bool from_first = (e.flags & cep::Expr::kFromFirst) != 0;
    if (!from_first && e.c == 0) return field;
    return (from_first ? "first(" : "last(") + field + (e.c != 0 ? ", " + std::to_string(e.c) : "") + ")";
  }

 public:
  // Of an input the variable can bind.
  const cep::StreamSchema* schema_of(const cep::Variable& variable) const {
    for (size_t i = 0; i < variable.conditions.size(); ++i) {
      if (variable.conditions[i].predicate != cep::kNever) return program_.inputs[i].schema.get();
    }
    return program_.inputs[0].schema.get();
  }

 private:
  const cep::Program& program_;
  const cep::StreamSchema* event_;
  const cep::StreamSchema* this_;
};

const char* name_of(cep::AggregateKind kind) {
  switch (kind) {
    case cep::AggregateKind::kCount:
    case cep::AggregateKind::kCountDistinct: return "count";
    case cep::AggregateKind::kSum: return "sum";
    case cep::AggregateKind::kAvg: return "avg";
    case cep::AggregateKind::kMin: return "min";
    case cep::AggregateKind::kMax: return "max";
    case cep::AggregateKind::kStddev: return "stddev";
    case cep::AggregateKind::kFirst: return "first";
    case cep::AggregateKind::kLast: return "last";
  }
  return "?";
}

}  // namespace

std::string expr_text(const cep::Program& program, cep::ExprId expr, const cep::StreamSchema* event) {
  return ExprText(program, event).text(expr);
}

std::string aggregate_text(const cep::Program& program, const cep::BoundAggregate& aggregate) {
  std::string inside = "*";
  if (aggregate.variable != cep::kAllVariables) {
    const cep::Variable& variable = program.variables[aggregate.variable];
    inside = variable_text(program, variable);
    if (aggregate.argument != cep::kNoExpr) {
      const cep::StreamSchema* schema = ExprText(program, nullptr).schema_of(variable);
      // The argument's fields are of this variable: the text says so once, `sum(v: amount * rate)`.
      const std::string argument = expr_text(program, aggregate.argument, schema);
      const ExprOp op = program.pool.nodes[static_cast<size_t>(aggregate.argument)].op;
      const bool plain = op == ExprOp::kField || op == ExprOp::kFieldByStream;
      inside += (plain ? "." : ": ") + argument;
    }
  }
  const bool distinct = aggregate.kind == cep::AggregateKind::kCountDistinct;
  if (aggregate.offset != 0) inside += ", " + std::to_string(aggregate.offset);
  std::string text = std::string(name_of(aggregate.kind)) + "(" + (distinct ? "distinct " : "") + inside + ")";
  if (aggregate.filter != cep::kNoExpr) {
    const cep::StreamSchema* schema = ExprText(program, nullptr).schema_of(program.variables[aggregate.variable]);
    text += " filter (where " + expr_text(program, aggregate.filter, schema) + ")";
  }
  return text;
}

namespace {

std::string window_filter(const cep::Program& program, const cep::Window& window, const ExprText& of_entry) {
  const cep::Ring& ring = program.rings[window.ring];
  std::string text;
  if (ring.predicate >= 0 && ring.predicate != program.inputs[ring.input].filter) {
    text = program.predicates[static_cast<size_t>(ring.predicate)].text;
  }
  if (window.scan_filter != cep::kNoExpr) text += (text.empty() ? "" : "; ") + of_entry.text(window.scan_filter);
  return text.empty() ? "" : " filter (where " + text + ")";
}

}  // namespace

std::string window_text(const cep::Program& program, const cep::Window& window, const Typed& asked) {
  const cep::Ring& ring = program.rings[window.ring];
  const cep::Input& input = program.inputs[ring.input];
  const cep::StreamSchema* under_test =
      window.asked_inputs.empty() ? nullptr : program.inputs[window.asked_inputs[0]].schema.get();
  const ExprText of_entry(program, input.schema.get(), under_test);
  const cep::ExprId argument = window.scans ? window.scan_argument : ring.argument;
  const std::string inside = argument == cep::kNoExpr ? "*" : of_entry.text(argument);
  if (asked.window.extent == TypedExtent::kPrev) {
    return "prev(" + inside + (window.offset != 1 ? ", " + std::to_string(window.offset) : "") + ")";
  }
  const bool distinct = window.kind == cep::AggregateKind::kCountDistinct;
  std::string text = std::string(name_of(window.kind)) + "(" + (distinct ? "distinct " : "") + inside + ")";
  text += window_filter(program, window, of_entry) + " over (";
  if (program.inputs.size() > 1) text += "on " + print_name(input.alias) + " ";
  for (size_t i = 0; i < window.other_key.size(); ++i) {
    const std::string field = print_name(ring.other_key[i].name);
    const std::string value = ExprText(program, under_test).text(window.other_key[i], kConcat);
    text += (i == 0 ? "partition by " : ", ") + field + (value == field ? "" : " = " + value);
  }
  if (!window.other_key.empty()) text += " ";
  switch (asked.window.extent) {
    case TypedExtent::kAll: text += "all"; break;
    case TypedExtent::kRows: text += "last " + std::to_string(asked.window.rows) + " rows"; break;
    default: text += "last " + duration_text(window.extent.span_us); break;
  }
  return text + (window.exclude_current ? " exclude current)" : ")");
}

std::string ring_identity(const cep::Program& program, const cep::Ring& ring) {
  const cep::Input& input = program.inputs[ring.input];
  const bool by_other_key = !ring.other_key_parts.empty();
  const std::vector<cep::ExprId>& key = by_other_key ? ring.other_key_parts : input.key;
  std::string text = "stream " + print_name(input.schema->name) + (by_other_key ? " by (" : " key (");
  for (size_t i = 0; i < key.size(); ++i) text += (i > 0 ? ", " : "") + expr_text(program, key[i], input.schema.get());
  text += ")";
  if (ring.predicate == cep::kNever) text += " where false";
  if (ring.predicate >= 0) text += " where " + program.predicates[static_cast<size_t>(ring.predicate)].text;
  static constexpr const char* kKept[] = {"", " all totals", " all first", " all least", " all greatest"};
  text += kKept[static_cast<size_t>(ring.keep)];
  if (ring.value == cep::RingValue::kRow) text += " rows";
  if (ring.argument != cep::kNoExpr) {
    const bool ranked = ring.value == cep::RingValue::kNumber && ring.type.kind == cep::TypeKind::kFloat;
    const bool whole = ring.value == cep::RingValue::kBytes;
    text += ring.value == cep::RingValue::kText ? " hash " : whole ? " bytes " : ranked ? " rank " : " value ";
    text += expr_text(program, ring.argument, input.schema.get());
  }
  return text;
}

std::string duration_text(cep::DurationUs us) {
  struct Unit {
    cep::DurationUs us;
    const char* name;
  };
  static constexpr Unit kUnits[] = {{7 * cep::kDay, "week"},  {cep::kDay, "day"},       {cep::kHour, "hour"},
                                    {cep::kMinute, "minute"}, {cep::kSecond, "second"}, {cep::kMillisecond, "ms"}};
  if (us == 0) return "0 seconds";
  for (const Unit& unit : kUnits) {
    if (us % unit.us != 0) continue;
    const cep::DurationUs count = us / unit.us;
    const bool plural = unit.us != cep::kMillisecond && count != 1 && count != -1;
    return std::to_string(count) + " " + unit.name + (plural ? "s" : "");
  }
  const bool negative = us < 0;
  std::string fraction = std::to_string((negative ? -us : us) % cep::kMillisecond);
  fraction.insert(0, 3 - fraction.size(), '0');
  return (negative ? "-" : "") + std::to_string((negative ? -us : us) / cep::kMillisecond) + "." + fraction + " ms";
}

}  // namespace patterns
