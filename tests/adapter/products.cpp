// An adapter's products with activations and parameters stored in bf16, against the definition in double.

#include <hrm/adapter/detail/project.hpp>

#include <cmath>
#include <cstring>
#include <limits>

#include <doctest/doctest.h>

#include <hrm/core/random.hpp>

using namespace hrm;

namespace {

matrix<bf16> stored(index_t rows, index_t cols, random_stream& r) {
    matrix<bf16> m(rows, cols);
    for (bf16& x : m.flat()) x = bf16(static_cast<float>(r.normal()));
    return m;
}
matrix<float> normal(index_t rows, index_t cols, random_stream& r) {
    matrix<float> m(rows, cols);
    r.fill_normal(m.flat());
    return m;
}

/// got = before + k sum_j x_j y_j over `terms` terms. Sums in S round once a term; `more` roundings of k, of the end and of what
/// the sum is added to. A bf16 is that, rounded once: rounding keeps the order, so it lies between what the borders round to.
template <class S = float, class T, class X, class Y>
bool holds(T got, double before, double k, index_t terms, X&& x, Y&& y) {
    double want = before, size = std::abs(before);
    for (index_t j = 0; j < terms; ++j) {
        const double term = k * static_cast<double>(x(j)) * static_cast<double>(y(j));
        want += term, size += std::abs(term);
    }
    const double unit = std::same_as<S, float> ? 0x1p-24 : 0x1p-53, more = std::same_as<S, float> ? 3 : 3 + static_cast<double>(terms);  // of ours
    const double off = (static_cast<double>(terms) + more) * unit * size;
    if constexpr (std::same_as<T, bf16>) return float(bf16(want - off)) <= float(got) && float(got) <= float(bf16(want + off));
    else return std::abs(static_cast<double>(got) - want) <= off;
}

/// Where bf16 are multiplied by pairs, what is computed between two products enters the next one rounded.
constexpr bool by_pairs = detail::skinny::by_pairs<float, bf16, bf16>;
float entering(float x) { return by_pairs ? float(bf16(x)) : x; }

template <class M>
bool same(const M& x, const M& y) {
    return std::memcmp(x.data(), y.data(), x.flat().size_bytes()) == 0;
}

}  // namespace

TEST_CASE("bf16 in, float sums, bf16 out: all four products, any rows beside, any threads") {
    random_stream r(41);
    team two(cpu{.threads = 2});
    for (const index_t rows : {1, 4, 5, 60, 1100})
        for (const index_t n : {3, 20, 32, 150}) {
            if (rows > 1000 && n > 100) continue;  // more states than a sum keeps in registers: 60 rows have it all
            const index_t in = 270, out = 301;
            const float k = 0.7f;
            workspace ws;
            const auto u = stored(rows, in, r), dy = stored(rows, out, r), b = stored(n, in, r), c = stored(out, n, r), y0 = stored(rows, out, r),
                       du0 = stored(rows, in, r);
            const auto lambda = normal(rows, n, r);
            matrix<float> z(rows, n), ds(rows, n), dc(out, n), db(n, in);
            auto y = y0;
            auto du = du0;
            detail::project_in<float, bf16, bf16>(u, b, z, ws);
            detail::project_out<float, bf16, bf16>(z, c, k, y, ws);
            detail::output_backward<float, bf16, bf16>(dy, c, z, k, dc, 1.0f, ds, ws);
            detail::input_backward<float, bf16, bf16>(lambda, u, b, db, du, ws);
            CAPTURE(rows);
            CAPTURE(n);
            bool ok = true;
            for (index_t t = 0; t < rows; ++t)
                for (index_t i = 0; i < n; ++i) {
                    ok = ok && holds(z(t, i), 0, 1, in, [&](index_t j) { return float(u(t, j)); }, [&](index_t j) { return float(b(i, j)); });
                    ok = ok && holds(ds(t, i), 0, 1, out, [&](index_t j) { return float(dy(t, j)); }, [&](index_t j) { return float(c(j, i)); });
                }
            CHECK(ok);
            for (index_t t = 0; t < rows; ++t) {
                for (index_t j = 0; j < out; ++j)
                    ok = ok && holds(y(t, j), float(y0(t, j)), by_pairs ? 1 : k, n, [&](index_t i) { return by_pairs ? entering(k * z(t, i)) : z(t, i); },
                                     [&](index_t i) { return float(c(j, i)); });
                for (index_t j = 0; j < in; ++j)
                    ok = ok && holds(du(t, j), float(du0(t, j)), 1, n, [&](index_t i) { return entering(lambda(t, i)); }, [&](index_t i) { return float(b(i, j)); });
            }
            CHECK(ok);
            for (index_t i = 0; i < n; ++i) {
                for (index_t j = 0; j < out; ++j)
                    ok = ok && holds(dc(j, i), 0, k, rows, [&](index_t t) { return float(dy(t, j)); }, [&](index_t t) { return entering(z(t, i)); });
                for (index_t j = 0; j < in; ++j)
                    ok = ok && holds(db(i, j), 0, 1, rows, [&](index_t t) { return entering(lambda(t, i)); }, [&](index_t t) { return float(u(t, j)); });
            }
            CHECK(ok);

            // The same bits token by token (the first few), and on two threads.
            bool alone = true;
            for (index_t t = 0; t < std::min<index_t>(rows, 9); ++t) {
                matrix<float> z1(1, n);
                matrix<bf16> y1(1, out);
                std::copy_n(y0.view().row(t), out, y1.data());
                detail::project_in<float, bf16, bf16>(u.view().slice_rows(t, 1), b, z1, ws);
                detail::project_out<float, bf16, bf16>(z1, c, k, y1, ws);
                alone = alone && std::memcmp(z1.data(), z.view().row(t), z1.flat().size_bytes()) == 0;
                alone = alone && std::memcmp(y1.data(), y.view().row(t), y1.flat().size_bytes()) == 0;
            }
            CHECK(alone);
            matrix<float> z2(rows, n), ds2(rows, n), dc2(out, n), db2(n, in);
            auto y2 = y0;
            auto du2 = du0;
            detail::project_in<float, bf16, bf16>(u, b, z2, ws, &two);
            detail::project_out<float, bf16, bf16>(z2, c, k, y2, ws, &two);
            detail::output_backward<float, bf16, bf16>(dy, c, z2, k, dc2, 1.0f, ds2, ws, &two);
            detail::input_backward<float, bf16, bf16>(lambda, u, b, db2, du2, ws, &two);
            CHECK((same(z2, z) && same(y2, y) && same(ds2, ds) && same(dc2, dc) && same(db2, db) && same(du2, du)));
        }
}

