// See dataset_change.h. Test: tests/unit/service/dataset_change_test.cc.
#include "service/dataset_change.h"

#include "patterns/parser.h"
#include "state/bytes.h"

namespace service {
namespace {

constexpr uint8_t kEditsFormat = 2;
constexpr uint8_t kElementsFormat = 1;
constexpr uint32_t kTextsMax = 1u << 10;       // of a key or row; more is damage
constexpr uint32_t kEditsMax = 1u << 24;

cep::Error damaged() {
  return {"damaged", "a record of list or table edits does not decode; restore the data directory from a copy"};
}

void put_key(state::Writer& out, const std::vector<std::string>& key) {
  out.put<uint32_t>(static_cast<uint32_t>(key.size()));
  for (const std::string& text : key) out.text(text);
}

bool get_key(state::Reader& in, std::vector<std::string>& key) {
  const auto count = in.get<uint32_t>();
  if (count > kTextsMax) return false;
  for (uint32_t i = 0; i < count && in.ok(); ++i) key.emplace_back(in.text());
  return in.ok();
}

void put_entry(state::Writer& out, const std::optional<cep::EntryText>& entry) {
  out.put<uint8_t>(entry ? 1 : 0);
  if (!entry) return;
  out.put<uint32_t>(static_cast<uint32_t>(entry->row.size()));
  for (const std::optional<std::string>& text : entry->row) {
    out.put<uint8_t>(text ? 1 : 0);
    if (text) out.text(*text);
  }
  out.text(entry->owner).text(entry->comment).put<int64_t>(entry->expires_us);
}

bool get_entry(state::Reader& in, std::optional<cep::EntryText>& entry) {
  const auto is_there = in.get<uint8_t>();
  if (is_there == 0) return in.ok();
  entry.emplace();
  const auto count = in.get<uint32_t>();
  if (is_there > 1 || count > kTextsMax) return false;
  for (uint32_t i = 0; i < count && in.ok(); ++i) {
    const auto has_value = in.get<uint8_t>();
    if (has_value > 1) return false;
    entry->row.emplace_back();
    if (has_value == 1) entry->row.back() = in.text();
  }
  entry->owner = in.text();
  entry->comment = in.text();
  entry->expires_us = in.get<int64_t>();
  return in.ok();
}

// A record of format 1 was only written when it changed something: what it added was not there, what it removed was.
bool get_elements(state::Reader& in, DatasetChange& change) {
  change.dataset = in.text();
  static_cast<void>(in.get<uint8_t>());        // the whole content follows: only in checkpoints, where there is nothing before it
  const auto count = in.get<uint32_t>();
  if (count > kEditsMax) return false;
  for (uint32_t i = 0; i < count && in.ok(); ++i) {
    DatasetChange::Edit edit;
    const bool add = in.get<uint8_t>() != 0;
    (add ? edit.now : edit.before).emplace();
    if (!get_key(in, edit.key)) return false;
    change.edits.push_back(std::move(edit));
  }
  return in.at_end();
}

}  // namespace

std::string encode(const DatasetChange& change) {
  std::string bytes;
  state::Writer out(bytes);
  out.put<uint8_t>(kEditsFormat).text(change.dataset).text(change.by).put<int64_t>(change.at_us);
  out.put<uint32_t>(static_cast<uint32_t>(change.edits.size()));
  for (const DatasetChange::Edit& edit : change.edits) {
    put_key(out, edit.key);
    put_entry(out, edit.now);
    put_entry(out, edit.before);
  }
  return bytes;
}

cep::Result<DatasetChange> decode_dataset_change(std::string_view bytes) {
  state::Reader in(bytes);
  DatasetChange change;
  const auto format = in.get<uint8_t>();
  if (format == kElementsFormat) {
    if (!get_elements(in, change)) return damaged();
    return change;
  }
  if (format != kEditsFormat) return damaged();
  change.dataset = in.text();
  change.by = in.text();
  change.at_us = in.get<int64_t>();
  const auto count = in.get<uint32_t>();
  if (count > kEditsMax) return damaged();
  for (uint32_t i = 0; i < count && in.ok(); ++i) {
    DatasetChange::Edit edit;
    if (!get_key(in, edit.key) || !get_entry(in, edit.now) || !get_entry(in, edit.before)) return damaged();
    change.edits.push_back(std::move(edit));
  }
  if (!in.at_end()) return damaged();
  return change;
}

patterns::DatasetDeclaration read_declaration(const std::string& statement) {
  patterns::SourceMap sources;
  patterns::Diagnostics diagnostics;
  const patterns::File file = patterns::parse(sources, sources.add("declaration", statement), diagnostics);
  patterns::DatasetDeclaration made;
  for (const patterns::Statement& one : file.statements) {
    const auto* const table = std::get_if<patterns::TableDecl>(&one.body);
    if (const auto* const list = std::get_if<patterns::ListDecl>(&one.body)) made.name = list->name.text;
    if (table != nullptr) made.name = table->name.text;
    made.is_table = table != nullptr;
  }
  return made;
}

cep::DatasetPtr empty_dataset(const patterns::DatasetDeclaration& made) {
  if (made.is_table) return std::make_shared<const cep::Dataset>(made.name, made.columns, made.key);
  return std::make_shared<const cep::Dataset>(made.name, made.types);
}

cep::Result<cep::DatasetPtr> edited(const cep::Dataset& dataset, const DatasetChange& change, uint64_t revision) {
  auto made = std::make_shared<cep::Dataset>(dataset);
  const cep::EntryStamp stamp{change.by, change.at_us, revision};
  for (const DatasetChange::Edit& edit : change.edits) {
    if (edit.now) {
      if (cep::Status status = made->put(edit.key, *edit.now, stamp); !status.ok()) return status.error();
    } else if (cep::Result<bool> removed = made->remove(edit.key, stamp); !removed.ok()) {
      return removed.error();
    }
  }
  return cep::DatasetPtr(std::move(made));
}

namespace {

size_t bytes_of(const DatasetChange::Edit& edit) {
  size_t bytes = 0;
  for (const std::string& text : edit.key) bytes += text.size();
  if (!edit.now) return bytes;
  for (const std::optional<std::string>& text : edit.now->row) bytes += text ? text->size() : 0;
  return bytes + edit.now->owner.size() + edit.now->comment.size();
}

}  // namespace

cep::Status settle_edits(const cep::Dataset& dataset, DatasetChange& change) {
  cep::Dataset tried = dataset;
  std::vector<DatasetChange::Edit> settled;
  for (DatasetChange::Edit& edit : change.edits) {
    if (bytes_of(edit) > kEntryBytesMax) {
      return cep::Error{"out_of_range", "an entry of @" + change.dataset + " has more than " + std::to_string(kEntryBytesMax) + " bytes"};
    }
    cep::Result<std::optional<cep::DatasetEntry>> before = tried.find(edit.key);
    if (!before.ok()) return before.error();
    if (edit.now) {
      if (cep::Status status = tried.put(edit.key, *edit.now); !status.ok()) return status;
    } else if (cep::Result<bool> removed = tried.remove(edit.key); !removed.ok()) {
      return removed.error();
    }
    cep::Result<std::optional<cep::DatasetEntry>> now = tried.find(edit.key);
    if (!now.ok()) return now.error();
    if (*now) {
      edit.key = std::move((*now)->key);
      edit.now = std::move((*now)->text);
    } else if (*before) {
      edit.key = std::move((*before)->key);
    }
    edit.before.reset();
    if (*before) edit.before = std::move((*before)->text);
    if (edit.now != edit.before) settled.push_back(std::move(edit));
  }
  change.edits = std::move(settled);
  return cep::ok_status();
}

EditCounts count_edits(const DatasetChange& change) {
  EditCounts counts;
  for (const DatasetChange::Edit& edit : change.edits) ++(!edit.now ? counts.removed : edit.before ? counts.changed : counts.added);
  return counts;
}

}  // namespace service
