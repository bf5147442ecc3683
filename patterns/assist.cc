#include "patterns/assist.h"

#include <algorithm>
#include <set>

#include "patterns/callables.h"
#include "patterns/declarations.h"
#include "patterns/parser.h"
#include "patterns/printer.h"
#include "patterns/word_help.h"

namespace patterns {
namespace {


std::string_view help_of(std::string_view word) {
  for (const WordHelp& it : kWordHelp) {
    if (same_word(word, it.word)) return it.help;
  }
  return {};
}

std::string column_text(const cep::Column& column) {
  return print_name(column.name) + " " + cep::type_name(column.type) + (column.not_null ? " not null" : "");
}

std::string types_text(const DatasetDeclaration& dataset) {
  std::string text;
  for (const cep::Type& type : dataset.types) text += (text.empty() ? "" : ", ") + cep::type_name(type);
  return dataset.types.size() == 1 ? text : "(" + text + ")";
}

std::string dataset_text(const DatasetDeclaration& dataset) {
  if (!dataset.is_table) return "list `" + dataset.name + "` of " + types_text(dataset);
  std::string text = "table `" + dataset.name + "`\n";
  for (size_t i = 0; i < dataset.columns.size(); ++i) {
    const bool is_key = std::find(dataset.key.begin(), dataset.key.end(), i) != dataset.key.end();
    text += "\n* `" + column_text(dataset.columns[i]) + "`" + (is_key ? ", of the key" : "");
  }
  return text;
}

void add_names(const Alternation& pattern, std::set<std::string>& names);

void add_names(const Item& item, std::set<std::string>& names) {
  if (!item.name.text.empty()) names.insert(item.name.text);
  for (const Name& name : item.names) names.insert(name.text);
  if (item.group) add_names(*item.group, names);
  for (const Item& member : item.members) add_names(member, names);
}

void add_names(const Alternation& pattern, std::set<std::string>& names) {
  for (const Sequence& branch : pattern.branches) {
    for (const Item& item : branch.items) add_names(item, names);
  }
}

std::set<std::string> variables_of(const RuleDecl& rule) {
  std::set<std::string> names;
  if (rule.pattern) add_names(rule.pattern->alternation, names);
  for (const Define& define : rule.defines) names.insert(define.variable.text);
  for (const Subset& subset : rule.subsets) names.insert(subset.name.text);
  return names;
}

const Define* definition_of(const RuleDecl& rule, const std::string& variable) {
  const auto found =
      std::find_if(rule.defines.begin(), rule.defines.end(), [&](const Define& it) { return it.variable.text == variable; });
  return found == rule.defines.end() ? nullptr : &*found;
}

const Subset* subset_of(const RuleDecl* rule, const std::string& name) {
  if (rule == nullptr) return nullptr;
  const auto found = std::find_if(rule->subsets.begin(), rule->subsets.end(), [&](const Subset& it) { return it.name.text == name; });
  return found == rule->subsets.end() ? nullptr : &*found;
}

}  // namespace

Assist::Assist(const SourceMap& sources, std::span<const FileId> files, FileId focus) : sources_(sources), focus_(focus) {
  Diagnostics unused;
  for (const FileId file : files) {
    File tree = parse(sources, file, unused);
    for (const Statement& statement : tree.statements) {
      if (const auto* stream = std::get_if<StreamDecl>(&statement.body)) declare_stream(*stream, catalog_, unused);
      if (const auto* list = std::get_if<ListDecl>(&statement.body)) declare_list(*list, catalog_, unused);
      if (const auto* table = std::get_if<TableDecl>(&statement.body)) declare_table(*table, catalog_, unused);
    }
    if (file == focus) tree_ = std::move(tree);
  }
  tokens_ = tokenize(sources, focus, unused);
}

// The rule that is being written at `offset`: the last one that begins before it, up to its end.
const RuleDecl* Assist::rule_at(uint32_t offset) const {
  const RuleDecl* found = nullptr;
  for (const Statement& statement : tree_.statements) {
    if (statement.span.begin > offset) break;
    const bool ended = statement.span.end <= offset && sources_.text(focus_)[statement.span.end - 1] == ';';
    found = ended ? nullptr : std::get_if<RuleDecl>(&statement.body);
  }
  return found;
}

const Token* Assist::word_at(uint32_t offset) const {
  for (const Token& token : tokens_.tokens) {
    const bool is_word = token.kind == TokenKind::kWord || token.kind == TokenKind::kSkipArrow || token.kind == TokenKind::kAnyArrow;
    if (is_word && token.span.begin <= offset && offset <= token.span.end) return &token;
  }
  return nullptr;
}

std::vector<cep::SchemaPtr> Assist::streams_in(const RuleDecl* rule) const {
  std::vector<cep::SchemaPtr> found;
  for (const auto& [name, schema] : catalog_.streams) {
    const auto reads = [&](const Input& input) { return input.stream.text == name; };
    if (rule == nullptr || rule->on.empty() || std::any_of(rule->on.begin(), rule->on.end(), reads)) found.push_back(schema);
  }
  return found;
}

std::vector<cep::SchemaPtr> Assist::streams_of(const RuleDecl* rule, const std::string& name) const {
  if (rule == nullptr) return {};
  std::string input = name;
  if (variables_of(*rule).contains(name)) {
    const Define* const define = definition_of(*rule, name);
    if (define == nullptr || !define->condition.input) return streams_in(rule);
    input = define->condition.input->text;
  }
  for (const Input& it : rule->on) {
    const auto schema = catalog_.streams.find(it.stream.text);
    if (it.known_as().text == input && schema != catalog_.streams.end()) return {schema->second};
  }
  return {};
}

std::string Assist::about_fields(const std::string& word, const std::vector<cep::SchemaPtr>& streams) const {
  std::string text;
  for (const cep::SchemaPtr& schema : streams) {
    const int column = schema->column_index(word);
    if (column < 0) continue;
    if (!text.empty()) text += "\n\n";
    text += "`" + column_text(schema->columns[static_cast<size_t>(column)]) + "`, a field of stream `" + schema->name + "`";
  }
  return text;
}

std::string Assist::about(const std::string& word, const std::string& qualifier, bool is_dataset, uint32_t offset) const {
  const RuleDecl* const rule = rule_at(offset);
  const auto dataset = catalog_.datasets.find(word);
  if (is_dataset) return dataset == catalog_.datasets.end() ? "" : dataset_text(dataset->second);
  if (!qualifier.empty()) return about_fields(word, streams_of(rule, qualifier));
  if (const Subset* const subset = subset_of(rule, word)) {
    std::string text;
    for (const Name& member : subset->members) text += (text.empty() ? "" : ", ") + print_name(member.text);
    return "subset `" + word + "`: the events of `" + text + "`";
  }
  if (rule != nullptr && variables_of(*rule).contains(word)) {
    const Define* const define = definition_of(*rule, word);
    if (define == nullptr || !define->condition.condition) return "variable `" + word + "`: fits every event";
    const std::string from = define->condition.input ? define->condition.input->text + " where " : "";
    return "variable `" + word + "`: `" + from + print(*define->condition.condition) + "`";
  }
  if (std::string field = about_fields(word, streams_in(rule)); !field.empty()) return field;
  if (const auto stream = catalog_.streams.find(word); stream != catalog_.streams.end()) {
    std::string text = "stream `" + word + "`\n";
    for (const cep::Column& column : stream->second->columns) text += "\n* `" + column_text(column) + "`";
    return text;
  }
  if (dataset != catalog_.datasets.end()) return dataset_text(dataset->second);
  if (const cep::FunctionInfo* const info = cep::find_function(word)) return "`" + usage(*info) + "`: " + std::string(info->help);
  return std::string(help_of(word));
}

std::optional<Hover> Assist::hover(uint32_t offset) const {
  const Token* const token = word_at(offset);
  if (token == nullptr) return std::nullopt;
  if (token->kind == TokenKind::kSkipArrow) return Hover{"`a -> b`: the next event that fits b; others are skipped", token->span};
  if (token->kind == TokenKind::kAnyArrow) return Hover{"`a ->> b`: every later event that fits b, each a match", token->span};
  const size_t at = static_cast<size_t>(token - tokens_.tokens.data());
  const auto before = [&](size_t back, TokenKind kind) { return at >= back && tokens_.tokens[at - back].kind == kind; };
  const bool qualified = before(1, TokenKind::kDot) && before(2, TokenKind::kWord);
  const std::string qualifier = qualified ? token_text(sources_, tokens_.tokens[at - 2]) : "";
  const std::string word = token_text(sources_, *token);
  std::string text = token->reserved ? std::string(help_of(word)) : about(word, qualifier, before(1, TokenKind::kAt), offset);
  if (text.empty()) return std::nullopt;
  return Hover{std::move(text), token->span};
}

std::vector<Completion> Assist::completions(uint32_t offset) const {
  // The token before the word that is being written.
  size_t at = 0;
  while (at < tokens_.tokens.size() && tokens_.tokens[at].kind != TokenKind::kEnd && tokens_.tokens[at].span.end < offset) ++at;
  const bool in_word = at < tokens_.tokens.size() && tokens_.tokens[at].kind == TokenKind::kWord && tokens_.tokens[at].span.begin < offset;
  const size_t next = in_word || at == tokens_.tokens.size() || tokens_.tokens[at].span.begin >= offset ? at : at + 1;
  const auto before = [&](size_t back) { return next >= back ? tokens_.tokens[next - back] : Token(); };

  std::vector<Completion> found;
  const RuleDecl* const rule = rule_at(offset);
  const auto add_fields = [&](const std::vector<cep::SchemaPtr>& streams) {
    for (const cep::SchemaPtr& schema : streams) {
      for (const cep::Column& column : schema->columns) {
        found.push_back({print_name(column.name), CompletionKind::kField, cep::type_name(column.type) + " of " + schema->name});
      }
    }
  };
  if (before(1).kind == TokenKind::kDot && before(2).kind == TokenKind::kWord) {
    add_fields(streams_of(rule, token_text(sources_, before(2))));
    return found;
  }
  if (before(1).kind == TokenKind::kDot && before(2).kind == TokenKind::kRightBracket) {
    size_t open = 2;
    for (int depth = 0; open <= next; ++open) {
      depth += before(open).kind == TokenKind::kRightBracket ? 1 : before(open).kind == TokenKind::kLeftBracket ? -1 : 0;
      if (depth == 0) break;
    }
    const auto table = catalog_.datasets.find(token_text(sources_, before(open + 1)));
    if (table == catalog_.datasets.end()) return found;
    for (const cep::Column& column : table->second.columns) {
      found.push_back({print_name(column.name), CompletionKind::kField, cep::type_name(column.type) + " of " + table->first});
    }
    return found;
  }
  for (const auto& [name, dataset] : catalog_.datasets) {
    const CompletionKind kind = dataset.is_table ? CompletionKind::kTable : CompletionKind::kList;
    found.push_back({print_name(name), kind, (dataset.is_table ? "table by " : "list of ") + types_text(dataset)});
  }
  if (before(1).kind == TokenKind::kAt) return found;
  if (rule != nullptr) {
    for (const std::string& name : variables_of(*rule)) found.push_back({print_name(name), CompletionKind::kVariable, "variable"});
  }
  add_fields(streams_in(rule));
  for (const auto& [name, schema] : catalog_.streams) found.push_back({print_name(name), CompletionKind::kStream, "stream"});
  for (const cep::FunctionInfo& info : cep::functions()) {
    found.push_back({std::string(info.name), CompletionKind::kFunction, usage(info) + ": " + std::string(info.help)});
  }
  for (const WordHelp& it : kWordHelp) found.push_back({std::string(it.word), CompletionKind::kKeyword, std::string(it.help)});
  return found;
}

}  // namespace patterns
