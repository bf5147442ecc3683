// Checks one expression against a scope: names, types, places. Every mistake is reported once, under its own word; the
// part that holds it becomes an error type that goes with everything. Threads: one owner; lives for one compilation.
#pragma once

#include <string_view>

#include "patterns/diagnostic.h"
#include "patterns/scope.h"

namespace patterns {

class ExprChecker {
 public:
  ExprChecker(const SourceMap& sources, Diagnostics& diagnostics) : sources_(sources), diagnostics_(diagnostics) {}

  // Never null.
  TypedPtr check(const Expr& expr, const Scope& scope);
  // The same, and it must be a condition.
  TypedPtr check_condition(const Expr& expr, const Scope& scope);
  // The key column of that name; null: there is none.
  static TypedPtr key_part(const Name& name, const Scope& scope);

 private:
  using Operands = std::vector<TypedPtr>;

  TypedPtr name(const Expr& expr, const Scope& scope);
  TypedPtr bare_name(const Expr& expr, const Scope& scope);
  TypedPtr qualified_name(const Expr& expr, const Scope& scope);
  TypedPtr qualified_input(const Expr& expr, const Scope& scope);
  TypedPtr bound_field(const Expr& expr, const Scope& scope, int32_t offset, bool from_first);
  // The variable of a qualified name or of count(v), if it may be used here.
  uint16_t use_variable(const Name& name, const Scope& scope, bool null_if_unbound);
  void report_unknown_variable(const Name& name, const Scope& scope);
  TypedPtr field(const Name& name, const std::vector<uint16_t>& inputs, const Scope& scope, Code missing);
  TypedPtr this_field(const Expr& expr, const Scope& scope);
  bool same_in_all(const Name& name, const std::vector<const cep::Column*>& found);

  TypedPtr unary(const Expr& expr, const Scope& scope);
  TypedPtr binary(const Expr& expr, const Scope& scope);
  TypedPtr logic(const Expr& expr, const Scope& scope);
  TypedPtr between(const Expr& expr, const Scope& scope);
  TypedPtr in_values(const Expr& expr, const Scope& scope);
  TypedPtr in_list(const Expr& expr, const Scope& scope);
  TypedPtr look_up(const Expr& expr, const Scope& scope);
  // The list or table of that name; null: reported.
  const DatasetDeclaration* dataset(const Name& name, bool is_table, const Scope& scope);
  bool fits_key(const Operands& values, const DatasetDeclaration& dataset, const Span& at, std::string_view symbol);
  TypedPtr text_match(const Expr& expr, const Scope& scope);
  TypedPtr case_when(const Expr& expr, const Scope& scope);
  TypedPtr cast(const Expr& expr, const Scope& scope);
  TypedPtr timestamp(const Expr& expr);
  TypedPtr compare(cep::ExprOp op, std::string_view symbol, const Span& at, const Span& span, TypedPtr a, TypedPtr b);

  TypedPtr call(const Expr& expr, const Scope& scope);
  TypedPtr function(const Expr& expr, const Scope& scope);
  bool function_arguments(const Expr& expr, const cep::FunctionInfo& info, const Operands& args);
  bool function_argument(const Expr& expr, const cep::FunctionInfo& info, char letter, const Typed& arg);
  TypedPtr bound_aggregate(const Expr& expr, const Scope& scope, cep::AggregateKind kind);
  TypedPtr count_variable(const Expr& expr, const Scope& scope, cep::AggregateKind kind);
  TypedPtr first_or_last(const Expr& expr, const Scope& scope, cep::AggregateKind kind);
  uint16_t aggregated_variable(const Expr& expr, const Scope& scope);
  TypedPtr aggregate_of(const Expr& expr, const Scope& scope, cep::AggregateKind kind, uint16_t variable);
  TypedPtr window(const Expr& expr, const Scope& scope, cep::AggregateKind kind);
  TypedPtr prev(const Expr& expr, const Scope& scope);
  std::optional<int64_t> prev_offset(const Expr& expr);
  bool lifetime_is_there(const Expr& expr, const Typed& window);
  // The keys of `partition by`: those of the rule become conditions of the filter, others name another key.
  bool window_keys(const Expr& expr, const Scope& scope, Typed& window);
  bool window_is_there(const Expr& expr, const Scope& scope, cep::AggregateKind kind);
  std::optional<uint16_t> window_input(const Expr& expr, const Scope& scope);
  // Type of `kind(argument)`; error if the argument's does not go.
  ExprType aggregate_type(const Expr& expr, cep::AggregateKind kind, const Typed* argument);

  TypedPtr error(const Span& span);
  TypedPtr constant(const Span& span, const cep::Value& value, ExprType type);
  TypedPtr node(cep::ExprOp op, const Span& span, ExprType type, Operands args, uint8_t flags = 0);
  TypedPtr clash(const Span& span, std::string_view symbol, const Typed& a, const Typed& b);
  bool require(const Typed& expr, cep::TypeKind kind, std::string_view symbol, const Span& at);

  const SourceMap& sources_;
  Diagnostics& diagnostics_;
};

}  // namespace patterns
