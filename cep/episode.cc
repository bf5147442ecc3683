// See episode.h. Tests: tests/scripts/output/episode.test, tests/compare.
#include "cep/episode.h"

#include <algorithm>
#include <string>

#include "cep/decimal.h"
#include "cep/skip.h"
#include "cep/time_math.h"
#include "cep/truncation.h"

namespace cep {
namespace {

// A value of a window: this, then its text padded to 8 bytes.
struct StoredValue {
  ValueKind kind{};
  uint8_t scale = 0;
  uint16_t reserved = 0;
  uint32_t text_size = 0;
  uint8_t bits[16] = {};      // number, float or address; 0 for a text
};
static_assert(sizeof(StoredValue) == 24);

template <class T>
void put_raw(std::string& out, const T& value) {
  out.append(reinterpret_cast<const char*>(&value), sizeof value);
}

void put_value(std::string& out, const Value& value) {
  StoredValue stored;
  stored.kind = value.kind;
  stored.scale = value.scale;
  if (value.kind == ValueKind::kText) {
    stored.text_size = value.text_size;
  } else if (value.kind == ValueKind::kFloat) {
    std::memcpy(stored.bits, &value.real, sizeof value.real);
  } else if (!value.is_null()) {
    std::memcpy(stored.bits, &value.number, sizeof stored.bits);
  }
  put_raw(out, stored);
  if (value.kind != ValueKind::kText) return;
  out.append(value.text());
  out.append((8 - out.size() % 8) % 8, '\0');
}

// Reads what put_value wrote; nothing is trusted.
class ValueReader {
 public:
  explicit ValueReader(std::string_view bytes) : bytes_(bytes) {}

  template <class T>
  bool read(T* out) {
    if (bytes_.size() < sizeof(T)) return false;
    std::memcpy(out, bytes_.data(), sizeof(T));
    bytes_.remove_prefix(sizeof(T));
    return true;
  }
  // A text points into the bytes.
  bool read(Value* out) {
    StoredValue stored;
    if (!read(&stored) || stored.kind > ValueKind::kIp || stored.scale > kDecimalDigitsMax) return false;
    const size_t padded = (size_t{stored.text_size} + 7) / 8 * 8;
    if (stored.kind == ValueKind::kText) {
      if (padded > bytes_.size()) return false;
      *out = Value::string(bytes_.substr(0, stored.text_size));
      bytes_.remove_prefix(padded);
      return true;
    }
    *out = Value();
    out->kind = stored.kind;
    out->scale = stored.scale;
    if (stored.kind == ValueKind::kFloat) {
      std::memcpy(&out->real, stored.bits, sizeof out->real);
    } else {
      std::memcpy(&out->number, stored.bits, sizeof stored.bits);
    }
    return stored.text_size == 0;
  }
  bool is_at_end() const { return bytes_.empty(); }

 private:
  std::string_view bytes_;
};

// Evidence: which window, and so many entries behind it.
struct StoredEvidence {
  uint32_t window = 0;
  uint32_t rows = 0;
};

void put_evidence(std::string& out, const std::vector<Evidence>& evidence) {
  for (const Evidence& one : evidence) {
    put_raw(out, StoredEvidence{one.window, static_cast<uint32_t>(one.rows.size())});
    for (const Evidence::Row& row : one.rows) {
      put_raw(out, row.time);
      put_value(out, row.value.view());
    }
  }
}

// What a value of that type may be taken for: texts and addresses are read as such.
bool has_form(const Value& value, TypeKind type) {
  if (value.is_null()) return true;
  return (value.kind == ValueKind::kText) == (type == TypeKind::kText) && (value.kind == ValueKind::kIp) == (type == TypeKind::kIp);
}

// What stands behind the cell, taken apart. False if it is not what was put there.
bool read_values(const Program& program, std::string_view bytes, std::vector<Value>& values, std::vector<Evidence>& evidence) {
  ValueReader reader(bytes);
  for (const Window& window : program.windows) {
    values.emplace_back();
    if (!reader.read(&values.back()) || !has_form(values.back(), window.type.kind)) return false;
  }
  while (program.is_when && !reader.is_at_end()) {
    StoredEvidence stored;
    if (!reader.read(&stored) || stored.window >= values.size()) return false;
    Evidence& one = evidence.emplace_back();
    one.window = static_cast<uint16_t>(stored.window);
    one.text = program.windows[stored.window].text;
    one.value = OwnedValue(values[stored.window]);
    for (uint32_t i = 0; i < stored.rows; ++i) {
      Evidence::Row& row = one.rows.emplace_back();
      Value value;
      if (!reader.read(&row.time) || !reader.read(&value)) return false;
      row.value = OwnedValue(value);
    }
  }
  return reader.is_at_end();
}

// Windows as the listed match found them.
class StoredWindows : public WindowReader {
 public:
  explicit StoredWindows(std::vector<Value> values) : values_(std::move(values)) {}
  Value value(uint16_t window, const EvalContext&) override { return values_[window]; }
  TimeUs partial_since(uint16_t, TimeUs) const override { return kTimeMin; }     // the cell has it

