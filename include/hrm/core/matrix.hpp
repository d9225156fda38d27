#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <initializer_list>
#include <limits>
#include <new>
#include <span>
#include <vector>

#include <hrm/core/error.hpp>
#include <hrm/core/view.hpp>

namespace hrm {

/// Allocates on 64-byte borders: a cache line, the widest vector register, and the same bits from run to run.
template <class T>
struct aligned_allocator {
    using value_type = T;
    aligned_allocator() = default;
    template <class U>
    aligned_allocator(const aligned_allocator<U>&) noexcept {}
    // A plain piece with its own address in front of the border: glibc takes four times as long for an aligned one, which small
    // matrices notice.
    T* allocate(std::size_t n) {
        auto* const piece = static_cast<std::byte*>(::operator new(n * sizeof(T) + border));
        auto* const p = piece + (border - reinterpret_cast<std::uintptr_t>(piece) % border);
        std::memcpy(p - sizeof(piece), &piece, sizeof(piece));
        return reinterpret_cast<T*>(p);
    }
    void deallocate(T* p, std::size_t) noexcept {
        std::byte* piece;
        std::memcpy(&piece, reinterpret_cast<std::byte*>(p) - sizeof(piece), sizeof(piece));
        ::operator delete(piece);
    }
    template <class U>
    friend bool operator==(const aligned_allocator&, const aligned_allocator<U>&) noexcept {
        return true;
    }

private:
    static constexpr std::size_t border = 64;
    static_assert(__STDCPP_DEFAULT_NEW_ALIGNMENT__ >= sizeof(void*) && alignof(T) <= border);
};

/// A vector of numbers on 64-byte borders.
template <class T>
using buffer = std::vector<T, aligned_allocator<T>>;

/// A row-major matrix that owns its elements; zero when made. A plain value.
template <class T>
class matrix {
public:
    matrix() = default;
    matrix(index_t rows, index_t cols, T fill = T{})
        : rows_(rows), cols_(cols), data_(checked(rows, cols), fill) {}
    /// {{1, 2}, {3, 4}}: row by row.
    matrix(std::initializer_list<std::initializer_list<T>> rows) {
        rows_ = static_cast<index_t>(rows.size());
        cols_ = rows_ ? static_cast<index_t>(rows.begin()->size()) : 0;
        for (const auto& r : rows) {
            require_size("hrm::matrix", "length of a row", static_cast<index_t>(r.size()), cols_);
            data_.insert(data_.end(), r.begin(), r.end());
        }
    }
    explicit matrix(matrix_view<const T> v) : matrix(v.rows, v.cols) {
        for (index_t i = 0; i < rows_; ++i)
            for (index_t j = 0; j < cols_; ++j) (*this)(i, j) = v(i, j);
    }

    index_t rows() const { return rows_; }
    index_t cols() const { return cols_; }
    index_t size() const { return rows_ * cols_; }
    bool empty() const { return data_.empty(); }
    T* data() { return data_.data(); }
    const T* data() const { return data_.data(); }
    T& operator()(index_t i, index_t j) { return data_[static_cast<std::size_t>(i * cols_ + j)]; }
    const T& operator()(index_t i, index_t j) const { return data_[static_cast<std::size_t>(i * cols_ + j)]; }
    std::span<T> flat() { return data_; }
    std::span<const T> flat() const { return data_; }

    matrix_view<T> view() { return {data(), rows_, cols_}; }
    matrix_view<const T> view() const { return {data(), rows_, cols_}; }
    operator matrix_view<T>() { return view(); }
    operator matrix_view<const T>() const { return view(); }
    friend bool operator==(const matrix&, const matrix&) = default;

private:
    static std::size_t checked(index_t rows, index_t cols) {
        if (rows < 0 || cols < 0) throw shape_error("hrm::matrix: negative extents " + extents(rows, cols));
        if (rows > 0 && cols > std::numeric_limits<index_t>::max() / rows)
            throw shape_error("hrm::matrix: " + extents(rows, cols) + " elements cannot be counted");
        return static_cast<std::size_t>(rows * cols);
    }
    index_t rows_ = 0, cols_ = 0;
    buffer<T> data_;
};

namespace detail {

template <class T>
matrix<T> transpose(const matrix<T>& x) {
    matrix<T> y(x.cols(), x.rows());
    for (index_t i = 0; i < x.rows(); ++i)
        for (index_t j = 0; j < x.cols(); ++j) y(j, i) = x(i, j);
    return y;
}

}  // namespace detail

}  // namespace hrm
