// Where remote checkpoints lie: whole objects under names, and one change that can lose a race. As narrow as object stores are, so that
// a directory and a store behind HTTP can both be one.
// Invariant: an object is there as a whole or not at all, also after a crash at any point; what a call answered with success survives one.
// Error codes: not_found, exists, changed (somebody was faster), locked (somebody is at it now: call again), disk_full, io_error.
// Threads: each function may be called from any thread, and by several processes on one store.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cep/result.h"
#include "state/file.h"

namespace state {

class ObjectStore {
 public:
  virtual ~ObjectStore() = default;

  // Puts an object that is not there yet. Names are paths without a leading slash: "objects/17". Error: exists.
  virtual cep::Status put_new(const std::string& name, std::string_view bytes) = 0;
  // Compare and swap: the object must be `before`, or missing where that is nothing, and becomes `after`. Error: changed.
  // After any other error it is one of the two: read it to know.
  virtual cep::Status swap(const std::string& name, const std::optional<std::string>& before, std::string_view after) = 0;
  virtual cep::Result<std::string> get(const std::string& name) = 0;
  // Names of the objects in a folder ("objects"), sorted. What an interrupted put left there is among them, under a name that nobody gave.
  virtual cep::Result<std::vector<std::string>> list(const std::string& folder) = 0;
  // Also if it is not there.
  virtual cep::Status remove(const std::string& name) = 0;
  // For messages: "file:///mnt/weir".
  virtual std::string url() const = 0;
};

// A directory that several machines may share, made if it is missing: who must not make it looks before. Changes take turns by a lock
// on its file LOCK.
cep::Result<std::unique_ptr<ObjectStore>> open_directory_store(FileSystem& files, const std::string& path);

// file:///absolute/path. Error: bad_url.
cep::Status check_store_url(const std::string& url);
cep::Result<std::unique_ptr<ObjectStore>> open_object_store(FileSystem& files, const std::string& url);

}  // namespace state
