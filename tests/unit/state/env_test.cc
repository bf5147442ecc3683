// The LMDB environment, values with checksums, and the data directory.
#include "state/env.h"

#include <gtest/gtest.h>

#include <thread>

#include "state/checkpoint.h"
#include "state/data_dir.h"
#include "state/values.h"
#include "tests/support/faulty_file.h"
#include "tests/support/scratch_dir.h"

namespace state {
namespace {

const std::vector<std::string> kTables = {"a", "b"};

std::unique_ptr<Env> open(const std::string& dir, EnvOptions options = {}) {
  auto env = Env::open(dir, kTables, options);
  EXPECT_TRUE(env.ok()) << (env.ok() ? "" : env.error().message);
  return std::move(*env);
}

std::optional<std::string> get(const Env& env, const std::string& table, const std::string& key) {
  std::optional<std::string> found;
  EXPECT_TRUE(env.read([&](ReadTxn& txn) {
                   if (auto value = txn.get(env.table(table), key)) found = std::string(*value);
                   return cep::ok_status();
                 }).ok());
  return found;
}

TEST(EnvTest, KeepsWhatWasCommittedAndOnlyThat) {
  support::ScratchDir dir;
  auto env = open(dir.path());
  ASSERT_TRUE(env->write([&](WriteTxn& txn) {
                   txn.put(env->table("a"), "key", "value");
                   return cep::ok_status();
                 }).ok());
  auto refused = env->write([&](WriteTxn& txn) -> cep::Status {
    txn.put(env->table("a"), "key", "other");
    txn.put(env->table("b"), "key", "other");
    return cep::Error{"no", "the body said no"};
  });
  EXPECT_EQ(refused.error().code, "no");
  env.reset();
  env = open(dir.path());
  EXPECT_EQ(get(*env, "a", "key"), "value");
  EXPECT_EQ(get(*env, "b", "key"), std::nullopt);
}

TEST(EnvTest, TablesOfAnEarlierRunAreFound) {
  support::ScratchDir dir;
  std::vector<std::string> more = {"a", "b", "c"};
  ASSERT_TRUE(Env::open(dir.path(), more).ok());
  auto env = open(dir.path());
  EXPECT_TRUE(env->find_table("c").has_value());
  EXPECT_FALSE(env->find_table("d").has_value());
}

TEST(EnvTest, FullMapGrowsAndTheBodyRunsAgain) {
  support::ScratchDir dir;
  auto env = open(dir.path(), {.map_bytes = 256 << 10, .map_bytes_max = 64 << 20});
  int runs = 0;
  ASSERT_TRUE(env->write([&](WriteTxn& txn) {
                   ++runs;
                   for (uint32_t i = 0; i < 2'000; ++i) {
                     txn.append(env->table("a"), Key().u32(i), std::string(1'500, 'x'));
                   }
                   return cep::ok_status();
                 }).ok());
  EXPECT_GT(runs, 1);
  EXPECT_EQ(get(*env, "a", std::string(Key().u32(1'999).view())), std::string(1'500, 'x'));
}

TEST(EnvTest, LimitIsDiskFullAndPassesWhenThereIsRoomAgain) {
  support::ScratchDir dir;
  auto env = open(dir.path(), {.map_bytes = 1 << 20, .map_bytes_max = 1 << 20});
  uint32_t written = 0;
  cep::Status status = cep::ok_status();
  while (status.ok()) {
    status = env->write([&](WriteTxn& txn) {
      for (uint32_t i = 0; i < 50; ++i) txn.put(env->table("a"), Key().u32(written + i), std::string(1'500, 'x'));
      return cep::ok_status();
    });
    if (status.ok()) written += 50;
  }
  EXPECT_EQ(status.error().code, "disk_full");
  ASSERT_GT(written, 0u);
  EXPECT_TRUE(get(*env, "a", std::string(Key().u32(written - 1).view())).has_value());
  EXPECT_FALSE(get(*env, "a", std::string(Key().u32(written).view())).has_value());
  ASSERT_TRUE(env->write([&](WriteTxn& txn) {
                   for (uint32_t i = 0; i < 100; ++i) txn.erase(env->table("a"), Key().u32(i));
                   return cep::ok_status();
                 }).ok());
  EXPECT_TRUE(env->write([&](WriteTxn& txn) {
                   txn.put(env->table("b"), "small", "value");
                   return cep::ok_status();
                 }).ok());
}

TEST(EnvTest, ReadersRunWhileTheMapGrows) {
  support::ScratchDir dir;
  auto env = open(dir.path(), {.map_bytes = 256 << 10, .map_bytes_max = 64 << 20});
  ASSERT_TRUE(env->write([&](WriteTxn& txn) {
                   txn.put(env->table("b"), "key", "value");
                   return cep::ok_status();
                 }).ok());
  std::thread reader([&] {
    for (int i = 0; i < 2'000; ++i) ASSERT_EQ(get(*env, "b", "key"), "value");
  });
  for (uint32_t round = 0; round < 40; ++round) {
    EXPECT_TRUE(env->write([&](WriteTxn& txn) {
                     for (uint32_t i = 0; i < 100; ++i) {
                       txn.put(env->table("a"), Key().u32(round).u32(i), std::string(1'000, 'x'));
                     }
                     return cep::ok_status();
                   }).ok());
  }
  reader.join();
}

TEST(EnvTest, CursorsMoveBothWaysAndErase) {
  support::ScratchDir dir;
  auto env = open(dir.path());
  ASSERT_TRUE(env->write([&](WriteTxn& txn) {
                   for (uint32_t i = 0; i < 10; ++i) txn.put(env->table("a"), Key().u32(i * 10), "v");
                   Cursor cursor = txn.cursor(env->table("a"));
                   EXPECT_TRUE(cursor.seek(Key().u32(35)));
                   EXPECT_EQ(KeyReader(cursor.key()).u32(), 40u);
                   EXPECT_TRUE(cursor.seek_before(Key().u32(40)));
                   EXPECT_EQ(KeyReader(cursor.key()).u32(), 30u);
                   EXPECT_TRUE(cursor.previous());
                   EXPECT_EQ(KeyReader(cursor.key()).u32(), 20u);
                   EXPECT_TRUE(cursor.erase());
                   EXPECT_TRUE(cursor.next());
                   EXPECT_EQ(KeyReader(cursor.key()).u32(), 30u);
                   EXPECT_FALSE(cursor.seek_before(Key().u32(0)));
                   EXPECT_FALSE(cursor.seek(Key().u32(91)));
                   EXPECT_TRUE(cursor.seek_before(Key().u32(91)));
                   EXPECT_FALSE(cursor.next());
                   return cep::ok_status();
                 }).ok());
}

TEST(EnvTest, FileThatIsNotLmdbIsRefused) {
  support::ScratchDir dir;
  auto files = make_real_file_system();
  auto file = files->open(dir / "data.mdb", OpenMode::kCreateNew);
  ASSERT_TRUE((*file)->write_at(0, std::string(8'192, 'x')).ok());
  auto env = Env::open(dir.path(), kTables);
  ASSERT_FALSE(env.ok());
  EXPECT_EQ(env.error().code, "damaged");
}

TEST(EnvTest, FileThatWasCutShortIsRefused) {
  support::ScratchDir dir;
  auto env = open(dir.path());
  ASSERT_TRUE(env->write([&](WriteTxn& txn) {
                   for (uint32_t i = 0; i < 2'000; ++i) {
                     txn.append(env->table("a"), Key().u32(i), std::string(1'500, 'x'));
                   }
                   return cep::ok_status();
                 }).ok());
  env.reset();
  open(dir.path());   // whole: it opens
  auto files = make_real_file_system();
  auto file = files->open(dir / "data.mdb", OpenMode::kReadWrite);
  ASSERT_TRUE((*file)->truncate(*(*file)->size() / 2).ok());
  auto cut = Env::open(dir.path(), kTables);
  ASSERT_FALSE(cut.ok());
  EXPECT_EQ(cut.error().code, "damaged");
}

TEST(ValuesTest, PiecesOfEverySizeComeBack) {
  support::ScratchDir dir;
  auto env = open(dir.path());
  for (size_t size : {0u, 1u, 1'890u, 1'891u, 1'892u, 3'791u, 3'792u, 100'000u, 1'000'000u}) {
    std::string payload;
    for (size_t i = 0; i < size; ++i) payload.push_back(static_cast<char>(i * 31 + i / 977));
    Key key = Key().u32(static_cast<uint32_t>(size));
    ASSERT_TRUE(env->write([&](WriteTxn& txn) { return put_pieces(txn, env->table("a"), key, payload); }).ok());
    ASSERT_TRUE(env->read([&](ReadTxn& txn) {
                     auto back = get_pieces(txn, env->table("a"), key, "a value");
                     EXPECT_TRUE(back.ok() && **back == payload) << size;
                     Cursor cursor = txn.cursor(env->table("a"));
                     for (bool more = cursor.seek(key); more && cursor.on(key); more = cursor.next()) {
                       EXPECT_LE(cursor.value().size(), kValueBytesMax);
                     }
                     return cep::ok_status();
                   }).ok());
    ASSERT_TRUE(env->write([&](WriteTxn& txn) {
                     erase_pieces(txn, env->table("a"), key);
                     return cep::ok_status();
                   }).ok());
    ASSERT_TRUE(env->read([&](ReadTxn& txn) {
                     EXPECT_FALSE(get_pieces(txn, env->table("a"), key, "a value")->has_value());
                     return cep::ok_status();
                   }).ok());
  }
}

TEST(ValuesTest, LostPieceIsDamage) {
  support::ScratchDir dir;
  auto env = open(dir.path());
  Key key = Key().u32(1);
  for (uint16_t lost = 1; lost < 4; ++lost) {
    auto status = env->write([&](WriteTxn& txn) -> cep::Status {
      auto put = put_pieces(txn, env->table("a"), key, std::string(7'000, 'x'));
      txn.erase(env->table("a"), Key(key).u16(lost));
      auto back = get_pieces(txn, env->table("a"), key, "a value");
      return back.ok() ? put : back.error();
    });
    EXPECT_EQ(status.error().code, "damaged");
  }
}

TEST(DataDirTest, OursIsMadeLockedAndFoundAgain) {
  support::ScratchDir scratch;
  auto files = make_real_file_system();
  std::string path = scratch / "new/data";
  {
    auto dir = DataDir::open(*files, path);
    ASSERT_TRUE(dir.ok()) << dir.error().message;
    EXPECT_TRUE(dir->fresh);
    EXPECT_EQ(dir->log_dir, path + "/lanes/0/log");
    EXPECT_EQ(DataDir::open(*files, path).error().code, "locked");
  }
  auto again = DataDir::open(*files, path, scratch / "log");
  ASSERT_TRUE(again.ok());
  EXPECT_FALSE(again->fresh);
  EXPECT_EQ(again->log_dir, scratch / "log");
  EXPECT_EQ(DataDir::open(*files, scratch / "other", scratch / "log").error().code, "locked");
}

TEST(DataDirTest, ForeignAndNewerAreRefusedAndLeftAlone) {
  support::FaultyFileSystem files(1);
  ASSERT_TRUE(files.make_dirs("/d").ok());
  auto file = files.open("/d/thesis.txt", OpenMode::kCreateNew);
  EXPECT_EQ(DataDir::open(files, "/d").error().code, "foreign_data");
  EXPECT_EQ(files.list("/d")->size(), 1u);
  ASSERT_TRUE(files.remove("/d/thesis.txt").ok());
  ASSERT_TRUE(DataDir::open(files, "/d").ok());
  for (auto [text, code] : {std::pair{"weir data directory\nformat 2\n", "newer_data"},
                            std::pair{"something else", "foreign_data"}, std::pair{"", "foreign_data"}}) {
    auto magic = files.open("/d/WEIR", OpenMode::kReadWrite);
    ASSERT_TRUE((*magic)->truncate(0).ok());
    ASSERT_TRUE((*magic)->write_at(0, text).ok());
    EXPECT_EQ(DataDir::open(files, "/d").error().code, code);
  }
}

TEST(DataDirTest, CrashWhileItIsMadeLeavesItUsable) {
  for (uint64_t at = 0; at < 12; ++at) {
    support::FaultyFileSystem files(at);
    files.inject(at, support::Fault::kCrash);
    bool made = DataDir::open(files, "/d").ok();
    files.power_cut();
    auto dir = DataDir::open(files, "/d");
    ASSERT_TRUE(dir.ok()) << "crash at operation " << at << ": " << dir.error().message;
    EXPECT_FALSE(made && dir->fresh);
  }
}

TEST(DataDirTest, LostStateIsRefusedUnlessTheLogTellsAll) {
  support::ScratchDir scratch;
  auto files = make_real_file_system();
  auto dir = DataDir::open(*files, scratch / "data");
  ASSERT_TRUE(dir.ok());
  EXPECT_FALSE(*check_parts(*files, *dir, {.first_offset = 0, .end_offset = 0, .cut_bytes = 0}));
  EXPECT_TRUE(*check_parts(*files, *dir, {.first_offset = 0, .end_offset = 9, .cut_bytes = 0}));
  EXPECT_EQ(check_parts(*files, *dir, {.first_offset = 5, .end_offset = 9, .cut_bytes = 0}).error().code,
            "state_missing");
  ASSERT_TRUE(files->make_dirs(dir->state_dir).ok());
  ASSERT_TRUE(files->open(dir->state_dir + "/data.mdb", OpenMode::kCreateNew).ok());   // empty is as good as none
  EXPECT_EQ(check_parts(*files, *dir, {.first_offset = 5, .end_offset = 9, .cut_bytes = 0}).error().code,
            "state_missing");
  ASSERT_TRUE(open_state(*files, *dir, 4).ok());
  EXPECT_FALSE(*check_parts(*files, *dir, {.first_offset = 5, .end_offset = 9, .cut_bytes = 0}));
  auto env = open_state(*files, *dir, 2);
  ASSERT_TRUE(env.ok());
  EXPECT_TRUE((*env)->find_table(record_table(3)).has_value());
  EXPECT_FALSE((*env)->find_table(record_table(4)).has_value());
}

}  // namespace
}  // namespace state
