// What the client verbs print: tables without control characters, items, refusals with their exit status; the event
// stream reader.
#include "service/client_output.h"

#include <gtest/gtest.h>

#include <cstdio>

#include "service/service_log.h"

namespace service {
namespace {

// Both outputs of a console as text.
class Captured {
 public:
  Captured() : out_(std::tmpfile()), err_(std::tmpfile()), console_{out_, err_, false} {}
  ~Captured() {
    std::fclose(out_);
    std::fclose(err_);
  }
  const Console& console() const { return console_; }
  std::string out() const { return read(out_); }
  std::string err() const { return read(err_); }

 private:
  static std::string read(std::FILE* file) {
    std::rewind(file);
    std::string text(1 << 16, '\0');
    text.resize(std::fread(text.data(), 1, text.size(), file));
    return text;
  }
  std::FILE* out_;
  std::FILE* err_;
  Console console_;
};

TEST(ClientOutput, PagesBecomeTables) {
  Captured captured;
  print_body(
      captured.console(), OutputForm::kTable,
      R"({"items":[{"name":"a","n":1,"text":"create","key":{"c":"x"}},{"name":"longer","n":null,"key":{}}],"next":"c2"})");
  EXPECT_EQ(captured.out(), "name    n  key\na       1  {\"c\":\"x\"}\nlonger  -  {}\n");
  EXPECT_EQ(captured.err(), "there is more: --cursor c2\n");
}

TEST(ClientOutput, ItemsLineByLineAndJsonAsItCame) {
  const std::string body = R"({"items":[{"a":1},{"a":2}],"next":null})";
  Captured lines, whole;
  print_body(lines.console(), OutputForm::kNdjson, body);
  EXPECT_EQ(lines.out(), "{\"a\":1}\n{\"a\":2}\n");
  print_body(whole.console(), OutputForm::kJson, body);
  EXPECT_EQ(whole.out(), body + "\n");
}

TEST(ClientOutput, NothingActsOnATerminal) {
  Captured captured;
  print_body(captured.console(), OutputForm::kTable, R"({"message":"a\u001b[31m\nb\u009b2J"})");
  EXPECT_EQ(captured.out(), "message  a?[31m?b??2J\n");
}

TEST(ClientOutput, RefusalsSayWhyAndHowToExit) {
  Captured captured;
  ApiResponse refused;
  refused.status = 422;
  refused.body =
      R"({"title":"Invalid","detail":"1 error","diagnostics":[{"code":"E0103","severity":"error","message":"unknown field",)"
      R"("file":"r.weir","line":9,"column":22,"hint":"did you mean `amount`?"}]})";
  EXPECT_EQ(print_refusal(captured.console(), refused), kExitBadInput);
  EXPECT_EQ(captured.err(),
            "weir: 422 Invalid: 1 error\nr.weir:9:22: error[E0103]: unknown field; did you mean `amount`?\n");
  refused.status = 503;
  EXPECT_EQ(print_refusal(captured.console(), refused), kExitUnreachable);
  refused.status = 501;
  EXPECT_EQ(print_refusal(captured.console(), refused), kExitBadInput);
  EXPECT_EQ(print_unreachable(captured.console(), {"unreachable", "no answer"}), kExitUnreachable);
}

TEST(SseReader, TakesEventsCutAnywhere) {
  const std::string stream =
      ": hello\n\nid: 0:7\nevent: alert\ndata: {\"a\":1}\n\nevent: gap\r\ndata: x\r\ndata: y\r\n\r\n";
  for (size_t cut = 0; cut <= stream.size(); ++cut) {
    SseReader reader;
    std::vector<SseReader::Event> events;
    auto take = [&](const SseReader::Event& event) { events.push_back(event); };
    reader.feed(stream.substr(0, cut), take);
    reader.feed(stream.substr(cut), take);
    ASSERT_EQ(events.size(), 2u) << cut;
    EXPECT_EQ(events[0].id, "0:7");
    EXPECT_EQ(events[0].data, "{\"a\":1}");
    EXPECT_EQ(events[1].event, "gap");
    EXPECT_EQ(events[1].data, "x\ny");
  }
}

TEST(UrlEncode, KeepsOnlyUnreservedBytes) { EXPECT_EQ(url_encode("a b/ü~"), "a%20b%2F%C3%BC~"); }

TEST(ServiceLog, ValuesCannotStartALine) {
  EXPECT_EQ(log_text("sink gone", {{"sink", "pager"}, {"detail", "a\nb c\x1b"}}),
            "sink gone sink=pager detail=\"a\\nb c\\u001b\"");
  EXPECT_EQ(log_text("x", {{"empty", ""}}), "x empty=\"\"");
  EXPECT_EQ(log_members("x", {{"k", "\"\n"}}), "\"event\":\"x\",\"k\":\"\\\"\\n\"");
}

}  // namespace
}  // namespace service
