// `weir checkpoints list|verify|restore` of what is stored: in the data directory of a stopped service, and remotely.
// Threads: the main thread.
#pragma once

#include <string>

#include "service/cli.h"
#include "service/client_output.h"

namespace service {

// Where to look. What is not given comes from the configuration, if there is one.
struct StoredOptions {
  std::string config, remote, data, log_dir;
  bool json = false;

  bool is_given() const { return !config.empty() || !remote.empty() || !data.empty(); }
};

void add_stored_options(CLI::App& verb, StoredOptions& options);
int list_stored(const StoredOptions& options, OutputForm form, const Console& console);
// verify and restore.
void add_stored_verbs(CLI::App& group, Action& action);

}  // namespace service
