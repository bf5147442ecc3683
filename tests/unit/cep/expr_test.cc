// Expressions by row: three-valued logic, exact numbers, conditions over bound events (R41-R53).
#include "cep/expr.h"

#include <gtest/gtest.h>

#include "cep/aggregate.h"
#include "cep/arithmetic.h"
#include "cep/bound_events.h"
#include "cep/window_reader.h"
#include "tests/unit/cep/expr_maker.h"

namespace cep {
namespace {

// R52
TEST(Logic, IsThreeValued) {
  ExprMaker m;
  const ExprId values[] = {m.truth(false), m.null(), m.truth(true)};
  const char* shown[] = {"false", "-", "true"};
  for (int a = 0; a < 3; ++a) {
    for (int b = 0; b < 3; ++b) {
      EXPECT_EQ(m.show(m.logic(ExprOp::kAnd, values[a], values[b])), shown[std::min(a, b)]) << a << b;
      EXPECT_EQ(m.show(m.logic(ExprOp::kOr, values[a], values[b])), shown[std::max(a, b)]) << a << b;
    }
    EXPECT_EQ(m.show(m.logic(ExprOp::kNot, values[a])), shown[2 - a]);
  }
  EXPECT_FALSE(holds(m.pool, m.null(), m.context));
}

TEST(Logic, ComparisonsAndNullTests) {
  ExprMaker m;
  EXPECT_EQ(m.show(m.logic(ExprOp::kEqual, m.null(), m.null())), "-");
  EXPECT_EQ(m.show(m.logic(ExprOp::kLess, m.number(1), m.null())), "-");
  EXPECT_EQ(m.show(m.logic(ExprOp::kGreaterEqual, m.money(500), m.number(5))), "true");
  EXPECT_EQ(m.show(m.logic(ExprOp::kNotEqual, m.real(0.5), m.money(50))), "false");
  EXPECT_EQ(m.show(m.logic(ExprOp::kIsNull, m.null())), "true");
  EXPECT_EQ(m.show(m.logic(ExprOp::kIsNull, m.number(0), -1, Expr::kNegated)), "true");
}

TEST(Logic, In) {
  ExprMaker m;
  const auto in = [&](ExprId x, std::initializer_list<ExprId> args, uint8_t flags = 0) {
    return m.show(m.with_args(ExprOp::kIn, kBoolType, x, args, flags));
  };
  EXPECT_EQ(in(m.number(1), {m.number(2), m.money(100)}), "true");
  EXPECT_EQ(in(m.number(3), {m.number(1), m.number(2)}), "false");
  EXPECT_EQ(in(m.number(3), {m.number(1), m.null()}), "-");
  EXPECT_EQ(in(m.number(3), {m.number(1), m.null()}, Expr::kNegated), "-");  // `not in (1, null)` is never true
  EXPECT_EQ(in(m.number(1), {m.number(1), m.null()}, Expr::kNegated), "false");
  EXPECT_EQ(in(m.null(), {m.number(1)}), "-");
}

TEST(Logic, InList) {
  ExprMaker m;
  auto pairs = std::make_shared<Dataset>("pairs", std::vector<Type>{kTextType, kIntType});
  ASSERT_TRUE(pairs->put(std::vector<std::string>{"a", "1"}, {}).ok());
  const DatasetPtr lists[] = {pairs, nullptr};
  m.context.datasets = lists;
  const auto in = [&](int list, ExprId x, ExprId y, uint8_t flags = 0) {
    return m.show(m.with_args(ExprOp::kInList, kBoolType, list, {x, y}, flags));
  };
  EXPECT_EQ(in(0, m.text("a"), m.number(1)), "true");
  EXPECT_EQ(in(0, m.text("a"), m.number(2)), "false");
  EXPECT_EQ(in(0, m.text("a"), m.number(2), Expr::kNegated), "true");
  EXPECT_EQ(in(0, m.text("a"), m.null(), Expr::kNegated), "-");
  EXPECT_EQ(in(1, m.text("a"), m.number(1)), "false");
}

// R57
TEST(Text, MatchesAnywhereLikeMatchesWhole) {
  ExprMaker m;
  const Result<int32_t> regex = m.pool.add_regex("b+c");
  ASSERT_TRUE(regex.ok());
  const auto matches = [&](ExprId x, uint8_t flags = 0) { return m.show(m.logic(ExprOp::kMatches, x, *regex, flags)); };
  EXPECT_EQ(matches(m.text("abbcd")), "true");
  EXPECT_EQ(matches(m.text("acb")), "false");
  EXPECT_EQ(matches(m.text("acb"), Expr::kNegated), "true");
  EXPECT_EQ(matches(m.null(), Expr::kNegated), "-");
  const auto like = [&](ExprId x, ExprId y) { return m.show(m.logic(ExprOp::kLike, x, y)); };
  EXPECT_EQ(like(m.text("abc"), m.text("a%")), "true");
  EXPECT_EQ(like(m.text("abc"), m.text("b%")), "false");
  EXPECT_EQ(like(m.text("abc"), m.null()), "-");
}

TEST(Text, BadRegexesAreRefused) {
  ExprPool pool;
  EXPECT_EQ(pool.add_regex("(").error().code, "bad_regex");
  EXPECT_FALSE(pool.add_regex("((a{100}){100}){100}").ok());
  EXPECT_FALSE(pool.add_regex(std::string(1025, 'a')).ok());
  EXPECT_TRUE(pool.regexes.empty());
}

TEST(Text, Concatenation) {
  ExprMaker m;
  EXPECT_EQ(m.show(m.node(ExprOp::kConcat, kTextType, m.text("a"), m.text("b"))), "ab");
  EXPECT_EQ(m.show(m.node(ExprOp::kConcat, kTextType, m.text("a"), m.null())), "-");
}

// R53
TEST(Arithmetic, ExactNumbers) {
  ExprMaker m;
  const Type tenths{TypeKind::kDecimal, 12, 1};
  const Type thousandths{TypeKind::kDecimal, 18, 3};
  const auto op = [&](ExprOp o, Type t, ExprId a, ExprId b) { return m.show(m.node(o, t, a, b)); };
  EXPECT_EQ(op(ExprOp::kAdd, kMoneyType, m.money(10), m.constant(Value::decimal(2, 1), tenths)), "0.30");
  EXPECT_EQ(op(ExprOp::kSubtract, kMoneyType, m.number(1), m.money(1)), "0.99");
  EXPECT_EQ(op(ExprOp::kMultiply, thousandths, m.constant(Value::decimal(1, 1), tenths), m.money(-105)), "-0.105");
  EXPECT_EQ(op(ExprOp::kDivide, kFloatType, m.number(1), m.number(2)), "0.5");
  EXPECT_EQ(op(ExprOp::kDivide, kFloatType, m.money(30), m.money(10)), "3");
  EXPECT_EQ(op(ExprOp::kModulo, kIntType, m.number(-7), m.number(3)), "-1");
  EXPECT_EQ(op(ExprOp::kModulo, kMoneyType, m.money(725), m.number(2)), "1.25");
  EXPECT_EQ(op(ExprOp::kAdd, kFloatType, m.money(50), m.real(0.25)), "0.75");
  EXPECT_EQ(m.show(m.node(ExprOp::kNegate, kMoneyType, m.money(5), -1)), "-0.05");
  EXPECT_EQ(op(ExprOp::kAdd, kIntType, m.number(1), m.null()), "-");
  EXPECT_EQ(m.counters.arithmetic_null, 0u);
}

TEST(Arithmetic, WhatFailsIsNullAndCounted) {
  ExprMaker m;
  const Type widest{TypeKind::kDecimal, 38, 0};
  const ExprId most = m.number(INT64_MAX);
  const ExprId huge = m.constant(Value::decimal((Int128{1} << 126), 0), widest);
  const std::pair<ExprOp, std::pair<Type, std::pair<ExprId, ExprId>>> cases[] = {
      {ExprOp::kAdd, {kIntType, {most, m.number(1)}}},
      {ExprOp::kMultiply, {kIntType, {most, most}}},
      {ExprOp::kModulo, {kIntType, {most, m.number(0)}}},
      {ExprOp::kDivide, {kFloatType, {m.number(1), m.number(0)}}},
      {ExprOp::kDivide, {kFloatType, {m.real(0), m.real(0)}}},
      {ExprOp::kMultiply, {kFloatType, {m.real(1e300), m.real(1e300)}}},
      {ExprOp::kAdd, {widest, {huge, huge}}},
      {ExprOp::kMultiply, {widest, {huge, m.number(10)}}},
  };
  uint64_t expected = 0;
  for (const auto& [op, rest] : cases) {
    EXPECT_EQ(m.show(m.node(op, rest.first, rest.second.first, rest.second.second)), "-");
    EXPECT_EQ(m.counters.arithmetic_null, ++expected);
  }
  EXPECT_EQ(m.show(m.node(ExprOp::kNegate, kIntType, m.number(INT64_MIN), -1)), "-");
  EXPECT_EQ(m.show(m.node(ExprOp::kMultiply, {TypeKind::kDecimal, 38, 0}, most, most)),
            "85070591730234615847396907784232501249");  // 128 bits hold it
}

TEST(Arithmetic, TimesAndDurations) {
  ExprMaker m;
  const ExprId noon = m.constant(Value::timestamp(12 * kHour), kTimeType);
  const ExprId hour = m.constant(Value::duration(kHour), kDurationType);
  const auto op = [&](ExprOp o, Type t, ExprId a, ExprId b) { return m.show(m.node(o, t, a, b)); };
  EXPECT_EQ(op(ExprOp::kAdd, kTimeType, noon, hour), "1970-01-01T13:00:00.000Z");
  EXPECT_EQ(op(ExprOp::kSubtract, kDurationType, noon, noon), "PT0S");
  EXPECT_EQ(op(ExprOp::kMultiply, kDurationType, hour, m.money(150)), "PT1H30M");
  EXPECT_EQ(op(ExprOp::kMultiply, kDurationType, m.real(0.5), hour), "PT30M");
  EXPECT_EQ(op(ExprOp::kDivide, kDurationType, hour, m.number(-4)), "-PT15M");
  EXPECT_EQ(op(ExprOp::kDivide, kDurationType, hour, m.money(50)), "PT2H");
  EXPECT_EQ(op(ExprOp::kDivide, kFloatType, hour, m.constant(Value::duration(kMinute), kDurationType)), "60");
  EXPECT_EQ(op(ExprOp::kDivide, kDurationType, hour, m.number(0)), "-");
}

TEST(Case, FirstTrueConditionAndCommonType) {
  ExprMaker m;
  const auto choose = [&](std::initializer_list<ExprId> args) {
    return m.show(m.with_args(ExprOp::kCase, kMoneyType, -1, args));
  };
  EXPECT_EQ(choose({m.null(), m.number(1), m.truth(true), m.number(2), m.number(3)}), "2.00");
  EXPECT_EQ(choose({m.truth(false), m.number(1), m.money(3)}), "0.03");
  EXPECT_EQ(choose({m.truth(false), m.number(1)}), "-");
}

// R58
TEST(Cast, BetweenTypes) {
  ExprMaker m;
  const auto cast_to = [&](Type t, ExprId x) { return m.show(m.node(ExprOp::kCast, t, x, -1)); };
  EXPECT_EQ(cast_to(kIntType, m.text("12")), "12");
  EXPECT_EQ(cast_to(kIntType, m.money(-250)), "-3");
  EXPECT_EQ(cast_to(kIntType, m.real(2.5)), "3");
  EXPECT_EQ(cast_to(kMoneyType, m.real(1.005)), "1.01");  // by the digits a person sees
  EXPECT_EQ(cast_to(kMoneyType, m.real(1e3)), "1000.00");
  EXPECT_EQ(cast_to(kMoneyType, m.number(7)), "7.00");
  EXPECT_EQ(cast_to(kFloatType, m.money(10)), "0.1");
  EXPECT_EQ(cast_to(kTextType, m.money(10)), "0.10");
  EXPECT_EQ(cast_to(kBoolType, m.text("true")), "true");
  EXPECT_EQ(cast_to(kTimeType, m.text("1970-01-01T01:00:00+01:00")), "1970-01-01T00:00:00.000Z");
  EXPECT_EQ(cast_to(kTimeType, m.number(1)), "1970-01-01T00:00:00.001Z");
  EXPECT_EQ(cast_to(kIntType, m.constant(Value::timestamp(-1), kTimeType)), "-1");
  EXPECT_EQ(cast_to(kIpType, m.text("10.0.0.1")), "10.0.0.1");
  EXPECT_EQ(cast_to(kIntType, m.null()), "-");
  EXPECT_EQ(m.counters.cast_null, 0u);
  EXPECT_EQ(cast_to(kIntType, m.text("twelve")), "-");
  EXPECT_EQ(cast_to(kIntType, m.real(1e19)), "-");
  EXPECT_EQ(cast_to({TypeKind::kDecimal, 3, 2}, m.number(10)), "-");
  EXPECT_EQ(m.counters.cast_null, 3u);
  EXPECT_TRUE(can_cast(TypeKind::kText, TypeKind::kIp));
  EXPECT_FALSE(can_cast(TypeKind::kBool, TypeKind::kInt));
}

// Events bound by a run, oldest first, of one variable each.
class FakeBound : public BoundEvents {
 public:
  std::vector<BoundEvent> events;
  Program made;

