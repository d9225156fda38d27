#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <span>
#include <type_traits>
#include <utility>

#include <hrm/core/view.hpp>

// Work for a device as plain functions, the same code on host and device: what the device runs is what the host tests.
// One kind is a function of an index, f(i), that counts on no other index of its launch. The other is a block of threads
// that share memory, f(block), in steps:
//     block.each([&](int thread) { ... });    // every thread; then all wait for all
// so that a host may run the threads of a step one after the other, in any order.
//
// What such work asks of a Device:
//     launch(count, f)                 f(0) ... f(count - 1), after all that was launched before
//     launch_blocks(count, bytes, f)   f of blocks 0 ... count - 1, of F::threads threads and `bytes` of shared memory each
//     launch_together(count, bytes, f, arrived)   f.before of all blocks, then f.after of all, shared memory kept between
//     memory<T>(size)                  an array there, with data()
//     most_together<F>(bytes)          the most blocks that launch_together takes; to be asked when a plan is made
//     capturing()                      whether launches are recorded now, to run again at any later time

namespace hrm::detail {

/// Memory of a device, made from it.
template <class Device, class T, class Memory = decltype(std::declval<const Device&>().template memory<T>(0))>
struct work_area : Memory {
    work_area(const Device& device, index_t size) : Memory(device.template memory<T>(size)) {}
};

/// Rows of a matrix on the device; null: absent.
template <class T>
struct rows_of {
    T* data = nullptr;
    index_t stride = 0;

    rows_of() = default;
    rows_of(matrix_view<T> m) : data(m.empty() ? nullptr : m.data), stride(m.stride) {}
    HRM_BOTH rows_of(T* data_, index_t stride_) : data(data_), stride(stride_) {}
    HRM_BOTH T& operator()(index_t i, index_t j) const { return data[i * stride + j]; }
    HRM_BOTH explicit operator bool() const { return data != nullptr; }
    HRM_BOTH rows_of<const T> reading() const { return {data, stride}; }
};

/// A view that is read beside one that is written; the latter says what T is.
template <class T>
using read_view = std::type_identity_t<matrix_view<const T>>;

/// The one seam between what is stored (float, double, bf16) and the double that kernels run in; rounded once.
template <storable T>
HRM_BOTH double widened(T x) {
    return static_cast<double>(x);
}
template <storable T>
HRM_BOTH T narrowed(double x) {
    return static_cast<T>(x);
}

/// The most shared memory a block has without asking the driver for more.
inline constexpr index_t shared_limit = 48 * 1024;

/// Numbers that travel inside a launch: no copy from the host's memory, which might be gone when a graph runs again.
/// Arguments of a kernel are at most 4 KiB.
template <class T>
struct put_constants {
    static constexpr index_t most = 4000 / static_cast<index_t>(sizeof(T));
    T value[most];
    T* to;
    HRM_BOTH void operator()(index_t i) const { to[i] = value[i]; }
};
template <class T, class Device>
void put(const Device& device, std::span<const T> from, T* to) {
    for (std::size_t i = 0; i < from.size();) {
        put_constants<T> c{{}, to + i};
        const auto count = std::min(static_cast<std::size_t>(c.most), from.size() - i);
        std::copy_n(from.data() + i, count, c.value);
        device.launch(static_cast<index_t>(count), c);
        i += count;
    }
}

/// A copy, or zeros where there is nothing to copy.
template <class T>
struct copy_rows {
    rows_of<const T> from;
    rows_of<T> to;
    index_t cols;
    HRM_BOTH void operator()(index_t i) const { to(i / cols, i % cols) = from ? from(i / cols, i % cols) : T{}; }
};

template <class T, class Device>
void copy_border(const Device& device, read_view<T> from, std::type_identity_t<matrix_view<T>> to) {
    if (!to.empty()) device.launch(to.size(), copy_rows<T>{from, to, to.cols});
}

template <class T>
struct fill_zero {
    T* to;
    HRM_BOTH void operator()(index_t i) const { to[i] = T{}; }
};

/// Rows of `from` added up, `group` at a time: always the same ones in the same order.
struct add_groups {
    rows_of<const double> from;
    rows_of<double> to;
    index_t rows, cols, group;

    HRM_BOTH index_t groups() const { return (rows + group - 1) / group; }
    HRM_BOTH void operator()(index_t i) const {
        const index_t g = i / cols, c = i % cols, end = (g + 1) * group < rows ? (g + 1) * group : rows;
        double s = 0;
        for (index_t r = g * group; r < end; ++r) s += from(r, c);
        to(g, c) = s;
    }
};
/// to[c] += the sum of column c.
template <class S, class From = double>
struct add_to_gradient {
    rows_of<const From> from;
    S* to;
    index_t rows;
    HRM_BOTH void operator()(index_t c) const {
        double s = 0;
        for (index_t r = 0; r < rows; ++r) s += static_cast<double>(from(r, c));
        to[c] += static_cast<S>(s);
    }
};
/// to += the sum of `rows` rows of `from`, in a fixed order; both work areas are spoilt.
template <class S, class Device>
void add_rows(const Device& device, rows_of<double> from, rows_of<double> spare, index_t rows, index_t cols, S* to) {
    for (constexpr index_t group = 32; rows > group; std::swap(from, spare)) {
        const add_groups add{from.reading(), spare, rows, cols, group};
        device.launch(add.groups() * cols, add);
        rows = add.groups();
    }
    device.launch(cols, add_to_gradient<S>{from.reading(), to, rows});
}

/// high + low: twice the precision of double.
struct twofold {
    double high = 0, low = 0;
};
HRM_BOTH inline twofold product(twofold a, double b) {
    const double p = a.high * b;
    return {p, fma(a.high, b, -p) + a.low * b};
}
HRM_BOTH inline twofold product(twofold a, twofold b) {
    const double p = a.high * b.high;
    return {p, fma(a.high, b.high, -p) + (a.high * b.low + a.low * b.high)};
}
HRM_BOTH inline twofold sum(twofold a, twofold b) {
    const double s = a.high + b.high, part = s - a.high;
    const double rest = (a.high - (s - part)) + (b.high - part) + a.low + b.low;
    const double high = s + rest;
    return {high, rest - (high - s)};
}

/// (re + i im)^exponent, by squaring.
struct twofold_complex {
    twofold re, im;
};
HRM_BOTH inline twofold_complex product(twofold_complex a, twofold_complex b) {
    const twofold minus{-b.im.high, -b.im.low};
    return {sum(product(a.re, b.re), product(a.im, minus)), sum(product(a.re, b.im), product(a.im, b.re))};
}
HRM_BOTH inline twofold_complex power(double re, double im, index_t exponent) {
    twofold_complex base{{re, 0}, {im, 0}}, result{{1, 0}, {0, 0}};
    for (; exponent > 0; exponent /= 2) {
        if (exponent % 2) result = product(result, base);
        if (exponent > 1) base = product(base, base);
    }
    return result;
}

}  // namespace hrm::detail
