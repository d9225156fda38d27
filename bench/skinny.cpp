// Each product of an adapter alone, beside the same number of products and sums in registers: 1 / ratio is the share of the
// processor's peak.   z = u B^T      y += k s C^T      g = dy C and dC = dy^T s      du += g B and dB = g^T u
// A word after the name keeps the cases that contain it.

#include <hrm/adapter/detail/project.hpp>
#include <hrm/core/matrix.hpp>
#include <hrm/core/random.hpp>

#include "support/harness.hpp"
#include "support/peak.hpp"

namespace {

using hrm::index_t;

void compare(hrm::bench::report& report, index_t d, index_t rank, index_t length) {
    hrm::random_stream r(1);
    const auto random = [&](index_t rows, index_t cols) {
        hrm::matrix<float> m(rows, cols);
        r.fill_normal(m.flat());
        return m;
    };
    const auto u = random(length, d), s = random(length, rank), b = random(rank, d), c = random(d, rank);
    hrm::matrix<float> y(length, d), z(length, rank), db(rank, d), dc(d, rank);
    hrm::workspace ws;
    const double flop = 2.0 * static_cast<double>(length * d * rank);
    const auto name = ", d " + std::to_string(d) + " r " + std::to_string(rank);
    const hrm::bench::point at{"L", static_cast<double>(length)};
    const auto against = [&](double work, double share) {
        return std::vector<hrm::bench::peer>{{"peak", [=] { hrm::bench::peak(work); }, 1 / share}};
    };
    report.compare("in" + name, [&] { hrm::detail::project_in<float>(u, b, z, ws), ws.clear(); }, against(flop, 0.93), at);
    report.compare("out" + name, [&] { hrm::detail::project_out<float>(s, c, 0.5f, y, ws), ws.clear(); }, against(flop, 0.93), at);
    report.compare("out backward" + name, [&] { hrm::detail::output_backward<float>(u, c, s, 1.0f, dc, 1.0f, z, ws), ws.clear(); },
                   against(2 * flop, 0.90), at);
    report.compare("in backward" + name, [&] { hrm::detail::input_backward<float>(s, u, b, db, y, ws), ws.clear(); },
                   against(2 * flop, 0.90), at);
    hrm::bench::keep(y);
}

}  // namespace

int main(int argc, char** argv) {
    hrm::bench::report report("skinny", {.rounds = 9, .budget_s = 3});
    for (const index_t d : {128, 1024, 4096})
        for (const index_t rank : {8, 16, 32, 64})
            for (const index_t length : {512, 2048, 8192}) {
                const auto full = "d " + std::to_string(d) + " r " + std::to_string(rank) + " L " + std::to_string(length) + " ";
                if (argc < 2 || full.find(argv[1]) != std::string::npos) compare(report, d, rank, length);
            }
    return report.finish();
}
