// See bench_curves.h.
#include "service/bench_curves.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "service/bench_engine.h"

namespace service {
namespace {

constexpr cep::DurationUs kGap = cep::kSecond;      // between two events
constexpr const char* kCost = "ns of CPU time an event";

// For each number the workload of that size. One that makes none ends the curve with its error.
using MakePoint = std::function<cep::Result<BenchWorkload>(uint64_t number)>;

class CurveBench {
 public:
  CurveBench(const CurveOptions& options, const std::function<void(const std::string&)>& say) : options_(options), say_(say) {}

  cep::Result<std::vector<NamedChart>> run() {
    begin("rules", "What rules cost", "rules", kCost);
    measure_all("sequences per card, each with a merchant of its own", {1, 3, 10, 30, 100, 300, 1'000}, [this](uint64_t rules) {
      std::string text;
      for (uint64_t i = 0; i < rules; ++i) text += sequence_rule(i);
      return workload(text, 10'000, options_.events);
    });
    measure_all("sums of a window per card, each with a limit of its own", {1, 3, 10, 30, 100, 300, 1'000}, [this](uint64_t rules) {
      std::string text;
      for (uint64_t i = 0; i < rules; ++i) text += window_rule(i, "sum(amount)", 10'000, 1'000'000 + i);
      return workload(text, 10'000, options_.events);
    });
    begin("keys", "What keys cost", "keys, each with its state", kCost);
    const std::vector<uint64_t> keys = {1'000, 3'000, 10'000, 30'000, 100'000, 300'000, 1'000'000};
    measure_all("a sequence per card that waits for its second event", keys, [this](uint64_t cards) {
      return workload(fmt::format("create rule waiting on tx partition by card pattern small ->> large within {} seconds\n"
                                  " define small as amount < 30.00, large as amount > 900.00\n"
                                  " after match skip past last row alert severity low;\n",
                                  2 * cards),
                      cards, std::max(options_.events, 2 * cards));
    });
    measure_all("count and sum of a window per card", keys, [this](uint64_t cards) {
      return workload(fmt::format("create rule velocity on tx partition by card when count(*) over (last {0} seconds) > 12\n"
                                  " and sum(amount) over (last {0} seconds) > 1200 alert severity low;\n",
                                  2 * cards),
                      cards, std::max(options_.events, 2 * cards));
    });
    begin("window", "What a window costs", "events in the window", kCost);
    for (const char* const aggregate : {"sum(amount)", "max(amount)", "count(distinct merchant)"}) {
      measure_all(aggregate, {100, 300, 1'000, 3'000, 10'000}, [this, aggregate](uint64_t events) {
        return workload(window_rule(0, aggregate, events, 1'000'000'000), 1, options_.events);
      });
    }
    begin("shards", "What shards bring", "shards", "events a second");
    measure_shards_of("twenty rules");
    if (error_) return *error_;
    return std::move(charts_);
  }

 private:
  static std::string sequence_rule(uint64_t number) {
    return fmt::format("create rule sequence_{0} on tx partition by card pattern first_one -> second_one within 600 seconds\n"
                       " define first_one as merchant = 'm{0}', second_one as merchant = 'm{0}' and amount > 100.00\n"
                       " after match skip past last row alert severity low;\n",
                       number);
  }
  static std::string window_rule(uint64_t number, std::string_view aggregate, uint64_t seconds, uint64_t limit) {
    return fmt::format("create rule window_{} on tx partition by card when {} over (last {} seconds) > {} alert severity low;\n", number,
                       aggregate, seconds, limit);
  }
  static cep::Result<BenchWorkload> workload(const std::string& rules, uint64_t cards, uint64_t events) {
    const auto batches = static_cast<uint32_t>((events + cep::kBatchRowsMax - 1) / cep::kBatchRowsMax);
    return bench_payments("curve", "", bench_stream_text() + rules, static_cast<uint32_t>(cards), kGap, batches);
  }

  void begin(const std::string& name, const std::string& title, const std::string& x, const std::string& y) {
    charts_.push_back({name, {title, options_.foot, {x, name != "shards"}, {y, name != "shards"}, {}}});
  }
  void add(const std::string& curve, uint64_t number, double value) {
    Chart& chart = charts_.back().chart;
    if (chart.curves.empty() || chart.curves.back().name != curve) chart.curves.push_back({curve, {}});
    chart.curves.back().points.emplace_back(static_cast<double>(number), value);
    say_(fmt::format("{:<8} {:>9}  {:>12.1f} {}  {}\n", charts_.back().name, number, value, chart.y.label, curve));
  }
  void measure_all(const std::string& curve, const std::vector<uint64_t>& numbers, const MakePoint& make) {
    for (const uint64_t number : numbers) {
      if (error_ || (number > options_.most && number > numbers.front())) return;
      const cep::Result<BenchWorkload> workload = make(number);
      if (!workload) {
        error_ = workload.error();
        return;
      }
      add(curve, number, measure(*workload, options_.seconds).ns_per_event);
    }
  }
  void measure_shards_of(const std::string& curve) {
    if (error_) return;
    const cep::Result<BenchWorkload> workload = bench_twenty_rules(
        static_cast<uint32_t>((options_.events + cep::kBatchRowsMax - 1) / cep::kBatchRowsMax));
    if (!workload) {
      error_ = workload.error();
      return;
    }
    for (const uint32_t shards : {1u, 2u, 3u, 4u}) add(curve, shards, 1e9 / measure_shards(*workload, shards, options_.seconds));
  }

  const CurveOptions& options_;
  const std::function<void(const std::string&)>& say_;
  std::vector<NamedChart> charts_;
  std::optional<cep::Error> error_;
};

}  // namespace

cep::Result<std::vector<NamedChart>> measure_curves(const CurveOptions& options, const std::function<void(const std::string&)>& say) {
  return CurveBench(options, say).run();
}

}  // namespace service
