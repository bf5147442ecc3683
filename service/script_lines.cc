#include "service/script_lines.h"

#include "api/alert_json.h"
#include "api/json_writer.h"

namespace service {
namespace {

// As in JSON, but texts without quotes unless that would be unclear.
std::string value_text(const cep::Value& value) {
  std::string json;
  api::JsonWriter writer(json);
  api::append_value(value, writer);
  if (!json.starts_with('"')) return json;
  const std::string bare = json.substr(1, json.size() - 2);
  const bool is_plain = !bare.empty() && bare.find_first_of(" \\\"[],=") == std::string::npos;
  const bool is_text = value.kind == cep::ValueKind::kText;
  const bool is_word = bare == "null" || bare == "true" || bare == "false" || bare.starts_with('+');
  return is_plain && !(is_text && is_word) ? bare : json;
}

}  // namespace

std::string ScriptLines::offset(cep::DurationUs offset_us) const {
  const auto spelled = script_.spelling.find(offset_us);
  return spelled == script_.spelling.end() ? print_offset(offset_us) : spelled->second;
}

std::string ScriptLines::alert(const cep::Alert& alert) const {
  const cep::Program& program = *alert.program;
  std::string line = offset(alert.time - clock_us_) + " " + program.rule;
  for (size_t i = 0; i < alert.key.size(); ++i) line += " " + program.key[i].name + "=" + value_text(alert.key[i].view());
  for (size_t i = 0; i < alert.measures.size(); ++i) {
    line += " " + program.measures[i].name + "=" + value_text(alert.measures[i].view());
  }
  line += " [";
  for (size_t i = 0; i < alert.events.size(); ++i) {
    const cep::AlertEvent& event = alert.events[i];
    line += (i == 0 ? "" : ", ") + program.variables[event.variable].name + " " + offset(event.row().time() - clock_us_);
  }
  line += "]";
  for (std::string_view cut : api::truncated_names(alert.truncated)) line += " truncated:" + std::string(cut);
  return line;
}

std::string ScriptLines::rejected(cep::DurationUs offset_us, std::string_view stream, std::string_view code) const {
  return offset(offset_us) + " rejected " + std::string(stream) + " " + std::string(code);
}

std::string ScriptLines::late(cep::DurationUs offset_us, std::string_view stream) const {
  return offset(offset_us) + " late " + std::string(stream);
}

std::string ScriptLines::normalized(std::string_view line) const {
  std::string out;
  for (size_t at = 0; at < line.size();) {
    if (line[at] == ' ' || line[at] == '\t') {
      const bool inside = !out.empty() && out.back() != ' ' && out.back() != '[';
      if (inside) out += ' ';
      ++at;
      continue;
    }
    size_t end = at;
    for (bool quoted = false; end < line.size() && (quoted || (line[end] != ' ' && line[end] != '\t')); ++end) {
      if (line[end] == '\\' && quoted && end + 1 < line.size()) {
        ++end;
      } else if (line[end] == '"') {
        quoted = !quoted;
      }
    }
    std::string_view word = line.substr(at, end - at);
    const size_t close = std::min(word.find_first_of(",]"), word.size());
    const std::optional<cep::DurationUs> time =
        word.starts_with('+') || word.starts_with('-') ? parse_offset(word.substr(0, close)) : std::nullopt;
    out += time ? offset(*time) + std::string(word.substr(close)) : std::string(word);
    at = end;
  }
  while (out.ends_with(' ')) out.pop_back();
  if (out.ends_with(" ]")) out.erase(out.size() - 2, 1);
  return out;
}

std::string diagnostic_line(const patterns::SourceMap& sources, const patterns::Diagnostic& diagnostic) {
  const patterns::Position at = sources.position(diagnostic.span.file, diagnostic.span.begin);
  const bool is_error = diagnostic.severity == patterns::Severity::kError;
  return (is_error ? "error " : "warning ") + std::string(patterns::info(diagnostic.code).code) + " " + std::to_string(at.line) + ":" +
         std::to_string(at.column);
}

}  // namespace service
