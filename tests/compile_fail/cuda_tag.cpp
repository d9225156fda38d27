// expect: hrm::cuda.*incomplete type
#include <hrm/hrm.hpp>

hrm::cuda where{};
