// See generator_background.h. Amounts and rates stay below what the shipped rules ask for: an alert on ordinary traffic
// is an accident and rare.
#include "service/generator_background.h"

#include <algorithm>

namespace service {
namespace {

constexpr std::string_view kNormal = "normal";
constexpr uint64_t kItems = 5000;
constexpr uint64_t kMerchants = 500;
constexpr uint64_t kUsersPerMachine = 50;

struct Share {
  GenStream stream;
  size_t parts;  // of 10,000
};
// Payments of orders come with the orders; alone they are drawn only where orders are not wanted.
constexpr Share kShares[] = {
    {GenStream::kTransactions, 4200}, {GenStream::kLoads, 50},          {GenStream::kMfa, 600},
    {GenStream::kLogins, 1750},       {GenStream::kProfileChanges, 60}, {GenStream::kSimSwaps, 2},
    {GenStream::kTransfers, 900},     {GenStream::kSignups, 60},        {GenStream::kOrders, 350},
    {GenStream::kRefunds, 10},        {GenStream::kPageViews, 1200},    {GenStream::kConnections, 500},
    {GenStream::kReadings, 300},      {GenStream::kMachineEvents, 18}};

}  // namespace

Background::Background(uint64_t seed, GenStreams streams, PlotWorld& world)
    : world_(world), streams_(streams), random_(seed, 1) {
  for (const Share& share : kShares)
    if ((streams & bit_of(share.stream)) != 0) shares_.insert(shares_.end(), share.parts, share.stream);
  if (shares_.empty()) shares_.push_back(GenStream::kPayments);
}

uint64_t Background::somebody() { return std::min(random_.below(world_.keys), random_.below(world_.keys)); }

int64_t Background::price_cents() {
  const uint64_t draw = random_.below(100);
  if (draw < 8) return random_.between(100, 499);
  if (draw < 45) return random_.between(500, 1999);
  if (draw < 85) return random_.between(2000, 7999);
  if (draw < 98) return random_.between(8000, 24999);
  return random_.between(25000, 47999);
}

void Background::append(std::string& out, int64_t at_ms) {
  const GenStream stream = shares_[random_.below(shares_.size())];
  const Stamp stamp{at_ms, world_.ordinal++, kNormal};
  switch (stream) {
    case GenStream::kTransactions: return transaction(out, stamp);
    case GenStream::kLogins: return login(out, stamp);
    case GenStream::kMfa: return mfa(out, stamp);
    case GenStream::kTransfers: return transfer(out, stamp);
    case GenStream::kOrders: return order(out, stamp);
    case GenStream::kConnections: return connection(out, stamp);
    default: return other(out, stamp, stream);
  }
}

void Background::transaction(std::string& out, const Stamp& stamp) {
  const uint64_t card = somebody();
  const uint64_t draw = random_.below(100);
  CardPayment payment{.card = card,
                      .cents = price_cents(),
                      .merchant = random_.below(kMerchants),
                      .country = kCities[home_of(card)].country,
                      .channel = "pos"};
  if (draw < 5) {
    payment.channel = "atm";
    payment.cents = random_.between(1, 7) * 2000;
  } else if (draw < 45) {
    payment.channel = "online";
    payment.device = device_of(card);
    payment.ip = address_of(card);
  } else if (draw < 48) {
    payment.country = kCities[random_.below(kCities.size())].country;
  }
  world_.text.transaction(out, stamp, payment);
}

void Background::login(std::string& out, const Stamp& stamp) {
  const uint64_t user = somebody();
  LoginTry login{.user = user, .success = !random_.per_mille(40), .ip = address_of(user), .city = home_of(user)};
  if (random_.per_mille(100)) login.city = kCities.size();
  login.new_device = random_.per_mille(10);
  world_.text.login(out, stamp, login);
}

void Background::mfa(std::string& out, const Stamp& stamp) {
  const uint64_t user = somebody();
  if (!random_.per_mille(20) || !world_.pending.has_room()) {
    world_.text.mfa_result(out, stamp, user, random_.per_mille(30) ? "deny" : "approve");
    return;
  }
  world_.text.mfa_action(out, stamp, user, "deactivate");
  const Stamp back{stamp.at_ms + random_.between(60'000, 3'600'000), world_.ordinal++, kNormal};
  std::string line;
  world_.text.mfa_action(line, back, user, "activate");
  world_.pending.add(back.at_ms, false, std::move(line));
}

void Background::transfer(std::string& out, const Stamp& stamp) {
  const uint64_t debtor = somebody();
  // Three regular payees each.
  const uint64_t creditor = scatter(debtor * 3 + random_.below(3)) % world_.keys;
  const int64_t cents = random_.per_mille(20) ? random_.between(50000, 290000) : price_cents();
  world_.text.transfer(out, stamp, {debtor, creditor, cents});
}

void Background::order(std::string& out, const Stamp& stamp) {
  const uint64_t user = somebody();
  if (!world_.pending.has_room()) {
    // An order whose payment cannot wait would look like an unpaid one.
    world_.text.order(out, stamp, {user, random_.below(kItems), random_.between(500, 1999), false, device_of(user)});
    return;
  }
  const Order order{user, random_.below(kItems), price_cents(), random_.per_mille(100), device_of(user)};
  world_.text.order(out, stamp, order);
  if ((streams_ & bit_of(GenStream::kPayments)) == 0) return;
  const Stamp paid{stamp.at_ms + random_.between(5'000, 600'000), world_.ordinal++, kNormal};
  std::string line;
  world_.text.payment(line, paid, user, stamp.ordinal, order.cents);
  world_.pending.add(paid.at_ms, false, std::move(line));
}

void Background::connection(std::string& out, const Stamp& stamp) {
  constexpr std::array<int64_t, 5> kPorts = {443, 443, 443, 22, 8443};
  // One draw a statement: the order in which arguments are evaluated is the compiler's choice.
  const uint32_t source = address_of(somebody());
  const int64_t port = kPorts[random_.below(kPorts.size())];
  const bool accepted = !random_.per_mille(50);
  world_.text.connection(out, stamp, source, port, accepted);
}

void Background::other(std::string& out, const Stamp& stamp, GenStream stream) {
  constexpr std::array<std::string_view, 4> kFields = {"address", "password", "phone", "confirmed_by_customer"};
  constexpr std::array<std::string_view, 3> kCarriers = {"carrier-1", "carrier-2", "carrier-3"};
  const uint64_t user = somebody();
  const uint64_t machine = user / kUsersPerMachine;
  switch (stream) {
    case GenStream::kLoads: return world_.text.load(out, stamp, user, random_.between(20, 250) * 100);
    case GenStream::kProfileChanges:
      return world_.text.profile_change(out, stamp, user, kFields[random_.below(kFields.size())]);
    case GenStream::kSimSwaps:
      return world_.text.sim_swap(out, stamp, user, kCarriers[random_.below(kCarriers.size())]);
    case GenStream::kSignups: return world_.text.signup(out, stamp, user, address_of(user));
    case GenStream::kPayments: return world_.text.payment(out, stamp, user, stamp.ordinal, price_cents());
    case GenStream::kRefunds: return world_.text.refund(out, stamp, user, stamp.ordinal, price_cents());
    case GenStream::kPageViews: return world_.text.page_view(out, stamp, user, random_.below(kItems));
    case GenStream::kReadings: return world_.text.reading(out, stamp, machine, random_.between(5500, 6500));
    default: return world_.text.machine_event(out, stamp, machine, random_.per_mille(100) ? "failure" : "check");
  }
}

}  // namespace service
