// Parser: patterns. After a mistake in an item it goes on at the next link, so that the other variables are known.
#include <algorithm>

#include "patterns/parser_core.h"

namespace patterns {

PatternClause Parser::pattern(const Token& first) {
  PatternClause out;
  nesting_ = 0;
  alternation_within(out.alternation, out.within);
  out.span = since(first);
  return out;
}

// alt [within dur], and the `within` that was put behind a group in the middle of a path.
void Parser::alternation_within(Alternation& out, std::optional<Duration>& within) {
  const Token first = peek();
  out = alternation();
  while (!failed_ && at_word("within")) {
    const Token word = take();
    once(within.has_value(), word);
    within = duration();
    const bool more =
        at(TokenKind::kBar) || at(TokenKind::kComma) || at(TokenKind::kSkipArrow) || at(TokenKind::kAnyArrow);
    if (failed_ || !more) continue;
    report(Code::kWithinPlace, since(word), {}, "write `(a -> b within 5 minutes) -> c`");
    within.reset();
    sequence_tail(out.branches.back());
    while (!failed_ && accept(TokenKind::kBar)) out.branches.push_back(sequence());
  }
  out.span = since(first);
}

Alternation Parser::alternation() {
  const Token first = peek();
  Alternation out;
  do {
    out.branches.push_back(sequence());
  } while (!failed_ && accept(TokenKind::kBar));
  out.span = since(first);
  return out;
}

Sequence Parser::sequence() {
  const Token first = peek();
  Sequence out;
  out.items.push_back(item());
  sequence_tail(out);
  out.span = since(first);
  return out;
}

void Parser::sequence_tail(Sequence& out) {
  while (!failed_) {
    while (accept(TokenKind::kBad)) {
    }
    Item head;
    if (!link(head)) return;
    Item it = item();
    it.link = head.link;
    it.link_span = head.link_span;
    it.gap = std::move(head.gap);
    if (it.kind == ItemKind::kNot && it.gap) {
      report(Code::kNotGap, it.gap->span, {}, "write `not " + it.names.front().text + " for 5 minutes`");
      if (!it.absence_for) it.absence_for = std::move(it.gap->less_than);
      it.gap.reset();
    }
    out.items.push_back(std::move(it));
  }
}

// The link to the next item. An item without one is told of and taken as if `->` stood there.
bool Parser::link(Item& next) {
  const Token token = peek();
  if (accept(TokenKind::kComma)) {
    next.link = Link::kNext;
  } else if (accept(TokenKind::kSkipArrow)) {
    next.link = Link::kSkip;
  } else if (accept(TokenKind::kAnyArrow)) {
    next.link = Link::kAny;
  } else if (at_name() || at_word("not") || at(TokenKind::kLeftParen)) {
    report(Code::kUnexpected, token.span, {"`->`, `->>` or `,`", shown(token)}, "write `-> " + text(token) + "`");
    next.link = Link::kSkip;
    next.link_span = token.span;
    return true;
  } else {
    return false;
  }
  next.link_span = token.span;
  if (at(TokenKind::kLeftBracket)) next.gap = gap();
  if (failed_) skip_to(&Parser::at_item_end);
  if (at_item_end() && !at_clause()) failed_ = false;
  return !failed_;
}

std::optional<Gap> Parser::gap() {
  const Token first = take();
  Gap out;
  std::optional<Duration> one = duration();
  if (one && accept(TokenKind::kComma)) {
    out.at_least = std::move(one);
    one = duration();
  }
  sync_close(TokenKind::kRightBracket);
  out.span = since(first);
  if (!one) return {};
  out.less_than = std::move(*one);
  if ((out.at_least ? out.at_least->us : 0) >= out.less_than.us) {
    const std::string_view low = out.at_least ? sources_.text(out.at_least->span) : "0";
    report(Code::kGapRange, out.span, {low, sources_.text(out.less_than.span)},
           "at least the first, less than the second");
  }
  return out;
}

Item Parser::item() {
  while (accept(TokenKind::kBad)) {
  }
  const Token first = peek();
  Item out;
  if (accept_word("not")) {
    not_item(out);
  } else {
    item_body(out);
    if (!failed_) quantifier(out);
    if (!failed_) modifiers(out);
  }
  out.span = since(first);
  if (failed_) {
    if (out.kind != ItemKind::kVariable) out.kind = ItemKind::kError;
    skip_to(&Parser::at_item_end);
    if (at_item_end() && !at_clause()) failed_ = false;
  }
  return out;
}

void Parser::item_body(Item& out) {
  if (at_word("permute") && at(TokenKind::kLeftParen, 1)) {
    permute_item(out);
  } else if (at(TokenKind::kLeftParen)) {
    const Token open = take();
    if (++nesting_ > limits_.pattern_nesting_max) {
      fail(Code::kPatternNesting, open.span, {std::to_string(limits_.pattern_nesting_max)});
    } else {
      out.kind = ItemKind::kGroup;
      out.group = std::make_unique<Alternation>();
      alternation_within(*out.group, out.within);
    }
    if (!sync_close(TokenKind::kRightParen)) out.kind = ItemKind::kError;
    --nesting_;
  } else if (auto it = name("a variable's name")) {
    out.kind = ItemKind::kVariable;
    out.name = std::move(*it);
  }
  if (out.kind == ItemKind::kError) out.group.reset();
}

void Parser::not_item(Item& out) {
  out.kind = ItemKind::kNot;
  if (accept(TokenKind::kLeftParen)) {
    do {
      if (auto it = name("a variable's name")) out.names.push_back(std::move(*it));
    } while (!failed_ && accept(TokenKind::kBar));
    if (!failed_ && !at(TokenKind::kRightParen)) {
      unexpected("`|` or `)`", "NOT holds one event: a name, or names with `|` between");
      out.names.clear();             // nobody knows which were meant
    }
    sync_close(TokenKind::kRightParen);
  } else if (auto it = name("a variable's name")) {
    out.names.push_back(std::move(*it));
  }
  if (out.names.empty()) {
    out.kind = ItemKind::kError;
    return;
  }
  const Token after = peek();
  Item refused;
  quantifier(refused);
  if (refused.quantifier) {
    report(Code::kNotQuantified, refused.quantifier->span, {}, "one event is enough to break a NOT");
  }
  if (!failed_ && at(TokenKind::kLeftBracket)) {
    gap();
    report(Code::kNotGap, since(after), {}, "write `not " + out.names.front().text + " for 5 minutes`");
  }
  if (!failed_ && accept_word("for")) out.absence_for = duration();
}

void Parser::permute_item(Item& out) {
  const Token word = take();
  take();
  out.kind = ItemKind::kPermute;
  const std::string most = std::to_string(limits_.permute_items_max);
  if (++nesting_ > limits_.pattern_nesting_max) {
    fail(Code::kPatternNesting, word.span, {std::to_string(limits_.pattern_nesting_max)});
  } else {
    if (at(TokenKind::kRightParen)) {
      hint(fail(Code::kPermuteShape, since(word), {"an item at least"}), "say what comes in any order: `permute(a, b)`");
    }
    while (!failed_ && !refuse_link_in_permute()) {
      out.members.push_back(item());
      check_member(out.members.back());
      if (refuse_link_in_permute() || failed_ || !accept(TokenKind::kComma)) break;
    }
  }
  const bool is_whole = !failed_;
  if (!sync_close(TokenKind::kRightParen) || !is_whole) out.kind = ItemKind::kError;
  --nesting_;
  if (out.members.size() > limits_.permute_items_max) {
    report(Code::kPermuteShape, since(word), {"at most " + most + " items"},
           "variables of which any will do can be one, with `or` in its condition");
    out.members.resize(limits_.permute_items_max);
  }
}

// R12: its items have no links. What stands together is a group.
bool Parser::refuse_link_in_permute() {
  const bool is_link = at(TokenKind::kSkipArrow) || at(TokenKind::kAnyArrow) || at(TokenKind::kBar) || at(TokenKind::kLeftBracket);
  if (failed_ || !is_link) return false;
  hint(fail(Code::kPermuteShape, peek().span, {"items without links between them"}),
       "what belongs together is one item in parentheses: `permute((a -> b), c)`");
  return true;
}

void Parser::check_member(const Item& member) {
  if (member.kind == ItemKind::kNot) {
    report(Code::kPermuteShape, member.span, {"no NOT"}, "write the alternation of the orders you mean");
  }
  if (member.greedy) {
    report(Code::kPermuteShape, member.span, {"no `greedy` item"}, "write the alternation of the orders you mean");
  }
  const std::optional<Quantifier>& rounds = member.quantifier;
  const bool fine = !rounds || (rounds->max && (*rounds->max == 1 || *rounds->max == rounds->min));
  if (fine) return;
  const std::string refused = "no `" + std::string(sources_.text(rounds->span)) + "`";
  report(Code::kPermuteShape, rounds->span, {refused}, "`?` and `{n}` are possible");
}

void Parser::quantifier(Item& out) {
  const auto at_one = [&] {
    return at(TokenKind::kQuestion) || at(TokenKind::kStar) || at(TokenKind::kPlus) || at(TokenKind::kLeftBrace);
  };
  const Token first = peek();
  while (!failed_ && at_one()) {
    Quantifier it;
    const Token mark = take();
    if (mark.kind == TokenKind::kLeftBrace) {
      quantifier_bounds(it);
    } else {
      it.min = mark.kind == TokenKind::kPlus ? 1 : 0;
      if (mark.kind == TokenKind::kQuestion) it.max = 1;
    }
    it.span = since(mark);
    if (out.quantifier) {
      const bool reluctant = mark.kind == TokenKind::kQuestion;
      report(
          Code::kReluctant, since(first), {sources_.text(since(first))},
          reluctant ? "leave the `?` out: loops are not greedy unless they say `greedy`" : "one quantifier is enough");
    } else {
      out.quantifier = it;
    }
  }
}

void Parser::quantifier_bounds(Quantifier& out) {
  constexpr std::string_view kRole = "a number of rounds";
  const Token open = tokens_.tokens[at_ - 1];
  const bool from_none = at(TokenKind::kComma);
  if (!from_none) out.min = whole_number(kRole).value_or(1);
  if (failed_) return;
  if (accept(TokenKind::kComma)) {
    if (from_none || at(TokenKind::kNumber)) out.max = whole_number(kRole);
  } else {
    out.max = out.min;
  }
  if (!expect(TokenKind::kRightBrace, "`}`")) return;
  if (!out.max || (*out.max > 0 && out.min <= *out.max)) return;
  report(Code::kQuantifierRange, since(open), {sources_.text(since(open))},
         *out.max == 0 ? "a loop that may be left out is `*`, `?` or `{,n}`" : "the smaller number comes first");
  out.min = 1;
  out.max.reset();
}

void Parser::modifiers(Item& out) {
  while (!failed_ && modifier(out)) {
  }
}

void Parser::mode(Item& out, LoopMode wanted, const Token& word) {
  const bool loop = out.quantifier && out.quantifier->repeats();
  const std::string said = wanted == LoopMode::kStrict ? "strict" : "any";
  if (!loop) {
    report(Code::kNeedsLoop, word.span, {said},
           wanted == LoopMode::kStrict ? "write `,` for the very next event" : "write `->>` for every later event");
  } else if (once(out.mode == wanted, word) && out.mode != LoopMode::kRelaxed) {
    report(Code::kLoopWords, word.span, {"strict", "any"}, "keep one of the two");
  }
  if (out.mode == LoopMode::kRelaxed) out.mode = wanted;
}

bool Parser::modifier(Item& out) {
  const Token word = peek();
  const bool loop = out.quantifier && out.quantifier->repeats();
  if (accept_word("strict")) {
    mode(out, LoopMode::kStrict, word);
  } else if (accept_word("any")) {
    mode(out, LoopMode::kAny, word);
  } else if (accept_word("greedy")) {
    if (!out.quantifier) report(Code::kNeedsLoop, word.span, {"greedy"}, "write `?`, `*`, `+` or `{n,m}` before it");
    once(out.greedy, word);
    out.greedy = true;
  } else if (at_word("until") && at(TokenKind::kLeftParen, 1)) {
    take();
    take();
    if (!loop) report(Code::kNeedsLoop, word.span, {"until"}, "write `*`, `+` or `{n,m}` before it");
    once(out.until != nullptr, word);
    out.until = expression();
    sync_close(TokenKind::kRightParen);
  } else if (at(TokenKind::kLeftBracket)) {
    std::optional<Gap> it = gap();
    if (!it) return true;
    if (!loop) {
      report(Code::kGapPlace, it->span, {}, "write `-> " + std::string(sources_.text(it->span)) + " next`");
    } else {
      if (out.loop_gap) report(Code::kOptionTwice, it->span, {sources_.text(it->span)}, "leave one out");
      out.loop_gap = std::move(it);
    }
  } else {
    return false;
  }
  return true;
}

}  // namespace patterns
