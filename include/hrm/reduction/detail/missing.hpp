#pragma once

#include <algorithm>
#include <cmath>
#include <vector>

#include <hrm/reduction/detail/gramian_factors.hpp>

// What columns left out of the factors of two Gramians add to the singular values.

namespace hrm::detail {

/// What the columns left out, Rc and Ro, add to the sum of the singular values, at most, once the leading directions T, W
/// are known. With P = I - T W^T,  Lo^T Lc = (Lo^T T) (W^T Lc) + Lo^T P Lc,  where 2 |X Y|_* <= |X|_F^2 + |Y|_F^2, and T, W balance
/// what was not left out:
///     missing <= (|T^T Ro|_F + |W^T Rc|_F)^2 / 2 + |(P^T Lo)^T Rc|_* + |Ro^T P Lc|_* + |Ro^T Rc|_*,
/// the directions that are kept in second order alone. Norms of X^T Y from the lengths of their rows, |x_i| |y_i|.
/// along_*: rows of Lc V and Lo U;  t, w: of T and W;  lc, lo: of the factors.
inline double missing_beside(const gramian_factors& f, const std::vector<double>& along_t, const std::vector<double>& along_w, const std::vector<double>& t,
                             const std::vector<double>& w, const std::vector<double>& lc, const std::vector<double>& lo, double correction) {
    const double rounding = 1e-14 + 4 * std::sqrt(static_cast<double>(f.lc.cols())) * correction;  // of the difference of two squares
    const auto beside = [rounding](const std::vector<double>& whole, const std::vector<double>& part, const std::vector<double>& rest) {
        double sum = 0;
        for (std::size_t i = 0; i < whole.size(); ++i)
            sum += std::sqrt(std::max(0.0, (whole[i] - part[i]) * (whole[i] + part[i])) + rounding * whole[i] * whole[i]) * rest[i];
        return sum;
    };
    const double kept = sum_of_products(t, f.rest_o) + sum_of_products(w, f.rest_c);
    return kept * kept / 2 + beside(lo, along_w, f.rest_c) + beside(lc, along_t, f.rest_o) + sum_of_products(f.rest_o, f.rest_c);
}

}  // namespace hrm::detail
