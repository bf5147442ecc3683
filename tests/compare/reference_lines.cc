#include "tests/compare/reference_lines.h"

#include <cstdio>

#include "service/script.h"

namespace compare {
namespace {

// The engine knows the type of an expression, the reference does not.
std::string comparable(const cep::Value& v) {
  if (v.kind == cep::ValueKind::kFloat) {
    char text[32];
    std::snprintf(text, sizeof text, "%.12g", v.real == 0 ? 0.0 : v.real);
    return text;
  }
  std::string text = cep::to_display(v);
  if (v.kind != cep::ValueKind::kDecimal || text.find('.') == std::string::npos) return text;
  while (text.ends_with('0')) text.pop_back();
  if (text.ends_with('.')) text.pop_back();
  return text == "-0" ? "0" : text;
}

class Line {
 public:
  Line(cep::DurationUs offset_us, uint64_t suppressed) : text_(service::print_offset(offset_us)), suppressed_(suppressed) {}
  void key(const cep::Value& v) { text_ += " key " + comparable(v); }
  void measure(const cep::Value& v) { text_ += " measure " + comparable(v); }
  void event(std::string_view variable, uint64_t position) {
    text_ += " " + std::string(variable) + "@" + std::to_string(position);
  }
  std::string finish() && { return suppressed_ == 0 ? text_ : text_ + " suppressed " + std::to_string(suppressed_); }

 private:
  std::string text_;
  uint64_t suppressed_;
};

}  // namespace

std::string engine_line(const cep::Alert& alert, cep::TimeUs clock_us) {
  Line line(alert.time - clock_us, alert.suppressed);
  for (const cep::OwnedValue& v : alert.key) line.key(v.view());
  for (const cep::OwnedValue& v : alert.measures) line.measure(v.view());
  for (const cep::AlertEvent& event : alert.events) {
    const auto* header = reinterpret_cast<const cep::RowHeader*>(event.packed.get());
    line.event(alert.program->variables[event.variable].name, header->position);
  }
  return std::move(line).finish();
}

std::string reference_line(const support::ReferenceAlert& alert, cep::TimeUs clock_us) {
  Line line(alert.time - clock_us, alert.suppressed);
  for (const cep::Value& v : alert.key) line.key(v);
  for (const cep::Value& v : alert.measures) line.measure(v);
  for (const auto& [variable, row] : alert.events) line.event(variable, row->position);
  return std::move(line).finish();
}

}  // namespace compare
