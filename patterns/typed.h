// Checked expressions: names resolved, types known, every construct in one of the engine's operations. What the checker
// makes and the compiler turns into cep::Expr, once for each input whose event may be under test. Invariant: fields are
// names here, since a column has another number in another input. A tree may share nodes (`between` asks its operand
// twice); `weight` counts a node as often as it will be written. Threads: immutable once built.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "cep/functions.h"
#include "cep/program.h"
#include "patterns/types.h"

namespace patterns {

struct Typed;
using TypedPtr = std::shared_ptr<const Typed>;

// kPrev: prev(args[0], offset), `offset` rows before the event under test and less than `span_us` ago.
enum class TypedExtent : uint8_t { kLast, kRows, kAll, kPrev };

// A window by another key than the rule's: `field` of its events = `value` of the event under test (R49).
struct TypedWindowKey {
  std::string field;
  cep::Type type;
  TypedPtr value;
};

// agg(args[0]) filter (..) over (on input [partition by other_key] last span | last rows | all [exclude current])
struct TypedWindow {
  uint16_t input = 0;
  TypedExtent extent = TypedExtent::kLast;
  cep::DurationUs span_us = 0;
  uint32_t rows = 0;
  bool exclude_current = false;
  TypedPtr filter;
  std::vector<TypedWindowKey> other_key;
};

struct Typed {
  // kField, kThisField: name. kBoundField: variable, name, offset, flag kFromFirst. kBoundAggregate: aggregate, variable, args[0]
  // if any and window.filter if any, in which the variable's fields are plain fields (first, last: offset). kWindow: aggregate,
  // args[0] if any, window. kKeyPart: offset. kInList: name, args. kLookUp: name, args, column and its number as offset. kMatches:
  // args[0], name = the pattern. kFunction: function, args. kConstant: constant.
  cep::ExprOp op = cep::ExprOp::kConstant;
  uint8_t flags = 0;
  ExprType type;
  Span span;
  std::vector<TypedPtr> args;
  std::string name;
  std::string column;     // kLookUp
  uint16_t variable = 0;
  int32_t offset = 0;
  cep::OwnedValue constant;
  cep::FunctionId function{};
  cep::AggregateKind aggregate{};
  TypedWindow window;
  bool not_null = false;  // kField: the column is
  uint32_t weight = 1;

  bool is_error() const { return type.is_error(); }
  bool is_constant() const { return op == cep::ExprOp::kConstant; }
};

// Neither bound events nor windows nor key parts: a question to the event alone.
bool is_event_only(const Typed& expr);
// The conjuncts of a condition, in order: a and (b and c) -> a, b, c.
void split_conjuncts(const TypedPtr& condition, std::vector<TypedPtr>& conjuncts);
// Calls `visit` on the node and all below it, window arguments and filters included.
template <class Visit>
void walk(const Typed& expr, const Visit& visit) {
  visit(expr);
  for (const TypedPtr& arg : expr.args) walk(*arg, visit);
  if (expr.window.filter) walk(*expr.window.filter, visit);
  for (const TypedWindowKey& key : expr.window.other_key) walk(*key.value, visit);
}

}  // namespace patterns
