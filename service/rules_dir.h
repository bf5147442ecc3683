// Rules on disk: the statements of the rule directories, applied as one deployment at start, on SIGHUP and by POST /v1/reload.
// Invariant: a statement whose text is the one last applied from disk under its name is left alone, so what was changed over the API
// is not undone by an unchanged file; a statement that vanished drops nothing. All or nothing.
// Threads: apply from any; the work happens on the lane's work thread, and `done` is called there.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "service/lane.h"
#include "state/admin_store.h"

namespace service {

struct ReloadResult {
  bool ok = false;
  std::vector<std::string> applied;      // "rule card_testing": new or changed on disk since the last time
  std::vector<std::string> unchanged;
  std::vector<std::string> orphans;      // applied from disk once, no longer there, still in force unless dropped
  DeployResult deployed;                 // of what was applied
  cep::Status status = cep::ok_status(); // Error: files, disk, stopping. ok() and !ok: the texts are wrong, see the diagnostics
  std::string diagnostics_json = "[]";   // errors and warnings, placed in the files
  std::string diagnostics_text;          // the same for a terminal
};

class RulesDir {
 public:
  // `paths`: directories, or files. Lane and store outlive it.
  RulesDir(Lane& lane, state::AdminStore& store, std::vector<std::string> paths)
      : lane_(lane), store_(store), paths_(std::move(paths)) {}

  void apply(std::function<void(ReloadResult)> done);
  // For the start: the same, and waits.
  ReloadResult apply_and_wait();

 private:
  void read_and_deploy(const std::function<void(ReloadResult)>& done);

  Lane& lane_;
  state::AdminStore& store_;
  const std::vector<std::string> paths_;
};

}  // namespace service
