#include "service/egress_policy.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <charconv>
#include <cstring>
#include <span>

namespace service {
namespace {

struct Block {
  std::array<uint8_t, 16> bytes;
  uint8_t prefix_bits;
};

constexpr Block kNotGlobalV4[] = {
    {{0}, 8},              // this host, unspecified
    {{10}, 8},             // private
    {{100, 64}, 10},       // carrier-grade NAT
    {{127}, 8},            // loopback
    {{169, 254}, 16},      // link-local, where clouds keep their metadata
    {{172, 16}, 12},       // private
    {{192, 0, 0}, 24},     // IETF protocol assignments
    {{192, 0, 2}, 24},     // documentation
    {{192, 88, 99}, 24},   // 6to4 relays, withdrawn
    {{192, 168}, 16},      // private
    {{198, 18}, 15},       // benchmarks
    {{198, 51, 100}, 24},  // documentation
    {{203, 0, 113}, 24},   // documentation
    {{224}, 4},            // multicast
    {{240}, 4},            // reserved, broadcast
};

// IPv6 is the other way round: only 2000::/3 is given out, so loopback, unspecified, unique local, link-local,
// multicast and NAT64 (64:ff9b::/96, 64:ff9b:1::/48) are outside already; these are the exceptions inside.
constexpr Block kGlobalV6 = {{0x20}, 3};
constexpr Block kNotGlobalV6[] = {
    {{0x20, 0x01, 0x00}, 23},        // IETF protocol assignments, Teredo among them
    {{0x20, 0x01, 0x0d, 0xb8}, 32},  // documentation
    {{0x20, 0x02}, 16},              // 6to4
    {{0x3f, 0xff}, 20},              // documentation
};

bool in_block(std::span<const uint8_t, 16> address, std::span<const uint8_t, 16> network, uint8_t prefix_bits) {
  const size_t whole = prefix_bits / 8;
  if (std::memcmp(address.data(), network.data(), whole) != 0) return false;
  const unsigned rest = prefix_bits % 8;
  if (rest == 0) return true;
  const auto mask = static_cast<uint8_t>(0xff << (8 - rest));
  return (address[whole] & mask) == (network[whole] & mask);
}

bool in_any(const NetworkAddress& address, std::span<const Block> blocks) {
  return std::any_of(blocks.begin(), blocks.end(),
                     [&](const Block& block) { return in_block(address.bytes, block.bytes, block.prefix_bits); });
}

NetworkAddress from_v4(const uint8_t* bytes) {
  NetworkAddress address;
  std::copy_n(bytes, 4, address.bytes.begin());
  return address;
}

constexpr uint8_t kMappedPrefixBits = 96;

NetworkAddress from_v6(const uint8_t* bytes) {
  constexpr std::array<uint8_t, 16> kMapped = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
  NetworkAddress address{.v4 = false, .bytes = {}};
  std::copy_n(bytes, 16, address.bytes.begin());
  return in_block(address.bytes, kMapped, kMappedPrefixBits) ? from_v4(bytes + 12) : address;
}

bool bits_after_prefix(const Cidr& cidr) {
  for (size_t bit = cidr.prefix_bits; bit < 128; ++bit) {
    if ((cidr.network.bytes[bit / 8] >> (7 - bit % 8)) & 1) return true;
  }
  return false;
}

cep::Error bad_cidr(std::string_view text, const char* reason) {
  return {"bad_cidr", "`" + std::string(text) + "` is not a network such as 10.0.0.0/8 or fd00::/8: " + reason};
}

}  // namespace

std::optional<NetworkAddress> parse_address(std::string_view text) {
  const std::string terminated(text);
  uint8_t bytes[16];
  if (inet_pton(AF_INET, terminated.c_str(), bytes) == 1) return from_v4(bytes);
  if (inet_pton(AF_INET6, terminated.c_str(), bytes) == 1) return from_v6(bytes);
  return std::nullopt;
}

cep::Result<Cidr> parse_cidr(std::string_view text) {
  const size_t slash = text.find('/');
  const std::string_view host = text.substr(0, slash);
  const std::optional<NetworkAddress> network = parse_address(host);
  if (!network) return bad_cidr(text, "no such address");
  const bool mapped = network->v4 && host.find(':') != std::string_view::npos;
  Cidr cidr{*network, static_cast<uint8_t>(network->v4 ? 32 : 128)};
  if (slash != std::string_view::npos) {
    const std::string_view digits = text.substr(slash + 1);
    unsigned prefix = 0;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), prefix);
    if (error != std::errc{} || end != digits.data() + digits.size()) return bad_cidr(text, "no number after `/`");
    if (prefix > (network->v4 && !mapped ? 32u : 128u)) return bad_cidr(text, "the prefix is too long");
    if (mapped && prefix < kMappedPrefixBits) return bad_cidr(text, "write IPv4 networks as a.b.c.d/n");
    cidr.prefix_bits = static_cast<uint8_t>(mapped ? prefix - kMappedPrefixBits : prefix);
  }
  if (bits_after_prefix(cidr)) return bad_cidr(text, "bits are set after the prefix");
  return cidr;
}

bool is_global(const NetworkAddress& address) {
  if (address.v4) return !in_any(address, kNotGlobalV4);
  return in_block(address.bytes, kGlobalV6.bytes, kGlobalV6.prefix_bits) && !in_any(address, kNotGlobalV6);
}

bool EgressPolicy::permits(const NetworkAddress& address) const {
  if (is_global(address)) return true;
  return std::any_of(allowed_.begin(), allowed_.end(), [&](const Cidr& cidr) {
    return cidr.network.v4 == address.v4 && in_block(address.bytes, cidr.network.bytes, cidr.prefix_bits);
  });
}

bool EgressPolicy::permits(const sockaddr& address) const {
  if (address.sa_family == AF_INET) {
    sockaddr_in in;
    std::memcpy(&in, &address, sizeof in);
    return permits(from_v4(reinterpret_cast<const uint8_t*>(&in.sin_addr)));
  }
  if (address.sa_family == AF_INET6) {
    sockaddr_in6 in6;
    std::memcpy(&in6, &address, sizeof in6);
    return permits(from_v6(in6.sin6_addr.s6_addr));
  }
  return false;
}

}  // namespace service
