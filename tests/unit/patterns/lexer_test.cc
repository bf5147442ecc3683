// Tokens, comments, and the mistakes that are found in the bytes alone.
#include "patterns/lexer.h"

#include <gtest/gtest.h>

namespace patterns {
namespace {

struct Lexed {
  SourceMap sources;
  Diagnostics diagnostics;
  Tokens tokens;
  explicit Lexed(const std::string& text) {
    const FileId file = sources.add("t", text);
    tokens = tokenize(sources, file, diagnostics);
  }
  std::vector<std::string> texts() const {
    std::vector<std::string> out;
    for (const Token& it : tokens.tokens) out.push_back(token_text(sources, it));
    out.pop_back();
    return out;
  }
  std::string first_code() const {
    return diagnostics.empty() ? "" : std::string(info(diagnostics.sorted()[0].code).code);
  }
};

using Texts = std::vector<std::string>;

TEST(Lexer, SplitsMarksLongestFirst) {
  EXPECT_EQ(Lexed("a->b->>c-d<=e<>f!=g||h|i").texts(),
            (Texts{"a", "->", "b", "->>", "c", "-", "d", "<=", "e", "<>", "f", "!=", "g", "||", "h", "|", "i"}));
}

TEST(Lexer, ReadsNamesStringsAndNumbers) {
  const Lexed it("_x9 \"a \"\"b\"\"\" 'it''s' 5 5.00 5e0 1.5E-3");
  EXPECT_EQ(it.texts(), (Texts{"_x9", "a \"b\"", "it's", "5", "5.00", "5e0", "1.5E-3"}));
  EXPECT_TRUE(it.diagnostics.empty());
  EXPECT_TRUE(it.tokens.tokens[1].quoted);
}

TEST(Lexer, ReservedWordsInAnyCaseUnlessQuoted) {
  const Lexed it("WHERE where \"where\" match severity");
  EXPECT_TRUE(it.tokens.tokens[0].reserved);
  EXPECT_TRUE(it.tokens.tokens[1].reserved);
  EXPECT_FALSE(it.tokens.tokens[2].reserved);
  EXPECT_FALSE(it.tokens.tokens[3].reserved);
  EXPECT_FALSE(it.tokens.tokens[4].reserved);
}

TEST(Lexer, KeepsCommentsAside) {
  const Lexed it("-- one\na /* two\nlines */ b -- three \n");
  EXPECT_EQ(it.texts(), (Texts{"a", "b"}));
  ASSERT_EQ(it.tokens.comments.size(), 3u);
  EXPECT_EQ(it.tokens.comments[0].text, "-- one");
  EXPECT_FALSE(it.tokens.comments[0].trailing);
  EXPECT_EQ(it.tokens.comments[1].text, "/* two\nlines */");
  EXPECT_EQ(it.tokens.comments[2].text, "-- three");
  EXPECT_TRUE(it.tokens.comments[2].trailing);
}

TEST(Lexer, GluedUnitIsReportedAndUnderstood) {
  const Lexed it("5m");
  EXPECT_EQ(it.first_code(), "E0006");
  EXPECT_EQ(it.diagnostics.sorted()[0].hint, "write `5 minutes`");
  EXPECT_EQ(it.texts(), (Texts{"5", "m"}));
  EXPECT_TRUE(it.tokens.tokens[1].repaired);
}

TEST(Lexer, BadNumbersGetTheirHint) {
  EXPECT_EQ(Lexed(".5").diagnostics.sorted().at(0).hint, "write `0.5`");
  EXPECT_EQ(Lexed("1.").diagnostics.sorted().at(0).hint, "write `1.0`");
  EXPECT_EQ(Lexed("1_000").diagnostics.sorted().at(0).hint, "write `1000`");
  EXPECT_EQ(Lexed("1e").first_code(), "E0006");
}

TEST(Lexer, UnclosedThingsEndWhereTheyCan) {
  const Lexed text("'open\nnext");
  EXPECT_EQ(text.first_code(), "E0002");
  EXPECT_EQ(text.texts(), (Texts{"open", "next"}));
  EXPECT_EQ(Lexed("\"open\nnext").first_code(), "E0003");
  EXPECT_EQ(Lexed("a /* b").first_code(), "E0004");
  EXPECT_EQ(Lexed("\"\"").first_code(), "E0025");
}

TEST(Lexer, MistypedArrowIsAnArrowInAPatternOnly) {
  const Lexed in_pattern("pattern a --> b");
  EXPECT_EQ(in_pattern.first_code(), "E0005");
  EXPECT_EQ(in_pattern.tokens.tokens[2].kind, TokenKind::kSkipArrow);
  const Lexed outside("x --> says nothing\ny");
  EXPECT_EQ(outside.first_code(), "E0005");
  EXPECT_EQ(outside.texts(), (Texts{"x", "y"}));
}

TEST(Lexer, ForeignBytesAreOneBadToken) {
  const Lexed it("a $$ b \xC3\xA9");
  EXPECT_EQ(it.texts(), (Texts{"a", "$$", "b", "\xC3\xA9"}));
  EXPECT_EQ(it.diagnostics.errors(), 2u);
  EXPECT_EQ(Lexed("a == b").diagnostics.sorted().at(0).hint, "write `=`");
  EXPECT_EQ(Lexed("a && b").diagnostics.sorted().at(0).hint, "write `and`");
}

}  // namespace
}  // namespace patterns
