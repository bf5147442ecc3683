// The parser's inside: recursive descent over the tokens of one file; one token of look-ahead, two where GRAMMAR.md
// marks it. Only parser*.cc include this.
// Errors: fail() reports and sets failed_, under which nothing more is reported until somebody who knows where a next
// part begins (a comma, a `)`, a clause, a `;`) has skipped to it with a sync_ function and cleared it. So one mistake
// is one diagnostic, and all parts beside it are still read.
#pragma once

#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "patterns/lexer.h"
#include "patterns/parser.h"

namespace patterns {

class Parser {
 public:
  Parser(const SourceMap& sources, FileId file, Diagnostics& diagnostics, const ParseLimits& limits);
  File run();

 private:
  // Tokens (parser_core.cc).
  const Token& peek(size_t ahead = 0) const;
  Token take();
  bool at(TokenKind kind, size_t ahead = 0) const { return peek(ahead).kind == kind; }
  bool at_word(std::string_view word, size_t ahead = 0) const;
  bool at_any_word(std::initializer_list<std::string_view> words) const;
  bool at_name(size_t ahead = 0) const;  // a word that is not reserved, or quoted
  bool accept(TokenKind kind);
  bool accept_word(std::string_view word);
  std::string text(const Token& token) const { return token_text(sources_, token); }
  std::string shown(const Token& token) const;  // "`word`", "the end of the text"
  Span since(const Token& first) const;         // from there to the last token taken

  // Mistakes.
  Diagnostic* fail(Code code, const Span& span, std::initializer_list<std::string_view> arguments = {});
  void hint(Diagnostic* diagnostic, std::string text) const;
  Diagnostic* unexpected(std::string_view wanted, std::string hint = {});
  void report(Code code, const Span& span, std::initializer_list<std::string_view> arguments, std::string hint);
  bool expect(TokenKind kind, std::string_view wanted);
  bool expect_word(std::string_view word, std::string hint = {});

  // Places to go on at.
  bool at_statement_end() const;  // `;`, `create`, `drop`, the end
  bool at_clause(size_t ahead = 0) const;
  void skip_to(bool (Parser::*here)() const);  // balanced; stops at clauses that stand in no parentheses
  bool at_element_end() const;                 // `,` or a clause or the end of the statement
  bool at_close() const;
  bool at_item_end() const;
  bool at_column_end() const;  // `,` or `)`, clause words are names of columns
  bool at_any_clause() const;
  bool at_measure_end() const;
  bool at_case_end() const;
  void sync_element();
  bool sync_close(TokenKind close);  // takes `close` if it is found

  // Small parts.
  std::optional<Name> name(std::string_view role, bool any_word = false);
  bool names(std::vector<Name>& out, std::string_view role);
  std::optional<Duration> duration();
  std::optional<Duration> duration_of(std::string_view amount, const Span& amount_span, const Token& first);
  std::optional<Unit> unit(const Token& token);
  bool at_unit(size_t ahead) const;
  std::optional<std::string> string(std::string_view role, Span* span = nullptr);
  std::optional<uint32_t> whole_number(std::string_view role);
  std::optional<TypeRef> type();
  void decimal_arguments(TypeRef& out);
  bool once(bool already, const Token& word);  // reports `word` given twice

  // Statements (parser.cc).
  void statement(File& file);
  bool too_long(const Token& first);
  bool create(Statement& out);
  StreamDecl stream();
  void stream_option(StreamDecl& out);
  bool stream_duration(StreamDecl& out, const Token& first);
  void columns(std::vector<Column>& out);
  std::optional<Column> column();
  ListDecl list();
  TableDecl table();
  DropDecl drop();
  void end_statement(Statement& out);
  void remark_behind(Statement& out);
  void comments_before(Statement& out, uint32_t begin);
  void read_allow(const Comment& comment, Statement* out);

