// See backend.h. Here: rules, their versions and modes, deployments, reload. A change answers when it is in force: only then is it in the
// log, so an earlier answer could be lost by a crash.
#include <future>

#include "api/alert_json.h"
#include "api/problem.h"
#include "patterns/printer.h"
#include "service/answers.h"
#include "service/backend.h"

namespace service {
namespace {

api::Answer no_rule(const std::string& name) { return api::problem_answer("not-found", "No rule `" + name + "` is in force."); }

const RuleRecord* find_rule(const Registry& registry, const std::string& name) {
  auto known = registry.rules().find(name);
  return known != registry.rules().end() ? &known->second : nullptr;
}

const RuleRecord* rule_in_force(const Registry& registry, const std::string& name) {
  const RuleRecord* rule = find_rule(registry, name);
  return rule != nullptr && !rule->dropped ? rule : nullptr;
}

std::string_view change_name(RuleChangeKind kind) {
  switch (kind) {
    case RuleChangeKind::kNone: return "none";
    case RuleChangeKind::kCosmetic: return "cosmetic";
    case RuleChangeKind::kNew:
    case RuleChangeKind::kMatching: break;
  }
  return "matching";
}

void append_rule_fields(const RuleRecord& rule, bool with_text, api::JsonWriter& json) {
  json.field("name", rule.name).key("version").unsigned_integer(rule.versions.back().version);
  json.field("mode", api::mode_name(rule.mode)).field("status", "active");
  if (rule.program != nullptr) {
    json.field("severity", cep::severity_name(rule.program->alert.severity));
    json.key("streams").begin_array();
    for (const cep::Input& input : rule.program->inputs) json.string(input.schema->name);
    json.end_array().key("key").begin_array();
    for (const cep::KeyPart& part : rule.program->key) json.string(part.name);
    json.end_array();
  }
  if (with_text) json.field("text", rule.versions.back().text);
}

void append_rule(const RuleRecord& rule, bool with_text, api::JsonWriter& json) {
  json.begin_object();
  append_rule_fields(rule, with_text, json);
  json.end_object();
}

// What every change of a mode answers: the rule as it is now, what pausing ended, and from when on a resumed one has seen events.
api::Answer mode_answer(const Registry& registry, const std::string& name, uint64_t runs_ended, cep::TimeUs partial_since) {
  const RuleRecord* rule = rule_in_force(registry, name);
  if (rule == nullptr) return no_rule(name);      // dropped meanwhile
  std::string body;
  api::JsonWriter json(body);
  json.begin_object();
  append_rule_fields(*rule, true, json);
  json.key("runs_ended").unsigned_integer(runs_ended).key("partial_since");
  append_time(partial_since, json);
  json.end_object();
  api::Answer answer = json_answer(std::move(body));
  answer.headers.emplace_back("ETag", etag_of(rule->versions.back().version));
  return answer;
}

void append_version(const RuleRecord& rule, const RuleVersion& version, api::JsonWriter& json) {
  json.begin_object().field("name", rule.name).key("version").unsigned_integer(version.version);
  json.key("in_force").boolean(!rule.dropped && &version == &rule.versions.back()).field("text", version.text).end_object();
}

void append_names(std::string_view key, const std::vector<std::string_view>& names, api::JsonWriter& json) {
  json.key(key).begin_array();
  for (const std::string_view name : names) json.string(name);
  json.end_array();
}

// Arrival of the oldest event a new program has seen, when what came before it, and what it would have looked at, is no longer in the log.
cep::TimeUs partial_since(const DeployResult& result, const cep::Program* program, cep::TimeUs now) {
  if (!result.log_was_trimmed || result.warm_from_us == cep::kTimeMax) return cep::kTimeMax;
  const bool reaches = program != nullptr && program->horizon_us != cep::kTimeMax && result.warm_from_us <= now - program->horizon_us;
  return reaches ? cep::kTimeMax : result.warm_from_us;
}

// What a change of this kind leaves as it was and what it computes again from the log (R73, R74).
void append_fate(const DeploymentPlan::Outcome& outcome, const DeployResult& result, const cep::Program* program, cep::TimeUs now,
                 api::JsonWriter& json) {
  const bool anew = outcome.change == RuleChangeKind::kNew || outcome.change == RuleChangeKind::kMatching;
  append_names("kept", anew ? std::vector<std::string_view>{} : std::vector<std::string_view>{"runs", "windows", "suppress"}, json);
  append_names("rebuilt", anew ? std::vector<std::string_view>{"runs", "windows", "suppress"} : std::vector<std::string_view>{}, json);
  json.key("partial_since");
  append_time(anew ? partial_since(result, program, now) : cep::kTimeMax, json);
}

// The mode a rule has after the plan was applied, or would have.
cep::RuleMode mode_after(const DeploymentPlan& plan, const Registry& registry, const std::string& name) {
  for (const RulesChange::Rule& rule : plan.change.rules) {
    if (rule.name == name) return rule.mode;
  }
  const RuleRecord* rule = find_rule(registry, name);
  return rule != nullptr ? rule->mode : cep::RuleMode::kLive;
}

void append_outcome(const DeploymentPlan::Outcome& outcome, const DeployResult& result, const Registry& registry, cep::TimeUs now,
                    api::JsonWriter& json) {
  const RuleRecord* rule = find_rule(registry, outcome.rule);
  json.field("name", outcome.rule).key("version").unsigned_integer(outcome.version);
  json.field("mode", api::mode_name(mode_after(result.plan, registry, outcome.rule))).field("change", change_name(outcome.change));
  json.field("status", result.applied ? "active" : "checked");
  append_fate(outcome, result, rule != nullptr ? rule->program.get() : nullptr, now, json);
}

std::string diagnostics_of(const DeploymentPlan& plan) { return patterns::to_json(plan.sources, plan.diagnostics); }

// Errors of the text or of the deployment; nothing if it went well (or was only tried).
std::optional<api::Answer> refusal(const DeployResult& result) {
  if (!result.plan.ok && !result.plan.diagnostics.empty()) {
    return diagnostics_answer("The text has errors (" + std::to_string(result.plan.diagnostics.errors()) + "); nothing was changed.",
                              diagnostics_of(result.plan));
  }
  if (!result.status.ok()) return error_answer(result.status.error());
  if (!result.plan.ok) return error_answer({"internal", "the text was refused without a reason"});
  return std::nullopt;
}

api::Answer rule_answer(const DeployResult& result, const Registry& registry, cep::TimeUs now) {
  const DeploymentPlan::Outcome& outcome = result.plan.outcomes.front();
  std::string body;
  api::JsonWriter json(body);
  json.begin_object();
  append_outcome(outcome, result, registry, now, json);
  json.key("warnings").raw(diagnostics_of(result.plan)).end_object();
  api::Answer answer = json_answer(std::move(body), outcome.change == RuleChangeKind::kNew && result.applied ? 201 : 200);
  answer.headers.emplace_back("ETag", etag_of(outcome.version));
  return answer;
}

// Why a PUT of one rule may not go on; nothing if it may.
std::optional<api::Answer> put_refusal(const api::RulePut& put, const Registry& registry, const DeploymentPlan& plan) {
  const RulesChange& change = plan.change;
  const bool only_a_rule = plan.outcomes.size() == 1 && change.streams.empty() && change.datasets.empty() && change.dropped_rules.empty() &&
                           change.dropped_streams.empty() && change.dropped_lists.empty() && change.dropped_tables.empty();
  if (!only_a_rule) {
    return api::problem_answer("invalid", "The body must be exactly one `create rule` statement; several go to POST /v1/deployments.");
  }
  if (plan.outcomes.front().rule != put.name) {
    return api::problem_answer("invalid", "The path says `" + put.name + "`, the text creates `" + plan.outcomes.front().rule + "`.");
  }
  const RuleRecord* rule = rule_in_force(registry, put.name);
  const std::string etag = rule != nullptr ? etag_of(rule->versions.back().version) : "";
  if (!put.if_match.empty() && (rule == nullptr || !etag_fits(put.if_match, etag))) {
    const std::string why = rule == nullptr ? "The rule is not in force." : "The rule's version is " + etag + ".";
    return api::problem_answer("precondition-failed", why);
  }
  if (!put.if_none_match.empty() && rule != nullptr && etag_fits(put.if_none_match, etag)) {
    return api::problem_answer("precondition-failed", "The rule is in force already, version " + etag + ".");
  }
  return std::nullopt;
}

}  // namespace

void Backend::check(std::string text, api::Reply reply) {
  on_work(reply, [this, text = std::move(text), reply] {
    const DeploymentPlan plan = lane_.plan(text, "<request>");
    std::string body;
    api::JsonWriter json(body);
    json.begin_object().key("ok").boolean(plan.ok).key("diagnostics").raw(diagnostics_of(plan)).end_object();
    reply(json_answer(std::move(body)));
  });
}

void Backend::deploy(std::string text, bool dry_run, api::Reply reply) {
  lane_.deploy(std::move(text), "<request>", dry_run, nullptr, [this, dry_run, reply](DeployResult result) {
    if (std::optional<api::Answer> refused = refusal(result)) return reply(std::move(*refused));
    RegistryPtr registry = lane_.registry();
    const RulesChange& change = result.plan.change;
    std::string body;
    api::JsonWriter json(body);
    json.begin_object().key("applied").boolean(result.applied).key("dry_run").boolean(dry_run);
    json.key("rules").begin_array();
    for (const DeploymentPlan::Outcome& outcome : result.plan.outcomes) {
      json.begin_object();
      append_outcome(outcome, result, *registry, options_.clock(), json);
      json.end_object();
    }
    json.end_array().key("streams").begin_array();
    for (const RulesChange::Stream& stream : change.streams) json.string(stream.text);
    json.end_array();
    for (const bool is_table : {false, true}) {
      json.key(is_table ? "tables" : "lists").begin_array();
      for (const std::string& text : change.datasets) {
        if (read_declaration(text).is_table == is_table) json.string(text);
      }
      json.end_array();
    }
    json.key("dropped").begin_object();
    append_names("rules", {change.dropped_rules.begin(), change.dropped_rules.end()}, json);
    append_names("streams", {change.dropped_streams.begin(), change.dropped_streams.end()}, json);
    append_names("lists", {change.dropped_lists.begin(), change.dropped_lists.end()}, json);
    append_names("tables", {change.dropped_tables.begin(), change.dropped_tables.end()}, json);
    json.end_object().key("warnings").raw(diagnostics_of(result.plan)).end_object();
    reply(json_answer(std::move(body)));
  });
}

void Backend::reload(api::Reply reply) {
  if (options_.rules_dir == nullptr) {
    return reply(api::problem_answer("conflict", "The service was started without rule directories: there is nothing to reload."));
  }
  options_.rules_dir->apply([reply](ReloadResult result) {
    if (!result.status.ok()) return reply(error_answer(result.status.error()));
    if (!result.ok) return reply(diagnostics_answer("The files have errors; nothing was changed.", result.diagnostics_json));
    std::string body;
    api::JsonWriter json(body);
    json.begin_object();
    append_names("applied", {result.applied.begin(), result.applied.end()}, json);
    append_names("unchanged", {result.unchanged.begin(), result.unchanged.end()}, json);
    append_names("orphans", {result.orphans.begin(), result.orphans.end()}, json);
    json.key("warnings").raw(result.diagnostics_json).end_object();
    reply(json_answer(std::move(body)));
  });
}

void Backend::rules(api::PageQuery page, api::Reply reply) {
  RegistryPtr registry = lane_.registry();
  std::map<std::string, const RuleRecord*> in_force;
  for (const auto& [name, rule] : registry->rules()) {
    if (!rule.dropped) in_force[name] = &rule;
  }
  reply(page_by_name(in_force, page, [](const std::string&, const RuleRecord* rule, api::JsonWriter& json) {
    append_rule(*rule, false, json);
  }));
}

void Backend::rule(std::string name, api::Reply reply) {
  RegistryPtr registry = lane_.registry();
  const RuleRecord* rule = rule_in_force(*registry, name);
  if (rule == nullptr) return reply(no_rule(name));
  std::string body;
  api::JsonWriter json(body);
  append_rule(*rule, true, json);
  api::Answer answer = json_answer(std::move(body));
  answer.headers.emplace_back("ETag", etag_of(rule->versions.back().version));
  reply(std::move(answer));
}

void Backend::put_rule(api::RulePut put, api::Reply reply) {
  auto refused = std::make_shared<std::optional<api::Answer>>();
  std::string text = put.text;
  const bool dry_run = put.dry_run;
  auto allow = [put = std::move(put), refused](const Registry& registry, const DeploymentPlan& plan) {
    *refused = put_refusal(put, registry, plan);
    return !refused->has_value();
  };
  lane_.deploy(std::move(text), "<request>", dry_run, allow, [this, refused, reply](DeployResult result) {
    if (refused->has_value()) return reply(std::move(**refused));
    if (std::optional<api::Answer> wrong = refusal(result)) return reply(std::move(*wrong));
    reply(rule_answer(result, *lane_.registry(), options_.clock()));
  });
}

void Backend::delete_rule(std::string name, std::string if_match, api::Reply reply) {
  auto refused = std::make_shared<std::optional<api::Answer>>();
  auto allow = [name, if_match, refused](const Registry& registry, const DeploymentPlan&) {
    const RuleRecord* rule = rule_in_force(registry, name);
    if (rule != nullptr && !if_match.empty() && !etag_fits(if_match, etag_of(rule->versions.back().version))) {
      *refused = api::problem_answer("precondition-failed", "The rule's version is " + etag_of(rule->versions.back().version) + ".");
    }
    return !refused->has_value();
  };
  if (rule_in_force(*lane_.registry(), name) == nullptr) return reply(no_rule(name));
  lane_.deploy("drop rule " + patterns::print_name(name) + ";", "<request>", false, allow, [refused, reply](DeployResult result) {
    if (refused->has_value()) return reply(std::move(**refused));
    if (std::optional<api::Answer> wrong = refusal(result)) return reply(std::move(*wrong));
    reply(no_content());
  });
}

void Backend::rule_versions(std::string name, api::PageQuery page, api::Reply reply) {
  RegistryPtr registry = lane_.registry();
  const RuleRecord* rule = find_rule(*registry, name);
  if (rule == nullptr) return reply(no_rule(name));
  const std::optional<uint64_t> before = page.cursor.empty() ? UINT64_MAX : parse_cursor_number(page.cursor);
  if (!before) return reply(bad_cursor());
  PageWriter writer;
  std::optional<std::string> next;
  uint32_t items = 0, last = 0;
  for (auto version = rule->versions.rbegin(); version != rule->versions.rend(); ++version) {
    if (version->version >= *before) continue;
    if (items++ == page.limit) {
      next = std::to_string(last);
      break;
    }
    append_version(*rule, *version, writer.json());
    last = version->version;
  }
  reply(writer.finish(next));
}

void Backend::rule_version(std::string name, uint32_t version, api::Reply reply) {
  RegistryPtr registry = lane_.registry();
  const RuleRecord* rule = find_rule(*registry, name);
  if (rule == nullptr) return reply(no_rule(name));
  for (const RuleVersion& known : rule->versions) {
    if (known.version != version) continue;
    std::string body;
    api::JsonWriter json(body);
    append_version(*rule, known, json);
    api::Answer answer = json_answer(std::move(body));
    answer.headers.emplace_back("ETag", etag_of(version));
    return reply(std::move(answer));
  }
  reply(api::problem_answer("not-found", "The rule `" + name + "` has no version " + std::to_string(version) + "."));
}

// A rollback is a deployment of the old text: a cosmetic difference keeps the runs, and the number goes on (R73).
void Backend::activate_rule_version(std::string name, uint32_t version, api::Reply reply) {
  RegistryPtr registry = lane_.registry();
  const RuleRecord* rule = find_rule(*registry, name);
  if (rule == nullptr) return reply(no_rule(name));
  for (const RuleVersion& known : rule->versions) {
    if (known.version != version) continue;
    lane_.deploy(known.text, name + " version " + std::to_string(version), false, nullptr, [this, reply](DeployResult result) {
      if (std::optional<api::Answer> wrong = refusal(result)) return reply(std::move(*wrong));
      reply(rule_answer(result, *lane_.registry(), options_.clock()));
    });
    return;
  }
  reply(api::problem_answer("not-found", "The rule `" + name + "` has no version " + std::to_string(version) + "."));
}

// The work thread waits for the record of the new mode, so that no deployment is planned upon the mode before.
void Backend::set_rule_mode(std::string name, std::string mode, api::Reply reply) {
  on_work(reply, [this, name, mode, reply] {
    RegistryPtr registry = lane_.registry();
    const RuleRecord* rule = rule_in_force(*registry, name);
    if (rule == nullptr) return reply(no_rule(name));
    const cep::RuleMode wanted = mode == "shadow"   ? cep::RuleMode::kShadow
                                 : mode == "paused" ? cep::RuleMode::kPaused
                                                    : cep::RuleMode::kLive;
    if (wanted == rule->mode) return reply(mode_answer(*registry, name, 0, cep::kTimeMax));
    if (wanted == cep::RuleMode::kPaused) return pause_rule(*rule, reply);
    if (rule->mode == cep::RuleMode::kPaused) return resume_rule(*rule, wanted, reply);
    if (cep::Status status = lane_.set_mode({name, wanted}); !status.ok()) return reply(error_answer(status.error()));
    reply(mode_answer(*lane_.registry(), name, 0, cep::kTimeMax));
  });
}

// Warm-starts as after a matching change: what came while it was paused is seen from the log.
void Backend::resume_rule(const RuleRecord& rule, cep::RuleMode mode, const api::Reply& reply) {
  lane_.restart_rule(rule.name, rule.versions.back().text, mode, [this, name = rule.name, reply](DeployResult result) {
    if (std::optional<api::Answer> wrong = refusal(result)) return reply(std::move(*wrong));
    RegistryPtr registry = lane_.registry();
    const RuleRecord* resumed = rule_in_force(*registry, name);
    const cep::Program* program = resumed != nullptr ? resumed->program.get() : nullptr;
    reply(mode_answer(*registry, name, 0, partial_since(result, program, options_.clock())));
  });
}

// On the work thread. The runs end with the mode's record in the log; how many there were is counted right before it.
void Backend::pause_rule(const RuleRecord& rule, const api::Reply& reply) {
  struct Counting {
    std::mutex mutex;
    std::map<cep::ProgramId, uint64_t> runs;
    size_t waiting = 0;
    std::promise<void> done;
  };
  auto counting = std::make_shared<Counting>();
  counting->waiting = lane_.shards().size();
  const bool asked = lane_.ask_all([counting](uint32_t, const cep::Engine& engine) {
    std::lock_guard lock(counting->mutex);
    engine.count_runs(counting->runs);
    if (--counting->waiting == 0) counting->done.set_value();
  });
  if (!asked) return reply(busy_answer("Too many questions wait for a shard."));
  counting->done.get_future().wait();
  if (cep::Status status = lane_.set_mode({rule.name, cep::RuleMode::kPaused}); !status.ok()) {
    return reply(error_answer(status.error()));
  }
  reply(mode_answer(*lane_.registry(), rule.name, counting->runs[rule.versions.back().program], cep::kTimeMax));
}

}  // namespace service
