// The text of generated events: one envelope line `{"stream": S, "event": {...}}` for each, appended to a buffer.
// Cards, users, devices, ... are numbers here and become names only in the text; what a number implies (where a user
// lives, which device a card is used on) is a fixed function of it. Fields are those of rules/streams.weir, and `label`
// besides, which no stream declares. Threads: an EventText belongs to its owner; the functions are pure.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

namespace service {

enum class GenStream : uint8_t {
  kTransactions,
  kLoads,
  kMfa,
  kLogins,
  kProfileChanges,
  kSimSwaps,
  kTransfers,
  kSignups,
  kOrders,
  kPayments,
  kRefunds,
  kPageViews,
  kConnections,
  kReadings,
  kMachineEvents,
};
inline constexpr std::array<std::string_view, 15> kGenStreamNames = {
    "transactions", "loads",    "mfa",     "logins",     "profile_changes", "sim_swaps", "transfers",     "signups",
    "orders",       "payments", "refunds", "page_views", "connections",     "readings",  "machine_events"};
using GenStreams = uint32_t;  // a bit for each GenStream
constexpr GenStreams bit_of(GenStream stream) { return 1U << static_cast<uint32_t>(stream); }

struct City {
  std::string_view country;
  int32_t lat_e4;  // degrees * 10,000
  int32_t lon_e4;
};
inline constexpr std::array<City, 12> kCities = {{{"US", 407128, -740060},
                                                  {"US", 418781, -876298},
                                                  {"US", 340522, -1182437},
                                                  {"US", 327767, -967970},
                                                  {"GB", 515074, -1278},
                                                  {"FR", 488566, 23522},
                                                  {"DE", 525200, 134050},
                                                  {"ES", 404168, -37038},
                                                  {"BR", -235505, -466333},
                                                  {"AU", -338688, 1512093},
                                                  {"RO", 444268, 261025},
                                                  {"JP", 356762, 1396503}}};
inline constexpr size_t kBucharest = 10;
inline constexpr size_t kTokyo = 11;

constexpr uint64_t kNobody = UINT64_MAX;  // leaves the field out
constexpr uint32_t kNoAddress = 0;        // leaves the field out

size_t home_of(uint64_t user);       // index into kCities; every second user lives in the United States
uint32_t address_of(uint64_t user);  // IPv4 in 10.0.0.0/8
uint64_t device_of(uint64_t user);   // shared by two at most

struct CardPayment {
  uint64_t card;
  int64_t cents;
  uint64_t merchant;
  std::string_view country;
  std::string_view channel;
  uint64_t device = kNobody;
  uint32_t ip = kNoAddress;
};
struct LoginTry {
  uint64_t user;
  bool success;
  uint32_t ip;
  size_t city = kCities.size();  // kCities.size(): no coordinates and no country
  bool new_device = false;
};
struct Transfer {
  uint64_t debtor;
  uint64_t creditor;
  int64_t cents;
};
struct Order {
  uint64_t user;
  uint64_t item;
  int64_t cents;
  bool promo;
  uint64_t device;
};

// When and under which number: the event's id is the run's tag and the number.
struct Stamp {
  int64_t at_ms;
  uint64_t ordinal;
  std::string_view label;
};

class EventText {
 public:
  // `tag` makes the ids of runs with other seeds or other times different.
  explicit EventText(uint32_t tag);

  void transaction(std::string& out, const Stamp& stamp, const CardPayment& payment);
  void load(std::string& out, const Stamp& stamp, uint64_t card, int64_t cents);
  void mfa_action(std::string& out, const Stamp& stamp, uint64_t user, std::string_view action);
  void mfa_result(std::string& out, const Stamp& stamp, uint64_t user, std::string_view result);
  void login(std::string& out, const Stamp& stamp, const LoginTry& login);
  void profile_change(std::string& out, const Stamp& stamp, uint64_t user, std::string_view field);
  void sim_swap(std::string& out, const Stamp& stamp, uint64_t user, std::string_view carrier);
  void transfer(std::string& out, const Stamp& stamp, const Transfer& transfer);
  void signup(std::string& out, const Stamp& stamp, uint64_t user, uint32_t ip);
  void order(std::string& out, const Stamp& stamp, const Order& order);
  // `order` is the ordinal of the order's own stamp.
  void payment(std::string& out, const Stamp& stamp, uint64_t user, uint64_t order, int64_t cents);
  void refund(std::string& out, const Stamp& stamp, uint64_t customer, uint64_t order, int64_t cents);
  void page_view(std::string& out, const Stamp& stamp, uint64_t user, uint64_t item);
  void connection(std::string& out, const Stamp& stamp, uint32_t source, int64_t port, bool accepted);
  void reading(std::string& out, const Stamp& stamp, uint64_t machine, int64_t temperature_e2);
  void machine_event(std::string& out, const Stamp& stamp, uint64_t machine, std::string_view kind);

  void append_id(std::string& out, uint64_t ordinal) const;
  // RFC 3339 in UTC with milliseconds.
  void append_time(std::string& out, int64_t at_ms);

 private:
  void begin(std::string& out, GenStream stream, uint64_t ordinal) const;
  void end(std::string& out, const Stamp& stamp);

  std::string id_prefix_;
  int64_t cached_s_ = INT64_MIN;  // the second whose text `cached_text_` holds
  std::string cached_text_;
};

void append_card(std::string& out, uint64_t card);
void append_user(std::string& out, uint64_t user);
void append_device(std::string& out, uint64_t device);
void append_item(std::string& out, uint64_t item);
void append_machine(std::string& out, uint64_t machine);
void append_address(std::string& out, uint32_t ip);

}  // namespace service
