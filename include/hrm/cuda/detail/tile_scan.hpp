#pragma once

#include <hrm/cuda/detail/adapter_layout.hpp>
#include <hrm/cuda/detail/tiles.hpp>

// A recurrence cut at the borders of tiles of `length` steps. Inside a tile states start from zero (scan_tile); then
//     c_{k+1} = A^length c_k + e_k,   c_0 the initial state           tile_carries     e_k the last state of tile k
//     s_t = local_t + A^{t - first + 1} c_k                           what reads the local states adds
// backwards in time for the adjoint, with conj A. Carries run in double, powers are rounded once.

namespace hrm::detail {

inline constexpr index_t longest_tile = 128;

/// Which poles, how cut, which way. States are [static | reals | Re | Im | nothing, up to padded].
struct tile_cut {
    index_t fixed, reals, pairs, padded, batch, time, length;
    bool adjoint;

    HRM_BOTH index_t dynamic() const { return reals + 2 * pairs; }
    HRM_BOTH index_t states() const { return fixed + dynamic(); }
    HRM_BOTH index_t modes() const { return reals + pairs; }
    HRM_BOTH index_t tiles() const { return (time + length - 1) / length; }
    HRM_BOTH index_t count() const { return batch * tiles(); }
    /// Rows of tile k that exist.
    HRM_BOTH index_t rows(index_t k) const { return time - k * length < length ? time - k * length : length; }
    HRM_BOTH index_t row(index_t tile) const { return tile / tiles() * time + tile % tiles() * length; }
    static tile_cut of(const adapter_layout& l, index_t batch, index_t time, index_t length, bool adjoint) {
        return {l.fixed, l.reals, l.pairs, l.padded(), batch, time, length, adjoint};
    }
    template <real S>
    HRM_BOTH tile_planar pole_of(const S* poles, index_t mode) const {
        const double im = mode < reals ? 0.0 : static_cast<double>(poles[mode + pairs]);
        return {static_cast<double>(poles[mode]), adjoint ? -im : im};
    }
};

/// z becomes the states of a tile that starts from zero, a mode a thread; `rows` of it exist. end: the last state.
template <class Block>
HRM_BOTH void scan_tile(const Block& block, const tile_cut& cut, const float* poles, float* z, int stride, int threads, index_t rows, float* end) {
    block.threads([&](int thread) {
        for (index_t m = thread; m < cut.modes(); m += threads) {
            const bool pair = m >= cut.reals;
            const tile_planar p = cut.pole_of(poles, m);
            const auto re = static_cast<float>(p.re), im = static_cast<float>(p.im);
            float* x = z + cut.fixed + m;
            float sx = 0, sy = 0;
            for (index_t t = 0; t < rows; ++t) {
                float* at = x + (cut.adjoint ? rows - 1 - t : t) * stride;
                if (pair) {
                    const float before = sx;
                    sx = std::fma(re, sx, std::fma(-im, sy, at[0]));
                    sy = std::fma(im, before, std::fma(re, sy, at[cut.pairs]));
                    at[cut.pairs] = sy;
                } else {
                    sx = std::fma(re, sx, at[0]);
                }
                at[0] = sx;
            }
            end[cut.fixed + m] = sx;
            if (pair) end[cut.fixed + m + cut.pairs] = sy;
        }
    });
}

/// c_k of every tile: a block takes a sequence and 8 modes, and cuts its tiles in 32 runs.
struct tile_carries {
    static constexpr int threads = 256, side = 8, runs = 32, ahead = 8;
    tile_cut cut;
    const float* poles;
    rows_of<const float> ends;     ///< batch * tiles x padded
    rows_of<const float> initial;  ///< batch x dynamic, or null: zero
    rows_of<double> carried;       ///< batch * tiles x padded
    rows_of<float> beyond;         ///< batch x dynamic, or null: A c of the end, which is the adjoint's slope of the initial state

    index_t count() const { return cut.batch * ((cut.modes() + side - 1) / side); }
    static constexpr index_t shared_bytes() { return 2 * threads * static_cast<index_t>(sizeof(double)); }

    /// f(k, e_k) for the tiles of a run in the direction of time, whose loads are asked for several at once.
    template <class F>
    HRM_BOTH void walk(index_t sequence, index_t run, index_t mode, const F& f) const {
        const index_t tiles = cut.tiles(), per = (tiles + runs - 1) / runs, last = (run + 1) * per < tiles ? (run + 1) * per : tiles;
        const bool pair = mode >= cut.reals;
        for (index_t k = run * per; k < last; k += ahead) {
            tile_planar e[ahead];
            for (int i = 0; i < ahead; ++i)
                if (k + i < last) {
                    const index_t row = sequence * tiles + (cut.adjoint ? tiles - 1 - k - i : k + i);
                    e[i] = {static_cast<double>(ends(row, cut.fixed + mode)), pair ? static_cast<double>(ends(row, cut.fixed + mode + cut.pairs)) : 0.0};
                }
            for (int i = 0; i < ahead; ++i)
                if (k + i < last) f(k + i, e[i]);
        }
    }
    /// Steps of tile k, counted in the direction of time.
    HRM_BOTH index_t steps(index_t k) const { return cut.rows(cut.adjoint ? cut.tiles() - 1 - k : k); }
    HRM_BOTH static tile_planar on(tile_planar p, tile_planar c, tile_planar e) {
        const tile_planar t = p * c;
        return {t.re + e.re, t.im + e.im};
    }

