// The type rules of expressions (R53, R58): what goes with what, and what comes out.
// Invariant: kError is the type of what already has its diagnostic; it goes with everything, so one mistake is said
// once. Threads: pure functions.
#pragma once

#include <optional>
#include <string>

#include "cep/types.h"
#include "patterns/ast.h"

namespace patterns {

struct ExprType {
  enum class Kind : uint8_t { kError, kNull, kKnown };
  Kind kind = Kind::kError;
  cep::Type type;

  static ExprType error() { return {}; }
  static ExprType null() { return {Kind::kNull, {}}; }
  static ExprType of(cep::TypeKind kind) { return {Kind::kKnown, {kind, 0, 0}}; }
  static ExprType of(const cep::Type& type) { return {Kind::kKnown, type}; }

  bool is_error() const { return kind == Kind::kError; }
  bool is_null() const { return kind == Kind::kNull; }
  // Of that kind, or unknown (error, null): nothing to complain about.
  bool fits(cep::TypeKind wanted) const { return kind != Kind::kKnown || type.kind == wanted; }
  bool fits_number() const;
};

// "decimal(12,2)", "null".
std::string describe(const ExprType& type);
bool is_number(cep::TypeKind kind);
bool is_number(const cep::Type& type);
// Equal for keys, inputs and lists: the kind, and of decimals the scale.
bool same_values(const cep::Type& a, const cep::Type& b);
// Whether `a op b` of a comparison is allowed; bools and addresses have no order.
bool comparable(const ExprType& a, const ExprType& b, bool ordered);
// text, int, decimal, ip or bool: what can name a key (R58).
bool can_be_key(const ExprType& type);
// Type of a value that is either of the two (case, coalesce); empty: they do not go together.
std::optional<ExprType> common_type(const ExprType& a, const ExprType& b);
// Type of `a op b` for + - * / %; empty: not defined.
std::optional<ExprType> arithmetic_type(Op op, const ExprType& a, const ExprType& b);
// How the operator is written.
std::string_view symbol(Op op);

}  // namespace patterns
