#include "tests/compare/runner.h"

#include <algorithm>

#include "api/alert_json.h"
#include "patterns/parser.h"
#include "service/pipeline.h"
#include "service/script.h"
#include "tests/compare/reference_lines.h"

namespace compare {
namespace {

constexpr uint64_t kWorkMax = 60'000;              // questions to conditions, of one case
constexpr uint32_t kRunsToldMax = 5;               // so few that they are cut now and then
constexpr std::string_view kStreamNames[] = {"e", "u"};

// As a script's expectations are written.
std::string script_line(const support::ReferenceAlert& alert, const cep::Program& program) {
  const auto value = [](const cep::Value& v) {
    std::string json;
    api::JsonWriter writer(json);
    api::append_value(v, writer);
    return json.starts_with('"') ? json.substr(1, json.size() - 2) : json;
  };
  std::string line = service::print_offset(alert.time - kClock) + " " + program.rule;
  for (size_t i = 0; i < alert.key.size(); ++i) line += " " + program.key[i].name + "=" + value(alert.key[i]);
  for (size_t i = 0; i < alert.measures.size(); ++i) line += " " + program.measures[i].name + "=" + value(alert.measures[i]);
  line += " [";
  for (const auto& [variable, row] : alert.events) {
    line += (line.ends_with('[') ? "" : ", ") + variable + " " + service::print_offset(row->time - kClock);
  }
  return line + "]";
}

cep::BatchPtr batch_of(const Step& step, const cep::SchemaPtr& schema, uint64_t position) {
  cep::BatchBuilder rows(schema, 0, 0);
  rows.begin_row();
  for (uint16_t column = 0; column < kColumns; ++column) {
    const cep::Value& v = step.fields[column];
    if (v.is_null()) continue;
    if (v.kind == cep::ValueKind::kText) {
      rows.set_text(column, v.text());
    } else if (v.kind == cep::ValueKind::kFloat) {
      rows.set_real(column, v.real);
    } else {
      rows.set_fixed(column, static_cast<int64_t>(v.number));
    }
  }
  rows.commit_row(position);
  return rows.finish();
}

}  // namespace

const Runner::World& Runner::world(const Delays& delays) {
  if (lists_.empty()) {
    for (const auto& value : kListValues) lists_["letters"].push_back({cep::Value::string(value)});
    for (const auto& [x, v] : kPairValues) lists_["pairs"].push_back({cep::Value::string(x), cep::Value::integer(v)});
    for (const auto& [x, rate] : kRateValues) lists_["rates"].push_back({cep::Value::string(x), cep::Value::integer(rate)});
  }
  const auto known = worlds_.find(delays);
  if (known != worlds_.end()) return known->second;
  World& made = worlds_[delays];
  patterns::SourceMap sources;
  patterns::Diagnostics diagnostics;
  std::vector<cep::ProgramId> started;
  const patterns::FileId file = sources.add("declarations", declarations(delays));
  WEIR_CHECK(made.book.compile(sources, {&file, 1}, diagnostics, started), "the streams of the comparison compile");
  const auto fill = [&](const char* name, const std::vector<std::vector<std::string>>& elements) {
    service::DatasetChange change{name, "", 0, {}};
    for (const auto& element : elements) change.edits.push_back({element, cep::EntryText(), std::nullopt});
    WEIR_CHECK(made.book.edit(change).ok(), "the lists of the comparison take their elements");
  };
  std::vector<std::vector<std::string>> letters;
  for (const auto& value : kListValues) letters.push_back({std::string(value)});
  std::vector<std::vector<std::string>> pairs;
  for (const auto& [x, v] : kPairValues) pairs.push_back({std::string(x), std::to_string(v)});
  fill("letters", letters);
  fill("pairs", pairs);
  service::DatasetChange rates{"rates", "", 0, {}};
  for (const auto& [x, rate] : kRateValues) {
    rates.edits.push_back({{std::string(x)}, cep::EntryText(), std::nullopt});
    rates.edits.back().now->row = {std::to_string(rate)};
  }
  WEIR_CHECK(made.book.edit(rates).ok(), "the table of the comparison takes its rows");
  return made;
}

// Leaves the rule set and the tree, or says why there are none.
bool Runner::compile(const Case& one, Outcome& outcome) {
  if (compiled_ == one.rule && compiled_delays_ == one.delays) {
    outcome = compiled_outcome_;
    return outcome.kind == Outcome::Kind::kCompared;
  }
  compiled_ = one.rule;
  compiled_delays_ = one.delays;
  book_ = world(one.delays).book;
  sources_ = {};
  patterns::Diagnostics diagnostics;
  std::vector<cep::ProgramId> started;
  const patterns::FileId file = sources_.add("rule", one.rule);
  if (book_.compile(sources_, {&file, 1}, diagnostics, started)) {
    rules_ = book_.build();
    patterns::Diagnostics again;
    tree_ = patterns::parse(sources_, file, again);
  } else {
    for (const patterns::Diagnostic& one_of : diagnostics.sorted()) {
      if (one_of.severity != patterns::Severity::kError) continue;
      outcome.reasons.push_back(std::string(patterns::info(one_of.code).code) + " " + one_of.message);
    }
    outcome.kind = Outcome::Kind::kRefused;
  }
  compiled_outcome_ = outcome;
  return outcome.kind == Outcome::Kind::kCompared;
}

std::vector<std::string> Runner::ask_engine(const Case& one, bool merges_runs, Outcome& outcome) {
  cep::Limits limits;
  limits.runs_per_key_max = 100'000;
  limits.matches_per_event_max = 100'000;
  service::Pipeline pipeline({1, false, limits, false, merges_runs});
  pipeline.apply_rules(rules_);
  const cep::BoundRule& rule = rules_->rules().front();
  outcome.merges = rule.merges_runs;
  std::vector<std::string> told;
  const auto tell_state = [&] {
    if (!outcome.merges) return;
    const cep::Engine& engine = pipeline.engine(0);
    for (const cep::MatchSummary::HotKey& hot : engine.match_summary(rule).hottest) {
      std::vector<cep::Value> key;
      for (const cep::OwnedValue& part : hot.key) key.push_back(part.view());
      const cep::MatchState state = engine.match_state(rule, key, kRunsToldMax);
      told.push_back(std::to_string(hot.runs) + api::match_state_json(*rule.entry.program, 1, cep::RuleMode::kLive, state));
    }
  };
  for (size_t i = 0; i < one.steps.size(); ++i) {
    const Step& step = one.steps[i];
    if (i == one.steps.size() / 2) tell_state();
    if (step.stream < 0) {
      pipeline.watermark(step.time, nullptr);
    } else {
      pipeline.feed(batch_of(step, book_.streams().at(std::string(kStreamNames[step.stream])), i));
    }
  }
  tell_state();
  std::vector<cep::Alert> alerts;
  pipeline.take_alerts(alerts, true);
  outcome.engine.clear();
  for (const cep::Alert& alert : alerts) {
    outcome.engine.push_back(engine_line(alert, kClock));
    if (outcome.merges) told.push_back(cep::to_hex(alert.id) + " " + outcome.engine.back());
  }
  std::sort(outcome.engine.begin(), outcome.engine.end());
  const cep::EngineCounters counters = pipeline.counters();
  if (counters.runs_refused + counters.matches_dropped + counters.runs_aged > 0) outcome.kind = Outcome::Kind::kLimited;
  return told;
}

void Runner::ask_engines(const Case& one, Outcome& outcome) {
  std::vector<std::string> merged = ask_engine(one, true, outcome);
  if (!outcome.merges) return;
  Outcome other;
  std::vector<std::string> apart = ask_engine(one, false, other);
  if (other.kind == Outcome::Kind::kLimited) outcome.kind = other.kind;
  if (apart == merged) return;
  outcome.apart = std::move(apart);
  outcome.merged = std::move(merged);
}

void Runner::ask_reference(const Case& one, Outcome& outcome) {
  std::vector<support::ReferenceRow> rows(one.steps.size());
  std::vector<support::ReferenceStep> steps;
  for (size_t i = 0; i < one.steps.size(); ++i) {
    const Step& step = one.steps[i];
    if (step.stream < 0) {
      steps.push_back({nullptr, step.time});
      continue;
    }
    rows[i] = {book_.streams().at(std::string(kStreamNames[step.stream])), step.time, i, step.fields};
    steps.push_back({&rows[i], cep::kTimeMin});
  }
  const auto& rule = std::get<patterns::RuleDecl>(tree_.statements.at(0).body);
  const support::Reference reference(rule, book_.streams(), lists_, broken_);
  const auto alerts = reference.alerts(steps, kWorkMax);
  if (!alerts) {
    outcome.kind = Outcome::Kind::kLimited;
    return;
  }
  const cep::Program& program = *book_.rules().begin()->second.program;
  for (const support::ReferenceAlert& alert : *alerts) {
    outcome.reference.push_back(reference_line(alert, kClock));
    outcome.expected.push_back(script_line(alert, program));
  }
  std::sort(outcome.reference.begin(), outcome.reference.end());
}

Outcome Runner::run(const Case& one) {
  Outcome outcome;
  if (!compile(one, outcome)) return outcome;
  ask_reference(one, outcome);
  if (outcome.kind == Outcome::Kind::kCompared) ask_engines(one, outcome);
  return outcome;
}

}  // namespace compare
