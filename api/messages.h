// What the HTTP layer and the service tell each other: plain structs, requests and answers of the port in backend.h.
// Threads: plain values.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "api/json_rows.h"
#include "cep/types.h"

namespace api {

struct Answer {
  int status = 200;
  std::string content_type = "application/json";
  std::vector<std::pair<std::string, std::string>> headers;  // "ETag", "Retry-After", ...: without CR and LF
  std::string body;
};
using Reply = std::function<void(Answer)>;

// --- Events

// One record of a request in its order: an event of `streams[stream]`, or a watermark line.
struct SubmitItem {
  enum class Kind : uint8_t { kEvent, kWatermark };
  static constexpr uint16_t kAllStreams = 0xffff;  // watermark without "stream"

  Kind kind = Kind::kEvent;
  uint16_t stream = kAllStreams;  // into SubmitRequest::streams
  uint32_t index = 0;             // of the record in the request, from 0: what `rejected[].index` says
  cep::TimeUs watermark_us = 0;   // kWatermark only
  std::string_view row;           // kEvent: the JSON to log, inside `body` or `made`
};

// A row that was refused, by the HTTP layer (in the request) or by the backend (in the answer).
struct RejectedRow {
  uint32_t index = 0;
  std::string stream;  // empty when it could not be told
  RowError error;
  std::string raw;  // as received, at most kRejectedRawMax bytes; empty in answers
};
inline constexpr size_t kRejectedRawMax = 4096;

struct SubmitRequest {
  std::string body;                  // owns the rows' bytes; never moved or changed while `items` are in use
  std::string made;                  // rows made from CSV or CloudEvents
  std::vector<std::string> streams;  // distinct names, also of streams nobody declared: the backend says unknown_stream
  std::vector<SubmitItem> items;
  std::vector<RejectedRow> rejected;  // refused already, to be kept with the rejected and named in the answer
  std::string idempotency_key;        // of the header; empty: none
  uint64_t body_hash = 0;             // of body, stream and kind: another one under the same key is a conflict
};

struct SubmitAnswer {
  enum class Outcome : uint8_t {
    kDurable,      // 202
    kKeyConflict,  // 409: the Idempotency-Key was used with another body
    kBusy,         // 429 with Retry-After
    kUnavailable,  // 503: draining or the log cannot be written
  };
  Outcome outcome = Outcome::kDurable;
  uint64_t accepted = 0;  // events; duplicates are not counted here
  uint64_t duplicates = 0;
  std::vector<RejectedRow> rejected;  // all of the request, ascending by index
  int retry_after_s = 1;              // kBusy, kUnavailable
  std::string code;                   // of the problem, a stable word; empty: the outcome's
  std::string detail;                 // why, for a person
};

// --- Alerts

struct AlertCursor {
  uint32_t lane = 0;
  uint64_t sequence = 0;
};

struct AlertsQuery {
  std::optional<std::string> rule;
  std::vector<std::string> key;         // parts in partition order; needs `rule`; empty: any
  std::optional<cep::TimeUs> from, to;  // event time, half-open
  std::optional<std::string> severity;  // info low medium high critical
  std::optional<std::string> mode;      // live shadow derived backfill; none: all but backfill
  uint32_t limit = 100;                 // 1..1000
  std::string cursor;                   // opaque, `next` of the previous page
};

struct FeedItem {
  AlertCursor cursor;
  std::string json;  // one line
};
// A piece of the alert log in its order. `gap`: alerts between the asked cursor and the first item no longer exist.
struct FeedPage {
  std::vector<FeedItem> items;
  bool gap = false;
  AlertCursor next;  // where to read on, also when there are no items
};
struct FeedQuery {
  std::optional<AlertCursor> after;           // unset: from the end on, only what comes
  std::optional<std::string> rule, severity;  // filters; items that do not fit are passed over
  uint32_t items_max = 100;
};

// --- Everything else

struct PageQuery {
  uint32_t limit = 100;
  std::string cursor;
};
struct RulePut {
  std::string name, text;
  std::string if_match, if_none_match;  // header values, empty: absent
  int wait_ms = 0;                      // answer only when active, or after this time as it is
  bool dry_run = false;
};
struct MatchesQuery {
  std::string rule;
  std::vector<std::string> key;  // parts as text in partition order; empty: the summary
  uint32_t limit = 100;
};
struct RejectedQuery {
  std::optional<std::string> stream, code;
  PageQuery page;
};
struct DatasetName {
  bool is_table = false;  // else a list
  std::string name;
};
struct EditRequest {
  DatasetName dataset;
  std::string by;                       // From; may be empty
  std::string if_match, if_none_match;  // header values, empty: absent
};
struct DatasetEntryPut {
  EditRequest edit;
  std::vector<std::string> key;  // one text per declared type
  std::string row;               // of a table: a JSON object
  std::string owner, comment;
  std::optional<cep::TimeUs> expires;
};
struct DatasetImport {
  EditRequest edit;
  std::string csv;
  bool replace = false;  // what the CSV does not have goes
};
struct EditsQuery {
  std::string dataset;  // empty: of all
  PageQuery page;
};
struct SinkReplay {
  std::string sink;
  std::string alert;                    // 32 hex digits; empty: the range below
  std::optional<cep::TimeUs> from, to;  // event time, half-open
};

}  // namespace api
