#include "service/delivery_thread.h"

#include <algorithm>
#include <chrono>
#include <utility>

namespace service {
namespace {

// Due times are of the wall clock and waiting is not, so a clock that was set is noticed this much later at most.
constexpr cep::DurationUs kWaitMaxUs = cep::kSecond;

}  // namespace

DeliveryThread::DeliveryThread(DeliveryOptions options, DeliveryStore& store, HttpSender& sender, Clock clock,
                               DeliveryListener listener)
    : clock_(std::move(clock)),
      stop_grace_us_(options.stop_grace_us),
      engine_(std::move(options), store, sender, [this] { wake(); }, std::move(listener)) {}

DeliveryThread::~DeliveryThread() {
  if (thread_.joinable()) static_cast<void>(stop());
}

DeliveryEngine& DeliveryThread::engine() {
  WEIR_CHECK(!thread_.joinable(), "the delivery engine belongs to its thread once that runs");
  return engine_;
}

void DeliveryThread::start() {
  WEIR_CHECK(!thread_.joinable(), "the delivery thread was started twice");
  thread_ = std::thread([this] { run(); });
}

void DeliveryThread::wake() {
  const std::lock_guard lock(mutex_);
  awake_ = true;
  changed_.notify_one();
}

void DeliveryThread::notify() {
  const std::lock_guard lock(mutex_);
  alerts_ = true;
  awake_ = true;
  changed_.notify_one();
}

cep::Status DeliveryThread::post(Command command) {
  const std::lock_guard lock(mutex_);
  if (stopping_) return cep::Error{"stopped", "delivery is stopping"};
  if (commands_.size() >= kCommandsMax) {
    return cep::Error{"busy", std::to_string(kCommandsMax) + " requests about sinks are waiting; try again"};
  }
  commands_.push_back(std::move(command));
  awake_ = true;
  changed_.notify_one();
  return cep::ok_status();
}

cep::Status DeliveryThread::stop() {
  WEIR_CHECK(thread_.joinable(), "the delivery thread is not running");
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    awake_ = true;
    changed_.notify_one();
  }
  thread_.join();
  return last_commit_;
}

void DeliveryThread::run() {
  for (cep::TimeUs next = cep::kTimeMin;;) {
    const cep::TimeUs now = clock_();
    if (!wait(next <= now ? 0 : next - now)) break;
    run_commands();
    next = engine_.step(clock_());
  }
  finish();
}

bool DeliveryThread::wait(cep::DurationUs most_us) {
  std::unique_lock lock(mutex_);
  changed_.wait_for(lock, std::chrono::microseconds(std::min(most_us, kWaitMaxUs)), [this] { return awake_; });
  awake_ = false;
  if (std::exchange(alerts_, false)) engine_.alerts_available();
  return !stopping_;
}

void DeliveryThread::run_commands() {
  std::vector<Command> commands;
  {
    const std::lock_guard lock(mutex_);
    std::swap(commands, commands_);
  }
  for (Command& command : commands) command(engine_, clock_());
}

void DeliveryThread::finish() {
  run_commands();
  engine_.begin_stop();
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::microseconds(stop_grace_us_);
  for (;;) {
    engine_.step(clock_());  // before every wait: the wake of what is in the inbox may be used up already
    const auto left = deadline - std::chrono::steady_clock::now();
    if (engine_.idle() || left <= left.zero()) break;
    wait(std::chrono::duration_cast<std::chrono::microseconds>(left).count());
  }
  last_commit_ = engine_.flush();
}

}  // namespace service
