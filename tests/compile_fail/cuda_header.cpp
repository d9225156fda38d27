// expect: hrm/cuda.hpp is for CUDA sources: compile this file with nvcc, or include <hrm/hrm.hpp> and run on hrm::cpu
#include <hrm/cuda.hpp>
