#include "patterns/callables.h"

#include <algorithm>
#include <utility>

#include "patterns/diagnostic.h"
#include "patterns/lexer.h"

namespace patterns {

std::string_view letter_text(char letter) {
  switch (letter) {
    case 'n': return "a number";
    case 'i': return "an int";
    case 't': return "a text";
    case 'T': return "a timestamp";
    case 'a': return "an ip";
    case 'k': return "a whole number";
    case 'z': return "a time zone";
    case 'u': return "a unit";
    default: return "values of one type";
  }
}

std::string usage(const cep::FunctionInfo& info) {
  std::string text(info.name);
  char mark = '(';
  bool optional = false;
  for (const char letter : info.arguments) {
    if (letter == '?') {
      optional = true;
    } else if (letter == '*') {
      text += ", ...";
    } else {
      const std::string_view said = letter == 'c' ? "value" : letter_text(letter);
      const std::string word(said.substr(said.find(' ') == std::string_view::npos ? 0 : said.find(' ') + 1));
      text += std::string(1, mark) + (mark == ',' ? " " : "") + (optional ? "[" + word + "]" : word);
      mark = ',';
    }
  }
  return text + ")";
}

std::string function_meant(const std::string& name) {
  static constexpr std::pair<std::string_view, std::string_view> kElsewhere[] = {
      {"nvl", "coalesce"},          {"ifnull", "coalesce"},       {"isnull", "coalesce"},     {"len", "length"},
      {"char_length", "length"},    {"substr", "substring"},      {"left", "substring"},      {"mid", "substring"},
      {"charindex", "contains"},    {"instr", "contains"},        {"strpos", "contains"},     {"position", "contains"},
      {"includes", "contains"},     {"startswith", "starts_with"}, {"endswith", "ends_with"}, {"ucase", "upper"},
      {"lcase", "lower"},           {"mean", "avg"},              {"average", "avg"},         {"stdev", "stddev"},
      {"ceiling", "ceil"},          {"trunc", "floor"},           {"sha256", "hash"},         {"md5", "hash"},
      {"dayofweek", "day_of_week"}, {"weekday", "day_of_week"},   {"haversine", "distance_km"}, {"lag", "prev"},
  };
  static constexpr std::string_view kClocks[] = {"now", "getdate", "current_timestamp", "sysdate", "today", "datediff"};
  const auto is_name = [&](std::string_view other) { return same_word(name, other); };
  for (const auto& [elsewhere, here] : kElsewhere) {
    if (is_name(elsewhere)) return "write `" + std::string(here) + "`";
  }
  if (std::any_of(std::begin(kClocks), std::end(kClocks), is_name)) return "a rule knows event time only: `at - first(a.at) < 5 minutes`";
  std::string near = did_you_mean(name, callable_names());
  if (!near.empty()) return near;
  std::string all = "there are";
  for (const std::string& callable : callable_names()) all += (all.ends_with("are") ? " " : ", ") + callable;
  return all;
}

}  // namespace patterns
