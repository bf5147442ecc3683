// Printer: names, values, expressions and patterns, each on one line.
#include <algorithm>
#include <cctype>

#include "patterns/lexer.h"
#include "patterns/printer.h"

namespace patterns {

namespace {

// How tightly an expression holds together, the levels of the grammar.
enum Level { kOr = 1, kAnd, kNot, kPredicate, kConcat, kSum, kProduct, kSign, kPrimary };

Level level_of(const Expr& it) {
  switch (it.kind) {
    case ExprKind::kIn:
    case ExprKind::kInList:
    case ExprKind::kBetween:
    case ExprKind::kLike:
    case ExprKind::kMatches:
    case ExprKind::kIsNull: return kPredicate;
    case ExprKind::kUnary: return it.op == Op::kNot ? kNot : kSign;
    case ExprKind::kBinary: break;
    default: return kPrimary;
  }
  switch (it.op) {
    case Op::kOr: return kOr;
    case Op::kAnd: return kAnd;
    case Op::kConcat: return kConcat;
    case Op::kAdd:
    case Op::kSub: return kSum;
    case Op::kMul:
    case Op::kDiv:
    case Op::kMod: return kProduct;
    default: return kPredicate;
  }
}

std::string_view sign_of(Op op) {
  constexpr std::string_view kSigns[] = {
      "or", "and", "not ", "=", "<>", "<", "<=", ">", ">=", "||", "+", "-", "*", "/", "%", "-", "+"};
  return kSigns[static_cast<size_t>(op)];
}

std::string quoted(std::string_view text, char quote) {
  std::string out(1, quote);
  for (const char c : text) {
    out += c;
    if (c == quote) out += c;
  }
  return out + quote;
}

// A word that the grammar gives a meaning where an expression or a call begins.
std::string print_leading_name(std::string_view name, bool call) {
  const bool special = same_word(name, "distinct") || (call && same_word(name, "cast"));
  return special ? quoted(name, '"') : print_name(name);
}

std::string operand(const Expr& it, Level least) {
  const std::string text = print(it);
  return level_of(it) < least ? "(" + text + ")" : text;
}

template <class List, class Print>
std::string joined(const List& list, std::string_view between, Print&& one) {
  std::string out;
  bool first = true;
  for (const auto& it : list) {
    if (!first) out += between;
    out += one(it);
    first = false;
  }
  return out;
}

std::string list_of(const std::vector<ExprPtr>& args, size_t from) {
  std::string out;
  for (size_t i = from; i < args.size(); ++i) out += (i > from ? ", " : "") + print(*args[i]);
  return out;
}

std::string print_binary(const Expr& it) {
  const Level level = level_of(it);
  Level left = level;
  auto right = static_cast<Level>(level + 1);
  if (level == kPredicate) left = kConcat;
  if (level == kOr) left = right = kNot;
  const Expr& first = *it.args[0];
  const bool chain = level == kOr && first.kind == ExprKind::kBinary && first.op == Op::kOr;
  const std::string head = chain ? print(first) : operand(first, left);
  return head + " " + std::string(sign_of(it.op)) + " " + operand(*it.args[1], right);
}

std::string print_predicate(const Expr& it) {
  const std::string head = operand(*it.args[0], kConcat);
  const std::string no = it.negated ? " not" : "";
  switch (it.kind) {
    case ExprKind::kIn: return head + no + " in (" + list_of(it.args, 1) + ")";
    case ExprKind::kInList: return head + no + " in @" + print_name(it.name.text);
    case ExprKind::kBetween:
      return head + no + " between " + operand(*it.args[1], kConcat) + " and " + operand(*it.args[2], kConcat);
    case ExprKind::kLike: return head + no + " like " + operand(*it.args[1], kConcat);
    case ExprKind::kMatches: return head + no + " matches " + print_string(it.text);
    default: return head + " is" + no + " null";
  }
}

std::string print_case(const Expr& it) {
  std::string out = "case";
  if (it.operand) out += " " + print(*it.operand);
  for (const CaseArm& arm : it.arms) out += " when " + print(*arm.when) + " then " + print(*arm.then);
  if (it.otherwise) out += " else " + print(*it.otherwise);
  return out + " end";
}

std::string print_over(const Over& it) {
  std::string out;
  if (it.input) out += "on " + print_name(it.input->text) + " ";
  if (!it.partition.empty()) {
    out += "partition by " +
           joined(it.partition, ", ",
                  [](const WindowKey& key) {
                    return print_name(key.field.text) + (key.value ? " = " + operand(*key.value, kConcat) : "");
                  }) +
           " ";
  }
  if (it.kind == OverKind::kLast) out += "last " + print(it.last);
  if (it.kind == OverKind::kRows) out += "last " + std::to_string(it.rows) + " rows";
  if (it.kind == OverKind::kAll) out += "all";
  return "over (" + out + (it.exclude_current ? " exclude current)" : ")");
}

std::string print_call(const Expr& it) {
  std::string out = print_leading_name(it.name.text, true) + "(";
  if (it.distinct) out += "distinct ";
  out += it.star ? "*)" : list_of(it.args, 0) + ")";
  if (it.filter) out += " filter (where " + print(*it.filter) + ")";
  if (it.over) out += " " + print_over(*it.over);
  return out;
}

std::string print_unary(const Expr& it) {
  const Expr& inner = *it.args[0];
  if (it.op == Op::kNot) return "not " + operand(inner, kNot);
  const bool sign = level_of(inner) == kSign;  // two signs in a row would begin a comment
  return std::string(sign_of(it.op)) + operand(inner, sign ? kPrimary : kSign);
}

std::string print_gap(const Gap& it) {
  return "[" + (it.at_least ? print(*it.at_least) + ", " : "") + print(it.less_than) + "]";
}

std::string print_quantifier(const Quantifier& it) {
  if (!it.max) return it.min == 0 ? "*" : it.min == 1 ? "+" : "{" + std::to_string(it.min) + ",}";
  if (it.min == 0 && *it.max == 1) return "?";
  if (it.min == *it.max) return "{" + std::to_string(it.min) + "}";
  return "{" + (it.min == 0 ? "" : std::to_string(it.min)) + "," + std::to_string(*it.max) + "}";
}

std::string print_item(const Item& it) {
  std::string out;
  const auto name = [](const Name& one) { return print_name(one.text); };
  if (it.kind == ItemKind::kVariable) out = print_name(it.name.text);
  if (it.kind == ItemKind::kNot) {
    const std::string names = joined(it.names, " | ", name);
    out = "not " + (it.names.size() > 1 ? "(" + names + ")" : names);
    if (it.absence_for) out += " for " + print(*it.absence_for);
  }
  if (it.kind == ItemKind::kGroup) {
    out = "(" + print(*it.group) + (it.within ? " within " + print(*it.within) : "") + ")";
  }
  if (it.kind == ItemKind::kPermute) out = "permute(" + joined(it.members, ", ", print_item) + ")";
  if (it.quantifier) out += print_quantifier(*it.quantifier);
  if (it.mode != LoopMode::kRelaxed) out += it.mode == LoopMode::kStrict ? " strict" : " any";
  if (it.greedy) out += " greedy";
  if (it.loop_gap) out += " " + print_gap(*it.loop_gap);
  if (it.until) out += " until (" + print(*it.until) + ")";
  return out;
}

std::string print_sequence(const Sequence& it) {
  std::string out;
  for (const Item& item : it.items) {
    if (item.link == Link::kNext) out += ", ";
    if (item.link == Link::kSkip) out += " -> ";
    if (item.link == Link::kAny) out += " ->> ";
    if (item.gap) out += print_gap(*item.gap) + " ";
    out += print_item(item);
  }
  return out;
}

}  // namespace

std::string print_name(std::string_view name) {
  const auto part = [](char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_'; };
  const bool plain =
      !name.empty() && std::all_of(name.begin(), name.end(), part) && !(name[0] >= '0' && name[0] <= '9');
  return plain && !is_reserved(name) ? std::string(name) : quoted(name, '"');
}

std::string print_string(std::string_view text) { return quoted(text, '\''); }

std::string print(const Duration& it) {
  constexpr std::string_view kUnits[] = {"ms", "second", "minute", "hour", "day", "week"};
  const std::string unit(kUnits[static_cast<size_t>(it.unit)]);
  return it.amount + " " + unit + (it.unit == Unit::kMillisecond || it.amount == "1" ? "" : "s");
}

std::string print(const Alternation& pattern) { return joined(pattern.branches, " | ", print_sequence); }

std::string print(const Expr& it) {
  switch (it.kind) {
    case ExprKind::kError: return "<error>";
    case ExprKind::kNull: return "null";
    case ExprKind::kBool: return it.flag ? "true" : "false";
    case ExprKind::kNumber: return it.text;
    case ExprKind::kText: return print_string(it.text);
    case ExprKind::kDuration: return print(it.duration);
    case ExprKind::kTimestamp: return "timestamp " + (it.flag ? it.text : print_string(it.text));
    case ExprKind::kName:
      if (it.qualifier) return print_name(it.qualifier->text) + "." + print_name(it.name.text);
      return print_leading_name(it.name.text, false);
    case ExprKind::kCall: return print_call(it);
    case ExprKind::kCase: return print_case(it);
    case ExprKind::kCast: return "cast(" + print(*it.args[0]) + " as " + cep::type_name(it.type.type) + ")";
    case ExprKind::kTuple: return "(" + list_of(it.args, 0) + ")";
    case ExprKind::kUnary: return print_unary(it);
    case ExprKind::kBinary: return print_binary(it);
    case ExprKind::kLookup:
      return "@" + print_name(it.qualifier->text) + "[" + list_of(it.args, 0) + "]." + print_name(it.name.text);
    default: return print_predicate(it);
  }
}

}  // namespace patterns
