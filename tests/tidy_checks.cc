// See tidy_checks.h. The tables (directions, libraries, bans) stand above the check that reads them.
#include "tests/tidy_checks.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <filesystem>
#include <map>
#include <set>
#include <sstream>

namespace tests {

namespace fs = std::filesystem;

// ---- Reading text -------------------------------------------------------------------------------------------------

static bool is_word(char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_'; }

// The length of the literal or comment that starts at `at`, 0 if none does.
static size_t opaque_length(std::string_view text, size_t at) {
  const auto up_to = [&](size_t end, size_t extra) {
    return (end == std::string_view::npos ? text.size() : end + extra) - at;
  };
  if (text.substr(at, 2) == "//") return up_to(text.find('\n', at), 0);
  if (text.substr(at, 2) == "/*") return up_to(text.find("*/", at + 2), 2);
  if (text.substr(at, 2) == "R\"" && (at == 0 || !is_word(text[at - 1]))) {
    const size_t open = text.find('(', at);
    if (open == std::string_view::npos) return 0;
    const std::string close = ")" + std::string(text.substr(at + 2, open - at - 2)) + "\"";
    return up_to(text.find(close, open), close.size());
  }
  const char quote = text[at];
  const bool digit_separator = quote == '\'' && at > 0 && is_word(text[at - 1]);
  if ((quote != '"' && quote != '\'') || digit_separator) return 0;
  size_t end = at + 1;
  while (end < text.size() && text[end] != quote && text[end] != '\n') end += text[end] == '\\' ? 2 : 1;
  return up_to(std::min(end, text.size() - 1), 1);
}

std::string code_only(std::string_view text) {
  std::string code(text);
  for (size_t at = 0; at < code.size();) {
    const size_t length = opaque_length(text, at);
    for (size_t i = at; i < at + length; ++i) {
      if (code[i] != '\n') code[i] = ' ';
    }
    at += std::max<size_t>(length, 1);
  }
  return code;
}

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) lines.push_back(line);
  return lines;
}

struct Include {
  std::string path;
  bool quoted = false;
  size_t line = 0;
};

static std::vector<Include> includes_of(const File& file) {
  std::vector<Include> found;
  const auto lines = lines_of(file.text);
  for (size_t i = 0; i < lines.size(); ++i) {
    if (!lines[i].starts_with("#include ")) continue;
    const size_t open = lines[i].find_first_of("<\"");
    if (open == std::string::npos) continue;
    const size_t close = lines[i].find_first_of(">\"", open + 1);
    found.push_back({lines[i].substr(open + 1, close - open - 1), lines[i][open] == '"', i + 1});
  }
  return found;
}

const std::array<std::string_view, 5> kFolders = {"cep", "patterns", "state", "api", "service"};

static std::string folder_of(std::string_view path) { return std::string(path.substr(0, path.find('/'))); }
static bool is_product(const File& file) {
  return std::find(kFolders.begin(), kFolders.end(), folder_of(file.path)) != kFolders.end();
}
static bool is_header(const File& file) { return file.path.ends_with(".h"); }
bool is_cpp(const File& file) { return is_header(file) || file.path.ends_with(".cc"); }

static std::string at(const File& file, size_t line) { return file.path + ":" + std::to_string(line) + ": "; }

// ---- Who may know whom --------------------------------------------------------------------------------------------

const std::map<std::string, std::set<std::string>> kMayInclude = {
    {"cep", {"cep"}},
    {"patterns", {"patterns", "cep"}},
    {"state", {"state", "cep"}},
    {"api", {"api", "patterns", "cep"}},
    {"service", {"service", "api", "state", "patterns", "cep"}},
    {"tests", {"tests", "service", "api", "state", "patterns", "cep"}},
};

Complaints check_directions(const Files& files) {
  Complaints complaints;
  for (const File& file : files) {
    const auto allowed = kMayInclude.find(folder_of(file.path));
    if (!is_cpp(file) || allowed == kMayInclude.end()) continue;
    for (const Include& include : includes_of(file)) {
      const bool to_tree = include.quoted || kMayInclude.contains(folder_of(include.path));
      if (!to_tree || allowed->second.contains(folder_of(include.path))) continue;
      complaints.push_back(at(file, include.line) + allowed->first + " may not include \"" + include.path +
                           "\": our headers are written \"folder/file.h\", directions are in ARCHITECTURE.md");
    }
  }
  return complaints;
}

