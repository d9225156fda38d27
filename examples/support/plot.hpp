#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <string>
#include <string_view>
#include <vector>

// Line charts as SVG text: no script, no font file, no network, readable in any browser and in print.

namespace hrm::examples {

struct series {
    std::string label;
    std::vector<double> x, y;
    int colour = 0;  ///< index into the palette; the same contestant keeps its colour in every chart
    bool dashed = false;
    bool marks = false;
    bool joined = true;  ///< false: the marks alone
};

struct chart {
    std::string title, x_label, y_label;
    bool log_x = false, log_y = false;
    std::vector<series> lines;
    int width = 640, height = 360;
};

/// Colour-blind safe, after Okabe & Ito 2008; the last one is for controls.
inline constexpr std::array<std::string_view, 9> palette = {"#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00",
                                                            "#56B4E9", "#7A5195", "#444444", "#9A9A9A"};

inline std::string escape(std::string_view text) {
    std::string out;
    for (char c : text) switch (c) {
            case '&': out += "&amp;"; break;
            case '<': out += "&lt;"; break;
            case '>': out += "&gt;"; break;
            case '"': out += "&quot;"; break;
            default: out += c;
        }
    return out;
}

template <class... T>
std::string print(const char* format, T... values) {
    const int n = std::snprintf(nullptr, 0, format, values...);
    std::string out(static_cast<std::size_t>(n), '\0');
    std::snprintf(out.data(), out.size() + 1, format, values...);
    return out;
}

namespace detail {

struct axis {
    double low = 0, high = 1;
    bool log = false;
    double position(double v) const {  // 0 .. 1
        return log ? (std::log10(v) - std::log10(low)) / (std::log10(high) - std::log10(low)) : (v - low) / (high - low);
    }
    bool shows(double v) const { return std::isfinite(v) && (!log || v > 0); }
};

inline std::vector<double> ticks(const axis& a) {
    std::vector<double> t;
    if (a.log) {
        const double first = std::floor(std::log10(a.low)), last = std::ceil(std::log10(a.high));
        const double every = std::max(1.0, std::ceil((last - first) / 7));
        for (double e = first; e <= last; e += every) {
            const double v = std::pow(10.0, e);
            if (v >= a.low * 0.999 && v <= a.high * 1.001) t.push_back(v);
        }
        if (t.size() < 2)
            for (double e = first; e <= last; ++e)
                for (double m : {2.0, 5.0}) {
                    const double v = m * std::pow(10.0, e);
                    if (v >= a.low && v <= a.high) t.push_back(v);
                }
        return t;
    }
    const double raw = (a.high - a.low) / 6, power = std::pow(10.0, std::floor(std::log10(raw)));
    const double fraction = raw / power;
    const double step = power * (fraction < 1.5 ? 1 : fraction < 3.5 ? 2 : fraction < 7.5 ? 5 : 10);
    for (double v = std::ceil(a.low / step) * step; v <= a.high + step * 1e-9; v += step)
        t.push_back(std::abs(v) < step * 1e-9 ? 0 : v);
    return t;
}

inline axis range(const chart& c, bool vertical) {
    axis a{.low = HUGE_VAL, .high = -HUGE_VAL, .log = vertical ? c.log_y : c.log_x};
    for (const auto& s : c.lines)
        for (double v : vertical ? s.y : s.x)
            if (a.shows(v)) {
                a.low = std::min(a.low, v);
                a.high = std::max(a.high, v);
            }
    if (!(a.low <= a.high)) a.low = a.log ? 0.1 : 0, a.high = 1;
    if (a.log) {
        if (a.low == a.high) a.low /= 2, a.high *= 2;
        const double pad = vertical ? std::max(1.2, std::pow(a.high / a.low, 0.04)) : 1;
        a.low /= pad;
        a.high *= pad;
    } else {
        bool joined = true;  // lone marks keep off the frame
        for (const auto& s : c.lines) joined = joined && s.joined;
        const double pad = a.low == a.high ? std::max(1e-3, std::abs(a.low)) * 0.5 : vertical || !joined ? 0.05 * (a.high - a.low) : 0;
        a.low -= pad;
        a.high += pad;
    }
    return a;
}

inline std::string number(double v) {
    if (v != 0 && (std::abs(v) < 1e-3 || std::abs(v) >= 1e5)) return print("%.0e", v);
    return print("%g", v);
}

}  // namespace detail

inline std::string svg(const chart& c) {
    const auto ax = detail::range(c, false), ay = detail::range(c, true);
    const double left = 62, right = 22, top = 34, under = 46;
    const double legend = 18.0 * ((static_cast<double>(c.lines.size()) + 1) / 2);
    const double w = c.width - left - right, h = c.height - top - under, total = c.height + (c.lines.size() > 1 ? legend + 4 : 0);
    const auto px = [&](double v) { return left + w * ax.position(v); };
    const auto py = [&](double v) { return top + h * (1 - ay.position(v)); };
    std::string o = print("<svg viewBox=\"0 0 %d %.0f\" role=\"img\" aria-label=\"", c.width, total) + escape(c.title) + "\">";
    o += print("<text x=\"%g\" y=\"18\" class=\"t\">", left) + escape(c.title) + "</text>";
    for (double v : detail::ticks(ax))
        o += print("<line x1=\"%.1f\" y1=\"%g\" x2=\"%.1f\" y2=\"%g\" class=\"g\"/><text x=\"%.1f\" y=\"%g\" text-anchor=\"middle\">",
                   px(v), top, px(v), top + h, px(v), top + h + 15) + detail::number(v) + "</text>";
    for (double v : detail::ticks(ay))
        o += print("<line x1=\"%g\" y1=\"%.1f\" x2=\"%g\" y2=\"%.1f\" class=\"g\"/><text x=\"%g\" y=\"%.1f\" text-anchor=\"end\">",
                   left, py(v), left + w, py(v), left - 6, py(v) + 4) + detail::number(v) + "</text>";
    o += print("<rect x=\"%g\" y=\"%g\" width=\"%g\" height=\"%g\" class=\"f\"/>", left, top, w, h);
    o += print("<text x=\"%g\" y=\"%g\" text-anchor=\"middle\" class=\"l\">", left + w / 2, top + h + 34) + escape(c.x_label) + "</text>";
    o += print("<text transform=\"translate(14 %g) rotate(-90)\" text-anchor=\"middle\" class=\"l\">", top + h / 2) + escape(c.y_label) + "</text>";
    int k = 0;
    for (const auto& s : c.lines) {
        const auto colour = palette[static_cast<std::size_t>(s.colour) % palette.size()];
        std::string path, marks;
        bool pen = false;
        for (std::size_t i = 0; i < std::min(s.x.size(), s.y.size()); ++i) {
            if (!ax.shows(s.x[i]) || !ay.shows(s.y[i])) {
                pen = false;
                continue;
            }
            path += print(pen ? "L%.1f %.1f" : "M%.1f %.1f", px(s.x[i]), py(s.y[i]));
            pen = true;
            if (s.marks) marks += print("<circle cx=\"%.1f\" cy=\"%.1f\" r=\"2.6\" fill=\"", px(s.x[i]), py(s.y[i])) + std::string(colour) + "\"/>";
        }
        const std::string dash = s.dashed ? " stroke-dasharray=\"5 4\"" : "";
        if (!s.joined) path.clear();
        o += "<path d=\"" + path + "\" fill=\"none\" stroke=\"" + std::string(colour) + "\" stroke-width=\"1.8\"" + dash + "><title>" + escape(s.label) + "</title></path>" + marks;
        if (c.lines.size() > 1) {
            const double x = left + (k % 2) * w / 2, y = c.height + 8 + 18.0 * (k / 2);
            if (s.joined) o += print("<line x1=\"%g\" y1=\"%g\" x2=\"%g\" y2=\"%g\" stroke-width=\"2.5\" stroke=\"", x, y - 4, x + 24, y - 4) + std::string(colour) + "\"" + dash + "/>";
            else o += print("<circle cx=\"%g\" cy=\"%g\" r=\"3.5\" fill=\"", x + 12, y - 4) + std::string(colour) + "\"/>";
            o += print("<text x=\"%g\" y=\"%g\">", x + 30, y) + escape(s.label) + "</text>";
        }
        ++k;
    }
    return o + "</svg>";
}

}  // namespace hrm::examples
