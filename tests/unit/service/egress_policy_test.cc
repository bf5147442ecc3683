// Which addresses may be connected to, by their borders.
#include "service/egress_policy.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>

namespace service {
namespace {

bool permitted(const EgressPolicy& policy, const char* text) {
  const std::optional<NetworkAddress> address = parse_address(text);
  EXPECT_TRUE(address.has_value()) << text;
  return address && policy.permits(*address);
}

EgressPolicy allowing(std::initializer_list<const char*> networks) {
  std::vector<Cidr> cidrs;
  for (const char* text : networks) {
    cep::Result<Cidr> cidr = parse_cidr(text);
    EXPECT_TRUE(cidr.ok()) << text;
    if (cidr) cidrs.push_back(*cidr);
  }
  return EgressPolicy(std::move(cidrs));
}

TEST(EgressPolicy, GlobalAddresses) {
  for (const char* text : {"1.1.1.1",
                           "8.8.8.8",
                           "100.63.255.255",
                           "100.128.0.0",
                           "172.15.255.255",
                           "172.32.0.0",
                           "192.167.255.255",
                           "192.169.0.0",
                           "198.17.255.255",
                           "198.20.0.0",
                           "223.255.255.255",
                           "11.0.0.0",
                           "9.255.255.255",
                           "128.0.0.0",
                           "126.255.255.255",
                           "::ffff:8.8.8.8",
                           "2606:4700:4700::1111",
                           "2001:4860:4860::8888",
                           "2a00::1",
                           "2001:200::1"}) {
    EXPECT_TRUE(permitted(EgressPolicy(), text)) << text;
  }
}

TEST(EgressPolicy, EverythingElseIsRefused) {
  for (const char* text : {"0.0.0.0",
                           "0.1.2.3",
                           "10.0.0.0",
                           "10.255.255.255",
                           "100.64.0.0",
                           "100.127.255.255",
                           "127.0.0.1",
                           "127.255.255.255",
                           "169.254.169.254",
                           "172.16.0.0",
                           "172.31.255.255",
                           "192.0.0.1",
                           "192.0.2.1",
                           "192.88.99.1",
                           "192.168.0.1",
                           "198.18.0.0",
                           "198.19.255.255",
                           "198.51.100.7",
                           "203.0.113.9",
                           "224.0.0.1",
                           "239.255.255.255",
                           "240.0.0.1",
                           "255.255.255.255",
                           "::ffff:127.0.0.1",
                           "::ffff:10.1.2.3",
                           "::ffff:169.254.169.254",
                           "::",
                           "::1",
                           "::127.0.0.1",
                           "64:ff9b::7f00:1",
                           "64:ff9b::808:808",
                           "64:ff9b:1::1",
                           "100::1",
                           "fc00::1",
                           "fd12:3456::1",
                           "fe80::1",
                           "fec0::1",
                           "ff02::1",
                           "2001::1",
                           "2001:10::1",
                           "2001:db8::1",
                           "2002:7f00:1::1",
                           "3fff::1",
                           "4000::1",
                           "5f00::1"}) {
    EXPECT_FALSE(permitted(EgressPolicy(), text)) << text;
  }
}

TEST(EgressPolicy, AllowedNetworksAddToTheGlobalOnes) {
  const EgressPolicy policy = allowing({"10.1.0.0/16", "fd00::/8", "127.0.0.1", "172.20.0.0/15"});
  for (const char* text :
       {"10.1.0.0", "10.1.255.255", "::ffff:10.1.2.3", "fd12::1", "127.0.0.1", "172.21.255.255", "8.8.8.8"}) {
    EXPECT_TRUE(permitted(policy, text)) << text;
  }
  for (const char* text : {"10.0.255.255", "10.2.0.0", "fc00::1", "127.0.0.2", "172.22.0.0", "::1"}) {
    EXPECT_FALSE(permitted(policy, text)) << text;
  }
}

TEST(EgressPolicy, AnIpv6NetworkNeverAllowsIpv4) {
  const EgressPolicy policy = allowing({"::/0"});
  EXPECT_TRUE(permitted(policy, "::1"));
  EXPECT_FALSE(permitted(policy, "127.0.0.1"));
  EXPECT_FALSE(permitted(policy, "::ffff:127.0.0.1"));
  EXPECT_TRUE(permitted(allowing({"0.0.0.0/0"}), "127.0.0.1"));
  EXPECT_FALSE(permitted(allowing({"0.0.0.0/0"}), "::1"));
  EXPECT_TRUE(permitted(allowing({"::ffff:127.0.0.0/104"}), "127.0.0.1"));
}

TEST(EgressPolicy, SocketAddresses) {
  sockaddr_in in{};
  in.sin_family = AF_INET;
  inet_pton(AF_INET, "93.184.216.34", &in.sin_addr);
  EXPECT_TRUE(EgressPolicy().permits(reinterpret_cast<const sockaddr&>(in)));
  inet_pton(AF_INET, "127.0.0.1", &in.sin_addr);
  EXPECT_FALSE(EgressPolicy().permits(reinterpret_cast<const sockaddr&>(in)));
  sockaddr_in6 in6{};
  in6.sin6_family = AF_INET6;
  inet_pton(AF_INET6, "::ffff:10.0.0.1", &in6.sin6_addr);
  EXPECT_FALSE(EgressPolicy().permits(reinterpret_cast<const sockaddr&>(in6)));
  sockaddr_un unix_socket{};
  unix_socket.sun_family = AF_UNIX;
  EXPECT_FALSE(allowing({"0.0.0.0/0", "::/0"}).permits(reinterpret_cast<const sockaddr&>(unix_socket)));
}

TEST(EgressPolicy, WhatIsNotANetwork) {
  for (const char* text : {"", "/8", "10.0.0.0/", "10.0.0.0/33", "10.0.0.0/-1", "10.0.0.0/8x", "10.0.0.1/8", "10.0/8",
                           "localhost", "fd00::/129", "fd00::1/8", "::ffff:0:0/0", "0x7f.0.0.1"}) {
    const cep::Result<Cidr> cidr = parse_cidr(text);
    ASSERT_FALSE(cidr.ok()) << text;
    EXPECT_EQ(cidr.error().code, "bad_cidr");
  }
}

}  // namespace
}  // namespace service
