// CSV with a header (RFC 4180) as the JSON rows the log keeps: one decoder for both then. An empty field is null, a
// quoted empty field is the empty text. Columns the stream does not have are ignored; values are checked by JsonRows,
// not here. Threads: one owner.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "api/field_tree.h"
#include "api/json_rows.h"
#include "cep/result.h"

namespace api {

class JsonWriter;

// Length of the first record of `text` with its line break; npos if it is not complete, unless `last` says no more will
// come.
size_t csv_record_size(std::string_view text, bool last);

class CsvRows {
 public:
  explicit CsvRows(cep::SchemaPtr schema);

  // The record of column names. Errors: bad_csv, duplicate_key.
  cep::Status set_header(std::string_view record);
  // Appends the record as a JSON object to `json`. False: `*error` says why, `json` is as it was.
  bool append(std::string_view record, std::string& json, RowError* error);

 private:
  struct Field {
    std::string text;
    bool quoted = false;
  };
  bool split(std::string_view record);
  void write_node(uint32_t node, JsonWriter& json) const;
  void write_field(const Field& field, const cep::Column& column, JsonWriter& json) const;
  bool has_value(uint32_t node) const;

  cep::SchemaPtr schema_;
  FieldTree tree_;
  std::vector<int> field_of_column_;  // -1: not in the header
  size_t header_fields_ = 0;
  std::vector<Field> fields_;  // of the record under way; the first used_ of them
  size_t used_ = 0;
};

}  // namespace api
