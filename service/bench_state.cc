// See bench_state.h.
#include "service/bench_state.h"

#include <fmt/format.h>
#include <pthread.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <filesystem>
#include <future>
#include <memory>
#include <random>
#include <thread>
#include <vector>

#include "api/event_body.h"
#include "service/app.h"
#include "service/lane.h"
#include "service/rule_files.h"

namespace service {
namespace {

using Steady = std::chrono::steady_clock;
constexpr uint64_t kLinesOfRequest = 10'000;
constexpr uint64_t kCheckpoints = 20;
constexpr auto kCalm = std::chrono::seconds(3);

constexpr const char* kOneRule =
    "create stream tx (card text not null, amount decimal(12,2) not null, at timestamp not null)"
    " event time at delay 0 seconds, idle 365 days, ahead 365 days;\n"
    "create rule waiting on tx partition by card pattern small ->> large within 30 days"
    " define small as amount < 2.00, large as amount > 9000.00 after match no skip alert severity medium;\n";

double elapsed_s(Steady::time_point when) { return std::chrono::duration<double>(Steady::now() - when).count(); }

// The number behind `name` in a file of the process file system.
uint64_t process_number(const std::string& file, std::string_view name) {
  const cep::Result<std::string> text = read_whole_file("/proc/self/" + file);
  const size_t at = text ? text->find(name) : std::string::npos;
  return at != std::string::npos ? std::strtoull(text->c_str() + at + name.size(), nullptr, 10) : 0;
}

uint64_t bytes_below(const std::string& directory) {
  uint64_t bytes = 0;
  std::error_code ignored;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(directory, ignored)) {
    if (entry.is_regular_file(ignored)) bytes += entry.file_size(ignored);
  }
  return bytes;
}

double cpu_us(clockid_t clock) {
  timespec now{};
  clock_gettime(clock, &now);
  return static_cast<double>(now.tv_sec) * 1e6 + static_cast<double>(now.tv_nsec) / 1e3;
}

struct AskedTimes {
  std::vector<double> answers_us;
  double work_max_us = 0, gauge_max_us = 0;
};

// While it lives: asks shards one after the other how long they take to answer, and how much of that they worked.
class ShardAsker {
 public:
  ShardAsker(Lane& lane, AskedTimes& times)
      : asker_([this, &lane, &times] { ask(lane, times); }), gauge_([this, &times] { read_clock(times.gauge_max_us); }) {}
  ~ShardAsker() {
    over_ = true;
    asker_.join();
    gauge_.join();
  }

 private:
  void ask(Lane& lane, AskedTimes& times) {
    std::vector<clockid_t> clocks(lane.shards().size());
    for (size_t asked = 0; !over_; ++asked) {
      const size_t number = asked % clocks.size();
      const bool knows_clock = asked >= clocks.size();
      std::promise<double> answered;
      const double worked_before = knows_clock ? cpu_us(clocks[number]) : 0;
      const auto began = Steady::now();
      const bool is_taken = lane.shards()[number]->ask([&](const cep::Engine&) {
        if (!knows_clock) pthread_getcpuclockid(pthread_self(), &clocks[number]);
        answered.set_value(cpu_us(CLOCK_THREAD_CPUTIME_ID));
      });
      WEIR_CHECK(is_taken, "nobody else asks");
      const double worked = answered.get_future().get();
      times.answers_us.push_back(elapsed_s(began) * 1e6);
      if (knows_clock) times.work_max_us = std::max(times.work_max_us, worked - worked_before);
      std::this_thread::sleep_for(std::chrono::microseconds(200));
    }
  }
  // A tenth of the time, so that the gauge takes no core from what it stands beside.
  void read_clock(double& longest_us) const {
    while (!over_) {
      auto last = Steady::now() + std::chrono::microseconds(200);
      std::this_thread::sleep_until(last);
      for (const auto end = last + std::chrono::microseconds(20); last < end;) {
        const auto now = Steady::now();
        longest_us = std::max(longest_us, std::chrono::duration<double, std::micro>(now - last).count());
        last = now;
      }
    }
  }

  std::atomic<bool> over_{false};
  std::thread asker_, gauge_;
};

StateFigure::Answers summary(AskedTimes& times) {
  std::vector<double>& answers = times.answers_us;
  if (answers.empty()) return {};
  std::sort(answers.begin(), answers.end());
  return {answers[answers.size() * 99 / 100], answers.back(), times.work_max_us, times.gauge_max_us};
}

class StateBench {
 public:
  StateBench(std::string directory, uint64_t keys, uint32_t shards) : directory_(std::move(directory)) {
    figure_.keys = keys;
    figure_.shards = shards;
  }

  cep::Result<StateFigure> run() {
    if (cep::Status opened = open(); !opened) return opened.error();
    if (cep::Status deployed = deploy(); !deployed) return deployed.error();
    if (cep::Status filled = fill(); !filled) return filled.error();
    if (cep::Status added = add_runs(); !added) return added.error();
    take_calm();
    if (cep::Status taken = take_checkpoints(); !taken) return taken.error();
    lane_->close();
    lane_.reset();
    const auto began = Steady::now();
    const double worked_before = cpu_us(CLOCK_PROCESS_CPUTIME_ID);
    if (cep::Status opened = open(); !opened) return opened.error();
    figure_.restart_s = elapsed_s(began);
    figure_.restart_cpu_s = (cpu_us(CLOCK_PROCESS_CPUTIME_ID) - worked_before) / 1e6;
    const uint64_t found = keys();
    lane_->close();
    if (found != figure_.keys) return cep::Error{"damaged", fmt::format("{} of {} keys after the start", found, figure_.keys)};
    return figure_;
  }

