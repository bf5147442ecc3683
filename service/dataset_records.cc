// See dataset_records.h. Test: tests/unit/service/dataset_records_test.cc.
#include "service/dataset_records.h"

#include <algorithm>

#include "cep/batch.h"

namespace service {

uint64_t DatasetRecords::space_of(const std::string& dataset) {
  const std::string identity = "|dataset|" + dataset;
  return cep::hash_bytes(identity.data(), identity.size());
}

bool DatasetRecords::restore(const std::string& dataset, const state::StoredRecord& record) {
  if (record.space != space_of(dataset)) return false;
  Written& written = written_[dataset];
  written.segments[record.hash] = record.segment;
  return written.entries.restore_leaf(record.hash, record.bytes);
}

// `bytes` null: the leaf is gone.
void DatasetRecords::add(std::vector<state::KeyRecord>& records, const std::string& dataset, Written& written, uint64_t leaf,
                         const std::string* bytes, uint32_t segment) {
  state::KeyRecord record;
  record.space = space_of(dataset);
  record.hash = leaf;
  record.gone = bytes == nullptr;
  if (bytes != nullptr) record.bytes = *bytes;
  const auto known = written.segments.find(leaf);
  if (known != written.segments.end()) record.old_segment = known->second;
  if (record.gone) {
    written.segments.erase(leaf);
  } else {
    written.segments[leaf] = segment;
  }
  records.push_back(std::move(record));
}

std::vector<state::KeyRecord> DatasetRecords::take(const cep::Datasets& datasets, uint32_t segment,
                                                   const std::vector<uint32_t>& victims) {
  std::vector<state::KeyRecord> records;
  for (const auto& [name, dataset] : datasets) written_[name];
  for (auto at = written_.begin(); at != written_.end();) {
    auto& [name, written] = *at;
    const auto now = datasets.find(name);
    const cep::EntryMap entries = now != datasets.end() ? now->second->entries() : cep::EntryMap();
    entries.changed_leaves(written.entries, [&](uint64_t leaf, const std::string* bytes) {
      add(records, name, written, leaf, bytes, segment);
    });
    std::vector<uint64_t> moved;
    for (const auto& [leaf, where] : written.segments) {
      if (std::find(victims.begin(), victims.end(), where) != victims.end()) moved.push_back(leaf);
    }
    std::sort(moved.begin(), moved.end());
    for (const uint64_t leaf : moved) add(records, name, written, leaf, entries.leaf(leaf), segment);
    written.entries = entries;
    at = now != datasets.end() ? std::next(at) : written_.erase(at);
  }
  return records;
}

}  // namespace service
