// Episodes (`emit episode after quiet w`, R33): one alert for all that a key's matches were until they came to rest.
// The first complete match opens the key's episode and fixes its start event: later matches of that start feed it, those of others are
// counted. It ends when no run of that start waits any more, or w after the newest match of it. Its alert lists the longest match and says
// of it what could be said when it was complete. Of a `when` rule every hit feeds the episode, which lists the last one.
// An open episode is a cell of the key's block: EpisodeCell, then a value for each window of the program as the listed match found it,
// and for a `when` rule its evidence. One thread, that of the block.
#pragma once

#include <functional>
#include <vector>

#include "cep/block.h"
#include "cep/output.h"

namespace cep {

// A complete match, or a hit of a `when` rule. Matches of one instant come in R31 order.
void feed_episode(BlockEditor& block, const MatchScope& scope, const Match& match, TimeUs now);
void feed_episode(BlockEditor& block, const MatchScope& scope, const MatchEvent& event,
                  const std::function<std::vector<Evidence>()>& evidence);

// When an episode ends if nothing more comes. Absences of that instant come first, or (they would begin the next one) after.
struct EpisodeEnd {
  TimeUs time = kTimeMax;
  bool is_before_absences = true;
};
EpisodeEnd episode_end(const EpisodeCell& episode, BlockView block, std::span<const Run> runs, const BoundRule& rule,
                       const Limits& limits);
// The open episode of a rule; nullptr if there is none. Valid until the block changes.
const EpisodeCell* find_episode(BlockView block, const BoundRule& rule);

// Ends the rule's open episode: its alert (or suppression), then what its skip strategy drops.
void end_episode(BlockEditor& block, const OutputScope& scope, TimeUs time);

// Checks untrusted bytes behind an EpisodeCell of the program.
bool is_sound_episode(const Program& program, std::span<const uint8_t> values);

}  // namespace cep
