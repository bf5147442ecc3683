// The events already bound by a run, as expressions ask for them. The chain is stored newest first inside a key's block;
// asking for the k-th last of a variable walks k of its nodes, asking from the first walks the whole chain.
// A view: valid until the block changes. One thread.
#pragma once

#include <functional>
#include <vector>

#include "cep/program.h"
#include "cep/row.h"

namespace cep {

struct BoundEvent {
  uint16_t variable = 0;
  RowRef row;
};

class BoundEvents {
 public:
  virtual ~BoundEvents() = default;   // per residual condition, never per event: the matcher has the one hot implementation
  // The event bound to `variable` (which may be a subset), `offset` back from the last one (or forward from the first); invalid RowRef
  // if there is none.
  virtual RowRef find(uint16_t variable, bool from_first, uint32_t offset) const = 0;
  // All events of the variable (or kAllVariables), newest first.
  virtual void for_each(uint16_t variable, const std::function<void(const RowRef&)>& visit) const = 0;
  virtual const Program& program() const = 0;
};

}  // namespace cep
