#include "service/text_diff.h"

#include <algorithm>
#include <cstdint>

namespace service {
namespace {

constexpr size_t kContext = 3;
constexpr size_t kCellsMax = 4'000'000;

struct Edit {
  char mark = ' ';             // ' ', '-' or '+'
  const std::string* line = nullptr;
  size_t before = 0;           // lines of each side that stand above
  size_t after = 0;
};

// The shortest list of edits, by the table of longest common subsequences.
std::vector<Edit> edits_between(const std::vector<std::string>& before, const std::vector<std::string>& after) {
  const size_t n = before.size();
  const size_t m = after.size();
  const bool small = (n + 1) * (m + 1) <= kCellsMax;
  std::vector<uint32_t> common(small ? (n + 1) * (m + 1) : 0, 0);
  const auto cell = [&](size_t i, size_t j) -> uint32_t& { return common[i * (m + 1) + j]; };
  for (size_t i = n; small && i-- > 0;) {
    for (size_t j = m; j-- > 0;) {
      cell(i, j) = before[i] == after[j] ? cell(i + 1, j + 1) + 1 : std::max(cell(i + 1, j), cell(i, j + 1));
    }
  }
  std::vector<Edit> edits;
  size_t i = 0;
  size_t j = 0;
  while (i < n || j < m) {
    if (small && i < n && j < m && before[i] == after[j]) {
      edits.push_back({' ', &before[i], i, j});
      ++i;
      ++j;
    } else if (i < n && (j == m || !small || cell(i + 1, j) >= cell(i, j + 1))) {
      edits.push_back({'-', &before[i], i, j});
      ++i;
    } else {
      edits.push_back({'+', &after[j], i, j});
      ++j;
    }
  }
  return edits;
}

std::string range(size_t first, size_t count) {
  return std::to_string(count == 0 ? first : first + 1) + "," + std::to_string(count);
}

}  // namespace

std::string unified_diff(const std::vector<std::string>& before, const std::vector<std::string>& after,
                         const std::string& before_name, const std::string& after_name) {
  if (before == after) return "";
  const std::vector<Edit> edits = edits_between(before, after);
  std::string text = "--- " + before_name + "\n+++ " + after_name + "\n";
  for (size_t at = 0; at < edits.size();) {
    while (at < edits.size() && edits[at].mark == ' ') ++at;
    if (at == edits.size()) break;
    const size_t begin = at < kContext ? 0 : at - kContext;
    size_t end = at;           // behind the last line of this hunk
    for (size_t quiet = 0; end < edits.size() && quiet <= 2 * kContext; ++end) {
      quiet = edits[end].mark == ' ' ? quiet + 1 : 0;
    }
    size_t last = end;
    while (edits[last - 1].mark == ' ') --last;
    end = std::min(last + kContext, edits.size());
    size_t removed = 0;
    size_t added = 0;
    std::string body;
    for (size_t e = begin; e < end; ++e) {
      removed += edits[e].mark == '+' ? 0 : 1;
      added += edits[e].mark == '-' ? 0 : 1;
      body += edits[e].mark + *edits[e].line + "\n";
    }
    text += "@@ -" + range(edits[begin].before, removed) + " +" + range(edits[begin].after, added) + " @@\n" + body;
    at = end;
  }
  return text;
}

}  // namespace service
