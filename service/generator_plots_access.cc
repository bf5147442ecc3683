// Plots on logins, second factors, new accounts and connections: rules/access, rules/accounts, rules/network. See
// generator_plots.h.
#include "service/generator_plots.h"

namespace service {
namespace {

constexpr int64_t kHourMs = 3'600'000;

void impossible_travel(Plot& plot) {
  const size_t home = home_of(plot.actor());
  const bool european = home >= 4 && home <= 7;
  plot.login({.user = plot.actor(), .success = true, .ip = address_of(plot.actor()), .city = home});
  plot.wait_min(10, 40);
  plot.login({.user = plot.actor(), .success = true, .ip = plot.hideout(), .city = european ? kTokyo : kBucharest});
  plot.done_user("user", plot.actor());
}

void brute_force(Plot& plot) {
  for (int64_t failures = plot.between(10, 14); failures > 0; --failures) {
    plot.login({.user = plot.actor(), .success = false, .ip = plot.hideout()});
    plot.wait_s(5, 35);
  }
  plot.login({.user = plot.actor(), .success = true, .ip = plot.hideout()});
  plot.done_user("user", plot.actor());
}

void credential_stuffing(Plot& plot) {
  for (uint64_t attempt = 0; attempt < 25; ++attempt) {
    plot.wait_s(2, 30);
    plot.login({.user = plot.actor() * 32 + attempt % 18, .success = false, .ip = plot.hideout()});
  }
  plot.done({{"ip", Plot::named(append_address, plot.hideout())}});
}

void mfa_bombing(Plot& plot) {
  for (int prompt = 0; prompt < 5; ++prompt) {
    plot.wait_s(10, 100);
    plot.event([&](EventText& text, std::string& line, const Stamp& stamp) {
      text.mfa_result(line, stamp, plot.actor(), "deny");
    });
  }
  plot.done_user("user", plot.actor());
}

// Each half is an alert of its own; the last prompt completes both.
void two_alerts(Plot& plot) {
  const size_t home = home_of(plot.actor());
  const bool european = home >= 4 && home <= 7;
  plot.login({.user = plot.actor(), .success = true, .ip = address_of(plot.actor()), .city = home});
  plot.wait_min(10, 40);
  plot.login({.user = plot.actor(), .success = true, .ip = plot.hideout(), .city = european ? kTokyo : kBucharest});
  plot.wait_min(1, 10);
  mfa_bombing(plot);
}

void mfa_removed(Plot& plot) {
  plot.event([&](EventText& text, std::string& line, const Stamp& stamp) {
    text.mfa_action(line, stamp, plot.actor(), "deactivate");
  });
  plot.done_user("user", plot.actor(), 12 * kHourMs);
}

void account_takeover(Plot& plot) {
  plot.login({.user = plot.actor(), .success = true, .ip = plot.hideout(), .new_device = true});
  plot.wait_min(1, 8);
  plot.event([&](EventText& text, std::string& line, const Stamp& stamp) {
    text.profile_change(line, stamp, plot.actor(), "password");
  });
  plot.wait_min(1, 15);
  plot.transfer(plot.actor(), plot.bystander(), 110000, 290000);
  plot.done_user("user", plot.actor());
}

void new_account_burst(Plot& plot) {
  plot.event([&](EventText& text, std::string& line, const Stamp& stamp) {
    text.signup(line, stamp, plot.actor(), address_of(plot.actor()));
  });
  plot.wait_min(5, 120);
  for (int payout = 0; payout < 3; ++payout) {
    plot.wait_min(1, 8);
    plot.transfer(plot.actor(), plot.bystander(), 70000, 95000);
  }
  plot.done_user("user", plot.actor());
}

void signup_farm(Plot& plot) {
  const uint32_t net = 0xc6120000U | (static_cast<uint32_t>(plot.instance() % 512) << 8);  // in 198.18.0.0/15
  for (uint64_t account = 0; account < 10; ++account) {
    plot.wait_s(5, 50);
    plot.event([&](EventText& text, std::string& line, const Stamp& stamp) {
      text.signup(line, stamp, plot.actor() * 32 + account, net + 1 + static_cast<uint32_t>(account));
    });
  }
  plot.done({{"net", Plot::named(append_address, net)}});
}

void port_scan_then_login(Plot& plot) {
  const int64_t first_port = plot.between(1, 30000);
  for (int64_t port = 0, ports = plot.between(8, 14); port < ports; ++port) {
    plot.event([&](EventText& text, std::string& line, const Stamp& stamp) {
      text.connection(line, stamp, plot.hideout(), first_port + port, false);
    });
    plot.wait_ms(50, 5000);
  }
  plot.wait_min(1, 10);
  plot.login({.user = plot.actor(), .success = true, .ip = plot.hideout()});
  plot.done({{"source", Plot::named(append_address, plot.hideout())}});
}

constexpr GenStreams kLogin = bit_of(GenStream::kLogins);
constexpr GenStreams kFactor = bit_of(GenStream::kMfa);
constexpr GenStreams kTransfer = bit_of(GenStream::kTransfers);
constexpr GenStreams kSignup = bit_of(GenStream::kSignups);
constexpr Scenario kScenarios[] = {
    {"impossible_travel", kLogin, impossible_travel},
    {"brute_force", kLogin, brute_force},
    {"credential_stuffing", kLogin, credential_stuffing},
    {"mfa_bombing", kFactor, mfa_bombing},
    {"mfa_removed", kFactor, mfa_removed},
    {"two_alerts", kLogin | kFactor, two_alerts},
    {"account_takeover", kLogin | kTransfer | bit_of(GenStream::kProfileChanges), account_takeover},
    {"new_account_burst", kSignup | kTransfer, new_account_burst},
    {"signup_farm", kSignup, signup_farm},
    {"port_scan_then_login", kLogin | bit_of(GenStream::kConnections), port_scan_then_login},
};

}  // namespace

std::span<const Scenario> access_scenarios() { return kScenarios; }

}  // namespace service
