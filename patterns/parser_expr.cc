// Parser: expressions, from `or` down to signs. parser_primary.cc has what stands between the operators.
#include <algorithm>
#include <utility>

#include "patterns/parser_core.h"

namespace patterns {

// A whole expression; never null.
ExprPtr Parser::expression() {
  const Token first = peek();
  depth_ = deepest_ = nodes_ = 0;
  ExprPtr out = expr();
  if (nodes_ > limits_.expr_nodes_max) return error_at(first);
  refuse_tuples(*out, false);
  return out;
}

// Beyond the limit of nodes the first one reports, and chains stop growing (going()), so the tree stays shallow.
ExprPtr Parser::make(ExprKind kind, const Span& span) {
  if (++nodes_ == limits_.expr_nodes_max + 1) {
    fail(Code::kExprNodes, tokens_.tokens[at_ == 0 ? 0 : at_ - 1].span, {std::to_string(limits_.expr_nodes_max)});
  } else if (nodes_ > limits_.expr_nodes_max) {
    failed_ = true;
  }
  auto out = std::make_unique<Expr>();
  out->kind = kind;
  out->span = span;
  return out;
}

ExprPtr Parser::error_at(const Token& first) {
  auto out = std::make_unique<Expr>();
  out->span = since(first);
  return out;
}

// One level deeper, if the limit allows; who got true gives the level back.
bool Parser::deeper() {
  if (depth_ >= limits_.expr_depth_max) {
    fail(Code::kExprDepth, peek().span, {std::to_string(limits_.expr_depth_max)});
    return false;
  }
  deepest_ = std::max(deepest_, ++depth_);
  return true;
}

// Below an `or` the printer sets an `and` in parentheses: a level that the canonical text has and the source has not. To be called after
// the operand was read, while deepest_ and bare_and_ are its own.
void Parser::count_parentheses(const Expr& operand) {
  if (!std::exchange(bare_and_, false) || ++deepest_ <= limits_.expr_depth_max) return;
  fail(Code::kExprDepth, operand.span, {std::to_string(limits_.expr_depth_max)});
}

ExprPtr Parser::binary(Op op, const Token& sign, const Token& first, ExprPtr left, ExprPtr right) {
  ExprPtr out = make(ExprKind::kBinary, since(first));
  out->op = op;
  out->op_span = sign.span;
  out->args.push_back(std::move(left));
  out->args.push_back(std::move(right));
  return out;
}

ExprPtr Parser::expr() {
  const Token first = peek();
  if (!deeper()) return error_at(first);
  uint32_t elsewhere = std::exchange(deepest_, depth_);
  ExprPtr left = conjunction();
  while (going() && at_word("or")) {
    const Token sign = take();
    count_parentheses(*left);
    elsewhere = std::max(elsewhere, std::exchange(deepest_, depth_));
    ExprPtr right = conjunction();
    count_parentheses(*right);
    left = binary(Op::kOr, sign, first, std::move(left), std::move(right));
  }
  deepest_ = std::max(deepest_, elsewhere);
  --depth_;
  return left;
}

ExprPtr Parser::conjunction() {
  const Token first = peek();
  ExprPtr left = negation();
  bool bare = false;
  while (going() && at_word("and")) {
    const Token sign = take();
    ExprPtr right = negation();
    left = binary(Op::kAnd, sign, first, std::move(left), std::move(right));
    bare = true;
  }
  bare_and_ = bare;
  return left;
}

ExprPtr Parser::negation() {
  if (!at_word("not")) return predicate();
  const Token first = take();
  if (!deeper()) return error_at(first);
  ExprPtr inner = negation();
  --depth_;
  ExprPtr out = make(ExprKind::kUnary, since(first));
  out->op = Op::kNot;
  out->op_span = first.span;
  out->args.push_back(std::move(inner));
  return out;
}

bool Parser::at_predicate_tail() const {
  const TokenKind kind = peek().kind;
  return (kind >= TokenKind::kEq && kind <= TokenKind::kGe) ||
         at_any_word({"is", "not", "in", "between", "like", "matches", "ilike"});
}

// A second comparison is told of once; what it compares with is still read, for the names in it.
ExprPtr Parser::predicate() {
  const Token first = peek();
  const size_t begin = at_;
  ExprPtr left = concat();
  if (failed_ || !at_predicate_tail()) return left;
  left = predicate_tail(std::move(left), first);
  // Bytes that are no part of the language may stand for an `and`: `a > 1 && b > 2`.
  const auto bad = [](const Token& token) { return token.kind == TokenKind::kBad; };
  bool told = std::any_of(tokens_.tokens.begin() + static_cast<std::ptrdiff_t>(begin),
                          tokens_.tokens.begin() + static_cast<std::ptrdiff_t>(at_), bad);
  while (going() && at_predicate_tail()) {
    const Token sign = peek();
    if (!told) report(Code::kChainedComparison, sign.span, {}, "write `a < b and b < c`");
    told = true;
    ExprPtr right = predicate_tail(error_at(sign), sign);
    left = binary(Op::kAnd, sign, first, std::move(left), std::move(right));
  }
  return left;
}

ExprPtr Parser::predicate_tail(ExprPtr left, const Token& first) {
  constexpr Op kComparisons[] = {Op::kEq, Op::kNe, Op::kLt, Op::kLe, Op::kGt, Op::kGe};
  const Token sign = peek();
  if (sign.kind >= TokenKind::kEq && sign.kind <= TokenKind::kGe) {
    take();
    const Op op = kComparisons[static_cast<size_t>(sign.kind) - static_cast<size_t>(TokenKind::kEq)];
    ExprPtr right = concat();
    return binary(op, sign, first, std::move(left), std::move(right));
  }
  if (at_word("is")) return is_tail(std::move(left), first);
  const bool negated = accept_word("not");
  ExprPtr out;
  if (at_word("in")) {
    out = in_tail(std::move(left), first);
  } else if (at_word("between")) {
    out = between_tail(std::move(left), first);
  } else if (at_any_word({"like", "ilike", "matches"})) {
    out = like_tail(std::move(left), first);
  } else {
    unexpected("`in`, `between`, `like` or `matches`");
    return error_at(first);
  }
  out->negated = negated;
  out->op_span = negated ? join(sign.span, out->op_span) : out->op_span;
  return out;
}

ExprPtr Parser::is_tail(ExprPtr left, const Token& first) {
  const Token is = take();
  const bool negated = accept_word("not");
  if (at_any_word({"true", "false"})) {
    take();
    const std::string_view said = sources_.text(since(is));
    report(Code::kUnknownOperator, since(is), {said}, "write the condition itself, or `not` before it");
    return left;
  }
  if (!expect_word("null")) return error_at(first);
  ExprPtr out = make(ExprKind::kIsNull, since(first));
  out->op_span = since(is);
  out->negated = negated;
  out->args.push_back(std::move(left));
  return out;
}

ExprPtr Parser::in_tail(ExprPtr left, const Token& first) {
  const Token in = take();
  if (accept(TokenKind::kAt)) {
    std::optional<Name> list = name("the list's name");
    if (!list) return error_at(first);
    ExprPtr out = make(ExprKind::kInList, since(first));
    out->op_span = in.span;
    out->name = std::move(*list);
    out->args.push_back(std::move(left));
    return out;
  }
  if (at_name()) {
    report(Code::kUnexpected, peek().span, {"`(` or `@`", shown(peek())},
           "a list is written `in @" + text(peek()) + "`");
    take();
    return error_at(first);
  }
  if (!expect(TokenKind::kLeftParen, "`(` or `@`")) return error_at(first);
  ExprPtr out = make(ExprKind::kIn, in.span);
  out->op_span = in.span;
  out->args.push_back(std::move(left));
  expression_list(out->args, TokenKind::kRightParen);
  out->span = since(first);
  if (out->args.size() > limits_.in_values_max + 1) {
    report(Code::kInLength, in.span, {std::to_string(limits_.in_values_max)}, "use a list: `in @list`");
    return error_at(first);
  }
  return out;
}

ExprPtr Parser::between_tail(ExprPtr left, const Token& first) {
  const Token word = take();
  ExprPtr low = concat();
  ExprPtr high;
  if (expect_word("and")) high = concat();
  if (!high) return error_at(first);
  ExprPtr out = make(ExprKind::kBetween, since(first));
  out->op_span = word.span;
  out->args.push_back(std::move(left));
  out->args.push_back(std::move(low));
  out->args.push_back(std::move(high));
  return out;
}

ExprPtr Parser::like_tail(ExprPtr left, const Token& first) {
  const Token word = take();
  ExprPtr out = make(ExprKind::kLike, word.span);
  out->op_span = word.span;
  out->args.push_back(std::move(left));
  if (same_word(sources_.text(word.span), "matches")) {
    out->kind = ExprKind::kMatches;
    out->text = string("a regular expression").value_or("");
  } else {
    if (same_word(sources_.text(word.span), "ilike")) {
      report(Code::kUnknownOperator, word.span, {"ilike"}, "write `lower(x) like '...'`");
    }
    out->args.push_back(concat());
  }
  out->span = since(first);
  if (failed_) out->kind = ExprKind::kError;
  return out;
}

ExprPtr Parser::concat() {
  const Token first = peek();
  ExprPtr left = sum();
  while (going() && at(TokenKind::kConcat)) {
    const Token sign = take();
    ExprPtr right = sum();
    left = binary(Op::kConcat, sign, first, std::move(left), std::move(right));
  }
  return left;
}

ExprPtr Parser::sum() {
  const Token first = peek();
  ExprPtr left = product();
  while (going() && (at(TokenKind::kPlus) || at(TokenKind::kMinus))) {
    const Token sign = take();
    ExprPtr right = product();
    left = binary(sign.kind == TokenKind::kPlus ? Op::kAdd : Op::kSub, sign, first, std::move(left), std::move(right));
  }
  return left;
}

ExprPtr Parser::product() {
  const Token first = peek();
  ExprPtr left = sign();
  while (going() && (at(TokenKind::kStar) || at(TokenKind::kSlash) || at(TokenKind::kPercent))) {
    const Token mark = take();
    const Op op = mark.kind == TokenKind::kStar ? Op::kMul : mark.kind == TokenKind::kSlash ? Op::kDiv : Op::kMod;
    ExprPtr right = sign();
    left = binary(op, mark, first, std::move(left), std::move(right));
  }
  return left;
}

// Bytes that are no part of the language stand for an operand or an operator nobody can know.
ExprPtr Parser::sign() {
  const Token first = peek();
  if (!at(TokenKind::kMinus) && !at(TokenKind::kPlus)) {
    ExprPtr out = primary();
    while (going() && accept(TokenKind::kBad)) {
      if (at_primary()) primary();
      out = error_at(first);
    }
    return out;
  }
  take();
  const uint32_t outside = depth_;
  const bool again = at(TokenKind::kMinus) || at(TokenKind::kPlus);  // printed in parentheses, which are a level too
  if (!deeper() || (again && !deeper())) {
    depth_ = outside;
    return error_at(first);
  }
  ExprPtr inner = sign();
  depth_ = outside;
  ExprPtr out = make(ExprKind::kUnary, since(first));
  out->op = first.kind == TokenKind::kMinus ? Op::kNegate : Op::kPlus;
  out->op_span = first.span;
  out->args.push_back(std::move(inner));
  return out;
}

void Parser::refuse_tuples(Expr& it, bool allowed) {
  if (it.kind == ExprKind::kTuple && !allowed) {
    diagnostics_.add(Code::kTuplePlace, it.span).hint = "compare its parts one by one";
    it.kind = ExprKind::kError;
  }
  for_each_part(it,
                [&](Expr& part) { refuse_tuples(part, it.kind == ExprKind::kInList && &part == it.args[0].get()); });
}

}  // namespace patterns
