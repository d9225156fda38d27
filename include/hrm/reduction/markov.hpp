#pragma once

#include <algorithm>
#include <cmath>
#include <complex>
#include <cstdint>
#include <limits>
#include <span>
#include <vector>

#include <hrm/linalg/detail/product.hpp>
#include <hrm/reduction/detail/core_svd.hpp>
#include <hrm/reduction/hankel_operator.hpp>
#include <hrm/reduction/randomized_svd.hpp>
#include <hrm/systems/convert.hpp>
#include <hrm/systems/discrete.hpp>

namespace hrm {

namespace detail {

template <class T>
matrix<T> block_hankel_of(std::span<const matrix<T>> h, index_t rows, index_t cols, index_t first) {
    if (rows < 1 || cols < 1) throw shape_error("hrm::block_hankel: " + extents(rows, cols) + " blocks, expected at least 1x1");
    const index_t count = static_cast<index_t>(h.size()), needed = first + rows + cols - 1;
    if (count < needed)
        throw shape_error("hrm::block_hankel: " + std::to_string(count) + " Markov parameters, expected at least " +
                          std::to_string(needed));
    const index_t p = h[0].rows(), m = h[0].cols();
    matrix<T> out(rows * p, cols * m);
    for (index_t i = 0; i < rows; ++i)
        for (index_t j = 0; j < cols; ++j) {
            const auto& block = h[static_cast<std::size_t>(first + i + j)];
            require_shape("hrm::block_hankel", "a Markov parameter", block.rows(), block.cols(), p, m);
            for (index_t r = 0; r < p; ++r)
                for (index_t c = 0; c < m; ++c) out(i * p + r, j * m + c) = block(r, c);
        }
    return out;
}

}  // namespace detail

/// The block Hankel matrix of Markov parameters, real or complex,  H_ij = h_{first + i + j},  rows x cols blocks of p x m.
/// With h_k = C A^k B its singular values tend to the Hankel singular values as it grows.
inline matrix<double> block_hankel(std::span<const matrix<double>> h, index_t rows, index_t cols, index_t first = 0) {
    return detail::block_hankel_of(h, rows, cols, first);
}
inline matrix<std::complex<double>> block_hankel(std::span<const matrix<std::complex<double>>> h, index_t rows, index_t cols, index_t first = 0) {
    return detail::block_hankel_of(h, rows, cols, first);
}

struct era_options {
    index_t rank = -1;         ///< at most this order (-1: no cap)
    double tolerance = 1e-10;  ///< keeps sigma_i / sigma_1 >= tolerance: about the noise of the data
    std::uint64_t seed = 1;    ///< of the randomised decomposition of a large Hankel matrix
};
/// A system made from data, and the singular values of the Hankel matrix that say how many states the data hold.  T: double or complex.
template <class T>
struct realization_of {
    discrete<dense<T>> system;
    std::vector<double> sigma;  ///< all, or of a large Hankel matrix those that are kept
    double error = 0;    ///< of a large Hankel matrix: |H - U S V^H|_2 of what is kept is at most this, but with probability
    double failure = 0;  ///< this; 0: the decomposition is a full one
};
using realization = realization_of<double>;

namespace detail {

/// Hankel matrices of more numbers than this are not formed. At 512 x 512, one core, the full decomposition takes 27 to 35
/// ms, the randomised one 6 ms for rank 10 and 41 ms for rank 60; at twice the side 190 and 11 ms.
inline constexpr index_t era_dense_size = index_t{1} << 18;

template <class T>
realization_of<T> era_of(std::span<const matrix<T>> h, const era_options& options) {
    const index_t count = static_cast<index_t>(h.size()), rows = count / 2, cols = count - rows;
    if (count < 2) throw shape_error("hrm::era: " + std::to_string(count) + " Markov parameters, expected at least 2");
    const index_t p = h[0].rows(), m = h[0].cols();
    for (const auto& x : h) {
        require_shape("hrm::era", "a Markov parameter", x.rows(), x.cols(), p, m);
        for (const T& v : x.flat())
            if (!is_finite(v)) throw numerical_error("hrm::era: a Markov parameter is not finite");
    }
    realization_of<T> out;
    singular_values_of<T> svd;
    index_t r = 0;
    const double tolerance = std::max(options.tolerance, std::numeric_limits<double>::epsilon());
    matrix<T> moved;  // H' V
    if (p == 0 || m == 0) {
        svd = {matrix<T>(rows * p, 0), {}, matrix<T>(cols * m, 0)};
    } else if (rows * p * cols * m <= era_dense_size) {
        core_svd whole(block_hankel(h, rows, cols), false);
        r = rank_by_tolerance(whole.sigma(), tolerance);
        if (options.rank >= 0) r = std::min(r, options.rank);
        svd = whole.leading(r);
        moved = product(block_hankel(h, rows, cols, 1), submatrix(svd.v, 0, cols * m, 0, r));
    } else {
        const block_hankel_operator_of<T> hankel(h);
        auto found = randomized_svd<T>(
            rows * p, cols * m, [&](auto x, auto y) { hankel.apply(x, y); }, [&](auto x, auto y) { hankel.apply_adjoint(x, y); },
            {.rank = options.rank, .tolerance = tolerance, .seed = options.seed});
        svd = std::move(found.svd);
        out.error = found.error;
        out.failure = found.failure;
        r = static_cast<index_t>(svd.sigma.size());
        moved = matrix<T>(rows * p, r);
        if (r > 0) hankel.apply(svd.v.view(), moved.view(), 1);
    }
    out.sigma = svd.sigma;
    out.system = {{matrix<T>(r, r)}, matrix<T>(r, m), matrix<T>(p, r), {}};
    if (r == 0) return out;
    out.system.a.a = product(adjoint(submatrix(svd.u, 0, rows * p, 0, r)), moved);
    const auto root = [&](index_t k) { return std::sqrt(svd.sigma[static_cast<std::size_t>(k)]); };
    for (index_t k = 0; k < r; ++k) {
        for (index_t j = 0; j < r; ++j) out.system.a.a(k, j) /= root(k) * root(j);
        for (index_t j = 0; j < m; ++j) out.system.b(k, j) = root(k) * conjugate(svd.v(j, k));
        for (index_t i = 0; i < p; ++i) out.system.c(i, k) = svd.u(i, k) * root(k);
    }
    for (const auto* x : {&out.system.a.a, &out.system.b, &out.system.c})
        for (const T& v : x->flat())
            if (!is_finite(v)) throw numerical_error("hrm::era: the Hankel matrix is beyond the range of double");
    return out;
}
/// Data in float, in double.
template <real_or_complex S>
auto era_widened(std::span<const matrix<S>> h, const era_options& options) {
    std::vector<matrix<in_precision<double, S>>> wide;
    for (const auto& x : h) wide.push_back(to_double(x));
    return era_of<in_precision<double, S>>(wide, options);
}

}  // namespace detail

/// The eigensystem realization algorithm: a system from its Markov parameters h_0 .. h_{N-1}, h_k = C A^k B (subtract a
/// known D from h_0 first). With the Hankel matrices H = [h_{i+j}] = U S V^H and H' = [h_{i+j+1}], s = N / 2 block rows,
///     A = S^-1/2 U^H H' V S^-1/2,   B = first m columns of S^1/2 V^H,   C = first p rows of U S^1/2.
/// Exact for a system of order n once N >= 2 n and the tolerance is above rounding. Small: O((N p)^2 N m). Large
/// (detail::era_dense_size): H is never formed, and its leading part comes from a randomised decomposition through
/// transforms, O(N p m r) and 8 N p m bytes beside the data; the error measured with probes is returned.
/// Complex h are those of a complex system.  Throws numerical_error on what is not finite, or on products that leave the range of double.
/// Ho & Kalman 1966, Kung 1978, Juang & Pappa 1985; Minster, Saibaba, Kar & Chakrabortty 2021 (the randomised form).
inline realization era(std::span<const matrix<double>> h, const era_options& options = {}) { return detail::era_of(h, options); }
inline realization_of<std::complex<double>> era(std::span<const matrix<std::complex<double>>> h, const era_options& options = {}) {
    return detail::era_of(h, options);
}
/// The same of data in float; inside everything is in double.
inline realization era(std::span<const matrix<float>> h, const era_options& options = {}) { return detail::era_widened(h, options); }
inline realization_of<std::complex<double>> era(std::span<const matrix<std::complex<float>>> h, const era_options& options = {}) {
    return detail::era_widened(h, options);
}

}  // namespace hrm