struct Library {
  std::string_view prefix;  // of the path in an #include line
  size_t files_max;         // files of the product that may include it
  std::set<std::string> folders;
};
constexpr size_t kAnyNumber = 1'000;
const std::vector<Library> kLibraries = {
    {"re2/", 2, {"cep", "patterns"}},
    {"date/", 1, {"cep"}},
    {"openssl/", 3, {"cep", "api", "service"}},
    {"xxhash.h", 3, {"cep", "state"}},
    {"lmdb.h", 1, {"state"}},
    {"simdjson", 1, {"api"}},
    {"boost/beast", 2, {"api"}},
    {"boost/asio", 8, {"api", "service"}},
    {"boost/", kAnyNumber, {"api", "service"}},
    {"fmt/", kAnyNumber, {"api", "service"}},
    {"librdkafka/", 2, {"service"}},
    {"curl/", 2, {"service"}},
    {"toml++/", 1, {"service"}},
    {"CLI/", kAnyNumber, {"service"}},
    {"prometheus/", 2, {"service"}},
    {"spdlog/", kAnyNumber, {"service"}},
    {"zstd.h", 1, {"service"}},
    {"zlib.h", 1, {"service"}},
};

// The first that fits, so a narrow prefix stands before a wide one.
static const Library* library_of(const std::string& include) {
  for (const Library& library : kLibraries) {
    if (include.starts_with(library.prefix)) return &library;
  }
  return nullptr;
}

Complaints check_libraries(const Files& files) {
  Complaints complaints;
  std::map<std::string_view, std::set<std::string>> users;
  for (const File& file : files) {
    if (!is_cpp(file) || !is_product(file)) continue;
    const std::string folder = folder_of(file.path);
    for (const Include& include : includes_of(file)) {
      if (include.quoted) continue;
      const Library* library = library_of(include.path);
      if (library != nullptr) users[library->prefix].insert(file.path);
      if (library != nullptr && !library->folders.contains(folder)) {
        complaints.push_back(at(file, include.line) + folder + " may not include <" + include.path + ">");
      }
      const bool standard = include.path.find_first_of("./") == std::string::npos;
      const bool pure = folder == "cep" || folder == "patterns";
      // inet_pton reads an address and asks the system nothing.
      const bool address_text = file.path == "cep/parse.cc" && include.path == "arpa/inet.h";
      if (library == nullptr && !standard && pure && !include.path.ends_with("intrin.h") && !address_text) {
        complaints.push_back(at(file, include.line) + folder + " knows the C++ standard library only, not <" +
                             include.path + ">: no system calls, no other library");
      }
    }
  }
  for (const Library& library : kLibraries) {
    const auto& paths = users[library.prefix];
    if (paths.size() <= library.files_max) continue;
    std::string complaint = std::string(library.prefix) + " is included by more than " +
                            std::to_string(library.files_max) + " files; wrap it in one:";
    for (const std::string& path : paths) complaint += " " + path;
    complaints.push_back(complaint);
  }
  return complaints;
}

// ---- Sizes --------------------------------------------------------------------------------------------------------

// The lines of the function or block that ends with a lone brace on line `close`: back to the previous line with the
// same indent, for between the two everything is indented deeper. 0 for a namespace or a type.
static size_t block_lines(const std::vector<std::string>& code, size_t close, size_t indent) {
  for (size_t i = close; i-- > 0;) {
    const size_t depth = code[i].find_first_not_of(' ');
    if (depth == std::string::npos || depth > indent || code[i][depth] == '#') continue;
    if (depth < indent || code[i][depth] == '}') return 0;
    for (const std::string_view keyword : {"namespace", "extern", "class", "struct", "enum", "union"}) {
      if (std::string_view(code[i]).substr(depth).starts_with(keyword) && code[i].find('(') == std::string::npos)
        return 0;
    }
    return close - i + 1;
  }
  return 0;
}

Complaints check_sizes(const Files& files) {
  Complaints complaints;
  for (const File& file : files) {
    if (!is_cpp(file)) continue;
    const auto lines = lines_of(file.text);
    const size_t most = is_header(file) ? kHeaderLinesMax : kSourceLinesMax;
    if (lines.size() > most) {
      complaints.push_back(file.path + ": " + std::to_string(lines.size()) + " lines, at most " + std::to_string(most) +
                           ": split it by idea");
    }
    for (size_t i = 0; i < lines.size(); ++i) {
      const auto points = std::count_if(lines[i].begin(), lines[i].end(), [](char c) { return (c & 0xC0) != 0x80; });
      if (static_cast<size_t>(points) > kColumnsMax) {
        complaints.push_back(at(file, i + 1) + std::to_string(points) + " columns, at most " +
                             std::to_string(kColumnsMax));
      }
    }
    if (!is_product(file)) continue;
    const auto code = lines_of(code_only(file.text));
    for (size_t i = 0; i < code.size(); ++i) {
      const size_t indent = code[i].find_first_not_of(' ');
      if (indent > 2 || indent == std::string::npos || code[i].find_last_not_of(' ') != indent ||
          code[i][indent] != '}')
        continue;
      const size_t length = block_lines(code, i, indent);
      if (length <= kFunctionLinesMax) continue;
      complaints.push_back(at(file, i + 2 - length) + "a function of " + std::to_string(length) + " lines, at most " +
                           std::to_string(kFunctionLinesMax));
    }
  }
  return complaints;
}

