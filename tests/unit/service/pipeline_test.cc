// The in-process pipeline: one order of alerts whatever the shards and batches, restarts and changes of rules that nobody notices.
#include "service/pipeline.h"

#include <gtest/gtest.h>

#include <random>

#include "api/alert_json.h"
#include "service/rule_files.h"
#include "service/source_files.h"

namespace service {
namespace {

constexpr uint64_t kSeed = 20261122;

constexpr const char* kStreams =
    "create stream a (k text not null, x text, v int, at timestamp not null) event time at delay 3 seconds;\n"
    "create stream b (k text not null, x text, v int, at timestamp not null) event time at delay 0 seconds;\n";
constexpr const char* kRules =
    "create rule path on a partition by k pattern p -> q+ -> not r for 5 seconds within 30 seconds\n"
    "  define p as x = 'p', q as x = 'q' and v >= p.v, r as x = 'r' after match no skip alert message 'm';\n"
    "create rule both on a, b partition by a.k, b.k pattern p -> z within 20 seconds\n"
    "  define p as a where x = 'p', z as b where x = 'q' after match skip past last row suppress 4 seconds alert message 'm';\n"
    "create rule busy on b partition by k when sum(v) over (last 10 seconds) > 12\n"
    "  measures sum(v) over (last 10 seconds) as s alert message '{k} {s}';\n"
    "create rule calm on a partition by k pattern p -> q+ within 20 seconds define p as x = 'p', q as x = 'q'\n"
    "  measures count(*) over (last 10 seconds) as n, last(x) over (last 20 seconds) as t\n"
    "  after match skip to next row emit episode after quiet 4 seconds alert message '{n} {t}';\n"
    "create rule calm_busy on b partition by k when sum(v) over (last 10 seconds) > 12\n"
    "  emit episode after quiet 3 seconds suppress 9 seconds alert message '{v}';\n";

RuleBook book_of(const std::string& text, std::vector<cep::ProgramId>* started = nullptr, RuleBook book = {}) {
  patterns::SourceMap sources;
  patterns::Diagnostics diagnostics;
  const patterns::FileId file = sources.add("t.weir", text);
  std::vector<cep::ProgramId> to_warm;
  EXPECT_TRUE(book.compile(sources, {&file, 1}, diagnostics, to_warm)) << patterns::to_text(sources, diagnostics);
  if (started != nullptr) *started = to_warm;
  return book;
}

// Rows of both streams, mostly in order, one row a batch.
std::vector<cep::BatchPtr> random_rows(const RuleBook& book, size_t count) {
  std::mt19937_64 random(kSeed);
  std::vector<cep::BatchPtr> rows;
  for (size_t i = 0; i < count; ++i) {
    const cep::SchemaPtr& schema = book.streams().at(random() % 3 == 0 ? "b" : "a");
    cep::BatchBuilder builder(schema, 0, 0);
    builder.begin_row();
    builder.set_text(0, std::string(1, static_cast<char>('A' + random() % 9)));
    builder.set_text(1, std::string(1, "pqrx"[random() % 4]));
    builder.set_fixed(2, static_cast<int64_t>(random() % 6));
    builder.set_fixed(3, static_cast<int64_t>(i * 200'000 + random() % 2'000'000));
    builder.commit_row(i);
    rows.push_back(builder.finish());
  }
  return rows;
}

std::vector<std::string> as_json(Pipeline& pipeline) {
  std::vector<cep::Alert> alerts;
  pipeline.take_alerts(alerts, true);
  std::vector<std::string> all;
  for (const cep::Alert& alert : alerts) all.push_back(api::alert_json(alert));
  return all;
}

std::vector<cep::BatchPtr> in_batches(const std::vector<cep::BatchPtr>& rows, uint32_t most) {
  std::vector<cep::BatchPtr> batches;
  for (size_t at = 0; at < rows.size();) {
    cep::BatchBuilder builder(rows[at]->schema, 0, 0);
    const cep::SchemaPtr schema = rows[at]->schema;
    for (; at < rows.size() && rows[at]->schema == schema && builder.rows() < most; ++at) {
      copy_row(*rows[at], 0, rows[at]->position[0], builder);
    }
    batches.push_back(builder.finish());
  }
  return batches;
}

TEST(Pipeline, ShardsAndBatchesDoNotShow) {
  const RuleBook book = book_of(std::string(kStreams) + kRules);
  const std::vector<cep::BatchPtr> rows = random_rows(book, 4000);
  std::vector<std::string> expected;
  uint64_t late = 0;
  for (const uint32_t shards : {1u, 3u, 64u}) {
    for (const uint32_t most : {1u, 7u, 1024u}) {
      Pipeline pipeline({shards, false, {}});
      pipeline.apply_rules(book.build());
      std::vector<cep::Alert> alerts;
      for (const cep::BatchPtr& batch : in_batches(rows, most)) {
        pipeline.feed(batch);
        pipeline.take_alerts(alerts, false);       // given as soon as nothing can come before: the same list
      }
      pipeline.watermark(kEndOfTime, nullptr);
      pipeline.take_alerts(alerts, true);
      std::vector<std::string> all;
      for (const cep::Alert& alert : alerts) all.push_back(api::alert_json(alert));
      if (expected.empty()) {
        expected = all;
        late = pipeline.late_rows();
        EXPECT_GT(expected.size(), 200u) << "seed " << kSeed;
        EXPECT_GT(late, 0u);
      }
      EXPECT_EQ(all, expected) << shards << " shards, " << most << " rows, seed " << kSeed;
      EXPECT_EQ(pipeline.late_rows(), late);
    }
  }
}

TEST(Pipeline, RestartsDoNotShow) {
  const RuleBook book = book_of(std::string(kStreams) + kRules);
  const std::vector<cep::BatchPtr> rows = random_rows(book, 600);
  Pipeline plain({1, false, {}});
  Pipeline restarted({2, true, {}});
  plain.apply_rules(book.build());
  restarted.apply_rules(book.build());
  for (size_t i = 0; i < rows.size(); ++i) {
    plain.feed(rows[i]);
    restarted.feed(rows[i]);
    if (i % 7 != 3) continue;
    const cep::Status status = restarted.restart();
    ASSERT_TRUE(status.ok()) << status.error().message;
  }
  plain.watermark(kEndOfTime, nullptr);
  restarted.watermark(kEndOfTime, nullptr);
  const std::vector<std::string> expected = as_json(plain);
  EXPECT_GT(expected.size(), 20u);
  EXPECT_EQ(as_json(restarted), expected) << "seed " << kSeed;
}

// R74: after a change midway the alerts are those of having had the rules from the start.
TEST(Pipeline, ANewRuleHasSeenEverything) {
  const RuleBook before = book_of(kStreams);
  std::vector<cep::ProgramId> to_warm;
  const RuleBook after = book_of(kRules, &to_warm, before);
  EXPECT_EQ(to_warm.size(), 5u);
  const std::vector<cep::BatchPtr> rows = random_rows(after, 300);
  for (size_t cut = 0; cut < rows.size(); cut += 37) {
    Pipeline always({2, false, {}});
    Pipeline changed({2, true, {}});
    always.apply_rules(after.build());
    changed.apply_rules(before.build());
    std::vector<cep::Alert> early;
    for (size_t i = 0; i < rows.size(); ++i) {
      if (i == cut) {
        always.take_alerts(early, true);
        changed.apply_rules(after.build(), to_warm);
      }
      always.feed(rows[i]);
      changed.feed(rows[i]);
    }
    always.watermark(kEndOfTime, nullptr);
    changed.watermark(kEndOfTime, nullptr);
    EXPECT_EQ(as_json(changed), as_json(always)) << "cut " << cut << ", seed " << kSeed;
  }
}

TEST(Pipeline, ACosmeticChangeKeepsTheRuns) {
  const std::string rule = "create rule r on a partition by k pattern p -> q define p as x = 'p', q as x = 'q' alert message ";
  const RuleBook first = book_of(kStreams + rule + "'one';");
  std::vector<cep::ProgramId> to_warm;
  const RuleBook second = book_of(rule + "'two';", &to_warm, first);
  EXPECT_TRUE(to_warm.empty());
  EXPECT_EQ(second.rules().at("r").id, first.rules().at("r").id);
  EXPECT_EQ(second.rules().at("r").version, 2u);
  const RuleBook third = book_of("create rule r on a partition by k pattern p define p as x = 'p' alert message 'two';", &to_warm, second);
  EXPECT_EQ(to_warm.size(), 1u);
  EXPECT_NE(third.rules().at("r").id, first.rules().at("r").id);
  const RuleBook dropped = book_of("drop rule r;", nullptr, third);
  EXPECT_TRUE(dropped.rules().empty());
  EXPECT_EQ(book_of(rule + "'two';", &to_warm, dropped).rules().at("r").version, 4u) << "the numbers go on after a drop";
}

TEST(AlertOrder, GivesWhatNothingCanPrecede) {
  const RuleBook book = book_of(std::string(kStreams) + "create rule r on b partition by k when x = 'p' alert message 'm';");
  Pipeline pipeline({1, false, {}});
  pipeline.apply_rules(book.build());
  cep::BatchBuilder rows(book.streams().at("b"), 0, 0);
  for (const int64_t second : {1, 2, 2}) {
    rows.begin_row();
    rows.set_text(0, "k");
    rows.set_text(1, "p");
    rows.set_fixed(3, second * cep::kSecond);
    rows.commit_row(0);
  }
  pipeline.feed(rows.finish());
  std::vector<cep::Alert> alerts;
  pipeline.take_alerts(alerts, false);
  EXPECT_EQ(alerts.size(), 1u) << "another event at second 2 may still come";
  pipeline.take_alerts(alerts, true);
  EXPECT_EQ(alerts.size(), 3u);
}

using Images = std::map<std::pair<uint64_t, uint64_t>, std::string>;

// What a store would have of the keys after these images.
void store(const std::vector<cep::KeyImage>& taken, Images& images) {
  for (const cep::KeyImage& image : taken) {
    if (image.bytes.empty()) {
      images.erase({image.space, image.hash});
    } else {
      images[{image.space, image.hash}] = image.bytes;
    }
  }
}

// Images taken a few bytes at a time between batches are those of the barrier, byte for byte, and so are the victims'.
TEST(Pipeline, ImagesAreOfTheBarrierWhateverComesBetween) {
  const RuleBook book = book_of(std::string(kStreams) + kRules);
  const std::vector<cep::BatchPtr> batches = in_batches(random_rows(book, 6000), 3);
  Pipeline sliced(PipelineOptions{});
  Pipeline whole(PipelineOptions{});
  sliced.apply_rules(book.build());
  whole.apply_rules(book.build());
  Images from_slices, from_whole;
  uint32_t segment = 0;
  bool taking = false;
  size_t barriers = 0, victims_seen = 0;
  std::mt19937_64 random(kSeed);
  for (const cep::BatchPtr& batch : batches) {
    if (!taking && random() % 8 == 0) {
      ++segment;
      ++barriers;
      EXPECT_EQ(from_slices, from_whole) << "of barrier " << segment - 1;
      const std::vector<uint32_t> victims = segment > 2 ? std::vector<uint32_t>{segment - 2, segment - 1} : std::vector<uint32_t>{};
      std::vector<cep::KeyImage> taken;
      whole.engine(0).begin_images(segment, victims);
      while (whole.engine(0).take_images(SIZE_MAX, taken)) {
      }
      store(taken, from_whole);
      sliced.engine(0).begin_images(segment, victims);
      taking = true;
    }
    sliced.feed(batch);
    whole.feed(batch);
    if (!taking) continue;
    std::vector<cep::KeyImage> taken;
    taking = sliced.engine(0).take_images(1 + random() % 300, taken);
    for (const cep::KeyImage& image : taken) victims_seen += image.old_segment + 3 > segment && image.old_segment != 0 ? 1 : 0;
    store(taken, from_slices);
  }
  EXPECT_GT(barriers, 50u);
  EXPECT_GT(victims_seen, 100u);
}

}  // namespace
}  // namespace service
