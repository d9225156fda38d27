#pragma once

#include <cstdint>
#include <utility>
#include <vector>

#include <hrm/cuda/detail/twin.hpp>
#include <hrm/reduction/sketch.hpp>

// What reduction/sketch.hpp adds up, on a Device that also multiplies (multiply(a, b, beta, c): c = a b + beta c):
//     z = u Omega,    Y += u^T z,    trace += sum u_ti^2,       Y and the trace without rounding, digit by digit
// by pieces of at most 4096 tokens. bf16 activations stay what they are, and the numbers beside them become sums of bf16, so
// that tensor cores do both products and no product of two numbers is rounded:
//     Omega = [sparse: small integers | probes: three bf16 each, exact],    z = high + low, off by 2^-17 |z|
// In float and in double z stays as it is.

namespace hrm::detail {

/// How many T make up a number of z, and a probe.
template <storable T>
inline constexpr index_t z_parts = std::same_as<T, bf16> ? 2 : 1;
template <storable T>
inline constexpr index_t probe_parts = std::same_as<T, bf16> ? 3 : 1;

/// x = sum of parts, each rounded from what those before leave over.
template <storable T>
HRM_BOTH T next_part(double& x) {
    const T part = narrowed<T>(x);
    x -= widened(part);
    return part;
}

/// Sums of u_ti^2 over groups of rows and every 128th column: neighbours read neighbouring columns.
template <storable T>
struct squares_of_rows {
    static constexpr index_t lanes = 128, group = 8;
    rows_of<const T> u;
    index_t rows, cols;
    double* sums;

    HRM_BOTH index_t count() const { return (rows + group - 1) / group * lanes; }
    HRM_BOTH void operator()(index_t i) const {
        const index_t first = i / lanes * group, end = first + group < rows ? first + group : rows;
        double sum = 0;
        for (index_t t = first; t < end; ++t)
            for (index_t j = i % lanes; j < cols; j += lanes) sum += widened(u(t, j)) * widened(u(t, j));
        sums[i] = sum;
    }
};

/// z from [sparse | probes' parts], as parts side by side.
template <storable T>
struct split_z {
    rows_of<const accumulate_t<T>> z;
    rows_of<T> parts;
    index_t sparse, probes;

    HRM_BOTH void operator()(index_t i) const {
        const index_t columns = sparse + probes, t = i / columns, j = i % columns;
        double x = static_cast<double>(z(t, j));
        for (index_t p = 1; j >= sparse && p < probe_parts<T>; ++p) x += static_cast<double>(z(t, j + p * probes));
        for (index_t p = 0; p < z_parts<T>; ++p) parts(t, j + p * columns) = next_part<T>(x);
    }
};

/// tokens, pieces, and pieces that were left out because they were not finite or too large.
struct moment_counts {
    std::int64_t tokens = 0, pieces = 0, refused = 0;
};

/// sum += y as exact_sums adds; one index a number of Y, and one for the trace and the counts.
template <real S>
struct add_digits {
    rows_of<const S> y;
    const double* squares;
    std::int64_t* digits;  ///< exact_sums::digits x (count + 1)
    moment_counts* counts;
    index_t count, columns, parts, tokens;
    double limit;

    HRM_BOTH void add(double x, index_t i) const {
        double quantum = 0x1p80, inverse = 0x1p-80;  // of the highest place
        for (int k = exact_sums::digits; k-- > 0 && x != 0; quantum *= 0x1p-32, inverse *= 0x1p32) {
            const auto part = static_cast<std::int64_t>(x * inverse);
            if (part == 0) continue;
            digits[k * (count + 1) + i] += part;
            x -= static_cast<double>(part) * quantum;  // leading bits of x: nothing is rounded
        }
    }
    HRM_BOTH void operator()(index_t i) const {
        const bool good = *squares < limit;  // not so for NaN
        if (i == count) {
            ++counts->pieces;
            counts->refused += !good;
            if (!good) return;
            counts->tokens += tokens;
            add(*squares, i);
        } else if (good) {
            S x = y(i / columns, i % columns);
            for (index_t p = 1; p < parts; ++p) x += y(i / columns, i % columns + p * columns);
            add(static_cast<double>(x), i);
        }
    }
};

/// Throws where `to` does not take what was summed for sketches of this width with these options.
inline void require_alike(const moment_sketch& to, index_t width, const sketch_options& options) {
    require_size("hrm::device_moment_sketch", "the width of a sketch", to.width(), width);
    const auto& o = to.options();
    if (o.columns != options.columns || o.probes != options.probes || o.seed != options.seed)
        throw shape_error("hrm::device_moment_sketch: a sketch of " + std::to_string(o.columns) + " columns, " + std::to_string(o.probes) +
                          " probes, seed " + std::to_string(o.seed) + ", expected " + std::to_string(options.columns) + ", " +
                          std::to_string(options.probes) + ", " + std::to_string(options.seed));
}

template <storable T, class Device>
class moment_sums {
public:
    using S = accumulate_t<T>;
    static constexpr index_t piece = 4096;

