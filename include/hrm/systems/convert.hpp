#pragma once

#include <algorithm>
#include <cmath>
#include <limits>

#include <hrm/linalg/detail/product.hpp>
#include <hrm/linalg/solve.hpp>
#include <hrm/systems/continuous.hpp>
#include <hrm/systems/discrete.hpp>

namespace hrm {

namespace detail {

template <class T, class From>
matrix<T> cast_elements(const matrix<From>& m) {
    matrix<T> to(m.rows(), m.cols());
    std::transform(m.flat().begin(), m.flat().end(), to.flat().begin(), [](From x) { return static_cast<T>(x); });
    return to;
}
template <class T, class From>
buffer<T> cast_elements(const buffer<From>& v) {
    buffer<T> to(v.size());
    std::transform(v.begin(), v.end(), to.begin(), [](From x) { return static_cast<T>(x); });
    return to;
}

}  // namespace detail

/// The same structure, or system, in another precision: cast<double>(system). What is complex stays so.
template <real T, real_or_complex S>
diagonal<in_precision<T, S>> cast(const diagonal<S>& a) {
    return {detail::cast_elements<in_precision<T, S>>(a.poles)};
}
template <real T, real S>
complex_pairs<T> cast(const complex_pairs<S>& a) {
    return {detail::cast_elements<T>(a.real), detail::cast_elements<T>(a.re), detail::cast_elements<T>(a.im)};
}
template <real T, real_or_complex S>
dense<in_precision<T, S>> cast(const dense<S>& a) {
    return {detail::cast_elements<in_precision<T, S>>(a.a)};
}
template <real T, any_structure A>
auto cast(const continuous<A>& s) {
    using To = in_precision<T, typename A::scalar>;
    return continuous<decltype(cast<T>(s.a))>{cast<T>(s.a), detail::cast_elements<To>(s.b), detail::cast_elements<To>(s.c),
                                              detail::cast_elements<To>(s.d)};
}
template <real T, any_structure A>
auto cast(const discrete<A>& s) {
    using To = in_precision<T, typename A::scalar>;
    return discrete<decltype(cast<T>(s.a))>{cast<T>(s.a), detail::cast_elements<To>(s.b), detail::cast_elements<To>(s.c),
                                            detail::cast_elements<To>(s.d)};
}

namespace detail {

/// Real poles are pairs of which there are none.
template <real S>
complex_pairs<S> to_pairs(const diagonal<S>& a) {
    return {a.poles, {}, {}};
}
template <real S>
const complex_pairs<S>& to_pairs(const complex_pairs<S>& a) {
    return a;
}

}  // namespace detail

/// The same system with A written out.
template <any_structure A>
continuous<dense<typename A::scalar>> to_dense(const continuous<A>& s) {
    return {{to_dense(s.a)}, s.b, s.c, s.d};
}
template <any_structure A>
discrete<dense<typename A::scalar>> to_dense(const discrete<A>& s) {
    return {{to_dense(s.a)}, s.b, s.c, s.d};
}

namespace detail {

template <class A1, class A2>
using either = std::conditional_t<complex_structure<A1> || complex_structure<A2>, std::complex<double>, double>;

/// G + sign H, the states of H after those of G.
template <template <class> class System, class A1, class A2>
System<dense<either<A1, A2>>> beside(const char* where, const System<A1>& g, const System<A2>& h, double sign = 1) {
    using T = either<A1, A2>;
    g.check();
    h.check();
    require_size(where, "inputs of H", h.inputs(), g.inputs());
    require_size(where, "outputs of H", h.outputs(), g.outputs());
    const auto x = to_dense(cast<double>(g)), y = to_dense(cast<double>(h));
    const index_t n = x.order(), r = y.order(), m = x.inputs(), p = x.outputs();
    System<dense<T>> e{{matrix<T>(n + r, n + r)}, matrix<T>(n + r, m), matrix<T>(p, n + r), {}};
    const auto paste = [](matrix<T>& to, const auto& from, index_t row, index_t col, double sign) {
        for (index_t i = 0; i < from.rows(); ++i)
            for (index_t j = 0; j < from.cols(); ++j) to(row + i, col + j) += sign * from(i, j);
    };
    paste(e.a.a, x.a.a, 0, 0, 1);
    paste(e.a.a, y.a.a, n, n, 1);
    paste(e.b, x.b, 0, 0, 1);
    paste(e.b, y.b, n, 0, 1);
    paste(e.c, x.c, 0, 0, 1);
    paste(e.c, y.c, 0, n, sign);
    if (!x.d.empty() || !y.d.empty()) {
        e.d = matrix<T>(p, m);
        paste(e.d, x.d, 0, 0, 1);
        paste(e.d, y.d, 0, 0, sign);
    }
    return e;
}

}  // namespace detail

/// G - H, of order n + r: what an approximation H of G leaves out. In double, complex where either is.
template <any_structure A1, any_structure A2>
continuous<dense<detail::either<A1, A2>>> difference(const continuous<A1>& g, const continuous<A2>& h) {
    return detail::beside("hrm::difference", g, h, -1);
}
template <any_structure A1, any_structure A2>
discrete<dense<detail::either<A1, A2>>> difference(const discrete<A1>& g, const discrete<A2>& h) {
    return detail::beside("hrm::difference", g, h, -1);
}

/// The continuous system with G(s) = G_discrete((1 + s)/(1 - s)): the same H-infinity norm and observability Gramian. D of
/// the result holds what the current input does at once, and B one step of A: its controllability Gramian is A Wc A^T.
///     A = (Ad + I)^-1 (Ad - I),  B = sqrt2 (Ad + I)^-1 Ad Bd,  C = sqrt2 Cd (Ad + I)^-1,  D = Dd + Cd (Ad + I)^-1 Bd
/// O(n^3).  Throws numerical_error if Ad has the eigenvalue -1.
template <any_structure S>
continuous<dense<in_precision<double, typename S::scalar>>> to_continuous(const discrete<S>& system) {
    using T = in_precision<double, typename S::scalar>;
    system.check();
    const auto g = to_dense(cast<double>(system));
    const index_t n = g.order(), m = g.inputs(), p = g.outputs();
    // One elimination for everything to the right of (Ad + I)^-1: [Ad - I | Bd].
    matrix<T> plus = g.a.a, right(n, n + m);
    for (index_t i = 0; i < n; ++i) {
        plus(i, i) += 1;
        for (index_t j = 0; j < n; ++j) right(i, j) = g.a.a(i, j) - (i == j ? 1.0 : 0.0);
        for (index_t j = 0; j < m; ++j) right(i, n + j) = g.b(i, j);
    }
    const auto left = solve(detail::transpose(plus), detail::transpose(g.c)), x = solve(plus, right);
    continuous<dense<T>> r{{matrix<T>(n, n)}, matrix<T>(n, m), matrix<T>(p, n), matrix<T>(p, m)};
    for (index_t i = 0; i < n; ++i) {
        for (index_t j = 0; j < n; ++j) r.a.a(i, j) = x(i, j);
        for (index_t j = 0; j < m; ++j) r.b(i, j) = std::sqrt(2.0) * (g.b(i, j) - x(i, n + j));  // Ad (Ad + I)^-1 = I - (Ad + I)^-1
    }
    for (index_t i = 0; i < p; ++i) {
        for (index_t j = 0; j < n; ++j) r.c(i, j) = std::sqrt(2.0) * left(j, i);
        for (index_t j = 0; j < m; ++j) {
            T sum = g.d.empty() ? T{} : g.d(i, j);
            for (index_t k = 0; k < n; ++k) sum += g.c(i, k) * x(k, n + j);
            r.d(i, j) = sum;
        }
    }
    return r;
}

namespace detail {

/// Powers of two that B and C are in units of, so that what is computed of them keeps its squares in the range of double. G is in
/// units of both together, and all of it is exact.
struct port_units {
    int in = 0, out = 0;
    bool exact = true;  ///< else they would be needed, but the smallest numbers would be lost

