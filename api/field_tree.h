// Where the columns of a stream sit in its JSON events: a tree of member names made from the columns' names and `path`
// pointers. Node 0 is the event itself. Immutable once made, built once per schema version.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "cep/schema.h"

namespace api {

class FieldTree {
 public:
  struct Node {
    std::string key;                 // member name, or index within an array; empty for the root
    std::vector<uint16_t> columns;   // that are read here; more than one if two columns share a path
    std::vector<uint32_t> children;  // nodes
  };

  explicit FieldTree(const cep::StreamSchema& schema);

  const std::vector<Node>& nodes() const { return nodes_; }
  // Child of `parent` under that name, -1 if no column lies there.
  int child(uint32_t parent, std::string_view key) const;

 private:
  uint32_t child_or_new(uint32_t parent, std::string_view key);

  std::vector<Node> nodes_;
};

}  // namespace api
