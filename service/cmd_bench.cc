// See cmd_bench.h. Threads: the main thread.
#include "service/cmd_bench.h"

#include <fmt/format.h>
#include <unistd.h>
#include <CLI/CLI.hpp>

#include <filesystem>
#include <memory>
#include <system_error>
#include <thread>

#include "api/json_writer.h"
#include "service/app.h"
#include "service/bench_curves.h"
#include "service/bench_engine.h"
#include "service/bench_kafka.h"
#include "service/bench_server.h"
#include "service/bench_state.h"
#include "service/options.h"
#include "service/rule_files.h"

namespace service {
namespace {

struct BenchOptions {
  std::vector<std::string> rules;
  double seconds = 2;
  std::string output = "table";
  std::string directory;
  bool end_to_end = false;
  std::string plot;
  CurveOptions curves;
};

struct PeersOptions {
  std::string workload;
  std::string data;
  double seconds = 2;
  uint32_t batch_rows = cep::kBatchRowsMax;
};

struct StateOptions {
  uint64_t keys = 1'000'000;
  uint32_t shards = 1;
  std::string output = "table";
  std::string directory;
};

struct KafkaOptionsOfBench {
  KafkaBenchOptions measured;
  std::string output = "table";
  std::string directory;
};

// A directory of this process's own for the time being.
std::string scratch_directory(const std::string& parent) {
  return fmt::format("{}/weir-bench-{}", parent.empty() ? std::filesystem::temp_directory_path().string() : parent, getpid());
}

int refuse(const Console& console, const cep::Error& error) {
  console.complain("weir bench: " + error.message + "\n");
  return kExitBadInput;
}

class EngineBench {
 public:
  EngineBench(const BenchOptions& options, const Console& console)
      : options_(options), console_(console), is_json_(options.output != "table") {}

