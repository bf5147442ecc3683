// See dataset_text.h. Test: tests/unit/service/dataset_text_test.cc.
#include "service/dataset_text.h"

#include <algorithm>
#include <optional>

#include "api/csv_rows.h"
#include "api/json_scan.h"
#include "cep/parse.h"

namespace service {
namespace {

using Field = std::optional<std::string>;       // nothing: empty without quotes

// False: a quote is not closed, or something follows one.
bool split_fields(std::string_view record, std::vector<Field>& fields) {
  fields.assign(1, std::nullopt);
  bool quoted = false, closed = false;
  for (size_t i = 0; i < record.size(); ++i) {
    const char c = record[i];
    if (quoted && record.substr(i).starts_with("\"\"")) {
      *fields.back() += '"';
      ++i;
    } else if (c == '"' && (quoted || !fields.back())) {
      quoted = !quoted;
      closed = !quoted;
      if (quoted) fields.back() = "";
    } else if (c == ',' && !quoted) {
      fields.emplace_back();
      closed = false;
    } else if (closed && c != ' ') {
      return false;
    } else if (quoted || c != ' ' || fields.back()) {
      if (closed) continue;
      if (!fields.back()) fields.back() = "";
      *fields.back() += c;
    }
  }
  return !quoted;
}

cep::Error at_line(size_t line, const cep::Error& error) { return {error.code, "line " + std::to_string(line) + ": " + error.message}; }

cep::Status take_expiry(const Field& text, cep::EntryText& entry) {
  if (!text) return cep::ok_status();
  const cep::Result<cep::TimeUs> time = cep::parse_time(*text, "UTC");
  if (!time) return cep::Error{time.error().code, "expires: " + time.error().message};
  entry.expires_us = *time;
  return cep::ok_status();
}

class EntryReader {
 public:
  explicit EntryReader(const cep::Dataset& dataset) : dataset_(dataset), trial_(*dataset.emptied()) {}

  cep::Status header(const std::vector<Field>& names) {
    for (const Field& name : names) {
      const int column = place_of(name.value_or(""));
      if (column == kNowhere) {
        return cep::Error{"unknown_column", "table " + dataset_.name() + " has no column `" + name.value_or("") + "`"};
      }
      if (std::find(places_.begin(), places_.end(), column) != places_.end()) {
        return cep::Error{"bad_csv", "column `" + name.value_or("") + "` stands twice in the header"};
      }
      places_.push_back(column);
    }
    for (const uint16_t key : dataset_.key_columns()) {
      if (std::find(places_.begin(), places_.end(), key) != places_.end()) continue;
      return cep::Error{"bad_csv", "the header has no key column `" + dataset_.columns()[key].name + "`"};
    }
    return cep::ok_status();
  }

  cep::Status row(const std::vector<Field>& fields) {
    if (fields.size() != places_.size()) {
      return cep::Error{"bad_csv", std::to_string(fields.size()) + " fields, the header has " + std::to_string(places_.size())};
    }
    std::vector<Field> columns(dataset_.columns().size());
    DatasetChange::Edit edit;
    edit.now.emplace();
    for (size_t i = 0; i < fields.size(); ++i) {
      if (places_[i] >= 0) columns[static_cast<size_t>(places_[i])] = fields[i];
      if (places_[i] == kOwner) edit.now->owner = fields[i].value_or("");
      if (places_[i] == kComment) edit.now->comment = fields[i].value_or("");
      if (places_[i] != kExpires) continue;
      if (cep::Status status = take_expiry(fields[i], *edit.now); !status.ok()) return status;
    }
    for (const uint16_t key : dataset_.key_columns()) {
      if (!columns[key]) return cep::Error{"not_null", "key column `" + dataset_.columns()[key].name + "` has no value"};
      edit.key.push_back(std::move(*columns[key]));
    }
    for (const uint16_t column : dataset_.row_columns()) edit.now->row.push_back(std::move(columns[column]));
    edits_.push_back(std::move(edit));
    return cep::ok_status();
  }

  cep::Status element(const std::vector<Field>& fields) {
    const size_t values = dataset_.key_types().size();
    if (fields.size() < values || fields.size() > values + 3) {
      return cep::Error{"wrong_type", std::to_string(fields.size()) + " field(s): list " + dataset_.name() + " takes " +
                                          std::to_string(values) + " and then, if wanted, owner, comment and expiry"};
    }
    DatasetChange::Edit edit;
    edit.now.emplace();
    for (size_t i = 0; i < values; ++i) edit.key.push_back(fields[i].value_or(""));
    if (fields.size() > values) edit.now->owner = fields[values].value_or("");
    if (fields.size() > values + 1) edit.now->comment = fields[values + 1].value_or("");
    if (fields.size() > values + 2) {
      if (cep::Status status = take_expiry(fields[values + 2], *edit.now); !status.ok()) return status;
    }
    edits_.push_back(std::move(edit));
    return cep::ok_status();
  }

  // Whether its values read as their types.
  cep::Status check_last() { return trial_.put(edits_.back().key, *edits_.back().now); }

  std::vector<DatasetChange::Edit> take() { return std::move(edits_); }

 private:
  static constexpr int kOwner = -1, kComment = -2, kExpires = -3, kNowhere = -4;

