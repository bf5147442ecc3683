// See remote_restore.h. Test: tests/unit/service/remote_checkpoints_test.cc, tests/e2e/remote_test.sh.
#include "state/remote_restore.h"

#include <algorithm>
#include <set>

#include "state/admin_store.h"
#include "state/alert_log.h"
#include "state/checkpoint_format.h"
#include "state/data_dir.h"
#include "state/decision_log.h"
#include "state/log_segments.h"
#include "state/remote_copy.h"
#include "state/remote_owner.h"
#include "state/try.h"
#include "state/values.h"

namespace state {
namespace {

constexpr uint16_t kRestoredLane = 0;

// The bytes of an object, proved.
cep::Result<std::string> fetch(ObjectStore& store, const RemoteObject& object) {
  auto bytes = store.get(object.name);
  if (!bytes.ok() && bytes.error().code == "not_found") {
    return cep::Error{"damaged", store.url() + "/" + object.name + " is missing"};
  }
  if (!bytes.ok()) return bytes.error();
  if (bytes->size() != object.bytes) {
    return cep::Error{"damaged", store.url() + "/" + object.name + " has " + std::to_string(bytes->size()) + " bytes instead of " +
                                     std::to_string(object.bytes)};
  }
  if (digest_of(*bytes) == object.digest) return bytes;
  return cep::Error{"damaged", store.url() + "/" + object.name + " has other bytes than were put (its digest does not match)"};
}

// What is counted of a table while its rows are put: its totals are those of what is there.
struct Counted {
  uint64_t bytes = 0;
  std::optional<uint64_t> first;
};

class StateRestore {
 public:
  StateRestore(ObjectStore& store, const RemoteManifest& manifest, Env& env)
      : store_(store), manifest_(manifest), env_(env), alerts_(env, kRestoredLane), decisions_(env, kRestoredLane) {}

  cep::Status run() {
    STATE_TRY(put_object(manifest_.head, [](const std::string&, std::string_view) { return true; }));
    for (const auto& [table, objects] : manifest_.rows) {
      auto first = manifest_.first.find(table);
      for (const RemoteObject& object : objects) {
        STATE_TRY(put_object(object, [&](const std::string& of, std::string_view key) {
          const uint64_t number = row_number(of, key);
          if (is_segment_table(of)) return segments_.contains(static_cast<uint32_t>(number));
          return first == manifest_.first.end() || number >= first->second;
        }));
      }
    }
    return env_.write([&](WriteTxn& txn) { return put_totals(txn); });
  }

 private:
  using Wanted = std::function<bool(const std::string& table, std::string_view key)>;

  cep::Status put_object(const RemoteObject& object, const Wanted& wanted) {
    auto bytes = fetch(store_, object);
    if (!bytes.ok()) return bytes.error();
    std::map<std::string, Counted> counted;
    std::set<uint32_t> segments;
    STATE_TRY(env_.write([&](WriteTxn& txn) -> cep::Status {
      counted = counted_;
      segments = segments_;
      std::map<std::string, std::vector<uint64_t>> numbers;
      STATE_TRY(visit_rows(*bytes, [&](const std::string& table, std::string_view key, std::string_view value) -> cep::Status {
        if (!wanted(table, key)) return cep::ok_status();
        auto known = env_.find_table(table);
        if (!known) return cep::Error{"newer_data", "table " + table + " is of a newer version of weir; restore with that version"};
        txn.put(*known, key, value);
        note(table, key, value, counted, segments, numbers);
        return cep::ok_status();
      }));
      STATE_TRY(alerts_.index_anew(txn, numbers["alert"]));
      return decisions_.index_anew(txn, numbers["decision"]);
    }));
    counted_ = std::move(counted);
    segments_ = std::move(segments);
    return cep::ok_status();
  }

  static void note(const std::string& table, std::string_view key, std::string_view value, std::map<std::string, Counted>& counted,
                   std::set<uint32_t>& segments, std::map<std::string, std::vector<uint64_t>>& numbers) {
    KeyReader reader(key);
    reader.u16();
    if (table == "segment") segments.insert(reader.u32());
    if (table != "alert" && table != "rejected" && table != "edit" && table != "decision") return;
    const uint64_t number = reader.u64();
    const bool is_first_piece = reader.u16() == 0;
    Counted& of = counted[table];
    of.bytes += value.size() - (is_first_piece ? std::min(value.size(), kValueHeaderBytes) : 0);
    if (!of.first) of.first = number;
    if (is_first_piece) numbers[table].push_back(number);
  }

  // Those of the head, with the bytes and the oldest that are there: rings go on while they are copied.
  cep::Status put_totals(WriteTxn& txn) {
    const Dbi totals = env_.table("totals");
    const auto key = [](uint16_t number) { return Key().u16(kRestoredLane).u16(number); };
    for (const auto& [table, number] : {std::pair("alert", kAlertTotals), std::pair("rejected", kRejectedTotals)}) {
      auto payload = get_small(txn, totals, key(number), "totals");
      if (!payload.ok()) return payload.error();
      if (!payload->has_value()) continue;
      Reader in(**payload);
      const uint64_t next = in.get<uint64_t>();
      in.get<uint64_t>();
      in.get<uint64_t>();
      std::string now;
      Writer(now).put<uint64_t>(next).put<uint64_t>(counted_[table].first.value_or(next));
      Writer(now).put<uint64_t>(counted_[table].bytes).put<uint64_t>(in.get<uint64_t>());
      put_small(txn, totals, key(number), now);
    }
    for (const auto& [table, number] : {std::pair("edit", kEditTotals), std::pair("decision", kDecisionTotals)}) {
      auto payload = get_small(txn, totals, key(number), "totals");
      if (!payload.ok()) return payload.error();
      if (!payload->has_value()) continue;
      Reader in(**payload);
      in.get<uint64_t>();
      std::string now;
      Writer(now).put<uint64_t>(counted_[table].bytes).put<uint64_t>(in.get<uint64_t>());
      put_small(txn, totals, key(number), now);
    }
    return cep::ok_status();
  }

