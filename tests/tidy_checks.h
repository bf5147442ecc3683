// The style of the tree as functions from files to complaints: who may include whom, how long a file may be, which
// calls are banned and what to use instead, that every rule has a test. They read text, not C++: they know comments,
// literals and #include lines, no more, so each is written to miss a case rather than to complain of good code. Pure
// functions; no thread rule.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace tests {

constexpr size_t kHeaderLinesMax = 200;
constexpr size_t kSourceLinesMax = 600;
constexpr size_t kFunctionLinesMax = 70;
constexpr size_t kColumnsMax = 140;  // .clang-format aims at 120; what it cannot break may be longer
constexpr uintmax_t kFileBytesMax = 1 << 20;

struct File {
  std::string path;  // from the root of the tree, with '/'
  std::string text;  // empty for what is not C++
  uintmax_t bytes = 0;
};
using Files = std::vector<File>;
using Complaints = std::vector<std::string>;  // each "path:line: what is wrong, and what to do instead"

// Include lines follow ARCHITECTURE.md: product folders, tests, nobody else.
Complaints check_directions(const Files& files);
// Each library is known to the folders and to the few files that wrap it; cep and patterns make no system calls.
Complaints check_libraries(const Files& files);
// Lines of a file, lines of a function (product folders only), columns of a line in code points.
Complaints check_sizes(const Files& files);
// Head comment, #pragma once, no namespace of another folder, snake_case names.
Complaints check_headings(const Files& files);
Complaints check_bans(const Files& files);
Complaints check_unfinished(const Files& files);
// Every rules/**/NAME.weir has its NAME.test, streams.weir and lists.weir excepted.
Complaints check_rules_have_tests(const Files& files);
Complaints check_top_level(const Files& files);
Complaints check_file_bytes(const Files& files);

// The text with comments and literals blanked; lines and columns stay where they are.
std::string code_only(std::string_view text);
std::vector<std::string> lines_of(const std::string& text);
bool is_cpp(const File& file);

}  // namespace tests
