#pragma once

#include <hrm/core/parallel.hpp>
#include <hrm/scan/detail/batch.hpp>

namespace hrm::scan::detail {

/// da of a batch whose adjoint states are known, dense A: rows of dA are shared out, each summed over all sequences.
template <real S>
class dense_gradient {
public:
    dense_gradient(index_t n, int workers) : sum_(n, n), tiles_(workers, std::min(block, n) * n) {}

    void clear() { std::fill_n(sum_.data(), sum_.size(), 0.0); }
    void add(matrix_view<const S> s, matrix_view<const S> initial, matrix_view<S> lambda, index_t batch, team& threads) {
        const index_t n = sum_.rows(), time = s.rows / batch;
        threads.run((n + block - 1) / block, [&](index_t item, int worker) {
            const index_t first = item * block, count = std::min(block, n - first);
            for (index_t b = 0; b < batch; ++b)
                with_previous<S>(lambda.slice_rows(b * time, time), s.slice_rows(b * time, time), row_or_null(initial, b), 0, time,
                                 [&](matrix_view<const S> l, matrix_view<const S> before) {
                                     add_gradient_dense<S>(l.slice_cols(first, count), before, sum_.view().row(first), tiles_.view().row(worker));
                                 });
        });
    }
    void take(std::span<S> da) const {
        for (index_t i = 0; i < sum_.size(); ++i) da[static_cast<std::size_t>(i)] += static_cast<S>(sum_.data()[i]);
    }

private:
    static constexpr index_t block = 64;
    matrix<double> sum_;
    matrix<S> tiles_;  ///< rows of products, a worker's
};

}  // namespace hrm::scan::detail
