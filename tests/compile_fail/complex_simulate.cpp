// expect: structure.*real
#include <hrm/reduction/simulate.hpp>

void take_steps(const hrm::discrete<hrm::dense<std::complex<double>>>& system) { hrm::simulate(system); }
