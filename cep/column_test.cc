#include "cep/column_test.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>

#include "cep/arithmetic.h"

namespace cep {
namespace {

using Kind = ColumnTest::Kind;

constexpr double kInfinity = std::numeric_limits<double>::infinity();

ColumnTest constant_test(bool truth) {
  ColumnTest test;
  test.kind = truth ? Kind::kAlways : Kind::kNever;
  return test;
}

ColumnTest leaf(Kind kind, uint16_t column, bool negated) {
  ColumnTest test;
  test.kind = kind;
  test.column = column;
  test.negated = negated;
  return test;
}

// --- making: columns and constants ---

// What the 64-bit integer of a column stands for.
Value fixed_value(const Type& type, Int128 n) {
  switch (type.kind) {
    case TypeKind::kBool: return Value::boolean(n != 0);
    case TypeKind::kDecimal: return Value::decimal(n, type.scale);
    case TypeKind::kTimestamp: return Value::timestamp(static_cast<TimeUs>(n));
    case TypeKind::kDuration: return Value::duration(static_cast<DurationUs>(n));
    default: return Value::integer(n);
  }
}

bool is_fixed(TypeKind kind) {
  return kind == TypeKind::kBool || kind == TypeKind::kInt || kind == TypeKind::kDecimal ||
         kind == TypeKind::kTimestamp || kind == TypeKind::kDuration;
}

// Where a constant lies among a column's integers: the greatest that is not above it, one less than the least int64 if
// none is.
struct Place {
  Int128 floor;
  bool exact;
};

Place place_of(const Type& type, const Value& constant) {
  Int128 below = Int128{INT64_MIN} - 1;
  Int128 above = Int128{INT64_MAX} + 1;
  if (type.kind == TypeKind::kBool) {  // a bool has two values, and false < true
    below = -1;
    above = 2;
  }
  while (above - below > 1) {
    const Int128 middle = below + (above - below) / 2;
    (compare(fixed_value(type, middle), constant) <= 0 ? below : above) = middle;
  }
  const bool none = type.kind == TypeKind::kBool ? below < 0 : below < INT64_MIN;
  return {below, !none && compare(fixed_value(type, below), constant) == 0};
}

// Of > and >=.
Int128 least_at(const Place& place, ExprOp op) {
  return place.exact && op == ExprOp::kGreaterEqual ? place.floor : place.floor + 1;
}

ColumnTest range_test(uint16_t column, bool negated, Int128 low, Int128 high) {
  ColumnTest test = leaf(Kind::kNumberRange, column, negated);
  if (low > high || low > INT64_MAX || high < INT64_MIN) {
    test.low = 1;  // empty: low > high
    test.high = 0;
    return test;
  }
  test.low = low < INT64_MIN ? INT64_MIN : static_cast<int64_t>(low);
  test.high = high > INT64_MAX ? INT64_MAX : static_cast<int64_t>(high);
  return test;
}

ColumnTest fixed_comparison(uint16_t column, const Type& type, ExprOp op, const Value& constant) {
  const Place place = place_of(type, constant);
  const Int128 least = INT64_MIN;
  const Int128 greatest = INT64_MAX;
  switch (op) {
    case ExprOp::kLess: return range_test(column, false, least, place.exact ? place.floor - 1 : place.floor);
    case ExprOp::kLessEqual: return range_test(column, false, least, place.floor);
    case ExprOp::kGreater:
    case ExprOp::kGreaterEqual: return range_test(column, false, least_at(place, op), greatest);
    default:  // = and <>: nothing equals a constant between two integers
      return range_test(column, op == ExprOp::kNotEqual, place.exact ? place.floor : 1, place.exact ? place.floor : 0);
  }
}

ColumnTest float_comparison(uint16_t column, ExprOp op, const Value& constant) {
  // The doubles next to the constant on either side; one double if it is one.
  const double nearest = to_double(constant);
  const int order = compare(Value::floating(nearest), constant);
  const double at_most = order <= 0 ? nearest : std::nextafter(nearest, -kInfinity);
  const double at_least = order >= 0 ? nearest : std::nextafter(nearest, kInfinity);
  const bool negated = op == ExprOp::kNotEqual;
  ColumnTest test = leaf(Kind::kFloatRange, column, negated);
  test.float_low = -kInfinity;
  test.float_high = kInfinity;
  switch (op) {
    case ExprOp::kLess: test.float_high = order == 0 ? std::nextafter(nearest, -kInfinity) : at_most; break;
    case ExprOp::kLessEqual: test.float_high = at_most; break;
    case ExprOp::kGreater: test.float_low = order == 0 ? std::nextafter(nearest, kInfinity) : at_least; break;
    case ExprOp::kGreaterEqual: test.float_low = at_least; break;
    default:
      test.float_low = at_least;  // above at_most unless the constant is a double: empty
      test.float_high = at_most;
  }
  return test;
}

ColumnTest::Text text_of(const Value& v) {
  return {static_cast<int64_t>(hash_bytes(v.text_data, v.text_size)), std::string(v.text())};
}

// --- making: expressions ---

ExprOp opposite(ExprOp op) {
  switch (op) {
    case ExprOp::kEqual: return ExprOp::kNotEqual;
    case ExprOp::kNotEqual: return ExprOp::kEqual;
    case ExprOp::kLess: return ExprOp::kGreaterEqual;
    case ExprOp::kLessEqual: return ExprOp::kGreater;
    case ExprOp::kGreater: return ExprOp::kLessEqual;
    default: return ExprOp::kLess;
  }
}

ExprOp mirrored(ExprOp op) {
  switch (op) {
    case ExprOp::kLess: return ExprOp::kGreater;
    case ExprOp::kLessEqual: return ExprOp::kGreaterEqual;
    case ExprOp::kGreater: return ExprOp::kLess;
    case ExprOp::kGreaterEqual: return ExprOp::kLessEqual;
    default: return op;
  }
}

class Maker {
 public:
  Maker(const ExprPool& pool, const StreamSchema& schema) : pool_(pool), schema_(schema) {}

