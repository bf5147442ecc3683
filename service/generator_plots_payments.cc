// Plots on transfers, one for each rule of rules/payments; see generator_plots.h. Amounts stay below the thresholds of
// the other rules where the plot allows.
#include "service/generator_plots.h"

namespace service {
namespace {

void payout_without_login(Plot& plot) {
  plot.transfer(plot.actor(), plot.bystander(), 520000, 880000);
  plot.done_user("user", plot.actor());
}

void sim_swap_payout(Plot& plot) {
  plot.event([&](EventText& text, std::string& line, const Stamp& stamp) {
    text.sim_swap(line, stamp, plot.actor(), "carrier-2");
  });
  plot.wait_min(5, 240);
  plot.transfer(plot.actor(), plot.bystander(), 52000, 99000);
  plot.done_user("user", plot.actor());
}

void structuring(Plot& plot) {
  for (int deposit = 0; deposit < 3; ++deposit) {
    const uint64_t debtor = plot.actor() * 4 + static_cast<uint64_t>(deposit);
    plot.wait_min(20, 150);
    plot.login({.user = debtor, .success = true, .ip = address_of(debtor)});
    plot.wait_min(1, 10);
    plot.transfer(debtor, plot.actor(), 935000, 999000);
  }
  plot.done_user("creditor", plot.actor());
}

void rapid_in_and_out(Plot& plot) {
  const int64_t received = plot.between(110000, 280000);
  plot.transfer(plot.bystander(), plot.actor(), received, received);
  plot.wait_min(10, 180);
  plot.transfer(plot.actor(), plot.bystander(), received * 45 / 100, received * 47 / 100);
  plot.wait_min(5, 60);
  plot.transfer(plot.actor(), plot.bystander(), received * 48 / 100, received * 50 / 100);
  plot.done_user("account", plot.actor());
}

void mule(Plot& plot) {
  for (uint64_t payer = 0; payer < 5; ++payer) {
    plot.transfer(plot.actor() * 16 + payer, plot.actor(), 20000, 45000);
    plot.wait_min(2, 30);
  }
  for (uint64_t payee = 5; payee < 10; ++payee) {
    plot.wait_min(2, 30);
    plot.transfer(plot.actor(), plot.actor() * 16 + payee, 20000, 45000);
  }
  plot.done_user("account", plot.actor());
}

void user_velocity(Plot& plot) {
  for (uint64_t payment = 0; payment < 8; ++payment) {
    plot.wait_s(10, 60);
    plot.transfer(plot.actor(), plot.actor() * 16 + payment, 1000, 9000);
  }
  plot.done_user("debtor", plot.actor());
}

void duplicate_payment(Plot& plot) {
  const uint64_t creditor = plot.bystander();
  const int64_t cents = plot.between(3000, 40000);
  plot.transfer(plot.actor(), creditor, cents, cents);
  plot.wait_min(1, 9);
  plot.transfer(plot.actor(), creditor, cents, cents + cents / 20);
  plot.done({{"debtor", Plot::named(append_user, plot.actor())}, {"creditor", Plot::named(append_user, creditor)}});
}

void amount_ladder(Plot& plot) {
  const uint64_t creditor = plot.bystander();
  plot.transfer(plot.actor(), creditor, 5000, 7000);
  plot.wait_min(2, 25);
  plot.transfer(plot.actor(), creditor, 14000, 18000);
  plot.wait_min(2, 25);
  plot.transfer(plot.actor(), creditor, 36000, 48000);
  plot.done({{"debtor", Plot::named(append_user, plot.actor())}, {"creditor", Plot::named(append_user, creditor)}});
}

void too_quick_follow_up(Plot& plot) {
  plot.transfer(plot.actor(), plot.bystander(), 51000, 60000);
  plot.wait_ms(200, 4800);
  plot.transfer(plot.actor(), plot.bystander(), 70000, 90000);
  plot.done_user("debtor", plot.actor());
}

void new_payee(Plot& plot) {
  const uint64_t creditor = plot.bystander();
  plot.transfer(plot.actor(), creditor, 300000, 490000);
  plot.done({{"debtor", Plot::named(append_user, plot.actor())}, {"creditor", Plot::named(append_user, creditor)}});
}

constexpr GenStreams kTransfer = bit_of(GenStream::kTransfers);
constexpr Scenario kScenarios[] = {
    {"payout_without_login", kTransfer | bit_of(GenStream::kLogins), payout_without_login},
    {"sim_swap_payout", kTransfer | bit_of(GenStream::kSimSwaps), sim_swap_payout},
    {"structuring", kTransfer | bit_of(GenStream::kLogins), structuring},
    {"rapid_in_and_out", kTransfer, rapid_in_and_out},
    {"mule", kTransfer, mule},
    {"user_velocity", kTransfer, user_velocity},
    {"duplicate_payment", kTransfer, duplicate_payment},
    {"amount_ladder", kTransfer, amount_ladder},
    {"too_quick_follow_up", kTransfer, too_quick_follow_up},
    {"new_payee", kTransfer, new_payee},
};

}  // namespace

std::span<const Scenario> payment_scenarios() { return kScenarios; }

}  // namespace service
