// Bodies cut into events: lines, arrays, envelopes, watermarks, CSV, CloudEvents.
#include "api/event_body.h"

#include <gtest/gtest.h>

namespace {

using api::EventBodyHead;
using api::SubmitItem;

cep::SchemaPtr make_schema() {
  auto schema = std::make_shared<cep::StreamSchema>();
  schema->name = "tx";
  auto add = [&](std::string name, cep::TypeKind kind, std::string path = {}) {
    cep::Column column;
    column.name = std::move(name);
    column.type.kind = kind;
    if (kind == cep::TypeKind::kDecimal) column.type = {kind, 12, 2};
    column.path = std::move(path);
    schema->columns.push_back(column);
  };
  add("at", cep::TypeKind::kTimestamp);
  add("id", cep::TypeKind::kText);
  add("amount", cep::TypeKind::kDecimal);
  add("ok", cep::TypeKind::kBool);
  add("city", cep::TypeKind::kText, "/address/city");
  add("zip", cep::TypeKind::kText, "/address/zip");
  schema->columns[0].not_null = true;
  schema->unique_columns = {1};
  return schema;
}

class EventBodyTest : public testing::Test {
 protected:
  // Every record in order: "stream:row", "watermark stream time", "refused code field"; or the error of the whole body.
  std::vector<std::string> cut(std::string body, std::string stream = {}, std::string type = {},
                               EventBodyHead head = {}) {
    head.content_type = std::move(type);
    head.stream = std::move(stream);
    request_ = api::SubmitRequest();
    request_.body = std::move(body);
    const auto status =
        api::split_body(head, [&](std::string_view name) { return name == "tx" ? schema_ : nullptr; }, request_);
    if (!status.ok()) return {status.error().code};
    std::vector<std::string> out(request_.items.size() + request_.rejected.size());
    for (const SubmitItem& item : request_.items) {
      const std::string name = item.stream == SubmitItem::kAllStreams ? "*" : request_.streams[item.stream];
      out.at(item.index) = item.kind == SubmitItem::Kind::kEvent
                               ? name + ":" + std::string(item.row)
                               : "watermark " + name + " " + cep::format_time(item.watermark_us);
    }
    for (const auto& row : request_.rejected) {
      out.at(row.index) = "refused " + std::string(api::event_code_name(row.error.code)) + " " + row.error.field;
    }
    return out;
  }
  using Lines = std::vector<std::string>;

  cep::SchemaPtr schema_ = make_schema();
  api::SubmitRequest request_;
};

TEST_F(EventBodyTest, LinesOfOneStream) {
  EXPECT_EQ(cut("{\"a\":1}\r\n\n  {\"a\":2}  \nnonsense", "tx"),
            (Lines{"tx:{\"a\":1}", "tx:{\"a\":2}", "tx:nonsense"}));
  EXPECT_EQ(cut("", "tx"), Lines{});
  EXPECT_EQ(cut("\xef\xbb\xbf{}\n", "tx"), Lines{"tx:{}"});
  EXPECT_EQ(cut("{\"a\":\n1}", "tx", "application/json"), Lines{"tx:{\"a\":\n1}"});
  EXPECT_EQ(cut("{\"a\":\n1}", "tx", "application/x-ndjson"), (Lines{"tx:{\"a\":", "tx:1}"}));
  EXPECT_EQ(cut("{\"a\":1}\n{\"a\":2}", "tx", "application/json").size(), 2u);
}

TEST_F(EventBodyTest, Arrays) {
  EXPECT_EQ(cut(R"( [ {"a":"]}\""} , 5, [1] ] )", "tx"), (Lines{R"(tx:{"a":"]}\""})", "tx:5", "tx:[1]"}));
  EXPECT_EQ(cut("[]", "tx"), Lines{});
  for (const char* bad : {"[", "[1", "[1,", "[1 2]", "[\"x]", "[{]", "[1]]", "[1]x", "[{\"a\":1]", "[,]"}) {
    EXPECT_EQ(cut(bad, "tx"), Lines{"bad_json"}) << bad;
  }
  std::string many = "[0";
  for (uint32_t i = 0; i < api::kRequestRecordsMax; ++i) many += ",0";
  EXPECT_EQ(cut(many + "]", "tx"), Lines{"too_large"});
}

TEST_F(EventBodyTest, Envelopes) {
  const auto lines = cut(R"({"stream": "tx", "event": {"a": 1}}
{"event":{"b":"}"},"stream":"lo\u0067in","note":[1]}
{"stream":"tx"}
{"event":{}}
{"stream":5,"event":{}}
{"stream":"tx","stream":"tx","event":{}}
{"stream":"tx","event":{}
[1]
{"$watermark": "2026-01-05T00:00:00Z"}
{ "$watermark": 1767571200000, "stream": "tx" }
{"$watermark": "noon"}
{"$watermark": 1, "$watermark": 2}
{"stream":"tx","event":{"c":3}})");
  EXPECT_EQ(lines,
            (Lines{"tx:{\"a\": 1}", "login:{\"b\":\"}\"}", "refused bad_json event", "refused bad_json stream",
                   "refused bad_json stream", "refused bad_json stream", "refused bad_json ", "refused bad_json ",
                   "watermark * 2026-01-05T00:00:00.000Z", "watermark tx 2026-01-05T00:00:00.000Z",
                   "refused bad_time $watermark", "refused bad_time $watermark", "tx:{\"c\":3}"}));
  EXPECT_EQ(request_.streams, (Lines{"tx", "login"}));
  EXPECT_EQ(request_.rejected[0].raw, R"({"stream":"tx"})");
}

TEST_F(EventBodyTest, NamesTooManyStreams) {
  std::string body;
  for (size_t i = 0; i < api::kRequestStreamsMax + 2; ++i)
    body += R"({"stream":"s)" + std::to_string(i) + "\",\"event\":{}}\n";
  const auto lines = cut(body);
  EXPECT_EQ(lines[api::kRequestStreamsMax - 1], "s9999:{}");
  EXPECT_EQ(lines[api::kRequestStreamsMax], "refused unknown_stream stream");
}

