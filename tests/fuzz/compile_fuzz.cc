// Checker, lints, lowering and compiler: no text crashes them; what is refused has an error; the canonical text of what compiles compiles
// again, to the same program.
#include "patterns/compile.h"
#include "tests/fuzz/fuzz.h"

namespace {

constexpr const char* kStreams =
    "create stream e (x text, v int, p int, g text, amount decimal(12,2), f float, flag bool, ip ip, at timestamp not null)"
    " event time at delay 0 seconds;"
    "create stream u (x text, v int, g text not null, since duration, at timestamp not null) event time at delay 10 seconds;"
    "create list l of text; create list pairs of (text, int);";

patterns::Catalog streams() {
  patterns::Catalog catalog;
  patterns::SourceMap sources;
  patterns::Diagnostics diagnostics;
  const patterns::FileId file = sources.add("streams", kStreams);
  fuzz::check(patterns::compile_file(sources, file, catalog, diagnostics).has_value(), "the streams do not compile");
  return catalog;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size > 2048) return 0;
  static const patterns::Catalog kCatalog = streams();
  patterns::SourceMap sources;
  patterns::Diagnostics diagnostics;
  patterns::Catalog catalog = kCatalog;
  const auto made = patterns::compile_file(sources, sources.add("f", std::string(fuzz::text_of(data, size))), catalog, diagnostics);
  if (!diagnostics.empty()) patterns::to_json(sources, diagnostics.in_order_of_arrival().front());
  fuzz::check(made.has_value() == (diagnostics.errors() == 0), "refused without an error, or accepted with one", sources.text(0));
  if (!made) return 0;
  for (const patterns::CompiledRule& rule : made->rules) {
    patterns::Catalog again = catalog;                // its streams may have been declared by the text itself
    patterns::SourceMap texts;
    patterns::Diagnostics none;
    const auto twin = patterns::compile_file(texts, texts.add("f", rule.text), again, none);
    fuzz::check(twin && twin->rules.size() == 1, "the canonical text does not compile", rule.text);
    const cep::Program& program = *twin->rules[0].program;
    const uint64_t planted = fuzz::kPlanted && program.suppress_us > cep::kHour ? 1 : 0;
    fuzz::check(program.fingerprint == rule.program->fingerprint + planted, "the canonical text is another rule", rule.text);
    fuzz::check(program.matching_fingerprint == rule.program->matching_fingerprint, "the canonical text matches otherwise", rule.text);
    fuzz::check(program.dump == rule.program->dump, "the canonical text has another automaton", rule.text);
  }
  return 0;
}
