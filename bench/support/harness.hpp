#pragma once

#include <algorithm>
#include <cstdio>
#include <ctime>
#include <fstream>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

// A benchmark is a list of cases: one piece of work, done by us and by named peers.
//     hrm::bench::report r("gemm", {.threads = 1});
//     r.compare("512 x 4096 x 32", [&] { ours(); }, {{"OpenBLAS", [&] { theirs(); }, 1.0}});
//     return r.finish();
// Machines drift and are shared: only times taken side by side compare. So every round runs each contestant once, the
// order turning from round to round, and the median over the rounds is what is shown. One thread is timed by the
// processor's clock, which stops while a neighbour has the core; several by the wall's.

namespace hrm::bench {

struct options {
    int threads = 1;         ///< what the contestants were told; printed, and stored in the header
    int rounds = 21;         ///< samples of each contestant
    double sample_s = 4e-3;  ///< a sample repeats its work until it lasts so long
    double budget_s = 30;    ///< rounds end after so long, though never before the third
};

struct peer {
    std::string name;
    std::function<void()> work;
    std::optional<double> goal = {};  ///< met when ours / peer is at most this
    std::function<double(long)> seconds = {};  ///< instead of work, for a peer with a clock of its own: of so many repeats
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
    void compare(const std::string& name, const std::function<void()>& ours, const std::vector<peer>& peers) {
        std::vector<contestant> all{calibrated([&](long repeats) { return seconds(ours, repeats); })};
        for (const auto& p : peers) all.push_back(calibrated(p.seconds ? p.seconds : [&](long repeats) { return seconds(p.work, repeats); }));
        const double start = now();
        for (int round = 0; round < how_.rounds && (round < 3 || now() - start < how_.budget_s); ++round)
            for (std::size_t i = 0; i < all.size(); ++i) {
                auto& c = all[(i + static_cast<std::size_t>(round)) % all.size()];
                c.samples.push_back(c.seconds(c.repeats) / static_cast<double>(c.repeats));
            }
        const double mine = median(all[0].samples);
        for (std::size_t i = 0; i < peers.size(); ++i) row(name, mine, peers[i], median(all[i + 1].samples));
    }

    /// One row for work that nobody else does: its time against a limit in seconds.
    void within(const std::string& name, const std::function<void()>& ours, double limit, int rounds = 3) {
        std::vector<double> samples;
        for (int i = 0; i < rounds; ++i) samples.push_back(seconds(ours, 1));
        row(name, median(samples), {"limit", {}, 1.0}, limit);
    }

    /// Writes NAME.json into the benchmarks' build folder. The exit status of main: 0 unless the file cannot be written.
    int finish() const {
        const std::string path = std::string(HRM_BENCH_OUTPUT) + "/" + name_ + ".json";
        std::ofstream file(path);
        file << json_.dump(2) << '\n';
        file.close();
        if (!file) {
            std::fprintf(stderr, "bench: cannot write %s\n", path.c_str());
            return 1;
        }
        std::printf("written to %s\n", path.c_str());
        return 0;
    }

private:
    struct contestant {
        std::function<double(long)> seconds;
        long repeats;
        std::vector<double> samples;
    };

    double now() const {
        std::timespec t;
        clock_gettime(how_.threads == 1 ? CLOCK_PROCESS_CPUTIME_ID : CLOCK_MONOTONIC, &t);
        return static_cast<double>(t.tv_sec) + 1e-9 * static_cast<double>(t.tv_nsec);
    }
    double seconds(const std::function<void()>& work, long repeats) const {
        const double start = now();
        for (long i = 0; i < repeats; ++i) work();
        return now() - start;
    }
    contestant calibrated(std::function<double(long)> of) const {
        of(1);  // first touch of its memory
        long repeats = 1;
        while (of(repeats) < how_.sample_s) repeats *= 2;
        return {std::move(of), repeats, {}};
    }
    static double median(std::vector<double> x) {
        const auto middle = x.begin() + static_cast<std::ptrdiff_t>(x.size() / 2);
        std::nth_element(x.begin(), middle, x.end());
        return *middle;
    }
    void row(const std::string& name, double ours, const peer& p, double theirs) {
        const double ratio = ours / theirs;
        nlohmann::json r{{"case", name}, {"ours_s", ours}, {"peer", p.name}, {"peer_s", theirs}, {"ratio", ratio},
                         {"goal", nullptr}, {"met", nullptr}};
        std::printf("%-36s %9.2f us %-12s %9.2f us %7.3f", name.c_str(), 1e6 * ours, p.name.c_str(), 1e6 * theirs, ratio);
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