  ObjectStore& store_;
  const RemoteManifest& manifest_;
  Env& env_;
  AlertLog alerts_;
  DecisionLog decisions_;
  std::map<std::string, Counted> counted_;
  std::set<uint32_t> segments_;        // that the head names
};

cep::Status restore_log(ObjectStore& store, FileSystem& files, const RemoteManifest& manifest, const std::string& log_dir) {
  STATE_TRY(files.make_dirs(log_dir));
  for (const RemoteLogFile& file : manifest.log) {
    if (!parse_segment_name(file.name)) return cep::Error{"damaged", "`" + file.name + "` is no file of an event log"};
    auto made = files.open(log_dir + "/" + file.name, OpenMode::kCreateNew);
    if (!made.ok()) return made.error();
    for (const RemoteLogBlock& block : file.blocks) {
      auto bytes = fetch(store, block.object);
      if (!bytes.ok()) return bytes.error();
      STATE_TRY((*made)->write_at(block.from, *bytes));
    }
    STATE_TRY((*made)->sync());
  }
  return files.sync_dir(log_dir);
}

cep::Status restore_admin(ObjectStore& store, FileSystem& files, const RemoteManifest& manifest, const std::string& dir) {
  STATE_TRY(files.make_dirs(dir));
  auto bytes = fetch(store, manifest.admin);
  if (!bytes.ok()) return bytes.error();
  auto env = Env::open(dir, admin_tables());
  if (!env.ok()) return env.error();
  return (*env)->write([&](WriteTxn& txn) {
    return visit_rows(*bytes, [&](const std::string& table, std::string_view key, std::string_view value) -> cep::Status {
      auto known = (*env)->find_table(table);
      if (!known) return cep::Error{"newer_data", "table " + table + " is of a newer version of weir; restore with that version"};
      txn.put(*known, key, value);
      return cep::ok_status();
    });
  });
}

}  // namespace

cep::Result<RemoteListing> list_remote(ObjectStore& store) {
  RemoteListing listing;
  auto current = read_current(store);
  if (!current.ok()) return current.error();
  if (current->has_value()) listing.current = std::move((*current)->current);
  auto names = store.list(kManifestFolder);
  if (!names.ok()) return names.error();
  for (auto name = names->rbegin(); name != names->rend(); ++name) {
    if (!is_manifest_name(*name)) continue;
    auto manifest = read_manifest(store, *name);
    if (manifest.ok()) {
      listing.manifests.push_back(std::move(*manifest));
    } else if (manifest.error().code != "not_found") {       // deleted meanwhile: it was the oldest
      listing.problems.push_back(manifest.error().message);
    }
  }
  return listing;
}

cep::Result<RemoteFound> find_remote(ObjectStore& store, const std::string& id) {
  auto current = read_current(store);
  if (!current.ok()) return current.error();
  const Id16 digest = current->has_value() ? (*current)->digest : Id16{};
  if (id.empty()) {
    if (!current->has_value() || (*current)->current.manifest.empty()) {
      return cep::Error{"not_found", store.url() + " holds no checkpoint; check remote.url"};
    }
    auto manifest = read_manifest(store, (*current)->current.manifest);
    if (!manifest.ok()) return manifest.error();
    return RemoteFound{std::move(*manifest), digest};
  }
  auto listing = list_remote(store);
  if (!listing.ok()) return listing.error();
  std::string known;
  for (RemoteManifest& manifest : listing->manifests) {
    if (manifest.id() == id) return RemoteFound{std::move(manifest), digest};
    known += (known.empty() ? "" : ", ") + manifest.id();
  }
  return cep::Error{"not_found", store.url() + " holds no checkpoint `" + id + "`; there " +
                                     (known.empty() ? "is none" : "are: " + known)};
}

cep::Result<std::vector<std::string>> verify_remote(ObjectStore& store, const RemoteManifest& manifest) {
  std::vector<std::string> problems;
  std::set<std::string> seen;
  for (const RemoteObject* object : manifest.objects()) {
    if (!seen.insert(object->name).second) continue;
    auto bytes = fetch(store, *object);
    if (bytes.ok()) continue;
    if (bytes.error().code != "damaged") return bytes.error();
    problems.push_back(bytes.error().message);
  }
  return problems;
}

cep::Status restore_remote(ObjectStore& store, FileSystem& files, const RemoteFound& found, const std::string& data_dir,
                           const std::string& log_root, const Id16& fresh) {
  const RemoteManifest& manifest = found.manifest;
  if (found.current == Id16{}) return cep::Error{"not_found", store.url() + " has lost CURRENT: restore the store from a copy"};
  auto dir = DataDir::open_empty(files, data_dir, log_root);
  if (!dir.ok()) return dir.error();
  STATE_TRY(restore_log(store, files, manifest, dir->log_dir));
  {
    auto env = open_state(files, *dir, manifest.shards);
    if (!env.ok()) return env.error();
    STATE_TRY(StateRestore(store, manifest, **env).run());
  }
  STATE_TRY(restore_admin(store, files, manifest, data_dir + "/admin"));
  STATE_TRY(write_identity(files, data_dir, {.owner = fresh, .is_claimed = true, .restored_from = found.current}));
  return dir->declare(files, {AdminStore::kPart});
}

}  // namespace state