    template <class Block>
    HRM_BOTH void operator()(const Block& block) const {
        const index_t groups = (cut.modes() + side - 1) / side, sequence = block.index / groups;
        tile_planar* const shared = reinterpret_cast<tile_planar*>(block.shared);
        const auto mode_of = [&](int thread) { return block.index % groups * side + thread % side; };
        block.each([&](int thread) {  // what a run adds, started from zero
            const index_t mode = mode_of(thread);
            if (mode >= cut.modes()) return;
            const tile_planar a = cut.pole_of(poles, mode), p = raised(a, cut.length);
            tile_planar c{0, 0};
            walk(sequence, thread / side, mode, [&](index_t k, tile_planar e) { c = on(steps(k) == cut.length ? p : raised(a, steps(k)), c, e); });
            shared[thread] = c;
        });
        block.each([&](int thread) {  // what every run starts from
            const index_t mode = mode_of(thread), per = (cut.tiles() + runs - 1) / runs;
            if (thread >= side || mode >= cut.modes()) return;
            const tile_planar a = cut.pole_of(poles, mode);
            tile_planar c{0, 0};
            if (initial) {
                c.re = static_cast<double>(initial(sequence, mode));
                if (mode >= cut.reals) c.im = static_cast<double>(initial(sequence, mode + cut.pairs));
            }
            const tile_planar p = raised(a, per * cut.length);
            for (int run = 0; run < runs; ++run) {
                const tile_planar added = shared[run * side + thread];
                const index_t n = steps_of(run * per, (run + 1) * per);
                shared[run * side + thread] = c;
                c = on(n == per * cut.length ? p : raised(a, n), c, added);
            }
            if (beyond) {
                const tile_planar end = a * c;
                beyond(sequence, mode) = static_cast<float>(end.re);
                if (mode >= cut.reals) beyond(sequence, mode + cut.pairs) = static_cast<float>(end.im);
            }
        });
        block.each([&](int thread) {
            const index_t mode = mode_of(thread), tiles = cut.tiles();
            if (mode >= cut.modes()) return;
            const tile_planar a = cut.pole_of(poles, mode), p = raised(a, cut.length);
            tile_planar c = shared[thread];
            walk(sequence, thread / side, mode, [&](index_t k, tile_planar e) {
                const index_t row = sequence * tiles + (cut.adjoint ? tiles - 1 - k : k);
                carried(row, cut.fixed + mode) = c.re;
                if (mode >= cut.reals) carried(row, cut.fixed + mode + cut.pairs) = c.im;
                c = on(steps(k) == cut.length ? p : raised(a, steps(k)), c, e);
            });
        });
    }
    /// Steps of tiles first to last, counted in the direction of time; past the end there are none.
    HRM_BOTH index_t steps_of(index_t first, index_t last) const {
        const index_t tiles = cut.tiles(), from = first < tiles ? first : tiles, to = last < tiles ? last : tiles;
        const auto before = [&](index_t k) { return k * cut.length < cut.time ? k * cut.length : cut.time; };
        return cut.adjoint ? before(tiles - from) - before(tiles - to) : before(to) - before(from);
    }
};

/// A^{j + 1} of every mode, j below the length of a tile: re, then im, rounded once.
template <real S>
struct pole_powers {
    tile_cut cut;
    const S* poles;
    S* to;  ///< length x modes x 2
    index_t count() const { return cut.length * cut.modes(); }
    HRM_BOTH void operator()(index_t i) const {
        const tile_planar p = raised(cut.pole_of(poles, i % cut.modes()), i / cut.modes() + 1);
        to[2 * i] = static_cast<S>(p.re), to[2 * i + 1] = static_cast<S>(p.im);
    }
};

/// The state of row t of a tile (counted in its direction of time) in column j: local + A^{t + 1} c.
struct carried_on {
    tile_cut cut;
    const float* powers;
    rows_of<const double> carried;

    HRM_BOTH float operator()(float local, index_t tile, index_t t, index_t j) const {
        const index_t k = j - cut.fixed;
        if (k < 0 || k >= cut.dynamic()) return local;
        const bool imaginary = k >= cut.modes();
        const index_t mode = imaginary ? k - cut.pairs : k;
        const float* p = powers + 2 * (t * cut.modes() + mode);
        const float own = static_cast<float>(carried(tile, j));
        if (mode < cut.reals) return std::fma(p[0], own, local);
        const float other = static_cast<float>(carried(tile, imaginary ? j - cut.pairs : j + cut.pairs));
        const float im = cut.adjoint ? -p[1] : p[1];  // the table is A's, not its conjugate's
        return std::fma(p[0], own, std::fma(imaginary ? im : -im, other, local));
    }
};

}  // namespace hrm::detail
