// Lexer: the bytes of a rule file as tokens and comments. Tokens hold positions only, text is cut out on demand.
// Invariant: tokens are in the order of the text and do not overlap, the last one is kEnd; every byte that is no part
// of the language has its diagnostic here, and stands in a kBad token about which the parser says nothing more.
// O(bytes). Threads: one owner.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "patterns/ast.h"
#include "patterns/diagnostic.h"
#include "patterns/source_map.h"

namespace patterns {

enum class TokenKind : uint8_t {
  kEnd,
  kBad,
  kWord,
  kNumber,
  kString,
  kComma,
  kSemicolon,
  kLeftParen,
  kRightParen,
  kLeftBrace,
  kRightBrace,
  kLeftBracket,
  kRightBracket,
  kDot,
  kAt,
  kBar,
  kConcat,
  kQuestion,
  kEq,
  kNe,
  kLt,
  kLe,
  kGt,
  kGe,
  kPlus,
  kMinus,
  kStar,
  kSlash,
  kPercent,
  kSkipArrow,  // ->
  kAnyArrow,   // ->>
};

struct Token {
  TokenKind kind = TokenKind::kEnd;
  bool quoted = false;    // kWord: "name"; never a keyword
  bool reserved = false;  // kWord: one of the reserved words
  bool repaired = false;  // kWord: the unit glued to a number (`5m`); kString, kWord, kEnd: closed by the lexer, and
                          // what should follow may be inside. Reported there.
  Span span;
};

struct Tokens {
  std::vector<Token> tokens;
  std::vector<Comment> comments;
};

Tokens tokenize(const SourceMap& sources, FileId file, Diagnostics& diagnostics);

// A name without its quotes, a string's contents, else the bytes.
std::string token_text(const SourceMap& sources, const Token& token);

bool same_word(std::string_view word, std::string_view keyword);  // any case; `keyword` in lower case
bool is_reserved(std::string_view word);
std::span<const std::string_view> reserved_words();  // sorted
// What a wrong unit such as `m`, `hrs` or `msec` stands for; empty if it is none. Months and longer have no length.
std::string_view unit_meant(std::string_view word);

}  // namespace patterns
