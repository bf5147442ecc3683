// Predicates by column against the same conditions by row.
#include "cep/predicate_set.h"

#include <gtest/gtest.h>

#include <random>

#include "tests/unit/cep/expr_maker.h"

namespace cep {
namespace {

bool bit(const PredicateSet& set, const std::vector<uint64_t>& words, uint32_t row, uint32_t p) {
  return words[row * set.words_per_row() + p / 64] >> (p % 64) & 1;
}

// Random rows of every_type_schema() and random conditions over them, with values that collide often.
class RandomConditions : public ExprMaker {
 public:
  explicit RandomConditions(uint64_t seed) : random_(seed) {}

  BatchPtr batch(uint32_t rows) {
    BatchBuilder builder(every_type_schema(), 0, 0);
    for (uint32_t r = 0; r < rows; ++r) {
      builder.begin_row();
      builder.set_fixed(0, below(5) * 1000);
      if (below(4) != 0) builder.set_fixed(1, below(2));
      if (below(4) != 0) builder.set_fixed(2, below(20) == 0 ? extreme() : below(7) - 3);
      if (below(4) != 0) builder.set_real(3, some_double());
      if (below(4) != 0) builder.set_fixed(4, below(20) == 0 ? extreme() : below(9) - 4);
      if (below(4) != 0) builder.set_text(5, kWords[below(std::size(kWords))]);
      if (below(4) != 0) builder.set_fixed(6, below(3) * kSecond);
      builder.commit_row(r);
    }
    return builder.finish();
  }

  ExprId condition(int depth) {
    switch (depth > 0 ? below(9) : 4 + below(5)) {
      case 0:
      case 1: return logic(ExprOp::kAnd, condition(depth - 1), condition(depth - 1));
      case 2: return logic(ExprOp::kOr, condition(depth - 1), condition(depth - 1));
      case 3: return logic(ExprOp::kNot, condition(depth - 1));
      case 4: return comparison();
      case 5: return comparison();
      case 6: return membership();
      case 7: return below(2) == 0 ? null_test() : bool_leaf();
      default: return by_row();
    }
  }

 private:
  static constexpr const char* kWords[] = {"", "a", "b", "ab", "ba", "the same sixteen", "the same sixteen.", "the same sixteen!"};

  int64_t below(uint64_t n) { return static_cast<int64_t>(random_() % n); }
  int64_t extreme() { return below(2) == 0 ? INT64_MIN : INT64_MAX; }
  double some_double() {
    static constexpr double kDoubles[] = {-0.5, 0, 0.01, 0.1, 0.5, 1, 9007199254740992.0, 1e300};
    return kDoubles[below(8)];
  }
  uint8_t maybe_negated() { return below(2) == 0 ? Expr::kNegated : 0; }
  ExprOp comparison_op() { return static_cast<ExprOp>(static_cast<int>(ExprOp::kEqual) + below(6)); }

  ExprId any_number() {
    switch (below(6)) {
      case 0: return null();
      case 1: return real(some_double());
      case 2: return constant(Value::decimal(below(81) - 40, 3), {TypeKind::kDecimal, 9, 3});  // finer than the column
      case 3: return constant(Value::decimal(below(9) - 4, 1), {TypeKind::kDecimal, 9, 1});
      case 4:
        return below(8) == 0 ? constant(Value::decimal(Int128{INT64_MAX} * 1000, 1), {TypeKind::kDecimal, 38, 1})
                             : number(below(8) == 0 ? extreme() : below(7) - 3);
      default: return money(below(9) - 4);
    }
  }
  ExprId number_field() {
    static constexpr Type kTypes[] = {kIntType, kFloatType, kMoneyType};
    const int64_t i = below(3);
    return field(static_cast<uint16_t>(2 + i), kTypes[i]);
  }
  ExprId any_text() { return below(6) == 0 ? null() : text(kWords[below(std::size(kWords))]); }

