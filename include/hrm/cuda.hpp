#pragma once

// hrm::cuda, complete, for CUDA sources. A host compiler is refused here rather than deep inside a kernel.
#if !defined(__CUDACC__)
#error "hrm/cuda.hpp is for CUDA sources: compile this file with nvcc, or include <hrm/hrm.hpp> and run on hrm::cpu"
#endif

#include <hrm/cuda/adapter.cuh>
#include <hrm/cuda/convolution.cuh>
#include <hrm/cuda/fourier.cuh>
#include <hrm/cuda/runtime.hpp>
#include <hrm/cuda/scan.cuh>
#include <hrm/cuda/sketch.cuh>
