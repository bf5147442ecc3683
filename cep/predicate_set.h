// The distinct predicates of one stream in one rule set, evaluated once per batch into row-major words.
// Bit p of row r is words[r * words_per_row + p / 64] >> (p % 64) & 1: true only if the condition is true (not unknown).
// Conjunctions of comparisons with constants are looked up together (rank_masks.h); the rest runs one after the other, column-wise where
// it can and else by row. Immutable after building; evaluation is one thread's, on its own scratch.
#pragma once

#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "cep/batch.h"
#include "cep/column_test.h"
#include "cep/program.h"
#include "cep/rank_masks.h"

namespace cep {

class PredicateSet {
 public:
  explicit PredicateSet(SchemaPtr schema) : schema_(std::move(schema)) {}

  // Number of the predicate, the same for equal texts. The program is kept alive.
  uint32_t add(const ProgramPtr& program, const Predicate& predicate);
  // After the last add, before the first evaluation.
  void finish() { masks_.finish(words_per_row()); }
  uint32_t size() const { return static_cast<uint32_t>(entries_.size()); }
  uint32_t words_per_row() const { return (size() + 63) / 64; }

  // Fills rows * words_per_row words. `datasets` by name: the versions in force.
  void evaluate(const Batch& batch, const Datasets& datasets, EvalCounters& counters,
                std::vector<uint64_t>& words) const;

 private:
  struct Entry {
    ProgramPtr program;
    ColumnTest test;
    bool is_ranked;               // evaluated by masks_
    bool has_rows;                // some part needs the interpreter, and with it the datasets in force
  };
  SchemaPtr schema_;
  std::vector<Entry> entries_;
  RankMasks masks_;
  std::map<std::string, uint32_t> by_text_;
};

}  // namespace cep
