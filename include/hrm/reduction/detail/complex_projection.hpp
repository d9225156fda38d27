#pragma once

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include <hrm/reduction/complex_gramian.hpp>
#include <hrm/reduction/detail/project.hpp>

// From the factors of two complex Gramians to projections: as project.hpp, with ^H for ^T.

namespace hrm::detail {

/// t, w: n x count, for the singular directions [first, first + count), as oblique_projection gives them to a real system, with ^H for ^T.
struct complex_projection {
    complex_matrix t, w;
    double correction = 0;
    std::vector<double> t_scale, w_scale;  ///< columns times these are Lc V and Lo U, or as long

    complex_projection(const complex_factors& f, const singular_values_of<complex>& svd, index_t first, index_t count, projection basis) {
        const auto along = [first, count](const complex_matrix& l, const complex_matrix& v) {
            complex_matrix part(v.rows(), count);
            for (index_t i = 0; i < v.rows(); ++i) std::copy_n(v.view().row(i) + first, count, part.view().row(i));
            return product(l, part);
        };
        t = along(f.lc, svd.v);
        w = along(f.lo, svd.u);
        t_scale.resize(static_cast<std::size_t>(count));
        if (basis == projection::balancing_free) {
            t_scale.assign(t_scale.size(), std::sqrt(square_of(t.data(), t.size())));
            w_scale.assign(t_scale.size(), std::sqrt(square_of(w.data(), w.size())));
            t = orthonormal(t);
            w = orthonormal(w);
            w = divide(w, product(adjoint(t), w));
        } else {  // columns of t and w alike in length, or each of sigma's
            w_scale = t_scale;
            const auto columns = transpose(t), others = transpose(w);
            for (index_t j = 0; j < count; ++j) {
                const auto at = static_cast<std::size_t>(j);
                const double root = std::sqrt(svd.sigma[static_cast<std::size_t>(first) + at]);
                t_scale[at] = w_scale[at] = root;
                if (basis == projection::biorthogonal) {
                    const double x = std::sqrt(square_of(columns.view().row(j), t.rows())), y = std::sqrt(square_of(others.view().row(j), t.rows()));
                    t_scale[at] *= std::sqrt(x) / std::sqrt(y);
                    w_scale[at] *= std::sqrt(y) / std::sqrt(x);
                }
                for (index_t i = 0; i < t.rows(); ++i) t(i, j) /= t_scale[at], w(i, j) /= w_scale[at];
            }
        }
        // Small sigma leave w^H t short of I by rounding; w (t^H w)^-1 spans the same space and is exact again.
        for (int again = 0; again < 2 && count > 0; ++again) {
            const auto identity = product(adjoint(t), w);
            double off = 0;
            for (index_t i = 0; i < count; ++i)
                for (index_t j = 0; j < count; ++j) off = std::max(off, std::abs(identity(i, j) - (i == j ? 1.0 : 0.0)));
            correction = std::max(correction, off);
            if (off > static_cast<double>(t.rows()) * std::numeric_limits<double>::epsilon()) w = divide(w, identity);
        }
    }
};

}  // namespace hrm::detail
