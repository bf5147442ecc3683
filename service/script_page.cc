#include "service/script_page.h"

#include <algorithm>
#include <string_view>

#include "patterns/parser.h"
#include "service/rule_files.h"

namespace service {
namespace {

constexpr size_t kFenceMin = 3;
constexpr size_t kIndentMax = 3;

// A line of ``` or ~~~ and what stands behind them; no marks: it is none.
struct Marks {
  char mark = 0;
  size_t count = 0;
  std::string_view info;
};

Marks fence_marks(std::string_view line) {
  while (!line.empty() && (line.back() == ' ' || line.back() == '\t' || line.back() == '\r')) line.remove_suffix(1);
  const size_t indent = std::min(line.find_first_not_of(' '), line.size());
  line.remove_prefix(indent);
  if (indent > kIndentMax || line.empty() || (line[0] != '`' && line[0] != '~')) return {};
  const size_t count = std::min(line.find_first_not_of(line[0]), line.size());
  if (count < kFenceMin) return {};
  const std::string_view info = line.substr(count);
  if (line[0] == '`' && info.find('`') != std::string_view::npos) return {};
  return {line[0], count, info.substr(std::min(info.find_first_not_of(" \t"), info.size()))};
}

// Blank lines, as many as stand above `line`, so that a text keeps the page's line numbers.
std::string blank_lines(size_t line) { return std::string(line, '\n'); }

void append_lines(const ScriptPage& page, const PageFence& fence, std::string& text) {
  for (size_t line = fence.begin; line < fence.end; ++line) text += page.lines[line] + "\n";
}

// The lines of one fence.
std::string fence_text(const ScriptPage& page, const PageFence& fence) {
  std::string text = blank_lines(fence.begin);
  append_lines(page, fence, text);
  return text;
}

// The declarations of the fences above it; nothing else.
std::string declared_above(const ScriptPage& page, const PageFence& fence) {
  std::string text;
  size_t line = 0;
  for (const PageFence& above : page.fences) {
    if (above.begin >= fence.begin) break;
    if (above.is_script) continue;
    text += blank_lines(above.begin - line);
    append_lines(page, above, text);
    line = above.end;
  }
  patterns::SourceMap sources;
  patterns::Diagnostics diagnostics;
  const patterns::File file = patterns::parse(sources, sources.add(page.path, text), diagnostics);
  std::string declared = text;
  std::replace_if(declared.begin(), declared.end(), [](char c) { return c != '\n'; }, ' ');
  bool any = false;
  for (const patterns::Statement& statement : file.statements) {
    const bool is_kept = std::holds_alternative<patterns::StreamDecl>(statement.body) ||
                         std::holds_alternative<patterns::ListDecl>(statement.body) ||
                         std::holds_alternative<patterns::TableDecl>(statement.body);
    if (!is_kept) continue;
    any = true;
    declared.replace(statement.span.begin, statement.span.end - statement.span.begin, sources.text(statement.span));
  }
  return any ? declared : "";
}

}  // namespace

bool is_page(const std::string& path) { return path.ends_with(".md"); }

cep::Result<ScriptPage> parse_page(const std::string& path, const std::string& text) {
  ScriptPage page;
  page.path = path;
  page.lines = split_lines(text);
  for (size_t at = 0; at < page.lines.size(); ++at) {
    const Marks open = fence_marks(page.lines[at]);
    if (open.count == 0) continue;
    PageFence fence;
    fence.begin = at + 1;
    const auto closes = [&](const Marks& line) { return line.mark == open.mark && line.count >= open.count && line.info.empty(); };
    const size_t opened = at;
    do {
      if (++at == page.lines.size()) {
        const std::string where = path + ":" + std::to_string(opened + 1);
        return cep::Error{"bad_page", where + ": this fence is not closed: write " + std::string(open.count, open.mark) + " below it"};
      }
    } while (!closes(fence_marks(page.lines[at])));
    fence.end = at;
    const std::string_view word = open.info.substr(0, std::min(open.info.find_first_of(" \t{"), open.info.size()));
    fence.is_script = word == "weir-test";
    if (fence.is_script || word == "weir") page.fences.push_back(fence);
  }
  return page;
}

cep::Result<Script> fence_script(const ScriptPage& page, const PageFence& fence) {
  cep::Result<Script> script = parse_script(page.path, fence_text(page, fence));
  if (script) script->above = declared_above(page, fence);
  return script;
}

std::string check_fence(const ScriptPage& page, const PageFence& fence) {
  Compilation above;
  compile_texts({{page.path, declared_above(page, fence)}}, above);
  patterns::SourceMap sources;
  patterns::Diagnostics diagnostics;
  const patterns::FileId file = sources.add(page.path, fence_text(page, fence));
  std::vector<cep::ProgramId> started;
  above.book.compile(sources, {&file, 1}, diagnostics, started);
  return diagnostics.empty() ? "" : patterns::to_text(sources, diagnostics);
}

cep::Result<std::vector<std::string>> find_test_files(const std::vector<std::string>& paths) {
  cep::Result<std::vector<std::string>> files = find_files(paths, ".test");
  if (!files) return files;
  const auto pages = find_files(paths, ".md");
  if (!pages) return pages;
  for (const std::string& path : *pages) {
    if (std::find(files->begin(), files->end(), path) != files->end()) continue;
    const cep::Result<std::string> text = read_whole_file(path);
    const cep::Result<ScriptPage> page = text ? parse_page(path, *text) : cep::Result<ScriptPage>(text.error());
    if (!page || !page->fences.empty()) files->push_back(path);
  }
  return files;
}

}  // namespace service
