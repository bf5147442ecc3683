// weir_compare: random rules and events through the engine and through the reference matcher, compared, and every difference shrunk to a
// script. With --broken the reference is wrong on purpose, and the comparison must notice.
// The last line is `compare cases=N matched=N% differences=N`. Exit status 0: no difference (with --broken: at least one).
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "tests/compare/generator.h"
#include "tests/compare/runner.h"
#include "tests/compare/shrink.h"

namespace compare {
namespace {

struct Settings {
  uint64_t cases = 100'000;
  uint64_t seed = 1;
  uint64_t first = 0;
  unsigned jobs = 1;
  uint64_t differences_max = 5;        // shrunk and printed; then it ends
  bool prints_cases = false;
  support::ReferenceBreak broken = support::ReferenceBreak::kNone;
};

struct Totals {
  uint64_t cases = 0;
  uint64_t compared = 0;
  uint64_t matched = 0;                // at least one alert
  uint64_t alerts = 0;
  uint64_t merging = 0;                // of the compared, those whose runs can be merged
  uint64_t refused = 0;
  uint64_t limited = 0;
  uint64_t differences = 0;
  uint64_t with[kFeatures] = {};       // of all cases
  uint64_t compared_with[kFeatures] = {};
  uint64_t matched_with[kFeatures] = {};
  std::map<std::string, uint64_t> reasons;

  void add(const Totals& other) {
    cases += other.cases;
    compared += other.compared;
    matched += other.matched;
    alerts += other.alerts;
    merging += other.merging;
    refused += other.refused;
    limited += other.limited;
    differences += other.differences;
    for (size_t i = 0; i < kFeatures; ++i) {
      with[i] += other.with[i];
      compared_with[i] += other.compared_with[i];
      matched_with[i] += other.matched_with[i];
    }
    for (const auto& [reason, count] : other.reasons) reasons[reason] += count;
  }
};

class Comparison {
 public:
  explicit Comparison(const Settings& settings) : settings_(settings) {}

  Totals run() {
    std::vector<std::thread> threads;
    for (unsigned job = 0; job < settings_.jobs; ++job) threads.emplace_back([this] { work(); });
    for (std::thread& thread : threads) thread.join();
    return totals_;
  }

 private:
  void work() {
    Runner runner(settings_.broken);
    Totals totals;
    for (;;) {
      const uint64_t first = settings_.first + next_.fetch_add(kBlock);
      if (first >= settings_.first + settings_.cases || found_ >= settings_.differences_max) break;
      const uint64_t end = std::min(first + kBlock, settings_.first + settings_.cases);
      RulePlan plan;
      for (uint64_t number = first; number < end; ++number) {
        if (number == first || number % kCasesPerRule == 0) plan = random_rule(settings_.seed, number);
        take(runner, random_case(plan, settings_.seed, number), totals);
      }
    }
    const std::lock_guard lock(mutex_);
    totals_.add(totals);
  }

  void take(Runner& runner, const Case& one, Totals& totals) {
    const Outcome outcome = runner.run(one);
    ++totals.cases;
    for (size_t i = 0; i < kFeatures; ++i) totals.with[i] += one.features[i] ? 1 : 0;
    if (settings_.prints_cases) print(one, outcome);
    switch (outcome.kind) {
      case Outcome::Kind::kLimited: ++totals.limited; return;
      case Outcome::Kind::kRefused:
        ++totals.refused;
        for (const std::string& reason : outcome.reasons) ++totals.reasons[reason.substr(0, 5)];
        return;
      case Outcome::Kind::kCompared: break;
    }
    ++totals.compared;
    const bool matched = !outcome.reference.empty();
    totals.matched += matched ? 1 : 0;
    totals.alerts += outcome.reference.size();
    totals.merging += outcome.merges ? 1 : 0;
    for (size_t i = 0; i < kFeatures; ++i) {
      totals.compared_with[i] += one.features[i] ? 1 : 0;
      totals.matched_with[i] += one.features[i] && matched ? 1 : 0;
    }
    if (!outcome.differs()) return;
    ++totals.differences;
    if (found_.fetch_add(1) >= settings_.differences_max) return;
    const Case small = shrink(runner, one);
    const Outcome shrunk = runner.run(small);
    const std::lock_guard lock(mutex_);
    print(small, shrunk);
  }

