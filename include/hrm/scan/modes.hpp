#pragma once

#include <span>

#include <hrm/core/error.hpp>
#include <hrm/systems/structure.hpp>

namespace hrm::scan {

/// The poles of a diagonal A or of complex pairs, owned by somebody else: q real poles, then k pairs re +- i im, planar.
/// What every recurrence kernel takes, so that poles computed into a workspace need no copy.
template <real S>
struct modes {
    std::span<const S> real, re, im;

    modes(std::span<const S> real_, std::span<const S> re_ = {}, std::span<const S> im_ = {})
        : real(real_), re(re_), im(im_) {
        require_size("hrm::scan::modes", "imaginary parts", static_cast<index_t>(im.size()), pairs());
    }
    modes(const diagonal<S>& a) : modes(std::span<const S>(a.poles)) {}
    modes(const complex_pairs<S>& a)
        : modes(std::span<const S>(a.real), std::span<const S>(a.re), std::span<const S>(a.im)) {}

    index_t reals() const { return static_cast<index_t>(real.size()); }
    index_t pairs() const { return static_cast<index_t>(re.size()); }
    index_t order() const { return reals() + 2 * pairs(); }
};

}  // namespace hrm::scan
