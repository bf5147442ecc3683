#include "patterns/compile.h"

#include <algorithm>

#include "patterns/checker.h"
#include "patterns/checker_into.h"
#include "patterns/compiler.h"
#include "patterns/declarations.h"
#include "patterns/lints.h"
#include "patterns/parser.h"
#include "patterns/printer.h"

namespace patterns {
namespace {

std::string_view kind_name(DropKind kind) {
  switch (kind) {
    case DropKind::kRule: return "rule";
    case DropKind::kStream: return "stream";
    case DropKind::kList: return "list";
    case DropKind::kTable: return "table";
  }
  return "rule";
}

class Deployer {
 public:
  Deployer(const SourceMap& sources, Catalog catalog, Diagnostics& diagnostics)
      : sources_(sources), diagnostics_(diagnostics), catalog_(std::move(catalog)) {}

  void declare(const Statement& statement) {
    if (const auto* stream = std::get_if<StreamDecl>(&statement.body)) {
      if (!first_of_name("stream", stream->name)) return;
      if (cep::SchemaPtr schema = declare_stream(*stream, catalog_, diagnostics_)) {
        if (schema->from_rules) changed_.push_back({schema, stream->name.span});
        out_.streams.push_back(schema);
      }
      lint_stream(*stream, diagnostics_);
    } else if (const auto* list = std::get_if<ListDecl>(&statement.body)) {
      if (first_of_name("list", list->name)) keep(declare_list(*list, catalog_, diagnostics_));
    } else if (const auto* table = std::get_if<TableDecl>(&statement.body)) {
      if (first_of_name("table", table->name)) keep(declare_table(*table, catalog_, diagnostics_));
    }
  }

  // Whether the type of some column of its streams was wrong, which was said where it stands.
  bool reads_untyped(const CheckedRule& rule) const {
    return std::any_of(catalog_.untyped.begin(), catalog_.untyped.end(), [&](const auto& column) {
      return std::any_of(rule.names.inputs.begin(), rule.names.inputs.end(),
                         [&](const auto& input) { return input.schema && input.schema->name == column.first; });
    });
  }

  void rule(const Statement& statement) {
    const auto* decl = std::get_if<RuleDecl>(&statement.body);
    if (!decl || !first_of_name("rule", decl->name)) return;
    const CheckedRule checked = check_rule(*decl, catalog_, sources_, diagnostics_);
    // Lints of a rule that is wrong would be guesses; so would be those of a rule that could not be read. Once
    // errors were dropped nobody knows whose they were.
    const bool whole = !checked.names.inputs.empty() && (checked.core || checked.names.is_when);
    if (!whole || reads_untyped(checked) || errors_in(statement.span) != 0 || diagnostics_.dropped_errors()) return;
    CompiledRule made;
    made.name = decl->name.text;
    made.shadow = decl->shadow;
    made.text = print(statement);
    made.program = compile_rule(checked, made.text);
    lint_rule(checked, *made.program, diagnostics_);
    RuleUse use;
    for (const cep::Input& input : made.program->inputs) use.streams.insert(input.schema->name);
    use.datasets.insert(made.program->datasets.begin(), made.program->datasets.end());
    use.into = made.program->into;
    use.outputs = checked.outputs;
    if (decl->into) clauses_.push_back({made.name, decl->into->span});
    catalog_.rules[made.name] = std::move(use);
    out_.rules.push_back(std::move(made));
  }

  void drop(const Statement& statement) {
    const auto* decl = std::get_if<DropDecl>(&statement.body);
    if (!decl) return;
    const std::string& name = decl->name.text;
    if (!erase(decl->kind, name)) {
      Diagnostic& it = diagnostics_.add(Code::kUnknownDrop, decl->name.span, {kind_name(decl->kind), name});
      it.hint = did_you_mean(name, names_of(decl->kind));
      for (const DropKind kind : {DropKind::kRule, DropKind::kStream, DropKind::kList, DropKind::kTable}) {
        const std::vector<std::string> others = names_of(kind);
        const bool is_there = std::find(others.begin(), others.end(), name) != others.end();
        if (is_there) it.hint = "it is a " + std::string(kind_name(kind)) + ": `drop " + std::string(kind_name(kind)) + " " + name + "`";
      }
      return;
    }
    for (const auto& [rule, use] : catalog_.rules) {
      const bool used = (decl->kind == DropKind::kStream && (use.streams.count(name) || use.into == name)) ||
                        ((decl->kind == DropKind::kList || decl->kind == DropKind::kTable) && use.datasets.count(name));
      if (!used) continue;
      diagnostics_.add(Code::kInUse, decl->name.span, {kind_name(decl->kind), name, "rule `" + rule + "`"});
      return;
    }
    out_.drops.push_back({decl->kind, name});
  }

