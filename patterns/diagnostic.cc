// Diagnostics: the sink and the search for a near name. diagnostic_print.cc writes them out.
#include "patterns/diagnostic.h"

#include <algorithm>
#include <array>
#include <tuple>

#include "patterns/diagnostic_hints.h"

namespace patterns {

namespace {

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

std::string fill(std::string_view text, std::initializer_list<std::string_view> arguments) {
  std::string out;
  auto next = arguments.begin();
  for (size_t at = 0; at < text.size(); ++at) {
    if (text[at] == '{' && at + 1 < text.size() && text[at + 1] == '}' && next != arguments.end()) {
      out += *next++;
      ++at;
    } else {
      out += text[at];
    }
  }
  return out;
}

// Edits between two words: insert, delete, replace, swap of neighbours. O(|a| |b|), on words of at most kWordMax.
size_t edits(std::string_view a, std::string_view b, bool any_case) {
  constexpr size_t kWordMax = 64;
  if (a.size() > kWordMax || b.size() > kWordMax) return a == b ? 0 : kWordMax;
  const auto same = [any_case](char x, char y) { return x == y || (any_case && lower(x) == lower(y)); };
  std::array<std::array<size_t, kWordMax + 1>, 3> rows{};
  for (size_t j = 0; j <= b.size(); ++j) rows[0][j] = j;
  for (size_t i = 1; i <= a.size(); ++i) {
    auto& now = rows[i % 3];
    const auto& above = rows[(i - 1) % 3];
    now[0] = i;
    for (size_t j = 1; j <= b.size(); ++j) {
      const size_t replace = above[j - 1] + (same(a[i - 1], b[j - 1]) ? 0 : 1);
      now[j] = std::min({above[j] + 1, now[j - 1] + 1, replace});
      const bool swapped = i > 1 && j > 1 && same(a[i - 1], b[j - 2]) && same(a[i - 2], b[j - 1]);
      if (swapped) now[j] = std::min(now[j], rows[(i - 2) % 3][j - 2] + 1);
    }
  }
  return rows[a.size() % 3][b.size()];
}

}  // namespace

const std::vector<CodeInfo>& all_codes() {
  static const std::vector<CodeInfo> rows = {
#define WEIR_CODE(id, code, name, rule, text) {code, name, rule, text},
      WEIR_DIAGNOSTIC_CODES(WEIR_CODE)
#undef WEIR_CODE
  };
  return rows;
}

const CodeInfo& info(Code code) { return all_codes()[static_cast<size_t>(code)]; }

Diagnostic& Diagnostics::add(Code code, const Span& span, std::initializer_list<std::string_view> arguments) {
  const CodeInfo& row = info(code);
  const Severity severity = row.code.front() == 'W' ? Severity::kWarning : Severity::kError;
  const auto hint = std::find_if(std::begin(kDefaultHints), std::end(kDefaultHints), [&](const auto& it) { return it.code == code; });
  spare_ = {code, severity, fill(row.text, arguments), span, {}, {}};
  if (hint != std::end(kDefaultHints)) spare_.hint = hint->hint;
  const auto same = [&](const Diagnostic& other) { return other.code == code && other.span == span; };
  if (std::any_of(items_.begin(), items_.end(), same)) return spare_;
  const bool is_kept = severity == Severity::kError ? ++errors_ <= kDiagnosticsMax : ++warnings_ <= kWarningsMax;
  if (!is_kept) {
    ++dropped_;
    return spare_;
  }
  items_.push_back(std::move(spare_));
  return items_.back();
}

std::vector<Diagnostic> Diagnostics::sorted() const {
  std::vector<const Diagnostic*> order;
  for (const Diagnostic& it : items_) order.push_back(&it);
  std::sort(order.begin(), order.end(), [](const Diagnostic* a, const Diagnostic* b) {
    return std::tie(a->span.file, a->span.begin, a) < std::tie(b->span.file, b->span.begin, b);
  });
  std::vector<Diagnostic> out;
  for (const Diagnostic* it : order) out.push_back(*it);
  return out;
}

size_t Diagnostics::silence(std::string_view code, const Span& within) {
  return std::erase_if(items_, [&](const Diagnostic& it) {
    return it.severity == Severity::kWarning && info(it.code).code == code && it.span.file == within.file &&
           it.span.begin >= within.begin && it.span.end <= within.end;
  });
}

size_t Diagnostics::errors() const { return errors_; }

size_t Diagnostics::warnings() const {
  return static_cast<size_t>(std::count_if(items_.begin(), items_.end(),
                                           [](const Diagnostic& it) { return it.severity == Severity::kWarning; }));
}

std::string nearest(std::string_view word, const std::vector<std::string>& candidates) {
  const size_t allowed = std::max<size_t>(1, word.size() / 3);
  const std::string* best = nullptr;
  std::pair<size_t, size_t> best_cost{};
  for (const std::string& candidate : candidates) {
    const size_t loose = edits(word, candidate, true);
    if (loose > allowed || loose >= word.size()) continue;
    const std::pair cost{loose, edits(word, candidate, false)};
    if (best == nullptr || cost < best_cost) {
      best = &candidate;
      best_cost = cost;
    }
  }
  return best == nullptr ? std::string() : *best;
}

std::string did_you_mean(std::string_view word, const std::vector<std::string>& candidates) {
  const std::string near = nearest(word, candidates);
  return near.empty() ? near : "did you mean `" + near + "`?";
}

}  // namespace patterns
