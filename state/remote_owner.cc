// See remote_owner.h. Test: tests/unit/state/remote_test.cc.
#include "state/remote_owner.h"

#include <algorithm>
#include <vector>

#include "cep/value.h"
#include "state/checkpoint_format.h"
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

// Why a directory of this identity must not go on from what CURRENT names; empty: it may.
std::string why_not(const RemoteCurrent& current, const Id16& digest, const std::optional<RemoteManifest>& newest,
                    const RemoteIdentity& identity, const LocalPlace& place) {
  if (identity.owner != current.owner) {
    if (identity.restored_from == Id16{}) return "was not restored from them";
    return identity.restored_from == digest ? "" : "was restored from others, or before the newest of them";
  }
  const bool is_known = current.epoch < identity.epoch || (current.epoch == identity.epoch && current.claimed_us == identity.claimed_us);
  if (!is_known) return "is an older copy of it: it does not know the last claim";
  // What an earlier epoch uploaded was compared when this one was claimed.
  if (!newest || newest->epoch != current.epoch) return "";
  const bool is_behind = place.log_end < newest->log_end || (place.sequence && *place.sequence < newest->sequence);
  return is_behind ? "is an older copy of it: it is behind what was uploaded" : "";
}

cep::Error taken(const ObjectStore& store, const RemoteCurrent& current, const std::string& why) {
  const std::string since = "epoch " + std::to_string(current.epoch) + ", claimed " + cep::format_time(current.claimed_us);
  return {"remote_taken", store.url() + " holds checkpoints of another data directory (" + since + "), and this one " + why +
                              ". To go on from them, stop the other process and run `weir checkpoints restore` into an empty directory; "
                              "to start something else, give another remote.url"};
}

// Without CURRENT: whether the store is really a new one.
cep::Status check_is_new(ObjectStore& store, const std::string& data_dir, const std::optional<RemoteIdentity>& identity) {
  if (identity && identity->is_claimed) {
    return cep::Error{"remote_missing", store.url() + " holds no checkpoints, but this data directory has uploaded or restored some: is it "
                                                      "mounted? If this is a new place for them, delete " + data_dir + kIdentityName};
  }
  auto names = store.list(kManifestFolder);
  if (!names.ok()) return names.error();
  if (std::none_of(names->begin(), names->end(), [](const std::string& name) { return is_manifest_name(name); })) return cep::ok_status();
  return cep::Error{"damaged", store.url() + " holds checkpoints but has lost CURRENT, which says whose they are: restore the store from a "
                                             "copy, or give another remote.url"};
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

cep::Result<std::optional<CurrentRead>> read_current(ObjectStore& store) {
  auto bytes = store.get(kCurrentName);
  if (!bytes.ok() && bytes.error().code == "not_found") return std::optional<CurrentRead>();
  if (!bytes.ok()) return bytes.error();
  auto current = decode_current(*bytes);
  if (!current.ok()) return current.error();
  return std::optional<CurrentRead>(CurrentRead{std::move(*current), digest_of(*bytes)});
}

cep::Result<RemoteManifest> read_manifest(ObjectStore& store, const std::string& name) {
  auto bytes = store.get(name);
  if (!bytes.ok()) return bytes.error();
  auto manifest = decode_manifest(*bytes);
  if (!manifest.ok()) return cep::Error{manifest.error().code, store.url() + "/" + name + ": " + manifest.error().message};
  return manifest;
}

cep::Result<RemoteOwner> RemoteOwner::claim(ObjectStore& store, FileSystem& files, const std::string& data_dir, const LocalPlace& place,
                                            const Id16& fresh, RemoteKeep keep, cep::TimeUs now_us) {
  auto identity = read_identity(files, data_dir);
  if (!identity.ok()) return identity.error();
  RemoteOwner owner(store, keep);
  auto bytes = store.get(kCurrentName);
  if (!bytes.ok() && bytes.error().code != "not_found") return bytes.error();
  RemoteIdentity mine = identity->value_or(RemoteIdentity{.owner = fresh});
  if (bytes.ok()) {
    auto current = decode_current(*bytes);
    if (!current.ok()) return current.error();
    owner.current_ = std::move(*current);
    if (!owner.current_.manifest.empty()) {
      auto newest = read_manifest(store, owner.current_.manifest);
      if (!newest.ok()) return newest.error();
      owner.newest_ = std::move(*newest);
      const std::string why = why_not(owner.current_, digest_of(*bytes), owner.newest_, mine, place);
      if (!why.empty()) return taken(store, owner.current_, why);
    }
    owner.current_bytes_ = std::move(*bytes);
  } else {
    STATE_TRY(check_is_new(store, data_dir, *identity));
  }
  RemoteCurrent next = owner.current_;
  next.epoch = owner.current_.epoch + 1;
  next.owner = mine.owner;
  next.claimed_us = now_us;
  // The intent first: a directory whose claim succeeded knows it, and a copy of it made before does not.
  mine.epoch = next.epoch;
  mine.claimed_us = now_us;
  mine.is_claimed = mine.is_claimed || owner.current_bytes_.has_value();
  STATE_TRY(write_identity(files, data_dir, mine));
  STATE_TRY(owner.swap_current(std::move(next)));
  if (!mine.is_claimed) {
    mine.is_claimed = true;
    STATE_TRY(write_identity(files, data_dir, mine));
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

// A manifest may go once the one that is `manifests` places newer, which pushed it out, is older than `oldest_us`.
cep::Result<std::set<std::string>> RemoteOwner::kept_objects(cep::TimeUs oldest_us) {
  auto manifests = store_->list(kManifestFolder);
  if (!manifests.ok()) return manifests.error();
  std::reverse(manifests->begin(), manifests->end());
  std::map<std::string, Named> kept;
  std::vector<cep::TimeUs> times;                // of those kept, newest first
  std::set<std::string> objects;
  const size_t at_least = std::max<size_t>(keep_.manifests, 1);
  for (const std::string& name : *manifests) {
    const bool is_out = times.size() >= at_least && times[times.size() - at_least] <= oldest_us;
    if (!is_manifest_name(name) || (name != current_.manifest && is_out)) {
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
      Named names{manifest->time_us, {}};
      for (const RemoteObject* object : manifest->objects()) names.objects.insert(object->name);
      known = named_.emplace(name, std::move(names)).first;
    }
    times.push_back(known->second.time_us);
    objects.insert(known->second.objects.begin(), known->second.objects.end());
    kept[name] = known->second;
  }
  named_ = std::move(kept);
  return objects;
}

cep::Result<size_t> RemoteOwner::sweep(cep::TimeUs now_us) {
  STATE_TRY(check());
  const cep::TimeUs oldest_us = now_us - keep_.grace_us;
  auto kept = kept_objects(oldest_us);
  if (!kept.ok()) return kept.error();
  auto names = store_->list(kObjectFolder);
  if (!names.ok()) return names.error();
  size_t removed = 0;
  const auto oldest = static_cast<uint64_t>(std::max<int64_t>(oldest_us, 0));
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
