#pragma once

#include <hrm/scan/detail/batch.hpp>
#include <hrm/scan/engine.hpp>

namespace hrm::scan::detail {

/// Scans of whole sequences by an engine that takes them piece by piece, which is how systems use it (scan/system.hpp):
///     using carried;  running();                 // batch x n, of S or finer: the states of all sequences, the caller's to set
///     begin(a, steps);                           // so many steps with this A are to come
///     advance(a, first, count, z, s);            // the next rows of `count` sequences from `first` on
///     begin_backward(a);
///     retreat(a, first, count, s, before, ds);   // rows before those of the last call: lambda in place, the gradient is summed up;
///                                                // before: count x n, the states before s, or empty (zero)
///     finish_backward(a, da, dinitial);          // da += the sum, dinitial = A^* lambda of the first row
///     piece(rows);                               // a shape of about so many rows: all pieces but the last of a sequence are as long
/// The bits of states and their gradients are those of the whole, wherever it is cut; those of da depend on the cuts.
template <class Engine, class A>
class piecewise {
public:
    using S = typename A::scalar;

    void states(const A& a, matrix_view<const S> z, matrix_view<S> s, matrix_view<const S> initial, matrix_view<S> final) {
        auto& e = static_cast<Engine&>(*this);
        const index_t batch = e.running().rows;
        e.begin(a, z.rows / batch);
        load_rows(e.running(), initial);
        e.advance(a, 0, batch, z, s);
        copy_final<S>(s, initial, final, batch);
    }
    void states_backward(const A& a, matrix_view<const S> s, matrix_view<const S> initial, matrix_view<S> ds, std::span<S> da,
                         matrix_view<S> dinitial, matrix_view<const S> dfinal) {
        auto& e = static_cast<Engine&>(*this);
        const index_t batch = e.running().rows;
        e.begin_backward(a);
        if (s.rows == 0) return load_rows(dinitial, dfinal);
        add_final<S>(ds, dfinal, batch);
        e.retreat(a, 0, batch, s, initial, ds);
        e.finish_backward(a, da, dinitial);
    }
};

}  // namespace hrm::scan::detail
