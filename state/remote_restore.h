// Remote checkpoints as they are found: listed, verified, and put back into an empty data directory.
// Invariant: no byte of an object is used whose digest was not proved. A directory that was not restored to the end is no data directory,
// and is refused by everybody.
// Error codes: not_found, damaged, not_empty, newer_data; those of ObjectStore and of the disk.
// Threads: free functions.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "state/object_store.h"
#include "state/remote_manifest.h"

namespace state {

struct RemoteListing {
  std::optional<RemoteCurrent> current;        // nothing: nobody ever claimed it
  std::vector<RemoteManifest> manifests;       // newest first
  std::vector<std::string> problems;           // manifests that cannot be read, and why
};
cep::Result<RemoteListing> list_remote(ObjectStore& store);

struct RemoteFound {
  RemoteManifest manifest;
  Id16 current{};                              // digest of CURRENT then: who restores may take over while it is that. Zeroes: it is lost
};
// The one that CURRENT names where `id` is empty, else the one of that id ("<epoch>-<number>"). Error: not_found, with those there are.
cep::Result<RemoteFound> find_remote(ObjectStore& store, const std::string& id);

// Reads every object. Returns what is wrong, object by object; empty: nothing is.
cep::Result<std::vector<std::string>> verify_remote(ObjectStore& store, const RemoteManifest& manifest);

// Fills a data directory, which must be missing or empty; `log_root` as of `weir serve --log-dir`, or empty. `fresh`: its identity.
cep::Status restore_remote(ObjectStore& store, FileSystem& files, const RemoteFound& found, const std::string& data_dir,
                           const std::string& log_root, const Id16& fresh);

}  // namespace state
