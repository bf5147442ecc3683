// The event log over the faulty file: what was acknowledged is there, nothing else is invented.
#include <gtest/gtest.h>

#include <algorithm>
#include <random>

#include "state/log_reader.h"
#include "state/log_writer.h"
#include "tests/support/faulty_file.h"
#include "tests/support/scratch_dir.h"

namespace state {
namespace {

using support::Fault;
using support::FaultyFileSystem;

const std::string kDir = "/data/log";

// One request: frames with one or more rows each; the rows' text tells where they belong.
struct Request {
  std::vector<std::string> frames;   // the rows of each
  uint32_t rows = 1;                 // of each frame
};

cep::Result<uint64_t> append(LogWriter& log, const Request& request, cep::TimeUs received_us = 1'000) {
  std::vector<std::vector<uint32_t>> ends(request.frames.size());
  std::vector<FrameInput> group;
  for (size_t i = 0; i < request.frames.size(); ++i) {
    const std::string& rows = request.frames[i];
    for (uint32_t row = 0; row < request.rows; ++row) {
      ends[i].push_back(static_cast<uint32_t>(rows.size() * (row + 1) / request.rows));
    }
    FrameInput frame;
    frame.header.events = request.rows;
    frame.header.received_us = received_us;
    frame.row_ends = ends[i];
    frame.rows = rows;
    group.push_back(frame);
  }
  return log.append(group);
}

std::unique_ptr<LogWriter> open(FileSystem& files, uint64_t segment_bytes_max = kSegmentBytesMax) {
  auto log = LogWriter::open(files, kDir, {.segment_bytes_max = segment_bytes_max});
  EXPECT_TRUE(log.ok()) << (log.ok() ? "" : log.error().message);
  return log.ok() ? std::move(*log) : nullptr;
}

// Every frame's rows from `from` on.
std::vector<std::string> read_all(FileSystem& files, uint64_t from = 0, uint64_t limit = LogReader::kToTheEnd) {
  std::vector<std::string> rows;
  auto reader = LogReader::open(files, kDir, from);
  EXPECT_TRUE(reader.ok()) << (reader.ok() ? "" : reader.error().message);
  if (!reader.ok()) return rows;
  for (;;) {
    auto frame = (*reader)->next(limit);
    EXPECT_TRUE(frame.ok()) << (frame.ok() ? "" : frame.error().message);
    if (!frame.ok() || !frame->has_value()) return rows;
    rows.emplace_back((*frame)->rows);
  }
}

std::string path_of(const LogSegment& segment) { return kDir + "/" + segment.file_name(); }

TEST(LogTest, GivesBackWhatWasAppended) {
  FaultyFileSystem files(1);
  auto log = open(files);
  EXPECT_EQ(*append(*log, {{"aabb", "ccdd"}, 2}), 0u);
  EXPECT_EQ(*append(*log, {{"ee"}, 1}), 4u);
  EXPECT_EQ(log->durable_offset(), 0u);
  ASSERT_TRUE(log->flush().ok());
  EXPECT_EQ(log->durable_offset(), 5u);
  EXPECT_EQ(read_all(files), (std::vector<std::string>{"aabb", "ccdd", "ee"}));
  EXPECT_EQ(read_all(files, 3), (std::vector<std::string>{"ccdd", "ee"}));   // the frame that holds row 3
  EXPECT_EQ(read_all(files, 4), (std::vector<std::string>{"ee"}));
  EXPECT_EQ(read_all(files, 5), std::vector<std::string>());
  EXPECT_EQ(read_all(files, 0, 4), (std::vector<std::string>{"aabb", "ccdd"}));
  EXPECT_EQ(LogReader::open(files, kDir, 6).error().code, "log_trimmed");
}

TEST(LogTest, GoesOnAfterReopening) {
  FaultyFileSystem files(1);
  std::vector<std::string> expected;
  for (int run = 0; run < 5; ++run) {
    auto log = open(files, 400);
    EXPECT_EQ(log->recovery().end_offset, expected.size());
    EXPECT_EQ(log->recovery().cut_bytes, 0u);
    for (int i = 0; i < 5; ++i) {
      expected.push_back("row " + std::to_string(expected.size()));
      ASSERT_TRUE(append(*log, {{expected.back()}, 1}).ok());
      ASSERT_TRUE(log->flush().ok());
    }
  }
  EXPECT_EQ(read_all(files), expected);
  EXPECT_GT(list_segments(files, kDir)->size(), 3u);
}

TEST(LogTest, SegmentsKeepTheirSizeAndGroupsStayTogether) {
  FaultyFileSystem files(1);
  auto log = open(files, 500);
  for (int i = 0; i < 40; ++i) ASSERT_TRUE(append(*log, {{"0123456789", "0123456789"}, 1}).ok());
  ASSERT_TRUE(log->flush().ok());
  for (const LogSegment& segment : log->segments()) {
    EXPECT_LE(files.file_bytes(path_of(segment)), 500u);
    EXPECT_EQ(segment.first_offset % 2, 0u);
  }
  EXPECT_EQ(read_all(files).size(), 80u);
}

TEST(LogTest, ReaderFollowsTheWriter) {
  FaultyFileSystem files(3);
  auto log = open(files, 300);
  auto reader = LogReader::open(files, kDir, 0);
  ASSERT_TRUE(reader.ok());
  uint64_t read = 0;
  for (int i = 0; i < 60; ++i) {
    ASSERT_TRUE(append(*log, {{"row " + std::to_string(i)}, 1}).ok());
    if (i % 7 == 3) files.inject(0, Fault::kFailedSync);
    ASSERT_TRUE(log->flush().ok());
    for (;;) {
      auto frame = (*reader)->next(log->durable_offset());
      ASSERT_TRUE(frame.ok()) << frame.error().message;
      if (!frame->has_value()) break;
      EXPECT_EQ((*frame)->rows, "row " + std::to_string(read++));
    }
    EXPECT_EQ(read, log->durable_offset());
  }
  EXPECT_GT(log->failed_flushes(), 0u);
}

TEST(LogTest, TornTailIsCutAtEveryByte) {
  FaultyFileSystem original(1);
  auto log = open(original);
  ASSERT_TRUE(append(*log, {{"first"}, 1}).ok());
  ASSERT_TRUE(log->flush().ok());
  std::string path = path_of(log->segments().back());
  size_t whole = original.file_bytes(path);
  ASSERT_TRUE(append(*log, {{"second", "third"}, 1}).ok());
  ASSERT_TRUE(log->flush().ok());
  size_t all = original.file_bytes(path);
  log.reset();
  for (size_t bytes = all; bytes-- > whole;) {
    original.cut_file(path, bytes);
    auto again = open(original);
    EXPECT_EQ(again->recovery().cut_bytes, bytes - whole);   // the group's first frame goes too
    EXPECT_EQ(again->recovery().end_offset, 1u);
    EXPECT_EQ(read_all(original), std::vector<std::string>{"first"});
    again.reset();
    original.cut_file(path, whole);
    auto refill = open(original);
    ASSERT_TRUE(append(*refill, {{"second", "third"}, 1}).ok());
    ASSERT_TRUE(refill->flush().ok());
  }
}

std::vector<std::string> names_with(FileSystem& files, const std::string& part) {
  std::vector<std::string> found;
  const auto names = files.list(kDir);
  EXPECT_TRUE(names.ok());
  if (!names.ok()) return found;
  for (const std::string& name : *names) {
    if (name.find(part) != std::string::npos) found.push_back(kDir + "/" + name);
  }
  return found;
}

// What is cut is kept, byte for byte, until its segment goes; whole frames behind the damage are counted.
TEST(LogTest, WhatIsCutIsKeptBesideTheLog) {
  FaultyFileSystem files(1);
  auto log = open(files, 2'000);
  for (int i = 0; i < 4; ++i) ASSERT_TRUE(append(*log, {{"row " + std::to_string(i), "and another"}, 1}).ok());
  ASSERT_TRUE(log->flush().ok());
  const std::string path = path_of(log->segments().back());
  const size_t group = files.file_bytes(path) / 4;
  log.reset();
  files.flip_bit(path, group + 80, 3);      // in the second frame of the second request
  std::string cut(3 * group, '\0');
  ASSERT_TRUE((*files.open(path, OpenMode::kRead))->read_at(group, cut.data(), cut.size()).ok());
  log = open(files, 2'000);
  EXPECT_EQ(log->recovery().cut_bytes, 3 * group);
  EXPECT_EQ(log->recovery().cut_frames, 4u);      // of the third and the fourth request
  EXPECT_EQ(log->recovery().cut_events, 4u);
  EXPECT_EQ(log->recovery().end_offset, 2u);
  EXPECT_EQ(log->recovery().cut_copy, path + ".cut-" + std::to_string(group));
  std::string kept(cut.size() + 1, '\0');
  ASSERT_EQ(*(*files.open(log->recovery().cut_copy, OpenMode::kRead))->read_at(0, kept.data(), kept.size()), cut.size());
  EXPECT_TRUE(kept.starts_with(cut));

  for (int i = 0; i < 20; ++i) ASSERT_TRUE(append(*log, {{std::string(500, 'x')}, 1}, cep::kHour).ok());
  ASSERT_TRUE(log->flush().ok());
  EXPECT_EQ(names_with(files, ".cut-").size(), 1u);
  ASSERT_GT(*log->trim({.keep_us = cep::kSecond, .keep_bytes = 1, .floor_offset = 20}, 2 * cep::kHour), 0u);
  EXPECT_EQ(names_with(files, ".cut-").size(), 0u);
}

// A flush is written when the one before it is durable: frames of another flush behind the damage say that it was acknowledged.
TEST(LogTest, DamageThatWasAcknowledgedIsNotCut) {
  for (const bool by_time : {false, true}) {
    SCOPED_TRACE(by_time);
    FaultyFileSystem files(1);
    auto log = open(files);
    ASSERT_TRUE(append(*log, {{"one"}, 1}).ok());
    ASSERT_TRUE(append(*log, {{"two"}, 1}).ok());
    if (by_time) {
      ASSERT_TRUE(append(*log, {{"a minute later"}, 1}, cep::kMinute).ok());
    } else {
      FrameInput tick;
      tick.header.kind = FrameKind::kTick;
      ASSERT_TRUE(log->append({&tick, 1}).ok());
    }
    ASSERT_TRUE(log->flush().ok());
    const std::string path = path_of(log->segments().back());
    const size_t bytes = files.file_bytes(path);
    log.reset();
    files.flip_bit(path, 66, 0);
    auto refused = LogWriter::open(files, kDir);
    ASSERT_FALSE(refused.ok());
    EXPECT_EQ(refused.error().code, "damaged");
    EXPECT_NE(refused.error().message.find("2 whole frames"), std::string::npos) << refused.error().message;
    EXPECT_EQ(files.file_bytes(path), bytes);
    files.flip_bit(path, 66, 0);
    EXPECT_EQ(open(files)->recovery().end_offset, 3u);
  }
}

// A full disk does not keep a service from starting that would only throw an unfinished write away.
TEST(LogTest, AFullDiskKeepsNoCopyOfWhatNobodyCanRead) {
  FaultyFileSystem files(1);
  auto log = open(files);
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(append(*log, {{"row " + std::to_string(i)}, 1}).ok());
  ASSERT_TRUE(log->flush().ok());
  const std::string path = path_of(log->segments().back());
  log.reset();
  files.flip_bit(path, 66, 0);
  files.inject(0, Fault::kDiskFull, UINT64_MAX);
  EXPECT_EQ(LogWriter::open(files, kDir).error().code, "disk_full");      // two requests can be read: first make room
  files.cut_file(path, 90);
  log = open(files);
  EXPECT_GT(log->recovery().cut_bytes, 0u);
  EXPECT_EQ(log->recovery().cut_copy, "");
  EXPECT_EQ(names_with(files, ".cut-").size(), 0u);
}

TEST(LogTest, FlippedBitsAreFound) {
  FaultyFileSystem files(1);
  auto log = open(files, 200);
  for (int i = 0; i < 6; ++i) {
    ASSERT_TRUE(append(*log, {{"some row " + std::to_string(i)}, 1}).ok());
    ASSERT_TRUE(log->flush().ok());
  }
  ASSERT_GE(log->segments().size(), 3u);
  LogSegment middle = log->segments()[1];
  log.reset();
  for (size_t bit = 0; bit < middle.bytes * 8; bit += 3) {
    files.flip_bit(path_of(middle), bit / 8, bit % 8);
    auto reader = LogReader::open(files, kDir, 0);
    ASSERT_TRUE(reader.ok());
    cep::Error error;
    for (;;) {
      auto frame = (*reader)->next();
      if (!frame.ok()) error = frame.error();
      if (!frame.ok() || !frame->has_value()) break;
    }
    EXPECT_EQ(error.code, "damaged") << bit;
    EXPECT_NE(error.message.find(middle.file_name()), std::string::npos);
    files.flip_bit(path_of(middle), bit / 8, bit % 8);
  }
  EXPECT_EQ(read_all(files).size(), 6u);
}

TEST(LogTest, MissingSegmentIsDamage) {
  FaultyFileSystem files(1);
  auto log = open(files, 200);
  for (int i = 0; i < 6; ++i) {
    ASSERT_TRUE(append(*log, {{"some row " + std::to_string(i)}, 1}).ok());
    ASSERT_TRUE(log->flush().ok());
  }
  ASSERT_TRUE(files.remove(path_of(log->segments()[1])).ok());
  auto reader = LogReader::open(files, kDir, 0);
  ASSERT_TRUE(reader.ok());
  auto frame = (*reader)->next();
  while (frame.ok() && frame->has_value()) frame = (*reader)->next();
  ASSERT_FALSE(frame.ok());
  EXPECT_EQ(frame.error().code, "damaged");
}

TEST(LogTest, LogThatEndsBelowThePromisedOffsetIsDamage) {
  FaultyFileSystem files(1);
  auto log = open(files);
  ASSERT_TRUE(append(*log, {{"one"}, 1}).ok());
  ASSERT_TRUE(log->flush().ok());
  auto reader = LogReader::open(files, kDir, 0);
  ASSERT_TRUE((*reader)->next(5)->has_value());
  auto frame = (*reader)->next(5);
  ASSERT_FALSE(frame.ok());
  EXPECT_EQ(frame.error().code, "damaged");
}

// The mutant WEIR_MUTANT_RETRY_FDATASYNC flushes the same file again, is told that all is well, and loses frames here.
TEST(LogTest, FailedFlushLosesNothing) {
  for (uint64_t seed = 0; seed < 50; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    FaultyFileSystem files(seed);
    auto log = open(files);
    ASSERT_TRUE(append(*log, {{"before"}, 1}).ok());
    ASSERT_TRUE(log->flush().ok());
    std::string large(2'000, 'x');
    ASSERT_TRUE(append(*log, {{large}, 1}).ok());
    files.inject(0, Fault::kFailedSync);
    ASSERT_TRUE(log->flush().ok());
    EXPECT_EQ(log->failed_flushes(), 1u);
    files.power_cut();
    auto again = open(files);
    EXPECT_EQ(again->recovery().end_offset, 2u);
    EXPECT_EQ(read_all(files), (std::vector<std::string>{"before", large}));
  }
}

// After the process died the frames of its last flush may be in the page cache only. Whoever opens the log acts on
// them, so they must be durable from then on.
TEST(LogTest, WhatOpeningFoundSurvivesAPowerCut) {
  for (uint64_t seed = 0; seed < 20; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    FaultyFileSystem files(seed);
    auto log = open(files);
    ASSERT_TRUE(append(*log, {{"before"}, 1}).ok());
    ASSERT_TRUE(log->flush().ok());
    ASSERT_TRUE(append(*log, {{std::string(2'000, 'x')}, 1}).ok());
    files.inject(1, Fault::kCrash);   // written, not flushed
    ASSERT_FALSE(log->flush().ok());
    files.process_crash();
    log = open(files);
    std::vector<std::string> found = read_all(files);
    EXPECT_EQ(found.size(), 2u);
    files.power_cut();
    log = open(files);
    EXPECT_EQ(read_all(files), found);
  }
}

TEST(LogTest, FlushThatKeepsFailingIsReportedAndCanBeRepeated) {
  FaultyFileSystem files(5);
  auto log = open(files);
  ASSERT_TRUE(append(*log, {{"kept"}, 1}).ok());
  files.inject(0, Fault::kFailedSync, 10);
  EXPECT_EQ(log->flush().error().code, "io_error");
  EXPECT_EQ(log->durable_offset(), 0u);
  files.inject(0, Fault::kNone);
  ASSERT_TRUE(append(*log, {{"and this"}, 1}).ok());
  ASSERT_TRUE(log->flush().ok());
  log.reset();
  files.power_cut();
  open(files);
  EXPECT_EQ(read_all(files), (std::vector<std::string>{"kept", "and this"}));
}

TEST(LogTest, FullDiskPausesAndLosesNothing) {
  FaultyFileSystem files(2);
  auto log = open(files, 300);
  std::vector<std::string> expected;
  for (int i = 0; i < 30; ++i) {
    expected.push_back("row " + std::to_string(i));
    ASSERT_TRUE(append(*log, {{expected.back()}, 1}).ok());
    if (i % 3 == 1) {
      files.inject(0, Fault::kDiskFull, 2);
      EXPECT_EQ(log->flush().error().code, "disk_full");
      EXPECT_EQ(log->flush().error().code, "disk_full");
      EXPECT_GT(log->pending_bytes(), 0u);
    }
    ASSERT_TRUE(log->flush().ok());
    EXPECT_EQ(log->durable_offset(), expected.size());
  }
  EXPECT_EQ(read_all(files), expected);
}

// One run of a random script with one fault; returns whether the fault was met.
bool run_script(uint64_t seed, uint64_t at, Fault fault) {
  std::mt19937_64 random(seed);
  FaultyFileSystem files(seed);
  auto log = open(files, 700);
  files.inject(at, fault, fault == Fault::kFailedSync ? 1 + seed % 4 : 1);
  uint64_t first_operation = files.operations();
  std::vector<Request> appended;
  size_t acknowledged = 0;
  for (int step = 0; step < 25 && !files.crashed(); ++step) {
    for (uint64_t requests = random() % 4; requests > 0; --requests) {
      Request request;
      for (uint64_t frames = 1 + random() % 3; frames > 0; --frames) {
        request.frames.push_back(std::to_string(appended.size()) + std::string(random() % 300, 'x'));
      }
      EXPECT_TRUE(append(*log, request).ok());
      appended.push_back(request);
    }
    if (log->flush().ok()) acknowledged = appended.size();
  }
  bool met = files.operations() > first_operation + at;
  log.reset();
  files.power_cut();

  std::vector<std::string> may, must;
  for (size_t i = 0; i < appended.size(); ++i) {
    for (const std::string& rows : appended[i].frames) {
      may.push_back(rows);
      if (i < acknowledged) must.push_back(rows);
    }
  }
  for (int run = 0; run < 2; ++run) {   // the second: opening has repaired for good
    log = open(files, 700);
    if (log == nullptr) return met;
    std::vector<std::string> rows = read_all(files);
    EXPECT_GE(rows.size(), must.size());
    EXPECT_LE(rows.size(), may.size());
    EXPECT_TRUE(std::equal(rows.begin(), rows.end(), may.begin(), may.begin() + static_cast<long>(rows.size())));
    size_t whole = 0;
    for (size_t i = 0; i < appended.size() && whole < rows.size(); ++i) whole += appended[i].frames.size();
    EXPECT_EQ(whole, rows.size()) << "a request was cut in two";
    EXPECT_EQ(log->recovery().end_offset, rows.size());
    EXPECT_TRUE(append(*log, {{"after"}, 1}).ok());
    EXPECT_TRUE(log->flush().ok());
    std::vector<std::string> more = read_all(files);
    EXPECT_EQ(more.size(), rows.size() + 1);
    appended.resize(static_cast<size_t>(
        std::count_if(appended.begin(), appended.end(), [&, seen = size_t{0}](const Request& r) mutable {
          return (seen += r.frames.size()) <= rows.size();
        })));
    appended.push_back({{"after"}, 1});
    may = must = more;
    log.reset();
    files.power_cut();
  }
  return met;
}

TEST(LogTest, CrashAtEveryOperation) {
  for (uint64_t seed = 0; seed < 20; ++seed) {
    bool met = true;
    for (uint64_t at = 0; met && !testing::Test::HasFailure(); ++at) {
      SCOPED_TRACE("seed " + std::to_string(seed) + ", crash at operation " + std::to_string(at));
      met = run_script(seed, at, Fault::kCrash);
    }
  }
}

TEST(LogTest, EveryOtherFaultAtEveryOperation) {
  for (Fault fault : {Fault::kFailedSync, Fault::kShortWrite, Fault::kDiskFull}) {
    for (uint64_t seed = 0; seed < 4; ++seed) {
      bool met = true;
      for (uint64_t at = 0; met && !testing::Test::HasFailure(); ++at) {
        SCOPED_TRACE("seed " + std::to_string(seed) + ", fault " + std::to_string(static_cast<int>(fault)) +
                     " at operation " + std::to_string(at));
        met = run_script(seed, at, fault);
      }
    }
  }
}

TEST(LogTest, RetentionKeepsTheFloorAndTheLastSegment) {
  FaultyFileSystem files(1);
  auto log = open(files, 100);
  for (int i = 0; i < 10; ++i) {
    ASSERT_TRUE(append(*log, {{"row"}, 1}, i * cep::kHour).ok());
    ASSERT_TRUE(log->flush().ok());
  }
  ASSERT_EQ(log->segments().size(), 10u);
  EXPECT_EQ(offset_not_after_time(log->segments(), 4 * cep::kHour), 3u);
  EXPECT_EQ(offset_not_after_time(log->segments(), 4 * cep::kHour + 1), 4u);
  EXPECT_EQ(first_segment_from(log->segments(), 4), 4u);
  EXPECT_EQ(first_segment_from(log->segments(), 10), std::nullopt);
  LogRetention keep{.keep_us = 5 * cep::kHour, .keep_bytes = kSegmentBytesMax, .floor_offset = 2};
  EXPECT_EQ(*log->trim(keep, 9 * cep::kHour), 2u);   // the floor holds the rest
  keep.floor_offset = 100;
  EXPECT_EQ(*log->trim(keep, 9 * cep::kHour), 1u);   // segment 3 ends where 4 begins, at the limit
  EXPECT_EQ(log->segments().front().first_offset, 3u);
  keep.keep_bytes = 2 * log->segments().front().bytes;
  EXPECT_EQ(*log->trim(keep, 9 * cep::kHour), 5u);
  keep.keep_bytes = 0;
  EXPECT_EQ(*log->trim(keep, 900 * cep::kHour), 1u);   // never the last one
  EXPECT_EQ(LogReader::open(files, kDir, 3).error().code, "log_trimmed");
  log.reset();
  files.power_cut();
  EXPECT_EQ(open(files)->recovery().first_offset, 9u);
  EXPECT_EQ(read_all(files, 9).size(), 1u);
}

TEST(LogTest, WorksOnTheRealFileSystem) {
  support::ScratchDir scratch;
  auto files = make_real_file_system();
  std::string dir = scratch / "lanes/0/log";
  for (int run = 0; run < 3; ++run) {
    auto log = LogWriter::open(*files, dir, {.segment_bytes_max = 300});
    ASSERT_TRUE(log.ok()) << log.error().message;
    EXPECT_EQ((*log)->recovery().end_offset, static_cast<uint64_t>(run) * 10);
    for (int i = 0; i < 10; ++i) {
      ASSERT_TRUE(append(**log, {{"some row"}, 1}, i).ok());
      ASSERT_TRUE((*log)->flush().ok());
    }
    LogRetention keep{.keep_us = 1'000, .keep_bytes = 600, .floor_offset = 25};
    ASSERT_TRUE((*log)->trim(keep, 10).ok());
    uint64_t first = (*log)->segments().front().first_offset;
    auto reader = LogReader::open(*files, dir, first);
    ASSERT_TRUE(reader.ok());
    uint64_t read = first;
    for (auto frame = (*reader)->next(); frame.ok() && frame->has_value(); frame = (*reader)->next()) ++read;
    EXPECT_EQ(read, (*log)->durable_offset());
  }
  EXPECT_EQ(files->open(dir, OpenMode::kReadWrite).error().code, "io_error");   // a directory
  EXPECT_EQ(files->open(dir + "/none", OpenMode::kRead).error().code, "not_found");
  EXPECT_EQ(files->list(scratch / "none").error().code, "not_found");
}

TEST(LogTest, RefusedGroupLeavesNothingBehind) {
  FaultyFileSystem files(1);
  auto log = open(files);
  std::string huge(kFrameBytesMax, 'x');
  EXPECT_EQ(append(*log, {{"fits", huge}, 1}).error().code, "too_large");
  EXPECT_EQ(log->next_offset(), 0u);
  EXPECT_EQ(log->pending_bytes(), 0u);
  ASSERT_TRUE(append(*log, {{"fits"}, 1}).ok());
  ASSERT_TRUE(log->flush().ok());
  EXPECT_EQ(read_all(files), std::vector<std::string>{"fits"});
}

}  // namespace
}  // namespace state
