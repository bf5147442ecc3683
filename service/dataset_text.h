// Entries of lists and tables as people write them: CSV files and bodies, JSON objects of a row, one value a line.
// A list's line holds its values and then, if wanted, owner, comment and expiry. A table's CSV has a header that names columns in any order
// (those it leaves out are null) and may name `owner`, `comment` and `expires` too. An empty field is null, `""` the empty text.
// Threads: pure functions.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "cep/dataset.h"
#include "cep/result.h"
#include "service/dataset_change.h"

namespace service {

enum class EntryForm : uint8_t {
  kLines,    // of a list of one type: the whole line is the value, unless it begins with a quote; `#` begins a comment
  kCsv,
};

// Every entry of the text, as edits that put it. Errors: bad_csv, wrong_type, unknown_column, ... with "line N: " before the message.
cep::Result<std::vector<DatasetChange::Edit>> read_entries(const cep::Dataset& dataset, std::string_view text, EntryForm form);

// A JSON object as a row. With `key` it stands for the key columns, which the object leaves out; without, the object has them.
// Errors: bad_json, wrong_type, unknown_column, not_null.
cep::Result<DatasetChange::Edit> read_row(const cep::Dataset& table, std::string_view json, const std::vector<std::string>* key);

}  // namespace service