  int place_of(const std::string& name) const {
    const std::vector<cep::Column>& columns = dataset_.columns();
    const auto found = std::find_if(columns.begin(), columns.end(), [&](const cep::Column& column) { return column.name == name; });
    if (found != columns.end()) return static_cast<int>(found - columns.begin());
    return name == "owner" ? kOwner : name == "comment" ? kComment : name == "expires" ? kExpires : kNowhere;
  }

  const cep::Dataset& dataset_;
  cep::Dataset trial_;
  std::vector<int> places_;
  std::vector<DatasetChange::Edit> edits_;
};

bool is_bare_allowed(cep::TypeKind kind, std::string_view token) {
  const bool is_bool = token == "true" || token == "false";
  switch (kind) {
    case cep::TypeKind::kBool: return is_bool;
    case cep::TypeKind::kInt:
    case cep::TypeKind::kFloat:
    case cep::TypeKind::kDecimal:
    case cep::TypeKind::kTimestamp: return !is_bool;
    default: return false;
  }
}

cep::Result<Field> read_value(const cep::Column& column, std::string_view token) {
  if (token == "null") return Field();
  std::string text;
  if (api::unescape_json(token, text)) return Field(std::move(text));
  if (!token.starts_with('{') && !token.starts_with('[') && is_bare_allowed(column.type.kind, token)) return Field(std::string(token));
  const std::string shown(token.substr(0, 40));
  return cep::Error{"wrong_type", "column " + column.name + ": `" + shown + "` is no " + cep::type_name(column.type)};
}

}  // namespace

cep::Result<std::vector<DatasetChange::Edit>> read_entries(const cep::Dataset& dataset, std::string_view text, EntryForm form) {
  EntryReader reader(dataset);
  std::vector<Field> fields;
  bool needs_header = dataset.is_table();
  if (text.starts_with("\xef\xbb\xbf")) text.remove_prefix(3);
  for (size_t line = 1; !text.empty();) {
    const size_t size = api::csv_record_size(text, true);
    std::string_view record = text.substr(0, size);
    text.remove_prefix(size);
    const size_t at = line;
    line += static_cast<size_t>(std::count(record.begin(), record.end(), '\n'));
    while (record.ends_with('\n') || record.ends_with('\r')) record.remove_suffix(1);
    if (record.find_first_not_of(" \t") == std::string_view::npos) continue;
    if (form == EntryForm::kLines && record.starts_with('#')) continue;
    const bool is_whole = form == EntryForm::kLines && dataset.key_types().size() == 1 && !dataset.is_table() && !record.starts_with('"');
    if (is_whole) {
      fields.assign(1, std::string(record));
    } else if (!split_fields(record, fields)) {
      return at_line(at, {"bad_csv", "a quote is not closed, or text follows it"});
    }
    cep::Status status = needs_header ? reader.header(fields) : dataset.is_table() ? reader.row(fields) : reader.element(fields);
    if (status.ok() && !needs_header) status = reader.check_last();
    if (!status.ok()) return at_line(at, status.error());
    needs_header = false;
  }
  if (needs_header) return cep::Error{"bad_csv", "the CSV of table " + dataset.name() + " has no header"};
  return reader.take();
}

cep::Result<DatasetChange::Edit> read_row(const cep::Dataset& table, std::string_view json, const std::vector<std::string>* key) {
  const cep::Error not_json{"bad_json", "a row of table " + table.name() + " is a JSON object of its columns"};
  api::JsonScan scan(json);
  std::string_view name, token;
  if (!scan.enter('{')) return not_json;
  std::vector<Field> columns(table.columns().size());
  std::vector<bool> given(columns.size());
  while (scan.next_member(&name, &token)) {
    const auto found = std::find_if(table.columns().begin(), table.columns().end(),
                                    [&](const cep::Column& column) { return column.name == name; });
    if (found == table.columns().end()) {
      return cep::Error{"unknown_column", "table " + table.name() + " has no column `" + std::string(name) + "`"};
    }
    const auto column = static_cast<uint16_t>(found - table.columns().begin());
    const auto& keys = table.key_columns();
    if (key != nullptr && std::find(keys.begin(), keys.end(), column) != keys.end()) {
      return cep::Error{"bad_json", "column " + found->name + " is of the key, which is given already"};
    }
    cep::Result<Field> value = read_value(*found, token);
    if (!value.ok()) return value.error();
    if (given[column]) return cep::Error{"bad_json", "column " + found->name + " is given twice"};
    given[column] = true;
    columns[column] = std::move(*value);
  }
  if (!scan.complete()) return not_json;
  DatasetChange::Edit edit;
  edit.now.emplace();
  if (key != nullptr) edit.key = *key;
  for (const uint16_t column : table.key_columns()) {
    if (key != nullptr) break;
    if (!columns[column]) return cep::Error{"not_null", "key column " + table.columns()[column].name + " must have a value"};
    edit.key.push_back(std::move(*columns[column]));
  }
  for (const uint16_t column : table.row_columns()) edit.now->row.push_back(std::move(columns[column]));
  cep::Dataset trial = *table.emptied();
  if (cep::Status status = trial.put(edit.key, *edit.now); !status.ok()) return status.error();
  return edit;
}

}  // namespace service
