#pragma once

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include <hrm/linalg/detail/hessenberg.hpp>
#include <hrm/linalg/simd.hpp>

namespace hrm {
namespace detail {

/// The singular values, descending, of the upper bidiagonal matrix with diagonal d and superdiagonal e (one shorter), to
/// eps of the largest: Golub & Kahan's implicit QR with the shift of the trailing 2 x 2 block.  O(n^2).
inline std::vector<double> bidiagonal_values(std::vector<double> d, std::vector<double> e) {
    const double eps = std::numeric_limits<double>::epsilon();
    const auto n = d.size();
    double norm = 0;
    for (double x : d) norm = std::max(norm, std::abs(x));
    for (double x : e) norm = std::max(norm, std::abs(x));
    const double tiny = eps * norm / 16;
    const auto rotation = [](double x, double y, double& c, double& s) {
        const double r = std::sqrt(x * x + y * y);
        c = r > 0 ? x / r : 1;
        s = r > 0 ? y / r : 0;
        return r;
    };
    for (double& x : d) x = norm > 0 ? x / norm : 0;
    for (double& x : e) x = norm > 0 ? x / norm : 0;
    const double floor = norm > 0 ? tiny / norm : 0;
    std::size_t steps = 0;
    for (std::size_t last = n; last > 1;) {
        if (++steps > 100 * n) throw numerical_error("hrm::bidiagonal_svd: the QR iteration did not converge");  // NaN, above all
        const auto negligible = [&](std::size_t k) {
            return std::abs(e[k]) <= floor || std::abs(e[k]) <= eps / 4 * std::sqrt(std::abs(d[k] * d[k + 1]));
        };
        if (negligible(last - 2)) {
            --last;
            continue;
        }
        std::size_t first = last - 2;
        while (first > 0 && !negligible(first - 1)) --first;
        // A vanishing diagonal entry: rotate its row's superdiagonal away to the right; then the block falls apart there.
        bool split = false;
        for (std::size_t k = first; k + 1 < last && !split; ++k)
            if (std::abs(d[k]) <= floor) {
                d[k] = 0;
                double f = e[k];
                e[k] = 0;
                for (std::size_t j = k + 1; j < last && f != 0; ++j) {
                    double c, s;
                    d[j] = rotation(d[j], f, c, s);
                    if (j + 1 < last) {
                        f = -s * e[j];
                        e[j] *= c;
                    }
                }
                split = true;
            }
        if (split) continue;
        double shift = 0;
        {  // of B^T B's trailing block, the eigenvalue nearer to its corner
            const double x = d[last - 2], y = d[last - 1], z = e[last - 2], w = last - 2 > first ? e[last - 3] : 0;
            const double a = x * x + w * w, b = x * z, c = y * y + z * z, half = (a - c) / 2;
            const double root = std::copysign(std::hypot(half, b), half);
            shift = half + root != 0 ? c - b * b / (half + root) : c;
        }
        double x = d[first] - shift / d[first], y = e[first], c, s;
        if (shift < eps * d[first] * d[first]) x = d[first];
        for (std::size_t k = first; k + 1 < last; ++k) {
            const double r = rotation(x, y, c, s);
            if (k > first) e[k - 1] = r;
            x = c * d[k] + s * e[k];
            e[k] = c * e[k] - s * d[k];
            y = s * d[k + 1];
            d[k + 1] *= c;
            d[k] = rotation(x, y, c, s);
            x = c * e[k] + s * d[k + 1];
            d[k + 1] = c * d[k + 1] - s * e[k];
            e[k] = x;
            if (k + 2 < last) {
                y = s * e[k + 1];
                e[k + 1] *= c;
            }
        }
    }
    for (double& x : d) x = norm * std::abs(x);
    std::sort(d.begin(), d.end(), std::greater<>());
    return d;
}

}  // namespace detail

/// All singular values of a matrix, and the vectors of the leading few:
///     bidiagonal_svd svd(k);   svd.sigma();   svd.vectors(r, u, v);     // k v_i = sigma_i u_i
/// k = Q B P^T with B bidiagonal, 32 columns at a time (Dongarra, Hammarling & Sorensen 1989), O(8/3 n^3), half of it
/// matrix times vector; then sigma by implicit QR and the vectors by inverse iteration on B, O(n r^2 + n^2 r).
/// Errors are eps sigma_1, as Golub & Kahan's: where small values must be accurate by themselves, take jacobi_svd.
class bidiagonal_svd {
public:
    /// k: m x n, m >= n.
    explicit bidiagonal_svd(matrix<double> k)
        : m_(k.rows()), n_(k.cols()), left_(n_, m_), right_(n_, n_), d_(static_cast<std::size_t>(n_)), e_(d_.size()),
          left_tau_(d_.size()), right_tau_(d_.size()) {
        require_shape("hrm::bidiagonal_svd", "the matrix", m_, n_, std::max(m_, n_), n_);
        for (index_t first = 0; first < n_;) first += reduce_panel(k.view(), first);
        sigma_ = detail::bidiagonal_values(d_, {e_.begin(), e_.end() - (n_ > 0)});
    }
    const std::vector<double>& sigma() const { return sigma_; }