    moment_sums(Device device, const sparse_map& map)
        : device_(std::move(device)), width_(map.width()), sparse_(map.columns()), probes_(map.probes()),
          omega_(device_, width_ * wide()), split_(device_, z_parts<T> > 1 ? piece * z_parts<T> * columns() : 0),
          z_(device_, piece * wide()), y_(device_, width_ * z_parts<T> * columns()), squares_(device_, squares_most),
          spare_(device_, squares_most / 32 + 1), total_(device_, 1), digits_(device_, exact_sums::digits * (numbers() + 1)),
          counts_(device_, 1) {
        static_assert(exact_sums::digits == 7 && exact_sums::lowest == -112);
        const auto omega = map.dense();
        std::vector<T> parts(static_cast<std::size_t>(width_ * wide()));
        double norm = 0;
        for (index_t i = 0; i < width_; ++i)
            for (index_t j = 0; j < columns(); ++j) {
                double x = omega(i, j);
                norm += x * x;
                for (index_t p = 0; p < (j < sparse_ ? 1 : probe_parts<T>); ++p)
                    parts[static_cast<std::size_t>(i * wide() + j + p * probes_)] = next_part<T>(x);
            }
        limit_ = 0x1p110 / std::max(norm, 1.0);  // |z|^2 <= |u|^2 |Omega|^2, and Y is at most |u| |z|
        put(device_, std::span<const T>(parts), omega_.data());
        reset();
    }

    void add(matrix_view<const T> u) {
        require_shape("hrm::device_moment_sketch", "the activations", u.rows, u.cols, u.rows, width_);
        for (index_t first = 0; first < u.rows; first += piece) add_piece(u.slice_rows(first, std::min(piece, u.rows - first)));
    }
    /// As if nothing had been added.
    void reset() {
        device_.launch(exact_sums::digits * (numbers() + 1), fill_zero<std::int64_t>{digits_.data()});
        device_.launch(1, fill_zero<moment_counts>{counts_.data()});
    }
    index_t width() const { return width_; }
    const auto& digits() const { return digits_; }
    const auto& counts() const { return counts_; }

private:
    static constexpr index_t squares_most = piece / squares_of_rows<T>::group * squares_of_rows<T>::lanes;
    index_t columns() const { return sparse_ + probes_; }
    index_t numbers() const { return width_ * columns(); }
    index_t wide() const { return sparse_ + probe_parts<T> * probes_; }

    void add_piece(matrix_view<const T> u) {
        const squares_of_rows<T> squares{u, u.rows, width_, squares_.data()};
        device_.launch(squares.count(), squares);
        device_.launch(1, fill_zero<double>{total_.data()});
        add_rows(device_, {squares_.data(), 1}, {spare_.data(), 1}, squares.count(), 1, total_.data());

        const matrix_view<S> z(z_.data(), u.rows, wide());
        const matrix_view<S> y(y_.data(), width_, z_parts<T> * columns());
        device_.multiply(strided_view<const T>(u), strided_view<const T>(matrix_view<const T>(omega_.data(), width_, wide())), S{0}, z);
        device_.multiply(transposed(u), strided_view<const T>(operand(z)), S{0}, y);
        device_.launch(numbers() + 1, add_digits<S>{matrix_view<const S>(y), total_.data(), digits_.data(), counts_.data(), numbers(), columns(),
                                                    z_parts<T>, u.rows, limit_});
    }
    matrix_view<const T> operand(matrix_view<const S> z) {
        if constexpr (std::same_as<S, T>) return z;
        else {
            const matrix_view<T> parts(split_.data(), z.rows, z_parts<T> * columns());
            device_.launch(z.rows * columns(), split_z<T>{z, parts, sparse_, probes_});
            return parts;
        }
    }

    Device device_;
    index_t width_, sparse_, probes_;
    double limit_ = 0;
    work_area<Device, T> omega_, split_;
    work_area<Device, S> z_, y_;
    work_area<Device, double> squares_, spare_, total_;
    work_area<Device, std::int64_t> digits_;
    work_area<Device, moment_counts> counts_;
};

}  // namespace hrm::detail
