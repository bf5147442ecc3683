// Which addresses Weir may connect to: the global unicast ones, and what the configuration's `allow_cidrs` adds.
// Asked about the very address a socket is about to connect to, after resolving, so a name that changes its answer
// between check and use gains nothing. Refused: everything the IANA special-purpose registries call not globally
// reachable, and prefixes that carry an IPv4 address inside (NAT64, 6to4, Teredo), which could point back inside.
// Threads: immutable after construction.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cep/result.h"

struct sockaddr;

namespace service {

// IPv4 uses the first four bytes. An IPv4-mapped IPv6 address (::ffff:a.b.c.d) is always held as the IPv4 it means.
struct NetworkAddress {
  bool v4 = true;
  std::array<uint8_t, 16> bytes{};  // network order
};

// Text as of inet_pton; nothing else is an address ("127.1" and "0x7f000001" are not).
std::optional<NetworkAddress> parse_address(std::string_view text);

struct Cidr {
  NetworkAddress network;
  uint8_t prefix_bits = 0;  // 0-32 or 0-128; the bits of `network` after it are zero
};

// "10.0.0.0/8", "fd00::/8", or a bare address for that one host. Bits set after the prefix are refused: one of the two
// is a typing error. Error: bad_cidr.
cep::Result<Cidr> parse_cidr(std::string_view text);

// True for addresses reachable from anywhere on the Internet.
bool is_global(const NetworkAddress& address);

class EgressPolicy {
 public:
  EgressPolicy() = default;
  explicit EgressPolicy(std::vector<Cidr> allowed) : allowed_(std::move(allowed)) {}

  bool permits(const NetworkAddress& address) const;
  // False for every family but IPv4 and IPv6.
  bool permits(const sockaddr& address) const;

 private:
  std::vector<Cidr> allowed_;
};

}  // namespace service
