#pragma once

#include <algorithm>
#include <limits>

#include <hrm/core/matrix.hpp>
#include <hrm/cuda/runtime.hpp>

namespace cuda_test {

using hrm::index_t;
using hrm::matrix;
using hrm::matrix_view;

/// A matrix on the device, filled from the host, or with NaN.
template <class S>
struct on_device {
    index_t rows, cols;
    hrm::device_array<S> memory;

    on_device(index_t rows_, index_t cols_) : on_device(poison(rows_, cols_)) {}
    on_device(const matrix<S>& m) : rows(m.rows()), cols(m.cols()), memory(m.size()) {
        memory.read_from(m.flat());
        hrm::synchronize({});
    }
    operator matrix_view<S>() const { return {memory.data(), rows, cols}; }
    operator matrix_view<const S>() const { return {memory.data(), rows, cols}; }
    matrix<S> back(hrm::cuda where = {}) const {
        matrix<S> m(rows, cols);
        memory.write_to(m.flat(), where);
        hrm::synchronize(where);
        return m;
    }
    static matrix<S> poison(index_t rows, index_t cols) {
        matrix<S> m(rows, cols);
        std::fill_n(m.data(), m.size(), S(std::numeric_limits<float>::quiet_NaN()));
        return m;
    }
};

}  // namespace cuda_test
