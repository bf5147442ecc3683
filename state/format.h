// Frames of the event log, byte for byte as in FORMAT.md: the durable form of everything that came in.
// Invariant: decode_frame accepts exactly what encode_frame made; any other bytes are an Error, never a crash.
// Threads: plain values; a FrameView borrows the bytes it was decoded from.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "cep/result.h"
#include "cep/types.h"
#include "state/bytes.h"

namespace state {

inline constexpr uint8_t kFrameVersion = 1;
inline constexpr size_t kFrameHeaderBytes = 64;
inline constexpr size_t kFrameBytesMax = size_t{64} << 20;   // more is refused by the writer, damage to the reader

enum class FrameKind : uint8_t { kEvents, kTick, kIdle, kWatermark, kLimits, kRules, kList, kMode, kDerived, kSource, kPosition };

// Flags of a frame. The row format has 4 bits; 0 is JSON rows.
inline constexpr uint32_t kFrameHasUnique = 1;
inline constexpr uint32_t kFrameDecision = 2;
inline constexpr uint32_t kFrameMore = 4;              // the request's group goes on; the writer sets it
inline constexpr uint32_t kFrameRowFormatShift = 3;
inline constexpr uint32_t kFrameRowFormatMask = 0xfu << kFrameRowFormatShift;
inline constexpr uint32_t kFrameHasPlaces = 128;       // follows from FrameInput::places

// Where a row stood in its source, for sources that number and date their own rows.
struct RowPlace {
  uint64_t ordinal = 0;          // Kafka: the offset
  cep::TimeUs arrival_us = 0;    // Kafka: the record's timestamp
};

struct FrameHeader {
  FrameKind kind = FrameKind::kEvents;
  cep::StreamId stream{};        // number in the lane's catalogue, one for each schema version
  uint32_t source = 0;           // 0 HTTP, others as declared by a kSource frame
  uint64_t first_offset = 0;     // position of the first row in the lane; the writer sets it
  uint32_t events = 0;           // rows; 0 for control frames, which hold one opaque body and take one position
  uint32_t flags = 0;
  cep::TimeUs received_us = 0;   // wall clock of arrival: the only place where it enters
  uint64_t source_position = 0;  // after this frame: next Kafka offset; of source 0 the hash of the request
  Id16 request_id{};             // hash of the Idempotency-Key, or zeroes

  uint64_t positions() const { return events == 0 ? 1 : events; }   // offsets that the frame takes
  uint64_t end_offset() const { return first_offset + positions(); }
};

// What a caller gives the log. `row_ends` has one entry a row: the row's end, counted from the start of `rows`.
// `unique_hashes` is empty or has one entry a row (the flag kFrameHasUnique follows from it).
struct FrameInput {
  FrameHeader header;
  std::span<const uint32_t> row_ends;
  std::span<const Id16> unique_hashes;
  std::span<const RowPlace> places;      // empty, or one a row
  std::string_view rows;          // a control frame's body when header.events is 0
};

struct FrameView {
  FrameHeader header;
  std::string_view row_end_bytes;
  std::string_view unique_bytes;   // empty without kFrameHasUnique
  std::string_view place_bytes;    // empty without kFrameHasPlaces
  std::string_view rows;

  bool more() const { return (header.flags & kFrameMore) != 0; }
  bool has_unique() const { return (header.flags & kFrameHasUnique) != 0; }
  std::string_view row(uint32_t index) const;
  Id16 unique_hash(uint32_t index) const;
  bool has_places() const { return (header.flags & kFrameHasPlaces) != 0; }
  RowPlace place(uint32_t index) const;
};

// Appends the frame to `out`. Error: too_large, bad_frame (row ends not rising or not matching the rows).
cep::Status encode_frame(const FrameInput& frame, std::string& out);

// Bytes of the frame that starts here according to its header, or 0 if the header cannot be one.
// Needs the first 8 bytes.
size_t frame_length(std::string_view bytes);

// Decodes the frame at the start of `bytes`, which may go on after it. Error: damaged.
cep::Result<FrameView> decode_frame(std::string_view bytes);

}  // namespace state
