#pragma once

#include <algorithm>
#include <complex>
#include <type_traits>
#include <utility>

#include <hrm/linalg/detail/gramian_equation.hpp>
#include <hrm/reduction/complex_gramian.hpp>
#include <hrm/systems/convert.hpp>

// The X, n x r, of a large system (A, B) and a small dense one (A_r, B_r), both stable:
//     continuous:  A X + X A_r^T + B B_r^T = 0        discrete:  A X A_r^T - X + B B_r^T = 0        (complex: ^H)
// one column after the other of the small one's Schur form, each a solve with a shifted A: O(r n) for modal A, dense O(r n^2)
// after the large one's Schur form, once.  Benner, Koehler & Saak 2011 (the sparse-dense Sylvester equation).

namespace hrm::detail {

/// What the equations ask of the large A: columns into coordinates of its own and back, (shift I + scale A)^-1 y and A y there.
template <class T>
struct dense_columns {
    schur_form form;

    complex_matrix into(const matrix<T>& b) const { return into_schur(form, b); }
    void solve(complex shift, complex scale, complex* y) const {
        const index_t n = form.t.rows();
        for (index_t i = n - 1; i >= 0; --i) {
            complex sum = 0;
            for (index_t j = i + 1; j < n; ++j) sum += times(form.t(i, j), y[j]);
            y[i] = (y[i] - times(scale, sum)) / (shift + times(scale, form.t(i, i)));
        }
    }
    void times_a(complex* y) const {
        for (index_t i = 0; i < form.t.rows(); ++i) {
            complex sum = 0;
            for (index_t j = i; j < form.t.rows(); ++j) sum += times(form.t(i, j), y[j]);
            y[i] = sum;
        }
    }
    matrix<T> out_of(const complex_matrix& y) const {  // of a real system, columns that are real out there
        const auto x = product(form.q, y);
        matrix<T> to(x.rows(), x.cols());
        for (index_t i = 0; i < x.rows(); ++i)
            for (index_t j = 0; j < x.cols(); ++j)
                if constexpr (real<T>) to(i, j) = form.d[static_cast<std::size_t>(i)] * x(i, j).real();
                else to(i, j) = form.d[static_cast<std::size_t>(i)] * x(i, j);
        return to;
    }
    /// Of A^T, complex A^H, from the same form: turned over, T^T is upper triangular again.
    dense_columns transposed() const {
        const index_t n = form.t.rows();
        dense_columns to{{complex_matrix(n, n), complex_matrix(n, n), form.d}};
        for (double& d : to.form.d) d = 1 / d;
        for (index_t i = 0; i < n; ++i)
            for (index_t j = 0; j < n; ++j) {
                const complex t = form.t(n - 1 - j, n - 1 - i), q = form.q(i, n - 1 - j);
                to.form.t(i, j) = real<T> ? t : std::conj(t);
                to.form.q(i, j) = real<T> ? std::conj(q) : q;
            }
        return to;
    }
};
struct modal_columns {
    complex_pairs<double> a;

    complex_matrix into(const matrix<double>& b) const { return to_complex(b); }
    void solve(complex shift, complex scale, complex* y) const {
        const index_t q = a.reals(), k = a.pairs();
        for (index_t i = 0; i < q; ++i) y[i] /= shift + scale * a.real[static_cast<std::size_t>(i)];
        for (index_t i = 0; i < k; ++i) {  // [d -e; e d] (u, v)
            const complex l(a.re[static_cast<std::size_t>(i)], a.im[static_cast<std::size_t>(i)]);
            const complex u = y[q + i], v = y[q + k + i], over = 1.0 / ((shift + scale * l) * (shift + scale * std::conj(l)));
            const complex d = (shift + scale * l.real()) * over, e = scale * l.imag() * over;
            y[q + i] = d * u + e * v;
            y[q + k + i] = d * v - e * u;
        }
    }
    void times_a(complex* y) const {
        const index_t q = a.reals(), k = a.pairs();
        for (index_t i = 0; i < q; ++i) y[i] *= a.real[static_cast<std::size_t>(i)];
        for (index_t i = 0; i < k; ++i) {
            const double re = a.re[static_cast<std::size_t>(i)], im = a.im[static_cast<std::size_t>(i)];
            const complex u = y[q + i], v = y[q + k + i];
            y[q + i] = re * u - im * v;
            y[q + k + i] = im * u + re * v;
        }
    }
    matrix<double> out_of(const complex_matrix& y) const {
        matrix<double> real(y.rows(), y.cols());
        std::transform(y.flat().begin(), y.flat().end(), real.flat().begin(), [](complex x) { return x.real(); });
        return real;
    }
    modal_columns transposed() const { return {transpose(a)}; }
};
struct diagonal_columns {
    diagonal<complex> a;

    const complex_matrix& into(const complex_matrix& b) const { return b; }
    void solve(complex shift, complex scale, complex* y) const {
        for (const auto& l : a.poles) *y++ /= shift + scale * l;
    }
    void times_a(complex* y) const {
        for (const auto& l : a.poles) *y++ *= l;
    }
    const complex_matrix& out_of(const complex_matrix& y) const { return y; }
    diagonal_columns transposed() const { return {adjoint(a)}; }
};
template <any_system T>
auto columns_of(const T& g) {
    if constexpr (!is_modal<T>) return dense_columns<typename T::scalar>{schur("hrm::refine_h2", g.a.a)};
    else if constexpr (complex_system<T>) return diagonal_columns{g.a};
    else return modal_columns{to_pairs(g.a)};
}

/// X.  b: B in the large system's coordinates, n x m.  With A_r = D Q T Q^H D^-1 and Y = X D^-1 Q the columns of
///     A Y + Y T^H + B (Q^H D^-1 B_r)^H = 0
/// follow from the last to the first; discrete alike.
template <class System, class Columns>
matrix<typename System::scalar> tall_sylvester(const Columns& large, const complex_matrix& b, const System& small) {
    const index_t n = b.rows(), r = small.order();
    const auto form = schur("hrm::refine_h2", small.a.a);
    const auto ports = into_schur(form, small.b);
    complex_matrix y(r, n);  // rows: the columns of Y
    buffer<complex> known(static_cast<std::size_t>(n));
    for (index_t k = r - 1; k >= 0; --k) {
        const complex pole = std::conj(form.t(k, k));
        std::fill(known.begin(), known.end(), complex{});
        for (index_t j = k + 1; j < r; ++j)
            for (index_t i = 0; i < n; ++i) known[static_cast<std::size_t>(i)] += conj_times(form.t(k, j), y(j, i));
        if constexpr (in_discrete_time<System>) large.times_a(known.data());
        complex* x = y.view().row(k);
        for (index_t i = 0; i < n; ++i) {
            x[i] = known[static_cast<std::size_t>(i)];
            for (index_t j = 0; j < b.cols(); ++j) x[i] += conj_times(ports(k, j), b(i, j));
        }
        if constexpr (in_discrete_time<System>) large.solve(1, -pole, x);
        else large.solve(-pole, -1, x);
    }
    complex_matrix straight(n, r);  // Y Q^H D
    for (index_t k = 0; k < r; ++k)
        for (index_t j = 0; j < r; ++j) {
            const complex by = std::conj(form.q(j, k)) * form.d[static_cast<std::size_t>(j)];
            for (index_t i = 0; i < n; ++i) straight(i, j) += times(y(k, i), by);
        }
    return large.out_of(straight);
}

}  // namespace hrm::detail
