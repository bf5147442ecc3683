#include "tests/compare/case.h"

#include "api/alert_json.h"
#include "api/json_writer.h"
#include "service/script.h"

namespace compare {
namespace {

constexpr std::string_view kColumnTexts[] = {"x text",  "v int",   "amt decimal(12,2)", "f float", "flag bool",
                                             "g text", "g2 text", "h int",             "at timestamp not null"};

std::string name_of(Column column) { return std::string(kColumnTexts[column].substr(0, kColumnTexts[column].find(' '))); }

std::string json(const Step& step) {
  std::string text;
  for (size_t column = 0; column < kAt; ++column) {
    if (step.fields[column].is_null()) continue;
    text += text.empty() ? "{" : ", ";
    text += "\"" + name_of(static_cast<Column>(column)) + "\": ";
    api::JsonWriter writer(text);
    api::append_value(step.fields[column], writer);
  }
  return text.empty() ? "{}" : text + "}";
}

}  // namespace

std::string declarations(const Delays& delays) {
  std::string text = "create list letters of text;\ncreate list pairs of (text, int);\ncreate table rates (x text, rate int) key x;\n";
  for (size_t stream = 0; stream < 2; ++stream) {
    text += stream == 0 ? "create stream e (" : "create stream u (";
    for (size_t column = 0; column < kColumns; ++column) text += (column > 0 ? ", " : "") + std::string(kColumnTexts[column]);
    text += ") event time at delay " + std::to_string(delays[stream]) + " seconds;\n";
  }
  return text;
}

std::string as_script(const Case& one, const std::vector<std::string>& expected, const std::vector<std::string>& remarks) {
  std::string text;
  for (const std::string& remark : remarks) text += "# " + remark + "\n";
  text += "use list letters =";
  for (const auto& value : kListValues) text += (value == kListValues[0] ? " " : ", ") + std::string(value);
  text += "\nuse list pairs =";
  for (const auto& [x, v] : kPairValues) text += (x == "a" ? " (" : ", (") + std::string(x) + ", " + std::to_string(v) + ")";
  for (const auto& [x, rate] : kRateValues) {
    text += "\nuse table rates {\"x\": \"" + std::string(x) + "\", \"rate\": " + std::to_string(rate) + "}";
  }
  text += "\nrule <<\n" + declarations(one.delays) + one.rule;
  text += one.rule.ends_with('\n') ? ">>\n\nevents\n" : "\n>>\n\nevents\n";
  for (const Step& step : one.steps) {
    const std::string offset = service::print_offset(step.time - kClock);
    text += step.stream < 0 ? "advance " + offset + "\n" : offset + (step.stream == 0 ? " e " : " u ") + json(step) + "\n";
  }
  text += "----\n";
  for (const std::string& line : expected) text += line + "\n";
  return expected.empty() ? text + "none\n" : text;
}

}  // namespace compare
