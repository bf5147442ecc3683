// Edits of one list or table, as one control record (kList): in force from that record on (R60), each with what it replaced, so that the
// log is the history: the past of a list is its present with the later edits undone. Byte table: state/FORMAT.md.
// Threads: plain values. The decoder answers "damaged" for bytes that no encoder made.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cep/dataset.h"
#include "cep/result.h"
#include "patterns/catalog.h"

namespace service {

struct DatasetChange {
  struct Edit {
    std::vector<std::string> key;               // one text a declared type
    std::optional<cep::EntryText> now, before;  // nothing: there is no entry
  };
  std::string dataset;
  std::string by;                               // who edits, as they say; may be empty
  cep::TimeUs at_us = 0;                        // wall clock
  std::vector<Edit> edits;
};

std::string encode(const DatasetChange& change);
// Of format 1 too, which knew elements of lists alone.
cep::Result<DatasetChange> decode_dataset_change(std::string_view bytes);

inline constexpr size_t kEntryBytesMax = 64 << 10;     // of all texts of an entry

// What a `create list` or `create table` that was accepted declares: its name, and whether it is a table; the rest is left out.
patterns::DatasetDeclaration read_declaration(const std::string& statement);
// As declared, without entries.
cep::DatasetPtr empty_dataset(const patterns::DatasetDeclaration& made);
// The dataset after the edits. Errors: wrong_type, not_null, ... of the first that cannot be.
cep::Result<cep::DatasetPtr> edited(const cep::Dataset& dataset, const DatasetChange& change, uint64_t revision);
// Makes the change what its record says: texts in canonical form, `before` filled in, nothing that changes nothing.
cep::Status settle_edits(const cep::Dataset& dataset, DatasetChange& change);

// How many entries the change adds, changes, removes.
struct EditCounts {
  uint64_t added = 0, changed = 0, removed = 0;
};
EditCounts count_edits(const DatasetChange& change);

}  // namespace service
