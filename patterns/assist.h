// What an editor asks about a rule text at a place in it: what this is, and what could stand here. Works on text that is being written:
// whatever can be read is known, and nothing is an error.
// Invariant: pure; the texts must outlive it. O(text) to make, then O(names).
// Threads: plain value.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "patterns/ast.h"
#include "patterns/catalog.h"
#include "patterns/lexer.h"

namespace patterns {

struct Hover {
  std::string text;      // Markdown
  Span span;
};

enum class CompletionKind : uint8_t { kKeyword, kFunction, kField, kVariable, kStream, kList, kTable };
struct Completion {
  std::string label;
  CompletionKind kind = CompletionKind::kKeyword;
  std::string detail;    // one line
};

class Assist {
 public:
  // `files` declare streams, lists and tables, `focus` (one of them) is the text that is asked about.
  Assist(const SourceMap& sources, std::span<const FileId> files, FileId focus);

  // Of the word at or right before `offset`; none where there is no word, or one that nobody knows.
  std::optional<Hover> hover(uint32_t offset) const;
  // What may be written at `offset`: behind `@` lists and tables, behind `v.` fields of v, behind `@table[key].` columns, else every word,
  // function and name that is in reach.
  std::vector<Completion> completions(uint32_t offset) const;

 private:
  const RuleDecl* rule_at(uint32_t offset) const;
  const Token* word_at(uint32_t offset) const;
  // Streams whose events `name` is about in that rule: of a variable, of an input, or the stream of that name.
  std::vector<cep::SchemaPtr> streams_of(const RuleDecl* rule, const std::string& name) const;
  // Those that the rule reads; without a rule all there are.
  std::vector<cep::SchemaPtr> streams_in(const RuleDecl* rule) const;
  std::string about(const std::string& word, const std::string& qualifier, bool is_dataset, uint32_t offset) const;
  std::string about_fields(const std::string& word, const std::vector<cep::SchemaPtr>& streams) const;

  const SourceMap& sources_;
  FileId focus_;
  Catalog catalog_;
  File tree_;
  Tokens tokens_;
};

}  // namespace patterns
