#pragma once

#include <hrm/core/matrix.hpp>
#include <hrm/scan/detail/batch.hpp>
#include <hrm/scan/engine.hpp>

namespace hrm::scan::detail {

/// dinitial = A^* lambda, lambda that of the first rows: batch x n, or dinitial empty.
template <class A>
class adjoint_step {
public:
    using S = typename A::scalar;
    explicit adjoint_step(const A& a) : zero_(1, a.order()), sum_(1, a.order()) {}

    template <real T>
    void apply(const A& a, matrix_view<T> lambda, matrix_view<S> dinitial) {
        if (dinitial.empty()) return;
        load_rows(dinitial, lambda);
        for (index_t b = 0; b < dinitial.rows; ++b) apply(a, dinitial.row(b));
    }

private:
    void apply(const A& a, S* state) {
        const index_t n = a.order();
        if constexpr (is_dense<A>) {
            std::fill_n(sum_.data(), n, 0.0);
            for (index_t l = 0; l < n; ++l)
                for (index_t i = 0; i < n; ++i) sum_.data()[i] += static_cast<double>(a.a(l, i)) * static_cast<double>(state[l]);
            for (index_t i = 0; i < n; ++i) state[i] = static_cast<S>(sum_.data()[i]);
        } else {
            const modes<S> m(a);
            recur<S>(m, side::adjoint, all_columns(m), {zero_.data(), 0}, {}, 1, state);
        }
    }
    matrix<S> zero_;
    matrix<double> sum_;
};

}  // namespace hrm::scan::detail
