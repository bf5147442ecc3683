// Makes a case that differs small: events and parts of the rule go as long as the two sides still differ.
// Invariant: what is returned differs. Threads: one owner.
#pragma once

#include "tests/compare/runner.h"

namespace compare {

Case shrink(Runner& runner, Case one);

}  // namespace compare
