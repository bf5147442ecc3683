// See window_gate.h. Tests: tests/unit/cep/window_gate_test.cc, tests/scripts/windows.
#include "cep/window_gate.h"

#include "cep/column_test.h"

namespace cep {
namespace {

const Expr& node(const Program& program, ExprId id) { return program.pool.nodes[static_cast<size_t>(id)]; }

void split_conjuncts(const Program& program, ExprId id, std::vector<ExprId>& conjuncts) {
  if (id == kNoExpr) return;
  if (node(program, id).op != ExprOp::kAnd) return conjuncts.push_back(id);
  split_conjuncts(program, node(program, id).a, conjuncts);
  split_conjuncts(program, node(program, id).b, conjuncts);
}

bool make_gate(const Program& program, std::span<const uint32_t> ring_numbers, const Expr& comparison, WindowGate* gate) {
  const bool is_above = comparison.op == ExprOp::kGreater || comparison.op == ExprOp::kGreaterEqual;
  if (!is_above || node(program, comparison.a).op != ExprOp::kWindow || node(program, comparison.b).op != ExprOp::kConstant) return false;
  const Window& window = program.windows[static_cast<size_t>(node(program, comparison.a).a)];
  const Ring& ring = program.rings[window.ring];
  const Value bound = program.pool.constants[static_cast<size_t>(node(program, comparison.b).a)].view();
  if (window.asks_event() || window.exclude_current || ring.keep != RingKeep::kEntries || !bound.is_number()) return false;
  const bool counts = window.kind == AggregateKind::kCount && ring.argument == kNoExpr;
  const bool is_exact = ring.type.kind == TypeKind::kInt || ring.type.kind == TypeKind::kDecimal;
  gate->sums = window.kind == AggregateKind::kSum && ring.value == RingValue::kNumber && is_exact;
  if (!counts && !gate->sums) return false;
  gate->ring = ring_numbers[window.ring];
  gate->extent = window.extent;
  gate->least = least_of(gate->sums ? ring.type : Type{TypeKind::kInt, 0, 0}, comparison.op, bound);
  return true;
}

}  // namespace

std::vector<WindowGate> gates_of(const Program& program, std::span<const uint32_t> ring) {
  std::vector<WindowGate> gates;
  if (!program.is_when || program.inputs.size() != 1) return gates;
  std::vector<ExprId> conjuncts;
  split_conjuncts(program, program.variables[0].conditions[0].residual, conjuncts);
  for (const ExprId conjunct : conjuncts) {        // what stands behind another test is not asked before it: that may count what is null
    WindowGate gate;
    if (!make_gate(program, ring, node(program, conjunct), &gate)) break;
    gates.push_back(gate);
  }
  return gates;
}

}  // namespace cep
