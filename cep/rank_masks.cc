#include "cep/rank_masks.h"

#include <algorithm>
#include <memory>

namespace cep {
namespace {

using Kind = ColumnTest::Kind;

bool is_leaf(Kind kind) {
  return kind == Kind::kIsNull || kind == Kind::kNumberRange || kind == Kind::kNumberIn || kind == Kind::kTextIn;
}

bool is_conjunction(const ColumnTest& test) {
  const auto fits = [](const ColumnTest& part) { return part.kind == Kind::kNever || is_leaf(part.kind); };
  if (test.kind != Kind::kAnd) return fits(test);
  return std::all_of(test.children.begin(), test.children.end(), fits);
}

void insert_once(std::vector<int64_t>& sorted, int64_t bound) {
  const auto at = std::lower_bound(sorted.begin(), sorted.end(), bound);
  if (at == sorted.end() || *at != bound) sorted.insert(at, bound);
}

}  // namespace

RankMasks::TextSlot::TextSlot(const ColumnTest::Text& text) : hash(text.hash), size(static_cast<uint32_t>(text.bytes.size())) {
  for (size_t i = 0; i < std::min<size_t>(size, kHeadBytes); ++i) {
    reinterpret_cast<char*>(head)[i] = text.bytes[i];
    reinterpret_cast<uint8_t*>(mask)[i] = 0xff;
  }
  if (size > kHeadBytes) rest = text.bytes.substr(kHeadBytes);
}

RankMasks::Column& RankMasks::column(uint16_t number) {
  for (Column& known : columns_) {
    if (known.number == number) return known;
  }
  columns_.emplace_back();
  columns_.back().number = number;
  return columns_.back();
}

bool RankMasks::add(uint32_t predicate, const ColumnTest& test) {
  if (!is_conjunction(test)) return false;
  size_t constants = 0;
  for (const Column& known : columns_) constants += known.ranks();
  if (constants * (predicate + 64) / 8 > kBytesMax) return false;
  taken_.push_back(predicate);
  const auto take = [&](const ColumnTest& leaf) {
    if (leaf.kind == Kind::kNever) {
      never_.push_back(predicate);
      return;
    }
    Column& asked = column(leaf.column);
    asked.tests.push_back({predicate, leaf});
    add_constants(asked, leaf);
  };
  if (test.kind != Kind::kAnd) {
    take(test);
  } else {
    for (const ColumnTest& leaf : test.children) take(leaf);
  }
  return true;
}

void RankMasks::add_constants(Column& column, const ColumnTest& leaf) {
  const auto add_range = [&](int64_t low, int64_t high) {
    if (low > high) return;
    if (low > INT64_MIN) insert_once(column.bounds, low);
    if (high < INT64_MAX) insert_once(column.bounds, high + 1);
  };
  if (leaf.kind == Kind::kNumberRange) add_range(leaf.low, leaf.high);
  for (const int64_t number : leaf.numbers) add_range(number, number);
  for (const ColumnTest::Text& text : leaf.texts) {
    const bool is_known = std::any_of(column.texts.begin(), column.texts.end(), [&](const ColumnTest::Text& known) {
      return known.hash == text.hash && known.bytes == text.bytes;
    });
    if (!is_known) column.texts.push_back(text);
  }
}

// What the leaf says of every value of that rank: one of them stands for all.
bool RankMasks::is_true(const Column& column, const ColumnTest& leaf, uint32_t rank) {
  if (leaf.kind == Kind::kIsNull) return (rank == kNullRank) != leaf.negated;
  if (rank == kNullRank) return false;
  bool found = false;
  if (leaf.kind == Kind::kTextIn) {
    found = rank > kOtherRank && std::any_of(leaf.texts.begin(), leaf.texts.end(), [&](const ColumnTest::Text& text) {
      const ColumnTest::Text& value = column.texts[rank - kOtherRank - 1];
      return text.hash == value.hash && text.bytes == value.bytes;
    });
  } else {
    const int64_t value = rank == kOtherRank ? INT64_MIN : column.bounds[rank - kOtherRank - 1];
    found = leaf.kind == Kind::kNumberRange ? leaf.low <= value && value <= leaf.high
                                            : std::binary_search(leaf.numbers.begin(), leaf.numbers.end(), value);
  }
  return found != leaf.negated;
}

void RankMasks::build_masks(Column& column) const {
  column.masks.assign(size_t{column.ranks()} * words_, ~uint64_t{0});
  for (const Test& test : column.tests) {
    for (uint32_t rank = 0; rank < column.ranks(); ++rank) {
      if (is_true(column, test.leaf, rank)) continue;
      column.masks[size_t{rank} * words_ + test.predicate / 64] &= ~(uint64_t{1} << (test.predicate % 64));
    }
  }
}

void RankMasks::build_slots(Column& column) {
  for (const ColumnTest::Text& text : column.texts) column.slots.emplace_back(text);
  size_t size = 64;
  while (size < column.texts.size() * 16) size *= 2;
  column.index.assign(size, 0);
  for (uint32_t i = 0; i < column.texts.size(); ++i) {
    size_t at = static_cast<size_t>(column.texts[i].hash) & (size - 1);
    while (column.index[at] != 0) at = (at + 1) & (size - 1);
    column.index[at] = i + 1;
  }
  size = 1;
  while (size <= column.bounds.size()) size *= 2;
  column.search = column.bounds;
  column.search.resize(size - 1, INT64_MAX);
}

void RankMasks::finish(uint32_t words_per_row) {
  words_ = words_per_row;
  all_.assign(words_, 0);
  for (const uint32_t predicate : taken_) all_[predicate / 64] |= uint64_t{1} << (predicate % 64);
  for (const uint32_t predicate : never_) all_[predicate / 64] &= ~(uint64_t{1} << (predicate % 64));
  for (Column& column : columns_) {
    build_masks(column);
    build_slots(column);
    column.tests.clear();
    column.tests.shrink_to_fit();
  }
}

void RankMasks::rank_numbers(const Column& column, const BatchColumn& values, uint32_t rows, uint32_t* ranks) {
  const int64_t* const value = values.fixed.data();
  const uint8_t* const is_null = values.is_null.data();
  constexpr size_t kCountMax = 8;       // so few are counted faster than searched
  const auto greatest = static_cast<uint32_t>(column.bounds.size());
  if (greatest <= kCountMax) {
    std::fill_n(ranks, rows, kOtherRank);
    for (const int64_t bound : column.bounds) {
      for (uint32_t r = 0; r < rows; ++r) ranks[r] += value[r] >= bound ? 1 : 0;
    }
  } else {
    const size_t half = (column.search.size() + 1) / 2;
    for (uint32_t r = 0; r < rows; ++r) {        // as many steps for every value, and no branch on it
      const int64_t* first = column.search.data();
      for (size_t step = half; step > 0; step /= 2) first += step * static_cast<size_t>(first[step - 1] <= value[r]);
      ranks[r] = kOtherRank + std::min(static_cast<uint32_t>(first - column.search.data()), greatest);
    }
  }
  for (uint32_t r = 0; r < rows; ++r) ranks[r] = is_null[r] != 0 ? kNullRank : ranks[r];
}

// First by hash alone and without a branch: most texts are none of the constants, and nothing foretells which is one. The bytes of the
// others, which may not be in cache, are never read.
void RankMasks::rank_texts(const Column& column, const Batch& batch, uint32_t* candidates, uint32_t* ranks) {
  const BatchColumn& values = batch.columns[column.number];
  const size_t mask = column.index.size() - 1;
  const int64_t* const hash = values.fixed.data();
  const uint8_t* const is_null = values.is_null.data();
  size_t found = 0;
  for (uint32_t r = 0; r < batch.rows(); ++r) {
    ranks[r] = is_null[r] != 0 ? kNullRank : kOtherRank;
    candidates[found] = r;
    found += static_cast<size_t>(column.index[static_cast<size_t>(hash[r]) & mask] != 0) & static_cast<size_t>(is_null[r] == 0);
  }
  for (size_t c = 0; c < found; ++c) {
    const uint32_t r = candidates[c];
    size_t at = static_cast<size_t>(hash[r]) & mask;
    for (uint32_t number = column.index[at]; number != 0; number = column.index[at]) {
      const TextSlot& slot = column.slots[number - 1];
      if (slot.hash == hash[r] && slot.equals(batch.arena.data() + values.offset[r], values.length[r])) {
        ranks[r] = kOtherRank + number;
        break;
      }
      at = (at + 1) & mask;
    }
  }
}

void RankMasks::evaluate(const Batch& batch, uint64_t* words) const {
  const uint32_t rows = batch.rows();
  if (words_ == 1) std::fill_n(words, rows, all_.front());
  else for (uint32_t r = 0; r < rows; ++r) std::copy(all_.begin(), all_.end(), words + size_t{r} * words_);
  const auto scratch = std::make_unique_for_overwrite<uint32_t[]>(size_t{rows} * 2);
  uint32_t* const ranks = scratch.get();
  for (const Column& column : columns_) {
    if (column.number >= batch.columns.size()) {  // the batch is of an older schema: all null
      std::fill_n(ranks, rows, kNullRank);
    } else if (column.texts.empty()) {
      rank_numbers(column, batch.columns[column.number], rows, ranks);
    } else {
      rank_texts(column, batch, ranks + rows, ranks);
    }
    const uint64_t* const masks = column.masks.data();
    if (words_ == 1) {
      for (uint32_t r = 0; r < rows; ++r) words[r] &= masks[ranks[r]];
      continue;
    }
    for (uint32_t r = 0; r < rows; ++r) {
      uint64_t* const row = words + size_t{r} * words_;
      const uint64_t* const mask = masks + size_t{ranks[r]} * words_;
      for (uint32_t w = 0; w < words_; ++w) row[w] &= mask[w];
    }
  }
}

}  // namespace cep
