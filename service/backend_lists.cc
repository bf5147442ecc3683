// See backend.h. Here: lists and their entries. An edit is a control record: durable and in force when the answer comes (R60).
#include <algorithm>
#include <future>

#include "api/problem.h"
#include "cep/parse.h"
#include "service/answers.h"
#include "service/backend.h"

namespace service {
namespace {

api::Answer no_list(const std::string& name) { return api::problem_answer("not-found", "No list `" + name + "` is declared."); }

cep::ListPtr find_list(const Registry& registry, const std::string& name) {
  auto known = registry.lists().find(name);
  return known != registry.lists().end() ? known->second : nullptr;
}

void append_list(const cep::List& list, api::JsonWriter& json) {
  json.field("name", list.name()).key("types").begin_array();
  for (const cep::Type& type : list.types()) json.string(cep::type_name(type));
  json.end_array().key("size").unsigned_integer(list.size());
}

void append_value(const std::vector<std::string>& value, api::JsonWriter& json) {
  json.key("value").begin_array();
  for (const std::string& part : value) json.string(part);
  json.end_array();
}

// Whether the list holds the element; an Error when it cannot be one of its elements.
cep::Result<bool> holds(const cep::List& list, const std::vector<std::string>& texts) {
  if (texts.size() != list.types().size()) {
    return cep::Error{"wrong_type", "An element of @" + list.name() + " has " + std::to_string(list.types().size()) +
                                        " parts: give each as one segment of the path."};
  }
  std::vector<cep::Value> values;
  for (size_t i = 0; i < texts.size(); ++i) {
    cep::Result<cep::Value> value = cep::parse_value(texts[i], list.types()[i]);
    if (!value.ok()) return value.error();
    values.push_back(*value);
  }
  return list.contains(values);
}

api::Answer entry_answer(const std::string& list, const std::vector<std::string>& value, int status) {
  std::string body;
  api::JsonWriter json(body);
  json.begin_object().field("list", list);
  append_value(value, json);
  json.end_object();
  return json_answer(std::move(body), status);
}

}  // namespace

void Backend::lists(api::PageQuery page, api::Reply reply) {
  RegistryPtr registry = lane_.registry();
  reply(page_by_name(registry->lists(), page, [](const std::string&, const cep::ListPtr& list, api::JsonWriter& json) {
    json.begin_object();
    append_list(*list, json);
    json.end_object();
  }));
}

void Backend::list(std::string name, api::PageQuery page, api::Reply reply) {
  on_work(reply, [this, name = std::move(name), page = std::move(page), reply] {
    const cep::ListPtr list = find_list(*lane_.registry(), name);
    if (list == nullptr) return reply(no_list(name));
    // Entries have no sequence; a page begins behind so many of them, and an edit meanwhile may move one across the border.
    const std::optional<uint64_t> skip = page.cursor.empty() ? 0 : parse_cursor_number(page.cursor);
    if (!skip) return reply(bad_cursor());
    const std::vector<std::vector<std::string>> elements = list->elements();
    const size_t first = std::min<size_t>(*skip, elements.size());
    const size_t last = std::min<size_t>(first + page.limit, elements.size());
    std::string body;
    api::JsonWriter json(body);
    json.begin_object();
    append_list(*list, json);
    json.key("items").begin_array();
    for (size_t i = first; i < last; ++i) {
      json.begin_object();
      append_value(elements[i], json);
      json.end_object();
    }
    json.end_array().key("next");
    if (last < elements.size()) {
      json.string(std::to_string(last));
    } else {
      json.null();
    }
    json.end_object();
    reply(json_answer(std::move(body)));
  });
}

void Backend::list_entry(std::string name, std::vector<std::string> value, api::Reply reply) {
  on_work(reply, [this, name = std::move(name), value = std::move(value), reply] {
    const cep::ListPtr list = find_list(*lane_.registry(), name);
    if (list == nullptr) return reply(no_list(name));
    cep::Result<bool> held = holds(*list, value);
    if (!held.ok() || !*held) return reply(api::problem_answer("not-found", "The list `" + name + "` does not hold this value."));
    reply(entry_answer(name, value, 200));
  });
}

// The work thread waits for the record, so preconditions of two edits are asked one after the other.
void Backend::put_list_entry(api::ListEntryPut put, api::Reply reply) {
  if (!put.owner.empty() || !put.comment.empty() || put.expires) {
    return reply(api::not_there("A list entry with owner, comment or expiry"));
  }
  on_work(reply, [this, put = std::move(put), reply] {
    const cep::ListPtr list = find_list(*lane_.registry(), put.list);
    if (list == nullptr) return reply(no_list(put.list));
    cep::Result<bool> held = holds(*list, put.value);
    if (!held.ok()) return reply(error_answer(held.error()));
    // An entry has nothing but its value, so `*` is all that a tag can be compared with.
    const bool may_be_there = put.if_none_match.empty() || !etag_fits(put.if_none_match, "");
    const bool must_be_there = !put.if_match.empty();
    if ((*held && !may_be_there) || (must_be_there && (!*held || !etag_fits(put.if_match, "")))) {
      return reply(api::problem_answer("precondition-failed", *held ? "The list holds this value." : "The list does not hold this value."));
    }
    if (!*held) {
      cep::Status status = lane_.edit_list({put.list, false, {{true, put.value}}});
      if (!status.ok()) return reply(error_answer(status.error()));
    }
    reply(entry_answer(put.list, put.value, *held ? 200 : 201));
  });
}

void Backend::delete_list_entry(std::string name, std::vector<std::string> value, api::Reply reply) {
  on_work(reply, [this, name = std::move(name), value = std::move(value), reply] {
    const cep::ListPtr list = find_list(*lane_.registry(), name);
    if (list == nullptr) return reply(no_list(name));
    cep::Result<bool> held = holds(*list, value);
    if (!held.ok() || !*held) return reply(api::problem_answer("not-found", "The list `" + name + "` does not hold this value."));
    cep::Status status = lane_.edit_list({name, false, {{false, value}}});
    if (!status.ok()) return reply(error_answer(status.error()));
    reply(no_content());
  });
}

}  // namespace service
