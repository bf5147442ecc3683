// `weir log export`: every record in log order, in a form that makes the same log again; refusals of directories it must not touch.
#include "service/cmd_log.h"

#include <gtest/gtest.h>

#include <cstdio>
#include <sstream>

#include "tests/support/lane_fixture.h"

namespace service {
namespace {

struct Outcome {
  int status = 0;
  std::vector<std::string> lines;
  std::string complaints;
};

class CmdLogTest : public test_support::LaneFixture {
 protected:
  Outcome run(std::vector<const char*> arguments) {
    arguments.insert(arguments.begin(), {"weir", "log", "export", "--data", data_.c_str()});
    std::FILE* out = std::tmpfile();
    std::FILE* err = std::tmpfile();
    Outcome outcome;
    outcome.status = run_cli(static_cast<int>(arguments.size()), arguments.data(), {out, err, false});
    std::istringstream lines(text_of(out));
    for (std::string line; std::getline(lines, line);) outcome.lines.push_back(line);
    outcome.complaints = text_of(err);
    return outcome;
  }
  void edit_watched(bool add, const std::string& value) {
    DatasetChange change{"watched", "me", 0, {{{value}, std::nullopt, std::nullopt}}};
    if (add) change.edits[0].now.emplace();
    EXPECT_TRUE(lane_->edit_dataset(change).ok());
  }

  const std::string data_ = scratch_ / "data";

 private:
  static std::string text_of(std::FILE* file) {
    std::rewind(file);
    std::string text(1 << 16, '\0');
    text.resize(std::fread(text.data(), 1, text.size(), file));
    std::fclose(file);
    return text;
  }
};

TEST_F(CmdLogTest, PrintsEveryRecordInOrder) {
  open();
  deploy(*lane_, std::string(test_support::kPayments) + "create list watched of text;");
  deploy(*lane_, test_support::kProbeRule);
  submit(*lane_, payment("1", "a", "1.00", 0) + R"({"$watermark":"2026-01-05T00:00:05Z"})" "\n" + payment("2", "b", "2.00", 6));
  edit_watched(true, "x\"y");
  edit_watched(false, "x\"y");
  deploy(*lane_, "drop rule probe_then_big;");
  close();

  const Outcome all = run({});
  EXPECT_EQ(all.status, kExitFine) << all.complaints;
  ASSERT_EQ(all.lines.size(), 8u);
  EXPECT_TRUE(all.lines[0].starts_with(R"({"$rules":"create stream payments (\n)")) << all.lines[0];
  EXPECT_NE(all.lines[0].find(R"(create list watched of text;\n","rules":[])"), std::string::npos) << all.lines[0];
  EXPECT_TRUE(all.lines[1].ends_with(R"("rules":[{"name":"probe_then_big","version":1,"mode":"live","anew":true}]})")) << all.lines[1];
  EXPECT_EQ(all.lines[2], R"({"stream":"payments","event":{"id":"1","card":"a","amount":1.00,"at":"2026-01-05T00:00:00.000Z"}})");
  EXPECT_EQ(all.lines[3], R"({"$watermark":"2026-01-05T00:00:05.000Z"})");
  EXPECT_EQ(all.lines[4], R"({"stream":"payments","event":{"id":"2","card":"b","amount":2.00,"at":"2026-01-05T00:00:06.000Z"}})");
  const std::string edit = R"({"$edit":"watched","by":"me","at":"2026-01-05T00:00:00.000Z","edits":[{"key":["x\"y"],"now":)";
  EXPECT_EQ(all.lines[5], edit + R"({"row":[],"owner":"","comment":"","expires":null}}]})");
  EXPECT_EQ(all.lines[6], edit + "null}]}");
  EXPECT_EQ(all.lines[7], R"({"$rules":"drop rule probe_then_big;\n","rules":[]})");

  const Outcome events = run({"--events-only"});
  EXPECT_EQ(events.lines, std::vector<std::string>(all.lines.begin() + 2, all.lines.begin() + 5));
  const Outcome edits = run({"--events-only", "--with-edits"});
  EXPECT_EQ(edits.lines, std::vector<std::string>(all.lines.begin() + 2, all.lines.begin() + 7));
}

TEST_F(CmdLogTest, NamesSources) {
  open();
  deploy(*lane_, test_support::kPayments);
  EXPECT_TRUE(lane_->open_source({"kafka:bank/pay/0", "payments"}, 7).ok());
  close();
  const Outcome all = run({});
  ASSERT_EQ(all.lines.size(), 2u) << all.complaints;
  EXPECT_EQ(all.lines[1], R"({"$source":"kafka:bank/pay/0","stream":"payments","from":7})");
  EXPECT_TRUE(run({"--events-only"}).lines.empty());
}

TEST_F(CmdLogTest, KnowsTheStreamsOfALogWhoseBeginningIsGone) {
  open();
  deploy(*lane_, test_support::kPayments);
  submit(*lane_, payment("old", "a", "1.00", 0));
  close();
  auto files = state::make_real_file_system();
  const std::string log_dir = data_ + "/lanes/0/log";
  {
    auto log = state::LogWriter::open(*files, log_dir, {.segment_bytes_max = 1});
    ASSERT_TRUE(log.ok());
    state::FrameInput frame;
    const std::string row = R"({"id":"new"})";
    const std::vector<uint32_t> ends = {static_cast<uint32_t>(row.size())};
    frame.header.events = 1;
    frame.row_ends = ends;
    frame.rows = row;
    ASSERT_TRUE((*log)->append({&frame, 1}).ok());
    ASSERT_TRUE((*log)->flush().ok());
    ASSERT_EQ((*log)->segments().size(), 2u);
    std::filesystem::remove(log_dir + "/" + (*log)->segments().front().file_name());
  }
  const Outcome left = run({});
  EXPECT_EQ(left.status, kExitFine) << left.complaints;
  EXPECT_EQ(left.lines, std::vector<std::string>{R"({"stream":"payments","event":{"id":"new"}})"});
}

TEST_F(CmdLogTest, LeavesDirectoriesAloneThatAreInUseOrNotOurs) {
  open();
  deploy(*lane_, test_support::kPayments);
  EXPECT_EQ(run({}).status, kExitBadUse);
  EXPECT_TRUE(run({}).lines.empty());
  close();
  EXPECT_EQ(run({}).status, kExitFine);
  EXPECT_EQ(run({"--data", "/nowhere/at/all"}).status, kExitBadUse);
}

}  // namespace
}  // namespace service
