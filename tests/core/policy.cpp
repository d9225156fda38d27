#include <hrm/core/policy.hpp>

#include <doctest/doctest.h>

namespace {
template <class T>
concept complete = requires { sizeof(T); };
}

// A backend that is absent is an incomplete type: nothing can be made of it, and nothing falls back in silence.
static_assert(complete<hrm::cpu>);
static_assert(!complete<hrm::cuda>);

TEST_CASE("one thread unless asked") {
    CHECK(hrm::cpu{}.threads == 1);
    CHECK(hrm::cpu{.threads = 4}.threads == 4);
}
