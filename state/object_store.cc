// See object_store.h. A file is written under a name of its own, flushed, and renamed while the lock is held; the directory is flushed
// last, and only then success is answered. Test: tests/unit/state/object_store_test.cc (a crash at every operation).
#include "state/object_store.h"

#include <algorithm>

#include "state/try.h"

namespace state {
namespace {

constexpr std::string_view kScheme = "file://";
constexpr std::string_view kUnfinished = ".new";

class DirectoryStore final : public ObjectStore {
 public:
  DirectoryStore(FileSystem& files, std::string path) : files_(files), path_(std::move(path)) {}

  cep::Status put_new(const std::string& name, std::string_view bytes) override {
    cep::Status put = write_and_place(name, bytes);
    if (!put.ok()) remove_draft(name);
    return put;
  }

  cep::Status swap(const std::string& name, const std::optional<std::string>& before, std::string_view after) override {
    auto lock = files_.lock(path_ + "/LOCK");
    if (!lock.ok()) return busy(lock.error());
    auto now = get(name);
    if (!now.ok() && now.error().code != "not_found") return now.error();
    const bool same = now.ok() ? before.has_value() && *before == *now : !before.has_value();
    if (!same) return cep::Error{"changed", path_of(name) + " was changed by another process"};
    cep::Status put = write_draft(name, after);
    if (put.ok()) put = put_in_place(name);
    if (!put.ok()) remove_draft(name);
    return put;
  }

  cep::Result<std::string> get(const std::string& name) override {
    auto file = files_.open(path_of(name), OpenMode::kRead);
    if (!file.ok()) return file.error();
    auto size = (*file)->size();
    if (!size.ok()) return size.error();
    std::string bytes(*size, '\0');
    auto got = (*file)->read_at(0, bytes.data(), bytes.size());
    if (!got.ok()) return got.error();
    bytes.resize(*got);
    return bytes;
  }

  cep::Result<std::vector<std::string>> list(const std::string& folder) override {
    auto leaves = files_.list(path_of(folder));
    if (!leaves.ok() && leaves.error().code == "not_found") return std::vector<std::string>();
    if (!leaves.ok()) return leaves.error();
    std::vector<std::string> names;
    for (const std::string& leaf : *leaves) names.push_back(folder + "/" + leaf);
    return names;
  }

  cep::Status remove(const std::string& name) override {
    auto removed = files_.remove(path_of(name));
    return removed.ok() || removed.error().code != "not_found" ? removed : cep::ok_status();
  }

  std::string url() const override { return std::string(kScheme) + path_; }

 private:
  std::string path_of(const std::string& name) const { return path_ + "/" + name; }
  std::string folder_of(const std::string& name) const {
    const size_t slash = name.rfind('/');
    return slash == std::string::npos ? path_ : path_of(name.substr(0, slash));
  }
  cep::Error busy(const cep::Error& error) const {
    if (error.code != "locked") return error;
    return {"locked", path_ + "/LOCK is held by another process: it is tried again"};
  }

  cep::Status write_and_place(const std::string& name, std::string_view bytes) {
    STATE_TRY(write_draft(name, bytes));
    auto lock = files_.lock(path_ + "/LOCK");
    if (!lock.ok()) return busy(lock.error());
    auto there = files_.exists(path_of(name));
    if (!there.ok()) return there.error();
    if (*there) return cep::Error{"exists", path_of(name) + " is there already"};
    return put_in_place(name);
  }

  // After a failure: on a full disk it would take the room that is needed.
  void remove_draft(const std::string& name) { (void)files_.remove(path_of(name) + std::string(kUnfinished)); }

  cep::Status write_draft(const std::string& name, std::string_view bytes) {
    const std::string draft = path_of(name) + std::string(kUnfinished);
    STATE_TRY(files_.make_dirs(folder_of(name)));
    if (auto left = files_.remove(draft); !left.ok() && left.error().code != "not_found") return left;
    auto file = files_.open(draft, OpenMode::kCreateNew);
    if (!file.ok()) return file.error();
    STATE_TRY((*file)->write_at(0, bytes));
    return (*file)->sync();
  }

  cep::Status put_in_place(const std::string& name) {
    STATE_TRY(files_.rename(path_of(name) + std::string(kUnfinished), path_of(name)));
    return files_.sync_dir(folder_of(name));
  }

  FileSystem& files_;
  std::string path_;
};

}  // namespace

cep::Result<std::unique_ptr<ObjectStore>> open_directory_store(FileSystem& files, const std::string& path) {
  STATE_TRY(files.make_dirs(path));
  return std::unique_ptr<ObjectStore>(std::make_unique<DirectoryStore>(files, path));
}

cep::Status check_store_url(const std::string& url) {
  if (url.starts_with(kScheme) && url.size() > kScheme.size() + 1 && url[kScheme.size()] == '/') return cep::ok_status();
  return cep::Error{"bad_url", "`" + url + "` is no place for remote checkpoints that this version knows: write file:///absolute/path, "
                                           "a directory that is not on this machine's own disks"};
}

cep::Result<std::unique_ptr<ObjectStore>> open_object_store(FileSystem& files, const std::string& url) {
  STATE_TRY(check_store_url(url));
  std::string path = url.substr(kScheme.size());
  while (path.size() > 1 && path.back() == '/') path.pop_back();
  return open_directory_store(files, path);
}

}  // namespace state
