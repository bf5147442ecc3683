// Rules, their versions and modes, checking and deployments: requests to port calls.
// Threads: called on an io thread; never waits.
#pragma once

#include "api/http.h"

namespace api {

inline constexpr size_t kRuleTextBytesMax = 64 << 10;
inline constexpr size_t kDeploymentBytesMax = 1 << 20;

void get_rules(HttpRequest& request, Backend& backend, Responder respond);
void get_rule(HttpRequest& request, Backend& backend, Responder respond);
void put_rule(HttpRequest& request, Backend& backend, Responder respond);
void delete_rule(HttpRequest& request, Backend& backend, Responder respond);
void get_rule_versions(HttpRequest& request, Backend& backend, Responder respond);
void get_rule_version(HttpRequest& request, Backend& backend, Responder respond);
void activate_rule_version(HttpRequest& request, Backend& backend, Responder respond);
void put_rule_mode(HttpRequest& request, Backend& backend, Responder respond);
void post_check(HttpRequest& request, Backend& backend, Responder respond);
void post_deployment(HttpRequest& request, Backend& backend, Responder respond);
void post_reload(HttpRequest& request, Backend& backend, Responder respond);

}  // namespace api