Complaints check_headings(const Files& files) {
  std::set<std::string> headers;
  for (const File& file : files) {
    if (is_header(file)) headers.insert(file.path);
  }
  Complaints complaints;
  for (const File& file : files) {
    if (!is_cpp(file)) continue;
    const bool told_by_header = headers.contains(fs::path(file.path).replace_extension(".h").generic_string());
    if (!file.text.starts_with("//") && (is_header(file) || !told_by_header)) {
      complaints.push_back(file.path + ": begins with no comment on what it is");
    }
    if (!is_product(file)) continue;
    if (is_header(file) && file.text.find("\n#pragma once\n") == std::string::npos) {
      complaints.push_back(file.path + ": has no #pragma once");
    }
    for (const auto& [folder, allowed] : kMayInclude) {
      if (folder == folder_of(file.path) || file.text.find("\nnamespace " + folder + " {") == std::string::npos)
        continue;
      complaints.push_back(file.path + ": adds to namespace " + folder + ", which is another folder's");
    }
    const auto stranger = [](char c) { return std::isupper(static_cast<unsigned char>(c)) != 0 || c == '-'; };
    const std::string name = fs::path(file.path).filename().string();
    if (std::any_of(name.begin(), name.end(), stranger)) {
      complaints.push_back(file.path + ": file names are snake_case");
    }
  }
  return complaints;
}

// ---- Banned calls -------------------------------------------------------------------------------------------------

struct Ban {
  std::vector<std::string_view> words;
  std::vector<std::string_view> where;  // beginnings of paths
  std::string_view instead;
  std::vector<std::string_view> except = {};  // beginnings of paths
};
const std::vector<std::string_view> kEverywhere = {"cep/", "patterns/", "state/", "api/", "service/", "tests/"};
const std::vector<std::string_view> kProduct = {"cep/", "patterns/", "state/", "api/", "service/"};
const std::vector<std::string_view> kPure = {"cep/", "patterns/"};
const std::vector<Ban> kBans = {
    {{"system_clock", "gettimeofday(", "clock_gettime(", "time(nullptr", "time(NULL", "time(0)", "std::time("},
     {"cep/", "patterns/", "api/"},
     "alerts are a function of the log: take the time from the event or as an argument"},
    {{"steady_clock", "high_resolution_clock"}, kPure, "no clock here: take the time from the event or as an argument"},
    {{"std::thread", "std::jthread", "std::async", "std::mutex", "std::shared_mutex", "std::condition_variable"},
     {"cep/", "patterns/", "api/"},
     "one engine, one owner: threads and locks belong to service"},
    {{"random_device"},
     {"cep/", "patterns/", "state/"},
     "no randomness in matching: derive it from the data or a seed"},
    {{"fopen(", "ifstream", "ofstream", "std::fstream", "std::filesystem", "::open("},
     kPure,
     "no files here: take text or bytes as an argument"},
    {{"fopen(", "ifstream", "ofstream", "::open(", "pwrite(", "fsync(", "fdatasync(", "ftruncate("},
     {"state/"},
     "state/file is the one door to the OS, so that its faulty twin sees every call",
     {"state/file"}},
    {{"std::cout", "std::cerr", "printf("},
     {"cep/", "patterns/", "state/", "api/"},
     "return a value; service prints and logs"},
    {{"sleep_for(", "sleep_until(", "usleep(", "nanosleep("},
     {"cep/", "patterns/", "state/", "api/", "tests/unit/cep/", "tests/unit/patterns/", "tests/unit/state/",
      "tests/unit/api/"},
     "time is logical: advance it by an argument"},
    {{"throw"}, kProduct, "an error a user, rule, network or disk can cause is a cep::Result"},
    {{"assert(", "std::abort("}, kProduct, "WEIR_CHECK, which holds in release builds too", {"cep/result.h"}},
    {{"std::stoi(", "std::stol(", "std::stoll(", "std::stoul(", "std::stoull(", "std::stod(", "std::stof(", "atoi(",
      "atol(", "atof(", "strtod(", "strtol(", "sscanf("},
     kProduct,
     "std::from_chars, which neither throws nor asks the locale, and check where it stopped"},
    {{"const_cast"}, kEverywhere, "take a mutable reference, or copy (zlib: ZLIB_CONST)", {"state/env."}},
    {{"rand(", "srand(", "drand48("}, kEverywhere, "std::mt19937_64 with a seed that is printed"},
    {{"std::regex"}, kEverywhere, "RE2, whose time is bounded"},
    {{"using namespace std;"}, kEverywhere, "name what you use"},
    {{"sprintf(", "vsprintf("}, kEverywhere, "fmt::format in api and service, std::to_chars elsewhere"},
    {{"strcpy(", "strcat(", "strncpy(", "strncat(", "strtok(", "gets(", "alloca("},
     kEverywhere,
     "std::string, std::string_view"},
    {{"gmtime(", "localtime(", "mktime(", "strftime(", "setlocale("},
     kEverywhere,
     "date, which knows zones and shares no state"},
    {{"system(", "popen("}, kProduct, "no shell is started by the service"},
    {{"std::endl"}, kEverywhere, "'\\n'"},
    {{"std::bind"}, kEverywhere, "a lambda"},
};