  ExprId comparison() {
    ExprId left = kNoExpr;
    ExprId right = kNoExpr;
    switch (below(5)) {
      case 0:
        left = field(5, kTextType);
        right = any_text();
        break;
      case 1:
        left = field(0, kTimeType);
        right = constant(Value::timestamp(below(5) * 1000 + below(3) - 1), kTimeType);
        break;
      case 2:
        left = field(1, kBoolType);
        right = truth(below(2) == 0);
        break;
      default: left = number_field(); right = below(6) == 0 ? number_field() : any_number();
    }
    if (below(3) == 0) std::swap(left, right);
    return logic(comparison_op(), left, right);
  }
  ExprId membership() {
    if (below(2) == 0) {
      return with_args(ExprOp::kIn, kBoolType, field(5, kTextType), {any_text(), any_text(), any_text()},
                       maybe_negated());
    }
    return with_args(ExprOp::kIn, kBoolType, number_field(), {any_number(), any_number(), any_number()},
                     maybe_negated());
  }
  ExprId null_test() {
    return logic(ExprOp::kIsNull, field(static_cast<uint16_t>(1 + below(7)), kIntType), -1, maybe_negated());
  }
  ExprId bool_leaf() { return below(4) == 0 ? (below(2) == 0 ? null() : truth(below(2) == 0)) : field(1, kBoolType); }
  ExprId by_row() {
    switch (below(3)) {
      case 0: return logic(ExprOp::kLike, field(5, kTextType), text("a%"), maybe_negated());
      case 1:
        return logic(comparison_op(), node(ExprOp::kDivide, kFloatType, number(1), field(2, kIntType)), real(0.5));
      default: return logic(ExprOp::kEqual, call(FunctionId::kUpper, kTextType, {field(5, kTextType)}), text("AB"));
    }
  }

