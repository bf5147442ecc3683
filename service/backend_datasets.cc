// See backend.h. Here: lists, tables and their entries. An edit is a control record: durable and in force when the answer comes (R60).
#include <algorithm>
#include <set>

#include "api/problem.h"
#include "service/answers.h"
#include "service/backend.h"
#include "service/dataset_json.h"
#include "service/dataset_text.h"

namespace service {
namespace {

api::Answer no_dataset(const api::DatasetName& name) {
  return api::problem_answer("not-found", std::string("No ") + dataset_word(name.is_table) + " `" + name.name + "` is declared.");
}

cep::DatasetPtr find_dataset(const Registry& registry, const api::DatasetName& name) {
  auto known = registry.datasets().find(name.name);
  return known != registry.datasets().end() && known->second->is_table() == name.is_table ? known->second : nullptr;
}

std::string revision_tag(uint64_t revision) { return "\"" + std::to_string(revision) + "\""; }

api::Answer no_entry(const cep::Dataset& dataset) {
  const std::string what = dataset.is_table() ? " has no row of this key." : " does not hold this value.";
  return api::problem_answer("not-found", std::string("The ") + dataset_word(dataset.is_table()) + " `" + dataset.name() + "`" + what);
}

api::Answer entry_answer(const cep::Dataset& dataset, const cep::DatasetEntry& entry, int status) {
  std::string body;
  api::JsonWriter json(body);
  json.begin_object().field(dataset_word(dataset.is_table()), dataset.name());
  append_entry(dataset, entry, json);
  json.end_object();
  api::Answer answer = json_answer(std::move(body), status);
  answer.headers.emplace_back("ETag", revision_tag(entry.stamp.revision));
  return answer;
}

// 412 if the request's conditions do not hold for what is there (an empty tag: nothing).
std::optional<api::Answer> refused_by_condition(const api::EditRequest& edit, const std::string& tag) {
  const bool missing = !edit.if_match.empty() && (tag.empty() || !etag_fits(edit.if_match, tag));
  const bool in_the_way = !edit.if_none_match.empty() && !tag.empty() && etag_fits(edit.if_none_match, tag);
  if (!missing && !in_the_way) return std::nullopt;
  return api::problem_answer("precondition-failed", tag.empty() ? "There is no such entry." : "It is there, with the tag " + tag + ".");
}

// What the CSV does not name goes too.
void add_removals(const cep::Dataset& dataset, DatasetChange& change) {
  std::set<std::vector<std::string>> kept;
  cep::Dataset written = *dataset.emptied();
  for (const DatasetChange::Edit& edit : change.edits) static_cast<void>(written.put(edit.key, *edit.now));
  written.each_from(0, [&](uint64_t, const cep::DatasetEntry& entry) { return kept.insert(entry.key), true; });
  dataset.each_from(0, [&](uint64_t, const cep::DatasetEntry& entry) {
    if (!kept.contains(entry.key)) change.edits.push_back({entry.key, std::nullopt, std::nullopt});
    return true;
  });
}

}  // namespace

void Backend::datasets(bool is_table, api::PageQuery page, api::Reply reply) {
  std::map<std::string, cep::DatasetPtr> wanted;
  for (const auto& [name, dataset] : lane_.registry()->datasets()) {
    if (dataset->is_table() == is_table) wanted[name] = dataset;
  }
  reply(page_by_name(wanted, page, [](const std::string&, const cep::DatasetPtr& dataset, api::JsonWriter& json) {
    json.begin_object();
    append_dataset(*dataset, json);
    json.end_object();
  }));
}

void Backend::dataset(api::DatasetName name, api::PageQuery page, api::Reply reply) {
  on_work(reply, [this, name = std::move(name), page = std::move(page), reply] {
    const cep::DatasetPtr dataset = find_dataset(*lane_.registry(), name);
    if (dataset == nullptr) return reply(no_dataset(name));
    const std::optional<uint64_t> from = page.cursor.empty() ? 0 : parse_cursor_number(page.cursor);
    if (!from) return reply(bad_cursor());
    std::string body;
    api::JsonWriter json(body);
    json.begin_object();
    append_dataset(*dataset, json);
    json.key("items").begin_array();
    // The few entries that share a place are never parted: a page may be that much longer.
    uint32_t items = 0;
    uint64_t last = 0;
    std::optional<uint64_t> next;
    dataset->each_from(*from, [&](uint64_t place, const cep::DatasetEntry& entry) {
      if (items >= page.limit && place != last) next = place;
      if (next) return false;
      last = place;
      ++items;
      json.begin_object();
      append_entry(*dataset, entry, json);
      json.end_object();
      return true;
    });
    json.end_array().key("next");
    if (next) {
      json.string(std::to_string(*next));
    } else {
      json.null();
    }
    json.end_object();
    api::Answer answer = json_answer(std::move(body));
    answer.headers.emplace_back("ETag", revision_tag(dataset->revision()));
    reply(std::move(answer));
  });
}

void Backend::dataset_entry(api::DatasetName name, std::vector<std::string> key, api::Reply reply) {
  on_work(reply, [this, name = std::move(name), key = std::move(key), reply] {
    const cep::DatasetPtr dataset = find_dataset(*lane_.registry(), name);
    if (dataset == nullptr) return reply(no_dataset(name));
    const cep::Result<std::optional<cep::DatasetEntry>> entry = dataset->find(key);
    if (!entry.ok() || !*entry) return reply(no_entry(*dataset));
    reply(entry_answer(*dataset, **entry, 200));
  });
}

// The work thread waits for the record, so preconditions of two edits are asked one after the other.
void Backend::put_dataset_entry(api::DatasetEntryPut put, api::Reply reply) {
  on_work(reply, [this, put = std::move(put), reply] {
    const cep::DatasetPtr dataset = find_dataset(*lane_.registry(), put.edit.dataset);
    if (dataset == nullptr) return reply(no_dataset(put.edit.dataset));
    const cep::Result<std::optional<cep::DatasetEntry>> before = dataset->find(put.key);
    if (!before.ok()) return reply(error_answer(before.error()));
    const std::string tag = *before ? revision_tag((*before)->stamp.revision) : "";
    if (std::optional<api::Answer> refused = refused_by_condition(put.edit, tag)) return reply(std::move(*refused));
    DatasetChange::Edit edit{put.key, cep::EntryText(), std::nullopt};
    if (dataset->is_table()) {
      cep::Result<DatasetChange::Edit> row = read_row(*dataset, put.row, &put.key);
      if (!row.ok()) return reply(error_answer(row.error()));
      edit = std::move(*row);
    }
    edit.now->owner = put.owner;
    edit.now->comment = put.comment;
    edit.now->expires_us = put.expires.value_or(cep::kTimeMax);
    DatasetChange change{dataset->name(), put.edit.by, 0, {std::move(edit)}};
    if (cep::Status status = lane_.edit_dataset(change); !status.ok()) return reply(error_answer(status.error()));
    const cep::DatasetPtr after = find_dataset(*lane_.registry(), put.edit.dataset);
    if (after == nullptr) return reply(no_dataset(put.edit.dataset));
    const cep::Result<std::optional<cep::DatasetEntry>> now = after->find(put.key);
    if (!now.ok() || !*now) return reply(no_entry(*after));
    reply(entry_answer(*after, **now, *before ? 200 : 201));
  });
}

void Backend::delete_dataset_entry(api::EditRequest edit, std::vector<std::string> key, api::Reply reply) {
  on_work(reply, [this, edit = std::move(edit), key = std::move(key), reply] {
    const cep::DatasetPtr dataset = find_dataset(*lane_.registry(), edit.dataset);
    if (dataset == nullptr) return reply(no_dataset(edit.dataset));
    const cep::Result<std::optional<cep::DatasetEntry>> before = dataset->find(key);
    if (!before.ok() || !*before) return reply(no_entry(*dataset));
    if (std::optional<api::Answer> refused = refused_by_condition(edit, revision_tag((*before)->stamp.revision))) {
      return reply(std::move(*refused));
    }
    DatasetChange change{dataset->name(), edit.by, 0, {{key, std::nullopt, std::nullopt}}};
    if (cep::Status status = lane_.edit_dataset(change); !status.ok()) return reply(error_answer(status.error()));
    reply(no_content());
  });
}

void Backend::import_dataset(api::DatasetImport import, api::Reply reply) {
  on_work(reply, [this, import = std::move(import), reply] {
    const cep::DatasetPtr dataset = find_dataset(*lane_.registry(), import.edit.dataset);
    if (dataset == nullptr) return reply(no_dataset(import.edit.dataset));
    if (std::optional<api::Answer> refused = refused_by_condition(import.edit, revision_tag(dataset->revision()))) {
      return reply(std::move(*refused));
    }
    cep::Result<std::vector<DatasetChange::Edit>> entries = read_entries(*dataset, import.csv, EntryForm::kCsv);
    if (!entries.ok()) return reply(error_answer(entries.error()));
    DatasetChange change{dataset->name(), import.edit.by, 0, std::move(*entries)};
    if (import.replace) add_removals(*dataset, change);
    if (cep::Status status = lane_.edit_dataset(change); !status.ok()) return reply(error_answer(status.error()));
    const cep::DatasetPtr after = find_dataset(*lane_.registry(), import.edit.dataset);
    const EditCounts counts = count_edits(change);
    std::string body;
    api::JsonWriter json(body);
    json.begin_object().field("name", dataset->name()).key("added").unsigned_integer(counts.added);
    json.key("changed").unsigned_integer(counts.changed).key("removed").unsigned_integer(counts.removed);
    json.key("size").unsigned_integer(after != nullptr ? after->size() : 0).end_object();
    api::Answer answer = json_answer(std::move(body));
    if (after != nullptr) answer.headers.emplace_back("ETag", revision_tag(after->revision()));
    reply(std::move(answer));
  });
}

void Backend::edits(api::EditsQuery query, api::Reply reply) {
  on_work(reply, [this, query = std::move(query), reply] {
    std::optional<uint64_t> before;
    if (!query.page.cursor.empty()) {
      before = parse_cursor_number(query.page.cursor);
      if (!before) return reply(bad_cursor());
    }
    cep::Result<state::EditPage> page = lane_.store().edits().page(query.dataset, before, query.page.limit);
    if (!page.ok()) return reply(error_answer(page.error()));
    PageWriter writer;
    for (const state::EditEntry& edit : page->items) writer.json().raw(edit.body);
    reply(writer.finish(page->next ? std::optional(std::to_string(*page->next)) : std::nullopt));
  });
}

}  // namespace service
