#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <string>
#include <utility>
#include <vector>

#include <doctest/doctest.h>

#include <hrm/adapter/adapter.hpp>
#include <hrm/core/random.hpp>

// What the tests of every adapter kind share.

namespace hrm::test {

template <real S>
matrix<S> random_matrix(index_t rows, index_t cols, random_stream& r, double scale = 1) {
    matrix<S> m(rows, cols);
    r.fill_normal(m.flat(), scale);
    return m;
}

/// Moves every parameter by noise, so that no gate is shut and no C is zero.
template <real S>
void shake(adapter<S>& a, random_stream& r, double scale = 0.3) {
    for (const auto& e : a.parameters().entries())
        for (index_t i = 0; i < e.size(); ++i)
            a.parameters().flat()[static_cast<std::size_t>(e.offset + i)] += static_cast<S>(scale * r.normal());
}

/// A(u) over zeros.
template <real S>
matrix<S> output_of(const adapter<S>& a, matrix_view<const S> u, call<S> how = {}) {
    matrix<S> out(u.rows, a.outputs());
    kept<S> keep;
    workspace ws;
    a.forward(u, out, how, keep, ws);
    return out;
}

/// u in pieces of many lengths, and a token at a time, gives the whole pass's outputs and final state, bit by bit.
template <real S>
void check_pieces(const adapter<S>& a, const matrix<S>& u, const matrix<S>& whole, const adapter_state<S>& end) {
    for (const index_t length : {1, 2, 3, 4, 5, 11, 12, 17, 48, 49, 97}) {
        adapter_state<S> state;
        bool same = true;
        for (index_t t = 0; t < u.rows(); t += length) {
            const auto rows = std::min(length, u.rows() - t);
            const auto part = output_of<S>(a, u.view().slice_rows(t, rows), {.carried = &state});
            same = same && std::memcmp(part.data(), whole.view().row(t), part.flat().size_bytes()) == 0;
        }
        INFO("pieces of " << length);
        CHECK(same);
        CHECK(state.value.size() == end.value.size());
        CHECK((end.value.empty() || std::memcmp(state.value.data(), end.value.data(), sizeof(S) * end.value.size()) == 0));
    }
}

/// Any number of threads gives one thread's outputs, final state and gradients, bit by bit.
template <real S>
void check_threads(const adapter<S>& a, index_t rows, random_stream& r) {
    const auto u = random_matrix<S>(rows, a.inputs(), r), w = random_matrix<S>(rows, a.outputs(), r);
    const std::array<index_t, 2> starts = {rows / 3, rows / 3 + 1};
    matrix<S> first_out, first_du;
    buffer<S> first_gradient;
    adapter_state<S> first_end;
    for (const int threads : {0, 1, 2, 5}) {
        team some(cpu{.threads = threads});
        adapter_state<S> state;
        const call<S> how{.mode = pass::training, .starts = starts, .carried = &state, .draw = 3, .threads = threads ? &some : nullptr};
        matrix<S> out(rows, a.outputs()), du(rows, a.inputs());
        buffer<S> gradient(static_cast<std::size_t>(a.parameters().size()));
        kept<S> keep;
        workspace ws;
        a.forward(u, out, how, keep, ws);
        a.backward(u, w, du, gradient, how, keep, ws);
        INFO(threads << " threads");
        if (!threads) first_out = out, first_du = du, first_gradient = gradient, first_end = state;
        CHECK(out == first_out);
        CHECK(du == first_du);
        CHECK(gradient == first_gradient);
        CHECK(state.value == first_end.value);
    }
}

/// ||x - y|| / ||y||, the distance itself where y is zero.
inline double distance(std::span<const double> x, std::span<const double> y) {
    double off = 0, size = 0;
    for (std::size_t i = 0; i < x.size(); ++i) {
        off += (x[i] - y[i]) * (x[i] - y[i]);
        size += y[i] * y[i];
    }
    return std::sqrt(size > 0 ? off / size : off);
}
template <real S>
double distance(const matrix<S>& x, const matrix<S>& y) {
    std::vector<double> a(x.flat().begin(), x.flat().end()), b(y.flat().begin(), y.flat().end());
    return distance(std::span<const double>(a), std::span<const double>(b));
}

/// Every tensor's gradient, and du, against central differences of <w, A(u)>. Step 1e-5 scale: truncation ~1e-10,
/// rounding ~1e-16 / 1e-5, so 1e-6 leaves room for a tensor whose gradient is small beside the loss.
inline void check_gradients(adapter<double>& a, index_t rows, call<double> how, random_stream& r,
                            const std::string& name) {
    INFO(name);
    auto u = random_matrix<double>(rows, a.inputs(), r);
    const auto w = random_matrix<double>(rows, a.outputs(), r);
    const adapter_state<double> before = how.carried ? *how.carried : adapter_state<double>{};
    adapter_state<double> moving;
    if (how.carried) how.carried = &moving;
    how.mode = pass::training;

    workspace ws;
    const auto loss = [&] {
        moving = before;
        ws.clear();
        matrix<double> out(rows, a.outputs());
        kept<double> keep;
        a.forward(u, out, how, keep, ws);
        double sum = 0;
        for (index_t i = 0; i < out.size(); ++i) sum += out.flat()[static_cast<std::size_t>(i)] * w.flat()[static_cast<std::size_t>(i)];
        return sum;
    };
    moving = before;
    matrix<double> out(rows, a.outputs()), du(rows, a.inputs(), 0.5);
    buffer<double> gradient(static_cast<std::size_t>(a.parameters().size()), 0.25);  // both are added to
    kept<double> keep;
    a.forward(u, out, how, keep, ws);
    moving.position += 5;  // the call of a later stretch may move the state on before backward runs
    for (double& x : moving.value) x += 1;
    a.backward(u, w, du, gradient, how, keep, ws);

    const auto numeric = [&](double& x) {
        const double h = 1e-5 * std::max(1.0, std::abs(x)), at = x;
        x = at + h;
        const double up = loss();
        x = at - h;
        const double down = loss();
        x = at;
        return (up - down) / (2 * h);
    };
    const auto compare = [&](const std::string& what, std::span<double> x, std::span<const double> analytic, double offset) {
        std::vector<double> want, got;
        double size = 0;
        for (std::size_t i = 0; i < x.size(); ++i) {
            want.push_back(numeric(x[i]));
            got.push_back(analytic[i] - offset);
            size += want.back() * want.back();
        }
        INFO(what << " |gradient| " << std::sqrt(size));
        CHECK(distance(std::span<const double>(got), want) <= (size > 1e-12 ? 1e-6 : 1e-8));
    };
    for (const auto& e : a.parameters().entries()) {
        const auto first = static_cast<std::size_t>(e.offset), n = static_cast<std::size_t>(e.size());
        compare(e.name, a.parameters().flat().subspan(first, n), std::span<const double>(gradient).subspan(first, n), 0.25);
    }
    compare("u", u.flat(), du.flat(), 0.5);

    // Nobody needs du: the parameters' gradients are the same.
    buffer<double> again(gradient.size(), 0.25);
    ws.clear();
    moving = before;
    matrix<double> second(rows, a.outputs());
    a.forward(u, second, how, keep, ws);
    a.backward(u, w, {}, again, how, keep, ws);
    CHECK(distance(std::span<const double>(again), gradient) == 0);
}

/// Feeding a sequence in pieces of the given sizes gives what the whole gives.
template <real S>
double streaming_error(const adapter<S>& a, matrix_view<const S> u, std::span<const index_t> pieces) {
    const auto whole = output_of(a, u);
    matrix<S> out(u.rows, a.outputs());
    adapter_state<S> state;
    call<S> how;
    how.carried = &state;
    kept<S> keep;
    workspace ws;
    index_t first = 0;
    for (std::size_t i = 0; first < u.rows; ++i) {
        const index_t rows = std::min(u.rows - first, pieces[i % pieces.size()]);
        a.forward(u.slice_rows(first, rows), out.view().slice_rows(first, rows), how, keep, ws);
        ws.clear();
        first += rows;
    }
    CHECK(state.position == u.rows);
    return distance(out, whole);
}

}  // namespace hrm::test
