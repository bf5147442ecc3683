// CloudEvents 1.0 in JSON: the parts of an event that matter here, and the row the log keeps of it: its `data`, with a
// missing event-time column filled from `time` and a missing single `unique` text column from `id`. Threads: pure
// functions.
#pragma once

#include <string>
#include <string_view>

#include "api/json_rows.h"

namespace api {

struct CloudEvent {
  std::string type;
  std::string id;         // unescaped; empty: absent
  std::string time;       // RFC 3339; empty: absent
  std::string_view data;  // JSON, inside the text that was read
};

// Reads the structured form. False: `*error` says why.
bool read_cloud_event(std::string_view json, CloudEvent* event, RowError* error);
// Appends the row to `out`; `schema` null: the data as it is. False: the data is no JSON object.
bool append_cloud_row(const cep::StreamSchema* schema, const CloudEvent& event, std::string& out, RowError* error);

}  // namespace api
