// Alerts of the engine and of the reference as lines of one form: "+60s key c1 measure 3 probe@0 cashout@3 suppressed 1". What is behind
// an @ is the event's position; numbers are written by their value, whatever their type. Threads: pure functions.
#pragma once

#include <string>

#include "cep/alert.h"
#include "tests/support/reference_matcher.h"

namespace compare {

std::string engine_line(const cep::Alert& alert, cep::TimeUs clock_us);
std::string reference_line(const support::ReferenceAlert& alert, cep::TimeUs clock_us);

}  // namespace compare