TEST_F(EventBodyTest, Csv) {
  const auto lines =
      cut("at,id,amount,ok,city,other\r\n"
          "1767571200000,a1,12.50,true,Oslo,x\r\n"
          "2026-01-05T00:00:00Z,\"a,\"\"2\"\"\",,,\"\",y\n"
          "\n"
          "now,007,1e2,yes,\"two\nlines\",\n"
          "1,2\n"
          "1,b\"ad,3,,,\n"
          "1,\xff,3,,,\n"
          "1,last,3,,,",
          "tx", "text/csv");
  EXPECT_EQ(lines, (Lines{R"(tx:{"at":1767571200000,"id":"a1","amount":12.50,"ok":true,"address":{"city":"Oslo"}})",
                          R"(tx:{"at":"2026-01-05T00:00:00Z","id":"a,\"2\"","address":{"city":""}})",
                          R"(tx:{"at":"now","id":"007","amount":1e2,"ok":"yes","address":{"city":"two\nlines"}})",
                          "refused bad_json ", "refused bad_json ", "refused bad_utf8 ",
                          R"(tx:{"at":1,"id":"last","amount":3})"}));
  EXPECT_EQ(cut("at,at\n", "tx", "text/csv"), Lines{"duplicate_key"});
  EXPECT_EQ(cut("\"at\n", "tx", "text/csv"), Lines{"bad_csv"});
  EXPECT_EQ(cut("at\n", "other", "text/csv"), Lines{"unknown_stream"});
  EXPECT_EQ(cut("at\n1", {}, "text/csv"), Lines{"unsupported_media_type"});
}

TEST_F(EventBodyTest, CsvRowsAreDecodedAsTheyWereMeant) {
  cut("at,id,amount,ok,city\n1767571200000,007,12.5,false,\n", "tx", "text/csv");
  api::JsonRows rows(schema_);
  cep::BatchBuilder builder(schema_, 0, 0);
  api::RowError error;
  ASSERT_TRUE(rows.append(request_.items.at(0).row, 0, builder, &error)) << error.message;
  const auto batch = builder.finish();
  const char* expected[] = {"2026-01-05T00:00:00.000Z", "007", "12.50", "false", "-", "-"};
  for (uint16_t c = 0; c < 6; ++c) EXPECT_EQ(cep::to_display(batch->value(0, c)), expected[c]);
}

TEST_F(EventBodyTest, CloudEvents) {
  const std::string type = "application/cloudevents+json", batch = "application/cloudevents-batch+json";
  const std::string head = R"({"specversion":"1.0","type":"tx","source":"s","id":"e1","time":"2026-01-05T00:00:00Z")";
  EXPECT_EQ(cut(head + R"(,"data":{"amount":1}})", {}, type),
            Lines{R"(tx:{"at":"2026-01-05T00:00:00Z","id":"e1","amount":1})"});
  EXPECT_EQ(cut(head + R"(,"data":{}})", {}, type), Lines{R"(tx:{"at":"2026-01-05T00:00:00Z","id":"e1"})"});
  EXPECT_EQ(cut(head + R"(,"data":{"at":5,"id":"own"}})", {}, type), Lines{R"(tx:{"at":5,"id":"own"})"});
  EXPECT_EQ(cut(head + R"(,"data":{"x":1}})", "other", type), Lines{R"(other:{"x":1})"});
  EXPECT_EQ(cut(head + R"(,"data":[1]})", {}, type), Lines{"refused bad_json data"});
  EXPECT_EQ(cut(head + R"(,"data_base64":"e30="})", {}, type), Lines{"refused bad_json data_base64"});
  EXPECT_EQ(cut(R"({"type":"tx","data":{}})", {}, type), Lines{"refused bad_json specversion"});
  EXPECT_EQ(cut(R"({"specversion":"1.0","data":{}})", {}, type), Lines{"refused bad_json type"});
  EXPECT_EQ(cut("[" + head + R"(,"data":{"amount":1}},5,)" + head + R"(,"data":{"amount":2}}])", {}, batch),
            (Lines{R"(tx:{"at":"2026-01-05T00:00:00Z","id":"e1","amount":1})", "refused bad_json ",
                   R"(tx:{"at":"2026-01-05T00:00:00Z","id":"e1","amount":2})"}));
  EventBodyHead binary;
  binary.is_cloud_event = true;
  binary.ce_type = "tx";
  binary.ce_id = "b1";
  EXPECT_EQ(cut(R"( {"at":1,"amount":2} )", {}, "application/json", binary),
            Lines{R"(tx:{"id":"b1","at":1,"amount":2})"});
}

TEST_F(EventBodyTest, UnknownMediaTypes) {
  EXPECT_EQ(cut("{}", "tx", "application/xml"), Lines{"unsupported_media_type"});
  EXPECT_EQ(cut("{}", "tx", "application/x-www-form-urlencoded"), Lines{"tx:{}"});
}

}  // namespace
