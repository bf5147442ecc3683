// The tree keeps the style (WEIR_SOURCE_DIR is its root), and the checks see what breaks it.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <set>
#include <string>
#include <vector>

#include "tests/tidy_checks.h"

namespace tests {
namespace {

namespace fs = std::filesystem;

// What .gitignore names is not part of the tree.
bool is_ignored(const std::string& name) {
  static const std::set<std::string> kIgnored = {".git", "build", "weir-data", ".cache", "compile_commands.json"};
  return kIgnored.contains(name) || name.ends_with(".swp");
}

const Files& tree() {
  static const Files kFiles = [] {
    Files files;
    const fs::path root = WEIR_SOURCE_DIR;
    for (const auto& top : fs::directory_iterator(root)) {
      if (is_ignored(top.path().filename().string())) continue;
      std::vector<fs::directory_entry> entries = {top};
      if (top.is_directory()) std::copy(fs::recursive_directory_iterator(top), {}, std::back_inserter(entries));
      for (const auto& entry : entries) {
        if (!entry.is_regular_file() || is_ignored(entry.path().filename().string())) continue;
        File file{entry.path().lexically_relative(root).generic_string(), "", entry.file_size()};
        if (is_cpp(file)) {
          std::ifstream stream(entry.path(), std::ios::binary);
          file.text.assign(std::istreambuf_iterator<char>(stream), {});
        }
        files.push_back(std::move(file));
      }
    }
    std::sort(files.begin(), files.end(), [](const File& a, const File& b) { return a.path < b.path; });
    return files;
  }();
  return kFiles;
}

void expect_none(const Complaints& complaints) {
  for (const std::string& complaint : complaints) ADD_FAILURE() << complaint;
}

// ---- The tree keeps the style -------------------------------------------------------------------------------------

TEST(Tree, IsRead) {
  const auto is_this = [](const File& file) { return file.path == "tests/tidy_test.cc" && !file.text.empty(); };
  EXPECT_EQ(std::count_if(tree().begin(), tree().end(), is_this), 1);
}
TEST(Tree, KeepsIncludeDirections) { expect_none(check_directions(tree())); }
TEST(Tree, KeepsLibrariesBehindFewFiles) { expect_none(check_libraries(tree())); }
TEST(Tree, KeepsSizes) { expect_none(check_sizes(tree())); }
TEST(Tree, SaysWhatFilesAre) { expect_none(check_headings(tree())); }
TEST(Tree, AvoidsBannedCalls) { expect_none(check_bans(tree())); }
TEST(Tree, HasNothingUnfinished) { expect_none(check_unfinished(tree())); }
TEST(Tree, TestsEveryRule) { expect_none(check_rules_have_tests(tree())); }
TEST(Tree, KeepsRootSmall) { expect_none(check_top_level(tree())); }
TEST(Tree, HoldsNoLargeFile) { expect_none(check_file_bytes(tree())); }

// ---- The checks see what breaks them ------------------------------------------------------------------------------

TEST(Check, CommentsAndLiteralsAreNotCode) {
  const std::string text = "a // b\nc /* d\ne */ f \"g \\\" h\" '\\'' i R\"x(j)\" k)x\" 1'000 l\n";
  const std::string code = code_only(text);
  EXPECT_EQ(code.size(), text.size());
  EXPECT_EQ(lines_of(code).size(), 3u);
  std::string kept;
  for (const char c : code) kept += std::isspace(static_cast<unsigned char>(c)) != 0 ? "" : std::string(1, c);
  EXPECT_EQ(kept, "acfi1'000l");
}

TEST(Check, Directions) {
  EXPECT_EQ(check_directions({{"cep/a.cc", "#include \"patterns/ast.h\"\n"}}).size(), 1u);
  EXPECT_EQ(check_directions({{"state/a.cc", "#include <patterns/ast.h>\n"}}).size(), 1u);
  EXPECT_EQ(check_directions({{"api/a.cc", "#include \"tests/support/gen.h\"\n"}}).size(), 1u);
  EXPECT_EQ(check_directions({{"cep/a.cc", "#include \"result.h\"\n"}}).size(), 1u);
  EXPECT_EQ(check_directions({{"service/a.cc", "#include \"state/env.h\"\n#include <vector>\n"}}).size(), 0u);
}

TEST(Check, Libraries) {
  EXPECT_EQ(check_libraries({{"state/env.cc", "#include <lmdb.h>\n"}}).size(), 0u);
  EXPECT_EQ(check_libraries({{"state/env.cc", "#include <lmdb.h>\n"}, {"state/b.cc", "#include <lmdb.h>\n"}}).size(),
            1u);
  EXPECT_EQ(check_libraries({{"cep/a.cc", "#include <simdjson.h>\n"}}).size(), 1u);
  EXPECT_EQ(check_libraries({{"cep/a.cc", "#include <sys/stat.h>\n#include <immintrin.h>\n"}}).size(), 1u);
  EXPECT_EQ(check_libraries({{"patterns/a.cc", "#include <unistd.h>\n#include <vector>\n"}}).size(), 1u);
}

TEST(Check, Sizes) {
  const auto repeated = [](size_t n, const std::string& line) {
    std::string text;
    for (size_t i = 0; i < n; ++i) text += line;
    return text;
  };
  EXPECT_EQ(check_sizes({{"cep/a.h", repeated(200, "\n")}, {"cep/a.cc", repeated(600, "\n")}}).size(), 0u);
  EXPECT_EQ(check_sizes({{"cep/a.h", repeated(201, "\n")}, {"cep/a.cc", repeated(601, "\n")}}).size(), 2u);
  EXPECT_EQ(check_sizes({{"cep/a.cc", std::string(140, 'a') + "\n" + std::string(141, 'a') + "\n"}}).size(), 1u);
  EXPECT_EQ(check_sizes({{"cep/a.cc", repeated(140, "\xC3\xA9") + "\n"}}).size(), 0u);
  const auto function = [&](size_t body) {
    return "int f(int a,\n      int b) {\n" + repeated(body, "  a;\n") + "}\n";
  };
  EXPECT_EQ(check_sizes({{"cep/a.cc", function(67)}}).size(), 0u);
  EXPECT_EQ(check_sizes({{"cep/a.cc", function(68)}}).size(), 1u);
  EXPECT_EQ(check_sizes({{"cep/a.cc", "int g() {\n  a;\n}\n\n" + function(68)}}).size(), 1u);
  EXPECT_EQ(check_sizes({{"cep/a.cc", "namespace cep {\n" + repeated(90, "  a;\n") + "}\n"}}).size(), 0u);
}

TEST(Check, Headings) {
  EXPECT_EQ(check_headings({{"cep/a.h", "// A.\n#pragma once\nnamespace cep {\n"}, {"cep/a.cc", "\n"}}).size(), 0u);
  EXPECT_EQ(check_headings({{"cep/a.h", "\n#pragma once\nnamespace cep {\n"}}).size(), 1u);
  EXPECT_EQ(check_headings({{"cep/a.h", "// A.\nnamespace cep {\n"}}).size(), 1u);
  EXPECT_EQ(check_headings({{"cep/a.cc", "\nnamespace cep {\n"}}).size(), 1u);
  EXPECT_EQ(check_headings({{"cep/a.cc", "// A.\nnamespace state {\n"}}).size(), 1u);
  EXPECT_EQ(check_headings({{"cep/aB.cc", "// A.\nnamespace cep {\n"}}).size(), 1u);
}

TEST(Check, Bans) {
  const auto complaints = [](const std::string& path, const std::string& text) {
    return check_bans({{path, text}}).size();
  };
  EXPECT_EQ(complaints("cep/a.cc", "auto t = std::chrono::system_clock::now();\n"), 1u);
  EXPECT_EQ(complaints("service/a.cc", "auto t = std::chrono::system_clock::now();\n"), 0u);
  EXPECT_EQ(complaints("api/a.cc", "long t = time(nullptr);\n"), 1u);
  EXPECT_EQ(complaints("api/a.cc", "Timestamp time() const; event_time(0); event.time(0);\n"), 0u);
  EXPECT_EQ(complaints("cep/a.cc", "int d = ::open(p);\n"), 1u);
  EXPECT_EQ(complaints("cep/a.cc", "Env::open(p);  // ::open(\n"), 0u);
  EXPECT_EQ(complaints("state/log_writer.cc", "fdatasync(fd);\n"), 1u);
  EXPECT_EQ(complaints("state/file.cc", "fdatasync(fd);\n"), 0u);
  EXPECT_EQ(complaints("state/file.cc", "std::snprintf(b, n, \"rand(\");\n"), 0u);
  EXPECT_EQ(complaints("service/a.cc", "throw x;\nstd::sprintf(b, f);\n"), 2u);
  EXPECT_EQ(complaints("tests/unit/cep/a_test.cc", "int i = std::rand();\nusing namespace std;\n"), 2u);
  EXPECT_EQ(complaints("cep/a.cc", "static_assert(true);\nassert(true);\n"), 1u);
}

TEST(Check, Unfinished) {
  EXPECT_EQ(check_unfinished({{"cep/a.cc", "// TODO: later\n"}}).size(), 1u);
  EXPECT_EQ(check_unfinished({{"cep/a.cc", "// later\n"}}).size(), 0u);
}

TEST(Check, Tree) {
  EXPECT_EQ(
      check_rules_have_tests({{"rules/card/a.weir", ""}, {"rules/card/b.weir", ""}, {"rules/card/b.test", ""}}).size(),
      1u);
  EXPECT_EQ(check_rules_have_tests({{"rules/card/streams.weir", ""}, {"rules/card/lists.weir", ""}}).size(), 0u);
  EXPECT_EQ(check_top_level({{"cep/a.cc", ""}, {"notes.txt", ""}}).size(), 1u);
  EXPECT_EQ(check_file_bytes({{"tests/a.bin", "", 1 << 20}, {"tests/b.bin", "", (1 << 20) + 1}}).size(), 1u);
}

}  // namespace
}  // namespace tests
