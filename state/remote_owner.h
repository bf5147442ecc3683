// Who may put remote checkpoints. A start claims the next epoch by compare-and-swap of CURRENT; each manifest is put by another one. So of
// two processes that both believe they are the owner the one with the lower epoch is refused at its next upload: it is fenced.
// Invariant: CURRENT names the manifest before or the new one, never one of which an object is missing. A data directory that is not
// the one of CURRENT, nor restored from what CURRENT names, is refused: an empty or an old one never replaces what is there.
// Error codes: fenced, remote_taken; those of ObjectStore.
// Threads: one owner.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>

#include "state/object_store.h"
#include "state/remote_manifest.h"

namespace state {

struct RemoteKeep {
  uint32_t manifests = 3;
  cep::DurationUs grace_us = cep::kHour;       // objects that no kept manifest names stay so long: somebody may be restoring from them
};

class RemoteOwner {
 public:
  // Under the lock of the data directory, before its checkpoint is read. `fresh`: the identity that a directory without one gets.
  static cep::Result<RemoteOwner> claim(ObjectStore& store, FileSystem& files, const std::string& data_dir, const Id16& fresh,
                                        RemoteKeep keep, cep::TimeUs now_us);

  // Error: fenced, once somebody claimed a higher epoch.
  cep::Status check();
  // All objects of `manifest` are put: makes it the newest. Nothing is done if it is what the newest is already.
  cep::Status publish(RemoteManifest manifest);
  // Deletes manifests beyond those kept, and of the objects that no kept one names those that are old enough. Returns how many objects.
  cep::Result<size_t> sweep(cep::TimeUs now_us);

  uint64_t epoch() const { return current_.epoch; }
  const std::optional<RemoteManifest>& newest() const { return newest_; }

 private:
  RemoteOwner(ObjectStore& store, RemoteKeep keep) : store_(&store), keep_(keep) {}
  cep::Status swap_current(RemoteCurrent next);
  cep::Result<std::set<std::string>> kept_objects();

  ObjectStore* store_;
  RemoteKeep keep_;
  RemoteCurrent current_;
  std::optional<std::string> current_bytes_;           // as they are stored, as far as is known
  std::optional<RemoteManifest> newest_;               // what CURRENT names
  std::map<std::string, std::set<std::string>> named_; // objects of the kept manifests, by their names
};

// What CURRENT says, nothing if nobody ever claimed. Error: damaged.
cep::Result<std::optional<RemoteCurrent>> read_current(ObjectStore& store);
cep::Result<RemoteManifest> read_manifest(ObjectStore& store, const std::string& name);

cep::Status write_identity(FileSystem& files, const std::string& data_dir, const RemoteIdentity& identity);

}  // namespace state
