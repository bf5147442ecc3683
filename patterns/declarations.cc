#include "patterns/declarations.h"

#include <algorithm>

#include "cep/functions.h"

namespace patterns {
namespace {

// A JSON pointer escapes `~` as `~0` and `/` as `~1`, and has no other `~`.
bool is_json_pointer(const std::string& path) {
  if (path.empty() || path[0] != '/') return false;
  for (size_t i = 0; i < path.size(); ++i) {
    if (path[i] == '~' && (i + 1 == path.size() || (path[i + 1] != '0' && path[i + 1] != '1'))) return false;
  }
  return true;
}

constexpr size_t kBehindAll = SIZE_MAX;

class StreamBuilder {
 public:
  // `raw_at`: where the column of `keep raw` stands since it came, or kBehindAll.
  StreamBuilder(const StreamDecl& decl, size_t raw_at, Diagnostics& diagnostics)
      : decl_(decl), raw_at_(raw_at), diagnostics_(diagnostics) {}

  cep::StreamSchema build() {
    schema_.name = decl_.name.text;
    for (const Column& column : decl_.columns) {
      if (schema_.columns.size() == raw_at_) add_raw();
      add_column(column);
    }
    add_raw();
    time_column();
    unique();
    options();
    return std::move(schema_);
  }

 private:
  void add_column(const Column& column) {
    if (schema_.column_index(column.name.text) >= 0) {
      diagnostics_.add(Code::kDuplicateName, column.name.span, {column.name.text, "a column"});
      return;
    }
    if (column.path && !column.path->empty() && column.path->front() == '/' && !is_json_pointer(*column.path)) {
      diagnostics_.add(Code::kBadPath, column.path_span, {*column.path}).hint =
          "`~` is written `~0`, a `/` in a name `~1`";
    }
    schema_.columns.push_back({column.name.text, column.type.type, column.not_null, column.path.value_or("")});
  }

  void add_raw() {
    if (!decl_.keep_raw || schema_.raw_column) return;
    if (schema_.column_index(cep::kRawColumn) >= 0) {
      diagnostics_.add(Code::kDuplicateName, decl_.keep_raw_span, {std::string(cep::kRawColumn), "a column"}).hint =
          "`keep raw` keeps the event in a column of this name";
      return;
    }
    schema_.raw_column = static_cast<uint16_t>(schema_.columns.size());
    schema_.columns.push_back({std::string(cep::kRawColumn), {cep::TypeKind::kText}, false, ""});
  }

  int find(const Name& name) {
    const int index = schema_.column_index(name.text);
    if (index >= 0) return index;
    std::vector<std::string> names;
    for (const cep::Column& column : schema_.columns) names.push_back(column.name);
    diagnostics_.add(Code::kUnknownField, name.span, {name.text, schema_.name}).hint = did_you_mean(name.text, names);
    return -1;
  }

  void time_column() {
    if (decl_.time_field.text.empty()) return;  // could not be read
    const int index = find(decl_.time_field);
    if (index < 0) return;
    const cep::Column& column = schema_.columns[static_cast<size_t>(index)];
    schema_.time_column = static_cast<uint16_t>(index);
    const auto is_it = [&](const Column& it) { return it.name.text == column.name; };
    if (!std::find_if(decl_.columns.begin(), decl_.columns.end(), is_it)->type.known) return;  // has its diagnostic
    if (column.type.kind != cep::TypeKind::kTimestamp || !column.not_null) {
      diagnostics_.add(Code::kTimeField, decl_.time_field.span, {column.name}).hint =
          "declare it `" + column.name + " timestamp not null`";
    }
  }

  void unique() {
    for (const Name& name : decl_.unique) {
      const int index = find(name);
      if (index < 0) continue;
      const uint16_t column = static_cast<uint16_t>(index);
      if (std::count(schema_.unique_columns.begin(), schema_.unique_columns.end(), column)) {
        diagnostics_.add(Code::kDuplicateName, name.span, {name.text, "a unique column"});
      } else {
        schema_.unique_columns.push_back(column);
      }
    }
    if (decl_.unique_within) schema_.unique_within_us = decl_.unique_within->us;
  }

