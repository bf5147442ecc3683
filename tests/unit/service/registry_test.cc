// The registry as checkpoints keep it: the format before, whose lists had their elements in it, and what does not fit the entries.
#include "service/registry.h"

#include <gtest/gtest.h>

namespace service {
namespace {

std::string old_elements(const std::string& list, const std::vector<std::string>& values) {
  std::string bytes;
  state::Writer out(bytes);
  out.put<uint8_t>(1).text(list).put<uint8_t>(1).put<uint32_t>(static_cast<uint32_t>(values.size()));
  for (const std::string& value : values) out.put<uint8_t>(1).put<uint32_t>(1).text(value);
  return bytes;
}

TEST(Registry, ReadsTheFormatBefore) {
  std::string bytes;
  state::Writer out(bytes);
  out.put<uint8_t>(1).put<uint32_t>(4).put<uint32_t>(2);
  out.put<uint32_t>(1).put<uint32_t>(0xffffffff).text("create list blocked of text;\n");
  out.put<uint32_t>(0);
  out.put<uint32_t>(1).text(old_elements("blocked", {"a", "b"}));
  cep::Result<Registry> read = Registry::restore(bytes);
  ASSERT_TRUE(read.ok()) << read.error().message;
  ASSERT_TRUE(read->datasets().contains("blocked"));
  const cep::Dataset& list = *read->datasets().at("blocked");
  EXPECT_EQ(list.size(), 2u);
  EXPECT_TRUE(list.find(std::vector<std::string>{"b"})->has_value());
  EXPECT_TRUE(read->unrestored().empty());

  cep::Result<Registry> again = Registry::restore(read->save());
  ASSERT_TRUE(again.ok()) << again.error().message;
  EXPECT_EQ(again->unrestored(), std::vector<std::string>{"blocked"});
  EXPECT_EQ(again->datasets().at("blocked")->size(), 0u) << "the entries are records of the checkpoint";
  EXPECT_EQ(again->restore_entries("blocked", cep::EntryMap()).error().code, "damaged");
  ASSERT_TRUE(again->restore_entries("blocked", list.entries()).ok());
  EXPECT_EQ(again->datasets().at("blocked")->size(), 2u);
  EXPECT_EQ(again->datasets().at("blocked")->revision(), list.revision());
  EXPECT_TRUE(again->unrestored().empty());
}

TEST(Registry, RetainsWhatTheMostDemandingStreamWants) {
  Registry registry;
  EXPECT_EQ(registry.retain_us(), 0);
  const auto stream = [](const std::string& name, const std::string& option) {
    return "create stream " + name + " (at timestamp not null) event time at" + option + ";";
  };
  const std::string text = stream("a", " retain 30 days") + stream("b", " retain 9 days") + stream("c", "");
  ASSERT_TRUE(registry.apply(registry.plan(text, "test").change).ok());
  EXPECT_EQ(registry.retain_us(), 30 * cep::kDay);
  ASSERT_TRUE(registry.apply(registry.plan("drop stream a;", "test").change).ok());
  EXPECT_EQ(registry.retain_us(), 9 * cep::kDay);
}

// The column of the whole event stays where it was when `keep raw` came: rows of before and after are read alike.
TEST(Registry, KeepRawComesAsAColumnThatStaysWhereItIs) {
  Registry registry;
  const auto stream = [](const std::string& more, const std::string& option) {
    return "create stream s (at timestamp not null" + more + ") event time at" + option + ";";
  };
  const auto columns = [&] {
    std::string names;
    for (const cep::Column& column : registry.streams().at("s")->columns) names += column.name + " ";
    return names;
  };
  ASSERT_TRUE(registry.apply(registry.plan(stream("", ""), "test").change).ok());
  ASSERT_TRUE(registry.apply(registry.plan(stream("", " keep raw"), "test").change).ok());
  EXPECT_EQ(columns(), "at $raw ");
  EXPECT_TRUE(registry.plan(stream("", " keep raw"), "test").is_empty());
  ASSERT_TRUE(registry.apply(registry.plan(stream(", b int", " keep raw"), "test").change).ok());
  EXPECT_EQ(columns(), "at $raw b ");
  EXPECT_EQ(registry.streams().at("s")->raw_column, 1);
  EXPECT_FALSE(registry.plan(stream(", b int", ""), "test").ok);
}

TEST(Registry, DeclaresAnewWhatWasDropped) {
  Registry registry;
  const std::string text = "create list l of text; create table t (k text, v int) key k;"
                           " create stream s (x text, at timestamp not null) event time at delay 0 seconds;";
  const auto apply = [&](const std::string& statements) {
    const DeploymentPlan plan = registry.plan(statements, "test");
    EXPECT_TRUE(plan.ok);
    EXPECT_TRUE(registry.apply(plan.change).ok());
    return plan;
  };
  EXPECT_EQ(apply(text).change.datasets.size(), 2u);
  EXPECT_TRUE(apply(text).is_empty()) << "all of it is there";
  const DeploymentPlan dropped = apply("drop list l; drop table t; drop stream s;");
  EXPECT_EQ(dropped.change.dropped_lists, std::vector<std::string>{"l"});
  EXPECT_EQ(dropped.change.dropped_tables, std::vector<std::string>{"t"});
  EXPECT_TRUE(registry.datasets().empty());
  const DeploymentPlan again = apply(text);
  EXPECT_EQ(again.change.datasets.size(), 2u);
  ASSERT_EQ(again.change.streams.size(), 1u);
  EXPECT_EQ(again.change.streams[0].number, 1u) << "another schema of the same text";
  EXPECT_EQ(registry.datasets().size(), 2u);
  const cep::Result<RulesChange> read = decode_rules_change(encode(dropped.change));
  ASSERT_TRUE(read.ok());
  EXPECT_EQ(read->dropped_tables, dropped.change.dropped_tables);
  const cep::Result<Registry> restored = Registry::restore(registry.save());
  ASSERT_TRUE(restored.ok()) << restored.error().message;
  EXPECT_EQ(restored->datasets().at("t")->columns().size(), 2u);
}

}  // namespace
}  // namespace service
