#pragma once

#include <cmath>
#include <string>
#include <vector>

#include <hrm/hrm.hpp>  // whole: no other floor may hide a name of these

// Every public function of reduction/ and systems/ that takes a system, called with one: what comes back are numbers or an
// error of the library, and never a finite answer to a question that holds NaN.

namespace hrm::testing {

/// What a function owes: a finite answer or an error where all that it reads is finite, an error where something is not.
/// reads: of "ABCD" what a NaN or an infinity must be refused in.
struct debt {
    const char* name;
    const char* reads = "";
    bool finite = true;
};

/// Numbers of a result.
struct numbers {
    std::vector<double> all;
    numbers& operator<<(double x) {
        all.push_back(x);
        return *this;
    }
    numbers& operator<<(std::complex<double> x) { return *this << x.real() << x.imag(); }
    template <class T>
    numbers& operator<<(const matrix<T>& m) {
        for (const auto& x : m.flat()) *this << x;
        return *this;
    }
    template <class T, class A>
    numbers& operator<<(const std::vector<T, A>& v) {
        for (const auto& x : v) *this << x;
        return *this;
    }
    template <real_or_complex S>
    numbers& operator<<(const diagonal<S>& a) { return *this << a.poles; }
    template <real S>
    numbers& operator<<(const complex_pairs<S>& a) { return *this << a.real << a.re << a.im; }
    template <real_or_complex S>
    numbers& operator<<(const dense<S>& a) { return *this << a.a; }
    template <any_structure A>
    numbers& operator<<(const continuous<A>& g) { return *this << g.a << g.b << g.c << g.d; }
    template <any_structure A>
    numbers& operator<<(const discrete<A>& g) { return *this << g.a << g.b << g.c << g.d; }

