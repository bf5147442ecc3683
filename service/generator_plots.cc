// What all plots do; see generator_plots.h.
#include "service/generator_plots.h"

#include "api/json_writer.h"

namespace service {

void Plot::pay(const CardPayment& payment) {
  event([&](EventText& text, std::string& line, const Stamp& stamp) { text.transaction(line, stamp, payment); });
}

void Plot::spend(int64_t cents_lo, int64_t cents_hi) {
  pay({.card = actor(),
       .cents = between(cents_lo, cents_hi),
       .merchant = world_.random.below(500),
       .country = "US",
       .channel = "online"});
}

void Plot::login(const LoginTry& login) {
  event([&](EventText& text, std::string& line, const Stamp& stamp) { text.login(line, stamp, login); });
}

void Plot::transfer(uint64_t debtor, uint64_t creditor, int64_t cents_lo, int64_t cents_hi) {
  const Transfer transfer{debtor, creditor, between(cents_lo, cents_hi)};
  event([&](EventText& text, std::string& line, const Stamp& stamp) { text.transfer(line, stamp, transfer); });
}

uint64_t Plot::paid_order(const Order& order) {
  const uint64_t number =
      event([&](EventText& text, std::string& line, const Stamp& stamp) { text.order(line, stamp, order); });
  wait_s(20, 90);
  event([&](EventText& text, std::string& line, const Stamp& stamp) {
    text.payment(line, stamp, order.user, number, order.cents);
  });
  return number;
}

void Plot::done(std::initializer_list<KeyColumn> key, int64_t after_ms) {
  std::string line;
  api::JsonWriter json(line);
  json.begin_object().field("rule", rule_).key("key").begin_object();
  for (const KeyColumn& column : key) json.field(column.name, column.value);
  std::string time;
  world_.text.append_time(time, at_ms_ + after_ms);
  json.end_object().field("time", time).key("ids").begin_array();
  for (const uint64_t ordinal : ordinals_) {
    std::string id;
    world_.text.append_id(id, ordinal);
    json.string(id);
  }
  json.end_array().end_object();
  line += '\n';
  world_.pending.add(at_ms_ + after_ms, true, std::move(line));
}

}  // namespace service
