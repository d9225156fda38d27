#pragma once

#include <cmath>
#include <optional>
#include <vector>

#include <hrm/systems/continuous.hpp>
#include <hrm/systems/discrete.hpp>

namespace hrm {

/// Coordinates x = V x' in which A is a list of real poles and conjugate pairs:  V^-1 A V = a.  V couples at most two
/// states, so going back and forth costs O(n) a column and keeps small entries accurate.
struct modal_coordinates {
    /// States first and second go with the modes of the same names (one state: second < 0);  v: 2 x 2, by rows.
    struct block {
        index_t first, second = -1, first_mode = 0, second_mode = -1;
        double v[4] = {1, 0, 0, 1}, inverse[4] = {1, 0, 0, 1};
    };
    complex_pairs<double> a;
    std::vector<block> blocks;

    index_t order() const { return a.order(); }
    matrix<double> to_modes(const matrix<double>& x) const { return apply(x, false, false); }      ///< V^-1 x
    matrix<double> from_modes(const matrix<double>& x) const { return apply(x, true, false); }     ///< V x
    matrix<double> dual_to_modes(const matrix<double>& x) const { return apply(x, false, true); }  ///< V^T x
    matrix<double> dual_from_modes(const matrix<double>& x) const { return apply(x, true, true); }  ///< V^-T x

private:
    matrix<double> apply(const matrix<double>& x, bool from, bool dual) const {
        matrix<double> y(x.rows(), x.cols());
        for (const auto& b : blocks) {
            const auto* w = from != dual ? b.v : b.inverse;
            const index_t in[2] = {from ? b.first_mode : b.first, from ? b.second_mode : b.second};
            const index_t out[2] = {from ? b.first : b.first_mode, from ? b.second : b.second_mode};
            for (index_t j = 0; j < x.cols(); ++j) {
                if (b.second < 0) {
                    y(out[0], j) = x(in[0], j);
                    continue;
                }
                const double s = x(in[0], j), t = x(in[1], j);
                y(out[0], j) = w[0] * s + (dual ? w[2] : w[1]) * t;
                y(out[1], j) = (dual ? w[1] : w[2]) * s + w[3] * t;
            }
        }
        return y;
    }
};

namespace detail {

/// Whether [a b; c d] has well-conditioned modal coordinates, and which. With half = (a - d)/2, root^2 = half^2 + b c:
///     complex:  V = [1 half/im; 0 c/im],  V^-1 M V = [re -im; im re]
///     real:     the eigenvectors (M - l) v = 0, the one of larger modulus by addition, the other from the determinant
/// Computed in long double. Two measures: max |V^-1| |V|, which no scaling of the states changes, and which is all where the
/// poles are well apart; where they are not, or nearer than least_gap, residues of the two modes cancel in every scaling but
/// the given one, so max |V| max |V^-1| has to be small as well. Entries beyond the range of double are none.
inline bool two_modes(const double m[4], double least_gap, double v[4], double inverse[4], double poles[2], bool& pair) {
    using wide = long double;
    const wide a = m[0], b = m[1], c = m[2], d = m[3], half = (a - d) / 2, mean = (a + d) / 2, square = half * half + b * c;
    wide w[4];
    pair = square < 0;
    if (pair) {
        const wide im = std::sqrt(-square);
        poles[0] = static_cast<double>(mean);
        poles[1] = static_cast<double>(im);
        w[0] = 1, w[1] = half / im, w[2] = 0, w[3] = c / im;
    } else {
        const wide root = std::sqrt(square), l1 = mean + std::copysign(root, mean), det = a * d - b * c;
        const wide l2 = l1 != 0 ? det / l1 : wide(0);
        if (!(root > 0)) return false;
        poles[0] = static_cast<double>(l1);
        poles[1] = static_cast<double>(l2);
        const auto eigenvector = [&](wide l, wide& x, wide& y) {
            const wide one = a - l, two = d - l;  // rows (one, b), (c, two): the vector orthogonal to the larger one
            if (std::abs(one) >= std::abs(two)) x = -b, y = one;
            else x = two, y = -c;
            const wide size = std::max(std::abs(x), std::abs(y));
            x /= size;
            y /= size;
        };
        eigenvector(l1, w[0], w[2]);
        eigenvector(l2, w[1], w[3]);
    }
    const wide det = w[0] * w[3] - w[1] * w[2];
    const wide u[4] = {w[3] / det, -w[1] / det, -w[2] / det, w[0] / det};
    wide condition = 0, largest = 0, largest_inverse = 0;
    for (int i = 0; i < 2; ++i)
        for (int j = 0; j < 2; ++j) {
            condition = std::max(condition, std::abs(u[2 * i]) * std::abs(w[j]) + std::abs(u[2 * i + 1]) * std::abs(w[2 + j]));
            largest = std::max(largest, std::abs(w[2 * i + j]));
            largest_inverse = std::max(largest_inverse, std::abs(u[2 * i + j]));
        }
    const wide gap = 2 * std::sqrt(std::abs(square)), size = pair ? std::hypot(mean, gap / 2) : std::abs(mean) + gap / 2;
    if (!(gap >= std::max<wide>(least_gap, size / 100))) condition = std::max(condition, largest * largest_inverse);
    const auto in_range = [](wide x) { return x == 0 || std::isnormal(static_cast<double>(x)); };
    bool representable = true;
    for (int i = 0; i < 4; ++i) {
        v[i] = static_cast<double>(w[i]);
        inverse[i] = static_cast<double>(u[i]);
        representable = representable && in_range(w[i]) && in_range(u[i]);
    }
    return representable && condition < 100 && std::isfinite(poles[0]) && std::isfinite(poles[1]);  // leaves 1e-14; NaN fails as well
}

}  // namespace detail

/// The modal coordinates of a dense A whose graph falls apart into single states and couples, in any order of the states:
/// modal forms of structures, second-order systems with modal damping, diagonal matrices. Nothing where more states hang
/// together, or where a couple is too near to defective: where its poles are nearer to each other than least_gap, or than a
/// hundredth of their size, only coordinates that are good as they are will do.  O(n^2), and that only for reading A.
template <real S>
std::optional<modal_coordinates> find_modes(const matrix<S>& a, double least_gap = 0) {
    const index_t n = a.rows();
    require_shape("hrm::find_modes", "A", a.rows(), a.cols(), n, n);
    std::vector<index_t> partner(static_cast<std::size_t>(n), -1);
    const auto marry = [&](index_t i, index_t j) {
        auto& p = partner[static_cast<std::size_t>(i)];
        if (p >= 0 && p != j) return false;
        p = j;
        return true;
    };
    for (index_t i = 0; i < n; ++i) {
        const S* row = a.view().row(i);
        index_t others = 0;
        for (index_t j = 0; j < n; ++j) others += row[j] != S{0};
        others -= row[i] != S{0};
        if (others > 1) return {};
        for (index_t j = 0; others > 0; ++j)
            if (j != i && row[j] != S{0}) {
                --others;
                if (!marry(i, j) || !marry(j, i)) return {};
            }
    }
    modal_coordinates out;
    std::vector<std::size_t> pairs;  // blocks that are conjugate pairs
    for (index_t i = 0; i < n; ++i) {
        const index_t j = partner[static_cast<std::size_t>(i)];
        if (j >= 0 && j < i) continue;
        modal_coordinates::block b{.first = i, .second = j};
        if (j < 0) {
            if (!std::isfinite(static_cast<double>(a(i, i)))) return {};  // for those to name who expect a dense A
            b.first_mode = out.a.reals();
            out.a.real.push_back(static_cast<double>(a(i, i)));
        } else {
            const double m[4] = {static_cast<double>(a(i, i)), static_cast<double>(a(i, j)), static_cast<double>(a(j, i)),
                                 static_cast<double>(a(j, j))};
            double poles[2];
            bool pair = false;
            if (!detail::two_modes(m, least_gap, b.v, b.inverse, poles, pair)) return {};
            if (pair) {
                pairs.push_back(out.blocks.size());
                b.first_mode = out.a.pairs();
                out.a.re.push_back(poles[0]);
                out.a.im.push_back(poles[1]);
            } else {
                b.first_mode = out.a.reals();
                b.second_mode = b.first_mode + 1;
                out.a.real.push_back(poles[0]);
                out.a.real.push_back(poles[1]);
            }
        }
        out.blocks.push_back(b);
    }
    for (const auto at : pairs) {  // planar: the imaginary parts follow all the real ones
        auto& b = out.blocks[at];
        b.second_mode = out.a.reals() + out.a.pairs() + b.first_mode;
        b.first_mode += out.a.reals();
    }
    return out;
}

/// Those of a system: what counts is how far two poles are apart beside their distance to the boundary of stability, which in
/// discrete time is at most one.
template <real S>
std::optional<modal_coordinates> find_modes(const continuous<dense<S>>& s) {
    return find_modes(s.a.a);
}
template <real S>
std::optional<modal_coordinates> find_modes(const discrete<dense<S>>& s) {
    return find_modes(s.a.a, 1e-2);
}

/// The system in those coordinates.
template <template <class> class System, class A>
System<complex_pairs<double>> in_modes(const modal_coordinates& v, const System<A>& s) {
    const auto widen = [](const auto& x) {
        matrix<double> y(x.rows(), x.cols());
        for (index_t i = 0; i < x.rows(); ++i)
            for (index_t j = 0; j < x.cols(); ++j) y(i, j) = static_cast<double>(x(i, j));
        return y;
    };
    return {v.a, v.to_modes(widen(s.b)), detail::transpose(v.dual_to_modes(detail::transpose(widen(s.c)))), widen(s.d)};
}

}  // namespace hrm
