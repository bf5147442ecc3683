// See rule_set.h. Complexity of building: linear in rules, states and predicates.
#include "cep/rule_set.h"

#include <algorithm>
#include <atomic>
#include <set>

#include "cep/merged_runs.h"

namespace cep {

// Bit b of word w is predicate 64 w + b, hence fold bit (64 w + b) % 63 = (w + b) % 63: the word turned by w within 63 bits.
uint64_t fold_words(const uint64_t* words, uint32_t count) {
  uint64_t fold = kAwaitsAny;
  for (uint32_t w = 0; w < count; ++w) {
    const uint64_t low = words[w] & ~kAwaitsAny;
    const uint32_t turn = w % 63;
    fold |= low << turn | low >> (63 - turn) | words[w] >> 63 << turn;
  }
  return fold;
}

const TimelineStream* Timeline::find(StreamId stream) const {
  for (const TimelineStream& candidate : streams) {
    if (candidate.stream == stream) return &candidate;
  }
  return nullptr;
}

namespace {

std::set<std::string> stream_names(const Program& program) {
  std::set<std::string> names;
  for (const Input& input : program.inputs) names.insert(input.schema->name);
  return names;
}

std::string timeline_name(const Program& program) {
  std::string name;
  for (const std::string& stream : stream_names(program)) name += (name.empty() ? "" : "+") + stream;
  return name + (program.is_pinned() ? " pinned" : "");
}

uint32_t pinned_owner(const std::string& timeline, uint32_t shards) {
  return static_cast<uint32_t>(hash_bytes(timeline.data(), timeline.size()) % shards);
}

}  // namespace

uint32_t Timeline::owner(uint64_t key_hash, uint32_t shards) const {
  return pinned ? pinned_owner(name, shards) : static_cast<uint32_t>(key_hash % shards);
}

uint32_t owner_of(const Program& program, uint64_t key_hash, uint32_t shards) {
  return program.is_pinned() ? pinned_owner(timeline_name(program), shards) : static_cast<uint32_t>(key_hash % shards);
}

class RuleSetBuilder {
 public:
  explicit RuleSetBuilder(RuleSet& set) : set_(set) {}

  void add_schemas() {
    for (const auto& [name, schema] : set_.streams_) {
      if (set_.schemas_.size() <= index_of(schema->id)) set_.schemas_.resize(index_of(schema->id) + 1);
      set_.schemas_[index_of(schema->id)] = schema;
    }
    set_.timelines_by_stream_.resize(set_.schemas_.size());
  }

  void add_rule(RuleEntry entry) {
    uint32_t number = static_cast<uint32_t>(set_.rules_.size());
    size_t id = static_cast<size_t>(entry.id);
    if (set_.by_id_.size() <= id) {
      set_.by_id_.resize(id + 1, 0);
      set_.first_wake_.resize(id + 1, 0);
    }
    set_.by_id_[id] = number + 1;
    set_.rules_.emplace_back();
    BoundRule& rule = set_.rules_.back();
    rule.entry = std::move(entry);
    const Program& program = *rule.entry.program;
    rule.timeline = timeline_of(program);
    Timeline& timeline = set_.timelines_[rule.timeline];
    timeline.rules.push_back(number);
    rule.space = space_of(timeline, "", program.key);
    for (const std::string& list : program.datasets) {
      auto found = set_.datasets_.find(list);
      WEIR_CHECK(found != set_.datasets_.end(), "a rule names a list that the rule set does not hold");
      rule.datasets.push_back(found->second);
    }
    for (const Predicate& predicate : program.predicates) {
      TimelineStream& stream = stream_of(timeline, program.inputs[predicate.input].schema->id);
      rule.predicate_bit.push_back(stream.predicates.add(rule.entry.program, predicate));
    }
    std::vector<uint32_t> role_of_input;
    for (uint16_t i = 0; i < program.inputs.size(); ++i) role_of_input.push_back(add_input(timeline, number, i, role_of_input));
    for (uint16_t i = 0; i < program.rings.size(); ++i) rule.ring.push_back(add_ring(timeline, number, i, role_of_input));
    rule.gates = gates_of(program, rule.ring);
    rule.merges_runs = can_merge_runs(program);
    add_awaits(rule);
    set_.first_wake_[id] = static_cast<uint32_t>(set_.wakes_.size());
    set_.wakes_.insert(set_.wakes_.end(), rule.wakes.begin(), rule.wakes.end());
  }

