// What the rules of a compilation can refer to: streams and lists, and who uses them. A plain value: a compilation
// works on a copy and hands it back only when all of its text is right.
#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "cep/schema.h"

namespace patterns {

struct ListDeclaration {
  std::string name;
  std::vector<cep::Type> types;  // more than one: tuples
};

struct RuleUse {
  std::set<std::string> streams;              // that it reads
  std::set<std::string> lists;
  std::string into;                           // the stream that its alerts become events of; empty: none
  std::map<std::string, cep::Type> outputs;   // what it has for the columns of that stream, by name
};

struct Catalog {
  std::map<std::string, cep::SchemaPtr> streams;
  std::map<std::string, ListDeclaration> lists;
  std::map<std::string, RuleUse> rules;  // the rules in force
  uint16_t next_stream = 0;              // StreamId of the next new stream; numbers are never given twice
};

}  // namespace patterns
