// The front door of the language: text in, programs out, against a catalogue that it brings up to date.
// Invariant: all or nothing. With an error in any statement nothing is deployed and the catalogue is as it was; all
// problems of all statements are reported at once, each once. Threads: pure but for its arguments.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "cep/program.h"
#include "patterns/ast.h"
#include "patterns/catalog.h"
#include "patterns/diagnostic.h"
#include "patterns/source_map.h"

namespace patterns {

struct CompiledRule {
  std::string name;
  bool shadow = false;
  cep::ProgramPtr program;
  std::string text;  // canonical print of the statement
};

struct Drop {
  DropKind kind = DropKind::kRule;
  std::string name;
};

// What the texts ask for. Declarations are in force before the rules, and drops come last.
struct Deployment {
  std::vector<cep::SchemaPtr> streams;  // new or changed
  std::vector<DatasetDeclaration> datasets;  // new
  std::vector<CompiledRule> rules;
  std::vector<Drop> drops;
};

// Compiles all statements of the files as one deployment; a rule may stand before the streams it reads.
std::optional<Deployment> compile_files(const SourceMap& sources, std::span<const FileId> files, Catalog& catalog,
                                        Diagnostics& diagnostics);
std::optional<Deployment> compile_file(const SourceMap& sources, FileId file, Catalog& catalog,
                                       Diagnostics& diagnostics);

}  // namespace patterns
