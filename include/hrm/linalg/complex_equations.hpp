#pragma once

#include <algorithm>

#include <hrm/linalg/sylvester.hpp>

// The matrix equations of complex systems: lyapunov.hpp, stein.hpp and sylvester.hpp with complex A, and A^H for A^T. By the
// complex Schur form and plain loops over triangular matrices: O(n^3) as there, several times slower than the products there.

namespace hrm {

/// The lower triangular L, n x n, with L L^H = W W^H, its diagonal real and nonnegative: as lower_factor of a real W.
inline matrix<std::complex<double>> lower_factor(matrix<std::complex<double>> w) {
    using detail::complex, detail::times;
    const index_t n = w.rows(), k = w.cols();
    matrix<complex> l(n, n);
    buffer<complex> v(static_cast<std::size_t>(k));
    for (index_t j = 0; j < std::min(n, k); ++j) {
        double largest = 0, square = 0;
        for (index_t i = j; i < k; ++i) largest = std::max(largest, detail::modulus1(w(j, i)));
        if (largest > 0) {
            for (index_t i = j; i < k; ++i) square += std::norm(v[static_cast<std::size_t>(i)] = w(j, i) / largest);
            complex& head = v[static_cast<std::size_t>(j)];
            const double length = std::sqrt(square), weight = 1 / (length * (length + std::abs(head)));
            head += detail::phase(head) * length;
            for (index_t r = j; r < n; ++r) {
                complex along = 0;
                for (index_t i = j; i < k; ++i) along += detail::conj_times(v[static_cast<std::size_t>(i)], w(r, i));
                along *= weight;
                for (index_t i = j; i < k; ++i) w(r, i) -= times(along, v[static_cast<std::size_t>(i)]);
            }
        }
        const complex turn = std::conj(detail::phase(w(j, j)));
        for (index_t i = j; i < n; ++i) l(i, j) = times(turn, w(i, j));
        l(j, j) = std::abs(w(j, j));
    }
    return l;
}

namespace detail {

/// x <- (shift I + scale T_k)^-1 x, T_k the leading k x k block.  O(k^2), by rows of T.
inline void solve_shifted(complex shift, complex scale, const complex_matrix& t, index_t k, complex* x) {
    for (index_t i = k - 1; i >= 0; --i) {
        complex sum = 0;
        for (index_t j = i + 1; j < k; ++j) sum += times(t(i, j), x[j]);
        x[i] = (x[i] - times(scale, sum)) / (shift + times(scale, t(i, i)));
    }
}

/// Columns of Y with T Y + Y S = F or T Y S - Y = F, T and S upper triangular, as rows: f is F^T and becomes Y^T.  O(n m (n + m)).
template <two_sided kind>
void solve_triangular(const complex_matrix& t, const complex_matrix& s, complex_matrix& f) {
    const index_t n = t.rows(), m = s.rows();
    buffer<complex> known(static_cast<std::size_t>(n));
    for (index_t j = 0; j < m; ++j) {
        std::fill(known.begin(), known.end(), complex{});
        for (index_t l = 0; l < j; ++l)
            for (index_t i = 0; i < n; ++i) known[static_cast<std::size_t>(i)] += times(s(l, j), f(l, i));
        complex* y = f.view().row(j);
        for (index_t i = 0; i < n; ++i) {
            complex sum = known[static_cast<std::size_t>(i)];
            if constexpr (kind == two_sided::product) {
                sum = 0;
                for (index_t k = i; k < n; ++k) sum += times(t(i, k), known[static_cast<std::size_t>(k)]);
            }
            y[i] -= sum;
        }
        if constexpr (kind == two_sided::sum) solve_shifted(s(j, j), 1, t, n, y);
        else solve_shifted(-1, s(j, j), t, n, y);
    }
}

/// X of A X + X A^H + Q = 0 or A X A^H - X + Q = 0. Exactly Hermitian where Q is.
template <two_sided kind>
complex_matrix complex_gramian(std::string_view where, complex_matrix a, const complex_matrix& q) {
    const index_t n = q.rows();
    const auto form = stable_schur<kind>(where, std::move(a));
    const auto scaled = [&](complex_matrix x, auto scale) {  // D x D or D^-1 x D^-1
        for (index_t i = 0; i < n; ++i)
            for (index_t j = 0; j < n; ++j) x(i, j) = scale(scale(x(i, j), form.d[static_cast<std::size_t>(i)]), form.d[static_cast<std::size_t>(j)]);
        return x;
    };
    const auto right = product(product(adjoint(form.q), scaled(q, [](complex x, double d) { return x / d; })), form.q);
    // T^H upside down is upper triangular again, and columns of Y are taken from the last.
    complex_matrix s(n, n), y(n, n), straight(n, n);
    for (index_t i = 0; i < n; ++i)
        for (index_t j = 0; j < n; ++j) {
            s(i, j) = std::conj(form.t(n - 1 - j, n - 1 - i));
            y(i, j) = -right(j, n - 1 - i);
        }
    solve_triangular<kind>(form.t, s, y);
    for (index_t i = 0; i < n; ++i)
        for (index_t j = 0; j < n; ++j) straight(j, n - 1 - i) = y(i, j);
    auto x = scaled(product(product(form.q, straight), adjoint(form.q)), [](complex v, double d) { return v * d; });
    if (q == adjoint(q))
        for (index_t i = 0; i < n; ++i)
            for (index_t j = 0; j <= i; ++j) x(j, i) = std::conj(x(i, j) = (x(i, j) + std::conj(x(j, i))) / 2.0);
    return x;
}

/// Upper triangular U with X = U U^H and T X + X T^H + B B^H = 0, or T X T^H - X + B B^H = 0.  Hammarling 1982; the last column (u; v) is
///     sum:      s = sqrt(-2 Re tau),     v = |b|/s,  (T1 + conj(tau) I) u = -v t - s B1 b/|b|,         B1 - s u b^H/|b|  goes on;
///     product:  s = sqrt(1 - |tau|^2),   v = |b|/s,  (I - conj(tau) T1) u = conj(tau) v t + s B1 b/|b|,
///               B1 + (s (T1 u + v t) - tau B1 b/|b| - B1 b/|b|) b^H/|b|  goes on
/// with T = [T1 t; 0 tau], B = [B1; b^H].
template <two_sided kind>
complex_matrix triangular_factor(const complex_matrix& t, complex_matrix right) {
    const index_t n = right.rows(), m = right.cols();
    complex_matrix factor(n, n);
    buffer<complex> direction(static_cast<std::size_t>(m)), input(static_cast<std::size_t>(n)), u(static_cast<std::size_t>(n));
    for (index_t k = n - 1; k >= 0; --k) {
        const auto [length, unit] = length_of(m, [&](index_t j) { return right(k, j); });
        if (length == 0) continue;
        const complex tau = t(k, k);
        const double s = std::sqrt(kind == two_sided::sum ? -2 * tau.real() : (1 - std::abs(tau)) * (1 + std::abs(tau))), v = length / unit / s;
        for (index_t j = 0; j < m; ++j) direction[static_cast<std::size_t>(j)] = right(k, j) * unit / length;  // b^H / |b|
        for (index_t i = 0; i < k; ++i) {
            complex sum = 0;
            for (index_t j = 0; j < m; ++j) sum += conj_times(direction[static_cast<std::size_t>(j)], right(i, j));
            input[static_cast<std::size_t>(i)] = sum;
            if constexpr (kind == two_sided::sum) u[static_cast<std::size_t>(i)] = -v * t(i, k) - s * sum;
            else u[static_cast<std::size_t>(i)] = v * conj_times(tau, t(i, k)) + s * sum;
        }
        if constexpr (kind == two_sided::sum) solve_shifted(std::conj(tau), 1, t, k, u.data());
        else solve_shifted(1, -std::conj(tau), t, k, u.data());
        factor(k, k) = v;
        for (index_t i = 0; i < k; ++i) {
            const complex x = factor(i, k) = u[static_cast<std::size_t>(i)];
            complex change = -s * x;
            if constexpr (kind == two_sided::product) {
                complex moved = v * t(i, k);
                for (index_t j = i; j < k; ++j) moved += times(t(i, j), u[static_cast<std::size_t>(j)]);
                change = s * moved - times(tau + 1.0, input[static_cast<std::size_t>(i)]);
            }
            for (index_t j = 0; j < m; ++j) right(i, j) += times(change, direction[static_cast<std::size_t>(j)]);
        }
    }
    return factor;
}
template <two_sided kind>
complex_matrix complex_factor(std::string_view where, complex_matrix a, const complex_matrix& b) {
    const auto form = stable_schur<kind>(where, std::move(a));
    auto l = product(form.q, triangular_factor<kind>(form.t, into_schur(form, b)));
    for (index_t i = 0; i < l.rows(); ++i)
        for (auto& x : l.view().row_span(i)) x *= form.d[static_cast<std::size_t>(i)];
    return lower_factor(std::move(l));
}

template <two_sided kind>
complex_matrix complex_sylvester(const std::string& where, complex_matrix a, complex_matrix b, const complex_matrix& c) {
    const index_t n = a.rows(), m = b.rows();
    check_equation(where, a, "C", c, m);
    require_shape(where, "B", b.rows(), b.cols(), m, m);
    require_finite(where, "B", b);
    const auto left = schur(where, std::move(a), {}), right = schur(where, std::move(b), {});
    buffer<complex> of_a, of_b;
    for (index_t i = 0; i < n; ++i) of_a.push_back(left.t(i, i));
    for (index_t i = 0; i < m; ++i) of_b.push_back(right.t(i, i));
    require_apart<kind>(where, of_a, of_b);
    auto y = transpose(product(product(adjoint(left.q), c), right.q));
    solve_triangular<kind>(left.t, right.t, y);
    return product(product(left.q, transpose(y)), adjoint(right.q));
}

}  // namespace detail

/// The X of A X + X B = C, or of A X B - X = C.  a: n x n;  b: m x m;  c: n x m;  X: n x m.  Errors and throws as sylvester.
/// O(25 (n^3 + m^3)).  Bartels & Stewart 1972.
template <complex_scalar S>
matrix<std::complex<double>> sylvester(const matrix<S>& a, const matrix<S>& b, const matrix<S>& c) {
    return detail::complex_sylvester<detail::two_sided::sum>("hrm::sylvester", detail::to_double(a), detail::to_double(b), detail::to_double(c));
}
template <complex_scalar S>
matrix<std::complex<double>> discrete_sylvester(const matrix<S>& a, const matrix<S>& b, const matrix<S>& c) {
    return detail::complex_sylvester<detail::two_sided::product>("hrm::discrete_sylvester", detail::to_double(a), detail::to_double(b), detail::to_double(c));
}

/// The X of A X + X A^H + Q = 0, Hermitian if Q is.  a: n x n, every eigenvalue left of the imaginary axis;  q: n x n.  O(30 n^3).
/// Throws as lyapunov.
template <complex_scalar S>
matrix<std::complex<double>> lyapunov(const matrix<S>& a, const matrix<S>& q) {
    detail::check_equation("hrm::lyapunov", a, "Q", q, a.rows());
    return detail::complex_gramian<detail::two_sided::sum>("hrm::lyapunov", detail::to_double(a), detail::to_double(q));
}
/// The X of A X A^H - X + Q = 0, Hermitian if Q is.  a: n x n, spectral radius below 1;  q: n x n.  O(30 n^3).  Throws as stein.
template <complex_scalar S>
matrix<std::complex<double>> stein(const matrix<S>& a, const matrix<S>& q) {
    detail::check_equation("hrm::stein", a, "Q", q, a.rows());
    return detail::complex_gramian<detail::two_sided::product>("hrm::stein", detail::to_double(a), detail::to_double(q));
}

/// The lower triangular L with L L^H = X, A X + X A^H + B B^H = 0, the diagonal of L real and nonnegative, without ever forming X.
/// a: n x n, every eigenvalue left of the imaginary axis;  b: n x m.  O(30 n^3 + n^2 m).  Throws as lyapunov.
template <complex_scalar S>
matrix<std::complex<double>> lyapunov_factor(const matrix<S>& a, const matrix<S>& b) {
    detail::check_equation("hrm::lyapunov_factor", a, "B", b, b.cols());
    return detail::complex_factor<detail::two_sided::sum>("hrm::lyapunov_factor", detail::to_double(a), detail::to_double(b));
}
/// The same with A X A^H - X + B B^H = 0.  a: n x n, spectral radius below 1.  Throws as stein.
template <complex_scalar S>
matrix<std::complex<double>> stein_factor(const matrix<S>& a, const matrix<S>& b) {
    detail::check_equation("hrm::stein_factor", a, "B", b, b.cols());
    return detail::complex_factor<detail::two_sided::product>("hrm::stein_factor", detail::to_double(a), detail::to_double(b));
}

}  // namespace hrm
