// What the reference matcher does not know, so that whoever compares with it can say what was not compared. Threads: pure functions.
#pragma once

#include <map>
#include <string>

#include "cep/schema.h"
#include "patterns/ast.h"

namespace support {

// The first construct of the rule that the reference cannot answer for ("function `hour`"); empty: it knows them all.
std::string unknown_to_reference(const patterns::RuleDecl& rule, const std::map<std::string, cep::SchemaPtr>& streams);

}  // namespace support
