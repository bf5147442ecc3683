// A configuration file as plain sections of named values: the one place that knows TOML. What names mean is options.h's
// business. Invariant: every value keeps the line it stands on, so that whatever is wrong with it can be found.
// Threads: plain values.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "cep/result.h"

namespace service {

using ConfigTexts = std::vector<std::string>;
using ConfigPairs = std::vector<std::pair<std::string, std::string>>;  // a table of texts, as in headers = { a = "b" }
using ConfigValue = std::variant<int64_t, bool, std::string, ConfigTexts, ConfigPairs>;

struct ConfigEntry {
  std::string key;
  ConfigValue value;
  int line = 0;
};

// [name], or one of [[name]].
struct ConfigSection {
  std::string name;
  bool repeated = false;
  int line = 0;
  std::vector<ConfigEntry> entries;  // as in the file
};

struct ConfigFile {
  std::string path;
  std::vector<ConfigSection> sections;
};

// Error: bad_config, with file and line.
cep::Result<ConfigFile> parse_config(const std::string& text, const std::string& path);

}  // namespace service
