#include "service/bench_data.h"

#include <fmt/format.h>

#include <cmath>
#include <cstdlib>
#include <random>

#include "service/client_output.h"
#include "service/generator.h"
#include "service/log_rows.h"
#include "service/rule_files.h"
#include "service/source_files.h"

namespace service {
namespace {

constexpr cep::TimeUs kStart = 1'767'571'200 * cep::kSecond;  // 2026-01-05, a Monday
constexpr uint64_t kSeed = 1;

constexpr const char* kStock =
    "create stream stock (side text not null, sym text not null, price decimal(8,2), volume int, at timestamp not "
    "null)\n"
    "    event time at delay 0 seconds;\n";
std::string tx_stream(std::string_view delay = "0 seconds") {
  return fmt::format(
      "create stream tx (card text not null, amount decimal(12,2) not null, merchant text, country text, channel "
      "text,\n"
      "    at timestamp not null) event time at delay {};\n",
      delay);
}

double uniform(std::mt19937_64& random) { return static_cast<double>(random() >> 11) * 0x1p-53; }

// Payments at a fixed distance in time.
class Payments {
 public:
  Payments(cep::SchemaPtr schema, uint32_t cards, cep::DurationUs gap_us)
      : schema_(std::move(schema)), cards_(cards), gap_us_(gap_us) {}

