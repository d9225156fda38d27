#include <hrm/systems/sparse.hpp>

#include <hrm/systems/response.hpp>

#include "support.hpp"

using namespace hrm;

namespace {

continuous<sparse<double>> some_sparse(bool with_e) {
    random_stream r(4);
    continuous<sparse<double>> s{{sparse_matrix<double>(12, 12)}, matrix<double>(12, 2), matrix<double>(3, 12), matrix<double>(3, 2)};
    if (with_e) s.a.e.resize(12, 12);
    for (index_t i = 0; i < 12; ++i) {
        if (i != 5) s.a.a.coeffRef(i, i) = -3 - r.uniform();  // one entry of the diagonal is not there
        s.a.a.coeffRef(i, (i * 5 + 1) % 12) += r.normal();
        if (with_e) s.a.e.coeffRef(i, i) = 1 + r.uniform();
        if (with_e && i > 0) s.a.e.coeffRef(i, i - 1) = 0.3;
    }
    r.fill_normal(s.b.flat());
    r.fill_normal(s.c.flat());
    r.fill_normal(s.d.flat());
    return s;
}

}  // namespace

TEST_CASE("the response is that of the dense system") {
    for (const bool with_e : {false, true}) {
        const auto s = some_sparse(with_e);
        const auto g = explicit_form(s);
        const std::vector<double> omega{0, 0.5, 3, 100};
        const auto x = frequency_response(s, omega), y = frequency_response(g, omega);
        for (std::size_t i = 0; i < omega.size(); ++i) CHECK(relative_error(x[i], y[i]) < 1e-11);  // n eps times a condition of some thousands
        CHECK(relative_error(frequency_response(cast<float>(s), omega)[1], y[1]) < 1e-5);
    }
}

TEST_CASE("discrete: the response is that of the dense system") {
    for (const bool with_e : {false, true}) {
        const auto c = some_sparse(with_e);
        discrete<sparse<double>> s{c.a, c.b, c.c, c.d};
        s.a.a *= 0.1;
        const std::vector<double> omega{0, 0.5, 3};
        const auto x = frequency_response(s, omega), y = frequency_response(explicit_form(s), omega);
        for (std::size_t i = 0; i < omega.size(); ++i) CHECK(relative_error(x[i], y[i]) < 1e-11);
    }
}

TEST_CASE("complex: the response is that of the dense system, in either time, in double and in float") {
    using number = std::complex<double>;
    const auto turned = [](const matrix<double>& x) {
        matrix<number> y(x.rows(), x.cols());
        for (std::size_t i = 0; i < x.flat().size(); ++i) y.flat()[i] = std::polar(x.flat()[i], 0.3 * static_cast<double>(i));
        return y;
    };
    for (const bool with_e : {false, true}) {
        const auto s = some_sparse(with_e);
        const continuous<sparse<number>> c{{s.a.a.cast<number>() * number(1, 0.4), s.a.e.cast<number>() * number(1, -0.2)}, turned(s.b), turned(s.c), turned(s.d)};
        discrete<sparse<number>> z{c.a, c.b, c.c, c.d};
        z.a.a *= 0.1;
        const std::vector<double> omega{-3, 0, 0.5, 3};
        const auto check = [&](const auto& g) {
            const auto x = frequency_response(g, omega), y = frequency_response(explicit_form(g), omega);
            for (std::size_t i = 0; i < omega.size(); ++i) CHECK(relative_error(x[i], y[i]) < 1e-11);  // as above
            CHECK(relative_error(frequency_response(cast<float>(g), omega)[2], y[2]) < 1e-5);
            CHECK(relative_error(x[0], x[3]) > 0.01);  // not the same at -omega
        };
        check(c);
        check(z);
    }
    CHECK(explicit_form(continuous<sparse<number>>{}).order() == 0);
}

TEST_CASE("sparse systems say what does not fit") {
    auto s = some_sparse(true);
    s.a.e.resize(11, 11);
    CHECK_THROWS_WITH_AS(s.check(), "hrm::sparse: E is 11x11, expected 12x12", shape_error);
    s = some_sparse(false);
    s.a.a.resize(12, 11);
    CHECK_THROWS_AS(s.check(), shape_error);
    s = some_sparse(false);
    s.b = matrix<double>(11, 2);
    CHECK_THROWS_AS(s.check(), shape_error);
    CHECK(explicit_form(continuous<sparse<double>>{}).order() == 0);
}
