// What editors are told of the language agrees with it: the TextMate grammar's keywords are the lexer's, each has a line of help, and
// places in broken text are answered.
#include <gtest/gtest.h>

#include <fstream>
#include <iterator>
#include <set>

#include "patterns/assist.h"
#include "patterns/word_help.h"

namespace patterns {
namespace {

TEST(Editors, EveryReservedWordHasHelp) {
  std::set<std::string_view> helped;
  for (const WordHelp& it : kWordHelp) {
    EXPECT_TRUE(helped.insert(it.word).second) << it.word;
    EXPECT_FALSE(it.help.empty()) << it.word;
  }
  for (const std::string_view word : reserved_words()) EXPECT_TRUE(helped.contains(word)) << word;
}

TEST(Editors, TheGrammarKnowsTheLexersKeywords) {
  std::ifstream file(std::string(WEIR_SOURCE_DIR) + "/editors/weir.tmLanguage.json");
  const std::string text(std::istreambuf_iterator<char>(file), {});
  std::string expected = "(?i)\\\\b(?:";
  for (const std::string_view word : reserved_words()) expected += std::string(word) + (word == reserved_words().back() ? "" : "|");
  EXPECT_NE(text.find("\"" + expected + ")\\\\b\""), std::string::npos) << expected;
}

class AssistTest : public testing::Test {
 protected:
  // The place is where `~` stands in the text.
  Assist at_mark(std::string text) {
    offset_ = static_cast<uint32_t>(text.find('~'));
    text.erase(offset_, 1);
    file_ = sources_.add("f", kStreams + text);
    offset_ += static_cast<uint32_t>(kStreams.size());
    return Assist(sources_, {&file_, 1}, file_);
  }
  std::string hover(const std::string& text) {
    const auto found = at_mark(text).hover(offset_);
    return found ? found->text : "";
  }
  std::set<std::string> labels(const std::string& text) {
    std::set<std::string> all;
    for (const Completion& it : at_mark(text).completions(offset_)) all.insert(it.label);
    return all;
  }

  const std::string kStreams =
      "create stream s (card text, amount int, at timestamp not null) event time at;"
      "create stream logins (user text, at timestamp not null) event time at; create list l of text; "
      "create table t (k text, v int) key k; ";
  SourceMap sources_;
  FileId file_ = 0;
  uint32_t offset_ = 0;
};

TEST_F(AssistTest, HoverSaysWhatAWordIs) {
  EXPECT_EQ(hover("create rule r on s when am~ount > 5"), "`amount int`, a field of stream `s`");
  EXPECT_EQ(hover("create rule r on s when amount > 5~"), "");
  EXPECT_EQ(hover("create rule r on s pattern a -> ~b define b as amount > 5"), "variable `b`: `amount > 5`");
  EXPECT_EQ(hover("create rule r on s pattern ~a -> b define b as amount > 5"), "variable `a`: fits every event");
  EXPECT_EQ(hover("create rule r on s pattern a -> b subset ~t = (a, b)"), "subset `t`: the events of `a, b`");
  EXPECT_EQ(hover("create rule r on s, logins as x pattern a -> b define a as x where true, b as user = a.us~er"),
            "`user text`, a field of stream `logins`");
  EXPECT_EQ(hover("create rule r on s when card in @~l"), "list `l` of text");
  EXPECT_EQ(hover("create rule r on s when @~t[card].v = 1"), "table `t`\n\n* `k text`, of the key\n* `v int`");
  EXPECT_EQ(hover("create rule r on s when len~gth(card) > 1"), "`length(text)`: number of code points");
  EXPECT_NE(hover("create rule r on s pattern a -~> b").find("next event"), std::string::npos);
  EXPECT_NE(hover("create rule r on ~s").find("* `card text`"), std::string::npos);
}

TEST_F(AssistTest, CompletionKnowsWhereItIs) {
  EXPECT_EQ(labels("create rule r on s when card in @~"), (std::set<std::string>{"l", "t"}));
  EXPECT_EQ(labels("create rule r on s when @t[substring(card, 1)].~ = 1"), (std::set<std::string>{"k", "v"}));
  EXPECT_EQ(labels("create rule r on s when ].~ = 1"), std::set<std::string>{});
  EXPECT_EQ(labels("create rule r on s, logins as x pattern a define a as x where true and a.~"), (std::set<std::string>{"user", "at"}));
  EXPECT_EQ(labels("create rule r on s, logins as x pattern a define a as x where true and a.us~ > 5"),
            (std::set<std::string>{"user", "at"}));
  const std::set<std::string> all = labels("create rule r on s pattern probe -> b define b as ~");
  for (const char* const label : {"probe", "amount", "s", "logins", "l", "length", "count", "within"}) {
    EXPECT_TRUE(all.contains(label)) << label;
  }
  EXPECT_FALSE(all.contains("user")) << "the rule does not read that stream";
  EXPECT_TRUE(labels("~").contains("create"));
}

}  // namespace
}  // namespace patterns
