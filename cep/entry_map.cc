// See entry_map.h. Test: tests/unit/cep/entry_map_test.cc against std::map.
// A node is inner (32 children by 5 bits of the hash) or a leaf: entries sorted by hash, then key, packed one after the other. A leaf
// splits when it holds more than 32 entries and never joins again, so its number means the same in every later version.
#include "cep/entry_map.h"

#include <algorithm>
#include <atomic>
#include <cstring>

#include "cep/batch.h"

namespace cep {

namespace {

constexpr int kBits = 5;
constexpr size_t kFanout = size_t{1} << kBits;
constexpr size_t kLeafEntriesMax = 32;
constexpr int kDepthMax = 12;          // 60 bits; entries whose hashes agree that far share a leaf of any size
constexpr size_t kHeadBytes = 8;       // of a packed entry: lengths of key and payload

uint64_t hash_of(std::string_view key) { return hash_bytes(key.data(), key.size()); }
size_t child_of(uint64_t hash, int depth) { return (hash >> (64 - kBits * (depth + 1))) & (kFanout - 1); }
uint64_t prefix_mask(int depth) { return depth == 0 ? 0 : ~uint64_t{0} << (64 - kBits * depth); }
uint64_t number_of(uint64_t prefix, int depth) { return prefix | static_cast<uint64_t>(depth); }
uint64_t prefix_of(uint64_t prefix, size_t child, int depth) {
  return prefix | static_cast<uint64_t>(child) << (64 - kBits * (depth + 1));
}

uint64_t fresh_edit() {
  static std::atomic<uint64_t> edits{0};
  return ++edits;
}

uint32_t length_at(const std::string& bytes, size_t at) {
  uint32_t length;
  std::memcpy(&length, bytes.data() + at, sizeof length);
  return length;
}

void append_entry(std::string& bytes, std::string_view key, std::string_view payload) {
  for (const std::string_view part : {key, payload}) {
    const auto length = static_cast<uint32_t>(part.size());
    bytes.append(reinterpret_cast<const char*>(&length), sizeof length);
  }
  bytes.append(key).append(payload);
}

}  // namespace

struct EntryMap::Node {
  uint64_t edit = 0;
  std::vector<NodePtr> children;       // kFanout of them; empty: a leaf
  std::vector<uint64_t> hashes;        // of a leaf's entries, ascending
  std::vector<uint32_t> begins;        // where they begin in `bytes`
  std::string bytes;

