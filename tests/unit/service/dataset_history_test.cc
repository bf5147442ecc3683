// Lists and tables as they were: at every place where a retained log may begin, rewinding gives what was in force there.
#include "service/dataset_history.h"

#include "tests/support/lane_fixture.h"

namespace service {
namespace {

class DatasetHistoryTest : public test_support::LaneFixture {
 protected:
  void put(const std::string& key, const std::string& value) {
    cep::EntryText row;
    row.row = {value};
    edit({{key}, row, std::nullopt});
  }
  void remove(const std::string& key) { edit({{key}, std::nullopt, std::nullopt}); }
  void edit(DatasetChange::Edit one) {
    DatasetChange change{"t", "", 0, {std::move(one)}};
    EXPECT_TRUE(lane_->edit_dataset(change).ok());
    note();
  }
  // What is in force from here on.
  void note() {
    lane_->settle(false);
    versions_[lane_->sequencer().numbers().log_end] = rows(*lane_->registry());
  }
  static std::string rows(const Registry& registry) {
    std::map<std::string, std::string> all;
    const auto known = registry.datasets().find("t");
    if (known == registry.datasets().end()) return "";
    known->second->each_from(0, [&](uint64_t, const cep::DatasetEntry& entry) {
      return all[entry.key[0]] = entry.text.row[0].value_or("-"), true;
    });
    std::string text;
    for (const auto& [key, value] : all) text += key + "=" + value + " ";
    return text;
  }
  DatasetHistory history(uint64_t begin) {
    auto files = state::make_real_file_system();
    const uint64_t end = lane_->sequencer().numbers().log_end;
    return DatasetHistory::read(*files, scratch_ / "data/lanes/0/log", begin, end, *lane_->registry()).value();
  }

  std::map<uint64_t, std::string> versions_;       // by the offset from which they are in force
};

TEST_F(DatasetHistoryTest, RewindsToWhereTheLogBegins) {
  open();
  deploy(*lane_, std::string(test_support::kPayments) + "create table t (k text, v int) key k;");
  note();
  put("a", "1");
  submit(*lane_, payment("1", "a", "1.00", 0));
  put("b", "2");
  put("a", "3");
  remove("b");
  put("b", "4");
  remove("a");
  put("c", "5");
  ASSERT_EQ(versions_.size(), 8u);
  EXPECT_EQ(versions_.rbegin()->second, "b=4 c=5 ");
  for (const auto& [begin, wanted] : versions_) {
    Registry registry = *lane_->registry();
    ASSERT_TRUE(history(begin).rewind(registry).ok());
    EXPECT_EQ(rows(registry), wanted) << begin;
  }
}

// Edits of a table that was dropped are not those of the one that has its name, whatever its columns are.
TEST_F(DatasetHistoryTest, ANameThatCameBackBeginsEmpty) {
  open();
  deploy(*lane_, std::string(test_support::kPayments) + "create table t (k text, v int) key k;");
  put("a", "1");
  const uint64_t before = lane_->sequencer().numbers().log_end;
  deploy(*lane_, "drop table t;");
  deploy(*lane_, "create table t (k int, v text) key k;");
  put("1", "x");
  for (const uint64_t begin : {uint64_t{0}, before}) {
    Registry registry = *lane_->registry();
    const DatasetHistory past = history(begin);
    ASSERT_TRUE(past.rewind(registry).ok());
    EXPECT_EQ(rows(registry), "");
    EXPECT_FALSE(past.is_of_present("t", before - 1));
    EXPECT_TRUE(past.is_of_present("t", lane_->sequencer().numbers().log_end - 1));
  }
}

}  // namespace
}  // namespace service
