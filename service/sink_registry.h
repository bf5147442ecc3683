// The sinks there are: those of the configuration file (read-only) and those made over the API (durable in state::AdminStore).
// Invariant: a name has one sink and one id for as long as it exists; the id of a deleted sink is not given again. Secrets are kept
// to sign with and never leave but through make_sink. Threads: any; put and erase wait for the disk.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "service/delivery.h"
#include "service/sinks.h"
#include "state/admin_store.h"

namespace service {

struct RegisteredSink {
  SinkId id{};
  SinkSpec spec;
};

class SinkRegistry {
 public:
  // `from_file`: every [[sinks]] of the configuration. Errors: duplicate_sink (twice in the file, or made over the API as well), those of
  // make_sink for a sink of the file, those of the store.
  static cep::Result<std::unique_ptr<SinkRegistry>> open(state::AdminStore& store, std::vector<SinkSpec> from_file);

  // Every webhook into the engine of a DeliveryThread that has not started.
  cep::Status add_all_to(DeliveryEngine& engine) const;

  std::map<std::string, RegisteredSink> all() const;
  std::vector<std::string> names() const;
  std::optional<RegisteredSink> find(const std::string& name) const;

  struct Put {
    RegisteredSink sink;
    Sink checked;
    bool is_new = false;
  };
  // Makes or replaces a sink of the API. Errors: read_only (of the file), those of make_sink and the store.
  cep::Result<Put> put(SinkSpec spec);
  // Errors: not_found, read_only, those of the store.
  cep::Result<SinkId> erase(const std::string& name);

 private:
  explicit SinkRegistry(state::AdminStore& store) : store_(store) {}
  cep::Status load();
  cep::Status add_from_file(SinkSpec spec);

  state::AdminStore& store_;
  mutable std::mutex mutex_;
  std::map<std::string, RegisteredSink> sinks_;
  std::map<std::string, uint32_t> file_ids_;      // names the configuration file has had, their sinks present or not
};

}  // namespace service
