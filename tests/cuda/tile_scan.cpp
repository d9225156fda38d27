#include <hrm/cuda/detail/tile_scan.hpp>

#include <cuda/host_tiles.hpp>
#include <scan/support.hpp>

using namespace hrm;
using namespace cuda_test;
using hrm::test::random_matrix;

TEST_CASE("10^4 random cuts: tiles, carries and powers make the recurrence, forward and backward in time") {
    random_stream r(61);
    const host_tiler device;
    for (int round = 0; round < 10000; ++round) {
        const auto pick = [&](index_t below) { return r.below(below); };
        detail::adapter_layout l;
        l.fixed = pick(3), l.reals = pick(12), l.pairs = pick(3) + (l.reals == 0);
        const index_t batch = 1 + pick(3), time = 1 + (pick(8) ? pick(40) : pick(900)), length = pick(2) ? 32 : 1 + pick(9), rows = batch * time, width = l.padded();
        const bool adjoint = pick(2) == 1;
        const auto cut = detail::tile_cut::of(l, batch, time, length, adjoint);
        const auto a = scan_test::pair_poles<float>(l.reals, l.pairs);
        buffer<float> poles(a.real);
        poles.insert(poles.end(), a.re.begin(), a.re.end());
        poles.insert(poles.end(), a.im.begin(), a.im.end());
        buffer<float> powers(static_cast<std::size_t>(2 * length * l.poles()));
        const detail::pole_powers<float> table{detail::tile_cut::of(l, 1, 1, length, false), poles.data(), powers.data()};
        device.launch(table.count(), table);

        const auto z = random_matrix<float>(rows, width, r), initial = random_matrix<float>(batch, l.dynamic(), r);
        auto local = z;
        matrix<float> ends(cut.count(), width, std::numeric_limits<float>::quiet_NaN()), beyond(batch, l.dynamic());
        matrix<double> carried(cut.count(), width, std::numeric_limits<double>::quiet_NaN());
        for (index_t tile = 0; tile < cut.count(); ++tile)
            detail::scan_tile(host_tile_block(tile, nullptr, 64, true), cut, poles.data(), local.view().row(cut.row(tile)), static_cast<int>(width), 64, cut.rows(tile % cut.tiles()), ends.view().row(tile));
        const detail::tile_carries carries{cut, poles.data(), matrix_view<const float>(ends), initial.view(), carried.view(), beyond.view()};
        device.launch_blocks(carries.count(), carries.shared_bytes(), carries);

        // The definition, in double, a mode at a time.
        const detail::carried_on on{cut, powers.data(), matrix_view<const double>(carried.view())};
        double off = 0, size = 0;
        for (index_t b = 0; b < batch; ++b)
            for (index_t m = 0; m < cut.modes(); ++m) {
                const auto p = cut.pole_of(poles.data(), m);
                const bool pair = m >= l.reals;
                const index_t j = l.fixed + m, k = j + (pair ? l.pairs : 0);
                double x = initial(b, m), y = pair ? static_cast<double>(initial(b, m + l.pairs)) : 0;
                for (index_t step = 0; step < time; ++step) {
                    const index_t t = adjoint ? time - 1 - step : step, row = b * time + t, tile = b * cut.tiles() + t / length;
                    const double before = x;
                    x = p.re * x - p.im * y + static_cast<double>(z(row, j));
                    if (pair) y = p.im * before + p.re * y + static_cast<double>(z(row, k));
                    const index_t inside = adjoint ? cut.rows(t / length) - 1 - t % length : t % length;
                    const double got = on(local(row, j), tile, inside, j), other = pair ? static_cast<double>(on(local(row, k), tile, inside, k)) : 0;
                    off += (got - x) * (got - x) + (pair ? (other - y) * (other - y) : 0), size += x * x + y * y;
                }
                const double end = p.re * x - p.im * y;
                off += (beyond(b, m) - end) * (beyond(b, m) - end), size += end * end;
            }
        CAPTURE(round);
        CAPTURE(time);
        CAPTURE(length);
        CAPTURE(adjoint);
        CHECK(std::sqrt(off / size) <= scan_test::states_bar<float>);
        bool kept = true;  // static states and what fills up are not touched
        for (index_t row = 0; row < rows; ++row)
            for (index_t j = 0; j < width; ++j)
                if (j < l.fixed || j >= l.states()) kept &= on(local(row, j), 0, 0, j) == z(row, j);
        CHECK(kept);
    }
}

TEST_CASE("tiles cover every row once, and steps of tiles add up to the time") {
    for (index_t time = 1; time < 3000; time += 1 + time / 9)
        for (const index_t length : {1, 7, 32, 128})
            for (const bool adjoint : {false, true}) {
                const detail::tile_cut cut{0, 3, 1, 16, 2, time, length, adjoint};
                index_t next = 0, steps = 0;
                for (index_t tile = 0; tile < cut.count(); ++tile) {
                    CHECK(cut.row(tile) == next);
                    next += cut.rows(tile % cut.tiles());
                }
                CHECK(next == 2 * time);
                const detail::tile_carries c{cut, nullptr, {}, {}, {}, {}};
                const index_t per = (cut.tiles() + c.runs - 1) / c.runs;
                for (index_t run = 0; run < c.runs; ++run) {
                    index_t inside = 0;
                    for (index_t k = run * per; k < (run + 1) * per && k < cut.tiles(); ++k) inside += c.steps(k);
                    CHECK(c.steps_of(run * per, (run + 1) * per) == inside);
                    steps += inside;
                }
                CHECK(steps == time);
            }
}
