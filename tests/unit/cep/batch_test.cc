// Building batches row by row: values, nulls, rows given up, the builder used again.
#include "cep/batch.h"

#include <gtest/gtest.h>

#include "tests/unit/cep/expr_maker.h"

namespace cep {
namespace {

TEST(Hash, IsNeverZeroAndDependsOnBytes) {
  EXPECT_NE(hash_bytes("", 0), 0u);
  EXPECT_NE(hash_bytes("a", 1), hash_bytes("b", 1));
  EXPECT_EQ(hash_bytes("ab", 1), hash_bytes("ac", 1));
}

TEST(BatchBuilder, EveryTypeReadsBack) {
  BatchBuilder builder(every_type_schema(), 4, 99);
  IpBytes ip{};
  ip[15] = 1;
  builder.begin_row();
  builder.set_fixed(0, 1000);
  builder.set_fixed(1, 1);
  builder.set_fixed(2, -7);
  builder.set_real(3, 0.5);
  builder.set_fixed(4, 1250);
  builder.set_text(5, "anna");
  builder.set_fixed(6, kMinute);
  builder.set_ip(7, ip);
  EXPECT_EQ(builder.missing_column(), -1);
  builder.commit_row(17);
  builder.begin_row();
  builder.set_fixed(0, 2000);
  builder.commit_row(18);
  const BatchPtr batch = builder.finish();
  ASSERT_EQ(batch->rows(), 2u);
  EXPECT_EQ(batch->source, 4);
  EXPECT_EQ(batch->received_us, 99);
  EXPECT_EQ(batch->position[1], 18u);
  EXPECT_EQ(batch->time[1], 2000);
  const char* shown[] = {"1970-01-01T00:00:00.001Z", "true", "-7", "0.5", "12.50", "anna", "PT1M", "::1"};
  for (uint16_t c = 0; c < 8; ++c) {
    EXPECT_EQ(to_display(batch->value(0, c)), shown[c]);
    EXPECT_EQ(batch->value(1, c).is_null(), c != 0);
    EXPECT_EQ(batch->columns[c].is_null.size(), 2u);
  }
  EXPECT_TRUE(batch->value(0, 8).is_null());  // beyond this batch's columns
  EXPECT_EQ(batch->columns[5].fixed[0], static_cast<int64_t>(hash_bytes("anna", 4)));
  EXPECT_EQ(batch->arena.size(), 4u + 64u);
}

TEST(BatchBuilder, AbandonedRowLeavesNothing) {
  BatchBuilder builder(every_type_schema(), 0, 0);
  builder.begin_row();
  builder.set_text(5, "kept");
  builder.set_fixed(0, 1);
  builder.commit_row(0);
  builder.begin_row();
  builder.set_text(5, "dropped");
  builder.set_real(3, 1);
  EXPECT_TRUE(builder.is_set(5));
  EXPECT_FALSE(builder.is_set(4));
  EXPECT_EQ(builder.missing_column(), 0);
  builder.abandon_row();
  builder.begin_row();
  EXPECT_FALSE(builder.is_set(5));
  builder.set_fixed(0, 3);
  builder.commit_row(2);
  EXPECT_EQ(builder.rows(), 2u);
  const BatchPtr batch = builder.finish();
  EXPECT_EQ(batch->arena.substr(0, batch->arena.size() - 64), "kept");
  EXPECT_TRUE(batch->value(1, 5).is_null());
  EXPECT_TRUE(batch->value(1, 3).is_null());
  EXPECT_EQ(batch->value(0, 5).text(), "kept");
  for (const BatchColumn& c : batch->columns) EXPECT_EQ(c.is_null.size(), 2u);
}

TEST(BatchBuilder, IsReadyForTheNextBatch) {
  BatchBuilder builder(every_type_schema(), 2, 5);
  for (int round = 0; round < 3; ++round) {
    builder.begin_row();
    builder.set_fixed(0, round);
    builder.set_text(5, "one");
    builder.set_text(5, "two");  // the later value of a column counts
    builder.commit_row(100);
    const BatchPtr batch = builder.finish();
    EXPECT_EQ(builder.rows(), 0u);
    ASSERT_EQ(batch->rows(), 1u);
    EXPECT_EQ(batch->source, 2);
    EXPECT_EQ(batch->value(0, 5).text(), "two");
    EXPECT_EQ(batch->time[0], round);
  }
}

}  // namespace
}  // namespace cep
