// expect: hrm::cuda.*incomplete type
#include <hrm/core/policy.hpp>

hrm::cuda where{};
