#pragma once

#include <cstdio>
#include <ctime>
#include <fstream>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "page.hpp"
#include "rounds.hpp"

// A benchmark is a list of cases: one piece of work, done by us and by named peers.
//     hrm::bench::report r("gemm", {.threads = 1});
//     r.compare("512 x 4096 x 32", [&] { ours(); }, {{"OpenBLAS", [&] { theirs(); }, 1.0}});
//     r.compare("scan", [&] { ours(); }, {{"copy", [&] { theirs(); }}}, {"L", 512});   // a point of a curve
//     return r.finish();
// Prints a table; finish() writes NAME.json, and NAME.html with curves and ratios.

namespace hrm::bench {

struct peer {
    std::string name;
    std::function<void()> work;
    std::optional<double> goal = {};  ///< met when ours / peer is at most this
    std::function<double(long)> seconds = {};  ///< instead of work, for a peer with a clock of its own: of so many repeats
};

/// Where on a curve a case lies: cases of one name that differ in it are drawn together, time against it.
struct point {
    std::string name;
    double at = 0;
};

/// The compiler must believe that x is read and everything else written: keeps a result that nobody uses.
template <class T>
void keep(const T& x) {
    asm volatile("" : : "r"(&x) : "memory");
}

class report {
public:
    explicit report(std::string name, options how = {}) : name_(std::move(name)), how_(how) {
        const std::time_t now = std::time(nullptr);
        char date[32];
        std::strftime(date, sizeof date, "%Y-%m-%dT%H:%M:%SZ", std::gmtime(&now));
        json_["header"] = {{"machine", machine()}, {"compiler", compiler()}, {"date", date}, {"threads", how.threads}};
        json_["rows"] = nlohmann::json::array();
        std::printf("%s: %s, %s, threads: %d\n", name_.c_str(), machine().c_str(), compiler().c_str(), how.threads);
        std::printf("%-36s %12s %-12s %12s %7s %6s\n", "case", "ours", "peer", "peer", "ratio", "goal");
    }

    /// One row a peer, all from the same rounds.
    void compare(const std::string& name, const std::function<void()>& ours, const std::vector<peer>& peers, const point& where = {}) {
        std::vector<contestant> all{{ours}};
        for (const auto& p : peers) all.push_back({p.work, p.seconds});
        const auto seconds = medians(all, how_);
        for (std::size_t i = 0; i < peers.size(); ++i) row(name, where, seconds[0], peers[i], seconds[i + 1]);
    }

    /// One row for work that nobody else does: its time against a limit in seconds.
    void within(const std::string& name, const std::function<void()>& ours, double limit, int rounds = 3) {
        auto few = how_;
        few.rounds = rounds;
        row(name, {}, medians({{ours}}, few)[0], {"limit", {}, 1.0}, limit);
    }

    /// Writes NAME.json and NAME.html into the benchmarks' build folder. The exit status of main: 0 unless that fails.
    int finish() const {
        const auto path = std::string(HRM_BENCH_OUTPUT) + "/" + name_;
        for (const auto& [ending, text] : {std::pair{".json", json_.dump(2) + "\n"}, {".html", page_of(name_, json_)}}) {
            std::ofstream file(path + ending);
            file << text;
            file.close();
            if (!file) {
                std::fprintf(stderr, "bench: cannot write %s%s\n", path.c_str(), ending);
                return 1;
            }
        }
        std::printf("written to %s.json and .html\n", path.c_str());
        return 0;
    }

private:
    void row(const std::string& name, const point& where, double ours, const peer& p, double theirs) {
        const double ratio = ours / theirs;
        const auto full = where.name.empty() ? name : name + ", " + where.name + " = " + std::to_string(static_cast<long>(where.at));
        nlohmann::json r{{"case", full}, {"ours_s", ours}, {"peer", p.name}, {"peer_s", theirs}, {"ratio", ratio},
                         {"goal", nullptr}, {"met", nullptr}};
        if (!where.name.empty()) r["curve"] = {{"name", name}, {"axis", where.name}, {"at", where.at}};
        std::printf("%-36s %9.2f us %-12s %9.2f us %7.3f", full.c_str(), 1e6 * ours, p.name.c_str(), 1e6 * theirs, ratio);
        if (p.goal) {
            r["goal"] = *p.goal;
            r["met"] = ratio <= *p.goal;
            std::printf(" %6.2f %s", *p.goal, ratio <= *p.goal ? "met" : "missed");
        }
        std::printf("\n");
        std::fflush(stdout);
        json_["rows"].push_back(std::move(r));
    }
    static std::string machine() {
        std::ifstream info("/proc/cpuinfo");
        for (std::string line; std::getline(info, line);)
            if (line.starts_with("model name")) return line.substr(line.find(':') + 2);
        return "an unnamed processor";
    }
    static std::string compiler() {
#if defined(__clang__)
        return std::string("clang ") + __clang_version__;
#else
        return std::string("g++ ") + __VERSION__;
#endif
    }

    std::string name_;
    options how_;
    nlohmann::json json_;
};

}  // namespace hrm::bench
