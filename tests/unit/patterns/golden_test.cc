// Wrong and dubious rules with what their author is told, byte for byte: tests/diagnostics/*.golden, all compiled behind streams.weir
// there. WEIR_REWRITE=1 writes what came as what is expected: read the difference before you commit it.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <set>
#include <sstream>

#include "patterns/compile.h"

namespace patterns {
namespace {

namespace fs = std::filesystem;

const std::string kDirectory = std::string(WEIR_SOURCE_DIR) + "/tests/diagnostics";

struct Case {
  std::string code;
  std::string title;
  std::string text;
  std::string expected;
};

// Comments before the first case, then cases: `== CODE title`, the text, `----`, what is expected.
struct Page {
  std::string path;
  std::string preface;
  std::vector<Case> cases;
};

std::string read_file(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

Page read_page(const fs::path& path) {
  Page page;
  page.path = path.string();
  std::istringstream lines(read_file(path));
  bool in_text = false;
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with("== ")) {
      page.cases.push_back({line.substr(3, 5), line.substr(8), "", ""});
      in_text = true;
    } else if (in_text && line == "----") {
      in_text = false;
    } else if (page.cases.empty()) {
      page.preface += line + "\n";
    } else {
      (in_text ? page.cases.back().text : page.cases.back().expected) += line + "\n";
    }
  }
  for (Case& it : page.cases) {
    while (it.expected.ends_with("\n\n")) it.expected.pop_back();
  }
  return page;
}

void write_page(const Page& page) {
  std::ofstream file(page.path, std::ios::binary);
  file << page.preface;
  for (size_t i = 0; i < page.cases.size(); ++i) {
    const Case& it = page.cases[i];
    file << "== " << it.code << it.title << "\n" << it.text << "----\n" << it.expected << (i + 1 < page.cases.size() ? "\n" : "");
  }
}

std::vector<Page> all_pages() {
  std::vector<fs::path> paths;
  for (const auto& entry : fs::directory_iterator(kDirectory)) {
    if (entry.path().extension() == ".golden") paths.push_back(entry.path());
  }
  std::sort(paths.begin(), paths.end());
  std::vector<Page> pages;
  for (const fs::path& path : paths) pages.push_back(read_page(path));
  return pages;
}

// The diagnostics of the text alone, as a terminal shows them.
struct Told {
  std::string text;
  std::set<std::string> codes;
  bool without_hint = false;           // an error that does not say what to do
};

Told told(const std::string& text) {
  Catalog catalog;
  {
    SourceMap sources;
    Diagnostics none;
    const FileId file = sources.add("streams.weir", read_file(kDirectory + "/streams.weir"));
    EXPECT_TRUE(compile_file(sources, file, catalog, none)) << to_text(sources, none);
    EXPECT_TRUE(none.empty()) << to_text(sources, none);
  }
  catalog.sinks = {"case_desk", "soc"};
  SourceMap sources;
  Diagnostics diagnostics;
  compile_file(sources, sources.add("rule.weir", text), catalog, diagnostics);
  Told out;
  for (const Diagnostic& it : diagnostics.sorted()) {
    out.text += (out.text.empty() ? "" : "\n") + to_text(sources, it);
    out.codes.insert(std::string(info(it.code).code));
    out.without_hint = out.without_hint || (it.severity == Severity::kError && it.hint.empty() && it.notes.empty());
  }
  return out;
}

TEST(Golden, EveryMistakeIsToldAsWritten) {
  const bool rewrite = std::getenv("WEIR_REWRITE") != nullptr;
  size_t cases = 0;
  for (Page& page : all_pages()) {
    for (Case& it : page.cases) {
      ++cases;
      const Told now = told(it.text);
      EXPECT_TRUE(now.codes.contains(it.code)) << page.path << " " << it.code << it.title << "\n" << now.text;
      EXPECT_TRUE(rewrite || now.text == it.expected) << page.path << " " << it.code << it.title << " told:\n" << now.text;
      it.expected = now.text;
    }
    if (rewrite) write_page(page);
  }
  EXPECT_GE(cases, 100u);
}

// Codes that no text of a page's length, or no text alone, can bring about.
const std::map<std::string, std::string>& without_case() {
  static const std::map<std::string, std::string> kReasons = {
      {"E0401", "a statement of 64 KB: parser_test"},
      {"E0403", "an expression of 2,000 parts: parser_test"},
      {"E0405", "a thousand values: parser_test"},
  };
  return kReasons;
}

TEST(Golden, EveryCodeHasACaseOrAReason) {
  std::set<std::string> seen;
  for (const Page& page : all_pages()) {
    for (const Case& it : page.cases) seen.insert(it.code);
  }
  for (const CodeInfo& row : all_codes()) {
    const std::string code(row.code);
    EXPECT_TRUE(seen.contains(code) || without_case().contains(code)) << code << " " << row.name << " has no case in tests/diagnostics";
    EXPECT_FALSE(seen.contains(code) && without_case().contains(code)) << code << " has a case: take it off the list of reasons";
  }
}

TEST(Golden, AnErrorSaysWhereAndWhatToDo) {
  for (const Page& page : all_pages()) {
    for (const Case& it : page.cases) {
      const Told now = told(it.text);
      EXPECT_EQ(now.text.find("syntax error"), std::string::npos) << now.text;
      EXPECT_FALSE(now.without_hint) << page.path << " " << it.code << it.title << "\n" << now.text;
    }
  }
}

}  // namespace
}  // namespace patterns