TEST_CASE("all of it has the bits of the same products of widened numbers, rounded at the end; by pairs, their infinities and NaN") {
    random_stream r(43);
    const auto wide = [](const matrix<bf16>& m) {
        matrix<float> x(m.rows(), m.cols());
        for (index_t i = 0; i < m.size(); ++i) x.data()[i] = float(m.data()[i]);
        return x;
    };
    for (const index_t rows : {1, 2, 3, 4, 31, 700})
        for (const index_t n : {1, 7, 32, 131}) {
            const index_t in = 277, out = 139;
            workspace ws;
            auto u = stored(rows, in, r), dy = stored(rows, out, r), b = stored(n, in, r), c = stored(out, n, r), y = stored(rows, out, r),
                 du = stored(rows, in, r);
            // Denormals, what overflows when it is rounded, an infinity and a NaN, each in a row of weights of its own.
            const float odd[] = {0x1p-130f, 0x1.fep127f, __builtin_inff(), __builtin_nanf("")};
            for (index_t i = 0; i < 4; ++i) c(3 + 17 * i, i % n) = bf16(odd[i]), y(rows - 1, 4 + 17 * i) = bf16(odd[i]);
            auto y_wide = wide(y), du_wide = wide(du);
            matrix<float> z(rows, n), ds(rows, n), dc(out, n), db(n, in), z_wide(rows, n), ds_wide(rows, n), dc_wide(out, n), db_wide(n, in);
            const auto lambda = normal(rows, n, r);
            detail::project_in<float, bf16, bf16>(u, b, z, ws);
            detail::project_out<float, bf16, bf16>(z, c, 0.7f, y, ws);
            detail::output_backward<float, bf16, bf16>(dy, c, z, 0.7f, dc, 0.3f, ds, ws);
            detail::input_backward<float, bf16, bf16>(lambda, u, b, db, du, ws);
            const auto u_wide = wide(u), dy_wide = wide(dy), b_wide = wide(b), c_wide = wide(c);
            detail::project_in<float>(u_wide, b_wide, z_wide, ws);
            detail::project_out<float>(z_wide, c_wide, 0.7f, y_wide, ws);
            detail::output_backward<float>(dy_wide, c_wide, z_wide, 0.7f, dc_wide, 0.3f, ds_wide, ws);
            detail::input_backward<float>(lambda, u_wide, b_wide, db_wide, du_wide, ws);
            const auto off = [](const auto& x, const matrix<float>& like) {
                using T = std::remove_cvref_t<decltype(*x.data())>;
                index_t count = 0;
                for (index_t i = 0; i < x.size(); ++i) {
                    const float got = float(x.data()[i]), want = float(T(like.data()[i]));
                    if (std::isnan(want)) count += !std::isnan(got);
                    else if (by_pairs)  // what was next to the largest number may have been rounded to either side
                        count += std::isnan(got) || (std::isinf(got) != std::isinf(want) && std::min(std::abs(got), std::abs(want)) < 0x1p127f);
                    else count += std::memcmp(&got, &want, sizeof got) != 0;
                }
                return count;
            };
            CAPTURE(rows);
            CAPTURE(n);
            CHECK(off(z, z_wide) == 0);
            CHECK(off(y, y_wide) == 0);
            CHECK(off(ds, ds_wide) == 0);
            CHECK(off(dc, dc_wide) == 0);
            CHECK(off(db, db_wide) == 0);
            CHECK(off(du, du_wide) == 0);
        }
}

