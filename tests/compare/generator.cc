#include "tests/compare/generator.h"

#include <algorithm>

#include "tests/compare/conditions.h"

namespace compare {
namespace {

class RuleWriter {
 public:
  explicit RuleWriter(uint64_t seed) : random_(seed), conditions_(random_, plan_.features, words_) {}

  RulePlan write() {
    plan_.delays = random_.chance(60) ? Delays{0, 0} : Delays{random_.of({0, 2, 3}), random_.of({0, 2, 4})};
    if (plan_.delays != Delays{0, 0}) feature(kDelay);
    const std::string on = inputs();
    const std::string key = partition();
    const std::string body = random_.chance(18) ? when() : pattern();
    plan_.text = "create rule r\n    on " + on + key + body + after_match_;
    if (words_.excludes && random_.chance(14)) {       // elsewhere the order within an event tells its inputs apart (R31)
      feature(kSuppress);
      plan_.text += "\n    suppress " + seconds({1, 2, 3, 5});
    }
    plan_.text += "\n    alert severity info message 'r';";
    return std::move(plan_);
  }

 private:
  void feature(Feature one) { plan_.features.set(one); }
  std::string seconds(std::initializer_list<int> choices) { return std::to_string(random_.of(choices)) + " seconds"; }
  std::string filter() {
    if (!random_.chance(8)) return "";
    feature(kFilter);
    return " where " + conditions_.event_test();
  }

  std::string inputs() {
    const int kind = random_.below(100);
    words_.window_inputs = kind < 72 ? 1 : 2;
    if (kind < 72) {
      words_.inputs = {"e"};
      return "e" + filter();
    }
    if (kind < 88) {
      feature(kStreams);
      plan_.streams = 2;
      words_.inputs = {"e", "u"};
      return "e" + filter() + ", u" + filter();
    }
    feature(kRoles);
    words_.inputs = {"p", "q"};
    return "e as p" + filter() + ", e as q" + filter();
  }

  std::string partition() {
    const int kind = random_.below(100);
    if (kind < 14) {
      feature(kNoKey);
      return "";
    }
    feature(kKeys);
    const bool two = kind < 24;
    if (two) feature(kTwoColumns);
    std::string key = "g";
    if (words_.inputs.size() > 1 && random_.chance(60)) {
      const bool other = random_.chance(60);
      key = words_.inputs[0] + ".g as key, " + words_.inputs[1] + (other ? ".g2" : ".g");
      // An event that has the same key by two inputs of different columns: the engine has not put it into the second one's window
      // yet when the first is asked, and counts it as another one when the second is (R48).
      words_.excludes = !other || plan_.streams > 1;
      if (!words_.excludes) words_.window_inputs = 1;
    }
    return "\n    partition by " + key + (two ? ", h" : "");
  }

  std::string when() {
    feature(kWhen);
    std::string text = "\n    when ";
    const bool names_input = words_.inputs.size() > 1 && (plan_.streams == 1 || random_.chance(70));
    if (names_input) text += words_.inputs[static_cast<size_t>(random_.below(2))] + " where ";
    plan_.path = {{'a', -1}, {'b', -1}};
    text += random_.chance(75) ? conditions_.window_test() : conditions_.prev_test();
    if (random_.chance(30)) text += (random_.chance(50) ? " and " : " or ") + conditions_.event_test();
    for (int i = random_.below(3); i > 0; --i) measures_.push_back(random_.chance(70) ? conditions_.window_value() : "v");
    if (random_.chance(6)) {
      feature(kEpisode);
      after_match_ = "\n    emit episode after quiet " + seconds({1, 2, 3});
    }
    return text + measure_clause();
  }

  std::string measure_clause() {
    if (measures_.empty()) return "";
    feature(kMeasures);
    std::string text = "\n    measures ";
    for (size_t i = 0; i < measures_.size(); ++i) text += (i > 0 ? ", " : "") + measures_[i] + " as m" + std::to_string(i);
    return text;
  }

  // --- Patterns

  struct Written {
    std::string name;
    char letter;
    bool negated;
  };

  const std::string& any_bound() { return bound_[static_cast<size_t>(random_.below(static_cast<int>(bound_.size())))]; }

