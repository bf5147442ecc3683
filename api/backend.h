// The port: what the HTTP layer asks of the process. `service` implements it; tests have a small fake.
// Threads: every function is called on an io thread and must not wait: it returns at once and completes later by calling its
// `reply` exactly once, from any thread, also before it returns. A reply that is destroyed uncalled answers 503.
// Answers whose body only the service knows are finished `Answer`s (status and JSON); use api/problem.h for refusals.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "api/json_rows.h"
#include "cep/schema.h"
#include "cep/types.h"

namespace api {

struct Answer {
  int status = 200;
  std::string content_type = "application/json";
  std::vector<std::pair<std::string, std::string>> headers;   // "ETag", "Retry-After", ...: without CR and LF
  std::string body;
};
using Reply = std::function<void(Answer)>;

// --- Events

// One record of a request in its order: an event of `streams[stream]`, or a watermark line.
struct SubmitItem {
  enum class Kind : uint8_t { kEvent, kWatermark };
  static constexpr uint16_t kAllStreams = 0xffff;      // watermark without "stream"

  Kind kind = Kind::kEvent;
  uint16_t stream = kAllStreams;      // into SubmitRequest::streams
  uint32_t index = 0;                 // of the record in the request, from 0: what `rejected[].index` says
  cep::TimeUs watermark_us = 0;       // kWatermark only
  std::string_view row;               // kEvent: the JSON to log, inside `body` or `made`
};

// A row that was refused, by the HTTP layer (in the request) or by the backend (in the answer).
struct RejectedRow {
  uint32_t index = 0;
  std::string stream;                 // empty when it could not be told
  RowError error;
  std::string raw;                    // as received, at most kRejectedRawMax bytes; empty in answers
};
inline constexpr size_t kRejectedRawMax = 4096;

struct SubmitRequest {
  std::string body;                   // owns the rows' bytes; never moved or changed while `items` are in use
  std::string made;                   // rows made from CSV or CloudEvents
  std::vector<std::string> streams;   // distinct names, also of streams nobody declared: the backend says unknown_stream
  std::vector<SubmitItem> items;
  std::vector<RejectedRow> rejected;  // refused already, to be kept with the rejected and named in the answer
  std::string idempotency_key;        // of the header; empty: none
  uint64_t body_hash = 0;             // XXH3 of the body as received: another body under the same key is a conflict
};

struct SubmitAnswer {
  enum class Outcome : uint8_t {
    kDurable,          // 202
    kKeyConflict,      // 409: the Idempotency-Key was used with another body
    kBusy,             // 429 with Retry-After
    kUnavailable,      // 503: draining or the log cannot be written
  };
  Outcome outcome = Outcome::kDurable;
  uint64_t accepted = 0;              // events; duplicates are not counted here
  uint64_t duplicates = 0;
  std::vector<RejectedRow> rejected;  // all of the request, ascending by index
  int retry_after_s = 1;              // kBusy, kUnavailable
  std::string detail;                 // why, for a person
};

// --- Alerts

struct AlertCursor {
  uint32_t lane = 0;
  uint64_t sequence = 0;
};

struct AlertsQuery {
  std::optional<std::string> rule;
  std::vector<std::string> key;                 // parts in partition order; needs `rule`; empty: any
  std::optional<cep::TimeUs> from, to;          // event time, half-open
  std::optional<std::string> severity;          // info low medium high critical
  std::optional<std::string> mode;              // live shadow derived
  uint32_t limit = 100;                         // 1..1000
  std::string cursor;                           // opaque, `next` of the previous page
};

struct FeedItem {
  AlertCursor cursor;
  std::string json;                             // one line
};
// A piece of the alert log in its order. `gap`: alerts between the asked cursor and the first item no longer exist.
struct FeedPage {
  std::vector<FeedItem> items;
  bool gap = false;
  AlertCursor next;                             // where to read on, also when there are no items
};
struct FeedQuery {
  std::optional<AlertCursor> after;             // unset: from the end on, only what comes
  std::optional<std::string> rule, severity;    // filters; items that do not fit are passed over
  uint32_t items_max = 100;
};

// --- Everything else

struct PageQuery {
  uint32_t limit = 100;
  std::string cursor;
};
struct RulePut {
  std::string name, text;
  std::string if_match, if_none_match;          // header values, empty: absent
  int wait_ms = 0;                              // answer only when active, or after this time as it is
  bool dry_run = false;
};
struct MatchesQuery {
  std::string rule;
  std::vector<std::string> key;                 // parts as text in partition order; empty: the summary
  uint32_t limit = 100;
};
struct RejectedQuery {
  std::optional<std::string> stream, code;
  PageQuery page;
};
struct ListEntryPut {
  std::string list;
  std::vector<std::string> value;               // one text per declared type
  std::string owner, comment;
  std::optional<cep::TimeUs> expires;
  std::string if_match, if_none_match;
};
struct SinkReplay {
  std::string sink;
  std::string alert;                            // 32 hex digits; empty: the range below
  std::optional<cep::TimeUs> from, to;          // event time, half-open
};

class Backend {
 public:
  virtual ~Backend() = default;

