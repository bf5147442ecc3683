// What a sink may say, what it wants, and that no refusal repeats a secret.
#include "service/sinks.h"

#include <gtest/gtest.h>

namespace service {
namespace {

constexpr const char* kSecret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

SinkSpec good_spec() {
  SinkSpec spec;
  spec.name = "fraud-team";
  spec.url = "https://hooks.example.com/weir/T0KEN?x=1";
  spec.secrets = {kSecret};
  spec.headers = {{"Authorization", "Bearer hunter2"}};
  spec.rules = {"card_*", "takeover"};
  spec.severity_min = "high";
  return spec;
}

std::string code_of(const SinkSpec& spec) {
  const cep::Result<Sink> sink = make_sink(spec);
  if (sink) return "ok";
  EXPECT_EQ(sink.error().message.find("T0KEN"), std::string::npos) << sink.error().message;
  EXPECT_EQ(sink.error().message.find("hunter2"), std::string::npos) << sink.error().message;
  EXPECT_EQ(sink.error().message.find("MfKQ"), std::string::npos) << sink.error().message;
  return sink.error().code;
}

template <class Change>
std::string code_after(Change change) {
  SinkSpec spec = good_spec();
  change(spec);
  return code_of(spec);
}

TEST(Sinks, AGoodOneKeepsWhatWasWritten) {
  SinkSpec spec = good_spec();
  spec.source = SinkSource::kFile;
  spec.disabled = true;
  const cep::Result<Sink> sink = make_sink(spec);
  ASSERT_TRUE(sink.ok());
  EXPECT_EQ(sink->name, "fraud-team");
  EXPECT_EQ(sink->url, spec.url);
  EXPECT_EQ(sink->secrets.size(), 1u);
  EXPECT_EQ(sink->rules, spec.rules);
  EXPECT_EQ(sink->severity_min, cep::Severity::kHigh);
  EXPECT_TRUE(sink->disabled);
  EXPECT_EQ(sink->source, SinkSource::kFile);
}

TEST(Sinks, Names) {
  for (const char* name : {"a", "Fraud_2", "9", "a.b-c"}) {
    EXPECT_EQ(code_after([&](SinkSpec& s) { s.name = name; }), "ok") << name;
  }
  for (const char* name : {"", "-a", ".", "a b", "a/b", "a\"", "\xc3\xa4"}) {
    EXPECT_EQ(code_after([&](SinkSpec& s) { s.name = name; }), "bad_sink_name") << name;
  }
  EXPECT_EQ(code_after([](SinkSpec& s) { s.name = std::string(65, 'a'); }), "bad_sink_name");
}

TEST(Sinks, Types) {
  EXPECT_EQ(code_after([](SinkSpec& s) { s.type = "kafka"; }), "sink_type_unavailable");
  EXPECT_EQ(code_after([](SinkSpec& s) { s.type = "smtp"; }), "unknown_sink_type");
}

TEST(Sinks, Urls) {
  for (const char* url :
       {"http://example.com", "https://example.com:8443/a?b=c", "http://[2606:4700::1]/x", "http://10.0.0.1/hook"}) {
    EXPECT_EQ(code_after([&](SinkSpec& s) { s.url = url; }), "ok") << url;
  }
  for (const char* url : {"", "example.com/T0KEN", "/T0KEN", "ftp://example.com/T0KEN", "file:///T0KEN", "https://",
                          "https:///T0KEN", "https://user:T0KEN@example.com/", "https://T0KEN@example.com/",
                          "https://example.com/#T0KEN", "https://example.com/a b", "https://example.com/\r\nT0KEN",
                          "https://example.com/\xc3\xa4", "https://example.com:99999/T0KEN", "gopher://example.com"}) {
    EXPECT_EQ(code_after([&](SinkSpec& s) { s.url = url; }), "bad_url") << url;
  }
  EXPECT_EQ(code_after([](SinkSpec& s) { s.url = "https://example.com/" + std::string(2048, 'a'); }), "bad_url");
}

TEST(Sinks, Secrets) {
  EXPECT_EQ(code_after([](SinkSpec& s) { s.secrets.clear(); }), "missing_secret");
  EXPECT_EQ(code_after([](SinkSpec& s) { s.secrets = {kSecret, "whsec_MfKQ"}; }), "bad_secret");
  EXPECT_EQ(code_after([](SinkSpec& s) { s.secrets = {kSecret, kSecret, kSecret, kSecret}; }), "ok");
  EXPECT_EQ(code_after([](SinkSpec& s) { s.secrets.assign(5, kSecret); }), "too_many");
  EXPECT_EQ(split_secrets(" a\n\nb\r\n"), (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(split_secrets("a"), std::vector<std::string>{"a"});
  EXPECT_TRUE(split_secrets(" \n").empty());
}

TEST(Sinks, Headers) {
  const auto with = [](const char* name, const std::string& value) {
    return code_after([&](SinkSpec& s) { s.headers = {{name, value}}; });
  };
  EXPECT_EQ(with("X-Team", "a\tb c"), "ok");
  EXPECT_EQ(with("X-Empty", ""), "ok");
  for (const char* name : {"Host", "content-LENGTH", "Content-Type", "Transfer-Encoding", "Connection", "Webhook-Id",
                           "webhook-signature", "webhook-anything", "Expect", "User-Agent"}) {
    EXPECT_EQ(with(name, "1"), "reserved_header") << name;
  }
  EXPECT_EQ(with("", "1"), "bad_header");
  EXPECT_EQ(with("X Team", "1"), "bad_header");
  EXPECT_EQ(with("X:", "1"), "bad_header");
  EXPECT_EQ(with("X-Team", "hunter2\r\nHost: evil"), "bad_header");
  EXPECT_EQ(with("X-Team", std::string(4097, 'a')), "bad_header");
  EXPECT_EQ(code_after([](SinkSpec& s) { s.headers = {{"X-A", "1"}, {"x-a", "2"}}; }), "bad_header");
  EXPECT_EQ(code_after([](SinkSpec& s) { s.headers.assign(33, {"X-A", "1"}); }), "too_many");
}

TEST(Sinks, Filters) {
  EXPECT_EQ(code_after([](SinkSpec& s) { s.severity_min = "urgent"; }), "bad_severity");
  EXPECT_EQ(code_after([](SinkSpec& s) { s.severity_min = "High"; }), "bad_severity");
  EXPECT_EQ(code_after([](SinkSpec& s) { s.rules = {"a", ""}; }), "bad_rule_glob");
  EXPECT_EQ(code_after([](SinkSpec& s) { s.rules.assign(257, "a"); }), "too_many");

  const cep::Result<Sink> sink = make_sink(good_spec());
  ASSERT_TRUE(sink.ok());
  EXPECT_TRUE(sink_wants(*sink, {"card_testing", cep::Severity::kHigh, {}}));
  EXPECT_TRUE(sink_wants(*sink, {"takeover", cep::Severity::kCritical, {}}));
  EXPECT_FALSE(sink_wants(*sink, {"card_testing", cep::Severity::kMedium, {}}));
  EXPECT_FALSE(sink_wants(*sink, {"takeover2", cep::Severity::kHigh, {}}));
  const std::vector<std::string> to_it = {"other", "fraud-team"};
  const std::vector<std::string> to_others = {"other"};
  EXPECT_TRUE(sink_wants(*sink, {"takeover", cep::Severity::kHigh, to_it}));
  EXPECT_FALSE(sink_wants(*sink, {"takeover", cep::Severity::kHigh, to_others}));
}

TEST(Sinks, Globs) {
  struct Case {
    const char* glob;
    const char* text;
    bool matches;
  };
  for (const Case& c : {Case{"*", "", true},
                        {"*", "abc", true},
                        {"", "", true},
                        {"", "a", false},
                        {"a?c", "abc", true},
                        {"a?c", "ac", false},
                        {"a*c", "ac", true},
                        {"a*c", "abcbc", true},
                        {"a*c", "abcb", false},
                        {"*a*b*", "xaxxbx", true},
                        {"*a*b*", "xbxxax", false},
                        {"card_*", "card_", true},
                        {"card_*", "Card_x", false},
                        {"a.c", "abc", false},
                        {"[a]", "a", false},
                        {"**a", "ba", true},
                        {"?", "", false},
                        {"*?", "a", true},
                        {"abc", "abcd", false},
                        {"abcd", "abc", false}}) {
    EXPECT_EQ(glob_matches(c.glob, c.text), c.matches) << c.glob << " on " << c.text;
  }
}

}  // namespace
}  // namespace service
