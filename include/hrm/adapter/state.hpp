#pragma once

#include <hrm/core/matrix.hpp>

namespace hrm {

/// What one adapter carries from token to token of one sequence. A plain value: copy it to fork a beam, assign an old
/// copy to roll back, assign {} to start a new document. Empty means zero (or the learned initial state).
template <real S>
struct adapter_state {
    buffer<S> value;       ///< adapter::state_size() numbers once running
    index_t position = 0;  ///< tokens since the start of the document
};

}  // namespace hrm