  // What no statement says alone: rules that feed each other, and rules of old that fill a stream which changes now.
  void whole() {
    for (const auto& [schema, span] : changed_) check_feeders(*schema, span, others(), diagnostics_);
    std::erase_if(clauses_, [&](const IntoClause& clause) { return !catalog_.rules.contains(clause.rule); });
    check_hops(catalog_, clauses_, diagnostics_);
  }

  Deployment take_deployment() { return std::move(out_); }
  Catalog take_catalog() { return std::move(catalog_); }

 private:
  // The catalogue's rules that this text does not create: those were checked against the streams as they are now.
  Catalog others() const {
    Catalog others;
    for (const auto& [name, use] : catalog_.rules) {
      const bool is_own = std::any_of(out_.rules.begin(), out_.rules.end(), [&](const CompiledRule& rule) { return rule.name == name; });
      if (!is_own) others.rules[name] = use;
    }
    return others;
  }

  bool first_of_name(std::string_view kind, const Name& name) {
    for (const auto& [known_kind, known] : created_) {
      if (known_kind != kind || known.text != name.text) continue;
      diagnostics_.add(Code::kTwiceInFile, name.span, {kind, name.text})
          .notes.push_back({"first written here", known.span});
      return false;
    }
    created_.push_back({kind, name});
    return true;
  }

  size_t errors_in(const Span& span) const {
    const std::vector<Diagnostic>& all = diagnostics_.in_order_of_arrival();
    return static_cast<size_t>(std::count_if(all.begin(), all.end(), [&](const Diagnostic& d) {
      return d.severity == Severity::kError && d.span.file == span.file && d.span.begin >= span.begin &&
             d.span.begin <= span.end;
    }));
  }

  bool erase(DropKind kind, const std::string& name) {
    switch (kind) {
      case DropKind::kRule: return catalog_.rules.erase(name) > 0;
      case DropKind::kStream: return catalog_.streams.erase(name) > 0;
      case DropKind::kList:
      case DropKind::kTable: break;
    }
    const auto dataset = catalog_.datasets.find(name);
    if (dataset == catalog_.datasets.end() || dataset->second.is_table != (kind == DropKind::kTable)) return false;
    catalog_.datasets.erase(dataset);
    return true;
  }

  void keep(std::optional<DatasetDeclaration> made) {
    if (made) out_.datasets.push_back(std::move(*made));
  }

  std::vector<std::string> names_of(DropKind kind) const {
    std::vector<std::string> names;
    const auto collect = [&](const auto& things) {
      for (const auto& [name, thing] : things) names.push_back(name);
    };
    if (kind == DropKind::kRule) collect(catalog_.rules);
    if (kind == DropKind::kStream) collect(catalog_.streams);
    for (const auto& [name, dataset] : catalog_.datasets) {
      if (kind == (dataset.is_table ? DropKind::kTable : DropKind::kList)) names.push_back(name);
    }
    return names;
  }

  const SourceMap& sources_;
  Diagnostics& diagnostics_;
  Catalog catalog_;
  Deployment out_;
  std::vector<std::pair<std::string_view, Name>> created_;
  std::vector<IntoClause> clauses_;
  std::vector<std::pair<cep::SchemaPtr, Span>> changed_;     // streams `from rules`
};

}  // namespace

std::optional<Deployment> compile_files(const SourceMap& sources, std::span<const FileId> files, Catalog& catalog,
                                        Diagnostics& diagnostics) {
  const size_t errors_before = diagnostics.errors();
  std::vector<File> trees;
  for (const FileId file : files) trees.push_back(parse(sources, file, diagnostics));
  Deployer deployer(sources, catalog, diagnostics);
  const auto each = [&](auto step) {
    for (const File& tree : trees) {
      for (const Statement& statement : tree.statements) (deployer.*step)(statement);
    }
  };
  each(&Deployer::declare);
  each(&Deployer::rule);
  each(&Deployer::drop);
  deployer.whole();
  for (const File& tree : trees) apply_allows(tree, diagnostics);
  if (diagnostics.errors() != errors_before) return std::nullopt;
  catalog = deployer.take_catalog();
  return deployer.take_deployment();
}

std::optional<Deployment> compile_file(const SourceMap& sources, FileId file, Catalog& catalog,
                                       Diagnostics& diagnostics) {
  return compile_files(sources, {&file, 1}, catalog, diagnostics);
}

}  // namespace patterns