  std::string variable(bool negated) {
    if (!negated && !bound_.empty() && random_.chance(5)) return any_bound();
    const char own = "abcd"[written_.size() % (random_.chance(80) ? 4 : 2)];
    const char letter = negated && random_.chance(50) ? random_.of({'d', 'd', 'e'}) : own;
    const std::string name = (negated ? "n" : "v") + std::to_string(written_.size());
    written_.push_back({name, letter, negated});
    if (negated) return name;
    bound_.push_back(name);
    return name;
  }

  std::string gap() {
    const int low = random_.of({0, 0, 1, 1, 2});
    const int high = low + random_.between(1, 4);
    return "[" + (low == 0 ? "" : std::to_string(low) + " seconds, ") + std::to_string(high) + " seconds] ";
  }

  std::string link() {
    const int kind = random_.below(100);
    std::string text = kind < 70 ? " -> " : kind < 82 ? ", " : " ->> ";
    if (kind >= 70) feature(kind < 82 ? kNext : kAny);
    if (!random_.chance(10)) return text;
    feature(kLinkGap);
    return text + gap();
  }

  std::string negated() {
    if (!random_.chance(20)) return "not " + variable(true);
    const std::string first = variable(true);
    return "not (" + first + " | " + variable(true) + ")";
  }

  // NOTs between two items. A `for` cannot be followed by `,`.
  std::string guards(bool* must_skip) {
    const int kind = random_.below(100);
    *must_skip = false;
    if (kind < 33) {
      feature(kNotNext);
      return ", " + negated();
    }
    if (kind < 58) {
      feature(kNotFor);
      *must_skip = true;
      return " -> " + negated() + " for " + seconds({1, 2, 3});
    }
    feature(kNot);
    const std::string text = " -> " + negated();
    return random_.chance(20) ? text + " -> " + negated() : text;
  }

  // A quantifier with its words, or none. `plain`: the item is a variable.
  std::string quantifier(bool plain, bool* optional) {
    const int kind = random_.below(100);
    *optional = false;
    if (kind < 50) return "";
    if (kind < 60) {
      *optional = true;
      feature(kOptional);
      if (!random_.chance(15)) return "?";
      feature(kGreedy);
      return "? greedy";
    }
    const std::string text = random_.of<const char*>({"+", "+", "*", "{2}", "{1,2}", "{2,3}", "{2,}", "{,2}", "{1,3}"});
    *optional = text == "*" || text == "{,2}";
    feature(plain ? kLoop : kGroupLoop);
    if (*optional) feature(kOptional);
    return text + loop_words(plain);
  }

  std::string loop_words(bool plain) {
    std::string text;
    const int mode = random_.below(100);
    if (mode < 15) text += " strict";
    if (mode >= 15 && mode < 30) text += " any";
    if (mode < 30) feature(mode < 15 ? kLoopStrict : kLoopAny);
    if (random_.chance(plain ? 20 : 8)) {
      feature(kGreedy);
      text += " greedy";
    }
    if (random_.chance(12)) {
      feature(kLoopGap);
      text += " " + gap();
      text.pop_back();
    }
    if (random_.chance(14)) {
      feature(kUntil);
      text += " until (" + (bound_.empty() || random_.chance(70) ? conditions_.event_test() : conditions_.bound_test(bound_)) + ")";
    }
    return text;
  }

  // R25: a branch of nothing but a NOT, which the road through it takes along.
  std::string absent_branch() {
    const std::string text = negated();
    if (random_.chance(25)) return text;
    feature(kNotFor);
    return text + " for " + seconds({1, 2, 3});
  }

  // `solid`: something is bound before it.
  std::string item(int depth, bool solid, bool* optional) {
    const int kind = random_.below(100);
    if (kind < 6) {
      feature(kPermute);
      return permute() + quantifier(false, optional);
    }
    if (depth > 0 && kind < 30) {
      feature(kGroup);
      std::string text = "(" + sequence(random_.between(1, 2), depth - 1);
      bool may_be_passed = false;
      if (random_.chance(35)) {
        feature(kAlternation);
        may_be_passed = solid && random_.chance(35);
        text += " | " + (may_be_passed ? absent_branch() : sequence(random_.between(1, 2), depth - 1));
      }
      if (random_.chance(30)) {
        feature(kGroupWithin);
        text += " within " + seconds({2, 3, 5});
      }
      text += ")";
      if (!may_be_passed || random_.chance(10)) return text + quantifier(false, optional);
      *optional = true;
      return text;
    }
    const std::string name = variable(false);
    return name + quantifier(true, optional);
  }