    /// u: m x r, v: n x r, orthonormal columns. False where the vectors do not come out to rounding, because sigma_r is
    /// too near to nothing or the iteration failed.
    bool vectors(index_t r, matrix<double>& u, matrix<double>& v) const {
        const index_t padded = (r + simd::lanes<double> - 1) / simd::lanes<double> * simd::lanes<double>;
        matrix<double> wide_u(m_, padded), wide_v(n_, padded);
        const bool good = r == 0 || iterate(r, wide_u, wide_v);
        std::vector<double> sum(static_cast<std::size_t>(padded));
        const auto reflect = [&](const double* h, double tau, matrix_view<double> x) {  // x <- (I - tau h h^T) x
            std::fill(sum.begin(), sum.end(), 0.0);
            detail::add_transposed_times(x, h, sum.data());
            for (index_t i = 0; i < x.rows; ++i) axpy(-tau * h[i], sum.data(), x.row(i), padded);
        };
        for (index_t j = n_ - 1; j >= 0; --j) {
            const auto at = static_cast<std::size_t>(j);
            reflect(left_.view().row(j) + j, left_tau_[at], wide_u.view().slice_rows(j, m_ - j));
            if (j + 1 < n_) reflect(right_.view().row(j) + j + 1, right_tau_[at], wide_v.view().slice_rows(j + 1, n_ - j - 1));
        }
        u = matrix<double>(matrix_view<const double>(wide_u.view().slice_cols(0, r)));
        v = matrix<double>(matrix_view<const double>(wide_v.view().slice_cols(0, r)));
        return good;
    }

private:
    // Reduces columns and rows [first, first + nb). What the panel does to the rest is A - V Y^T - X W^T: v, w its
    // reflectors from the left and the right, kept as rows; with both known so far, column i and row i of the rest follow.
    index_t reduce_panel(matrix_view<double> a, index_t first) {
        const index_t nb = std::min<index_t>(24, n_ - first);
        const auto rest = [&](index_t from, matrix<double>& z) { return z.view().slice_cols(from, z.cols() - from); };
        matrix<double> y(nb, n_), x(nb, m_);  // rows: the columns of Y and X
        std::vector<double> by_left(static_cast<std::size_t>(nb)), by_right(by_left.size());
        for (index_t i = 0; i < nb; ++i) {
            const index_t j = first + i, rows = m_ - j, cols = n_ - j - 1, from = j + 1;
            const auto at = static_cast<std::size_t>(j);
            double *hv = left_.view().row(j), *hw = right_.view().row(j), *yi = y.view().row(i), *xi = x.view().row(i);
            // to -= from_left^T by_left + from_right^T by_right
            const auto subtract = [&](matrix_view<const double> from_left, matrix_view<const double> from_right, double* to) {
                for (double& f : by_left) f = -f;
                for (double& f : by_right) f = -f;
                detail::add_transposed_times(from_left, by_left.data(), to);
                detail::add_transposed_times(from_right, by_right.data(), to);
            };
            const auto part = [](matrix_view<const double> z, index_t row, index_t count, index_t col) {
                return z.slice_rows(row, count).slice_cols(col, z.cols - col);
            };
            for (index_t q = j; q < m_; ++q) hv[q] = a(q, j);
            for (index_t c = 0; c < i; ++c) {
                by_left[static_cast<std::size_t>(c)] = y(c, j);
                by_right[static_cast<std::size_t>(c)] = right_(first + c, j);
            }
            subtract(part(left_, first, i, j), part(x, 0, i, j), hv + j);
            left_tau_[at] = detail::make_reflector(hv + j, rows);
            d_[at] = hv[j];
            hv[j] = 1;
            if (cols == 0) break;
            std::fill(yi + from, yi + n_, 0.0);
            detail::add_transposed_times(part(a, j, rows, from), hv + j, yi + from);
            detail::times_vector(part(left_, first, i, j), hv + j, by_left.data());
            detail::times_vector(part(x, 0, i, j), hv + j, by_right.data());
            subtract(part(y, 0, i, from), part(right_, first, i, from), yi + from);
            for (index_t c = from; c < n_; ++c) yi[c] *= left_tau_[at];
            for (index_t c = from; c < n_; ++c) hw[c] = a(j, c);
            for (index_t c = 0; c < i; ++c) {
                by_left[static_cast<std::size_t>(c)] = left_(first + c, j);
                by_right[static_cast<std::size_t>(c)] = x(c, j);
            }
            by_left[static_cast<std::size_t>(i)] = 1;
            subtract(part(y, 0, i + 1, from), part(right_, first, i, from), hw + from);
            right_tau_[at] = detail::make_reflector(hw + from, cols);
            e_[at] = hw[from];
            hw[from] = 1;
            detail::times_vector(part(a, from, m_ - from, from), hw + from, xi + from);
            detail::times_vector(part(y, 0, i + 1, from), hw + from, by_left.data());
            detail::times_vector(part(right_, first, i, from), hw + from, by_right.data());
            subtract(part(left_, first, i + 1, from), part(x, 0, i, from), xi + from);
            for (index_t r = from; r < m_; ++r) xi[r] *= right_tau_[at];
        }
        const index_t next = first + nb;
        if (next < n_) {
            auto below = a.slice_rows(next, m_ - next).slice_cols(next, n_ - next);
            multiply(transposed(rest(next, left_).slice_rows(first, nb)), rest(next, y), below, into::add, -1.0);
            multiply(transposed(rest(next, x)), rest(next, right_).slice_rows(first, nb), below, into::add, -1.0);
        }
        return nb;
    }