 private:
  cep::Status open() {
    LaneOptions options;
    options.data_dir = directory_;
    options.shards = figure_.shards;
    options.sequencer.checkpoint_every_us = cep::kDay;         // taken when this asks for them
    std::vector<std::string> notes;
    cep::Result<std::unique_ptr<Lane>> lane = Lane::open(std::move(options), wall_clock_us, notes);
    if (!lane) return lane.error();
    lane_ = std::move(*lane);
    return cep::ok_status();
  }

  cep::Status deploy() {
    std::promise<DeployResult> outcome;
    lane_->deploy(kOneRule, "bench", false, nullptr, [&outcome](DeployResult result) { outcome.set_value(std::move(result)); });
    const DeployResult result = outcome.get_future().get();
    return result.applied ? cep::ok_status() : cep::Status(cep::Error{"bad_rules", "the rule of the bench was not deployed"});
  }

  // An event of each of the cards, in requests one after the other.
  template <class Card>
  cep::Status send(uint64_t events, Card&& card) {
    for (uint64_t sent = 0; sent < events;) {
      auto request = std::make_shared<api::SubmitRequest>();
      const uint64_t until = std::min(events, sent + kLinesOfRequest);
      for (; sent < until; ++sent) {
        fmt::format_to(std::back_inserter(request->body), "{{\"card\":\"4929{:012}\",\"amount\":1.00,\"at\":{}}}\n", card(sent), now_ms_++);
      }
      api::EventBodyHead head;
      head.content_type = "application/x-ndjson";
      head.stream = "tx";
      const cep::SchemaPtr schema = lane_->registry()->streams().at("tx");
      if (cep::Status cut = api::split_body(head, [&](std::string_view) { return schema; }, *request); !cut) return cut;
      std::promise<api::SubmitAnswer> answer;
      lane_->submit(request, [&answer](api::SubmitAnswer given) { answer.set_value(std::move(given)); });
      const api::SubmitAnswer given = answer.get_future().get();
      if (given.outcome != api::SubmitAnswer::Outcome::kDurable || !given.rejected.empty()) return cep::Error{"refused", given.detail};
    }
    return cep::ok_status();
  }

  uint64_t keys() const {
    uint64_t sum = 0;
    for (const std::unique_ptr<Shard>& shard : lane_->shards()) sum += shard->numbers().keys;
    return sum;
  }
  double state_bytes() const {
    double sum = 0;
    for (const std::unique_ptr<Shard>& shard : lane_->shards()) sum += static_cast<double>(shard->numbers().state_bytes);
    return sum;
  }

  cep::Status fill() {
    const auto count = static_cast<double>(figure_.keys);
    const uint64_t resident_before = process_number("status", "VmRSS:");
    const auto began = Steady::now();
    if (cep::Status sent = send(figure_.keys, [](uint64_t number) { return number; }); !sent) return sent;
    lane_->settle(false);
    figure_.events_per_s = count / elapsed_s(began);
    figure_.bytes_per_key = state_bytes() / count;
    lane_->settle(true);
    figure_.resident_per_key = static_cast<double>(process_number("status", "VmRSS:") - resident_before) * 1024 / count;
    figure_.disk_per_key = static_cast<double>(bytes_below(directory_ + "/state")) / count;
    return cep::ok_status();
  }

  // A second run for a tenth of the keys.
  cep::Status add_runs() {
    const double before = state_bytes();
    const uint64_t some = std::max<uint64_t>(1, figure_.keys / 10);
    if (cep::Status sent = send(some, [](uint64_t number) { return number * 10; }); !sent) return sent;
    lane_->settle(true);
    figure_.bytes_per_run = (state_bytes() - before) / static_cast<double>(some);
    return cep::ok_status();
  }

  void take_calm() {
    AskedTimes times;
    {
      const ShardAsker asker(*lane_, times);
      std::this_thread::sleep_for(kCalm);
    }
    figure_.calm = summary(times);
  }

  // Each with a hundredth of the keys changed, here and there.
  cep::Status take_checkpoints() {
    std::mt19937_64 random(1);
    figure_.changed_per_checkpoint = std::max<uint64_t>(1, figure_.keys / 100);
    const double key_bytes = state_bytes() / static_cast<double>(figure_.keys);
    double written = 0, changed = 0;
    AskedTimes times;
    for (; figure_.checkpoints < kCheckpoints; ++figure_.checkpoints) {
      const cep::Status sent = send(figure_.changed_per_checkpoint, [&](uint64_t) { return random() % figure_.keys; });
      if (!sent) return sent;
      lane_->settle(false);
      const uint64_t before = process_number("io", "\nwrite_bytes:");
      {
        const ShardAsker asker(*lane_, times);
        lane_->settle(true);
      }
      written += static_cast<double>(process_number("io", "\nwrite_bytes:") - before);
      changed += key_bytes * static_cast<double>(figure_.changed_per_checkpoint);
      figure_.checkpoint_ms += static_cast<double>(lane_->store().counters().checkpoint_us) / 1'000 / kCheckpoints;
    }
    figure_.busy = summary(times);
    figure_.written_per_changed_byte = written / changed;
    return cep::ok_status();
  }

  const std::string directory_;
  StateFigure figure_;
  std::unique_ptr<Lane> lane_;
  int64_t now_ms_ = wall_clock_us() / 1'000;
};

}  // namespace

cep::Result<StateFigure> measure_state(const std::string& directory, uint64_t keys, uint32_t shards) {
  cep::Result<StateFigure> figure = StateBench(directory, keys, shards).run();
  std::error_code ignored;
  std::filesystem::remove_all(directory, ignored);
  return figure;
}

}  // namespace service