  bool is_leaf() const { return children.empty(); }
  std::string_view key(size_t i) const { return {bytes.data() + begins[i] + kHeadBytes, length_at(bytes, begins[i])}; }
  std::string_view payload(size_t i) const {
    return {bytes.data() + begins[i] + kHeadBytes + length_at(bytes, begins[i]), length_at(bytes, begins[i] + 4)};
  }
  size_t end_of(size_t i) const { return i + 1 < begins.size() ? begins[i + 1] : bytes.size(); }
  // Where the key is, or belongs.
  size_t place(uint64_t hash, std::string_view wanted) const {
    auto at = static_cast<size_t>(std::lower_bound(hashes.begin(), hashes.end(), hash) - hashes.begin());
    while (at < hashes.size() && hashes[at] == hash && key(at) < wanted) ++at;
    return at;
  }
  bool holds(size_t at, uint64_t hash, std::string_view wanted) const {
    return at < hashes.size() && hashes[at] == hash && key(at) == wanted;
  }
  void append(uint64_t hash, std::string_view entry_key, std::string_view entry_payload) {
    hashes.push_back(hash);
    begins.push_back(static_cast<uint32_t>(bytes.size()));
    append_entry(bytes, entry_key, entry_payload);
  }
  // Replaces `count` entries (0 or 1) at `at` by the packed `entry`, which may be empty.
  void replace(size_t at, size_t count, uint64_t hash, const std::string& entry) {
    const size_t begin = at < begins.size() ? begins[at] : bytes.size();
    const size_t end = count == 0 ? begin : end_of(at);
    bytes.replace(begin, end - begin, entry);
    const auto i = static_cast<std::ptrdiff_t>(at);
    if (count == 0) {
      hashes.insert(hashes.begin() + i, hash);
      begins.insert(begins.begin() + i, static_cast<uint32_t>(begin));
    } else if (entry.empty()) {
      hashes.erase(hashes.begin() + i);
      begins.erase(begins.begin() + i);
    }
    const size_t kept = entry.empty() ? at : at + 1;
    for (size_t later = kept; later < begins.size(); ++later) {
      begins[later] = static_cast<uint32_t>(begins[later] + entry.size() - (end - begin));
    }
  }
};

EntryMap::EntryMap(const EntryMap& other) : root_(other.root_), size_(other.size_) {}

EntryMap& EntryMap::operator=(const EntryMap& other) {
  root_ = other.root_;
  size_ = other.size_;
  edit_ = 0;
  return *this;
}

EntryMap::Node& EntryMap::own(NodePtr& node) {
  if (node == nullptr) {
    node = std::make_shared<Node>();
  } else if (node->edit != edit_) {
    node = std::make_shared<Node>(*node);
  }
  node->edit = edit_;
  return *node;
}

std::optional<std::string_view> EntryMap::find(std::string_view key) const {
  const uint64_t hash = hash_of(key);
  const Node* node = root_.get();
  for (int depth = 0; node != nullptr && !node->is_leaf(); ++depth) node = node->children[child_of(hash, depth)].get();
  if (node == nullptr) return std::nullopt;
  const size_t at = node->place(hash, key);
  if (!node->holds(at, hash, key)) return std::nullopt;
  return node->payload(at);
}

void EntryMap::split(Node& node, int depth) {
  std::vector<NodePtr> children(kFanout);
  for (size_t i = 0; i < node.hashes.size(); ++i) {
    own(children[child_of(node.hashes[i], depth)]).append(node.hashes[i], node.key(i), node.payload(i));
  }
  node = Node{edit_, std::move(children), {}, {}, {}};
}

bool EntryMap::put(std::string_view key, std::string_view payload) {
  const uint64_t hash = hash_of(key);
  if (edit_ == 0) edit_ = fresh_edit();
  Node* node = &own(root_);
  int depth = 0;
  for (;;) {
    if (node->is_leaf()) {
      const size_t at = node->place(hash, key);
      const bool is_there = node->holds(at, hash, key);
      if (is_there || node->hashes.size() < kLeafEntriesMax || depth == kDepthMax) {
        std::string entry;
        append_entry(entry, key, payload);
        node->replace(at, is_there ? 1 : 0, hash, entry);
        size_ += is_there ? 0 : 1;
        return !is_there;
      }
      split(*node, depth);
    }
    node = &own(node->children[child_of(hash, depth++)]);
  }
}

bool EntryMap::erase(std::string_view key) {
  if (!find(key)) return false;
  const uint64_t hash = hash_of(key);
  if (edit_ == 0) edit_ = fresh_edit();
  Node* node = &own(root_);
  for (int depth = 0; !node->is_leaf(); ++depth) node = &own(node->children[child_of(hash, depth)]);
  node->replace(node->place(hash, key), 1, hash, "");
  --size_;
  return true;
}

// `from_hash` is 0 wherever all that is below comes behind it.
bool EntryMap::walk(const NodePtr& node, uint64_t from_hash, int depth, const Visit& visit) {
  if (node == nullptr) return true;
  if (!node->is_leaf()) {
    const size_t first = child_of(from_hash, depth);
    for (size_t i = first; i < kFanout; ++i) {
      if (!walk(node->children[i], i == first ? from_hash : 0, depth + 1, visit)) return false;
    }
    return true;
  }
  for (size_t i = 0; i < node->hashes.size(); ++i) {
    if (node->hashes[i] >= from_hash && !visit(node->hashes[i], node->key(i), node->payload(i))) return false;
  }
  return true;
}

void EntryMap::each_from(uint64_t from_hash, const Visit& visit) const { walk(root_, from_hash, 0, visit); }

// A leaf without entries is none.
void EntryMap::collect(const NodePtr& node, uint64_t prefix, int depth, const VisitLeaf& visit, bool gone) {
  if (node == nullptr) return;
  if (node->is_leaf()) {
    if (!node->hashes.empty()) visit(number_of(prefix, depth), gone ? nullptr : &node->bytes);
    return;
  }
  for (size_t i = 0; i < kFanout; ++i) collect(node->children[i], prefix_of(prefix, i, depth), depth + 1, visit, gone);
}

void EntryMap::compare(const NodePtr& now, const NodePtr& before, uint64_t prefix, int depth, const VisitLeaf& visit) {
  if (now == before) return;
  const bool both_inner = now != nullptr && before != nullptr && !now->is_leaf() && !before->is_leaf();
  if (both_inner) {
    for (size_t i = 0; i < kFanout; ++i) {
      compare(now->children[i], before->children[i], prefix_of(prefix, i, depth), depth + 1, visit);
    }
    return;
  }
  const bool is_leaf_now = now != nullptr && now->is_leaf() && !now->hashes.empty();
  const bool was_leaf = before != nullptr && before->is_leaf() && !before->hashes.empty();
  if (is_leaf_now && was_leaf) {
    if (now->bytes != before->bytes) visit(number_of(prefix, depth), &now->bytes);
    return;
  }
  collect(before, prefix, depth, visit, true);
  collect(now, prefix, depth, visit, false);
}

void EntryMap::changed_leaves(const EntryMap& before, const VisitLeaf& visit) const { compare(root_, before.root_, 0, 0, visit); }

const std::string* EntryMap::leaf(uint64_t number) const {
  const auto wanted = static_cast<int>(number & 0xf);
  const Node* node = root_.get();
  for (int depth = 0; depth < wanted && node != nullptr; ++depth) {
    node = node->is_leaf() ? nullptr : node->children[child_of(number, depth)].get();
  }
  return node != nullptr && node->is_leaf() && !node->hashes.empty() ? &node->bytes : nullptr;
}

bool EntryMap::restore_leaf(uint64_t number, std::string_view bytes) {
  const auto wanted = static_cast<int>(number & 0xf);
  if (wanted > kDepthMax) return false;
  if (edit_ == 0) edit_ = fresh_edit();
  Node read;
  read.edit = edit_;
  for (std::string_view rest = bytes; !rest.empty();) {
    uint32_t lengths[2];
    if (rest.size() < sizeof lengths) return false;
    std::memcpy(lengths, rest.data(), sizeof lengths);
    if (rest.size() - sizeof lengths < uint64_t{lengths[0]} + lengths[1]) return false;
    const std::string_view key = rest.substr(sizeof lengths, lengths[0]);
    const uint64_t hash = hash_of(key);
    const bool is_ours = ((hash ^ number) & prefix_mask(wanted)) == 0;
    if (!is_ours || read.holds(read.place(hash, key), hash, key)) return false;
    if (!read.hashes.empty() && hash < read.hashes.back()) return false;
    read.append(hash, key, rest.substr(sizeof lengths + lengths[0], lengths[1]));
    rest.remove_prefix(sizeof lengths + lengths[0] + lengths[1]);
  }
  Node* node = &own(root_);
  for (int depth = 0; depth < wanted; ++depth) {
    if (node->is_leaf() && !node->hashes.empty()) return false;
    if (node->is_leaf()) node->children.resize(kFanout);
    node = &own(node->children[child_of(number, depth)]);
  }
  if (!node->is_leaf() || !node->hashes.empty() || read.hashes.empty()) return false;
  size_ += read.hashes.size();
  *node = std::move(read);
  return true;
}

}  // namespace cep
