// Conjunctions of comparisons of columns with constants, those of all rules of a stream at once: what PredicateSet
// runs instead of one ColumnTest after the other where it can.
//
// The constants of all rules cut a column into classes of values that no test tells apart: the gaps between numbers,
// single texts, null. A class has a mask with a bit for each predicate whose tests on this column are true in it. A
// row's bits are the AND of one mask a column, so a row costs a lookup a column and not a test a predicate.
// Invariant: the bits are those of the ColumnTests. Threads: immutable after finish().
// Complexity: O(columns * (log constants + words)) a row; memory constants * predicates / 8, at most kBytesMax.
#pragma once

#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

#include "cep/batch.h"
#include "cep/column_test.h"

namespace cep {

class RankMasks {
 public:
  // Takes over the predicate of that number; false if it is no such conjunction, or the masks would become too large.
  bool add(uint32_t predicate, const ColumnTest& test);
  // No predicate comes any more: rows have so many words.
  void finish(uint32_t words_per_row);
  // Sets the bits of the predicates taken over, and clears all others.
  void evaluate(const Batch& batch, uint64_t* words) const;

 private:
  static constexpr size_t kBytesMax = 32u << 20;
  static constexpr uint32_t kNullRank = 0;
  static constexpr uint32_t kOtherRank = 1;  // texts: none of the constants; numbers: below the first bound

  struct Test {
    uint32_t predicate;
    ColumnTest leaf;
  };
  // A constant of a text column. Most are short: the first bytes are compared as two words, whose masks say how many count.
  struct TextSlot {
    static constexpr size_t kHeadBytes = 16;
    int64_t hash = 0;
    uint32_t size = 0;
    uint64_t head[2] = {};
    uint64_t mask[2] = {};
    std::string rest;

    explicit TextSlot(const ColumnTest::Text& text);
    // `text` has 16 bytes or more behind it (Batch::arena).
    bool equals(const char* text, uint32_t text_size) const {
      if (text_size != size) return false;
      uint64_t word[2];
      std::memcpy(word, text, kHeadBytes);
      if ((((word[0] ^ head[0]) & mask[0]) | ((word[1] ^ head[1]) & mask[1])) != 0) return false;
      return size <= kHeadBytes || std::memcmp(text + kHeadBytes, rest.data(), rest.size()) == 0;
    }
  };
  struct Column {
    uint16_t number = 0;
    std::vector<Test> tests;
    std::vector<int64_t> bounds;        // numbers: rank = kOtherRank + how many of these are at most the value
    std::vector<int64_t> search;        // the bounds and infinity up to one less than a power of two
    std::vector<ColumnTest::Text> texts;  // by rank, from kOtherRank + 1 on
    std::vector<TextSlot> slots;        // of the texts
    std::vector<uint32_t> index;        // by hash: number in `slots` + 1, 0: free. Mostly free, so that other texts are known at once
    std::vector<uint64_t> masks;        // by rank, words_per_row each
    uint32_t ranks() const { return static_cast<uint32_t>(kOtherRank + 1 + bounds.size() + texts.size()); }
  };

  Column& column(uint16_t number);
  static void add_constants(Column& column, const ColumnTest& leaf);
  static bool is_true(const Column& column, const ColumnTest& leaf, uint32_t rank);
  void build_masks(Column& column) const;
  static void build_slots(Column& column);
  static void rank_numbers(const Column& column, const BatchColumn& values, uint32_t rows, uint32_t* ranks);
  // `candidates` is scratch for as many rows.
  static void rank_texts(const Column& column, const Batch& batch, uint32_t* candidates, uint32_t* ranks);

  std::vector<Column> columns_;
  std::vector<uint32_t> taken_;
  std::vector<uint32_t> never_;         // taken and never true
  std::vector<uint64_t> all_;           // a row's words before any column is asked
  uint32_t words_ = 0;
};

}  // namespace cep
