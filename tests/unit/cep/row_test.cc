// Packed rows: what comes out is what went in, and damaged rows are refused without a read outside.
#include "cep/row.h"

#include <gtest/gtest.h>

#include <random>

#include "tests/unit/cep/expr_maker.h"

namespace cep {
namespace {

struct Packed {
  std::vector<uint64_t> words;  // 8-aligned, filled with rubbish first
  uint8_t* bytes() { return reinterpret_cast<uint8_t*>(words.data()); }

  Packed(const Batch& batch, uint32_t row) : words(packed_size(batch, row) / 8, 0xabababababababab) {
    pack_row(batch, row, bytes());
  }
};

// Rows with random values and nulls.
BatchPtr random_batch(const SchemaPtr& schema, uint32_t rows, std::mt19937_64& random) {
  BatchBuilder builder(schema, 9, 0);
  for (uint32_t r = 0; r < rows; ++r) {
    builder.begin_row();
    for (uint16_t c = 0; c < schema->columns.size(); ++c) {
      if (c != schema->time_column && random() % 3 == 0) continue;
      IpBytes ip{};
      ip[3] = static_cast<uint8_t>(random());
      switch (schema->columns[c].type.kind) {
        case TypeKind::kBool: builder.set_fixed(c, static_cast<int64_t>(random() % 2)); break;
        case TypeKind::kFloat: builder.set_real(c, static_cast<double>(random())); break;
        case TypeKind::kText: builder.set_text(c, std::string(random() % 20, 'x')); break;
        case TypeKind::kIp: builder.set_ip(c, ip); break;
        default: builder.set_fixed(c, static_cast<int64_t>(random())); break;
      }
    }
    builder.commit_row(r * 10);
  }
  return builder.finish();
}

SchemaPtr wide_schema(size_t extra, uint16_t time_column) {
  auto schema = std::make_shared<StreamSchema>(*every_type_schema());
  for (size_t i = 0; i < extra; ++i) {
    schema->columns.push_back({"more" + std::to_string(i), schema->columns[1 + i % 7].type, false, ""});
  }
  std::swap(schema->columns[0], schema->columns[time_column]);
  schema->time_column = time_column;
  return schema;
}

TEST(Row, PackedValuesEqualTheBatchs) {
  const auto seed = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937_64 random(seed);
  for (const size_t extra : {size_t{0}, size_t{5}, size_t{70}}) {
    const SchemaPtr schema = wide_schema(extra, extra == 5 ? 5 : 0);
    const BatchPtr batch = random_batch(schema, 50, random);
    for (uint32_t r = 0; r < batch->rows(); ++r) {
      Packed packed(*batch, r);
      ASSERT_TRUE(verify_row(*schema, packed.bytes(), packed.words.size() * 8));
      const RowRef ref = row_of(*schema, packed.bytes());
      ASSERT_EQ(ref.time(), batch->time[r]);
      for (uint16_t c = 0; c < schema->columns.size() + 1; ++c) {
        ASSERT_TRUE(OwnedValue(ref.value(c)) == OwnedValue(row_of(*batch, r).value(c))) << "column " << c;
      }
      RowHeader header;
      std::memcpy(static_cast<void*>(&header), packed.bytes(), sizeof header);
      EXPECT_EQ(header.size, packed.words.size() * 8);
      EXPECT_EQ(header.position, r * 10);
      EXPECT_EQ(header.source, 9);
      EXPECT_EQ(header.stream, StreamId{3});
      EXPECT_EQ(header.number, 0u);
    }
  }
}

TEST(Row, SameRowSameBytes) {
  std::mt19937_64 random(1);
  const BatchPtr batch = random_batch(every_type_schema(), 1, random);
  EXPECT_EQ(Packed(*batch, 0).words, Packed(*batch, 0).words);
}

TEST(Row, OlderRowReadsMissingColumnsAsNull) {
  std::mt19937_64 random(2);
  const SchemaPtr old_schema = every_type_schema();
  const SchemaPtr new_schema = wide_schema(3, 0);
  const BatchPtr batch = random_batch(old_schema, 1, random);
  Packed packed(*batch, 0);
  EXPECT_TRUE(verify_row(*new_schema, packed.bytes(), packed.words.size() * 8));
  const RowRef ref = row_of(*new_schema, packed.bytes());
  EXPECT_TRUE(OwnedValue(ref.value(5)) == OwnedValue(batch->value(0, 5)));
  EXPECT_TRUE(ref.value(9).is_null());
}

TEST(Row, DamageIsFoundOrHarmless) {
  const auto seed = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937_64 random(seed);
  const SchemaPtr schema = wide_schema(6, 0);
  const BatchPtr batch = random_batch(schema, 1, random);
  const Packed sound(*batch, 0);
  const size_t size = sound.words.size() * 8;
  for (size_t cut = 0; cut < size; ++cut) {
    Packed packed = sound;
    EXPECT_FALSE(verify_row(*schema, packed.bytes(), cut));
  }
  for (int i = 0; i < 20'000; ++i) {  // what verify_row accepts can be read within its bytes (the sanitizers watch)
    Packed packed = sound;
    packed.bytes()[random() % size] = static_cast<uint8_t>(random());
    if (!verify_row(*schema, packed.bytes(), size)) continue;
    for (uint16_t c = 0; c < schema->columns.size(); ++c) {
      const Value v = row_of(*schema, packed.bytes()).value(c);
      if (v.kind != ValueKind::kText) continue;
      ASSERT_GE(reinterpret_cast<const uint8_t*>(v.text_data), packed.bytes());
      ASSERT_LE(reinterpret_cast<const uint8_t*>(v.text_data) + v.text_size, packed.bytes() + size);
    }
  }
}

TEST(Row, RefusesAnotherStreamAndANewerSchema) {
  std::mt19937_64 random(3);
  const SchemaPtr schema = wide_schema(2, 0);
  const BatchPtr batch = random_batch(schema, 1, random);
  Packed packed(*batch, 0);
  EXPECT_FALSE(verify_row(*every_type_schema(), packed.bytes(), packed.words.size() * 8));
  StreamSchema other = *schema;
  other.id = StreamId{4};
  EXPECT_FALSE(verify_row(other, packed.bytes(), packed.words.size() * 8));
}

}  // namespace
}  // namespace cep
