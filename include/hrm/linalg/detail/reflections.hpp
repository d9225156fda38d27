#pragma once

#include <algorithm>
#include <vector>

#include <hrm/core/matrix.hpp>
#include <hrm/linalg/detail/lane_order.hpp>

namespace hrm::detail {

/// I - tau v v^T of three rows, v = (1, v1, v2), t = tau v; v2 = 0 where there are but two rows left.
struct reflection {
    double tau, v1, v2, t1, t2;
};

/// Q as the product of the reflections by which bulges are chased: trains of them, each a row below the one before.
/// Ten flop a reflection and column, where a square matrix that holds those of a window takes 24.
/// Van Zee, van de Geijn & Quintana-Orti, ACM TOMS 40 (2014).
class reflections {
public:
    /// A train of so many from that row on, to be filled in; returns the place of the first.
    std::size_t begin(index_t row, index_t count) {
        trains_.push_back({row, count});
        all_.resize(all_.size() + static_cast<std::size_t>(count));
        return all_.size() - static_cast<std::size_t>(count);
    }
    reflection& operator[](std::size_t i) { return all_[i]; }
    void clear() {
        all_.clear();
        trains_.clear();
    }

    /// x <- Q^T x and x <- Q x.
    void apply_transposed(matrix_view<double> x) const {
        by_strips(x, [&]<int P>(matrix_view<double> y) {
            const reflection* by = all_.data();
            for (const auto& t : trains_) down<P>(by, t, y), by += t.count;
        });
    }
    void apply(matrix_view<double> x) const {
        by_strips(x, [&]<int P>(matrix_view<double> y) {
            const reflection* by = all_.data() + all_.size();
            for (auto t = trains_.rbegin(); t != trains_.rend(); ++t) by -= t->count, up<P>(by, *t, y);
        });
    }
    /// x <- x Q.
    void apply_from_right(matrix_view<double> x) const {
        matrix<double> turned(x.cols, strip);
        for (index_t i = 0; i < x.rows; i += strip) {
            const auto rows = x.slice_rows(i, std::min(strip, x.rows - i));
            const auto y = turned.view().slice_cols(0, (rows.rows + W - 1) / W * W);
            turn_over(rows, y);
            apply_transposed(y);
            turn_over(y.slice_cols(0, rows.rows), rows);
        }
    }

private:
    using pack = simd::pack<double>;
    static constexpr index_t W = simd::lanes<double>, strip = 3 * W;
    struct train {
        index_t row, count;
    };

    /// Columns some registers at a time, so that a strip stays in the first cache; the last ones by a copy.
    template <class F>
    static void by_strips(matrix_view<double> x, F f) {
        index_t j = 0;
        for (; j + strip <= x.cols; j += strip) f.template operator()<3>(x.slice_cols(j, strip));
        if (j + 2 * W <= x.cols) f.template operator()<2>(x.slice_cols(j, 2 * W)), j += 2 * W;
        if (j + W <= x.cols) f.template operator()<1>(x.slice_cols(j, W)), j += W;
        if (j == x.cols) return;
        const auto rest = x.slice_cols(j, x.cols - j);
        matrix<double> y(x.rows, W);
        for (index_t i = 0; i < x.rows; ++i) std::copy_n(rest.row(i), rest.cols, y.view().row(i));
        f.template operator()<1>(y.view());
        for (index_t i = 0; i < x.rows; ++i) std::copy_n(y.view().row(i), rest.cols, rest.row(i));
    }
    template <int P>
    static void load(pack (&a)[P], matrix_view<double> x, index_t row) {
        for (int p = 0; p < P; ++p)
            if (row < x.rows) simd::load<double>(a[p], x.row(row) + p * W);
            else a[p] = pack{};
    }
    template <int P>
    static void store(const pack (&a)[P], matrix_view<double> x, index_t row) {
        if (row < x.rows)
            for (int p = 0; p < P; ++p) simd::store<double>(x.row(row) + p * W, a[p]);
    }
    /// H_last .. H_first x: each number is read and written once.
    template <int P>
    static void down(const reflection* by, train t, matrix_view<double> x) {
        pack a[P], b[P], c[P];
        load(a, x, t.row);
        load(b, x, t.row + 1);
        for (index_t i = 0; i < t.count; ++i) {
            const reflection h = by[i];
            load(c, x, t.row + i + 2);
            for (int p = 0; p < P; ++p) {
                const pack sum = a[p] + h.v1 * b[p] + h.v2 * c[p];
                simd::store<double>(x.row(t.row + i) + p * W, a[p] - h.tau * sum);
                a[p] = b[p] - h.t1 * sum;
                b[p] = c[p] - h.t2 * sum;
            }
        }
        store(a, x, t.row + t.count);
        store(b, x, t.row + t.count + 1);
    }
    /// H_first .. H_last x.
    template <int P>
    static void up(const reflection* by, train t, matrix_view<double> x) {
        pack a[P], b[P], c[P];
        load(b, x, t.row + t.count);
        load(c, x, t.row + t.count + 1);
        for (index_t i = t.count; i-- > 0;) {
            const reflection h = by[i];
            load(a, x, t.row + i);
            for (int p = 0; p < P; ++p) {
                const pack sum = a[p] + h.v1 * b[p] + h.v2 * c[p];
                a[p] -= h.tau * sum;
                b[p] -= h.t1 * sum;
                c[p] -= h.t2 * sum;
            }
            store(c, x, t.row + i + 2);
            for (int p = 0; p < P; ++p) c[p] = b[p], b[p] = a[p];
        }
        store(b, x, t.row);
        store(c, x, t.row + 1);
    }
    /// y <- x^T; columns of y beyond the rows of x become 0.
    static void turn_over(matrix_view<const double> x, matrix_view<double> y) {
        for (index_t i = 0; i < y.cols; i += W)
            for (index_t j = 0; j < x.cols; j += W) {
                if (i + W <= x.rows && j + W <= x.cols) {
                    pack square[W];
                    for (index_t q = 0; q < W; ++q) simd::load<double>(square[q], x.row(i + q) + j);
                    simd::turn<double>(square);
                    if (i + W <= y.cols) {
                        for (index_t q = 0; q < W; ++q) simd::store<double>(y.row(j + q) + i, square[q]);
                        continue;
                    }
                }
                for (index_t r = i; r < std::min(i + W, y.cols); ++r)
                    for (index_t c = j; c < std::min(j + W, x.cols); ++c) y(c, r) = r < x.rows ? x(r, c) : 0;
            }
    }

    std::vector<reflection> all_;
    std::vector<train> trains_;
};

}  // namespace hrm::detail
