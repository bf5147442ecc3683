#include "patterns/checker_alert.h"

#include <algorithm>

namespace patterns {
namespace {

const std::vector<std::string> kSeverities = {"info", "low", "medium", "high", "critical"};
const std::vector<std::string> kDecisions = {"allow", "review", "challenge", "block"};

class AlertChecker {
 public:
  AlertChecker(const SourceMap& sources, const Scope& match, ExprChecker& expressions, Diagnostics& diagnostics,
               CheckedRule& out)
      : sources_(sources), match_(match), expressions_(expressions), diagnostics_(diagnostics), out_(out) {}

  void run(const AlertClause& alert) {
    if (alert.severity) out_.severity = static_cast<cep::Severity>(word(*alert.severity, kSeverities, "severity", 2));
    if (alert.decision)
      out_.decision = static_cast<cep::Decision>(word(*alert.decision, kDecisions, "decision", -1) + 1);
    if (alert.score) {
      out_.score = expressions_.check(*alert.score, match_);
      if (!out_.score->type.fits_number()) {
        diagnostics_.add(Code::kArgumentType, alert.score->span, {"score", "a number", describe(out_.score->type)});
      }
    }
    if (alert.message) message(alert.message->span);
    if (out_.names.catalog->sinks) sinks(alert, *out_.names.catalog->sinks);
  }

 private:
  int word(const Name& name, const std::vector<std::string>& words, std::string_view what, int otherwise) {
    for (size_t i = 0; i < words.size(); ++i) {
      if (words[i] == name.text) return static_cast<int>(i);
    }
    Diagnostic& it = diagnostics_.add(Code::kUnknownWord, name.span, {name.text, what});
    it.hint = did_you_mean(name.text, words);
    if (it.hint.empty()) {
      it.hint = "one of";
      for (const std::string& known : words) it.hint += " " + known;
    }
    return otherwise;
  }

  void sinks(const AlertClause& alert, const std::vector<std::string>& known) {
    for (const Name& sink : alert.sinks) {
      if (std::find(known.begin(), known.end(), sink.text) != known.end()) continue;
      Diagnostic& it = diagnostics_.add(Code::kUnknownSink, sink.span, {sink.text});
      it.hint = did_you_mean(sink.text, known);
      if (!it.hint.empty()) continue;
      it.hint = "make it first, in the configuration or with `PUT /v1/sinks/" + sink.text + "`";
      for (size_t i = 0; i < known.size(); ++i) it.hint += (i == 0 ? "; there are `" : ", `") + known[i] + "`";
    }
  }

  // Reads the literal as it stands in the text, so that a mistake is marked under its own name.
  void message(const Span& span) {
    const std::string_view raw = sources_.text(span);
    std::string literal;
    size_t at = 1;
    while (at + 1 < raw.size()) {
      const char c = raw[at];
      const bool doubled = at + 2 < raw.size() && raw[at + 1] == c;
      if (c == '\'' || ((c == '{' || c == '}') && doubled)) {
        literal += c;
        at += 2;
      } else if (c == '{') {
        const size_t close = raw.find('}', at);
        if (close == std::string_view::npos || close + 1 >= raw.size()) {
          diagnostics_.add(Code::kBadPlaceholder, part(span, at, at + 1)).hint = "a brace of the text is written `{{`";
          return;
        }
        out_.message.literals.push_back(std::move(literal));
        literal.clear();
        out_.message.values.push_back(
            placeholder({std::string(raw.substr(at + 1, close - at - 1)), part(span, at + 1, close)}));
        at = close + 1;
      } else {
        literal += c;
        ++at;
      }
    }
    out_.message.literals.push_back(std::move(literal));
  }

  static Span part(const Span& span, size_t begin, size_t end) {
    return {span.file, span.begin + static_cast<uint32_t>(begin), span.begin + static_cast<uint32_t>(end)};
  }

  // Measures, then key columns, then fields of the last event.
  TypedPtr placeholder(Name name) {
    for (const CheckedMeasure& measure : out_.measures) {
      if (measure.name == name.text) return measure.expr;
    }
    if (TypedPtr key = expressions_.key_part(name, match_)) return key;
    if (!is_field_somewhere(name.text)) {
      unknown(name);
      return std::make_shared<Typed>();
    }
    Expr field;
    field.kind = ExprKind::kName;
    field.span = name.span;
    field.name = std::move(name);
    return expressions_.check(field, match_);
  }

  bool is_field_somewhere(const std::string& name) const {
    return std::any_of(match_.bare.begin(), match_.bare.end(), [&](uint16_t input) {
      const cep::SchemaPtr& schema = out_.names.inputs[input].schema;
      return schema && schema->column_index(name) >= 0;
    });
  }

  void unknown(const Name& name) {
    std::vector<std::string> names;
    for (const CheckedMeasure& measure : out_.measures) names.push_back(measure.name);
    for (const ScopeKey& key : out_.names.key) names.push_back(key.name);
    for (const uint16_t input : match_.bare) {
      const cep::SchemaPtr& schema = out_.names.inputs[input].schema;
      if (!schema) return;  // an unknown stream may have it
      for (const cep::Column& column : schema->columns) names.push_back(column.name);
    }
    if (match_.bare.empty() || out_.names.key_unsure) return;
    diagnostics_.add(Code::kUnknownPlaceholder, name.span, {name.text}).hint = did_you_mean(name.text, names);
  }

  const SourceMap& sources_;
  const Scope& match_;
  ExprChecker& expressions_;
  Diagnostics& diagnostics_;
  CheckedRule& out_;
};

}  // namespace

void check_alert(const AlertClause& alert, const SourceMap& sources, const Scope& match, ExprChecker& expressions,
                 Diagnostics& diagnostics, CheckedRule& out) {
  AlertChecker(sources, match, expressions, diagnostics, out).run(alert);
}

}  // namespace patterns
