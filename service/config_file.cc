#include "service/config_file.h"

#include <toml++/toml.h>

#include <algorithm>
#include <optional>

namespace service {
namespace {

int line_of(const toml::node& node) { return static_cast<int>(node.source().begin.line); }

cep::Error error_at(const std::string& path, int line, const std::string& what) {
  return {"bad_config", path + ":" + std::to_string(line) + ": " + what};
}

std::optional<ConfigTexts> texts_of(const toml::array& array) {
  ConfigTexts texts;
  for (const toml::node& element : array) {
    const auto* text = element.as_string();
    if (text == nullptr) return std::nullopt;
    texts.push_back(text->get());
  }
  return texts;
}

std::optional<ConfigPairs> pairs_of(const toml::table& table) {
  ConfigPairs pairs;
  for (const auto& [key, value] : table) {
    const auto* text = value.as_string();
    if (text == nullptr) return std::nullopt;
    pairs.emplace_back(std::string(key.str()), text->get());
  }
  return pairs;
}

std::optional<ConfigValue> value_of(const toml::node& node) {
  if (const auto* number = node.as_integer()) return ConfigValue(number->get());
  if (const auto* flag = node.as_boolean()) return ConfigValue(flag->get());
  if (const auto* text = node.as_string()) return ConfigValue(text->get());
  if (const auto* array = node.as_array()) {
    if (auto texts = texts_of(*array)) return ConfigValue(std::move(*texts));
  }
  if (const auto* table = node.as_table()) {
    if (auto pairs = pairs_of(*table)) return ConfigValue(std::move(*pairs));
  }
  return std::nullopt;
}

// toml++ keeps a table's keys sorted; people read errors in the order of the file.
template <class T>
void sort_by_line(std::vector<T>& items) {
  std::stable_sort(items.begin(), items.end(), [](const T& a, const T& b) { return a.line < b.line; });
}

cep::Status add_section(const std::string& name, const toml::table& table, bool repeated, ConfigFile& file) {
  ConfigSection section{name, repeated, line_of(table), {}};
  for (const auto& [key, node] : table) {
    const int line = static_cast<int>(key.source().begin.line);
    std::optional<ConfigValue> value = value_of(node);
    if (!value) {
      return error_at(file.path, line,
                      "`" + std::string(key.str()) +
                          "` must be a whole number, true or false, a text, an array of texts or a table of texts");
    }
    section.entries.push_back({std::string(key.str()), std::move(*value), line});
  }
  sort_by_line(section.entries);
  file.sections.push_back(std::move(section));
  return cep::ok_status();
}

cep::Status add_top(const std::string& name, const toml::node& node, ConfigFile& file) {
  if (const auto* table = node.as_table()) return add_section(name, *table, false, file);
  const auto* array = node.as_array();
  if (array == nullptr || !array->is_homogeneous(toml::node_type::table)) {
    return error_at(file.path, line_of(node), "`" + name + "` stands outside of every [section]");
  }
  for (const toml::node& element : *array) {
    if (cep::Status added = add_section(name, *element.as_table(), true, file); !added) return added;
  }
  return cep::ok_status();
}

}  // namespace

cep::Result<ConfigFile> parse_config(const std::string& text, const std::string& path) {
  ConfigFile file{path, {}};
  try {
    const toml::table root = toml::parse(text, path);
    for (const auto& [key, node] : root) {
      if (cep::Status added = add_top(std::string(key.str()), node, file); !added) return added.error();
    }
  } catch (const toml::parse_error& error) {
    return error_at(path, static_cast<int>(error.source().begin.line), std::string(error.description()));
  }
  sort_by_line(file.sections);
  return file;
}

}  // namespace service