TEST_CASE_TEMPLATE("Z = U B^T by dot products: plain sums, and one row's bits beside any others and on any threads", S, float, double) {
    random_stream r(44);
    team two(cpu{.threads = 2});
    for (const index_t n : {1, 2, 3, 4, 5, 7, 8, 9, 12, 13, 16, 24, 32})
        for (const index_t d : {index_t{128}, index_t{128 + 5}, 64 * n, index_t{1024 + 5}, index_t{1536 + 8 + 3}}) {
            const index_t rows = 200;
            REQUIRE((d < 64 * n || n > detail::skinny::narrow_stream || detail::skinny::dots_suit<S>(n, d)));
            matrix<S> u(rows, d), b(n, d), z(rows, n), shared(rows, n);
            r.fill_normal(u.flat()), r.fill_normal(b.flat());
            workspace ws;
            detail::project_in<S>(u, b, z, ws);
            CAPTURE(n);
            CAPTURE(d);
            bool ok = true;
            for (index_t t = 0; t < rows; ++t)
                for (index_t i = 0; i < n; ++i) {
                    double want = 0, size = 0;
                    for (index_t j = 0; j < d; ++j) {
                        const double term = static_cast<double>(u(t, j)) * static_cast<double>(b(i, j));
                        want += term, size += std::abs(term);
                    }
                    // A lane's d / 2 terms and more, and the tree; in double, as many roundings of the reference.
                    ok = ok && std::abs(static_cast<double>(z(t, i)) - want) <= static_cast<double>(d) * std::numeric_limits<S>::epsilon() * size;
                }
            CHECK(ok);
            detail::project_in<S>(u, b, shared, ws, &two);
            CHECK(same(shared, z));
            bool alike = true;
            for (const index_t piece : {1, 2, 3, 4, 5, 6, 7, 97})
                for (index_t t = 0; t < rows; t += piece) {
                    const index_t count = std::min(piece, rows - t);
                    matrix<S> part(count, n);
                    detail::project_in<S>(u.view().slice_rows(t, count), b, part, ws);
                    alike = alike && std::memcmp(part.data(), z.view().row(t), part.flat().size_bytes()) == 0;
                }
            CHECK(alike);
        }
}

TEST_CASE_TEMPLATE("Y += k S C^T: one row's bits beside any others, whether C's rows lie one behind the other or not", S, float, double) {
    random_stream r(46);
    workspace ws;
    for (const index_t n : {3, 4, 8, 12, 16, 32, 64, 130})
        for (const index_t out : {1, 15, 16, 17, 31, 53, 2100}) {
            const index_t rows = 23;
            matrix<S> s(rows, n), c(out, n), apart(out, n + 3), y(rows, out);
            r.fill_normal(s.flat()), r.fill_normal(c.flat()), r.fill_normal(y.flat());
            for (index_t i = 0; i < out; ++i) std::copy_n(c.view().row(i), n, apart.view().row(i));
            const auto before = y;
            detail::project_out<S>(s, c, S(0.7), y, ws);
            CAPTURE(n);
            CAPTURE(out);
            bool ok = true, alike = true;
            for (index_t t = 0; t < rows; ++t)
                for (index_t i = 0; i < out; ++i) {
                    double want = static_cast<double>(before(t, i)), size = std::abs(want);
                    for (index_t j = 0; j < n; ++j) {
                        const double term = static_cast<double>(S(0.7)) * static_cast<double>(s(t, j)) * static_cast<double>(c(i, j));
                        want += term, size += std::abs(term);
                    }
                    // n fused steps and their start, k S rounded; in double, as many of the reference.
                    ok = ok && std::abs(static_cast<double>(y(t, i)) - want) <= static_cast<double>(n + 3) * std::numeric_limits<S>::epsilon() * size;
                }
            CHECK(ok);
            for (const auto from : {c.view(), apart.view().slice_cols(0, n)})
                for (const index_t piece : {1, 2, 3, 4, 5, 22})
                    for (index_t t = 0; t < rows; t += piece) {
                        const index_t count = std::min(piece, rows - t);
                        matrix<S> part(count, out);
                        std::copy_n(before.view().row(t), part.size(), part.data());
                        detail::project_out<S>(s.view().slice_rows(t, count), from, S(0.7), part, ws);
                        alike = alike && std::memcmp(part.data(), y.view().row(t), part.flat().size_bytes()) == 0;
                    }
            CHECK(alike);
        }
}

