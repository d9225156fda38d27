#pragma once

#include <hrm/scan/engine.hpp>

// Which scan of poles, pairs or a dense A `automatic` takes on a device. Thresholds from the limits that were assumed of an
// H200, not from a measurement: 4.3 TB/s, 2.5 us a launch, and 0.6 us from asking memory for a row to having it.

namespace hrm::scan::detail {

/// From so many steps on chunks: reading eight rows costs 0.6 us, so that a launch more and z twice (2.5 us) pay from
/// 8 * 2.5 / 0.6 = 33 steps on.
inline constexpr index_t device_chunked_from = 33;
/// With so many recurrences side by side the memory is busy without chunks: 4.3 TB/s * 0.6 us = 2.6 MB on their way, eight
/// numbers of four bytes each.
inline constexpr index_t device_busy_from = 80000;

/// recurrences: modes of a sequence, or states of a dense A.
inline bool device_prefers_chunks(index_t recurrences, shape extents) {
    return extents.time >= device_chunked_from && extents.batch * recurrences < device_busy_from;
}

}  // namespace hrm::scan::detail
