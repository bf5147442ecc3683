// Lists and tables: keys of every type, tuples, decimals of another scale, rows, expiry (R60).
#include "cep/dataset.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "tests/unit/cep/expr_maker.h"

namespace cep {
namespace {

using Fields = std::vector<std::string>;

bool has(const Dataset& list, std::initializer_list<Value> element, TimeUs time = 0) {
  return list.contains(std::span<const Value>(element.begin(), element.size()), time);
}

std::vector<Fields> elements(const Dataset& list) {
  std::vector<Fields> all;
  list.each_from(0, [&](uint64_t, const DatasetEntry& entry) { return all.push_back(entry.key), true; });
  std::sort(all.begin(), all.end());
  return all;
}

TEST(List, TuplesOfText) {
  Dataset list("trusted", {kTextType, kTextType});
  EXPECT_TRUE(list.put(Fields{"ann", "bob"}, {}).ok());
  EXPECT_TRUE(list.put(Fields{"ann", "bob"}, {}).ok());
  EXPECT_EQ(list.size(), 1u);
  EXPECT_TRUE(has(list, {Value::string("ann"), Value::string("bob")}));
  EXPECT_FALSE(has(list, {Value::string("annb"), Value::string("ob")}));  // where one ends matters
  EXPECT_FALSE(has(list, {Value::string("ann")}));
  EXPECT_FALSE(has(list, {Value::string("ann"), Value::null()}));
  EXPECT_EQ(list.put(Fields{"ann"}, {}).error().code, "wrong_type");
  EXPECT_TRUE(*list.remove(Fields{"ann", "bob"}));
  EXPECT_FALSE(*list.remove(Fields{"ann", "bob"}));
  EXPECT_FALSE(has(list, {Value::string("ann"), Value::string("bob")}));
}

TEST(List, LongTexts) {
  Dataset list("names", {kTextType});
  const std::string longest(5000, 'n');
  EXPECT_TRUE(list.put(Fields{longest}, {}).ok());
  EXPECT_TRUE(has(list, {Value::string(longest)}));
}

TEST(List, NumbersByValue) {
  Dataset list("prices", {kMoneyType});
  EXPECT_TRUE(list.put(Fields{"5.00"}, {}).ok());
  EXPECT_TRUE(list.put(Fields{"5"}, {}).ok());
  EXPECT_EQ(list.size(), 1u);
  EXPECT_TRUE(has(list, {Value::decimal(5000, 3)}));
  EXPECT_TRUE(has(list, {Value::integer(5)}));
  EXPECT_FALSE(has(list, {Value::decimal(5001, 3)}));
  EXPECT_FALSE(has(list, {Value::string("5.00")}));
  EXPECT_EQ(list.put(Fields{"5.001"}, {}).error().code, "wrong_type");
  EXPECT_EQ(elements(list), (std::vector<Fields>{{"5.00"}}));
}

TEST(List, Floats) {
  Dataset list("ratios", {kFloatType});
  EXPECT_TRUE(list.put(Fields{"0.5"}, {}).ok());
  EXPECT_TRUE(list.put(Fields{"-0.0"}, {}).ok());
  EXPECT_TRUE(list.put(Fields{"0.1"}, {}).ok());
  EXPECT_TRUE(has(list, {Value::decimal(50, 2)}));
  EXPECT_TRUE(has(list, {Value::integer(0)}));
  EXPECT_FALSE(has(list, {Value::decimal(1, 1)}));  // 0.1 is not the double 0.1
}

// What a page or the log shows can be read back to the same list.
TEST(List, ElementsReadBack) {
  const std::vector<Type> types{kBoolType, kIntType,  kFloatType,    kMoneyType,
                                kTextType, kTimeType, kDurationType, kIpType};
  Dataset list("everything", types);
  EXPECT_TRUE(
      list.put(Fields{"true", "-3", "0.25", "7.5", "x,\"y", "2026-01-01T00:00:00Z", "PT5M", "10.0.0.1"}, {}).ok());
  EXPECT_TRUE(list.put(Fields{"false", "9", "1", "0", "", "1767225600000", "P1D", "::1"}, {}).ok());
  const auto shown = elements(list);
  ASSERT_EQ(shown.size(), 2u);
  EXPECT_EQ(shown[0][5], "2026-01-01T00:00:00.000Z");
  EXPECT_EQ(shown[1], (Fields{"true", "-3", "0.25", "7.50", "x,\"y", "2026-01-01T00:00:00.000Z", "PT5M", "10.0.0.1"}));
  Dataset again("again", types);
  for (const Fields& fields : shown) EXPECT_TRUE(again.put(fields, {}).ok());
  EXPECT_EQ(elements(again), shown);
  EXPECT_EQ(again.size(), 2u);
}

TEST(List, SaysWhatDoesNotRead) {
  Dataset list("addresses", {kIpType});
  const Status status = list.put(Fields{"10.0.0"}, {});
  ASSERT_FALSE(status.ok());
  EXPECT_EQ(status.error().message, "list addresses: '10.0.0' is not a value of type ip");
}

// Valid while the event's time is before the expiry.
TEST(List, EntriesExpire) {
  Dataset list("blocked", {kTextType});
  EntryText until_five;
  until_five.expires_us = 5;
  ASSERT_TRUE(list.put(Fields{"a"}, until_five).ok());
  EXPECT_TRUE(has(list, {Value::string("a")}, 4));
  EXPECT_FALSE(has(list, {Value::string("a")}, 5));
  ASSERT_TRUE(list.put(Fields{"a"}, {}).ok());
  EXPECT_TRUE(has(list, {Value::string("a")}, 5));
}

TEST(Table, LooksUpByKeyAndColumn) {
  const std::vector<Column> columns = {
      {"country", kTextType, false, ""}, {"user", kTextType, false, ""}, {"year", kIntType, true, ""}, {"limit", kMoneyType, false, ""}};
  Dataset table("customers", columns, {1, 0});
  EntryText row;
  row.row = {"1950", std::nullopt};
  ASSERT_TRUE(table.put(Fields{"ann", "RO"}, row).ok());
  const Value key[] = {Value::string("ann"), Value::string("RO")};
  EXPECT_EQ(table.look_up(key, 2, 0).kind, ValueKind::kInt);
  EXPECT_EQ(to_display(table.look_up(key, 2, 0)), "1950");
  EXPECT_TRUE(table.look_up(key, 3, 0).is_null());
  EXPECT_EQ(to_display(table.look_up(key, 0, 0)), "RO");
  const Value swapped[] = {Value::string("RO"), Value::string("ann")};
  EXPECT_TRUE(table.look_up(swapped, 2, 0).is_null());
  row.row = {"1950", "12.5"};
  row.owner = "desk";
  row.expires_us = 9;
  ASSERT_TRUE(table.put(Fields{"ann", "RO"}, row, {"me", 3, 7}).ok());
  EXPECT_EQ(table.size(), 1u);
  EXPECT_EQ(to_display(table.look_up(key, 3, 8)), "12.50");
  EXPECT_TRUE(table.look_up(key, 3, 9).is_null());
  const auto entry = *table.find(Fields{"ann", "RO"});
  ASSERT_TRUE(entry.has_value());
  EXPECT_EQ(*entry->text.row[1], "12.50");
  EXPECT_EQ(entry->text.owner, "desk");
  EXPECT_EQ(entry->stamp.by, "me");
  EXPECT_EQ(entry->stamp.revision, 7u);
  EXPECT_EQ(table.revision(), 7u);
}

TEST(Table, SaysWhatIsWrongWithARow) {
  Dataset table("t", {{"k", kIntType, false, ""}, {"v", kIntType, true, ""}}, {0});
  EntryText row;
  row.row = {std::nullopt};
  EXPECT_EQ(table.put(Fields{"1"}, row).error().code, "not_null");
  row.row = {"x"};
  EXPECT_EQ(table.put(Fields{"1"}, row).error().message, "table t: column v: 'x' is not a value of type int");
  row.row = {};
  EXPECT_EQ(table.put(Fields{"1"}, row).error().code, "wrong_type");
  EXPECT_EQ(table.size(), 0u);
}

}  // namespace
}  // namespace cep
