// Plots on orders, page views and machines: rules/commerce, rules/machines. See generator_plots.h.
#include "service/generator_plots.h"

namespace service {
namespace {

constexpr int64_t kHourMs = 3'600'000;

void refund_abuse(Plot& plot) {
  std::vector<std::pair<uint64_t, int64_t>> orders;  // ordinal, cents
  for (uint64_t item = 0; item < 4; ++item) {
    const int64_t cents = plot.between(3000, 20000);
    orders.emplace_back(plot.paid_order({plot.actor(), item, cents, false, device_of(plot.actor())}), cents);
    plot.wait_min(3, 20);
  }
  for (size_t refund = 0; refund < 3; ++refund) {
    plot.wait_min(10, 60);
    plot.event([&](EventText& text, std::string& line, const Stamp& stamp) {
      text.refund(line, stamp, plot.actor(), orders[refund].first, orders[refund].second);
    });
  }
  plot.done_user("user", plot.actor());
}

void promo_abuse_per_device(Plot& plot) {
  for (uint64_t user = 0; user < 3; ++user) {
    plot.paid_order({plot.actor() * 8 + user, 5, plot.between(3000, 9000), true, plot.actor()});
    plot.wait_min(5, 60);
  }
  const Order last{plot.actor() * 8 + 3, 5, plot.between(1000, 1900), true, plot.actor()};
  plot.event([&](EventText& text, std::string& line, const Stamp& stamp) { text.order(line, stamp, last); });
  plot.done({{"device", Plot::named(append_device, plot.actor())}});
}

void order_without_payment(Plot& plot) {
  const Order order{plot.actor(), 9, plot.between(3000, 20000), false, device_of(plot.actor())};
  plot.event([&](EventText& text, std::string& line, const Stamp& stamp) { text.order(line, stamp, order); });
  plot.done_user("user", plot.actor(), kHourMs);
}

void viewed_not_bought(Plot& plot) {
  constexpr uint64_t kItem = 21;
  plot.wait_min(1, 3);
  for (int view = 0; view < 3; ++view) {
    if (view > 0) plot.wait_min(1, 12);
    plot.event([&](EventText& text, std::string& line, const Stamp& stamp) {
      text.page_view(line, stamp, plot.actor(), kItem);
    });
  }
  plot.done({{"user", Plot::named(append_user, plot.actor())}, {"item", Plot::named(append_item, kItem)}}, 6 * kHourMs);
}

void sensor_drift_then_failure(Plot& plot) {
  int64_t temperature_e2 = plot.between(5000, 6000);
  for (int64_t readings = plot.between(5, 8); readings > 0; --readings) {
    plot.event([&](EventText& text, std::string& line, const Stamp& stamp) {
      text.reading(line, stamp, plot.actor(), temperature_e2);
    });
    temperature_e2 += plot.between(50, 400);
    plot.wait_min(1, 3);
  }
  plot.event([&](EventText& text, std::string& line, const Stamp& stamp) {
    text.machine_event(line, stamp, plot.actor(), "failure");
  });
  plot.done({{"machine", Plot::named(append_machine, plot.actor())}});
}

constexpr GenStreams kOrder = bit_of(GenStream::kOrders);
constexpr GenStreams kPaidOrder = kOrder | bit_of(GenStream::kPayments);
constexpr Scenario kScenarios[] = {
    {"refund_abuse", kPaidOrder | bit_of(GenStream::kRefunds), refund_abuse},
    {"promo_abuse_per_device", kPaidOrder, promo_abuse_per_device},
    {"order_without_payment", kPaidOrder, order_without_payment},
    {"viewed_not_bought", kOrder | bit_of(GenStream::kPageViews), viewed_not_bought},
    {"sensor_drift_then_failure", bit_of(GenStream::kReadings) | bit_of(GenStream::kMachineEvents),
     sensor_drift_then_failure},
};

}  // namespace

std::span<const Scenario> trade_scenarios() { return kScenarios; }

}  // namespace service
