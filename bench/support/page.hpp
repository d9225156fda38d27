#pragma once

#include <algorithm>
#include <map>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include <support/html.hpp>

namespace hrm::bench {

/// A report as one HTML page: time against the varied extent, ours and every peer's, where there is one; all ratios; all rows. A peer that is a limit
/// of the machine ("peak", "copy", "memory") is drawn dashed.
inline std::string page_of(const std::string& name, const nlohmann::json& report) {
    using namespace hrm::examples;
    page out("Benchmark: " + name);
    const auto& head = report["header"];
    out.paragraph(head["machine"].get<std::string>() + ", " + head["compiler"].get<std::string>() + ", " +
                  std::to_string(head["threads"].get<int>()) + " thread(s), " + head["date"].get<std::string>() +
                  ". Medians of rounds in a random order; ratio: our time over the peer's.");

    std::vector<chart> curves;
    for (const auto& r : report["rows"]) {
        if (!r.contains("curve")) continue;
        const auto& curve = r["curve"];
        const auto title = curve["name"].get<std::string>();
        auto c = std::find_if(curves.begin(), curves.end(), [&](const chart& x) { return x.title == title; });
        if (c == curves.end())
            c = curves.insert(c, chart{.title = title, .x_label = curve["axis"].get<std::string>(), .y_label = "seconds", .log_x = true, .log_y = true,
                                       .lines = {series{.label = "ours", .x = {}, .y = {}, .colour = 0, .marks = true}}});
        const double at = curve["at"].get<double>();
        const auto add = [&](const std::string& label, double seconds) {
            auto line = std::find_if(c->lines.begin(), c->lines.end(), [&](const series& s) { return s.label == label; });
            if (line == c->lines.end()) {
                const bool limit = label == "peak" || label == "copy" || label == "memory";
                line = c->lines.insert(line, series{.label = label, .x = {}, .y = {}, .colour = limit ? 7 : static_cast<int>(c->lines.size()), .dashed = limit, .marks = !limit});
            }
            if (!line->x.empty() && line->x.back() == at) return;
            line->x.push_back(at);
            line->y.push_back(seconds);
        };
        add("ours", r["ours_s"].get<double>());
        add(r["peer"].get<std::string>(), r["peer_s"].get<double>());
    }
    if (!curves.empty()) out.charts(curves);

    std::vector<page::bar> ratios;
    for (const auto& r : report["rows"])
        ratios.push_back({r["case"].get<std::string>() + ", " + r["peer"].get<std::string>(), r["ratio"].get<double>(),
                          r["goal"].is_null() ? 0 : r["goal"].get<double>()});
    out.heading("Our time over the peer's");
    out.paragraph("Below the line at 1 ours is faster. Dotted: the goal.");
    out.bars(ratios, 1, 2);

    const auto time = [](const nlohmann::json& s) { return print("%.4g ms", 1e3 * s.get<double>()); };
    std::vector<std::vector<std::string>> rows{{"case", "ours", "peer", "its time", "ratio", "goal", ""}};
    for (const auto& r : report["rows"])
        rows.push_back({r["case"].get<std::string>(), time(r["ours_s"]), r["peer"].get<std::string>(), time(r["peer_s"]),
                        print("%.3f", r["ratio"].get<double>()), r["goal"].is_null() ? "" : print("%.2f", r["goal"].get<double>()),
                        r["met"].is_null() ? "" : r["met"].get<bool>() ? "met" : "missed"});
    out.heading("All rows");
    out.table(rows);
    return out.text();
}

}  // namespace hrm::bench
