#pragma once

#include <memory>

#include <hrm/core/parallel.hpp>
#include <hrm/scan/detail/chunks.hpp>
#include <hrm/scan/engine.hpp>

namespace hrm::scan::detail {

/// Three passes over each wave of chunks: Kernel::start gives every chunk's last state from zero (and may write its
/// states); the carry runs over the chunks in double; Kernel::finish brings the states to their carry. One task a chunk;
/// one thread takes a chunk at a time, which is then still in cache when it is finished.
template <class Kernel, class A>
class chunk_engine {
public:
    using S = typename A::scalar;

    chunk_engine(cpu where, const A& a, shape extents, index_t length)
        : team_(std::make_unique<team>(where)), batch_(extents.batch), length_(length),
          kept_(static_cast<std::size_t>(coefficients(a)), nothing<S>), kernel_(a, length, team_->size()),
          carry_(a, wave(), length), gradient_(a, is_dense<A> ? team_->size() : wave(), team_->size()), adjoint_(a) {}

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
        if (const bool same = remember(kept_, a); !same || !ready_) {
            ready_ = false;  // what follows may throw
            kernel_.prepare(a);
            carry_.prepare(a);
            ready_ = true;
        }
        kernel_.turn(a, which);
        for (index_t first = 0, count; first < grid.items(); first += count) {
            count = std::min(carry_.wave(), grid.items() - first);
            auto each = [&](auto&& f) {
                team_->run(count, [&](index_t turn, int worker) {
                    const index_t item = grid.at(which, first + turn);
                    f(along<const S>(which, grid.slice(z, item)), along(which, grid.slice(s, item)), grid.rows(item), turn, worker);
                });
            };
            each([&](track<const S> in, track<S> out, index_t rows, index_t turn, int worker) {
                kernel_.start(a, which, in, out, rows, carry_.ends().view().row(turn), worker);
            });
            carry_.run(a, which, grid, initial, first, count);
            each([&](track<const S> in, track<S> out, index_t rows, index_t turn, int worker) {
                kernel_.finish(a, which, in, out, rows, carry_.carries().view().row(turn), worker);
            });
        }
    }
    /// Threads meet twice a wave, which costs them some 20 us: waves of 32768 steps.
    index_t wave() const { return team_->size() == 1 ? 1 : std::max<index_t>(8 * team_->size(), 32768 / length_); }

    std::unique_ptr<team> team_;
    index_t batch_, length_;
    buffer<S> kept_;      ///< the coefficients whose powers are ready
    bool ready_ = false;  ///< whether they are
    Kernel kernel_;
    carry_table<A> carry_;
    gradient_pass<A> gradient_;
    adjoint_step<A> adjoint_;
};

}  // namespace hrm::scan::detail
