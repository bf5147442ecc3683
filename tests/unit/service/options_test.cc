// Configuration: precedence, unknown keys with line and hint, ranges, secrets only from files and the environment,
// loopback.
#include "service/options.h"

#include <gtest/gtest.h>

#include <map>

#include "service/rule_files.h"
#include "tests/support/scratch_dir.h"

namespace service {
namespace {

constexpr const char* kSecret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

class Options : public ::testing::Test {
 protected:
  cep::Result<ServeOptions> load(const std::string& config) {
    flags_.config = dir_ / "weir.toml";
    EXPECT_TRUE(write_whole_file(flags_.config, config).ok());
    return load();
  }
  cep::Result<ServeOptions> load() {
    return load_serve_options(flags_, [this](const std::string& name) -> std::optional<std::string> {
      const auto found = environment_.find(name);
      return found == environment_.end() ? std::nullopt : std::optional(found->second);
    });
  }
  // The message of the error; fails the test if there is none.
  std::string refused(const std::string& config) {
    const cep::Result<ServeOptions> options = load(config);
    EXPECT_FALSE(options.ok()) << config;
    return options.ok() ? "" : options.error().message;
  }
  static bool has(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

  support::ScratchDir dir_;
  ServeFlags flags_;
  std::map<std::string, std::string> environment_;
};

TEST_F(Options, DefaultsAreThoseOfTheDocuments) {
  const auto options = load();
  ASSERT_TRUE(options.ok()) << options.error().message;
  EXPECT_EQ(options->listen, "127.0.0.1:8484");
  EXPECT_EQ(options->http.address, "127.0.0.1");
  EXPECT_EQ(options->http.port, 8484);
  EXPECT_EQ(options->data, "./weir-data");
  EXPECT_GE(options->shards, 1u);
  EXPECT_LE(options->shards, kShardsMax);
  EXPECT_EQ(options->delivery_timeout_us, 15 * cep::kSecond);
  EXPECT_EQ(options->sequencer.log_keep_us, 7 * cep::kDay);
}

TEST_F(Options, FlagBeatsEnvironmentBeatsFileBeatsDefault) {
  const std::string file = "[server]\nlisten = \"127.0.0.1:1001\"\ndata = \"from-file\"\nshards = 3\n";
  EXPECT_EQ(load(file)->http.port, 1001);
  environment_["WEIR_SERVER_LISTEN"] = "127.0.0.1:1002";
  EXPECT_EQ(load(file)->http.port, 1002);
  flags_.listen = "127.0.0.1:1003";
  EXPECT_EQ(load(file)->http.port, 1003);
  EXPECT_EQ(load(file)->data, "from-file");
  EXPECT_EQ(load(file)->shards, 3u);
  environment_["WEIR_LIMITS_RUNS_PER_KEY_MAX"] = "77";
  EXPECT_EQ(load(file)->sequencer.limits.runs_per_key_max, 77u);
  environment_["WEIR_RULES_DIRS"] = "a,b";
  EXPECT_EQ(load(file)->rules, (std::vector<std::string>{"a", "b"}));
}

TEST_F(Options, EverySettingHasANameOfItsOwnAndTakesAValue) {
  std::map<std::string, int> names;
  for (const Setting& setting : settings()) {
    EXPECT_EQ(++names[setting.environment_name()], 1) << setting.environment_name();
    ServeOptions options;
    const bool numeric = setting.kind == Setting::Kind::kInteger;
    if (numeric) {
      EXPECT_TRUE(apply_setting_text(setting, std::to_string(setting.least), options).ok())
          << setting.environment_name();
      EXPECT_FALSE(apply_setting_text(setting, std::to_string(setting.least - 1), options).ok());
      EXPECT_FALSE(apply_setting_text(setting, std::to_string(setting.most + 1), options).ok());
      EXPECT_FALSE(apply_setting_text(setting, "many", options).ok());
    }
  }
}

TEST_F(Options, UnknownKeysSayLineAndWhatWasMeant) {
  const std::string key = refused("[server]\n\nlisten = \"127.0.0.1:0\"\nshrads = 2\n");
  EXPECT_TRUE(has(key, "weir.toml:4:")) << key;
  EXPECT_TRUE(has(key, "did you mean `shards`?")) << key;
  const std::string section = refused("[sever]\nshards = 2\n");
  EXPECT_TRUE(has(section, "weir.toml:1:") && has(section, "did you mean `server`?")) << section;
  EXPECT_TRUE(has(refused("shards = 2\n"), "outside of every [section]"));
  EXPECT_TRUE(has(refused("[server]\nshards = \n"), "weir.toml:2:"));
}

TEST_F(Options, RemoteCheckpointsAreOffUntilAPlaceIsNamed) {
  EXPECT_TRUE(load("")->remote.url.empty());
  const auto options = load("[remote]\nurl = \"file:///mnt/backup/weir\"\ninterval = \"5 minutes\"\nkeep = 7\ngrace = \"2 hours\"\n");
  ASSERT_TRUE(options.ok()) << options.error().message;
  EXPECT_EQ(options->remote.url, "file:///mnt/backup/weir");
  EXPECT_EQ(options->remote.interval_us, 5 * cep::kMinute);
  EXPECT_EQ(options->remote.keep.manifests, 7u);
  EXPECT_EQ(options->remote.keep.grace_us, 2 * cep::kHour);
  const std::string unknown = refused("[remote]\nurl = \"s3://bucket/weir\"\n");
  EXPECT_TRUE(has(unknown, "weir.toml:2: remote.url:") && has(unknown, "write file:///absolute/path")) << unknown;
  EXPECT_TRUE(has(refused("[remote]\nintreval = \"1 s\"\n"), "did you mean `interval`?"));
  EXPECT_TRUE(has(refused("[remote]\nkeep = 0\n"), "remote.keep: must lie between 1 and 1000"));
}

TEST_F(Options, KafkaIsReadFromItsSectionsAndSinks) {
  ASSERT_TRUE(write_whole_file(dir_ / "kafka.password", "hunter2\n").ok());
  const auto options = load(
      "[[kafka]]\nname = \"bank\"\nbrokers = [\"a:9092\", \"b:9092\"]\nstream = \"payments\"\ntopics = [\"pay\", \"pay2\"]\n"
      "format = \"cloudevents\"\nstart = \"latest\"\non_loss = \"skip\"\ngroup = \"g\"\n"
      "properties = { \"sasl.username\" = \"weir\" }\npassword_file = \"kafka.password\"\n"
      "[[sinks]]\nname = \"out\"\ntype = \"kafka\"\nbrokers = \"a:9092\"\ntopic = \"alerts\"\nrules = [\"card_*\"]\n");
  ASSERT_TRUE(options.ok()) << options.error().message;
  ASSERT_EQ(options->kafka.size(), 1u);
  const KafkaSpec& bank = options->kafka[0];
  EXPECT_EQ(bank.client.brokers, "a:9092,b:9092");
  EXPECT_EQ(bank.client.properties.back(), std::pair(std::string("sasl.password"), std::string("hunter2")));
  EXPECT_EQ(bank.topics, (std::vector<std::string>{"pay", "pay2"}));
  EXPECT_TRUE(bank.cloud_events && bank.from_latest && bank.skips_lost);
  EXPECT_EQ(options->sinks[0].topic, "alerts");
  EXPECT_EQ(options->sinks[0].kafka.brokers, "a:9092");
}

TEST_F(Options, WhatIsWrongAboutKafkaIsSaidWithItsLine) {
  const std::string good = "[[kafka]]\nname = \"bank\"\nbrokers = \"a:9092\"\nstream = \"payments\"\ntopic = \"pay\"\n";
  ASSERT_TRUE(load(good).ok());
  EXPECT_TRUE(has(refused("[kafka]\nname = \"bank\"\n"), "weir.toml:1: write [[kafka]]"));
  EXPECT_TRUE(has(refused("[[kafka]]\nname = \"bank\"\nbrokers = \"a\"\nstream = \"s\"\n"), "topics: give one topic"));
  EXPECT_TRUE(has(refused(good + "strat = \"latest\"\n"), "weir.toml:6: unknown key of [[kafka]] `strat`; did you mean `start`?"));
  EXPECT_TRUE(has(refused(good + "start = \"newest\"\n"), "weir.toml:6: kafka.start: must be earliest or latest"));
  EXPECT_TRUE(has(refused(good + "group = 7\n"), "kafka.group: must be a text"));
  EXPECT_TRUE(has(refused(good + "properties = { \"auto.offset.reset\" = \"latest\" }\n"), "is set by Weir"));
  const std::string secret = refused(good + "properties = { \"sasl.password\" = \"hunter2\" }\n");
  EXPECT_TRUE(has(secret, "password_file") && !has(secret, "hunter2")) << secret;
  EXPECT_TRUE(has(refused(good + "password_env = \"NOPE\"\n"), "the variable NOPE is not set"));
  EXPECT_TRUE(has(refused(good + good), "[[kafka]] bank is there twice"));
  const std::string sink = "[[sinks]]\nname = \"out\"\ntype = \"kafka\"\n";
  EXPECT_TRUE(has(refused(sink + "topic = \"t\"\n"), "brokers: give HOST:PORT"));
  EXPECT_TRUE(has(refused(sink + "brokers = \"a\"\n"), "topic: say which topic"));
  EXPECT_TRUE(has(refused(sink + "brokers = \"a\"\ntopic = \"t\"\nurl = \"https://a.example\"\n"), "are of webhooks"));
}

TEST_F(Options, ValuesAreChecked) {
  EXPECT_TRUE(has(refused("[server]\nshards = 65\n"), "between 1 and 64"));
  EXPECT_TRUE(has(refused("[server]\nshards = \"2\"\n"), "must be a whole number"));
  EXPECT_TRUE(has(refused("[server]\nshards = 2.5\n"), "whole number"));
  EXPECT_TRUE(has(refused("[log]\nkeep = \"7 fortnights\"\n"), "duration"));
  EXPECT_TRUE(has(refused("[log]\nkeep = \"1 ms\"\n"), "between"));
  EXPECT_TRUE(has(refused("[delivery]\nallow_cidrs = [\"10.0.0.1/8\"]\n"), "allow_cidrs"));
  const auto options = load(
      "[log]\nkeep = \"3 days\"\nlinger = \"5 ms\"\n[delivery]\nschedule = [\"1 s\", \"2 minutes\"]\ntimeout = \"3 "
      "s\"\n"
      "allow_cidrs = [\"127.0.0.0/8\"]\n");
  ASSERT_TRUE(options.ok()) << options.error().message;
  EXPECT_EQ(options->sequencer.log_keep_us, 3 * cep::kDay);
  EXPECT_EQ(options->sequencer.linger_us, 5 * cep::kMillisecond);
  EXPECT_EQ(options->delivery.schedule, (std::vector<cep::DurationUs>{cep::kSecond, 2 * cep::kMinute}));
  EXPECT_EQ(options->allow_cidrs.size(), 1u);
}

TEST_F(Options, SecretsComeFromFilesAndTheEnvironmentAndAreNeverRepeated) {
  ASSERT_TRUE(write_whole_file(dir_ / "pager.secret", std::string(kSecret) + "\n").ok());
  const auto options = load(
      "[[sinks]]\nname = \"pager\"\nurl = \"https://example.com/hook\"\nsecret_file = \"pager.secret\"\n"
      "rules = [\"card_*\"]\nseverity_min = \"high\"\nheaders = { \"X-Team\" = \"fraud\" }\n");
  ASSERT_TRUE(options.ok()) << options.error().message;
  ASSERT_EQ(options->sinks.size(), 1u);
  EXPECT_EQ(options->sinks[0].secrets, std::vector<std::string>{kSecret});
  EXPECT_EQ(options->sinks[0].source, SinkSource::kFile);
  EXPECT_EQ(options->sinks[0].headers.size(), 1u);

  const std::string from_variable =
      "[[sinks]]\nname = \"pager\"\nurl = \"https://example.com/hook\"\nsecret_env = \"PAGER\"\n";
  EXPECT_TRUE(has(refused(from_variable), "the variable PAGER is not set"));
  environment_["PAGER"] = kSecret;
  EXPECT_TRUE(load(from_variable).ok());
  environment_["PAGER"] = "whsec_!!notbase64!!";
  EXPECT_FALSE(has(refused(from_variable), "notbase64"));
  const std::string inside = refused(
      std::string("[[sinks]]\nname = \"pager\"\nurl = \"https://example.com/hook\"\nsecret = \"") + kSecret + "\"\n");
  EXPECT_TRUE(has(inside, "secret_file")) << inside;
  EXPECT_FALSE(has(inside, kSecret));
  EXPECT_TRUE(has(refused("[[sinks]]\nname = \"p\"\nurl = \"https://example.com/\"\n"), "secret"));
  EXPECT_TRUE(has(refused("[[sinks]]\nname = \"p\"\nulr = \"https://example.com/\"\n"), "did you mean `url`?"));
  environment_["PAGER"] = kSecret;
  EXPECT_TRUE(has(refused(from_variable + from_variable), "twice"));
}

TEST_F(Options, OnlyLoopbackWithoutInsecure) {
  for (const char* listen : {"0.0.0.0:8484", "192.168.1.4:8484", "[::]:8484", "[2001:db8::1]:80"}) {
    flags_.listen = listen;
    flags_.insecure = false;
    const auto refusal = load();
    ASSERT_FALSE(refusal.ok()) << listen;
    EXPECT_TRUE(has(refusal.error().message, "--insecure")) << refusal.error().message;
    flags_.insecure = true;
    EXPECT_TRUE(load().ok()) << listen;
  }
  flags_.insecure = false;
  for (const char* listen : {"127.0.0.1:0", "127.9.9.9:1", "[::1]:8484", "localhost:8484"}) {
    flags_.listen = listen;
    EXPECT_TRUE(load().ok()) << listen;
  }
  for (const char* listen :
       {"8484", "127.0.0.1", "127.0.0.1:", "127.0.0.1:99999", "::1:80", "example.com:80", "[127.0.0.1]:80"}) {
    flags_.listen = listen;
    EXPECT_FALSE(load().ok()) << listen;
  }
}

TEST_F(Options, SpansAreANumberAndAUnit) {
  cep::DurationUs us = 0;
  EXPECT_TRUE(parse_span("250 ms", &us));
  EXPECT_EQ(us, 250 * cep::kMillisecond);
  EXPECT_TRUE(parse_span("15s", &us));
  EXPECT_EQ(us, 15 * cep::kSecond);
  EXPECT_TRUE(parse_span("2 weeks", &us));
  EXPECT_EQ(us, 14 * cep::kDay);
  for (const char* wrong : {"", "s", "-1 s", "1.5 s", "5", "5 parsecs", "9999999999999 days"})
    EXPECT_FALSE(parse_span(wrong, &us)) << wrong;
}

}  // namespace
}  // namespace service
