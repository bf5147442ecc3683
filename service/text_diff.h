// Two lists of lines as a unified diff. Complexity: product of the lengths, beyond 4 million all lines count as changed.
#pragma once

#include <string>
#include <vector>

namespace service {

// Empty if the lists are equal. Three lines of context.
std::string unified_diff(const std::vector<std::string>& before, const std::vector<std::string>& after,
                         const std::string& before_name, const std::string& after_name);

}  // namespace service
