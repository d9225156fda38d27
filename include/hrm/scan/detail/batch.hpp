#pragma once

#include <concepts>
#include <vector>

#include <hrm/core/matrix.hpp>
#include <hrm/scan/detail/sequence.hpp>

// What the engines share to run over a batch.

namespace hrm::scan::detail {

/// The states cut into blocks for the threads: 128 real poles or 64 pairs, whatever the number of threads.
class mode_blocks {
public:
    template <real S>
    explicit mode_blocks(const modes<S>& a) {
        constexpr index_t block = 128;
        for (index_t i = 0; i < a.reals(); i += block) parts_.push_back({i, std::min(a.reals(), i + block), 0, 0});
        for (index_t i = 0; i < a.pairs(); i += block / 2)
            parts_.push_back({0, 0, i, std::min(a.pairs(), i + block / 2)});
    }
    index_t count() const { return static_cast<index_t>(parts_.size()); }
    column_range operator[](index_t i) const { return parts_[static_cast<std::size_t>(i)]; }

private:
    std::vector<column_range> parts_;
};

template <class T>
T* row_or_null(matrix_view<T> m, index_t row) {
    return m.empty() ? nullptr : m.row(row);
}

/// to = from, or zero when from is empty.
template <class T, class U>
void load_rows(matrix_view<T> to, matrix_view<U> from) {
    for (index_t b = 0; b < to.rows && !to.empty(); ++b)
        for (index_t i = 0; i < to.cols; ++i) to(b, i) = from.empty() ? T{0} : static_cast<T>(from(b, i));
}

/// da += the partial sums, added in double in the order of the rows.
template <real S>
void add_partials(const matrix<double>& partial, std::span<S> da) {
    for (index_t i = 0; i < partial.cols(); ++i) {
        double sum = 0;
        for (index_t b = 0; b < partial.rows(); ++b) sum += partial(b, i);
        da[static_cast<std::size_t>(i)] += static_cast<S>(sum);
    }
}

/// The last row of every sequence += dfinal.
template <real S>
void add_final(matrix_view<S> ds, matrix_view<const S> dfinal, index_t batch) {
    const index_t time = ds.rows / batch;
    for (index_t b = 0; b < batch && time && !dfinal.empty(); ++b)
        for (index_t i = 0; i < ds.cols; ++i) ds((b + 1) * time - 1, i) += dfinal(b, i);
}

/// final = the last row of every sequence; what went in, when there is none.
template <real S>
void copy_final(matrix_view<const S> s, matrix_view<const S> initial, matrix_view<S> final, index_t batch) {
    const index_t time = s.rows / batch;
    for (index_t b = 0; b < batch && !final.empty(); ++b)
        for (index_t i = 0; i < final.cols; ++i)
            final(b, i) = time ? s((b + 1) * time - 1, i) : initial.empty() ? S{0} : initial(b, i);
}

/// Numbers of poles or of a matrix: what the engines have kernels for.
template <class A>
concept has_modes = std::constructible_from<modes<typename A::scalar>, const A&>;
template <class A>
concept is_dense = std::same_as<A, dense<typename A::scalar>>;

}  // namespace hrm::scan::detail
