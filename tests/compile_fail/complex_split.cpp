// expect: structure.*real
#include <hrm/systems/split.hpp>

void take_apart(const hrm::discrete<hrm::dense<std::complex<double>>>& system) { hrm::split(system); }
