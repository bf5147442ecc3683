// Random conditions and values over an event, bound events and windows, as text. They hold often enough for matches to exist.
// Threads: one owner.
#pragma once

#include <string>
#include <vector>

#include "tests/compare/generator.h"

namespace compare {

struct Vocabulary {
  std::vector<std::string> inputs;     // by name; one: need not be named
  int window_inputs = 1;               // the first so many are looked at by windows
  bool excludes = true;                // windows may leave out the current event
};

class ConditionWriter {
 public:
  ConditionWriter(Random& random, FeatureSet& features, const Vocabulary& words) : random_(random), features_(features), words_(words) {}

  std::string event_test();                                            // of the event alone
  std::string bound_test(const std::vector<std::string>& variables);   // compares something of bound events
  std::string window_test();
  std::string prev_test();
  std::string bound_value(const std::vector<std::string>& variables);
  std::string window_value();
  std::string letter_test(char letter);                                // the same, of events with that letter
  // For a variable that should fit events with `letter`: mostly a test of the letter and something else.
  std::string variable_test(char letter, const std::vector<std::string>& variables);

 private:
  std::string number_field() { return random_.of<const char*>({"v", "v", "amt", "f", "h"}); }
  std::string letter_test(char letter, int kind);
  std::string number();
  std::string constant();
  std::string list_test();
  std::string bound_filter(const std::string& variable);
  std::string look_up();
  std::string arithmetic_test();

  Random& random_;
  FeatureSet& features_;
  const Vocabulary& words_;
};

}  // namespace compare
