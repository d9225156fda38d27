// The eigensystem realization algorithm for reduction_agreement.py: reads  N p m rank  and N blocks of p x m numbers from the standard
// input, writes the singular values and A, B, C of era() to the standard output.
//     g++ -std=c++20 -O2 -march=native -isystem /usr/include/eigen3 -Iinclude bench/peers/era.cpp -o build/era

#include <cstdio>
#include <iostream>

#include <hrm/reduction/markov.hpp>

int main() {
    hrm::index_t count = 0, p = 0, m = 0, rank = 0;
    std::cin >> count >> p >> m >> rank;
    std::vector<hrm::matrix<double>> h;
    for (hrm::index_t k = 0; k < count; ++k) {
        h.emplace_back(p, m);
        for (double& x : h.back().flat()) std::cin >> x;
    }
    if (!std::cin) return 1;
    const auto r = hrm::era(h, {.rank = rank, .tolerance = 0});
    const auto write = [](const auto& numbers) {
        for (const double x : numbers) std::printf("%.17g ", x);
        std::printf("\n");
    };
    write(r.sigma);
    for (const auto* x : {&r.system.a.a, &r.system.b, &r.system.c}) write(x->flat());
}
