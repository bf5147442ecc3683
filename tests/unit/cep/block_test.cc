// A key's block: growth and compaction keep every run's history; its image is sound, and damaged images are refused without a crash.
#include "cep/block.h"

#include <gtest/gtest.h>

#include <functional>
#include <map>
#include <random>

#include "cep/key.h"

namespace cep {
namespace {

SchemaPtr small_schema() {
  auto schema = std::make_shared<StreamSchema>();
  schema->name = "s";
  schema->columns = {{"at", {TypeKind::kTimestamp, 0, 0}, true, ""}, {"n", {TypeKind::kInt, 0, 0}, false, ""},
                     {"t", {TypeKind::kText, 0, 0}, false, ""}};
  return schema;
}

BatchPtr batch_of(const SchemaPtr& schema, uint32_t rows) {
  BatchBuilder builder(schema, 0, 0);
  for (uint32_t i = 0; i < rows; ++i) {
    builder.begin_row();
    builder.set_fixed(0, i);
    builder.set_fixed(1, i * 3);
    builder.set_text(2, "text " + std::to_string(i));
    builder.commit_row(i);
  }
  return builder.finish();
}

std::string key_bytes(std::string_view text) {
  std::vector<KeyPart> parts{{"k", {TypeKind::kText, 0, 0}}};
  std::vector<Value> values{Value::string(text)};
  std::string bytes;
  EXPECT_TRUE(encode_key(parts, values, bytes));
  return bytes;
}

std::vector<uint32_t> history(BlockView block, uint32_t node) {
  std::vector<uint32_t> rows;
  for (; node != 0; node = block.node(node).previous) rows.push_back(static_cast<uint32_t>(block.row_header(block.node(node).row).time));
  return rows;
}

TEST(BlockTest, HistoriesSurviveGrowthAndCompaction) {
  SchemaPtr schema = small_schema();
  BatchPtr batch = batch_of(schema, 1000);
  for (unsigned seed = 1; seed <= 30; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    std::mt19937_64 random(seed);
    BlockMemory memory;
    BlockEditor editor(memory);
    editor.create(key_bytes("k"));
    std::vector<std::vector<uint32_t>> expected;         // by run, newest first
    uint8_t* block = nullptr;
    for (uint32_t row = 0; row < 300; ++row) {
      if (block != nullptr) editor.open(block);
      uint32_t row_ref = editor.add_row(*batch, row);
      Node start;
      start.row = row_ref;
      start.depth = 1;
      uint32_t node = editor.add_node(start);
      cep::Run run;
      run.node = node;
      run.start_row = row;
      run.live = 1;
      editor.runs().push_back(run);
      expected.push_back({row});
      for (size_t r = 0; r + 1 < expected.size(); ++r) {
        if (random() % 6 != 0) continue;
        Node more;
        more.previous = editor.runs()[r].node;
        more.row = editor.add_row(*batch, row);
        more.previous = editor.runs()[r].node;           // adding the row may have moved it
        more.depth = static_cast<uint32_t>(expected[r].size()) + 1;
        uint32_t bound = editor.add_node(more);
        editor.runs()[r].node = bound;
        expected[r].insert(expected[r].begin(), row);
      }
      while (expected.size() > 12) {                     // the oldest runs end: garbage
        size_t gone = random() % expected.size();
        expected.erase(expected.begin() + static_cast<std::ptrdiff_t>(gone));
        editor.runs().erase(editor.runs().begin() + static_cast<std::ptrdiff_t>(gone));
      }
      block = editor.close();
      ASSERT_NE(block, nullptr);
      BlockView view(block);
      ASSERT_EQ(view.runs().size(), expected.size());
      for (size_t r = 0; r < expected.size(); ++r) ASSERT_EQ(history(view, view.runs()[r].node), expected[r]);
    }
    EXPECT_LT(BlockView(block).header().capacity, 200'000u) << "garbage is given back";
    editor.open(block);
    editor.runs().clear();
    EXPECT_EQ(editor.close(), nullptr);
    EXPECT_EQ(memory.bytes_in_use(), 0u);
  }
}

TEST(BlockTest, ImagesAreSoundAndDamagedOnesAreRefused) {
  SchemaPtr schema = small_schema();
  BatchPtr batch = batch_of(schema, 20);
  RuleSetPtr rules = RuleSet::build({}, {}, {{"s", schema}});
  std::vector<KeyPart> parts{{"k", {TypeKind::kText, 0, 0}}};
  BlockMemory memory;
  BlockEditor editor(memory);
  editor.create(key_bytes("some key"));
  cep::Run run;
  for (uint32_t row = 0; row < 5; ++row) {
    Node node;
    node.previous = run.node;
    node.row = editor.add_row(*batch, row);
    node.depth = row + 1;
    run.node = editor.add_node(node);
  }
  run.live = 1;
  run.start_row = 1;
  editor.runs().push_back(run);
  editor.add_cell(CellKind::kSuppress, 9, sizeof(SuppressCell));
  uint8_t* block = editor.close();
  const std::string image = block_image(BlockView(block));
  std::vector<uint8_t> copy(image.begin(), image.end());
  EXPECT_TRUE(verify_block(copy, parts, *rules, {}));
  EXPECT_EQ(history(BlockView(copy.data()), BlockView(copy.data()).runs()[0].node), (std::vector<uint32_t>{4, 3, 2, 1, 0}));
  unsigned seed = std::random_device()();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937 random(seed);
  int refused = 0;
  for (int i = 0; i < 20'000; ++i) {                     // run under the sanitizers this finds reads outside the block
    copy.assign(image.begin(), image.end());
    for (int flips = 1 + static_cast<int>(random() % 3); flips > 0; --flips) {
      copy[random() % copy.size()] ^= static_cast<uint8_t>(1u << random() % 8);
    }
    if (random() % 4 == 0) copy.resize(random() % copy.size());
    if (copy.size() < sizeof(BlockHeader)) continue;
    refused += verify_block(copy, parts, *rules, {}) ? 0 : 1;
  }
  EXPECT_GT(refused, 5'000);
  editor.open(block);
  editor.runs().clear();
  editor.remove_cell(editor.view().find_cell(CellKind::kSuppress, 9));
  EXPECT_EQ(editor.close(), nullptr);
}

// What an episode lists is held by its cell: by no run, through compaction, in the image.
TEST(BlockTest, WhatAnEpisodeListsOutlivesTheRuns) {
  SchemaPtr schema = small_schema();
  BatchPtr batch = batch_of(schema, 1000);
  RuleSetPtr rules = RuleSet::build({}, {}, {{"s", schema}});
  std::vector<KeyPart> parts{{"k", {TypeKind::kText, 0, 0}}};
  BlockMemory memory;
  BlockEditor editor(memory);
  editor.create(key_bytes("some key"));
  auto listed = [](BlockView view) -> uint32_t& {
    return reinterpret_cast<EpisodeCell*>(view.find_cell(CellKind::kEpisode, 9)->payload())->node;
  };
  uint32_t last = 0;
  for (uint32_t row = 0; row < 3; ++row) {
    Node node;
    node.previous = last;
    node.row = editor.add_row(*batch, row);
    node.depth = row + 1;
    last = editor.add_node(node);
  }
  editor.hold(last);
  editor.add_cell(CellKind::kEpisode, 9, sizeof(EpisodeCell));
  listed(editor.view()) = editor.held(0);
  uint8_t* block = editor.close();
  for (uint32_t row = 3; row < 1000; ++row) {            // garbage, until the heap is compacted many times
    ASSERT_NE(block, nullptr);
    editor.open(block);
    editor.add_row(*batch, row);
    block = editor.close();
    ASSERT_EQ(history(BlockView(block), listed(BlockView(block))), (std::vector<uint32_t>{2, 1, 0})) << row;
  }
  EXPECT_LT(BlockView(block).header().capacity, 8'000u) << "garbage is given back";
  const std::string image = block_image(BlockView(block));
  std::vector<uint8_t> copy(image.begin(), image.end());
  EXPECT_TRUE(verify_block(copy, parts, *rules, {}));
  for (const uint32_t bad : {0u, listed(BlockView(copy.data())) + 1, 1'000'000u}) {
    copy.assign(image.begin(), image.end());
    listed(BlockView(copy.data())) = bad;
    EXPECT_FALSE(verify_block(copy, parts, *rules, {})) << bad;
  }
  editor.open(block);
  const uint32_t kept = listed(editor.view());
  reinterpret_cast<EpisodeCell*>(editor.add_cell(CellKind::kEpisode, 9, sizeof(EpisodeCell))->payload())->node = kept;
  block = editor.close();
  const std::string two = block_image(BlockView(block));
  copy.assign(two.begin(), two.end());
  EXPECT_FALSE(verify_block(copy, parts, *rules, {})) << "two episodes of one rule";
  editor.open(block);
  for (int i = 0; i < 2; ++i) editor.remove_cell(editor.view().find_cell(CellKind::kEpisode, 9));
  EXPECT_EQ(editor.close(), nullptr);
}

// a1 a2 b3 a4 of a sequence whose runs are merged: b3 continues a2 and a1, a4 waits in front of them.
TEST(BlockTest, MergedRunsAreSoundOrRefused) {
  SchemaPtr schema = small_schema();
  BatchPtr batch = batch_of(schema, 4);
  RuleSetPtr rules = RuleSet::build({}, {}, {{"s", schema}});
  std::vector<KeyPart> parts{{"k", {TypeKind::kText, 0, 0}}};
  BlockMemory memory;
  BlockEditor editor(memory);
  editor.create(key_bytes("some key"), 1024);
  std::vector<uint32_t> nodes;
  const auto bind = [&](uint16_t state, uint32_t previous, uint32_t older) {
    const uint32_t row = editor.add_row(*batch, static_cast<uint32_t>(nodes.size()));
    nodes.push_back(editor.add_merged_node({previous, row, state, 0, older}));
  };
  const auto add_run = [&](uint16_t state, uint32_t node, uint32_t start_row) {
    cep::Run run;
    run.program = static_cast<ProgramId>(7);
    run.state = state;
    run.is_merged = 1;
    run.node = node;
    run.start_row = start_row;
    run.start_time = start_row - 1;      // batch_of counts from 0
    editor.runs().push_back(run);
  };
  bind(1, 0, 0);
  bind(1, 0, nodes[0]);
  bind(2, nodes[1], 0);
  bind(1, 0, nodes[1]);
  add_run(2, nodes[2], 2);
  add_run(1, nodes[3], 4);
  editor.view().header().format = kMergedBlockFormat;
  Cell* const cell = editor.add_cell(CellKind::kSuppress, 7, sizeof(EpisodeCell));
  std::memset(cell->payload(), 0, sizeof(EpisodeCell));
  uint8_t* block = editor.close();
  const std::string image = block_image(BlockView(block));
  memory.release(block);
  const auto is_sound = [&](const std::function<void(BlockView)>& damage) {
    std::vector<uint8_t> copy(image.begin(), image.end());
    damage(BlockView(copy.data()));
    return verify_block(copy, parts, *rules, {});
  };
  const auto node = [&](BlockView view, size_t i) -> MergedNode& {
    return *reinterpret_cast<MergedNode*>(view.bytes() + view.header().capacity - size_t{nodes[i]} * 8);
  };
  EXPECT_TRUE(is_sound([](BlockView) {}));
  EXPECT_FALSE(is_sound([](BlockView view) { view.header().format = kBlockFormat; }));
  EXPECT_FALSE(is_sound([](BlockView view) { view.runs()[1].is_merged = 0; })) << "one node as two things";
  EXPECT_FALSE(is_sound([](BlockView view) { view.runs()[0].state = 1; })) << "two runs of one state";
  EXPECT_FALSE(is_sound([](BlockView view) { view.runs()[0].state = 3; })) << "a state that its node has not";
  EXPECT_FALSE(is_sound([](BlockView view) { view.runs()[1].start_row = 1; }));
  EXPECT_FALSE(is_sound([&](BlockView view) { node(view, 3).state = 2; })) << "two states in a list";
  EXPECT_FALSE(is_sound([&](BlockView view) { node(view, 2).previous = nodes[3]; })) << "it continues what is newer";
  EXPECT_FALSE(is_sound([&](BlockView view) { node(view, 2).previous = 0; })) << "it continues nothing";
  EXPECT_FALSE(is_sound([&](BlockView view) { node(view, 0).older = nodes[0]; }));
  EXPECT_FALSE(is_sound([&](BlockView view) { node(view, 1).older = nodes[3]; })) << "a list that goes round";
  EXPECT_FALSE(is_sound([&](BlockView view) {
    reinterpret_cast<RowHeader*>(view.bytes() + view.header().capacity - size_t{node(view, 0).row} * 8)->time = 100;
  })) << "what is over would not be the end of the list";
  EXPECT_FALSE(is_sound([&](BlockView view) { node(view, 3).row = nodes[0]; })) << "a node as a row";
  EXPECT_FALSE(is_sound([&](BlockView view) { node(view, 3).row = node(view, 0).row - 1; })) << "rows that lie across each other";
  EXPECT_FALSE(is_sound([&](BlockView view) {
    Cell& episode = *view.find_cell(CellKind::kSuppress, 7);
    episode.kind = CellKind::kEpisode;
    reinterpret_cast<EpisodeCell*>(episode.payload())->node = nodes[2];
  })) << "an episode that lists a merged node";
}

TEST(BlockTest, OneRunOfOneRowIsSmall) {
  SchemaPtr schema = small_schema();
  BatchPtr batch = batch_of(schema, 1);
  BlockMemory memory;
  BlockEditor editor(memory);
  editor.create(key_bytes("4929123412341234"));
  Node node;
  node.row = editor.add_row(*batch, 0);
  node.depth = 1;
  cep::Run run;
  run.node = editor.add_node(node);
  run.live = 1;
  editor.runs().push_back(run);
  uint8_t* block = editor.close();
  EXPECT_LE(BlockView(block).header().capacity, 224u);
  memory.release(block);
}

TEST(KeyTest, RoundTripAndRefusalOfNullsAndDamage) {
  std::vector<KeyPart> parts{{"a", {TypeKind::kText, 0, 0}}, {"b", {TypeKind::kDecimal, 9, 2}}, {"c", {TypeKind::kBool, 0, 0}}};
  std::vector<Value> values{Value::string("x"), Value::decimal(5, 1), Value::boolean(true)};
  std::string bytes;
  ASSERT_TRUE(encode_key(parts, values, bytes));
  EXPECT_TRUE(is_sound_key(parts, bytes));
  std::vector<Value> decoded = decode_key(parts, bytes);
  EXPECT_EQ(decoded[0].text(), "x");
  EXPECT_EQ(static_cast<int64_t>(decoded[1].number), 50) << "0.5 at the declared scale of 2";
  EXPECT_TRUE(decoded[2].is_true());
  for (size_t cut = 0; cut < bytes.size(); ++cut) EXPECT_FALSE(is_sound_key(parts, std::string_view(bytes).substr(0, cut)));
  values[0] = Value::null();
  EXPECT_FALSE(encode_key(parts, values, bytes));
}

}  // namespace
}  // namespace cep
