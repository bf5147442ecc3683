// `weir run`: rules over files, with the very engine of the service. Alerts go to the standard output, one a line; the
// summary, warnings and rejected records to the standard error.
#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include <algorithm>
#include <chrono>
#include <map>
#include <memory>
#include <optional>

#include "api/alert_json.h"
#include "cep/parse.h"
#include "service/commands.h"
#include "service/dedupe.h"
#include "service/log_rows.h"
#include "service/options.h"
#include "service/pipeline.h"
#include "service/rule_files.h"
#include "service/source_files.h"

namespace service {
namespace {

constexpr size_t kRejectedShown = 5;       // records named one by one; the rest is counted
constexpr size_t kSeenIdsMax = 4'000'000;  // as in the service; when full the oldest are forgotten
constexpr auto kProgressEvery = std::chrono::milliseconds(500);

struct RunOptions {
  std::vector<std::string> rules;
  std::vector<std::string> events;
  std::vector<std::string> lists, tables;
  std::vector<std::string> limit_settings;
  cep::Limits limits;
  std::optional<std::string> until;
  bool close = false;
  bool strict = false;
  uint32_t shards = 1;
  uint32_t batch_rows = cep::kBatchRowsMax;
};

class FileRun {
 public:
  FileRun(const RunOptions& options, const Console& console)
      : options_(options), console_(console), pipeline_({options.shards, false, options.limits, false}) {}

  int run() {
    const int status = prepare();
    if (status != kExitFine) return status;
    while (true) {
      const auto step = source_->next();
      if (!step) return refuse(step.error());
      note_rejected();
      if (!*step) break;
      if (cep::Status status = take(**step); !status) return refuse(status.error());
      show_progress();
    }
    if (until_us_) pipeline_.watermark(*until_us_, nullptr);
    if (options_.close) pipeline_.watermark(kEndOfTime, nullptr);
    print_alerts(true);
    std::fflush(console_.out);
    summarise();
    const bool spotless = rejected_count_ == 0 && pipeline_.late_rows() == 0;
    return options_.strict && !spotless ? kExitBadInput : kExitFine;
  }

 private:
  int refuse(const cep::Error& error) const {
    console_.complain("weir: " + error.message + "\n");
    return error.code == "unknown_format" || error.code == "bad_option" ? kExitBadUse : kExitBadInput;
  }

  // How often "-" was given.
  std::ptrdiff_t standard_inputs() const {
    const auto is_standard = [](const std::string& argument) { return argument == "-" || argument.ends_with("=-"); };
    return std::count(options_.rules.begin(), options_.rules.end(), "-") +
           std::count_if(options_.events.begin(), options_.events.end(), is_standard) +
           std::count_if(options_.lists.begin(), options_.lists.end(), is_standard) +
           std::count_if(options_.tables.begin(), options_.tables.end(), is_standard);
  }

  int prepare() {
    if (standard_inputs() > 1) return refuse({"bad_option", "the standard input can be read only once"});
    if (options_.until) {
      const cep::Result<cep::TimeUs> until = cep::parse_time(*options_.until, "UTC");
      if (!until) return refuse({"bad_option", "--until " + *options_.until + ": " + until.error().message});
      until_us_ = *until;
    }
    const auto texts = read_rule_files(options_.rules);
    if (!texts) return refuse(texts.error());
    compile_texts(*texts, compilation_);
    const patterns::Diagnostics& diagnostics = compilation_.diagnostics;
    if (!diagnostics.empty()) console_.complain(patterns::to_text(compilation_.sources, diagnostics));
    if (!compilation_.ok) return kExitBadInput;
    if (compilation_.book.rules().empty()) return refuse({"no_rule", "no rule in what was given to run"});
    for (const bool is_table : {false, true}) {
      for (const std::string& given : is_table ? options_.tables : options_.lists) {
        const size_t equals = given.find('=');
        if (equals == std::string::npos) {
          return refuse({"bad_option", (is_table ? "--table NAME=FILE, not " : "--list NAME=FILE, not ") + given});
        }
        const cep::Status status = load_dataset(given.substr(0, equals), given.substr(equals + 1), is_table, compilation_.book);
        if (!status) return refuse(status.error());
      }
    }
    pipeline_.apply_rules(compilation_.book.build());
    std::vector<EventFile> files;
    for (const std::string& file : options_.events)
      files.push_back(parse_event_file(file, compilation_.book.streams()));
    auto source = SourceFiles::open(files, compilation_.book.streams(), options_.batch_rows);
    if (!source) return refuse(source.error());
    source_ = std::move(source).value();
    return kExitFine;
  }

