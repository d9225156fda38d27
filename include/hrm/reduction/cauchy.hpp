#pragma once

#include <algorithm>

#include <hrm/reduction/detail/cauchy_elimination.hpp>

namespace hrm {

/// L with L L^T = the controllability Gramian, planar real states: order x rank, columns in order of elimination.
/// Stops when what remains is below tolerance^2 of the largest diagonal entry; 0 goes on to the end. O(n m rank).
/// Poles must lie in the domain: the caller checks, since only it can name them.
template <class Domain>
matrix<double> cauchy_factor(const modal_rows& system, double tolerance = 0) {
    detail::cauchy_elimination<Domain> work(system);
    const double floor = work.pivot().first * tolerance * tolerance;
    while (work.rank() < system.order()) {
        const auto [size, p] = work.pivot();
        if (p < 0 || size <= floor) break;
        work.eliminate(p);
    }
    matrix<double> l(system.order(), work.rank());
    for (index_t first = 0; first < l.cols(); first += 8)  // a cache line of l at a time
        for (index_t i = 0; i < l.rows(); ++i)
            for (index_t j = first; j < std::min(l.cols(), first + 8); ++j) l(i, j) = work.column(j)[i];
    return l;
}

}  // namespace hrm
