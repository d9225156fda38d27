#pragma once

#include <concepts>
#include <span>
#include <vector>

#include <hrm/linalg/sparse.hpp>
#include <hrm/systems/convert.hpp>
#include <hrm/systems/descriptor.hpp>

namespace hrm {

/// A large A with few entries, as the structure of a system:  E x' = A x + B u  or  E s_t = A s_{t-1} + B u_t,  y = C x + D u.
///     continuous<sparse<double>> heat{{laplacian}, b, c, {}};
/// e: n x n, invertible, or without rows: I. Real or complex.  What takes it says so; the dense algorithms do not.
template <real_or_complex S>
struct sparse {
    using scalar = S;
    sparse_matrix<S> a, e = {};
    index_t order() const { return a.rows(); }
    bool has_e() const { return e.rows() > 0; }
    /// Throws shape_error unless A is square and E like it.
    void check() const {
        require_shape("hrm::sparse", "A", a.rows(), a.cols(), a.rows(), a.rows());
        if (has_e()) require_shape("hrm::sparse", "E", e.rows(), e.cols(), a.rows(), a.rows());
    }
};

template <real T, real_or_complex S>
sparse<in_precision<T, S>> cast(const sparse<S>& a) {
    return {a.a.template cast<in_precision<T, S>>(), a.e.template cast<in_precision<T, S>>()};
}

/// The dense system with E solved for: for small n.  O(n^3).  Throws as explicit_form of a dense E.
template <template <class> class System, real_or_complex S>
System<dense<in_precision<double, S>>> explicit_form(const System<sparse<S>>& system) {
    using T = in_precision<double, S>;
    system.check();
    const index_t n = system.order();
    const auto dense_form = [&](const sparse_matrix<S>& m) {
        matrix<T> x(n, n);
        for (index_t j = 0; j < m.outerSize(); ++j)
            for (typename sparse_matrix<S>::InnerIterator it(m, j); it; ++it) x(it.row(), j) += static_cast<T>(it.value());
        return x;
    };
    System<dense<T>> g{{dense_form(system.a.a)}, detail::cast_elements<T>(system.b), detail::cast_elements<T>(system.c), detail::cast_elements<T>(system.d)};
    if (!system.a.has_e()) return g;
    return explicit_form(dense_form(system.a.e), g);
}

namespace detail {

/// scale a + shift e, e empty for I.  Entries on the diagonal are made where there are none.
template <class T, class S>
sparse_matrix<T> shifted(const sparse<S>& a, T scale, T shift) {
    sparse_matrix<T> other(a.order(), a.order());
    if (a.has_e()) other = a.e.template cast<T>();
    else other.setIdentity();
    sparse_matrix<T> sum = a.a.template cast<T>() * scale + other * shift;
    sum.makeCompressed();
    return sum;
}

template <class T, class S>
column_block<T> to_columns(const matrix<S>& x) {
    return as_eigen(x).template cast<T>();
}

}  // namespace detail

/// G at each omega, p x m, a sparse factorisation a point:  C (i omega E - A)^-1 B + D,  discrete  C (E - e^{-i omega} A)^-1 B + D.
template <template <class> class System, real_or_complex S>
std::vector<matrix<std::complex<double>>> frequency_response(const System<sparse<S>>& system, std::span<const double> omega) {
    using complex = std::complex<double>;
    system.check();
    sparse_solver<complex> solver(symmetry::general);
    const auto b = detail::to_columns<complex>(system.b), c = detail::to_columns<complex>(system.c);
    std::vector<matrix<complex>> r;
    for (const double w : omega) {
        if constexpr (std::same_as<System<sparse<S>>, discrete<sparse<S>>>) solver.factor(detail::shifted<complex>(system.a, -std::polar(1.0, -w), 1.0));
        else solver.factor(detail::shifted<complex>(system.a, -1.0, {0, w}));
        const column_block<complex> g = c * solver.solve(b);
        r.push_back(from_eigen(g));
        if (!system.d.empty())
            for (index_t i = 0; i < r.back().rows(); ++i)
                for (index_t j = 0; j < r.back().cols(); ++j) r.back()(i, j) += static_cast<in_precision<double, S>>(system.d(i, j));
    }
    return r;
}

}  // namespace hrm
