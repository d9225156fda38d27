#pragma once

#include <cmath>
#include <cstdint>
#include <span>
#include <vector>

#include <hrm/core/matrix.hpp>
#include <hrm/core/random.hpp>

namespace hrm::testing {

/// ||got - want|| / ||want|| over a whole tensor (0 if both vanish).
template <class A, class B>
double relative_error(const A& got, const B& want) {
    double error = 0, size = 0;
    auto w = std::begin(want);
    for (const auto& g : got) {
        const double d = static_cast<double>(g) - static_cast<double>(*w);
        error += d * d;
        size += static_cast<double>(*w) * static_cast<double>(*w);
        ++w;
    }
    return size > 0 ? std::sqrt(error / size) : std::sqrt(error);
}

/// Central differences of f() by each of x, which is left as found. With a step of 1e-5 their own error is about
/// step^2 |f'''| + eps |f| / step = 1e-10 + 1e-11, far below the bar of 1e-6.
template <class F>
std::vector<double> central_differences(std::span<double> x, F&& f, double step = 1e-5) {
    std::vector<double> slope;
    for (auto& v : x) {
        const double before = v;
        v = before + step;
        const double high = f();
        v = before - step;
        const double low = f();
        v = before;
        slope.push_back((high - low) / (2 * step));
    }
    return slope;
}

inline matrix<double> random_matrix(index_t rows, index_t cols, random_stream& random, double scale = 1) {
    matrix<double> m(rows, cols);
    random.fill_normal(m.flat(), scale);
    return m;
}

/// <x, y> over all elements.
inline double inner(std::span<const double> x, std::span<const double> y) {
    double sum = 0;
    for (std::size_t i = 0; i < x.size(); ++i) sum += x[i] * y[i];
    return sum;
}

inline std::vector<std::int32_t> random_tokens(index_t count, index_t vocabulary, random_stream& random) {
    std::vector<std::int32_t> t(static_cast<std::size_t>(count));
    for (auto& x : t) x = static_cast<std::int32_t>(random.below(vocabulary));
    return t;
}

}  // namespace hrm::testing
