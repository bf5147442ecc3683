// Markdown pages as scripts: which fences are run, with which lines, and what they see of one another.
#include "service/script_page.h"

#include <gtest/gtest.h>

namespace service {
namespace {

constexpr const char* kPage =
    "# A page\n"                                                                        // 1
    "```weir\n"                                                                         // 2
    "create stream e (x text not null, at timestamp not null) event time at;\n"         // 3
    "create rule seen on e partition by x when x = 'a' suppress 1 hour alert message 'm';\n"
    "```\n"                                                                             // 5
    "```sh\n"                                                                           // 6
    "```weir\n"                                                                         // 7: text of the fence above
    "```\n"                                                                             // 8
    "  ~~~~ weir-test\n"                                                                // 9
    "use stream e\n"
    "rule <<\n"
    "create rule r on e partition by x when x = 'a' suppress 1 hour alert message 'm';\n"
    ">>\n"
    "events\n"                                                                          // 14
    "+0s e {\"x\": \"a\"}\n"
    "----\n"
    "+0s r x=a [event +0s]\n"
    "~~~\n"
    "~~~~\n"                                                                            // 19
    "```weir\n"                                                                         // 20
    "create rule wrong on e partition by x when y = 'a' suppress 1 hour alert message 'm';\n"
    "```\n";

ScriptPage parsed(const std::string& text) {
  const cep::Result<ScriptPage> page = parse_page("p.md", text);
  EXPECT_TRUE(page.ok());
  return page.ok() ? *page : ScriptPage();
}

TEST(ScriptPage, FindsItsFences) {
  const ScriptPage page = parsed(kPage);
  ASSERT_EQ(page.fences.size(), 3u);
  EXPECT_FALSE(page.fences[0].is_script);
  EXPECT_TRUE(page.fences[1].is_script);
  EXPECT_EQ(page.fences[1].begin, 9u);
  EXPECT_EQ(page.fences[1].end, 18u);
}

TEST(ScriptPage, AFenceKeepsItsLinesAndSeesTheDeclarationsAbove) {
  const ScriptPage page = parsed(kPage);
  const cep::Result<Script> script = fence_script(page, page.fences[1]);
  ASSERT_TRUE(script.ok()) << script.error().message;
  ASSERT_EQ(script->cases.size(), 1u);
  EXPECT_EQ(script->cases[0].blocks[0].line, 14u);
  EXPECT_EQ(script->cases[0].blocks[0].expected, (std::vector<std::string>{"+0s r x=a [event +0s]", "~~~"}));   // ends no fence of four
  EXPECT_NE(script->above.find("create stream e"), std::string::npos);
  EXPECT_EQ(script->above.find("create rule"), std::string::npos);
}

TEST(ScriptPage, ChecksRuleTextAtThePagesLines) {
  const ScriptPage page = parsed(kPage);
  EXPECT_EQ(check_fence(page, page.fences[0]), "");
  const std::string complaint = check_fence(page, page.fences[2]);
  EXPECT_NE(complaint.find("E0103"), std::string::npos) << complaint;
  EXPECT_NE(complaint.find("p.md:21:"), std::string::npos) << complaint;
}

TEST(ScriptPage, AWarningIsAComplaint) {
  const ScriptPage page = parsed("```weir\ncreate stream e (x text, at timestamp not null) event time at unique x;\n```\n");
  EXPECT_NE(check_fence(page, page.fences[0]).find("W0304"), std::string::npos);
}

TEST(ScriptPage, AFenceThatIsNotClosedSaysWhere) {
  const cep::Result<ScriptPage> page = parse_page("p.md", "text\n```weir-test\nevents\n");
  ASSERT_FALSE(page.ok());
  EXPECT_EQ(page.error().message, "p.md:2: this fence is not closed: write ``` below it");
}

}  // namespace
}  // namespace service
