// The language server: places in UTF-16, and that no message ends it or goes unanswered. tests/e2e/lsp_test.sh drives it over a pipe.
#include <gtest/gtest.h>

#include "service/lsp_server.h"
#include "service/lsp_text.h"

namespace service {
namespace {

TEST(LspText, PlacesAreCountedInUtf16) {
  const std::string text = "a\xC3\xA9\xF0\x9F\x98\x80z\r\nb\rc\n";       // a, e acute, a face, z
  const struct {
    uint32_t offset;
    LspPosition position;
  } places[] = {{0, {0, 0}},  {1, {0, 1}},  {3, {0, 2}},  {7, {0, 4}},  {8, {0, 5}},
                {10, {1, 0}}, {11, {1, 1}}, {12, {2, 0}}, {13, {2, 1}}, {14, {3, 0}}};
  for (const auto& [offset, position] : places) {
    EXPECT_EQ(position_of(text, offset), position) << offset;
    EXPECT_EQ(offset_of(text, position), offset) << offset;
  }
  EXPECT_EQ(offset_of(text, {0, 3}), 3u) << "the middle of a character is its beginning";
  EXPECT_EQ(offset_of(text, {0, 99}), 8u);
  EXPECT_EQ(offset_of(text, {99, 0}), 14u);
  EXPECT_EQ(position_of(text, 99), (LspPosition{3, 0}));
  EXPECT_EQ(position_of("", 0), (LspPosition{0, 0}));
}

TEST(LspText, PathsOfFileUris) {
  EXPECT_EQ(path_of_uri("file:///a%20b/c.weir"), "/a b/c.weir");
  EXPECT_EQ(path_of_uri("file://localhost/c.weir"), "/c.weir");
  EXPECT_EQ(path_of_uri("file:///100%"), "/100%");
  EXPECT_EQ(path_of_uri("untitled:one"), "");
}

class LspTest : public testing::Test {
 protected:
  std::string ask(std::string_view message) {
    sent_.clear();
    EXPECT_TRUE(server_.handle(message)) << message;
    return sent_;
  }
  void start() { ask(R"({"jsonrpc":"2.0","id":1,"method":"initialize","params":{}})"); }
  std::string open(const std::string& text) {
    const std::string head = R"({"jsonrpc":"2.0","method":"textDocument/didOpen","params":{"textDocument":{"uri":"untitled:a","text":")";
    return ask(head + text + "\"}}}");
  }

  std::string sent_;
  LspServer server_{[this](const std::string& json) { sent_ += json + "\n"; }};
};

TEST_F(LspTest, BrokenMessagesAreAnswered) {
  EXPECT_NE(ask("{").find("-32700"), std::string::npos);
  EXPECT_NE(ask("").find("-32700"), std::string::npos);
  EXPECT_NE(ask("\xFF").find("-32700"), std::string::npos);
  EXPECT_NE(ask(R"({"id":1})").find("-32600"), std::string::npos);
  EXPECT_NE(ask(R"({"id":[1],"method":"initialize"})").find("-32600"), std::string::npos);
  EXPECT_NE(ask(R"({"id":1,"method":"textDocument/hover"})").find("-32002"), std::string::npos);
  start();
  EXPECT_NE(ask(R"({"id":"x","method":"textDocument/flight"})").find(R"("id":"x","error":{"code":-32601)"), std::string::npos);
  EXPECT_NE(ask(R"({"id":2,"method":"textDocument/hover","params":{"textDocument":{"uri":"no"}}})").find("-32602"), std::string::npos);
  EXPECT_EQ(ask(R"({"method":"textDocument/didChange","params":{"textDocument":{"uri":"no"},"contentChanges":[{"text":"x"}]}})"), "");
  EXPECT_EQ(ask(R"({"method":"$/cancelRequest","params":{"id":1}})"), "");
  EXPECT_EQ(ask(R"({"id":7,"result":null})"), "");
  EXPECT_NE(ask(R"({"id":3,"method":"shutdown"})").find(R"("result":null)"), std::string::npos);
  EXPECT_NE(ask(R"({"id":4,"method":"textDocument/hover"})").find("-32600"), std::string::npos);
  EXPECT_FALSE(server_.handle(R"({"method":"exit"})"));
  EXPECT_EQ(server_.exit_status(), 0);
}

// Every prefix of a rule, as somebody types it: always one answer, never an end.
TEST_F(LspTest, TextThatIsBeingWritten) {
  start();
  const std::string text =
      "create stream t (card text not null, amount decimal(12,2), at timestamp not null) event time at; create list l of text; "
      "create rule r on t as x where card in @l partition by card pattern a -> (b | not c for 1 hour) within 1 day "
      "define a as x where amount > 5, b as amount > a.amount alert message '{card}';";
  for (size_t end = 0; end <= text.size(); ++end) {
    EXPECT_NE(open(text.substr(0, end)).find("publishDiagnostics"), std::string::npos) << end;
    const std::string place =
        R"("params":{"textDocument":{"uri":"untitled:a"},"position":{"line":0,"character":)" + std::to_string(end) + "}}}";
    EXPECT_NE(ask(R"({"id":5,"method":"textDocument/hover",)" + place).find("result"), std::string::npos) << end;
    EXPECT_NE(ask(R"({"id":6,"method":"textDocument/completion",)" + place).find("result"), std::string::npos) << end;
    EXPECT_NE(ask(R"({"id":7,"method":"textDocument/formatting",)" + place).find("result"), std::string::npos) << end;
  }
}

}  // namespace
}  // namespace service
