// The lines of a script's expectations: an alert, a refused row or a diagnostic as text, and expected lines in the same form, so that the
// two can be compared. Offsets are spelled as the script first wrote them. Threads: pure functions.
#pragma once

#include <string>
#include <string_view>

#include "cep/alert.h"
#include "patterns/diagnostic.h"
#include "service/script.h"

namespace service {

class ScriptLines {
 public:
  ScriptLines(const Script& script, cep::TimeUs clock_us) : script_(script), clock_us_(clock_us) {}

  // "+60s card_testing card=c1 probes=3 [probe +0s, cashout +60s]"
  std::string alert(const cep::Alert& alert) const;
  std::string rejected(cep::DurationUs offset_us, std::string_view stream, std::string_view code) const;
  std::string late(cep::DurationUs offset_us, std::string_view stream) const;
  // An expected line with single blanks and this script's spelling of offsets.
  std::string normalized(std::string_view line) const;

  std::string offset(cep::DurationUs offset_us) const;

 private:
  const Script& script_;
  cep::TimeUs clock_us_;
};

// "error E0103 3:12", "warning W0212 2:18"
std::string diagnostic_line(const patterns::SourceMap& sources, const patterns::Diagnostic& diagnostic);

}  // namespace service
