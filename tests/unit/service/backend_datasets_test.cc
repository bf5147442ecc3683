// Lists and tables behind HTTP: what each question answers, and what is left of it after a restart.
#include "tests/support/backend_fixture.h"

namespace service {
namespace {

using test_support::kPayments;

class BackendDatasetsTest : public test_support::BackendFixture {
 protected:
  // PUT of an entry: of a table if there is a row. `match`: If-Match, If-None-Match.
  api::Answer put_entry(const std::string& name, std::vector<std::string> key, const std::string& row = "",
                        std::pair<std::string, std::string> match = {}) {
    api::DatasetEntryPut put;
    put.edit = {{!row.empty(), name}, "ann@desk", match.first, match.second};
    put.key = std::move(key);
    put.row = row;
    return put_entry(std::move(put));
  }
  api::Answer put_entry(api::DatasetEntryPut put) {
    return ask([&](api::Reply reply) { backend_->put_dataset_entry(put, reply); });
  }
  api::Answer get_entry(bool is_table, const std::string& name, std::vector<std::string> key) {
    return ask([&](api::Reply reply) { backend_->dataset_entry({is_table, name}, key, reply); });
  }
  api::Answer delete_entry(bool is_table, const std::string& name, std::vector<std::string> key, const std::string& if_match = "") {
    return ask([&](api::Reply reply) { backend_->delete_dataset_entry({{is_table, name}, "ann@desk", if_match, ""}, key, reply); });
  }
  api::Answer import(bool is_table, const std::string& name, const std::string& csv, bool replace, const std::string& if_match = "") {
    return ask([&](api::Reply reply) {
      backend_->import_dataset({{{is_table, name}, "ann@desk", if_match, ""}, csv, replace}, reply);
    });
  }
  api::Answer entries(bool is_table, const std::string& name, api::PageQuery page) {
    return ask([&](api::Reply reply) { backend_->dataset({is_table, name}, page, reply); });
  }
};

TEST_F(BackendDatasetsTest, ListsTakeAndGiveEntries) {
  deploy_text(std::string(kPayments) + "create list pairs of (text, int);");
  const api::Answer made = put_entry("pairs", {"a", "1"});
  EXPECT_EQ(made.status, 201);
  EXPECT_EQ(etag(put_entry("pairs", {"a", "1"})), etag(made)) << "nothing changed";
  EXPECT_EQ(put_entry("pairs", {"a", "1"}, "", {"", "*"}).status, 412);
  EXPECT_EQ(put_entry("pairs", {"b", "2"}, "", {"*", ""}).status, 412);
  EXPECT_EQ(put_entry("pairs", {"a", "x"}).status, 422);
  EXPECT_EQ(put_entry("pairs", {"a"}).status, 422);
  EXPECT_EQ(put_entry("nobody", {"a"}).status, 404);
  EXPECT_EQ(put_entry("pairs", {"b", "2"}, "", {"", "*"}).status, 201);
  api::DatasetEntryPut marked;
  marked.edit = {{false, "pairs"}, "bob@desk", etag(made), ""};
  marked.key = {"a", "1"};
  marked.owner = "desk";
  marked.comment = "asked";
  marked.expires = test_support::kLaneStart + cep::kHour;
  EXPECT_EQ(put_entry(marked).status, 200);
  EXPECT_EQ(put_entry(marked).status, 412) << "its tag is another one now";
  restart();
  const api::Answer page = entries(false, "pairs", {1, ""});
  EXPECT_TRUE(has(page, R"("name":"pairs","types":["text","int"],"size":2,"items":[{"value":[")")) << page.body;
  EXPECT_FALSE(has(page, R"("next":null)"));
  EXPECT_TRUE(has(get_entry(false, "pairs", {"a", "1"}),
                  R"({"list":"pairs","value":["a","1"],"owner":"desk","comment":"asked","expires":"2026-01-05T01:00:00.000Z",)"
                  R"("by":"bob@desk","at":"2026-01-05T00:00:00.000Z"})"));
  EXPECT_EQ(delete_entry(false, "pairs", {"b", "2"}, "\"0\"").status, 412);
  EXPECT_EQ(delete_entry(false, "pairs", {"b", "2"}).status, 204);
  EXPECT_EQ(delete_entry(false, "pairs", {"b", "2"}).status, 404);
  EXPECT_EQ(get_entry(false, "pairs", {"b", "2"}).status, 404);
  EXPECT_EQ(get_entry(true, "pairs", {"a", "1"}).status, 404) << "a list is no table";
  EXPECT_TRUE(has(ask([&](api::Reply reply) { backend_->datasets(false, {10, ""}, reply); }), R"("size":1)"));
  lane_->settle(false);
  const api::Answer edits = ask([&](api::Reply reply) { backend_->edits({"pairs", {2, ""}}, reply); });
  EXPECT_TRUE(has(edits, R"("list":"pairs","by":"ann@desk","at":"2026-01-05T00:00:00.000Z","added":0,"changed":0,"removed":1,"edits":)"
                         R"([{"value":["b","2"],"before":{"owner":null,"comment":null,"expires":null},"now":null}],"not_shown":0})"))
      << edits.body;
  EXPECT_TRUE(has(edits, R"("by":"bob@desk")"));
  EXPECT_FALSE(has(edits, R"("added":1)")) << "two a page, the newest first";
}

TEST_F(BackendDatasetsTest, AFullListOrTableRefusesWhatWouldBeMore) {
  dataset_entries_max_ = 2;
  restart();
  deploy_text(std::string(kPayments) + "create list l of text; create table t (k text, v int) key k;");
  EXPECT_EQ(put_entry("l", {"a"}).status, 201);
  EXPECT_EQ(put_entry("l", {"b"}).status, 201);
  const api::Answer refused = put_entry("l", {"c"});
  EXPECT_EQ(refused.status, 422);
  EXPECT_TRUE(has(refused, "@l holds 2 entries; with these it would be more than 2: remove some first")) << refused.body;
  EXPECT_EQ(import(false, "l", "c\nd\n", true).status, 200) << "as many as before";
  EXPECT_EQ(import(false, "l", "c\nd\ne\n", true).status, 422);
  EXPECT_EQ(delete_entry(false, "l", {"c"}).status, 204);
  EXPECT_EQ(put_entry("l", {"e"}).status, 201);
  EXPECT_EQ(import(true, "t", "k,v\na,1\nb,2\nc,3\n", false).status, 422);
  EXPECT_EQ(import(true, "t", "k,v\na,1\nb,2\n", false).status, 200);
  EXPECT_EQ(import(true, "t", "k,v\na,5\n", false).status, 200) << "a row that is there";
  EXPECT_EQ(lane_->list_entries_refused(), 2u);
  EXPECT_EQ(lane_->table_rows_refused(), 1u);
}

TEST_F(BackendDatasetsTest, TablesTakeAndGiveRows) {
  deploy_text(std::string(kPayments) +
              "create table customers (id text, region text, born int not null, credit decimal(8,2)) key (region, id);");
  const api::Answer made = put_entry("customers", {"ro", "ann"}, R"({"born": 1950, "credit": "10.5"})");
  EXPECT_EQ(made.status, 201) << made.body;
  EXPECT_TRUE(has(made, R"({"table":"customers","key":["ro","ann"],"row":{"born":1950,"credit":"10.50"},)")) << made.body;
  EXPECT_EQ(put_entry("customers", {"ro", "bob"}, R"({"credit": 1})").status, 422) << "born is not null";
  EXPECT_EQ(put_entry("customers", {"ro", "bob"}, R"({"born": 1950, "id": "x"})").status, 422) << "of the key";
  EXPECT_EQ(put_entry("customers", {"ro", "bob"}, R"({"born": 1950, "name": "x"})").status, 422);
  EXPECT_EQ(put_entry("customers", {"ro", "bob"}, R"({"born": {}})").status, 422);
  EXPECT_EQ(put_entry("customers", {"ro"}, R"({"born": 1950})").status, 422);
  const api::Answer added = import(true, "customers", "id,region,born\nbob,ro,1960\nann,ro,1951\n", false, "*");
  EXPECT_TRUE(has(added, R"({"name":"customers","added":1,"changed":1,"removed":0,"size":2})")) << added.body;
  EXPECT_EQ(import(true, "customers", "id,region,born\nbob,ro,x\n", true).status, 422);
  EXPECT_TRUE(has(import(true, "customers", "id,born\nbob,1960\n", true), "key column"));
  EXPECT_EQ(import(true, "customers", "id,region,born\n", true, "\"0\"").status, 412);
  restart();
  const api::Answer replaced = import(true, "customers", "born,id,region\n1970,eve,\"r,o\"\n1960,bob,ro\n", true);
  EXPECT_TRUE(has(replaced, R"("added":1,"changed":0,"removed":1,"size":2)")) << replaced.body;
  EXPECT_TRUE(has(get_entry(true, "customers", {"r,o", "eve"}), R"("row":{"born":1970,"credit":null})"));
  EXPECT_EQ(get_entry(true, "customers", {"ro", "ann"}).status, 404);
  restart();
  EXPECT_TRUE(has(entries(true, "customers", {10, ""}), R"("size":2)"));
  EXPECT_EQ(delete_entry(true, "customers", {"ro", "bob"}).status, 204);
  EXPECT_TRUE(has(ask([&](api::Reply reply) { backend_->datasets(true, {10, ""}, reply); }),
                  R"({"name":"customers","columns":[{"name":"id","type":"text","not_null":false},)"));
}

}  // namespace
}  // namespace service
