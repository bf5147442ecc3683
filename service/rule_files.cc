#include "service/rule_files.h"

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <set>

#include "patterns/parser.h"
#include "service/byte_source.h"

namespace service {
namespace {

namespace fs = std::filesystem;

// "a","b, c" -> a | b, c. A field in double quotes may hold commas, and "" for a quote.

}  // namespace

cep::Result<std::string> read_whole_file(const std::string& path) {
  cep::Result<std::unique_ptr<ByteSource>> source = ByteSource::open(path);
  if (!source) return source.error();
  std::string text;
  while (true) {
    const cep::Result<bool> more = (*source)->read(text);
    if (!more) return more.error();
    if (!*more) return text;
  }
}

cep::Status write_whole_file(const std::string& path, const std::string& text) {
  const std::string draft = path + ".new";
  {
    std::ofstream out(draft, std::ios::binary | std::ios::trunc);
    out << text;
    out.flush();
    if (!out) return cep::Error{"io_error", draft + ": cannot be written"};
  }
  std::error_code error;
  fs::rename(draft, path, error);
  if (error) return cep::Error{"io_error", path + ": " + error.message()};
  return cep::ok_status();
}

cep::Result<std::vector<std::string>> find_files(const std::vector<std::string>& paths, const std::string& suffix) {
  std::vector<std::string> files;
  for (const std::string& path : paths) {
    std::error_code error;
    if (path != "-" && !fs::exists(path, error)) return cep::Error{"not_found", path + ": No such file or directory"};
    if (path == "-" || !fs::is_directory(path, error)) {
      files.push_back(path);
      continue;
    }
    std::vector<std::string> found;
    for (auto entry = fs::recursive_directory_iterator(path, error);
         !error && entry != fs::recursive_directory_iterator(); entry.increment(error)) {
      // Hidden is what editors keep, and where Kubernetes keeps what the names of a mounted ConfigMap point to: they would be there twice.
      if (entry->path().filename().native().starts_with('.')) {
        entry.disable_recursion_pending();
        continue;
      }
      if (entry->is_regular_file() && entry->path().string().ends_with(suffix)) found.push_back(entry->path().string());
    }
    if (error) return cep::Error{"io_error", path + ": " + error.message()};
    std::sort(found.begin(), found.end());
    files.insert(files.end(), found.begin(), found.end());
  }
  std::set<std::string> seen;
  std::erase_if(
      files, [&](const std::string& file) { return !seen.insert(fs::path(file).lexically_normal().string()).second; });
  return files;
}

std::string find_above(const std::string& directory, const std::string& file_name) {
  std::error_code error;
  fs::path at = fs::absolute(directory.empty() ? "." : directory, error).lexically_normal();
  while (true) {
    if (fs::is_regular_file(at / file_name, error)) return (at / file_name).string();
    if (!at.has_relative_path()) return "";
    at = at.parent_path();
  }
}

std::set<std::string> declared_names(const RuleText& text) {
  patterns::SourceMap sources;
  patterns::Diagnostics diagnostics;
  const patterns::File file = patterns::parse(sources, sources.add(text.name, text.text), diagnostics);
  std::set<std::string> names;
  for (const patterns::Statement& statement : file.statements) {
    if (const auto* stream = std::get_if<patterns::StreamDecl>(&statement.body))
      names.insert("stream " + stream->name.text);
    if (const auto* list = std::get_if<patterns::ListDecl>(&statement.body)) names.insert("list " + list->name.text);
    if (const auto* table = std::get_if<patterns::TableDecl>(&statement.body))
      names.insert("table " + table->name.text);
  }
  return names;
}

cep::Result<std::vector<RuleText>> read_rule_files(const std::vector<std::string>& paths) {
  const cep::Result<std::vector<std::string>> files = find_files(paths, ".weir");
  if (!files) return files.error();
  std::vector<RuleText> given;
  for (const std::string& path : *files) {
    cep::Result<std::string> text = read_whole_file(path);
    if (!text) return text.error();
    given.push_back({path == "-" ? "<stdin>" : path, std::move(text).value()});
  }
  return with_declarations(std::move(given));
}

cep::Result<std::vector<RuleText>> with_declarations(std::vector<RuleText> given, const ReadFile& read) {
  std::set<std::string> names;
  std::set<std::string> given_paths;
  std::set<std::string> leaned_on;
  for (const RuleText& text : given) {
    names.merge(declared_names(text));
    if (text.name == "<stdin>") continue;
    given_paths.insert(fs::absolute(text.name).lexically_normal().string());
    const std::string directory = fs::path(text.name).parent_path().string();
    for (const char* const name : {"streams.weir", "lists.weir"}) leaned_on.insert(find_above(directory, name));
  }
  std::vector<RuleText> texts;
  for (const std::string& path : leaned_on) {
    if (path.empty() || given_paths.contains(path)) continue;
    cep::Result<std::string> text = read(path);
    if (!text) return text.error();
    RuleText context{fs::path(path).lexically_relative(fs::current_path()).string(), std::move(text).value()};
    const std::set<std::string> declared = declared_names(context);
    const auto is_given = [&](const std::string& name) { return names.contains(name); };
    if (std::none_of(declared.begin(), declared.end(), is_given)) texts.push_back(std::move(context));
  }
  texts.insert(texts.end(), std::make_move_iterator(given.begin()), std::make_move_iterator(given.end()));
  return texts;
}

void compile_texts(const std::vector<RuleText>& texts, Compilation& result) {
  std::vector<patterns::FileId> files;
  for (const RuleText& text : texts) files.push_back(result.sources.add(text.name, text.text));
  std::vector<cep::ProgramId> started;
  result.ok = result.book.compile(result.sources, files, result.diagnostics, started);
}

cep::Status load_dataset(const std::string& name, const std::string& path, bool is_table, RuleBook& book) {
  const cep::Dataset* const dataset = book.dataset(name, is_table);
  if (dataset == nullptr) {
    return cep::Error{"unknown_dataset", std::string("no rule file declares a ") + (is_table ? "table `" : "list `") + name + "`"};
  }
  const cep::Result<std::string> text = read_whole_file(path);
  if (!text) return text.error();
  const bool is_csv = is_table || path.ends_with(".csv") || path.ends_with(".csv.gz") || path.ends_with(".csv.zst");
  cep::Result<std::vector<DatasetChange::Edit>> entries = read_entries(*dataset, *text, is_csv ? EntryForm::kCsv : EntryForm::kLines);
  if (!entries) return cep::Error{entries.error().code, path + ": " + entries.error().message};
  return book.edit({name, "", 0, std::move(*entries)});
}

}  // namespace service