  void options() {
    if (decl_.delay) schema_.delay_us = decl_.delay->us;
    schema_.explicit_watermark = decl_.watermark_explicit;
    if (decl_.idle) schema_.idle_us = decl_.idle->us;
    if (decl_.ahead) schema_.ahead_us = decl_.ahead->us;
    if (decl_.retain) schema_.retain_us = decl_.retain->us;
    if (decl_.zone) {
      schema_.zone = *decl_.zone;
      if (!cep::is_known_zone(schema_.zone)) {
        diagnostics_.add(Code::kBadZone, decl_.zone_span, {schema_.zone}).hint = "write it like 'Europe/Berlin'";
      }
    }
    schema_.from_rules = decl_.from_rules;
    if (decl_.from_rules) refuse_options_of_input();
  }

  // Nothing arrives at a stream that rules fill: no time of arrival, no order of arrival, no text of an event.
  void refuse_options_of_input() {
    const std::pair<bool, std::string_view> options[] = {
        {decl_.delay.has_value(), "delay"},   {decl_.watermark_explicit, "watermark explicit"},
        {decl_.idle.has_value(), "idle"},     {decl_.ahead.has_value(), "ahead"},
        {decl_.retain.has_value(), "retain"}, {decl_.zone.has_value(), "zone"},
        {!decl_.unique.empty(), "unique"},    {decl_.keep_raw, "keep raw"},
    };
    for (const auto& [given, option] : options) {
      if (given) diagnostics_.add(Code::kFromRulesOption, decl_.name.span, {option});
    }
    for (const Column& column : decl_.columns) {
      if (column.path) diagnostics_.add(Code::kFromRulesOption, column.path_span, {"path"});
    }
  }

