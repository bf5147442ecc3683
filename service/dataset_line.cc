// See dataset_line.h. Test: tests/unit/service/dataset_change_test.cc.
#include "service/dataset_line.h"

#include <algorithm>

#include "api/json_scan.h"
#include "api/json_writer.h"
#include "cep/parse.h"
#include "cep/value.h"

namespace service {
namespace {

const cep::Error kBadLine{"bad_json", "this is no line of edits as `weir log export` writes them"};

void append_optional(const std::optional<std::string>& text, api::JsonWriter& json) {
  if (text) {
    json.string(*text);
  } else {
    json.null();
  }
}

void append_entry(const std::optional<cep::EntryText>& entry, api::JsonWriter& json) {
  if (!entry) {
    json.null();
    return;
  }
  json.begin_object().key("row").begin_array();
  for (const std::optional<std::string>& text : entry->row) append_optional(text, json);
  json.end_array().field("owner", entry->owner).field("comment", entry->comment).key("expires");
  append_optional(entry->expires_us == cep::kTimeMax ? std::nullopt : std::optional(cep::format_time(entry->expires_us)), json);
  json.end_object();
}

bool read_optional(std::string_view token, std::optional<std::string>& text) {
  if (token == "null") return true;
  return api::unescape_json(token, text.emplace());
}

// An array of texts, which may be null where `take` takes that.
template <class Take>
bool read_array(std::string_view token, const Take& take) {
  api::JsonScan scan(token);
  std::string_view element;
  if (!scan.enter('[')) return false;
  while (scan.next_element(&element)) {
    std::optional<std::string> text;
    if (!read_optional(element, text) || !take(text)) return false;
  }
  return scan.complete();
}

bool read_entry(std::string_view token, std::optional<cep::EntryText>& entry) {
  if (token == "null") return true;
  entry.emplace();
  api::JsonScan scan(token);
  std::string_view name, value;
  if (!scan.enter('{')) return false;
  while (scan.next_member(&name, &value)) {
    if (name == "row") {
      if (!read_array(value, [&](const std::optional<std::string>& text) { return entry->row.push_back(text), true; })) return false;
      continue;
    }
    std::optional<std::string> text;
    if (!read_optional(value, text)) return false;
    if (name == "owner") entry->owner = text.value_or("");
    if (name == "comment") entry->comment = text.value_or("");
    if (name != "expires" || !text) continue;
    const cep::Result<cep::TimeUs> time = cep::parse_time(*text, "UTC");
    if (!time) return false;
    entry->expires_us = *time;
  }
  return scan.complete();
}

bool read_edit(std::string_view token, DatasetChange::Edit& edit) {
  api::JsonScan scan(token);
  std::string_view name, value;
  if (!scan.enter('{')) return false;
  while (scan.next_member(&name, &value)) {
    if (name == "now" && !read_entry(value, edit.now)) return false;
    if (name != "key") continue;
    const auto take = [&](const std::optional<std::string>& text) {
      if (text) edit.key.push_back(*text);
      return text.has_value();
    };
    if (!read_array(value, take)) return false;
  }
  return scan.complete();
}

}  // namespace

void append_change(const DatasetChange& change, size_t first, std::string& line) {
  api::JsonWriter json(line);
  json.begin_object().field("$edit", change.dataset).field("by", change.by);
  if (change.at_us != 0) json.field("at", cep::format_time(change.at_us));
  json.key("edits").begin_array();
  for (size_t i = first; i < std::min(first + kEditsALine, change.edits.size()); ++i) {
    const DatasetChange::Edit& edit = change.edits[i];
    json.begin_object().key("key").begin_array();
    for (const std::string& part : edit.key) json.string(part);
    append_entry(edit.now, json.end_array().key("now"));
    json.end_object();
  }
  json.end_array().end_object();
}

bool is_edit_line(std::string_view line) {
  api::JsonScan scan(line);
  std::string_view name, value;
  return line.find("\"$edit\"") != std::string_view::npos && scan.enter('{') && scan.next_member(&name, &value) && name == "$edit";
}

cep::Result<DatasetChange> read_edit_line(std::string_view line) {
  DatasetChange change;
  api::JsonScan scan(line);
  std::string_view name, value;
  if (!scan.enter('{')) return kBadLine;
  while (scan.next_member(&name, &value)) {
    if (name == "$edit" && !api::unescape_json(value, change.dataset)) return kBadLine;
    if (name == "by" && !api::unescape_json(value, change.by)) return kBadLine;
    if (name != "edits") continue;
    api::JsonScan edits(value);
    std::string_view one;
    if (!edits.enter('[')) return kBadLine;
    while (edits.next_element(&one)) {
      if (!read_edit(one, change.edits.emplace_back())) return kBadLine;
    }
    if (!edits.complete()) return kBadLine;
  }
  if (!scan.complete()) return kBadLine;
  return change;
}

}  // namespace service
