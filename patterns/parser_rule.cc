// Parser: rules and their clauses, but for patterns and expressions.
#include "patterns/parser_core.h"

namespace patterns {

namespace {

constexpr std::string_view kClauseNames[kClauseKinds] = {"on",       "partition", "when",   "pattern", "subset",
                                                         "define",   "measures",  "having", "after",   "emit",
                                                         "suppress", "into",      "alert"};
constexpr std::string_view kAlertOptions[] = {"severity", "score", "decision", "message", "tags", "to"};

template <class Words>
std::string near_word(std::string_view word, const Words& words) {
  return did_you_mean(word, std::vector<std::string>(std::begin(words), std::end(words)));
}

}  // namespace

template <class Element>
void Parser::elements(Element&& element) {
  do {
    element();
    sync_element();
  } while (!failed_ && accept(TokenKind::kComma));
}

RuleDecl Parser::rule(bool shadow) {
  RuleDecl out;
  out.shadow = shadow;
  if (auto it = name("the rule's name")) out.name = std::move(*it);
  if (failed_ && at_clause()) failed_ = false;
  while (!failed_ && !at_statement_end()) {
    clause(out);
    if (failed_) skip_to(&Parser::at_any_clause);
    if (at_clause()) failed_ = false;
  }
  check_clauses(out);
  check_conditions(out);
  return out;
}

void Parser::clause(RuleDecl& out) {
  for (size_t i = 0; i < kClauseKinds; ++i) {
    if (!at_word(kClauseNames[i])) continue;
    const Token word = take();
    if (!out.clauses[i]) {
      clause_body(static_cast<ClauseKind>(i), out, word);
      out.clauses[i] = since(word);
      return;
    }
    Diagnostic& it = diagnostics_.add(Code::kClauseTwice, word.span, {kClauseNames[i]});
    it.hint = "a rule has each clause once";
    const Span first = *out.clauses[i];
    const auto length = static_cast<uint32_t>(kClauseNames[i].size());
    it.notes.push_back({"first written here", {first.file, first.begin, first.begin + length}});
    RuleDecl ignored;
    clause_body(static_cast<ClauseKind>(i), ignored, word);
    return;
  }
  if (accept(TokenKind::kBad)) return;
  misspelt_clause(out);
}

// A word near a clause's is told of and taken for it.
void Parser::misspelt_clause(RuleDecl& out) {
  const std::string near = at(TokenKind::kWord) ? near_word(text(peek()), kClauseNames) : "";
  unexpected("`,`, a clause or `;`", near);
  for (size_t i = 0; i < kClauseKinds; ++i) {
    if (near.find("`" + std::string(kClauseNames[i]) + "`") == std::string::npos || out.clauses[i]) continue;
    failed_ = false;
    const Token word = take();
    clause_body(static_cast<ClauseKind>(i), out, word);
    out.clauses[i] = since(word);
    return;
  }
}

void Parser::clause_body(ClauseKind kind, RuleDecl& out, const Token& word) {
  switch (kind) {
    case ClauseKind::kOn: return elements([&] { input(out); });
    case ClauseKind::kPartition:
      if (expect_word("by")) elements([&] { key_part(out); });
      return;
    case ClauseKind::kWhen: out.when = condition(); return;
    case ClauseKind::kPattern: out.pattern = pattern(word); return;
    case ClauseKind::kSubset: return elements([&] { subset(out); });
    case ClauseKind::kDefine: return elements([&] { define(out); });
    case ClauseKind::kMeasures: return elements([&] { measure(out); });
    case ClauseKind::kHaving: out.having = expression(); return;
    case ClauseKind::kAfter: out.after = after_match(word); return;
    case ClauseKind::kEmit: out.emit = emit(word); return;
    case ClauseKind::kSuppress: out.suppress = duration(); return;
    case ClauseKind::kInto: out.into = name("a stream's name"); return;
    case ClauseKind::kAlert: out.alert = alert(word); return;
  }
}

// What is missing is only said of a rule that could be read, else it may stand in the part that could not.
void Parser::check_clauses(const RuleDecl& rule) {
  const auto has = [&](ClauseKind kind) { return rule.clause(kind).has_value(); };
  const auto missing = [&](std::string_view what, std::string text) {
    if (!damaged_)
      diagnostics_.add(Code::kMissingClause, rule.name.span, {rule.name.text, what}).hint = std::move(text);
  };
  if (!has(ClauseKind::kOn)) missing("`on`", "say which streams it reads: `on transactions`");
  if (!has(ClauseKind::kWhen) && !has(ClauseKind::kPattern)) missing("`when` or `pattern`", "say what it looks for");
  if (!has(ClauseKind::kAlert) && !has(ClauseKind::kInto)) missing("`alert` or `into`", "say what a match does");
  if (!has(ClauseKind::kWhen)) return;
  const auto keyword = [&](ClauseKind kind) {
    const Span clause = *rule.clause(kind);
    const auto length = static_cast<uint32_t>(kClauseNames[static_cast<size_t>(kind)].size());
    return Span{clause.file, clause.begin, clause.begin + length};
  };
  if (has(ClauseKind::kPattern)) {
    diagnostics_.add(Code::kClauseConflict, keyword(ClauseKind::kPattern), {"pattern"}).hint = "keep one of the two";
    return;
  }
  for (const ClauseKind kind : {ClauseKind::kDefine, ClauseKind::kSubset, ClauseKind::kAfter, ClauseKind::kHaving}) {
    if (!has(kind)) continue;
    const std::string_view word = kind == ClauseKind::kAfter ? "after match" : kClauseNames[static_cast<size_t>(kind)];
    diagnostics_.add(Code::kClauseConflict, keyword(kind), {word}).hint = "`when` is a condition on one event";
  }
}

void Parser::check_conditions(RuleDecl& rule) {
  for (Define& it : rule.defines) check_condition(rule, it.condition, "define " + it.variable.text);
  if (rule.when) check_condition(rule, *rule.when, "when");
}

// `define l as logins` names an input and no condition.
void Parser::check_condition(const RuleDecl& rule, Condition& it, std::string_view what) {
  const bool bare = !it.input && it.condition && it.condition->kind == ExprKind::kName && !it.condition->qualifier;
  if (!bare) return;
  for (const Input& input : rule.on) {
    const std::string& known = input.known_as().text;
    if (known != it.condition->name.text) continue;
    diagnostics_.add(Code::kDefineCondition, it.span, {what}).hint = "write `" + known + " where true`";
    it.condition->kind = ExprKind::kError;
    return;
  }
}

void Parser::input(RuleDecl& out) {
  const Token first = peek();
  Input it;
  std::optional<Name> stream = name("a stream's name");
  if (!stream) return;
  it.stream = std::move(*stream);
  if (accept_word("as")) {
    it.alias = name("a name for the input");
  } else if (at_name() && near_word(text(peek()), kClauseNames).empty()) {
    report(Code::kMissingAs, peek().span, {text(peek())},
           "write `" + it.stream.text + " as " + text(peek()) + "`, or a comma for another stream");
    it.alias = name("a name for the input");
  }
  if (!failed_ && accept_word("where")) it.where = expression();
  it.span = since(first);
  out.on.push_back(std::move(it));
}

void Parser::key_part(RuleDecl& out) {
  const Token first = peek();
  if (!at_name()) {
    unexpected("a field");
    return;
  }
  KeyPart it;
  nodes_ = depth_ = 0;
  it.expr = primary();
  refuse_tuples(*it.expr, false);
  const ExprKind kind = it.expr->kind;
  if (kind != ExprKind::kName && kind != ExprKind::kCall && kind != ExprKind::kError) {
    report(Code::kKeyForm, it.expr->span, {"this"}, "a key is a field or a function of fields");
    it.expr->kind = ExprKind::kError;
  }
  if (failed_) skip_to(&Parser::at_measure_end);
  if (at_word("as")) failed_ = false;
  if (!failed_ && accept_word("as")) it.alias = name("a name for the key column");
  it.span = since(first);
  if (kind == ExprKind::kCall && !it.alias) {
    report(Code::kPartAlias, it.expr->span, {}, "write `" + std::string(sources_.text(it.expr->span)) + " as name`");
  }
  out.partition.push_back(std::move(it));
}

Condition Parser::condition() {
  const Token first = peek();
  Condition out;
  if (at_name() && at_word("where", 1)) {
    out.input = name("an input's name");
    take();
  }
  out.condition = expression();
  out.span = since(first);
  return out;
}

void Parser::define(RuleDecl& out) {
  const Token first = peek();
  std::optional<Name> variable = name("a variable's name");
  if (!variable) return;
  Define it;
  it.variable = std::move(*variable);
  if (expect_word("as", "write `" + it.variable.text + " as <condition>`")) it.condition = condition();
  if (!it.condition.condition) it.condition.condition = error_at(first);
  it.span = since(first);
  out.defines.push_back(std::move(it));
}

void Parser::subset(RuleDecl& out) {
  const Token first = peek();
  std::optional<Name> found = name("the subset's name");
  if (!found) return;
  Subset it;
  it.name = std::move(*found);
  expect(TokenKind::kEq, "`=`");
  if (!failed_ && !at(TokenKind::kLeftParen)) unexpected("`(` and the variables");
  if (!failed_) names(it.members, "a variable's name");
  it.span = since(first);
  out.subsets.push_back(std::move(it));
}

void Parser::measure(RuleDecl& out) {
  const Token first = peek();
  Measure it;
  it.expr = expression();
  if (failed_) skip_to(&Parser::at_measure_end);
  if (at_word("as")) failed_ = false;
  if (!failed_ && at_name()) {
    report(Code::kMissingAs, peek().span, {text(peek())}, "write `as " + text(peek()) + "`");
  } else if (!expect_word("as", "give it a name: `... as total`")) {
    return;
  }
  std::optional<Name> found = name("the measure's name");
  if (!found) return;
  it.name = std::move(*found);
  it.span = since(first);
  out.measures.push_back(std::move(it));
}

AfterMatch Parser::after_match(const Token& first) {
  AfterMatch out;
  expect_word("match");
  if (!failed_ && accept_word("no")) {
    expect_word("skip");
    out.kind = SkipKind::kNoSkip;
  } else if (expect_word("skip", "write `skip past last row`, `skip to next row` or `no skip`")) {
    if (accept_word("past")) {
      expect_word("last");
      expect_word("row");
    } else if (expect_word("to", "write `skip past last row` or `skip to next row`")) {
      const bool last = at_word("last");
      if (at_word("next") && at_word("row", 1)) {
        take();
        take();
        out.kind = SkipKind::kNextRow;
      } else if ((last || at_word("first")) && at_name(1)) {
        take();
        out.kind = last ? SkipKind::kLast : SkipKind::kFirst;
        out.target = *name("a variable's name");
      } else {
        const std::string variable = at_name() ? text(peek()) : "a";
        unexpected("`next row`, `first` or `last`",
                   "write `skip to first " + variable + "` or `skip to last " + variable + "`");
      }
    }
  }
  out.span = since(first);
  return out;
}

Emit Parser::emit(const Token& first) {
  Emit out;
  const bool misspelt = at(TokenKind::kWord) && !at_word("episode") && at_word("after", 1) && at_word("quiet", 2);
  if (misspelt) {
    const Token word = take();
    report(Code::kUnexpected, word.span, {"`each` or `episode`", shown(word)}, "write `emit episode after quiet 5 minutes`");
  }
  if (misspelt || accept_word("episode")) {
    expect_word("after", "write `emit episode after quiet 5 minutes`");
    expect_word("quiet", "write `emit episode after quiet 5 minutes`");
    out.episode_quiet = duration();
  } else if (!accept_word("each")) {
    unexpected("`each` or `episode`", at(TokenKind::kWord) ? did_you_mean(text(peek()), {"each", "episode"}) : "");
  }
  out.span = since(first);
  return out;
}

AlertClause Parser::alert(const Token& first) {
  AlertClause out;
  while (!failed_ && !at_clause() && !at_statement_end()) {
    if (at(TokenKind::kComma)) {
      report(Code::kMisplacedWord, peek().span, {","}, "alert options stand side by side, without commas");
      take();
    }
    alert_option(out);
  }
  out.span = since(first);
  return out;
}

void Parser::alert_option(AlertClause& out) {
  const Token word = peek();
  const auto list = [&](auto&& one) {
    do {
      one();
    } while (!failed_ && accept(TokenKind::kComma));
  };
  if (accept(TokenKind::kBad)) return;
  if (accept_word("severity")) {
    once(out.severity.has_value(), word);
    out.severity = name("a severity");
  } else if (accept_word("score")) {
    once(out.score != nullptr, word);
    out.score = expression();
  } else if (accept_word("decision")) {
    once(out.decision.has_value(), word);
    out.decision = name("a decision");
  } else if (accept_word("message")) {
    once(out.message.has_value(), word);
    AlertText message;
    if (auto it = string("the message", &message.span)) out.message = AlertText{std::move(*it), message.span};
  } else if (accept_word("tags")) {
    if (!once(!out.tags.empty(), word)) out.tags.clear();
    list([&] {
      Span span;
      if (auto it = string("a tag", &span)) out.tags.push_back({std::move(*it), span});
    });
  } else if (accept_word("to")) {
    if (!once(!out.sinks.empty(), word)) out.sinks.clear();
    list([&] {
      if (auto it = name("a sink's name")) out.sinks.push_back(std::move(*it));
    });
  } else {
    unexpected("an alert option, a clause or `;`", at(TokenKind::kWord) ? near_word(text(word), kAlertOptions) : "");
  }
}

}  // namespace patterns
