// The worked vectors of state/FORMAT.md "Alert id": computed there by another program from the recipe.
#include <gtest/gtest.h>

#include "cep/output.h"

namespace cep {
namespace {

SchemaPtr schema_of(const std::string& name, std::vector<Column> columns, std::vector<uint16_t> unique) {
  auto schema = std::make_shared<StreamSchema>();
  schema->name = name;
  columns.insert(columns.begin(), {"at", {TypeKind::kTimestamp, 0, 0}, true, ""});
  schema->columns = std::move(columns);
  schema->unique_columns = std::move(unique);
  return schema;
}

AlertEvent event_of(const BatchPtr& batch, uint16_t variable) {
  auto packed = std::make_shared<uint64_t[]>(packed_size(*batch, 0) / 8);
  pack_row(*batch, 0, reinterpret_cast<uint8_t*>(packed.get()));
  return {variable, batch->schema, std::move(packed)};
}

BatchPtr with_id(const SchemaPtr& schema, const std::string& id) {
  BatchBuilder builder(schema, 0, 0);
  builder.begin_row();
  builder.set_fixed(0, 0);
  builder.set_text(1, id);
  builder.commit_row(0);
  return builder.finish();
}

Alert alert_of(const std::string& rule, AlertKind kind, std::vector<std::string> variables) {
  auto program = std::make_shared<Program>();
  program->rule = rule;
  for (const std::string& name : variables) {
    Variable variable;
    variable.name = name;
    program->variables.push_back(variable);
  }
  Alert alert;
  alert.program = program;
  alert.kind = kind;
  alert.time = 1767571260000 * kMillisecond + 999;     // the microseconds do not matter
  return alert;
}

TEST(AlertIdTest, VectorAMatchOfUniqueEvents) {
  SchemaPtr schema = schema_of("transactions", {{"id", {TypeKind::kText, 0, 0}, false, ""}}, {1});
  Alert alert = alert_of("card_testing", AlertKind::kMatch, {"probe", "cashout"});
  alert.key.emplace_back(Value::string("c1"));
  alert.events.push_back(event_of(with_id(schema, "t1"), 0));
  alert.events.push_back(event_of(with_id(schema, "t2"), 1));
  EXPECT_EQ(to_hex(alert_id(alert)), "019b8b7502603ad1cdceb4296ddc24f8");
  AlertId parsed;
  ASSERT_TRUE(parse_alert_id("019b8b7502603ad1cdceb4296ddc24f8", &parsed));
  EXPECT_EQ(parsed, alert_id(alert));
  std::swap(alert.events[0], alert.events[1]);
  EXPECT_NE(to_hex(alert_id(alert)), "019b8b7502603ad1cdceb4296ddc24f8") << "the order of events is part of it";
}

TEST(AlertIdTest, VectorBAbsenceOfAnEventKnownByItsPosition) {
  SchemaPtr schema = schema_of("mfa", {}, {});
  BatchBuilder builder(schema, 0, 0);
  builder.begin_row();
  builder.set_fixed(0, 0);
  builder.commit_row(41);
  Alert alert = alert_of("mfa_removed", AlertKind::kAbsence, {"off"});
  alert.key.emplace_back(Value::string("u1"));
  alert.key.emplace_back(Value::integer(7));
  alert.events.push_back(event_of(builder.finish(), 0));
  EXPECT_EQ(to_hex(alert_id(alert)), "019b8b750260830b471b934484ef01d5");
}

TEST(AlertIdTest, AnEventOfAnotherSourceIsKnownByItsOrdinalThere) {
  SchemaPtr schema = schema_of("mfa", {}, {});
  BatchBuilder builder(schema, 2, 0);
  builder.begin_row();
  builder.set_fixed(0, 0);
  builder.commit_row(41);
  std::shared_ptr<Batch> batch = builder.finish();
  batch->ordinal.push_back(7000);
  Alert alert = alert_of("mfa_removed", AlertKind::kAbsence, {"off"});
  alert.key.emplace_back(Value::string("u1"));
  alert.key.emplace_back(Value::integer(7));
  alert.events.push_back(event_of(batch, 0));
  const std::vector<std::string> sources = {"kafka:bank/mfa/0", "kafka:bank/mfa/3"};
  EXPECT_EQ(to_hex(alert_id(alert, sources)), "019b8b750260e0335b00884ec4535dd9");
}

TEST(AlertIdTest, VectorCWhenRuleBefore1970WithEveryOtherType) {
  SchemaPtr schema = schema_of("s",
                               {{"d", {TypeKind::kDecimal, 9, 2}, false, ""}, {"b", {TypeKind::kBool, 0, 0}, false, ""},
                                {"ip", {TypeKind::kIp, 0, 0}, false, ""}},
                               {1, 2, 3});
  BatchBuilder builder(schema, 0, 0);
  builder.begin_row();
  builder.set_fixed(0, 0);
  builder.set_fixed(1, 1250);
  builder.set_fixed(2, 1);
  builder.set_ip(3, IpBytes{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 10, 0, 0, 1});
  builder.commit_row(0);
  Alert alert = alert_of("hot", AlertKind::kWhen, {"event"});
  alert.time = -1;
  alert.events.push_back(event_of(builder.finish(), 0));
  EXPECT_EQ(to_hex(alert_id(alert)), "ffffffffffff5ea8d707127a489c7052");
}

}  // namespace
}  // namespace cep
