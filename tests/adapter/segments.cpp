#include <hrm/adapter/segments.hpp>

#include <tuple>
#include <vector>

#include <doctest/doctest.h>

using namespace hrm;

namespace {

using piece = std::tuple<index_t, index_t, bool>;

std::vector<piece> cut(index_t rows, std::vector<index_t> starts, index_t every, adapter_state<float>* state = nullptr,
                       index_t* position = nullptr) {
    call<float> how;
    how.starts = starts;
    how.carried = state;
    std::vector<piece> out;
    const auto end = for_segments(rows, how, every, [&](index_t first, index_t count, bool fresh) { out.emplace_back(first, count, fresh); });
    if (position) *position = end;
    return out;
}

}  // namespace

TEST_CASE("a sequence is cut at document borders and every so many tokens of a document") {
    index_t position = -1;
    CHECK(cut(5, {}, 0, nullptr, &position) == std::vector<piece>{{0, 5, true}});
    CHECK(position == 5);
    CHECK(cut(5, {0}, 0) == std::vector<piece>{{0, 5, true}});
    CHECK(cut(7, {2, 3}, 0, nullptr, &position) == std::vector<piece>{{0, 2, true}, {2, 1, true}, {3, 4, true}});
    CHECK(position == 4);
    CHECK(cut(7, {}, 3) == std::vector<piece>{{0, 3, true}, {3, 3, true}, {6, 1, true}});
    CHECK(cut(8, {4}, 3, nullptr, &position) == std::vector<piece>{{0, 3, true}, {3, 1, true}, {4, 3, true}, {7, 1, true}});
    CHECK(position == 4);
    CHECK(cut(0, {}, 3).empty());
}

TEST_CASE("a carried state runs on, to the next border") {
    adapter_state<float> state;
    state.value.assign(2, 1.0f);
    state.position = 4;
    index_t position = -1;
    CHECK(cut(5, {}, 0, &state, &position) == std::vector<piece>{{0, 5, false}});
    CHECK(position == 9);
    CHECK(cut(5, {}, 3, &state) == std::vector<piece>{{0, 2, false}, {2, 3, true}});
    CHECK(cut(5, {}, 4, &state) == std::vector<piece>{{0, 4, true}, {4, 1, true}});
    CHECK(cut(5, {0}, 0, &state, &position) == std::vector<piece>{{0, 5, true}});
    CHECK(position == 5);
    CHECK(cut(5, {3}, 0, &state) == std::vector<piece>{{0, 3, false}, {3, 2, true}});
    state.value.clear();  // nothing to run on from
    CHECK(cut(2, {}, 0, &state) == std::vector<piece>{{0, 2, true}});
}

TEST_CASE("borders out of order or outside the sequence are named") {
    CHECK_THROWS_WITH_AS(cut(5, {2, 2}, 0), "hrm::adapter: document start 2 after 2, expected ascending rows below 5", shape_error);
    CHECK_THROWS_AS(cut(5, {5}, 0), shape_error);
    CHECK_THROWS_AS(cut(5, {-1}, 0), shape_error);
}
