// An edit of a list or table as a line of an exported log, which `weir run` takes back:
//   {"$edit": "customers", "by": .., "at": .., "edits": [{"key": [..], "now": ENTRY or null}, ..]}
//   ENTRY: {"row": [.., null], "owner": .., "comment": .., "expires": .. or null}
// Threads: pure functions.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "cep/result.h"
#include "service/dataset_change.h"

namespace service {

// One line for so many edits, without the line break: `weir run` reads lines of a bounded size.
inline constexpr size_t kEditsALine = 200;
void append_change(const DatasetChange& change, size_t first, std::string& line);

// Whether the line is an edit: its first member is `$edit`.
bool is_edit_line(std::string_view line);
// Errors: bad_json, bad_time.
cep::Result<DatasetChange> read_edit_line(std::string_view line);

}  // namespace service
