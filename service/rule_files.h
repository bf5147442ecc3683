// Rule files from the command line: found, read, and compiled as one deployment.
// A rule file alone may lean on the declarations beside it: the nearest streams.weir and lists.weir in its directory or above are
// read too, unless the given files declare one of the same names.
// Threads: one owner.
#pragma once

#include <functional>
#include <set>
#include <string>
#include <vector>

#include "cep/result.h"
#include "patterns/diagnostic.h"
#include "patterns/source_map.h"
#include "service/dataset_text.h"
#include "service/rule_book.h"

namespace service {

struct RuleText {
  std::string name;                  // its path, or "<stdin>"
  std::string text;
};

// The whole file, "-" for the standard input. Errors: not_found, io_error.
cep::Result<std::string> read_whole_file(const std::string& path);
// Replaces the file as a whole or not at all. Errors: io_error.
cep::Status write_whole_file(const std::string& path, const std::string& text);

// The files named by `paths`, each once: a file as it is, of a directory all files with that suffix (".weir"), sorted.
// Errors: not_found, io_error.
cep::Result<std::vector<std::string>> find_files(const std::vector<std::string>& paths, const std::string& suffix);
// The nearest file of that name in `directory` or above; empty if there is none.
std::string find_above(const std::string& directory, const std::string& file_name);

// What a text declares that others may need: "stream payments", "list trusted", "table customers".
std::set<std::string> declared_names(const RuleText& text);

// Reads rule files and what they lean on.
cep::Result<std::vector<RuleText>> read_rule_files(const std::vector<std::string>& paths);
// The same for texts that are there already; `name` of each is its path, "<stdin>" leans on nothing. `read` gives the other files.
using ReadFile = std::function<cep::Result<std::string>(const std::string& path)>;
cep::Result<std::vector<RuleText>> with_declarations(std::vector<RuleText> given, const ReadFile& read = read_whole_file);

struct Compilation {
  patterns::SourceMap sources;
  patterns::Diagnostics diagnostics;
  RuleBook book;
  bool ok = false;                   // no error
};
void compile_texts(const std::vector<RuleText>& texts, Compilation& result);

// Fills a list or table from a file (dataset_text.h): a table's is CSV, a list's one element a line, or CSV if it is named so.
// Errors: not_found, unknown_dataset, wrong_type, ... with the line.
cep::Status load_dataset(const std::string& name, const std::string& path, bool is_table, RuleBook& book);

}  // namespace service
