// Planted fraud: for every shipped rule a plot that writes one instance which fires it. A plot takes its actors from
// numbers the background never uses, so that ordinary traffic cannot spoil or complete it; bystanders are drawn from
// the background. An instance is written whole when it begins, as lines that wait for their time.
// Threads: a Plot belongs to its owner.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "service/generator_events.h"
#include "service/generator_pending.h"
#include "service/generator_random.h"

namespace service {

// What the plots share with the generator. `ordinal` is the number of the next event.
struct PlotWorld {
  EventText text;
  PendingLines pending;
  Random random;
  uint64_t ordinal = 0;
  uint64_t keys = 0;  // background numbers are below it
};

// One instance under way: a clock that the plot moves, and events at its hand. Ends with one of the done functions.
class Plot {
 public:
  Plot(PlotWorld& world, std::string_view rule, uint64_t instance, int64_t start_ms)
      : world_(world), rule_(rule), instance_(instance), at_ms_(start_ms) {}

  uint64_t actor() const { return world_.keys + instance_ % world_.keys; }  // card, user, device or machine
  uint64_t bystander() { return world_.random.below(world_.keys); }
  uint64_t instance() const { return instance_; }
  uint32_t hideout() const { return 0xac100000U | static_cast<uint32_t>(instance_ & 0xfffff); }  // 172.16.0.0/12
  int64_t between(int64_t lo, int64_t hi) { return world_.random.between(lo, hi); }

  void wait_ms(int64_t lo, int64_t hi) { at_ms_ += between(lo, hi); }
  void wait_s(int64_t lo, int64_t hi) { wait_ms(lo * 1000, hi * 1000); }
  void wait_min(int64_t lo, int64_t hi) { wait_s(lo * 60, hi * 60); }

  // One event now. `write` takes (EventText&, std::string&, const Stamp&). Returns the event's ordinal.
  template <class Write>
  uint64_t event(Write write);

  void pay(const CardPayment& payment);
  void spend(int64_t cents_lo, int64_t cents_hi);  // an online payment of the actor's card
  void login(const LoginTry& login);
  void transfer(uint64_t debtor, uint64_t creditor, int64_t cents_lo, int64_t cents_hi);
  uint64_t paid_order(const Order& order);  // with its payment; the order's ordinal

  // The instance is complete `after_ms` from now; the rule's key, column by column.
  struct KeyColumn {
    std::string_view name;
    std::string value;
  };
  void done(std::initializer_list<KeyColumn> key, int64_t after_ms = 0);
  void done_card() { done({{"card", named(append_card, actor())}}); }
  void done_user(std::string_view column, uint64_t user, int64_t after_ms = 0) {
    done({{column, named(append_user, user)}}, after_ms);
  }

  template <class Number>
  static std::string named(void (*append)(std::string&, Number), Number number) {
    std::string text;
    append(text, number);
    return text;
  }

 private:
  PlotWorld& world_;
  std::string_view rule_;
  uint64_t instance_;
  int64_t at_ms_;
  std::vector<uint64_t> ordinals_;
};

template <class Write>
uint64_t Plot::event(Write write) {
  const uint64_t ordinal = world_.ordinal++;
  std::string line;
  write(world_.text, line, Stamp{at_ms_, ordinal, rule_});
  world_.pending.add(at_ms_, false, std::move(line));
  ordinals_.push_back(ordinal);
  return ordinal;
}

struct Scenario {
  std::string_view rule;
  GenStreams streams;  // all that the plot writes to
  void (*plot)(Plot&);
};

std::span<const Scenario> card_scenarios();
std::span<const Scenario> access_scenarios();  // logins, second factors, accounts, connections
std::span<const Scenario> payment_scenarios();
std::span<const Scenario> trade_scenarios();  // orders, page views, machines

}  // namespace service
