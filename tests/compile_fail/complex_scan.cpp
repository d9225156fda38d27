// expect: structure.*real
#include <hrm/scan/system.hpp>

void take_gradient(const hrm::discrete<hrm::dense<std::complex<double>>>& system) {
    const hrm::scan::system_gradient<hrm::dense<std::complex<double>>> gradient(system);
}
