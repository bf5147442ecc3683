// Copies a running data directory into objects, only what is new since the copy before: sealed segments, rows that only grow at their end
// and blocks of the event log never change, so each is put once; small ones are put again, larger, until they are full.
// Invariant: the copy is what a crash would have left at the moment copy_state began: a sealed checkpoint, every alert, verdict and edit
// below its position, and the log from before its re-read offset to at least there. So recovery from it is the recovery from a crash.
// Protocol: begin, copy_state (nothing of a segment and no alert may be deleted meanwhile), copy_admin, copy_log with an end of the log
// that is read after both, so that what admin/ says was applied is in it; finish; RemoteOwner::publish; then accept.
// Threads: one owner; reads beside the writers of the directory, in short transactions.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "state/checkpoint_format.h"
#include "state/env.h"
#include "state/log_reader.h"
#include "state/object_store.h"
#include "state/remote_manifest.h"

namespace state {

struct RemoteSizes {
  size_t full_bytes = size_t{4} << 20;           // an object of rows that is at least so large is not put again
  uint64_t full_numbers = 4'096;                 // alerts and rejected events are also cut at multiples of it
  size_t log_block_bytes = size_t{8} << 20;
};

class RemoteCopy {
 public:
  // `newest`: what was published last; its objects are not put again.
  RemoteCopy(ObjectStore& store, FileSystem& files, uint16_t lane, const std::optional<RemoteManifest>& newest, RemoteSizes sizes = {});

  // Asked before each object that is put: true ends the copy with the error `stopping`.
  void stop_when(std::function<bool()> stops) { stops_ = std::move(stops); }
  void begin(cep::TimeUs now_us);
  // The newest sealed checkpoint. Error: nothing_sealed.
  cep::Status copy_state(const Env& env);
  const std::string& control() const { return control_; }      // of that checkpoint: the service's encoding
  // Every frame below `end` is durable. Error: also log_trimmed, when retention took what the checkpoint needs.
  cep::Status copy_log(const std::string& log_dir, uint64_t end);
  cep::Status copy_admin(const Env& env);
  RemoteManifest finish(std::vector<std::pair<std::string, uint64_t>> sources);
  // `manifest` is the newest now.
  void accept(const RemoteManifest& manifest);

  uint64_t bytes_put() const { return bytes_put_; }             // since the beginning

 private:
  struct Head;
  struct Chunk {                     // rows of a table up to, not including, a number; full
    uint64_t end = 0;
    RemoteObject object;
  };
  struct Stream {
    std::vector<Chunk> full;
    uint64_t next = 0;               // number of the first row behind them
  };
  struct Pack {                      // whole segments
    std::map<uint32_t, uint64_t> segments;       // their bytes
    std::vector<RemoteObject> objects;
    uint64_t bytes = 0;
  };
  using Rows = std::function<cep::Status(const std::string& table, std::string_view key, std::string_view value)>;

  cep::Result<Head> read_head(const Env& env) const;
  cep::Status copy_segments(const Env& env, const std::set<uint32_t>& live);
  cep::Status copy_segment(const Env& env, uint32_t segment, Pack& pack, std::string& body);
  cep::Status copy_rows(const Env& env, const std::string& table, uint64_t first, uint64_t end);
  cep::Status copy_file(const std::string& log_dir, const LogSegment& file, uint64_t bytes);
  cep::Result<uint64_t> durable_bytes(const std::string& log_dir, const LogSegment& file, uint64_t end);
  cep::Result<RemoteObject> put(std::string_view body);

  ObjectStore& store_;
  FileSystem& files_;
  uint16_t lane_;
  const RemoteSizes sizes_;
  std::function<bool()> stops_;                  // may be empty
  cep::TimeUs now_us_ = 0;
  std::map<Id16, RemoteObject> known_;           // of the newest manifest, by digest
  std::map<std::string, Stream> streams_;        // by table
  std::vector<Pack> packs_;
  std::map<std::string, std::map<uint64_t, RemoteObject>> blocks_;     // by file of the log and byte
  std::unique_ptr<LogReader> tail_;              // in the newest file of the log
  std::string tail_file_;
  uint64_t put_number_ = 0;
  uint64_t bytes_put_ = 0;
  RemoteManifest manifest_;                      // being made
  std::string control_;
};

// The rows in an object, in order. Error: damaged, and what `visit` answers.
cep::Status visit_rows(std::string_view object,
                       const std::function<cep::Status(const std::string& table, std::string_view key, std::string_view value)>& visit);
// The number of a row's key: of its segment, its alert, its offset.
uint64_t row_number(const std::string& table, std::string_view key);
bool is_segment_table(const std::string& table);

}  // namespace state