  // The test that is true where the expression is true, or where it is false if `negated`.
  ColumnTest make(ExprId id, bool negated) const {
    const Expr& e = node(id);
    switch (e.op) {
      case ExprOp::kConstant: {
        const Value v = constant(id);
        return constant_test(!v.is_null() && v.is_true() != negated);
      }
      case ExprOp::kField:
        if (type_of(id).kind != TypeKind::kBool) break;
        return range_test(column(id), false, negated ? 0 : 1, negated ? 0 : 1);
      case ExprOp::kNot: return make(e.a, !negated);
      case ExprOp::kAnd:
      case ExprOp::kOr: return combine((e.op == ExprOp::kAnd) != negated ? Kind::kAnd : Kind::kOr, id, negated);
      case ExprOp::kIsNull:
        if (node(e.a).op != ExprOp::kField) break;
        return leaf(Kind::kIsNull, column(e.a), has_flag(e) != negated);
      case ExprOp::kEqual:
      case ExprOp::kNotEqual:
      case ExprOp::kLess:
      case ExprOp::kLessEqual:
      case ExprOp::kGreater:
      case ExprOp::kGreaterEqual:
        if (const auto test = comparison(e, negated)) return *test;
        break;
      case ExprOp::kIn:
        if (const auto test = membership(e, has_flag(e) != negated)) return *test;
        break;
      default: break;
    }
    ColumnTest test = leaf(Kind::kByRow, 0, negated);
    test.expr = id;
    return test;
  }

 private:
  const Expr& node(ExprId id) const { return pool_.nodes[static_cast<size_t>(id)]; }
  static bool has_flag(const Expr& e) { return (e.flags & Expr::kNegated) != 0; }
  Value constant(ExprId id) const { return pool_.constants[static_cast<size_t>(node(id).a)].view(); }
  uint16_t column(ExprId field) const { return static_cast<uint16_t>(node(field).a); }
  const Type& type_of(ExprId field) const {
    WEIR_CHECK(column(field) < schema_.columns.size(), "a predicate names a column that its stream does not have");
    return schema_.columns[column(field)].type;
  }

  ColumnTest combine(Kind kind, ExprId id, bool negated) const {
    ColumnTest test;
    test.kind = kind;
    for (const ExprId child : {node(id).a, node(id).b}) {
      ColumnTest made = make(child, negated);
      if (made.kind == kind) {
        for (ColumnTest& inner : made.children) add_child(test, std::move(inner));
      } else {
        add_child(test, std::move(made));
      }
    }
    return test;
  }

