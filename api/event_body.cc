#include "api/event_body.h"

#include <algorithm>
#include <unordered_map>

#include "api/cloudevents.h"
#include "api/csv_rows.h"
#include "api/json_scan.h"
#include "cep/parse.h"

namespace api {
namespace {

bool bad_record(RowError* error, std::string field, std::string message) {
  *error = {EventCode::kBadJson, std::move(field), std::move(message)};
  return false;
}

// The record's first member is "$watermark"; cheap, because it is asked of every event.
bool looks_like_watermark(std::string_view line) {
  if (line.empty() || line[0] != '{') return false;
  return trim_json_space(line.substr(1, 64)).starts_with("\"$watermark\"");
}

bool read_time(std::string_view token, cep::TimeUs* time) {
  std::string text;
  const bool is_text = token.starts_with('"');
  if (is_text && !unescape_json(token, text)) return false;
  const auto read = is_text ? cep::parse_time(text, "UTC") : cep::time_from_epoch_ms(token);
  if (read.ok()) *time = read.value();
  return read.ok();
}

// Cuts a body into records and adds them to a request.
class Splitter {
 public:
  Splitter(const EventBodyHead& head, const SchemaSource& schemas, SubmitRequest& request)
      : head_(head), schemas_(schemas), request_(request) {}

  cep::Status run();

 private:
  cep::Status ndjson(std::string_view body);
  cep::Status json(std::string_view body);
  cep::Status array(std::string_view body, bool cloud_events);
  cep::Status csv(std::string_view body);
  cep::Status too_many() const {
    return cep::Error{"too_large", "a request may have " + std::to_string(kRequestRecordsMax) + " events"};
  }

  void add_record(std::string_view line);
  void add_cloud_event(std::string_view text);
  void add_cloud_row(std::string_view type, CloudEvent& event, std::string_view raw);
  void add_made(const std::string& stream, size_t first);
  void reject(std::string stream, RowError error, std::string_view raw);
  bool find_stream(const std::string& name, uint16_t* number, std::string_view raw);
  void point_at_made();

