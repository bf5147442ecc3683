// Diagnostics: what is wrong with a rule's text, for a person and for a program.
// Invariant: every code has one row in diagnostic_codes.h; codes are never reused. A Diagnostics sink keeps what it is
// given, drops exact repeats (code and span) and stops keeping errors after kDiagnosticsMax and warnings after kWarningsMax, which it
// then says: what is refused is decided by errors alone.
// Threads: one owner.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

#include "patterns/diagnostic_codes.h"
#include "patterns/source_map.h"

namespace patterns {

enum class Severity : uint8_t { kError, kWarning };

enum class Code : uint16_t {
#define WEIR_CODE(id, code, name, rule, text) id,
  WEIR_DIAGNOSTIC_CODES(WEIR_CODE)
#undef WEIR_CODE
};

// One row of the table. `rule` is "R41" or empty; `text` has a {} for each argument.
struct CodeInfo {
  std::string_view code;
  std::string_view name;
  std::string_view rule;
  std::string_view text;
};
const CodeInfo& info(Code code);
const std::vector<CodeInfo>& all_codes();

struct Note {
  std::string message;
  Span span;
};

struct Diagnostic {
  Code code;
  Severity severity;
  std::string message;
  Span span;
  std::string hint;         // what to write instead; empty: none
  std::vector<Note> notes;  // "first written here"
};

inline constexpr size_t kDiagnosticsMax = 200;     // errors kept
inline constexpr size_t kWarningsMax = 2'000;      // kept: those that a comment will silence are among them

class Diagnostics {
 public:
  // The message is the code's text with each {} replaced by the next argument. The reference is good until the next
  // add: `diagnostics.add(Code::kUnknownField, span, {name, stream}).hint = "did you mean ..."`.
  Diagnostic& add(Code code, const Span& span, std::initializer_list<std::string_view> arguments = {});

  // By file and position, errors and warnings together.
  std::vector<Diagnostic> sorted() const;
  const std::vector<Diagnostic>& in_order_of_arrival() const { return items_; }
  // Those of `code` inside `within` go: what `-- weir:allow` does. Returns how many went.
  size_t silence(std::string_view code, const Span& within);

  size_t errors() const;  // those not kept included
  size_t warnings() const;
  size_t dropped() const { return dropped_; }  // errors and warnings not kept
  bool dropped_errors() const { return errors_ > kDiagnosticsMax; }
  bool empty() const { return items_.empty(); }

 private:
  std::vector<Diagnostic> items_;
  Diagnostic spare_{};  // what add() returns when the diagnostic is not kept
  size_t errors_ = 0;
  size_t warnings_ = 0;  // those silenced later included
  size_t dropped_ = 0;
};

// The block of language.md "Diagnostics": head line, place, source line, carets with the hint, notes.
std::string to_text(const SourceMap& sources, const Diagnostic& diagnostic);
// All of them, sorted, a blank line between two, and a last line with the number of errors and warnings.
std::string to_text(const SourceMap& sources, const Diagnostics& diagnostics);
// The object, and the array of objects, of "Diagnostic JSON".
std::string to_json(const SourceMap& sources, const Diagnostic& diagnostic);
std::string to_json(const SourceMap& sources, const Diagnostics& diagnostics);

// The candidate nearest to `word`: fewest edits (insert, delete, replace, swap of neighbours; a different case costs
// less than any), at most a third of its length; ties go to the first. Empty when none is near.
std::string nearest(std::string_view word, const std::vector<std::string>& candidates);
// "did you mean `amount`?", or empty.
std::string did_you_mean(std::string_view word, const std::vector<std::string>& candidates);

}  // namespace patterns
