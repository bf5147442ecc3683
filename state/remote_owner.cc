// See remote_owner.h. Test: tests/unit/state/remote_test.cc.
#include "state/remote_owner.h"

#include <algorithm>
#include <charconv>

#include "cep/value.h"
#include "state/try.h"

namespace state {
namespace {

constexpr const char* kIdentityName = "/REMOTE";

cep::Result<std::optional<RemoteIdentity>> read_identity(FileSystem& files, const std::string& data_dir) {
  auto store = open_directory_store(files, data_dir);
  if (!store.ok()) return store.error();
  auto bytes = (*store)->get(kIdentityName + 1);
  if (!bytes.ok() && bytes.error().code == "not_found") return std::optional<RemoteIdentity>();
  if (!bytes.ok()) return bytes.error();
  auto identity = decode_identity(*bytes);
  if (!identity.ok()) return identity.error();
  return std::optional<RemoteIdentity>(*identity);
}

// Whether a directory of this identity may go on from what CURRENT names.
cep::Status check_may_follow(const ObjectStore& store, const RemoteCurrent& current, const std::optional<RemoteIdentity>& identity) {
  if (current.manifest.empty()) return cep::ok_status();
  if (identity && identity->owner == current.owner) return cep::ok_status();
  if (identity && identity->restored_revision == current.revision) return cep::ok_status();
  const std::string since = "epoch " + std::to_string(current.epoch) + ", claimed " + cep::format_time(current.claimed_us);
  return cep::Error{"remote_taken",
                    store.url() + " holds checkpoints of another data directory (" + since + "), and this one " +
                        (identity && identity->restored_revision != 0 ? "was restored before that" : "was not restored from them") +
                        ". To go on from them, stop the other process and run `weir checkpoints restore` into an empty directory; "
                        "to start something else, give another remote.url"};
}

}  // namespace

cep::Status write_identity(FileSystem& files, const std::string& data_dir, const RemoteIdentity& identity) {
  const std::string path = data_dir + kIdentityName;
  const std::string draft = path + ".new";
  if (auto left = files.remove(draft); !left.ok() && left.error().code != "not_found") return left;
  auto file = files.open(draft, OpenMode::kCreateNew);
  if (!file.ok()) return file.error();
  STATE_TRY((*file)->write_at(0, encode_identity(identity)));
  STATE_TRY((*file)->sync());
  STATE_TRY(files.rename(draft, path));
  return files.sync_dir(data_dir);
}

cep::Result<std::optional<RemoteCurrent>> read_current(ObjectStore& store) {
  auto bytes = store.get(kCurrentName);
  if (!bytes.ok() && bytes.error().code == "not_found") return std::optional<RemoteCurrent>();
  if (!bytes.ok()) return bytes.error();
  auto current = decode_current(*bytes);
  if (!current.ok()) return current.error();
  return std::optional<RemoteCurrent>(std::move(*current));
}

cep::Result<RemoteManifest> read_manifest(ObjectStore& store, const std::string& name) {
  auto bytes = store.get(name);
  if (!bytes.ok()) return bytes.error();
  auto manifest = decode_manifest(*bytes);
  if (!manifest.ok()) return cep::Error{manifest.error().code, store.url() + "/" + name + ": " + manifest.error().message};
  return manifest;
}

cep::Result<RemoteOwner> RemoteOwner::claim(ObjectStore& store, FileSystem& files, const std::string& data_dir, const Id16& fresh,
                                            RemoteKeep keep, cep::TimeUs now_us) {
  auto identity = read_identity(files, data_dir);
  if (!identity.ok()) return identity.error();
  RemoteOwner owner(store, keep);
  auto bytes = store.get(kCurrentName);
  if (!bytes.ok() && bytes.error().code != "not_found") return bytes.error();
  if (bytes.ok()) {
    auto current = decode_current(*bytes);
    if (!current.ok()) return current.error();
    owner.current_ = std::move(*current);
    owner.current_bytes_ = std::move(*bytes);
    STATE_TRY(check_may_follow(store, owner.current_, *identity));
  }
  // The identity first: a directory whose claim succeeded knows that it was its own.
  if (!identity->has_value()) {
    *identity = RemoteIdentity{fresh, 0};
    STATE_TRY(write_identity(files, data_dir, **identity));
  }
  RemoteCurrent next = owner.current_;
  next.epoch = owner.current_.epoch + 1;
  next.owner = (*identity)->owner;
  next.claimed_us = now_us;
  STATE_TRY(owner.swap_current(std::move(next)));
  if (!owner.current_.manifest.empty()) {
    auto newest = read_manifest(store, owner.current_.manifest);
    if (!newest.ok()) return newest.error();
    owner.newest_ = std::move(*newest);
  }
  return owner;
}

cep::Status RemoteOwner::swap_current(RemoteCurrent next) {
  next.revision = current_.revision + 1;
  std::string bytes = encode_current(next);
  STATE_TRY(store_->swap(kCurrentName, current_bytes_, bytes));
  current_ = std::move(next);
  current_bytes_ = std::move(bytes);
  return cep::ok_status();
}

cep::Status RemoteOwner::check() {
  auto bytes = store_->get(kCurrentName);
  if (!bytes.ok()) {
    return cep::Error{bytes.error().code, store_->url() + " can no longer be read: " + bytes.error().message};
  }
  if (*bytes == current_bytes_) return cep::ok_status();
  auto current = decode_current(*bytes);
  if (!current.ok()) return current.error();
  if (current->epoch == current_.epoch && current->owner == current_.owner) {      // an own swap whose answer was lost
    current_ = std::move(*current);
    current_bytes_ = std::move(*bytes);
    return cep::ok_status();
  }
  return cep::Error{"fenced", "another process has taken over " + store_->url() + " with epoch " + std::to_string(current->epoch) +
                                  ", claimed " + cep::format_time(current->claimed_us) + "; this one has epoch " +
                                  std::to_string(current_.epoch) + " and uploads no more. Stop this one: what it takes in is nowhere else"};
}

cep::Status RemoteOwner::publish(RemoteManifest manifest) {
  STATE_TRY(check());
  if (newest_ && newest_->same_objects(manifest)) return cep::ok_status();
  manifest.epoch = current_.epoch;
  manifest.number = current_.revision + 1;
  const std::string name = manifest_name(manifest.epoch, manifest.number);
  STATE_TRY(store_->remove(name));               // of an upload that was broken off before it counted
  STATE_TRY(store_->put_new(name, encode_manifest(manifest)));
  RemoteCurrent next = current_;
  next.manifest = name;
  auto swapped = swap_current(std::move(next));
  if (!swapped.ok()) {
    STATE_TRY(check());                          // fenced, if that is why
    if (current_.manifest != name) return swapped;
  }
  newest_ = std::move(manifest);
  return cep::ok_status();
}

cep::Result<std::set<std::string>> RemoteOwner::kept_objects() {
  auto manifests = store_->list(kManifestFolder);
  if (!manifests.ok()) return manifests.error();
  std::reverse(manifests->begin(), manifests->end());
  std::map<std::string, std::set<std::string>> kept;
  std::set<std::string> objects;
  for (const std::string& name : *manifests) {
    if (!is_manifest_name(name) || (name != current_.manifest && kept.size() >= keep_.manifests)) {
      STATE_TRY(store_->remove(name));
      continue;
    }
    auto known = named_.find(name);
    if (known == named_.end()) {
      auto manifest = read_manifest(*store_, name);
      if (!manifest.ok() && manifest.error().code == "damaged") {      // an interrupted put; nobody can restore from it
        if (name == current_.manifest) return manifest.error();
        STATE_TRY(store_->remove(name));
        continue;
      }
      if (!manifest.ok()) return manifest.error();
      std::set<std::string> names;
      for (const RemoteObject* object : manifest->objects()) names.insert(object->name);
      known = named_.emplace(name, std::move(names)).first;
    }
    kept[name] = known->second;
    objects.insert(known->second.begin(), known->second.end());
  }
  named_ = std::move(kept);
  return objects;
}

cep::Result<size_t> RemoteOwner::sweep(cep::TimeUs now_us) {
  STATE_TRY(check());
  auto kept = kept_objects();
  if (!kept.ok()) return kept.error();
  auto names = store_->list(kObjectFolder);
  if (!names.ok()) return names.error();
  size_t removed = 0;
  const auto oldest = static_cast<uint64_t>(std::max<int64_t>(now_us - keep_.grace_us, 0));
  const std::string limit = std::string(kObjectFolder) + "/" + digits(oldest, 20);
  for (const std::string& name : *names) {
    if (name >= limit) break;                    // sorted by when they were put
    if (kept->contains(name)) continue;
    STATE_TRY(store_->remove(name));
    ++removed;
  }
  return removed;
}

}  // namespace state
