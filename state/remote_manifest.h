// What a remote checkpoint consists of, and who may add the next one. The manifest names every object with size and digest; CURRENT names
// the newest manifest and its owner. Tables: FORMAT.md.
// Invariant: each decoder answers "damaged" for bytes that no encoder made.
// Threads: plain values.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "cep/result.h"
#include "cep/types.h"
#include "state/bytes.h"

namespace state {

inline constexpr const char* kCurrentName = "CURRENT";
inline constexpr const char* kManifestFolder = "manifests";
inline constexpr const char* kObjectFolder = "objects";

struct RemoteObject {
  std::string name;              // "objects/<when it was put, 20 digits of microseconds>-<digest>"
  uint64_t bytes = 0;
  Id16 digest{};
};

// A block of a file of the event log.
struct RemoteLogBlock {
  uint64_t from = 0;             // byte of the file
  RemoteObject object;
};
struct RemoteLogFile {
  std::string name;
  std::vector<RemoteLogBlock> blocks;      // from 0 on, without gap
};

struct RemoteManifest {
  uint32_t sequence = 0;         // of the checkpoint
  uint64_t epoch = 0;            // of the owner that put it
  uint64_t number = 0;           // the revision of CURRENT that named it first
  cep::TimeUs time_us = 0;       // when its copy began: what was acknowledged later is not in it
  uint64_t applied_through = 0, reread_offset = 0;
  uint64_t log_end = 0;          // events below it are in the copy of the log
  uint64_t keys = 0;             // that have state
  uint32_t shards = 1;
  std::vector<std::pair<std::string, uint64_t>> sources;       // beside HTTP: name, where the checkpoint reads on
  std::map<std::string, uint64_t> first;                       // of a table by number: what lies below is gone
  RemoteObject head;             // seal, footers, totals, cursors
  RemoteObject admin;
  std::map<std::string, std::vector<RemoteObject>> rows;       // of `segment` (index and records) and of tables by number
  std::vector<RemoteLogFile> log;

  std::string id() const;        // "<epoch>-<number>", how people name it
  uint64_t bytes() const;
  std::vector<const RemoteObject*> objects() const;
  bool same_objects(const RemoteManifest& other) const;      // and in the same places: the two restore to the same
};

std::string manifest_name(uint64_t epoch, uint64_t number);
bool is_manifest_name(std::string_view name);            // false: what an interrupted put left
std::string encode_manifest(const RemoteManifest& manifest);
cep::Result<RemoteManifest> decode_manifest(std::string_view bytes);

struct RemoteCurrent {
  uint64_t revision = 0;         // one more with each change, so that no content comes twice
  uint64_t epoch = 0;
  Id16 owner{};                  // of the data directory that claimed it
  cep::TimeUs claimed_us = 0;
  std::string manifest;          // the name; empty: none was put yet
};
std::string encode_current(const RemoteCurrent& current);
cep::Result<RemoteCurrent> decode_current(std::string_view bytes);

// The file REMOTE of a data directory.
struct RemoteIdentity {
  Id16 owner{};
  uint64_t epoch = 0;                  // claimed last by this directory, or about to be: written before the claim
  cep::TimeUs claimed_us = 0;          // as CURRENT of that epoch says it
  bool is_claimed = false;             // once there was a CURRENT: if it is gone, the store is
  Id16 restored_from{};                // digest of the bytes of CURRENT when the directory was restored; zeroes: it was not
};
std::string encode_identity(const RemoteIdentity& identity);
cep::Result<RemoteIdentity> decode_identity(std::string_view bytes);

std::string digits(uint64_t number, size_t width);      // with zeroes in front, so that order of names is order of numbers
std::string hex(const Id16& id);

}  // namespace state
