// Diagnostics as text for a terminal and as JSON for programs: language.md "Diagnostics", formats.md "Diagnostic JSON".
// Invariant: what is printed is valid UTF-8 without control characters, whatever bytes the rule's text holds.
#include <algorithm>
#include <cstdio>

#include "patterns/diagnostic.h"

namespace patterns {

namespace {

constexpr size_t kLineColumnsMax = 160;  // of a longer source line only the part around the carets is shown

// The line cut into code points, each as it may be shown: a control character or a byte that is no UTF-8 is `?`.
std::vector<std::string> cells(std::string_view line) {
  std::vector<std::string> out;
  for (size_t at = 0; at < line.size();) {
    const size_t length = character_bytes(line.substr(at));
    const auto lead = static_cast<unsigned char>(line[at]);
    const bool control = length == 1 ? lead < 0x20 || lead >= 0x7F : lead == 0xC2 && (line[at + 1] & 0x60) == 0;
    const bool plain = !control || lead == '\t';
    out.emplace_back(plain ? line.substr(at, length) : "?");
    at += length;
  }
  return out;
}

std::string severity_word(Severity severity) { return severity == Severity::kError ? "error" : "warning"; }

std::string place(const SourceMap& sources, const Span& span) {
  const Position at = sources.position(span.file, span.begin);
  return sources.name(span.file) + ":" + std::to_string(at.line) + ":" + std::to_string(at.column);
}

// The source line and the carets under the span's part of it, each behind the gutter.
std::string excerpt(const SourceMap& sources, const Diagnostic& it, size_t width) {
  const Position begin = sources.position(it.span.file, it.span.begin);
  const Position end = sources.position(it.span.file, it.span.end);
  const std::vector<std::string> line = cells(sources.line(it.span.file, begin.line));
  const size_t first = begin.column - 1;
  const size_t last = end.line == begin.line ? end.column - 1 : std::max<size_t>(line.size(), first + 1);
  const size_t from = line.size() <= kLineColumnsMax || first < kLineColumnsMax / 2 ? 0 : first - kLineColumnsMax / 2;
  const size_t to = std::min(line.size(), from + kLineColumnsMax);
  std::string source = from > 0 ? "..." : "";
  std::string marks(source.size(), ' ');
  for (size_t i = from; i < to; ++i) {
    source += line[i];
    if (i < first) marks += line[i] == "\t" ? "\t" : " ";
  }
  if (to < line.size()) source += "...";
  const size_t room = std::max<size_t>(to, first + 1) - first;
  marks.append(std::clamp<size_t>(last > first ? last - first : 1, 1, room), '^');
  if (!it.hint.empty()) marks += " " + it.hint;
  const std::string number = std::to_string(begin.line);
  const std::string blank(width + 1, ' ');
  return std::string(width - number.size(), ' ') + number + " | " + source + "\n" + blank + "| " + marks + "\n";
}

void append_json_text(std::string& out, std::string_view text) {
  out += '"';
  for (const std::string& cell : cells(text)) {
    if (cell == "\"" || cell == "\\") out += '\\';
    out += cell == "\t" ? std::string("\\t") : cell;
  }
  out += '"';
}

void append_field(std::string& out, std::string_view name, std::string_view text) {
  out += out.back() == '{' ? "\"" : ", \"";
  out += name;
  out += "\": ";
  append_json_text(out, text);
}

void append_optional(std::string& out, std::string_view name, std::string_view text) {
  if (!text.empty()) return append_field(out, name, text);
  out += ", \"";
  out += name;
  out += "\": null";
}

void append_position(std::string& out, std::string_view prefix, const Position& at) {
  out += ", \"" + std::string(prefix) + "line\": " + std::to_string(at.line);
  out += ", \"" + std::string(prefix) + "column\": " + std::to_string(at.column);
}

std::string counted(size_t count, const char* word) {
  return std::to_string(count) + " " + word + (count == 1 ? "" : "s");
}

}  // namespace

std::string to_text(const SourceMap& sources, const Diagnostic& it) {
  const size_t width = std::max<size_t>(2, std::to_string(sources.position(it.span.file, it.span.begin).line).size());
  const std::string blank(width + 1, ' ');
  std::string out = severity_word(it.severity) + "[" + std::string(info(it.code).code) + "]: ";
  for (const std::string& cell : cells(it.message)) out += cell;
  out += "\n" + std::string(width, ' ') + "--> " + place(sources, it.span) + "\n" + blank + "|\n";
  out += excerpt(sources, it, width);
  for (const Note& note : it.notes) {
    out += blank + "= note: " + note.message + ": " + place(sources, note.span) + "\n";
  }
  return out;
}

std::string to_text(const SourceMap& sources, const Diagnostics& diagnostics) {
  if (diagnostics.empty()) return {};
  std::string out;
  for (const Diagnostic& it : diagnostics.sorted()) out += to_text(sources, it) + "\n";
  if (diagnostics.dropped() > 0) out += "... and " + std::to_string(diagnostics.dropped()) + " more\n";
  return out + counted(diagnostics.errors(), "error") + ", " + counted(diagnostics.warnings(), "warning") + "\n";
}

std::string to_json(const SourceMap& sources, const Diagnostic& it) {
  const CodeInfo& row = info(it.code);
  std::string out = "{";
  append_field(out, "code", row.code);
  append_field(out, "name", row.name);
  append_field(out, "severity", severity_word(it.severity));
  append_field(out, "message", it.message);
  append_field(out, "file", sources.name(it.span.file));
  append_position(out, "", sources.position(it.span.file, it.span.begin));
  append_position(out, "end_", sources.position(it.span.file, it.span.end));
  append_optional(out, "hint", it.hint);
  out += ", \"notes\": [";
  for (const Note& note : it.notes) {
    if (out.back() != '[') out += ", ";
    std::string object = "{";
    append_field(object, "message", note.message);
    append_position(object, "", sources.position(note.span.file, note.span.begin));
    out += object + "}";
  }
  out += "]";
  append_optional(out, "rule", row.rule);
  return out + "}";
}

std::string to_json(const SourceMap& sources, const Diagnostics& diagnostics) {
  std::string out = "[";
  for (const Diagnostic& it : diagnostics.sorted()) {
    if (out.size() > 1) out += ", ";
    out += to_json(sources, it);
  }
  return out + "]";
}

}  // namespace patterns
