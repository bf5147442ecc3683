#include "service/script.h"

#include <algorithm>
#include <utility>

#include "cep/parse.h"
#include "service/options.h"

namespace service {
namespace {

constexpr cep::TimeUs kDefaultClock = 1'767'571'200 * cep::kSecond;    // 2026-01-05T00:00:00Z

struct Unit {
  std::string_view name;
  cep::DurationUs us;
};
constexpr Unit kUnits[] = {{"ms", cep::kMillisecond}, {"s", cep::kSecond}, {"m", cep::kMinute},
                           {"h", cep::kHour},         {"d", cep::kDay},    {"w", 7 * cep::kDay}};

bool is_blank(char c) { return c == ' ' || c == '\t'; }

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && is_blank(text.front())) text.remove_prefix(1);
  while (!text.empty() && (is_blank(text.back()) || text.back() == '\r')) text.remove_suffix(1);
  return text;
}

// Takes the first word off `text`.
std::string_view take_word(std::string_view& text) {
  text = trimmed(text);
  size_t end = 0;
  while (end < text.size() && !is_blank(text[end])) ++end;
  const std::string_view word = text.substr(0, end);
  text = trimmed(text.substr(end));
  return word;
}

// A value up to a comma or `close`: bare, or in double quotes with "" for a quote. False if a quote is not closed.
bool take_value(std::string_view& text, std::string_view stops, std::string& value) {
  text = trimmed(text);
  value.clear();
  if (!text.starts_with('"')) {
    const size_t end = std::min(text.find_first_of(stops), text.size());
    value = trimmed(text.substr(0, end));
    text.remove_prefix(end);
    return true;
  }
  for (size_t at = 1;; ++at) {
    const size_t quote = text.find('"', at);
    if (quote == std::string_view::npos) return false;
    value += text.substr(at, quote - at);
    at = quote + 1;
    if (at == text.size() || text[at] != '"') {
      text = trimmed(text.substr(at));
      return true;
    }
    value += '"';
  }
}

// `v` or `(v, v)`.
bool take_element(std::string_view& text, std::vector<std::string>& fields) {
  text = trimmed(text);
  const bool tuple = text.starts_with('(');
  if (tuple) text.remove_prefix(1);
  do {
    if (!take_value(text, tuple ? ",)" : ",", fields.emplace_back())) return false;
    if (!tuple) return true;
  } while (text.starts_with(',') && (text.remove_prefix(1), true));
  if (!text.starts_with(')')) return false;
  text = trimmed(text.substr(1));
  return true;
}

class Parser {
 public:
  explicit Parser(Script& script) : script_(script) {}

  cep::Status run() {
    bool in_expected = false;
    while (at_ < script_.lines.size()) {
      const size_t line = at_++;
      const std::string_view text = trimmed(script_.lines[line]);
      const bool nothing = text.empty() || text[0] == '#';
      std::string_view rest = text;
      const std::string_view word = take_word(rest);
      cep::Status status = cep::ok_status();
      if (!nothing && (word == "use" || word == "rule" || word == "clock" || word == "limit")) {
        in_expected = false;
        status = header(word, rest, line);
      } else if (!nothing && word == "events") {
        in_expected = false;
        status = begin_block(rest, line);
      } else if (!nothing && text == "----") {
        in_expected = true;
        status = begin_expected(line);
      } else if (in_expected) {
        expected(text, nothing, line);
      } else if (!nothing) {
        status = step(word, rest, line);
      }
      if (!status) return status;
    }
    if (script_.cases.empty() || script_.cases.back().blocks.empty()) return bad(at_, "has no `events` with a `----`");
    return check_expected();
  }

 private:
  cep::Error bad(size_t line, std::string_view what) const {
    return {"bad_script", script_.path + ":" + std::to_string(line + 1) + ": " + std::string(what)};
  }
  ScriptBlock& block() { return script_.cases.back().blocks.back(); }

  // The case whose header is being read.
  ScriptCase& header_case(size_t line) {
    if (script_.cases.empty() || !script_.cases.back().blocks.empty()) {
      ScriptCase next;
      next.clock = kDefaultClock;
      if (!script_.cases.empty()) {
        next.clock = script_.cases.back().clock;
        next.uses = script_.cases.back().uses;
      }
      next.line = line + 1;
      script_.cases.push_back(std::move(next));
    }
    return script_.cases.back();
  }

