#pragma once

#include <cstdint>
#include <vector>

#include <hrm/cuda.hpp>

#include "timing.hpp"

// What the cases work on: numbers on the device, and the arithmetic that measures its peaks.

namespace hrm::bench::gpu {

/// Numbers in (-1, 1) by a hash of their place: no kernel is timed on zeros.
template <storable T>
struct fill_random {
    T* to;
    HRM_BOTH void operator()(index_t i) const {
        auto x = static_cast<std::uint64_t>(i) * 0x9E3779B97F4A7C15u + 0x632BE59BD9B4E019u;
        x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9u;
        x = (x ^ (x >> 27)) * 0x94D049BB133111EBu;
        to[i] = hrm::detail::narrowed<T>(static_cast<double>(static_cast<std::int64_t>(x ^ (x >> 31))) * 0x1p-63);
    }
};

/// `count` matrices of one shape, all random.
template <storable T>
class operands {
public:
    operands(cuda where, int count, index_t rows, index_t cols) : count_(count), rows_(rows), cols_(cols), memory_(count * rows * cols) {
        hrm::detail::cuda_device{where}.launch(memory_.size(), fill_random<T>{memory_.data()});
    }
    matrix_view<T> operator()(int slot) const { return {memory_.data() + slot % count_ * rows_ * cols_, rows_, cols_}; }
    matrix_view<const T> reading(int slot) const { return (*this)(slot); }

private:
    int count_;
    index_t rows_, cols_;
    device_array<T> memory_;
};

/// Products and sums in registers: sixteen chains a thread, 512 long.
template <real S>
struct multiply_add {
    static constexpr int chains = 16, length = 512;
    static constexpr double flop = 2.0 * chains * length;
    S* to;
    HRM_BOTH void operator()(index_t i) const {
        S x[chains];
        const S a = static_cast<S>(0.5) + static_cast<S>(1e-9) * static_cast<S>(i), b = static_cast<S>(i);
        for (int c = 0; c < chains; ++c) x[c] = static_cast<S>(c);
        for (int k = 0; k < length; ++k)
            for (int c = 0; c < chains; ++c) x[c] = a * x[c] + b;
        S sum = 0;
        for (int c = 0; c < chains; ++c) sum += x[c];
        to[i] = sum;
    }
};

/// LoRA as a user of cuBLAS writes it, in bf16 with sums in float.
class lora_by_cublas {
public:
    lora_by_cublas(cuda where, const hrm::detail::blas& blas, index_t most, index_t width, index_t rank)
        : blas_(blas), a_(where, 1, rank, width), b_(where, 1, width, rank), z_(where, 1, most, rank), g_(where, 1, most, rank),
          da_(where, 1, rank, width), db_(where, 1, width, rank) {}
    void forward(matrix_view<const bf16> u, matrix_view<bf16> out) const {
        blas_.multiply(strided_view<const bf16>(u), transposed(a_.reading(0)), 0.0f, z(z_, u.rows));
        blas_.multiply(strided_view<const bf16>(reading(z_, u.rows)), transposed(b_.reading(0)), 1.0f, out);
    }
    void backward(matrix_view<const bf16> u, matrix_view<const bf16> dout, matrix_view<bf16> du) const {
        blas_.multiply(transposed(dout), strided_view<const bf16>(reading(z_, u.rows)), 1.0f, db_(0));
        blas_.multiply(strided_view<const bf16>(dout), strided_view<const bf16>(b_.reading(0)), 0.0f, z(g_, u.rows));
        blas_.multiply(transposed(reading(g_, u.rows)), strided_view<const bf16>(u), 1.0f, da_(0));
        blas_.multiply(strided_view<const bf16>(reading(g_, u.rows)), strided_view<const bf16>(a_.reading(0)), 1.0f, du);
    }

private:
    static matrix_view<bf16> z(const operands<bf16>& of, index_t rows) { return of(0).slice_rows(0, rows); }
    static matrix_view<const bf16> reading(const operands<bf16>& of, index_t rows) { return z(of, rows); }
    const hrm::detail::blas& blas_;
    operands<bf16> a_, b_, z_, g_;
    operands<float> da_, db_;
};

/// An adapter of the host, its weights in bf16 on the device, and its gradient there.
struct adapter_on_device {
    device_array<float> parameters, gradient;
    adapter_weights<bf16> weights;

    adapter_on_device(cuda where, const adapter<float>& a)
        : parameters(a.parameters().size()), gradient(a.parameters().size()), weights(where, a) {
        parameters.read_from(a.parameters().flat(), where);
        hrm::detail::cuda_device{where}.launch(gradient.size(), fill_random<float>{gradient.data()});
        weights.set(parameters.data());
        synchronize(where);
    }
    std::span<float> slope() const { return {gradient.data(), static_cast<std::size_t>(gradient.size())}; }
};

}  // namespace hrm::bench::gpu