  void print(const Case& one, const Outcome& outcome) const {
    std::vector<std::string> remarks = {"case " + std::to_string(one.number) + " of seed " + std::to_string(settings_.seed)};
    for (const std::string& reason : outcome.reasons) remarks.push_back("refused: " + reason);
    for (const std::string& line : outcome.engine) remarks.push_back("engine:    " + line);
    for (const std::string& line : outcome.apart) remarks.push_back("apart:     " + line);
    for (const std::string& line : outcome.merged) remarks.push_back("merged:    " + line);
    for (const std::string& line : outcome.reference) remarks.push_back("reference: " + line);
    std::printf("%s\n", as_script(one, outcome.expected, remarks).c_str());
    std::fflush(stdout);
  }

  static constexpr uint64_t kBlock = 64 * kCasesPerRule;
  const Settings& settings_;
  std::atomic<uint64_t> next_ = 0;
  std::atomic<uint64_t> found_ = 0;
  std::mutex mutex_;
  Totals totals_;
};

double percent(uint64_t part, uint64_t whole) { return whole == 0 ? 0 : 100.0 * static_cast<double>(part) / static_cast<double>(whole); }

void report(const Totals& totals, double seconds) {
  std::printf("%-28s %8s %10s %8s\n", "feature", "cases", "compared", "matched");
  for (size_t i = 0; i < kFeatures; ++i) {
    const double share = percent(totals.with[i], totals.cases);
    std::printf("%-28s %7.1f%% %10lu %7.0f%%%s\n", std::string(kFeatureNames[i]).c_str(), share, totals.compared_with[i],
                percent(totals.matched_with[i], totals.compared_with[i]), share < 5 ? "  below 5 %" : "");
  }
  for (const auto& [reason, count] : totals.reasons) std::printf("%8lu  %s\n", count, reason.c_str());
  std::printf("compared %lu (%.1f%%), merging %lu, refused %lu, limited %lu, alerts %lu, %.0f cases/s\n", totals.compared,
              percent(totals.compared, totals.cases), totals.merging, totals.refused, totals.limited, totals.alerts,
              static_cast<double>(totals.cases) / seconds);
  std::printf("compare cases=%lu matched=%.0f%% differences=%lu\n", totals.cases, percent(totals.matched, totals.compared),
              totals.differences);
}

int usage() {
  std::fprintf(stderr,
               "usage: weir_compare [--cases N] [--seed N] [--first N] [--jobs N] [--differences N] [--print] [--broken NAME]\n"
               "  --first N        number of the first case; a case is known by its seed and number\n"
               "  --differences N  ends after so many (5), each shrunk and printed as a script\n"
               "  --print          prints every case\n"
               "  --broken NAME    window_edge, arrow_no_skip, until_ignored, absence_at_event, skip_too_much, quiet_edge or\n"
               "                   any_used_up: the reference is wrong in this way; exit status 0 if that is noticed\n");
  return 2;
}

bool read(int argc, char** argv, Settings& settings) {
  for (int i = 1; i < argc; ++i) {
    const std::string word = argv[i];
    if (word == "--print") {
      settings.prints_cases = true;
      continue;
    }
    if (++i == argc) return false;
    const auto number = static_cast<uint64_t>(std::strtoull(argv[i], nullptr, 10));
    if (word == "--cases") settings.cases = number;
    else if (word == "--seed") settings.seed = number;
    else if (word == "--first") settings.first = number;
    else if (word == "--jobs") settings.jobs = std::max(1u, static_cast<unsigned>(number));
    else if (word == "--differences") settings.differences_max = number;
    else if (word == "--broken") {
      const auto broken = support::reference_break(argv[i]);
      if (!broken) return false;
      settings.broken = *broken;
      settings.differences_max = 1;
    } else {
      return false;
    }
  }
  return true;
}

int run(int argc, char** argv) {
  Settings settings;
  if (!read(argc, argv, settings)) return usage();
  std::printf("seed %lu, cases %lu to %lu\n", settings.seed, settings.first, settings.first + settings.cases - 1);
  const auto begin = std::chrono::steady_clock::now();
  const Totals totals = Comparison(settings).run();
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
  report(totals, took.count());
  const bool broken = settings.broken != support::ReferenceBreak::kNone;
  return (totals.differences > 0) == broken ? 0 : 1;
}

}  // namespace
}  // namespace compare

int main(int argc, char** argv) { return compare::run(argc, argv); }
