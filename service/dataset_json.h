// Lists, tables, their entries and edits as JSON: one shape for HTTP, the audit and the log's export. Threads: pure functions.
#pragma once

#include <optional>
#include <string>

#include "api/json_writer.h"
#include "cep/dataset.h"
#include "service/dataset_change.h"

namespace service {

// "list" or "table": the member that names one.
inline const char* dataset_word(bool is_table) { return is_table ? "table" : "list"; }

// Members of an open object. Of an entry: value (list) or key (table) and row, owner, comment, expires, by, at.
void append_dataset(const cep::Dataset& dataset, api::JsonWriter& json);
void append_entry(const cep::Dataset& dataset, const cep::DatasetEntry& entry, api::JsonWriter& json);
// The key as an array member, and one side of an edit, which may be nothing, as a value.
void append_key(const std::vector<std::string>& key, bool is_table, api::JsonWriter& json);
void append_text(const cep::Dataset& dataset, const std::optional<cep::EntryText>& text, api::JsonWriter& json);

// A whole edit for the audit: counts, and the first entries.
inline constexpr size_t kEditsShownMax = 20;
std::string edit_json(const DatasetChange& change, const cep::Dataset& dataset, uint64_t offset);

}  // namespace service
