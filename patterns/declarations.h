// `create stream`, `create list`, `create table`: checks a declaration and adds it to a catalogue (R68, R73).
// Threads: one owner; lives for one compilation.
#pragma once

#include <optional>

#include "patterns/ast.h"
#include "patterns/catalog.h"
#include "patterns/diagnostic.h"

namespace patterns {

// The schema if it is new or changed; it is in the catalogue then. After an error the catalogue may hold the
// declaration all the same, so that the rules on it are not reported as well.
cep::SchemaPtr declare_stream(const StreamDecl& decl, Catalog& catalog, Diagnostics& diagnostics);
std::optional<DatasetDeclaration> declare_list(const ListDecl& decl, Catalog& catalog, Diagnostics& diagnostics);
std::optional<DatasetDeclaration> declare_table(const TableDecl& decl, Catalog& catalog, Diagnostics& diagnostics);
void report_unknown_column(const DatasetDeclaration& table, const Name& name, Diagnostics& diagnostics);
// Lints of a declaration.
void lint_stream(const StreamDecl& decl, Diagnostics& diagnostics);

}  // namespace patterns
