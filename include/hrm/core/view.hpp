#pragma once

#include <concepts>
#include <span>
#include <type_traits>

#include <hrm/core/scalar.hpp>

namespace hrm {

/// A row-major matrix somebody else owns: element (i, j) is data[i * stride + j], stride >= cols.
/// Like std::span, constness is of the elements: matrix_view<const float> reads, matrix_view<float> writes.
template <class T>
struct matrix_view {
    T* data = nullptr;
    index_t rows = 0, cols = 0, stride = 0;

    matrix_view() = default;
    matrix_view(T* data_, index_t rows_, index_t cols_) : matrix_view(data_, rows_, cols_, cols_) {}
    matrix_view(T* data_, index_t rows_, index_t cols_, index_t stride_)
        : data(data_), rows(rows_), cols(cols_), stride(stride_) {}
    /// A writable view reads as well.
    template <class U>
        requires std::same_as<const U, T> && (!std::is_const_v<U>)
    matrix_view(matrix_view<U> v) : data(v.data), rows(v.rows), cols(v.cols), stride(v.stride) {}

    T& operator()(index_t i, index_t j) const { return data[i * stride + j]; }
    T* row(index_t i) const { return data + i * stride; }
    std::span<T> row_span(index_t i) const { return {row(i), static_cast<std::size_t>(cols)}; }
    index_t size() const { return rows * cols; }
    bool empty() const { return rows == 0 || cols == 0; }
    bool contiguous() const { return stride == cols || rows <= 1; }

    /// Rows [first, first + count).
    matrix_view slice_rows(index_t first, index_t count) const { return {row(first), count, cols, stride}; }
    /// Columns [first, first + count).
    matrix_view slice_cols(index_t first, index_t count) const { return {data + first, rows, count, stride}; }
};

/// Any two strides: what a transpose or every k-th row is. Element (i, j) is data[i * row_stride + j * col_stride].
template <class T>
struct strided_view {
    T* data = nullptr;
    index_t rows = 0, cols = 0, row_stride = 0, col_stride = 0;

    strided_view() = default;
    strided_view(T* data_, index_t rows_, index_t cols_, index_t row_stride_, index_t col_stride_)
        : data(data_), rows(rows_), cols(cols_), row_stride(row_stride_), col_stride(col_stride_) {}
    template <class U>
        requires std::same_as<U, T> || std::same_as<const U, T>
    strided_view(matrix_view<U> m) : strided_view(m.data, m.rows, m.cols, m.stride, 1) {}
    template <class U>
        requires std::same_as<const U, T> && (!std::is_const_v<U>)
    strided_view(strided_view<U> m) : strided_view(m.data, m.rows, m.cols, m.row_stride, m.col_stride) {}

    T& operator()(index_t i, index_t j) const { return data[i * row_stride + j * col_stride]; }
    /// rows_ x cols_ of it, from (i, j) on.
    strided_view block(index_t i, index_t j, index_t rows_, index_t cols_) const {
        return {data + i * row_stride + j * col_stride, rows_, cols_, row_stride, col_stride};
    }
};

/// The transpose of m, without moving anything.
template <class T>
strided_view<T> transposed(matrix_view<T> m) {
    return {m.data, m.cols, m.rows, 1, m.stride};
}

}  // namespace hrm
