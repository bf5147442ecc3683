// Parser: values, names, calls with filter and over, case, cast, table look-ups.
#include <algorithm>
#include <charconv>
#include <cmath>

#include "patterns/parser_core.h"

namespace patterns {

namespace {

constexpr uint32_t kDecimalDigitsMax = 18;

}  // namespace

bool Parser::at_primary() const {
  return at(TokenKind::kNumber) || at(TokenKind::kString) || at(TokenKind::kLeftParen) || at(TokenKind::kAt) ||
         at_name() || at_any_word({"true", "false", "null", "case"});
}

ExprPtr Parser::primary() {
  const Token first = peek();
  if (accept(TokenKind::kBad)) {
    if (at_primary()) primary();
    return error_at(first);
  }
  if (at(TokenKind::kNumber)) return number();
  if (at(TokenKind::kLeftParen)) return parenthesised();
  if (at(TokenKind::kAt)) return lookup();
  if (at(TokenKind::kString)) {
    take();
    ExprPtr out = make(ExprKind::kText, first.span);
    out->text = text(first);
    return out;
  }
  if (at(TokenKind::kWord)) return primary_word();
  unexpected("a value");
  return error_at(first);
}

ExprPtr Parser::primary_word() {
  const Token first = peek();
  if (at_any_word({"true", "false"})) {
    take();
    ExprPtr out = make(ExprKind::kBool, first.span);
    out->flag = same_word(sources_.text(first.span), "true");
    return out;
  }
  if (accept_word("null")) return make(ExprKind::kNull, first.span);
  if (first.quoted && (first.repaired || text(first).empty())) {      // reported by the lexer
    take();
    return error_at(first);
  }
  if (at_word("case")) return case_when();
  if (first.reserved) {
    const bool joint =
        at_clause() || at_statement_end() || at_any_word({"as", "by", "then", "else", "and", "or", "where"});
    unexpected("a value", joint ? "" : "a field of this name is written `\"" + text(first) + "\"`");
    return error_at(first);
  }
  if (at_word("interval") && at(TokenKind::kString, 1)) {
    ExprPtr out = make(ExprKind::kDuration, first.span);
    std::optional<Duration> it = duration();
    if (!it) return error_at(first);
    out->span = it->span;
    out->duration = std::move(*it);
    return out;
  }
  if (at_word("timestamp") && (at(TokenKind::kString, 1) || at(TokenKind::kNumber, 1))) return timestamp();
  if (at_word("cast") && at(TokenKind::kLeftParen, 1)) return cast();
  if (at(TokenKind::kLeftParen, 1)) return call();
  return name_or_field();
}

ExprPtr Parser::timestamp() {
  const Token first = take();
  ExprPtr out = make(ExprKind::kTimestamp, first.span);
  const Token value = take();
  out->text = text(value);
  out->span = since(first);
  if (value.kind == TokenKind::kString) return out;
  read_number(*out, value);
  out->flag = true;
  if (out->number.kind != NumberKind::kInt) {
    report(Code::kBadTimestamp, value.span, {out->text}, "write whole milliseconds since 1970, or a string");
    return error_at(first);
  }
  return out;
}

ExprPtr Parser::name_or_field() {
  const Token first = take();
  ExprPtr out = make(ExprKind::kName, first.span);
  out->name = {text(first), first.span};
  if (!accept(TokenKind::kDot)) return out;
  std::optional<Name> field = name("a field", true);
  if (!field) return error_at(first);
  out->qualifier = std::move(out->name);
  out->name = std::move(*field);
  out->span = since(first);
  return out;
}

ExprPtr Parser::number() {
  const Token first = take();
  if (at_unit(0)) {
    ExprPtr out = make(ExprKind::kDuration, first.span);
    std::optional<Duration> it = duration_of(sources_.text(first.span), first.span, first);
    if (!it) return error_at(first);
    out->span = it->span;
    out->duration = std::move(*it);
    return out;
  }
  ExprPtr out = make(ExprKind::kNumber, first.span);
  read_number(*out, first);
  return out;
}

// Digits as written, but for the missing zero of `.5` and `1.`, which the lexer reported.
void Parser::read_number(Expr& out, const Token& token) {
  out.text = std::string(sources_.text(token.span));
  if (out.text.front() == '.') out.text.insert(0, "0");
  if (out.text.back() == '.') out.text += '0';
  std::replace(out.text.begin(), out.text.end(), 'E', 'e');
  const char* begin = out.text.data();
  const char* end = begin + out.text.size();
  if (out.text.find('e') != std::string::npos) {
    out.number.kind = NumberKind::kFloat;
    const auto result = std::from_chars(begin, end, out.number.float_value);
    if (result.ec != std::errc()) report(Code::kNumberRange, token.span, {out.text, "a float"}, {});
  } else if (out.text.find('.') != std::string::npos) {
    read_decimal(out, token);
  } else if (std::from_chars(begin, end, out.number.int_value).ec != std::errc()) {
    report(Code::kNumberRange, token.span, {out.text, "an int"}, "write it as a float: `" + out.text + "e0`");
    out.kind = ExprKind::kError;
  }
}

void Parser::read_decimal(Expr& out, const Token& token) {
  const size_t point = out.text.find('.');
  std::string digits = out.text.substr(0, point) + out.text.substr(point + 1);
  const size_t scale = out.text.size() - point - 1;
  digits.erase(0, std::min(digits.find_first_not_of('0'), digits.size()));
  const size_t precision = std::max<size_t>({digits.size(), scale, 1});
  out.number.kind = NumberKind::kDecimal;
  if (precision > kDecimalDigitsMax) {
    report(Code::kNumberRange, token.span, {out.text, "a decimal of 18 digits"},
           "write it as a float: `" + out.text + "e0`");
    out.kind = ExprKind::kError;
    return;
  }
  out.number.precision = static_cast<uint8_t>(precision);
  out.number.scale = static_cast<uint8_t>(scale);
  std::from_chars(digits.data(), digits.data() + digits.size(), out.number.int_value);
}

ExprPtr Parser::parenthesised() {
  const Token open = take();
  ExprPtr first = expr();
  if (failed_ || !at(TokenKind::kComma)) {
    sync_close(TokenKind::kRightParen);
    return first;
  }
  ExprPtr out = make(ExprKind::kTuple, open.span);
  out->args.push_back(std::move(first));
  take();
  expression_list(out->args, TokenKind::kRightParen);
  out->span = since(open);
  return out;
}

void Parser::expression_list(std::vector<ExprPtr>& out, TokenKind close) {
  do {
    out.push_back(expr());
  } while (going() && accept(TokenKind::kComma));
  sync_close(close);
}

ExprPtr Parser::case_when() {
  const Token first = take();
  ExprPtr out = make(ExprKind::kCase, first.span);
  if (!at_word("when")) out->operand = expr();
  while (going() && accept_word("when")) {
    CaseArm arm;
    arm.when = expr();
    if (expect_word("then")) arm.then = expr();
    out->arms.push_back(std::move(arm));
  }
  if (!failed_ && out->arms.empty()) unexpected("`when`");
  if (!failed_ && accept_word("else")) out->otherwise = expr();
  if (!failed_ && !at_word("end")) unexpected("`when`, `else` or `end`");
  if (failed_) skip_to(&Parser::at_case_end);
  const bool damaged = failed_;
  if (accept_word("end")) failed_ = false;
  if (damaged) return error_at(first);
  out->span = since(first);
  return out;
}

ExprPtr Parser::cast() {
  const Token first = take();
  take();
  ExprPtr out = make(ExprKind::kCast, first.span);
  out->args.push_back(expr());
  expect_word("as", "write `cast(x as int)`");
  const std::optional<TypeRef> to = type();
  sync_close(TokenKind::kRightParen);
  if (!to) return error_at(first);
  out->type = *to;
  out->span = since(first);
  return out;
}

ExprPtr Parser::lookup() {
  const Token first = take();
  ExprPtr out = make(ExprKind::kLookup, first.span);
  const auto needs = [&](TokenKind kind, std::string_view wanted) {
    if (failed_ || accept(kind)) return !failed_;
    unexpected(wanted, "a row is looked up with `@table[key].column`, a list is asked with `x in @list`");
    return false;
  };
  std::optional<Name> table = name("the table's name");
  if (!table || !needs(TokenKind::kLeftBracket, "`[` and the key")) return error_at(first);
  expression_list(out->args, TokenKind::kRightBracket);
  if (!needs(TokenKind::kDot, "`.` and a column")) return error_at(first);
  std::optional<Name> column = name("a column's name", true);
  if (!column) return error_at(first);
  out->qualifier = std::move(*table);
  out->name = std::move(*column);
  out->span = since(first);
  return out;
}

ExprPtr Parser::call() {
  const Token first = take();
  ExprPtr out = make(ExprKind::kCall, first.span);
  out->name = {text(first), first.span};
  take();
  call_arguments(*out);
  if (!failed_ && accept_word("filter")) {
    if (expect(TokenKind::kLeftParen, "`(`")) {
      if (expect_word("where", "write `filter (where ...)`")) out->filter = expr();
      sync_close(TokenKind::kRightParen);
    }
  }
  if (!failed_ && at_word("over")) out->over = over();
  out->span = since(first);
  return out;
}

void Parser::call_arguments(Expr& out) {
  if (accept(TokenKind::kRightParen)) return;
  if (at(TokenKind::kStar)) {
    take();
    out.star = true;
    sync_close(TokenKind::kRightParen);
    return;
  }
  const Token second = peek(1);
  const bool value_follows = (second.kind == TokenKind::kWord && !second.reserved) ||
                             second.kind == TokenKind::kNumber || second.kind == TokenKind::kString ||
                             second.kind == TokenKind::kLeftParen || second.kind == TokenKind::kAt ||
                             at_word("case", 1);
  if (at_word("distinct") && value_follows) {
    take();
    out.distinct = true;
  }
  expression_list(out.args, TokenKind::kRightParen);
  if (out.distinct && out.args.size() > 1) {
    report(Code::kDistinctOne, out.args[1]->span, {}, "count one field, or their `concat`");
    out.args.resize(1);
  }
}

std::unique_ptr<Over> Parser::over() {
  const Token first = take();
  auto out = std::make_unique<Over>();
  if (!at(TokenKind::kLeftParen)) {
    unexpected("`(`", "write `over (last 1 hour)`");
    return out;
  }
  take();
  over_body(*out);
  sync_close(TokenKind::kRightParen);
  out->span = since(first);
  return out;
}

void Parser::over_body(Over& out) {
  if (accept_word("on")) out.input = name("an input's name");
  if (!failed_ && accept_word("partition") && expect_word("by")) {
    do {
      std::optional<Name> field = name("a field");
      if (!field) return;
      WindowKey key{std::move(*field), nullptr};
      if (accept(TokenKind::kEq)) {
        if (!deeper()) return;
        key.value = concat();
        --depth_;
      }
      out.partition.push_back(std::move(key));
    } while (going() && accept(TokenKind::kComma));
  }
  if (failed_) return;
  if (accept_word("last")) {
    if (at(TokenKind::kNumber) && at_word("rows", 1)) {
      out.kind = OverKind::kRows;
      out.rows = whole_number("a number of rows").value_or(0);
      take();
    } else {
      out.kind = OverKind::kLast;
      if (auto it = duration()) out.last = std::move(*it);
    }
  } else if (!accept_word("all")) {
    unexpected("`last` or `all`", "write `over (last 1 hour)` or `over (all)`");
  }
  if (!failed_ && accept_word("exclude")) out.exclude_current = expect_word("current");
}

}  // namespace patterns
