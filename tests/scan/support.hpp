#pragma once

#include <cmath>
#include <span>
#include <utility>
#include <vector>

#include <hrm/core/random.hpp>
#include <hrm/scan/plan.hpp>

// The reference every scan is held to: the definition in double, over the dense form of the same (rounded) A.
namespace scan_test {

using namespace hrm;

template <class A>
matrix<double> reference_states(const A& a, const matrix<typename A::scalar>& z,
                                const matrix<typename A::scalar>& initial, index_t batch) {
    struct term {
        index_t i, j;
        double value;
    };
    std::vector<term> terms;
    const auto m = to_dense(a);
    const index_t n = a.order(), time = z.rows() / batch;
    for (index_t i = 0; i < n; ++i)
        for (index_t j = 0; j < n; ++j)
            if (m(i, j) != 0) terms.push_back({i, j, static_cast<double>(m(i, j))});
    matrix<double> s(z.rows(), n), before(1, n);
    for (index_t b = 0; b < batch; ++b) {
        for (index_t i = 0; i < n; ++i) before(0, i) = initial.empty() ? 0.0 : static_cast<double>(initial(b, i));
        for (index_t t = b * time; t < (b + 1) * time; ++t) {
            const double* x = t == b * time ? before.data() : s.view().row(t - 1);
            double* out = s.view().row(t);
            for (index_t i = 0; i < n; ++i) out[i] = static_cast<double>(z(t, i));
            for (const auto& [i, j, value] : terms) out[i] += value * x[j];
        }
    }
    return s;
}

/// ||got - want||_F / ||want||_F.
template <class M, class N>
double relative_error(const M& got, const N& want) {
    double off = 0, size = 0;
    for (index_t i = 0; i < got.rows(); ++i)
        for (index_t j = 0; j < got.cols(); ++j) {
            const double g = static_cast<double>(got(i, j)), w = static_cast<double>(want(i, j));
            off += (g - w) * (g - w);
            size += w * w;
        }
    return size > 0 ? std::sqrt(off / size) : std::sqrt(off);
}

template <class S>
matrix<S> normal(random_stream& r, index_t rows, index_t cols) {
    matrix<S> m(rows, cols);
    r.fill_normal(m.flat());
    return m;
}

/// Poles from fast to 1 - 1e-6, of both signs.
template <real S>
diagonal<S> real_poles(index_t n) {
    const double gap[] = {1e-6, 1e-1, 1e-3, 0.9, 1e-5, 0.5};
    diagonal<S> a;
    for (index_t i = 0; i < n; ++i) a.poles.push_back(static_cast<S>((i % 4 >= 2 ? -1 : 1) * (1 - gap[i % 6])));
    return a;
}
/// Real poles and pairs of every phase, moduli up to 1 - 1e-6.
template <real S>
complex_pairs<S> pair_poles(index_t reals, index_t pairs) {
    const double gap[] = {1e-6, 1e-2, 1e-4, 0.5};
    complex_pairs<S> a;
    a.real = real_poles<S>(reals).poles;
    for (index_t i = 0; i < pairs; ++i) {
        const double modulus = 1 - gap[i % 4], phase = 3.1 * static_cast<double>(i + 1) / static_cast<double>(pairs);
        a.re.push_back(static_cast<S>(modulus * std::cos(phase)));
        a.im.push_back(static_cast<S>(modulus * std::sin(phase)));
    }
    return a;
}
/// Dense with known poles: Q P Q^T for pair poles P and Q a product of two reflections (orthogonal).
template <real S>
dense<S> dense_poles(index_t n) {
    random_stream r(static_cast<std::uint64_t>(n), 7);
    const auto p = to_dense(pair_poles<double>(n % 2 + (n > 3 ? 2 : 0), (n - n % 2 - (n > 3 ? 2 : 0)) / 2));
    matrix<double> m(p);
    for (int k = 0; k < 2; ++k) {
        auto v = normal<double>(r, n, 1);
        double size = 0;
        for (index_t i = 0; i < n; ++i) size += v(i, 0) * v(i, 0);
        auto reflect = [&](auto&& at) {
            for (index_t j = 0; j < n; ++j) {
                double along = 0;
                for (index_t i = 0; i < n; ++i) along += v(i, 0) * at(i, j);
                for (index_t i = 0; i < n; ++i) at(i, j) -= 2 * along / size * v(i, 0);
            }
        };
        reflect([&](index_t i, index_t j) -> double& { return m(i, j); });
        reflect([&](index_t i, index_t j) -> double& { return m(j, i); });
    }
    dense<S> a{matrix<S>(n, n)};
    for (index_t i = 0; i < n * n; ++i) a.a.data()[i] = static_cast<S>(m.data()[i]);
    return a;
}

/// Where the coefficients of A lie, in the order of its gradient.
template <class A>
std::vector<typename A::scalar*> coefficient_places(A& a) {
    std::vector<typename A::scalar*> places;
    auto add = [&](auto&& numbers) {
        for (auto& x : numbers) places.push_back(&x);
    };
    if constexpr (requires { a.poles; }) add(a.poles);
    else if constexpr (requires { a.re; }) add(a.real), add(a.re), add(a.im);
    else add(a.a.flat());
    return places;
}

/// Norm-wise relative error of a gradient against central differences of `loss`, at the places given.
template <class F, class G>
double difference_error(const std::vector<double*>& at, const G& gradient, F&& loss, double step = 1e-5) {
    double off = 0, size = 0;
    for (std::size_t i = 0; i < at.size(); ++i) {
        const double x = *at[i];
        *at[i] = x + step;
        const double up = loss();
        *at[i] = x - step;
        const double down = loss();
        *at[i] = x;
        const double want = (up - down) / (2 * step), error = gradient[i] - want;
        off += error * error, size += want * want;
    }
    return std::sqrt(off / size);
}
inline std::vector<double*> places(std::span<double> numbers) {
    std::vector<double*> out;
    for (auto& x : numbers) out.push_back(&x);
    return out;
}

template <real S>
inline constexpr double states_bar = std::is_same_v<S, float> ? 1e-5 : 1e-12;

}  // namespace scan_test
