// Lexer, parser and printer: no text crashes them or their diagnostics; what parses without an error prints as text that parses to the
// same tree; `weir fmt` leaves alone what it wrote.
#include "patterns/parser.h"
#include "patterns/printer.h"
#include "tests/fuzz/fuzz.h"

namespace {

struct Parsed {
  patterns::SourceMap sources;
  patterns::Diagnostics diagnostics;
  patterns::File file;
  explicit Parsed(std::string text) { file = patterns::parse(sources, sources.add("f", std::move(text)), diagnostics); }
};

std::string statements(const patterns::File& file) {
  std::string text;
  for (const patterns::Statement& statement : file.statements) text += patterns::print(statement) + "\n";
  return text;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size > 4096) return 0;
  Parsed first{std::string(fuzz::text_of(data, size))};
  if (first.diagnostics.errors() > 0) {
    patterns::to_text(first.sources, first.diagnostics.in_order_of_arrival().front());
    return 0;
  }
  std::string once = patterns::format(first.file);
  if (fuzz::kPlanted && !first.file.trailing.empty()) once.pop_back();
  const Parsed second(once);
  fuzz::check(second.diagnostics.errors() == 0, "what was printed does not parse", once);
  fuzz::check(statements(second.file) == statements(first.file), "what was printed parses to another tree", once);
  fuzz::check(patterns::format(second.file) == once, "printing again changes the text", once);
  return 0;
}
