// Edits of lists and tables: their record, what settling makes of them, their line in an exported log, and the format before.
#include "service/dataset_change.h"

#include <gtest/gtest.h>

#include "service/dataset_line.h"
#include "state/bytes.h"

namespace service {
namespace {

const std::vector<cep::Column> kTableColumns = {{"k", {cep::TypeKind::kInt, 0, 0}, false, ""},
                                           {"v", {cep::TypeKind::kDecimal, 8, 2}, false, ""},
                                           {"w", {cep::TypeKind::kText, 0, 0}, false, ""}};

DatasetChange sample_change() {
  DatasetChange change{"t", "ann@desk", 5, {}};
  cep::EntryText now;
  now.row = {"1.50", std::nullopt};
  now.owner = "o\"w";
  now.comment = "c\nd";
  now.expires_us = 1'767'571'200'000'000;
  change.edits.push_back({{"1"}, now, std::nullopt});
  change.edits.push_back({{"2"}, std::nullopt, now});
  return change;
}

TEST(DatasetChange, RecordsReadBack) {
  const DatasetChange change = sample_change();
  const std::string bytes = encode(change);
  const auto read = decode_dataset_change(bytes);
  ASSERT_TRUE(read.ok());
  EXPECT_EQ(read->dataset, "t");
  EXPECT_EQ(read->by, "ann@desk");
  EXPECT_EQ(read->at_us, 5);
  ASSERT_EQ(read->edits.size(), 2u);
  EXPECT_EQ(read->edits[0].now, change.edits[0].now);
  EXPECT_EQ(read->edits[0].before, std::nullopt);
  EXPECT_EQ(read->edits[1].now, std::nullopt);
  EXPECT_EQ(read->edits[1].before, change.edits[1].before);
  EXPECT_EQ(encode(*read), bytes);
  for (size_t cut = 0; cut < bytes.size(); ++cut) EXPECT_FALSE(decode_dataset_change(bytes.substr(0, cut)).ok()) << cut;
  EXPECT_FALSE(decode_dataset_change(bytes + "x").ok());
  EXPECT_FALSE(decode_dataset_change("\x09" + bytes.substr(1)).ok()) << "a later format";
}

// As every version before wrote it: list name, cleared first, edits of add and fields.
TEST(DatasetChange, ReadsTheFormatBefore) {
  std::string bytes;
  state::Writer(bytes).put<uint8_t>(1).text("l").put<uint8_t>(0).put<uint32_t>(2).put<uint8_t>(1).put<uint32_t>(1).text("a").put<uint8_t>(0)
      .put<uint32_t>(1).text("b");
  const auto read = decode_dataset_change(bytes);
  ASSERT_TRUE(read.ok());
  EXPECT_EQ(read->dataset, "l");
  ASSERT_EQ(read->edits.size(), 2u);
  EXPECT_TRUE(read->edits[0].now && !read->edits[0].before) << "it was not there";
  EXPECT_TRUE(!read->edits[1].now && read->edits[1].before) << "it was there";
  EXPECT_EQ(read->edits[1].key, std::vector<std::string>{"b"});
}

TEST(DatasetChange, SettlingSaysWhatWasBefore) {
  cep::Dataset table("t", kTableColumns, {0});
  cep::EntryText row;
  row.row = {"1.5", "x"};
  ASSERT_TRUE(table.put(std::vector<std::string>{"1"}, row).ok());
  DatasetChange change{"t", "", 0, {}};
  change.edits.push_back({{"1"}, row, std::nullopt});                      // changes nothing
  row.row = {"2", std::nullopt};
  change.edits.push_back({{"1"}, row, std::nullopt});
  change.edits.push_back({{"1"}, std::nullopt, std::nullopt});
  change.edits.push_back({{"9"}, std::nullopt, std::nullopt});             // was never there
  ASSERT_TRUE(settle_edits(table, change).ok());
  ASSERT_EQ(change.edits.size(), 2u);
  EXPECT_EQ(change.edits[0].now->row[0], "2.00");
  EXPECT_EQ(change.edits[0].before->row[0], "1.50");
  EXPECT_EQ(change.edits[1].before->row[0], "2.00");
  EXPECT_EQ(count_edits(change).changed, 1u);
  EXPECT_EQ(count_edits(change).removed, 1u);
  const auto after = edited(table, change, 3);
  ASSERT_TRUE(after.ok());
  EXPECT_EQ((*after)->size(), 0u);
  EXPECT_EQ((*after)->revision(), 3u);
  EXPECT_EQ(table.size(), 1u) << "the version before is as it was";
  change.edits[0].now->row = {"x", std::nullopt};
  EXPECT_FALSE(settle_edits(table, change).ok());
}

TEST(DatasetChange, LinesReadBack) {
  const DatasetChange change = sample_change();
  std::string line;
  append_change(change, 0, line);
  ASSERT_TRUE(is_edit_line(line)) << line;
  const auto read = read_edit_line(line);
  ASSERT_TRUE(read.ok()) << line;
  EXPECT_EQ(read->dataset, "t");
  ASSERT_EQ(read->edits.size(), 2u);
  EXPECT_EQ(read->edits[0].now, change.edits[0].now);
  EXPECT_EQ(read->edits[0].key, change.edits[0].key);
  EXPECT_EQ(read->edits[1].now, std::nullopt);
  EXPECT_FALSE(is_edit_line(R"({"stream":"s","event":{"$edit":"t"}})"));
  for (const char* bad : {R"({"$edit":5,"edits":[]})", R"({"$edit":"t","edits":{}})", R"({"$edit":"t","edits":[{"key":[null]}]})",
                          R"({"$edit":"t","edits":[{"key":["1"],"now":{"expires":"soon"}}]})", R"({"$edit":"t","edits":[})"}) {
    EXPECT_FALSE(read_edit_line(bad).ok()) << bad;
  }
}

}  // namespace
}  // namespace service
