// Frames of the event log as read from a disk: no bytes crash the decoder; what it takes for a frame is encoded to the same bytes again,
// and the bodies of control frames are read or refused.
#include "service/control_record.h"
#include "service/dataset_change.h"
#include "state/crc32c.h"
#include "state/format.h"
#include "tests/fuzz/fuzz.h"

namespace {

void check_body(const state::FrameView& frame) {
  const std::string_view body = frame.rows;
  switch (frame.header.kind) {
    case state::FrameKind::kRules:
      if (const auto change = service::decode_rules_change(body)) fuzz::check(service::encode(*change).size() == body.size(), "rules");
      break;
    case state::FrameKind::kList:
      if (const auto change = service::decode_dataset_change(body)) {
        const std::string again = service::encode(*change);
        const bool is_old = body.front() == 1;      // read only
        fuzz::check((is_old || again.size() == body.size()) && service::decode_dataset_change(again), "edits");
      }
      break;
    case state::FrameKind::kMode:
      if (const auto change = service::decode_mode_change(body)) fuzz::check(service::encode(*change).size() == body.size(), "mode");
      break;
    case state::FrameKind::kWatermark:
      if (const auto mark = service::decode_watermark_mark(body)) fuzz::check(service::encode(*mark).size() == body.size(), "watermark");
      break;
    case state::FrameKind::kSource:
      if (const auto change = service::decode_source_change(body)) fuzz::check(service::encode(*change).size() == body.size(), "source");
      break;
    default: break;
  }
}

void check_frame(const state::FrameView& frame, std::string_view bytes) {
  state::FrameInput input;
  std::vector<uint32_t> ends;
  std::vector<state::Id16> hashes;
  std::vector<state::RowPlace> places;
  size_t rows = 0;
  for (uint32_t row = 0; row < frame.header.events; ++row) {
    rows += frame.row(row).size();
    ends.push_back(static_cast<uint32_t>(rows));
    if (frame.has_unique()) hashes.push_back(frame.unique_hash(row));
    if (frame.has_places()) places.push_back(frame.place(row));
  }
  input.header = frame.header;
  input.row_ends = ends;
  input.unique_hashes = hashes;
  input.places = places;
  input.rows = frame.rows;
  std::string again;
  const bool encoded = state::encode_frame(input, again).ok();
  const bool planted = fuzz::kPlanted && frame.header.source != 0 && frame.more();
  fuzz::check(encoded && again == bytes && !planted, "a frame is encoded to other bytes");
}

}  // namespace

// Even first byte: the bytes as they are. Odd: each length as it is, and each checksum set right, or nothing would get behind it.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0 || size > 4096) return 0;
  std::string bytes(fuzz::text_of(data, size).substr(1));
  const bool repair = (data[0] & 1) != 0;
  for (size_t at = 0; at < bytes.size();) {
    const size_t length = state::frame_length(std::string_view(bytes).substr(at));
    if (repair && length != 0 && length <= bytes.size() - at) {
      const uint32_t checksum = state::crc32c(std::string_view(bytes).substr(at + 4, length - 4));
      std::memcpy(bytes.data() + at, &checksum, sizeof checksum);
    }
    const auto frame = state::decode_frame(std::string_view(bytes).substr(at));
    if (!frame) return 0;
    check_frame(*frame, std::string_view(bytes).substr(at, length));
    check_body(*frame);
    at += length;
  }
  return 0;
}
