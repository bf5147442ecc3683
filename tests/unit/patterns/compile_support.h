// Helpers of the compiler's tests: a text against a catalogue, its diagnostics as short words, parts of a dump.
#pragma once

#include <sstream>
#include <string>
#include <vector>

#include "patterns/compile.h"

namespace patterns {

struct Compiled {
  std::optional<Deployment> deployment;
  std::vector<std::string> errors;  // "E0103 2:14 amout": code, place, the marked text's first line
  std::vector<std::string> warnings;
  std::string report;  // all of it, for a failing test
};

inline std::string brief(const SourceMap& sources, const Diagnostic& diagnostic) {
  const Position at = sources.position(diagnostic.span.file, diagnostic.span.begin);
  std::string marked(sources.text(diagnostic.span));
  marked = marked.substr(0, marked.find('\n'));
  return std::string(info(diagnostic.code).code) + " " + std::to_string(at.line) + ":" + std::to_string(at.column) +
         " " + marked;
}

inline Compiled compile_text(const std::string& text, Catalog& catalog) {
  SourceMap sources;
  Diagnostics diagnostics;
  const FileId file = sources.add("test.weir", text);
  Compiled out;
  out.deployment = compile_file(sources, file, catalog, diagnostics);
  for (const Diagnostic& d : diagnostics.sorted()) {
    (d.severity == Severity::kError ? out.errors : out.warnings).push_back(brief(sources, d));
  }
  out.report = to_text(sources, diagnostics);
  return out;
}

inline Compiled compile_text(const std::string& text) {
  Catalog catalog;
  return compile_text(text, catalog);
}

// The code, without place and text.
inline std::vector<std::string> codes(const std::vector<std::string>& briefs) {
  std::vector<std::string> found;
  for (const std::string& it : briefs) found.push_back(it.substr(0, 5));
  return found;
}

// The lines of a dump that begin with `word`, or from the first that does to the end if `on`.
inline std::string dump_lines(const cep::Program& program, const std::string& word, bool on = false) {
  std::istringstream lines(program.dump);
  std::string all;
  bool found = false;
  for (std::string line; std::getline(lines, line);) {
    const bool begins = line.rfind(word, 0) == 0;
    found = found || begins;
    if (begins || (on && found)) all += line + "\n";
  }
  return all;
}

// A stream, then the rule's text.
inline const std::string kTx =
    "create stream tx (card text not null, amount decimal(12,2), v int, f float, country text, ok bool, addr ip, at "
    "timestamp not "
    "null) event time at;\n";
inline const std::string kLogins =
    "create stream logins (user text not null, n int, amount decimal(10,2), at timestamp not null) event time at;\n";

}  // namespace patterns
