// Printer: statements as lines, and the comments between them.
#include "patterns/printer.h"

#include <algorithm>
#include <map>
#include <set>

namespace patterns {

namespace {

constexpr size_t kColumnsMax = 100;  // a longer condition is broken at its `and`s

template <class List, class Print>
std::string joined(const List& list, Print&& one) {
  std::string out;
  for (const auto& it : list) out += (out.empty() ? "" : ", ") + one(it);
  return out;
}

std::string print_names(const std::vector<Name>& names) {
  const std::string list = joined(names, [](const Name& it) { return print_name(it.text); });
  return names.size() == 1 ? list : "(" + list + ")";
}

// Lines with their indentation; each may have an anchor, the place in the text whose comments come before it.
class Lines {
 public:
  void add(size_t indent, std::string text, std::optional<uint32_t> anchor = {}) {
    lines_.push_back({indent, std::move(text), anchor});
  }
  std::string& last() { return lines_.back().text; }

  std::string text(const std::vector<Comment>& comments) const {
    std::set<uint32_t> anchors;
    for (const Line& it : lines_) {
      if (it.anchor) anchors.insert(*it.anchor);
    }
    std::multimap<uint32_t, const Comment*> before;
    std::string out;
    for (const Comment& it : comments) {
      auto place = anchors.upper_bound(it.span.begin);
      const bool behind = it.trailing || place == anchors.end();
      if (behind && place != anchors.begin()) --place;
      if (place == anchors.end() || (it.trailing && *place > it.span.begin)) {
        out += it.text + "\n";
      } else {
        before.emplace(*place, &it);
      }
    }
    for (const Line& line : lines_) {
      const std::string margin(line.indent, ' ');
      if (line.anchor) {
        const auto [begin, end] = before.equal_range(*line.anchor);
        for (auto it = begin; it != end; ++it) out += margin + it->second->text + "\n";
      }
      out += margin + line.text + "\n";
    }
    return out;
  }

