#include "patterns/checker_key.h"

#include <algorithm>

namespace patterns {
namespace {

class KeyChecker {
 public:
  KeyChecker(const RuleDecl& rule, ExprChecker& expressions, Diagnostics& diagnostics, CheckedRule& out)
      : rule_(rule),
        expressions_(expressions),
        diagnostics_(diagnostics),
        out_(out),
        columns_(out.names.inputs.size()) {}

  void run() {
    const size_t errors_before = diagnostics_.errors();
    for (const KeyPart& part : rule_.partition) add(part);
    out_.key.resize(columns_.size());
    for (size_t i = 0; i < columns_.size(); ++i) {
      for (const Column& column : columns_[i]) out_.key[i].push_back(column.expr);
    }
    const bool unread = std::any_of(rule_.partition.begin(), rule_.partition.end(),
                                    [](const KeyPart& part) { return part.expr->kind == ExprKind::kError; });
    const bool read = diagnostics_.errors() == errors_before && !unread && same_count();
    if (read) name_columns();
    out_.names.key_unsure = !read;
  }

 private:
  struct Column {
    const KeyPart* part = nullptr;
    TypedPtr expr;
  };

  void add(const KeyPart& part) {
    const Expr& expr = *part.expr;
    if (expr.kind == ExprKind::kError) return;
    const bool everywhere = expr.kind == ExprKind::kName && !expr.qualifier;
    if (everywhere || columns_.size() == 1) {
      for (size_t i = 0; i < columns_.size(); ++i) add_for(part, static_cast<uint16_t>(i));
      return;
    }
    if (const std::optional<uint16_t> input = input_of(expr)) {
      add_for(part, *input);
    } else if (!reported_) {
      diagnostics_.add(Code::kKeyForm, expr.span, {"a call without an input"}).hint =
          "with several inputs a computed key names the input of its fields";
    }
    reported_ = false;
  }

  // The input that the part names; reports one that is not there.
  std::optional<uint16_t> input_of(const Expr& expr) {
    if (expr.qualifier) {
      const int input = out_.names.find_input(expr.qualifier->text);
      if (input >= 0) return static_cast<uint16_t>(input);
      diagnostics_.add(Code::kUnknownInput, expr.qualifier->span, {expr.qualifier->text}).hint =
          did_you_mean(expr.qualifier->text, out_.names.input_names());
      reported_ = true;
      return std::nullopt;
    }
    std::optional<uint16_t> found;
    for_each_part(expr, [&](const Expr& part) {
      if (!found && !reported_) found = input_of(part);
    });
    return found;
  }

  void add_for(const KeyPart& part, uint16_t input) {
    Scope scope;
    scope.names = &out_.names;
    const bool bare = part.expr->kind == ExprKind::kName && !part.expr->qualifier;
    scope.place = bare ? Place::kFilter : Place::kKey;
    scope.bare = {input};
    TypedPtr expr = expressions_.check(*part.expr, scope);
    if (!can_be_key(expr->type)) {
      diagnostics_.add(Code::kKeyForm, part.expr->span, {"a value of type " + describe(expr->type)}).hint =
          "a key is text, int, decimal, ip or bool";
    }
    refuse_look_ups(*expr, part.expr->span);
    columns_[input].push_back({&part, std::move(expr)});
  }

  // What is edited while events wait cannot say whose they are.
  void refuse_look_ups(const Typed& expr, const Span& at) {
    bool found = false;
    walk(expr, [&](const Typed& node) { found = found || node.op == cep::ExprOp::kInList || node.op == cep::ExprOp::kLookUp; });
    if (!found) return;
    diagnostics_.add(Code::kKeyForm, at, {"what is looked up in a list or table"}).hint =
        "have the sender put it into the event, or ask in a condition";
  }

  bool same_count() {
    for (size_t i = 0; i < columns_.size(); ++i) {
      if (columns_[i].size() == columns_[0].size()) continue;
      const size_t fewer = columns_[i].size() < columns_[0].size() ? i : 0;
      diagnostics_.add(Code::kKeyCount, *rule_.clause(ClauseKind::kPartition)).hint =
          "`" + out_.names.inputs[fewer].name + "` has " + std::to_string(columns_[fewer].size()) + " of " +
          std::to_string(std::max(columns_[i].size(), columns_[0].size()));
      return false;
    }
    return true;
  }

  void name_columns() {
    if (columns_.empty()) return;
    for (size_t c = 0; c < columns_[0].size(); ++c) {
      const KeyPart& first = *columns_[0][c].part;
      std::string name = first.expr->name.text;
      Span span = first.span;
      for (const std::vector<Column>& columns : columns_) {
        if (!columns[c].part->alias) continue;
        name = columns[c].part->alias->text;
        span = columns[c].part->alias->span;
        break;
      }
      const ExprType type = columns_[0][c].expr->type;
      for (const std::vector<Column>& columns : columns_) {
        const ExprType& other = columns[c].expr->type;
        if (type.kind != ExprType::Kind::kKnown || other.kind != ExprType::Kind::kKnown) continue;
        if (same_values(type.type, other.type)) continue;
        diagnostics_.add(Code::kKeyType, columns[c].part->span, {name, describe(type), describe(other)});
        break;
      }
      const bool taken = std::any_of(out_.names.key.begin(), out_.names.key.end(),
                                     [&](const ScopeKey& known) { return known.name == name; });
      if (taken) diagnostics_.add(Code::kDuplicateName, span, {name, "a key column"}).hint = "name one with `as`";
      out_.names.key.push_back({std::move(name), type});
    }
  }

  const RuleDecl& rule_;
  ExprChecker& expressions_;
  Diagnostics& diagnostics_;
  CheckedRule& out_;
  std::vector<std::vector<Column>> columns_;  // by input
  bool reported_ = false;
};

}  // namespace

void check_key(const RuleDecl& rule, ExprChecker& expressions, Diagnostics& diagnostics, CheckedRule& out) {
  KeyChecker(rule, expressions, diagnostics, out).run();
}

}  // namespace patterns
