#pragma once

#include <concepts>
#include <string>
#include <tuple>

#include <hrm/core/matrix.hpp>

// The structure of A. The states of a real system are real: a conjugate pair re +- i im is two real states and the rotation
//     [ re  -im ]
//     [ im   re ]
// so that B, C, states and gradients are real, planar, and vectorise. A complex system, of poles without their conjugates or
// with complex B and C, has a complex scalar.

namespace hrm {

/// A = diag(poles): n poles, real unless S is complex.
template <real_or_complex S>
struct diagonal {
    using scalar = S;
    buffer<S> poles;
    index_t order() const { return static_cast<index_t>(poles.size()); }
    void check() const {}
};

/// q real poles, then k conjugate pairs, planar: the state is [x_1..x_q | Re s_1..Re s_k | Im s_1..Im s_k], order
/// q + 2k. What a truncated system becomes when it is diagonalised again.
template <real S>
struct complex_pairs {
    using scalar = S;
    buffer<S> real;    ///< q
    buffer<S> re, im;  ///< k each
    index_t reals() const { return static_cast<index_t>(real.size()); }
    index_t pairs() const { return static_cast<index_t>(re.size()); }
    index_t order() const { return reals() + 2 * pairs(); }
    /// Throws shape_error when a real part lacks its imaginary part or the other way round.
    void check() const { require_size("hrm::complex_pairs", "number of imaginary parts", static_cast<index_t>(im.size()), pairs()); }
};

/// Any A, n x n.
template <real_or_complex S>
struct dense {
    using scalar = S;
    matrix<S> a;
    index_t order() const { return a.rows(); }
    /// Throws shape_error unless A is square.
    void check() const { require_shape("hrm::dense", "A", a.rows(), a.cols(), a.rows(), a.rows()); }
};

/// Whatever may stand for A.
template <class A>
concept any_structure = requires(const A& a) {
    typename A::scalar;
    { a.order() } -> std::convertible_to<index_t>;
    a.check();
};
/// That of a real system, and of a complex one. Functions that ask for a structure are for real systems alone.
template <class A>
concept structure = any_structure<A> && real<typename A::scalar>;
template <class A>
concept complex_structure = any_structure<A> && complex_scalar<typename A::scalar>;

namespace detail {

/// Throws shape_error unless B is n x m, C p x n, and D p x m or empty; says so where a transpose would fit: vectors are often saved the other way.
template <real_or_complex S>
void check_ports(const std::string& where, index_t n, const matrix<S>& b, const matrix<S>& c, const matrix<S>& d) {
    for (const auto& [what, x, fits, across] : {std::tuple("B", &b, b.rows() == n, b.cols() == n), {"C", &c, c.cols() == n, c.rows() == n}})
        if (!fits && across) throw shape_error(where + ": " + what + " is " + extents(x->rows(), x->cols()) + ", expected " + extents(x->cols(), x->rows()) + "; transpose it?");
    require_shape(where, "B", b.rows(), b.cols(), n, b.cols());
    require_shape(where, "C", c.rows(), c.cols(), c.rows(), n);
    if (!d.empty()) require_shape(where, "D", d.rows(), d.cols(), c.rows(), b.cols());
}

}  // namespace detail

template <real_or_complex S>
matrix<S> to_dense(const diagonal<S>& a) {
    matrix<S> m(a.order(), a.order());
    for (index_t i = 0; i < a.order(); ++i) m(i, i) = a.poles[static_cast<std::size_t>(i)];
    return m;
}
template <real S>
matrix<S> to_dense(const complex_pairs<S>& a) {
    const index_t q = a.reals(), k = a.pairs();
    matrix<S> m(a.order(), a.order());
    for (index_t i = 0; i < q; ++i) m(i, i) = a.real[static_cast<std::size_t>(i)];
    for (index_t i = 0; i < k; ++i) {
        const auto j = static_cast<std::size_t>(i);
        m(q + i, q + i) = m(q + k + i, q + k + i) = a.re[j];
        m(q + i, q + k + i) = -a.im[j];
        m(q + k + i, q + i) = a.im[j];
    }
    return m;
}
template <real_or_complex S>
matrix<S> to_dense(const dense<S>& a) {
    return a.a;
}

}  // namespace hrm
