#pragma once

#include <hrm/scan/detail/powers.hpp>

namespace hrm::detail {

/// What follows from A on the device, made anew where A has changed. A graph repeats the A it was recorded with, at any
/// later time: while launches are recorded and ever after everything is made in every call.
template <class A>
class kept_for {
public:
    using S = typename A::scalar;
    explicit kept_for(index_t coefficients) : known_(static_cast<std::size_t>(coefficients), scan::detail::nothing<S>) {}

    template <class Device, class F>
    void refresh(const Device& device, const A& a, F&& make) {
        const bool same = scan::detail::remember(known_, a);
        recorded_ = recorded_ || device.capturing();
        if (same && ready_ && !recorded_) return;
        ready_ = false;  // make may throw
        make();
        ready_ = true;
    }

private:
    buffer<S> known_;
    bool ready_ = false, recorded_ = false;
};

}  // namespace hrm::detail
