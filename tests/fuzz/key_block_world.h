// The rules, the events and the engine around the blocks of key_block_fuzz, and what its seeds are made with.
#pragma once

#include <vector>

#include "cep/engine.h"
#include "patterns/compile.h"
#include "tests/fuzz/fuzz.h"

namespace fuzz {

// Runs with history, merged ones too, loops, windows of each kind of value, a NOT at the head, `suppress` and episodes, all under one key.
inline constexpr const char* kBlockRules =
    "create stream e (k text not null, x text, v int, amount decimal(12,2), f float, at timestamp not null)\n"
    "  event time at delay 0 seconds;\n"
    "create rule path on e partition by k pattern a -> b+ -> not c -> d within 1 hour\n"
    "  define a as x = 'a', b as x = 'b' and v > a.v, c as x = 'c', d as x = 'd' and sum(b.v) > 3\n"
    "  after match no skip suppress 10 minutes alert message '{k}';\n"
    "create rule head on e partition by k pattern not c for 5 minutes -> a -> not b for 10 minutes\n"
    "  define a as x = 'a', b as x = 'b', c as x = 'c' alert message '{k}';\n"
    "create rule rate on e partition by k\n"
    "  when count(*) over (last 1 hour) > 3 and sum(amount) over (last 10 minutes) > 5.00 and min(v) over (last 1 hour) < 3\n"
    "    and count(distinct x) over (last 1 hour) > 2 and sum(f) over (last 1 hour) > 1e0 suppress 1 minute alert message '{k}';\n"
    "create rule kinds on e partition by k\n"
    "  when last(x) over (last 1 hour exclude current) = 'a' and max(x) over (all) = 'd' and sum(v) over (all) > 3\n"
    "    and sum(v) over (last 3 rows) > 1 and count(*) filter (where this.x = x) over (last 1 hour) > 1 and prev(v) > 0\n"
    "  suppress 1 minute alert message '{k}';\n"
    "create rule calm on e partition by k pattern a -> b+ within 1 hour define a as x = 'a', b as x = 'b'\n"
    "  measures max(x) over (last 1 hour) as t emit episode after quiet 5 minutes alert message '{t}';\n"
    "create rule calm_rate on e partition by k when count(*) over (last 1 hour) > 1 and last(x) over (last 1 hour) <> 'c'\n"
    "  measures sum(f) over (last 1 hour) as s emit episode after quiet 5 minutes alert message '{s}';\n"
    "create rule merged on e partition by k pattern a ->> b -> c ->> d within 1 hour\n"
    "  define a as x = 'a', b as x = 'b', c as x = 'c', d as x = 'd' after match no skip alert message '{k}';\n";

class BlockWorld {
 public:
  BlockWorld() {
    patterns::SourceMap sources;
    patterns::Diagnostics diagnostics;
    patterns::Catalog catalog;
    const auto made = patterns::compile_file(sources, sources.add("f", kBlockRules), catalog, diagnostics);
    check(made.has_value(), "the rules do not compile", patterns::to_text(sources, diagnostics));
    std::vector<cep::RuleEntry> entries;
    for (const patterns::CompiledRule& rule : made->rules) {
      cep::RuleEntry entry;
      entry.id = static_cast<cep::ProgramId>(entries.size() + 1);
      entry.program = rule.program;
      entries.push_back(std::move(entry));
    }
    rules_ = cep::RuleSet::build(std::move(entries), {}, catalog.streams);
    events_ = events("abbcdabd", 21);
  }

  uint64_t space() const { return rules_->timelines()[0].spaces[0].id; }
  std::unique_ptr<cep::Engine> engine() const {
    auto engine = std::make_unique<cep::Engine>(0, 1, cep::Limits());
    engine->apply_rules(rules_);
    return engine;
  }
  // Events of the key `k`, a minute apart.
  cep::BatchPtr events(std::string_view letters, int64_t first_minute = 0) const {
    cep::BatchBuilder rows(rules_->streams().at("e"), 0, 0);
    for (uint64_t i = 0; i < letters.size(); ++i) {
      rows.begin_row();
      rows.set_text(0, "k");
      rows.set_text(1, letters.substr(i, 1));
      rows.set_fixed(2, static_cast<int64_t>(i % 5));
      rows.set_fixed(3, static_cast<int64_t>(i * 100));
      rows.set_fixed(5, (first_minute + static_cast<int64_t>(i)) * cep::kMinute);
      rows.commit_row(i);
    }
    return rows.finish();
  }
  void feed(cep::Engine& engine, const cep::BatchPtr& batch) const {
    std::vector<cep::Alert> alerts;
    cep::Admission admission;
    admission.frontier = batch->time.back();
    admission.has_rows = true;
    engine.on_batch(batch, {&admission, 1}, alerts);
  }
  // Events of each kind, then silence until everything has run out.
  void feed_all(cep::Engine& engine) const {
    feed(engine, events_);
    std::vector<cep::Alert> alerts;
    cep::Admission admission;
    admission.frontier = events_->time.back() + 2 * cep::kHour;
    engine.on_time({&admission, 1}, alerts);
  }

 private:
  cep::RuleSetPtr rules_;
  cep::BatchPtr events_;
};

}  // namespace fuzz
