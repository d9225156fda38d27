#include <hrm/model/embedding.hpp>

#include <utility>

#include <doctest/doctest.h>

#include "support/gradient.hpp"

using namespace hrm;
using namespace hrm::testing;

TEST_CASE("embedding: a gather, whose adjoint adds up repeated tokens") {
    random_stream random(1);
    auto w = random_matrix(5, 3, random);
    const auto dh = random_matrix(4, 3, random);
    const std::vector<std::int32_t> tokens{2, 0, 2, 4};
    matrix<double> h(4, 3), dw(5, 3);
    const auto loss = [&] {
        embedding_forward(tokens, std::as_const(w).view(), h.view());
        return inner(h.flat(), dh.flat());
    };
    loss();
    CHECK(h(2, 1) == w(2, 1));
    embedding_backward<double>(tokens, dh, dw.view());
    CHECK(relative_error(dw.flat(), central_differences(w.flat(), loss)) < 1e-6);
    CHECK(dw(2, 0) == dh(0, 0) + dh(2, 0));
    CHECK(dw(1, 0) == 0.0);
}

TEST_CASE("embedding: a token that is none") {
    const std::vector<std::int32_t> tokens{1, 2, 300};
    CHECK_THROWS_WITH_AS(require_tokens("here", tokens, 256, 3), "here: token 300 at position 5, vocabulary 256", error);
    CHECK_NOTHROW(require_tokens("here", tokens, 301));
}