  // Edits apply to what is released from here on, as in the service.
  cep::Status take(const SourceFiles::Step& step) {
    if (step.edit) {
      if (cep::Status status = compilation_.book.edit(*step.edit); !status) return status;
      pipeline_.apply_rules(compilation_.book.build());
    } else if (step.batch == nullptr) {
      const cep::TimeUs time = until_us_ ? std::min(step.watermark, *until_us_) : step.watermark;
      pipeline_.watermark(time, step.stream ? &*step.stream : nullptr);
    } else {
      feed(step.batch);
    }
    pipeline_.take_late();
    print_alerts(false);
    return cep::ok_status();
  }

  // R68 with the time of the events for that of their arrival: an event arrives at the greatest time read so far.
  bool is_duplicate(const cep::Batch& batch, uint32_t row) {
    arrival_us_ = std::max(arrival_us_, batch.time[row]);
    const state::Id16 hash = unique_hash(batch, row);
    if (hash == state::Id16{}) return false;
    if (seen_.contains(hash, arrival_us_, batch.schema->unique_within_us)) return true;
    seen_.add(hash, arrival_us_, batch.schema->unique_within_us);
    return false;
  }

  bool is_wanted(const cep::Batch& batch, uint32_t row) {
    const bool is_after = until_us_ && batch.time[row] > *until_us_;
    const bool is_again = !is_after && is_duplicate(batch, row);
    left_out_ += is_after ? 1 : 0;
    duplicates_ += is_again ? 1 : 0;
    return !is_after && !is_again;
  }

  void feed(const cep::BatchPtr& batch) {
    std::vector<uint32_t> wanted;
    for (uint32_t row = 0; row < batch->rows(); ++row) {
      if (is_wanted(*batch, row)) wanted.push_back(row);
    }
    seen_.forget_expired(arrival_us_);
    if (wanted.size() == batch->rows()) return pipeline_.feed(batch);
    cep::BatchBuilder rows(batch->schema, batch->source, batch->received_us);
    for (const uint32_t row : wanted) copy_row(*batch, row, batch->position[row], rows);
    if (rows.rows() > 0) pipeline_.feed(rows.finish());
  }

  void print_alerts(bool all) {
    alerts_.clear();
    pipeline_.take_alerts(alerts_, all);
    line_.clear();
    for (const cep::Alert& alert : alerts_) {
      api::append_alert(alert, line_);
      line_ += '\n';
    }
    alert_count_ += alerts_.size();
    console_.print(line_);
  }

  void note_rejected() {
    for (const RejectedRecord& record : source_->take_rejected()) {
      const std::string_view code = api::event_code_name(record.error.code);
      ++rejected_[{record.stream, std::string(code)}];
      if (rejected_count_++ >= kRejectedShown) continue;
      const std::string where = record.error.field.empty() ? "" : " in " + record.error.field;
      console_.complain(fmt::format("rejected {} record {}: {}{}: {}\n", record.path, record.record, code, where,
                                    record.error.message));
    }
  }

  double seconds() const { return std::chrono::duration<double>(std::chrono::steady_clock::now() - started_).count(); }

  void show_progress() {
    const auto now = std::chrono::steady_clock::now();
    if (!console_.err_is_terminal || now - shown_ < kProgressEvery) return;
    shown_ = now;
    const double read = static_cast<double>(source_->bytes_read());
    const double total = static_cast<double>(source_->bytes_total());
    const std::string left =
        total > 0 && read > 0 ? fmt::format(", {:.0f} s left", seconds() * std::max(0.0, total - read) / read) : "";
    console_.complain(fmt::format("\r{} events, {:.0f}/s{}   ", pipeline_.rows(), rate(), left));
  }

  double rate() const { return static_cast<double>(pipeline_.rows()) / std::max(seconds(), 1e-6); }

