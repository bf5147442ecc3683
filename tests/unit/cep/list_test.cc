// Lists: elements of every type, tuples, decimals of another scale (R60).
#include "cep/list.h"

#include <gtest/gtest.h>

#include "tests/unit/cep/expr_maker.h"

namespace cep {
namespace {

using Fields = std::vector<std::string>;

bool has(const List& list, std::initializer_list<Value> element) {
  return list.contains(std::span<const Value>(element.begin(), element.size()));
}

TEST(List, TuplesOfText) {
  List list("trusted", {kTextType, kTextType});
  EXPECT_TRUE(list.add_text(Fields{"ann", "bob"}).ok());
  EXPECT_TRUE(list.add_text(Fields{"ann", "bob"}).ok());
  EXPECT_EQ(list.size(), 1u);
  EXPECT_TRUE(has(list, {Value::string("ann"), Value::string("bob")}));
  EXPECT_FALSE(has(list, {Value::string("annb"), Value::string("ob")}));  // where one ends matters
  EXPECT_FALSE(has(list, {Value::string("ann")}));
  EXPECT_FALSE(has(list, {Value::string("ann"), Value::null()}));
  EXPECT_EQ(list.add_text(Fields{"ann"}).error().code, "wrong_type");
  EXPECT_TRUE(*list.remove_text(Fields{"ann", "bob"}));
  EXPECT_FALSE(*list.remove_text(Fields{"ann", "bob"}));
  EXPECT_FALSE(has(list, {Value::string("ann"), Value::string("bob")}));
}

TEST(List, LongTexts) {
  List list("names", {kTextType});
  const std::string longest(5000, 'n');
  EXPECT_TRUE(list.add_text(Fields{longest}).ok());
  EXPECT_TRUE(has(list, {Value::string(longest)}));
}

TEST(List, NumbersByValue) {
  List list("prices", {kMoneyType});
  EXPECT_TRUE(list.add_text(Fields{"5.00"}).ok());
  EXPECT_TRUE(list.add_text(Fields{"5"}).ok());
  EXPECT_EQ(list.size(), 1u);
  EXPECT_TRUE(has(list, {Value::decimal(5000, 3)}));
  EXPECT_TRUE(has(list, {Value::integer(5)}));
  EXPECT_FALSE(has(list, {Value::decimal(5001, 3)}));
  EXPECT_FALSE(has(list, {Value::string("5.00")}));
  EXPECT_EQ(list.add_text(Fields{"5.001"}).error().code, "wrong_type");
  EXPECT_EQ(list.elements(), (std::vector<Fields>{{"5.00"}}));
}

TEST(List, Floats) {
  List list("ratios", {kFloatType});
  EXPECT_TRUE(list.add_text(Fields{"0.5"}).ok());
  EXPECT_TRUE(list.add_text(Fields{"-0.0"}).ok());
  EXPECT_TRUE(list.add_text(Fields{"0.1"}).ok());
  EXPECT_TRUE(has(list, {Value::decimal(50, 2)}));
  EXPECT_TRUE(has(list, {Value::integer(0)}));
  EXPECT_FALSE(has(list, {Value::decimal(1, 1)}));  // 0.1 is not the double 0.1
}

// What a page or the log shows can be read back to the same list.
TEST(List, ElementsReadBack) {
  const std::vector<Type> types{kBoolType, kIntType,  kFloatType,    kMoneyType,
                                kTextType, kTimeType, kDurationType, kIpType};
  List list("everything", types);
  EXPECT_TRUE(
      list.add_text(Fields{"true", "-3", "0.25", "7.5", "x,\"y", "2026-01-01T00:00:00Z", "PT5M", "10.0.0.1"}).ok());
  EXPECT_TRUE(list.add_text(Fields{"false", "9", "1", "0", "", "1767225600000", "P1D", "::1"}).ok());
  const auto shown = list.elements();
  ASSERT_EQ(shown.size(), 2u);
  EXPECT_EQ(shown[0][5], "2026-01-01T00:00:00.000Z");
  EXPECT_EQ(shown[1], (Fields{"true", "-3", "0.25", "7.50", "x,\"y", "2026-01-01T00:00:00.000Z", "PT5M", "10.0.0.1"}));
  List again("again", types);
  for (const Fields& fields : shown) EXPECT_TRUE(again.add_text(fields).ok());
  EXPECT_EQ(again.elements(), shown);
  EXPECT_EQ(again.size(), 2u);
}

TEST(List, SaysWhatDoesNotRead) {
  List list("addresses", {kIpType});
  const Status status = list.add_text(Fields{"10.0.0"});
  ASSERT_FALSE(status.ok());
  EXPECT_EQ(status.error().message, "list addresses: '10.0.0' is not a value of type ip");
}

}  // namespace
}  // namespace cep
