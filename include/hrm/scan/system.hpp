#pragma once

#include <algorithm>
#include <string>

#include <hrm/core/parallel.hpp>
#include <hrm/linalg/gemm.hpp>
#include <hrm/scan/detail/batch.hpp>
#include <hrm/scan/engine.hpp>

namespace hrm::scan {

/// dL/d(A, B, C, D) of a discrete system, zero when made; every backward adds to it.
/// a: diagonal n; pairs [real q | re k | im k]; dense n x n row-major.   b, c, d: as in the system.
template <structure A>
struct system_gradient {
    using S = typename A::scalar;
    buffer<S> a;
    matrix<S> b, c, d;

    explicit system_gradient(const discrete<A>& system)
        : a(static_cast<std::size_t>(coefficients(system.a))), b(system.b.rows(), system.b.cols()),
          c(system.c.rows(), system.c.cols()), d(system.d.rows(), system.d.cols()) {}
};

/// States at the borders of a forward, batch x n each; empty: zero in, nothing out.
template <real S>
struct forward_borders {
    matrix_view<const S> initial = {};
    matrix_view<S> final = {};
};
/// The same for a backward: the initial state of the forward, its gradient out, the final state's gradient in.
template <real S>
struct backward_borders {
    matrix_view<const S> initial = {};
    matrix_view<S> dinitial = {};
    matrix_view<const S> dfinal = {};
};

/// What a plan's forward keeps for its backward.
enum class keep {
    nothing,  ///< the backward computes the states twice: scratch of a piece and the states at the borders of pieces, L / 64 or fewer a sequence
    states,   ///< of the last forward, batch * time x n, which the backward then is of: the same u and initial state
};

namespace detail {

/// Around the states of an engine: the two skinny products of a system and their adjoints.
///     z = u B^T,  s = scan(z),  y = s C^T + u D^T
///     g = dy C,  lambda = scan^*(g),  du = lambda B + dy D,  dB += lambda^T u,  dC += dy^T s,  dD += dy^T u
/// A piece at a time: a few sequences over a stretch of time, of about 512 rows or one of the engine's chunks, so that scratch
/// does not grow with time; and its products are still in cache. The backward goes through the pieces in reverse, each from
/// the states at its border, which the forward has left (keep::states) or a pass before it finds again (keep::nothing).
template <structure A>
class system_pass {
public:
    using S = typename A::scalar;
    system_pass(const discrete<A>& system, shape extents, keep kept) : extents_(extents), order_(system.order()), keep_(kept) {}

    template <class Engine>
    void forward(Engine& engine, const discrete<A>& system, matrix_view<const S> u, matrix_view<S> y,
                 const forward_borders<S>& borders) {
        const cut pieces(engine, extents_.batch, u.rows);
        make(pieces);
        if (keep_ == keep::states) make_borders(pieces);
        start(engine, system, pieces, borders.initial);
        kept_rows_ = keep_ == keep::states ? u.rows : 0;
        for (index_t b = 0; b < pieces.batch; b += pieces.shape.batch)
            for (index_t t = 0; t < pieces.time; t += pieces.shape.time) {
                const part p = pieces.at(b, t);
                if (keep_ == keep::states) save(engine, p);
                const auto s = advance(engine, system, p, u);
                each(engine, p, [&](index_t at, index_t row, index_t rows) {
                    auto out = y.slice_rows(at, rows);
                    multiply(matrix_view<const S>(s).slice_rows(row, rows), transposed(system.c.view()), out);
                    if (!system.d.empty()) multiply(u.slice_rows(at, rows), transposed(system.d.view()), out, into::add);
                });
                if (p.last && !borders.final.empty()) copy_final<S>(s, {}, borders.final.slice_rows(p.sequence, p.count), p.count);
            }
        if (pieces.time == 0) load_rows(borders.final, borders.initial);
    }