  int run() {
    using Make = std::function<cep::Result<BenchWorkload>()>;
    std::vector<Make> workloads = {bench_sequence};
    for (const uint32_t cards : {1'000u, 10'000u, 100'000u})
      workloads.push_back([cards] { return bench_keyed(cards); });
    workloads.push_back([] { return bench_twenty_rules(); });
    if (!options_.rules.empty()) workloads.push_back([this] { return bench_rule_files(options_.rules); });
    for (const uint32_t cards : {1'000u, 10'000u, 100'000u})
      workloads.push_back([cards] { return bench_velocity(cards); });

    const double gauge_before = noise_gauge_ns();
    json_.begin_object().key("unit").string("ns of thread CPU time an event");
    json_.key("gauge_before_ns").number(gauge_before).key("workloads").begin_array();
    say(fmt::format(
        "noise gauge before: {:.2f} ns an event (a fixed loop by hand)\n\n{:<16} {:>9} {:>9} {:>9} {:>8}  {}\n",
        gauge_before, "workload", "ns/event", "least", "most", "alerts", "what"));
    for (const Make& make : workloads) {
      const cep::Result<BenchWorkload> workload = make();
      if (!workload) return refuse(console_, workload.error());
      report(*workload, measure(*workload, options_.seconds));
    }
    const double gauge_after = noise_gauge_ns();
    const cep::Result<BenchMemory> memory = measure_memory();
    if (!memory) return refuse(console_, memory.error());
    json_.end_array().key("gauge_after_ns").number(gauge_after);
    json_.key("bytes_per_key")
        .number(memory->bytes_per_key)
        .key("bytes_per_run")
        .number(memory->bytes_per_run)
        .end_object();
    say(
        fmt::format("\nnoise gauge after: {:.2f} ns an event\nmemory: {:.0f} bytes a key with one live run, {:.0f} "
                    "more for each run\n",
                    gauge_after, memory->bytes_per_key, memory->bytes_per_run));
    if (is_json_) console_.print(text_ + "\n");
    return kExitFine;
  }

 private:
  void say(const std::string& text) const {
    if (is_json_) return;
    console_.print(text);
    std::fflush(console_.out);
  }
  void report(const BenchWorkload& workload, const BenchFigure& figure) {
    json_.begin_object().field("name", workload.name).field("what", workload.what);
    json_.key("ns_per_event").number(figure.ns_per_event).key("ns_least").number(figure.ns_least);
    json_.key("ns_most").number(figure.ns_most).key("passes").unsigned_integer(figure.passes);
    json_.key("events").unsigned_integer(workload.events).key("alerts").unsigned_integer(figure.alerts).end_object();
    say(fmt::format("{:<16} {:>9.1f} {:>9.1f} {:>9.1f} {:>8}  {}\n", workload.name, figure.ns_per_event,
                    figure.ns_least, figure.ns_most, figure.alerts, workload.what));
  }

  const BenchOptions& options_;
  const Console& console_;
  const bool is_json_;
  std::string text_;
  api::JsonWriter json_{text_};
};

void append_latency(std::string_view name, const LatencyFigure& figure, api::JsonWriter& json) {
  json.key(name).begin_object().key("p50_us").number(figure.p50_us).key("p99_us").number(figure.p99_us);
  json.key("p999_us").number(figure.p999_us).key("max_us").number(figure.max_us);
  json.key("samples").unsigned_integer(figure.samples).end_object();
}

void append_decisions(std::string_view name, const DecisionFigure::Row& row, api::JsonWriter& json) {
  json.key(name).begin_object().key("decisions_per_s").number(row.decisions_per_s).key("events_per_s").number(row.events_per_s);
  json.key("degraded").unsigned_integer(row.degraded);
  append_latency("decision", row.decision, json);
  append_latency("append", row.append, json);
  json.end_object();
}

std::string decisions_text(const DecisionFigure& figure) {
  std::string text = fmt::format("{:.0f} decisions/s at most ({} connections, one event each, 20 rules, no delay)\n",
                                 figure.saturation_per_s, figure.connections);
  const auto say = [&](const DecisionFigure::Row& row) {
    const auto line = [&](const std::string& what, const LatencyFigure& latency, const std::string& more) {
      text += fmt::format("  {:<26} p50 {:6.0f} us, p99 {:6.0f} us, p99.9 {:6.0f} us, most {:6.0f} us ({} times{})\n", what, latency.p50_us,
                          latency.p99_us, latency.p999_us, latency.max_us, latency.samples, more);
    };
    text += fmt::format("at {:.0f} decisions/s beside {:.0f} events/s:\n", row.decisions_per_s, row.events_per_s);
    line("request to verdict", row.decision, fmt::format(", {} degraded", row.degraded));
    line("append and fdatasync", row.append, "");
    text += fmt::format("  ratio                      p50 {:6.1f},    p99 {:6.1f},    p99.9 {:6.1f}\n",
                        row.decision.p50_us / row.append.p50_us, row.decision.p99_us / row.append.p99_us,
                        row.decision.p999_us / row.append.p999_us);
  };
  say(figure.alone);
  say(figure.beside_events);
  return text;
}

int end_to_end(const BenchOptions& options, const Console& console) {
  const cep::Result<EndToEndFigure> figure = measure_end_to_end(scratch_directory(options.directory), options.seconds);
  if (!figure) return refuse(console, figure.error());
  if (options.output == "table") {
    console.print(fmt::format(
        "{:.0f} events/s acknowledged as durable ({} events, {} connections, posts of 1000 lines, 21 rules)\n"
        "POST to alert on the event stream at {:.0f} events/s: p50 {:.2f} ms, p99 {:.2f} ms, most {:.2f} ms ({} "
        "alerts)\n",
        figure->events_per_s, figure->events, figure->connections, figure->paced_events_per_s, figure->latency_p50_ms,
        figure->latency_p99_ms, figure->latency_max_ms, figure->latency_samples));
    console.print(decisions_text(figure->decisions));
    return kExitFine;
  }
  std::string text;
  api::JsonWriter json(text);
  json.begin_object().key("events_per_s").number(figure->events_per_s).key("events").unsigned_integer(figure->events);
  json.key("connections")
      .unsigned_integer(figure->connections)
      .key("paced_events_per_s")
      .number(figure->paced_events_per_s);
  json.key("latency_p50_ms").number(figure->latency_p50_ms).key("latency_p99_ms").number(figure->latency_p99_ms);
  json.key("latency_max_ms")
      .number(figure->latency_max_ms)
      .key("latency_samples")
      .unsigned_integer(figure->latency_samples);
  json.key("decisions").begin_object().key("saturation_per_s").number(figure->decisions.saturation_per_s);
  append_decisions("alone", figure->decisions.alone, json);
  append_decisions("beside_events", figure->decisions.beside_events, json);
  json.end_object().end_object();
  console.print(text + "\n");
  return kExitFine;
}

// "1 December 2026, 2 cores of Intel(R) Xeon(R) ..".
std::string when_and_where() {
  std::string machine = "a processor without a name";
  if (const cep::Result<std::string> about = read_whole_file("/proc/cpuinfo")) {
    const size_t name = about->find("model name"), colon = about->find(": ", name);
    if (name != std::string::npos && colon != std::string::npos) machine = about->substr(colon + 2, about->find('\n', colon) - colon - 2);
  }
  return fmt::format("Measured on {}, {} cores of {}", cep::format_time(wall_clock_us()).substr(0, 10), std::thread::hardware_concurrency(),
                     machine);
}

int plot(const BenchOptions& options, const Console& console) {
  std::error_code failed;
  std::filesystem::create_directories(options.plot, failed);
  if (failed) return refuse(console, {"io_error", fmt::format("cannot make the directory {}: {}", options.plot, failed.message())});
  const auto path_of = [&](const std::string& name) { return fmt::format("{}/{}.svg", options.plot, name); };
  // What cannot be written is said before anything is measured.
  const std::string trial = options.plot + "/.weir-bench";
  if (cep::Status tried = write_whole_file(trial, ""); !tried) return refuse(console, tried.error());
  std::filesystem::remove(trial, failed);
  CurveOptions curves = options.curves;
  curves.seconds = options.seconds;
  curves.foot = when_and_where();
  const auto say = [&](const std::string& point) {
    console.print(point);
    std::fflush(console.out);
  };
  const cep::Result<std::vector<NamedChart>> charts = measure_curves(curves, say);
  if (!charts) return refuse(console, charts.error());
  for (const NamedChart& chart : *charts) {
    const cep::Status written = write_whole_file(path_of(chart.name), svg_text(chart.chart));
    if (!written) return refuse(console, written.error());
    console.print(fmt::format("wrote {}\n", path_of(chart.name)));
  }
  return kExitFine;
}

// One JSON line, in the words of the harness that asks for it.
int peers(const PeersOptions& options, const Console& console) {
  const cep::Result<BenchWorkload> workload = bench_directory(options.workload, options.data, options.batch_rows);
  if (!workload) return refuse(console, workload.error());
  const BenchFigure figure = measure(*workload, options.seconds);
  if (figure.alerts_least != figure.alerts_most) {
    return refuse(console, {"passes_differ", fmt::format("the same events gave {} alerts in one pass and {} in another",
                                                         figure.alerts_least, figure.alerts_most)});
  }
  const BenchLatency latency = measure_latency(*workload);
  std::string text;
  api::JsonWriter json(text);
  json.begin_object().field("engine", "weir").field("workload", workload->name);
  json.key("events").unsigned_integer(workload->events);
  json.key("timed").unsigned_integer(workload->events - workload->untimed);
  json.key("matches").unsigned_integer(figure.alerts).key("ns_per_event").number(figure.ns_per_event);
  json.key("ns_min").number(figure.ns_least).key("wall_ns_per_event").number(figure.wall_ns_per_event);
  json.key("runs").unsigned_integer(figure.passes).key("truncated").boolean(false);
  json.key("p50").unsigned_integer(latency.p50_ns).key("p99").unsigned_integer(latency.p99_ns);
  json.key("p999").unsigned_integer(latency.p999_ns).key("max").unsigned_integer(latency.max_ns);
  json.key("memory_bytes").unsigned_integer(figure.state_bytes).end_object();
  console.print(text + "\n");
  return kExitFine;
}

int state(const StateOptions& options, const Console& console) {
  const cep::Result<StateFigure> measured = measure_state(scratch_directory(options.directory), options.keys, options.shards);
  if (!measured) return refuse(console, measured.error());
  const StateFigure& figure = *measured;
  if (options.output == "table") {
    console.print(fmt::format(
        "{} keys with one run each, {} shards, made at {:.0f} events/s\n"
        "memory      {:.0f} bytes a key, {:.0f} more a run; {:.0f} bytes of the process a key\n"
        "disk        {:.0f} bytes a key behind the first checkpoint\n"
        "checkpoint  {:.0f} ms with {} changed keys, {:.2f} bytes written for a byte of them ({} checkpoints)\n"
        "a shard     answers within {:.0f} us (p99), {:.0f} us (most) while they are taken, else {:.0f} us, {:.0f} us;\n"
        "            of which it worked {:.0f} us at most, else {:.0f} us; "
        "reading the clock alone was kept waiting {:.0f} us, else {:.0f} us\n"
        "restart     {:.2f} s, {:.2f} s of CPU time\n",
        figure.keys, figure.shards, figure.events_per_s, figure.bytes_per_key, figure.bytes_per_run, figure.resident_per_key,
        figure.disk_per_key, figure.checkpoint_ms, figure.changed_per_checkpoint, figure.written_per_changed_byte, figure.checkpoints,
        figure.busy.p99_us, figure.busy.max_us, figure.calm.p99_us, figure.calm.max_us, figure.busy.work_max_us, figure.calm.work_max_us,
        figure.busy.gauge_max_us, figure.calm.gauge_max_us, figure.restart_s, figure.restart_cpu_s));
    return kExitFine;
  }
  std::string text;
  api::JsonWriter json(text);
  json.begin_object().key("keys").unsigned_integer(figure.keys).key("shards").unsigned_integer(figure.shards);
  for (const auto& [name, value] : std::initializer_list<std::pair<std::string_view, double>>{
           {"events_per_s", figure.events_per_s},
           {"bytes_per_key", figure.bytes_per_key},
           {"bytes_per_run", figure.bytes_per_run},
           {"resident_bytes_per_key", figure.resident_per_key},
           {"disk_bytes_per_key", figure.disk_per_key},
           {"checkpoint_ms", figure.checkpoint_ms},
           {"written_per_changed_byte", figure.written_per_changed_byte},
           {"shard_answer_p99_us", figure.busy.p99_us},
           {"shard_answer_max_us", figure.busy.max_us},
           {"shard_work_max_us", figure.busy.work_max_us},
           {"gauge_max_us", figure.busy.gauge_max_us},
           {"shard_calm_p99_us", figure.calm.p99_us},
           {"shard_calm_max_us", figure.calm.max_us},
           {"shard_calm_work_max_us", figure.calm.work_max_us},
           {"gauge_calm_max_us", figure.calm.gauge_max_us},
           {"restart_s", figure.restart_s},
           {"restart_cpu_s", figure.restart_cpu_s}}) {
    json.key(name).number(value);
  }
  json.key("changed_keys").unsigned_integer(figure.changed_per_checkpoint);
  json.key("checkpoints").unsigned_integer(figure.checkpoints).end_object();
  console.print(text + "\n");
  return kExitFine;
}

int kafka(const KafkaOptionsOfBench& options, const Console& console) {
  const cep::Result<KafkaBenchFigure> measured = measure_kafka(scratch_directory(options.directory), options.measured);
  if (!measured) return refuse(console, measured.error());
  const KafkaBenchFigure& figure = *measured;
  const KafkaBenchFigure::Reading& bare =
      figure.bare_after.events_per_s > figure.bare_before.events_per_s ? figure.bare_after : figure.bare_before;
  if (options.output == "table") {
    const auto line = [](const char* what, const KafkaBenchFigure::Reading& reading) {
      return fmt::format("  {:<34} {:>9.0f} events/s, {:6.2f} us of CPU an event\n", what, reading.events_per_s, reading.cpu_us_per_event);
    };
    console.print(fmt::format("{} events of a topic with 4 partitions, one core:\n", figure.events) +
                  line("a consumer alone, before", figure.bare_before) + line("Weir, 20 rules, log, alerts out", figure.weir) +
                  line("a consumer alone, after", figure.bare_after));
    console.print(fmt::format("  Weir / the better of the consumers    {:5.2f} ({} alerts)\n", figure.weir.events_per_s / bare.events_per_s,
                              figure.alerts));
    console.print(fmt::format("produce to alert topic at {:.0f} events/s: p50 {:.2f} ms, p99 {:.2f} ms, p99.9 {:.2f} ms, most {:.2f} ms "
                              "({} of {} alerts)\n",
                              figure.paced_events_per_s, figure.latency.p50_us / 1'000, figure.latency.p99_us / 1'000,
                              figure.latency.p999_us / 1'000, figure.latency.max_us / 1'000, figure.latency.samples, figure.signals));
    return kExitFine;
  }
  std::string text;
  api::JsonWriter json(text);
  json.begin_object().key("events").unsigned_integer(figure.events);
  for (const auto& [name, reading] : std::initializer_list<std::pair<std::string_view, KafkaBenchFigure::Reading>>{
           {"bare_before", figure.bare_before}, {"weir", figure.weir}, {"bare_after", figure.bare_after}}) {
    json.key(name).begin_object().key("events_per_s").number(reading.events_per_s);
    json.key("cpu_us_per_event").number(reading.cpu_us_per_event).end_object();
  }
  json.key("alerts").unsigned_integer(figure.alerts).key("paced_events_per_s").number(figure.paced_events_per_s);
  append_latency("produce_to_alert", figure.latency, json);
  json.key("signals").unsigned_integer(figure.signals).end_object();
  console.print(text + "\n");
  return kExitFine;
}

void add_kafka(CLI::App& bench, Action& action) {
  auto options = std::make_shared<KafkaOptionsOfBench>();
  CLI::App* const verb = bench.add_subcommand("kafka", "Between two topics of a broker: rate beside a bare consumer, latency");
  verb->add_option("--brokers", options->measured.client.brokers, "HOST:PORT, several joined by commas; topics are made there and removed")
      ->required();
  verb->add_option("--events", options->measured.events, "In the topic that is read")
      ->check(CLI::Range(uint64_t{1'000}, uint64_t{1'000'000'000}))
      ->capture_default_str();
  verb->add_option("--rate", options->measured.rate, "Events a second while the latency is taken")
      ->check(CLI::Range(100.0, 1e6))
      ->capture_default_str();
  verb->add_option("--seconds", options->measured.seconds, "How long that is")->check(CLI::Range(0.1, 3600.0))->capture_default_str();
  verb->add_option("--output", options->output, "table or json")->capture_default_str()->check(CLI::IsMember({"table", "json"}));
  verb->add_option("--directory", options->directory, "Where the data goes for the time being");
  verb->footer("Example:\n  weir bench kafka --brokers 127.0.0.1:9092 --events 1000000");
  verb->callback([options, &action] {
    action = [options](const Console& console) { return kafka(*options, console); };
  });
}

void add_state(CLI::App& bench, Action& action) {
  auto options = std::make_shared<StateOptions>();
  CLI::App* const verb = bench.add_subcommand("state", "What many keys cost: memory, checkpoints, writes, a restart");
  verb->add_option("--keys", options->keys, "How many")->check(CLI::Range(uint64_t{100}, uint64_t{1'000'000'000}))->capture_default_str();
  verb->add_option("--shards", options->shards, "Shards")->check(CLI::Range(1u, kShardsMax))->capture_default_str();
  verb->add_option("--output", options->output, "table or json")->capture_default_str()->check(CLI::IsMember({"table", "json"}));
  verb->add_option("--directory", options->directory, "Where the data goes for the time being");
  verb->footer("Example:\n  weir bench state --keys 1000000 --shards 2");
  verb->callback([options, &action] {
    action = [options](const Console& console) { return state(*options, console); };
  });
}

void add_peers(CLI::App& bench, Action& action) {
  auto options = std::make_shared<PeersOptions>();
  CLI::App* const verb = bench.add_subcommand("peers", "Run a workload of a harness that compares engines: one line");
  verb->add_option("--workload", options->workload, "Its name")->required();
  verb->add_option("--data", options->data, "Its directory: events.csv, rules.weir, meta.json")->required();
  verb->add_option("--seconds", options->seconds, "How long passes go on, five at least")
      ->check(CLI::Range(0.0, 3600.0))
      ->capture_default_str();
  verb->add_option("--batch", options->batch_rows, "Events a batch")
      ->check(CLI::Range(1u, cep::kBatchRowsMax))
      ->capture_default_str();
  verb->footer("Example:\n  weir bench peers --workload seq3 --data DIR");
  verb->callback([options, &action] {
    action = [options](const Console& console) { return peers(*options, console); };
  });
}

}  // namespace

void add_bench(CLI::App& app, Action& action) {
  auto options = std::make_shared<BenchOptions>();
  CLI::App* const verb = app.add_subcommand("bench", "Measure what this build does on this machine");
  CLI::Option* const rules =
      verb->add_option("--rules", options->rules, "Measure these rule files or directories too, on generated traffic");
  verb->add_option("--seconds", options->seconds, "For each workload, or each part of --end-to-end")
      ->check(CLI::Range(0.0, 3600.0))
      ->capture_default_str();
  verb->add_option("--output", options->output, "Form of the figures")->check(CLI::IsMember({"table", "json"}));
  CLI::Option* const end_to_end_flag =
      verb->add_flag("--end-to-end", options->end_to_end, "A whole server over loopback instead of the engine alone");
  verb->add_option("--directory", options->directory, "Where --end-to-end puts its data for the time being");
  CLI::Option* const plotted =
      verb->add_option("--plot", options->plot, "Draw what rules, keys, windows and shards cost: SVG files in this directory")
          ->excludes(rules)
          ->excludes(end_to_end_flag);
  verb->add_option("--events", options->curves.events, "Of a pass of --plot; many keys have two each at least")
      ->check(CLI::Range(uint64_t{1'024}, uint64_t{100'000'000}))
      ->needs(plotted)
      ->capture_default_str();
  verb->add_option("--most", options->curves.most, "The most rules, keys and events in a window of --plot")
      ->check(CLI::Range(uint64_t{1}, uint64_t{1'000'000}))
      ->needs(plotted)
      ->capture_default_str();
  verb->footer("Example:\n  weir bench --rules rules --output json\n  weir bench --end-to-end --seconds 10\n"
               "  weir bench --plot docs/benchmarks\n"
               "  weir bench state --keys 1000000\n  weir bench peers --workload seq3 --data DIR\n"
               "  weir bench kafka --brokers 127.0.0.1:9092");
  add_peers(*verb, action);
  add_state(*verb, action);
  add_kafka(*verb, action);
  verb->callback([options, verb, &action] {
    if (!verb->get_subcommands().empty()) return;
    action = [options](const Console& console) {
      if (!options->plot.empty()) return plot(*options, console);
      return options->end_to_end ? end_to_end(*options, console) : EngineBench(*options, console).run();
    };
  });
}

}  // namespace service
