#include "api/handlers_datasets.h"

#include "api/json_scan.h"
#include "api/problem.h"
#include "cep/parse.h"

namespace api {
namespace {

Answer refused(std::string detail) { return problem_answer("bad-request", std::move(detail)); }

DatasetName dataset_of(const HttpRequest& request) { return {request.path.starts_with("/v1/tables"), request.captures[0]}; }

// The parts of an element or key: every path segment behind the dataset's name.
std::vector<std::string> key_of(const HttpRequest& request) { return {request.captures.begin() + 1, request.captures.end()}; }

// Who edits is the From of RFC 9110 until there are keys: what the client says.
EditRequest edit_of(const HttpRequest& request) {
  return {dataset_of(request), std::string(request.header("from")), std::string(request.header("if-match")),
          std::string(request.header("if-none-match"))};
}

// The members of an entry's body; an empty body has none. Error: what is wrong with them.
cep::Status read_entry(std::string_view body, DatasetEntryPut& put) {
  const bool is_table = put.edit.dataset.is_table;
  const cep::Error not_object{"bad_request", is_table ? "The body must be a JSON object with a row: {\"row\": {\"column\": value}}."
                                                      : "The body must be a JSON object whose members are texts."};
  if (trim_json_space(body).empty()) return is_table ? cep::Status(not_object) : cep::ok_status();
  JsonScan scan(body);
  std::string_view name, value;
  if (!scan.enter('{')) return not_object;
  while (scan.next_member(&name, &value)) {
    std::string text;
    if (name == "row" && is_table) {
      put.row = value;
      continue;
    }
    if (name != "owner" && name != "comment" && name != "expires") {
      return cep::Error{"bad_request", "The member " + std::string(name) + " is unknown: " + (is_table ? "row, " : "") +
                                           "owner, comment and expires are read."};
    }
    if (value == "null") continue;
    if (!unescape_json(value, text)) return cep::Error{"bad_request", "The member " + std::string(name) + " must be a text."};
    if (name == "owner") put.owner = text;
    if (name == "comment") put.comment = text;
    if (name != "expires") continue;
    const auto time = cep::parse_time(text, "UTC");
    if (!time.ok()) return cep::Error{"bad_request", "The member expires must be an RFC 3339 time."};
    put.expires = *time;
  }
  return scan.complete() && (!is_table || !put.row.empty()) ? cep::ok_status() : cep::Status(not_object);
}

void import(HttpRequest& request, Backend& backend, const Responder& respond, bool replace) {
  backend.import_dataset({edit_of(request), std::move(request.body), replace}, respond.answer);
}

}  // namespace

void get_datasets(HttpRequest& request, Backend& backend, Responder respond) {
  auto page = page_param(request);
  if (!page.ok()) return respond.answer(refused(page.error().message));
  backend.datasets(request.path.starts_with("/v1/tables"), std::move(*page), respond.answer);
}

void get_dataset(HttpRequest& request, Backend& backend, Responder respond) {
  auto page = page_param(request);
  if (!page.ok()) return respond.answer(refused(page.error().message));
  backend.dataset(dataset_of(request), std::move(*page), respond.answer);
}

void put_dataset(HttpRequest& request, Backend& backend, Responder respond) { import(request, backend, respond, true); }
void post_dataset(HttpRequest& request, Backend& backend, Responder respond) { import(request, backend, respond, false); }

void get_dataset_entry(HttpRequest& request, Backend& backend, Responder respond) {
  backend.dataset_entry(dataset_of(request), key_of(request), respond.answer);
}

void put_dataset_entry(HttpRequest& request, Backend& backend, Responder respond) {
  DatasetEntryPut put;
  put.edit = edit_of(request);
  put.key = key_of(request);
  if (cep::Status status = read_entry(request.body, put); !status.ok()) return respond.answer(refused(status.error().message));
  backend.put_dataset_entry(std::move(put), respond.answer);
}

void delete_dataset_entry(HttpRequest& request, Backend& backend, Responder respond) {
  backend.delete_dataset_entry(edit_of(request), key_of(request), respond.answer);
}

void get_edits(HttpRequest& request, Backend& backend, Responder respond) {
  auto page = page_param(request);
  if (!page.ok()) return respond.answer(refused(page.error().message));
  const std::string* const list = request.param("list");
  const std::string* const table = request.param("table");
  if (list != nullptr && table != nullptr) return respond.answer(refused("Ask for the edits of a list or of a table, not of both."));
  EditsQuery query;
  if (list != nullptr) query.dataset = *list;
  if (table != nullptr) query.dataset = *table;
  query.page = std::move(*page);
  backend.edits(std::move(query), respond.answer);
}

}  // namespace api
