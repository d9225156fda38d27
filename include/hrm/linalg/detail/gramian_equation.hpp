#pragma once

#include <sstream>
#include <string>

#include <hrm/linalg/detail/quasi_triangular.hpp>
#include <hrm/linalg/detail/schur.hpp>
#include <hrm/linalg/factor.hpp>

// What the two Gramian equations (stein.hpp, lyapunov.hpp) share: the checks, the way into Schur coordinates
// x = D Q x', solves with the triangular T, and the way back.

namespace hrm::detail {

inline double frobenius_squared(const matrix<double>& m) { return dot(m.data(), m.data(), m.size()); }
inline double frobenius_squared(const complex_matrix& m) {
    double sum = 0;
    for (const auto& x : m.flat()) sum += std::norm(x);
    return sum;
}
template <class T>
double frobenius(const matrix<T>& m) {
    return std::sqrt(frobenius_squared(m));
}

inline bool is_finite(real auto x) { return std::isfinite(x); }
inline bool is_finite(complex_scalar auto x) { return std::isfinite(x.real()) && std::isfinite(x.imag()); }
template <class T>
void require_finite(std::string_view where, std::string_view what, const matrix<T>& m) {
    for (index_t i = 0; i < m.rows(); ++i)
        for (index_t j = 0; j < m.cols(); ++j)
            if (!is_finite(m(i, j)))
                throw numerical_error(std::string(where) + ": " + std::string(what) + "(" + std::to_string(i) + ", " +
                                      std::to_string(j) + ") is not finite");
}

/// A: n x n and finite, other: n x columns and finite.
template <real_or_complex S>
void check_equation(const std::string& where, const matrix<S>& a, std::string_view what, const matrix<S>& other, index_t columns) {
    require_shape(where, "A", a.rows(), a.cols(), a.rows(), a.rows());
    require_shape(where, what, other.rows(), other.cols(), a.rows(), columns);
    require_finite(where, "A", a);
    require_finite(where, what, other);
}

template <real_or_complex S>
matrix<in_precision<double, S>> to_double(const matrix<S>& a) {
    matrix<in_precision<double, S>> d(a.rows(), a.cols());
    std::copy(a.flat().begin(), a.flat().end(), d.flat().begin());
    return d;
}

/// "hrm::stein: A is unstable: spectral radius 1.25, must be below 1".
[[noreturn]] inline void throw_unstable(std::string_view where, std::string_view what, double value, int limit) {
    std::ostringstream s;
    s.precision(17);
    s << where << ": A is unstable: " << what << ' ' << value << ", must be below " << limit;
    throw unstable_error(s.str());
}

/// The Schur form of an A whose eigenvalues must lie left of the imaginary axis (sum), or inside the unit circle (product).
template <two_sided kind, class T>
schur_form stable_schur(std::string_view where, matrix<T> a) {
    auto form = schur(where, std::move(a));
    double worst = kind == two_sided::sum ? -std::numeric_limits<double>::infinity() : 0;
    for (index_t i = 0; i < form.t.rows(); ++i) worst = std::max(worst, kind == two_sided::sum ? form.t(i, i).real() : std::abs(form.t(i, i)));
    constexpr int limit = kind == two_sided::sum ? 0 : 1;
    if (!(worst < limit)) throw_unstable(where, kind == two_sided::sum ? "spectral abscissa" : "spectral radius", worst, limit);
    return form;
}

/// The real Schur form D^-1 A D = Q T Q^T as coordinates x = E x', E = D Q.
struct balanced_schur {
    matrix<double> t;
    orthogonal_product q;
    buffer<double> d;

