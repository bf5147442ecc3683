#include "service/script_crowd.h"

#include <fmt/format.h>

#include "patterns/parser.h"
#include "patterns/printer.h"

namespace service {
namespace {

// What a rule of the crowd takes over from a rule of the case.
struct Shape {
  const cep::Program* program = nullptr;
  std::string before_name, behind_name;      // its text around its name
  std::string on, partition;                 // clauses as they stand
};

Shape shape_of(const cep::Program& program) {
  patterns::SourceMap sources;
  patterns::Diagnostics diagnostics;
  const patterns::File file = patterns::parse(sources, sources.add(program.rule, program.text), diagnostics);
  const auto& rule = std::get<patterns::RuleDecl>(file.statements.front().body);
  const auto clause = [&](patterns::ClauseKind kind) {
    const auto& span = rule.clause(kind);
    return span ? std::string(sources.text(*span)) : std::string();
  };
  Shape shape;
  shape.program = &program;
  shape.before_name = program.text.substr(0, rule.name.span.begin);
  shape.behind_name = program.text.substr(rule.name.span.end);
  shape.on = clause(patterns::ClauseKind::kOn);
  shape.partition = clause(patterns::ClauseKind::kPartition);
  return shape;
}

// A condition on a column of the first input that some events fit.
std::string condition_on(const cep::StreamSchema& schema, size_t variant) {
  const cep::Column& column = schema.columns[variant % schema.columns.size()];
  const std::string name = patterns::print_name(column.name);
  switch (column.type.kind) {
    case cep::TypeKind::kText: return fmt::format("{} like '%{:c}%'", name, static_cast<char>('a' + variant % 5));
    case cep::TypeKind::kInt:
    case cep::TypeKind::kDecimal: return fmt::format("{} > {}", name, variant * variant % 700);
    case cep::TypeKind::kBool: return name;
    default: return name + " is not null";
  }
}

// Patterns, absences and windows of many lengths.
std::string matching_of(const Shape& shape, size_t variant) {
  const cep::Input& input = shape.program->inputs.front();
  const std::string from = patterns::print_name(input.alias) + " where ";
  const std::string a = from + condition_on(*input.schema, variant);
  const std::string b = from + condition_on(*input.schema, variant + 1);
  const size_t minutes = 1 + variant * variant % 90;
  switch (variant % 6) {
    case 0: return fmt::format("pattern a -> b within {} minutes define a as {}, b as {} after match no skip", minutes, a, b);
    case 1: return fmt::format("pattern a{{1,3}} strict, b within {} minutes define a as {}, b as {}", minutes, a, b);
    case 2: return fmt::format("pattern a -> not b for {} minutes define a as {}, b as {}", minutes, a, b);
    case 3: return fmt::format("pattern not b -> a within {} minutes define a as {}, b as {}", minutes, a, b);
    case 4: return fmt::format("pattern a ->> b within {} minutes define a as {}, b as {} suppress 30 minutes", minutes, a, b);
    default:
      return fmt::format("when {}count(*) over (on {} last {} minutes) > {} suppress 1 hour", from, patterns::print_name(input.alias),
                         minutes, variant % 4);
  }
}

std::string rule_text(const Shape& shape, size_t number, size_t variant) {
  const std::string name = fmt::format("\"amid {:03}\"", number);
  // A twin under another name; of a rule with `into` it would add to what the case's own rules read.
  if (variant == 0 && shape.program->into.empty()) return shape.before_name + name + shape.behind_name;
  return fmt::format("create rule {} {} {} {} alert severity low message 'amid';\n", name, shape.on, shape.partition,
                     matching_of(shape, variant));
}

// Programs know streams and columns by number.
std::string declarations(const RuleBook& book) {
  std::string text;
  for (const auto& [name, schema] : book.streams()) {
    text += fmt::format("{} {} {}", name, cep::index_of(schema->id), schema->version);
    for (const cep::Column& column : schema->columns) text += fmt::format(" {} {}", column.name, cep::type_name(column.type));
    text += "\n";
  }
  for (const auto& [name, dataset] : book.datasets()) {
    text += name;
    for (const cep::Type& type : dataset->key_types()) text += " " + cep::type_name(type);
    for (const cep::Column& column : dataset->columns()) text += fmt::format(" {} {}", column.name, cep::type_name(column.type));
    text += "\n";
  }
  return text;
}

}  // namespace

cep::Result<RuleBook> ScriptCrowd::amid(const RuleBook& own) {
  RuleBook book = own;
  std::vector<Shape> shapes;
  for (const auto& [name, entry] : own.rules()) shapes.push_back(shape_of(*entry.program));
  std::string text;
  for (size_t i = 0; i < kRules && !shapes.empty(); ++i) text += rule_text(shapes[i % shapes.size()], i, i / shapes.size());
  auto [known, is_new] = compiled_.try_emplace(declarations(own) + text);
  if (is_new) {
    patterns::SourceMap sources;
    patterns::Diagnostics diagnostics;
    patterns::Catalog catalog = own.catalog();
    const auto made = patterns::compile_file(sources, sources.add("the rules of mode amid", text), catalog, diagnostics);
    for (const patterns::Diagnostic& one : diagnostics.sorted()) {
      if (one.severity == patterns::Severity::kError) return cep::Error{"bad_crowd", patterns::to_text(sources, one)};
    }
    known->second = made->rules;
  }
  book.put_compiled(known->second);
  return book;
}

}  // namespace service
