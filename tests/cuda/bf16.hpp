#pragma once

#include <utility>

#include <scan/support.hpp>

namespace cuda_test {

/// A bf16 has 8 bits: rounding to nearest moves a number m 2^e, 1 <= m < 2, by at most 2^(e - 8), and by 2^(e - 8) / sqrt(3) in
/// the mean square. Where m is spread evenly, E[m^2] = 7/3, that is 2^-8 / sqrt(7) of the norm.
inline constexpr double bf16_rounding = 1.0 / 512;

inline hrm::matrix<float> in_float(const hrm::matrix<hrm::bf16>& m) {
    hrm::matrix<float> x(m.rows(), m.cols());
    for (hrm::index_t i = 0; i < m.size(); ++i) x.data()[i] = m.data()[i];
    return x;
}
inline hrm::matrix<hrm::bf16> in_bf16(const hrm::matrix<float>& m) {
    hrm::matrix<hrm::bf16> x(m.rows(), m.cols());
    for (hrm::index_t i = 0; i < m.size(); ++i) x.data()[i] = hrm::bf16(m.data()[i]);
    return x;
}
inline std::pair<hrm::matrix<hrm::bf16>, hrm::matrix<hrm::bf16>> bf16_inputs(hrm::index_t rows, hrm::index_t cols) {
    hrm::random_stream r(8);
    auto first = in_bf16(scan_test::normal<float>(r, rows, cols)), second = in_bf16(scan_test::normal<float>(r, rows, cols));
    return {std::move(first), std::move(second)};
}

}  // namespace cuda_test
