#pragma once

#include <algorithm>

#include <hrm/core/view.hpp>

namespace hrm::detail {

/// A matrix as BLAS takes it: its rows, or its columns, `apart` numbers from one to the next, which is never less than one of
/// them holds, nor than 1. A single row lies by rows whatever its stride: a column that was turned still has the column's.
struct blas_layout {
    bool by_rows;
    index_t apart;

    /// One of the strides is 1, or there is nothing to step over by it.
    template <class T>
    static blas_layout of(strided_view<T> m) {
        const bool by_rows = m.col_stride == 1 && (m.row_stride >= m.cols || m.rows == 1);
        return by_rows ? blas_layout{true, std::max({m.row_stride, m.cols, index_t{1}})}
                       : blas_layout{false, std::max({m.col_stride, m.rows, index_t{1}})};
    }
};

}  // namespace hrm::detail