  const EventBodyHead& head_;
  const SchemaSource& schemas_;
  SubmitRequest& request_;
  EventRecord record_;
  RowError error_;
  uint32_t index_ = 0;
  uint16_t last_stream_ = 0;
  std::unordered_map<std::string, uint16_t> numbers_;  // of request_.streams
  std::vector<std::pair<size_t, size_t>> made_;  // item, first byte in request_.made: views come when it is complete
};

cep::Status Splitter::run() {
  std::string_view body = request_.body;
  if (body.starts_with("\xef\xbb\xbf")) body.remove_prefix(3);
  const std::string& type = head_.content_type;
  cep::Status status = cep::ok_status();
  if (head_.is_cloud_event) {
    CloudEvent event;
    event.data = body;
    event.id = head_.ce_id;
    event.time = head_.ce_time;
    add_cloud_row(head_.ce_type, event, body);
  } else if (type == "application/cloudevents+json") {
    add_cloud_event(trim_json_space(body));
  } else if (type == "application/cloudevents-batch+json") {
    status = array(body, true);
  } else if (type == "text/csv") {
    status = csv(body);
  } else if (type == "application/x-ndjson" || type == "application/ndjson" || type == "application/jsonl" ||
             type == "application/x-jsonlines") {
    status = ndjson(body);
  } else if (type.empty() || type == "application/json" || type == "text/plain" ||
             type == "application/x-www-form-urlencoded") {  // what curl says when nobody told it better
    status = json(body);
  } else {
    return cep::Error{
        "unsupported_media_type",
        "send application/x-ndjson, application/json, application/cloudevents+json (or -batch) or text/csv, not " +
            type};
  }
  point_at_made();
  return status;
}

cep::Status Splitter::ndjson(std::string_view body) {
  request_.items.reserve(body.size() / 256 + 1);
  while (!body.empty()) {
    const size_t end = std::min(body.find('\n'), body.size());
    const std::string_view line = trim_json_space(body.substr(0, end));
    body.remove_prefix(std::min(end + 1, body.size()));
    if (line.empty()) continue;
    if (index_ == kRequestRecordsMax) return too_many();
    add_record(line);
  }
  return cep::ok_status();
}

// One array, or one object over as many lines as it likes, or lines.
cep::Status Splitter::json(std::string_view body) {
  const std::string_view text = trim_json_space(body);
  if (text.starts_with('[')) return array(text, false);
  JsonScan scan(text);
  std::string_view key, value;
  if (scan.enter('{')) {
    while (scan.next_member(&key, &value)) continue;
  }
  if (!scan.complete()) return ndjson(body);
  add_record(text);
  return cep::ok_status();
}

cep::Status Splitter::array(std::string_view body, bool cloud_events) {
  JsonScan scan(body);
  std::string_view element;
  if (!scan.enter('[')) return cep::Error{"bad_json", "the body must be a JSON array"};
  while (scan.next_element(&element)) {
    if (index_ == kRequestRecordsMax) return too_many();
    if (cloud_events) {
      add_cloud_event(element);
    } else {
      add_record(element);
    }
  }
  if (!scan.complete())
    return cep::Error{"bad_json", "the array breaks off or is malformed at element " + std::to_string(index_)};
  return cep::ok_status();
}

cep::Status Splitter::csv(std::string_view body) {
  if (head_.stream.empty()) {
    return cep::Error{"unsupported_media_type",
                      "CSV has no place for the stream: POST it to /v1/streams/{stream}/events"};
  }
  const cep::SchemaPtr schema = schemas_(head_.stream);
  if (schema == nullptr) return cep::Error{"unknown_stream", "there is no stream " + head_.stream};
  CsvRows rows(schema);
  const size_t header = csv_record_size(body, true);
  if (const cep::Status status = rows.set_header(body.substr(0, header)); !status.ok()) return status;
  body.remove_prefix(header);
  while (!body.empty()) {
    const std::string_view record = body.substr(0, csv_record_size(body, true));
    body.remove_prefix(record.size());
    if (trim_json_space(record).empty()) continue;
    if (index_ == kRequestRecordsMax) return too_many();
    const size_t first = request_.made.size();
    if (rows.append(record, request_.made, &error_)) {
      add_made(head_.stream, first);
    } else {
      reject(head_.stream, error_, record);
    }
  }
  return cep::ok_status();
}

void Splitter::add_record(std::string_view line) {
  if (!read_record(line, head_.stream, &record_, &error_)) return reject(head_.stream, error_, line);
  SubmitItem item;
  if (record_.is_watermark) {
    item.kind = SubmitItem::Kind::kWatermark;
    item.watermark_us = record_.watermark_us;
  }
  if (!record_.stream.empty() && !find_stream(record_.stream, &item.stream, line)) return;
  item.index = index_++;
  item.row = record_.row;
  request_.items.push_back(item);
}

void Splitter::add_cloud_event(std::string_view text) {
  CloudEvent event;
  if (!read_cloud_event(text, &event, &error_)) return reject(head_.stream, error_, text);
  add_cloud_row(event.type, event, text);
}

void Splitter::add_cloud_row(std::string_view type, CloudEvent& event, std::string_view raw) {
  const std::string stream = head_.stream.empty() ? std::string(type) : head_.stream;
  if (stream.empty()) {
    bad_record(&error_, "type", "a CloudEvent without a type has no stream");
    return reject(stream, error_, raw);
  }
  const size_t first = request_.made.size();
  const cep::SchemaPtr schema = schemas_(stream);
  if (!append_cloud_row(schema.get(), event, request_.made, &error_)) return reject(stream, error_, raw);
  add_made(stream, first);
}

void Splitter::add_made(const std::string& stream, size_t first) {
  SubmitItem item;
  if (!find_stream(stream, &item.stream, {})) return request_.made.resize(first);
  item.index = index_++;
  made_.emplace_back(request_.items.size(), first);
  request_.items.push_back(item);
}

void Splitter::reject(std::string stream, RowError error, std::string_view raw) {
  RejectedRow row;
  row.index = index_++;
  row.stream = std::move(stream);
  row.error = std::move(error);
  row.raw = raw.substr(0, kRejectedRawMax);
  request_.rejected.push_back(std::move(row));
}

// Names come in stretches, so the last one is tried first. A name too many is one nobody declared: its record is
// refused.
bool Splitter::find_stream(const std::string& name, uint16_t* number, std::string_view raw) {
  std::vector<std::string>& names = request_.streams;
  if (last_stream_ < names.size() && names[last_stream_] == name) {
    *number = last_stream_;
    return true;
  }
  const auto known = numbers_.find(name);
  if (known == numbers_.end() && names.size() == kRequestStreamsMax) {
    const std::string message = "a request may name " + std::to_string(kRequestStreamsMax) + " streams";
    reject(name, {EventCode::kUnknownStream, "stream", message}, raw);
    return false;
  }
  last_stream_ = known != numbers_.end() ? known->second : static_cast<uint16_t>(names.size());
  if (known == numbers_.end()) {
    numbers_.emplace(name, last_stream_);
    names.push_back(name);
  }
  *number = last_stream_;
  return true;
}

void Splitter::point_at_made() {
  for (size_t i = 0; i < made_.size(); ++i) {
    const size_t end = i + 1 < made_.size() ? made_[i + 1].second : request_.made.size();
    request_.items[made_[i].first].row = std::string_view(request_.made).substr(made_[i].second, end - made_[i].second);
  }
}

bool read_watermark(std::string_view line, EventRecord* record, RowError* error) {
  JsonScan scan(line);
  std::string_view key, value;
  bool has_time = false;
  record->is_watermark = true;
  record->stream.clear();
  record->row = {};
  if (!scan.enter('{')) return bad_record(error, {}, "not valid JSON");
  while (scan.next_member(&key, &value)) {
    if (key == "$watermark") {
      if (has_time || !read_time(value, &record->watermark_us)) {
        *error = {EventCode::kBadTime, "$watermark", "must be one RFC 3339 time or epoch milliseconds"};
        return false;
      }
      has_time = true;
    } else if (key == "stream") {
      if (!unescape_json(value, record->stream) || record->stream.empty()) {
        return bad_record(error, "stream", "must be a stream's name");
      }
    }
  }
  return scan.complete() || bad_record(error, {}, "not valid JSON");
}

bool read_envelope(std::string_view line, EventRecord* record, RowError* error) {
  JsonScan scan(line);
  std::string_view key, value, event;
  record->is_watermark = false;
  record->stream.clear();
  if (!scan.enter('{')) return bad_record(error, {}, "not a JSON object");
  while (scan.next_member(&key, &value)) {
    if (key == "stream") {
      if (!record->stream.empty()) return bad_record(error, "stream", "stands twice in the envelope");
      if (!unescape_json(value, record->stream) || record->stream.empty()) {
        return bad_record(error, "stream", "must be a stream's name");
      }
    } else if (key == "event") {
      if (!event.empty()) return bad_record(error, "event", "stands twice in the envelope");
      event = value;
    }
  }
  if (!scan.complete()) return bad_record(error, {}, "not valid JSON");
  if (record->stream.empty())
    return bad_record(error, "stream", "is missing: lines are {\"stream\": S, \"event\": {...}}");
  if (event.empty()) return bad_record(error, "event", "is missing: lines are {\"stream\": S, \"event\": {...}}");
  record->row = event;
  return true;
}

}  // namespace

bool read_record(std::string_view line, std::string_view default_stream, EventRecord* record, RowError* error) {
  line = trim_json_space(line);
  if (looks_like_watermark(line)) return read_watermark(line, record, error);
  if (default_stream.empty()) return read_envelope(line, record, error);
  record->is_watermark = false;
  record->stream = default_stream;
  record->row = line;
  return true;
}

cep::Status split_body(const EventBodyHead& head, const SchemaSource& schemas, SubmitRequest& request) {
  return Splitter(head, schemas, request).run();
}

}  // namespace api
