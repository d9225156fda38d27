#pragma once

#include <hrm/scan/algorithm.hpp>
#include <hrm/scan/detail/chunk_engine.hpp>
#include <hrm/scan/detail/wide_recurrence.hpp>

namespace hrm::scan {
namespace detail {

/// The recurrence inside a chunk, run twice: for its last state alone, then from its carry. Poles run in double.
template <class A>
class recurrence_kernel {
public:
    using S = typename A::scalar;
    static constexpr index_t together = 1;
    recurrence_kernel(const A& a, index_t, int workers) : states_(workers, a.order()) {}

    void prepare(const A&) {}
    void turn(const A&, side) {}
    void start(const A& a, side which, std::span<const chunk_piece<S>> one, int) {
        std::fill_n(one[0].edge, a.order(), 0.0);
        recur_wide<S>(modes<S>(a), which, one[0].z, {}, one[0].rows, one[0].edge);
    }
    void finish(const A& a, side which, std::span<const chunk_piece<S>> one, int worker) {
        double* state = states_.view().row(worker);
        std::copy_n(one[0].edge, a.order(), state);
        recur_wide<S>(modes<S>(a), which, one[0].z, one[0].s, one[0].rows, state);
    }

private:
    matrix<double> states_;  ///< a worker's
};

/// A dense A rounds its states to S as the sequential engine does; chunks run in lockstep, so that A is read once for all.
template <real S>
class recurrence_kernel<dense<S>> {
public:
    using A = dense<S>;
    static constexpr index_t together = 8;
    recurrence_kernel(const A& a, index_t, int workers) : n_(a.order()), panels_(n_), states_(2 * together * workers, n_) {}

    void prepare(const A&) {}
    void turn(const A& a, side which) { panels_.fill(a.a, which); }
    void start(const A&, side, std::span<const chunk_piece<S>> pieces, int worker) {
        for (const auto& p : pieces) std::fill_n(p.edge, n_, 0.0);
        run(pieces, worker, true);
    }
    void finish(const A&, side, std::span<const chunk_piece<S>> pieces, int worker) { run(pieces, worker, false); }

private:
    void run(std::span<const chunk_piece<S>> pieces, int worker, bool ends) {
        std::array<dense_track<S>, static_cast<std::size_t>(together)> tracks;
        for (std::size_t i = 0; i < pieces.size(); ++i) {
            const auto& p = pieces[i];
            double* x = states_.view().row(2 * (worker * together + static_cast<index_t>(i)));
            std::copy_n(p.edge, n_, x);
            tracks[i] = {p.z, ends ? track<S>{} : p.s, p.rows, x, x + n_, ends ? p.edge : nullptr};
        }
        panels_.recur(std::span(tracks).first(pieces.size()));
    }
    index_t n_;
    dense_panels<S> panels_;  ///< of A, or of A^T on the adjoint side
    matrix<double> states_;   ///< a worker's
};

}  // namespace detail

/// Reads z twice and writes s once, the states and the carry in double: errors do not grow, and one sequence keeps many
/// threads busy.
template <class A>
    requires detail::has_modes<A> || detail::is_dense<A>
class engine<cpu, chunked, A> : public detail::chunk_engine<detail::recurrence_kernel<A>, A> {
public:
    /// The default: long enough that the carry costs nothing, short enough that z is still in cache when read again.
    static constexpr index_t usual_length = 256;

    engine(cpu where, chunked how, const A& a, shape extents)
        : detail::chunk_engine<detail::recurrence_kernel<A>, A>(where, a, extents, length(how)) {}
    std::string_view algorithm() const { return "chunked"; }

private:
    static index_t length(chunked how) {
        const index_t asked = detail::requested_length(how);
        return asked > 0 ? asked : usual_length;
    }
};

}  // namespace hrm::scan
