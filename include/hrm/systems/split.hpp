#pragma once

#include <algorithm>
#include <cmath>
#include <numeric>
#include <utility>
#include <vector>

#include <hrm/systems/convert.hpp>
#include <hrm/systems/stability.hpp>

namespace hrm {

/// G = stable + unstable, in coordinates x = t x', x' = [stable; unstable], w^T t = I. D goes with the stable part.
/// System: continuous or discrete, of the same structure as the whole; complex ones with w^H t = I.
template <class System>
struct split_system {
    System stable, unstable;
    matrix<typename System::scalar> t, w;  ///< n x n
    double condition = 1;                  ///< norm of the spectral projector: how much the two parts lean on each other
};

/// Poles nearer than this to the boundary of stability count as unstable. automatic: the boundary itself for poles that
/// are given as such; for those of a dense A, what rounding may have moved (10 n eps |A|), and their neighbours.
inline constexpr double automatic_margin = -1;

namespace detail {

template <class System>
inline constexpr bool is_discrete = false;
template <class A>
inline constexpr bool is_discrete<discrete<A>> = true;

/// How far inside the region of stability: 1 - |l| or -Re l.
template <class System>
double depth(complex l) {
    if constexpr (is_discrete<System>) return 1 - std::abs(l);
    else return -l.real();
}

/// How far rounding may have moved a pole of a dense A, n x n: the backward error of its Schur form, n eps |A|, and ten times
/// that for poles that lean on others.
inline double pole_rounding(index_t n, double norm) { return 10 * static_cast<double>(n) * std::numeric_limits<double>::epsilon() * norm; }

/// Which eigenvalues of a dense A of the given norm count as unstable. A chain of k integrators comes out of the QR
/// iteration as a cloud around its pole: so what lies near an unstable one, and near the boundary, goes along.
template <class System>
std::vector<bool> counted_unstable(std::span<const complex> l, double norm, double margin) {
    std::vector<bool> out(l.size());
    const double eps = std::numeric_limits<double>::epsilon(), near = std::sqrt(eps) * norm;
    const double limit = margin >= 0 ? margin : pole_rounding(static_cast<index_t>(l.size()), norm);
    for (std::size_t i = 0; i < l.size(); ++i) out[i] = !(depth<System>(l[i]) > limit);
    if (margin >= 0) return out;
    const auto sure = out;
    for (std::size_t i = 0; i < l.size(); ++i)
        for (std::size_t j = 0; j < l.size() && !out[i]; ++j)
            out[i] = sure[j] && depth<System>(l[i]) < near && std::abs(l[i] - l[j]) < near;
    return out;
}

/// Moves the chosen eigenvalues of T to the end by exchanging neighbours:  A = Q T Q^H stays.
inline void move_to_end(schur_form& f, std::vector<bool> chosen) {
    const index_t n = f.t.rows();
    for (bool again = true; again;) {
        again = false;
        for (index_t k = 0; k + 1 < n; ++k) {
            if (!chosen[static_cast<std::size_t>(k)] || chosen[static_cast<std::size_t>(k + 1)]) continue;
            again = true;
            chosen[static_cast<std::size_t>(k)] = false;
            chosen[static_cast<std::size_t>(k + 1)] = true;
            const complex first = f.t(k, k), second = f.t(k + 1, k + 1);
            const rotation turn(f.t(k, k + 1), second - first), back = turn.conjugated();
            for (index_t j = k; j < n; ++j) turn(f.t(k, j), f.t(k + 1, j));
            for (index_t i = 0; i <= k + 1; ++i) back(f.t(i, k), f.t(i, k + 1));
            for (index_t i = 0; i < n; ++i) back(f.q(i, k), f.q(i, k + 1));
            f.t(k, k) = second;
            f.t(k + 1, k + 1) = first;
            f.t(k + 1, k) = 0;
        }
    }
}

/// Z with T11 Z - Z T22 = -T12, of an upper triangular T cut after s: then [I Z; 0 I] makes T block-diagonal.
inline complex_matrix decoupling(const complex_matrix& t, index_t s) {
    const index_t u = t.rows() - s;
    complex_matrix z(s, u);
    for (index_t j = 0; j < u; ++j)
        for (index_t i = s - 1; i >= 0; --i) {
            complex sum = -t(i, s + j);
            for (index_t k = i + 1; k < s; ++k) sum -= times(t(i, k), z(k, j));
            for (index_t k = 0; k < j; ++k) sum += times(z(i, k), t(s + k, s + j));
            z(i, j) = sum / (t(i, i) - t(s + j, s + j));
        }
    return z;
}

/// Real orthonormal columns for the space of q's columns [first, first + count), which is closed under conjugation: its
/// projector q q^H is real, and its columns are picked by length, orthogonalised twice.
inline matrix<double> real_basis(const complex_matrix& q, index_t first, index_t count) {
    const index_t n = q.rows();
    matrix<double> rest(n, n), v(count, n);
    for (index_t i = 0; i < n; ++i)
        for (index_t j = 0; j < n; ++j)
            for (index_t k = first; k < first + count; ++k) rest(i, j) += times(q(i, k), std::conj(q(j, k))).real();
    for (index_t k = 0; k < count; ++k) {
        index_t pivot = 0;
        for (index_t j = 1; j < n; ++j)
            if (rest(j, j) > rest(pivot, pivot)) pivot = j;
        double* x = v.view().row(k);
        for (index_t i = 0; i < n; ++i) x[i] = rest(pivot, i);
        for (int twice = 0; twice < 2; ++twice)
            for (index_t h = 0; h < k; ++h) axpy(-dot(v.view().row(h), x, n), v.view().row(h), x, n);
        const double length = std::sqrt(dot(x, x, n));
        for (index_t i = 0; i < n; ++i) x[i] /= length;
        for (index_t i = 0; i < n; ++i) axpy(-x[i], x, rest.view().row(i), n);
    }
    return v;  // row k is basis vector k
}

/// The bases t, w of the stable part (first s columns) and the other one, real ones of a real A.
template <class T>
void spectral_bases(const schur_form& f, index_t s, matrix<T>& t, matrix<T>& w, double& condition) {
    const index_t n = f.t.rows();
    const auto z = decoupling(f.t, s);
    condition = std::sqrt(1 + frobenius_squared(z));
    complex_matrix left = f.q, right = f.q;  // Q1 - Q2 Z^H beside Q1, and Q2 beside Q1 Z + Q2
    for (index_t i = 0; i < n; ++i)
        for (index_t a = 0; a < s; ++a)
            for (index_t b = 0; b < n - s; ++b) {
                left(i, a) -= times(f.q(i, s + b), std::conj(z(a, b)));
                right(i, s + b) += times(f.q(i, a), z(a, b));
            }
    if constexpr (complex_scalar<T>) {
        for (index_t i = 0; i < n; ++i) {
            for (auto& x : right.view().row_span(i)) x *= f.d[static_cast<std::size_t>(i)];
            for (auto& x : left.view().row_span(i)) x /= f.d[static_cast<std::size_t>(i)];
        }
        t = std::move(right);
        w = std::move(left);
    } else {
        t = w = matrix<double>(n, n);
        const auto into_real = [&](index_t first, index_t count) {
            const auto v = real_basis(f.q, first, count);
            for (index_t k = 0; k < count; ++k)
                for (index_t h = 0; h < count; ++h) {
                    complex turn = 0;  // Q^H v, unitary
                    for (index_t i = 0; i < n; ++i) turn += conj_times(f.q(i, first + h), v(k, i));
                    for (index_t i = 0; i < n; ++i) {
                        t(i, first + k) += f.d[static_cast<std::size_t>(i)] * times(right(i, first + h), turn).real();
                        w(i, first + k) += times(left(i, first + h), turn).real() / f.d[static_cast<std::size_t>(i)];
                    }
                }
        };
        into_real(0, s);
        into_real(s, n - s);
    }
}

/// The states in `chosen`, of a structure whose states decouple.
template <class T>
diagonal<T> pick(const diagonal<T>& a, const std::vector<index_t>& chosen) {
    diagonal<T> to;
    for (const auto i : chosen) to.poles.push_back(a.poles[static_cast<std::size_t>(i)]);
    return to;
}
inline complex_pairs<double> pick(const complex_pairs<double>& a, const std::vector<index_t>& chosen) {
    complex_pairs<double> to;
    for (const auto i : chosen) {
        if (i < a.reals()) to.real.push_back(a.real[static_cast<std::size_t>(i)]);
        else if (i < a.reals() + a.pairs()) {
            to.re.push_back(a.re[static_cast<std::size_t>(i - a.reals())]);
            to.im.push_back(a.im[static_cast<std::size_t>(i - a.reals())]);
        }
    }
    return to;
}
template <class System>
System pick_states(const System& g, const std::vector<index_t>& chosen) {
    const auto k = static_cast<index_t>(chosen.size());
    using M = matrix<typename System::scalar>;
    System to{pick(g.a, chosen), M(k, g.inputs()), M(g.outputs(), k), {}};
    for (index_t i = 0; i < k; ++i) {
        const auto from = chosen[static_cast<std::size_t>(i)];
        for (index_t j = 0; j < g.inputs(); ++j) to.b(i, j) = g.b(from, j);
        for (index_t j = 0; j < g.outputs(); ++j) to.c(j, i) = g.c(j, from);
    }
    return to;
}

/// w^H x.
inline matrix<double> project(const matrix<double>& w, const matrix<double>& x) {
    matrix<double> y(w.cols(), x.cols());
    multiply(transposed(w.view()), x.view(), y.view());
    return y;
}
inline complex_matrix project(const complex_matrix& w, const complex_matrix& x) { return product(adjoint(w), x); }

}  // namespace detail

/// Splits off the unstable and integrating part: G = stable + unstable. Poles and pairs are sorted, O(n^2); a dense A by
/// its ordered Schur form and the Sylvester equation between the two parts, O(50 n^3).
/// Throws numerical_error if A is not finite. Bavely & Stewart 1979.
template <template <class> class System, any_structure A>
auto split(const System<A>& system, double margin = automatic_margin) {
    system.check();
    const auto g = cast<double>(system);
    const index_t n = g.order();
    using M = decltype(g.b);
    using whole = dense<typename std::decay_t<decltype(g)>::scalar>;
    split_system<std::decay_t<decltype(g)>> out;
    if constexpr (!std::same_as<std::decay_t<decltype(g.a)>, whole>) {
        const auto l = eigenvalues(g.a);
        std::vector<index_t> inside, outside;
        for (index_t i = 0; i < n; ++i) {
            // The eigenvalues of pairs come two by two, their states in two halves; the depth is the same.
            detail::complex pole = l[static_cast<std::size_t>(i)];
            if constexpr (std::same_as<std::decay_t<decltype(g.a)>, complex_pairs<double>>)
                if (i >= g.a.reals()) pole = l[static_cast<std::size_t>(g.a.reals() + 2 * ((i - g.a.reals()) % g.a.pairs()))];
            (detail::depth<System<A>>(pole) > std::max(0.0, margin) ? inside : outside).push_back(i);
        }
        out.stable = detail::pick_states(g, inside);
        out.unstable = detail::pick_states(g, outside);
        out.t = M(n, n);
        index_t k = 0;
        for (const auto& part : {inside, outside})
            for (const auto i : part) out.t(i, k++) = 1;
        out.w = out.t;
    } else {
        detail::require_finite("hrm::split", "A", g.a.a);
        auto form = detail::schur("hrm::split", g.a.a);
        std::vector<detail::complex> l;
        for (index_t i = 0; i < n; ++i) l.push_back(form.t(i, i));
        const auto outside = detail::counted_unstable<System<A>>(l, detail::frobenius(form.t), margin);
        const index_t s = std::count(outside.begin(), outside.end(), false);
        detail::move_to_end(form, outside);
        detail::spectral_bases(form, s, out.t, out.w, out.condition);
        const auto part = [&](index_t first, index_t count) {
            const auto t = detail::submatrix(out.t, 0, n, first, count), w = detail::submatrix(out.w, 0, n, first, count);
            System<whole> to{{}, detail::project(w, g.b), detail::product(g.c, t), {}};
            if constexpr (complex_structure<A>) to.a.a = detail::submatrix(form.t, first, count, first, count);
            else to.a.a = detail::project(w, detail::product(g.a.a, t));
            return to;
        };
        out.stable = part(0, s);
        out.unstable = part(s, n - s);
    }
    out.stable.d = g.d;
    detail::require_finite("hrm::split", "the stable A", out.stable.a);
    detail::require_finite("hrm::split", "the unstable A", out.unstable.a);
    detail::require_finite("hrm::split", "t", out.t);
    detail::require_finite("hrm::split", "w", out.w);
    return out;
}

namespace detail {

/// Whether split would find nothing to split off a system of this kind with these poles.
template <class System, class A>
bool nothing_to_split(const A& a, double margin) {
    const auto poles = eigenvalues(a);
    if constexpr (std::same_as<A, dense<typename A::scalar>>) {
        const auto outside = counted_unstable<System>(poles, frobenius(a.a), margin);
        return std::none_of(outside.begin(), outside.end(), [](bool b) { return b; });
    } else return std::all_of(poles.begin(), poles.end(), [&](const auto& l) { return depth<System>(l) > std::max(0.0, margin); });
}

/// The parts of g, and f of the stable one. Where they lean on each other so much that the stable one, formed by itself, is
/// not, and f says so by unstable_error, its poles next to the boundary go to the other side as well.
template <class System, class F>
auto apart(const System& g, double margin, F f) {
    auto parts = split(g, margin);
    for (;;) try {
            auto out = f(parts.stable);
            return std::pair(std::move(parts), std::move(out));
        } catch (const unstable_error&) {
            if (parts.stable.order() == 0) throw;
            margin = std::max(10 * margin, 1e-8 * frobenius(to_dense(g.a)));
            parts = split(g, margin);
        }
}

}  // namespace detail
}  // namespace hrm
