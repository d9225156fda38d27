#pragma once

#include <algorithm>
#include <cmath>
#include <complex>
#include <limits>
#include <string_view>

#include <hrm/core/matrix.hpp>
#include <hrm/linalg/detail/product.hpp>
#include <hrm/linalg/detail/real_schur.hpp>

// The complex Schur form A = Q T Q^H, T upper triangular, for everything that needs eigenvalues: Gramians, stability,
// norms. Ours rather than Eigen's, whose instantiation costs every user of it ten seconds of compile time.

namespace hrm::detail {

/// a / b without the checks for infinities that the operator calls a function for.  Smith 1962.
inline complex divide(complex a, complex b) {
    if (std::abs(b.real()) >= std::abs(b.imag())) {
        const double ratio = b.imag() / b.real(), over = 1 / (b.real() + b.imag() * ratio);
        return {(a.real() + a.imag() * ratio) * over, (a.imag() - a.real() * ratio) * over};
    }
    const double ratio = b.real() / b.imag(), over = 1 / (b.real() * ratio + b.imag());
    return {(a.real() * ratio + a.imag()) * over, (a.imag() * ratio - a.real()) * over};
}
inline double modulus1(complex a) { return std::abs(a.real()) + std::abs(a.imag()); }
/// x / |x|, and 1 for 0.
inline complex phase(complex x) {
    if (x == 0.0) return 1;
    if (std::abs(x) < few_digits) x *= into_range;
    return x / std::abs(x);
}
inline double phase(double x) { return x < 0 ? -1 : 1; }

/// Scales a <- D^-1 a D in place by powers of two until rows and columns are alike in length; returns D's diagonal.
/// Exact, and it keeps a badly scaled system's small eigenvalues.  Parlett & Reinsch 1969; James, Langou & Lowery 2014.
template <class T>
buffer<double> balance_scales(matrix<T>& a) {
    const index_t n = a.rows();
    buffer<double> d(static_cast<std::size_t>(n), 1.0);
    const auto length = [n](auto entry) {
        double sum = 0, largest = 0;
        for (index_t j = 0; j < n; ++j) sum += std::norm(entry(j));
        if (sum > 1e-280 && std::isfinite(sum)) return std::sqrt(sum);
        for (index_t j = 0; j < n; ++j) largest = std::max<double>(largest, std::abs(entry(j)));
        if (!(largest > 0 && std::isfinite(largest))) return largest;
        sum = 0;
        for (index_t j = 0; j < n; ++j) sum += std::norm(entry(j) / largest);
        return largest * std::sqrt(sum);
    };
    // A handful of rounds is usual; entries whose squares underflow could go round for ever.
    bool again = true;
    for (int round = 0; again && round < 50; ++round) {
        again = false;
        for (index_t i = 0; i < n; ++i) {
            double row = length([&](index_t j) { return a(i, j); }), col = length([&](index_t j) { return a(j, i); });
            if (!(row > 0 && col > 0 && std::isfinite(row + col))) continue;
            const double before = row + col;
            double f = 1;
            for (; col < row / 2; col *= 2, row /= 2) f *= 2;
            for (; col >= row * 2; col /= 2, row *= 2) f /= 2;
            if (row + col >= 0.95 * before) continue;
            again = true;
            d[static_cast<std::size_t>(i)] *= f;
            for (index_t j = 0; j < n; ++j) a(j, i) *= f;
            for (index_t j = 0; j < n; ++j) a(i, j) /= f;
        }
    }
    return d;
}

/// a <- Q^H a Q upper Hessenberg by Householder reflections; Q is multiplied onto q from the right unless q is empty.
/// a: n x n.  O(10/3 n^3), 14/3 with q.
template <class T>
void hessenberg(matrix<T>& a, matrix<T>& q) {
    const index_t n = a.rows();
    buffer<T> v(static_cast<std::size_t>(n)), w(static_cast<std::size_t>(n));
    // m <- m (I - weight v v^H), v living in columns [first, n).
    const auto from_right = [&](matrix<T>& m, index_t first, double weight) {
        for (index_t i = 0; i < m.rows(); ++i) {
            T* row = m.view().row(i);
            T sum{};
            for (index_t j = first; j < n; ++j) sum += times(row[j], v[static_cast<std::size_t>(j)]);
            sum *= weight;
            for (index_t j = first; j < n; ++j) row[j] -= conj_times(v[static_cast<std::size_t>(j)], sum);
        }
    };
    for (index_t k = 0; k + 2 < n; ++k) {
        double largest = 0;
        for (index_t i = k + 1; i < n; ++i) largest = std::max(largest, std::abs(a(i, k)));
        if (!(largest > 0)) continue;
        double norm = 0;
        for (index_t i = k + 1; i < n; ++i) {
            v[static_cast<std::size_t>(i)] = a(i, k) / largest;
            norm += std::norm(v[static_cast<std::size_t>(i)]);
        }
        norm = std::sqrt(norm);
        T& head = v[static_cast<std::size_t>(k + 1)];
        const double size = std::abs(head);
        head += phase(head) * norm;
        const double weight = 1 / (norm * (norm + size));
        std::fill(w.begin(), w.end(), T{});
        for (index_t i = k + 1; i < n; ++i)
            for (index_t j = k; j < n; ++j) w[static_cast<std::size_t>(j)] += conj_times(v[static_cast<std::size_t>(i)], a(i, j));
        for (index_t i = k + 1; i < n; ++i)
            for (index_t j = k; j < n; ++j) a(i, j) -= weight * times(v[static_cast<std::size_t>(i)], w[static_cast<std::size_t>(j)]);
        for (index_t i = k + 2; i < n; ++i) a(i, k) = T{};
        from_right(a, k + 1, weight);
        if (!q.empty()) from_right(q, k + 1, weight);
    }
}

/// A plane rotation, c real: (x, y) -> (c x + s y, -conj(s) x + c y).
struct rotation {
    double c = 1;
    complex s = 0;
    /// The one that sends (x, y) to (*, 0).
    rotation(complex x, complex y) {
        const double size = std::abs(x), length = std::hypot(size, std::abs(y));
        if (length == 0) return;
        if (length < few_digits) {
            *this = rotation(x * into_range, y * into_range);
            return;
        }
        c = size / length;
        s = times(phase(x), std::conj(y)) / length;
    }
    void operator()(complex& x, complex& y) const {
        const complex first = c * x + times(s, y);
        y = c * y - conj_times(s, x);
        x = first;
    }
    rotation conjugated() const {
        rotation r = *this;
        r.s = std::conj(s);
        return r;
    }
};

/// Upper Hessenberg h -> upper triangular, by the QR iteration with Wilkinson's shift; q collects the rotations. With q
/// empty only the diagonal of h, the eigenvalues, is right in the end (a third of the work).  O(10 n^3), 30 with q.
/// Throws numerical_error where 40 steps an eigenvalue do not suffice.
inline void triangularize(std::string_view where, complex_matrix& h, complex_matrix& q) {
    constexpr double eps = std::numeric_limits<double>::epsilon(), tiny = std::numeric_limits<double>::min() / eps;
    const index_t n = h.rows();
    const bool whole = !q.empty();
    double norm = 0;
    for (const auto& x : h.flat()) norm = std::max(norm, modulus1(x));
    int steps = 0;
    for (index_t last = n - 1; last > 0;) {
        index_t first = last;
        for (; first > 0; --first) {
            double near = modulus1(h(first - 1, first - 1)) + modulus1(h(first, first));
            if (near == 0) near = norm;
            if (modulus1(h(first, first - 1)) <= std::max(tiny, eps * near)) {
                h(first, first - 1) = 0;
                break;
            }
        }
        if (first == last) {
            --last;
            steps = 0;
            continue;
        }
        if (++steps > 40) throw numerical_error(std::string(where) + ": the QR iteration did not converge");
        // The eigenvalue of the last 2 x 2 block nearer to its corner; now and then another, against cycles.
        complex shift = h(last, last);
        if (steps % 10 == 0) {
            shift += 0.75 * std::abs(h(last, last - 1));
        } else {
            const complex half = (h(last - 1, last - 1) - shift) / 2.0, product = times(h(last - 1, last), h(last, last - 1));
            complex root = std::sqrt(times(half, half) + product);
            if (times(std::conj(half), root).real() < 0) root = -root;
            if (half + root != 0.0) shift -= product / (half + root);
        }
        complex x = h(first, first) - shift, y = h(first + 1, first);
        for (index_t k = first; k < last; ++k) {
            const rotation turn(x, y), back = turn.conjugated();
            const index_t end = whole ? n : last + 1;
            for (index_t j = std::max(k - 1, first); j < end; ++j) turn(h(k, j), h(k + 1, j));
            for (index_t i = whole ? 0 : first; i <= std::min(k + 2, last); ++i) back(h(i, k), h(i, k + 1));
            if (whole)
                for (index_t i = 0; i < n; ++i) back(q(i, k), q(i, k + 1));
            if (k > first) h(k + 1, k - 1) = 0;
            if (k + 1 < last) {
                x = h(k + 1, k);
                y = h(k + 2, k);
            }
        }
    }
}

template <class T>
complex_matrix to_complex(const matrix<T>& a) {
    complex_matrix c(a.rows(), a.cols());
    std::copy(a.flat().begin(), a.flat().end(), c.flat().begin());
    return c;
}

/// The eigenvalues of a: n x n, real or complex. In no particular order. Throws numerical_error where one is beyond the
/// range of double.
inline buffer<complex> eigenvalues(std::string_view where, matrix<double> a) {
    balance_scales(a);
    double largest = 0;
    for (double x : a.flat()) largest = std::max(largest, std::abs(x));
    const double unit = largest > 1e140 && std::isfinite(largest) ? std::ldexp(1.0, std::ilogb(largest)) : 1;  // squares overflow
    if (unit != 1)
        for (double& x : a.flat()) x /= unit;
    auto values = block_eigenvalues(factored_schur(where, std::move(a), schur_vectors::none).t.view());
    for (auto& x : values) {
        x *= unit;
        if (!std::isfinite(x.real()) || !std::isfinite(x.imag()))
            throw numerical_error(std::string(where) + ": an eigenvalue is beyond the range of double");
    }
    return values;
}
inline buffer<complex> eigenvalues(std::string_view where, complex_matrix a) {
    complex_matrix no_q;
    balance_scales(a);
    hessenberg(a, no_q);
    triangularize(where, a, no_q);
    buffer<complex> values(static_cast<std::size_t>(a.rows()));
    for (index_t i = 0; i < a.rows(); ++i) values[static_cast<std::size_t>(i)] = a(i, i);
    return values;
}

/// D^-1 A D = Q T Q^H, D the balancing scales.
struct schur_form {
    complex_matrix t, q;
    buffer<double> d;
};

/// a: n x n, in the units d. Of a real one the real form first, whose 2 x 2 blocks then take a rotation each.
inline schur_form schur(std::string_view where, matrix<double> a, buffer<double> d) {
    const auto real = real_schur(where, std::move(a));
    schur_form form{to_complex(real.t), to_complex(real.q), std::move(d)};
    triangularize(where, form.t, form.q);
    for (index_t i = 0; i < form.t.rows(); ++i)
        for (index_t j = 0; j < i; ++j) form.t(i, j) = 0;
    return form;
}
inline schur_form schur(std::string_view where, complex_matrix a, buffer<double> d) {
    const index_t n = a.rows();
    schur_form form{{}, complex_matrix(n, n), std::move(d)};
    for (index_t i = 0; i < n; ++i) form.q(i, i) = 1;
    hessenberg(a, form.q);
    triangularize(where, a, form.q);
    for (index_t i = 0; i < n; ++i)
        for (index_t j = 0; j < i; ++j) a(i, j) = 0;
    form.t = std::move(a);
    return form;
}
/// In the units that balance a.
template <class T>
schur_form schur(std::string_view where, matrix<T> a) {
    auto d = balance_scales(a);
    return schur(where, std::move(a), std::move(d));
}

}  // namespace hrm::detail
