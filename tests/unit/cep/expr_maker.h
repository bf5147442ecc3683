// Short words to build expressions, a schema with a column of each type, and batches of it.
#pragma once

#include <initializer_list>

#include "cep/batch.h"
#include "cep/expr.h"
#include "cep/functions.h"

namespace cep {

inline constexpr Type kBoolType{TypeKind::kBool, 0, 0};
inline constexpr Type kIntType{TypeKind::kInt, 0, 0};
inline constexpr Type kFloatType{TypeKind::kFloat, 0, 0};
inline constexpr Type kMoneyType{TypeKind::kDecimal, 12, 2};
inline constexpr Type kTextType{TypeKind::kText, 0, 0};
inline constexpr Type kTimeType{TypeKind::kTimestamp, 0, 0};
inline constexpr Type kDurationType{TypeKind::kDuration, 0, 0};
inline constexpr Type kIpType{TypeKind::kIp, 0, 0};

// Columns 0..7: at (event time), flag, count, ratio, amount, name, lasted, address.
inline SchemaPtr every_type_schema() {
  auto schema = std::make_shared<StreamSchema>();
  schema->name = "events";
  schema->id = StreamId{3};
  schema->columns = {{"at", kTimeType, true, ""},          {"flag", kBoolType, false, ""},
                     {"count", kIntType, false, ""},       {"ratio", kFloatType, false, ""},
                     {"amount", kMoneyType, false, ""},    {"name", kTextType, false, ""},
                     {"lasted", kDurationType, false, ""}, {"address", kIpType, false, ""}};
  return schema;
}

struct ExprMaker {
  ExprPool pool;
  TextArena texts;
  EvalCounters counters;
  EvalContext context;

  ExprMaker() {
    context.texts = &texts;
    context.counters = &counters;
  }
  ExprMaker(const ExprMaker&) = delete;

  ExprId constant(const Value& v, Type type = kIntType) { return pool.add_constant(v, type); }
  ExprId number(int64_t n) { return constant(Value::integer(n)); }
  ExprId truth(bool b) { return constant(Value::boolean(b), kBoolType); }
  ExprId null() { return constant(Value::null(), kBoolType); }
  ExprId text(std::string_view s) { return constant(Value::string(s), kTextType); }
  ExprId money(int64_t cents) { return constant(Value::decimal(cents, 2), kMoneyType); }
  ExprId real(double d) { return constant(Value::floating(d), kFloatType); }
  ExprId field(uint16_t column, Type type) { return node(ExprOp::kField, type, column, -1); }
  ExprId node(ExprOp op, Type type, int32_t a, int32_t b, uint8_t flags = 0) {
    Expr e;
    e.op = op;
    e.type = type;
    e.a = a;
    e.b = b;
    e.flags = flags;
    return pool.add(e);
  }
  ExprId logic(ExprOp op, int32_t a, int32_t b = -1, uint8_t flags = 0) { return node(op, kBoolType, a, b, flags); }
  ExprId with_args(ExprOp op, Type type, int32_t a, std::initializer_list<ExprId> args, uint8_t flags = 0) {
    const ExprId id = node(op, type, a, -1, flags);
    pool.nodes[static_cast<size_t>(id)].args_first = static_cast<uint32_t>(pool.args.size());
    pool.nodes[static_cast<size_t>(id)].args_count = static_cast<uint32_t>(args.size());
    pool.args.insert(pool.args.end(), args);
    return id;
  }
  ExprId call(FunctionId f, Type type, std::initializer_list<ExprId> args) {
    return with_args(ExprOp::kFunction, type, static_cast<int32_t>(f), args);
  }
  Value eval(ExprId id) { return evaluate(pool, id, context); }
  std::string show(ExprId id) { return to_display(eval(id)); }
};

}  // namespace cep
