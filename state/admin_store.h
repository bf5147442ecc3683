// What people configure over the API and what was applied from disk: sinks and the digests of rule files, in the environment admin/.
// It decides nothing about matching, so it is not in the log. A sink's id is given once and never again, deleted or not.
// Invariant: what a write answered with success is durable. The spec of a sink holds secrets: nothing here prints it.
// Threads: any; writes take turns. Byte tables: FORMAT.md. Opened under the lock of the data directory.
#pragma once

#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <vector>

#include "cep/result.h"
#include "state/bytes.h"
#include "state/env.h"
#include "state/file.h"

namespace state {

struct SinkRecord {
  uint32_t id = 0;
  std::string name;
  bool from_file = false;      // of the configuration file: only the id is kept, `spec` is empty
  std::string spec;            // the service's encoding
};

// A statement of a rules directory as it was last applied.
struct AppliedStatement {
  std::string name;            // "rule card_testing"
  Id16 digest{};               // of its canonical text
};

std::vector<std::string> admin_tables();

class AdminStore {
 public:
  static constexpr const char* kPart = "admin";        // of the data directory
  // Makes <data_dir>/admin if the directory never had one. Error: admin_missing if it had, disk_full, io_error, damaged.
  static cep::Result<std::unique_ptr<AdminStore>> open(FileSystem& files, const std::string& data_dir);

  cep::Result<std::vector<SinkRecord>> sinks() const;             // by id
  // Stores a new sink under the next id, which is returned; `record.id` is not looked at.
  cep::Result<uint32_t> add_sink(const SinkRecord& record);
  cep::Status put_sink(const SinkRecord& record);                 // of a known id
  cep::Status erase_sink(uint32_t id);

  cep::Result<std::vector<AppliedStatement>> applied() const;
  cep::Status put_applied(std::span<const AppliedStatement> statements);

  const Env& env() const { return *env_; }                        // for a copy of all of it

 private:
  explicit AdminStore(std::unique_ptr<Env> env);
  cep::Status write(const Env::WriteBody& body);

  std::unique_ptr<Env> env_;
  std::mutex write_mutex_;
  Dbi sinks_, numbers_, applied_;
};

}  // namespace state