 private:
  struct Line {
    size_t indent;
    std::string text;
    std::optional<uint32_t> anchor;
  };
  std::vector<Line> lines_;
};

void flatten(const Expr& it, Op op, std::vector<const Expr*>& out) {
  if (it.kind != ExprKind::kBinary || it.op != op) {
    out.push_back(&it);
    return;
  }
  flatten(*it.args[0], op, out);
  out.push_back(it.args[1].get());
}

// `prefix` and the condition; if that is too long, one line for each part of its chain of `and` or `or`.
void add_condition(Lines& lines, size_t indent, const std::string& prefix, const Expr& it,
                   std::optional<uint32_t> anchor) {
  std::string whole = prefix + print(it);
  const bool chain = it.kind == ExprKind::kBinary && (it.op == Op::kAnd || it.op == Op::kOr);
  if (!chain || indent + whole.size() <= kColumnsMax) return lines.add(indent, std::move(whole), anchor);
  std::vector<const Expr*> parts;
  flatten(it, it.op, parts);
  const auto part = [&](const Expr& one) {
    const bool mixed = one.kind == ExprKind::kBinary && (one.op == Op::kAnd || one.op == Op::kOr);
    return mixed ? "(" + print(one) + ")" : print(one);
  };
  lines.add(indent, prefix + part(*parts[0]), anchor);
  for (size_t i = 1; i < parts.size(); ++i)
    lines.add(indent + 4, (it.op == Op::kAnd ? "and " : "or ") + part(*parts[i]));
}

std::string print_condition_head(const Condition& it) {
  return it.input ? print_name(it.input->text) + " where " : std::string();
}

void add_columns(Lines& lines, const std::vector<Column>& columns) {
  for (const Column& it : columns) {
    std::string text = print_name(it.name.text) + " " + cep::type_name(it.type.type);
    if (it.not_null) text += " not null";
    if (it.path) text += " path " + print_string(*it.path);
    if (&it != &columns.back()) text += ",";
    lines.add(4, std::move(text), it.span.begin);
  }
}

void add(Lines& lines, const StreamDecl& it) {
  lines.add(0, "create stream " + print_name(it.name.text) + " (");
  add_columns(lines, it.columns);
  std::vector<std::string> options;
  const auto time = [&](const char* word, const std::optional<Duration>& value) {
    if (value) options.push_back(word + print(*value));
  };
  time("delay ", it.delay);
  if (it.watermark_explicit) options.emplace_back("watermark explicit");
  time("idle ", it.idle);
  time("ahead ", it.ahead);
  time("retain ", it.retain);
  if (it.zone) options.push_back("zone " + print_string(*it.zone));
  if (!it.unique.empty()) {
    options.push_back("unique " + print_names(it.unique) +
                      (it.unique_within ? " within " + print(*it.unique_within) : ""));
  }
  if (it.keep_raw) options.emplace_back("keep raw");
  if (it.from_rules) options.emplace_back("from rules");
  const std::string list = joined(options, [](const std::string& option) { return option; });
  lines.add(0, ") event time " + print_name(it.time_field.text) + (list.empty() ? "" : " ") + list);
}

void add(Lines& lines, const ListDecl& it) {
  const std::string types = joined(it.types, [](const TypeRef& type) { return cep::type_name(type.type); });
  lines.add(0, "create list " + print_name(it.name.text) + " of " + (it.types.size() == 1 ? types : "(" + types + ")"));
}

void add(Lines& lines, const TableDecl& it) {
  lines.add(0, "create table " + print_name(it.name.text) + " (");
  add_columns(lines, it.columns);
  lines.add(0, ") key " + print_names(it.key));
}

void add(Lines& lines, const DropDecl& it) {
  constexpr std::string_view kWords[] = {"rule", "stream", "list", "table"};
  lines.add(0, "drop " + std::string(kWords[static_cast<size_t>(it.kind)]) + " " + print_name(it.name.text));
}

std::string print_input(const Input& it) {
  std::string out = print_name(it.stream.text);
  if (it.alias) out += " as " + print_name(it.alias->text);
  return it.where ? out + " where " + print(*it.where) : out;
}

std::string print_part(const KeyPart& it) {
  return print(*it.expr) + (it.alias ? " as " + print_name(it.alias->text) : "");
}

std::string print_after(const AfterMatch& it) {
  const std::string head = "after match ";
  switch (it.kind) {
    case SkipKind::kNoSkip: return head + "no skip";
    case SkipKind::kNextRow: return head + "skip to next row";
    case SkipKind::kFirst: return head + "skip to first " + print_name(it.target.text);
    case SkipKind::kLast: return head + "skip to last " + print_name(it.target.text);
    case SkipKind::kPastLastRow: break;
  }
  return head + "skip past last row";
}

void add_alert(Lines& lines, const AlertClause& it, uint32_t anchor) {
  std::string head = "alert";
  std::vector<std::string> rest;
  if (it.severity) head += " severity " + print_name(it.severity->text);
  if (it.score) head += " score " + print(*it.score);
  if (it.decision) head += " decision " + print_name(it.decision->text);
  if (it.message) rest.push_back("message " + print_string(it.message->text));
  const auto tag = [](const AlertText& one) { return print_string(one.text); };
  if (!it.tags.empty()) rest.push_back("tags " + joined(it.tags, tag));
  const auto sink = [](const Name& one) { return print_name(one.text); };
  if (!it.sinks.empty()) rest.push_back("to " + joined(it.sinks, sink));
  std::string whole = head;
  for (const std::string& option : rest) whole += " " + option;
  if (4 + whole.size() <= kColumnsMax) return lines.add(4, std::move(whole), anchor);
  lines.add(4, std::move(head), anchor);
  for (std::string& option : rest) lines.add(8, std::move(option));
}

// A clause of several elements: one on the keyword's line, more each on its own.
template <class List, class Add>
void add_elements(Lines& lines, const char* word, const List& list, uint32_t anchor, Add&& add_one) {
  const bool one = list.size() == 1;
  if (!one) lines.add(4, word, anchor);
  for (const auto& it : list) {
    add_one(it, one ? 4 : 8, one ? std::string(word) + " " : std::string(), one ? anchor : it.span.begin);
    if (&it != &list.back()) lines.last() += ",";
  }
}

void add_clause(Lines& lines, const RuleDecl& rule, ClauseKind kind, uint32_t anchor) {
  const auto plain = [&](size_t indent, std::string text, uint32_t at) { lines.add(indent, std::move(text), at); };
  switch (kind) {
    case ClauseKind::kOn: return plain(4, "on " + joined(rule.on, print_input), anchor);
    case ClauseKind::kPartition: return plain(4, "partition by " + joined(rule.partition, print_part), anchor);
    case ClauseKind::kWhen:
      return add_condition(lines, 4, "when " + print_condition_head(*rule.when), *rule.when->condition, anchor);
    case ClauseKind::kPattern: {
      const auto& within = rule.pattern->within;
      const std::string text = "pattern " + print(rule.pattern->alternation);
      return plain(4, text + (within ? " within " + print(*within) : ""), anchor);
    }
    case ClauseKind::kSubset:
      return add_elements(lines, "subset", rule.subsets, anchor,
                          [&](const Subset& it, size_t indent, const std::string& prefix, uint32_t at) {
                            const std::string names =
                                joined(it.members, [](const Name& one) { return print_name(one.text); });
                            plain(indent, prefix + print_name(it.name.text) + " = (" + names + ")", at);
                          });
    case ClauseKind::kDefine:
      return add_elements(lines, "define", rule.defines, anchor,
                          [&](const Define& it, size_t indent, const std::string& prefix, uint32_t at) {
                            const std::string head =
                                prefix + print_name(it.variable.text) + " as " + print_condition_head(it.condition);
                            add_condition(lines, indent, head, *it.condition.condition, at);
                          });
    case ClauseKind::kMeasures:
      return add_elements(lines, "measures", rule.measures, anchor,
                          [&](const Measure& it, size_t indent, const std::string& prefix, uint32_t at) {
                            plain(indent, prefix + print(*it.expr) + " as " + print_name(it.name.text), at);
                          });
    case ClauseKind::kHaving: return add_condition(lines, 4, "having ", *rule.having, anchor);
    case ClauseKind::kAfter: return plain(4, print_after(*rule.after), anchor);
    case ClauseKind::kEmit: {
      const auto& quiet = rule.emit->episode_quiet;
      return plain(4, quiet ? "emit episode after quiet " + print(*quiet) : "emit each", anchor);
    }
    case ClauseKind::kSuppress: return plain(4, "suppress " + print(*rule.suppress), anchor);
    case ClauseKind::kInto: return plain(4, "into " + print_name(rule.into->text), anchor);
    case ClauseKind::kAlert: return add_alert(lines, *rule.alert, anchor);
  }
}

// A clause that could not be read is there, but empty.
bool is_filled(const RuleDecl& it, ClauseKind kind) {
  switch (kind) {
    case ClauseKind::kOn: return !it.on.empty();
    case ClauseKind::kPartition: return !it.partition.empty();
    case ClauseKind::kWhen: return it.when.has_value();
    case ClauseKind::kPattern: return it.pattern.has_value();
    case ClauseKind::kSubset: return !it.subsets.empty();
    case ClauseKind::kDefine: return !it.defines.empty();
    case ClauseKind::kMeasures: return !it.measures.empty();
    case ClauseKind::kHaving: return it.having != nullptr;
    case ClauseKind::kAfter: return it.after.has_value();
    case ClauseKind::kEmit: return it.emit.has_value();
    case ClauseKind::kSuppress: return it.suppress.has_value();
    case ClauseKind::kInto: return it.into.has_value();
    case ClauseKind::kAlert: return it.alert.has_value();
  }
  return false;
}

void add(Lines& lines, const RuleDecl& it) {
  lines.add(0, std::string("create ") + (it.shadow ? "shadow " : "") + "rule " + print_name(it.name.text));
  for (size_t i = 0; i < kClauseKinds; ++i) {
    const auto kind = static_cast<ClauseKind>(i);
    if (is_filled(it, kind)) add_clause(lines, it, kind, it.clauses[i] ? it.clauses[i]->begin : 0);
  }
}

std::string print_with(const Statement& statement, const std::vector<Comment>& comments) {
  Lines lines;
  std::visit([&](const auto& body) { add(lines, body); }, statement.body);
  lines.last() += ";";
  return lines.text(comments);
}

}  // namespace

std::string print(const Statement& statement) { return print_with(statement, {}); }

std::string format(const File& file) {
  std::string out;
  for (const Statement& it : file.statements) {
    if (!out.empty()) out += "\n";
    for (const Comment& comment : it.comments) out += comment.text + "\n";
    out += print_with(it, it.inner);
  }
  if (!file.trailing.empty() && !out.empty()) out += "\n";
  for (const Comment& comment : file.trailing) out += comment.text + "\n";
  return out;
}

}  // namespace patterns
