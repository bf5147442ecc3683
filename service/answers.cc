// See answers.h.
#include "service/answers.h"

#include <array>

#include "api/problem.h"
#include "cep/value.h"

namespace service {
namespace {

struct CodeProblem {
  std::string_view code, problem;
};

constexpr std::array<CodeProblem, 28> kProblems = {{{"not_found", "not-found"},
                                                   {"unknown_sink", "not-found"},
                                                   {"read_only", "conflict"},
                                                   {"duplicate_sink", "conflict"},
                                                   {"bad_sink_name", "invalid"},
                                                   {"unknown_sink_type", "invalid"},
                                                   {"bad_url", "invalid"},
                                                   {"missing_secret", "invalid"},
                                                   {"bad_secret", "invalid"},
                                                   {"bad_header", "invalid"},
                                                   {"reserved_header", "invalid"},
                                                   {"bad_rule_glob", "invalid"},
                                                   {"bad_severity", "invalid"},
                                                   {"too_many", "invalid"},
                                                   {"wrong_type", "invalid"},
                                                   {"out_of_range", "invalid"},
                                                   {"bad_time", "invalid"},
                                                   {"not_null", "invalid"},
                                                   {"bad_csv", "invalid"},
                                                   {"bad_json", "invalid"},
                                                   {"unknown_column", "invalid"},
                                                   {"sink_type_unavailable", "not-implemented"},
                                                   {"stopping", "unavailable"},
                                                   {"stopped", "unavailable"},
                                                   {"busy", "unavailable"},
                                                   {"fenced", "unavailable"},
                                                   {"disk_full", "unavailable"},
                                                   {"disk_failing", "unavailable"}}};

}  // namespace

api::Answer json_answer(std::string body, int status) {
  api::Answer answer;
  answer.status = status;
  answer.body = std::move(body);
  return answer;
}

api::Answer no_content() {
  api::Answer answer;
  answer.status = 204;
  return answer;
}

api::Answer error_answer(const cep::Error& error) {
  api::Problem problem;
  problem.name = "internal";
  for (const CodeProblem& known : kProblems) {
    if (known.code == error.code) problem.name = known.problem;
  }
  problem.detail = error.message;
  problem.code = error.code;
  api::Answer answer = api::problem_answer(problem);
  if (answer.status == 503) answer.headers.emplace_back("Retry-After", "1");
  return answer;
}

api::Answer busy_answer(std::string detail) { return error_answer({"busy", std::move(detail)}); }

api::Answer diagnostics_answer(std::string detail, const std::string& diagnostics) {
  api::Problem problem;
  problem.name = "invalid";
  problem.detail = std::move(detail);
  problem.extra = "\"diagnostics\":" + diagnostics;
  return api::problem_answer(problem);
}

std::string etag_of(uint32_t version) { return "\"" + std::to_string(version) + "\""; }

bool etag_fits(std::string_view header, std::string_view etag) {
  while (!header.empty()) {
    const size_t comma = std::min(header.find(','), header.size());
    std::string_view one = header.substr(0, comma);
    header.remove_prefix(std::min(comma + 1, header.size()));
    while (!one.empty() && (one.front() == ' ' || one.front() == '\t')) one.remove_prefix(1);
    while (!one.empty() && (one.back() == ' ' || one.back() == '\t')) one.remove_suffix(1);
    if (one.starts_with("W/")) one.remove_prefix(2);
    if (one == "*" || one == etag) return true;
  }
  return false;
}

void append_time(cep::TimeUs time, api::JsonWriter& json) {
  if (time == cep::kTimeMin || time == cep::kTimeMax) {
    json.null();
  } else {
    json.string(cep::format_time(time));
  }
}

std::optional<uint64_t> parse_cursor_number(std::string_view cursor) {
  uint64_t number = 0;
  const auto end = std::from_chars(cursor.data(), cursor.data() + cursor.size(), number);
  if (end.ec != std::errc() || end.ptr != cursor.data() + cursor.size()) return std::nullopt;
  return number;
}

api::Answer bad_cursor() {
  return api::problem_answer("bad-request", "This cursor is not one of ours: pass `next` of the page before, or none.");
}

api::Answer PageWriter::finish(const std::optional<std::string>& next) {
  json_.end_array().key("next");
  if (next) {
    json_.string(*next);
  } else {
    json_.null();
  }
  json_.end_object();
  return json_answer(std::move(body_));
}

}  // namespace service