  // Tests on columns come before those by row, so that they leave fewer rows to the interpreter.
  static void add_child(ColumnTest& parent, ColumnTest child) {
    auto at = parent.children.end();
    if (!child.has_rows()) at = std::find_if(parent.children.begin(), at, [](const auto& c) { return c.has_rows(); });
    parent.children.insert(at, std::move(child));
  }

  // Empty: no fast way.
  std::optional<ColumnTest> comparison(const Expr& e, bool negated) const {
    ExprId field = e.a;
    ExprId other = e.b;
    ExprOp op = negated ? opposite(e.op) : e.op;
    if (node(field).op == ExprOp::kConstant) {
      std::swap(field, other);
      op = mirrored(op);
    }
    if (node(field).op != ExprOp::kField || node(other).op != ExprOp::kConstant) return std::nullopt;
    const Value value = constant(other);
    if (value.is_null()) return constant_test(false);
    const Type& type = type_of(field);
    if (is_fixed(type.kind)) return fixed_comparison(column(field), type, op, value);
    if (type.kind == TypeKind::kFloat) return float_comparison(column(field), op, value);
    if (type.kind != TypeKind::kText || (op != ExprOp::kEqual && op != ExprOp::kNotEqual)) return std::nullopt;
    ColumnTest test = leaf(Kind::kTextIn, column(field), op == ExprOp::kNotEqual);
    test.texts.push_back(text_of(value));
    return test;
  }

  std::optional<ColumnTest> membership(const Expr& e, bool negated) const {
    if (node(e.a).op != ExprOp::kField) return std::nullopt;
    const Type& type = type_of(e.a);
    if (!is_fixed(type.kind) && type.kind != TypeKind::kText) return std::nullopt;
    ColumnTest test = leaf(type.kind == TypeKind::kText ? Kind::kTextIn : Kind::kNumberIn, column(e.a), negated);
    for (uint32_t i = 0; i < e.args_count; ++i) {
      const ExprId id = pool_.args[e.args_first + i];
      if (node(id).op != ExprOp::kConstant) return std::nullopt;
      const Value value = constant(id);
      if (value.is_null()) {
        if (negated) return constant_test(false);  // x not in (.., null) is never true
      } else if (test.kind == Kind::kTextIn) {
        test.texts.push_back(text_of(value));
      } else if (const Place place = place_of(type, value); place.exact) {
        test.numbers.push_back(static_cast<int64_t>(place.floor));
      }
    }
    std::sort(test.numbers.begin(), test.numbers.end());
    std::sort(test.texts.begin(), test.texts.end(), [](const auto& a, const auto& b) { return a.hash < b.hash; });
    return test;
  }

