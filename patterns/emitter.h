// Turns checked expressions into nodes of a program's pool, and registers what they need: aggregates, rings, windows,
// datasets, predicates. Equal ones are one. Threads: one owner; lives for one compilation.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "patterns/checker.h"

namespace patterns {

class Emitter {
 public:
  Emitter(const CheckedRule& rule, cep::Program& program) : rule_(rule), program_(program) {}

  // For an event under test of one of `inputs`.
  cep::ExprId emit(const Typed& expr, const std::vector<uint16_t>& inputs);
  // Number of the predicate that all of `conjuncts` hold for an event of `input`; kAlways if there is
  // nothing to ask.
  int32_t predicate(uint16_t input, const std::vector<TypedPtr>& conjuncts);
  // The condition split into predicate and residual, for an event of `input`.
  cep::Condition condition(uint16_t input, const TypedPtr& expr);

 private:
  cep::ExprId field(const Typed& expr, const std::vector<uint16_t>& inputs);
  cep::ExprId bound_field(const Typed& expr);
  cep::ExprId bound_aggregate(const Typed& expr);
  cep::ExprId this_field(const Typed& expr);
  cep::ExprId add_field(const std::string& name, const cep::Type& type, uint16_t input);
  cep::ExprId window(const Typed& expr, const std::vector<uint16_t>& inputs);
  uint16_t ring(cep::Ring made, const std::vector<TypedPtr>& conjuncts);
  int32_t dataset(const std::string& name);
  int32_t table_column(const std::string& name);
  int32_t regex(const std::string& pattern);
  int32_t field_map(const std::string& name, const std::vector<uint16_t>& inputs);
  bool one_stream(const std::vector<uint16_t>& inputs) const;
  uint16_t column(const std::string& name, uint16_t input) const;
  cep::ExprId conjunction(const std::vector<TypedPtr>& conjuncts, uint16_t input);
  cep::ExprId add(cep::ExprOp op, const Typed& expr, int32_t a = -1, int32_t b = -1, int32_t c = 0);
  void add_args(cep::ExprId node, const std::vector<cep::ExprId>& args);

  const CheckedRule& rule_;
  cep::Program& program_;
  std::map<std::string, int32_t> regexes_;
  std::vector<uint16_t> asked_;     // while a window is emitted: the inputs of `this`
};

}  // namespace patterns
