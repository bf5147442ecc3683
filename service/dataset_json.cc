// See dataset_json.h.
#include "service/dataset_json.h"

#include <algorithm>

#include "api/alert_json.h"
#include "service/answers.h"

namespace service {
namespace {

void append_text_or_null(std::string_view name, const std::string& text, api::JsonWriter& json) {
  json.key(name);
  if (text.empty()) {
    json.null();
  } else {
    json.string(text);
  }
}

void append_marks(const cep::EntryText& text, api::JsonWriter& json) {
  append_text_or_null("owner", text.owner, json);
  append_text_or_null("comment", text.comment, json);
  append_time(text.expires_us, json.key("expires"));
}

}  // namespace

void append_dataset(const cep::Dataset& dataset, api::JsonWriter& json) {
  json.field("name", dataset.name());
  if (!dataset.is_table()) {
    json.key("types").begin_array();
    for (const cep::Type& type : dataset.key_types()) json.string(cep::type_name(type));
    json.end_array();
  } else {
    json.key("columns").begin_array();
    for (const cep::Column& column : dataset.columns()) {
      json.begin_object().field("name", column.name).field("type", cep::type_name(column.type));
      json.key("not_null").boolean(column.not_null).end_object();
    }
    json.end_array().key("key").begin_array();
    for (const uint16_t column : dataset.key_columns()) json.string(dataset.columns()[column].name);
    json.end_array();
  }
  json.key("size").unsigned_integer(dataset.size());
}

void append_key(const std::vector<std::string>& key, bool is_table, api::JsonWriter& json) {
  json.key(is_table ? "key" : "value").begin_array();
  for (const std::string& part : key) json.string(part);
  json.end_array();
}

void append_entry(const cep::Dataset& dataset, const cep::DatasetEntry& entry, api::JsonWriter& json) {
  append_key(entry.key, dataset.is_table(), json);
  if (dataset.is_table()) {
    json.key("row").begin_object();
    for (size_t i = 0; i < entry.values.size(); ++i) {
      api::append_value(entry.values[i], json.key(dataset.columns()[dataset.row_columns()[i]].name));
    }
    json.end_object();
  }
  append_marks(entry.text, json);
  append_text_or_null("by", entry.stamp.by, json);
  append_time(entry.stamp.at_us == 0 ? cep::kTimeMin : entry.stamp.at_us, json.key("at"));
}

void append_text(const cep::Dataset& dataset, const std::optional<cep::EntryText>& text, api::JsonWriter& json) {
  if (!text) {
    json.null();
    return;
  }
  json.begin_object();
  if (dataset.is_table()) {
    json.key("row").begin_object();
    for (size_t i = 0; i < text->row.size(); ++i) {
      json.key(dataset.columns()[dataset.row_columns()[i]].name);
      if (text->row[i]) {
        json.string(*text->row[i]);
      } else {
        json.null();
      }
    }
    json.end_object();
  }
  append_marks(*text, json);
  json.end_object();
}

std::string edit_json(const DatasetChange& change, const cep::Dataset& dataset, uint64_t offset) {
  std::string body;
  api::JsonWriter json(body);
  const EditCounts counts = count_edits(change);
  json.begin_object().key("offset").unsigned_integer(offset).field(dataset_word(dataset.is_table()), change.dataset);
  append_text_or_null("by", change.by, json);
  append_time(change.at_us == 0 ? cep::kTimeMin : change.at_us, json.key("at"));
  json.key("added").unsigned_integer(counts.added).key("changed").unsigned_integer(counts.changed);
  json.key("removed").unsigned_integer(counts.removed).key("edits").begin_array();
  const size_t shown = std::min(change.edits.size(), kEditsShownMax);
  for (size_t i = 0; i < shown; ++i) {
    const DatasetChange::Edit& edit = change.edits[i];
    json.begin_object();
    append_key(edit.key, dataset.is_table(), json);
    append_text(dataset, edit.before, json.key("before"));
    append_text(dataset, edit.now, json.key("now"));
    json.end_object();
  }
  json.end_array().key("not_shown").unsigned_integer(change.edits.size() - shown).end_object();
  return body;
}

}  // namespace service
