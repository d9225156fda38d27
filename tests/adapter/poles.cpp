#include <hrm/adapter/poles.hpp>

#include <limits>
#include <vector>

#include <doctest/doctest.h>

#include <hrm/systems/discretize.hpp>

using namespace hrm;

namespace {

constexpr std::array all_rules = {discretization::zoh, discretization::bilinear, discretization::forward_euler,
                                  discretization::backward_euler, discretization::generalized_bilinear};

/// Derivatives of a pole by both of its parameters against central differences: 1e-6^2 truncation, 1e-16 / 1e-6 rounding.
template <class F>
void check_slopes(F&& f, double x, double y) {
    constexpr double h = 1e-6;
    const auto p = f(x, y);
    const pole up[2] = {f(x + h, y), f(x, y + h)}, down[2] = {f(x - h, y), f(x, y - h)};
    const auto near = [](double got, double want) { CHECK(std::abs(got - want) <= 1e-8 * (1 + std::abs(want))); };
    for (int j = 0; j < 2; ++j) {
        near(p.d_re[j], (up[j].re - down[j].re) / (2 * h));
        near(p.d_im[j], (up[j].im - down[j].im) / (2 * h));
        near(p.d_scale[j], (up[j].scale - down[j].scale) / (2 * h));
    }
}

}  // namespace

TEST_CASE("real positive poles are what the systems floor discretises") {
    for (const discretization rule : all_rules)
        for (const double log_a : {-3.0, 0.0, 2.0})
            for (const double log_dt : {-4.0, -1.0}) {
                hrm_options o;
                o.discretization = rule;
                o.theta = 0.3;
                o.dt_max = 0.5;
                const auto p = real_positive_pole(log_a, log_dt, o);
                const double dt = softplus(log_dt);
                const continuous<diagonal<double>> one{{{-std::exp(log_a)}}, {{1}}, {{1}}, {}};
                const auto want = discretize(one, std::span<const double>(&dt, 1), rule, 0.3);
                CHECK(p.re == doctest::Approx(want.a.poles[0]).epsilon(1e-14));
                CHECK(p.scale == doctest::Approx(want.b(0, 0)).epsilon(1e-14));
            }
}

TEST_CASE("slopes of every pole, normalised or not") {
    hrm_options o;
    o.dt_max = 0.5;
    o.theta = 0.3;
    for (const normalization how : {normalization::none, normalization::unit_variance, normalization::unit_gain}) {
        o.normalization = how;
        for (const discretization rule : all_rules) {
            o.discretization = rule;
            for (const double log_a : {-2.0, 1.0})
                check_slopes([&](double x, double y) { return real_positive_pole(x, y, o); }, log_a, -1.5);
        }
        check_slopes([&](double x, double) { return real_signed_pole(x, o); }, -0.7, 0);
        check_slopes([&](double x, double y) { return complex_pole(x, y, o); }, -1.2, 0.8);
    }
}

TEST_CASE_TEMPLATE("many poles are each the one that <cmath> gives, whatever stands beside", S, float, double) {
    // Two ulp of each of three functions, passed on by up to four quotients and products. unit_gain's |Abar| is the root of a
    // difference, 1 / (2 |Abar|^2) times as uncertain: poles of 0.2 and more.
    const double off = 32 * std::numeric_limits<double>::epsilon();
    const auto near = [&](double got, double want) { return std::abs(got - want) <= off * (std::abs(want) + 1e-300); };
    hrm_options o;
    o.theta = 0.3;
    for (const poles kind : {poles::real_positive, poles::real_signed, poles::complex_pairs})
        for (const normalization how : {normalization::none, normalization::unit_variance, normalization::unit_gain})
            for (const discretization rule : all_rules)
                for (const index_t n : {1, 7, 8, 9, 37}) {
                    o.normalization = how;
                    o.discretization = rule;
                    std::vector<S> first, second;
                    for (index_t i = 0; i < n; ++i) {
                        first.push_back(static_cast<S>(0.31 * static_cast<double>(i % 8) - 1.7));
                        second.push_back(static_cast<S>(0.83 * static_cast<double>(i % 13) - 9));  // clamped at either end
                    }
                    std::vector<pole> all(first.size());
                    fill_poles<S>(kind, first.data(), kind == poles::real_signed ? nullptr : second.data(), n, o, all.data());
                    bool same = true;
                    for (std::size_t i = 0; i < all.size(); ++i) {
                        const double x = static_cast<double>(first[i]), y = static_cast<double>(second[i]);
                        const pole want = kind == poles::real_positive ? real_positive_pole(x, y, o)
                                          : kind == poles::real_signed ? real_signed_pole(x, o)
                                                                       : complex_pole(x, y, o);
                        const auto& got = all[i];
                        same = same && near(got.re, want.re) && near(got.im, want.im) && near(got.scale, want.scale);
                        // A derivative is a difference of two numbers of the size of Delta at most.
                        for (int j = 0; j < 2; ++j)
                            same = same && near(got.d_re[j], want.d_re[j]) && near(got.d_im[j], want.d_im[j]) &&
                                   std::abs(got.d_scale[j] - want.d_scale[j]) <= off * (std::abs(want.d_scale[j]) + want.scale + o.dt_max);
                    }
                    CHECK(same);
                }
}

TEST_CASE("a step size the clamp holds does not move") {
    const hrm_options o;
    CHECK(real_positive_pole(0, -20, o).re == std::exp(-o.dt_min));
    CHECK(real_positive_pole(0, -20, o).d_re[1] == 0);
    CHECK(real_positive_pole(0, 5, o).re == std::exp(-o.dt_max));
    CHECK(real_positive_pole(0, 5, o).d_scale[1] == 0);
}

TEST_CASE("normalisation keeps its digits close to the unit circle") {
    hrm_options o;
    o.normalization = normalization::unit_variance;
    // 1 - Abar^2 = 2e-9 - ..., which 1 - Abar * Abar would know to 7 digits only.
    CHECK(complex_pole(std::log(1e-9), 1, o).scale == doctest::Approx(std::sqrt(-std::expm1(-2e-9))).epsilon(1e-14));
    CHECK(real_signed_pole(20, o).scale == doctest::Approx(1 / std::cosh(20.0)).epsilon(1e-14));
    CHECK(std::isfinite(real_signed_pole(1000, o).d_scale[0]));
}

TEST_CASE("a pole from its rate of decay, under every rule") {
    for (const discretization rule : all_rules)
        for (const double rate : {1e-3, 0.1, 1.0}) {
            hrm_options o;
            o.discretization = rule;
            const auto [log_a, log_dt] = real_positive_from_rate(rate, o);
            CHECK(real_positive_pole(log_a, log_dt, o).re == doctest::Approx(std::exp(-rate)).epsilon(1e-12));
        }
    CHECK(softplus(softplus_inverse(0.003)) == doctest::Approx(0.003).epsilon(1e-14));
    CHECK(softplus(800.0) == 800);
}
