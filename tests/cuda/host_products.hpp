#pragma once

#include <cuda/adapter_support.hpp>
#include <cuda/host_device.hpp>

namespace cuda_test {

/// The host as a device that multiplies.
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
        for (index_t i = 0; i < c.rows; ++i)
            for (index_t j = 0; j < c.cols; ++j) {
                S sum = 0;
                for (index_t k = 0; k < a.cols; ++k) sum += static_cast<S>(a(i, k)) * static_cast<S>(b(k, j));
                if (beta != 0) sum += beta * static_cast<S>(c(i, j));  // beta = 0 does not read C, as in cuBLAS
                c(i, j) = To(sum);
            }
    }
};

}  // namespace cuda_test
