// Parser: files and the statements that are no rules; comments before and inside statements.
#include "patterns/parser.h"

#include "patterns/parser_core.h"

namespace patterns {

namespace {

const std::vector<std::string> kStreamOptions = {"delay", "watermark", "idle", "ahead", "retain",
                                                 "zone",  "unique",    "keep", "from"};

// Offset of the first byte that is no UTF-8, or the size.
size_t first_bad_byte(std::string_view text) {
  for (size_t at = 0; at < text.size();) {
    const size_t length = character_bytes(text.substr(at));
    if (length == 1 && static_cast<unsigned char>(text[at]) >= 0x80) return at;
    at += length;
  }
  return text.size();
}

}  // namespace

File parse(const SourceMap& sources, FileId file, Diagnostics& diagnostics, const ParseLimits& limits) {
  File nothing;
  nothing.file = file;
  const std::string& text = sources.text(file);
  const auto bad = static_cast<uint32_t>(first_bad_byte(text));
  if (text.size() > limits.file_bytes_max) {
    diagnostics.add(Code::kTextSize, {file, 0, 0}, {std::to_string(limits.file_bytes_max)});
    return nothing;
  }
  if (bad < text.size()) {
    diagnostics.add(Code::kBadUtf8, {file, bad, bad + 1});
    return nothing;
  }
  return Parser(sources, file, diagnostics, limits).run();
}

void apply_allows(const File& file, Diagnostics& diagnostics) {
  for (const Statement& it : file.statements) {
    for (const Allow& allow : it.allows) diagnostics.silence(allow.code, it.span);
  }
}

File Parser::run() {
  File out;
  out.file = file_;
  while (!at(TokenKind::kEnd)) {
    const size_t before = at_;
    if (!accept(TokenKind::kSemicolon)) statement(out);
    if (at_ == before) take();
  }
  Statement rest;
  comments_before(rest, peek().span.end + 1);
  out.trailing = std::move(rest.comments);
  return out;
}

// Looks for the end without reading: a text beyond the limit is not worth a tree.
bool Parser::too_long(const Token& first) {
  size_t end = at_;
  while (tokens_.tokens[end].kind != TokenKind::kSemicolon && tokens_.tokens[end].kind != TokenKind::kEnd) ++end;
  if (tokens_.tokens[end].span.end - first.span.begin <= limits_.statement_bytes_max) return false;
  fail(Code::kTextSize, first.span, {std::to_string(limits_.statement_bytes_max)});
  at_ = end;
  return true;
}

void Parser::statement(File& file) {
  failed_ = damaged_ = swallowed_ = false;
  const Token first = peek();
  Statement out;
  comments_before(out, first.span.begin);
  if (too_long(first)) {
    accept(TokenKind::kSemicolon);
    return;
  }
  bool known = false;
  if (accept_word("create")) {
    known = create(out);
  } else if (accept_word("drop")) {
    out.body = drop();
    known = !std::get<DropDecl>(out.body).name.text.empty();
  } else {
    const std::string near = did_you_mean(text(first), {"create", "drop"});
    unexpected("`create` or `drop`", near.empty() ? "a statement begins with one of the two" : near);
    take();
  }
  end_statement(out);
  out.span = since(first);
  out.damaged = damaged_;
  while (comment_at_ < tokens_.comments.size() && tokens_.comments[comment_at_].span.begin < out.span.end) {
    const Comment& comment = tokens_.comments[comment_at_++];
    read_allow(comment, nullptr);
    out.inner.push_back(comment);
  }
  remark_behind(out);
  if (known) file.statements.push_back(std::move(out));
}

// A comment on the line of the `;` is about this statement and not about the next.
void Parser::remark_behind(Statement& out) {
  if (comment_at_ == tokens_.comments.size()) return;
  const Comment& comment = tokens_.comments[comment_at_];
  const std::string_view between = sources_.text({file_, out.span.end, comment.span.begin});
  const bool blank = comment.span.begin >= out.span.end && between.find_first_not_of(" \t") == std::string_view::npos;
  if (!blank || comment.text.find("weir:allow") != std::string::npos) return;
  out.inner.push_back(comment);
  ++comment_at_;
}

void Parser::end_statement(Statement& out) {
  if (failed_) skip_to(&Parser::at_statement_end);
  if (accept(TokenKind::kSemicolon)) return;
  if (at_statement_end()) {
    const bool end = at(TokenKind::kEnd);
    const Span last = tokens_.tokens[at_ == 0 ? 0 : at_ - 1].span;
    if (!failed_ && !swallowed_) {
      Diagnostic& it = diagnostics_.add(Code::kMissingSemicolon, end ? last : peek().span,
                                        {end ? "the end of the text" : sources_.text(peek().span)});
      it.message = end ? "the statement is not ended before the end of the text" : it.message;
      it.hint = "end the statement before it with `;`";
      if (end) it.hint = "write `;`";
    }
    return;
  }
  const bool is_drop = std::holds_alternative<DropDecl>(out.body);
  unexpected(is_drop ? "`;`" : "`,` or `;`");
  skip_to(&Parser::at_statement_end);
  accept(TokenKind::kSemicolon);
}

bool Parser::create(Statement& out) {
  const bool shadow = accept_word("shadow");
  if (accept_word("rule")) {
    out.body = rule(shadow);
    return !std::get<RuleDecl>(out.body).name.text.empty();
  }
  if (shadow) {
    unexpected("`rule`", "only rules can be in the shadow");
  } else if (accept_word("stream")) {
    out.body = stream();
    return !std::get<StreamDecl>(out.body).name.text.empty();
  } else if (accept_word("list")) {
    out.body = list();
    return !std::get<ListDecl>(out.body).name.text.empty();
  } else if (accept_word("table")) {
    out.body = table();
    return !std::get<TableDecl>(out.body).name.text.empty();
  } else if (at_word("or")) {
    unexpected("`stream`, `list`, `table` or `rule`", "`create` of a name that exists makes its new version");
  } else {
    const std::string near = did_you_mean(text(peek()), {"stream", "list", "table", "rule", "shadow"});
    unexpected("`stream`, `list`, `table` or `rule`", near);
  }
  return false;
}

std::optional<Column> Parser::column() {
  const Token first = peek();
  Column out;
  std::optional<Name> it = name("a column's name", true);
  if (!it) return {};
  out.name = std::move(*it);
  std::optional<TypeRef> type_found = type();
  if (!type_found) return {};
  out.type = *type_found;
  if (at_word("null")) {
    report(Code::kMisplacedWord, peek().span, {"null"}, "a column may be null unless it is `not null`");
    take();
  }
  if (accept_word("not")) {
    out.not_null = true;
    expect_word("null");
  }
  if (!failed_ && accept_word("path")) {
    out.path = string("a JSON pointer", &out.path_span);
    const bool pointer = !out.path || (!out.path->empty() && out.path->front() == '/');
    if (!pointer) report(Code::kBadPath, out.path_span, {*out.path}, "it begins with `/`: '/card/number'");
  }
  out.span = since(first);
  return out;
}

void Parser::columns(std::vector<Column>& out) {
  if (!expect(TokenKind::kLeftParen, "`(` and the columns")) return;
  do {
    std::optional<Column> it = column();
    if (it) out.push_back(std::move(*it));
    if (!failed_ && !at(TokenKind::kComma) && !at(TokenKind::kRightParen)) unexpected("`,` or `)`");
    if (failed_) {
      skip_to(&Parser::at_column_end);
      if (at(TokenKind::kComma) || at(TokenKind::kRightParen)) failed_ = false;
    }
  } while (accept(TokenKind::kComma));
  sync_close(TokenKind::kRightParen);
}

StreamDecl Parser::stream() {
  StreamDecl out;
  if (auto it = name("the stream's name")) out.name = std::move(*it);
  columns(out.columns);
  expect_word("event", "say which column is the time: `event time at`");
  expect_word("time");
  if (auto it = name("the column of the event time")) out.time_field = std::move(*it);
  while (!failed_ && !at_statement_end()) {
    accept(TokenKind::kComma);
    stream_option(out);
  }
  return out;
}

bool Parser::stream_duration(StreamDecl& out, const Token& word) {
  const std::pair<std::string_view, std::optional<Duration>*> kinds[] = {
      {"delay", &out.delay}, {"idle", &out.idle}, {"ahead", &out.ahead}, {"retain", &out.retain}};
  for (const auto& [keyword, place] : kinds) {
    if (!accept_word(keyword)) continue;
    once(place->has_value(), word);
    *place = duration();
    return true;
  }
  return false;
}

void Parser::stream_option(StreamDecl& out) {
  const Token word = peek();
  if (stream_duration(out, word)) return;
  if (accept_word("watermark")) {
    once(out.watermark_explicit, word);
    out.watermark_explicit = expect_word("explicit");
  } else if (accept_word("zone")) {
    once(out.zone.has_value(), word);
    out.zone = string("the name of a time zone", &out.zone_span);
  } else if (accept_word("unique")) {
    if (!once(!out.unique.empty(), word)) out.unique.clear();
    if (names(out.unique, "a column's name") && accept_word("within")) out.unique_within = duration();
  } else if (accept_word("keep")) {
    once(out.keep_raw, word);
    out.keep_raw_span = {word.span.file, word.span.begin, peek().span.end};
    out.keep_raw = expect_word("raw");
  } else if (accept_word("from")) {
    once(out.from_rules, word);
    out.from_rules = expect_word("rules");
  } else {
    unexpected("an option of the stream or `;`", did_you_mean(text(word), kStreamOptions));
  }
}

ListDecl Parser::list() {
  ListDecl out;
  if (auto it = name("the list's name")) out.name = std::move(*it);
  if (!expect_word("of", "say what it holds: `of text`")) return out;
  const auto one = [&] {
    if (auto it = type()) out.types.push_back(*it);
    return !failed_;
  };
  if (!accept(TokenKind::kLeftParen)) {
    one();
    return out;
  }
  while (one() && accept(TokenKind::kComma)) {
  }
  sync_close(TokenKind::kRightParen);
  return out;
}

TableDecl Parser::table() {
  TableDecl out;
  if (auto it = name("the table's name")) out.name = std::move(*it);
  columns(out.columns);
  if (expect_word("key", "say which columns find a row: `key user`")) names(out.key, "a column's name");
  return out;
}

DropDecl Parser::drop() {
  DropDecl out;
  if (accept_word("rule")) {
    out.kind = DropKind::kRule;
  } else if (accept_word("stream")) {
    out.kind = DropKind::kStream;
  } else if (accept_word("list")) {
    out.kind = DropKind::kList;
  } else if (accept_word("table")) {
    out.kind = DropKind::kTable;
  } else {
    unexpected("`rule`, `stream`, `list` or `table`");
  }
  if (auto it = name("the name of what is to go")) out.name = std::move(*it);
  return out;
}

void Parser::comments_before(Statement& out, uint32_t begin) {
  while (comment_at_ < tokens_.comments.size() && tokens_.comments[comment_at_].span.begin < begin) {
    const Comment& comment = tokens_.comments[comment_at_++];
    read_allow(comment, &out);
    out.comments.push_back(comment);
  }
}

// `-- weir:allow W0201 reason`; without a statement behind it, it silences nothing.
void Parser::read_allow(const Comment& comment, Statement* out) {
  constexpr std::string_view kMark = "weir:allow";
  std::string_view rest = comment.text;
  const auto trim = [&] { rest.remove_prefix(std::min(rest.find_first_not_of(" \t"), rest.size())); };
  if (rest.substr(0, 2) != "--") return;
  rest.remove_prefix(2);
  trim();
  if (rest.substr(0, kMark.size()) != kMark) return;
  rest.remove_prefix(kMark.size());
  trim();
  const std::string_view code = rest.substr(0, rest.find_first_of(" \t"));
  rest.remove_prefix(code.size());
  trim();
  bool lint = false;
  for (const CodeInfo& row : all_codes()) lint = lint || (row.code == code && code.front() == 'W');
  if (!lint) {
    diagnostics_.add(Code::kBadAllow, comment.span).hint =
        "write a lint's code behind it: `-- weir:allow W0201 reason`";
  } else if (out == nullptr) {
    diagnostics_.add(Code::kBadAllow, comment.span).hint = "it stands on a line before the statement";
  } else {
    out->allows.push_back({std::string(code), std::string(rest), comment.span});
  }
}

}  // namespace patterns
