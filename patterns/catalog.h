// What the rules of a compilation can refer to: streams, lists and tables, and who uses them. A plain value: a compilation
// works on a copy and hands it back only when all of its text is right.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "cep/schema.h"

namespace patterns {

// A list, or a table; the two share their names, since both are asked with `@name`.
struct DatasetDeclaration {
  std::string name;
  std::vector<cep::Type> types;         // of a list's elements, or of a table's key; more than one: tuples
  bool is_table = false;
  std::vector<cep::Column> columns;     // of a table, as declared
  std::vector<uint16_t> key;            // those columns that find a row
};

struct RuleUse {
  std::set<std::string> streams;              // that it reads
  std::set<std::string> datasets;             // lists and tables
  std::string into;                           // the stream that its alerts become events of; empty: none
  std::map<std::string, cep::Type> outputs;   // what it has for the columns of that stream, by name
};

struct Catalog {
  std::map<std::string, cep::SchemaPtr> streams;
  std::map<std::string, DatasetDeclaration> datasets;
  std::map<std::string, RuleUse> rules;  // the rules in force
  std::set<std::pair<std::string, std::string>> untyped;  // (stream, column) whose type was wrong, which was reported
  uint16_t next_stream = 0;              // StreamId of the next new stream; numbers are never given twice
  // Sinks that `to` may name. None: nobody here knows them, and any name passes.
  std::optional<std::vector<std::string>> sinks;
};

}  // namespace patterns
