// See generator.h.
#include "service/generator.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <utility>

#include "cep/parse.h"

namespace service {
namespace {

constexpr GenStreams kAllStreams = (1U << kGenStreamNames.size()) - 1;

std::vector<Scenario> all_scenarios() {
  std::vector<Scenario> all;
  for (const auto scenarios : {card_scenarios(), access_scenarios(), payment_scenarios(), trade_scenarios()})
    all.insert(all.end(), scenarios.begin(), scenarios.end());
  return all;
}

cep::Result<GenStreams> streams_of(const std::vector<std::string>& names) {
  if (names.empty()) return kAllStreams;
  GenStreams streams = 0;
  for (const std::string& name : names) {
    const auto found = std::find(kGenStreamNames.begin(), kGenStreamNames.end(), name);
    if (found == kGenStreamNames.end())
      return cep::Error{"bad_option", fmt::format("nothing is generated for a stream `{}`; there are {}", name,
                                                  fmt::join(kGenStreamNames, ", "))};
    streams |= 1U << static_cast<uint32_t>(found - kGenStreamNames.begin());
  }
  return streams;
}

cep::Status check(const GeneratorOptions& options) {
  if (options.events == 0) return cep::Error{"bad_option", "the number of events must be at least 1"};
  if (!(options.rate_per_s >= 1e-3 && options.rate_per_s <= 1e7))
    return cep::Error{"bad_option", "the rate must be from 0.001 to 10,000,000 events a second of event time"};
  if (options.keys == 0 || options.keys > Generator::kKeysMax)
    return cep::Error{"bad_option", fmt::format("the number of keys must be from 1 to {}", Generator::kKeysMax)};
  if (!(options.fraud >= 0 && options.fraud <= Generator::kFraudMax))
    return cep::Error{"bad_option", fmt::format("the share of fraud must be from 0 to {}", Generator::kFraudMax)};
  const double span_ms = static_cast<double>(options.events) * 1000 / options.rate_per_s;
  if (options.from_ms < cep::kEventTimeMin / 1000 ||
      static_cast<double>(options.from_ms) + span_ms >= static_cast<double>(cep::kEventTimeEnd) / 1000)
    return cep::Error{"bad_option",
                      "the events would not lie in the years 1900 to 2199: fewer events or a higher rate"};
  return cep::ok_status();
}

uint32_t tag_of(const GeneratorOptions& options) {
  return static_cast<uint32_t>(scatter(options.seed ^ scatter(static_cast<uint64_t>(options.from_ms))));
}

}  // namespace

cep::Result<std::unique_ptr<Generator>> Generator::create(const GeneratorOptions& options) {
  const cep::Status status = check(options);
  if (!status.ok()) return status.error();
  const cep::Result<GenStreams> streams = streams_of(options.streams);
  if (!streams.ok()) return streams.error();
  return std::unique_ptr<Generator>(new Generator(options, streams.value()));
}

Generator::Generator(const GeneratorOptions& options, GenStreams streams)
    : options_(options),
      world_{EventText(tag_of(options)), PendingLines(), Random(options.seed, 2), 0, options.keys},
      background_(options.seed, streams, world_),
      at_ms_(options.from_ms) {
  deck_ = all_scenarios();
  std::erase_if(deck_, [streams](const Scenario& scenario) { return (scenario.streams & ~streams) != 0; });
}

bool Generator::next(std::string& out) {
  if (made_ == options_.events) return false;
  const int64_t slot_ms =
      options_.from_ms + static_cast<int64_t>(static_cast<double>(made_) * 1000 / options_.rate_per_s);
  ++made_;
  const auto instances = static_cast<uint64_t>(static_cast<double>(made_) * options_.fraud);
  if (instances > planted_) plant(slot_ms);
  tell_truth(slot_ms);
  if (const PendingLines::Line* line = world_.pending.due(slot_ms); line != nullptr) {
    at_ms_ = line->at_ms;
    out += line->text;
    world_.pending.pop();
    tell_truth(at_ms_);
  } else {
    at_ms_ = slot_ms;
    background_.append(out, slot_ms);
  }
  return true;
}

// Every deck is dealt out before the next is shuffled. An instance that finds no room is left out.
void Generator::plant(int64_t start_ms) {
  const uint64_t instance = planted_++;
  if (deck_.empty() || !world_.pending.has_room()) return;
  const size_t dealt = instance % deck_.size();
  std::swap(deck_[dealt], deck_[dealt + world_.random.below(deck_.size() - dealt)]);
  Plot plot(world_, deck_[dealt].rule, instance, start_ms);
  plot.wait_ms(1, 5000);
  deck_[dealt].plot(plot);
}

void Generator::tell_truth(int64_t at_ms) {
  for (const PendingLines::Line* line = world_.pending.due(at_ms); line != nullptr && line->truth;
       line = world_.pending.due(at_ms)) {
    truth_ += line->text;
    world_.pending.pop();
  }
}

std::string Generator::take_truth() { return std::exchange(truth_, {}); }

std::vector<std::string_view> planted_rules() {
  std::vector<std::string_view> rules;
  for (const Scenario& scenario : all_scenarios()) rules.push_back(scenario.rule);
  std::sort(rules.begin(), rules.end());
  return rules;
}

}  // namespace service