  void summarise() const {
    const cep::EngineCounters counters = pipeline_.counters();
    std::string text = console_.err_is_terminal ? "\r\033[K" : "";
    text += fmt::format("{} events, {} rejected, {} late, {} alerts, {:.2f} s, {:.0f} events/s\n", pipeline_.rows(),
                        rejected_count_, pipeline_.late_rows(), alert_count_, seconds(), rate());
    for (const auto& [what, count] : rejected_) {
      text += fmt::format("rejected {} of {}: {}\n", count, what.first.empty() ? "no known stream" : what.first,
                          what.second);
    }
    const std::pair<const char*, uint64_t> notes[] = {
        {"events later than --until left out", left_out_},
        {"events left out as duplicates", duplicates_},
        {"events without a key", counters.null_key},
        {"matches folded by suppress", counters.suppressed},
        {"runs refused at the limit of their key", counters.runs_refused},
        {"runs ended by age", counters.runs_aged},
        {"matches dropped at the limit of one event", counters.matches_dropped},
        {"window entries dropped at the limit of their key", counters.window_dropped},
        {"windows without a span forgotten because their key was silent", counters.keys_forgotten},
        {"times event time was forced forward by reorder_rows_max", pipeline_.reorder_forced()},
        {"alerts that became events of a stream", counters.derived},
        {"such events that came too late for the rules that read them", counters.derived_late},
        {"such events dropped because too many waited", counters.derived_dropped},
        {"such events still waiting for time to pass on a stream that stands still; --close lets it", pipeline_.derived_waiting()},
    };
    for (const auto& [name, count] : notes) {
      if (count > 0) text += fmt::format("{} {}\n", count, name);
    }
    console_.complain(text);
  }

  const RunOptions& options_;
  const Console& console_;
  Compilation compilation_;
  Pipeline pipeline_;
  std::unique_ptr<SourceFiles> source_;
  std::optional<cep::TimeUs> until_us_;
  SeenIds seen_{kSeenIdsMax};
  cep::TimeUs arrival_us_ = cep::kTimeMin;
  std::vector<cep::Alert> alerts_;
  std::string line_;
  std::map<std::pair<std::string, std::string>, uint64_t> rejected_;  // by stream and code
  uint64_t rejected_count_ = 0;
  uint64_t alert_count_ = 0;
  uint64_t left_out_ = 0;
  uint64_t duplicates_ = 0;
  std::chrono::steady_clock::time_point started_ = std::chrono::steady_clock::now();
  std::chrono::steady_clock::time_point shown_ = started_;
};

int run_files(RunOptions& options, const Console& console) {
  for (const std::string& limit : options.limit_settings) {
    const size_t equals = std::min(limit.find('='), limit.size());
    const std::string number = equals < limit.size() ? limit.substr(equals + 1) : "";
    const cep::Status status = apply_engine_limit(limit.substr(0, equals), number, options.limits);
    if (status) continue;
    console.complain("weir: --limit " + limit + ": " + status.error().message + "\n");
    return kExitBadUse;
  }
  return FileRun(options, console).run();
}

}  // namespace

void add_run(CLI::App& app, Action& action) {
  auto options = std::make_shared<RunOptions>();
  CLI::App* const verb = app.add_subcommand("run", "Run rules over files of events and print the alerts");
  verb->add_option("rules", options->rules, "Rule files, or directories with .weir files")->required();
  verb->add_option("--events", options->events,
                   "[STREAM=]FILE: .ndjson, .jsonl or .csv, each also .gz or .zst; - is the standard input")
      ->required()
      ->allow_extra_args(false);
  verb->add_option("--list", options->lists, "NAME=FILE: elements of a list since ever, one a line, or .csv")->allow_extra_args(false);
  verb->add_option("--table", options->tables, "NAME=FILE: rows of a table since ever, CSV with a header")->allow_extra_args(false);
  verb->add_option("--limit", options->limit_settings, "NAME=N: a limit of the engine, as in [limits] of the configuration")
      ->allow_extra_args(false);
  verb->add_option("--until", options->until, "Leave out later events and end with time at this instant");
  verb->add_flag("--close", options->close, "No event will come any more: let every deadline pass");
  verb->add_option("--shards", options->shards, "Shards of the engine; the alerts are the same")
      ->check(CLI::Range(1, 64));
  verb->add_flag("--strict", options->strict, "Exit with 2 if any event was rejected or late");
  verb->add_option("--batch", options->batch_rows, "Rows fed at once; the alerts are the same")
      ->check(CLI::Range(1u, cep::kBatchRowsMax));
  verb->footer(
      "Example:\n  weir run rules/cards --events transactions=cards.ndjson.zst --close\n"
      "  weir gen --events 100000 | weir run rules --events - > alerts.ndjson");
  verb->callback(
      [options, &action] { action = [options](const Console& console) { return run_files(*options, console); }; });
}

}  // namespace service
