// Values of a program's windows for the key and event under test, computed when a condition asks. One thread.
#pragma once

#include "cep/expr.h"

namespace cep {

class WindowReader {
 public:
  virtual ~WindowReader() = default;
  // Value of Program::windows[window] as of the event under test, which is already in its ring (R48). A window by another key asks the
  // event under test for it; one that scans asks it, and what is bound, for each entry.
  virtual Value value(uint16_t window, const EvalContext& asked) = 0;
  // Since when Program::windows[window] has seen everything, if it has not seen all of its span before `time` (R75); else kTimeMin.
  virtual TimeUs partial_since(uint16_t window, TimeUs time) const = 0;
};

}  // namespace cep