  void finish() {
    for (BoundRule& rule : set_.rules_) find_windows(rule);
    for (Timeline& timeline : set_.timelines_) {
      for (TimelineStream& stream : timeline.streams) {
        stream.predicates.finish();
        for (Role& role : stream.roles) sum_awaits(timeline, role);
        for (Role& role : stream.feeders) sum_awaits(timeline, role);
        for (const std::vector<Role>* roles : {&stream.roles, &stream.feeders}) {
          for (const Role& role : *roles) {
            stream.cares.add(role.starts);
            stream.cares.add(role.runs);
          }
        }
      }
    }
    for (uint32_t t = 0; t < set_.timelines_.size(); ++t) {
      for (const TimelineStream& stream : set_.timelines_[t].streams) {
        set_.timelines_by_stream_[index_of(stream.stream)].push_back(t);
      }
    }
    bind_feeders();
    order_levels();
    static std::atomic<uint64_t> generations{0};
    set_.generation_ = ++generations;
  }

 private:
  uint32_t timeline_of(const Program& program) {
    const std::string name = timeline_name(program);
    const std::set<std::string> names = stream_names(program);
    int known = set_.timeline_index(name);
    if (known >= 0) return static_cast<uint32_t>(known);
    Timeline timeline;
    timeline.name = name;
    timeline.pinned = program.is_pinned();
    size_t from_rules = 0;
    for (const std::string& stream : names) {
      const SchemaPtr& schema = set_.streams_.at(stream);
      timeline.delay_us = std::max(timeline.delay_us, schema->delay_us);
      timeline.idle_us = std::max(timeline.idle_us, schema->idle_us);
      timeline.explicit_watermark = timeline.explicit_watermark || schema->explicit_watermark;
      from_rules += schema->from_rules ? 1 : 0;
      timeline.streams.push_back({schema->id, schema, PredicateSet(schema), {}, {}, {}});
    }
    timeline.level = from_rules > 0 ? 1 : 0;
    timeline.has_outside = from_rules < names.size();
    set_.timelines_.push_back(std::move(timeline));
    return static_cast<uint32_t>(set_.timelines_.size() - 1);
  }

  static uint32_t space_of(Timeline& timeline, const std::string& use, const std::vector<KeyPart>& key) {
    std::string identity = timeline.name + use;
    for (const KeyPart& part : key) identity += '|' + part.name + ' ' + type_name(part.type);
    uint64_t id = hash_bytes(identity.data(), identity.size());
    for (uint32_t i = 0; i < timeline.spaces.size(); ++i) {
      if (timeline.spaces[i].id == id) return i;
    }
    timeline.spaces.push_back({id, key});
    return static_cast<uint32_t>(timeline.spaces.size() - 1);
  }

  static TimelineStream& stream_of(Timeline& timeline, StreamId id) {
    for (TimelineStream& stream : timeline.streams) {
      if (stream.stream == id) return stream;
    }
    WEIR_CHECK(false, "a rule reads a stream outside its timeline");
    return timeline.streams.front();
  }

  // The role of one input: shared with other rules of the same stream, space and plain key columns, as long as the order of a rule's own
  // inputs (which decides who sees an event first) is kept.
  uint32_t add_input(Timeline& timeline, uint32_t rule_number, uint16_t number, const std::vector<uint32_t>& before) {
    const BoundRule& rule = set_.rules_[rule_number];
    const Input& input = rule.entry.program->inputs[number];
    TimelineStream& stream = stream_of(timeline, input.schema->id);
    std::vector<uint16_t> columns;
    bool plain = true;
    for (ExprId part : input.key) {
      const Expr& expr = rule.entry.program->pool.nodes[static_cast<size_t>(part)];
      plain = plain && expr.op == ExprOp::kField;
      columns.push_back(static_cast<uint16_t>(expr.a));
    }
    if (!plain) columns.clear();
    uint32_t least = 0;
    for (uint16_t i = 0; i < number; ++i) {
      if (rule.entry.program->inputs[i].schema->id == input.schema->id) least = std::max(least, before[i]);
    }
    for (uint32_t r = least; plain && r < stream.roles.size(); ++r) {
      Role& role = stream.roles[r];
      if (role.plain_key && role.space == rule.space && role.key_columns == columns) {
        role.inputs.push_back({rule_number, number, kAlways});
        return r;
      }
    }
    Role role;
    role.stream = stream.stream;
    role.space = rule.space;
    role.plain_key = plain;
    role.key_columns = columns;
    role.inputs.push_back({rule_number, number, kAlways});
    stream.roles.push_back(std::move(role));
    return static_cast<uint32_t>(stream.roles.size() - 1);
  }