  RowRef find(uint16_t variable, bool from_first, uint32_t offset) const override {
    std::vector<RowRef> of_variable;
    for (const BoundEvent& e : events) {
      if (e.variable == variable) of_variable.push_back(e.row);
    }
    if (offset >= of_variable.size()) return {};
    return from_first ? of_variable[offset] : of_variable[of_variable.size() - 1 - offset];
  }
  void for_each(uint16_t variable, const std::function<void(const RowRef&)>& visit) const override {
    for (auto e = events.rbegin(); e != events.rend(); ++e) {
      if (variable == kAllVariables || e->variable == variable) visit(e->row);
    }
  }
  const Program& program() const override { return made; }
};

class FakeWindows : public WindowReader {
 public:
  Value value(uint16_t window, const EvalContext& /*asked*/) override { return Value::integer(100 + window); }
  TimeUs partial_since(uint16_t, TimeUs) const override { return kTimeMin; }
};

BatchPtr bound_batch() {
  BatchBuilder builder(every_type_schema(), 0, 0);
  for (int i = 0; i < 4; ++i) {
    builder.begin_row();
    builder.set_fixed(0, i);
    builder.set_real(3, 0.1);
    if (i != 2) builder.set_fixed(4, 100 * (i + 1));  // 1.00, 2.00, null, 4.00
    builder.set_text(5, i % 2 == 0 ? "even" : "odd");
    builder.commit_row(static_cast<uint64_t>(i));
  }
  return builder.finish();
}

struct BoundFixture : ExprMaker {
  BatchPtr batch = bound_batch();
  FakeBound bound;

