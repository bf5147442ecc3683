#include "patterns/types.h"

#include <algorithm>

#include "cep/decimal.h"

namespace patterns {
namespace {

using cep::TypeKind;

constexpr int kIntDigits = 19;

int scale_of(const cep::Type& type) { return type.kind == TypeKind::kDecimal ? type.scale : 0; }
int digits_of(const cep::Type& type) { return type.kind == TypeKind::kDecimal ? type.precision : kIntDigits; }

// int and decimal: exact; the scale and the digits before it.
ExprType decimal(int scale, int whole_digits) {
  const int precision = std::min(cep::kDecimalDigitsMax, std::max(1, whole_digits) + scale);
  return ExprType::of(cep::Type{TypeKind::kDecimal, static_cast<uint8_t>(precision), static_cast<uint8_t>(scale)});
}

std::optional<ExprType> number_type(Op op, const cep::Type& a, const cep::Type& b) {
  if (op == Op::kDiv || a.kind == TypeKind::kFloat || b.kind == TypeKind::kFloat) return ExprType::of(TypeKind::kFloat);
  if (a.kind == TypeKind::kInt && b.kind == TypeKind::kInt) return ExprType::of(TypeKind::kInt);
  const int whole_a = digits_of(a) - scale_of(a);
  const int whole_b = digits_of(b) - scale_of(b);
  if (op == Op::kMul) {
    const int scale = scale_of(a) + scale_of(b);
    if (scale > cep::kDecimalDigitsMax) return std::nullopt;
    return decimal(scale, whole_a + whole_b);
  }
  return decimal(std::max(scale_of(a), scale_of(b)), std::max(whole_a, whole_b) + 1);
}

std::optional<ExprType> time_type(Op op, TypeKind a, TypeKind b) {
  const bool sum = op == Op::kAdd || op == Op::kSub;
  const auto number = [](TypeKind kind) { return is_number(kind); };
  if (a == TypeKind::kTimestamp && b == TypeKind::kTimestamp && op == Op::kSub)
    return ExprType::of(TypeKind::kDuration);
  if (a == TypeKind::kTimestamp && b == TypeKind::kDuration && sum) return ExprType::of(TypeKind::kTimestamp);
  if (a == TypeKind::kDuration && b == TypeKind::kTimestamp && op == Op::kAdd)
    return ExprType::of(TypeKind::kTimestamp);
  if (a == TypeKind::kDuration && b == TypeKind::kDuration && sum) return ExprType::of(TypeKind::kDuration);
  if (a == TypeKind::kDuration && b == TypeKind::kDuration && op == Op::kDiv) return ExprType::of(TypeKind::kFloat);
  if (a == TypeKind::kDuration && number(b) && (op == Op::kMul || op == Op::kDiv))
    return ExprType::of(TypeKind::kDuration);
  if (number(a) && b == TypeKind::kDuration && op == Op::kMul) return ExprType::of(TypeKind::kDuration);
  return std::nullopt;
}

}  // namespace

bool is_number(TypeKind kind) {
  return kind == TypeKind::kInt || kind == TypeKind::kFloat || kind == TypeKind::kDecimal;
}
bool is_number(const cep::Type& type) { return is_number(type.kind); }

bool ExprType::fits_number() const { return kind != Kind::kKnown || is_number(type); }

std::string describe(const ExprType& type) {
  switch (type.kind) {
    case ExprType::Kind::kError: return "an unreadable value";
    case ExprType::Kind::kNull: return "null";
    case ExprType::Kind::kKnown: break;
  }
  return cep::type_name(type.type);
}

bool same_values(const cep::Type& a, const cep::Type& b) { return a.kind == b.kind && a.scale == b.scale; }

bool comparable(const ExprType& a, const ExprType& b, bool ordered) {
  const auto has_order = [&](const ExprType& t) {
    return !ordered || t.kind != ExprType::Kind::kKnown ||
           (t.type.kind != TypeKind::kBool && t.type.kind != TypeKind::kIp);
  };
  if (!has_order(a) || !has_order(b)) return false;
  if (a.kind != ExprType::Kind::kKnown || b.kind != ExprType::Kind::kKnown) return true;
  return a.type.kind == b.type.kind || (is_number(a.type) && is_number(b.type));
}

bool can_be_key(const ExprType& type) {
  if (type.kind != ExprType::Kind::kKnown) return !type.is_null();
  switch (type.type.kind) {
    case TypeKind::kText:
    case TypeKind::kInt:
    case TypeKind::kDecimal:
    case TypeKind::kIp:
    case TypeKind::kBool: return true;
    default: return false;
  }
}

std::optional<ExprType> common_type(const ExprType& a, const ExprType& b) {
  if (a.is_error() || b.is_error()) return ExprType::error();
  if (a.is_null()) return b;
  if (b.is_null()) return a;
  if (is_number(a.type) && is_number(b.type)) {
    if (a.type.kind == b.type.kind && a.type.kind != TypeKind::kDecimal) return a;
    if (a.type.kind == TypeKind::kFloat || b.type.kind == TypeKind::kFloat) return ExprType::of(TypeKind::kFloat);
    return decimal(std::max(scale_of(a.type), scale_of(b.type)),
                   std::max(digits_of(a.type) - scale_of(a.type), digits_of(b.type) - scale_of(b.type)));
  }
  if (a.type.kind != b.type.kind) return std::nullopt;
  return a;
}

std::optional<ExprType> arithmetic_type(Op op, const ExprType& a, const ExprType& b) {
  if (a.is_error() || b.is_error()) return ExprType::error();
  const auto computes = [](const ExprType& t) {
    return t.is_null() || is_number(t.type) || t.type.kind == TypeKind::kTimestamp ||
           t.type.kind == TypeKind::kDuration;
  };
  if (!computes(a) || !computes(b)) return std::nullopt;
  if (a.is_null() || b.is_null()) return ExprType::null();
  if (is_number(a.type) && is_number(b.type)) return number_type(op, a.type, b.type);
  return time_type(op, a.type.kind, b.type.kind);
}

std::string_view symbol(Op op) {
  static constexpr std::string_view kSymbols[] = {
      "or", "and", "not", "=", "<>", "<", "<=", ">", ">=", "||", "+", "-", "*", "/", "%", "-", "+"};
  return kSymbols[static_cast<size_t>(op)];
}

}  // namespace patterns
