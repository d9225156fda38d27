#pragma once

#include <vector>

#include <hrm/linalg/detail/francis.hpp>

// The real Schur form A = Q T Q^T, T quasi-triangular with standard 2 x 2 blocks: small-bulge multishift QR with aggressive
// early deflation, so that nearly all work is matrix products.
// Braman, Byers & Mathias, SIAM J. Matrix Anal. 23 (2002), parts I and II.

namespace hrm::detail {

inline void copy(matrix_view<const double> from, matrix_view<double> to) {
    for (index_t i = 0; i < to.rows; ++i) std::copy_n(from.row(i), to.cols, to.row(i));
}

/// Q as the product it arises as: the blocks of the reduction to Hessenberg form, then the windows of the iteration, each
/// with Q^T as rows or as reflections. Applied to the few vectors that are wanted, it costs as many times less than the n x n matrix.
struct orthogonal_product {
    struct window {
        index_t first, rows;
        matrix<double> ut;  // square, and perhaps columns of zeros; or empty
        reflections chain;
        matrix_view<const double> square() const { return ut.view().slice_cols(0, rows); }
    };
    std::vector<reflector_block> blocks;
    std::vector<window> windows;

    /// x <- Q^T x.
    void apply_transposed(matrix_view<double> x) const {
        by_whole_registers(x, [&](matrix_view<double> y) {
            for (const auto& b : blocks) apply_block(b, true, y.slice_rows(b.first, y.rows - b.first));
            for (const auto& w : windows)
                if (w.ut.empty()) w.chain.apply_transposed(y.slice_rows(w.first, w.rows));
                else turn(w, w.square(), y);
        });
    }
    /// x <- Q x.
    void apply(matrix_view<double> x) const {
        by_whole_registers(x, [&](matrix_view<double> y) {
            for (auto w = windows.rbegin(); w != windows.rend(); ++w)
                if (w->ut.empty()) w->chain.apply(y.slice_rows(w->first, w->rows));
                else turn(*w, transposed(w->square()), y);
            for (auto b = blocks.rbegin(); b != blocks.rend(); ++b) apply_block(*b, false, y.slice_rows(b->first, y.rows - b->first));
        });
    }

private:
    // Columns filled up once, or every product would do it.
    template <class F>
    static void by_whole_registers(matrix_view<double> x, F f) {
        constexpr index_t W = simd::lanes<double>;
        if (x.cols % W == 0) return f(x);
        matrix<double> y(x.rows, (x.cols + W - 1) / W * W);
        const auto own = y.view().slice_cols(0, x.cols);
        copy(x, own);
        f(y.view());
        copy(own, x);
    }
    template <class U>
    static void turn(const window& w, const U& u, matrix_view<double> x) {
        const auto part = x.slice_rows(w.first, w.rows);
        const matrix<double> old{matrix_view<const double>(part)};
        multiply(u, old.view(), part);
    }
};

/// The similarity by ut^T of rows and columns [s, s + ut.rows) of h outside that window; ut joins q, if there is one.
inline void apply_window(matrix_view<double> h, orthogonal_product* q, index_t s, matrix<double> ut) {
    const index_t w = ut.rows(), e = s + w;
    const auto square = ut.view().slice_cols(0, w);
    constexpr index_t stretch = 96;  // of what is copied: it stays near
    matrix<double> old(w, stretch);
    for (index_t j = e; j < h.cols; j += stretch) {
        const auto x = h.slice_rows(s, w).slice_cols(j, std::min(stretch, h.cols - j));
        const auto before = old.view().slice_cols(0, x.cols);
        copy(x, before);
        multiply(square, before, x);
    }
    for (index_t i = 0; i < s; i += stretch) {
        const auto x = h.slice_rows(i, std::min(stretch, s - i)).slice_cols(s, w);
        const matrix_view<double> before(old.data(), x.rows, w);
        copy(x, before);
        multiply(before, transposed(square), x);
    }
    if (q) q->windows.push_back({s, w, std::move(ut), {}});
}
inline matrix<double> identity(index_t n) {
    matrix<double> x(n, n);
    for (index_t i = 0; i < n; ++i) x(i, i) = 1;
    return x;
}
/// With columns of zeros up to whole registers, as bulge_step asks for.
inline matrix<double> in_whole_registers(matrix_view<const double> x) {
    constexpr index_t W = simd::lanes<double>;
    matrix<double> y(x.rows, (x.cols + W - 1) / W * W);
    copy(x, y.view().slice_cols(0, x.cols));
    return y;
}
/// A square of h and the identity beside it.
struct work_window {
    matrix<double> h, ut;
    explicit work_window(matrix_view<const double> x) : h(in_whole_registers(x)), ut(h.rows(), h.cols()) {
        for (index_t i = 0; i < x.rows; ++i) ut(i, i) = 1;
    }
};
inline matrix_view<double> block(matrix_view<double> h, index_t first, index_t size) {
    return h.slice_rows(first, size).slice_cols(first, size);
}
/// Moves a chain of bulges, three rows apart, down the unreduced block [first, last), a window at a time.
inline void sweep(matrix_view<double> h, orthogonal_product* q, index_t first, index_t last, const std::vector<shift_pair>& shifts) {
    const auto count = static_cast<index_t>(shifts.size());
    std::vector<index_t> at(shifts.size(), first - 1);  // the column each bulge clears next; last - 2: gone
    while (at.back() < last - 2) {
        const index_t s = std::max(first, at.back()), e = std::min(last, s + 3 * count + 36);
        auto copied = in_whole_registers(block(h, s, e - s));
        const auto window = copied.view();
        reflections chain;
        for (std::size_t b = 0; b < shifts.size(); ++b) {
            auto& k = at[b];
            const index_t ahead = b > 0 && at[b - 1] < last - 2 ? at[b - 1] - 3 : last;
            const index_t to = std::min({last - 2, ahead, e == last ? last : e - 4});
            if (to <= k) continue;
            chase(window, k - s, to - s, shifts[b], first - s, chain);
            k = to;
        }
        copy(window, block(h, s, e - s));
        chain.apply_transposed(h.slice_rows(s, e - s).slice_cols(e, h.cols - e));
        chain.apply_from_right(h.slice_rows(0, s).slice_cols(s, e - s));
        if (q) q->windows.push_back({s, e - s, {}, std::move(chain)});
    }
}

/// Aggressive early deflation: the Schur form of the last `size` rows of [first, last) shows, in the spike that it makes of
/// the entry before it, which eigenvalues have converged already. Returns how many; shifts: the others, small ones last.
inline index_t deflate(std::string_view where, matrix_view<double> h, orthogonal_product* q, index_t first, index_t last, index_t size,
                       std::vector<shift_pair>& shifts) {
    constexpr double eps = std::numeric_limits<double>::epsilon(), tiny = std::numeric_limits<double>::min() / eps;
    const index_t s = last - size;
    work_window window(block(h, s, size));
    auto& ut = window.ut;
    const auto t = window.h.view();
    const double spike = s > first ? h(s, s - 1) : 0;
    francis(where, t, ut.view());

    index_t kept = size;  // rows [0, tested) are known to stay
    for (index_t tested = 0; tested < kept;) {
        const index_t b = kept > 1 && t(kept - 1, kept - 2) != 0 ? 2 : 1;
        double foot = std::abs(t(kept - 1, kept - 1)), tip = std::abs(spike * ut(kept - 1, 0));
        if (b == 2) {
            foot += std::sqrt(std::abs(t(kept - 1, kept - 2))) * std::sqrt(std::abs(t(kept - 2, kept - 1)));
            tip = std::max(tip, std::abs(spike * ut(kept - 2, 0)));
        }
        if (tip <= std::max(tiny, eps * (foot > 0 ? foot : std::abs(spike)))) {
            kept -= b;
            continue;
        }
        for (index_t i = kept - b; i > tested;) {
            const index_t p = i - 2 >= tested && t(i - 1, i - 2) != 0 ? 2 : 1;
            swap_blocks(t, i - p, p, b, ut.view());
            i -= p;
        }
        tested += b;
    }

    shifts.clear();
    std::vector<std::complex<double>> reals;
    for (index_t i = 0; i < kept;) {
        if (i + 1 < kept && t(i + 1, i) != 0) {
            shifts.push_back(block_eigenvalues(t(i, i), t(i, i + 1), t(i + 1, i), t(i + 1, i + 1)));
            i += 2;
        } else {
            reals.push_back(t(i, i));
            ++i;
        }
    }
    const auto larger = [](std::complex<double> x, std::complex<double> y) { return std::abs(x) > std::abs(y); };
    std::sort(reals.begin(), reals.end(), larger);
    for (std::size_t i = reals.size(); i >= 2; i -= 2) shifts.push_back({reals[i - 2], reals[i - 1]});
    std::stable_sort(shifts.begin(), shifts.end(), [&](const auto& x, const auto& y) { return larger(x[0], y[0]); });

    double corner = 0;
    if (kept > 0 && spike != 0) {  // the spike back into its first entry, and what stays back to Hessenberg form
        std::vector<double> v(static_cast<std::size_t>(kept));
        for (index_t i = 0; i < kept; ++i) v[static_cast<std::size_t>(i)] = spike * ut(i, 0);
        const double tau = make_reflector(v.data(), kept);
        corner = v[0];
        v[0] = 1;
        reflector_block r{0, matrix<double>(kept, 1), {{tau}}};
        std::copy(v.begin(), v.end(), r.v.flat().begin());
        const auto turn = [&](const reflector_block& by) {
            const index_t rows = kept - by.first;
            apply_block(by, true, ut.view().slice_rows(by.first, rows));
            if (kept < size) apply_block(by, true, t.slice_rows(by.first, rows).slice_cols(kept, size - kept));
        };
        turn(r);
        const auto stay = block(t, 0, kept);
        apply_block(r, true, stay);
        for (index_t i = 0; i < kept; ++i) axpy(-tau * dot(stay.row(i), v.data(), kept), v.data(), stay.row(i), kept);
        for (const auto& by : hessenberg_blocks(stay)) turn(by);
    }
    if (s > first) h(s, s - 1) = corner;
    copy(t, block(h, s, size));
    apply_window(h, q, s, std::move(ut));
    return size - kept;
}

/// Upper Hessenberg h -> quasi-triangular T; the windows of Q join q, if there is one.  h: n x n.  O(10 n^3) to O(20 n^3), as products.
inline void quasi_triangularize(std::string_view where, matrix_view<double> h, orthogonal_product* q) {
    constexpr index_t small = 64;
    int stalled = 0;
    std::vector<shift_pair> shifts;
    for (index_t last = h.rows; last > 0;) {
        const index_t first = unreduced_from(h, last), size = last - first;
        if (size <= small) {
            work_window window(block(h, first, size));
            francis(where, window.h.view(), window.ut.view());
            copy(window.h.view(), block(h, first, size));
            apply_window(h, q, first, std::move(window.ut));
            last = first;
            continue;
        }
        const index_t most = std::clamp<index_t>(size / 14, 12, 48), width = std::min(size, stalled >= 4 ? 2 * most : most);
        const index_t gone = deflate(where, h, q, first, last, width, shifts);
        last -= gone;
        stalled = gone > 0 ? 0 : stalled + 1;
        if (stalled > 60) throw numerical_error(std::string(where) + ": the QR iteration did not converge");
        if (100 * gone > 14 * width || last - first <= small || shifts.empty()) continue;
        const auto pairs = static_cast<index_t>(shifts.size());
        if (pairs > most / 2) shifts.erase(shifts.begin(), shifts.end() - most / 2);
        if (stalled % 6 == 5) {  // against cycles
            for (auto& x : shifts) x = block_eigenvalues(h(last - 1, last - 1) * 1.75, -0.4375 * h(last - 1, last - 2),
                                                         h(last - 1, last - 2), h(last - 1, last - 1));
        }
        sweep(h, q, first, last, shifts);
    }
}

/// A = Q T Q^T, Q as a product.
struct factored_schur_form {
    matrix<double> t;
    orthogonal_product q;
};
enum class schur_vectors { wanted, none };

/// a: n x n, finite.  O(18 n^3).  Throws numerical_error where the iteration does not converge.
inline factored_schur_form factored_schur(std::string_view where, matrix<double> a, schur_vectors vectors = schur_vectors::wanted) {
    double largest = 0;
    for (double x : a.flat()) largest = std::max(largest, std::abs(x));
    // Squares of entries must neither overflow nor vanish.
    int exponent = 0;
    if (largest > 0x1p200 || (largest > 0 && largest < 0x1p-200)) std::frexp(largest, &exponent);
    if (exponent != 0)
        for (double& x : a.flat()) x = std::ldexp(x, -exponent);
    factored_schur_form form;
    form.q.blocks = hessenberg_blocks(a.view());
    quasi_triangularize(where, a.view(), vectors == schur_vectors::wanted ? &form.q : nullptr);
    if (exponent != 0)
        for (double& x : a.flat()) x = std::ldexp(x, exponent);
    form.t = std::move(a);
    return form;
}

/// A = Q T Q^T.
struct real_schur_form {
    matrix<double> t, q;
};
/// a: n x n, finite.  O(25 n^3).  Throws as factored_schur.
inline real_schur_form real_schur(std::string_view where, matrix<double> a) {
    auto form = factored_schur(where, std::move(a));
    auto q = identity(form.t.rows());
    form.q.apply(q.view());
    return {std::move(form.t), std::move(q)};
}

/// The eigenvalues of a quasi-triangular matrix, from the top; a pair's has the positive imaginary part first.
inline buffer<std::complex<double>> block_eigenvalues(matrix_view<const double> t) {
    buffer<std::complex<double>> values;
    values.reserve(static_cast<std::size_t>(t.rows));
    for (index_t i = 0; i < t.rows;) {
        if (block_size(t, i) == 1) {
            values.emplace_back(t(i, i));
            ++i;
            continue;
        }
        for (const auto& x : block_eigenvalues(t(i, i), t(i, i + 1), t(i + 1, i), t(i + 1, i + 1))) values.push_back(x);
        i += 2;
    }
    return values;
}

}  // namespace hrm::detail
