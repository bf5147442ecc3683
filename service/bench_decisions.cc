// See bench_decisions.h.
#include "service/bench_decisions.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <memory>
#include <mutex>
#include <random>
#include <thread>
#include <vector>

#include "service/api_client.h"
#include "service/app.h"
#include "service/bench_data.h"
#include "service/bench_server.h"
#include "state/file.h"

namespace service {
namespace {

using Steady = std::chrono::steady_clock;
constexpr uint32_t kConnections = 8;
constexpr auto kTurn = std::chrono::milliseconds(500);
constexpr auto kEventsEvery = std::chrono::milliseconds(10);
constexpr size_t kAppendBytes = 320;      // a frame with one event

Steady::duration duration_of(double seconds) {
  return std::chrono::duration_cast<Steady::duration>(std::chrono::duration<double>(seconds));
}
double in_seconds(Steady::duration duration) { return std::chrono::duration<double>(duration).count(); }
double in_microseconds(Steady::duration duration) { return in_seconds(duration) * 1e6; }

// One connection that asks for decisions.
class Asker {
 public:
  explicit Asker(uint32_t number) : random_(1'000 + number) {}

  cep::Status connect(const std::string& server) {
    auto client = ApiClient::create(server);
    if (!client) return client.error();
    client_ = std::move(*client);
    return cep::ok_status();
  }
  cep::Status ask() {
    const auto answer = client_->send({"POST", "/v1/streams/payments/decisions", event(), {{"Content-Type", "application/json"}}});
    if (!answer) return answer.error();
    if (answer->status == 429) return cep::ok_status();
    if (!answer->ok()) return cep::Error{"refused", fmt::format("a decision was answered {}: {}", answer->status, answer->body)};
    degraded_ += answer->body.find(R"("degraded":true)") != std::string::npos ? 1 : 0;
    return cep::ok_status();
  }
  uint64_t take_degraded() { return std::exchange(degraded_, 0); }      // since the last time

 private:
  std::string event() {
    const uint64_t cents = 1 + random_() % 20'000;
    return fmt::format(R"({{"card":"4929{:012}","amount":{}.{:02},"merchant":"m{}","country":"{}","channel":"pos","at":{}}})",
                       random_() % 10'000, cents / 100, cents % 100, random_() % 1'000, random_() % 8 == 0 ? "RO" : "US",
                       wall_clock_us() / 1'000);
  }

  std::mt19937_64 random_;
  std::unique_ptr<ApiClient> client_;
  uint64_t degraded_ = 0;
};

class DecisionBench {
 public:
  DecisionBench(std::string server, std::string directory, double events_per_s, double seconds)
      : server_(std::move(server)), directory_(std::move(directory)), events_per_s_(events_per_s), seconds_(seconds) {}

  cep::Result<DecisionFigure> run() {
    auto client = ApiClient::create(server_);
    if (!client) return client.error();
    const ApiRequest deployment{"POST", "/v1/deployments", twenty_rules_text("0 seconds", "payments"), {{"Content-Type", "text/plain"}}};
    const auto deployed = (*client)->send(deployment);
    if (!deployed) return deployed.error();
    if (!deployed->ok()) return cep::Error{"refused", deployed->body};
    if (cep::Status opened = open_file(); !opened) return opened.error();
    for (uint32_t i = 0; i < kConnections; ++i) {
      askers_.push_back(std::make_unique<Asker>(i));
      if (cep::Status connected = askers_.back()->connect(server_); !connected) return connected.error();
    }
    figure_.connections = kConnections;
    if (cep::Status saturated = saturate(); !saturated) return saturated.error();
    if (cep::Status taken = take_turns(figure_.alone, false); !taken) return taken.error();
    if (cep::Status taken = take_turns(figure_.beside_events, true); !taken) return taken.error();
    return figure_;
  }

 private:
  cep::Status open_file() {
    files_ = state::make_real_file_system();
    if (cep::Status made = files_->make_dirs(directory_); !made) return made;
    auto opened = files_->open(directory_ + "/appends", state::OpenMode::kCreateNew);
    if (!opened) return opened.error();
    file_ = std::move(*opened);
    return files_->sync_dir(directory_);
  }

  // Every connection asks `one(asker number)` until it says that it is over.
  cep::Status on_all(const std::function<cep::Result<bool>(uint32_t)>& one) {
    std::vector<std::thread> threads;
    std::vector<cep::Status> results(kConnections, cep::ok_status());
    for (uint32_t i = 0; i < kConnections; ++i) {
      threads.emplace_back([&, i] {
        for (;;) {
          const cep::Result<bool> goes_on = one(i);
          if (!goes_on) results[i] = goes_on.error();
          if (!goes_on || !*goes_on) return;
        }
      });
    }
    for (std::thread& thread : threads) thread.join();
    const auto failed = std::find_if(results.begin(), results.end(), [](const cep::Status& result) { return !result.ok(); });
    return failed == results.end() ? cep::ok_status() : *failed;
  }

  cep::Status saturate() {
    const auto began = Steady::now();
    std::atomic<uint64_t> asked{0};
    const cep::Status done = on_all([&](uint32_t i) -> cep::Result<bool> {
      if (cep::Status status = askers_[i]->ask(); !status) return status.error();
      ++asked;
      return in_seconds(Steady::now() - began) < seconds_;
    });
    figure_.saturation_per_s = static_cast<double>(asked.load()) / in_seconds(Steady::now() - began);
    for (const std::unique_ptr<Asker>& asker : askers_) asker->take_degraded();      // many, and not what is asked here
    return done;
  }

  cep::Status take_turns(DecisionFigure::Row& row, bool beside_events) {
    std::atomic<bool> over{false};
    std::atomic<uint64_t> events{0};
    std::thread load;
    cep::Status of_load = cep::ok_status();
    if (beside_events) load = std::thread([&] { of_load = send_events(over, events); });
    const auto began = Steady::now();
    Steady::duration asking{};
    std::vector<double> decisions_us, appends_us;
    cep::Status done = cep::ok_status();
    while (done.ok() && in_seconds(Steady::now() - began) < seconds_) {
      const auto turn = Steady::now();
      done = ask_at_a_third(decisions_us);
      asking += Steady::now() - turn;
      if (done.ok()) done = append_for_a_turn(appends_us);
    }
    row.events_per_s = static_cast<double>(events.load()) / in_seconds(Steady::now() - began);
    over = true;
    if (load.joinable()) load.join();
    row.decisions_per_s = static_cast<double>(decisions_us.size()) / in_seconds(asking);
    row.decision = latency_figure_of(decisions_us);
    row.append = latency_figure_of(appends_us);
    for (const std::unique_ptr<Asker>& asker : askers_) row.degraded += asker->take_degraded();
    return done.ok() ? of_load : done;
  }

  // A turn of decisions at a fixed rate. One that could not be asked in time because the answer before it was late counts from when it
  // should have been asked.
  cep::Status ask_at_a_third(std::vector<double>& samples_us) {
    const auto every = duration_of(kConnections * 3 / figure_.saturation_per_s);
    const auto began = Steady::now();
    std::vector<Steady::time_point> due(kConnections), free(kConnections, began);
    for (uint32_t i = 0; i < kConnections; ++i) due[i] = began + every * (i + 1) / kConnections;
    std::mutex mutex;
    return on_all([&](uint32_t i) -> cep::Result<bool> {
      std::this_thread::sleep_until(due[i]);
      if (free[i] <= due[i]) due[i] = Steady::now();       // only this thread was late
      if (cep::Status status = askers_[i]->ask(); !status) return status.error();
      free[i] = Steady::now();
      {
        const std::lock_guard lock(mutex);
        samples_us.push_back(in_microseconds(free[i] - due[i]));
      }
      due[i] += every;
      return due[i] < began + kTurn;
    });
  }

  cep::Status append_for_a_turn(std::vector<double>& samples_us) {
    const auto every = duration_of(3 / figure_.saturation_per_s);
    const std::string bytes(kAppendBytes, 'x');
    const auto began = Steady::now();
    for (auto due = began; due < began + kTurn; due = std::max(due + every, Steady::now())) {
      std::this_thread::sleep_until(due);
      const auto start = Steady::now();
      if (cep::Status written = file_->write_at(appended_, bytes); !written) return written;
      if (cep::Status synced = file_->sync(); !synced) return synced;
      samples_us.push_back(in_microseconds(Steady::now() - start));
      appended_ += bytes.size();
    }
    return cep::ok_status();
  }

  cep::Status send_events(const std::atomic<bool>& over, std::atomic<uint64_t>& events) {
    auto client = ApiClient::create(server_);
    if (!client) return client.error();
    std::mt19937_64 random(77);
    const auto lines = static_cast<uint32_t>(std::max(1.0, events_per_s_ / 3 * in_seconds(kEventsEvery)));
    auto due = Steady::now();
    while (!over) {
      const auto answer = (*client)->send(bench_events_request("tx", bench_events(random, lines)));
      if (!answer) return answer.error();
      if (answer->ok()) events += lines;
      due = std::max(due + kEventsEvery, Steady::now() - kEventsEvery);
      std::this_thread::sleep_until(due);
    }
    return cep::ok_status();
  }

  const std::string server_, directory_;
  const double events_per_s_, seconds_;
  std::vector<std::unique_ptr<Asker>> askers_;
  std::unique_ptr<state::FileSystem> files_;
  std::unique_ptr<state::File> file_;
  uint64_t appended_ = 0;
  DecisionFigure figure_;
};

}  // namespace

LatencyFigure latency_figure_of(std::vector<double>& samples_us) {
  LatencyFigure figure;
  figure.samples = samples_us.size();
  if (samples_us.empty()) return figure;
  std::sort(samples_us.begin(), samples_us.end());
  const auto quantile = [&](double part) { return samples_us[static_cast<size_t>(part * static_cast<double>(samples_us.size() - 1))]; };
  figure.p50_us = quantile(0.5);
  figure.p99_us = quantile(0.99);
  figure.p999_us = quantile(0.999);
  figure.max_us = samples_us.back();
  return figure;
}

cep::Result<DecisionFigure> measure_decisions(const std::string& server, const std::string& directory, double events_per_s,
                                              double seconds) {
  return DecisionBench(server, directory, events_per_s, seconds).run();
}

}  // namespace service