  cep::Status header(std::string_view word, std::string_view rest, size_t line) {
    if (!script_.cases.empty() && !script_.cases.back().blocks.empty()) {
      const cep::Status status = check_expected();
      if (!status) return status;
    }
    ScriptCase& here = header_case(line);
    if (word == "use") return use(here, rest, line);
    if (word == "clock") {
      const cep::Result<cep::TimeUs> time = cep::parse_time(rest, "UTC");
      if (!time) return bad(line, "clock: " + time.error().message);
      here.clock = *time;
      return cep::ok_status();
    }
    if (word == "limit") {
      const std::string name(take_word(rest));
      const cep::Status status = apply_engine_limit(name, std::string(rest), here.limits);
      return status ? status : bad(line, "limit: " + status.error().message);
    }
    ScriptRule rule;
    rule.line = line + 1;
    if (rest == "<<") {
      const cep::Status status = inline_text(rule.text, line);
      if (!status) return status;
    } else {
      rule.path = rest;
      if (rest.empty()) return bad(line, "rule: name a file, or write `rule <<` and the text up to `>>`");
    }
    here.rules.push_back(std::move(rule));
    return cep::ok_status();
  }

  cep::Status use(ScriptCase& here, std::string_view rest, size_t line) {
    ScriptUse use;
    use.line = line + 1;
    const std::string_view all = rest;
    const std::string_view word = take_word(rest);
    use.name = all;
    if (word == "stream" && !rest.empty()) {
      use.kind = ScriptUse::Kind::kStream;
      use.name = rest;
    } else if (word == "list") {
      use.kind = ScriptUse::Kind::kList;
      use.name = take_word(rest);
      if (!rest.starts_with('=')) return bad(line, "use list NAME = v, ..");
      rest = trimmed(rest.substr(1));
      while (!rest.empty()) {
        if (!take_element(rest, use.values.emplace_back())) return bad(line, "a quote or parenthesis is not closed");
        if (!rest.empty() && rest[0] != ',') return bad(line, "values are separated by commas");
        if (!rest.empty()) rest = trimmed(rest.substr(1));
      }
    }
    if (word == "table" && !rest.empty()) {
      use.kind = ScriptUse::Kind::kTable;
      use.name = take_word(rest);
      use.row = rest;
    }
    if (use.name.empty()) return bad(line, "use FILE, use stream NAME, use list NAME = v, .. or use table NAME {..}");
    here.uses.push_back(std::move(use));
    return cep::ok_status();
  }

  cep::Status inline_text(std::string& text, size_t line) {
    for (; at_ < script_.lines.size(); ++at_) {
      if (trimmed(script_.lines[at_]) == ">>") {
        ++at_;
        return cep::ok_status();
      }
      text += script_.lines[at_] + "\n";
    }
    return bad(line, "`<<` has no `>>`");
  }

  cep::Status begin_block(std::string_view rest, size_t line) {
    if (script_.cases.empty() || script_.cases.back().rules.empty()) return bad(line, "no `rule` stands before these events");
    if (!rest.empty() && rest != "fresh") return bad(line, "events, or events fresh");
    if (!script_.cases.back().blocks.empty()) {
      const cep::Status status = check_expected();
      if (!status) return status;
    }
    ScriptBlock next;
    next.fresh = rest == "fresh" || script_.cases.back().blocks.empty();
    next.line = line + 1;
    script_.cases.back().blocks.push_back(std::move(next));
    return cep::ok_status();
  }

  // `----` right after the rules: what is wrong with them, without events.
  cep::Status begin_expected(size_t line) {
    if (script_.cases.empty()) return bad(line, "`----` before any rule");
    if (script_.cases.back().blocks.empty()) {
      const cep::Status status = begin_block("", line);
      if (!status) return status;
    }
    if (block().expected_begin != 0) return bad(line, "this block has its `----` already");
    block().expected_begin = at_;
    block().expected_end = at_;
    return cep::ok_status();
  }

  void expected(std::string_view text, bool nothing, size_t line) {
    block().expected_end = line + 1;
    if (nothing) return;
    if (text != "none") block().expected.emplace_back(text);
  }

  cep::Status check_expected() {
    if (block().expected_begin == 0) return bad(block().line - 1, "this block has no `----`");
    return cep::ok_status();
  }

  cep::Status step(std::string_view word, std::string_view rest, size_t line) {
    if (script_.cases.empty() || script_.cases.back().blocks.empty()) {
      return bad(line, "expected use, rule, clock, limit or events");
    }
    ScriptStep step;
    step.line = line + 1;
    cep::Status status = cep::ok_status();
    if (word.starts_with('+')) {
      step.kind = ScriptStep::Kind::kEvent;
      status = offset(word, line, step.offset_us);
      step.name = take_word(rest);
      step.text = rest;
      if (step.text.empty()) return bad(line, "+D STREAM JSON");
    } else if (word == "advance") {
      step.kind = ScriptStep::Kind::kAdvance;
      status = offset(rest, line, step.offset_us);
    } else if (word == "deploy" && rest == "<<") {
      step.kind = ScriptStep::Kind::kDeploy;
      status = inline_text(step.text, line);
    } else if (word == "restart" && rest.empty()) {
      step.kind = ScriptStep::Kind::kRestart;
    } else if (word == "list") {
      status = list_step(rest, line, step);
    } else if (word == "table") {
      status = table_step(rest, line, step);
    } else {
      return bad(line, "expected +D STREAM JSON, advance, deploy <<, list add, list remove, table put, table remove, restart or ----");
    }
    if (status) block().steps.push_back(std::move(step));
    return status;
  }