  const ExprPool& pool_;
  const StreamSchema& schema_;
};

// --- running ---

bool text_is_in(const std::vector<ColumnTest::Text>& texts, int64_t hash, std::string_view bytes) {
  auto at = std::lower_bound(texts.begin(), texts.end(), hash, [](const auto& t, int64_t h) { return t.hash < h; });
  for (; at != texts.end() && at->hash == hash; ++at) {
    if (at->bytes == bytes) return true;
  }
  return false;
}

// bits &= not null and (is_true(row) != negated)
template <class IsTrue>
void mask_rows(const BatchColumn& column, bool negated, uint32_t rows, uint8_t* bits, IsTrue is_true) {
  const uint8_t* is_null = column.is_null.data();
  const uint8_t flip = negated;
  for (uint32_t r = 0; r < rows; ++r) {
    bits[r] &= static_cast<uint8_t>((static_cast<uint8_t>(is_true(r)) ^ flip) & (is_null[r] ^ 1));
  }
}

void apply_texts(const ColumnTest& test, const Batch& batch, const BatchColumn& c, uint8_t* bits) {
  if (test.texts.size() != 1) {
    mask_rows(c, test.negated, batch.rows(), bits,
              [&](uint32_t r) { return text_is_in(test.texts, c.fixed[r], batch.text(r, test.column)); });
    return;
  }
  const int64_t* x = c.fixed.data();
  const int64_t hash = test.texts[0].hash;
  const std::string_view bytes = test.texts[0].bytes;
  mask_rows(c, test.negated, batch.rows(), bits,
            [&, x, hash, bytes](uint32_t r) { return x[r] == hash && batch.text(r, test.column) == bytes; });
}

void apply_leaf(const ColumnTest& test, const Batch& batch, uint8_t* bits) {
  const uint32_t rows = batch.rows();
  const bool missing = test.column >= batch.columns.size();  // the batch is of an older schema: all null
  if (test.kind == Kind::kIsNull) {
    if (missing && !test.negated) return;
    for (uint32_t r = 0; r < rows; ++r) {
      bits[r] &= static_cast<uint8_t>(missing ? 0 : batch.columns[test.column].is_null[r] ^ uint8_t{test.negated});
    }
    return;
  }
  if (missing) {
    std::fill_n(bits, rows, uint8_t{0});
    return;
  }
  const BatchColumn& c = batch.columns[test.column];
  switch (test.kind) {
    case Kind::kNumberRange: {
      const int64_t* x = c.fixed.data();
      mask_rows(c, test.negated, rows, bits, [x, low = test.low, high = test.high](uint32_t r) {
        return static_cast<uint8_t>(x[r] >= low) & static_cast<uint8_t>(x[r] <= high);
      });
      break;
    }
    case Kind::kNumberIn:
      mask_rows(c, test.negated, rows, bits,
                [&](uint32_t r) { return std::binary_search(test.numbers.begin(), test.numbers.end(), c.fixed[r]); });
      break;
    case Kind::kFloatRange: {
      const double* x = c.real.data();
      mask_rows(c, test.negated, rows, bits, [x, low = test.float_low, high = test.float_high](uint32_t r) {
        return static_cast<uint8_t>(x[r] >= low) & static_cast<uint8_t>(x[r] <= high);
      });
      break;
    }
    default: apply_texts(test, batch, c, bits);
  }
}

void apply_by_row(const ColumnTest& test, const ExprPool& pool, const Batch& batch, EvalContext& context,
                  uint8_t* bits) {
  for (uint32_t r = 0; r < batch.rows(); ++r) {
    if (!bits[r]) continue;
    context.event = row_of(batch, r);
    const Value v = evaluate(pool, test.expr, context);
    bits[r] = !v.is_null() && v.is_true() != test.negated;
    context.texts->clear();
  }
}

void apply_or(const ColumnTest& test, const ExprPool& pool, const Batch& batch, EvalContext& context, uint8_t* bits) {
  const uint32_t rows = batch.rows();
  std::vector<uint8_t> open(bits, bits + rows);  // rows of which nothing was true yet
  std::vector<uint8_t> found(rows);
  for (const ColumnTest& child : test.children) {
    std::copy(open.begin(), open.end(), found.begin());
    apply_column_test(child, pool, batch, context, found.data());
    for (uint32_t r = 0; r < rows; ++r) open[r] &= static_cast<uint8_t>(found[r] ^ 1);
  }
  for (uint32_t r = 0; r < rows; ++r) bits[r] &= static_cast<uint8_t>(open[r] ^ 1);
}

}  // namespace

bool ColumnTest::has_rows() const {
  return kind == Kind::kByRow ||
         std::any_of(children.begin(), children.end(), [](const auto& c) { return c.has_rows(); });
}

Int128 least_of(const Type& type, ExprOp op, const Value& constant) { return least_at(place_of(type, constant), op); }

ColumnTest make_column_test(const ExprPool& pool, ExprId expr, const StreamSchema& schema) {
  return Maker(pool, schema).make(expr, false);
}

void apply_column_test(const ColumnTest& test, const ExprPool& pool, const Batch& batch, EvalContext& context,
                       uint8_t* bits) {
  switch (test.kind) {
    case Kind::kNever: std::fill_n(bits, batch.rows(), uint8_t{0}); return;
    case Kind::kAlways: return;
    case Kind::kAnd:
      for (const ColumnTest& child : test.children) apply_column_test(child, pool, batch, context, bits);
      return;
    case Kind::kOr: apply_or(test, pool, batch, context, bits); return;
    case Kind::kByRow: apply_by_row(test, pool, batch, context, bits); return;
    default: apply_leaf(test, batch, bits);
  }
}

}  // namespace cep
