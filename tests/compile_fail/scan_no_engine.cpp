// expect: hrm::scan::plan: no engine for this combination of policy, algorithm and structure of A
#include <hrm/scan/plan.hpp>

struct backwards {};

void make(const hrm::diagonal<float>& a) {
    hrm::scan::plan p(hrm::cpu{}, backwards{}, a, {.batch = 1, .time = 8});
}
