#pragma once

#include <complex>
#include <concepts>
#include <span>
#include <variant>
#include <vector>

#include <hrm/linalg/detail/schur.hpp>
#include <hrm/linalg/gemm.hpp>
#include <hrm/systems/convert.hpp>
#include <hrm/systems/modal.hpp>
#include <hrm/systems/stability.hpp>

namespace hrm {

/// The Markov parameters h_0 = C B + D, h_k = C A^k B: the outputs, p x m each, after a unit impulse in u_0.
/// In double, complex where the system is.  O(steps n (n + p) m), diagonal and pairs O(steps n p m).
template <any_structure A>
std::vector<matrix<in_precision<double, typename A::scalar>>> impulse_response(const discrete<A>& system, index_t steps);

/// The running sums of the impulse response: the outputs after a unit step.
template <any_structure A>
std::vector<matrix<in_precision<double, typename A::scalar>>> step_response(const discrete<A>& system, index_t steps) {
    auto r = impulse_response(system, steps);
    for (std::size_t t = 1; t < r.size(); ++t)
        for (index_t i = 0; i < r[t].rows(); ++i)
            for (index_t j = 0; j < r[t].cols(); ++j) r[t](i, j) += r[t - 1](i, j);
    return r;
}

namespace detail {

/// x <- A x for n x m states, in place but for one scratch row or matrix.
template <class T>
void advance(const diagonal<T>& a, matrix<T>& x, matrix<T>&) {
    for (index_t i = 0; i < x.rows(); ++i)
        for (index_t j = 0; j < x.cols(); ++j) x(i, j) *= a.poles[static_cast<std::size_t>(i)];
}
inline void advance(const complex_pairs<double>& a, matrix<double>& x, matrix<double>&) {
    const index_t q = a.reals(), k = a.pairs();
    for (index_t j = 0; j < x.cols(); ++j) {
        for (index_t i = 0; i < q; ++i) x(i, j) *= a.real[static_cast<std::size_t>(i)];
        for (index_t i = 0; i < k; ++i) {
            const double re = a.re[static_cast<std::size_t>(i)], im = a.im[static_cast<std::size_t>(i)];
            const double u = x(q + i, j), v = x(q + k + i, j);
            x(q + i, j) = re * u - im * v;
            x(q + k + i, j) = im * u + re * v;
        }
    }
}
inline void advance(const dense<double>& a, matrix<double>& x, matrix<double>& next) {
    multiply(a.a.view(), x.view(), next.view());
    std::swap(x, next);
}
inline void advance(const dense<complex>& a, complex_matrix& x, complex_matrix&) { x = product(a.a, x); }

/// Solves (z I - A) X = B for each z. prepare() once, O(n^3) for dense A; then O(n m) a point, dense O(n^2 m).
/// T: double or complex, of A, B and C.
template <class T>
struct diagonal_resolvent {
    diagonal<T> a;
    matrix<T> b, c;
    complex_matrix operator()(complex z) const {
        complex_matrix x(b.rows(), b.cols());
        for (index_t i = 0; i < b.rows(); ++i)
            for (index_t j = 0; j < b.cols(); ++j) x(i, j) = b(i, j) / (z - a.poles[static_cast<std::size_t>(i)]);
        return x;
    }
};
/// A pair: [z - re, im; -im, z - re]^-1 = [z - re, -im; im, z - re] / ((z - re)^2 + im^2).
struct pairs_resolvent {
    complex_pairs<double> a;
    matrix<double> b, c;
    complex_matrix operator()(complex z) const {
        const index_t q = a.reals(), k = a.pairs();
        complex_matrix x(b.rows(), b.cols());
        for (index_t i = 0; i < q; ++i)
            for (index_t j = 0; j < b.cols(); ++j) x(i, j) = b(i, j) / (z - a.real[static_cast<std::size_t>(i)]);
        for (index_t i = 0; i < k; ++i) {
            const double re = a.re[static_cast<std::size_t>(i)], im = a.im[static_cast<std::size_t>(i)];
            // The product of the distances to both poles: no cancellation near either.
            const complex scale = 1.0 / ((z - complex(re, im)) * (z - complex(re, -im)));
            for (index_t j = 0; j < b.cols(); ++j) {
                const double u = b(q + i, j), v = b(q + k + i, j);
                x(q + i, j) = scale * ((z - re) * u - im * v);
                x(q + k + i, j) = scale * (im * u + (z - re) * v);
            }
        }
        return x;
    }
};
/// A is reduced to Hessenberg form once: elimination then meets one entry below the diagonal.
template <class T>
struct dense_resolvent {
    matrix<T> h, b, c;
    dense_resolvent(const dense<T>& a, const matrix<T>& b0, const matrix<T>& c0)
        : h(a.a), b(b0.rows(), b0.cols()), c(c0.rows(), c0.cols()) {
        const index_t n = h.rows();
        matrix<T> q(n, n);
        for (index_t i = 0; i < n; ++i) q(i, i) = 1;
        hessenberg(h, q);
        if constexpr (real<T>) {
            gemm<double, double, double>(1, transposed(matrix_view<const double>(q)), b0.view(), 0, b.view());
            multiply(c0.view(), q.view(), c.view());
        } else {
            b = product(adjoint(q), b0);
            c = product(c0, q);
        }
    }
    complex_matrix operator()(complex z) const {
        const index_t n = h.rows(), m = b.cols();
        complex_matrix a(n, n), x = to_complex(b);
        for (index_t i = 0; i < n; ++i)
            for (index_t j = i > 0 ? i - 1 : 0; j < n; ++j) a(i, j) = (i == j ? z : complex{}) - h(i, j);
        for (index_t k = 0; k + 1 < n; ++k) {
            if (modulus1(a(k + 1, k)) > modulus1(a(k, k))) {
                for (index_t j = k; j < n; ++j) std::swap(a(k, j), a(k + 1, j));
                for (index_t j = 0; j < m; ++j) std::swap(x(k, j), x(k + 1, j));
            }
            if (a(k + 1, k) == complex{}) continue;
            const complex f = a(k + 1, k) / a(k, k);
            for (index_t j = k + 1; j < n; ++j) a(k + 1, j) -= times(f, a(k, j));
            for (index_t j = 0; j < m; ++j) x(k + 1, j) -= times(f, x(k, j));
        }
        for (index_t i = n - 1; i >= 0; --i) {
            for (index_t k = i + 1; k < n; ++k)
                for (index_t j = 0; j < m; ++j) x(i, j) -= times(a(i, k), x(k, j));
            for (index_t j = 0; j < m; ++j) x(i, j) /= a(i, i);
        }
        return x;
    }
};
template <class T>
diagonal_resolvent<T> resolvent(const diagonal<T>& a, const matrix<T>& b, const matrix<T>& c) {
    return {a, b, c};
}
inline pairs_resolvent resolvent(const complex_pairs<double>& a, const matrix<double>& b, const matrix<double>& c) { return {a, b, c}; }
template <class T>
dense_resolvent<T> resolvent(const dense<T>& a, const matrix<T>& b, const matrix<T>& c) {
    return {a, b, c};
}

/// factor C X + D.
template <class T>
complex_matrix read_out(const matrix<T>& c, const complex_matrix& x, complex factor, const complex_matrix& d) {
    complex_matrix g(c.rows(), x.cols());
    for (index_t i = 0; i < g.rows(); ++i) {
        for (index_t k = 0; k < c.cols(); ++k)
            for (index_t j = 0; j < g.cols(); ++j) {
                if constexpr (real<T>) g(i, j) += c(i, k) * x(k, j);
                else g(i, j) += times(c(i, k), x(k, j));
            }
        for (index_t j = 0; j < g.cols(); ++j) g(i, j) = times(factor, g(i, j)) + (d.empty() ? complex{} : d(i, j));
    }
    return g;
}

}  // namespace detail

template <any_structure A>
std::vector<matrix<in_precision<double, typename A::scalar>>> impulse_response(const discrete<A>& system, index_t steps) {
    using M = matrix<in_precision<double, typename A::scalar>>;
    system.check();
    const auto g = cast<double>(system);
    auto x = g.b;
    M scratch(x.rows(), x.cols());
    std::vector<M> h;
    for (index_t t = 0; t < steps; ++t) {
        if (t > 0) detail::advance(g.a, x, scratch);
        if constexpr (complex_structure<A>) h.push_back(detail::product(g.c, x));
        else multiply(g.c.view(), x.view(), h.emplace_back(g.outputs(), g.inputs()).view());
    }
    if (steps > 0 && !g.d.empty())
        for (index_t i = 0; i < g.outputs(); ++i)
            for (index_t j = 0; j < g.inputs(); ++j) h[0](i, j) += g.d(i, j);
    return h;
}

/// The transfer function, prepared once for any number of frequencies:
///     const transfer_function g(system);
///     g(omega);      // discrete: G(z) = z C (zI - A)^-1 B + D, z = e^{i omega};  continuous: G(i omega) = C (i omega I - A)^-1 B + D
/// p x m, in double; real and complex systems. A dense A takes its Hessenberg form, or, if real, its modes where find_modes sees them: O(n p m) a point for modal
/// A, else O(n^2 m + n p m) after O(n^3) once. Laub, "Efficient multivariable frequency response computations", 1981.
class transfer_function {
public:
    template <any_structure A>
    explicit transfer_function(const discrete<A>& system) : step_(true) { prepare(system); }
    template <any_structure A>
    explicit transfer_function(const continuous<A>& system) { prepare(system); }

