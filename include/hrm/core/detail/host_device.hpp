#pragma once

// In front of a function that runs on the host and, in CUDA sources, on the device as well.
#if defined(__CUDACC__)
#define HRM_BOTH __host__ __device__
#else
#define HRM_BOTH
#endif
