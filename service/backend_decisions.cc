// See backend.h. Here: decisions, and the verdicts that were given.
#include "api/handlers_events.h"
#include "api/problem.h"
#include "service/answers.h"
#include "service/backend.h"

namespace service {
namespace {

api::Answer refused_event(const api::RejectedRow& row) {
  api::Problem problem;
  problem.name = "invalid";
  problem.code = api::event_code_name(row.error.code);
  problem.detail = row.error.message;
  if (!row.error.field.empty()) {
    api::JsonWriter json(problem.extra);
    json.begin_object().field("field", row.error.field).end_object();
    problem.extra = problem.extra.substr(1, problem.extra.size() - 2);
  }
  return api::problem_answer(problem);
}

api::Answer no_verdict() {
  api::Problem problem;
  problem.name = "conflict";
  problem.code = "no_verdict";
  problem.detail =
      "This event was taken before, and no verdict on it is kept: it came without a request for a decision, or too long ago. A second "
      "look at it would count it twice.";
  return api::problem_answer(problem);
}

api::Answer verdict_answer(const DecisionAnswer& given) {
  std::string body = "{\"id\":\"" + cep::to_hex(given.id) + "\"," + given.verdict;
  body += given.is_stored ? ",\"stored\":true" : ",\"stored\":false";
  body += ",\"latency_us\":" + std::to_string(given.latency_us) + "}";
  return json_answer(std::move(body));
}

std::string stored_json(const state::StoredDecision& decision) {
  std::string head;
  api::JsonWriter json(head);
  json.begin_object().field("id", cep::to_hex(decision.id)).field("stream", decision.stream);
  json.field("received", cep::format_time(decision.received_us)).end_object();
  return head.substr(0, head.size() - 1) + "," + decision.body + "}";
}

}  // namespace

void Backend::decide(std::shared_ptr<api::SubmitRequest> request, api::Reply reply) {
  if (draining_) return reply(error_answer({"stopping", "the service is stopping and takes no more events"}));
  lane_.decide(std::move(request), [reply](DecisionAnswer given) {
    switch (given.outcome) {
      case DecisionAnswer::Outcome::kVerdict: return reply(verdict_answer(given));
      case DecisionAnswer::Outcome::kUnknown: return reply(no_verdict());
      case DecisionAnswer::Outcome::kRefused: break;
    }
    const bool is_wrong = given.submit.outcome == api::SubmitAnswer::Outcome::kDurable;
    reply(is_wrong ? refused_event(given.submit.rejected.front()) : api::submit_answer(given.submit));
  });
}

void Backend::decisions(api::PageQuery page, api::Reply reply) {
  on_work(reply, [this, page = std::move(page), reply] {
    const std::optional<uint64_t> before = page.cursor.empty() ? UINT64_MAX : parse_cursor_number(page.cursor);
    if (!before) return reply(bad_cursor());
    const cep::Result<state::DecisionPage> found = lane_.store().decisions().page(before, page.limit);
    if (!found.ok()) return reply(error_answer(found.error()));
    PageWriter writer;
    for (const state::StoredDecision& decision : found->items) writer.json().raw(stored_json(decision));
    reply(writer.finish(found->next ? std::optional(std::to_string(*found->next)) : std::nullopt));
  });
}

void Backend::decision(std::string id, api::Reply reply) {
  on_work(reply, [this, id = std::move(id), reply] {
    state::Id16 wanted{};
    static_cast<void>(cep::parse_alert_id(id, &wanted));
    const cep::Result<std::optional<state::StoredDecision>> found = lane_.store().decisions().by_id(wanted);
    if (!found.ok()) return reply(error_answer(found.error()));
    if (!found->has_value()) return reply(api::problem_answer("not-found", "No decision with the id " + id + " is kept."));
    reply(json_answer(stored_json(**found)));
  });
}

}  // namespace service