  // Rules (parser_rule.cc).
  RuleDecl rule(bool shadow);
  void clause(RuleDecl& out);
  void misspelt_clause(RuleDecl& out);
  void clause_body(ClauseKind kind, RuleDecl& out, const Token& word);
  void check_clauses(const RuleDecl& rule);
  void check_conditions(RuleDecl& rule);
  void check_condition(const RuleDecl& rule, Condition& condition, std::string_view what);
  template <class Element>
  void elements(Element&& element);  // element { "," element }, each with its own recovery
  void input(RuleDecl& out);
  void key_part(RuleDecl& out);
  Condition condition();
  void define(RuleDecl& out);
  void subset(RuleDecl& out);
  void measure(RuleDecl& out);
  AfterMatch after_match(const Token& first);
  Emit emit(const Token& first);
  AlertClause alert(const Token& first);
  void alert_option(AlertClause& out);

  // Patterns (parser_pattern.cc).
  PatternClause pattern(const Token& first);
  void alternation_within(Alternation& out, std::optional<Duration>& within);
  Alternation alternation();
  Sequence sequence();
  void sequence_tail(Sequence& out);
  bool link(Item& next);
  std::optional<Gap> gap();
  Item item();
  void item_body(Item& out);
  void not_item(Item& out);
  void permute_item(Item& out);
  bool refuse_link_in_permute();
  void check_member(const Item& member);
  void quantifier(Item& out);
  void quantifier_bounds(Quantifier& out);
  void modifiers(Item& out);
  bool modifier(Item& out);
  void mode(Item& out, LoopMode mode, const Token& word);

  // Expressions (parser_expr.cc, parser_primary.cc).
  ExprPtr expression();
  ExprPtr expr();
  ExprPtr conjunction();
  ExprPtr negation();
  ExprPtr predicate();
  ExprPtr predicate_tail(ExprPtr left, const Token& first);
  ExprPtr is_tail(ExprPtr left, const Token& first);
  ExprPtr in_tail(ExprPtr left, const Token& first);
  ExprPtr between_tail(ExprPtr left, const Token& first);
  ExprPtr like_tail(ExprPtr left, const Token& first);
  bool at_predicate_tail() const;
  ExprPtr concat();
  ExprPtr sum();
  ExprPtr product();
  ExprPtr sign();
  ExprPtr primary();
  bool at_primary() const;
  ExprPtr primary_word();
  ExprPtr timestamp();
  ExprPtr name_or_field();
  ExprPtr number();
  ExprPtr parenthesised();
  ExprPtr case_when();
  ExprPtr cast();
  ExprPtr lookup();
  ExprPtr call();
  void call_arguments(Expr& out);
  std::unique_ptr<Over> over();
  void over_body(Over& out);
  void expression_list(std::vector<ExprPtr>& out, TokenKind close);
  ExprPtr make(ExprKind kind, const Span& span);
  ExprPtr binary(Op op, const Token& sign, const Token& first, ExprPtr left, ExprPtr right);
  ExprPtr error_at(const Token& first);
  bool going() const { return !failed_ && nodes_ <= limits_.expr_nodes_max; }
  bool deeper();
  void count_parentheses(const Expr& operand);
  void refuse_tuples(Expr& expr, bool allowed);
  void read_number(Expr& out, const Token& token);
  void read_decimal(Expr& out, const Token& token);

  const SourceMap& sources_;
  Diagnostics& diagnostics_;
  const ParseLimits& limits_;
  FileId file_;
  Tokens tokens_;
  size_t at_ = 0;           // next token
  size_t comment_at_ = 0;   // next comment
  bool failed_ = false;     // a mistake was reported and its place not left yet
  bool damaged_ = false;    // some part of this statement could not be read: what is missing may stand there
  bool bare_and_ = false;   // the last conjunction is an `and` in no parentheses of its own
  bool swallowed_ = false;  // an unclosed string or comment took the rest of its line or text with it
  uint32_t depth_ = 0;      // of the expression, here
  uint32_t deepest_ = 0;    // the greatest depth met so far, as the canonical text has it
  uint32_t nodes_ = 0;      // of the expression
  uint32_t nesting_ = 0;    // of the pattern
};

}  // namespace patterns
