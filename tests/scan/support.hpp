#pragma once

#include <cmath>
#include <utility>

#include <hrm/core/random.hpp>
#include <hrm/scan/plan.hpp>

// The reference every scan is held to: the definition in double, over the dense form of the same (rounded) A.
namespace scan_test {

using namespace hrm;

template <class A>
matrix<double> reference_states(const A& a, const matrix<typename A::scalar>& z,
                                const matrix<typename A::scalar>& initial, index_t batch) {
    const auto m = to_dense(a);
    const index_t n = a.order(), time = z.rows() / batch;
    matrix<double> s(z.rows(), n);
    for (index_t b = 0; b < batch; ++b)
        for (index_t t = 0; t < time; ++t)
            for (index_t i = 0; i < n; ++i) {
                double sum = z(b * time + t, i);
                for (index_t j = 0; j < n; ++j)
                    if (m(i, j) != 0)
                        sum += static_cast<double>(m(i, j)) *
                               (t ? s(b * time + t - 1, j) : (initial.empty() ? 0.0 : static_cast<double>(initial(b, j))));
                s(b * time + t, i) = sum;
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

template <real S>
inline constexpr double states_bar = std::is_same_v<S, float> ? 1e-5 : 1e-12;

}  // namespace scan_test
