// Entries as people write them: lines, CSV, JSON rows; what is wrong with them and where.
#include "service/dataset_text.h"

#include <gtest/gtest.h>

namespace service {
namespace {

constexpr cep::Type kTextType{cep::TypeKind::kText, 0, 0};
constexpr cep::Type kIntType{cep::TypeKind::kInt, 0, 0};
constexpr cep::Type kBoolType{cep::TypeKind::kBool, 0, 0};

cep::Dataset table_of_rows() {
  return {"t", {{"k", kTextType, false, ""}, {"n", kIntType, true, ""}, {"w", kTextType, false, ""}, {"b", kBoolType, false, ""}}, {0}};
}

std::string csv_refusal(const cep::Dataset& dataset, std::string_view text, EntryForm form = EntryForm::kCsv) {
  const auto read = read_entries(dataset, text, form);
  return read.ok() ? "" : read.error().message;
}

std::string row_refusal(std::string_view json, const std::vector<std::string>* key = nullptr) {
  const auto read = read_row(table_of_rows(), json, key);
  return read.ok() ? "" : read.error().message;
}

TEST(DatasetText, LinesOfAList) {
  const cep::Dataset list("l", {kTextType});
  const auto read = read_entries(list, "# comment\r\n\r\na,b\r\n  c\n\"q\"\"d\"\n", EntryForm::kLines);
  ASSERT_TRUE(read.ok());
  ASSERT_EQ(read->size(), 3u);
  EXPECT_EQ((*read)[0].key, std::vector<std::string>{"a,b"});
  EXPECT_EQ((*read)[1].key, std::vector<std::string>{"  c"});
  EXPECT_EQ((*read)[2].key, std::vector<std::string>{"q\"d"});
}

TEST(DatasetText, CsvOfAList) {
  const cep::Dataset pairs("p", {kTextType, kIntType});
  const auto read = read_entries(pairs, "a, 1\n\"b,\nc\",2,desk,,2026-01-05T00:00:00Z", EntryForm::kCsv);
  ASSERT_TRUE(read.ok()) << read.error().message;
  ASSERT_EQ(read->size(), 2u);
  EXPECT_EQ((*read)[0].key, (std::vector<std::string>{"a", "1"}));
  EXPECT_EQ((*read)[1].key, (std::vector<std::string>{"b,\nc", "2"}));
  EXPECT_EQ((*read)[1].now->owner, "desk");
  EXPECT_EQ((*read)[1].now->comment, "");
  EXPECT_EQ((*read)[1].now->expires_us, 1'767'571'200'000'000);
  EXPECT_EQ(csv_refusal(pairs, "a,1\n\"b,\nc\",2\nd\n").find("line 4: "), 0u);
  EXPECT_EQ(csv_refusal(pairs, "a,x\n"), "line 1: list p: 'x' is not a value of type int");
  EXPECT_EQ(csv_refusal(pairs, "a,1,o,c,soon\n").find("line 1: expires: "), 0u);
  EXPECT_EQ(csv_refusal(pairs, "\"a\"b,1\n"), "line 1: a quote is not closed, or text follows it");
}

TEST(DatasetText, CsvOfATable) {
  const auto read = read_entries(table_of_rows(), "n,owner,k,w\n1,desk,a,\n2,,b,\"\"\n", EntryForm::kCsv);
  ASSERT_TRUE(read.ok()) << read.error().message;
  ASSERT_EQ(read->size(), 2u);
  EXPECT_EQ((*read)[0].key, std::vector<std::string>{"a"});
  EXPECT_EQ((*read)[0].now->row, (std::vector<std::optional<std::string>>{"1", std::nullopt, std::nullopt}));
  EXPECT_EQ((*read)[0].now->owner, "desk");
  EXPECT_EQ((*read)[1].now->row[1], "") << "a quoted empty field is the empty text";
  EXPECT_EQ(csv_refusal(table_of_rows(), ""), "the CSV of table t has no header");
  EXPECT_EQ(csv_refusal(table_of_rows(), "n,w\n"), "line 1: the header has no key column `k`");
  EXPECT_EQ(csv_refusal(table_of_rows(), "k,n,z\n"), "line 1: table t has no column `z`");
  EXPECT_EQ(csv_refusal(table_of_rows(), "k,n,k\n"), "line 1: column `k` stands twice in the header");
  EXPECT_EQ(csv_refusal(table_of_rows(), "k,n\na\n"), "line 2: 1 fields, the header has 2");
  EXPECT_EQ(csv_refusal(table_of_rows(), "k,n\n,1\n"), "line 2: key column `k` has no value");
  EXPECT_EQ(csv_refusal(table_of_rows(), "k,n\na,\n"), "line 2: table t: column n must have a value");
}

TEST(DatasetText, RowsInJson) {
  const std::vector<std::string> key = {"a"};
  const auto read = read_row(table_of_rows(), R"({"n": "7", "w": "x\ny", "b": true})", &key);
  ASSERT_TRUE(read.ok()) << read.error().message;
  EXPECT_EQ(read->key, key);
  EXPECT_EQ(read->now->row, (std::vector<std::optional<std::string>>{"7", "x\ny", "true"}));
  const auto whole = read_row(table_of_rows(), R"({"k": "a", "n": 7, "w": null})", nullptr);
  ASSERT_TRUE(whole.ok());
  EXPECT_EQ(whole->key, key);
  EXPECT_EQ(row_refusal(R"({"k": "b", "n": 7})", &key), "column k is of the key, which is given already");
  EXPECT_EQ(row_refusal(R"({"n": 7})"), "key column k must have a value");
  EXPECT_EQ(row_refusal(R"({"k": 5, "n": 7})"), "column k: `5` is no text");
  EXPECT_EQ(row_refusal(R"({"k": "a", "n": true})"), "column n: `true` is no int");
  EXPECT_EQ(row_refusal(R"({"k": "a", "n": [7]})"), "column n: `[7]` is no int");
  EXPECT_EQ(row_refusal(R"({"k": "a", "n": 7, "n": 8})"), "column n is given twice");
  EXPECT_EQ(row_refusal(R"({"k": "a", "z": 7})"), "table t has no column `z`");
  EXPECT_EQ(row_refusal("[]"), "a row of table t is a JSON object of its columns");
  EXPECT_EQ(row_refusal(R"({"k": "a", "n": 7)"), "a row of table t is a JSON object of its columns");
}

}  // namespace
}  // namespace service
