// Parser: a rule file as a tree, and everything that is wrong with its form, in one pass (GRAMMAR.md).
// Invariant: never fails as a whole: what could be read is in the tree, what could not is a kError node or left out,
// and has its diagnostic; a tree is within the limits below, so that walking it recursively is safe.
// O(bytes). Threads: one owner.
#pragma once

#include <cstddef>
#include <cstdint>

#include "patterns/ast.h"
#include "patterns/diagnostic.h"
#include "patterns/source_map.h"

namespace patterns {

// Beyond one of these the text is refused with an E04xx.
struct ParseLimits {
  size_t file_bytes_max = 4u << 20;  // a deployment of many statements
  size_t statement_bytes_max = 64u << 10;
  uint32_t expr_depth_max = 64;       // parentheses, calls, `not`, signs; a chain `a and b and c` is flat
  uint32_t expr_nodes_max = 2'000;    // of one expression
  uint32_t pattern_nesting_max = 16;  // groups and permutes
  uint32_t in_values_max = 1'000;
  uint32_t permute_items_max = 6;
};

File parse(const SourceMap& sources, FileId file, Diagnostics& diagnostics, const ParseLimits& limits = {});

// What the `-- weir:allow` comments of `file` silence, goes from `diagnostics`. To be called after all checks.
void apply_allows(const File& file, Diagnostics& diagnostics);

}  // namespace patterns
