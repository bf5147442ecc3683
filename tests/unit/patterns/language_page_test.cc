// docs/language.md is complete: every diagnostic, function and word of the language that an author can meet stands on it.
#include <gtest/gtest.h>

#include <set>

#include "cep/functions.h"
#include "patterns/callables.h"
#include "tests/unit/patterns/parse_support.h"

namespace patterns {
namespace {

TEST(LanguagePage, HasEveryDiagnosticThatIsReported) {
  const std::string page = read_source("docs/language.md");
  for (const CodeInfo& info : all_codes()) {
    EXPECT_NE(page.find(info.code), std::string::npos) << info.code << " " << info.name << ": tell authors of rules what to do about it";
  }
}

TEST(LanguagePage, HasEveryFunctionAndAggregate) {
  const std::string page = read_source("docs/language.md");
  for (const std::string& name : callable_names()) EXPECT_NE(page.find("`" + name), std::string::npos) << name << ": write its row";
  for (const cep::FunctionInfo& info : cep::functions()) {
    EXPECT_NE(page.find("`" + std::string(info.name) + "("), std::string::npos) << info.name;
  }
}

TEST(LanguagePage, LinksLeadToItsSections) {
  const std::string page = read_source("docs/language.md");
  std::set<std::string> anchors;
  std::istringstream lines(page);
  for (std::string line; std::getline(lines, line);) {
    if (!line.starts_with("## ") && !line.starts_with("### ")) continue;
    std::string anchor;
    for (const char c : line.substr(line.find(' ') + 1)) {
      if (c == ' ') anchor += '-';
      if (std::isalnum(static_cast<unsigned char>(c)) || c == '-' || c == '_') anchor += static_cast<char>(std::tolower(c));
    }
    anchors.insert(anchor);
  }
  for (size_t at = page.find("](#"); at != std::string::npos; at = page.find("](#", at + 1)) {
    const std::string anchor = page.substr(at + 3, page.find(')', at) - at - 3);
    EXPECT_TRUE(anchors.contains(anchor)) << anchor;
  }
}

}  // namespace
}  // namespace patterns
