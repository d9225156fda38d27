#pragma once

#include <algorithm>
#include <cstdio>
#include <string>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include "html.hpp"
#include "reduction_run.hpp"
#include "system_file.hpp"

// What is said about a reduction: on the terminal, as JSON, as one HTML page.

namespace hrm::examples {

namespace detail {

inline std::string range_of(const std::vector<std::complex<double>>& poles, time_kind time) {
    if (poles.empty()) return "none";
    double low = HUGE_VAL, high = -HUGE_VAL, size = 0;
    for (const auto& l : poles) {
        const double x = time == time_kind::continuous ? l.real() : std::abs(l);
        low = std::min(low, x);
        high = std::max(high, x);
        size = std::max(size, std::abs(l));
    }
    if (time != time_kind::continuous) return print("moduli %.6g to %.6g", low, high);
    return print("real parts %.4g to %.4g, largest modulus %.4g", low, high, size);
}

inline std::string certainty(const reduction_facts& f) {
    return f.modal ? "(sum over the modes left out)" : f.certified ? "(certified)" : "(not certified)";
}

inline std::vector<std::pair<std::string, std::string>> numbers_of(const reduction_facts& f, const std::string& what, time_kind time) {
    std::vector<std::pair<std::string, std::string>> out;
    const auto add = [&](const std::string& name, const std::string& value) { out.emplace_back(name, value); };
    const std::string unit = time == time_kind::continuous ? "radians a unit of time" : "radians a step";
    const auto outside = std::count_if(f.poles.begin(), f.poles.end(), [&](auto l) { return time == time_kind::continuous ? l.real() >= 0 : std::abs(l) >= 1; });
    const char* kind = time == time_kind::continuous ? "continuous" : "discrete";
    const auto many = [](index_t n, const char* what) { return print(n == 1 ? "%td %s, " : "%td %ss, ", n, what); };
    add("system", many(f.n, "state") + many(f.m, "input") + many(f.p, "output") + kind);
    add("poles", range_of(f.poles, time) + (outside > 0 ? print("; %td unstable or on the boundary", outside) : "; stable"));
    add("method", what);
    add("order", print("%td of %td", f.order, f.n) + (f.unstable > 0 ? print(" (%td unstable)", f.unstable) : ""));
    add("poles kept", range_of(f.reduced_poles, time));
    if (f.hankel_error) add("Hankel-norm error", print("%.4e, the least possible for this order", *f.hankel_error));
    if (f.has_bound) add("bound of |G - Gr|", print("%.4e ", f.bound) + certainty(f));
    if (f.error) add("|G - Gr|, H-infinity", print("%.4e at %.4g ", *f.error, *f.error_at) + unit + (f.norm && *f.norm > 0 ? print("; %.2e of |G| = %.4e", *f.error / *f.norm, *f.norm) : ""));
    if (f.h2_error) add("|G - Gr|, H2", print("%.4e", *f.h2_error) + (f.h2_start ? print(", before refinement %.4e", *f.h2_start) : "") + (f.h2_norm ? print("; |G| = %.4e", *f.h2_norm) : ""));
    for (const auto& n : f.notes) add("note", n);
    add("time", print("%.3g s to reduce, %.3g s to measure", f.reduce_seconds, f.measure_seconds));
    return out;
}

inline const char* sigma_name(const reduction_facts& f) { return f.modal ? "weight of the modes" : "Hankel singular values"; }

}  // namespace detail

inline void print_reduction(const reduction_facts& f, const std::string& what, time_kind time) {
    for (const auto& [name, value] : detail::numbers_of(f, what, time)) std::printf("%-22s %s\n", name.c_str(), value.c_str());
    std::printf("%s%s\n", detail::sigma_name(f), f.modal ? "" : ", kept | dropped");
    const auto shown = std::min<std::size_t>(f.sigma.size(), static_cast<std::size_t>(f.order + 16));
    std::string line = " ";
    for (std::size_t i = 0; i < shown; ++i) {
        if (!f.modal && static_cast<index_t>(i) == f.order - f.unstable) line += " |";
        line += print(" %.3e", f.sigma[i]);
        if (i % 8 == 7 || i + 1 == shown) {
            std::puts(line.c_str());
            line = " ";
        }
    }
    if (shown < f.sigma.size()) std::printf("  ... and %zu below\n", f.sigma.size() - shown);
}

inline std::string reduction_json(const reduction_facts& f, const std::string& what, time_kind time) {
    using json = nlohmann::json;
    const auto number = [](const std::optional<double>& x) { return x && std::isfinite(*x) ? json(*x) : json(nullptr); };
    const auto poles = [](const std::vector<std::complex<double>>& l) {
        auto list = json::array();
        for (const auto& x : l) list.push_back({x.real(), x.imag()});
        return list;
    };
    json j{{"states", f.n}, {"inputs", f.m}, {"outputs", f.p}, {"time", name(time)}, {"method", what}, {"order", f.order}, {"unstable", f.unstable},
           {"sigma", f.sigma}, {"certified", f.certified}, {"notes", f.notes}, {"reduce_seconds", f.reduce_seconds}, {"measure_seconds", f.measure_seconds},
           {"poles", poles(f.poles)}, {"reduced_poles", poles(f.reduced_poles)}};
    j["bound"] = f.has_bound ? number(f.bound) : json(nullptr);
    j["hankel_error"] = number(f.hankel_error);
    j["hinf_norm"] = number(f.norm);
    j["hinf_error"] = number(f.error);
    j["hinf_error_at"] = number(f.error_at);
    j["h2_norm"] = number(f.h2_norm);
    j["h2_error"] = number(f.h2_error);
    return j.dump(1) + "\n";
}

/// One page: the numbers, Hankel singular values, gains of G, Gr and G - Gr with the bound, poles.
inline std::string reduction_page(const reduction_facts& f, const std::string& source, const std::string& what, time_kind time) {
    page p(source + print(": %td states reduced to %td", f.n, f.order));
    p.facts(detail::numbers_of(f, what, time));

    std::vector<chart> charts;
    chart hsv{.title = f.modal ? "Weight of the modes" : "Hankel singular values", .x_label = "index", .y_label = f.modal ? "|c| |b| / depth" : "sigma", .log_y = true, .lines = {}};
    const auto kept = static_cast<std::size_t>(f.modal ? static_cast<index_t>(f.sigma.size()) : f.order - f.unstable);
    series in{"kept", {}, {}, 0, false, true, false}, out{"dropped", {}, {}, 1, false, true, false};
    for (std::size_t i = 0; i < f.sigma.size(); ++i) {
        if (!(f.sigma[i] > 1e-24 * f.sigma[0]) || !std::isfinite(f.sigma[i])) continue;
        auto& to = i < kept ? in : out;
        to.x.push_back(static_cast<double>(i + 1));
        to.y.push_back(f.sigma[i]);
    }
    hsv.lines = f.modal ? std::vector{in} : std::vector{in, out};
    charts.push_back(hsv);

    if (!f.bode.omega.empty()) {
        const auto& w = f.bode.omega;
        chart bode{.title = "Largest gain over frequency", .x_label = time == time_kind::continuous ? "radians a unit of time" : "radians a step",
                   .y_label = "largest singular value", .log_x = true, .log_y = true, .lines = {}};
        bode.lines = {{"G, the system", w, f.bode.full, 0}, {"Gr, reduced", w, f.bode.reduced, 1, true}, {"G - Gr, the error", w, f.bode.error, 2}};
        if (f.has_bound && f.bound > 0 && std::isfinite(f.bound)) bode.lines.push_back({"bound " + detail::certainty(f), {w.front(), w.back()}, {f.bound, f.bound}, 7, true});
        charts.push_back(bode);
    }
    if (f.has_bound && !f.modal && f.order > 0) {
        chart orders{.title = "What another order would promise", .x_label = "order", .y_label = "bound of |G - Gr|", .log_y = true, .lines = {}};
        series curve{"2 (sum of the distinct sigma left out)", {}, {}, 7}, here{"bound, as chosen", {static_cast<double>(f.order - f.unstable)}, {f.bound}, 1, false, true, false};
        const auto most = std::min<std::size_t>(f.sigma.size(), static_cast<std::size_t>(4 * f.order + 20));
        for (std::size_t r = 0; r < most; ++r) {
            const double bound = tail_bound(f.sigma, static_cast<index_t>(r));
            if (!(bound > 1e-17 * f.sigma[0])) break;
            curve.x.push_back(static_cast<double>(r));
            curve.y.push_back(bound);
        }
        orders.lines = {curve, here};
        if (f.error) orders.lines.push_back({"error, as measured", here.x, {*f.error}, 2, false, true, false});
        charts.push_back(orders);
    }
    chart poles{.title = "Poles", .x_label = "real part", .y_label = "imaginary part", .lines = {}};
    const auto dots = [](const std::string& label, const std::vector<std::complex<double>>& l, int colour) {
        series s{label, {}, {}, colour, false, true, false};
        for (const auto& x : l) s.x.push_back(x.real()), s.y.push_back(x.imag());
        return s;
    };
    poles.lines = {dots("of the system", f.poles, 5), dots("of the reduced one", f.reduced_poles, 1)};
    if (time != time_kind::continuous) {
        series circle{"unit circle", {}, {}, 8, true};
        for (int i = 0; i <= 120; ++i) circle.x.push_back(std::cos(i * std::numbers::pi / 60)), circle.y.push_back(std::sin(i * std::numbers::pi / 60));
        poles.lines.push_back(circle);
        poles.width = poles.height = 480;
    }
    charts.push_back(poles);
    p.charts(charts);

    if (!f.sigma.empty()) {
        std::string list;
        for (std::size_t i = 0; i < f.sigma.size() && i < 400; ++i) list += print("%s%.6e", i == 0 ? "" : i % 8 ? "  " : "\n", f.sigma[i]);
        p.heading(detail::sigma_name(f));
        p.preformatted(list);
    }
    return p.text();
}

}  // namespace hrm::examples
