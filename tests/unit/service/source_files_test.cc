// Event files: forms, packing, merging, positions, and what is refused.
#include "service/source_files.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>

#include "service/rule_files.h"

namespace service {
namespace {

namespace fs = std::filesystem;

class SourceFilesTest : public testing::Test {
 protected:
  void SetUp() override {
    directory_ = fs::path(testing::TempDir()) /
                 ("weir_source_files_" + std::string(testing::UnitTest::GetInstance()->current_test_info()->name()));
    fs::create_directories(directory_);
    Compilation compilation;
    compile_texts({{"s.weir",
                    "create stream a (i int not null, x text, at timestamp not null) event time at;\n"
                    "create stream b (i int not null, x text, at timestamp not null) event time at;\n"}},
                  compilation);
    ASSERT_TRUE(compilation.ok);
    schemas_ = compilation.book.streams();
  }
  void TearDown() override { fs::remove_all(directory_); }

  std::string file(const std::string& name, const std::string& text) {
    std::ofstream(directory_ / name, std::ios::binary) << text;
    return (directory_ / name).string();
  }

  // "a 0,1,2 @0 | watermark 5 | ...": the steps with the rows' `i` and the position of the first.
  std::string read(const std::vector<EventFile>& files, const Schemas& schemas, uint32_t rows_max = 1024) {
    auto source = SourceFiles::open(files, schemas, rows_max);
    if (!source) return source.error().code;
    std::string all;
    while (true) {
      const auto step = (*source)->next();
      if (!step) return step.error().code;
      for (RejectedRecord& record : (*source)->take_rejected()) rejected_.push_back(std::move(record));
      if (!*step) break;
      all += all.empty() ? "" : " | ";
      if ((*step)->batch == nullptr) {
        all += "watermark " + std::to_string((*step)->watermark / 1000) + ((*step)->stream ? " " + *(*step)->stream : "");
        continue;
      }
      const cep::Batch& batch = *(*step)->batch;
      all += batch.schema->name + " ";
      for (uint32_t row = 0; row < batch.rows(); ++row) {
        all += (row == 0 ? "" : ",") + std::to_string(static_cast<int64_t>(batch.value(row, 0).number));
      }
      all += " @" + std::to_string(batch.position[0]);
    }
    return all;
  }
  std::string read(const std::string& path, const std::string& stream, uint32_t rows_max = 1024) {
    return read(std::vector<EventFile>{{path, stream}}, schemas_, rows_max);
  }
  Schemas only_a() const { return {{"a", schemas_.at("a")}}; }

