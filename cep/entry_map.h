// The entries of a list or table by their key's bytes: a persistent hash trie. A copy shares all of it and costs nothing; an edit of a
// copy makes about four nodes of 32 places and one leaf of at most 32 entries anew, however many entries there are.
// A leaf is also the unit in which a checkpoint keeps entries: it has a number that stays as long as the leaf is one, and what
// changed between two versions is found without looking at what they share.
// Invariant: what was copied from is not changed any more (lists and tables are published versions).
// Threads: immutable once published, shared.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace cep {

class EntryMap {
 public:
  EntryMap() = default;
  EntryMap(const EntryMap& other);
  EntryMap& operator=(const EntryMap& other);
  EntryMap(EntryMap&&) noexcept = default;
  EntryMap& operator=(EntryMap&&) noexcept = default;

  size_t size() const { return size_; }
  // The payload under the key; it lives as long as some version that holds it.
  std::optional<std::string_view> find(std::string_view key) const;
  // True: the key is new.
  bool put(std::string_view key, std::string_view payload);
  bool erase(std::string_view key);

  // Calls `visit` in the order of hashes, which is the same for ever, from `from_hash` on, until it answers false.
  using Visit = std::function<bool(uint64_t hash, std::string_view key, std::string_view payload)>;
  void each_from(uint64_t from_hash, const Visit& visit) const;

  // Every leaf that `before` does not have like this: its number and bytes, or nullptr if it is no leaf of this version.
  using VisitLeaf = std::function<void(uint64_t leaf, const std::string* bytes)>;
  void changed_leaves(const EntryMap& before, const VisitLeaf& visit) const;
  // The bytes of a leaf, nullptr if there is none of that number.
  const std::string* leaf(uint64_t number) const;
  // Puts back a leaf of another process' map. False: the bytes are not those of a leaf with this number.
  bool restore_leaf(uint64_t number, std::string_view bytes);

 private:
  struct Node;
  using NodePtr = std::shared_ptr<Node>;

  Node& own(NodePtr& node);
  void split(Node& node, int depth);
  static void collect(const NodePtr& node, uint64_t prefix, int depth, const VisitLeaf& visit, bool gone);
  static void compare(const NodePtr& now, const NodePtr& before, uint64_t prefix, int depth, const VisitLeaf& visit);
  static bool walk(const NodePtr& node, uint64_t from_hash, int depth, const Visit& visit);

  NodePtr root_;
  size_t size_ = 0;
  uint64_t edit_ = 0;      // names this version's own nodes, which it may still change; 0: it has none
};

}  // namespace cep