  cep::Status offset(std::string_view word, size_t line, cep::DurationUs& offset_us) {
    const std::optional<cep::DurationUs> read = parse_offset(word);
    if (!read) return bad(line, "`" + std::string(word) + "` is no offset such as +90s, +1h30m or +59.999s");
    offset_us = *read;
    script_.spelling.emplace(*read, word);
    return cep::ok_status();
  }

  cep::Status list_step(std::string_view rest, size_t line, ScriptStep& step) {
    const std::string_view word = take_word(rest);
    step.kind = word == "add" ? ScriptStep::Kind::kListAdd : ScriptStep::Kind::kListRemove;
    step.name = take_word(rest);
    const cep::Error wrong = bad(line, "list add NAME V[, expires +D], or list remove NAME V");
    const bool known = word == "add" || word == "remove";
    if (!known || rest.empty() || !take_element(rest, step.value)) return wrong;
    if (rest.empty()) return cep::ok_status();
    rest = trimmed(rest.substr(1));
    if (word != "add" || take_word(rest) != "expires") return wrong;
    step.expires_us.emplace();
    return offset(rest, line, *step.expires_us);
  }

  cep::Status table_step(std::string_view rest, size_t line, ScriptStep& step) {
    const std::string_view word = take_word(rest);
    step.kind = word == "put" ? ScriptStep::Kind::kTablePut : ScriptStep::Kind::kTableRemove;
    step.name = take_word(rest);
    if (word == "put") step.text = rest;
    const bool is_put = word == "put" && !rest.empty();
    const bool is_remove = word == "remove" && !rest.empty() && take_element(rest, step.value) && rest.empty();
    if (!is_put && !is_remove) return bad(line, "table put NAME {\"column\": v, ..}, or table remove NAME K");
    return cep::ok_status();
  }

  Script& script_;
  size_t at_ = 0;                // next line
};

}  // namespace

cep::Result<Script> parse_script(const std::string& path, const std::string& text) {
  Script script;
  script.path = path;
  script.lines = split_lines(text);
  const cep::Status status = Parser(script).run();
  if (!status) return status.error();
  return script;
}

std::vector<std::string> split_lines(const std::string& text) {
  std::vector<std::string> lines;
  for (size_t at = 0; at < text.size();) {
    const size_t end = std::min(text.find('\n', at), text.size());
    lines.push_back(text.substr(at, end - at));
    at = end + 1;
  }
  return lines;
}

std::optional<cep::DurationUs> parse_offset(std::string_view text) {
  if (text.size() < 3 || (text[0] != '+' && text[0] != '-')) return std::nullopt;
  const bool negative = text[0] == '-';
  text.remove_prefix(1);
  cep::DurationUs sum = 0;
  while (!text.empty()) {
    const size_t digits = std::min(text.find_first_not_of("0123456789."), text.size());
    const size_t next = std::min(text.find_first_of("0123456789.", digits), text.size());
    cep::Int128 number = 0;
    if (!cep::parse_decimal_digits(text.substr(0, digits), 6, &number)) return std::nullopt;
    cep::DurationUs unit_us = 0;
    for (const Unit& unit : kUnits) {
      if (unit.name == text.substr(digits, next - digits)) unit_us = unit.us;
    }
    const cep::Int128 us = number * unit_us / 1'000'000;
    if (unit_us == 0 || us > 300 * 366 * cep::kDay) return std::nullopt;
    sum += static_cast<cep::DurationUs>(us);
    text.remove_prefix(next);
  }
  return negative ? -sum : sum;
}

// Days, hours and minutes as far as they are whole, seconds with a fraction for the rest; up to two minutes in seconds alone.
std::string print_offset(cep::DurationUs offset_us) {
  std::string text = offset_us < 0 ? "-" : "+";
  cep::DurationUs left = offset_us < 0 ? -offset_us : offset_us;
  if (left >= 2 * cep::kMinute) {
    for (const auto& [name, us] : {Unit{"d", cep::kDay}, Unit{"h", cep::kHour}, Unit{"m", cep::kMinute}}) {
      if (left >= us) text += std::to_string(left / us) + std::string(name);
      left %= us;
    }
    if (left == 0) return text;
  }
  text += std::to_string(left / cep::kSecond);
  std::string fraction = std::to_string(cep::kSecond + left % cep::kSecond).substr(1);
  while (fraction.ends_with('0')) fraction.pop_back();
  return text + (fraction.empty() ? "" : "." + fraction) + "s";
}

}  // namespace service
