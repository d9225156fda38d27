#pragma once

namespace hrm::scan {

// How a recurrence is evaluated. Tags are values with options; all give the same states up to rounding.

/// The definition, step by step, vectorised across states. The fastest on one CPU thread at every length.
struct sequential {};
/// Causal convolutions with the powers of A by real FFTs, in overlapping chunks with a carry. The published form. Errors
/// are small beside the largest state of a chunk, and the powers of A over a chunk (up to 1024 steps) must fit the scalar:
/// where |A| > 1, or a NaN or infinity may come in, the others keep to themselves what came before.
struct fft {};
/// Chunks of `length` steps (0: ours to choose) tied by a carry in double: one long sequence on many threads, and the
/// smallest rounding error.
struct chunked {
    int length = 0;
};
/// One of the above, chosen by the shape in the plan's constructor; plan.algorithm() says which.
struct automatic {};

}  // namespace hrm::scan
