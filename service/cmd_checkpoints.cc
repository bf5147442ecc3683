// See cmd_checkpoints.h. Test: tests/unit/service/remote_checkpoints_test.cc, tests/e2e/remote_test.sh.
#include "service/cmd_checkpoints.h"

#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include <algorithm>
#include <memory>

#include "api/json_writer.h"
#include "cep/value.h"
#include "service/options.h"
#include "state/data_dir.h"
#include "state/remote_restore.h"
#include "state/restore.h"

namespace service {
namespace {

int refuse_stored(const Console& console, const cep::Error& error) {
  console.complain(for_terminal("weir checkpoints: " + error.message) + "\n");
  return error.code == "damaged" ? kExitBadInput : kExitBadUse;
}

// Options with the gaps filled from the configuration.
cep::Result<StoredOptions> resolved(StoredOptions options) {
  if (options.config.empty()) return options;
  ServeFlags flags;
  flags.config = options.config;
  cep::Result<ServeOptions> configured = load_serve_options(flags, process_environment());
  if (!configured.ok()) return configured.error();
  if (options.remote.empty()) options.remote = configured->remote.url;
  if (options.data.empty()) options.data = configured->data;
  if (options.log_dir.empty()) options.log_dir = configured->log_dir;
  return options;
}

cep::Result<std::unique_ptr<state::ObjectStore>> open_remote(state::FileSystem& files, const std::string& url) {
  if (url.empty()) {
    return cep::Error{"bad_option", "no remote checkpoints are named: give --remote file:///path, or a --config with [remote] url"};
  }
  if (cep::Status known = state::check_store_url(url); !known.ok()) return known.error();
  // Looking must not make a directory that was misspelt.
  cep::Result<bool> there = files.exists(url.substr(std::string_view("file://").size()));
  if (!there.ok()) return there.error();
  if (!*there) return cep::Error{"not_found", url + " does not exist; check the path, and that it is mounted"};
  return state::open_object_store(files, url);
}

struct LocalState {
  state::DataDir dir;                // locked while it lives
  std::unique_ptr<state::Env> env;
};

cep::Result<LocalState> open_local(state::FileSystem& files, const StoredOptions& options) {
  cep::Result<bool> ours = files.exists(options.data + "/WEIR");
  if (!ours.ok()) return ours.error();
  if (!*ours) return cep::Error{"not_found", options.data + " is not a data directory of Weir: give one with --data"};
  cep::Result<state::DataDir> dir = state::DataDir::open(files, options.data, options.log_dir);
  if (!dir.ok()) return dir.error();
  cep::Result<std::unique_ptr<state::Env>> env = state::open_state(files, *dir, 1);
  if (!env.ok()) return env.error();
  return LocalState{std::move(*dir), std::move(*env)};
}

void append_local(const state::SealRecord& seal, api::JsonWriter& json) {
  // The members of a remote one, so that both fit one table: a local checkpoint has no time, epoch or objects of its own.
  json.begin_object().field("where", "local").field("id", std::to_string(seal.checkpoint.sequence));
  for (const char* name : {"time", "newest", "epoch"}) json.key(name).null();
  json.key("sequence").unsigned_integer(seal.checkpoint.sequence);
  json.key("applied_through").unsigned_integer(seal.checkpoint.applied_through).key("log_end").null();
  json.key("keys").unsigned_integer(seal.live_keys).end_object();
}

void append_remote(const state::RemoteManifest& one, bool is_newest, api::JsonWriter& json) {
  json.begin_object().field("where", "remote").field("id", one.id()).field("time", cep::format_time(one.time_us));
  json.key("newest").boolean(is_newest);
  json.key("epoch").unsigned_integer(one.epoch).key("sequence").unsigned_integer(one.sequence);
  json.key("applied_through").unsigned_integer(one.applied_through).key("log_end").unsigned_integer(one.log_end);
  json.key("keys").unsigned_integer(one.keys).key("objects").unsigned_integer(one.objects().size());
  json.key("bytes").unsigned_integer(one.bytes());
  json.key("sources").begin_array();
  for (const auto& [name, next] : one.sources) {
    json.begin_object().field("name", name).key("next").unsigned_integer(next).end_object();
  }
  json.end_array().end_object();
}

cep::Status list_local(state::FileSystem& files, const StoredOptions& options, api::JsonWriter& json) {
  cep::Result<LocalState> local = open_local(files, options);
  if (!local.ok()) return local.error();
  cep::Result<std::vector<state::SealRecord>> seals = state::read_seals(*local->env, 0);
  if (!seals.ok()) return seals.error();
  std::for_each(seals->rbegin(), seals->rend(), [&](const state::SealRecord& seal) { append_local(seal, json); });
  return cep::ok_status();
}

cep::Status list_remote_ones(state::FileSystem& files, const StoredOptions& options, api::JsonWriter& json, const Console& console) {
  cep::Result<std::unique_ptr<state::ObjectStore>> store = open_remote(files, options.remote);
  if (!store.ok()) return store.error();
  cep::Result<state::RemoteListing> listing = state::list_remote(**store);
  if (!listing.ok()) return listing.error();
  const std::string newest = listing->current ? listing->current->manifest : "";
  for (const state::RemoteManifest& one : listing->manifests) {
    append_remote(one, state::manifest_name(one.epoch, one.number) == newest, json);
  }
  for (const std::string& problem : listing->problems) console.complain(for_terminal("weir checkpoints: " + problem) + "\n");
  return cep::ok_status();
}

int verify_stored(const StoredOptions& given, const std::string& id, const Console& console) {
  const cep::Result<StoredOptions> options = resolved(given);
  if (!options.ok()) return refuse_stored(console, options.error());
  const std::unique_ptr<state::FileSystem> files = state::make_real_file_system();
  std::vector<std::string> problems;
  std::string what;
  uint64_t bytes = 0;
  size_t objects = 0;
  if (options->remote.empty() && !options->data.empty()) {
    if (!id.empty()) return refuse_stored(console, {"bad_option", "the newest local checkpoint is verified; an id is of a remote one"});
    cep::Result<LocalState> local = open_local(*files, *options);
    if (!local.ok()) return refuse_stored(console, local.error());
    const cep::Result<state::Restored> restored = state::restore_checkpoint(*local->env, 0);
    if (!restored.ok()) return refuse_stored(console, restored.error());
    if (!restored->checkpoint) return refuse_stored(console, {"not_found", options->data + " has no sealed checkpoint"});
    what = std::to_string(restored->checkpoint->sequence);
    problems = restored->notes;
    objects = static_cast<size_t>(restored->records.keys());
  } else {
    cep::Result<std::unique_ptr<state::ObjectStore>> store = open_remote(*files, options->remote);
    if (!store.ok()) return refuse_stored(console, store.error());
    const cep::Result<state::RemoteFound> stored = state::find_remote(**store, id);
    if (!stored.ok()) return refuse_stored(console, stored.error());
    const state::RemoteManifest* const manifest = &stored->manifest;
    cep::Result<std::vector<std::string>> found = state::verify_remote(**store, *manifest);
    if (!found.ok()) return refuse_stored(console, found.error());
    problems = std::move(*found);
    what = manifest->id();
    bytes = manifest->bytes();
    objects = manifest->objects().size();
  }
  std::string body;
  api::JsonWriter json(body);
  json.begin_object().field("id", what).key("sound").boolean(problems.empty());
  json.key(options->remote.empty() ? "keys" : "objects").unsigned_integer(objects);
  if (!options->remote.empty()) json.key("bytes").unsigned_integer(bytes);
  json.key("problems").begin_array();
  for (const std::string& problem : problems) json.string(problem);
  json.end_array().end_object();
  print_body(console, given.json ? OutputForm::kJson : OutputForm::kTable, body);
  return problems.empty() ? kExitFine : kExitFindings;
}

int restore_stored(const StoredOptions& given, const std::string& id, const Console& console) {
  const cep::Result<StoredOptions> options = resolved(given);
  if (!options.ok()) return refuse_stored(console, options.error());
  if (options->data.empty()) return refuse_stored(console, {"bad_option", "say where to restore: --data DIRECTORY, empty or new"});
  const std::unique_ptr<state::FileSystem> files = state::make_real_file_system();
  cep::Result<std::unique_ptr<state::ObjectStore>> store = open_remote(*files, options->remote);
  if (!store.ok()) return refuse_stored(console, store.error());
  const cep::Result<state::RemoteFound> stored = state::find_remote(**store, id);
  if (!stored.ok()) return refuse_stored(console, stored.error());
  const state::RemoteManifest* const manifest = &stored->manifest;
  const cep::Status restored =
      state::restore_remote(**store, *files, *stored, options->data, options->log_dir, random_identity());
  if (!restored.ok()) return refuse_stored(console, restored.error());
  std::string body;
  api::JsonWriter json(body);
  json.begin_object().field("id", manifest->id()).field("data", options->data).field("time", cep::format_time(manifest->time_us));
  json.key("applied_through").unsigned_integer(manifest->applied_through).key("log_end").unsigned_integer(manifest->log_end);
  json.key("bytes").unsigned_integer(manifest->bytes()).end_object();
  print_body(console, given.json ? OutputForm::kJson : OutputForm::kTable, body);
  const std::string time = cep::format_time(manifest->time_us);
  console.complain(fmt::format("Events that were acknowledged after {} are not in it: send them again.\n", time));
  return kExitFine;
}

}  // namespace

void add_stored_options(CLI::App& verb, StoredOptions& options) {
  verb.add_option("--remote", options.remote, "Remote checkpoints: file:///absolute/path");
  verb.add_option("--config", options.config, "Configuration file, for [remote] url, server.data and server.log_dir");
  verb.add_option("--data", options.data, "The data directory of a service that has stopped");
  verb.add_option("--log-dir", options.log_dir, "Where the event log is, if the service is started with --log-dir");
  verb.add_flag("--json", options.json, "JSON instead of a table");
}

int list_stored(const StoredOptions& given, OutputForm form, const Console& console) {
  const cep::Result<StoredOptions> options = resolved(given);
  if (!options.ok()) return refuse_stored(console, options.error());
  const std::unique_ptr<state::FileSystem> files = state::make_real_file_system();
  std::string body;
  api::JsonWriter json(body);
  json.begin_object().key("items").begin_array();
  // Of what a configuration names only, the local half may be in use or lost: then the remote one is what matters.
  if (!options->data.empty()) {
    const cep::Status listed = list_local(*files, *options, json);
    if (!listed.ok() && (!given.data.empty() || options->remote.empty())) return refuse_stored(console, listed.error());
    if (!listed.ok()) console.complain(for_terminal("weir checkpoints: " + listed.error().message) + "\n");
  }
  if (!options->remote.empty()) {
    const cep::Status listed = list_remote_ones(*files, *options, json, console);
    if (!listed.ok()) return refuse_stored(console, listed.error());
  }
  json.end_array().key("next").null().end_object();
  print_body(console, given.json ? OutputForm::kJson : form, body);
  return kExitFine;
}

void add_stored_verbs(CLI::App& group, Action& action) {
  struct Chosen {
    StoredOptions stored;
    std::string id;
  };
  auto chosen = std::make_shared<Chosen>();
  CLI::App* const verify = group.add_subcommand("verify", "Read a stored checkpoint to the end and prove every checksum");
  CLI::App* const restore = group.add_subcommand("restore", "Put a remote checkpoint into an empty data directory");
  for (CLI::App* const verb : {verify, restore}) {
    add_stored_options(*verb, chosen->stored);
    verb->add_option("id", chosen->id, "The remote checkpoint, as `list` names it; without it the newest");
  }
  verify->footer("Example:\n  weir checkpoints verify --remote file:///mnt/backup/weir\n  weir checkpoints verify --data ./weir-data");
  restore->footer("Example:\n  weir checkpoints restore --remote file:///mnt/backup/weir --data ./weir-data\n"
                  "  weir serve --config weir.toml --data ./weir-data");
  verify->callback([chosen, &action] {
    action = [chosen](const Console& console) { return verify_stored(chosen->stored, chosen->id, console); };
  });
  restore->callback([chosen, &action] {
    action = [chosen](const Console& console) { return restore_stored(chosen->stored, chosen->id, console); };
  });
}

}  // namespace service
