// What rules look up beside events: a list, asked with `in @name`, or a table, asked with `@name[key].column`. An immutable version,
// replaced as a whole by an edit's control record (R60); versions share what an edit left alone (entry_map.h).
// Keys are values or tuples of the declared types; equal decimals of another scale are equal. An entry is valid while the time of the
// event that asks is before its expiry. Threads: immutable once published, shared.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "cep/entry_map.h"
#include "cep/result.h"
#include "cep/schema.h"
#include "cep/value.h"

namespace cep {

// An entry as it is written, without its key.
struct EntryText {
  std::vector<std::optional<std::string>> row;   // of a table: its columns outside the key, in order; nullopt: null
  std::string owner, comment;
  TimeUs expires_us = kTimeMax;                  // kTimeMax: never
  bool operator==(const EntryText&) const = default;
};

// Who made an entry what it is, and when.
struct EntryStamp {
  std::string by;
  TimeUs at_us = 0;                              // wall clock
  uint64_t revision = 0;                         // of the edit among all edits of the data directory; never the same twice
};

struct DatasetEntry {
  std::vector<std::string> key;
  EntryText text;
  EntryStamp stamp;
  std::vector<Value> values;                     // of `text.row`; texts live as long as the dataset
};

class Dataset {
 public:
  Dataset(std::string name, std::vector<Type> types);                                     // a list
  Dataset(std::string name, std::vector<Column> columns, std::vector<uint16_t> key);      // a table

  const std::string& name() const { return name_; }
  bool is_table() const { return is_table_; }
  const std::vector<Type>& key_types() const { return key_types_; }
  const std::vector<Column>& columns() const { return columns_; }             // of a table, as declared
  const std::vector<uint16_t>& key_columns() const { return key_columns_; }
  const std::vector<uint16_t>& row_columns() const { return row_columns_; }   // those outside the key
  size_t size() const { return entries_.size(); }
  uint64_t revision() const { return revision_; }                             // of its newest edit

  // Adds or replaces an entry, its key one text a declared type. Errors: a text does not read as its type, not_null.
  Status put(std::span<const std::string> key, const EntryText& entry, const EntryStamp& stamp = {});
  // False: there was no such entry.
  Result<bool> remove(std::span<const std::string> key, const EntryStamp& stamp = {});

  // False also when a value is null: the caller makes that "unknown" (R52).
  bool contains(std::span<const Value> element, TimeUs time) const;
  // Null: no valid row, or no value there. A text lives as long as this version.
  Value look_up(std::span<const Value> key, uint16_t column, TimeUs time) const;

  Result<std::optional<DatasetEntry>> find(std::span<const std::string> key) const;
  // Entries in an order that no edit changes, from a place on, until `visit` answers false.
  void each_from(uint64_t from, const std::function<bool(uint64_t place, const DatasetEntry& entry)>& visit) const;

  const EntryMap& entries() const { return entries_; }
  // Without entries, as it was declared.
  std::shared_ptr<const Dataset> emptied() const;
  bool is_declared_as(const Dataset& other) const;
  void restore(EntryMap entries, uint64_t revision);

 private:
  Error wrong(const std::string& code, const std::string& why) const;
  Result<std::string> key_bytes(std::span<const std::string> key) const;
  Status append_row(const EntryText& entry, std::string& payload) const;
  std::optional<std::string_view> valid_row(std::span<const Value> key, TimeUs time) const;
  DatasetEntry entry_of(std::string_view key, std::string_view payload) const;

  std::string name_;
  bool is_table_ = false;
  std::vector<Type> key_types_;
  std::vector<Column> columns_;
  std::vector<uint16_t> key_columns_, row_columns_;
  EntryMap entries_;
  uint64_t revision_ = 0;
};

using DatasetPtr = std::shared_ptr<const Dataset>;
using Datasets = std::map<std::string, DatasetPtr>;

}  // namespace cep
