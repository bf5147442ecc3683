// The tree of a rule file, as written: plain structs, one for each construct of GRAMMAR.md, all owned by File.
// Invariant: every node has the span of its text; a tree from the parser is within the limits of parser.h.
// After a syntax error the tree still holds all that could be read: kError stands for what could not, and whoever
// walks the tree skips it silently (its diagnostic exists). Two trees mean the same when printer.h prints them alike.
// Threads: plain values.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "patterns/ast_expr.h"
#include "patterns/ast_pattern.h"

namespace patterns {

struct Column {
  Name name;
  TypeRef type;
  bool not_null = false;
  std::optional<std::string> path;   // JSON pointer
  Span path_span;
  Span span;
};

struct StreamDecl {
  Name name;
  std::vector<Column> columns;
  Name time_field;
  std::optional<Duration> delay;
  bool watermark_explicit = false;
  std::optional<Duration> idle;
  std::optional<Duration> ahead;
  std::optional<Duration> retain;
  std::optional<std::string> zone;
  Span zone_span;
  std::vector<Name> unique;
  std::optional<Duration> unique_within;
  bool keep_raw = false;
  Span keep_raw_span;
  bool from_rules = false;
};

struct ListDecl {
  Name name;
  std::vector<TypeRef> types;   // more than one: tuples
};

struct TableDecl {
  Name name;
  std::vector<Column> columns;
  std::vector<Name> key;
};

struct Input {                  // an item of `on`
  Name stream;
  std::optional<Name> alias;
  ExprPtr where;
  Span span;
  const Name& known_as() const { return alias ? *alias : stream; }
};

struct KeyPart {                // an item of `partition by`: a field, or a call of fields
  ExprPtr expr;                 // kName or kCall (or kError)
  std::optional<Name> alias;
  Span span;
};

struct Condition {              // [input where] condition
  std::optional<Name> input;
  ExprPtr condition;
  Span span;
};

struct Define {
  Name variable;
  Condition condition;
  Span span;
};

struct Subset {
  Name name;
  std::vector<Name> members;
  Span span;
};

struct Measure {
  ExprPtr expr;
  Name name;
  Span span;
};

enum class SkipKind : uint8_t { kPastLastRow, kNextRow, kFirst, kLast, kNoSkip };

struct AfterMatch {
  SkipKind kind = SkipKind::kPastLastRow;
  Name target;                  // kFirst, kLast
  Span span;
};

struct Emit {
  std::optional<Duration> episode_quiet;   // none: each
  Span span;
};

struct PatternClause {
  Alternation alternation;
  std::optional<Duration> within;
  Span span;
};

struct AlertText {
  std::string text;
  Span span;
};

struct AlertClause {
  std::optional<Name> severity;
  ExprPtr score;
  std::optional<Name> decision;
  std::optional<AlertText> message;
  std::vector<AlertText> tags;
  std::vector<Name> sinks;
  Span span;
};

// Clause keywords, in the order in which the printer writes them.
enum class ClauseKind : uint8_t {
  kOn, kPartition, kWhen, kPattern, kSubset, kDefine, kMeasures, kHaving, kAfter, kEmit, kSuppress, kInto, kAlert,
};
inline constexpr size_t kClauseKinds = 13;

struct RuleDecl {
  Name name;
  bool shadow = false;
  std::vector<Input> on;
  std::vector<KeyPart> partition;
  std::optional<Condition> when;
  std::optional<PatternClause> pattern;
  std::vector<Subset> subsets;
  std::vector<Define> defines;
  std::vector<Measure> measures;
  ExprPtr having;
  std::optional<AfterMatch> after;
  std::optional<Emit> emit;
  std::optional<Duration> suppress;
  std::optional<Name> into;
  std::optional<AlertClause> alert;
  // Where each clause stands, keyword included; none: the rule does not have it.
  std::optional<Span> clauses[kClauseKinds];
  const std::optional<Span>& clause(ClauseKind kind) const { return clauses[static_cast<size_t>(kind)]; }
};

enum class DropKind : uint8_t { kRule, kStream, kList, kTable };

struct DropDecl {
  DropKind kind = DropKind::kRule;
  Name name;
};

struct Comment {
  std::string text;   // as written, with its marks, without the line break
  Span span;
  bool trailing = false;   // something stands before it on its line
};

// `-- weir:allow W0201 reason`
struct Allow {
  std::string code;
  std::string reason;
  Span span;
};

struct Statement {
  std::variant<RuleDecl, StreamDecl, ListDecl, TableDecl, DropDecl> body;
  Span span;                         // from `create` or `drop` to its `;`, that included where it is there
  bool damaged = false;              // a part could not be read and was reported: say nothing of what is missing
  std::vector<Allow> allows;
  std::vector<Comment> comments;     // before it, those of `allows` included
  std::vector<Comment> inner;        // inside it
};

struct File {
  FileId file = 0;
  std::vector<Statement> statements;
  std::vector<Comment> trailing;     // after the last statement
};

}  // namespace patterns
