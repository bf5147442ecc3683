// Frames to bytes and back. The table of offsets is in FORMAT.md and in format_test.cc.
#include "state/format.h"

#include "state/crc32c.h"
#include "state/try.h"

namespace state {
namespace {

constexpr size_t kPlaceBytes = 16;
constexpr uint32_t kKnownFlags = kFrameHasUnique | kFrameDecision | kFrameMore | kFrameRowFormatMask | kFrameHasPlaces;

cep::Error damaged(const char* what) { return {"damaged", std::string("bad frame: ") + what}; }

cep::Status check_input(const FrameInput& frame) {
  const uint32_t events = frame.header.events;
  bool unique_fits = frame.unique_hashes.empty() || frame.unique_hashes.size() == events;
  bool places_fit = frame.places.empty() || frame.places.size() == events;
  bool ends_fit = frame.row_ends.size() == events;
  uint32_t last = 0;
  for (uint32_t end : frame.row_ends) {
    ends_fit = ends_fit && end >= last;
    last = end;
  }
  if (events != 0) ends_fit = ends_fit && last == frame.rows.size();
  if (!unique_fits || !places_fit || !ends_fit || (frame.header.flags & ~kKnownFlags) != 0) {
    return cep::Error{"bad_frame", "row ends, hashes, places and events of a frame do not fit together"};
  }
  return cep::ok_status();
}

FrameHeader decode_header(Reader& reader) {
  FrameHeader header;
  header.kind = static_cast<FrameKind>(reader.get<uint8_t>());
  header.stream = static_cast<cep::StreamId>(reader.get<uint16_t>());
  header.source = reader.get<uint32_t>();
  header.first_offset = reader.get<uint64_t>();
  header.events = reader.get<uint32_t>();
  header.flags = reader.get<uint32_t>();
  header.received_us = reader.get<int64_t>();
  header.source_position = reader.get<uint64_t>();
  header.request_id = reader.id();
  return header;
}

bool row_ends_fit(const FrameView& frame) {
  uint32_t last = 0;
  for (uint32_t i = 0; i < frame.header.events; ++i) {
    uint32_t end = load_le<uint32_t>(frame.row_end_bytes.data() + size_t{4} * i);
    if (end < last) return false;
    last = end;
  }
  return frame.header.events == 0 || last == frame.rows.size();
}

}  // namespace

std::string_view FrameView::row(uint32_t index) const {
  WEIR_CHECK(index < header.events, "a row of the frame");
  const char* ends = row_end_bytes.data() + size_t{4} * index;
  uint32_t begin = index == 0 ? 0 : load_le<uint32_t>(ends - 4);
  return rows.substr(begin, load_le<uint32_t>(ends) - begin);
}

Id16 FrameView::unique_hash(uint32_t index) const {
  WEIR_CHECK(has_unique() && index < header.events, "a hash of the frame");
  Id16 hash;
  std::memcpy(hash.data(), unique_bytes.data() + size_t{16} * index, hash.size());
  return hash;
}

RowPlace FrameView::place(uint32_t index) const {
  WEIR_CHECK(has_places() && index < header.events, "a place of the frame");
  const char* bytes = place_bytes.data() + kPlaceBytes * index;
  return {load_le<uint64_t>(bytes), load_le<int64_t>(bytes + 8)};
}

cep::Status encode_frame(const FrameInput& frame, std::string& out) {
  STATE_TRY(check_input(frame));
  const FrameHeader& header = frame.header;
  size_t length = kFrameHeaderBytes + frame.row_ends.size() * 4 + frame.unique_hashes.size() * 16 +
                  frame.places.size() * kPlaceBytes + frame.rows.size();
  if (length > kFrameBytesMax) {
    return cep::Error{"too_large", "a frame of " + std::to_string(length) + " bytes is above the limit of " +
                                       std::to_string(kFrameBytesMax)};
  }
  uint32_t flags = header.flags & ~(kFrameHasUnique | kFrameHasPlaces);
  if (!frame.unique_hashes.empty()) flags |= kFrameHasUnique;
  if (!frame.places.empty()) flags |= kFrameHasPlaces;

  size_t start = out.size();
  Writer writer(out);
  writer.put<uint32_t>(0).put<uint32_t>(static_cast<uint32_t>(length));
  writer.put<uint8_t>(kFrameVersion).put<uint8_t>(static_cast<uint8_t>(header.kind));
  writer.put<uint16_t>(static_cast<uint16_t>(header.stream)).put<uint32_t>(header.source);
  writer.put<uint64_t>(header.first_offset).put<uint32_t>(header.events).put<uint32_t>(flags);
  writer.put<int64_t>(header.received_us).put<uint64_t>(header.source_position).id(header.request_id);
  for (uint32_t end : frame.row_ends) writer.put<uint32_t>(end);
  for (const Id16& hash : frame.unique_hashes) writer.id(hash);
  for (const RowPlace& place : frame.places) writer.put<uint64_t>(place.ordinal).put<int64_t>(place.arrival_us);
  writer.raw(frame.rows);

  uint32_t checksum = crc32c(std::string_view(out).substr(start + 4));
  std::memcpy(out.data() + start, &checksum, sizeof checksum);
  return cep::ok_status();
}

size_t frame_length(std::string_view bytes) {
  if (bytes.size() < 8) return 0;
  uint32_t length = load_le<uint32_t>(bytes.data() + 4);
  return length < kFrameHeaderBytes || length > kFrameBytesMax ? 0 : length;
}

cep::Result<FrameView> decode_frame(std::string_view bytes) {
  size_t length = frame_length(bytes);
  if (length == 0) return damaged("no frame begins here");
  if (length > bytes.size()) return damaged("it goes on after the end");
  bytes = bytes.substr(0, length);
  if (crc32c(bytes.substr(4)) != load_le<uint32_t>(bytes.data())) return damaged("checksum does not match");

  Reader reader(bytes.substr(8));
  uint8_t version = reader.get<uint8_t>();
  if (version != kFrameVersion) return damaged("written by a newer version");
  FrameView frame;
  frame.header = decode_header(reader);
  if (frame.header.kind > FrameKind::kPosition) return damaged("unknown kind");
  if ((frame.header.flags & ~kKnownFlags) != 0) return damaged("unknown flags");
  frame.row_end_bytes = reader.raw(size_t{4} * frame.header.events);
  if (frame.has_unique() && frame.header.events == 0) return damaged("hashes of no rows");
  if (frame.has_unique()) frame.unique_bytes = reader.raw(size_t{16} * frame.header.events);
  if (frame.has_places() && frame.header.events == 0) return damaged("places of no rows");
  if (frame.has_places()) frame.place_bytes = reader.raw(kPlaceBytes * frame.header.events);
  if (!reader.ok()) return damaged("more rows than bytes");
  frame.rows = reader.rest();
  if (!row_ends_fit(frame)) return damaged("row ends do not fit the rows");
  return frame;
}

}  // namespace state
