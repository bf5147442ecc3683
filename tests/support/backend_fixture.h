// A real lane with the backend before it, without sockets. Threads: the test's; the lane and the delivery have their own.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "service/backend.h"
#include "service/delivery_adapter.h"
#include "tests/support/lane_fixture.h"

namespace test_support {

// Answers each request at once with `status`.
class InstantSender final : public service::HttpSender {
 public:
  cep::Status submit(service::HttpRequest request, service::HttpDone done) override {
    {
      std::lock_guard lock(mutex_);
      bodies_.push_back(std::move(request.body));
    }
    service::HttpResult result;
    result.status = status;
    result.latency_us = 9;
    done(result);
    return cep::ok_status();
  }
  std::vector<std::string> bodies() {
    std::lock_guard lock(mutex_);
    return bodies_;
  }
  std::atomic<int> status{200};

 private:
  std::mutex mutex_;
  std::vector<std::string> bodies_;
};

class BackendFixture : public LaneFixture {
 protected:
  void SetUp() override { start(); }
  void TearDown() override { stop(); }

  void start(std::vector<service::SinkSpec> sinks = {}) {
    open(2);
    auto admin = state::AdminStore::open(lane_->files(), lane_->data_dir());
    ASSERT_TRUE(admin.ok());
    admin_ = std::move(*admin);
    auto registry = service::SinkRegistry::open(*admin_, std::move(sinks));
    ASSERT_TRUE(registry.ok()) << registry.error().message;
    sinks_ = std::move(*registry);
    lane_->know_sinks([this] { return sinks_->names(); });
    delivery_store_ = std::make_unique<service::LaneDeliveryStore>(*lane_);
    delivery_ = std::make_unique<service::DeliveryThread>(service::DeliveryOptions{}, *delivery_store_, sender_,
                                                          [this] { return now_.load(); }, [](const service::DeliveryEvent&) {});
    ASSERT_TRUE(sinks_->add_all_to(delivery_->engine()).ok());
    delivery_->start();
    metrics_ = std::make_unique<service::Metrics>("test");
    rules_dir_ = std::make_unique<service::RulesDir>(*lane_, *admin_, std::vector<std::string>{scratch_ / "rules"});
    service::BackendOptions options;
    options.clock = [this] { return now_.load(); };
    options.sender = &sender_;
    options.rules_dir = rules_dir_.get();
    backend_ = std::make_unique<service::Backend>(*lane_, *delivery_, *sinks_, *metrics_, options);
  }
  void stop() {
    (void)delivery_->stop();
    lane_->close();
    backend_.reset();
    delivery_.reset();
    sinks_.reset();
    admin_.reset();
    lane_.reset();
  }
  void restart(std::vector<service::SinkSpec> sinks = {}) {
    stop();
    start(std::move(sinks));
  }

  template <class Ask>
  api::Answer ask(const Ask& question) {
    auto answer = std::make_shared<std::promise<api::Answer>>();
    std::future<api::Answer> answered = answer->get_future();
    question(api::Reply([answer](api::Answer a) { answer->set_value(std::move(a)); }));
    return answered.get();
  }
  api::Answer deploy_text(const std::string& text, bool dry_run = false) {
    return ask([&](api::Reply reply) { backend_->deploy(text, dry_run, reply); });
  }
  static bool has(const api::Answer& answer, const std::string& part) { return answer.body.find(part) != std::string::npos; }
  static std::string etag(const api::Answer& answer) {
    for (const auto& [name, value] : answer.headers) {
      if (name == "ETag") return value;
    }
    return "";
  }

  InstantSender sender_;
  std::unique_ptr<state::AdminStore> admin_;
  std::unique_ptr<service::SinkRegistry> sinks_;
  std::unique_ptr<service::LaneDeliveryStore> delivery_store_;
  std::unique_ptr<service::DeliveryThread> delivery_;
  std::unique_ptr<service::Metrics> metrics_;
  std::unique_ptr<service::RulesDir> rules_dir_;
  std::unique_ptr<service::Backend> backend_;
};

}  // namespace test_support
