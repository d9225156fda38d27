#pragma once

#include <memory>

#include <hrm/core/parallel.hpp>
#include <hrm/scan/detail/chunks.hpp>
#include <hrm/scan/engine.hpp>

namespace hrm::scan::detail {

/// Three passes over chunks of time: Kernel::start gives every chunk's last state from zero (and may write its states);
/// the carry runs over the chunks in double; Kernel::finish brings the states to their carry. One task a chunk.
template <class Kernel, class A>
class chunk_engine {
public:
    using S = typename A::scalar;

    chunk_engine(cpu where, const A& a, shape extents, index_t length)
        : team_(std::make_unique<team>(where)), batch_(extents.batch), length_(length),
          kept_(static_cast<std::size_t>(coefficients(a)), nothing<S>), kernel_(a, length, team_->size()),
          carry_(a, extents.batch, (extents.time + length - 1) / length, length),
          gradient_(a, extents.batch, extents.time, team_->size()), adjoint_(a) {}

    team& threads() { return *team_; }

    void states(const A& a, matrix_view<const S> z, matrix_view<S> s, matrix_view<const S> initial,
                matrix_view<S> final) {
        run(a, side::plain, z, s, initial);
        copy_final<S>(s, initial, final, batch_);
    }

    void states_backward(const A& a, matrix_view<const S> s, matrix_view<const S> initial, matrix_view<S> ds,
                         std::span<S> da, matrix_view<S> dinitial, matrix_view<const S> dfinal) {
        add_final<S>(ds, dfinal, batch_);
        run(a, side::adjoint, ds, ds, {});
        gradient_.run(a, s, initial, ds, batch_, da, *team_);
        finish_initial<S>(dinitial, dfinal, ds, batch_, [&](S* state) { adjoint_.apply(a, state); });
    }

private:
    void run(const A& a, side which, matrix_view<const S> z, matrix_view<S> s, matrix_view<const S> initial) {
        const chunk_grid grid{batch_, z.rows / batch_, length_};
        const bool changed = !remember(kept_, a);
        kernel_.prepare(a, which, changed);
        if (changed) carry_.prepare(a);
        team_->run(grid.items(), [&](index_t item, int worker) {
            kernel_.start(a, which, along<const S>(which, grid.slice(z, item)), along(which, grid.slice(s, item)),
                          grid.rows(item), carry_.ends().view().row(item), worker);
        });
        carry_.run(a, which, grid, initial);
        team_->run(grid.items(), [&](index_t item, int worker) {
            kernel_.finish(a, which, along<const S>(which, grid.slice(z, item)), along(which, grid.slice(s, item)),
                           grid.rows(item), carry_.carries().view().row(item), worker);
        });
    }

    std::unique_ptr<team> team_;
    index_t batch_, length_;
    buffer<S> kept_;  ///< the coefficients whose powers are ready
    Kernel kernel_;
    carry_table<A> carry_;
    gradient_pass<A> gradient_;
    adjoint_step<A> adjoint_;
};

}  // namespace hrm::scan::detail
