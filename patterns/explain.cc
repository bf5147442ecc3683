#include "patterns/explain.h"

#include "patterns/printer.h"

namespace patterns {
namespace {

std::string_view symbol(cep::Link link) {
  switch (link) {
    case cep::Link::kStrict: return ",";
    case cep::Link::kRelaxed: return "->";
    case cep::Link::kAny: return "->>";
  }
  return "?";
}

class Dump {
 public:
  explicit Dump(const cep::Program& program) : program_(program) {}

  std::string run() {
    text_ = program_.is_when ? "when\n" : "pattern\n";
    inputs();
    for (const cep::Variable& known : program_.variables) {
      if (known.members == 0) variable(known);
    }
    for (size_t s = 0; s < program_.states.size(); ++s) state(s);
    for (const cep::HeadNot& head : program_.head_nots) head_not(head);
    for (size_t g = 0; g < program_.clocks.size(); ++g) {
      line("clock " + std::to_string(g) + ": " + duration_text(program_.clocks[g].within_us));
    }
    for (const cep::Ring& ring : program_.rings) line("ring " + ring.identity + " for " + duration_text(ring.span_us));
    for (const cep::Window& window : program_.windows) line("window " + window.text);
    if (program_.within_us != cep::kTimeMax) line("within " + duration_text(program_.within_us));
    if (program_.having != cep::kNoExpr) line("having " + expr_text(program_, program_.having, last_schema()));
    if (!program_.is_when) line(skip());
    if (program_.quiet_us != 0) line("emit episode after quiet " + duration_text(program_.quiet_us));
    if (!program_.into.empty()) line("into " + print_name(program_.into));
    return std::move(text_);
  }

  std::string condition(const cep::Variable& variable, size_t input) const {
    const cep::Condition& asked = variable.conditions[input];
    if (asked.predicate == cep::kNever) return "never";
    std::string text;
    if (asked.predicate >= 0) text = program_.predicates[static_cast<size_t>(asked.predicate)].text;
    if (asked.residual != cep::kNoExpr) {
      text += (text.empty() ? "" : "; ") + expr_text(program_, asked.residual, program_.inputs[input].schema.get());
    }
    return text.empty() ? "any" : text;
  }

  std::string edge(const cep::Edge& e) const {
    std::string text;
    if (e.kind == cep::EdgeKind::kTake) {
      text = std::string(symbol(e.link)) + " " + std::to_string(e.target) + " " +
             print_name(program_.variables[program_.states[e.target].variable].name);
    } else {
      text = e.kind == cep::EdgeKind::kAbsence ? "absent" : "absent next";
      if (e.for_us != cep::kTimeMax) text += " for " + duration_text(e.for_us);
    }
    if (e.gap_min_us != 0 || e.gap_max_us != cep::kTimeMax) text += " " + gap(e);
    for (const cep::Guard& guard : e.guards) text += " unless " + guard_text(guard);
    for (const uint8_t until : e.ended_by) text += " ended by " + std::to_string(until);
    for (const uint16_t until : e.entry_untils) text += " not entered at " + program_.variables[until].name;
    for (const uint16_t head : e.head_nots) text += " unless before it " + head_not_text(program_.head_nots[head]);
    text += clocks(" starts clock ", e.clock_starts) + clocks(" in clock ", e.clock_checks);
    return text;
  }

 private:
  void line(const std::string& text) { text_ += text + "\n"; }

  // Bare fields of `having` are of the last bound event: of one stream, or they are written by stream.
  const cep::StreamSchema* last_schema() const {
    for (const cep::State& state : program_.states) {
      bool ends = state.accepting;
      for (const cep::Edge& e : state.edges) ends = ends || e.kind != cep::EdgeKind::kTake;
      if (!ends) continue;
      const std::vector<cep::Condition>& conditions = program_.variables[state.variable].conditions;
      for (size_t i = 0; i < conditions.size(); ++i) {
        if (conditions[i].predicate != cep::kNever) return program_.inputs[i].schema.get();
      }
    }
    return nullptr;
  }

  void inputs() {
    for (size_t i = 0; i < program_.inputs.size(); ++i) {
      const cep::Input& input = program_.inputs[i];
      std::string text = "input " + print_name(input.schema->name);
      if (input.alias != input.schema->name) text += " as " + print_name(input.alias);
      if (input.filter >= 0) text += " where " + program_.predicates[static_cast<size_t>(input.filter)].text;
      for (size_t k = 0; k < input.key.size(); ++k) {
        text += (k == 0 ? " key " : ", ") + expr_text(program_, input.key[k], input.schema.get());
      }
      line(text);
    }
    for (const cep::KeyPart& part : program_.key)
      line("key " + print_name(part.name) + " " + cep::type_name(part.type));
  }

