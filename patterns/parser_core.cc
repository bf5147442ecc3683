// Parser: tokens, mistakes, places to go on at, and the small parts all statements share.
#include "patterns/parser_core.h"

#include <algorithm>
#include <charconv>
#include <limits>

namespace patterns {

namespace {

struct ClauseWord {
  std::string_view word;
  bool hard;  // stands in no parentheses and no expression: skipping stops there at any depth
};
constexpr ClauseWord kClauseWords[] = {
    {"on", false},      {"partition", false}, {"when", false},  {"pattern", true}, {"subset", true},
    {"define", true},   {"measures", true},   {"having", true}, {"after", true},   {"emit", true},
    {"suppress", true}, {"into", true},       {"alert", true},
};

constexpr int64_t kUnitUs[] = {cep::kMillisecond, cep::kSecond, cep::kMinute, cep::kHour, cep::kDay, 7 * cep::kDay};

// amount * unit_us when that is a whole number of microseconds in range.
std::optional<int64_t> scaled(std::string_view amount, int64_t unit_us, bool& fine) {
  cep::Int128 value = 0;
  cep::Int128 divisor = 1;
  bool fraction = false;
  fine = false;
  for (const char c : amount) {
    if (c == '.') {
      fraction = true;
      continue;
    }
    if (c < '0' || c > '9' || value > std::numeric_limits<int64_t>::max() || divisor > 1'000'000'000'000) return {};
    value = value * 10 + (c - '0');
    if (fraction) divisor *= 10;
  }
  const cep::Int128 us = value * unit_us;
  fine = us % divisor != 0;
  if (fine || us / divisor > std::numeric_limits<int64_t>::max()) return {};
  return static_cast<int64_t>(us / divisor);
}

}  // namespace

Parser::Parser(const SourceMap& sources, FileId file, Diagnostics& diagnostics, const ParseLimits& limits)
    : sources_(sources),
      diagnostics_(diagnostics),
      limits_(limits),
      file_(file),
      tokens_(tokenize(sources, file, diagnostics)) {}

const Token& Parser::peek(size_t ahead) const {
  return tokens_.tokens[std::min(at_ + ahead, tokens_.tokens.size() - 1)];
}

Token Parser::take() {
  const Token token = peek();
  if (at_ + 1 < tokens_.tokens.size()) ++at_;
  if ((token.quoted && token.repaired) || (at(TokenKind::kEnd) && peek().repaired)) swallowed_ = damaged_ = true;
  return token;
}

bool Parser::at_word(std::string_view word, size_t ahead) const {
  const Token& token = peek(ahead);
  return token.kind == TokenKind::kWord && !token.quoted && same_word(sources_.text(token.span), word);
}

bool Parser::at_any_word(std::initializer_list<std::string_view> words) const {
  return std::any_of(words.begin(), words.end(), [&](std::string_view word) { return at_word(word); });
}

bool Parser::at_name(size_t ahead) const {
  const Token& token = peek(ahead);
  return token.kind == TokenKind::kWord && !token.reserved;
}

bool Parser::accept(TokenKind kind) {
  if (!at(kind)) return false;
  take();
  return true;
}

bool Parser::accept_word(std::string_view word) {
  if (!at_word(word)) return false;
  take();
  return true;
}

std::string Parser::shown(const Token& token) const {
  if (token.kind == TokenKind::kEnd) return "the end of the text";
  return "`" + std::string(sources_.text(token.span)) + "`";
}

Span Parser::since(const Token& first) const {
  const Span last = at_ == 0 ? first.span : tokens_.tokens[at_ - 1].span;
  return {file_, first.span.begin, std::max(first.span.end, last.end)};
}

Diagnostic* Parser::fail(Code code, const Span& span, std::initializer_list<std::string_view> arguments) {
  damaged_ = true;
  if (failed_) return nullptr;
  failed_ = true;
  return &diagnostics_.add(code, span, arguments);
}

void Parser::hint(Diagnostic* diagnostic, std::string text) const {
  if (diagnostic != nullptr && !text.empty()) diagnostic->hint = std::move(text);
}

Diagnostic* Parser::unexpected(std::string_view wanted, std::string text) {
  if (at(TokenKind::kBad) || (at(TokenKind::kEnd) && swallowed_)) {
    failed_ = damaged_ = true;
    return nullptr;
  }
  Span where = peek().span;
  if (at(TokenKind::kEnd) && at_ > 0) where = tokens_.tokens[at_ - 1].span;
  const Token& before = tokens_.tokens[at_ == 0 ? 0 : at_ - 1];
  const bool glued = before.kind == TokenKind::kString && before.span.end == where.begin && at(TokenKind::kWord);
  if (glued && text.empty()) text = "a quote inside a string is written twice: `''`";
  if (text.empty() && at(TokenKind::kEnd)) text = "the text ends too early";
  if (text.empty() && wanted == "`)`") text = "a `(` before it is still open";
  if (text.empty() && at_close() && wanted.find("a clause") != std::string_view::npos) text = "no `(` before it is open";
  Diagnostic* out = fail(Code::kUnexpected, where, {wanted, shown(peek())});
  hint(out, std::move(text));
  return out;
}

void Parser::report(Code code, const Span& span, std::initializer_list<std::string_view> arguments, std::string text) {
  if (failed_) return;
  Diagnostic& it = diagnostics_.add(code, span, arguments);
  if (!text.empty()) it.hint = std::move(text);
}

bool Parser::expect(TokenKind kind, std::string_view wanted) {
  if (failed_) return false;
  if (accept(kind)) return true;
  unexpected(wanted);
  return false;
}

bool Parser::expect_word(std::string_view word, std::string text) {
  if (failed_) return false;
  if (accept_word(word)) return true;
  unexpected("`" + std::string(word) + "`", std::move(text));
  return false;
}

bool Parser::at_statement_end() const {
  return at(TokenKind::kEnd) || at(TokenKind::kSemicolon) || at_word("create") || at_word("drop");
}

bool Parser::at_clause(size_t ahead) const {
  return std::any_of(std::begin(kClauseWords), std::end(kClauseWords),
                     [&](const ClauseWord& it) { return at_word(it.word, ahead); });
}

bool Parser::at_element_end() const { return at(TokenKind::kComma) || at_clause(); }
bool Parser::at_measure_end() const { return at_word("as") || at_element_end(); }
bool Parser::at_case_end() const { return at_word("end"); }
bool Parser::at_column_end() const { return at(TokenKind::kComma) || at(TokenKind::kRightParen); }
bool Parser::at_any_clause() const { return at_clause(); }
bool Parser::at_close() const { return at(TokenKind::kRightParen) || at(TokenKind::kRightBracket); }
bool Parser::at_item_end() const {
  return at(TokenKind::kComma) || at(TokenKind::kSkipArrow) || at(TokenKind::kAnyArrow) || at(TokenKind::kBar) ||
         at(TokenKind::kRightParen) || at_word("within") || at_clause();
}

void Parser::skip_to(bool (Parser::*here)() const) {
  int depth = 0;
  int cases = 0;
  while (!at_statement_end()) {
    const bool hard = std::any_of(std::begin(kClauseWords), std::end(kClauseWords),
                                  [&](const ClauseWord& it) { return it.hard && at_word(it.word); });
    if (hard || (depth == 0 && cases == 0 && (this->*here)())) return;
    if (at_word("case")) ++cases;
    if (at_word("end") && cases > 0) --cases;
    if (at(TokenKind::kLeftParen) || at(TokenKind::kLeftBracket)) ++depth;
    if (at_close() && depth > 0) --depth;
    take();
  }
}

void Parser::sync_element() {
  if (!failed_) return;
  skip_to(&Parser::at_element_end);
  if (!at_statement_end()) failed_ = false;
}

bool Parser::sync_close(TokenKind close) {
  if (!failed_ && accept(close)) return true;
  if (!failed_) unexpected(close == TokenKind::kRightBracket ? "`]`" : "`)`");
  skip_to(&Parser::at_close);
  if (!accept(close)) return false;
  failed_ = false;
  return true;
}

std::optional<Name> Parser::name(std::string_view role, bool any_word) {
  if (failed_) return {};
  const Token& token = peek();
  if (at_name() || (any_word && token.kind == TokenKind::kWord && !at_statement_end())) {
    if (token.reserved) {
      report(Code::kReservedWord, token.span, {text(token), role}, "write `\"" + text(token) + "\"`");
    }
    const Token taken = take();
    return Name{text(taken), taken.span};
  }
  if (token.kind == TokenKind::kWord && !at_clause() && !at_statement_end()) {
    report(Code::kReservedWord, token.span, {text(token), role}, "write `\"" + text(token) + "\"`");
    const Token taken = take();
    return Name{text(taken), taken.span};
  }
  unexpected(role);
  return {};
}

bool Parser::names(std::vector<Name>& out, std::string_view role) {
  const auto one = [&] {
    if (auto it = name(role)) out.push_back(std::move(*it));
    return !failed_;
  };
  if (!accept(TokenKind::kLeftParen)) return one();
  while (one() && accept(TokenKind::kComma)) {
  }
  return sync_close(TokenKind::kRightParen);
}

bool Parser::at_unit(size_t ahead) const {
  const Token& token = peek(ahead);
  if (token.kind != TokenKind::kWord || token.quoted) return false;
  const std::string_view word = sources_.text(token.span);
  const bool calendar = same_word(word, "month") || same_word(word, "months") || same_word(word, "year") ||
                        same_word(word, "years") || same_word(word, "quarter") || same_word(word, "quarters");
  return calendar || !unit_meant(word).empty();
}

// The token is taken by the caller. Calendar units and short forms are reported, and a short form is understood.
std::optional<Unit> Parser::unit(const Token& token) {
  const std::string_view word = sources_.text(token.span);
  const std::string_view meant = unit_meant(word);
  if (meant.empty()) {
    hint(fail(Code::kCalendarUnit, token.span, {word}), "use days: 3 months are `90 days`");
    return {};
  }
  if (!same_word(word, meant) && !token.repaired) {
    report(Code::kUnexpected, token.span, {"a unit", shown(token)}, "write `" + std::string(meant) + "`");
  }
  constexpr std::string_view kNames[] = {"ms", "second", "minute", "hour", "day", "week"};
  for (size_t i = 0; i < std::size(kNames); ++i) {
    if (meant == kNames[i] || meant == std::string(kNames[i]) + "s") return static_cast<Unit>(i);
  }
  return {};
}

std::optional<Duration> Parser::duration_of(std::string_view amount, const Span& amount_span, const Token& first) {
  if (!at_unit(0)) {
    unexpected("a unit", "ms, seconds, minutes, hours, days or weeks");
    return {};
  }
  const std::optional<Unit> found = unit(take());
  if (!found) return {};
  Duration out;
  out.amount = std::string(amount);
  out.unit = *found;
  out.span = since(first);
  bool fine = false;
  const std::optional<int64_t> us = scaled(amount, kUnitUs[static_cast<size_t>(*found)], fine);
  if (!us) {
    report(Code::kDurationRange, amount_span, {amount, fine ? "finer than a microsecond" : "no length of time"},
           fine ? "round it" : "write digits, at most 292,000 years");
  }
  out.us = us.value_or(0);
  return out;
}

std::optional<Duration> Parser::duration() {
  if (failed_) return {};
  const Token first = peek();
  if (at(TokenKind::kNumber)) {
    const Token number = take();
    return duration_of(sources_.text(number.span), number.span, first);
  }
  if (at_word("interval") && at(TokenKind::kString, 1)) {
    take();
    const Token amount = take();
    return duration_of(text(amount), amount.span, first);
  }
  unexpected("a length of time", "write one like `10 minutes`");
  return {};
}

std::optional<std::string> Parser::string(std::string_view role, Span* span) {
  if (failed_) return {};
  if (!at(TokenKind::kString)) {
    unexpected(role, "write it in single quotes");
    return {};
  }
  const Token token = take();
  if (span != nullptr) *span = token.span;
  return text(token);
}

std::optional<uint32_t> Parser::whole_number(std::string_view role) {
  if (failed_) return {};
  const std::string_view digits = sources_.text(peek().span);
  const bool whole = std::all_of(digits.begin(), digits.end(), [](char c) { return c >= '0' && c <= '9'; });
  if (!at(TokenKind::kNumber) || !whole) {
    unexpected(role);
    return {};
  }
  uint32_t value = 0;
  const auto end = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  if (end.ec != std::errc()) report(Code::kNumberRange, peek().span, {digits, role}, {});
  take();
  return end.ec == std::errc() ? value : std::numeric_limits<uint32_t>::max();
}

bool Parser::once(bool already, const Token& word) {
  if (already) report(Code::kOptionTwice, word.span, {sources_.text(word.span)}, "leave one out");
  return !already;
}

}  // namespace patterns
