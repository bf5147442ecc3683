// Lists in checkpoints: what is written restores the list, however often it was edited, and only what changed is written.
#include "service/dataset_records.h"

#include <gtest/gtest.h>

#include <map>
#include <random>

namespace service {
namespace {

using StoredLeaves = std::map<std::pair<uint64_t, uint64_t>, std::pair<state::KeyRecord, uint32_t>>;      // by space and leaf

void store_leaves(StoredLeaves& stored, const std::vector<state::KeyRecord>& records, uint32_t segment) {
  for (const state::KeyRecord& record : records) {
    const auto known = stored.find({record.space, record.hash});
    EXPECT_EQ(record.old_segment, known != stored.end() ? known->second.second : 0u);
    if (record.gone) {
      EXPECT_NE(known, stored.end());
      stored.erase({record.space, record.hash});
    } else {
      stored[{record.space, record.hash}] = {record, segment};
    }
  }
}

state::StoredRecord as_read(const state::KeyRecord& record, uint32_t segment) {
  return {.space = record.space, .hash = record.hash, .segment = segment, .bytes = record.bytes};
}

DatasetRecords restored_leaves(const StoredLeaves& stored, const std::string& name) {
  DatasetRecords records;
  for (const auto& [id, one] : stored) {
    if (id.first != DatasetRecords::space_of(name)) continue;
    EXPECT_TRUE(records.restore(name, as_read(one.first, one.second)));
  }
  return records;
}

TEST(DatasetRecords, RestoreWhatWasWritten) {
  std::mt19937 random(3);
  cep::Dataset list("l", {{cep::TypeKind::kText, 0, 0}});
  DatasetRecords records;
  StoredLeaves stored;
  for (uint32_t segment = 1; segment <= 40; ++segment) {
    const uint32_t edits = segment == 5 ? 4'000 : random() % 20;
    for (uint32_t i = 0; i < edits; ++i) {
      const std::vector<std::string> key = {std::to_string(random() % 3'000)};
      if (random() % 3 == 0) {
        EXPECT_TRUE(list.remove(key).ok());
      } else {
        EXPECT_TRUE(list.put(key, {}).ok());
      }
    }
    const std::vector<uint32_t> victims = segment % 7 == 0 ? std::vector<uint32_t>{segment - 2, 5} : std::vector<uint32_t>{};
    list = cep::Dataset(list);
    const auto taken = records.take({{"l", std::make_shared<const cep::Dataset>(list)}}, segment, victims);
    EXPECT_TRUE(!victims.empty() || taken.size() <= edits * 33u);
    store_leaves(stored, taken, segment);
    for (const auto& [id, one] : stored) {
      EXPECT_EQ(std::count(victims.begin(), victims.end(), one.second), 0) << "left in a segment that is to be emptied";
    }
    DatasetRecords again = restored_leaves(stored, "l");
    EXPECT_EQ(again.entries("l").size(), list.size());
    if (segment % 10 == 0) records = std::move(again);        // a restart
  }
  EXPECT_GT(list.size(), 100u);
  store_leaves(stored, records.take({}, 41, {}), 41);                // dropped
  EXPECT_TRUE(stored.empty());
}

TEST(DatasetRecords, AListThatCameBackIsAnotherOne) {
  cep::Dataset list("l", {{cep::TypeKind::kText, 0, 0}});
  ASSERT_TRUE(list.put(std::vector<std::string>{"a"}, {}).ok());
  DatasetRecords records;
  StoredLeaves stored;
  store_leaves(stored, records.take({{"l", std::make_shared<const cep::Dataset>(list)}}, 1, {}), 1);
  EXPECT_EQ(stored.size(), 1u);
  store_leaves(stored, records.take({{"l", list.emptied()}}, 2, {}), 2);
  EXPECT_TRUE(stored.empty());
  state::KeyRecord other;
  other.space = 5;
  EXPECT_FALSE(records.restore("l", as_read(other, 1)));
}

}  // namespace
}  // namespace service
