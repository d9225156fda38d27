#pragma once

// hrm: state-space adapters for frozen transformers. Everything here needs Eigen and threads, nothing else.
// Files are in <hrm/io.hpp>, the GPU in <hrm/cuda.hpp>.

#include <hrm/version.hpp>

#include <hrm/core/error.hpp>
#include <hrm/core/matrix.hpp>
#include <hrm/core/parallel.hpp>
#include <hrm/core/parameter.hpp>
#include <hrm/core/policy.hpp>
#include <hrm/core/progress.hpp>
#include <hrm/core/random.hpp>
#include <hrm/core/scalar.hpp>
#include <hrm/core/view.hpp>
#include <hrm/core/workspace.hpp>

#include <hrm/linalg/complex_equations.hpp>
#include <hrm/linalg/eigen.hpp>
#include <hrm/linalg/elementary.hpp>
#include <hrm/linalg/expm.hpp>
#include <hrm/linalg/factor.hpp>
#include <hrm/linalg/gemm.hpp>
#include <hrm/linalg/lyapunov.hpp>
#include <hrm/linalg/simd.hpp>
#include <hrm/linalg/solve.hpp>
#include <hrm/linalg/sparse.hpp>
#include <hrm/linalg/stein.hpp>
#include <hrm/linalg/svd.hpp>
#include <hrm/linalg/sylvester.hpp>

#include <hrm/fourier/good_size.hpp>
#include <hrm/fourier/plan.hpp>
#include <hrm/fourier/single.hpp>

#include <hrm/systems/continuous.hpp>
#include <hrm/systems/convert.hpp>
#include <hrm/systems/descriptor.hpp>
#include <hrm/systems/discrete.hpp>
#include <hrm/systems/discretize.hpp>
#include <hrm/systems/modal.hpp>
#include <hrm/systems/norms.hpp>
#include <hrm/systems/response.hpp>
#include <hrm/systems/sparse.hpp>
#include <hrm/systems/split.hpp>
#include <hrm/systems/stability.hpp>
#include <hrm/systems/structure.hpp>
#include <hrm/systems/zeros.hpp>

#include <hrm/scan/algorithm.hpp>
#include <hrm/scan/convolution.hpp>
#include <hrm/scan/convolution_stream.hpp>
#include <hrm/scan/engine.hpp>
#include <hrm/scan/modes.hpp>
#include <hrm/scan/plan.hpp>
#include <hrm/scan/sequential.hpp>
#include <hrm/scan/step.hpp>
#include <hrm/scan/system.hpp>

#include <hrm/reduction/balance.hpp>
#include <hrm/reduction/balanced.hpp>
#include <hrm/reduction/balanced_pod.hpp>
#include <hrm/reduction/cauchy.hpp>
#include <hrm/reduction/complex_balance.hpp>
#include <hrm/reduction/complex_gramian.hpp>
#include <hrm/reduction/cross_gramian.hpp>
#include <hrm/reduction/dual.hpp>
#include <hrm/reduction/empirical.hpp>
#include <hrm/reduction/factor.hpp>
#include <hrm/reduction/gramian.hpp>
#include <hrm/reduction/hankel.hpp>
#include <hrm/reduction/hankel_norm.hpp>
#include <hrm/reduction/hankel_operator.hpp>
#include <hrm/reduction/identify.hpp>
#include <hrm/reduction/jacobi.hpp>
#include <hrm/reduction/least_squares.hpp>
#include <hrm/reduction/limited.hpp>
#include <hrm/reduction/low_rank.hpp>
#include <hrm/reduction/markov.hpp>
#include <hrm/reduction/minimal.hpp>
#include <hrm/reduction/modal_truncation.hpp>
#include <hrm/reduction/randomized_svd.hpp>
#include <hrm/reduction/rank.hpp>
#include <hrm/reduction/rediagonalize.hpp>
#include <hrm/reduction/refine.hpp>
#include <hrm/reduction/simulate.hpp>
#include <hrm/reduction/sketch.hpp>
#include <hrm/reduction/weighted.hpp>

#include <hrm/adapter/adapter.hpp>
#include <hrm/adapter/calibrate.hpp>
#include <hrm/adapter/calibrated_start.hpp>
#include <hrm/adapter/factory.hpp>
#include <hrm/adapter/gate.hpp>
#include <hrm/adapter/lora.hpp>
#include <hrm/adapter/memory.hpp>
#include <hrm/adapter/options.hpp>
#include <hrm/adapter/poles.hpp>
#include <hrm/adapter/recurrent.hpp>
#include <hrm/adapter/reduce.hpp>
#include <hrm/adapter/segments.hpp>
#include <hrm/adapter/set.hpp>
#include <hrm/adapter/site.hpp>
#include <hrm/adapter/state.hpp>
#include <hrm/adapter/stored.hpp>
#include <hrm/adapter/text.hpp>
#include <hrm/adapter/truncated.hpp>

#include <hrm/model/attention.hpp>
#include <hrm/model/block.hpp>
#include <hrm/model/cache.hpp>
#include <hrm/model/config.hpp>
#include <hrm/model/embedding.hpp>
#include <hrm/model/initialize.hpp>
#include <hrm/model/linear.hpp>
#include <hrm/model/rms_norm.hpp>
#include <hrm/model/rope.hpp>
#include <hrm/model/sites.hpp>
#include <hrm/model/swiglu.hpp>
#include <hrm/model/transformer.hpp>

#include <hrm/train/adamw.hpp>
#include <hrm/train/checkpoint.hpp>
#include <hrm/train/clip.hpp>
#include <hrm/train/data.hpp>
#include <hrm/train/loop.hpp>
#include <hrm/train/loss.hpp>
#include <hrm/train/next_token.hpp>
#include <hrm/train/parameter_list.hpp>
#include <hrm/train/reduce_in_training.hpp>
#include <hrm/train/schedule.hpp>
