#include "service/client_output.h"

#include <fmt/format.h>

#include <algorithm>

#include "api/json_scan.h"

namespace service {
namespace {

using Row = std::vector<std::string>;

size_t width_of(const std::string& text) {
  return static_cast<size_t>(std::count_if(text.begin(), text.end(), [](char c) { return (c & 0xC0) != 0x80; }));
}

bool is_container(std::string_view value) { return value.starts_with('{') || value.starts_with('['); }

std::string cell_text(std::string_view value) { return value == "null" ? "-" : for_terminal(json_text(value)); }

void print_table(const Console& console, const std::vector<Row>& rows) {
  std::vector<size_t> widths(rows.front().size());
  for (const Row& row : rows) {
    for (size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], width_of(row[i]));
  }
  for (const Row& row : rows) {
    std::string line;
    for (size_t i = 0; i < row.size(); ++i) {
      line += row[i];
      if (i + 1 < row.size()) line.append(widths[i] - width_of(row[i]) + 2, ' ');
    }
    console.print(line + "\n");
  }
}

// Columns are the members of the first item that fit into a cell.
void print_items(const Console& console, const std::vector<std::string_view>& items) {
  if (items.empty()) {
    console.complain("nothing there\n");
    return;
  }
  if (!items.front().starts_with('{')) {
    for (const std::string_view item : items) console.print(cell_text(item) + "\n");
    return;
  }
  Row names;
  for (const auto& [name, value] : json_members(items.front())) {
    const bool fits = !is_container(value) && name != "text";
    if (fits || name == "key" || name == "value") names.push_back(name);
  }
  std::vector<Row> rows = {names};
  for (const std::string_view item : items) {
    Row row;
    for (const std::string& name : names) row.push_back(cell_text(json_member(item, name)));
    rows.push_back(std::move(row));
  }
  print_table(console, rows);
}

// file:line:column, what is wrong, and what to write instead.
std::string diagnostic_line(std::string_view diagnostic) {
  auto field = [&](std::string_view name) { return json_text(json_member(diagnostic, name)); };
  std::string line = fmt::format("{}:{}:{}: {}[{}]: {}", field("file"), field("line"), field("column"),
                                 field("severity"), field("code"), field("message"));
  if (const std::string hint = field("hint"); !hint.empty() && hint != "null") line += "; " + hint;
  return for_terminal(line) + "\n";
}

void print_object(const Console& console, std::string_view object) {
  std::vector<Row> rows;
  std::string text;
  for (const auto& [name, value] : json_members(object)) {
    if (name == "text") {
      text = json_text(value);
    } else if (name == "warnings" || name == "diagnostics") {
      for (const std::string_view one : json_elements(value)) console.complain(diagnostic_line(one));
    } else {
      rows.push_back({for_terminal(name), cell_text(value)});
    }
  }
  if (!rows.empty()) print_table(console, rows);
  if (!text.empty()) console.print("\n" + text + "\n");
}

}  // namespace

std::vector<std::pair<std::string, std::string_view>> json_members(std::string_view object) {
  std::vector<std::pair<std::string, std::string_view>> members;
  api::JsonScan scan(object);
  std::string_view key, value;
  if (!scan.enter('{')) return members;
  while (scan.next_member(&key, &value)) members.emplace_back(json_text(fmt::format("\"{}\"", key)), value);
  return members;
}

std::string_view json_member(std::string_view object, std::string_view name) {
  for (const auto& [key, value] : json_members(object)) {
    if (key == name) return value;
  }
  return {};
}

std::vector<std::string_view> json_elements(std::string_view array) {
  std::vector<std::string_view> elements;
  api::JsonScan scan(array);
  std::string_view value;
  if (!scan.enter('[')) return elements;
  while (scan.next_element(&value)) elements.push_back(value);
  return elements;
}

std::string json_text(std::string_view value) {
  std::string text;
  return value.starts_with('"') && api::unescape_json(value, text) ? text : std::string(value);
}

std::string for_terminal(std::string text) {
  for (size_t i = 0; i < text.size(); ++i) {
    const auto c = static_cast<unsigned char>(text[i]);
    const bool c1 = c == 0xC2 && i + 1 < text.size() && static_cast<unsigned char>(text[i + 1]) < 0xA0;
    if (c < 0x20 || c == 0x7f) text[i] = '?';
    if (c1) text[i] = text[i + 1] = '?';
  }
  return text;
}

void print_body(const Console& console, OutputForm form, const std::string& body) {
  const std::string_view items = json_member(body, "items");
  if (form == OutputForm::kJson) {
    console.print(body + "\n");
  } else if (form == OutputForm::kNdjson) {
    if (items.empty()) return console.print(body + "\n");
    for (const std::string_view item : json_elements(items)) console.print(fmt::format("{}\n", item));
  } else if (items.empty()) {
    print_object(console, body);
  } else {
    print_items(console, json_elements(items));
  }
  const std::string_view next = json_member(body, "next");
  if (form != OutputForm::kJson && next.starts_with('"')) {
    console.complain(fmt::format("there is more: --cursor {}\n", for_terminal(json_text(next))));
  }
}

std::string alert_line(std::string_view alert) {
  std::string key;
  for (const auto& [name, value] : json_members(json_member(alert, "key"))) {
    key += (key.empty() ? "" : " ") + name + "=" + json_text(value);
  }
  return for_terminal(fmt::format("{}  {:<8}  {}  {}  {}", json_text(json_member(alert, "time")),
                                  json_text(json_member(alert, "severity")), json_text(json_member(alert, "rule")), key,
                                  json_text(json_member(alert, "message"))));
}

int print_refusal(const Console& console, const ApiResponse& response) {
  const std::string title = json_text(json_member(response.body, "title"));
  const std::string detail = json_text(json_member(response.body, "detail"));
  console.complain(for_terminal(fmt::format("weir: {} {}: {}", response.status, title, detail)) + "\n");
  for (const std::string_view one : json_elements(json_member(response.body, "diagnostics"))) {
    console.complain(diagnostic_line(one));
  }
  const bool server_failed = response.status >= 500 && response.status != 501;
  return server_failed ? kExitUnreachable : kExitBadInput;
}

int print_unreachable(const Console& console, const cep::Error& error) {
  console.complain(for_terminal("weir: " + error.message) + "\n");
  return error.code == "unreachable" ? kExitUnreachable : kExitBadUse;
}

}  // namespace service
