#include <hrm/linalg/sparse.hpp>

#include <doctest/doctest.h>

#include <hrm/core/random.hpp>

using namespace hrm;

namespace {

// n states, three random entries a row beside a diagonal of 4 .. 5; symmetric on request.
template <class T>
sparse_matrix<T> some_matrix(std::uint64_t seed, index_t n, symmetry kind) {
    random_stream r(seed);
    sparse_matrix<T> a(n, n);
    for (index_t i = 0; i < n; ++i) {
        a.coeffRef(i, i) += T(4 + r.uniform());
        for (int k = 0; k < 3; ++k) {
            const index_t j = r.below(n);
            const T x = T(r.uniform(-0.5, 0.5));
            a.coeffRef(i, j) += x;
            if (kind == symmetry::symmetric) a.coeffRef(j, i) += x;
        }
    }
    a.makeCompressed();
    return a;
}

}  // namespace

TEST_CASE_TEMPLATE("A x = b, A^T x = b and A^H x = b, the pattern kept from one matrix to the next", T, double, std::complex<double>) {
    for (const auto kind : {symmetry::general, symmetry::symmetric}) {
        sparse_solver<T> s(kind);
        const auto a = some_matrix<T>(1, 60, kind);
        T turn = 1;  // by which A^T is not A^H
        if constexpr (std::is_same_v<T, std::complex<double>>) turn = {0.6, 0.8};
        CHECK(symmetry_of(a) == kind);
        const column_block<T> x = column_block<T>::Random(60, 3);
        for (const double scale : {1.0, -7.0}) {
            const sparse_matrix<T> now = a * T(scale) * turn;
            s.factor(now);
            CHECK((s.solve(now * x) - x).norm() < 1e-13 * x.norm());
            CHECK((s.solve_transposed(now.transpose() * x) - x).norm() < 1e-13 * x.norm());
            CHECK((s.solve_adjoint(now.adjoint() * x) - x).norm() < 1e-13 * x.norm());
        }
    }
}

TEST_CASE("a singular matrix is refused, a symmetric one with a zero pivot is not") {
    sparse_matrix<double> a(2, 2);
    a.coeffRef(0, 1) = a.coeffRef(1, 0) = 1;
    a.makeCompressed();
    sparse_solver<double> s(symmetry::symmetric);
    s.factor(a);
    column_block<double> b(2, 1);
    b << 3, 5;
    CHECK(s.solve(b)(0, 0) == 5);
    CHECK(s.solve_transposed(b)(1, 0) == 3);
    CHECK_THROWS_AS(s.solve(column_block<double>(3, 1)), shape_error);
    sparse_solver<double> other(symmetry::general);
    sparse_matrix<double> zero(3, 3);
    zero.coeffRef(0, 0) = 1;
    zero.makeCompressed();
    CHECK_THROWS_AS(other.factor(zero), numerical_error);
}
