// What the tests of the language front share: a text parsed with its diagnostics beside it.
#pragma once

#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "patterns/parser.h"
#include "patterns/printer.h"

namespace patterns {

struct Parsed {
  SourceMap sources;
  Diagnostics diagnostics;
  File file;

  explicit Parsed(const std::string& text, const ParseLimits& limits = {}) {
    file = parse(sources, sources.add("test.weir", text), diagnostics, limits);
  }

  const RuleDecl& rule(size_t i = 0) const { return std::get<RuleDecl>(file.statements.at(i).body); }
  std::string report() const { return to_text(sources, diagnostics); }

  // "E0016 `<`" for each, in the order of the text.
  std::vector<std::string> found() const {
    std::vector<std::string> out;
    for (const Diagnostic& it : diagnostics.sorted()) {
      out.push_back(std::string(info(it.code).code) + " " + std::string(sources.text(it.span)));
    }
    return out;
  }
};

inline std::string repeated(const std::string& part, size_t count) {
  std::string out;
  for (size_t i = 0; i < count; ++i) out += part;
  return out;
}

inline std::string read_source(const std::string& path) {
  std::ifstream in(std::string(WEIR_SOURCE_DIR) + "/" + path, std::ios::binary);
  std::ostringstream out;
  out << in.rdbuf();
  return out.str();
}

// The text of every ```<tag> block of a Markdown file.
inline std::vector<std::string> blocks(const std::string& markdown, const std::string& tag) {
  std::vector<std::string> out;
  const std::string open = "```" + tag + "\n";
  for (size_t at = markdown.find(open); at != std::string::npos; at = markdown.find(open, at)) {
    at += open.size();
    const size_t end = markdown.find("```", at);
    out.push_back(markdown.substr(at, end - at));
    at = end;
  }
  return out;
}

}  // namespace patterns