  static int32_t number_column(const Program& program, const Ring& ring) {
    if (ring.argument == kNoExpr || ring.value != RingValue::kNumber || ring.type.kind == TypeKind::kFloat) return -1;
    const Expr& argument = program.pool.nodes[static_cast<size_t>(ring.argument)];
    return argument.op == ExprOp::kField ? argument.a : -1;
  }

  // The role that feeds rings by another key: its key is fields of the stream, so rings of one such key share it.
  static uint32_t add_feeder(Timeline& timeline, const Program& program, const Ring& ring) {
    TimelineStream& stream = stream_of(timeline, program.inputs[ring.input].schema->id);
    Role feeder;
    feeder.stream = stream.stream;
    feeder.space = space_of(timeline, "|window", ring.other_key);
    for (ExprId part : ring.other_key_parts) {
      feeder.key_columns.push_back(static_cast<uint16_t>(program.pool.nodes[static_cast<size_t>(part)].a));
    }
    for (uint32_t r = 0; r < stream.feeders.size(); ++r) {
      if (stream.feeders[r].space == feeder.space && stream.feeders[r].key_columns == feeder.key_columns) return r;
    }
    stream.feeders.push_back(std::move(feeder));
    return static_cast<uint32_t>(stream.feeders.size() - 1);
  }

  // Events that are only counted are counted in a ring of the rule that keeps them for their values anyway, if there is one.
  static uint16_t holder_of(const Program& program, uint16_t number) {
    const Ring& ring = program.rings[number];
    if (ring.value != RingValue::kNone || ring.keep != RingKeep::kEntries || !ring.other_key.empty()) return number;
    for (uint16_t i = 0; i < program.rings.size(); ++i) {
      const Ring& other = program.rings[i];
      const bool has_them = other.input == ring.input && other.predicate == ring.predicate && other.span_us >= ring.span_us;
      if (has_them && other.value == RingValue::kNumber && other.keep == RingKeep::kEntries && other.other_key.empty()) return i;
    }
    return number;
  }

  // Rings of equal identity in one role are one ring.
  uint32_t add_ring(Timeline& timeline, uint32_t rule_number, uint16_t asked, const std::vector<uint32_t>& role_of_input) {
    const BoundRule& rule = set_.rules_[rule_number];
    const Program& program = *rule.entry.program;
    const uint16_t number = holder_of(program, asked);
    const Ring& ring = program.rings[number];
    StreamId stream = program.inputs[ring.input].schema->id;
    const bool by_other_key = !ring.other_key.empty();
    uint32_t role_number = by_other_key ? add_feeder(timeline, program, ring) : role_of_input[ring.input];
    Role& role = by_other_key ? stream_of(timeline, stream).feeders[role_number] : stream_of(timeline, stream).roles[role_number];
    std::string identity = ring.identity;
    for (uint32_t r = 0, twins = 0; r < role_number && !by_other_key; ++r) {
      const Role& other = stream_of(timeline, stream).roles[r];
      if (other.space == role.space && other.plain_key == role.plain_key && other.key_columns == role.key_columns) {
        identity += "#" + std::to_string(++twins);
      }
    }
    uint64_t id = hash_bytes(identity.data(), identity.size());
    uint32_t index = 0;
    while (index < timeline.rings.size() && timeline.rings[index].shape.id != id) ++index;
    if (index == timeline.rings.size()) {
      BoundRing bound;
      bound.shape.id = id;
      bound.shape.value = ring.value;
      bound.shape.keep = ring.keep;
      bound.shape.keeps_distinct = ring.value == RingValue::kText;
      bound.space = role.space;
      bound.stream = stream;
      bound.rule = rule_number;
      bound.ring = number;
      bound.number_column = number_column(program, ring);
      bound.predicate_bit = ring.predicate == kAlways ? kAlways : static_cast<int32_t>(rule.predicate_bit[ring.predicate]);
      timeline.rings.push_back(std::move(bound));
    }
    RingShape& shape = timeline.rings[index].shape;
    for (const Window& window : program.windows) {
      if (holder_of(program, window.ring) != number) continue;
      auto at = std::lower_bound(shape.extents.begin(), shape.extents.end(), window.extent);
      if (at == shape.extents.end() || *at != window.extent) shape.extents.insert(at, window.extent);
    }
    if (std::find(role.rings.begin(), role.rings.end(), index) == role.rings.end()) role.rings.push_back(index);
    return index;
  }

  // Adds what an event of `input` must have to fit the variable.
  static void await(const BoundRule& rule, uint16_t variable, size_t input, AwaitedBits& bits) {
    const Condition& condition = rule.entry.program->variables[variable].conditions[input];
    if (condition.predicate == kNever) return;
    if (condition.predicate == kAlways) return bits.add_any();
    bits.add(rule.predicate_bit[condition.predicate]);
  }