  std::string permute() {
    std::string text;
    const int members = random_.of({2, 2, 3, 3, 4});
    for (int i = 0; i < members; ++i) {
      text += i == 0 ? "permute(" : ", ";
      text += random_.chance(10) ? "(" + sequence(random_.between(1, 2), 0) + ")" : variable(false);
      if (random_.chance(22)) text += "?";
      else if (random_.chance(12)) text += random_.of<const char*>({"{2}", "{2} strict", "{2} any", "{2} until (v = 5)"});
    }
    return text + ")";
  }

  std::string sequence(int items, int depth) {
    std::string text;
    bool solid = false;
    for (int i = 0; i < items; ++i) {
      bool must_skip = false;
      if (solid && random_.chance(17)) text += guards(&must_skip);
      if (i > 0) text += must_skip ? " -> " : link();
      bool optional = false;
      text += item(depth, solid, &optional);
      solid = solid || !optional;
    }
    if (solid && depth == 0 && random_.chance(3)) {      // R25: the guard passes the group's border
      bool must_skip = false;
      text += guards(&must_skip);
    }
    return text;
  }

  // NOTs at the end; what stands between two of them may be left out, and then both are in one gap (R26).
  std::string absence(bool has_for) {
    const auto one = [&] {
      const std::string text = (random_.chance(20) ? ", " : " -> ") + negated();
      return has_for ? text + " for " + seconds({1, 2, 3, 5}) : text;
    };
    const std::string first = one();
    if (random_.chance(75)) return first;
    const std::string between = random_.chance(50) ? " -> " + variable(false) + "?" : "";
    return first + between + one();
  }

  // Nothing can tell apart the partial matches that are in one state.
  std::string plain_sequence() {
    feature(kMerged);
    feature(kWithin);
    feature(kNoSkip);
    std::string text;
    if (random_.chance(10)) {
      feature(kHeadNot);
      text = "not " + variable(true) + " -> ";
    }
    for (int left = random_.between(2, 5); left > 0; --left) {
      text += variable(false);
      if (left == 1) break;
      if (random_.chance(12)) {
        feature(kNot);
        text += " -> " + negated();
      }
      const bool any = random_.chance(60);
      if (any) feature(kAny);
      text += any ? " ->> " : " -> ";
    }
    text = "\n    pattern " + text + " within " + seconds({3, 4, 5, 6, 8, 10, 12}) + "\n    define ";
    for (const Written& one : written_) {
      const int input = words_.inputs.size() > 1 ? random_.below(2) : -1;
      text += (&one == &written_.front() ? "" : ",\n           ") + one.name + " as ";
      if (input >= 0) text += words_.inputs[static_cast<size_t>(input)] + " where ";
      text += conditions_.letter_test(one.letter);
      if (one.negated) continue;
      plan_.path.push_back({one.letter, plan_.streams > 1 ? input : -1});
      if (random_.chance(60)) plan_.path.push_back(plan_.path.back());
    }
    if (random_.chance(40)) measures_.push_back(conditions_.bound_value(bound_));
    return text + measure_clause() + "\n    after match no skip";
  }

  std::string pattern() {
    if (random_.chance(9)) return plain_sequence();
    std::string text;
    const bool has_within = random_.chance(55);
    if (random_.chance(9)) {
      feature(kHeadNot);
      text = "not " + variable(true) + (has_within && random_.chance(40) ? "" : " for " + seconds({1, 2, 3})) + " -> ";
    }
    text += sequence(random_.of({1, 2, 2, 3, 3, 4}), random_.of({0, 1, 1, 1, 2}));
    if (random_.chance(17)) {
      feature(kAbsence);
      text += absence(!has_within || random_.chance(60));
    }
    if (has_within) {
      feature(kWithin);
      text += " within " + seconds({4, 5, 6, 8, 10, 12, 15});
    }
    if (bound_.size() > 1 && random_.chance(9)) {
      feature(kSubset);
      text += "\n    subset ss = (" + bound_[0] + ", " + bound_[1] + ")";
      subset_ = true;
    }
    text = "\n    pattern " + text + define_clause();
    return text + tail_clauses();
  }