    template <class Engine>
    void backward(Engine& engine, const discrete<A>& system, matrix_view<const S> u, matrix_view<const S> dy,
                  matrix_view<S> du, system_gradient<A>& gradient, const backward_borders<S>& borders) {
        if (keep_ == keep::states && kept_rows_ != u.rows)
            throw shape_error("hrm::scan::plan::backward: the forward before, whose states are kept, had " + std::to_string(kept_rows_) +
                              " rows, expected " + std::to_string(u.rows));
        const cut pieces(engine, extents_.batch, u.rows);
        make(pieces);
        make_borders(pieces);
        grow(adjoint_, most_rows(pieces));
        grow(before_, pieces.shape.batch);
        if (keep_ == keep::nothing) start(engine, system, pieces, borders.initial);
        engine.begin_backward(system.a);
        for (index_t b = 0; b < pieces.batch; b += pieces.shape.batch) {
            if (keep_ == keep::nothing)
                for (index_t t = 0; t < pieces.time; t += pieces.shape.time) save(engine, pieces.at(b, t)), advance(engine, system, pieces.at(b, t), u);
            for (index_t t = pieces.last(); t >= 0; t -= pieces.shape.time) {
                const part p = pieces.at(b, t);
                if (keep_ == keep::nothing && !p.last) load(engine, p), advance(engine, system, p, u);
                retreat(engine, system, p, u, dy, du, gradient, borders.dfinal);
            }
        }
        if (pieces.time > 0) engine.finish_backward(system.a, gradient.a, borders.dinitial);
        else load_rows(borders.dinitial, borders.dfinal);
    }

private:
    /// `count` sequences over `rows` steps.
    struct part {
        index_t sequence, count, first, rows, time, index;
        bool last;  ///< in time
        index_t size() const { return count * rows; }
        index_t at(index_t b) const { return (sequence + b) * time + first; }  ///< row of the whole, of sequence b of the part
        index_t kept() const { return sequence * time + first * count; }       ///< where its states are kept, side by side
    };
    struct cut {
        index_t batch, time;
        scan::shape shape;
        template <class Engine>
        cut(const Engine& engine, index_t batch_, index_t rows) : batch(batch_), time(rows / batch_), shape(engine.piece(piece_rows)) {}
        part at(index_t b, index_t t) const {
            return {b, std::min(shape.batch, batch - b), t, std::min(shape.time, time - t), time, t / shape.time, t + shape.time >= time};
        }
        index_t last() const { return time ? (time - 1) / shape.time * shape.time : -1; }
    };

    /// Scratch for calls of any length: the first one makes it.
    template <class T>
    void grow(matrix<T>& m, index_t rows) {
        if (m.rows() < rows) m = matrix<T>(rows, order_);
    }
    index_t most_rows(const cut& pieces) const { return pieces.shape.batch * std::min(pieces.shape.time, extents_.time); }
    void make(const cut& pieces) { grow(states_, keep_ == keep::states ? extents_.batch * extents_.time : most_rows(pieces)); }
    void make_borders(const cut& pieces) {
        grow(borders_, extents_.batch * ((extents_.time + pieces.shape.time - 1) / pieces.shape.time));
    }
    template <class Engine>
    void start(Engine& engine, const discrete<A>& system, const cut& pieces, matrix_view<const S> initial) {
        engine.begin(system.a, pieces.time);
        load_rows(engine.running(), initial);
    }
    matrix_view<double> border(const part& p) { return borders_.view().slice_rows(p.index * extents_.batch + p.sequence, p.count); }
    template <class Engine>
    void save(Engine& engine, const part& p) {
        load_rows(border(p), engine.running().slice_rows(p.sequence, p.count));
    }
    template <class Engine>
    void load(Engine& engine, const part& p) {
        load_rows(engine.running().slice_rows(p.sequence, p.count), border(p));
    }
    matrix_view<S> states(const part& p) { return states_.view().slice_rows(keep_ == keep::states ? p.kept() : 0, p.size()); }