  static void add_awaits(BoundRule& rule) {
    const Program& program = *rule.entry.program;
    rule.starts.resize(program.inputs.size());
    rule.runs.resize(program.inputs.size());
    for (size_t input = 0; input < program.inputs.size(); ++input) {
      AwaitedBits& starts = rule.starts[input];
      if (program.is_when) {
        await(rule, 0, input, starts);
      } else {
        for (const Edge& edge : program.states[0].edges) await(rule, program.states[edge.target].variable, input, starts);
      }
      for (const HeadNot& head : program.head_nots) await(rule, head.variable, input, starts);
    }
    for (const State& state : program.states) {
      std::vector<AwaitedBits> by_input(program.inputs.size());
      for (size_t input = 0; input < program.inputs.size(); ++input) {
        AwaitedBits& awaited = by_input[input];
        for (const Edge& edge : state.edges) {
          if (edge.kind == EdgeKind::kTake) await(rule, program.states[edge.target].variable, input, awaited);
          if (edge.kind == EdgeKind::kStrictAbsence || (edge.kind == EdgeKind::kTake && edge.link == Link::kStrict)) awaited.add_any();
          for (const Guard& guard : edge.guards) {
            await(rule, guard.variable, input, awaited);
            if (guard.first_only) awaited.add_any();
          }
        }
        for (const Until& until : state.untils) await(rule, until.variable, input, awaited);
        rule.runs[input].add(awaited);
      }
      rule.wakes.push_back(wake_of(program, state, by_input));
    }
  }

  static StateWake wake_of(const Program& program, const State& state, const std::vector<AwaitedBits>& by_input) {
    StateWake wake;
    wake.has_deadline = std::any_of(state.edges.begin(), state.edges.end(), [](const Edge& edge) { return edge.kind != EdgeKind::kTake; });
    const auto is_of_first_stream = [&](const Input& input) { return input.schema->id == program.inputs.front().schema->id; };
    wake.is_exact = std::all_of(program.inputs.begin(), program.inputs.end(), is_of_first_stream);
    AwaitedBits all;
    for (const AwaitedBits& awaited : by_input) all.add(awaited);
    if (all.any()) wake.fold = kAwaitsAny;
    wake.is_exact = wake.is_exact && !all.any();
    all.for_each([&](uint32_t bit) {
      wake.fold |= fold_bit(bit);
      if (wake.bit_count == StateWake::kBitsMax) {
        wake.is_exact = false;
      } else {
        wake.bits[wake.bit_count++] = bit;
      }
    });
    return wake;
  }

  void bind_feeders() {
    for (BoundRule& rule : set_.rules_) {
      auto stream = set_.streams_.find(rule.entry.program->into);
      if (rule.entry.mode != RuleMode::kLive || stream == set_.streams_.end()) continue;
      for (uint32_t reader : set_.timelines_by_stream_[index_of(stream->second->id)]) {
        rule.into = stream->second;
        std::vector<uint32_t>& feeders = set_.timelines_[reader].feeders;
        if (std::find(feeders.begin(), feeders.end(), rule.timeline) == feeders.end()) feeders.push_back(rule.timeline);
      }
      if (rule.into != nullptr) rule.into_columns = bind_into(*rule.entry.program, *rule.into);
    }
  }

  void order_levels() {
    for (bool changed = true; changed;) {
      changed = false;
      for (Timeline& timeline : set_.timelines_) {
        for (uint32_t feeder : timeline.feeders) {
          uint32_t level = set_.timelines_[feeder].level + 1;
          if (level <= timeline.level) continue;
          WEIR_CHECK(level <= set_.timelines_.size(), "rules feed each other in a cycle");
          timeline.level = level;
          changed = true;
        }
      }
    }
    for (uint32_t t = 0; t < set_.timelines_.size(); ++t) {
      set_.levels_ = std::max(set_.levels_, set_.timelines_[t].level);
      if (set_.timelines_[t].level > 0) set_.fed_.push_back(t);
    }
    std::stable_sort(set_.fed_.begin(), set_.fed_.end(),
                     [&](uint32_t a, uint32_t b) { return set_.timelines_[a].level < set_.timelines_[b].level; });
  }

  // When all rules have said which windows they look at.
  void find_windows(BoundRule& rule) {
    for (WindowGate& gate : rule.gates) {
      const std::vector<WindowExtent>& extents = set_.timelines_[rule.timeline].rings[gate.ring].shape.extents;
      gate.window = static_cast<uint32_t>(std::find(extents.begin(), extents.end(), gate.extent) - extents.begin());
    }
  }

