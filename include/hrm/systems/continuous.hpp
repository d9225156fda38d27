#pragma once

#include <hrm/systems/structure.hpp>

namespace hrm {

/// x' = A x + B u,  y = C x + D u.     a: order n;  b: n x m;  c: p x n;  d: p x m or empty (none).
template <any_structure A>
struct continuous {
    using scalar = typename A::scalar;
    using structure_type = A;
    A a;
    matrix<scalar> b, c, d = {};

    index_t order() const { return a.order(); }
    index_t inputs() const { return b.cols(); }
    index_t outputs() const { return c.rows(); }
    /// Throws shape_error when the extents disagree.
    void check() const {
        a.check();
        detail::check_ports("hrm::continuous", order(), b, c, d);
    }
};

}  // namespace hrm
