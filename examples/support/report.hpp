#pragma once

#include <algorithm>
#include <numeric>
#include <string>
#include <vector>

#include "html.hpp"
#include "record.hpp"

namespace hrm::examples {

struct report_facts {
    std::string text, base, machine;
    index_t steps = 0, batch = 0, length = 0, window = 0;
    double seconds = 0;
};

namespace detail {

inline std::string states_text(const std::vector<index_t>& states) {
    if (states.empty()) return "";
    if (std::all_of(states.begin(), states.end(), [&](index_t s) { return s == states[0]; })) return std::to_string(states[0]);
    std::string text;
    for (auto s : states) text += (text.empty() ? "" : " ") + std::to_string(s);
    return text;
}

inline std::vector<double> smooth(const std::vector<double>& x, std::size_t width) {
    std::vector<double> y(x.size());
    for (std::size_t i = 0; i < x.size(); ++i) {
        const std::size_t low = i < width ? 0 : i - width, high = std::min(i + width + 1, x.size());
        y[i] = std::accumulate(x.begin() + static_cast<std::ptrdiff_t>(low), x.begin() + static_cast<std::ptrdiff_t>(high), 0.0) / static_cast<double>(high - low);
    }
    return y;
}

inline std::vector<double> count_up(std::size_t n) {
    std::vector<double> x(n);
    std::iota(x.begin(), x.end(), 1.0);
    return x;
}

inline std::vector<double> relative(const std::vector<double>& sigma) {
    std::vector<double> y;
    for (double s : sigma) y.push_back(sigma[0] > 0 ? s / sigma[0] : 0);
    return y;
}

}  // namespace detail

inline std::vector<std::vector<std::string>> table_of(const std::vector<record>& rows) {
    std::vector<std::vector<std::string>> t{{"model", "trainable", "learning rate", "bits per byte", "reset each window", "train s / 1000 bytes", "forward s / 1000 bytes", "states per layer"}};
    for (const auto& r : rows)
        t.push_back({r.label, r.parameters ? std::to_string(r.parameters) : "", r.rate > 0 ? print("%.2g", r.rate) : "", print("%.4f", r.bits),
                     r.reset_bits > 0 ? print("%.4f", r.reset_bits) : "", r.train_seconds > 0 ? print("%.3f", r.train_seconds) : "",
                     print("%.4f", r.forward_seconds), detail::states_text(r.states)});
    return t;
}

/// The whole story as one page.
inline std::string report(const std::vector<record>& rows, const report_facts& f) {
    page p("A frozen model of the King James Bible reads C++");
    p.paragraph("A small byte-level language model, pretrained on one text and frozen, is adapted to a very different one by adapters of equal size. "
                "The base attends to the last " + std::to_string(f.window) + " bytes only, and the sequences are long, so that memory beyond the window can show.");
    p.table({{"text", f.text}, {"base", f.base}, {"budget each", print("%td steps of %td x %td bytes", f.steps, f.batch, f.length)},
             {"machine", f.machine}, {"time", print("%d min %02d s", static_cast<int>(f.seconds) / 60, static_cast<int>(f.seconds) % 60)}});

    p.heading("Bits per byte on text nobody trained or chose on");
    int best = -1;
    for (std::size_t i = 0; i < rows.size(); ++i)
        if (best < 0 || rows[i].bits < rows[static_cast<std::size_t>(best)].bits) best = static_cast<int>(i);
    p.table(table_of(rows), best);
    p.paragraph("Lower is better. \"Reset each window\" is the same trained weights with their recurrent state cleared every " + std::to_string(f.window) +
                " bytes: what is lost there is what memory beyond the window was worth. The rows that say \"reset\" were trained that way as well. One seed: differences of about "
                "0.01 are noise; the comparison over several seeds is the command `compare`.");

    chart learning{.title = "Training", .x_label = "step", .y_label = "bits per byte, batch mean over 5 steps", .lines = {}};
    chart position{.title = "Against the position in the document", .x_label = "byte of the document", .y_label = "bits per byte", .lines = {}};
    for (const auto& r : rows) {
        const bool control = r.name.ends_with("_reset");
        if (!r.learning.empty()) learning.lines.push_back({r.label, r.step, detail::smooth(r.learning, 2), control ? 8 : r.colour, control, false});
        const bool contestant = !r.learning.empty() && !control;
        if (contestant) position.lines.push_back({r.label, r.position, r.bits_at, r.colour, false, false});
        if (contestant && !r.reset_bits_at.empty()) position.lines.push_back({r.label + ", state reset", r.position, r.reset_bits_at, r.colour, true, false});
    }
    p.charts({learning, position});

    p.heading("What the adapters learned to remember");
    p.paragraph("Hankel singular values, relative to the largest, layer by layer, beside those of the same adapter before training (dashed). An untrained adapter's "
                "fall off too: only the difference is what training did. A state whose value is below the tolerance is what balanced truncation drops.");
    for (const auto& r : rows) {
        if (r.layers.empty()) continue;
        std::vector<chart> charts;
        chart all{.title = r.label + ": Hankel singular values", .x_label = "index", .y_label = "sigma / sigma_1", .log_y = true, .lines = {}};
        chart memory{.title = r.label + ": memory of each state", .x_label = "state, sorted", .y_label = "bytes", .log_y = true, .lines = {}};
        std::vector<std::vector<std::string>> gates{{"layer", "site", "gate", "longest memory (bytes)", "states above 0.1", "states above 0.01"}};
        index_t last = -1;
        for (const auto& l : r.layers) {
            const auto relative = detail::relative(l.sigma);
            const auto above = [&](double eps) { return std::to_string(std::count_if(relative.begin(), relative.end(), [&](double s) { return s >= eps; })); };
            auto lengths = l.memory;
            std::sort(lengths.begin(), lengths.end(), std::greater<>());
            gates.push_back({std::to_string(l.layer), l.site, print("%.4g", l.gate), lengths.empty() ? "" : print("%.0f", lengths[0]), above(0.1), above(0.01)});
            if (l.layer == last) continue;  // one curve a layer: its first site
            last = l.layer;
            const auto label = "layer " + std::to_string(l.layer) + (r.layers.size() > 1 && r.layers[1].layer == r.layers[0].layer ? ", " + l.site : "");
            all.lines.push_back({label, detail::count_up(relative.size()), relative, static_cast<int>(l.layer), false, true});
            if (!l.untrained.empty() && l.untrained[0] > 0)
                all.lines.push_back({"untrained", detail::count_up(l.untrained.size()), detail::relative(l.untrained), static_cast<int>(l.layer), true, false});
            memory.lines.push_back({label, detail::count_up(lengths.size()), lengths, static_cast<int>(l.layer), false, true});
        }
        p.charts({all, memory});
        p.table(gates);
    }

    p.heading("Samples");
    p.paragraph("Streaming: one byte at a time with the key-value cache and the recurrent state. Temperature 0.7, the same random numbers for every model; the prompt is bold.");
    for (const auto& r : rows)
        if (!r.sample.empty()) p.sample(r.label, r.prompt, r.sample);
    return p.text();
}

}  // namespace hrm::examples