  const StreamDecl& decl_;
  const size_t raw_at_;
  Diagnostics& diagnostics_;
  cep::StreamSchema schema_;
};

// What of R73 forbids the step from `old` to `now`; empty: nothing.
std::string forbidden_change(const cep::StreamSchema& old, const cep::StreamSchema& now) {
  if (old.raw_column && !now.raw_column) return "`keep raw` must stay";
  for (size_t i = 0; i < old.columns.size(); ++i) {
    if (i >= now.columns.size() || now.columns[i].name != old.columns[i].name) {
      return "column `" + old.columns[i].name + "` must stay where it is";
    }
    if (!(now.columns[i] == old.columns[i])) return "column `" + old.columns[i].name + "` changes";
  }
  for (size_t i = old.columns.size(); i < now.columns.size(); ++i) {
    if (now.columns[i].not_null) return "the new column `" + now.columns[i].name + "` must be nullable";
  }
  if (now.time_column != old.time_column) return "the event time is another column";
  if (now.delay_us < old.delay_us) return "`delay` shrinks";
  if (now.idle_us < old.idle_us) return "`idle` shrinks";
  if (old.retain_us && (!now.retain_us || *now.retain_us < *old.retain_us)) return "`retain` shrinks";
  if (now.explicit_watermark != old.explicit_watermark) return "`watermark explicit` changes";
  if (now.ahead_us != old.ahead_us) return "`ahead` changes";
  if (now.zone != old.zone) return "`zone` changes";
  if (now.unique_columns != old.unique_columns || now.unique_within_us != old.unique_within_us)
    return "`unique` changes";
  if (now.from_rules != old.from_rules) return "`from rules` changes";
  return "";
}

bool is_same(const cep::StreamSchema& old, const cep::StreamSchema& now) {
  return old.columns == now.columns && old.delay_us == now.delay_us && old.idle_us == now.idle_us &&
         old.retain_us == now.retain_us;
}

// What declares the same name already, if it is the same kind of thing; reports one of the other kind.
const DatasetDeclaration* known_dataset(const Name& name, bool is_table, const Catalog& catalog, Diagnostics& diagnostics) {
  const auto found = catalog.datasets.find(name.text);
  if (found == catalog.datasets.end()) return nullptr;
  if (found->second.is_table != is_table) {
    diagnostics.add(Code::kDuplicateName, name.span, {name.text, found->second.is_table ? "a table" : "a list"}).hint =
        "lists and tables share their names: `@" + name.text + "` is one of them";
  }
  return &found->second;
}

}  // namespace

cep::SchemaPtr declare_stream(const StreamDecl& decl, Catalog& catalog, Diagnostics& diagnostics) {
  const size_t errors_before = diagnostics.errors();
  for (const Column& column : decl.columns) {
    if (!column.type.known) catalog.untyped.emplace(decl.name.text, column.name.text);
  }
  const auto found = catalog.streams.find(decl.name.text);
  const bool kept_before = found != catalog.streams.end() && found->second->raw_column;
  cep::StreamSchema schema = StreamBuilder(decl, kept_before ? *found->second->raw_column : kBehindAll, diagnostics).build();
  const bool right = diagnostics.errors() == errors_before;
  if (found == catalog.streams.end()) {
    schema.id = static_cast<cep::StreamId>(catalog.next_stream++);
  } else {
    const cep::StreamSchema& old = *found->second;
    schema.id = old.id;
    schema.version = old.version + 1;
    const std::string why = right ? forbidden_change(old, schema) : "";
    if (!why.empty()) {
      diagnostics.add(Code::kStreamChange, decl.name.span, {schema.name, why}).hint = "make a new stream";
    } else if (right && is_same(old, schema)) {
      return nullptr;
    }
  }
  cep::SchemaPtr made = std::make_shared<const cep::StreamSchema>(std::move(schema));
  catalog.streams[made->name] = made;
  return made;
}

void report_unknown_column(const DatasetDeclaration& table, const Name& name, Diagnostics& diagnostics) {
  std::vector<std::string> names;
  std::string all;
  for (const cep::Column& column : table.columns) {
    names.push_back(column.name);
    all += (all.empty() ? "its columns are `" : ", `") + column.name + "`";
  }
  Diagnostic& it = diagnostics.add(Code::kUnknownColumn, name.span, {table.name, name.text});
  it.hint = did_you_mean(name.text, names);
  if (it.hint.empty()) it.hint = all;
}

std::optional<DatasetDeclaration> declare_list(const ListDecl& decl, Catalog& catalog, Diagnostics& diagnostics) {
  DatasetDeclaration made;
  made.name = decl.name.text;
  for (const TypeRef& type : decl.types) made.types.push_back(type.type);
  if (const DatasetDeclaration* known = known_dataset(decl.name, false, catalog, diagnostics)) {
    if (known->is_table || known->types == made.types) return std::nullopt;
    std::string types;
    for (const cep::Type& type : known->types) types += (types.empty() ? "" : ", ") + cep::type_name(type);
    diagnostics.add(Code::kListChange, decl.name.span, {made.name, types}).hint = "make a new list";
    return std::nullopt;
  }
  catalog.datasets[made.name] = made;
  return made;
}

std::optional<DatasetDeclaration> declare_table(const TableDecl& decl, Catalog& catalog, Diagnostics& diagnostics) {
  DatasetDeclaration made;
  made.name = decl.name.text;
  made.is_table = true;
  std::vector<std::string> names;
  for (const Column& column : decl.columns) {
    if (std::find(names.begin(), names.end(), column.name.text) != names.end()) {
      diagnostics.add(Code::kDuplicateName, column.name.span, {column.name.text, "a column"});
      continue;
    }
    if (column.path) {
      diagnostics.add(Code::kMisplacedWord, column.path_span, {"path"}).hint =
          "a table's rows are written by column; `path` is for the events of a stream";
    }
    names.push_back(column.name.text);
    made.columns.push_back({column.name.text, column.type.type, column.not_null, ""});
  }
  for (const Name& key : decl.key) {
    const auto found = std::find(names.begin(), names.end(), key.text);
    if (found == names.end()) {
      report_unknown_column(made, key, diagnostics);
      continue;
    }
    const auto column = static_cast<uint16_t>(found - names.begin());
    if (std::find(made.key.begin(), made.key.end(), column) != made.key.end()) {
      diagnostics.add(Code::kDuplicateName, key.span, {key.text, "a key column"}).hint = "name each column once";
      continue;
    }
    made.key.push_back(column);
    made.types.push_back(made.columns[column].type);
  }
  if (const DatasetDeclaration* known = known_dataset(decl.name, true, catalog, diagnostics)) {
    if (known->is_table && (known->columns != made.columns || known->key != made.key)) {
      diagnostics.add(Code::kTableChange, decl.name.span, {made.name}).hint = "make a new table";
    }
    return std::nullopt;
  }
  catalog.datasets[made.name] = made;
  return made;
}

void lint_stream(const StreamDecl& decl, Diagnostics& diagnostics) {
  for (const Name& name : decl.unique) {
    for (const Column& column : decl.columns) {
      if (column.name.text == name.text && !column.not_null) {
        diagnostics.add(Code::kNullableUnique, name.span, {name.text}).hint = "declare it `not null`";
      }
    }
  }
}

}  // namespace patterns
