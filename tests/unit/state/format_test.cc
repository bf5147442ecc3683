// Frames and envelopes, byte for byte.
#include "state/format.h"

#include <gtest/gtest.h>

#include <random>

#include "state/checkpoint_format.h"
#include "state/crc32c.h"
#include "state/values.h"

namespace state {
namespace {

TEST(Crc32cTest, KnownValues) {
  EXPECT_EQ(crc32c(""), 0u);
  EXPECT_EQ(crc32c("123456789"), 0xe3069283u);
  EXPECT_EQ(crc32c(std::string(32, '\0')), 0x8a9136aau);
  EXPECT_EQ(crc32c("6789", crc32c("12345")), 0xe3069283u);
}

TEST(Crc32cTest, InstructionAndTableAgree) {
  std::mt19937_64 random(7);
  for (size_t length = 0; length < 70; ++length) {
    std::string bytes;
    for (size_t i = 0; i < length; ++i) bytes.push_back(static_cast<char>(random()));
    EXPECT_EQ(crc32c(bytes), crc32c_portable(bytes)) << length;
  }
}

struct Sample {
  std::vector<uint32_t> ends = {3, 3, 8};
  std::vector<Id16> hashes = {Id16{1}, Id16{2}, Id16{3}};
  FrameInput input;
  std::string bytes;

