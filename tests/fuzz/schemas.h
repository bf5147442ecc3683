// The stream that the decoders' targets decode to: a column of each type, paths that share members, a nullable and a required one.
#pragma once

#include "cep/schema.h"

namespace fuzz {

inline cep::SchemaPtr every_type() {
  using cep::TypeKind;
  auto schema = std::make_shared<cep::StreamSchema>();
  schema->name = "s";
  schema->columns = {{"at", {TypeKind::kTimestamp, 0, 0}, true, ""}, {"id", {TypeKind::kText, 0, 0}, false, ""},
                     {"b", {TypeKind::kBool, 0, 0}, false, ""},      {"i", {TypeKind::kInt, 0, 0}, false, ""},
                     {"f", {TypeKind::kFloat, 0, 0}, false, ""},     {"d", {TypeKind::kDecimal, 12, 2}, false, ""},
                     {"t", {TypeKind::kText, 0, 0}, false, "/m/t"},  {"u", {TypeKind::kDuration, 0, 0}, false, "/m/u"},
                     {"ip", {TypeKind::kIp, 0, 0}, false, "/l/1"}};
  schema->time_column = 0;
  schema->unique_columns = {1};
  schema->zone = "Europe/Berlin";
  return schema;
}

}  // namespace fuzz