    // Inverse iteration on the Golub-Kahan matrix [0 B^T; B 0], which in the order v_1 u_1 v_2 u_2 .. is tridiagonal with a
    // zero diagonal and d_1 e_1 d_2 .. beside it; a register of shifts at a time. u and v are kept orthogonal to the earlier
    // ones apart from each other. Column i of u and v: the vectors of B to sigma_i.
    bool iterate(index_t r, matrix<double>& u, matrix<double>& v) const {
        using pack = simd::pack<double>;
        constexpr index_t W = simd::lanes<double>;
        const double eps = std::numeric_limits<double>::epsilon(), enough = 32 * eps * sigma_[0];
        const index_t size = 2 * n_;
        const auto beside = [&](index_t i) { return i % 2 == 0 ? d_[static_cast<std::size_t>(i / 2)] : e_[static_cast<std::size_t>(i / 2)]; };
        matrix<double> ut(r, n_), vt(r, n_);
        // T - sigma = P L U, shift by shift: U has two superdiagonals. A factor above one says that rows changed places.
        const index_t groups = (r + W - 1) / W;
        matrix<double> inverse(groups * size, W), above(groups * size, W), second(groups * size, W), factor(groups * size, W), swapped(groups * size, W), x(size, W);
        const auto get = [](const matrix<double>& from, index_t row) {
            pack value;
            simd::load<double>(value, from.view().row(row));
            return value;
        };
        const auto put = [](matrix<double>& to, index_t row, const pack& value) { simd::store<double>(to.view().row(row), value); };
        const pack zero = {}, one = zero + 1.0, least = zero + eps * sigma_[0];
        for (index_t g = 0; g < groups; ++g) {
            pack shift = {};
            for (index_t l = 0; l < W; ++l) shift[l] = sigma_[static_cast<std::size_t>(std::min(g * W + l, r - 1))];
            pack diagonal = -shift, over = zero + beside(0);
            for (index_t i = 0; i < size; ++i) {
                const index_t at = g * size + i;
                const bool end = i + 1 == size;
                const pack low = zero + (end ? 0.0 : beside(i)), next = zero + (i + 2 < size ? beside(i + 1) : 0.0);
                const pack magnitude = diagonal < zero ? -diagonal : diagonal, below = low < zero ? -low : low;
                const auto swap = below > magnitude;
                const pack kept = magnitude < least ? least : diagonal, pivot = swap ? low : kept, over_pivot = one / pivot;
                const pack f = (swap ? diagonal : low) * over_pivot, first = swap ? -shift : over;
                put(inverse, at, over_pivot);
                put(factor, at, f);
                put(swapped, at, swap ? one : zero);
                put(above, at, first);
                put(second, at, swap ? next : zero);
                diagonal = (swap ? over : -shift) - f * first;
                over = swap ? -f * next : next;
            }
        }
        for (int pass = 0; pass < 4; ++pass) {
            for (index_t g = 0; g < groups; ++g) {
                const index_t live = std::min(W, r - g * W);
                if (pass == 0)
                    for (index_t i = 0; i < size * W; ++i) {  // Weyl's sequence, as good as random here
                        const double place = static_cast<double>(g * size * W + i + 1) * 0.6180339887498949;
                        x.data()[i] = place - std::floor(place) - 0.5;
                    }
                else {
                    for (index_t i = 0; i < n_; ++i)
                        for (index_t l = 0; l < live; ++l) {
                            x(2 * i, l) = vt(g * W + l, i);
                            x(2 * i + 1, l) = ut(g * W + l, i);
                        }
                    for (index_t i = 0; i + 1 < size; ++i) {
                        const pack a = get(x, i), b = get(x, i + 1);
                        const auto swap = get(swapped, g * size + i) > zero;
                        const pack first = swap ? b : a;
                        put(x, i, first);
                        put(x, i + 1, (swap ? a : b) - get(factor, g * size + i) * first);
                    }
                }
                pack later = {}, latest = {}, largest = {};
                for (index_t i = size - 1; i >= 0; --i) {
                    const index_t at = g * size + i;
                    const pack value = (get(x, i) - get(above, at) * later - get(second, at) * latest) * get(inverse, at);
                    put(x, i, value);
                    const pack magnitude = value < zero ? -value : value;
                    largest = magnitude > largest ? magnitude : largest;
                    latest = later;
                    later = value;
                }
                for (index_t i = 0; i < n_; ++i)
                    for (index_t l = 0; l < live; ++l) {
                        vt(g * W + l, i) = x(2 * i, l) / largest[l];
                        ut(g * W + l, i) = x(2 * i + 1, l) / largest[l];
                    }
            }
            bool settled = pass > 0;  // B v - sigma u and B^T u - sigma v are rounding
            std::vector<double> along(static_cast<std::size_t>(r));
            for (index_t index = 0; index < r; ++index) {
                double *own_u = ut.view().row(index), *own_v = vt.view().row(index);
                for (auto [rows, own] : {std::pair{&ut, own_u}, std::pair{&vt, own_v}}) {
                    const auto earlier = rows->view().slice_rows(0, index);
                    detail::times_vector(earlier, own, along.data());
                    for (double& f : along) f = -f;
                    detail::add_transposed_times(earlier, along.data(), own);
                    const double norm = std::sqrt(dot(own, own, n_));
                    for (index_t i = 0; i < n_; ++i) own[i] /= norm;
                }
                for (index_t i = 0; settled && i < n_; ++i) {
                    const auto k = static_cast<std::size_t>(i);
                    const double sigma = sigma_[static_cast<std::size_t>(index)];
                    const double bv = d_[k] * own_v[i] + (i + 1 < n_ ? e_[k] * own_v[i + 1] : 0);
                    const double bu = d_[k] * own_u[i] + (i > 0 ? e_[k - 1] * own_u[i - 1] : 0);
                    settled = settled && std::abs(bv - sigma * own_u[i]) <= enough && std::abs(bu - sigma * own_v[i]) <= enough;
                }
            }
            if (!settled) continue;
            for (index_t i = 0; i < n_; ++i)
                for (index_t l = 0; l < r; ++l) u(i, l) = ut(l, i), v(i, l) = vt(l, i);
            return true;
        }
        return false;
    }

    index_t m_, n_;
    matrix<double> left_, right_;  // row j: the reflector of column j, of row j
    std::vector<double> d_, e_, left_tau_, right_tau_, sigma_;
};

}  // namespace hrm
