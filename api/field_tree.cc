#include "api/field_tree.h"

namespace api {
namespace {

// One reference token of a JSON pointer (RFC 6901): ~1 is '/', ~0 is '~'.
std::string unescape_token(std::string_view token) {
  std::string key;
  for (size_t i = 0; i < token.size(); ++i) {
    const bool escape = token[i] == '~' && i + 1 < token.size();
    if (escape && token[i + 1] == '1') {
      key += '/';
      ++i;
    } else if (escape && token[i + 1] == '0') {
      key += '~';
      ++i;
    } else {
      key += token[i];
    }
  }
  return key;
}

}  // namespace

FieldTree::FieldTree(const cep::StreamSchema& schema) : nodes_(1) {
  for (size_t c = 0; c < schema.columns.size(); ++c) {
    const cep::Column& column = schema.columns[c];
    if (schema.raw_column == c) continue;  // no field of the event, but all of it
    uint32_t node = 0;
    if (column.path.empty() || column.path[0] != '/') {
      node = child_or_new(0, column.path.empty() ? column.name : column.path);
    } else {
      std::string_view rest = std::string_view(column.path).substr(1);
      for (bool more = true; more;) {
        const size_t slash = rest.find('/');
        more = slash != std::string_view::npos;
        node = child_or_new(node, unescape_token(rest.substr(0, slash)));
        if (more) rest.remove_prefix(slash + 1);
      }
    }
    nodes_[node].columns.push_back(static_cast<uint16_t>(c));
  }
}

int FieldTree::child(uint32_t parent, std::string_view key) const {
  for (const uint32_t child : nodes_[parent].children) {
    if (nodes_[child].key == key) return static_cast<int>(child);
  }
  return -1;
}

uint32_t FieldTree::child_or_new(uint32_t parent, std::string_view key) {
  const int found = child(parent, key);
  if (found >= 0) return static_cast<uint32_t>(found);
  const uint32_t made = static_cast<uint32_t>(nodes_.size());
  nodes_.push_back({std::string(key), {}, {}});
  nodes_[parent].children.push_back(made);
  return made;
}

}  // namespace api