    int gain() const { return in + out; }
    bool none() const { return in == 0 && out == 0; }
};

/// x <- 2^exponent x.
template <class T>
void scale_by_power(matrix<T>& x, int exponent) {
    if (exponent == 0) return;
    for (auto& v : x.flat()) v = times_power(v, exponent);
}

/// None where they, and what they are of together, are within 2^200 of each other and of 1: in and out are those of the largest
/// numbers, gain() even. D, where it takes part, is to be as exact. Where states in units of their own make B and C large apart from
/// each other, no gain is as large as both, and the units are left alone.
template <class T>
port_units units_of_ports(const matrix<T>& b, const matrix<T>& c, const matrix<T>& d = {}) {
    struct size_range {
        double least = std::numeric_limits<double>::infinity(), most = 0;
        void see(double x) {
            x = std::abs(x);
            most = x > most || std::isnan(x) ? x : most;
            least = x > 0 && x < least ? x : least;
        }
        bool finite() const { return std::isfinite(most); }
    };
    const auto range = [](const matrix<T>& x) {
        size_range r;
        for (const auto& v : x.flat()) {
            r.see(std::real(v));
            if constexpr (!real<T>) r.see(std::imag(v));
        }
        return r;
    };
    const auto in = range(b), out = range(c), through = range(d);
    if (!(in.most > 0 && out.most > 0 && in.finite() && out.finite() && through.finite())) return {};
    port_units u{std::ilogb(in.most), std::ilogb(out.most)};
    if (std::abs(u.in - u.out) <= 200 && std::abs(u.gain()) <= 200) return {};
    int along = std::numeric_limits<int>::min();  // of one state
    for (index_t i = 0; i < b.rows(); ++i) {
        double row = 0, column = 0;
        for (index_t j = 0; j < b.cols(); ++j) row = std::max(row, std::abs(b(i, j)));
        for (index_t j = 0; j < c.rows(); ++j) column = std::max(column, std::abs(c(j, i)));
        if (row > 0 && column > 0) along = std::max(along, std::ilogb(row) + std::ilogb(column));
    }
    if (along != std::numeric_limits<int>::min() && u.gain() - along > 200) return {0, 0, std::abs(along) <= 200};
    if (u.gain() % 2 != 0) ++u.out;
    constexpr int low = std::numeric_limits<double>::min_exponent - 1, high = std::numeric_limits<double>::max_exponent;
    // What is below that range already is made larger, or nothing is exact.
    const auto keeps = [&](const auto& s, int unit) { return s.most == 0 || ((unit <= 0 || std::ilogb(s.least) - unit >= low) && std::ilogb(s.most) - unit < high); };
    if (keeps(in, u.in) && keeps(out, u.out) && keeps(through, u.gain())) return u;
    return {0, 0, false};
}
template <class System>
port_units into_port_units(System& s) {
    const auto u = units_of_ports(s.b, s.c, s.d);
    scale_by_power(s.b, -u.in);
    scale_by_power(s.c, -u.out);
    scale_by_power(s.d, -u.gain());
    return u;
}

}  // namespace detail
}  // namespace hrm
