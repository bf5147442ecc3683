#include "service/bench_server.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <filesystem>
#include <map>
#include <mutex>
#include <random>
#include <thread>

#include "service/api_client.h"
#include "service/app.h"
#include "service/bench_data.h"
#include "service/client_output.h"

namespace service {
namespace {

using Steady = std::chrono::steady_clock;
constexpr uint32_t kSenders = 2;
constexpr uint32_t kLinesOfPost = 1'000;
constexpr auto kSettle = std::chrono::seconds(2);  // longer than the delay of the stream

double seconds_since(Steady::time_point when) { return std::chrono::duration<double>(Steady::now() - when).count(); }

class EndToEnd {
 public:
  EndToEnd(std::string server, double seconds) : server_(std::move(server)), seconds_(seconds) {}

  cep::Result<EndToEndFigure> run() {
    if (cep::Status deployed = deploy(); !deployed) return deployed.error();
    if (cep::Status sent = send_flat_out(); !sent) return sent.error();
    if (cep::Status settled = settle(); !settled) return settled.error();
    if (cep::Status taken = take_latency(); !taken) return taken.error();
    return figure_;
  }

 private:
  cep::Result<ApiResponse> ask(ApiClient& client, const ApiRequest& request) {
    cep::Result<ApiResponse> answer = client.send(request);
    if (!answer || answer->ok() || answer->status == 429) return answer;
    return cep::Error{"refused",
                      fmt::format("{} {} answered {}: {}", request.method, request.path, answer->status, answer->body)};
  }

  cep::Status deploy() {
    auto client = ApiClient::create(server_);
    if (!client) return client.error();
    const auto answer =
        ask(**client,
            {"POST", "/v1/deployments", twenty_rules_text("1 second") + bench_signal_rule(), {{"Content-Type", "text/plain"}}});
    return answer ? cep::ok_status() : cep::Status(answer.error());
  }

  cep::Status send_flat_out() {
    std::atomic<uint64_t> events{0};
    std::vector<std::thread> senders;
    std::vector<cep::Status> results(kSenders, cep::ok_status());
    const auto began = Steady::now();
    for (uint32_t s = 0; s < kSenders; ++s) {
      senders.emplace_back([this, s, began, &events, &results] { results[s] = send_until_over(s, began, events); });
    }
    for (std::thread& sender : senders) sender.join();
    for (const cep::Status& result : results) {
      if (!result) return result;
    }
    figure_.events = events;
    figure_.connections = kSenders;
    figure_.events_per_s = static_cast<double>(events.load()) / seconds_since(began);
    return cep::ok_status();
  }

  cep::Status send_until_over(uint32_t number, Steady::time_point began, std::atomic<uint64_t>& events) {
    auto client = ApiClient::create(server_);
    if (!client) return client.error();
    std::mt19937_64 random(number + 1);
    while (seconds_since(began) < seconds_) {
      const auto answer = ask(**client, bench_events_request("tx", bench_events(random, kLinesOfPost)));
      if (!answer) return answer.error();
      if (answer->ok()) events += kLinesOfPost;
    }
    return cep::ok_status();
  }

  // What full speed left behind is worked off: the last second of it waits for time to move, which one more post does.
  cep::Status settle() {
    std::this_thread::sleep_for(kSettle);
    auto client = ApiClient::create(server_);
    if (!client) return client.error();
    std::mt19937_64 random(98);
    const auto answer = ask(**client, bench_events_request("tx", bench_events(random, 1)));
    std::this_thread::sleep_for(kSettle);
    return answer ? cep::ok_status() : cep::Status(answer.error());
  }

  // Every 10 ms a post that carries a hundredth second of a tenth of the rate found before, then one event that alerts.
  cep::Status take_latency() {
    std::atomic<bool> over{false};
    std::atomic<bool> listening{false};
    std::thread reader([&] { read_alerts(over, listening); });
    const auto patience = Steady::now();
    while (!listening && seconds_since(patience) < 10) std::this_thread::sleep_for(std::chrono::milliseconds(5));
    const cep::Status sent =
        listening ? send_paced() : cep::Status(cep::Error{"refused", "the event stream of alerts did not open"});
    std::this_thread::sleep_for(std::chrono::seconds(1));  // the last alerts may come
    over = true;
    reader.join();
    if (!sent) return sent;
    const std::lock_guard lock(mutex_);
    if (latencies_ms_.empty()) return cep::Error{"refused", "no alert came back on the event stream"};
    std::sort(latencies_ms_.begin(), latencies_ms_.end());
    figure_.latency_samples = latencies_ms_.size();
    figure_.latency_p50_ms = latencies_ms_[latencies_ms_.size() / 2];
    figure_.latency_p99_ms = latencies_ms_[latencies_ms_.size() * 99 / 100];
    figure_.latency_max_ms = latencies_ms_.back();
    return cep::ok_status();
  }

