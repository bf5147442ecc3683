// Parser: types of columns, list entries and casts.
#include "patterns/parser_core.h"

namespace patterns {

namespace {

struct TypeWord {
  std::string_view word;
  cep::TypeKind kind;
};
constexpr TypeWord kTypes[] = {
    {"bool", cep::TypeKind::kBool},         {"int", cep::TypeKind::kInt},   {"float", cep::TypeKind::kFloat},
    {"decimal", cep::TypeKind::kDecimal},   {"text", cep::TypeKind::kText}, {"timestamp", cep::TypeKind::kTimestamp},
    {"duration", cep::TypeKind::kDuration}, {"ip", cep::TypeKind::kIp},
};

constexpr uint32_t kPrecisionMax = 18;

// What people who come from SQL or from a programming language write.
std::string other_name(std::string_view word) {
  constexpr std::pair<std::string_view, std::string_view> kOthers[] = {
      {"varchar", "text"},
      {"char", "text"},
      {"string", "text"},
      {"integer", "int"},
      {"bigint", "int"},
      {"smallint", "int"},
      {"long", "int"},
      {"double", "float"},
      {"real", "float"},
      {"boolean", "bool"},
      {"numeric", "decimal(p,s)"},
      {"number", "decimal(p,s)"},
      {"datetime", "timestamp"},
      {"date", "timestamp"},
      {"interval", "duration"},
      {"inet", "ip"},
  };
  for (const auto& [other, ours] : kOthers) {
    if (same_word(word, other)) return "write `" + std::string(ours) + "`";
  }
  std::vector<std::string> words;
  for (const TypeWord& it : kTypes) words.emplace_back(it.word);
  return did_you_mean(word, words);
}

}  // namespace

void Parser::decimal_arguments(TypeRef& out) {
  if (!at(TokenKind::kLeftParen)) {
    unexpected("`(`", "write the digits in all and behind the point: `decimal(12,2)`");
    return;
  }
  const Token open = take();
  const std::optional<uint32_t> precision = whole_number("the number of digits");
  expect(TokenKind::kComma, "`,`");
  const std::optional<uint32_t> scale = whole_number("the number of digits behind the point");
  sync_close(TokenKind::kRightParen);
  if (!precision || !scale) return;
  if (*precision < 1 || *precision > kPrecisionMax || *scale > *precision) {
    out.known = false;
    report(Code::kTypeRange, since(open), {"decimal", "1 to 18 digits, of them at most all behind the point"},
           "write `decimal(18,2)`");
    return;
  }
  out.type.precision = static_cast<uint8_t>(*precision);
  out.type.scale = static_cast<uint8_t>(*scale);
}

std::optional<TypeRef> Parser::type() {
  if (failed_) return {};
  if (!at(TokenKind::kWord) || peek().quoted) {
    unexpected("a type");
    return {};
  }
  const Token word = take();
  TypeRef out;
  out.known = false;
  for (const TypeWord& it : kTypes) {
    if (!same_word(sources_.text(word.span), it.word)) continue;
    out.known = true;
    out.type.kind = it.kind;
  }
  if (!out.known) {
    report(Code::kUnknownType, word.span, {text(word)}, other_name(text(word)));
    if (accept(TokenKind::kLeftParen)) {
      while (at(TokenKind::kNumber) || at(TokenKind::kComma)) take();
      sync_close(TokenKind::kRightParen);
    }
  } else if (out.type.kind == cep::TypeKind::kDecimal) {
    decimal_arguments(out);
  }
  out.span = since(word);
  return out;
}

}  // namespace patterns
