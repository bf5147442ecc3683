#include "tests/compare/conditions.h"

namespace compare {

std::string ConditionWriter::constant() { return random_.of<const char*>({"0", "1", "2", "3", "4", "2.50", "3.75", "0.5e0", "1.5e0"}); }

std::string ConditionWriter::number() {
  if (random_.chance(55)) return number_field();
  features_.set(kArithmetic);
  switch (random_.below(8)) {
    case 0: return "(v + h)";
    case 1: return "(amt - v)";
    case 2: return "(v * " + constant() + ")";
    case 3: return "coalesce(" + number_field() + ", 0)";
    case 4: return "abs(v - 2)";
    case 5: return "greatest(v, h)";
    case 6: return "case when flag then v else h end";
    default: return "(amt / (v + 1))";
  }
}

std::string ConditionWriter::list_test() {
  features_.set(kList);
  const std::string negated = random_.chance(35) ? "not " : "";
  return random_.chance(50) ? "x " + negated + "in @letters" : "(x, v) " + negated + "in @pairs";
}

std::string ConditionWriter::look_up() {
  features_.set(kLookUp);
  const std::string test = random_.of<const char*>({" >= 2", " <> v", " is null", " is not null", " = v + 1"});
  return "@rates[x].rate" + test;
}

std::string ConditionWriter::arithmetic_test() {
  return number() + " " + random_.of<const char*>({">=", "<=", "<>", ">", "="}) + " " + constant();
}

std::string ConditionWriter::event_test() {
  switch (random_.below(13)) {
    case 0: return "flag";
    case 1: return "not flag";
    case 2: return number_field() + (random_.chance(70) ? " is not null" : " is null");
    case 3: return std::string("v ") + (random_.chance(30) ? "not " : "") + "in (1, 2, " + random_.of<const char*>({"3", "4", "5"}) + ")";
    case 4: return number_field() + std::string(random_.chance(25) ? " not" : "") + " between 1 and " + random_.of<const char*>({"3", "4"});
    case 5:
    case 6: return list_test();
    case 7: return std::string("length(x) ") + random_.of<const char*>({"= 1", "< 3", ">= 1"});
    case 8: return look_up();
    default: return arithmetic_test();
  }
}

std::string ConditionWriter::bound_value(const std::vector<std::string>& variables) {
  const std::string v = variables[static_cast<size_t>(random_.below(static_cast<int>(variables.size())))];
  const std::string field = v + "." + number_field();
  if (random_.chance(45)) {
    features_.set(kBoundValue);
    switch (random_.below(5)) {
      case 0: return "first(" + field + ")";
      case 1: return "last(" + field + ", 1)";
      case 2: return "first(" + field + ", 1)";
      default: return field;
    }
  }
  features_.set(kBoundAggregate);
  const std::string filter = random_.chance(30) ? bound_filter(v) : "";
  switch (random_.below(filter.empty() ? 10 : 12)) {
    case 0: return "count(" + v + ")" + filter;
    case 1: return filter.empty() ? "count(*)" : "count(" + v + ")" + filter;
    case 2: return "count(" + field + ")" + filter;
    case 3: return "count(distinct " + v + random_.of<const char*>({".x)", ".v)", ".amt)", ".f)"}) + filter;
    case 4: return "avg(" + field + ")" + filter;
    case 5: return "min(" + field + ")" + filter;
    case 6: return "max(" + field + ")" + filter;
    case 7: return "sum(" + v + ".v + " + v + ".h)" + filter;
    case 8: return "stddev(" + field + ")" + filter;
    case 10: return "first(" + field + (random_.chance(30) ? ", 1)" : ")") + filter;
    case 11: return "last(" + field + (random_.chance(30) ? ", 1)" : ")") + filter;
    default: return "sum(" + field + ")" + filter;
  }
}

std::string ConditionWriter::bound_filter(const std::string& variable) {
  features_.set(kBoundFilter);
  const std::string test = random_.of<const char*>({".flag", ".v >= 2", ".v < 3", ".amt <> 2.50", ".x in @letters", ".f is not null"});
  const std::string filter = variable + test;
  return " filter (where " + (random_.chance(20) ? "not (" + filter + ")" : filter) + ")";
}

std::string ConditionWriter::bound_test(const std::vector<std::string>& variables) {
  const std::string value = bound_value(variables);
  const std::string v = variables[static_cast<size_t>(random_.below(static_cast<int>(variables.size())))];
  switch (random_.below(8)) {
    case 0:
      features_.set(kBoundValue);
      return "at - " + v + ".at < " + random_.of<const char*>({"1 second", "2 seconds", "5 seconds", "8 seconds"});
    case 1: return value + " is not null";
    case 2: return "coalesce(" + value + ", 0) <= " + random_.of<const char*>({"1", "3", "9"});
    case 3: return "(" + value + " is null or " + number_field() + " >= " + value + ")";
    case 4:
      features_.set(kBoundValue);
      return std::string("x ") + random_.of<const char*>({"<>", ">=", "<="}) + " " + v + ".x";
    case 5: return value + random_.of<const char*>({" >= ", " > ", " <> "}) + random_.of<const char*>({"0", "1", "2", "3"});
    default: return number_field() + random_.of<const char*>({" >= ", " <= ", " <> ", " <= 2 * "}) + value;
  }
}

std::string ConditionWriter::window_value() {
  std::string call;
  const char* const span = random_.of<const char*>({"1 second", "2 seconds", "3 seconds", "5 seconds", "500 ms", "10 seconds"});
  std::string over = std::string("last ") + span;
  const int kind = random_.below(10);
  if (kind < 6) features_.set(kWindow);
  if (kind == 6 || kind == 7) {
    features_.set(kRows);
    over = "last " + std::string(random_.of<const char*>({"1", "2", "3"})) + " rows";
  }
  if (kind > 7) {
    features_.set(kAll);
    over = "all";
  }
  switch (random_.below(kind > 7 ? 8 : 11)) {
    case 0:
    case 1: call = "count(*)"; break;
    case 2: call = "count(" + number_field() + ")"; break;
    case 3: call = "sum(" + number_field() + ")"; break;
    case 4: call = "avg(" + number_field() + ")"; break;
    case 5: call = "max(" + number_field() + ")"; break;
    case 6:
      features_.set(kFirstLast);
      call = "first(" + number_field() + ")";
      break;
    case 7:
      features_.set(kFirstLast);
      call = "last(" + number_field() + ")";
      break;
    case 8: call = "min(" + number_field() + ")"; break;
    default: call = std::string("count(distinct ") + random_.of<const char*>({"x", "v", "amt", "f"}) + ")";
  }
  if (random_.chance(35)) {
    features_.set(kWindowFilter);
    call += " filter (where " + event_test() + ")";
  }
  std::string on;
  if (words_.inputs.size() > 1) on = "on " + words_.inputs[static_cast<size_t>(random_.below(words_.window_inputs))] + " ";
  const bool exclude = words_.excludes && random_.chance(35);
  if (exclude) features_.set(kExclude);
  return call + " over (" + on + over + (exclude ? " exclude current)" : ")");
}

std::string ConditionWriter::window_test() {
  const std::string value = window_value();
  switch (random_.below(5)) {
    case 0: return value + " is not null";
    case 1: return number_field() + random_.of<const char*>({" >= ", " <= ", " <> "}) + value;
    case 2: return "coalesce(" + value + ", 0) <= " + random_.of<const char*>({"1", "2", "5"});
    default: return value + random_.of<const char*>({" >= ", " > ", " <> "}) + random_.of<const char*>({"0", "1", "2"});
  }
}

std::string ConditionWriter::prev_test() {
  features_.set(kPrev);
  const std::string field = number_field();
  const std::string prev = "prev(" + field + (random_.chance(35) ? ", 2)" : ")");
  switch (random_.below(4)) {
    case 0: return prev + " is null";
    case 1: return "coalesce(" + prev + ", 0) <= " + field;
    case 2: return "at - prev(at) <= " + std::string(random_.of<const char*>({"1 second", "2 seconds"}));
    default: return field + random_.of<const char*>({" >= ", " <> "}) + prev;
  }
}

std::string ConditionWriter::letter_test(char letter, int kind) {
  const std::string fits = std::string("x like '%") + letter + "%'";
  if (kind < 64) return fits;
  if (kind < 68) return fits + " and " + event_test();
  if (kind < 73) return "(" + fits + " or " + event_test() + ")";
  return fits + " and not (" + event_test() + ")";
}

std::string ConditionWriter::letter_test(char letter) { return letter_test(letter, random_.below(75)); }

std::string ConditionWriter::variable_test(char letter, const std::vector<std::string>& variables) {
  const std::string fits = std::string("x like '%") + letter + "%'";
  const int kind = random_.below(100);
  if (kind < 75) return letter_test(letter, kind);
  if (kind < 81) return fits + " and " + window_test();
  if (kind < 84) return fits + " and " + prev_test();
  if (variables.empty()) return fits;
  if (kind < 96) return fits + " and " + bound_test(variables);
  return fits + " and (" + bound_test(variables) + " or " + event_test() + ")";
}

}  // namespace compare
