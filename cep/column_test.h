// A condition on one event as tests on whole columns: what PredicateSet runs instead of the interpreter where it can.
// Invariant: bit r is set exactly if `holds` is true of row r. `not` is pushed to the leaves, which three-valued logic
// allows, so a leaf need only say where it is true and `and`, `or` are operations on bits. Constants were brought to
// the column's own integers when the test was made, so `amount < 5.005` on cents is `cents <= 500`, exactly.
// Threads: immutable once made. Complexity: O(rows) a leaf without allocation; an `or` allocates one byte a row.
#pragma once

#include <string>
#include <vector>

#include "cep/batch.h"
#include "cep/expr.h"

namespace cep {

struct ColumnTest {
  enum class Kind : uint8_t {
    kNever,
    kAlways,
    kAnd,
    kOr,  // children
    kIsNull,
    kNumberRange,  // column of 64-bit integers: low <= x <= high
    kNumberIn,     // the same: one of `numbers`, sorted
    kFloatRange,   // float column: float_low <= x <= float_high
    kTextIn,       // one of `texts`
    kByRow,        // `expr` by the interpreter
  };
  struct Text {
    int64_t hash;
    std::string bytes;
  };

  Kind kind = Kind::kNever;
  bool negated = false;  // of a leaf: true where the test is false, never where the column is null
  uint16_t column = 0;
  ExprId expr = kNoExpr;
  int64_t low = 0, high = 0;
  double float_low = 0, float_high = 0;
  std::vector<int64_t> numbers;
  std::vector<Text> texts;
  std::vector<ColumnTest> children;

  bool has_rows() const;  // some part is by row
};

// The least number of a column of that type, as its integers stand for it, for which `column op constant` is true; > and >= only.
Int128 least_of(const Type& type, ExprOp op, const Value& constant);

ColumnTest make_column_test(const ExprPool& pool, ExprId expr, const StreamSchema& schema);

// Clears bits[r] where the test is not true of row r; rows whose bit is already clear are not evaluated. `context`
// serves the parts by row: its event is set here and its texts are cleared after each.
void apply_column_test(const ColumnTest& test, const ExprPool& pool, const Batch& batch, EvalContext& context,
                       uint8_t* bits);

}  // namespace cep
