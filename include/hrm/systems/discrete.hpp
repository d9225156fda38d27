#pragma once

#include <hrm/systems/structure.hpp>

namespace hrm {

/// s_t = A s_{t-1} + B u_t,  y_t = C s_t + D u_t:  the current input enters at once, so G(z) = z C (zI - A)^-1 B + D.
/// On the unit circle |G - D| equals that of the strictly proper system: Hankel singular values and bounds carry over.
/// a: order n;  b: n x m;  c: p x n;  d: p x m or empty (none).
template <any_structure A>
struct discrete {
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
        detail::check_ports("hrm::discrete", order(), b, c, d);
    }
};

}  // namespace hrm
