#pragma once

namespace hrm::scan {

// How a recurrence is evaluated. Tags are values with options; all give the same states up to rounding.

/// The definition, step by step, vectorised across states. The fastest on one CPU thread at every length.
struct sequential {};
/// Causal convolutions with the powers of A by real FFTs, in overlapping chunks with a carry. The published form. An error
/// at t is small beside the largest s_j |A|^(t-j) of a chunk, j before t or, where |A| <= 1, after it too: a late burst
/// leaves its rounding on up to 1023 earlier states, a NaN the whole chunk. Where |A| > 1 the plan's chunks are as long as
/// the scalar's range allows for the A it is made with; an A that grows faster later is refused (numerical_error).
struct fft {};
/// Chunks of `length` steps (0: ours to choose) tied by a carry, states in double inside (poles; a dense A keeps the
/// scalar's): one long sequence on many threads, and no rounding error that grows. Everything is computed twice. A dense A
/// is raised to a power whenever it changes: 16 n^3 flop, for double 48.
struct chunked {
    int length = 0;
};
/// One of the above, chosen by the shape in the plan's constructor; plan.algorithm() says which, plan.reason() why. On the CPU it is
/// sequential, but for float poles over 8192 steps and more (scan::chunked_from): chunks, for precision. Their bits are not those of
/// scan::step, nor of shorter plans: who wants the same bits prefilled and decoded asks for sequential.
struct automatic {};

}  // namespace hrm::scan
