// Refusals as RFC 9457 problem+json: {type: "/problems/<name>", title, status, detail, code, instance}.
// The kinds of problem are one table, so that a name always has the same status and title. Threads: pure functions.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "api/backend.h"

namespace api {

struct Problem {
  std::string name;      // of the table: "not-found"; anything else is printed as given, with `status`
  std::string detail;    // what happened and what to do, for a person
  std::string code;      // stable snake word; empty: the name with underscores
  std::string instance;  // what it is about, a path; empty: left out
  std::string extra;     // finished members to add, as in `"diagnostics":[...]`; empty: none
  int status = 0;        // 0: the table's
};

struct ProblemKind {
  std::string_view name;
  int status;
  std::string_view title;
};
const std::vector<ProblemKind>& problem_kinds();

// The whole answer. 405, 429 and 503 want headers of their own: add them to the answer.
Answer problem_answer(const Problem& problem);
Answer problem_answer(std::string_view name, std::string detail);

// 501 for what the documents promise and this build does not do.
Answer not_there(std::string_view what);

}  // namespace api
