// Lists and tables as they were when the retained log began, for a warm start that reads it from there (R74): the present ones with every
// edit of the log undone. Edits say what they replaced, so one pass over the log is enough and no version is kept anywhere.
// Threads: plain value.
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "service/registry.h"
#include "state/file.h"

namespace service {

class DatasetHistory {
 public:
  // `now`: the registry as of `end`, whose datasets are asked about.
  static cep::Result<DatasetHistory> read(state::FileSystem& files, const std::string& log_dir, uint64_t begin, uint64_t end,
                                          const Registry& now);

  // Sets the registry's datasets back to where the log begins.
  cep::Status rewind(Registry& registry) const;
  // Whether an edit of the dataset at that offset was one of what has the name now.
  bool is_of_present(const std::string& dataset, uint64_t offset) const;

 private:
  void take(const DatasetChange& change);
  void take(const RulesChange& change, uint64_t offset);
  void begin_anew(const std::string& name, uint64_t offset);

  using Before = std::map<std::vector<std::string>, std::optional<cep::EntryText>>;
  std::map<std::string, Before> before_;        // by dataset and key: what the first edit of the log replaced
  std::map<std::string, uint64_t> began_;       // where in the log what has the name now was declared, or its forerunner dropped
};

}  // namespace service
