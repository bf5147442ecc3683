// Aggregates over the events bound by a run, and the exact sums behind sum, avg and stddev (R42, R46, R47).
// A result depends only on the set of values: ints, decimals and durations sum exactly in 128 bits, floats as whole
// multiples of 1e-9. O(bound events) each time a condition asks.
#pragma once

#include <optional>
#include <vector>

#include "cep/expr.h"
#include "cep/program.h"

namespace cep {

// Floats are summed as whole multiples of 10^-9.
inline constexpr uint8_t kFloatSumScale = 9;
// The double in units of 1e-9, rounded half away from zero; empty if it is not below 2^126 units.
std::optional<Int128> to_billionths(double d);

struct ExactSums {
  uint64_t count = 0;
  Int128 sum = 0;
  Int128 sum_squares = 0;
  bool sum_lost = false;  // beyond 128 bits
  bool squares_lost = false;

  void add(Int128 n);
  // Numbers were added at `scale`. Null without values; null and counted if the sums were lost or do not fit the type.
  Value sum_as(const Type& type, int scale, EvalCounters& counters) const;
  Value avg_as(const Type& type, int scale, EvalCounters& counters) const;  // float, or duration
  Value stddev(int scale, EvalCounters& counters) const;                    // sample; null below 2 values
};

// Collects one aggregate's argument from event to event, for any kind; first and last are of the order in which they are added.
class ValueCollector {
 public:
  explicit ValueCollector(AggregateKind kind) : kind_(kind) {}
  void add(const Value& v);
  Value result(const Type& type, EvalCounters& counters);

 private:
  void add_number(const Value& v);
  Int128 distinct();

  AggregateKind kind_;
  uint64_t count_ = 0;
  bool seen_ = false;
  ExactSums sums_;
  int scale_ = 0;
  Value kept_;
  std::vector<Value> all_;
};

// Value of Program::aggregates[index] over `context.bound`, as `type`.
Value bound_aggregate(const ExprPool& pool, uint16_t index, const Type& type, EvalContext& context);

}  // namespace cep