  std::string define_clause() {
    std::string text = "\n    define ";
    std::vector<std::string> before;
    for (const Written& one : written_) {
      // A variable that takes an event by either input would be bound twice by it, and the engine tells the two apart (R15).
      const bool twice = plan_.streams == 1 && !one.negated;
      const bool names_input = words_.inputs.size() > 1 && (twice || random_.chance(85));
      const int input = names_input ? random_.below(2) : -1;
      std::vector<std::string> usable = before;
      if (!one.negated && random_.chance(25)) usable.push_back(one.name);
      if (subset_ && std::find(before.begin(), before.end(), bound_[0]) != before.end()) usable.push_back("ss");
      text += (&one == &written_.front() ? "" : ",\n           ") + one.name + " as ";
      if (names_input) text += words_.inputs[static_cast<size_t>(input)] + " where ";
      text += conditions_.variable_test(one.letter, usable);
      if (one.negated) continue;
      before.push_back(one.name);
      plan_.path.push_back({one.letter, plan_.streams > 1 ? input : -1});
      if (random_.chance(35)) plan_.path.push_back(plan_.path.back());
    }
    return text;
  }

  std::string tail_clauses() {
    std::string text;
    std::vector<std::string> usable = bound_;
    if (subset_) usable.push_back("ss");
    if (random_.chance(45)) {
      for (int i = random_.between(1, 3); i > 0; --i) {
        const int kind = random_.below(100);
        measures_.push_back(kind < 80 ? conditions_.bound_value(usable) : kind < 95 ? "v" : conditions_.window_value());
      }
      if (subset_) measures_.push_back("sum(ss.v)");
    }
    text += measure_clause();
    if (random_.chance(11)) {
      feature(kHaving);
      text += "\n    having " + conditions_.bound_test(usable);
    }
    const int kind = random_.below(100);
    // An event that came by inputs of different key columns is kept once for each: the engine takes them for two starts (R33).
    if (words_.excludes && random_.chance(8)) {
      feature(kEpisode);
      text += "\n    emit episode after quiet " + seconds({1, 2, 3, 5});
    }
    return text + skip_clause(kind);
  }

  // Of an event that came by two inputs, the engine still starts runs by the second when a skip of the first has passed it (R29).
  std::string skip_clause(int kind) {
    const bool twice = words_.inputs.size() > 1 && plan_.streams == 1;
    if (kind < 42 || twice) {
      feature(kNoSkip);
      return "\n    after match no skip";
    }
    if (kind < 63) {
      feature(kSkipPast);
      return kind < 55 ? "" : "\n    after match skip past last row";
    }
    if (kind < 78) {
      feature(kSkipNext);
      return "\n    after match skip to next row";
    }
    feature(kSkipTo);
    return std::string("\n    after match skip to ") + (kind < 89 ? "first " : "last ") +
           (subset_ && random_.chance(40) ? "ss" : any_bound());
  }

  Random random_;
  RulePlan plan_;
  Vocabulary words_;
  ConditionWriter conditions_;
  std::vector<Written> written_;
  std::vector<std::string> bound_;       // variables that bind
  std::vector<std::string> measures_;
  std::string after_match_;
  bool subset_ = false;
};

// --- Events

const std::string kLongText = "abcd" + std::string(300, 'y');

class EventWriter {
 public:
  EventWriter(const RulePlan& plan, uint64_t seed) : plan_(plan), random_(seed) {}

  Case write() {
    out_.rule = plan_.text;
    out_.delays = plan_.delays;
    out_.features = plan_.features;
    out_.features.set(kLong, random_.chance(6));
    cep::TimeUs now = kClock;
    size_t at = 0;
    const int events = random_.between(9, 16);
    for (int i = 0; i < events; ++i) {
      const cep::DurationUs gap = between_events();
      if (gap == 0 && i > 0) out_.features.set(kTies);
      now += gap;
      out_.steps.push_back(event(now, at));
      if (random_.chance(2)) watermark(now + (random_.below(4) - 1) * cep::kSecond);
    }
    if (random_.chance(65)) out_.steps.push_back({-1, now + 1000 * cep::kSecond, {}});
    return std::move(out_);
  }

