// See output.h. Tests: tests/unit/cep/output_test.cc (worked id vectors), tests/scripts/suppress.
#include "cep/output.h"

#include <algorithm>
#include <cmath>

#include "cep/key.h"
#include "cep/text.h"
#include "cep/time_math.h"
#include "cep/truncation.h"

namespace cep {
namespace {

constexpr std::string_view kInputName = "input";    // R71: name of source 0, the same for the HTTP log and for files
constexpr std::string_view kRulesName = "rules";    // of what alerts became; its positions are cut from their ids

// True if the match (and the matches folded into it) is folded into an open suppression window; else opens a new one and adds to
// `folded` how many were since the last.
bool is_suppressed(BlockEditor& block, const MatchScope& scope, TimeUs time, uint64_t* folded) {
  DurationUs window = scope.rule->entry.program->suppress_us;
  uint64_t id = static_cast<uint32_t>(scope.rule->entry.id);
  Cell* cell = block.view().find_cell(CellKind::kSuppress, id);
  if (window == 0) {
    if (cell != nullptr) block.remove_cell(cell);
    return false;
  }
  if (cell == nullptr) cell = block.add_cell(CellKind::kSuppress, id, sizeof(SuppressCell));
  SuppressCell& state = *reinterpret_cast<SuppressCell*>(cell->payload());
  bool first = state.until == 0 && state.folded == 0;
  if (!first && time < state.until) {
    state.folded += 1 + *folded;
    ++scope.counters->suppressed;
    return true;
  }
  *folded += state.folded;
  state.folded = 0;
  state.until = add_saturating(time, window);
  return false;
}

// The events of the chain that ends in `node`, oldest first.
void list_events(BlockView block, const MatchScope& scope, uint32_t node, std::vector<AlertEvent>& events) {
  const Program& program = *scope.rule->entry.program;
  size_t words = 0;
  for (uint32_t ref = node; ref != 0; ref = block.node(ref).previous) words += block.row_header(block.node(ref).row).size / 8;
  const auto rows = std::make_shared_for_overwrite<uint64_t[]>(words);
  events.resize(block.node(node).depth);
  auto event = events.end();
  for (uint32_t ref = node; ref != 0; ref = block.node(ref).previous) {
    const uint8_t* packed = block.row(block.node(ref).row);
    const RowHeader& header = *reinterpret_cast<const RowHeader*>(packed);
    words -= header.size / 8;
    std::memcpy(rows.get() + words, packed, header.size);
    --event;
    event->schema = scope.rules->schema(header.stream);
    event->packed = {rows, rows.get() + words};
    event->variable = program.is_when ? 0 : program.states[block.node(ref).state].variable;
  }
}

std::string render_message(const Program& program, EvalContext& context) {
  const MessageTemplate& message = program.alert.message;
  std::string text = message.literals.empty() ? program.rule : message.literals[0];
  for (size_t i = 0; i < message.values.size(); ++i) {
    text += to_display(evaluate(program.pool, message.values[i], context));
    text += message.literals[i + 1];
  }
  return text;
}

int clamped_score(const Value& value) {
  if (!value.is_number()) return -1;
  double score = value.kind == ValueKind::kFloat ? value.real : static_cast<double>(value.number);
  for (uint8_t i = 0; value.kind == ValueKind::kDecimal && i < value.scale; ++i) score /= 10;
  return static_cast<int>(std::lround(std::clamp(score, 0.0, 100.0)));
}

// Everything that is an expression over the finished match.
void evaluate_outputs(const MatchScope& scope, EvalContext& context, Alert& alert) {
  const Program& program = *scope.rule->entry.program;
  alert.measures.reserve(program.measures.size());
  for (const Measure& measure : program.measures) {
    alert.measures.emplace_back(evaluate(program.pool, measure.expr, context));
  }
  if (program.alert.score != kNoExpr) alert.score = clamped_score(evaluate(program.pool, program.alert.score, context));
  alert.message = render_message(program, context);
}

Alert& new_alert(const OutputScope& scope, AlertKind kind, TimeUs time, uint64_t folded) {
  const BoundRule& rule = *scope.match->rule;
  Alert& alert = scope.alerts->emplace_back();
  alert.kind = kind;
  alert.program = rule.entry.program;
  alert.version = rule.entry.version;
  const bool only_into = !rule.entry.program->alert.is_written;
  alert.mode = rule.entry.mode == RuleMode::kShadow ? AlertMode::kShadow : only_into ? AlertMode::kDerived : AlertMode::kLive;
  alert.time = time;
  alert.key_hash = scope.key_hash;
  alert.suppressed = folded;
  alert.cause_position = scope.cause_position;
  alert.key.reserve(scope.match->key.size());
  for (const Value& part : scope.match->key) alert.key.emplace_back(part);
  return alert;
}

// Keeps the first and the last half when a match has more events than an alert lists.
void cut_events(Alert& alert, uint32_t max) {
  if (alert.events.size() <= max) return;
  alert.truncated.events = true;
  auto begin = alert.events.begin() + max / 2;
  alert.events.erase(begin, alert.events.end() - (max - max / 2));
}

void append_u32(std::string& out, size_t value) {
  uint32_t number = static_cast<uint32_t>(value);
  out.append(reinterpret_cast<const char*>(&number), sizeof number);
}

// R71: an event without `unique` is named by its place in its source.
std::string_view source_name(SourceId source, std::span<const std::string> sources) {
  if (source == kRulesSource) return kRulesName;
  return source == kInputSource || source > sources.size() ? kInputName : std::string_view(sources[source - 1]);
}

void append_identity(std::string& out, const AlertEvent& event, std::span<const std::string> sources) {
  RowRef row = event.row();
  const StreamSchema& schema = *event.schema;
  append_tagged(out, Value::string(schema.name));
  const size_t named = out.size();
  bool complete = !schema.unique_columns.empty();
  for (uint16_t column : schema.unique_columns) {
    const Value value = row.value(column);
    complete = complete && !value.is_null();
    append_tagged(out, value);
  }
  if (complete) return;
  out.resize(named);
  const RowHeader& header = *reinterpret_cast<const RowHeader*>(row.packed);
  append_tagged(out, Value::string(source_name(header.source, sources)));
  append_tagged(out, Value::integer(static_cast<int64_t>(header.position)));
}

}  // namespace

TimeUs partial_since(const MatchScope& scope, TimeUs began) {
  TimeUs since = kTimeMin;
  for (uint16_t w = 0; w < scope.rule->entry.program->windows.size(); ++w) {
    since = std::max(since, scope.windows->partial_since(w, began));
  }
  return since;
}

AlertId alert_id(const Alert& alert, std::span<const std::string> sources) {
  const Program& program = *alert.program;
  thread_local std::string bytes;      // kept: alerts come in bursts
  bytes.assign(1, '\x01');
  append_tagged(bytes, Value::string(program.rule));
  bytes.push_back(static_cast<char>(alert.kind));
  append_u32(bytes, alert.key.size());
  for (const OwnedValue& part : alert.key) append_tagged(bytes, part.view());
  append_u32(bytes, alert.events.size());
  for (const AlertEvent& event : alert.events) {
    append_tagged(bytes, Value::string(program.variables[event.variable].name));
    append_identity(bytes, event, sources);
  }
  const std::array<uint8_t, 32> digest = sha256(bytes);
  AlertId id;
  int64_t milliseconds = alert.time / kMillisecond - (alert.time % kMillisecond < 0 ? 1 : 0);
  for (size_t i = 0; i < 6; ++i) id[i] = static_cast<uint8_t>(static_cast<uint64_t>(milliseconds) >> (40 - 8 * i));
  std::copy(digest.begin(), digest.begin() + 10, id.begin() + 6);
  return id;
}

std::string_view severity_name(Severity severity) {
  switch (severity) {
    case Severity::kInfo: return "info";
    case Severity::kLow: return "low";
    case Severity::kMedium: return "medium";
    case Severity::kHigh: return "high";
    case Severity::kCritical: return "critical";
  }
  return "medium";
}

std::string_view decision_name(Decision decision) {
  switch (decision) {
    case Decision::kNone: return "";
    case Decision::kAllow: return "allow";
    case Decision::kReview: return "review";
    case Decision::kChallenge: return "challenge";
    case Decision::kBlock: return "block";
  }
  return "";
}

std::string to_hex(const AlertId& id) {
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string text;
  for (uint8_t byte : id) {
    text.push_back(kDigits[byte >> 4]);
    text.push_back(kDigits[byte & 15]);
  }
  return text;
}

bool parse_alert_id(std::string_view hex, AlertId* id) {
  if (hex.size() != 2 * id->size()) return false;
  for (size_t i = 0; i < hex.size(); ++i) {
    char c = hex[i];
    int digit = c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
    if (digit < 0) return false;
    (*id)[i / 2] = static_cast<uint8_t>(i % 2 == 0 ? digit << 4 : (*id)[i / 2] | digit);
  }
  return true;
}

void emit(BlockEditor& block, const OutputScope& scope, Finding finding) {
  const bool is_folded = is_suppressed(block, *scope.match, finding.time, &finding.folded);
  if (is_folded && !scope.keeps_folded) return;
  const Program& program = *scope.match->rule->entry.program;
  const RuleSet& rules = *scope.match->rules;
  Alert& alert = new_alert(scope, finding.kind, finding.time, finding.folded);
  alert.folded = is_folded;
  BlockView view = block.view();
  uint32_t node = block.held(finding.held);
  list_events(view, *scope.match, node, alert.events);
  alert.id = alert_id(alert, rules.sources());
  alert.truncated = truncated_at(block.view(), scope.match->rule->entry.id, finding.time) | finding.truncated;
  alert.partial_since = std::max(finding.partial_since, partial_since(*scope.match, alert.events.front().row().time()));
  alert.evidence = std::move(finding.evidence);
  ChainEvents bound(view, node, program, rules);
  EvalContext context = context_of(*scope.match);
  context.event = bound.row(node);
  if (!program.is_when) context.bound = &bound;
  evaluate_outputs(*scope.match, context, alert);
  cut_events(alert, scope.match->limits->alert_events_max);
  ++scope.match->counters->alerts;
}

void emit_match(BlockEditor& block, const OutputScope& scope, const Match& match, TimeUs time) {
  Finding finding;
  finding.kind = match.kind;
  finding.held = match.held;
  finding.time = time;
  emit(block, scope, std::move(finding));
}

void emit_hit(BlockEditor& block, const OutputScope& scope, const MatchEvent& event,
              const std::function<std::vector<Evidence>()>& evidence) {
  ++scope.match->counters->matches;
  uint64_t folded = 0;
  const bool is_folded = is_suppressed(block, *scope.match, event.time, &folded);
  if (is_folded && !scope.keeps_folded) return;
  Alert& alert = new_alert(scope, AlertKind::kWhen, event.time, folded);
  alert.folded = is_folded;
  auto packed = std::make_shared_for_overwrite<uint64_t[]>(packed_size(*event.batch, event.row) / 8);
  pack_row(*event.batch, event.row, reinterpret_cast<uint8_t*>(packed.get()));
  alert.events.push_back({0, event.batch->schema, std::move(packed)});
  alert.id = alert_id(alert, scope.match->rules->sources());
  alert.truncated = truncated_at(block.view(), scope.match->rule->entry.id, event.time);
  alert.partial_since = partial_since(*scope.match, event.time);
  alert.evidence = evidence();
  EvalContext context = context_of(*scope.match);
  context.event = row_of(*event.batch, event.row);
  evaluate_outputs(*scope.match, context, alert);
  ++scope.match->counters->alerts;
}

}  // namespace cep