  void fill(BenchWorkload& workload, uint32_t batches) {
    static constexpr const char* kCountries[] = {"US", "US", "US", "DE", "FR", "GB", "RO", "BR"};
    static constexpr const char* kChannels[] = {"online", "pos", "pos", "atm"};
    cep::BatchBuilder rows(schema_, 0, 0);
    for (uint32_t i = 0; i < batches * cep::kBatchRowsMax; ++i) {
      const int64_t cents = 1 + static_cast<int64_t>(-6'000 * std::log(1 - uniform(random_)));  // mean 60.00
      rows.begin_row();
      rows.set_text(0, fmt::format("4929{:012}", random_() % cards_));
      rows.set_fixed(1, cents);
      rows.set_text(2, fmt::format("m{}", random_() % 1'000));
      rows.set_text(3, kCountries[random_() % std::size(kCountries)]);
      rows.set_text(4, kChannels[random_() % std::size(kChannels)]);
      rows.set_fixed(5, kStart + static_cast<int64_t>(i) * gap_us_);
      rows.commit_row(i);
      if (rows.rows() == cep::kBatchRowsMax) workload.batches.push_back(rows.finish());
    }
    workload.events = uint64_t{batches} * cep::kBatchRowsMax;
    workload.span_us = static_cast<int64_t>(workload.events) * gap_us_;
  }

 private:
  cep::SchemaPtr schema_;
  uint32_t cards_;
  cep::DurationUs gap_us_;
  std::mt19937_64 random_{kSeed};
};

// Envelope lines cut into runs of one stream, decoded as the log would decode them.
class EnvelopeBatches {
 public:
  EnvelopeBatches(const cep::RuleSet& rules, BenchWorkload& workload) : rules_(rules), workload_(workload) {}

  void add(const std::string& line) {
    const std::string stream = json_text(json_member(line, "stream"));
    if (!rules_.streams().contains(stream)) return;
    if (stream != stream_ || rows_.size() == cep::kBatchRowsMax) flush();
    stream_ = stream;
    rows_.emplace_back(json_member(line, "event"));
  }
  void flush() {
    if (rows_.empty()) return;
    const std::vector<std::string_view> rows(rows_.begin(), rows_.end());
    const std::vector<uint32_t> index(rows.size());
    RowGroup group = decoder_.decode(rules_.streams().at(stream_), rows, index, cep::kInputSource, 0, any_time,
                                     [](size_t, const api::RowError&) {});
    rows_.clear();
    if (group.batch->rows() == 0) return;
    for (uint32_t row = 0; row < group.batch->rows(); ++row) group.batch->position[row] = workload_.events++;
    workload_.batches.push_back(std::move(group.batch));
  }

 private:
  const cep::RuleSet& rules_;
  BenchWorkload& workload_;
  LogRows decoder_;
  std::string stream_;
  std::vector<std::string> rows_;
};

}  // namespace

cep::Result<cep::RuleSetPtr> compile_bench_rules(const std::string& name, const std::string& text) {
  Compilation compilation;
  compile_texts({{name + ".weir", text}}, compilation);
  if (compilation.ok) return compilation.book.build();
  return cep::Error{"bad_rules", patterns::to_text(compilation.sources, compilation.diagnostics)};
}

std::string bench_stream_text() { return tx_stream(); }

cep::Result<BenchWorkload> bench_payments(std::string name, std::string what, const std::string& rules, uint32_t cards,
                                          cep::DurationUs gap_us, uint32_t batches) {
  BenchWorkload workload;
  workload.name = std::move(name);
  workload.what = std::move(what);
  cep::Result<cep::RuleSetPtr> compiled = compile_bench_rules(workload.name, rules);
  if (!compiled) return compiled.error();
  workload.rules = std::move(*compiled);
  Payments(workload.rules->streams().at("tx"), cards, gap_us).fill(workload, batches);
  return workload;
}

cep::Result<BenchWorkload> bench_sequence() {
  BenchWorkload workload;
  workload.name = "seq3";
  workload.what = "three events in order within 10 s, no key";
  cep::Result<cep::RuleSetPtr> rules = compile_bench_rules(workload.name, std::string(kStock) + R"(
create rule seq3 on stock
    pattern s1 ->> s2 ->> s3 within 10 seconds
    define s1 as side = 'SELL' and sym = 'S03', s2 as side = 'BUY' and sym = 'S17', s3 as side = 'BUY' and sym = 'S29'
    after match no skip
    alert severity medium;
)");
  if (!rules) return rules.error();
  workload.rules = std::move(*rules);
  std::mt19937_64 random(kSeed);
  cep::BatchBuilder rows(workload.rules->streams().at("stock"), 0, 0);
  cep::TimeUs time = kStart;
  workload.events = uint64_t{kBenchBatches} * cep::kBatchRowsMax;
  for (uint64_t i = 0; i < workload.events; ++i) {
    time += static_cast<int64_t>(random() % 194) * cep::kMillisecond;  // 97 ms in the mean
    rows.begin_row();
    rows.set_text(0, random() % 2 == 0 ? "BUY" : "SELL");
    rows.set_text(1, fmt::format("S{:02}", random() % 40));
    rows.set_fixed(2, static_cast<int64_t>(1'000 + random() % 90'000));
    rows.set_fixed(3, static_cast<int64_t>(1 + random() % 500));
    rows.set_fixed(4, time);
    rows.commit_row(i);
    if (rows.rows() == cep::kBatchRowsMax) workload.batches.push_back(rows.finish());
  }
  workload.span_us = time - kStart + cep::kSecond;
  return workload;
}

cep::Result<BenchWorkload> bench_keyed(uint32_t cards) {
  return bench_payments(fmt::format("keyed3_{}", cards),
                           fmt::format("three events in order within 60 s per card, {} cards", cards), tx_stream() + R"(
create rule keyed3 on tx partition by card
    pattern s1 ->> s2 ->> s3 within 60 seconds
    define s1 as amount < 2.00, s2 as amount < 2.00, s3 as amount > 300.00
    after match no skip
    alert severity medium;
)",
                           cards, cep::kMillisecond);
}

cep::Result<BenchWorkload> bench_velocity(uint32_t cards) {
  return bench_payments(fmt::format("velocity_{}", cards),
                           fmt::format("count and sum of the last 60 s per card, {} cards", cards),
                           fmt::format(R"({}
create rule velocity on tx partition by card
    when count(*) over (last 60 seconds) > {} and sum(amount) over (last 60 seconds) > {}
    alert severity medium;
)",
                                       tx_stream(), 60'000 / cards + 12, (60'000 / cards + 12) * 60),
                           cards, cep::kMillisecond);
}

std::string twenty_rules_text(std::string_view delay, std::string_view stream) {
  std::string text = tx_stream(delay);
  for (int i = 0; i < 5; ++i) {
    text += fmt::format(
        "create rule probe_then_cash_{0} on tx partition by card\n"
        "    pattern probe{{{1},}} -> cash within {2} minutes\n"
        "    define probe as amount < {3}.00, cash as amount > {4}.00 and amount > 20 * avg(probe.amount)\n"
        "    after match skip past last row alert severity high;\n",
        i, 2 + i % 3, 5 + 5 * i, 2 + i, 300 + 40 * i);
    text += fmt::format(
        "create rule country_hop_{0} on tx partition by card\n"
        "    pattern home -> abroad -> again within {1} minutes\n"
        "    define home as country = 'US' and amount > {2}.00, abroad as country = 'RO', again as country = 'BR' and "
        "amount > {2}.00\n"
        "    after match skip past last row alert severity medium;\n",
        i, 10 + i, 80 + 20 * i);
    text += fmt::format(
        "create rule velocity_{0} on tx partition by card\n"
        "    when count(*) over (last {1} minutes) > {2} and sum(amount) over (last {1} minutes) > {3}\n"
        "    suppress 1 hour alert severity medium;\n",
        i, 5 + i, 8 + i, 900 + 100 * i);
  }
  for (int i = 0; i < 3; ++i) {
    text += fmt::format(
        "create rule cash_abroad_{0} on tx where channel = 'atm' partition by card\n"
        "    pattern first_draw -> second_draw within {1} minutes\n"
        "    define first_draw as country <> 'US' and amount > {2}.00, second_draw as amount > first_draw.amount\n"
        "    after match skip past last row alert severity low;\n",
        i, 15 + 5 * i, 100 + 50 * i);
  }
  text +=
      "create rule many_merchants on tx partition by card\n"
      "    when count(distinct merchant) over (last 10 minutes) >= 6 suppress 1 hour alert severity medium;\n"
      "create rule big_and_silent on tx partition by card\n"
      "    pattern big -> not next_one for 10 minutes\n"
      "    define big as amount > 500.00, next_one as true alert severity low;\n";
  const auto replace = [&](const std::string& from, const std::string& to) {
    for (size_t at = text.find(from); at != std::string::npos; at = text.find(from, at + to.size())) text.replace(at, from.size(), to);
  };
  if (stream != "tx") {
    replace(" tx ", fmt::format(" {} ", stream));
    replace("create rule ", fmt::format("create rule {}_", stream));
  }
  return text;
}

cep::Result<BenchWorkload> bench_twenty_rules(uint32_t batches) {
  return bench_payments("rules_20", "twenty rules per card at once, 10000 cards", twenty_rules_text("0 seconds"),
                           10'000, 50 * cep::kMillisecond, batches);
}

cep::Result<BenchWorkload> bench_rule_files(const std::vector<std::string>& paths) {
  const auto texts = read_rule_files(paths);
  if (!texts) return texts.error();
  Compilation compilation;
  compile_texts(*texts, compilation);
  if (!compilation.ok) return cep::Error{"bad_rules", patterns::to_text(compilation.sources, compilation.diagnostics)};
  BenchWorkload workload;
  workload.rules = compilation.book.build();
  workload.name = "files";
  GeneratorOptions options;
  options.seed = kSeed;
  options.events = 200'000;
  options.rate_per_s = 50;
  options.from_ms = kStart / 1'000;
  cep::Result<std::unique_ptr<Generator>> generator = Generator::create(options);
  if (!generator) return generator.error();
  EnvelopeBatches batches(*workload.rules, workload);
  for (std::string line; (*generator)->next(line); line.clear()) batches.add(line);
  batches.flush();
  workload.span_us = (*generator)->at_ms() * 1'000 - kStart + cep::kDay;  // nothing of one pass meets the next
  workload.what = fmt::format(
      "{} rules of files on generated traffic, {:.1f} events a batch", workload.rules->rules().size(),
      static_cast<double>(workload.events) / static_cast<double>(std::max<size_t>(1, workload.batches.size())));
  if (workload.events == 0) return cep::Error{"bad_rules", "these rules read none of the streams that weir gen writes"};
  return workload;
}

cep::Result<BenchWorkload> bench_directory(const std::string& name, const std::string& directory, uint32_t batch_rows) {
  BenchWorkload workload;
  workload.name = name;
  workload.what = directory;
  const cep::Result<std::string> meta = read_whole_file(directory + "/meta.json");
  if (!meta) return meta.error();
  const std::string untimed(json_member(*meta, "untimed"));
  if (untimed.empty()) return cep::Error{"bad_events", directory + "/meta.json: there is no member \"untimed\""};
  workload.untimed = std::strtoull(untimed.c_str(), nullptr, 10);
  const cep::Result<std::string> rules = read_whole_file(directory + "/rules.weir");
  if (!rules) return rules.error();
  cep::Result<cep::RuleSetPtr> compiled = compile_bench_rules("rules", *rules);
  if (!compiled) return compiled.error();
  workload.rules = std::move(*compiled);
  const EventFile file = parse_event_file(directory + "/events.csv", workload.rules->streams());
  auto source = SourceFiles::open({file}, workload.rules->streams(), cep::kBatchRowsMax);
  if (!source) return source.error();
  std::unique_ptr<cep::BatchBuilder> rows;
  cep::TimeUs latest = cep::kTimeMin;
  for (;;) {
    const auto step = (*source)->next();
    if (!step) return step.error();
    for (const RejectedRecord& bad : (*source)->take_rejected())
      return cep::Error{"bad_events", fmt::format("{}, record {}: {}", bad.path, bad.record, bad.error.message)};
    if (!*step) break;
    const cep::BatchPtr& batch = (*step)->batch;
    if (batch == nullptr) continue;
    if (rows == nullptr) rows = std::make_unique<cep::BatchBuilder>(batch->schema, 0, 0);
    for (uint32_t row = 0; row < batch->rows(); ++row) {
      if (batch->time[row] < latest)
        return cep::Error{"bad_events",
                          fmt::format("{}, record {}: earlier than the one before", file.path, workload.events)};
      latest = batch->time[row];
      copy_row(*batch, row, workload.events++, *rows);
      const bool is_full = rows->rows() == batch_rows || workload.events == workload.untimed;
      if (is_full) workload.batches.push_back(rows->finish());
    }
  }
  if (rows != nullptr && rows->rows() > 0) workload.batches.push_back(rows->finish());
  if (workload.events <= workload.untimed)
    return cep::Error{"bad_events", fmt::format("{}/events.csv: {} events, of which {} are not to be timed", directory,
                                                workload.events, workload.untimed)};
  constexpr cep::DurationUs kBetweenPasses = 3 * cep::kHour;  // longer than any window of the harness
  workload.span_us = workload.batches.back()->time.back() - workload.batches.front()->time.front() + kBetweenPasses;
  // Matches are to be counted, all of them.
  workload.limits.runs_per_key_max = workload.limits.matches_per_event_max = UINT32_MAX;
  workload.limits.block_bytes_max = UINT32_MAX;
  return workload;
}

cep::Result<BenchWorkload> bench_runs(uint32_t cards, uint32_t starts) {
  BenchWorkload workload;
  workload.name = "runs";
  cep::Result<cep::RuleSetPtr> rules = compile_bench_rules(workload.name, tx_stream() + R"(
create rule waiting on tx partition by card
    pattern small ->> large within 1 hour
    define small as amount < 2.00, large as amount > 9000.00
    after match no skip
    alert severity medium;
)");
  if (!rules) return rules.error();
  workload.rules = std::move(*rules);
  cep::BatchBuilder rows(workload.rules->streams().at("tx"), 0, 0);
  for (uint64_t i = 0; i < uint64_t{cards} * (starts + 1); ++i) {
    rows.begin_row();
    rows.set_text(0, fmt::format("4929{:012}", i % cards));
    rows.set_fixed(1, 100);
    rows.set_text(2, "m1");
    rows.set_text(3, "US");
    rows.set_text(4, "online");
    rows.set_fixed(5, kStart + static_cast<int64_t>(i));
    rows.commit_row(workload.events++);
    if (rows.rows() == cep::kBatchRowsMax) workload.batches.push_back(rows.finish());
  }
  if (rows.rows() > 0) workload.batches.push_back(rows.finish());
  return workload;
}

}  // namespace service
