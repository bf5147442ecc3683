// Server-sent events as text (WHATWG HTML, "Server-sent events"). Threads: pure functions.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "api/backend.h"

namespace api {

// "id: 0:123\nevent: alert\ndata: {...}\n\n"; line breaks in the data become several data lines.
void append_sse_event(std::string_view id, std::string_view event, std::string_view data, std::string& out);
// A line clients ignore, so that both sides see that the connection lives.
void append_sse_comment(std::string_view text, std::string& out);

// "lane:sequence", the id of an alert in the stream and what Last-Event-ID brings back.
std::string format_cursor(const AlertCursor& cursor);
std::optional<AlertCursor> parse_cursor(std::string_view text);

}  // namespace api