TEST_CASE("Z = U B^T by dot products: bf16, unless it goes by pairs, has the bits of the same numbers widened, whatever is stored in it") {
    random_stream r(45);
    workspace ws;
    for (const index_t n : {1, 5, 8, 16})
        for (const index_t rows : {1, 3, 4, 5, 40}) {
            const index_t d = 1024 + 13;
            const auto u = stored(rows, d, r), b = stored(n, d, r);
            matrix<float> u_wide(rows, d), b_wide(n, d), got(rows, n), mixed(rows, n), want(rows, n);
            for (index_t i = 0; i < u.size(); ++i) u_wide.data()[i] = float(u.data()[i]);
            for (index_t i = 0; i < b.size(); ++i) b_wide.data()[i] = float(b.data()[i]);
            detail::project_in<float, bf16, bf16>(u, b, got, ws);
            detail::project_in<float, float, bf16>(u_wide, b, mixed, ws);
            detail::project_in<float>(u_wide, b_wide, want, ws);
            CHECK((by_pairs || same(got, want)));
            CHECK(same(mixed, want));
            matrix<double> far(rows, n), far_want(rows, n), u_far(rows, d), b_far(n, d);
            for (index_t i = 0; i < u.size(); ++i) u_far.data()[i] = static_cast<double>(u_wide.data()[i]);
            for (index_t i = 0; i < b.size(); ++i) b_far.data()[i] = static_cast<double>(b_wide.data()[i]);
            detail::project_in<double, bf16, bf16>(u, b, far, ws);
            detail::project_in<double>(u_far, b_far, far_want, ws);
            CHECK(same(far, far_want));
        }
}

TEST_CASE("double sums into bf16 are rounded once: what lies next to a tie as well") {
    random_stream r(42);
    workspace ws;
    for (const index_t rows : {1, 70}) {
        const index_t n = 20, out = 301;
        matrix<double> s(rows, n);
        r.fill_normal(s.flat());
        const auto c = stored(out, n, r), y0 = stored(rows, out, r);
        auto y = y0;
        detail::project_out<double, bf16, bf16>(s, c, 0.7, y, ws);
        bool ok = true;
        for (index_t t = 0; t < rows; ++t)
            for (index_t j = 0; j < out; ++j)
                ok = ok && holds<double>(y(t, j), float(y0(t, j)), 0.7, n, [&](index_t i) { return s(t, i); }, [&](index_t i) { return float(c(j, i)); });
        CHECK(ok);

        // 1 + 2^-8 is the tie between 1 and 1 + 2^-7; a float does not see the 2^-40 that decides.
        matrix<double> near(rows, 2);
        for (index_t t = 0; t < rows; ++t) near(t, 0) = 0x1p-8, near(t, 1) = t % 2 ? 0x1p-40 : -0x1p-40;
        const matrix<bf16> c1(3, 2, bf16(1.0f)), b1(2, 3, bf16(1.0f)), u(rows, 3);
        matrix<bf16> from_one(rows, 3, bf16(1.0f)), du = from_one;
        matrix<double> db(2, 3);
        detail::project_out<double, bf16, bf16>(near, c1, 1, from_one, ws);
        detail::input_backward<double, bf16, bf16>(near, u, b1, db, du, ws);
        for (index_t t = 0; t < rows; ++t)
            for (index_t j = 0; j < 3; ++j) {
                REQUIRE(from_one(t, j).bits == (t % 2 ? 0x3f81 : 0x3f80));
                REQUIRE(du(t, j).bits == (t % 2 ? 0x3f81 : 0x3f80));
            }
    }
}

TEST_CASE_TEMPLATE("no states: nothing is added, not even a zero", T, float, bf16) {
    for (const index_t rows : {1, 4, 5, 100}) {
        const index_t d = 70;
        workspace ws;
        const matrix<T> u(rows, d, T(1.0f)), b(0, d), c(d, 0);
        const matrix<T> before(rows, d, T(-0.0f));
        auto y = before, du = before;
        matrix<float> none(rows, 0), dc(d, 0), db(0, d);
        detail::project_in<float, T, T>(u, b, none, ws);
        detail::project_out<float, T, T>(none, c, 1, y, ws);
        detail::output_backward<float, T, T>(u, c, none, 1, dc, 1, none, ws);
        detail::input_backward<float, T, T>(none, u, b, db, du, ws);
        CHECK((same(y, before) && same(du, before)));
    }
}
