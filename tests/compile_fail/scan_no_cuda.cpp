// expect: hrm::scan::plan: this policy is not complete here; hrm::cuda needs <hrm/cuda.hpp> and a CUDA compiler
#include <hrm/scan/plan.hpp>

void move(hrm::scan::plan<hrm::cuda, hrm::scan::sequential, hrm::diagonal<float>>& from) {
    auto to = std::move(from);
}
