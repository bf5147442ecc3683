#include "api/cloudevents.h"

#include "api/json_scan.h"
#include "api/json_writer.h"

namespace api {
namespace {

bool bad_event(RowError* error, std::string field, std::string message) {
  *error = {EventCode::kBadJson, std::move(field), std::move(message)};
  return false;
}

// The member of the event a column is read from, empty if it lies deeper.
std::string_view top_level_name(const cep::Column& column) {
  if (column.path.empty()) return column.name;
  const std::string_view path = std::string_view(column.path).substr(1);
  return path.find_first_of("/~") == std::string_view::npos ? path : std::string_view();
}

bool has_member(std::string_view object, std::string_view name) {
  JsonScan scan(object);
  std::string_view key, value;
  if (!scan.enter('{')) return false;
  while (scan.next_member(&key, &value)) {
    if (key == name) return true;
  }
  return false;
}

// The text column that alone makes events unique, or null.
const cep::Column* id_column(const cep::StreamSchema& schema) {
  if (schema.unique_columns.size() != 1) return nullptr;
  const cep::Column& column = schema.columns[schema.unique_columns[0]];
  return column.type.kind == cep::TypeKind::kText ? &column : nullptr;
}

}  // namespace

bool read_cloud_event(std::string_view json, CloudEvent* event, RowError* error) {
  JsonScan scan(json);
  std::string_view key, value;
  bool has_version = false;
  if (!scan.enter('{')) return bad_event(error, {}, "a CloudEvent must be a JSON object");
  while (scan.next_member(&key, &value)) {
    std::string* text = key == "type"   ? &event->type
                        : key == "id"   ? &event->id
                        : key == "time" ? &event->time
                                        : nullptr;
    if (text != nullptr && value != "null") {
      if (!unescape_json(value, *text)) return bad_event(error, std::string(key), "must be a text");
    } else if (key == "specversion") {
      has_version = value == "\"1.0\"";
    } else if (key == "data_base64") {
      return bad_event(error, "data_base64", "binary data is not read: send JSON in `data`");
    } else if (key == "data") {
      event->data = value;
    }
  }
  if (!scan.complete()) return bad_event(error, {}, "not valid JSON");
  return has_version || bad_event(error, "specversion", "must be \"1.0\"");
}

bool append_cloud_row(const cep::StreamSchema* schema, const CloudEvent& event, std::string& out, RowError* error) {
  const std::string_view data = trim_json_space(event.data);
  if (!data.starts_with('{')) return bad_event(error, "data", "must be a JSON object");
  const size_t first = out.size();
  JsonWriter json(out);
  json.begin_object();
  auto add = [&](const cep::Column* column, const std::string& text) {
    const std::string_view name = column != nullptr ? top_level_name(*column) : std::string_view();
    if (!name.empty() && !text.empty() && !has_member(data, name)) json.field(name, text);
  };
  if (schema != nullptr) {
    add(&schema->columns[schema->time_column], event.time);
    const cep::Column* id = id_column(*schema);
    if (id != nullptr && schema->unique_columns[0] != schema->time_column) add(id, event.id);
  }
  const bool added = out.size() > first + 1;
  const std::string_view rest = trim_json_space(data.substr(1));
  if (added && !rest.starts_with('}')) out += ',';
  out += rest;
  return true;
}

}  // namespace api
