// Typed expressions as data: a pool of nodes that an interpreter evaluates by row, and predicate_set evaluates by column.
// Types, names and nulls were settled by the compiler: evaluation cannot fail, what has no value is null (R53: and counted).
// A pool is immutable after compilation and shared by all threads; an EvalContext belongs to one evaluation.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "cep/dataset.h"
#include "cep/row.h"
#include "cep/value.h"

namespace re2 {
class RE2;
}

namespace cep {

enum class ExprOp : uint8_t {
  kConstant,         // a: constant
  kField,            // a: column of the event under test
  kFieldByStream,    // a: field map (measures of a rule whose last event may come from several streams)
  kThisField,        // a: column of the event under test, inside a window that scans: kField is the window's event there
  kThisFieldByStream,   // the same with a: field map
  kBoundField,       // a: variable, b: column, c: offset, flag kFromFirst: v.f, last(v.f, c), first(v.f, c)
  kBoundFieldByStream,  // the same with b: field map (a variable asked of every input)
  kBoundAggregate,   // a: bound aggregate of the program
  kWindow,           // a: window of the program
  kKeyPart,          // a: part of the rule's key (message, measures)
  kNot, kAnd, kOr,   // a, b; three-valued
  kIsNull,           // a; flag kNegated
  kEqual, kNotEqual, kLess, kLessEqual, kGreater, kGreaterEqual,   // a, b; exact across numbers (R53)
  kIn,               // a: value, args: constants' expressions; flag kNegated
  kInList,           // args: element, a: dataset of the program; flag kNegated
  kLookUp,           // args: key, a: dataset of the program, b: column of the table, c: its name in the program
  kMatches,          // a, b: regex; flag kNegated; RE2, unanchored (R57)
  kLike,             // a, b: pattern expression; flag kNegated
  kAdd, kSubtract, kMultiply, kDivide, kModulo, kNegate,   // a, b; result kind in `type`
  kConcat,           // a || b
  kCase,             // args: condition, result, ..., [else]
  kCast,             // a; to `type`
  kFunction,         // a: FunctionId, args
};

struct Expr {
  static constexpr uint8_t kNegated = 1;
  static constexpr uint8_t kFromFirst = 2;

  ExprOp op = ExprOp::kConstant;
  uint8_t flags = 0;
  Type type;                     // of the result
  int32_t a = -1, b = -1, c = 0;
  uint32_t args_first = 0, args_count = 0;   // into ExprPool::args
};
using ExprId = int32_t;          // index into ExprPool::nodes; -1: none
inline constexpr ExprId kNoExpr = -1;

// Column of a field by stream: {stream, column}. A stream that is not listed has no such field.
struct FieldMap {
  struct Entry {
    StreamId stream;
    uint16_t column;
  };
  std::vector<Entry> entries;
};

struct ExprPool {
  ExprPool();
  ~ExprPool();
  ExprPool(ExprPool&&) noexcept;
  ExprPool& operator=(ExprPool&&) noexcept;

  std::vector<Expr> nodes;
  std::vector<ExprId> args;
  std::vector<OwnedValue> constants;
  std::vector<FieldMap> field_maps;
  std::vector<std::unique_ptr<re2::RE2>> regexes;

  ExprId add(Expr expr) {
    nodes.push_back(expr);
    return static_cast<ExprId>(nodes.size() - 1);
  }
  ExprId add_constant(const Value& value, Type type);
  // Compiles a constant pattern (max_mem 1 MB, at most 1 KB of text); the index for kMatches, or the regex engine's complaint.
  Result<int32_t> add_regex(const std::string& pattern);
};

// What the interpreter counts, by the owner of the context (R53, R58).
struct EvalCounters {
  uint64_t arithmetic_null = 0;   // division by zero, overflow
  uint64_t cast_null = 0;
};

class BoundEvents;     // cep/bound_events.h: events already in the run
class WindowReader;    // cep/window_reader.h: values of the rule's windows for the key and event under test

struct EvalContext {
  RowRef event;                          // under test; of the window in a window's filter or argument; last bound in measures
  RowRef this_event;                     // under test, where `event` is one of a window
  const BoundEvents* bound = nullptr;
  WindowReader* windows = nullptr;
  std::span<const Value> key;            // the rule's key columns
  std::span<const DatasetPtr> datasets;  // by the program's dataset number
  TextArena* texts = nullptr;            // owner of texts made here; required
  EvalCounters* counters = nullptr;      // required
};

// The value of one expression. Texts live as long as the context's batch, block and arena.
Value evaluate(const ExprPool& pool, ExprId expr, EvalContext& context);

// True only if the condition is true (not unknown).
inline bool holds(const ExprPool& pool, ExprId condition, EvalContext& context) {
  return evaluate(pool, condition, context).is_true();
}

}  // namespace cep
