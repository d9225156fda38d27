#pragma once

#include <algorithm>
#include <cmath>
#include <complex>

#include <hrm/core/matrix.hpp>
#include <hrm/linalg/gemm.hpp>

// Products and adjoints of real and of complex matrices under one name.

namespace hrm::detail {

using complex = std::complex<double>;
using complex_matrix = matrix<complex>;

/// a b and a^* b. The operator of std::complex asks each product whether it was NaN.
inline complex times(complex a, complex b) {
    return {a.real() * b.real() - a.imag() * b.imag(), a.real() * b.imag() + a.imag() * b.real()};
}
inline complex conj_times(complex a, complex b) { return times(std::conj(a), b); }
inline double times(double a, double b) { return a * b; }
inline double conj_times(double a, double b) { return a * b; }
inline double conjugate(double x) { return x; }
inline complex conjugate(complex x) { return std::conj(x); }
/// |x|^2.
inline double square(double x) { return x * x; }
inline double square(complex x) { return x.real() * x.real() + x.imag() * x.imag(); }
inline double times_power(double x, int exponent) { return std::ldexp(x, exponent); }
inline complex times_power(complex x, int exponent) { return {std::ldexp(x.real(), exponent), std::ldexp(x.imag(), exponent)}; }

/// a b;  a: n x k, b: k x m.
inline matrix<double> product(const matrix<double>& a, const matrix<double>& b) {
    matrix<double> c(a.rows(), b.cols());
    multiply(a.view(), b.view(), c.view());
    return c;
}
inline complex_matrix product(const complex_matrix& a, const complex_matrix& b) {
    complex_matrix c(a.rows(), b.cols());
    for (index_t i = 0; i < a.rows(); ++i)
        for (index_t k = 0; k < a.cols(); ++k) {
            const complex x = a(i, k);
            for (index_t j = 0; j < b.cols(); ++j) c(i, j) += times(x, b(k, j));
        }
    return c;
}
/// a^H, of a real matrix a^T.
template <real S>
matrix<S> adjoint(const matrix<S>& a) {
    return transpose(a);
}
template <complex_scalar S>
matrix<S> adjoint(const matrix<S>& a) {
    matrix<S> c(a.cols(), a.rows());
    for (index_t i = 0; i < a.rows(); ++i)
        for (index_t j = 0; j < a.cols(); ++j) c(j, i) = std::conj(a(i, j));
    return c;
}
template <class T>
void add(matrix<T>& to, const matrix<T>& from, double sign = 1) {
    for (index_t i = 0; i < to.rows(); ++i)
        for (index_t j = 0; j < to.cols(); ++j) to(i, j) += sign * from(i, j);
}
/// y += sign a b.
inline void add_product(const matrix<double>& a, const matrix<double>& b, matrix<double>& y, double sign = 1) {
    multiply(a.view(), b.view(), y.view(), into::add, sign);
}
inline void add_product(const complex_matrix& a, const complex_matrix& b, complex_matrix& y, double sign = 1) {
    add(y, product(a, b), sign);
}
/// y += sign a b^H.
inline void add_times_adjoint(const matrix<double>& a, const matrix<double>& b, matrix<double>& y, double sign = 1) {
    multiply(a.view(), transposed(b.view()), y.view(), into::add, sign);
}
inline void add_times_adjoint(const complex_matrix& a, const complex_matrix& b, complex_matrix& y, double sign = 1) {
    add(y, product(a, adjoint(b)), sign);
}
/// x x^H.
template <class T>
matrix<T> squared(const matrix<T>& x) {
    matrix<T> w(x.rows(), x.rows());
    add_times_adjoint(x, x, w);
    return w;
}

/// [x y].
template <class T>
matrix<T> beside(const matrix<T>& x, const matrix<T>& y) {
    matrix<T> both(x.rows(), x.cols() + y.cols());
    for (index_t i = 0; i < x.rows(); ++i) {
        std::copy_n(x.view().row(i), x.cols(), both.view().row(i));
        std::copy_n(y.view().row(i), y.cols(), both.view().row(i) + x.cols());
    }
    return both;
}
/// Rows [row, row + rows) and columns [col, col + cols) of x.
template <class T>
matrix<T> submatrix(const matrix<T>& x, index_t row, index_t rows, index_t col, index_t cols) {
    return matrix<T>(matrix_view<const T>(x.view().slice_rows(row, rows).slice_cols(col, cols)));
}

}  // namespace hrm::detail