  // 202 means durable: `reply` is called after the flush.
  virtual void submit(std::shared_ptr<SubmitRequest> request, std::function<void(SubmitAnswer)> reply) = 0;
  // The stream's schema in force, null if nobody declared it. Any thread, no waiting.
  virtual cep::SchemaPtr schema(std::string_view stream) const = 0;

  virtual void check(std::string text, Reply reply) = 0;                       // 200 {ok, diagnostics}
  virtual void deploy(std::string text, bool dry_run, Reply reply) = 0;        // 200, 422 with diagnostics[]
  virtual void reload(Reply reply) = 0;
  virtual void rules(PageQuery page, Reply reply) = 0;
  virtual void rule(std::string name, Reply reply) = 0;
  virtual void put_rule(RulePut put, Reply reply) = 0;
  virtual void delete_rule(std::string name, std::string if_match, Reply reply) = 0;
  virtual void rule_versions(std::string name, PageQuery page, Reply reply) = 0;
  virtual void rule_version(std::string name, uint32_t version, Reply reply) = 0;
  virtual void activate_rule_version(std::string name, uint32_t version, Reply reply) = 0;
  virtual void set_rule_mode(std::string name, std::string mode, Reply reply) = 0;   // live shadow paused

  virtual void alerts(AlertsQuery query, Reply reply) = 0;
  virtual void alert(std::string id, Reply reply) = 0;                         // id checked: 32 hex digits
  // Answers at once, with no items when there are none yet.
  virtual void read_feed(FeedQuery query, std::function<void(FeedPage)> reply) = 0;
  // `hook` is called from any thread after alerts were stored; it is cheap. Empty: no more calls once this returned.
  virtual void set_feed_hook(std::function<void()> hook) = 0;
  virtual void matches(MatchesQuery query, Reply reply) = 0;
  virtual void rejected(RejectedQuery query, Reply reply) = 0;

  virtual void lists(PageQuery page, Reply reply) = 0;
  virtual void list(std::string name, PageQuery page, Reply reply) = 0;
  virtual void list_entry(std::string name, std::vector<std::string> value, Reply reply) = 0;
  virtual void put_list_entry(ListEntryPut put, Reply reply) = 0;
  virtual void delete_list_entry(std::string name, std::vector<std::string> value, Reply reply) = 0;

  virtual void sinks(PageQuery page, Reply reply) = 0;
  virtual void sink(std::string name, Reply reply) = 0;
  virtual void put_sink(std::string name, std::string json, Reply reply) = 0;  // 409 for sinks of the configuration file
  virtual void delete_sink(std::string name, Reply reply) = 0;
  virtual void test_sink(std::string name, Reply reply) = 0;
  virtual void sink_attempts(std::string name, PageQuery page, Reply reply) = 0;
  virtual void sink_parked(std::string name, PageQuery page, Reply reply) = 0;
  virtual void replay_sink(SinkReplay replay, Reply reply) = 0;

  virtual void streams(PageQuery page, Reply reply) = 0;
  virtual void stream(std::string name, Reply reply) = 0;
  virtual void limits(Reply reply) = 0;
  virtual void checkpoints(PageQuery page, Reply reply) = 0;
  virtual void trigger_checkpoint(Reply reply) = 0;
  virtual void ready(Reply reply) = 0;                                         // 200 or 503
  virtual void health(Reply reply) = 0;
  virtual void metrics(Reply reply) = 0;                                       // Prometheus text
  // After each answered request. `route` is the template of the table ("/v1/rules/{name}"), or "unknown".
  virtual void observe_request(std::string_view route, std::string_view method, int status, double seconds) = 0;
};

}  // namespace api
