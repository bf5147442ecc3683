// tests/conformance: cases whose matches another engine settled. Each runs through the very pipeline of the service, in one
// shard row by row and in four shards in full batches; every match must agree, skip strategies included.
// Cases whose rule uses what the language does not have yet (a diagnostic named not-yet) are counted and printed.
#include <gtest/gtest.h>

#include <algorithm>
#include <charconv>
#include <fstream>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "api/event_body.h"
#include "api/json_rows.h"
#include "api/json_scan.h"
#include "service/pipeline.h"
#include "service/rule_files.h"

namespace service {
namespace {

using Match = std::vector<int64_t>;          // the field `i` of its events, sorted
using Matches = std::multiset<Match>;

struct Case {
  std::string name;
  std::string rule;
  std::vector<std::string> input;            // lines
  std::vector<Match> expected;
  std::vector<Match> same;
};

std::vector<std::string> elements(std::string_view array) {
  std::vector<std::string> all;
  api::JsonScan scan(array);
  std::string_view value;
  for (scan.enter('['); scan.next_element(&value);) all.emplace_back(value);
  EXPECT_TRUE(scan.complete()) << array;
  return all;
}

std::vector<Match> matches_of(std::string_view array) {
  std::vector<Match> all;
  for (const std::string& list : elements(array)) {
    Match& match = all.emplace_back();
    for (const std::string& number : elements(list)) {
      int64_t i = 0;
      std::from_chars(number.data(), number.data() + number.size(), i);
      match.push_back(i);
    }
  }
  return all;
}

Case read_case(const std::string& line) {
  Case one;
  api::JsonScan scan(line);
  std::string_view key;
  std::string_view value;
  for (scan.enter('{'); scan.next_member(&key, &value);) {
    if (key == "case") one.name = value;
    if (key == "rule") {
      EXPECT_TRUE(api::unescape_json(value, one.rule));
    }
    if (key == "input") one.input = elements(value);
    if (key == "expected") one.expected = matches_of(value);
    if (key == "same") one.same = matches_of(value);
  }
  EXPECT_TRUE(scan.complete());
  return one;
}

// Matches in which events that are equal by value count as one.
Matches folded(const std::vector<Match>& matches, const std::vector<Match>& same) {
  std::map<int64_t, int64_t> first;
  for (const Match& group : same) {
    for (const int64_t i : group) first[i] = group.front();
  }
  Matches all;
  for (Match match : matches) {
    for (int64_t& i : match) i = first.contains(i) ? first[i] : i;
    std::sort(match.begin(), match.end());
    all.insert(std::move(match));
  }
  return all;
}

class Feeder {
 public:
  Feeder(const RuleBook& book, uint32_t shards, uint32_t rows_max)
      : schema_(book.streams().begin()->second),
        pipeline_({shards, false, {}}),
        decoder_(schema_),
        rows_(schema_, 0, 0),
        rows_max_(rows_max) {
    pipeline_.apply_rules(book.build());
  }
  std::vector<Match> run(const std::vector<std::string>& lines) {
    uint64_t position = 0;
    for (const std::string& line : lines) {
      api::EventRecord record;
      api::RowError error;
      EXPECT_TRUE(api::read_record(line, schema_->name, &record, &error)) << error.message;
      if (record.is_watermark) {
        flush();
        pipeline_.watermark(record.watermark_us, nullptr);
        continue;
      }
      EXPECT_TRUE(decoder_.append(record.row, position++, rows_, &error)) << error.message;
      if (rows_.rows() == rows_max_) flush();
    }
    flush();
    std::vector<cep::Alert> alerts;
    pipeline_.take_alerts(alerts, true);
    std::vector<Match> matches;
    for (const cep::Alert& alert : alerts) {
      Match& match = matches.emplace_back();
      for (const cep::AlertEvent& event : alert.events) {
        match.push_back(static_cast<int64_t>(event.row().value(0).number));
      }
    }
    return matches;
  }

 private:
  void flush() {
    if (rows_.rows() > 0) pipeline_.feed(rows_.finish());
  }
  cep::SchemaPtr schema_;
  Pipeline pipeline_;
  api::JsonRows decoder_;
  cep::BatchBuilder rows_;
  uint32_t rows_max_;
};

std::string print(const Matches& matches) {
  std::string text;
  for (const Match& match : matches) {
    text += " {";
    for (const int64_t i : match) text += (text.ends_with('{') ? "" : " ") + std::to_string(i);
    text += "}";
  }
  return text;
}

void run_file(const std::string& name) {
  std::ifstream file(std::string(WEIR_SOURCE_DIR) + "/tests/conformance/" + name);
  ASSERT_TRUE(file.is_open());
  size_t agreed = 0;
  for (std::string line; std::getline(file, line);) {
    const Case one = read_case(line);
    SCOPED_TRACE(one.name);
    Compilation compilation;
    compile_texts({{one.name, one.rule}}, compilation);
    ASSERT_TRUE(compilation.ok) << patterns::to_text(compilation.sources, compilation.diagnostics);
    const Matches expected = folded(one.expected, one.same);
    const Matches by_row = folded(Feeder(compilation.book, 1, 1).run(one.input), one.same);
    EXPECT_EQ(by_row, expected) << one.rule << "expected" << print(expected) << "\ngot     " << print(by_row);
    EXPECT_EQ(folded(Feeder(compilation.book, 4, 1024).run(one.input), one.same), by_row) << one.rule;
    agreed += by_row == expected ? 1 : 0;
  }
  std::printf("%s: %zu agreed\n", name.c_str(), agreed);
}

TEST(Conformance, CasesOfFlinkCep) { run_file("flink_cep.jsonl"); }
TEST(Conformance, RandomCases) { run_file("flink_random.jsonl"); }

}  // namespace
}  // namespace service