 private:
  std::vector<Value> values_;
};

std::string window_values(const MatchScope& scope, const EvalContext& asked) {
  std::string bytes;
  for (uint16_t w = 0; w < scope.rule->entry.program->windows.size(); ++w) put_value(bytes, scope.windows->value(w, asked));
  return bytes;
}

uint64_t cell_id(const BoundRule& rule) { return static_cast<uint32_t>(rule.entry.id); }

EpisodeCell* open_episode(BlockView block, const BoundRule& rule) {
  Cell* cell = block.find_cell(CellKind::kEpisode, cell_id(rule));
  return cell != nullptr ? reinterpret_cast<EpisodeCell*>(cell->payload()) : nullptr;
}

constexpr uint32_t kCutRuns = 1, kCutMatches = 2, kCutWindow = 4;

uint32_t cuts_at(BlockView block, const MatchScope& scope, TimeUs now) {
  const Truncated cut = truncated_at(block, scope.rule->entry.id, now);
  return (cut.runs ? kCutRuns : 0) | (cut.matches ? kCutMatches : 0) | (cut.window ? kCutWindow : 0);
}

// Has the episode list another match, whose last node the editor holds as `held`; opens it if need be.
EpisodeCell& list_match(BlockEditor& block, const MatchScope& scope, uint32_t held, const std::string& values, TimeUs began) {
  const uint32_t bytes = static_cast<uint32_t>(sizeof(EpisodeCell) + values.size());
  Cell* cell = block.view().find_cell(CellKind::kEpisode, cell_id(*scope.rule));
  cell = cell == nullptr ? block.add_cell(CellKind::kEpisode, cell_id(*scope.rule), bytes) : block.resize_cell(cell, bytes);
  EpisodeCell& episode = *reinterpret_cast<EpisodeCell*>(cell->payload());
  episode.node = block.held(held);
  episode.partial_since = partial_since(scope, began);
  episode.value_bytes = static_cast<uint32_t>(values.size());
  std::memcpy(cell->payload() + sizeof(EpisodeCell), values.data(), values.size());
  return episode;
}

}  // namespace

void feed_episode(BlockEditor& block, const MatchScope& scope, const Match& match, TimeUs now) {
  EpisodeCell* episode = open_episode(block.view(), *scope.rule);
  const bool is_other = episode != nullptr && episode->start_row != match.start_row;
  if (is_other) {
    ++episode->folded;
  } else if (episode == nullptr || match.depth > block.view().node(episode->node).depth) {
    ChainEvents bound(block.view(), block.held(match.held), *scope.rule->entry.program, *scope.rules);
    EvalContext asked = context_of(scope);
    asked.event = bound.row(block.held(match.held));
    asked.bound = &bound;
    const std::string values = window_values(scope, asked);
    episode = &list_match(block, scope, match.held, values, first_time(block.view(), block.held(match.held)));
    episode->start_row = match.start_row;
  }
  if (!is_other) episode->last = now;
  episode->cuts |= cuts_at(block.view(), scope, now);
}

void feed_episode(BlockEditor& block, const MatchScope& scope, const MatchEvent& event,
                  const std::function<std::vector<Evidence>()>& evidence) {
  const bool is_first = open_episode(block.view(), *scope.rule) == nullptr;
  EvalContext asked = context_of(scope);
  asked.event = row_of(*event.batch, event.row);
  std::string values = window_values(scope, asked);
  put_evidence(values, evidence());
  Node node;
  node.row = block.add_row(*event.batch, event.row);
  node.depth = 1;
  EpisodeCell& episode = list_match(block, scope, block.hold(block.add_node(node)), values, event.time);
  if (!is_first) ++episode.folded;
  ++scope.counters->matches;
  episode.last = event.time;
  episode.cuts |= cuts_at(block.view(), scope, event.time);
}

const EpisodeCell* find_episode(BlockView block, const BoundRule& rule) { return open_episode(block, rule); }

EpisodeEnd episode_end(const EpisodeCell& episode, BlockView block, std::span<const Run> runs, const BoundRule& rule,
                       const Limits& limits) {
  const Program& program = *rule.entry.program;
  const EpisodeEnd quiet{add_saturating(episode.last, program.quiet_us), true};
  if (program.is_when) return quiet;
  EpisodeEnd end{episode.last, true};        // of the last run of its start
  for (const Run& run : runs) {
    if (run.program != rule.entry.id || run.start_row != episode.start_row) continue;
    const State& state = program.states[run.state];
    for (size_t e = 0; e < state.edges.size() && end.time < quiet.time; ++e) {
      if ((run.live >> e & 1) == 0) continue;
      const TimeUs time = edge_end(block, program, run, state.edges[e], limits);
      const bool is_absence = state.edges[e].kind != EdgeKind::kTake;
      if (time > end.time) end = {time, true};
      if (time == end.time && is_absence) end.is_before_absences = false;
    }
  }
  return end.time < quiet.time ? end : quiet;
}

void end_episode(BlockEditor& block, const OutputScope& scope, TimeUs time) {
  const BoundRule& rule = *scope.match->rule;
  const Program& program = *rule.entry.program;
  Cell* cell = block.view().find_cell(CellKind::kEpisode, cell_id(rule));
  const EpisodeCell episode = *reinterpret_cast<EpisodeCell*>(cell->payload());
  const std::string bytes(reinterpret_cast<char*>(cell->payload()) + sizeof episode, episode.value_bytes);
  std::vector<Value> values;
  Finding finding;
  WEIR_CHECK(read_values(program, bytes, values, finding.evidence), "what an episode keeps is not what was put there");
  finding.kind = AlertKind::kEpisode;
  finding.held = block.hold(episode.node);
  finding.time = time;
  finding.folded = episode.folded;
  finding.partial_since = episode.partial_since;
  finding.truncated.runs = (episode.cuts & kCutRuns) != 0;
  finding.truncated.matches = (episode.cuts & kCutMatches) != 0;
  finding.truncated.window = (episode.cuts & kCutWindow) != 0;
  block.remove_cell(cell);
  StoredWindows windows(std::move(values));
  MatchScope match = *scope.match;
  match.windows = &windows;
  OutputScope output = scope;
  output.match = &match;
  const uint32_t held = finding.held;
  emit(block, output, std::move(finding));
  if (program.is_when) return;
  const StartRange dropped = skipped_starts(block.view(), match, block.held(held), episode.start_row);
  std::erase_if(block.runs(), [&](const Run& run) { return run.program == rule.entry.id && dropped.has(run.start_row); });
}

bool is_sound_episode(const Program& program, std::span<const uint8_t> values) {
  std::vector<Value> read;
  std::vector<Evidence> evidence;
  return program.quiet_us != 0 && read_values(program, {reinterpret_cast<const char*>(values.data()), values.size()}, read, evidence);
}

}  // namespace cep
