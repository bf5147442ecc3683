// Lexer. A hand-written scanner: one function for each kind of token, each takes at least one byte.
#include "patterns/lexer.h"

#include <algorithm>
#include <utility>

namespace patterns {

namespace {

constexpr std::string_view kReserved[] = {
    "after",     "alert",   "and",     "as",       "between", "by",     "case",   "create", "define",
    "drop",      "else",    "emit",    "end",      "false",   "filter", "having", "in",     "into",
    "is",        "like",    "matches", "measures", "not",     "null",   "on",     "or",     "over",
    "partition", "pattern", "subset",  "suppress", "then",    "true",   "when",   "where",  "within",
};

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_name_start(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }
bool is_name_part(char c) { return is_name_start(c) || is_digit(c); }
bool is_space(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f' || c == '\v'; }

struct Mark {
  std::string_view text;
  TokenKind kind;
};
// Longer marks first.
constexpr Mark kMarks[] = {
    {"->>", TokenKind::kAnyArrow}, {"->", TokenKind::kSkipArrow},  {"||", TokenKind::kConcat},
    {"<>", TokenKind::kNe},        {"!=", TokenKind::kNe},         {"<=", TokenKind::kLe},
    {">=", TokenKind::kGe},        {"<", TokenKind::kLt},          {">", TokenKind::kGt},
    {"=", TokenKind::kEq},         {",", TokenKind::kComma},       {";", TokenKind::kSemicolon},
    {"(", TokenKind::kLeftParen},  {")", TokenKind::kRightParen},  {"{", TokenKind::kLeftBrace},
    {"}", TokenKind::kRightBrace}, {"[", TokenKind::kLeftBracket}, {"]", TokenKind::kRightBracket},
    {".", TokenKind::kDot},        {"@", TokenKind::kAt},          {"|", TokenKind::kBar},
    {"?", TokenKind::kQuestion},   {"+", TokenKind::kPlus},        {"-", TokenKind::kMinus},
    {"*", TokenKind::kStar},       {"/", TokenKind::kSlash},       {"%", TokenKind::kPercent},
};

class Scanner {
 public:
  Scanner(const SourceMap& sources, FileId file, Diagnostics& diagnostics)
      : text_(sources.text(file)), file_(file), diagnostics_(diagnostics) {}

  Tokens run() {
    if (text_.substr(0, 3) == "\xEF\xBB\xBF") at_ = 3;
    while (at_ < text_.size()) next();
    push(TokenKind::kEnd, at_).repaired = open_comment_;
    return std::move(out_);
  }

 private:
  void next() {
    const char c = text_[at_];
    if (is_space(c)) {
      ++at_;
    } else if (starts("-->")) {
      arrow_comment();
    } else if (starts("--")) {
      line_comment();
    } else if (starts("/*")) {
      block_comment();
    } else if (is_name_start(c)) {
      word();
    } else if (is_digit(c) || (c == '.' && at_ + 1 < text_.size() && is_digit(text_[at_ + 1]) && !after_operand())) {
      number();
    } else if (c == '\'') {
      quoted(TokenKind::kString, Code::kUnclosedString);
    } else if (c == '"') {
      quoted(TokenKind::kWord, Code::kUnclosedName);
    } else if (!mark()) {
      bad();
    }
  }

  bool starts(std::string_view prefix) const { return text_.substr(at_, prefix.size()) == prefix; }
  Span span(size_t begin) const { return {file_, static_cast<uint32_t>(begin), static_cast<uint32_t>(at_)}; }
  size_t line_end(size_t from) const { return std::min(text_.find('\n', from), text_.size()); }

  Token& push(TokenKind kind, size_t begin) {
    Token token;
    token.kind = kind;
    token.span = span(begin);
    out_.tokens.push_back(token);
    return out_.tokens.back();
  }

  // The last token ends right here and can be the left side of a dot.
  bool after_operand() const {
    if (out_.tokens.empty()) return false;
    const Token& last = out_.tokens.back();
    const bool operand = last.kind == TokenKind::kWord || last.kind == TokenKind::kRightBracket;
    return operand && last.span.end == at_;
  }

  // Inside a `pattern` clause it is the arrow that was meant; elsewhere the line is the comment it looks like, so that
  // nothing after it is reported a second time.
  void arrow_comment() {
    const size_t begin = at_;
    at_ += starts("-->>") ? 4 : 3;
    Diagnostic& it = diagnostics_.add(Code::kArrowComment, span(begin));
    it.hint = in_pattern_ ? "write `->`" : "write a space behind `--`";
    if (in_pattern_) {
      push(at_ - begin == 4 ? TokenKind::kAnyArrow : TokenKind::kSkipArrow, begin);
    } else {
      at_ = line_end(at_);
    }
  }

  void comment(size_t begin) {
    const size_t line = text_.rfind('\n', begin) == std::string_view::npos ? 0 : text_.rfind('\n', begin) + 1;
    const std::string_view before = text_.substr(line, begin - line);
    std::string_view content = text_.substr(begin, at_ - begin);
    while (!content.empty() && is_space(content.back())) content.remove_suffix(1);
    out_.comments.push_back({std::string(content), span(begin), !std::all_of(before.begin(), before.end(), is_space)});
  }

  void line_comment() {
    const size_t begin = at_;
    at_ = line_end(at_);
    comment(begin);
  }

  void block_comment() {
    const size_t begin = at_;
    const size_t close = text_.find("*/", at_ + 2);
    if (close == std::string_view::npos) {
      at_ += 2;
      diagnostics_.add(Code::kUnclosedComment, span(begin));
      open_comment_ = true;
      at_ = text_.size();
      return;
    }
    at_ = close + 2;
    comment(begin);
  }

  void word() {
    const size_t begin = at_;
    while (at_ < text_.size() && is_name_part(text_[at_])) ++at_;
    const std::string_view text = text_.substr(begin, at_ - begin);
    Token& token = push(TokenKind::kWord, begin);
    token.reserved = is_reserved(text);
    if (!token.reserved) return;
    static constexpr std::string_view kOutside[] = {"on",       "partition", "when",   "subset", "define",
                                                    "measures", "having",    "after",  "emit",   "suppress",
                                                    "into",     "alert",     "create", "drop"};
    if (same_word(text, "pattern")) in_pattern_ = true;
    if (std::any_of(std::begin(kOutside), std::end(kOutside), [&](auto other) { return same_word(text, other); })) {
      in_pattern_ = false;
    }
  }

  // Digits, fraction, exponent. What is glued behind belongs to the mistake: `5m`, `1_000`, `1.`, `.5`, `1e`.
  void number() {
    const size_t begin = at_;
    bool good = is_digit(text_[at_]);
    digits();
    if (at_ < text_.size() && text_[at_] == '.') {
      ++at_;
      good = digits() && good;
    }
    const size_t mantissa_end = at_;
    if (at_ < text_.size() && (text_[at_] == 'e' || text_[at_] == 'E')) {
      ++at_;
      if (at_ < text_.size() && (text_[at_] == '+' || text_[at_] == '-')) ++at_;
      if (!digits()) at_ = mantissa_end;
    }
    const size_t end = at_;
    while (at_ < text_.size() && is_name_part(text_[at_])) ++at_;
    const std::string_view digits_text = text_.substr(begin, end - begin);
    const std::string_view glued = text_.substr(end, at_ - end);
    if (good && glued.empty()) {
      push(TokenKind::kNumber, begin);
      return;
    }
    diagnostics_.add(Code::kBadNumber, span(begin), {text_.substr(begin, at_ - begin)}).hint = fix(digits_text, glued);
    const size_t stop = at_;
    at_ = end;
    push(TokenKind::kNumber, begin);
    at_ = stop;
    if (!glued.empty() && !unit_meant(glued).empty()) push(TokenKind::kWord, end).repaired = true;
  }

  bool digits() {
    const size_t begin = at_;
    while (at_ < text_.size() && is_digit(text_[at_])) ++at_;
    return at_ > begin;
  }

  static std::string fix(std::string_view number, std::string_view glued) {
    std::string text(number);
    if (text.front() == '.') text.insert(0, "0");
    if (text.back() == '.') text += "0";
    if (glued.empty()) return "write `" + text + "`";
    if (!unit_meant(glued).empty()) return "write `" + text + " " + std::string(unit_meant(glued)) + "`";
    const bool grouped = std::all_of(glued.begin(), glued.end(), [](char c) { return is_digit(c) || c == '_'; });
    if (!grouped) return "a number is digits, a fraction, an exponent";
    for (const char c : glued) {
      if (c != '_') text += c;
    }
    return "write `" + text + "`";
  }

  // A string or a quoted name ends on its line: a forgotten quote is then found where it is.
  void quoted(TokenKind kind, Code unclosed) {
    const size_t begin = at_;
    const char quote = text_[at_];
    const size_t limit = line_end(at_);
    for (++at_; at_ < limit; ++at_) {
      if (text_[at_] != quote) continue;
      if (at_ + 1 < limit && text_[at_ + 1] == quote) {
        ++at_;
        continue;
      }
      ++at_;
      if (kind == TokenKind::kWord && at_ - begin == 2) diagnostics_.add(Code::kEmptyName, span(begin));
      push(kind, begin).quoted = true;
      return;
    }
    while (at_ > begin + 1 && is_space(text_[at_ - 1])) --at_;
    diagnostics_.add(unclosed, span(begin)).hint = std::string("close it with `") + quote + "` on its line";
    Token& token = push(kind, begin);
    token.quoted = token.repaired = true;
    at_ = limit;
  }

  bool mark() {
    if (starts("==")) {
      const size_t begin = at_;
      at_ += 2;
      diagnostics_.add(Code::kUnknownOperator, span(begin), {"=="}).hint = "write `=`";
      push(TokenKind::kEq, begin);
      return true;
    }
    for (const Mark& it : kMarks) {
      if (!starts(it.text)) continue;
      const size_t begin = at_;
      at_ += it.text.size();
      push(it.kind, begin);
      if (it.kind == TokenKind::kSemicolon) in_pattern_ = false;
      return true;
    }
    return false;
  }

  static bool is_known(char c) {
    return is_space(c) || is_name_part(c) ||
           std::string_view("'\"-<>=,;(){}[].@|?+*/%!").find(c) != std::string_view::npos;
  }

  void bad() {
    const size_t begin = at_;
    for (++at_; at_ < text_.size() && !is_known(text_[at_]); ++at_) {
    }
    const std::string_view found = text_.substr(begin, at_ - begin);
    Diagnostic& it = diagnostics_.add(Code::kBadToken, span(begin), {found});
    if (found == "&" || found == "&&") it.hint = "write `and`";
    if (found == "!") it.hint = "write `not`";
    if (found == "#") it.hint = "a comment begins with `--`";
    if (found == "`") it.hint = "quote a name with `\"`";
    push(TokenKind::kBad, begin);
  }

  std::string_view text_;
  FileId file_;
  Diagnostics& diagnostics_;
  Tokens out_;
  size_t at_ = 0;
  bool in_pattern_ = false;
  bool open_comment_ = false;
};

}  // namespace

Tokens tokenize(const SourceMap& sources, FileId file, Diagnostics& diagnostics) {
  return Scanner(sources, file, diagnostics).run();
}

std::string token_text(const SourceMap& sources, const Token& token) {
  std::string_view raw = sources.text(token.span);
  if (!token.quoted || raw.empty()) return std::string(raw);
  const char quote = raw.front();
  raw.remove_prefix(1);
  std::string out;
  for (size_t i = 0; i < raw.size(); ++i) {
    const bool closing = raw[i] == quote;
    if (closing && (i + 1 == raw.size() || raw[i + 1] != quote)) break;
    out += raw[i];
    if (closing) ++i;
  }
  return out;
}

bool same_word(std::string_view word, std::string_view keyword) {
  return word.size() == keyword.size() && std::equal(word.begin(), word.end(), keyword.begin(), [](char a, char b) {
           return (a >= 'A' && a <= 'Z' ? a - 'A' + 'a' : a) == b;
         });
}

std::span<const std::string_view> reserved_words() { return kReserved; }

bool is_reserved(std::string_view word) {
  return std::any_of(std::begin(kReserved), std::end(kReserved), [&](auto it) { return same_word(word, it); });
}

std::string_view unit_meant(std::string_view word) {
  static constexpr std::pair<std::string_view, std::string_view> kUnits[] = {
      {"ms", "ms"},       {"msec", "ms"},      {"millisecond", "ms"}, {"milliseconds", "ms"}, {"s", "seconds"},
      {"sec", "seconds"}, {"secs", "seconds"}, {"second", "second"},  {"seconds", "seconds"}, {"m", "minutes"},
      {"min", "minutes"}, {"mins", "minutes"}, {"minute", "minute"},  {"minutes", "minutes"}, {"h", "hours"},
      {"hr", "hours"},    {"hrs", "hours"},    {"hour", "hour"},      {"hours", "hours"},     {"d", "days"},
      {"day", "day"},     {"days", "days"},    {"w", "weeks"},        {"week", "week"},       {"weeks", "weeks"},
  };
  for (const auto& [wrong, right] : kUnits) {
    if (same_word(word, wrong)) return right;
  }
  return {};
}

}  // namespace patterns
