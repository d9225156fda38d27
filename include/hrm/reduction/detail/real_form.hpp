#pragma once

#include <hrm/linalg/detail/product.hpp>
#include <hrm/systems/convert.hpp>

namespace hrm::detail {

/// [Re x, -Im x; Im x, Re x]: what x does to real and imaginary parts.
inline matrix<double> real_form(const complex_matrix& x) {
    const index_t n = x.rows(), m = x.cols();
    matrix<double> y(2 * n, 2 * m);
    for (index_t i = 0; i < n; ++i)
        for (index_t j = 0; j < m; ++j) {
            y(i, j) = y(n + i, m + j) = x(i, j).real();
            y(n + i, j) = x(i, j).imag();
            y(i, m + j) = -y(n + i, j);
        }
    return y;
}
inline dense<double> real_form(const dense<complex>& a) { return {real_form(a.a)}; }
inline complex_pairs<double> real_form(const diagonal<complex>& a) {
    complex_pairs<double> y;
    for (const auto& l : a.poles) {
        y.re.push_back(l.real());
        y.im.push_back(l.imag());
    }
    return y;
}
/// A real system of twice as many states, inputs and outputs, whose gain at omega is the larger of G's at omega and -omega, and
/// whose resolvents are as long as those of A: it stands for the complex one where rounding is accounted for.
template <template <class> class System, complex_structure A>
auto real_form(const System<A>& s) {
    return System<decltype(real_form(s.a))>{real_form(s.a), real_form(s.b), real_form(s.c), real_form(s.d)};
}
template <template <class> class System, structure A>
const System<A>& real_form(const System<A>& s) {
    return s;
}

}  // namespace hrm::detail
