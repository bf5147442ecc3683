// Codes, the printed block, JSON, positions, and the search for a near name.
#include "patterns/diagnostic.h"

#include <gtest/gtest.h>

#include <set>

namespace patterns {
namespace {

TEST(Codes, AreUniqueAndWellFormed) {
  std::set<std::string_view> codes;
  std::set<std::string> names;
  for (const CodeInfo& row : all_codes()) {
    EXPECT_TRUE(codes.insert(row.code).second) << row.code;
    EXPECT_TRUE(names.insert(std::string(1, row.code[0]) + std::string(row.name)).second) << row.name;
    ASSERT_EQ(row.code.size(), 5u);
    EXPECT_TRUE(row.code[0] == 'E' || row.code[0] == 'W') << row.code;
    EXPECT_LE(row.code[2], '5') << row.code;
    EXPECT_TRUE(row.rule.empty() || row.rule[0] == 'R') << row.code;
  }
  EXPECT_EQ(info(Code::kUnknownField).code, "E0103");
  EXPECT_EQ(info(Code::kUnknownField).name, "unknown-field");
}

TEST(SourceMap, CountsLinesAndCodePointsFromOne) {
  SourceMap sources;
  const FileId file = sources.add("f", "ab\r\n\xC3\xA9x\n");
  EXPECT_EQ(sources.position(file, 0), (Position{1, 1}));
  EXPECT_EQ(sources.position(file, 1), (Position{1, 2}));
  EXPECT_EQ(sources.position(file, 6), (Position{2, 2}));
  EXPECT_EQ(sources.position(file, 999), (Position{3, 1}));
  EXPECT_EQ(sources.line(file, 1), "ab");
  EXPECT_EQ(sources.line(file, 2), "\xC3\xA9x");
  EXPECT_EQ(sources.line(file, 9), "");
}

TEST(Diagnostics, PrintsTheBlockOfTheLanguagePage) {
  SourceMap sources;
  const FileId file =
      sources.add("rules/card_testing.weir", std::string(8, '\n') + "        probe   as amout < 5.00,\n");
  Diagnostics diagnostics;
  diagnostics.add(Code::kUnknownField, {file, 27, 32}, {"amout", "transactions"}).hint = "did you mean `amount`?";
  EXPECT_EQ(to_text(sources, diagnostics.sorted()[0]),
            "error[E0103]: unknown field `amout` on stream `transactions`\n"
            "  --> rules/card_testing.weir:9:20\n"
            "   |\n"
            " 9 |         probe   as amout < 5.00,\n"
            "   |                    ^^^^^ did you mean `amount`?\n");
}

TEST(Diagnostics, CaretsFollowTabsAndCodePoints) {
  SourceMap sources;
  const FileId file = sources.add("f", "\t'\xC3\xA9\xC3\xA9' $");
  Diagnostics diagnostics;
  diagnostics.add(Code::kBadToken, {file, 8, 9}, {"$"});
  EXPECT_EQ(to_text(sources, diagnostics.sorted()[0]),
            "error[E0001]: `$` is no part of the language\n"
            "  --> f:1:7\n"
            "   |\n"
            " 1 | \t'\xC3\xA9\xC3\xA9' $\n"
            "   | \t     ^\n");
}

TEST(Diagnostics, EmptyAndManyLineSpansHaveCarets) {
  SourceMap sources;
  const FileId file = sources.add("f", "abc\ndef");
  Diagnostics diagnostics;
  diagnostics.add(Code::kNeverTrue, {file, 1, 6});
  diagnostics.add(Code::kNeverTrue, {file, 7, 7});
  const std::string text = to_text(sources, diagnostics);
  EXPECT_NE(text.find(" 1 | abc\n   |  ^^\n"), std::string::npos) << text;
  EXPECT_NE(text.find(" 2 | def\n   |    ^\n"), std::string::npos) << text;
  EXPECT_NE(text.find("0 errors, 2 warnings"), std::string::npos) << text;
}

TEST(Diagnostics, ShowsCharactersOfAnyLength) {
  SourceMap sources;
  const FileId file = sources.add("f", "\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80\xE2\x82$");
  Diagnostics diagnostics;
  diagnostics.add(Code::kBadToken, {file, 11, 12}, {"$"});
  EXPECT_EQ(to_text(sources, diagnostics.sorted()[0]),
            "error[E0001]: `$` is no part of the language\n"
            "  --> f:1:6\n"
            "   |\n"
            " 1 | \xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80??$\n"
            "   |      ^\n");
}

TEST(Diagnostics, LongLinesAreCutAroundTheCarets) {
  SourceMap sources;
  const FileId file = sources.add("f", std::string(5000, 'x') + "$" + std::string(5000, 'y'));
  Diagnostics diagnostics;
  diagnostics.add(Code::kBadToken, {file, 5000, 5001}, {"$"});
  const std::string text = to_text(sources, diagnostics.sorted()[0]);
  EXPECT_LT(text.size(), 600u);
  const size_t source = text.find(" 1 | ");
  const size_t line_end = text.find('\n', source);
  EXPECT_EQ(text.find('$', source) - source, text.find('^', line_end) - line_end - 1) << text;
}

TEST(Diagnostics, SortsDropsRepeatsAndSilencesLints) {
  SourceMap sources;
  const FileId file = sources.add("f", std::string(100, ' '));
  Diagnostics diagnostics;
  diagnostics.add(Code::kBadToken, {file, 9, 10}, {"b"});
  diagnostics.add(Code::kGlobal, {file, 5, 6});
  diagnostics.add(Code::kBadToken, {file, 1, 2}, {"a"});
  diagnostics.add(Code::kBadToken, {file, 1, 2}, {"a"});
  EXPECT_EQ(diagnostics.errors(), 2u);
  EXPECT_EQ(diagnostics.warnings(), 1u);
  EXPECT_EQ(diagnostics.sorted().front().span.begin, 1u);
  EXPECT_EQ(diagnostics.silence("E0001", {file, 0, 50}), 0u);
  EXPECT_EQ(diagnostics.silence("W0306", {file, 6, 50}), 0u);
  EXPECT_EQ(diagnostics.silence("W0306", {file, 0, 50}), 1u);
  EXPECT_EQ(diagnostics.warnings(), 0u);
}

TEST(Diagnostics, StopsKeepingButCounts) {
  SourceMap sources;
  sources.add("f", std::string(1000, ' '));
  Diagnostics diagnostics;
  for (uint32_t i = 0; i < kDiagnosticsMax + 7; ++i) diagnostics.add(Code::kBadToken, {0, i, i + 1}, {"x"});
  EXPECT_EQ(diagnostics.sorted().size(), kDiagnosticsMax);
  EXPECT_EQ(diagnostics.dropped(), 7u);
  EXPECT_EQ(diagnostics.errors(), kDiagnosticsMax + 7);
  EXPECT_NE(to_text(sources, diagnostics).find("... and 7 more"), std::string::npos);
}

TEST(Diagnostics, WritesJson) {
  SourceMap sources;
  const FileId file = sources.add("a\"b.weir", "x\ny zz\n");
  Diagnostics diagnostics;
  Diagnostic& it = diagnostics.add(Code::kUnknownField, {file, 4, 6}, {"z\\z", "s\x01"});
  it.notes.push_back({"seen", {file, 0, 1}});
  EXPECT_EQ(
      to_json(sources, diagnostics),
      "[{\"code\": \"E0103\", \"name\": \"unknown-field\", \"severity\": \"error\", "
      "\"message\": \"unknown field `z\\\\z` on stream `s?`\", \"file\": \"a\\\"b.weir\", \"line\": 2, \"column\": 3, "
      "\"end_line\": 2, \"end_column\": 5, \"hint\": null, "
      "\"notes\": [{\"message\": \"seen\", \"line\": 1, \"column\": 1}], \"rule\": \"R41\"}]");
}

TEST(Nearest, PrefersFewEditsThenCase) {
  EXPECT_EQ(nearest("amout", {"account", "amount", "about"}), "amount");
  EXPECT_EQ(nearest("AMOUNT", {"amounts", "amount"}), "amount");
  EXPECT_EQ(nearest("form", {"from"}), "from");
  EXPECT_EQ(nearest("Card", {"CARD", "card"}), "card");
  EXPECT_EQ(nearest("x", {"y"}), "");
  EXPECT_EQ(nearest("merchant", {"country", "card"}), "");
  EXPECT_EQ(did_you_mean("amout", {"amount"}), "did you mean `amount`?");
  EXPECT_EQ(did_you_mean("zzz", {"amount"}), "");
}

}  // namespace
}  // namespace patterns