    matrix<double> into(matrix<double> x) const {  ///< E^-1 x
        scale_rows(x, [](double s) { return 1 / s; });
        q.apply_transposed(x.view());
        return x;
    }
    matrix<double> dual_into(matrix<double> x) const {  ///< E^T x
        scale_rows(x, [](double s) { return s; });
        q.apply_transposed(x.view());
        return x;
    }
    matrix<double> out_of(matrix<double> x) const {  ///< E x
        q.apply(x.view());
        scale_rows(x, [](double s) { return s; });
        return x;
    }
    /// x <- E x and y <- E^-T y, by one pass through Q.
    void both_out_of(matrix<double>& x, matrix<double>& y) const {
        matrix<double> both(x.rows(), x.cols() + y.cols());
        const auto left = both.view().slice_cols(0, x.cols()), right = both.view().slice_cols(x.cols(), y.cols());
        copy(x.view(), left);
        copy(y.view(), right);
        q.apply(both.view());
        for (index_t i = 0; i < x.rows(); ++i) {
            const double s = d[static_cast<std::size_t>(i)];
            for (index_t j = 0; j < x.cols(); ++j) x(i, j) = left(i, j) * s;
            for (index_t j = 0; j < y.cols(); ++j) y(i, j) = right(i, j) * (1 / s);
        }
    }

private:
    template <class F>
    void scale_rows(matrix<double>& x, F f) const {
        for (index_t i = 0; i < x.rows(); ++i)
            for (double& value : x.view().row_span(i)) value *= f(d[static_cast<std::size_t>(i)]);
    }
};
/// a: in the units d, or, without any, in those that balance it.
inline balanced_schur balanced_real_schur(std::string_view where, matrix<double> a, buffer<double> d) {
    auto form = factored_schur(where, std::move(a));
    return {std::move(form.t), std::move(form.q), std::move(d)};
}
inline balanced_schur balanced_real_schur(std::string_view where, matrix<double> a) {
    auto d = balance_scales(a);
    return balanced_real_schur(where, std::move(a), std::move(d));
}
/// That of an A whose eigenvalues must lie left of the imaginary axis (sum), or inside the unit circle (product).
template <two_sided kind>
balanced_schur stable_real_schur(std::string_view where, matrix<double> a, buffer<double> d) {
    auto form = balanced_real_schur(where, std::move(a), std::move(d));
    constexpr bool disk = kind == two_sided::product;
    double spectral = disk ? 0 : -std::numeric_limits<double>::infinity();
    for (const auto& l : block_eigenvalues(form.t.view())) spectral = std::max(spectral, disk ? std::abs(l) : l.real());
    if (!form.t.empty() && !(spectral < (disk ? 1 : 0))) throw_unstable(where, disk ? "spectral radius" : "spectral abscissa", spectral, disk ? 1 : 0);
    return form;
}
template <two_sided kind>
balanced_schur stable_real_schur(std::string_view where, matrix<double> a) {
    auto d = balance_scales(a);
    return stable_real_schur<kind>(where, std::move(a), std::move(d));
}

/// T upside down and transposed, J T^T J: quasi-triangular again.
inline matrix<double> turned_over(const matrix<double>& t) {
    const index_t n = t.rows();
    matrix<double> y(n, n);
    for (index_t i = 0; i < n; ++i)
        for (index_t j = 0; j < n; ++j) y(i, j) = t(n - 1 - j, n - 1 - i);
    return y;
}
template <class T>
bool is_symmetric(const matrix<T>& q) {
    for (index_t i = 0; i < q.rows(); ++i)
        for (index_t j = 0; j < i; ++j)
            if (q(i, j) != q(j, i)) return false;
    return true;
}
/// X of A X + X A^T + Q = 0 or A X A^T - X + Q = 0 with A = E T E^-1: in those coordinates T Y + Y T^T = -F, columns of
/// which are taken from the last. Exactly symmetric where Q is.
template <two_sided kind, real S>
matrix<double> solve_gramian(const balanced_schur& form, const matrix<S>& q) {
    const index_t n = q.rows();
    const auto f = form.into(transpose(form.into(to_double(q))));  // E^-1 Q^T E^-T
    matrix<double> y(n, n);
    for (index_t i = 0; i < n; ++i)
        for (index_t j = 0; j < n; ++j) y(i, j) = -f(n - 1 - j, i);
    solve_two_sided<kind>(form.t.view(), turned_over(form.t).view(), y.view());
    matrix<double> straight(n, n);
    for (index_t i = 0; i < n; ++i) std::reverse_copy(y.view().row(i), y.view().row(i) + n, straight.view().row(i));
    auto x = transpose(form.out_of(transpose(form.out_of(straight))));
    if (is_symmetric(q))
        for (index_t i = 0; i < n; ++i)
            for (index_t j = 0; j < i; ++j) x(i, j) = x(j, i) = (x(i, j) + x(j, i)) / 2;
    return x;
}

/// Q^H D^-1 b: a right-hand side in Schur coordinates.  b: n x m.
template <real_or_complex S>
complex_matrix into_schur(const schur_form& form, const matrix<S>& b) {
    complex_matrix scaled(b.rows(), b.cols());
    for (index_t i = 0; i < b.rows(); ++i)
        for (index_t j = 0; j < b.cols(); ++j) scaled(i, j) = static_cast<in_precision<double, S>>(b(i, j)) / form.d[static_cast<std::size_t>(i)];
    return product(adjoint(form.q), scaled);
}

}  // namespace hrm::detail