  void read_alerts(const std::atomic<bool>& over, std::atomic<bool>& listening) {
    auto client = ApiClient::create(server_);
    if (!client) return;
    SseReader events;
    auto take = [&](const SseReader::Event& event) {
      const std::string card = json_text(json_member(event.data, "message"));
      const std::lock_guard lock(mutex_);
      const auto sent = sent_.find(card);
      if (sent != sent_.end()) latencies_ms_.push_back(seconds_since(sent->second) * 1'000);
    };
    const auto piece = [&](std::string_view text) {
      events.feed(text, take);
      return !over;
    };
    static_cast<void>((*client)->stream({"GET", "/v1/alerts/stream?rule=signal", "", {}}, piece, [&] {
      listening = true;
      return !over;
    }));
  }

  cep::Status send_paced() {
    constexpr auto kEvery = std::chrono::milliseconds(10);
    auto client = ApiClient::create(server_);
    if (!client) return client.error();
    std::mt19937_64 random(99);
    const auto lines = static_cast<uint32_t>(std::max(1.0, figure_.events_per_s / 10 / 100));
    const auto began = Steady::now();
    uint64_t events = 0;
    for (uint32_t number = 0; seconds_since(began) < seconds_; ++number) {
      const std::string card = fmt::format("signal{}", number);
      const auto load = ask(**client, bench_events_request("tx", bench_events(random, lines)));
      if (!load) return load.error();
      {
        const std::lock_guard lock(mutex_);
        sent_[card] = Steady::now();
      }
      const auto answer =
          ask(**client,
              bench_events_request("signals", fmt::format(R"({{"card":"{}","at":{}}})", card, wall_clock_us() / 1'000)));
      if (!answer) return answer.error();
      events += lines + 1;
      std::this_thread::sleep_until(began + kEvery * (number + 1));
    }
    figure_.paced_events_per_s = static_cast<double>(events) / seconds_since(began);
    return cep::ok_status();
  }

  const std::string server_;
  const double seconds_;
  EndToEndFigure figure_;
  std::mutex mutex_;  // guards the two below
  std::map<std::string, Steady::time_point> sent_;
  std::vector<double> latencies_ms_;
};

}  // namespace

std::string bench_signal_rule() {
  return "create stream signals (card text not null, at timestamp not null) event time at delay 0 seconds;\n"
         "create rule signal on signals partition by card when true alert severity high message '{card}';\n";
}

std::string bench_events(std::mt19937_64& random, uint32_t lines) {
  std::string body;
  const int64_t now_ms = wall_clock_us() / 1'000;
  for (uint32_t i = 0; i < lines; ++i) {
    const uint64_t cents = 1 + random() % 20'000;
    fmt::format_to(
        std::back_inserter(body),
        R"({{"card":"4929{:012}","amount":{}.{:02},"merchant":"m{}","country":"{}","channel":"pos","at":{}}})"
        "\n",
        random() % 10'000, cents / 100, cents % 100, random() % 1'000, random() % 8 == 0 ? "RO" : "US", now_ms);
  }
  return body;
}

ApiRequest bench_events_request(const std::string& stream, std::string body) {
  return {"POST", "/v1/streams/" + stream + "/events", std::move(body), {{"Content-Type", "application/x-ndjson"}}};
}

cep::Result<EndToEndFigure> measure_end_to_end(const std::string& directory, double seconds) {
  ServeFlags flags;
  flags.listen = "127.0.0.1:0";
  flags.data = directory;
  const cep::Result<ServeOptions> options = load_serve_options(flags, [](const std::string&) { return std::nullopt; });
  if (!options) return options.error();
  const ServiceLog log("error", false);
  cep::Result<std::unique_ptr<App>> app = App::start(*options, log);
  if (!app) return app.error();
  const std::string server = fmt::format("http://127.0.0.1:{}", (*app)->port());
  cep::Result<EndToEndFigure> figure = EndToEnd(server, seconds).run();
  if (figure.ok()) {
    const cep::Result<DecisionFigure> decisions = measure_decisions(server, directory + "/appends", figure->events_per_s, seconds);
    if (decisions.ok()) figure->decisions = *decisions;
    else figure = decisions.error();
  }
  (*app)->stop();
  std::error_code ignored;
  std::filesystem::remove_all(directory, ignored);
  return figure;
}

}  // namespace service
