#include "api/problem.h"

#include <algorithm>

#include "api/json_writer.h"

namespace api {

const std::vector<ProblemKind>& problem_kinds() {
  static const std::vector<ProblemKind> kinds = {
      {"bad-request", 400, "The request cannot be understood"},
      {"unauthorized", 401, "A key is needed"},
      {"forbidden", 403, "This is not allowed"},
      {"not-found", 404, "There is no such thing"},
      {"method-not-allowed", 405, "Another method is needed here"},
      {"timeout", 408, "The request came too slowly"},
      {"conflict", 409, "The request contradicts the present state"},
      {"gone", 410, "It existed and was deleted"},
      {"precondition-failed", 412, "It was changed by somebody else"},
      {"too-large", 413, "The body is too large"},
      {"target-too-long", 414, "The target is too long"},
      {"unsupported-media-type", 415, "This kind of body is not read here"},
      {"expectation-failed", 417, "The expectation cannot be met"},
      {"invalid", 422, "The content is wrong"},
      {"too-many-requests", 429, "Too much at once"},
      {"headers-too-large", 431, "The header is too large"},
      {"internal", 500, "Something is wrong here"},
      {"not-implemented", 501, "Planned, but not there yet"},
      {"unavailable", 503, "Not now"},
      {"version-not-supported", 505, "Only HTTP/1.0 and HTTP/1.1 are spoken here"},
  };
  return kinds;
}

Answer problem_answer(const Problem& problem) {
  const auto& kinds = problem_kinds();
  const auto kind =
      std::find_if(kinds.begin(), kinds.end(), [&](const ProblemKind& k) { return k.name == problem.name; });
  const bool known = kind != kinds.end();
  Answer answer;
  answer.status = problem.status != 0 ? problem.status : known ? kind->status : 500;
  answer.content_type = "application/problem+json";
  std::string code = problem.code;
  if (code.empty()) {
    code = problem.name;
    std::replace(code.begin(), code.end(), '-', '_');
  }
  JsonWriter json(answer.body);
  json.begin_object().field("type", "/problems/" + problem.name);
  json.field("title", known ? kind->title : std::string_view(problem.name));
  json.key("status").integer(answer.status);
  json.field("detail", problem.detail).field("code", code);
  if (!problem.instance.empty()) json.field("instance", problem.instance);
  if (!problem.extra.empty()) json.raw(problem.extra);
  json.end_object();
  return answer;
}

Answer problem_answer(std::string_view name, std::string detail) {
  Problem problem;
  problem.name = name;
  problem.detail = std::move(detail);
  return problem_answer(problem);
}

Answer not_there(std::string_view what) {
  return problem_answer("not-implemented", std::string(what) + " is planned, but this version does not have it.");
}

}  // namespace api