    /// The states of a part, and what runs on to the next.
    template <class Engine>
    matrix_view<S> advance(Engine& engine, const discrete<A>& system, const part& p, matrix_view<const S> u) {
        const auto s = states(p);
        each(engine, p, [&](index_t at, index_t row, index_t rows) {
            multiply(u.slice_rows(at, rows), transposed(system.b.view()), s.slice_rows(row, rows));
        });
        engine.advance(system.a, p.sequence, p.count, s, s);
        return s;
    }
    template <class Engine>
    void retreat(Engine& engine, const discrete<A>& system, const part& p, matrix_view<const S> u, matrix_view<const S> dy, matrix_view<S> du,
                 system_gradient<A>& gradient, matrix_view<const S> dfinal) {
        const auto before = before_.view().slice_rows(0, p.count), lambda = adjoint_.view().slice_rows(0, p.size());
        const matrix_view<const S> s = states(p);
        load_rows(before, border(p));
        each(engine, p, [&](index_t at, index_t row, index_t rows) {
            multiply(dy.slice_rows(at, rows), system.c.view(), lambda.slice_rows(row, rows));
        });
        if (p.last && !dfinal.empty()) add_final<S>(lambda, dfinal.slice_rows(p.sequence, p.count), p.count);
        engine.retreat(system.a, p.sequence, p.count, s, before, lambda);
        if (!du.empty())
            each(engine, p, [&](index_t at, index_t row, index_t rows) {
                auto out = du.slice_rows(at, rows);
                multiply(matrix_view<const S>(lambda).slice_rows(row, rows), system.b.view(), out);
                if (!system.d.empty()) multiply(dy.slice_rows(at, rows), system.d.view(), out, into::add);
            });
        columns(engine, u.cols, [&](index_t first, index_t count) {
            for (index_t b = 0; b < p.count; ++b) {
                const auto in = u.slice_rows(p.at(b), p.rows).slice_cols(first, count);
                multiply(transposed(lambda.slice_rows(b * p.rows, p.rows)), in, gradient.b.view().slice_cols(first, count), into::add);
                if (!system.d.empty())
                    multiply(transposed(dy.slice_rows(p.at(b), p.rows)), in, gradient.d.view().slice_cols(first, count), into::add);
            }
        });
        columns(engine, dy.cols, [&](index_t first, index_t count) {
            for (index_t b = 0; b < p.count; ++b)
                multiply(transposed(dy.slice_rows(p.at(b), p.rows).slice_cols(first, count)), s.slice_rows(b * p.rows, p.rows),
                         gradient.c.view().slice_rows(first, count), into::add);
        });
    }

    /// f(rows of the whole, as many rows of the part), shared out: a row of a product does not depend on those beside it.
    template <class Engine, class F>
    static void each(Engine& engine, const part& p, F&& f) {
        const index_t share = std::max<index_t>(64, (p.size() + engine.threads().size() - 1) / engine.threads().size());
        const index_t block = std::min(p.rows, share), blocks = (p.rows + block - 1) / block;
        engine.threads().run(p.count * blocks, [&](index_t item, int) {
            const index_t b = item / blocks, first = item % blocks * block;
            f(p.at(b) + first, b * p.rows + first, std::min(block, p.rows - first));
        });
    }
    /// f(first, count) of columns of a gradient.
    template <class Engine, class F>
    static void columns(Engine& engine, index_t size, F&& f) {
        constexpr index_t block = 256;
        engine.threads().run((size + block - 1) / block, [&](index_t item, int) {
            f(item * block, std::min(block, size - item * block));
        });
    }

    static constexpr index_t piece_rows = 512;
    shape extents_;
    index_t order_;
    keep keep_;
    index_t kept_rows_ = 0;
    matrix<S> states_;          ///< of a piece, or of the whole, piece by piece
    matrix<S> adjoint_, before_;  ///< lambda of a piece; the states before it
    matrix<double> borders_;    ///< the states at the start of every piece: [piece in time][sequence]
};

/// A plan made from a structure alone has no products to do.
struct no_system_pass {
    template <class System>
    no_system_pass(const System&, shape, keep) {}
};

}  // namespace detail
}  // namespace hrm::scan
