// Plots on card payments, one for each rule of rules/cards; see generator_plots.h.
#include "service/generator_plots.h"

namespace service {
namespace {

void card_testing(Plot& plot) {
  for (int64_t probes = plot.between(3, 5); probes > 0; --probes) {
    plot.spend(50, 449);
    plot.wait_s(15, 60);
  }
  plot.pay(
      {.card = plot.actor(), .cents = plot.between(60000, 95000), .merchant = 7, .country = "RO", .channel = "online"});
  plot.done_card();
}

void card_probing(Plot& plot) {
  plot.spend(50, 449);
  for (int probe = 1; probe < 5; ++probe) {
    plot.wait_s(20, 110);
    plot.spend(50, 449);
  }
  plot.done_card();
}

void card_velocity(Plot& plot) {
  for (int payment = 0; payment < 11; ++payment) {
    plot.wait_min(2, 5);
    plot.pay({.card = plot.actor(),
              .cents = plot.between(46000, 49000),
              .merchant = 11,
              .country = "BR",
              .channel = "online"});
  }
  plot.done_card();
}

void ip_velocity(Plot& plot) {
  for (int payment = 0; payment < 20; ++payment) {
    plot.wait_s(5, 25);
    const uint64_t card = payment < 5 ? plot.actor() * 8 + static_cast<uint64_t>(payment) : plot.actor() * 8;
    plot.pay({.card = card,
              .cents = plot.between(1000, 9000),
              .merchant = 13,
              .country = "US",
              .channel = "online",
              .ip = plot.hideout()});
  }
  plot.done({{"ip", Plot::named(append_address, plot.hideout())}});
}

void cards_per_device(Plot& plot) {
  for (uint64_t card = 0; card < 5; ++card) {
    plot.wait_min(1, 12);
    plot.pay({.card = plot.actor() * 8 + card,
              .cents = plot.between(1000, 9000),
              .merchant = 17,
              .country = "US",
              .channel = "online",
              .device = plot.actor()});
  }
  plot.done({{"device", Plot::named(append_device, plot.actor())}});
}

void amount_spike(Plot& plot) {
  for (int64_t habit = plot.between(5, 8); habit > 0; --habit) {
    plot.spend(1000, 4000);
    plot.wait_min(10, 25);
  }
  plot.spend(60000, 95000);
  plot.done_card();
}

void prepaid_load_cash_out(Plot& plot) {
  const int64_t loaded = plot.between(20000, 48000);
  plot.event(
      [&](EventText& text, std::string& line, const Stamp& stamp) { text.load(line, stamp, plot.actor(), loaded); });
  plot.wait_min(5, 100);
  plot.pay({.card = plot.actor(),
            .cents = loaded - plot.between(0, loaded / 10),
            .merchant = 19,
            .country = "US",
            .channel = "atm"});
  plot.done_card();
}

constexpr GenStreams kCard = bit_of(GenStream::kTransactions);
constexpr Scenario kScenarios[] = {
    {"card_testing", kCard, card_testing},
    {"card_probing", kCard, card_probing},
    {"card_velocity", kCard, card_velocity},
    {"ip_velocity", kCard, ip_velocity},
    {"cards_per_device", kCard, cards_per_device},
    {"amount_spike", kCard, amount_spike},
    {"prepaid_load_cash_out", kCard | bit_of(GenStream::kLoads), prepaid_load_cash_out},
};

}  // namespace

std::span<const Scenario> card_scenarios() { return kScenarios; }

}  // namespace service