  void variable(const cep::Variable& variable) {
    std::string text = (variable.synthetic ? "" : "variable ") + print_name_or_synthetic(variable) + ":";
    if (variable.negated) text += " not";
    for (size_t i = 0; i < variable.conditions.size(); ++i) {
      if (program_.inputs.size() == 1) {
        text += " " + condition(variable, i);
      } else if (variable.conditions[i].predicate != cep::kNever) {
        text += " " + print_name(program_.inputs[i].alias) + " where " + condition(variable, i) + ";";
      }
    }
    line(text);
  }

  static std::string print_name_or_synthetic(const cep::Variable& variable) {
    return variable.synthetic ? variable.name : print_name(variable.name);
  }

  void state(size_t number) {
    const cep::State& state = program_.states[number];
    std::string text = "state " + std::to_string(number);
    if (state.variable != cep::kNoVariable) text += " " + print_name(program_.variables[state.variable].name);
    if (state.accepting) text += " accepts";
    for (const cep::Until& until : state.untils) text += " " + program_.variables[until.variable].name;
    line(text);
    for (const cep::Edge& e : state.edges) line("  " + edge(e));
  }

  static std::string gap(const cep::Edge& e) {
    std::string text = "[";
    if (e.gap_min_us != 0) text += duration_text(e.gap_min_us) + ", ";
    return text + (e.gap_max_us == cep::kTimeMax ? "..]" : duration_text(e.gap_max_us) + "]");
  }

  std::string guard_text(const cep::Guard& guard) const {
    std::string text = guard.first_only ? "next " : "";
    text += print_name(program_.variables[guard.variable].name);
    if (guard.active_us != cep::kTimeMax) text += " for " + duration_text(guard.active_us);
    if (guard.lifted_by >= 0) text += " lifted by " + std::to_string(guard.lifted_by);
    return text;
  }

  static std::string clocks(const char* what, uint16_t bits) {
    std::string text;
    for (int g = 0; g < 16; ++g) {
      if ((bits >> g & 1) != 0) text += what + std::to_string(g);
    }
    return text;
  }

  void head_not(const cep::HeadNot& head) {
    line("head not " + head_not_text(head));
  }

  std::string head_not_text(const cep::HeadNot& head) const {
    return print_name(program_.variables[head.variable].name) + " for " + duration_text(head.span_us);
  }

  std::string skip() const {
    const std::string variable =
        program_.skip_variable == cep::kNoVariable ? "" : print_name(program_.variables[program_.skip_variable].name);
    switch (program_.skip) {
      case cep::SkipStrategy::kPastLastRow: return "skip past last row";
      case cep::SkipStrategy::kToNextRow: return "skip to next row";
      case cep::SkipStrategy::kToFirst: return "skip to first " + variable;
      case cep::SkipStrategy::kToLast: return "skip to last " + variable;
      case cep::SkipStrategy::kNoSkip: return "no skip";
    }
    return "?";
  }

  const cep::Program& program_;
  std::string text_;
};

std::string dot_string(const std::string& text) {
  std::string quoted = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') quoted += '\\';
    quoted += c;
  }
  return quoted + "\"";
}

}  // namespace

std::string dump_text(const cep::Program& program) { return Dump(program).run(); }

std::string compile_dot(const cep::Program& program) {
  const Dump dump(program);
  std::string text = "digraph " + dot_string(program.rule) + " {\n  rankdir=LR;\n  node [shape=circle];\n";
  for (size_t s = 0; s < program.states.size(); ++s) {
    const cep::State& state = program.states[s];
    const std::string label =
        state.variable == cep::kNoVariable ? "start" : std::to_string(s) + " " + program.variables[state.variable].name;
    text += "  s" + std::to_string(s) + " [label=" + dot_string(label) +
            (state.accepting ? ", shape=doublecircle" : "") + "];\n";
    for (size_t i = 0; i < state.edges.size(); ++i) {
      const cep::Edge& e = state.edges[i];
      std::string target = "s" + std::to_string(e.target);
      if (e.kind != cep::EdgeKind::kTake) {
        target = "absent" + std::to_string(s) + "_" + std::to_string(i);
        text += "  " + target + " [label=\"\", shape=doublecircle];\n";
      }
      text += "  s" + std::to_string(s) + " -> " + target + " [label=" + dot_string(dump.edge(e)) + "];\n";
    }
  }
  for (const cep::Variable& variable : program.variables) {
    for (size_t i = 0; i < variable.conditions.size(); ++i) {
      if (variable.conditions[i].predicate == cep::kNever) continue;
      text += "  // " + variable.name + " on " + program.inputs[i].alias + ": " + dump.condition(variable, i) + "\n";
    }
  }
  return text + "}\n";
}

}  // namespace patterns
