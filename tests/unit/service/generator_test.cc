// The generator: the same options give the same lines, times never go back, every line fits its envelope, planted fraud
// is where the truth says, and memory stays bounded.
#include "service/generator.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <set>

#include "api/json_scan.h"
#include "cep/parse.h"

namespace service {
namespace {

constexpr int64_t kFromMs = 1'763'251'200'000;  // 2025-11-16T00:00:00Z

GeneratorOptions options_of(uint64_t seed, uint64_t events) {
  GeneratorOptions options;
  options.seed = seed;
  options.events = events;
  options.from_ms = kFromMs;
  return options;
}

struct Made {
  std::vector<std::string> lines;
  std::vector<int64_t> times_ms;
  std::string truth;
};

Made make(const GeneratorOptions& options) {
  auto generator = Generator::create(options);
  EXPECT_TRUE(generator.ok()) << generator.error().message;
  Made made;
  std::string line;
  while (generator.value()->next(line)) {
    made.lines.push_back(std::exchange(line, {}));
    made.times_ms.push_back(generator.value()->at_ms());
    made.truth += generator.value()->take_truth();
  }
  return made;
}

std::vector<std::string> split(const std::string& text) {
  std::vector<std::string> lines;
  for (size_t at = 0; at < text.size();) {
    const size_t end = text.find('\n', at);
    lines.push_back(text.substr(at, end - at));
    at = end + 1;
  }
  return lines;
}

// The text behind `"name":"`, up to the next quote; empty: no such field.
std::string field(const std::string& line, const std::string& name) {
  const std::string opening = "\"" + name + "\":\"";
  const size_t at = line.find(opening);
  if (at == std::string::npos) return "";
  const size_t begin = at + opening.size();
  return line.substr(begin, line.find('"', begin) - begin);
}

TEST(Random, IsTheSameEverywhere) {
  Random random(7, 1);
  const std::vector<uint64_t> first = {random.next(), random.next(), random.next()};
  EXPECT_EQ(first, (std::vector<uint64_t>{16214367054029960186u, 646985484255291108u, 4982961375971126618u}));
}

TEST(Random, StaysInItsBounds) {
  Random random(1, 1);
  std::set<int64_t> seen;
  for (int i = 0; i < 1000; ++i) seen.insert(random.between(-2, 2));
  EXPECT_EQ(seen, (std::set<int64_t>{-2, -1, 0, 1, 2}));
}

TEST(Generator, SameSeedSameLines) {
  const Made one = make(options_of(7, 20'000));
  const Made two = make(options_of(7, 20'000));
  const Made other = make(options_of(8, 20'000));
  EXPECT_EQ(one.lines, two.lines);
  EXPECT_EQ(one.truth, two.truth);
  EXPECT_NE(one.lines, other.lines);
}

// Guards against library calls that differ from machine to machine. Whoever changes what is generated changes the
// number.
TEST(Generator, TheBytesOfSeedSevenArePinned) {
  uint64_t fnv = 0xcbf29ce484222325;
  for (const std::string& line : make(options_of(7, 50'000)).lines)
    for (const char c : line) fnv = (fnv ^ static_cast<unsigned char>(c)) * 0x100000001b3;
  EXPECT_EQ(fnv, 0x745bfb7ab9a264d1u);
}

TEST(Generator, MakesExactlyAsManyAndNeverGoesBack) {
  const Made made = make(options_of(7, 50'000));
  EXPECT_EQ(made.lines.size(), 50'000u);
  EXPECT_TRUE(std::is_sorted(made.times_ms.begin(), made.times_ms.end()));
  EXPECT_GE(made.times_ms.front(), kFromMs);
  EXPECT_LT(made.times_ms.back(), kFromMs + 50'000 * 1000 / 3);
}

TEST(Generator, LinesAreEnvelopesWithTimeAndLabel) {
  const Made made = make(options_of(7, 50'000));
  std::map<std::string, size_t> streams;
  std::set<std::string> ids;
  for (size_t i = 0; i < made.lines.size(); ++i) {
    const std::string& line = made.lines[i];
    ASSERT_TRUE(line.starts_with("{\"stream\":\"") && line.ends_with("\"}}\n")) << line;
    ++streams[field(line, "stream")];
    EXPECT_TRUE(ids.insert(field(line, "id")).second) << line;
    EXPECT_FALSE(field(line, "label").empty()) << line;
    const auto at = cep::parse_time(field(line, "at"), "UTC");
    ASSERT_TRUE(at.ok()) << line;
    EXPECT_EQ(at.value(), made.times_ms[i] * 1000) << line;
  }
  EXPECT_EQ(streams.size(), kGenStreamNames.size());
}

TEST(Generator, MembersAreWellFormedJson) {
  for (const std::string& line : make(options_of(9, 20'000)).lines) {
    api::JsonScan scan(line);
    std::string_view key;
    std::string_view value;
    size_t members = 0;
    ASSERT_TRUE(scan.enter('{')) << line;
    while (scan.next_member(&key, &value)) ++members;
    ASSERT_FALSE(scan.failed()) << line;
    ASSERT_EQ(members, 2u) << line;
  }
}

TEST(Generator, TruthNamesEventsThatAreThere) {
  const Made made = make(options_of(7, 200'000));
  std::map<std::string, std::string> label_of;
  for (const std::string& line : made.lines) label_of[field(line, "id")] = field(line, "label");
  size_t ids = 0;
  for (const std::string& truth : split(made.truth)) {
    const std::string rule = field(truth, "rule");
    for (size_t at = truth.find("\"ids\":[") + 6; at < truth.size() && truth[at] != ']';) {
      const size_t begin = truth.find('"', at) + 1;
      const size_t end = truth.find('"', begin);
      EXPECT_EQ(label_of[truth.substr(begin, end - begin)], rule) << truth;
      at = end + 1;
      ++ids;
    }
  }
  EXPECT_GT(ids, 200u);
}

TEST(Generator, EveryRuleIsPlantedOftenInAMillionEvents) {
  for (const uint64_t seed : {7, 8}) {
    std::map<std::string, size_t> planted;
    auto generator = Generator::create(options_of(seed, 1'000'000));
    std::string truth;
    for (std::string line; generator.value()->next(line); line.clear()) truth += generator.value()->take_truth();
    for (const std::string& told : split(truth)) ++planted[field(told, "rule")];
    for (const std::string_view rule : planted_rules())
      EXPECT_GE(planted[std::string(rule)], 25u) << rule << ", seed " << seed;
  }
}

TEST(Generator, WritesOnlyTheWantedStreams) {
  GeneratorOptions options = options_of(7, 50'000);
  options.streams = {"mfa", "orders"};
  const Made made = make(options);
  std::set<std::string> streams;
  for (const std::string& line : made.lines) streams.insert(field(line, "stream"));
  EXPECT_EQ(made.lines.size(), 50'000u);
  EXPECT_EQ(streams, (std::set<std::string>{"mfa", "orders"}));
  for (const std::string& truth : split(made.truth)) EXPECT_TRUE(field(truth, "rule").starts_with("mfa_")) << truth;
  EXPECT_FALSE(made.truth.empty());
}

TEST(Generator, WithoutFraudAllIsNormal) {
  GeneratorOptions options = options_of(7, 20'000);
  options.fraud = 0;
  const Made made = make(options);
  for (const std::string& line : made.lines) EXPECT_EQ(field(line, "label"), "normal");
  EXPECT_EQ(made.truth, "");
}

// A million events in a tenth of a second of event time: what waits for hours waits for ever, and stops being planted.
TEST(Generator, WaitingLinesAreBounded) {
  GeneratorOptions options = options_of(7, 1'000'000);
  options.rate_per_s = 1e7;
  options.fraud = Generator::kFraudMax;
  auto generator = Generator::create(options);
  size_t lines = 0;
  size_t waiting_max = 0;
  for (std::string line; generator.value()->next(line); line.clear()) {
    ++lines;
    waiting_max = std::max(waiting_max, generator.value()->waiting());
  }
  EXPECT_EQ(lines, 1'000'000u);
  EXPECT_LE(waiting_max, PendingLines::kPendingLinesMax);
  EXPECT_GT(waiting_max, PendingLines::kPendingLinesMax / 2) << "the bound was not tried";
}

TEST(PendingLines, OldestFirstThenAsAdded) {
  PendingLines pending;
  pending.add(20, false, "late");
  pending.add(10, false, "a");
  pending.add(10, true, "b");
  EXPECT_EQ(pending.due(9), nullptr);
  std::string order;
  while (const PendingLines::Line* line = pending.due(20)) {
    order += line->text + " ";
    pending.pop();
  }
  EXPECT_EQ(order, "a b late ");
}

TEST(Generator, RefusesNonsense) {
  const auto code = [](auto change) {
    GeneratorOptions options = options_of(1, 10);
    change(options);
    const auto generator = Generator::create(options);
    return generator.ok() ? std::string("made") : generator.error().code;
  };
  EXPECT_EQ(code([](GeneratorOptions& o) { o.events = 0; }), "bad_option");
  EXPECT_EQ(code([](GeneratorOptions& o) { o.rate_per_s = 0; }), "bad_option");
  EXPECT_EQ(code([](GeneratorOptions& o) { o.keys = 0; }), "bad_option");
  EXPECT_EQ(code([](GeneratorOptions& o) { o.fraud = 0.5; }), "bad_option");
  EXPECT_EQ(code([](GeneratorOptions& o) { o.streams = {"transactons"}; }), "bad_option");
  EXPECT_EQ(code([](GeneratorOptions& o) { o.from_ms = int64_t{8'000'000'000'000}; }), "bad_option");
  EXPECT_EQ(code([](GeneratorOptions&) {}), "made");
}

}  // namespace
}  // namespace service
