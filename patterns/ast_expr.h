// The tree of expressions, as written: names, values, operators, calls, windows.
// Invariant: every node has the span of its text; only the members its kind names are in use.
// Threads: plain values. See ast.h for the rule on errors.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "cep/types.h"
#include "patterns/source_map.h"

namespace patterns {

struct Name {
  std::string text;   // without quotes
  Span span;
};

enum class Unit : uint8_t { kMillisecond, kSecond, kMinute, kHour, kDay, kWeek };

// `10 minutes` and `interval '10' minute` are the same node.
struct Duration {
  std::string amount;   // digits as written: "10", "0.5"
  Unit unit = Unit::kSecond;
  cep::DurationUs us = 0;
  Span span;
};

struct TypeRef {
  cep::Type type;
  Span span;
  bool known = true;   // false: its name is wrong and was reported; fits everything
};

enum class ExprKind : uint8_t {
  kError,      // could not be read; has its diagnostic
  kNull,
  kBool,       // flag
  kNumber,     // text = digits as written; number
  kText,       // text
  kDuration,   // duration
  kTimestamp,  // text = the string, to be read by the checker; or flag = true: epoch ms in number.int_value
  kName,       // [qualifier .] name
  kCall,       // name(args): distinct, star, filter, over
  kCase,       // [operand] arms [otherwise]
  kCast,       // args[0], type
  kTuple,      // args, at least two; only as args[0] of kInList
  kUnary,      // op, args[0]
  kBinary,     // op, args[0], args[1]
  kIn,         // args[0] in (args[1..])
  kInList,     // args[0] in @name
  kBetween,    // args[0] between args[1] and args[2]
  kLike,       // args[0] like args[1]
  kMatches,    // args[0] matches 'text'
  kIsNull,     // args[0] is null
  kLookup,     // @qualifier[args].name
};

enum class Op : uint8_t {
  kOr, kAnd, kNot, kEq, kNe, kLt, kLe, kGt, kGe, kConcat, kAdd, kSub, kMul, kDiv, kMod, kNegate, kPlus,
};

enum class NumberKind : uint8_t { kInt, kDecimal, kFloat };   // 5, 5.00, 5e0

struct Number {
  NumberKind kind = NumberKind::kInt;
  int64_t int_value = 0;    // kInt: the value; kDecimal: the value without its point (5.00 -> 500)
  uint8_t precision = 0;    // kDecimal: decimal(3,2) for 5.00; at most 18
  uint8_t scale = 0;
  double float_value = 0;   // kFloat
};

struct Expr;
struct Over;
using ExprPtr = std::unique_ptr<Expr>;

struct CaseArm {
  ExprPtr when;
  ExprPtr then;
};

struct Expr {
  ExprKind kind = ExprKind::kError;
  Span span;
  Op op = Op::kOr;
  Span op_span;              // of the operator's own text, for "cannot compare text with int"
  bool flag = false;
  bool negated = false;      // not in, not between, not like, not matches, is not null
  bool distinct = false;     // kCall
  bool star = false;         // kCall: count(*)
  std::string text;
  Number number;
  Duration duration;
  TypeRef type;
  std::optional<Name> qualifier;
  Name name;
  std::vector<ExprPtr> args;
  ExprPtr operand;
  std::vector<CaseArm> arms;
  ExprPtr otherwise;
  ExprPtr filter;
  std::unique_ptr<Over> over;
};

struct WindowKey {
  Name field;       // of the window's stream
  ExprPtr value;    // of the event under test; null: the same field
};

enum class OverKind : uint8_t { kLast, kRows, kAll };

// over ([on input] [partition by keys] last 1 hour | last 5 rows | all [exclude current])
struct Over {
  Span span;
  std::optional<Name> input;
  std::vector<WindowKey> partition;
  OverKind kind = OverKind::kAll;
  Duration last;            // kLast
  int64_t rows = 0;         // kRows
  bool exclude_current = false;
};

// Calls visit(Expr&) for every direct part of `expr`, in the order of the text; absent parts are left out.
template <class E, class Visit>
void for_each_part(E& expr, Visit&& visit) {
  if (expr.operand) visit(*expr.operand);
  for (auto& argument : expr.args) {
    if (argument) visit(*argument);
  }
  for (auto& arm : expr.arms) {
    if (arm.when) visit(*arm.when);
    if (arm.then) visit(*arm.then);
  }
  if (expr.otherwise) visit(*expr.otherwise);
  if (expr.filter) visit(*expr.filter);
  if (!expr.over) return;
  for (auto& key : expr.over->partition) {
    if (key.value) visit(*key.value);
  }
}

}  // namespace patterns
