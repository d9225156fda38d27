#pragma once

#include <cuda/adapter_support.hpp>
#include <cuda/host_device.hpp>
#include <hrm/cuda/detail/blas_layout.hpp>

namespace cuda_test {

/// The host as a device that multiplies, and that reads its operands as BLAS is told of them.
struct host_products : host_device {
    template <class T>
    buffer<T> memory(index_t size) const {
        const auto count = static_cast<std::size_t>(size);
        if constexpr (storable<T>) return buffer<T>(count, T(std::numeric_limits<float>::quiet_NaN()));
        else return buffer<T>(count, T{1});
    }
    template <storable T, storable To>
    void multiply(strided_view<const T> a, strided_view<const T> b, accumulate_t<T> beta, matrix_view<To> c) const {
        using S = accumulate_t<T>;
        require_shape("host_products", "C", c.rows, c.cols, a.rows, b.cols);
        require_size("host_products", "rows of B", b.rows, a.cols);
        if (c.empty()) return;
        const auto x = reader(a), y = reader(b);
        for (index_t i = 0; i < c.rows; ++i)
            for (index_t j = 0; j < c.cols; ++j) {
                S sum = 0;
                for (index_t k = 0; k < a.cols; ++k) sum += static_cast<S>(x(i, k)) * static_cast<S>(y(k, j));
                if (beta != 0) sum += beta * static_cast<S>(c(i, j));  // beta = 0 does not read C, as in cuBLAS
                c(i, j) = To(sum);
            }
    }
    /// What BLAS reads at (i, j); it refuses lines that overlap.
    template <class T>
    static auto reader(strided_view<const T> m) {
        const auto l = hrm::detail::blas_layout::of(m);
        require_size("host_products", "numbers from line to line", std::max({l.apart, l.by_rows ? m.cols : m.rows, index_t{1}}), l.apart);
        return [=](index_t i, index_t j) { return m.data[l.by_rows ? i * l.apart + j : j * l.apart + i]; };
    }
};

}  // namespace cuda_test
