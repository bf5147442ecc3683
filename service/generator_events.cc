// See generator_events.h. Lines are put together from fixed pieces and numbers: several million a second.
#include "service/generator_events.h"

#include <charconv>
#include <chrono>

#include "service/generator_random.h"

namespace service {
namespace {

void append_number(std::string& out, int64_t number) {
  std::array<char, 24> digits;
  const auto [end, error] = std::to_chars(digits.data(), digits.data() + digits.size(), number);
  out.append(digits.data(), end);
}

void append_padded(std::string& out, uint64_t number, size_t width) {
  std::array<char, 24> digits;
  const auto [end, error] = std::to_chars(digits.data(), digits.data() + digits.size(), number);
  const size_t length = static_cast<size_t>(end - digits.data());
  if (length < width) out.append(width - length, '0');
  out.append(digits.data(), length);
}

// `number` is in units of 10^-places.
void append_decimal(std::string& out, int64_t number, size_t places) {
  uint64_t scale = 1;
  for (size_t i = 0; i < places; ++i) scale *= 10;
  if (number < 0) out += '-';
  const uint64_t size = number < 0 ? 0 - static_cast<uint64_t>(number) : static_cast<uint64_t>(number);
  append_padded(out, size / scale, 1);
  out += '.';
  append_padded(out, size % scale, places);
}

void append_named(std::string& out, char letter, uint64_t number) {
  out += letter;
  append_padded(out, number, 1);
}

void text_field(std::string& out, std::string_view opening, std::string_view text) {
  out += opening;
  out += text;
  out += '"';
}

void cents_field(std::string& out, int64_t cents) {
  out += ",\"amount\":";
  append_decimal(out, cents, 2);
}

void user_field(std::string& out, std::string_view opening, uint64_t user) {
  out += opening;
  append_user(out, user);
  out += '"';
}

void card_field(std::string& out, uint64_t card) {
  out += ",\"card\":\"";
  append_card(out, card);
  out += '"';
}

void device_field(std::string& out, uint64_t device) {
  if (device == kNobody) return;
  out += ",\"device\":\"";
  append_device(out, device);
  out += '"';
}

void address_field(std::string& out, std::string_view opening, uint32_t ip) {
  if (ip == kNoAddress) return;
  out += opening;
  append_address(out, ip);
  out += '"';
}

void item_field(std::string& out, uint64_t item) {
  out += ",\"item\":\"";
  append_item(out, item);
  out += '"';
}

std::string tag_text(uint32_t tag) {
  std::array<char, 8> digits;
  const auto [end, error] = std::to_chars(digits.data(), digits.data() + digits.size(), tag, 16);
  std::string text(digits.data(), end);
  text += '-';
  return text;
}

}  // namespace

size_t home_of(uint64_t user) {
  const uint64_t draw = scatter(user) % 16;
  return draw < 8 ? draw % 4 : draw % 6 + 4;
}

uint32_t address_of(uint64_t user) { return 0x0a000000U | static_cast<uint32_t>(scatter(user ^ 0xadd7e55) & 0xffffff); }

uint64_t device_of(uint64_t user) { return user / 2; }

void append_card(std::string& out, uint64_t card) {
  out += "4000";
  append_padded(out, card, 12);
}
void append_user(std::string& out, uint64_t user) { append_named(out, 'u', user); }
void append_device(std::string& out, uint64_t device) { append_named(out, 'd', device); }
void append_item(std::string& out, uint64_t item) { append_named(out, 'i', item); }
void append_machine(std::string& out, uint64_t machine) { append_named(out, 'm', machine); }

void append_address(std::string& out, uint32_t ip) {
  for (int shift = 24; shift >= 0; shift -= 8) {
    append_padded(out, (ip >> shift) & 0xff, 1);
    if (shift > 0) out += '.';
  }
}

EventText::EventText(uint32_t tag) : id_prefix_(tag_text(tag)) {}

void EventText::append_id(std::string& out, uint64_t ordinal) const {
  out += id_prefix_;
  append_padded(out, ordinal, 1);
}

void EventText::append_time(std::string& out, int64_t at_ms) {
  const std::chrono::sys_time<std::chrono::milliseconds> time{std::chrono::milliseconds{at_ms}};
  const auto second = std::chrono::floor<std::chrono::seconds>(time);
  if (second.time_since_epoch().count() != cached_s_) {
    const auto day = std::chrono::floor<std::chrono::days>(second);
    const std::chrono::year_month_day date{day};
    const std::chrono::hh_mm_ss clock{second - day};
    cached_s_ = second.time_since_epoch().count();
    cached_text_.clear();
    append_padded(cached_text_, static_cast<uint64_t>(static_cast<int>(date.year())), 4);
    cached_text_ += '-';
    append_padded(cached_text_, static_cast<unsigned>(date.month()), 2);
    cached_text_ += '-';
    append_padded(cached_text_, static_cast<unsigned>(date.day()), 2);
    cached_text_ += 'T';
    append_padded(cached_text_, static_cast<uint64_t>(clock.hours().count()), 2);
    cached_text_ += ':';
    append_padded(cached_text_, static_cast<uint64_t>(clock.minutes().count()), 2);
    cached_text_ += ':';
    append_padded(cached_text_, static_cast<uint64_t>(clock.seconds().count()), 2);
    cached_text_ += '.';
  }
  out += cached_text_;
  append_padded(out, static_cast<uint64_t>((time - second).count()), 3);
  out += 'Z';
}

void EventText::begin(std::string& out, GenStream stream, uint64_t ordinal) const {
  out += "{\"stream\":\"";
  out += kGenStreamNames[static_cast<size_t>(stream)];
  out += "\",\"event\":{\"id\":\"";
  append_id(out, ordinal);
  out += '"';
}

void EventText::end(std::string& out, const Stamp& stamp) {
  out += ",\"at\":\"";
  append_time(out, stamp.at_ms);
  text_field(out, "\",\"label\":\"", stamp.label);
  out += "}}\n";
}

void EventText::transaction(std::string& out, const Stamp& stamp, const CardPayment& payment) {
  begin(out, GenStream::kTransactions, stamp.ordinal);
  card_field(out, payment.card);
  cents_field(out, payment.cents);
  out += ",\"merchant\":\"";
  append_named(out, 's', payment.merchant);
  text_field(out, "\",\"country\":\"", payment.country);
  text_field(out, ",\"channel\":\"", payment.channel);
  device_field(out, payment.device);
  address_field(out, ",\"ip\":\"", payment.ip);
  end(out, stamp);
}

void EventText::load(std::string& out, const Stamp& stamp, uint64_t card, int64_t cents) {
  begin(out, GenStream::kLoads, stamp.ordinal);
  card_field(out, card);
  cents_field(out, cents);
  end(out, stamp);
}

void EventText::mfa_action(std::string& out, const Stamp& stamp, uint64_t user, std::string_view action) {
  begin(out, GenStream::kMfa, stamp.ordinal);
  user_field(out, ",\"user\":\"", user);
  text_field(out, ",\"action\":\"", action);
  end(out, stamp);
}

void EventText::mfa_result(std::string& out, const Stamp& stamp, uint64_t user, std::string_view result) {
  begin(out, GenStream::kMfa, stamp.ordinal);
  user_field(out, ",\"user\":\"", user);
  text_field(out, ",\"action\":\"prompt\",\"result\":\"", result);
  end(out, stamp);
}

void EventText::login(std::string& out, const Stamp& stamp, const LoginTry& login) {
  begin(out, GenStream::kLogins, stamp.ordinal);
  user_field(out, ",\"user\":\"", login.user);
  address_field(out, ",\"ip\":\"", login.ip);
  device_field(out, device_of(login.user));
  if (login.city < kCities.size()) {
    const City& city = kCities[login.city];
    out += ",\"lat\":";
    append_decimal(out, city.lat_e4, 4);
    out += ",\"lon\":";
    append_decimal(out, city.lon_e4, 4);
    text_field(out, ",\"country\":\"", city.country);
  }
  out += login.success ? ",\"success\":true" : ",\"success\":false";
  out += login.new_device ? ",\"new_device\":true" : ",\"new_device\":false";
  end(out, stamp);
}

void EventText::profile_change(std::string& out, const Stamp& stamp, uint64_t user, std::string_view field) {
  begin(out, GenStream::kProfileChanges, stamp.ordinal);
  user_field(out, ",\"user\":\"", user);
  text_field(out, ",\"field\":\"", field);
  end(out, stamp);
}

void EventText::sim_swap(std::string& out, const Stamp& stamp, uint64_t user, std::string_view carrier) {
  begin(out, GenStream::kSimSwaps, stamp.ordinal);
  user_field(out, ",\"user\":\"", user);
  text_field(out, ",\"carrier\":\"", carrier);
  end(out, stamp);
}

void EventText::transfer(std::string& out, const Stamp& stamp, const Transfer& transfer) {
  begin(out, GenStream::kTransfers, stamp.ordinal);
  user_field(out, ",\"debtor\":\"", transfer.debtor);
  user_field(out, ",\"creditor\":\"", transfer.creditor);
  cents_field(out, transfer.cents);
  end(out, stamp);
}

void EventText::signup(std::string& out, const Stamp& stamp, uint64_t user, uint32_t ip) {
  begin(out, GenStream::kSignups, stamp.ordinal);
  user_field(out, ",\"user\":\"", user);
  address_field(out, ",\"ip\":\"", ip);
  device_field(out, device_of(user));
  end(out, stamp);
}

void EventText::order(std::string& out, const Stamp& stamp, const Order& order) {
  begin(out, GenStream::kOrders, stamp.ordinal);
  user_field(out, ",\"user\":\"", order.user);
  item_field(out, order.item);
  cents_field(out, order.cents);
  if (order.promo) out += ",\"promo\":\"WELCOME10\"";
  device_field(out, order.device);
  end(out, stamp);
}

void EventText::payment(std::string& out, const Stamp& stamp, uint64_t user, uint64_t order, int64_t cents) {
  begin(out, GenStream::kPayments, stamp.ordinal);
  user_field(out, ",\"user\":\"", user);
  out += ",\"order_id\":\"";
  append_id(out, order);
  out += '"';
  cents_field(out, cents);
  end(out, stamp);
}

void EventText::refund(std::string& out, const Stamp& stamp, uint64_t customer, uint64_t order, int64_t cents) {
  begin(out, GenStream::kRefunds, stamp.ordinal);
  user_field(out, ",\"customer\":\"", customer);
  out += ",\"order_id\":\"";
  append_id(out, order);
  out += '"';
  cents_field(out, cents);
  end(out, stamp);
}

void EventText::page_view(std::string& out, const Stamp& stamp, uint64_t user, uint64_t item) {
  begin(out, GenStream::kPageViews, stamp.ordinal);
  user_field(out, ",\"user\":\"", user);
  item_field(out, item);
  end(out, stamp);
}

void EventText::connection(std::string& out, const Stamp& stamp, uint32_t source, int64_t port, bool accepted) {
  begin(out, GenStream::kConnections, stamp.ordinal);
  address_field(out, ",\"source\":\"", source);
  out += ",\"target\":\"gateway\",\"port\":";
  append_number(out, port);
  out += accepted ? ",\"accepted\":true" : ",\"accepted\":false";
  end(out, stamp);
}

void EventText::reading(std::string& out, const Stamp& stamp, uint64_t machine, int64_t temperature_e2) {
  begin(out, GenStream::kReadings, stamp.ordinal);
  out += ",\"machine\":\"";
  append_machine(out, machine);
  out += "\",\"temperature\":";
  append_decimal(out, temperature_e2, 2);
  end(out, stamp);
}

void EventText::machine_event(std::string& out, const Stamp& stamp, uint64_t machine, std::string_view kind) {
  begin(out, GenStream::kMachineEvents, stamp.ordinal);
  out += ",\"machine\":\"";
  append_machine(out, machine);
  text_field(out, "\",\"kind\":\"", kind);
  end(out, stamp);
}

}  // namespace service
