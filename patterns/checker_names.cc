// Names of expressions: fields of the event under test, fields of bound events, key columns (R41, R45).
#include "patterns/checker_expr.h"

#include <algorithm>

namespace patterns {
namespace {

bool is_bound_at(const Scope& scope, uint64_t bound, uint16_t variable) {
  return (bound >> variable & 1) != 0 && !scope.at_head;
}

bool is_in_subset(const Scope& scope, uint16_t variable, uint16_t subset) {
  return variable != cep::kNoVariable && (scope.names->variables[subset].members >> variable & 1) != 0;
}

// The first of a stream's fields, for somebody who has no idea of them.
std::string fields_of(const cep::StreamSchema& schema) {
  constexpr size_t kShown = 8;
  std::string text = "it has";
  for (size_t i = 0; i < schema.columns.size() && i < kShown; ++i) text += (i == 0 ? " `" : ", `") + schema.columns[i].name + "`";
  return text + (schema.columns.size() > kShown ? ", ..." : "");
}

}  // namespace

TypedPtr ExprChecker::name(const Expr& expr, const Scope& scope) {
  return expr.qualifier ? qualified_name(expr, scope) : bare_name(expr, scope);
}

TypedPtr ExprChecker::bare_name(const Expr& expr, const Scope& scope) {
  const Name& field_name = expr.name;
  if (scope.place == Place::kAggregate) {
    diagnostics_.add(Code::kAggregateMix, expr.span).hint =
        "write `" + scope.names->variables[scope.aggregate].name + "." + field_name.text + "`";
    return error(expr.span);
  }
  if (scope.place == Place::kKey && scope.names->inputs.size() > 1) {
    diagnostics_.add(Code::kKeyForm, expr.span, {"`" + field_name.text + "` of no input"}).hint =
        "with several inputs a computed key names the input of its fields";
    return error(expr.span);
  }
  if (scope.place == Place::kMatch) {
    if (TypedPtr key = key_part(field_name, scope)) {
      const auto has_field = [&](uint16_t i) {
        const cep::SchemaPtr& schema = scope.names->inputs[i].schema;
        return schema && schema->column_index(field_name.text) >= 0;
      };
      if (!std::all_of(scope.bare.begin(), scope.bare.end(), has_field)) return key;
    }
    return field(field_name, scope.bare, scope, scope.names->is_when ? Code::kFieldNotInAll : Code::kFieldPath);
  }
  return field(field_name, scope.bare, scope, Code::kFieldNotInAll);
}

TypedPtr ExprChecker::key_part(const Name& name, const Scope& scope) {
  const std::vector<ScopeKey>& key = scope.names->key;
  for (size_t i = 0; i < key.size(); ++i) {
    if (key[i].name != name.text) continue;
    Typed made;
    made.op = cep::ExprOp::kKeyPart;
    made.span = name.span;
    made.type = key[i].type;
    made.name = name.text;
    made.offset = static_cast<int32_t>(i);
    return std::make_shared<Typed>(std::move(made));
  }
  return nullptr;
}

TypedPtr ExprChecker::field(const Name& name, const std::vector<uint16_t>& inputs, const Scope& scope, Code missing) {
  std::vector<const cep::Column*> found;
  std::vector<std::string> candidates;
  const cep::StreamSchema* first = nullptr;
  bool unknown_stream = false;
  bool missing_somewhere = false;
  for (const uint16_t input : inputs) {
    const cep::SchemaPtr& schema = scope.names->inputs[input].schema;
    if (!schema) {
      unknown_stream = true;
      continue;
    }
    if (!first) first = schema.get();
    if (scope.names->catalog->untyped.contains({schema->name, name.text})) return error(name.span);
    for (const cep::Column& column : schema->columns) {
      if (column.name != cep::kRawColumn) candidates.push_back(column.name);
    }
    const int index = schema->column_index(name.text);
    if (index < 0) {
      missing_somewhere = true;
    } else {
      found.push_back(&schema->columns[static_cast<size_t>(index)]);
    }
  }
  const bool may_be_key = scope.place == Place::kMatch && scope.names->key_unsure;
  if ((found.empty() || missing_somewhere) && may_be_key) return error(name.span);
  if (found.empty()) {
    if (unknown_stream || !first) return error(name.span);
    Diagnostic& it = diagnostics_.add(Code::kUnknownField, name.span, {name.text, first->name});
    it.hint = did_you_mean(name.text, candidates);
    if (it.hint.empty()) it.hint = fields_of(*first);
    const uint16_t variable = scope.names->find_variable(name.text);
    if (variable != cep::kNoVariable) it.hint = "`" + name.text + "` is a variable: write `" + name.text + ".field`";
    return error(name.span);
  }
  if (missing_somewhere) {
    diagnostics_.add(missing, name.span, {name.text}).hint = missing == Code::kFieldPath
                                                                 ? "name the variable: `v." + name.text + "`"
                                                                 : "name the input: `... as input where ...`";
    return error(name.span);
  }
  if (!same_in_all(name, found)) return error(name.span);
  Typed made;
  made.op = cep::ExprOp::kField;
  made.span = name.span;
  made.type = ExprType::of(found[0]->type);
  made.name = name.text;
  made.not_null = std::all_of(found.begin(), found.end(), [](const cep::Column* c) { return c->not_null; });
  return std::make_shared<Typed>(std::move(made));
}

bool ExprChecker::same_in_all(const Name& name, const std::vector<const cep::Column*>& found) {
  for (const cep::Column* column : found) {
    if (same_values(column->type, found[0]->type)) continue;
    diagnostics_
        .add(Code::kTypeClash, name.span, {cep::type_name(found[0]->type), cep::type_name(column->type), name.text})
        .hint = "the inputs have different types here";
    return false;
  }
  return true;
}

TypedPtr ExprChecker::qualified_name(const Expr& expr, const Scope& scope) {
  const Name& qualifier = *expr.qualifier;
  if (qualifier.text == "this") return this_field(expr, scope);
  if (scope.place == Place::kKey) return qualified_input(expr, scope);
  if (scope.place == Place::kAggregate && qualifier.text == scope.names->variables[scope.aggregate].name) {
    return field(expr.name, scope.names->variables[scope.aggregate].inputs, scope, Code::kFieldNotInAll);
  }
  return bound_field(expr, scope, 0, false);
}

TypedPtr ExprChecker::this_field(const Expr& expr, const Scope& scope) {
  if (scope.place != Place::kWindow || scope.under_test.empty()) {
    diagnostics_.add(Code::kThisPlace, expr.span).hint = "elsewhere a bare name is the event under test: write `" + expr.name.text + "`";
    return error(expr.span);
  }
  TypedPtr column = field(expr.name, scope.under_test, scope, Code::kFieldNotInAll);
  if (column->is_error()) return column;
  Typed made = *column;
  made.op = cep::ExprOp::kThisField;
  made.span = expr.span;
  return std::make_shared<Typed>(std::move(made));
}

TypedPtr ExprChecker::qualified_input(const Expr& expr, const Scope& scope) {
  const int input = scope.names->find_input(expr.qualifier->text);
  if (input < 0) {
    diagnostics_.add(Code::kUnknownInput, expr.qualifier->span, {expr.qualifier->text}).hint =
        did_you_mean(expr.qualifier->text, scope.names->input_names());
    return error(expr.span);
  }
  const uint16_t number = static_cast<uint16_t>(input);
  if (!std::count(scope.bare.begin(), scope.bare.end(), number)) {
    diagnostics_.add(Code::kKeyForm, expr.span, {"a mix of inputs"}).hint = "one key column an input";
    return error(expr.span);
  }
  return field(expr.name, {number}, scope, Code::kFieldNotInAll);
}

void ExprChecker::report_unknown_variable(const Name& name, const Scope& scope) {
  if (scope.names->variables_unsure) return;
  Diagnostic& it = diagnostics_.add(Code::kUnknownVariable, name.span, {name.text});
  if (scope.names->find_input(name.text) >= 0) {
    it.hint = "a field of the event under test is written without its input";
  } else {
    it.hint = did_you_mean(name.text, scope.names->variable_names());
  }
}

uint16_t ExprChecker::use_variable(const Name& name, const Scope& scope, bool null_if_unbound) {
  const uint16_t variable = scope.names->find_variable(name.text);
  if (variable == cep::kNoVariable || scope.names->is_when) {
    report_unknown_variable(name, scope);
    return cep::kNoVariable;
  }
  if (scope.place == Place::kAggregate) {
    diagnostics_.add(Code::kAggregateMix, name.span).hint = "compare two aggregates instead";
    return cep::kNoVariable;
  }
  if (!scope.names->variables[variable].bound) {
    diagnostics_.add(Code::kNotBound, name.span, {name.text});
    return cep::kNoVariable;
  }
  if (scope.at_head || scope.place == Place::kFilter || scope.place == Place::kKey) {
    diagnostics_.add(Code::kHeadNotNames, name.span, {name.text});
    return cep::kNoVariable;
  }
  if (!is_bound_at(scope, scope.may, variable)) {
    const bool is_own = variable == scope.own || is_in_subset(scope, scope.own, variable);
    if (is_own) return variable;  // null in every round there is: lint never-starts
    diagnostics_.add(Code::kForwardName, name.span, {name.text}).hint =
        "put the comparison into the condition of the later one";
    return cep::kNoVariable;
  }
  if (null_if_unbound && variable != scope.own && scope.place == Place::kDefine &&
      !is_bound_at(scope, scope.must, variable)) {
    diagnostics_.add(Code::kMaybeUnbound, name.span, {name.text}).hint =
        "say what then: `" + name.text + ".field is null or ...`";
  }
  return variable;
}

TypedPtr ExprChecker::bound_field(const Expr& expr, const Scope& scope, int32_t offset, bool from_first) {
  const uint16_t variable = use_variable(*expr.qualifier, scope, true);
  if (variable == cep::kNoVariable) return error(expr.span);
  TypedPtr column = field(expr.name, scope.names->variables[variable].inputs, scope, Code::kFieldNotInAll);
  if (column->is_error()) return column;
  Typed made = *column;
  made.op = cep::ExprOp::kBoundField;
  made.span = expr.span;
  made.variable = variable;
  made.offset = offset;
  made.flags = from_first ? cep::Expr::kFromFirst : uint8_t{0};
  made.not_null = false;
  return std::make_shared<Typed>(std::move(made));
}

}  // namespace patterns
