#include <hrm/adapter/adapter.hpp>

#include <doctest/doctest.h>

#include "support/decaying_adapter.hpp"

using namespace hrm;

namespace {
std::unique_ptr<adapter<double>> small() {
    random_stream r(5);
    return std::make_unique<testing::decaying_adapter<double>>(3, 2, 4, r);
}
}  // namespace

TEST_CASE("a kind that nobody here knows works through the interface alone") {
    const auto a = small();
    CHECK(a->kind() == "decaying");
    CHECK(a->inputs() == 3);
    CHECK(a->outputs() == 2);
    CHECK(a->state_size() == 4);
    CHECK(a->parameters().count() == 1 + 4 * 3 + 2 * 4);
    CHECK(a->options() == std::vector<std::pair<std::string, std::string>>{{"rank", "4"}});
}

TEST_CASE("a clone computes the same and shares nothing") {
    const auto a = small();
    const auto b = a->clone();
    const matrix<double> u{{1, -2, 3}, {0.5, 0, 1}};
    matrix<double> ya(2, 2), yb(2, 2);
    workspace ws;
    kept<double> keep;
    a->forward(u, ya, {}, keep, ws);
    b->forward(u, yb, {}, keep, ws);
    CHECK(ya == yb);
    a->parameters()[a->parameters().find("C")](0, 0) += 1;
    matrix<double> yc(2, 2);
    b->forward(u, yc, {}, keep, ws);
    CHECK(yc == yb);
}

TEST_CASE("forward adds to out; state carried over a cut, and none over a document border") {
    const auto a = small();
    const matrix<double> u{{1, -2, 3}, {0.5, 0, 1}, {2, 1, -1}, {1, 1, 1}};
    matrix<double> whole(4, 2, 10.0), pieces(4, 2, 10.0), fresh(4, 2);
    workspace ws;
    kept<double> keep;
    a->forward(u, whole, {}, keep, ws);
    adapter_state<double> state;
    for (index_t t = 0; t < 4; t += 2)
        a->forward(u.view().slice_rows(t, 2), pieces.view().slice_rows(t, 2), {.carried = &state}, keep, ws);
    for (index_t t = 0; t < 4; ++t)
        for (index_t j = 0; j < 2; ++j) CHECK(pieces(t, j) == doctest::Approx(whole(t, j)).epsilon(1e-14));
    CHECK(state.position == 4);

    const std::array<index_t, 2> starts{0, 2};
    a->forward(u, fresh, {.starts = starts}, keep, ws);
    matrix<double> second(2, 2);
    a->forward(u.view().slice_rows(2, 2), second, {}, keep, ws);
    for (index_t t = 0; t < 2; ++t)
        for (index_t j = 0; j < 2; ++j) CHECK(fresh(2 + t, j) == second(t, j));
}