    bool finite() const {
        for (double x : all)
            if (!std::isfinite(x)) return false;
        return true;
    }
};

inline bool all_finite(const auto& x) {
    numbers n;
    n << x;
    return n.finite();
}

/// The groups that call_group() knows.
inline constexpr int function_groups = 6;

/// Calls one group of functions: call(debt, f) with f(numbers&). Complex systems have not all of them: real_only calls f(numbers&, g).
template <template <class> class System, class A, class Call>
void call_group(int group, const System<A>& g, Call call) {
    using T = System<A>;
    constexpr bool step = in_discrete_time<T>, whole = std::same_as<A, dense<typename A::scalar>>;
    const auto real_only = [&](const debt& owed, auto f) {
        if constexpr (structure<A>) call(owed, [&](numbers& x) { f(x, g); });
    };
    const auto balanced_with = [&](const char* name, const balance_options& o) {
        call(debt{name, "ABCD"}, [&](numbers& x) {
            const auto b = balance(g, o);
            x << b.system << b.sigma << b.bound << b.t << b.w;
            if (b.measured_error) x << *b.measured_error;
            const bool sizes = static_cast<index_t>(b.sigma.size()) + b.unstable == g.order() && b.t.cols() + b.delayed == b.order() &&
                               b.system.inputs() == g.inputs() && b.system.outputs() == g.outputs() && b.t.rows() == g.order() &&
                               (o.rank < 0 || b.order() - b.delayed - b.unstable <= o.rank);
            const bool sorted = std::is_sorted(b.sigma.rbegin(), b.sigma.rend()) && (b.sigma.empty() || b.sigma.back() >= 0);
            const bool kept = !b.certified || !b.measured_error || *b.measured_error <= b.bound + b.rounding + b.measured_rounding;
            if (!sizes) throw std::logic_error("sizes of a balanced system");
            if (!sorted) throw std::logic_error("order of the singular values");
            if (!kept)
                throw std::logic_error("certificate: error " + std::to_string(*b.measured_error) + ", bound " + std::to_string(b.bound) + ", of the rounding " +
                                       std::to_string((*b.measured_error - b.bound) / (b.rounding + b.measured_rounding)));
        });
    };
    switch (group) {
        case 0:
            balanced_with("balance", {});
            balanced_with("balance, measured", {.rank = 1, .error = error_report::measured});
            balanced_with("balance, free", {.tolerance = 0.1, .error = error_report::measured, .basis = projection::balancing_free});
            balanced_with("balance, biorthogonal", {.tolerance = 0.01, .error = error_report::measured, .basis = projection::biorthogonal});
            balanced_with("balance, refuse", {.rank = 2, .unstable = unstable_poles::refuse, .floor = 0});
            return;
        case 1:
            balanced_with("balance, residualize", {.rank = 1, .error = error_report::measured, .weak = weak_states::residualize});
            balanced_with("balance, residualize, free",
                          {.energy = 0.9, .basis = projection::balancing_free, .gap = gap_rule::largest, .weak = weak_states::residualize});
            call(debt{"balance, given Gramians", "ABCD"}, [&](numbers& x) {
                std::decay_t<decltype(g.b)> one(g.order(), g.order());
                for (index_t i = 0; i < g.order(); ++i) one(i, i) = 1;
                x << balance(g, one, one, {.rank = 1}).system;
            });
            call(debt{"minimal", "ABCD"}, [&](numbers& x) { x << minimal(g).system; });
            return;
        case 2:
            call(debt{"hankel_singular_values", "ABC"}, [&](numbers& x) { x << hankel_singular_values(g); });
            call(debt{"approximate_hankel_norm", "ABCD"}, [&](numbers& x) {
                const auto h = approximate_hankel_norm(g, {.rank = 1});
                x << h.system << h.sigma << h.bound << h.hankel_error;
            });
            call(debt{"modal_truncation", "ABCD"}, [&](numbers& x) { x << modal_truncation(g, {.rank = 2}).system; });
            call(debt{"refine_h2", "ABC"}, [&](numbers& x) {
                const auto start = balance(g, {.rank = 1, .unstable = unstable_poles::refuse}).system;
                const auto r = refine_h2(g, start, {.steps = 5});
                x << r.system << r.h2_error << r.start_error;
                if (!(r.h2_error <= r.start_error)) throw std::logic_error("refine_h2 is worse than its start");
            });
            return;
        case 3:
            call(debt{"controllability", "AB"}, [&](numbers& x) { x << controllability(g); });
            call(debt{"observability", "AC"}, [&](numbers& x) { x << observability(g); });
            call(debt{"controllability_factor", "AB"}, [&](numbers& x) { x << controllability_factor(g); });
            call(debt{"observability_factor", "AC"}, [&](numbers& x) { x << observability_factor(g); });
            call(debt{"controllability, band", "AB"}, [&](numbers& x) { x << controllability(g, band{0.1, 1}); });
            call(debt{"observability, band", "AC"}, [&](numbers& x) { x << observability(g, band{0, 2}); });
            if constexpr (step) {
                call(debt{"controllability, steps", "AB"}, [&](numbers& x) { x << controllability(g, index_t{5}); });
                call(debt{"observability, steps", "AC"}, [&](numbers& x) { x << observability(g, index_t{1}); });
            } else {
                call(debt{"controllability, horizon", "AB"}, [&](numbers& x) { x << controllability(g, horizon{1.5}); });
                call(debt{"observability, horizon", "AC"}, [&](numbers& x) { x << observability(g, horizon{0}); });
            }
            call(debt{"weighted_controllability", "AB"}, [&](numbers& x) {
                const System<diagonal<double>> weight{{{step ? 0.5 : -2.0}}, matrix<double>(1, 1, 1.0), matrix<double>(g.inputs(), 1, 1.0),
                                                      matrix<double>(g.inputs(), 1, 0.5)};
                x << weighted_controllability(g, weight);
            });
            call(debt{"weighted_observability", "AC"}, [&](numbers& x) {
                const System<diagonal<double>> weight{{{step ? 0.5 : -2.0}}, matrix<double>(1, g.outputs(), 1.0), matrix<double>(2, 1, 1.0), {}};
                x << weighted_observability(g, weight);
            });
            call(debt{"cross_gramian", "ABC"}, [&](numbers& x) { x << cross_gramian(g, cross_pairs::summed); });
            call(debt{"factor_semidefinite"}, [&](numbers& x) { x << factor_semidefinite(controllability(g)).l; });
            return;
        case 4:
            call(debt{"h2_norm", "ABCD"}, [&](numbers& x) {
                const double h = h2_norm(g);
                if (!step && !g.d.empty()) return;  // infinite, and rightly so
                x << h;
            });
            call(debt{"hinf_norm", "ABCD"}, [&](numbers& x) { x << hinf_norm(g).value; });
            call(debt{"split", "A"}, [&](numbers& x) {
                const auto s = split(g);
                x << s.stable.a << s.unstable.a << s.t << s.w;
            });
            call(debt{"eigenvalues", "A"}, [&](numbers& x) { x << eigenvalues(g.a); });
            call(debt{"is_stable", "A"}, [&](numbers& x) {
                x << spectral_radius(g.a);
                spectral_abscissa(g.a);
                is_stable(g);
            });
            call(debt{"zeros", "", false}, [&](numbers& x) { x << zeros(g).finite; });
            if constexpr (whole)
                real_only(debt{"find_modes", ""}, [&](numbers& x, const auto& g) {
                    if (const auto m = find_modes(g)) x << m->a;
                });
            return;
        default:  // what is computed entry by entry: NaN for NaN, and an overflow is an infinity
            call(debt{"cast", "", false}, [&](numbers& x) { x << cast<double>(cast<float>(g)) << to_dense(g) << dual(g); });
            call(debt{"difference", "", false}, [&](numbers& x) { x << difference(g, g); });
            call(debt{"frequency_response", "", false}, [&](numbers& x) { x << frequency_response(g, 0.3) << frequency_response(g, 0.0); });
            if constexpr (step) {
                call(debt{"to_continuous", "", false}, [&](numbers& x) { x << to_continuous(g); });
                call(debt{"impulse_response", "", false}, [&](numbers& x) { x << impulse_response(g, 4) << step_response(g, 3); });
                call(debt{"empirical", "", false}, [&](numbers& x) {
                    const auto s = simulate(g);
                    x << empirical_controllability(s, {.steps = 3}) << empirical_observability(s, {.steps = 2});
                    if (g.inputs() == g.outputs()) x << empirical_cross(s, {.steps = 2});
                });
                call(debt{"era"}, [&](numbers& x) {
                    auto strict = g;
                    strict.d = {};
                    const auto h = impulse_response(strict, 6);
                    if (!all_finite(h)) throw numerical_error("hrm::era: this test's own refusal");
                    x << era(h).system;
                });
                call(debt{"state_covariance", "B"}, [&](numbers& x) {
                    state_covariance_of<typename A::scalar> w(g.inputs());
                    w.add(g.b.view());
                    w.merge(w);
                    x << w.gramian();
                });
                if constexpr (whole)
                    call(debt{"rediagonalize", "A"}, [&](numbers& x) { std::visit([&](const auto& s) { x << s.a; }, rediagonalize(g).system); });
            } else
                for (const auto method : {discretization::zoh, discretization::bilinear, discretization::forward_euler, discretization::backward_euler,
                                          discretization::generalized_bilinear})
                    call(debt{"discretize", "", false}, [&](numbers& x) { x << discretize(g, 0.1, method, 0.7); });
            if constexpr (whole) call(debt{"explicit_form", "", false}, [&](numbers& x) { x << explicit_form(g.a.a, g); });
    }
}

/// The rules of `debt`. Returns a complaint, or nothing.
template <class System, class F>
std::string complaint(const System& g, const debt& owed, F f) {
    numbers out;
    const std::string name = owed.name;
    bool readable = true;  // what it reads is finite
    for (const char* part = owed.reads; *part; ++part)
        readable = readable && (*part == 'A' ? all_finite(g.a) : all_finite(*part == 'B' ? g.b : *part == 'C' ? g.c : g.d));
    try {
        f(out);
    } catch (const error& e) {
        const std::string what = e.what();
        if (!what.starts_with("hrm::") || what.find('\n') != std::string::npos) return name + ": message '" + what + "'";
        return {};
    } catch (const std::exception& e) {
        return name + ": " + e.what();
    }
    if (!readable) return name + ": an answer to a question that holds what is not finite";
    const bool clean = all_finite(g);
    if (clean && owed.finite && !out.finite()) return name + ": a result that is not finite";
    return {};
}

}  // namespace hrm::testing
