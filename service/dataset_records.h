// Lists and tables in checkpoints: each leaf of their entries (cep/entry_map.h) is a key record of a space of its own, so a checkpoint
// writes the leaves that edits have changed since the one before, and no list again as a whole.
// Threads: owned by the log thread, which takes the records at a barrier.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <unordered_map>
#include <vector>

#include "cep/dataset.h"
#include "state/checkpoint_format.h"

namespace service {

class DatasetRecords {
 public:
  static uint64_t space_of(const std::string& dataset);

  // A record of a checkpoint that is being restored. False: it is not of this dataset's space, or damaged.
  bool restore(const std::string& dataset, const state::StoredRecord& record);
  // The entries restored so far.
  const cep::EntryMap& entries(const std::string& dataset) { return written_[dataset].entries; }

  // What a checkpoint in `segment` has to write: leaves that changed, went, or are in segments that are to be emptied.
  std::vector<state::KeyRecord> take(const cep::Datasets& datasets, uint32_t segment, const std::vector<uint32_t>& victims);

 private:
  struct Written {
    cep::EntryMap entries;                           // as of the last checkpoint
    std::unordered_map<uint64_t, uint32_t> segments; // of each leaf's record
  };
  void add(std::vector<state::KeyRecord>& records, const std::string& dataset, Written& written, uint64_t leaf,
           const std::string* bytes, uint32_t segment);
  std::map<std::string, Written> written_;
};

}  // namespace service