  BoundFixture() {
    for (uint32_t i = 0; i < 4; ++i) bound.events.push_back({static_cast<uint16_t>(i == 3), row_of(*batch, i)});
    context.bound = &bound;
    context.event = row_of(*batch, 3);
  }
  std::string aggregate(AggregateKind kind, uint16_t variable, ExprId argument, Type type) {
    bound.made.aggregates.push_back({kind, variable, argument});
    return show(node(ExprOp::kBoundAggregate, type, static_cast<int32_t>(bound.made.aggregates.size() - 1), -1));
  }
};

// R44
TEST(Bound, FieldsByOffset) {
  BoundFixture m;
  const auto bound = [&](int variable, int column, int offset, uint8_t flags = 0) {
    const ExprId id = m.node(ExprOp::kBoundField, kTimeType, variable, column, flags);
    m.pool.nodes[static_cast<size_t>(id)].c = offset;
    return m.show(id);
  };
  EXPECT_EQ(bound(0, 4, 0), "-");  // the last one's amount is null
  EXPECT_EQ(bound(0, 4, 1), "2.00");
  EXPECT_EQ(bound(0, 4, 0, Expr::kFromFirst), "1.00");
  EXPECT_EQ(bound(0, 4, 3), "-");  // beyond
  EXPECT_EQ(bound(1, 4, 0), "4.00");
  m.pool.field_maps.push_back({{{StreamId{1}, 0}, {StreamId{3}, 4}}});
  m.pool.field_maps.push_back({{{StreamId{1}, 0}}});
  EXPECT_EQ(m.show(m.node(ExprOp::kBoundFieldByStream, kMoneyType, 1, 0)), "4.00");
  EXPECT_EQ(m.show(m.node(ExprOp::kFieldByStream, kMoneyType, 0, -1)), "4.00");
  EXPECT_EQ(m.show(m.node(ExprOp::kFieldByStream, kMoneyType, 1, -1)), "-");
}

// R42, R46, R47
TEST(Bound, Aggregates) {
  BoundFixture m;
  const ExprId amount = m.field(4, kMoneyType);
  EXPECT_EQ(m.aggregate(AggregateKind::kCount, 0, kNoExpr, kIntType), "3");
  EXPECT_EQ(m.aggregate(AggregateKind::kCount, kAllVariables, kNoExpr, kIntType), "4");
  EXPECT_EQ(m.aggregate(AggregateKind::kCount, 0, amount, kIntType), "2");
  EXPECT_EQ(m.aggregate(AggregateKind::kSum, 0, amount, kMoneyType), "3.00");
  EXPECT_EQ(m.aggregate(AggregateKind::kAvg, 0, amount, kFloatType), "1.5");
  EXPECT_EQ(m.aggregate(AggregateKind::kMin, 0, amount, kMoneyType), "1.00");
  EXPECT_EQ(m.aggregate(AggregateKind::kMax, kAllVariables, amount, kMoneyType), "4.00");
  EXPECT_EQ(m.aggregate(AggregateKind::kStddev, 1, amount, kFloatType), "-");
  EXPECT_EQ(m.aggregate(AggregateKind::kStddev, 0, amount, kFloatType), "0.7071067811865476");
  EXPECT_EQ(m.aggregate(AggregateKind::kCountDistinct, kAllVariables, m.field(5, kTextType), kIntType), "2");
  EXPECT_EQ(m.aggregate(AggregateKind::kFirst, 0, amount, kMoneyType), "1.00");
  EXPECT_EQ(m.aggregate(AggregateKind::kLast, 0, amount, kMoneyType), "-");
  EXPECT_EQ(m.aggregate(AggregateKind::kSum, 0, m.field(3, kFloatType), kFloatType), "0.3");  // 0.1 thrice
  EXPECT_EQ(m.aggregate(AggregateKind::kSum, 7, amount, kMoneyType), "-");
  EXPECT_EQ(m.aggregate(AggregateKind::kCount, 7, amount, kIntType), "0");
  EXPECT_EQ(m.counters.arithmetic_null, 0u);
}

TEST(Bound, WindowsAndKey) {
  ExprMaker m;
  FakeWindows windows;
  const Value key[] = {Value::string("card-1")};
  EXPECT_EQ(m.show(m.node(ExprOp::kWindow, kIntType, 2, -1)), "-");
  m.context.windows = &windows;
  m.context.key = key;
  EXPECT_EQ(m.show(m.node(ExprOp::kWindow, kIntType, 2, -1)), "102");
  EXPECT_EQ(m.show(m.node(ExprOp::kKeyPart, kTextType, 0, -1)), "card-1");
}

TEST(ExactSums, LostSumsAreNull) {
  EvalCounters counters;
  ExactSums sums;
  sums.add(Int128{1} << 126);
  sums.add(Int128{1} << 126);
  EXPECT_TRUE(sums.sum_as(kMoneyType, 2, counters).is_null());
  EXPECT_TRUE(sums.stddev(2, counters).is_null());
  EXPECT_EQ(counters.arithmetic_null, 2u);
  EXPECT_FALSE(to_billionths(1e300).has_value());
}

}  // namespace
}  // namespace cep
