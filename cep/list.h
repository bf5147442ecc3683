// A list that rules test with `in @name`: an immutable version, replaced as a whole by an edit's control record (R60).
// Elements are values or tuples of the declared types; equal decimals of another scale are equal. Threads: immutable, shared.
#pragma once

#include <functional>
#include <memory>
#include <span>
#include <string>
#include <unordered_set>
#include <vector>

#include "cep/result.h"
#include "cep/value.h"

namespace cep {

class List {
 public:
  List(std::string name, std::vector<Type> types) : name_(std::move(name)), types_(std::move(types)) {}

  const std::string& name() const { return name_; }
  const std::vector<Type>& types() const { return types_; }
  size_t size() const { return encoded_.size(); }

  // Adds one element written as text: one field per declared type. Error if a field does not read as its type.
  Status add_text(std::span<const std::string> fields);
  // Removes an element written as text; false if it was not there.
  Result<bool> remove_text(std::span<const std::string> fields);
  // False also when a value is null: the caller makes that "unknown" (R52).
  bool contains(std::span<const Value> element) const;
  // The elements as text fields, sorted by their bytes: for pages and for the list's record in the log.
  std::vector<std::vector<std::string>> elements() const;

 private:
  std::string name_;
  std::vector<Type> types_;
  // Lets contains() look up bytes that it made on its stack.
  struct BytesHash {
    using is_transparent = void;
    size_t operator()(std::string_view bytes) const;
  };
  std::unordered_set<std::string, BytesHash, std::equal_to<>> encoded_;   // canonical bytes of each element
};

using ListPtr = std::shared_ptr<const List>;

}  // namespace cep
