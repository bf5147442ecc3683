#include "cep/predicate_set.h"

#include <algorithm>

namespace cep {

uint32_t PredicateSet::add(const ProgramPtr& program, const Predicate& predicate) {
  const auto [at, is_new] = by_text_.try_emplace(predicate.text, size());
  if (is_new) {
    ColumnTest test = make_column_test(program->pool, predicate.expr, *schema_);
    const bool is_ranked = masks_.add(size(), test);
    const bool has_rows = test.has_rows();
    entries_.push_back({program, std::move(test), is_ranked, has_rows});
  }
  return at->second;
}

void PredicateSet::evaluate(const Batch& batch, const Datasets& datasets, EvalCounters& counters,
                            std::vector<uint64_t>& words) const {
  const uint32_t rows = batch.rows();
  const uint32_t stride = words_per_row();
  words.resize(size_t{rows} * stride);
  masks_.evaluate(batch, words.data());
  std::vector<uint8_t> bits(rows);
  std::vector<DatasetPtr> versions;
  TextArena texts;
  EvalContext context;
  context.texts = &texts;
  context.counters = &counters;
  for (uint32_t p = 0; p < size(); ++p) {
    const Entry& entry = entries_[p];
    if (entry.is_ranked) continue;
    if (entry.has_rows) {
      versions.clear();
      for (const std::string& name : entry.program->datasets) {
        const auto found = datasets.find(name);
        versions.push_back(found != datasets.end() ? found->second : nullptr);
      }
      context.datasets = versions;
    }
    std::fill(bits.begin(), bits.end(), uint8_t{1});
    apply_column_test(entry.test, entry.program->pool, batch, context, bits.data());
    uint64_t* word = words.data() + p / 64;
    for (uint32_t r = 0; r < rows; ++r, word += stride) *word |= uint64_t{bits[r]} << (p % 64);
  }
}

}  // namespace cep
