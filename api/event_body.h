// A request's body cut into events: NDJSON lines, a JSON object or array, CSV, CloudEvents; plain events of one stream
// or envelopes {"stream": S, "event": {...}} and watermark lines {"$watermark": T, "stream": S?}. The events' own
// fields are validated later, by JsonRows. Invariant: every record of the body becomes one item or one rejected row, in
// order. Threads: pure functions.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "api/backend.h"
#include "cep/result.h"

namespace api {

inline constexpr uint32_t kRequestRecordsMax = 100'000;
inline constexpr size_t kRequestStreamsMax = 10'000;  // distinct names in one request

// One line of NDJSON, or one element of an array.
struct EventRecord {
  bool is_watermark = false;
  std::string stream;  // empty for a watermark of all streams
  cep::TimeUs watermark_us = 0;
  std::string_view row;  // the event's JSON, inside the line
};
// `default_stream` empty: lines are envelopes. Else a line is an event of that stream, or a watermark line.
// The decoder of files uses it too.
bool read_record(std::string_view line, std::string_view default_stream, EventRecord* record, RowError* error);

// What of the request's head decides how its body is read.
struct EventBodyHead {
  std::string content_type;     // without parameters, lower case; empty: told from the first byte
  std::string stream;           // of the path; empty: the body says
  bool is_cloud_event = false;  // binary mode: ce-specversion is there
  std::string ce_type, ce_id, ce_time;
};
using SchemaSource = std::function<cep::SchemaPtr(std::string_view stream)>;

// Fills streams, items, rejected and made of `request` from its body. Errors (whole body refused): bad_json, bad_csv,
// duplicate_key, unknown_stream, unsupported_media_type, too_large.
cep::Status split_body(const EventBodyHead& head, const SchemaSource& schemas, SubmitRequest& request);

}  // namespace api
