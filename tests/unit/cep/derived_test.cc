// The row an alert becomes: what each column holds, and the way through a checkpoint.
#include "cep/derived.h"

#include <gtest/gtest.h>

#include "cep/expr.h"
#include "cep/row.h"

namespace cep {
namespace {

SchemaPtr schema_of(std::vector<Column> columns) {
  auto schema = std::make_shared<StreamSchema>();
  schema->name = "made";
  schema->id = StreamId{3};
  schema->from_rules = true;
  columns.push_back({"when_", {TypeKind::kTimestamp, 0, 0}, true, ""});
  schema->time_column = static_cast<uint16_t>(columns.size() - 1);
  schema->columns = std::move(columns);
  return schema;
}

Column column(const std::string& name, TypeKind kind, uint8_t precision = 0, uint8_t scale = 0) {
  return {name, {kind, precision, scale}, false, ""};
}

Alert alert_with(std::vector<std::pair<std::string, Value>> measures) {
  auto program = std::make_shared<Program>();
  program->rule = "r";
  program->alert.severity = Severity::kHigh;
  program->key.push_back({"card", {TypeKind::kText, 0, 0}});
  Alert alert;
  for (const auto& [name, value] : measures) {
    program->measures.push_back({name, kNoExpr});
    alert.measures.emplace_back(value);
  }
  alert.program = program;
  alert.key.emplace_back(Value::string("c1"));
  alert.time = 1'767'571'200'000'123;
  for (uint8_t i = 0; i < 16; ++i) alert.id[i] = static_cast<uint8_t>(i + 1);
  return alert;
}

BatchPtr row_of_alert(const Alert& alert, const SchemaPtr& schema, EvalCounters& counters) {
  return derived_row(alert, schema, bind_into(*alert.program, *schema), counters);
}

TEST(Derived, ColumnsAreFilledByName) {
  const SchemaPtr schema = schema_of({column("rule", TypeKind::kText), column("card", TypeKind::kText), column("n", TypeKind::kInt),
                                      column("severity", TypeKind::kText), column("score", TypeKind::kInt),
                                      column("at", TypeKind::kTimestamp), column("nobody", TypeKind::kIp)});
  EvalCounters counters;
  // A measure goes before the rule's own word of the same name.
  const Alert alert = alert_with({{"n", Value::integer(7)}, {"severity", Value::string("mine")}, {"when_", Value::timestamp(1)}});
  const BatchPtr row = row_of_alert(alert, schema, counters);
  ASSERT_EQ(row->rows(), 1u);
  EXPECT_EQ(row->text(0, 0), "r");
  EXPECT_EQ(row->text(0, 1), "c1");
  EXPECT_EQ(row->value(0, 2).number, 7);
  EXPECT_EQ(row->text(0, 3), "mine");
  EXPECT_TRUE(row->value(0, 4).is_null());
  EXPECT_EQ(row->value(0, 5).number, alert.time);
  EXPECT_TRUE(row->value(0, 6).is_null());
  EXPECT_EQ(row->time[0], alert.time);
  EXPECT_EQ(row->source, kRulesSource);
  EXPECT_EQ(row->position[0], 0x0708090a0b0c0d0eu);
  EXPECT_EQ(counters.cast_null, 0u);
}

TEST(Derived, WhatAColumnCannotHoldIsNullAndCounted) {
  const SchemaPtr schema = schema_of({column("fits", TypeKind::kDecimal, 6, 3), column("wide", TypeKind::kDecimal, 6, 3),
                                      column("fine", TypeKind::kDecimal, 6, 3), column("whole", TypeKind::kDecimal, 6, 3),
                                      column("real", TypeKind::kFloat), column("text", TypeKind::kText)});
  EvalCounters counters;
  const Alert alert = alert_with({{"fits", Value::decimal(1250, 2)}, {"wide", Value::decimal(123456, 2)},
                                  {"fine", Value::decimal(12345, 4)}, {"whole", Value::integer(-9)},
                                  {"real", Value::integer(3)}, {"text", Value::integer(3)}});
  const BatchPtr row = row_of_alert(alert, schema, counters);
  EXPECT_EQ(row->value(0, 0).number, 12500);
  EXPECT_TRUE(row->value(0, 1).is_null());
  EXPECT_TRUE(row->value(0, 2).is_null());
  EXPECT_EQ(row->value(0, 3).number, -9000);
  EXPECT_EQ(row->value(0, 4).real, 3.0);
  EXPECT_TRUE(row->value(0, 5).is_null());
  EXPECT_EQ(counters.cast_null, 3u);
}

TEST(Derived, ARowComesBackFromItsBytesAndDamagedBytesDoNot) {
  const SchemaPtr schema = schema_of({column("card", TypeKind::kText), column("n", TypeKind::kInt), column("missing", TypeKind::kIp)});
  EvalCounters counters;
  const BatchPtr row = row_of_alert(alert_with({{"n", Value::integer(-1)}}), schema, counters);
  const std::string bytes = pack_derived(*row);
  const BatchPtr back = unpack_derived(schema, bytes);
  ASSERT_NE(back, nullptr);
  EXPECT_EQ(pack_derived(*back), bytes);
  EXPECT_EQ(back->text(0, 0), "c1");
  EXPECT_EQ(back->position[0], row->position[0]);
  EXPECT_EQ(back->source, kRulesSource);
  EXPECT_EQ(unpack_derived(schema, bytes.substr(0, bytes.size() - 8)), nullptr);
  EXPECT_EQ(unpack_derived(schema, bytes + std::string(8, '\0')), nullptr);
  std::string other_stream = bytes;
  other_stream[offsetof(RowHeader, stream)] = 4;
  EXPECT_EQ(unpack_derived(schema, other_stream), nullptr);
  EXPECT_EQ(unpack_derived(schema, ""), nullptr);
}

}  // namespace
}  // namespace cep
