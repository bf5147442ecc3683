// Answers of the server for people and for programs: a table, the JSON as it came, or one item a line. Refusals as
// text. Invariant: nothing of an answer can act on a terminal: control characters are replaced in tables and messages.
// Threads: pure functions but for the console they write to.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "service/api_client.h"
#include "service/cli.h"

namespace service {

enum class OutputForm : uint8_t { kTable, kJson, kNdjson };

// Members of a JSON object in order, values as written; empty if it is none.
std::vector<std::pair<std::string, std::string_view>> json_members(std::string_view object);
// The value of a member, empty if it is not there.
std::string_view json_member(std::string_view object, std::string_view name);
std::vector<std::string_view> json_elements(std::string_view array);
// A string without quotes and escapes, anything else as written.
std::string json_text(std::string_view value);
// Control characters become '?'.
std::string for_terminal(std::string text);

// A body of status 2xx. Of a page {items, next} the items are shown, and where more is.
void print_body(const Console& console, OutputForm form, const std::string& body);
// One alert as a line: time, severity, rule, key, message.
std::string alert_line(std::string_view alert);
// Says on the standard error why a request was refused, with diagnostics if there are any. Returns the exit status.
int print_refusal(const Console& console, const ApiResponse& response);
int print_unreachable(const Console& console, const cep::Error& error);

}  // namespace service
