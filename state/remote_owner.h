// Who may put remote checkpoints. A start claims the next epoch by compare-and-swap of CURRENT; each manifest is put by another one. So of
// two processes that both believe they are the owner the one with the lower epoch is refused at its next upload: it is fenced.
// Invariant: CURRENT names the manifest before or the new one, never one of which an object is missing. A data directory that is not
// the one of CURRENT, nor restored from what CURRENT names, is refused: an empty or an old one never replaces what is there. Nor does an
// older copy of the owner's own directory: it does not know the last claim, or is behind what was uploaded since.
// Error codes: fenced, remote_taken, remote_missing (CURRENT is gone, or the root is), damaged; those of ObjectStore.
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
  // A manifest that newer ones replaced stays so long, counted from when the copy of the one that replaced it began: somebody may be
  // restoring from it. So long stay objects, too, that no manifest names.
  cep::DurationUs grace_us = cep::kHour;
};

// How far a data directory reaches.
struct LocalPlace {
  std::optional<uint32_t> sequence;            // of its newest checkpoint; nothing: there is none, or a newer one is damaged: the log says
  uint64_t log_end = 0;
};

class RemoteOwner {
 public:
  // Under the lock of the data directory, before anything is added to it. `fresh`: the identity that a directory without one gets.
  static cep::Result<RemoteOwner> claim(ObjectStore& store, FileSystem& files, const std::string& data_dir, const LocalPlace& place,
                                        const Id16& fresh, RemoteKeep keep, cep::TimeUs now_us);

  // Error: fenced, once somebody claimed a higher epoch.
  cep::Status check();
  // All objects of `manifest` are put: makes it the newest. Nothing is done if it is what the newest is already.
  cep::Status publish(RemoteManifest manifest);
  // Deletes manifests beyond those kept, and objects that no kept one names, both once the grace is over. Returns how many objects.
  cep::Result<size_t> sweep(cep::TimeUs now_us);

  uint64_t epoch() const { return current_.epoch; }
  const std::optional<RemoteManifest>& newest() const { return newest_; }

 private:
  RemoteOwner(ObjectStore& store, RemoteKeep keep) : store_(&store), keep_(keep) {}
  cep::Status swap_current(RemoteCurrent next);
  cep::Result<std::set<std::string>> kept_objects(cep::TimeUs oldest_us);

  struct Named {
    cep::TimeUs time_us = 0;
    std::set<std::string> objects;
  };

  ObjectStore* store_;
  RemoteKeep keep_;
  RemoteCurrent current_;
  std::optional<std::string> current_bytes_;           // as they are stored, as far as is known
  std::optional<RemoteManifest> newest_;               // what CURRENT names
  std::map<std::string, Named> named_;                 // by the names of the kept manifests
};

struct CurrentRead {
  RemoteCurrent current;
  Id16 digest{};                                       // of its bytes
};
// What CURRENT says, nothing if nobody ever claimed. Error: damaged.
cep::Result<std::optional<CurrentRead>> read_current(ObjectStore& store);
cep::Result<RemoteManifest> read_manifest(ObjectStore& store, const std::string& name);

cep::Status write_identity(FileSystem& files, const std::string& data_dir, const RemoteIdentity& identity);

}  // namespace state