    /// omega: radians a step, or a unit of time.
    matrix<std::complex<double>> operator()(double omega) const {
        const auto z = step_ ? std::polar(1.0, omega) : std::complex<double>(0, omega);
        return std::visit([&](const auto& s) { return detail::read_out(s.c, s(z), step_ ? z : 1.0, d_); }, solver_);
    }

private:
    template <class System>
    void prepare(const System& system) {
        system.check();
        auto g = cast<double>(system);
        if constexpr (std::same_as<typename decltype(g)::structure_type, dense<double>>)
            if (const auto modes = find_modes(g.a.a)) return prepare(in_modes(*modes, g));
        solver_ = detail::resolvent(g.a, g.b, g.c);
        d_ = detail::to_complex(g.d);
    }

    std::variant<detail::diagonal_resolvent<double>, detail::pairs_resolvent, detail::dense_resolvent<double>, detail::diagonal_resolvent<detail::complex>,
                 detail::dense_resolvent<detail::complex>>
        solver_;
    detail::complex_matrix d_;
    bool step_ = false;
};

/// G at each omega.
template <class System>
std::vector<matrix<std::complex<double>>> frequency_response(const System& system, std::span<const double> omega) {
    const transfer_function g(system);
    std::vector<matrix<std::complex<double>>> r;
    for (const double w : omega) r.push_back(g(w));
    return r;
}
/// At one omega.
template <class System>
matrix<std::complex<double>> frequency_response(const System& system, double omega) {
    return transfer_function(system)(omega);
}

}  // namespace hrm
