#include "tests/support/reference_output.h"

#include <algorithm>
#include <optional>

namespace support {
namespace {

using cep::DurationUs;
using cep::kTimeMax;
using cep::TimeUs;
using Match = ReferenceMatch;
using Moment = ReferenceMoment;

// R29, R30
struct Skips {
  explicit Skips(const Reference& rule) : rule(rule) {}

  bool dropped(size_t start) const {
    return std::any_of(ranges.begin(), ranges.end(), [&](const auto& range) { return start >= range.first && start < range.second; });
  }
  void after(const Match& match) {
    const auto& clause = rule.rule.after;
    const patterns::SkipKind kind = clause ? clause->kind : patterns::SkipKind::kPastLastRow;
    if (kind == patterns::SkipKind::kNoSkip || rule.rule.when) return;
    const size_t first = match.places.front();
    const size_t more = rule.broken == ReferenceBreak::kSkipTooMuch ? 1 : 0;
    std::optional<size_t> target;
    for (size_t i = 0; i < match.bound.size() && clause; ++i) {
      if (!rule.names.stands_for(clause->target.text, match.bound[i].variable)) continue;
      if (!target || kind == patterns::SkipKind::kLast) target = match.places[i];
    }
    if (kind == patterns::SkipKind::kNextRow) {
      ranges.emplace_back(first, first + 1 + more);
    } else if (kind == patterns::SkipKind::kPastLastRow || !target) {
      ranges.emplace_back(0, match.places.back() + 1 + more);
    } else {
      ranges.emplace_back(first, std::max(*target, first + 1) + more);
    }
  }

  const Reference& rule;
  std::vector<std::pair<size_t, size_t>> ranges;
};

std::vector<Match> after_skips(const Reference& rule, const std::vector<Match>& matches) {
  Skips skips(rule);
  std::vector<Match> kept;
  for (const Match& match : matches) {
    if (skips.dropped(match.places[0])) continue;
    kept.push_back(match);
    skips.after(match);
  }
  return kept;
}

// R33. `ends`: by start, when its last run is gone.
class Episodes {
 public:
  Episodes(const Reference& rule, const ReferenceHistory& history, const std::vector<Moment>& ends, TimeUs watermark)
      : rule_(rule), is_when_(rule.rule.when.has_value()), history_(history), ends_(ends), watermark_(watermark), skips_(rule) {}

  std::vector<Match> of(const std::vector<Match>& matches) {
    for (const Match& match : matches) {
      end_by(match.moment);
      if (!skips_.dropped(match.places[0])) take(match);
    }
    end_by({kTimeMax, true, 0, true});
    return std::move(emitted_);
  }

 private:
  // An end at the very moment comes first: an absence there begins the next episode.
  void end_by(const Moment& now) {
    if (!open_ || ends_at_ > now || ends_at_.time > watermark_) return;
    skips_.after(*open_);
    open_->time = ends_at_.time;
    emitted_.push_back(*open_);
    open_.reset();
  }

  void take(const Match& match) {
    if (open_ && !is_when_ && match.places[0] != open_->places[0]) {
      ++open_->folded;
      return;
    }
    const uint64_t folded = open_ ? open_->folded + (is_when_ ? 1 : 0) : 0;
    if (!open_ || is_when_ || match.bound.size() > open_->bound.size()) open_ = match;
    open_->folded = folded;
    const DurationUs edge = rule_.broken == ReferenceBreak::kQuietEdge ? 1 : 0;
    const Moment quiet{match.moment.time + rule_.rule.emit->episode_quiet->us + edge, false, 0, false};
    ends_at_ = is_when_ ? quiet : std::min(quiet, last_run_ends(match));
  }

  // Of an event that came by several inputs each may have begun runs, once it had come by that one.
  Moment last_run_ends(const Match& match) const {
    const size_t start = match.places[0];
    Moment end = std::max(match.moment, ends_[start]);
    for (size_t again = start + 1; again < history_.size() && history_[again].row == history_[start].row; ++again) {
      if (Moment{history_[again].time(), true, again, false} <= end) end = std::max(end, ends_[again]);
    }
    return end;
  }

  const Reference& rule_;
  const bool is_when_;
  const ReferenceHistory& history_;
  const std::vector<Moment>& ends_;
  TimeUs watermark_;
  Skips skips_;
  std::vector<Match> emitted_;
  std::optional<Match> open_;          // the longest so far; `folded`: of other starts, of a `when` rule before this one
  Moment ends_at_;
};

// R34: folded into [alert, alert + w); the next alert carries their number.
void suppress(DurationUs window, std::vector<Match>& matches) {
  TimeUs until = cep::kTimeMin;
  uint64_t folded = 0;
  std::vector<Match> kept;
  for (Match& match : matches) {
    if (match.time < until) {
      folded += 1 + match.folded;
      continue;
    }
    match.folded += folded;
    folded = 0;
    until = match.time + window;
    kept.push_back(std::move(match));
  }
  matches = std::move(kept);
}

}  // namespace

std::vector<Match> reference_output(const Reference& rule, const ReferenceHistory& history, std::vector<Match> matches,
                                    const std::vector<Moment>& ends, TimeUs watermark) {
  const bool in_episodes = rule.rule.emit && rule.rule.emit->episode_quiet;
  matches = in_episodes ? Episodes(rule, history, ends, watermark).of(matches) : after_skips(rule, matches);
  if (rule.rule.suppress) suppress(rule.rule.suppress->us, matches);
  return matches;
}

}  // namespace support
