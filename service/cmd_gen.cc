// See cmd_gen.h. Lines are gathered in one buffer and written in large pieces; with --pace each is written when its
// time has come. Threads: the main thread.
#include "service/cmd_gen.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <memory>
#include <optional>
#include <thread>

#include "cep/parse.h"
#include "service/generator.h"

namespace service {
namespace {

constexpr size_t kWriteBytes = 1 << 20;

struct GenOptions {
  GeneratorOptions generator;
  std::string from;
  std::string truth_path;
  bool pace = false;
};

struct CloseFile {
  void operator()(std::FILE* file) const { std::fclose(file); }
};
using OwnedFile = std::unique_ptr<std::FILE, CloseFile>;

int64_t now_ms() {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  return std::chrono::duration_cast<std::chrono::milliseconds>(now).count();
}

// Without --from the events end now, or begin now if they are sent as their time comes.
cep::Result<int64_t> start_of(const GenOptions& options) {
  if (options.from.empty()) {
    const double span_ms = static_cast<double>(options.generator.events) * 1000 / options.generator.rate_per_s;
    if (options.pace || !(span_ms < 4e12)) return now_ms();
    return now_ms() - static_cast<int64_t>(span_ms);
  }
  const bool is_number = cep::is_json_number(options.from);
  const cep::Result<cep::TimeUs> time =
      is_number ? cep::time_from_epoch_ms(options.from) : cep::parse_time(options.from, "UTC");
  if (!time.ok()) return cep::Error{"bad_option", fmt::format("--from {}: {}", options.from, time.error().message)};
  return time.value() / 1000;
}

// What is gathered goes out in pieces. A reader that has gone (`weir gen | head`) is no failure: the work just ends.
class LineOutput {
 public:
  LineOutput(std::FILE* events, std::FILE* truth) : events_(events), truth_(truth) {}

  std::string& lines() { return lines_; }
  bool is_full() const { return lines_.size() >= kWriteBytes; }
  // False when there is no use in going on.
  bool write(const std::string& truth) {
    const bool events_out = write_all(events_, lines_);
    lines_.clear();
    const bool truth_out = truth_ == nullptr || write_all(truth_, truth);
    return events_out && truth_out;
  }
  // The error that stopped writing; 0: none, or the reader has gone.
  int failure() const { return failure_ == EPIPE ? 0 : failure_; }

 private:
  bool write_all(std::FILE* file, std::string_view bytes) {
    errno = 0;
    if (std::fwrite(bytes.data(), 1, bytes.size(), file) == bytes.size() && std::fflush(file) == 0) return true;
    failure_ = errno == 0 ? EIO : errno;
    return false;
  }

  std::FILE* events_;
  std::FILE* truth_;
  std::string lines_;
  int failure_ = 0;
};

// Returns when the wall clock has gone as far since `started` as the events since their first.
void wait_for(std::chrono::steady_clock::time_point started, int64_t since_first_ms) {
  std::this_thread::sleep_until(started + std::chrono::milliseconds(since_first_ms));
}

// False when the output failed or its reader has gone.
bool send_all(Generator& generator, const GenOptions& options, LineOutput& output) {
  const auto started = std::chrono::steady_clock::now();
  std::string line;
  while (true) {
    if (options.pace) {
      line.clear();
      if (!generator.next(line)) break;
      wait_for(started, generator.at_ms() - options.generator.from_ms);
      output.lines() += line;
    } else if (!generator.next(output.lines())) {
      break;
    }
    if ((options.pace || output.is_full()) && !output.write(generator.take_truth())) return false;
  }
  return output.write(generator.take_truth());
}

int complain(const Console& console, std::string_view text, int status) {
  console.complain(fmt::format("weir gen: {}\n", text));
  return status;
}

int run_gen(GenOptions options, const Console& console) {
  const cep::Result<int64_t> from_ms = start_of(options);
  if (!from_ms.ok()) return complain(console, from_ms.error().message, kExitBadUse);
  options.generator.from_ms = from_ms.value();
  cep::Result<std::unique_ptr<Generator>> generator = Generator::create(options.generator);
  if (!generator.ok()) return complain(console, generator.error().message, kExitBadUse);

  OwnedFile truth;
  if (!options.truth_path.empty()) {
    truth.reset(std::fopen(options.truth_path.c_str(), "wb"));
    if (truth == nullptr)
      return complain(console, fmt::format("cannot write {}: {}", options.truth_path, std::strerror(errno)),
                      kExitBadUse);
  }
  LineOutput output(console.out, truth.get());
  const auto started = std::chrono::steady_clock::now();
  if (!send_all(*generator.value(), options, output)) {
    if (output.failure() == 0) return kExitFine;
    return complain(console, fmt::format("cannot write: {}", std::strerror(output.failure())), kExitBadInput);
  }
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - started;
  console.complain(fmt::format("{} events, {} planted, {:.2f} s\n", options.generator.events,
                               generator.value()->planted(), took.count()));
  return kExitFine;
}

}  // namespace

void add_gen(CLI::App& app, Action& action) {
  auto options = std::make_shared<GenOptions>();
  GeneratorOptions& generator = options->generator;
  CLI::App* gen = app.add_subcommand("gen", "Write generated traffic with fraud planted in it");
  gen->footer(
      "Example:\n  weir gen --seed 7 --events 1000000 --truth truth.ndjson > events.ndjson\n"
      "  weir run rules --events events.ndjson");
  gen->add_option("--seed", generator.seed, "The same seed and --from give the same lines")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  gen->add_option("--events", generator.events, "How many lines")->check(CLI::NonNegativeNumber)->capture_default_str();
  gen->add_option("--rate", generator.rate_per_s, "Events per second of event time")->capture_default_str();
  gen->add_option("--from", options->from,
                  "Time of the first event, RFC 3339 or epoch ms; by default the last event is about now");
  gen->add_option("--keys", generator.keys, "How many cards, users, devices")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  gen->add_option("--fraud", generator.fraud, "Planted instances per event")->capture_default_str();
  gen->add_option("--streams", generator.streams, "Only events of these streams")
      ->delimiter(',')
      ->allow_extra_args(false);
  gen->add_option("--truth", options->truth_path, "Write what was planted to this file, a JSON line each");
  gen->add_flag("--pace", options->pace, "Write each line when its time has come instead of at once");
  gen->callback(
      [options, &action] { action = [options](const Console& console) { return run_gen(*options, console); }; });
}

}  // namespace service