  fs::path directory_;
  Schemas schemas_;
  std::vector<RejectedRecord> rejected_;
};

std::string row(int i, int ms) { return "{\"i\":" + std::to_string(i) + ",\"at\":" + std::to_string(ms) + "}\n"; }

TEST_F(SourceFilesTest, PlainEventsOfOneStreamInBatches) {
  const std::string path = file("a.ndjson", row(0, 1) + row(1, 2) + "\n  \r\n" + row(2, 3));
  EXPECT_EQ(read(path, "a"), "a 0,1,2 @0");
  EXPECT_EQ(read(path, "a", 2), "a 0,1 @0 | a 2 @2");
  EXPECT_EQ(read(path, "a", 1), "a 0 @0 | a 1 @1 | a 2 @2");
}

TEST_F(SourceFilesTest, TheLastLineNeedsNoLineBreak) {
  EXPECT_EQ(read(file("a.jsonl", row(0, 1) + "{\"i\":1,\"at\":2}"), "a"), "a 0,1 @0");
  EXPECT_EQ(read(file("empty.ndjson", ""), "a"), "");
}

TEST_F(SourceFilesTest, EnvelopesAndWatermarksKeepTheirOrder) {
  const std::string path = file("all.ndjson",
                                "{\"stream\":\"a\",\"event\":{\"i\":0,\"at\":1}}\n"
                                "{\"stream\":\"b\",\"event\":{\"i\":1,\"at\":1}}\n"
                                "{\"$watermark\":5}\n"
                                "{\"$watermark\":\"1970-01-01T00:00:00.007Z\",\"stream\":\"b\"}\n"
                                "{\"stream\":\"b\",\"event\":{\"i\":2,\"at\":9}}\n");
  EXPECT_EQ(read(path, ""), "a 0 @0 | b 1 @1 | watermark 5 | watermark 7 b | b 2 @2");
}

TEST_F(SourceFilesTest, OneDeclaredStreamNeedsNoName) {
  EXPECT_EQ(read({{file("plain.ndjson", "{\"$watermark\":1}\n" + row(0, 1)), ""}}, only_a()), "watermark 1 | a 0 @0");
  EXPECT_EQ(read({{file("envelopes.ndjson", "{\"stream\":\"a\",\"event\":{\"i\":0,\"at\":1}}\n"), ""}}, only_a()), "a 0 @0");
}

TEST_F(SourceFilesTest, BadRecordsAreRejectedAndCounted) {
  const std::string path = file("a.ndjson", row(0, 1) + "{\"i\":\"x\",\"at\":2}\nnot json\n" + row(3, 4) + "{\"at\":2}\n");
  EXPECT_EQ(read(path, "a"), "a 0,3 @0");
  ASSERT_EQ(rejected_.size(), 3u);
  EXPECT_EQ(rejected_[0].record, 1u);
  EXPECT_EQ(api::event_code_name(rejected_[0].error.code), "wrong_type");
  EXPECT_EQ(rejected_[0].error.field, "i");
  EXPECT_EQ(rejected_[1].record, 2u);
  EXPECT_EQ(api::event_code_name(rejected_[1].error.code), "bad_json");
  EXPECT_EQ(rejected_[2].record, 4u);
  EXPECT_EQ(api::event_code_name(rejected_[2].error.code), "not_null");
}

TEST_F(SourceFilesTest, UnknownStreamsOfEnvelopesAreRejected) {
  EXPECT_EQ(read(file("all.ndjson", "{\"stream\":\"c\",\"event\":{}}\n"), ""), "");
  ASSERT_EQ(rejected_.size(), 1u);
  EXPECT_EQ(rejected_[0].stream, "c");
  EXPECT_EQ(api::event_code_name(rejected_[0].error.code), "unknown_stream");
}

TEST_F(SourceFilesTest, ALineBeyondTheLimitIsSkipped) {
  const std::string path = file("a.ndjson", row(0, 1) + "{\"x\":\"" + std::string(3 << 20, 'y') + "\"}\n" + row(2, 3));
  EXPECT_EQ(read(path, "a"), "a 0,2 @0");
  ASSERT_EQ(rejected_.size(), 1u);
  EXPECT_EQ(rejected_[0].record, 1u);
  EXPECT_EQ(api::event_code_name(rejected_[0].error.code), "too_large");
}

TEST_F(SourceFilesTest, CsvHasAHeader) {
  EXPECT_EQ(read(file("a.csv", "at,x,i,other\n1,\"a \"\"b\"\",\nc\",0,z\n"), "a"), "a 0 @0");
  EXPECT_TRUE(rejected_.empty());
  EXPECT_EQ(read(file("bad.csv", "at,x,i\n1,a\"b,0\n2,c\n3,d,2\n"), "a"), "a 2 @2");
  EXPECT_EQ(rejected_.size(), 2u) << "a quote inside a field, a record that is too short";
  EXPECT_EQ(read(file("b.csv", "at,x,i\n1,\"one\ntwo\",0\n2,,1\r\n"), "a"), "a 0,1 @0");
  EXPECT_EQ(read(file("c.csv", ""), "a"), "bad_csv");
  EXPECT_EQ(read(file("d.csv", "at,i\n1,0\n"), ""), "unknown_stream");
}

TEST_F(SourceFilesTest, PackedFilesAreToldByTheirFirstBytes) {
  std::string text;
  for (int i = 0; i < 5000; ++i) text += row(i, i);
  const std::string plain = file("a.ndjson", text);
  const std::string expected = read(plain, "a");
  ASSERT_EQ(std::system(("gzip -k " + plain + " && zstd -q -k " + plain).c_str()), 0);
  EXPECT_EQ(read(plain + ".gz", "a"), expected);
  EXPECT_EQ(read(plain + ".zst", "a"), expected);
  fs::resize_file(plain + ".gz", fs::file_size(plain + ".gz") / 2);
  fs::resize_file(plain + ".zst", fs::file_size(plain + ".zst") / 2);
  EXPECT_EQ(read(plain + ".gz", "a"), "bad_archive");
  EXPECT_EQ(read(plain + ".zst", "a"), "bad_archive");
}

TEST_F(SourceFilesTest, FilesAreMergedByTheTimeOfTheirNextRecord) {
  const std::string a = file("a.ndjson", row(0, 10) + row(1, 30) + row(2, 20) + row(3, 50));
  const std::string b = file("b.ndjson", row(10, 10) + row(11, 25) + "{\"$watermark\":40}\n" + row(12, 60));
  // Ties by the order of the arguments; the disorder inside a file stays: 2 comes right behind 1.
  EXPECT_EQ(read({{a, "a"}, {b, "b"}}, schemas_), "a 0 @0 | b 10,11 @1 | a 1,2 @3 | watermark 40 | a 3 @5 | b 12 @6");
  EXPECT_EQ(read({{b, "b"}, {a, "a"}}, schemas_), "b 10 @0 | a 0 @1 | b 11 @2 | a 1,2 @3 | watermark 40 | a 3 @5 | b 12 @6");
}

TEST_F(SourceFilesTest, RejectedRecordsHaveTheirPlaceInTheMergedOrder) {
  const std::string a = file("a.ndjson", row(0, 10) + "bad\n" + row(2, 30));
  const std::string b = file("b.ndjson", row(10, 20));
  EXPECT_EQ(read({{a, "a"}, {b, "b"}}, schemas_), "a 0 @0 | b 10 @1 | a 2 @3");
}

TEST_F(SourceFilesTest, ArgumentsNameAStreamOrNot) {
  EXPECT_EQ(parse_event_file("a=x.ndjson", schemas_).stream, "a");
  EXPECT_EQ(parse_event_file("a=x.ndjson", schemas_).path, "x.ndjson");
  EXPECT_EQ(parse_event_file("nobody=x.ndjson", schemas_).stream, "nobody");
  EXPECT_EQ(parse_event_file("dir/k=v/x.ndjson", schemas_).path, "dir/k=v/x.ndjson");
  EXPECT_EQ(read(file("x.ndjson", ""), "nobody"), "unknown_stream");
  EXPECT_EQ(read(file("x.parquet", ""), "a"), "unknown_format");
  EXPECT_EQ(read((directory_ / "absent.ndjson").string(), "a"), "not_found");
}

}  // namespace
}  // namespace service
