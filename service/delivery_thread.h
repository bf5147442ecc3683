// The thread that owns a DeliveryEngine: steps it when alerts are written, results arrive, something is due or asked.
// Invariant: nobody waits for this thread: notify() and post() return at once. It may itself wait for the store.
// Stop: nothing new is sent, what is in flight may finish for DeliveryOptions::stop_grace_us, then what is known is
// stored. What did not finish is tried again after the next start.
#pragma once

#include <condition_variable>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

#include "service/delivery.h"

namespace service {

class DeliveryThread {
 public:
  static constexpr size_t kCommandsMax = 256;

  using Clock = std::function<cep::TimeUs()>;  // wall clock, microseconds
  using Command = std::function<void(DeliveryEngine&, cep::TimeUs now)>;

  // `store` and `sender` outlive it. The sender is stopped after it, never before.
  DeliveryThread(DeliveryOptions options, DeliveryStore& store, HttpSender& sender, Clock clock,
                 DeliveryListener listener);
  ~DeliveryThread();  // as stop()
  DeliveryThread(const DeliveryThread&) = delete;
  DeliveryThread& operator=(const DeliveryThread&) = delete;

  DeliveryEngine& engine();  // before start() only: to add the first sinks
  void start();
  void notify();  // the alert log has grown
  // Runs `command` on the thread, before or after others in the order posted. Each posted one runs, even when stop()
  // follows. Error: busy (kCommandsMax are waiting), stopped.
  cep::Status post(Command command);
  // Waits for the thread: up to the grace and a commit. Error: what the last commit said. Once only.
  cep::Status stop();

 private:
  void run();
  bool wait(cep::DurationUs most_us);  // false: stopping
  void run_commands();
  void finish();
  void wake();

  const Clock clock_;
  const cep::DurationUs stop_grace_us_;

  std::mutex mutex_;  // guards the four below
  std::condition_variable changed_;
  std::vector<Command> commands_;
  bool awake_ = true;  // something happened since the last wait
  bool alerts_ = true;
  bool stopping_ = false;

  DeliveryEngine engine_;
  cep::Status last_commit_ = cep::ok_status();  // written by the thread as it ends
  std::thread thread_;
};

}  // namespace service
