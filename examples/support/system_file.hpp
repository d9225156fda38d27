#pragma once

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <string>
#include <vector>

#include <hrm/io/matrix_market.hpp>
#include <hrm/io/safetensors.hpp>
#include <hrm/systems/convert.hpp>
#include <hrm/systems/descriptor.hpp>

#include "checks.hpp"
#if defined(HRM_HAS_MATIO)
#include <hrm/io/matlab.hpp>
#endif

// Linear systems in files: safetensors, Matrix Market (a folder, or a file a matrix), MATLAB.

namespace hrm::examples {

/// textbook: x_{k+1} = A x_k + B u_k, y_k = C x_k + D u_k. discrete: the library's own, whose current input enters at once.
enum class time_kind { unsaid, continuous, discrete, textbook };

inline const char* name(time_kind t) {
    return t == time_kind::continuous ? "continuous" : t == time_kind::discrete ? "discrete" : t == time_kind::textbook ? "textbook" : "unsaid";
}

struct system_file {
    matrix<double> a, b, c, d, e;  ///< d, e may be empty
    time_kind time = time_kind::unsaid;
    double step = 0;  ///< of a discrete system, where the file gave one
    std::string format = "made";  ///< "safetensors", "mtx", "mat"
};

/// A dense A of this order takes 72 MB, and minutes.
inline constexpr index_t most_states = 3000;

namespace detail {

namespace fs = std::filesystem;

[[noreturn]] inline void refuse(const std::string& what) { throw io_error("reduce: " + what); }

/// The matrix a file holds, from its name: A.mtx, fom.B.mtx, rail_1357_c60.E; 0 where that does not say.
inline char letter_of(const std::string& path) {
    auto stem = fs::path(path).filename().string();
    for (const std::string_view end : {".mtx", ".mm", ".gz"})
        if (stem.size() > end.size() && stem.ends_with(end)) stem.resize(stem.size() - end.size());
    const auto cut = stem.find_last_of("._-");
    const auto last = cut == stem.npos ? stem : stem.substr(cut + 1);
    return last.size() == 1 && last[0] >= 'A' && last[0] <= 'E' ? last[0] : '\0';
}

inline matrix<double>& part(system_file& s, char letter) {
    return letter == 'A' ? s.a : letter == 'B' ? s.b : letter == 'C' ? s.c : letter == 'D' ? s.d : s.e;
}

inline void check_order(index_t n, const std::string& where) {
    if (n > most_states)
        refuse(where + " has " + std::to_string(n) + " states, at most " + std::to_string(most_states) + " are read into a dense A");
}

inline system_file read_market(const std::vector<std::string>& paths) {
    system_file s;
    s.format = "mtx";
    std::string given;
    for (std::size_t i = 0; i < paths.size(); ++i) {
        const auto file = matrix_market_file::read(paths[i]);
        char letter = letter_of(paths[i]);
        if (!letter && i < 5) letter = static_cast<char>('A' + i);  // in the order given
        if (!letter || given.find(letter) != given.npos) refuse("two files for " + std::string(1, letter ? letter : '?') + ": " + paths[i]);
        given += letter;
        if (letter == 'A') check_order(std::max(file.rows(), file.cols()), paths[i]);
        part(s, letter) = file.to_dense();
        for (const auto& c : file.comments())
            for (const auto t : {time_kind::continuous, time_kind::textbook})
                if (letter == 'A' && c == std::string(" hrm: ") + name(t)) s.time = t;
    }
    for (const char need : {'A', 'B', 'C'})
        if (given.find(need) == given.npos) refuse("no matrix " + std::string(1, need) + " among the Matrix Market files (" + given + " given)");
    return s;
}

inline system_file read_market_folder(const std::string& path) {
    std::vector<std::string> files;
    for (const auto& entry : fs::directory_iterator(path)) {
        const auto name = entry.path().string();
        if (name.ends_with(".mtx") && letter_of(name)) files.push_back(name);
    }
    std::sort(files.begin(), files.end());
    if (files.empty()) refuse(path + " holds no A.mtx, B.mtx, C.mtx");
    return read_market(files);
}

inline system_file read_safetensors(const std::string& path) {
    const auto file = tensor_file::read(path);
    system_file s;
    s.format = "safetensors";
    if (file.contains("poles")) {
        const auto poles = file.to_matrix<double>("poles");
        check_order(poles.size(), path);
        s.a = to_dense(diagonal<double>{{poles.flat().begin(), poles.flat().end()}});
    } else {
        s.a = file.to_matrix<double>("A");
        check_order(s.a.rows(), path);
    }
    s.b = file.to_matrix<double>("B");
    s.c = file.to_matrix<double>("C");
    if (file.contains("D")) s.d = file.to_matrix<double>("D");
    if (file.contains("E")) s.e = file.to_matrix<double>("E");
    s.time = time_kind::discrete;
    if (const auto said = file.metadata().find("time"); said != file.metadata().end()) {
        if (said->second == "continuous") s.time = time_kind::continuous;
        else if (said->second == "textbook") s.time = time_kind::textbook;
        else if (said->second != "discrete") refuse(path + " says its time is \"" + said->second + "\", expected continuous, discrete or textbook");
    }
    return s;
}

inline constexpr const char* no_matlab = "this build cannot handle MATLAB files: install matio (Debian: apt-get install libmatio-dev) and build again";

inline system_file read_mat([[maybe_unused]] const std::string& path) {
#if defined(HRM_HAS_MATIO)
    const matlab_file file(path);
    system_file s;
    s.format = "mat";
    const auto most = static_cast<std::size_t>(most_states * most_states);
    s.a = file.to_matrix("A", most);
    check_order(s.a.rows(), path);
    s.b = file.to_matrix("B", most);
    s.c = file.to_matrix("C", most);
    if (file.contains("D")) s.d = file.to_matrix("D", most);
    if (file.contains("E")) s.e = file.to_matrix("E", most);
    if (file.contains("Ts")) {
        const auto step = file.to_matrix("Ts", 1);
        if (step.size() == 1) s.step = step(0, 0), s.time = s.step == 0 ? time_kind::continuous : time_kind::textbook;
        if (!std::isfinite(s.step) || (s.step < 0 && s.step != -1))
            refuse(path + ": Ts is " + std::to_string(s.step) + ", expected 0 (continuous), a step above 0, or -1 (discrete, of a step nobody said)");
    }
    return s;
#else
    refuse(no_matlab);
#endif
}

}  // namespace detail

/// Whether a path is to hold this format; any other is a folder of Matrix Market files.
inline std::string format_of(std::string path) {
    std::transform(path.begin(), path.end(), path.begin(), [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
    return path.ends_with(".safetensors") ? "safetensors" : path.ends_with(".mat") ? "mat" : "mtx";
}

/// Whether this is what save_adapters writes.
inline bool is_adapter_file(const std::string& path) {
    return format_of(path) == "safetensors" && file_exists(path) && tensor_file::read(path).metadata().contains("adapters");
}

/// Reads and checks a system. A time the user states wins over none, and contradicts none.
inline system_file read_system(const std::vector<std::string>& paths, time_kind stated) {
    auto s = paths.size() > 1                          ? detail::read_market(paths)
             : std::filesystem::is_directory(paths[0]) ? detail::read_market_folder(paths[0])
             : format_of(paths[0]) == "mat"            ? detail::read_mat(paths[0])
             : format_of(paths[0]) == "safetensors"    ? detail::read_safetensors(paths[0])
                                                       : detail::read_market(paths);
    const bool library = s.format == "safetensors";
    if (stated == time_kind::continuous && (s.time == time_kind::unsaid || library)) s.time = stated;
    if (stated == time_kind::discrete && s.time == time_kind::unsaid) s.time = time_kind::textbook;
    if (s.time == time_kind::unsaid) detail::refuse(paths[0] + " does not say whether time is continuous or discrete: add --continuous or --discrete");
    if (stated != time_kind::unsaid && (stated == time_kind::continuous) != (s.time == time_kind::continuous))
        detail::refuse(paths[0] + " says it is " + name(s.time) + ", the command line " + name(stated));
    for (const char letter : {'A', 'B', 'C', 'D', 'E'})
        for (double x : detail::part(s, letter).flat())
            if (!std::isfinite(x)) throw numerical_error("reduce: " + paths[0] + ": " + letter + " holds " + (std::isnan(x) ? "NaN" : "an infinite number"));
    continuous<dense<double>> g{{std::move(s.a)}, std::move(s.b), std::move(s.c), s.d};
    try {
        g.check();
        if (!s.e.empty()) g = explicit_form(s.e, g);
    } catch (const error& e) {
        const std::string what = e.what();  // "hrm::continuous: B is ..."
        throw shape_error("reduce: " + paths[0] + what.substr(std::min(what.find(": "), what.size())));
    }
    s.a = std::move(g.a.a);
    s.b = std::move(g.b);
    s.c = std::move(g.c);
    return s;
}

/// Refuses a place that cannot be written, or that is an input, before any work is done.
inline void require_writable(const std::string& path, const std::vector<std::string>& inputs, bool system) {
    namespace fs = std::filesystem;
    std::error_code none;
    for (const auto& in : inputs)
        if (fs::equivalent(in, path, none)) detail::refuse(path + " is the input: it would be overwritten");
#if !defined(HRM_HAS_MATIO)
    if (system && format_of(path) == "mat") detail::refuse(detail::no_matlab);
#endif
    if (!system || format_of(path) != "mtx") return require_place(path);
    if (!fs::exists(path, none)) return;  // the folder is made, and those above it
    if (!fs::is_directory(path, none)) detail::refuse(path + " is no folder, and no .safetensors or .mat");
    for (const auto& entry : fs::directory_iterator(path))
        if (detail::letter_of(entry.path().string()) == 'E') detail::refuse(path + " holds an E from elsewhere: " + entry.path().filename().string());
    require_place(path + "/A.mtx");
}

inline void write_system(const system_file& s, const std::string& path) {
    const auto d = s.d.empty() ? matrix<double>(s.c.rows(), s.b.cols()) : s.d;  // always: a stale one must not stay beside it
    if (format_of(path) == "safetensors") {
        tensor_writer file;
        file.metadata["time"] = name(s.time);
        file.add("A", s.a.view());
        file.add("B", s.b.view());
        file.add("C", s.c.view());
        file.add("D", d.view());
        file.save(path);
    } else if (format_of(path) == "mat") {
#if defined(HRM_HAS_MATIO)
        write_matlab(path, {{"A", s.a}, {"B", s.b}, {"C", s.c}, {"D", d}, {"Ts", matrix<double>{{s.time == time_kind::continuous ? 0 : s.step != 0 ? s.step : -1}}}});
#else
        detail::refuse(detail::no_matlab);
#endif
    } else {
        std::error_code why;
        std::filesystem::create_directories(path, why);
        if (why) throw io_error("reduce: " + path + ": " + why.message());
        const std::vector<std::string> comment{std::string(" hrm: ") + name(s.time)};
        for (const auto& [letter, m] : {std::pair{"A", &s.a}, {"B", &s.b}, {"C", &s.c}, {"D", &d}})
            write_matrix_market(path + "/" + letter + ".mtx", *m, market_layout::automatic, comment);
    }
}

}  // namespace hrm::examples