 private:
  cep::DurationUs between_events() {
    return random_.of({0, 0, 500, 1000, 1000, 1000, 1000, 1000, 1, 1500, 2000, 2000, 3000, 5000}) * cep::kMillisecond;
  }

  void watermark(cep::TimeUs time) {
    out_.features.set(kWatermark);
    out_.steps.push_back({-1, time, {}});
  }

  std::string_view letters(char wanted) {
    switch (wanted) {
      case 'a': return random_.of<const char*>({"a", "a", "a", "ab", "abc", "ad"});
      case 'b': return random_.of<const char*>({"b", "b", "b", "ab", "bc", "abcd"});
      case 'c': return random_.of<const char*>({"c", "c", "c", "bc", "cd", "abc"});
      default: return random_.of<const char*>({"d", "d", "d", "cd", "ad", "abcd"});
    }
  }

  Step event(cep::TimeUs now, size_t& at) {
    Step step;
    const bool delayed = plan_.delays != Delays{0, 0};
    step.time = now;
    if (random_.chance(delayed ? 25 : 3)) {
      out_.features.set(kDisorder);
      step.time -= random_.of({500, 1000, 2000, 2000, 3000, 4000}) * cep::kMillisecond;
    }
    std::string_view x = letters("abcd"[random_.below(4)]);
    step.stream = plan_.streams > 1 ? random_.below(2) : random_.chance(3) ? 1 : 0;
    if (!plan_.path.empty() && random_.chance(93)) {
      const RulePlan::Want& want = plan_.path[at++ % plan_.path.size()];
      x = letters(want.letter);
      if (want.stream >= 0) step.stream = want.stream;
    }
    // Rows that make a block grow, of events that fit most variables.
    const bool is_long = out_.features[kLong] && random_.chance(80);
    if (is_long) x = std::string_view(kLongText).substr(0, static_cast<size_t>(random_.between(129, 304)));
    step.fields.resize(kColumns);
    set(step, kX, cep::Value::string(x), 2);
    set(step, kV, cep::Value::integer(random_.below(6)), 6);
    set(step, kAmt, cep::Value::decimal(random_.of({10, 250, 375, 100, 500}), 2), 6);
    set(step, kF, cep::Value::floating(random_.of({0.1, 0.5, 1.5, 2.25})), 6);
    set(step, kFlag, cep::Value::boolean(random_.chance(60)), 6);
    const std::string_view key = random_.of<const char*>({"k", "k", "k", "k", "k", "k", "m"});
    set(step, kG, cep::Value::string(key), 2);
    set(step, kG2, cep::Value::string(random_.chance(80) ? key : "m"), 2);
    set(step, kH, cep::Value::integer(random_.chance(85) ? 0 : 1), 2);
    step.fields[kAt] = cep::Value::timestamp(step.time);
    return step;
  }

  void set(Step& step, Column column, const cep::Value& value, int nulls) {
    if (random_.chance(nulls)) {
      out_.features.set(kNulls);
      return;
    }
    step.fields[column] = value;
  }

  const RulePlan& plan_;
  Random random_;
  Case out_;
};

// Late by the clock of R63, when the rule reads all streams that occur.
bool has_late(const Case& one) {
  const cep::DurationUs delay = std::max(one.delays[0], one.delays[1]) * cep::kSecond;
  cep::TimeUs watermark = cep::kTimeMin;
  bool late = false;
  for (const Step& step : one.steps) {
    late = late || (step.stream >= 0 && step.time < watermark);
    watermark = std::max(watermark, step.stream < 0 ? step.time : step.time - delay);
  }
  return late;
}

uint64_t mixed(uint64_t seed, uint64_t number) { return Random(seed * 0x2545f4914f6cdd1d + number).next(); }

}  // namespace

RulePlan random_rule(uint64_t seed, uint64_t number) { return RuleWriter(mixed(seed, number / kCasesPerRule)).write(); }

Case random_case(const RulePlan& plan, uint64_t seed, uint64_t number) {
  Case one = EventWriter(plan, mixed(~seed, number)).write();
  one.number = number;
  one.features.set(kLate, has_late(one));
  return one;
}

}  // namespace compare
