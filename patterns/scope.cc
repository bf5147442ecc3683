#include "patterns/scope.h"

namespace patterns {

uint16_t RuleNames::find_variable(const std::string& name) const {
  for (size_t i = 0; i < variables.size(); ++i) {
    if (variables[i].name == name) return static_cast<uint16_t>(i);
  }
  return cep::kNoVariable;
}

int RuleNames::find_input(const std::string& name) const {
  for (size_t i = 0; i < inputs.size(); ++i) {
    if (inputs[i].name == name) return static_cast<int>(i);
  }
  return -1;
}

std::vector<std::string> RuleNames::input_names() const {
  std::vector<std::string> names;
  for (const ScopeInput& input : inputs) names.push_back(input.name);
  return names;
}

std::vector<std::string> RuleNames::variable_names() const {
  std::vector<std::string> names;
  for (const ScopeVariable& variable : variables) {
    if (variable.name.find('#') == std::string::npos) names.push_back(variable.name);
  }
  return names;
}

}  // namespace patterns