  std::mt19937_64 random_;
};

TEST(PredicateSet, BitsEqualTheInterpreters) {
  const uint64_t seed = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  RandomConditions maker(seed);
  std::vector<ExprId> conditions;
  for (int i = 0; i < 1500; ++i) conditions.push_back(maker.condition(4));
  const BatchPtr batch = maker.batch(300);
  auto program = std::make_shared<Program>();
  program->pool = std::move(maker.pool);
  PredicateSet set(batch->schema);
  for (size_t i = 0; i < conditions.size(); ++i) {
    Predicate predicate;
    predicate.expr = conditions[i];
    predicate.text = "condition " + std::to_string(i);
    ASSERT_EQ(set.add(program, predicate), i);
  }
  set.finish();
  std::vector<uint64_t> words;
  EvalCounters counters;
  set.evaluate(*batch, {}, counters, words);
  ASSERT_EQ(words.size(), size_t{300} * ((1500 + 63) / 64));
  size_t holding = 0;
  for (uint32_t r = 0; r < batch->rows(); ++r) {
    maker.context.event = row_of(*batch, r);
    for (uint32_t p = 0; p < conditions.size(); ++p) {
      const bool expected = holds(program->pool, conditions[p], maker.context);
      holding += expected;
      ASSERT_EQ(bit(set, words, r, p), expected) << "row " << r << ", condition " << p;
    }
  }
  EXPECT_GT(holding, 50'000u);  // of 450,000: the conditions are not mostly empty
  EXPECT_GT(counters.arithmetic_null, 0u);
}

struct SetFixture : ExprMaker {
  std::shared_ptr<Program> program = std::make_shared<Program>();
  PredicateSet set{every_type_schema()};
  std::vector<uint64_t> words;

  uint32_t add(ExprId expr, const std::string& text) {
    Predicate predicate;
    predicate.expr = expr;
    predicate.text = text;
    return set.add(program, predicate);
  }
  void seal() { program->pool = std::move(pool); }
};

TEST(PredicateSet, EqualTextsShareANumber) {
  SetFixture f;
  const ExprId a = f.logic(ExprOp::kLess, f.field(4, kMoneyType), f.money(500));
  const ExprId b = f.logic(ExprOp::kLess, f.field(4, kMoneyType), f.money(900));
  f.seal();
  EXPECT_EQ(f.add(a, "amount < 5.00"), 0u);
  EXPECT_EQ(f.add(b, "amount < 9.00"), 1u);
  EXPECT_EQ(f.add(a, "amount < 5.00"), 0u);
  EXPECT_EQ(f.set.size(), 2u);
  EXPECT_EQ(f.set.words_per_row(), 1u);
}

TEST(PredicateSet, ConstantsFinerThanTheColumnAreExact) {
  SetFixture f;
  const Type fine{TypeKind::kDecimal, 4, 3};
  const ExprId limit = f.constant(Value::decimal(5005, 3), fine);
  const ExprId conditions[] = {f.logic(ExprOp::kLess, f.field(4, kMoneyType), limit),
                               f.logic(ExprOp::kGreaterEqual, f.field(4, kMoneyType), limit),
                               f.logic(ExprOp::kEqual, f.field(4, kMoneyType), limit),
                               f.logic(ExprOp::kNotEqual, f.field(4, kMoneyType), limit)};
  f.seal();
  for (int i = 0; i < 4; ++i) f.add(conditions[i], std::to_string(i));
  BatchBuilder builder(every_type_schema(), 0, 0);
  for (const int64_t cents : {500, 501, -1}) {  // the last row's amount is null
    builder.begin_row();
    builder.set_fixed(0, 0);
    if (cents >= 0) builder.set_fixed(4, cents);
    builder.commit_row(0);
  }
  f.set.finish();
  f.set.evaluate(*builder.finish(), {}, f.counters, f.words);
  EXPECT_EQ(f.words, (std::vector<uint64_t>{0b1001, 0b1010, 0}));
}

TEST(PredicateSet, ListsAreTheVersionsInForce) {
  SetFixture f;
  const ExprId in = f.with_args(ExprOp::kInList, kBoolType, 0, {f.field(5, kTextType)});
  f.program->datasets = {"blocked"};
  f.seal();
  f.add(in, "name in @blocked");
  BatchBuilder builder(every_type_schema(), 0, 0);
  builder.begin_row();
  builder.set_fixed(0, 0);
  builder.set_text(5, "eve");
  builder.commit_row(0);
  const BatchPtr batch = builder.finish();
  auto list = std::make_shared<Dataset>("blocked", std::vector<Type>{kTextType});
  ASSERT_TRUE(list->put(std::vector<std::string>{"eve"}, {}).ok());
  f.set.finish();
  f.set.evaluate(*batch, {{"blocked", list}}, f.counters, f.words);
  EXPECT_EQ(f.words[0], 1u);
  f.set.evaluate(*batch, {}, f.counters, f.words);
  EXPECT_EQ(f.words[0], 0u);
}

TEST(PredicateSet, ColumnsAnOlderBatchLacksAreNull) {
  auto newer = std::make_shared<StreamSchema>(*every_type_schema());
  newer->columns.push_back({"later", kIntType, false, ""});
  SetFixture f;
  f.set = PredicateSet(newer);
  const ExprId later = f.field(8, kIntType);
  const ExprId conditions[] = {f.logic(ExprOp::kIsNull, later), f.logic(ExprOp::kIsNull, later, -1, Expr::kNegated),
                               f.logic(ExprOp::kNotEqual, later, f.number(1))};
  f.seal();
  for (int i = 0; i < 3; ++i) f.add(conditions[i], std::to_string(i));
  BatchBuilder builder(every_type_schema(), 0, 0);
  builder.begin_row();
  builder.set_fixed(0, 0);
  builder.commit_row(0);
  f.set.finish();
  f.set.evaluate(*builder.finish(), {}, f.counters, f.words);
  EXPECT_EQ(f.words[0], 0b001u);
}

TEST(PredicateSet, WithoutPredicatesThereAreNoWords) {
  SetFixture f;
  BatchBuilder builder(every_type_schema(), 0, 0);
  builder.begin_row();
  builder.set_fixed(0, 0);
  builder.commit_row(0);
  f.set.finish();
  f.set.evaluate(*builder.finish(), {}, f.counters, f.words);
  EXPECT_TRUE(f.words.empty());
}

}  // namespace
}  // namespace cep
