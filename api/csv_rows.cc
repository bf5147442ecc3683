#include "api/csv_rows.h"

#include <algorithm>

#include "api/json_writer.h"
#include "cep/parse.h"

namespace api {
namespace {

std::string_view without_line_break(std::string_view record) {
  if (!record.empty() && record.back() == '\n') record.remove_suffix(1);
  if (!record.empty() && record.back() == '\r') record.remove_suffix(1);
  return record;
}

}  // namespace

size_t csv_record_size(std::string_view text, bool last) {
  // A quote opens a field only as its first byte; elsewhere it is an error that must not swallow the records behind it.
  bool quoted = false;
  bool field_begins = true;
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (quoted) {
      const bool doubled = c == '"' && i + 1 < text.size() && text[i + 1] == '"';
      if (doubled) ++i;
      if (c == '"' && !doubled) quoted = false;
      continue;
    }
    if (c == '\n') return i + 1;
    quoted = c == '"' && field_begins;
    field_begins = c == ',';
  }
  return last ? text.size() : std::string_view::npos;
}

CsvRows::CsvRows(cep::SchemaPtr schema)
    : schema_(std::move(schema)), tree_(*schema_), field_of_column_(schema_->columns.size(), -1) {}

// False: a quote where none may be, or one that is not closed.
bool CsvRows::split(std::string_view record) {
  record = without_line_break(record);
  used_ = 0;
  for (size_t at = 0;;) {
    if (used_ == fields_.size()) fields_.emplace_back();
    Field& field = fields_[used_++];
    field.text.clear();
    field.quoted = at < record.size() && record[at] == '"';
    if (field.quoted) {
      for (++at;; at += 2) {
        const size_t quote = record.find('"', at);
        if (quote == std::string_view::npos) return false;
        field.text.append(record, at, quote - at);
        at = quote;
        if (at + 1 >= record.size() || record[at + 1] != '"') break;
        field.text += '"';
      }
      ++at;
      if (at < record.size() && record[at] != ',') return false;
    } else {
      const size_t end = std::min(record.find(',', at), record.size());
      field.text.append(record, at, end - at);
      if (field.text.find('"') != std::string::npos) return false;
      at = end;
    }
    if (at == record.size()) return true;
    ++at;
  }
}

cep::Status CsvRows::set_header(std::string_view record) {
  if (record.starts_with("\xef\xbb\xbf")) record.remove_prefix(3);
  if (!split(record)) return cep::Error{"bad_csv", "the header has a stray or open quote"};
  header_fields_ = used_;
  for (size_t i = 0; i < used_; ++i) {
    const int column = schema_->column_index(fields_[i].text);
    if (column < 0) continue;
    if (field_of_column_[static_cast<size_t>(column)] >= 0) {
      return cep::Error{"duplicate_key", "the header names " + fields_[i].text + " twice"};
    }
    field_of_column_[static_cast<size_t>(column)] = static_cast<int>(i);
  }
  const auto is_named = [](int field) { return field >= 0; };
  if (std::none_of(field_of_column_.begin(), field_of_column_.end(), is_named)) {
    return cep::Error{"bad_csv", "the header names no column of stream " + schema_->name};
  }
  return cep::ok_status();
}

bool CsvRows::append(std::string_view record, std::string& json, RowError* error) {
  if (!split(record)) {
    *error = {EventCode::kBadJson, {}, "a CSV record with a stray or open quote"};
    return false;
  }
  if (used_ != header_fields_) {
    *error = {EventCode::kBadJson,
              {},
              "a CSV record with " + std::to_string(used_) + " fields where the header has " +
                  std::to_string(header_fields_)};
    return false;
  }
  const size_t before = json.size();
  JsonWriter writer(json);
  write_node(0, writer);
  if (!writer.replaced()) return true;
  json.resize(before);
  *error = {EventCode::kBadUtf8, {}, "not valid UTF-8"};
  return false;
}

bool CsvRows::has_value(uint32_t node) const {
  const FieldTree::Node& place = tree_.nodes()[node];
  for (const uint16_t column : place.columns) {
    const int field = field_of_column_[column];
    if (field >= 0 &&
        (fields_[static_cast<size_t>(field)].quoted || !fields_[static_cast<size_t>(field)].text.empty())) {
      return true;
    }
  }
  for (const uint32_t child : place.children) {
    if (has_value(child)) return true;
  }
  return false;
}

// Members without a value are left out: missing is null. Of two columns on one path the first with a value is written.
void CsvRows::write_node(uint32_t node, JsonWriter& json) const {
  json.begin_object();
  for (const uint32_t child : tree_.nodes()[node].children) {
    if (!has_value(child)) continue;
    const FieldTree::Node& place = tree_.nodes()[child];
    json.key(place.key);
    bool written = false;
    for (const uint16_t column : place.columns) {
      const int field = field_of_column_[column];
      if (written || field < 0) continue;
      write_field(fields_[static_cast<size_t>(field)], schema_->columns[column], json);
      written = true;
    }
    if (!written) write_node(child, json);
  }
  json.end_object();
}

void CsvRows::write_field(const Field& field, const cep::Column& column, JsonWriter& json) const {
  const cep::TypeKind kind = column.type.kind;
  if (field.text.empty() && !field.quoted) {
    json.null();
  } else if (kind == cep::TypeKind::kBool && (field.text == "true" || field.text == "false")) {
    json.raw(field.text);
  } else if (kind != cep::TypeKind::kText && kind != cep::TypeKind::kIp && cep::is_json_number(field.text)) {
    json.raw(field.text);
  } else {
    json.string(field.text);
  }
}

}  // namespace api