  void sum_awaits(const Timeline& timeline, Role& role) {
    role.first_input.assign(set_.rules_.size(), Role::kNoInput);
    for (uint32_t number = 0; number < role.inputs.size(); ++number) {
      RuleInput& input = role.inputs[number];
      const BoundRule& rule = set_.rules_[input.rule];
      int32_t filter = rule.entry.program->inputs[input.input].filter;
      input.filter_bit = filter < 0 ? filter : static_cast<int32_t>(rule.predicate_bit[static_cast<size_t>(filter)]);
      role.start_index.add(rule.starts[input.input]);
      role.starts.add(rule.starts[input.input]);
      role.runs.add(rule.runs[input.input]);
      if (role.first_input[input.rule] == Role::kNoInput) role.first_input[input.rule] = number;
    }
    role.start_index.finish();
    const std::vector<KeyPart>& parts = timeline.spaces[role.space].parts;
    if (role.plain_key && parts.size() == 1 && parts[0].type.kind == TypeKind::kText) role.text_key = role.key_columns[0];
    role.moves_windows = !role.inputs.empty() && std::all_of(role.inputs.begin(), role.inputs.end(), [&](const RuleInput& input) {
      return !set_.rules_[input.rule].gates.empty();
    });
    for (uint32_t ring : role.rings) {
      const RingShape& shape = timeline.rings[ring].shape;
      const bool is_plain = shape.value == RingValue::kNone || shape.value == RingValue::kNumber;
      role.moves_windows = role.moves_windows && is_plain && shape.keep == RingKeep::kEntries;
      role.longest_us = std::max(role.longest_us, shape.extents.back().span_us);
      int32_t bit = timeline.rings[ring].predicate_bit;
      if (bit == kAlways) {
        role.starts.add_any();
      } else {
        role.starts.add(static_cast<uint32_t>(bit));
      }
    }
  }

  RuleSet& set_;
};

std::shared_ptr<const RuleSet> RuleSet::build(std::vector<RuleEntry> rules, Datasets datasets,
                                              std::map<std::string, SchemaPtr> streams, std::vector<std::string> sources) {
  auto set = std::make_shared<RuleSet>();
  set->datasets_ = std::move(datasets);
  set->sources_ = std::move(sources);
  set->streams_ = std::move(streams);
  std::sort(rules.begin(), rules.end(),
            [](const RuleEntry& a, const RuleEntry& b) { return a.program->rule < b.program->rule; });
  RuleSetBuilder builder(*set);
  builder.add_schemas();
  set->rules_.reserve(rules.size());
  for (RuleEntry& rule : rules) builder.add_rule(std::move(rule));
  builder.finish();
  return set;
}

std::vector<RuleEntry> with_feeders(const std::vector<RuleEntry>& all, const std::vector<ProgramId>& wanted) {
  std::vector<bool> taken(all.size());
  std::set<std::string> read;
  for (bool grows = true; grows;) {
    grows = false;
    for (size_t i = 0; i < all.size(); ++i) {
      const RuleEntry& entry = all[i];
      bool is_feeder = entry.mode == RuleMode::kLive && read.contains(entry.program->into);
      if (taken[i] || (!is_feeder && std::find(wanted.begin(), wanted.end(), entry.id) == wanted.end())) continue;
      taken[i] = grows = true;
      for (const Input& input : entry.program->inputs) read.insert(input.schema->name);
    }
  }
  std::vector<RuleEntry> entries;
  for (size_t i = 0; i < all.size(); ++i) {
    if (taken[i]) entries.push_back(all[i]);
  }
  return entries;
}

const std::vector<uint32_t>& RuleSet::timelines_of(StreamId stream) const { return timelines_by_stream_[index_of(stream)]; }

const BoundRule* RuleSet::find(const std::string& rule_name) const {
  for (const BoundRule& rule : rules_) {
    if (rule.entry.program->rule == rule_name) return &rule;
  }
  return nullptr;
}

uint32_t RuleSet::owner(uint64_t space_id, uint64_t key_hash, uint32_t shards) const {
  for (const Timeline& timeline : timelines_) {
    for (const KeySpace& space : timeline.spaces) {
      if (space.id == space_id) return timeline.owner(key_hash, shards);
    }
  }
  return static_cast<uint32_t>(key_hash % shards);
}

int RuleSet::timeline_index(const std::string& name) const {
  for (size_t i = 0; i < timelines_.size(); ++i) {
    if (timelines_[i].name == name) return static_cast<int>(i);
  }
  return -1;
}

}  // namespace cep