static bool begins_with_any(const std::string& path, const std::vector<std::string_view>& beginnings) {
  return std::any_of(beginnings.begin(), beginnings.end(), [&](std::string_view b) { return path.starts_with(b); });
}

// A whole word, not a member's or another's name: not after '.', '->' or a letter, nor followed by a letter.
static bool has_word(const std::string& line, std::string_view word) {
  for (size_t found = line.find(word); found != std::string::npos; found = line.find(word, found + 1)) {
    const char before = found == 0 ? ' ' : line[found - 1];
    const size_t end = found + word.size();
    const bool member = before == '.' || (before == '>' && found > 1 && line[found - 2] == '-');
    const bool longer_before = is_word(before) && is_word(word.front());
    const bool other_scope = word.starts_with("::") && (is_word(before) || before == '>');
    const bool longer_after = is_word(word.back()) && end < line.size() && is_word(line[end]);
    if (!member && !longer_before && !other_scope && !longer_after) return true;
  }
  return false;
}

Complaints check_bans(const Files& files) {
  Complaints complaints;
  for (const File& file : files) {
    if (!is_cpp(file)) continue;
    const auto lines = lines_of(code_only(file.text));
    for (const Ban& ban : kBans) {
      if (!begins_with_any(file.path, ban.where) || begins_with_any(file.path, ban.except)) continue;
      for (size_t i = 0; i < lines.size(); ++i) {
        for (const std::string_view word : ban.words) {
          if (!has_word(lines[i], word)) continue;
          complaints.push_back(at(file, i + 1) + "no " + std::string(word) +
                               " here. Instead: " + std::string(ban.instead));
        }
      }
    }
  }
  return complaints;
}

Complaints check_unfinished(const Files& files) {
  Complaints complaints;
  for (const File& file : files) {
    if (!is_cpp(file) || file.path.starts_with("tests/tidy_")) continue;
    const auto lines = lines_of(file.text);
    for (size_t i = 0; i < lines.size(); ++i) {
      for (const std::string_view word : {"TODO", "FIXME"}) {
        if (!has_word(lines[i], word)) continue;
        complaints.push_back(at(file, i + 1) + std::string(word) + ": do it, or answer with a clear error");
      }
    }
  }
  return complaints;
}

// ---- The tree -----------------------------------------------------------------------------------------------------

Complaints check_rules_have_tests(const Files& files) {
  std::set<std::string> paths;
  for (const File& file : files) paths.insert(file.path);
  Complaints complaints;
  for (const std::string& path : paths) {
    if (!path.starts_with("rules/") || !path.ends_with(".weir")) continue;
    const std::string name = fs::path(path).filename().string();
    const std::string test = path.substr(0, path.size() - std::string_view("weir").size()) + "test";
    if (name == "streams.weir" || name == "lists.weir" || paths.contains(test)) continue;
    complaints.push_back(path + ": has no " + test + " that shows a hit and a near miss");
  }
  return complaints;
}

const std::set<std::string> kTopLevel = {"CMakeLists.txt",
                                         "cep",
                                         "patterns",
                                         "service",
                                         "state",
                                         "api",
                                         "tests",
                                         "rules",
                                         "Dockerfile",
                                         "README.md",
                                         "LICENSE",
                                         ".ci",
                                         ".clang-format",
                                         ".clang-tidy",
                                         ".gitignore",
                                         "docs",
                                         "deploy",
                                         "editors",
                                         "Makefile",
                                         "ARCHITECTURE.md",
                                         "CMakePresets.json"};

Complaints check_top_level(const Files& files) {
  std::set<std::string> seen;
  for (const File& file : files) seen.insert(folder_of(file.path));
  Complaints complaints;
  for (const std::string& name : seen) {
    if (!kTopLevel.contains(name))
      complaints.push_back(name + ": not at the root; it holds what a newcomer needs, no more");
  }
  return complaints;
}

Complaints check_file_bytes(const Files& files) {
  Complaints complaints;
  for (const File& file : files) {
    if (file.bytes > kFileBytesMax)
      complaints.push_back(file.path + ": larger than 1 MB: generate it, or keep a sample");
  }
  return complaints;
}

}  // namespace tests
