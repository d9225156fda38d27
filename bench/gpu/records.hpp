#pragma once

#include <algorithm>
#include <cstdio>
#include <fstream>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

// What a run on a GPU found out, as one JSON file and one Markdown page, written anew after every figure: a run that is cut
// short leaves all it had. Nothing here needs a device, nor a library.

namespace hrm::bench::gpu {

/// The arithmetic that bounds a piece of work, where memory does not.
enum class unit { none, bf16, f32, f64 };

/// What a piece of work cannot do without: each operand read or written once, and its products and sums.
struct cost {
    double bytes = 0, flop = 0;
    unit by = unit::none;
};

/// As measured in the same run; 0: not measured. Bytes and flop a second.
struct ceilings {
    double copy = 0, bf16 = 0, f32 = 0, f64 = 0;

    double of(unit u) const { return u == unit::bf16 ? bf16 : u == unit::f32 ? f32 : u == unit::f64 ? f64 : 0; }
    /// The roofline: seconds that this card takes at least, 0 where the ceiling was not measured.
    double least(const cost& c) const {
        const double memory = copy > 0 ? c.bytes / copy : 0, peak = of(c.by), arithmetic = peak > 0 ? c.flop / peak : 0;
        return std::max(memory, arithmetic);
    }
};

/// One contestant of one case. The first of a case is ours; ratio: our time over this one's.
struct figure {
    std::string name, who;
    double seconds = 0, ratio = 1;
    cost needs;
    std::optional<double> goal = {};
    std::optional<double> lowest = {}, highest = {};  ///< of the samples
};

/// A part of the run, or what was left out: what happened, in words.
struct remark {
    std::string part, what;
};

inline std::string json_text(std::string_view s) {
    std::string out = "\"";
    for (const char c : s) {
        if (c == '"' || c == '\\') out += '\\';
        if (static_cast<unsigned char>(c) < 0x20) {
            char code[8];
            std::snprintf(code, sizeof code, "\\u%04x", static_cast<unsigned>(c));
            out += code;
        } else out += c;
    }
    return out + '"';
}
/// A number with six digits; null for what JSON has no number for.
inline std::string json_number(double x) {
    if (!(x - x == 0)) return "null";
    char text[32];
    std::snprintf(text, sizeof text, "%.6g", x);
    return text;
}
inline std::string print(const char* format, double x) {
    char text[32];
    std::snprintf(text, sizeof text, format, x);
    return text;
}
/// In a cell of a table.
inline std::string cell(std::string s) {
    for (char& c : s) c = c == '|' ? '/' : c == '\n' ? ' ' : c;
    return s;
}

struct records {
    std::vector<std::pair<std::string, std::string>> header;
    std::vector<remark> remarks;
    ceilings peak;
    std::vector<figure> figures;

    std::string json() const {
        std::string out = "{\n  \"header\": {";
        for (std::size_t i = 0; i < header.size(); ++i)
            out += (i ? ", " : "") + json_text(header[i].first) + ": " + json_text(header[i].second);
        out += "},\n  \"ceilings\": {\"copy_bytes_s\": " + json_number(peak.copy) + ", \"bf16_flop_s\": " + json_number(peak.bf16) +
               ", \"f32_flop_s\": " + json_number(peak.f32) + ", \"f64_flop_s\": " + json_number(peak.f64) + "},\n  \"remarks\": [";
        for (std::size_t i = 0; i < remarks.size(); ++i)
            out += std::string(i ? "," : "") + "\n    {\"part\": " + json_text(remarks[i].part) + ", \"what\": " + json_text(remarks[i].what) + "}";
        out += "],\n  \"rows\": [";
        for (std::size_t i = 0; i < figures.size(); ++i) {
            const auto& f = figures[i];
            const auto maybe = [](const std::optional<double>& x) { return x ? json_number(*x) : std::string("null"); };
            out += std::string(i ? "," : "") + "\n    {\"case\": " + json_text(f.name) + ", \"who\": " + json_text(f.who) +
                   ", \"seconds\": " + json_number(f.seconds) + ", \"lowest\": " + maybe(f.lowest) + ", \"highest\": " + maybe(f.highest) +
                   ", \"bytes\": " + json_number(f.needs.bytes) + ", \"flop\": " + json_number(f.needs.flop) +
                   ", \"roofline_s\": " + json_number(peak.least(f.needs)) + ", \"ratio\": " + json_number(f.ratio) +
                   ", \"goal\": " + maybe(f.goal) + ", \"met\": " + (f.goal ? f.ratio <= *f.goal ? "true" : "false" : "null") + "}";
        }
        return out + "]\n}\n";
    }

    std::string markdown() const {
        std::string out = "# hrm on a GPU\n\n| | |\n|---|---|\n";
        for (const auto& [key, value] : header) out += "| " + cell(key) + " | " + cell(value) + " |\n";
        const auto ceiling = [&](const char* name, double x, const char* unit) {
            out += std::string("| ") + name + " | " + (x > 0 ? print("%.4g ", x * 1e-12) + unit : "not measured") + " |\n";
        };
        ceiling("copy, read and written", peak.copy, "TB/s");
        ceiling("bf16 products", peak.bf16, "TFLOP/s");
        ceiling("float", peak.f32, "TFLOP/s");
        ceiling("double", peak.f64, "TFLOP/s");
        for (const auto& r : remarks) out += "| " + cell(r.part) + " | " + cell(r.what) + " |\n";
        out += "\nRoofline: each operand moved once at the copy's rate, or the arithmetic at its peak, whichever is longer; a share above\n"
               "100 % was served by the cache. Ratio: ours, the first of a case, over this one.\n\n"
               "| case | who | us | GB/s | TFLOP/s | roofline us | share | ratio | goal | |\n|---|---|---|---|---|---|---|---|---|---|\n";
        for (const auto& f : figures) {
            const double least = peak.least(f.needs);
            const auto rate = [&](double x, double scale) { return x > 0 ? print("%.4g", x / f.seconds * scale) : std::string(); };
            out += "| " + cell(f.name) + " | " + cell(f.who) + " | " + print("%.4g", 1e6 * f.seconds) + " | " + rate(f.needs.bytes, 1e-9) + " | " +
                   rate(f.needs.flop, 1e-12) + " | " + (least > 0 ? print("%.4g", 1e6 * least) : "") + " | " +
                   (least > 0 ? print("%.0f %%", 100 * least / f.seconds) : "") + " | " + print("%.3f", f.ratio) + " | " +
                   (f.goal ? print("%.2f", *f.goal) + " | " + (f.ratio <= *f.goal ? "met" : "missed") : " | ") + " |\n";
        }
        return out;
    }

    /// FOLDER/gpu.json and FOLDER/gpu.md; false if that fails.
    bool write(const std::string& folder) const {
        for (const auto& [name, text] : {std::pair{"/gpu.json", json()}, {"/gpu.md", markdown()}}) {
            std::ofstream file(folder + name);
            file << text;
            file.close();
            if (!file) {
                std::fprintf(stderr, "bench_gpu: cannot write %s%s\n", folder.c_str(), name);
                return false;
            }
        }
        return true;
    }
};

}  // namespace hrm::bench::gpu
