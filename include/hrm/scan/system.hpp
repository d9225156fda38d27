#pragma once

#include <algorithm>

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

namespace detail {

/// Around the states of an engine: the two skinny products of a system and their adjoints.
///     z = u B^T,  s = scan(z),  y = s C^T + u D^T
///     g = dy C,  lambda = scan^*(g),  du = lambda B + dy D,  dB += lambda^T u,  dC += dy^T s,  dD += dy^T u
/// Cut by rows, or where rows are summed by columns of the result, in blocks of fixed size. The forward takes a piece of
/// time after the other, so that its scratch does not grow with time; the backward keeps the states and their adjoints of
/// the whole (made at its first call).
template <structure A>
class system_pass {
public:
    using S = typename A::scalar;
    system_pass(const discrete<A>& system, shape extents)
        : batch_(extents.batch), piece_(std::min(extents.time, std::max<index_t>(256, 4096 / extents.batch))),
          states_(batch_ * piece_, system.order()), running_(batch_, system.order()) {}

    template <class Engine>
    void forward(Engine& engine, const discrete<A>& system, matrix_view<const S> u, matrix_view<S> y,
                 const forward_borders<S>& borders) {
        const index_t time = u.rows / batch_;
        load_rows(running_, borders.initial);
        for (index_t start = 0, count; start < time; start += count) {
            count = std::min(piece_, time - start);
            const auto s = states_.view().slice_rows(0, batch_ * count);
            // f(rows of the whole, as many rows of the piece)
            auto each = [&](auto&& f) {
                const index_t blocks = (count + block - 1) / block;
                engine.threads().run(batch_ * blocks, [&](index_t item, int) {
                    const index_t b = item / blocks, first = item % blocks * block, rows = std::min(block, count - first);
                    f(b * time + start + first, b * count + first, rows);
                });
            };
            each([&](index_t at, index_t row, index_t rows) {
                multiply(u.slice_rows(at, rows), transposed(system.b.view()), s.slice_rows(row, rows));
            });
            engine.states(system.a, s, s, running_, running_);
            each([&](index_t at, index_t row, index_t rows) {
                auto out = y.slice_rows(at, rows);
                multiply(matrix_view<const S>(s).slice_rows(row, rows), transposed(system.c.view()), out);
                if (!system.d.empty()) multiply(u.slice_rows(at, rows), transposed(system.d.view()), out, into::add);
            });
        }
        for (index_t b = 0; b < batch_ && !borders.final.empty(); ++b)
            std::copy_n(running_.view().row(b), running_.cols(), borders.final.row(b));
    }

    template <class Engine>
    void backward(Engine& engine, const discrete<A>& system, matrix_view<const S> u, matrix_view<const S> dy,
                  matrix_view<S> du, system_gradient<A>& gradient, const backward_borders<S>& borders) {
        for (auto* kept : {&kept_, &adjoint_})
            if (kept->rows() < u.rows) *kept = matrix<S>(u.rows, system.order());
        const auto s = run_states(engine, system, u, borders.initial);
        const auto lambda = adjoint_.view().slice_rows(0, u.rows);
        rows(engine, u.rows, [&](index_t first, index_t count) {
            multiply(dy.slice_rows(first, count), system.c.view(), lambda.slice_rows(first, count));
        });
        engine.states_backward(system.a, s, borders.initial, lambda, gradient.a, borders.dinitial, borders.dfinal);
        if (!du.empty())
            rows(engine, u.rows, [&](index_t first, index_t count) {
                auto out = du.slice_rows(first, count);
                multiply(matrix_view<const S>(lambda).slice_rows(first, count), system.b.view(), out);
                if (!system.d.empty()) multiply(dy.slice_rows(first, count), system.d.view(), out, into::add);
            });
        columns(engine, u.cols, [&](index_t first, index_t count) {
            const auto part = u.slice_cols(first, count);
            multiply(transposed(lambda), part, gradient.b.view().slice_cols(first, count), into::add);
            if (!system.d.empty())
                multiply(transposed(dy), part, gradient.d.view().slice_cols(first, count), into::add);
        });
        columns(engine, dy.cols, [&](index_t first, index_t count) {
            multiply(transposed(dy.slice_cols(first, count)), s, gradient.c.view().slice_rows(first, count), into::add);
        });
    }

private:
    template <class Engine>
    matrix_view<const S> run_states(Engine& engine, const discrete<A>& system, matrix_view<const S> u,
                                    matrix_view<const S> initial) {
        const auto s = kept_.view().slice_rows(0, u.rows);
        rows(engine, u.rows, [&](index_t first, index_t count) {
            multiply(u.slice_rows(first, count), transposed(system.b.view()), s.slice_rows(first, count));
        });
        engine.states(system.a, s, s, initial, {});
        return s;
    }
    template <class Engine, class F>
    static void cut(Engine& engine, index_t size, index_t piece, F&& f) {
        engine.threads().run((size + piece - 1) / piece, [&](index_t item, int) {
            f(item * piece, std::min(piece, size - item * piece));
        });
    }
    template <class Engine, class F>
    static void rows(Engine& engine, index_t size, F&& f) {
        cut(engine, size, block, f);
    }
    template <class Engine, class F>
    static void columns(Engine& engine, index_t size, F&& f) {
        cut(engine, size, 256, f);
    }

    static constexpr index_t block = 512;
    index_t batch_, piece_;
    matrix<S> states_, running_;  ///< of a piece; at its borders
    matrix<S> kept_, adjoint_;    ///< of the whole, for backward
};

/// A plan made from a structure alone has no products to do.
struct no_system_pass {
    template <class System>
    no_system_pass(const System&, shape) {}
};

}  // namespace detail
}  // namespace hrm::scan