  Sample() {
    input.header = {.kind = FrameKind::kEvents,
                    .stream = cep::StreamId{0x0102},
                    .source = 0x03040506,
                    .first_offset = 0x1112131415161718,
                    .events = 3,
                    .flags = kFrameDecision,
                    .received_us = 0x2122232425262728,
                    .source_position = 0x3132333435363738,
                    .request_id = Id16{0xaa, 0xbb}};
    input.row_ends = ends;
    input.unique_hashes = hashes;
    input.rows = "abcdefgh";
    EXPECT_TRUE(encode_frame(input, bytes).ok());
  }
};

TEST(FrameTest, LiesAsTheTableSays) {
  Sample sample;
  const char* at = sample.bytes.data();
  ASSERT_EQ(sample.bytes.size(), 64u + 3 * 4 + 3 * 16 + 8);
  EXPECT_EQ(load_le<uint32_t>(at), crc32c(std::string_view(sample.bytes).substr(4)));
  EXPECT_EQ(load_le<uint32_t>(at + 4), sample.bytes.size());
  EXPECT_EQ(at[8], 1);
  EXPECT_EQ(at[9], 0);
  EXPECT_EQ(load_le<uint16_t>(at + 10), 0x0102);
  EXPECT_EQ(load_le<uint32_t>(at + 12), 0x03040506u);
  EXPECT_EQ(load_le<uint64_t>(at + 16), 0x1112131415161718u);
  EXPECT_EQ(load_le<uint32_t>(at + 24), 3u);
  EXPECT_EQ(load_le<uint32_t>(at + 28), kFrameDecision | kFrameHasUnique);
  EXPECT_EQ(load_le<int64_t>(at + 32), 0x2122232425262728);
  EXPECT_EQ(load_le<uint64_t>(at + 40), 0x3132333435363738u);
  EXPECT_EQ(static_cast<uint8_t>(at[48]), 0xaa);
  EXPECT_EQ(load_le<uint32_t>(at + 64), 3u);
  EXPECT_EQ(load_le<uint32_t>(at + 72), 8u);
  EXPECT_EQ(at[76], 1);
  EXPECT_EQ(sample.bytes.substr(124), "abcdefgh");
}

TEST(FrameTest, ComesBack) {
  Sample sample;
  std::string bytes = sample.bytes + "what follows is another frame's";
  auto frame = decode_frame(bytes);
  ASSERT_TRUE(frame.ok()) << frame.error().message;
  EXPECT_EQ(frame->header.stream, cep::StreamId{0x0102});
  EXPECT_EQ(frame->header.end_offset(), 0x1112131415161718u + 3);
  EXPECT_EQ(frame->row(0), "abc");
  EXPECT_EQ(frame->row(1), "");
  EXPECT_EQ(frame->row(2), "defgh");
  EXPECT_EQ(frame->unique_hash(2), Id16{3});
  EXPECT_FALSE(frame->more());
}

TEST(FrameTest, PlacesStandBetweenHashesAndRows) {
  Sample sample;
  const std::vector<RowPlace> places = {{100, -5}, {101, 7}, {0x0102030405060708, 9}};
  sample.input.places = places;
  std::string bytes;
  ASSERT_TRUE(encode_frame(sample.input, bytes).ok());
  ASSERT_EQ(bytes.size(), sample.bytes.size() + 3 * 16);
  EXPECT_EQ(load_le<uint32_t>(bytes.data() + 28), kFrameDecision | kFrameHasUnique | kFrameHasPlaces);
  EXPECT_EQ(load_le<uint64_t>(bytes.data() + 124), 100u);
  EXPECT_EQ(load_le<int64_t>(bytes.data() + 132), -5);
  auto frame = decode_frame(bytes);
  ASSERT_TRUE(frame.ok()) << frame.error().message;
  EXPECT_EQ(frame->place(2).ordinal, 0x0102030405060708u);
  EXPECT_EQ(frame->place(2).arrival_us, 9);
  EXPECT_EQ(frame->row(2), "defgh");
  EXPECT_EQ(frame->unique_hash(2), Id16{3});
  sample.input.places = std::span(places).first(2);
  EXPECT_FALSE(encode_frame(sample.input, bytes).ok()) << "one a row, or none";
}

TEST(FrameTest, ControlFrameTakesOnePosition) {
  FrameInput control;
  control.header.kind = FrameKind::kRules;
  control.header.first_offset = 9;
  control.rows = "opaque";
  std::string bytes;
  ASSERT_TRUE(encode_frame(control, bytes).ok());
  auto frame = decode_frame(bytes);
  ASSERT_TRUE(frame.ok());
  EXPECT_EQ(frame->rows, "opaque");
  EXPECT_EQ(frame->header.end_offset(), 10u);
}

TEST(FrameTest, EveryFlippedBitIsFound) {
  Sample sample;
  for (size_t bit = 0; bit < sample.bytes.size() * 8; ++bit) {
    std::string bytes = sample.bytes;
    bytes[bit / 8] = static_cast<char>(bytes[bit / 8] ^ (1 << bit % 8));
    EXPECT_FALSE(decode_frame(bytes + std::string(64, 'x')).ok()) << bit;
  }
}

TEST(FrameTest, EveryCutIsFound) {
  Sample sample;
  for (size_t length = 0; length < sample.bytes.size(); ++length) {
    EXPECT_FALSE(decode_frame(std::string_view(sample.bytes).substr(0, length)).ok()) << length;
  }
}

TEST(FrameTest, ZeroesAreNoFrame) { EXPECT_FALSE(decode_frame(std::string(4096, '\0')).ok()); }

TEST(FrameTest, RefusesWhatDoesNotFitTogether) {
  Sample sample;
  std::string out;
  FrameInput falling = sample.input;
  std::vector<uint32_t> ends = {3, 2, 8};
  falling.row_ends = ends;
  EXPECT_EQ(encode_frame(falling, out).error().code, "bad_frame");
  FrameInput short_rows = sample.input;
  short_rows.rows = "abc";
  EXPECT_EQ(encode_frame(short_rows, out).error().code, "bad_frame");
  FrameInput hashes = sample.input;
  hashes.unique_hashes = hashes.unique_hashes.subspan(1);
  EXPECT_EQ(encode_frame(hashes, out).error().code, "bad_frame");
  FrameInput large;
  std::string rows(kFrameBytesMax, 'x');
  large.rows = rows;
  EXPECT_EQ(encode_frame(large, out).error().code, "too_large");
  EXPECT_TRUE(out.empty());
}

TEST(KeyTest, SortsAsNumbersDo) {
  EXPECT_LT(Key().i64(-5).view(), Key().i64(-4).view());
  EXPECT_LT(Key().i64(-1).view(), Key().i64(0).view());
  EXPECT_LT(Key().i64(1).view(), Key().i64(cep::kTimeMax).view());
  EXPECT_LT(Key().u32(255).view(), Key().u32(256).view());
  Key key = Key().u16(7).i64(-12345).u64(99);
  KeyReader reader(key);
  EXPECT_EQ(reader.u16(), 7);
  EXPECT_EQ(reader.i64(), -12345);
  EXPECT_EQ(reader.u64(), 99u);
}

TEST(ReaderTest, StaysWithinItsBytes) {
  std::string bytes;
  Writer(bytes).put<uint32_t>(100).raw("short");
  Reader reader(bytes);
  EXPECT_EQ(reader.text(), "");
  EXPECT_FALSE(reader.ok());
  EXPECT_EQ(reader.get<uint8_t>(), 0);
  EXPECT_FALSE(reader.at_end());
}

TEST(EnvelopeTest, EveryFlippedBitIsFound) {
  std::string sealed = seal_value("payload");
  ASSERT_EQ(*open_value(sealed, "a value"), "payload");
  for (size_t bit = 0; bit < sealed.size() * 8; ++bit) {
    std::string bytes = sealed;
    bytes[bit / 8] = static_cast<char>(bytes[bit / 8] ^ (1 << bit % 8));
    EXPECT_EQ(open_value(bytes, "a value").error().code, "damaged") << bit;
  }
  EXPECT_FALSE(open_value("", "a value").ok());
}

TEST(CheckpointFormatTest, RecordsAndSealsComeBack) {
  KeyRecord record{.space = 5, .hash = 6, .deadline_us = -7, .old_segment = 0, .gone = false, .bytes = "block"};
  std::string bytes = encode_key_record(record);
  EXPECT_EQ(bytes.size(), 40u + 5);
  auto back = decode_key_record(bytes);
  ASSERT_TRUE(back.ok());
  EXPECT_EQ(back->space, 5u);
  EXPECT_EQ(back->deadline_us, -7);
  EXPECT_EQ(back->bytes, "block");
  for (size_t bit = 0; bit < bytes.size() * 8; ++bit) {
    std::string flipped = bytes;
    flipped[bit / 8] = static_cast<char>(flipped[bit / 8] ^ (1 << bit % 8));
    EXPECT_FALSE(decode_key_record(flipped).ok()) << bit;
  }

  SealRecord seal;
  seal.checkpoint = {.sequence = 3, .applied_through = 20, .reread_offset = 10, .marks = {{1, "bits"}, {2, ""}},
                     .control = "control", .shard_count = 4};
  seal.live_keys = 77;
  auto sealed = decode_seal(encode_seal(seal));
  ASSERT_TRUE(sealed.ok());
  EXPECT_EQ(sealed->checkpoint.marks[0].bitmap, "bits");
  EXPECT_EQ(sealed->checkpoint.control, "control");
  EXPECT_EQ(sealed->live_keys, 77u);
  std::string cut = encode_seal(seal);
  cut.pop_back();
  EXPECT_FALSE(decode_seal(cut).ok());
}

}  // namespace
}  // namespace state
